"""gotostate resume of many failures: the preview, the canaries, the queue, from here, and that it may be repeated."""

import copy
import gc
import io
import json
import shlex
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from fake_account import ADA, BEGINNING, Account, RefusalError, Wired, execution_arn, failure_events, machine_arn
from gotostate import cli, reading, recovery
from gotostate.cli.bulk import planned
from gotostate.cli.bulk import verb as bulk
from gotostate.cli.bulk.watching import Seen, Watch
from gotostate.cli.stack import Hold, Queue, State
from gotostate.errors import HistoryError, NoStackError, StackError, UnconfirmedError
from gotostate.events import HistoryEvent
from gotostate.memory import Memory
from gotostate.nesting import STARTED_BY
from gotostate.outcome import Outcome
from gotostate.report import Report
from gotostate.settings import settings_from
from histories import History

Capture = pytest.CaptureFixture[str]
NOW = BEGINNING + 86_400


def task(function: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function},
    } | more


ORDERS = {
    "StartAt": "Reserve",
    "States": {"Reserve": task("reserve", Next="Charge"), "Charge": task("payments-charge", End=True)},
}


class FakeStack:
    """The deployed stack: its queue, and the Resumer that deals with what is sent to it."""

    name = "sfn-resume"

    def __init__(self, account: Account) -> None:
        self.account = account
        self.sent: list[Any] = []
        self.outcomes: list[Outcome] = []
        self.mapping = "Enabled"
        self.succeeds = True
        # By the place in a batch, why SQS does not take a request.
        self.refused: dict[int, str] = {}

    def state(self) -> State:
        return State(self.mapping, Hold("2026-05-02T00:00:00Z", ADA, None) if self.mapping == "Disabled" else None)

    def recovery_queue(self) -> Queue:
        return Queue("arn", 0 if self.mapping == "Enabled" else len(self.sent), 0)

    def send(self, events: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        assert len(events) <= 10
        taken = [event for place, event in enumerate(events) if place not in self.refused]
        for event in json.loads(json.dumps(taken)):
            self.sent.append(event)
            if self.mapping == "Enabled":
                self.recover(event)
        return dict(self.refused)

    def recover(self, event: Any) -> None:
        outcome = recovery.recover(self.account.memory(), Report.from_event(event), settings_from({}))
        self.outcomes.append(outcome)
        if outcome.resumed and self.succeeds:
            self.account.end(outcome.resumed, "SUCCEEDED")


def refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


def no_stack(name: str, *_: Any, **how: Any) -> Any:
    """Answer as CloudFormation does of a stack that does not exist."""
    raise NoStackError(f"there is no stack {name} in eu-west-1; give its name with --stack")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    for name in ("orders", "refunds"):
        account.add_machine(name, ORDERS, {"gotostate": "resume"})
    monkeypatch.setattr("gotostate.cli.selection.StepFunctions", lambda region: Wired(account, region or "eu-west-1"))
    monkeypatch.setattr("gotostate.cli.account.StepFunctions", lambda region: Wired(account, region))
    monkeypatch.setattr("gotostate.cli.account.environment_of", no_stack)
    monkeypatch.setattr(bulk, "_now", lambda: account.now)
    monkeypatch.setattr("gotostate.cli.verbs.list._now", lambda: account.now)
    monkeypatch.setattr(planned, "Memory", lambda aws: Memory(aws, clock=lambda: account.now))
    monkeypatch.setenv("COLUMNS", "80")
    return account


@pytest.fixture
def stack(account: Account, monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    stack = FakeStack(account)
    monkeypatch.setattr("gotostate.cli.account.environment_of", lambda *_, **how: {"MAX_ATTEMPTS": "3"})
    monkeypatch.setattr(planned, "Stack", lambda name, region, profile: stack)
    return stack


def fail(
    account: Account, machine: str, count: int, state: str = "Charge", error: str = "BankDown", **more: Any
) -> None:
    for number in range(count):
        account.now = NOW - 3_600 + number
        name = f"{state}-{number}"
        account.add_failure(machine, name, failure_events(state, error=error), **more)
    account.now = NOW


def resume(*arguments: str) -> int:
    return cli.main(["resume", *arguments])


def inside(account: Account) -> Any:
    return copy.deepcopy((account.machines, account.runs, account.changes))


def started(account: Account, machine: str = "orders") -> list[Any]:
    return account.resumed(f"{machine}-with-GoToState")


def let_resumes_succeed(account: Account) -> None:
    """Let each resumed execution of orders succeed before the next call of AWS."""

    def gate(operation: str, body: Any) -> None:
        for run in started(account):
            account.end(run.arn, "SUCCEEDED")

    account.gate = gate


# ---- Which failures -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "say which failures: --state-machine NAME... or --since T"),
        (["--error", "X"], "say which failures"),
        (["--since", "yesterday"], "--since is 'yesterday'"),
        (["--since", "2h", "--canary", "0"], "--canary is '0'"),
        (["--since", "2h", "--limit", "x"], "--limit is 'x'"),
        (["--since", "2h", "--limit", "9" * 5_000], "at most 9 digits"),
        (["--since", "2h", "--canary", "1" * 10], "at most 9 digits"),
        (["--since", "999999999d"], "--since is '999999999d'"),
        (["--since", "2h", "--until", "9999-12-31T23:59-12:00"], "--until is '9999"),
        (["--since", "2h", "--skip"], "--skip is for one execution"),
        (["--since", "2h", "--input", "1"], "--input is for one execution"),
        (["--since", "2h", "--dry-run", "--yes"], "leave one of them out"),
        ([execution_arn("orders", "x"), "--since", "2h"], "these options are for many failures: --since"),
        (
            [execution_arn("orders", "x"), "--json", "--limit", "1"],
            "these options are for many failures: --limit, --json",
        ),
        (["--since", "2h", "--stack", ""], "--stack is empty"),
    ],
)
def test_wrong_usage_exits_with_2(account: Account, capsys: Capture, arguments: list[str], says: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        resume(*arguments)
    assert exit_.value.code == 2
    assert says in capsys.readouterr().err
    assert not account.calls


def test_the_filters_are_those_of_list(account: Account, capsys: Capture) -> None:
    fail(account, "orders", 3)
    fail(account, "orders", 2, "Reserve", "Down")
    fail(account, "refunds", 4, error="BankClosed")
    for filters in (["--error", "Bank*"], ["--state", "Reserve"], ["--state-machine", "refunds"], ["--until", "59m"]):
        words = [*filters, "--since", "24h"]
        assert cli.main(["list", "--group", "--json", "--unresolved", *words]) == 0
        listed = json.loads(capsys.readouterr().out)
        assert resume("--dry-run", "--json", *words) == 0
        planned = json.loads(capsys.readouterr().out)["groups"]
        keys = ("machine", "state", "error", "count")
        assert sorted(tuple(map(str, (group[key] for key in keys))) for group in planned) == sorted(
            tuple(map(str, (group[key] for key in keys))) for group in listed
        )
    assert sum(group["count"] for group in planned) == 9


def test_a_limit_counts_what_is_resumed_so_that_the_next_run_goes_on(account: Account, stack: FakeStack) -> None:
    fail(account, "orders", 5)
    # The newest of them cannot be read.
    account.now = NOW - 60
    account.add_failure("orders", "gone", failure_events("Gone"))
    account.now = NOW
    for left in (3, 1, 0):
        # What cannot be read was not resumed.
        assert resume("--state-machine", "orders", "--limit", "2", "--yes") == 1
        assert len(started(account)) == 5 - left


# ---- The preview ----------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 3)
    before = inside(account)
    assert resume("--state-machine", "orders", "--dry-run") == 0
    assert inside(account) == before
    assert stack.sent == []
    assert "3 failures: 3 to resume\n" in capsys.readouterr().out


def test_the_preview_for_people(account: Account, stack: FakeStack, capsys: Capture) -> None:
    """What docs/commands.md shows."""
    account.add_machine("invoices", ORDERS, {"gotostate": "prepare"})
    account.add_machine("imports", ORDERS, {})
    fail(account, "orders", 12)
    fail(account, "invoices", 4, error="LedgerLocked")
    fail(account, "imports", 2, "Reserve", "Down")
    fail(account, "refunds", 1)
    parent = {**task("x"), "Resource": "arn:aws:states:::states:startExecution.sync:2"}
    parent["Parameters"] = {"StateMachineArn": machine_arn("refunds")}
    account.add_machine("parent", {"StartAt": "T", "States": {"T": {**parent, "End": True}}}, {"gotostate": "resume"})
    given = json.dumps({STARTED_BY: account.add_failure("parent", "p", failure_events("T"))})
    account.runs[execution_arn("refunds", "Charge-0")].input = given
    machines = ("orders", "invoices", "imports", "refunds")
    assert resume("--state-machine", *machines, "--since", "2h", "--dry-run") == 0
    since = "2026-05-01T23:46:40.000Z"
    expected = f"""\
MACHINE   STATE    ERROR         COUNT  ACTION
orders    Charge   BankDown      12     resume
  calls: Charge: lambda:invoke payments-charge (again in 12)
invoices  Charge   LedgerLocked  4      resume (was prepared)
  why not automatic: not started, because its tag gotostate is prepare; would enter 'Charge': the state it ended in
  calls: Charge: lambda:invoke payments-charge (again in 4)
imports   Reserve  Down          2      resume
  why not automatic: the state machine has not opted in; tag it gotostate=resume or gotostate=prepare
  calls: Reserve: lambda:invoke reserve (again in 2)
  calls: Charge: lambda:invoke payments-charge
refunds   Charge   BankDown      1      refused
  refused: its parent {execution_arn("parent", "p")} waits for it (.sync) and is recovered instead; resume the parent
19 failures: 18 to resume, 1 refused
16 by the Resumer of the stack sfn-resume, through its queue
2 from here, with your own credentials: {planned._NOT_TAKEN}
parameters: the stack sfn-resume
Next         gotostate resume --state-machine orders invoices imports refunds --since {since}
"""
    assert capsys.readouterr().out == expected
    assert expected in (Path(__file__).parents[2] / "docs" / "commands.md").read_text()


def test_json_without_yes_prints_the_plan_and_exits_with_3(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 2)
    assert resume("--state-machine", "orders", "--json") == 3
    plan = json.loads(capsys.readouterr().out)
    assert plan["results"] is None
    assert (plan["stack"], plan["running"], plan["more"], plan["seconds"]) == ("sfn-resume", 0, 0, 0)
    (group,) = plan["groups"]
    assert (group["count"], group["action"], group["through"]) == (2, "resume", "queue")
    assert group["calls"] == [{"call": "Charge: lambda:invoke payments-charge", "again": 2}]
    assert {failure["execution"] for failure in plan["failures"]} == {
        execution_arn("orders", f"Charge-{number}") for number in range(2)
    }
    assert account.changes == []


def test_json_with_yes_prints_what_was_done(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 2)

    let_resumes_succeed(account)
    assert resume("--state-machine", "orders", "--json", "--yes", "--canary", "1") == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert results["done"] == {"resumed": 1, "requested": 1}
    assert [canary["status"] for canary in results["canaries"]] == ["SUCCEEDED"]


def test_without_a_person_and_without_yes_nothing_is_done(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 2)
    assert resume("--state-machine", "orders") == 3
    assert "add --yes" in capsys.readouterr().err
    assert (account.changes, stack.sent) == ([], [])


def test_how_long_it_takes_at_awss_quotas(account: Account, stack: FakeStack, capsys: Capture) -> None:
    """Each is described twice, here and by the Resumer: 300 at once and 15 a second in eu-west-1."""
    fail(account, "orders", 200)
    assert resume("--state-machine", "orders", "--dry-run") == 0
    assert "AWS's quotas make it take at least 6 s\n" in capsys.readouterr().out


def test_what_was_looked_at_counts_for_the_time_though_it_is_not_meant(
    account: Account, stack: FakeStack, capsys: Capture
) -> None:
    fail(account, "orders", 400)
    assert resume("--state-machine", "orders", "--state", "Reserve", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["seconds"] == 6


def test_with_a_filter_it_is_not_known_how_many_run(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 2)
    stack.succeeds = False
    assert resume("--state-machine", "orders", "--limit", "1", "--yes") == 0
    capsys.readouterr()
    for words in (["--error", "BankDown"], ["--state", "Charge"]):
        assert resume("--state-machine", "orders", *words, "--dry-run") == 0
        assert "1 failure: 1 to resume\n" in capsys.readouterr().out
        assert resume("--state-machine", "orders", *words, "--json") == 3
        assert json.loads(capsys.readouterr().out)["running"] is None


def test_a_group_runs_the_same(account: Account, stack: FakeStack, capsys: Capture) -> None:
    """The definition was mended between two failures, which end in the same state."""
    fail(account, "orders", 1)
    account.now = NOW - 60
    mended = json.loads(json.dumps(ORDERS))
    mended["States"]["Charge"] = task("new-charge", End=True)
    account.add_machine("orders", mended, {})
    account.add_failure("orders", "later", failure_events("Charge", error="BankDown"))
    account.now = NOW
    assert resume("--state-machine", "orders", "--json") == 3
    groups = json.loads(capsys.readouterr().out)["groups"]
    assert sorted(group["calls"][0]["call"] for group in groups) == [
        "Charge: lambda:invoke new-charge",
        "Charge: lambda:invoke payments-charge",
    ]


def test_reasons_that_name_executions_are_one_group(account: Account, stack: FakeStack, capsys: Capture) -> None:
    call = {**task("x"), "Resource": "arn:aws:states:::states:startExecution.sync:2"}
    call["Parameters"] = {"StateMachineArn": machine_arn("refunds")}
    account.add_machine("parent", {"StartAt": "T", "States": {"T": {**call, "End": True}}}, {"gotostate": "resume"})
    fail(account, "refunds", 3)
    for number in range(3):
        parent = account.add_failure("parent", f"p{number}", failure_events("T"))
        account.runs[execution_arn("refunds", f"Charge-{number}")].input = json.dumps({STARTED_BY: parent})
    assert resume("--state-machine", "refunds", "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "refunds  Charge  BankDown  3      refused\n" in printed
    assert "  refused, for example: its parent arn:" in printed


def test_the_command_that_shows_the_rest_names_the_stack(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 1)
    assert resume("--state-machine", "orders", "--yes", "--stack", "my-stack") == 0
    assert "--stack my-stack --unresolved\n" in capsys.readouterr().out


def test_a_dry_run_ends_with_the_command_that_does_it(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 3)
    words = ["--state-machine", "orders", "--stack", "my-stack", "--from-state", "Charge", "--limit", "1"]
    assert resume(*words, "--dry-run") == 0
    command = capsys.readouterr().out.splitlines()[-1].removeprefix("Next         gotostate resume ")
    assert command.endswith(" --stack my-stack --from-state Charge --limit 1")
    assert resume(*shlex.split(command), "--yes") == 0
    assert len(started(account)) == 1


def test_what_is_confirmed_with_canaries_is_said(
    account: Account, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(account, "orders", 3)
    asked: list[str] = []

    def confirm(question: str, *, given: bool) -> None:
        asked.append(question)
        raise UnconfirmedError("nothing was changed")

    monkeypatch.setattr(bulk, "confirm", confirm)
    for count in ("1", "3"):
        assert resume("--state-machine", "orders", "--canary", count) == 3
    assert asked == ["Resume 1 first, and the other 2 only if all of these succeed?", "Resume 3?"]


def test_names_that_do_not_fit_are_shown_below(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    error = "TheBankIsDownAgainAndNobodyKnowsWhy"
    fail(account, "orders", 1, error=error)
    assert resume("--state-machine", "orders", "--dry-run") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].endswith("resume")
    assert printed[2] == f"  orders, Charge, {error}"
    monkeypatch.delenv("COLUMNS")
    assert resume("--state-machine", "orders", "--dry-run") == 0
    assert error in capsys.readouterr().out.splitlines()[1], "a file takes lines of any width"


@pytest.mark.parametrize(
    ("has_stack", "words"), [(True, ["--canary", "1"]), (False, []), (True, ["--definition", "current"])]
)
def test_the_data_of_all_failures_are_never_in_memory_at_once(
    account: Account,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    *,
    has_stack: bool,
) -> None:
    """Ten thousand failures with the largest input there is would be 2.5 GB."""
    if has_stack:
        request.getfixturevalue("stack").succeeds = False
    words = ["--state-machine", "orders", "--since", "2026-01-01", *words]
    assert resume(*words, "--dry-run") == 0  # loads what is loaded once
    count, payload = 16, json.dumps("x" * 250_000)
    for number in range(count):
        account.add_failure("orders", f"o{number}", failure_events("Charge", payload), given=payload)
    inputs, sizes = list[int](), list[int]()

    def measure() -> None:
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])

    def gate(operation: str, body: Any) -> None:
        """What is resumed succeeds, and the account in memory does not keep its input either."""
        if operation == "StartExecution" and len(inputs) == count - 1:
            measure()
        for run in started(account):
            if run.status == "RUNNING":
                inputs.append(len(run.input))
                run.input = "{}"
                account.end(run.arn, "SUCCEEDED")

    account.gate = gate
    monkeypatch.setattr(bulk, "confirm", lambda question, given: measure())
    tracemalloc.start()
    try:
        assert resume(*words, "--yes") == 0
    finally:
        tracemalloc.stop()
    gate("", None)
    # Each was resumed with its data all the same.
    assert len(inputs) == count
    assert min(inputs) > len(payload)
    assert len(sizes) == 2
    assert max(sizes) < count * len(payload), sizes


# ---- What is done ---------------------------------------------------------------------------------


def test_the_resumer_does_it_and_knows_who_asked_and_why(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 23)
    assert resume("--state-machine", "orders", "--reason", "the bank is back", "--yes") == 0
    assert len(stack.sent) == len(started(account)) == 23
    resuming = json.loads(started(account)[0].input)["resuming"]
    assert (resuming["by"], resuming["reason"], resuming["delaySeconds"]) == (ADA, "the bank is back", 0)
    printed = capsys.readouterr().out
    assert "Requested    23\n" in printed
    command = shlex.split(printed.splitlines()[-1])[1:]
    assert command[:3] == ["gotostate", "list", "--state-machine"]
    capsys.readouterr()
    assert cli.main(command[1:]) == 0
    assert capsys.readouterr().out.startswith("no failures")


def test_a_second_run_does_what_is_left_and_a_third_finds_nothing(
    account: Account, stack: FakeStack, capsys: Capture
) -> None:
    fail(account, "orders", 4)
    stack.mapping = "Disabled"
    assert resume("--state-machine", "orders", "--limit", "2", "--yes") == 0
    printed = capsys.readouterr().out
    assert "is held: requests wait in its queue" in printed
    assert "mind: to let it continue: gotostate release --region eu-west-1\n" in printed
    stack.mapping = "Enabled"
    assert resume("--state-machine", "orders", "--yes") == 0
    for event in stack.sent[:2]:
        stack.recover(event)
    assert len(started(account)) == 4
    capsys.readouterr()
    assert resume("--state-machine", "orders", "--yes") == 0
    assert "0 failures: 0 to resume\n" in capsys.readouterr().out
    assert len(started(account)) == 4


def test_what_runs_again_is_left(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 3)
    stack.succeeds = False
    assert resume("--state-machine", "orders", "--limit", "1", "--yes") == 0
    assert resume("--state-machine", "orders", "--dry-run") == 0
    assert "2 failures: 2 to resume, 1 more run again already\n" in capsys.readouterr().out


def test_without_a_stack_it_is_done_from_here(account: Account, capsys: Capture) -> None:
    account.retag("orders", gotostate="off")
    fail(account, "orders", 3)
    assert resume("--state-machine", "orders", "--yes", "--reason", "by me") == 0
    assert [json.loads(run.input)["resuming"]["by"] for run in started(account)] == [ADA] * 3
    printed = capsys.readouterr().out
    assert "3 from here, with your own credentials: there is no stack sfn-resume in eu-west-1\n" in printed
    assert "Resumed      3\n" in printed


def test_what_has_not_opted_in_is_done_from_here(account: Account, stack: FakeStack, capsys: Capture) -> None:
    account.retag("orders", gotostate="off")
    fail(account, "orders", 2)
    fail(account, "refunds", 1)
    assert resume("--state-machine", "orders", "refunds", "--yes") == 0
    assert (len(stack.sent), len(started(account)), len(started(account, "refunds"))) == (1, 2, 1)


@pytest.mark.parametrize("arguments", [["--definition", "current"], ["--from-state", "Charge"]])
def test_what_a_request_does_not_carry_is_done_from_here(
    account: Account, stack: FakeStack, capsys: Capture, arguments: list[str]
) -> None:
    fail(account, "orders", 2)
    account.now += 60
    account.add_machine("orders", {**ORDERS, "Comment": "mended"}, {"gotostate": "resume"})
    account.calls.clear()
    assert resume("--state-machine", "orders", *arguments, "--yes") == 0
    assert stack.sent == []
    assert len(started(account)) == 2
    built = account.machines[machine_arn("orders-with-GoToState")].document
    assert ("Comment" in built) is (arguments[0] == "--definition")


def test_what_held_automation_back_is_said_with_another_definition_too(account: Account, capsys: Capture) -> None:
    fail(account, "orders", 2, error="States.Permissions")
    for words in ([], ["--definition", "current"]):
        assert resume("--state-machine", "orders", *words, "--dry-run") == 0
        printed = capsys.readouterr().out
        assert "resume (was prepared)" in printed
        assert "why not automatic: States.Permissions" in printed


def test_what_is_not_exact_is_refused_with_another_definition_too(account: Account, capsys: Capture) -> None:
    reading = {"Type": "Pass", "Parameters": {"all.$": "$$.Execution.Input"}, "Next": "Charge"}
    document: dict[str, Any] = {**ORDERS, "StartAt": "Reading"}
    document["States"] = {**document["States"], "Reading": reading}
    account.add_machine("orders", document, {"gotostate": "resume"})
    fail(account, "orders", 2)
    for run in account.runs.values():
        run.input, run.why_not_redrivable = "[1]", "it failed 15 days ago"
    for words in ([], ["--definition", "current"]):
        assert resume("--state-machine", "orders", *words, "--yes") == 1
        assert "refused: its states read the execution's input, which is not a JSON object" in capsys.readouterr().out
    assert account.changes == []


def test_states_that_a_file_does_not_have_are_named(account: Account, tmp_path: Any, capsys: Capture) -> None:
    """The file may be another machine's that has a state of the same name."""
    fail(account, "orders", 2)
    other = {"StartAt": "Charge", "States": {"Charge": task("another-charge", End=True)}}
    (tmp_path / "other.json").write_text(json.dumps(other))
    words = ["--state-machine", "orders", "--definition", f"{tmp_path}/other.json", "--dry-run"]
    # They failed in the only state that they entered.
    assert resume(*words) == 0
    assert "mind: " not in capsys.readouterr().out
    before, failed = failure_events("Reserve")[1], failure_events("Charge", error="BankDown")
    for number in range(2):
        run = account.runs[execution_arn("orders", f"Charge-{number}")]
        run.events = [failed[0], before, {**failed[1], "id": 3}, {**failed[2], "id": 4}]
    assert resume(*words) == 0
    why = "it went through 'Reserve', which --definition does not have: see that it is not another machine's"
    assert f"mind: 2 of them: {why}\n" in capsys.readouterr().out
    assert resume(execution_arn("orders", "Charge-0"), *words[2:4]) == 0
    assert f"Mind         {why}\n" in capsys.readouterr().out


def test_a_file_is_of_one_machine(account: Account, tmp_path: Any, capsys: Capture) -> None:
    (tmp_path / "mended.json").write_text(json.dumps(ORDERS))
    assert resume("--since", "2h", "--definition", f"{tmp_path}/mended.json") == 1
    assert "these are 2 state machines" in capsys.readouterr().err


def test_from_a_state_that_some_never_entered(account: Account, capsys: Capture) -> None:
    fail(account, "orders", 2)
    fail(account, "orders", 1, "Reserve")
    assert resume("--state-machine", "orders", "--from-state", "Reserve", "--yes") == 1
    assert "refused: the execution never entered 'Reserve'" in capsys.readouterr().out
    assert len(started(account)) == 1


def test_one_that_fails_does_not_stop_the_others(account: Account, capsys: Capture) -> None:
    fail(account, "orders", 3)
    account.add_machine("refunds-with-GoToState", ORDERS, {})
    fail(account, "refunds", 2)
    assert resume("--since", "2h", "--yes") == 1
    assert len(started(account)) == 3
    printed = capsys.readouterr().out
    assert "Resumed      3\nNot resumed  2\n" in printed
    assert "Because      arn:aws:states:eu-west-1:123456789012:stateMachine:refunds-with-GoToState" in printed


def test_what_aws_denies_is_told_and_what_was_done_as_well(account: Account, capsys: Capture) -> None:
    fail(account, "orders", 3)

    def gate(operation: str, body: Any) -> None:
        if operation == "StartExecution" and len(started(account)) == 1:
            raise RefusalError("AccessDeniedException", "no more of this")

    account.gate = gate
    assert resume("--state-machine", "orders", "--yes") == 1
    captured = capsys.readouterr()
    assert "Resumed      1\n" in captured.out
    assert "no more of this" in captured.err
    account.gate = lambda operation, body: None
    assert resume("--state-machine", "orders", "--yes") == 0
    assert len(started(account)) == 3


def test_a_queue_that_takes_nothing_is_told(
    account: Account, stack: FakeStack, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(account, "orders", 12)
    send = stack.send

    def once(events: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        if stack.sent:
            raise StackError("the queue was deleted: deploy it again")
        return send(events)

    monkeypatch.setattr(stack, "send", once)
    assert resume("--state-machine", "orders", "--yes") == 1
    captured = capsys.readouterr()
    assert "Requested    10\n" in captured.out
    assert "was deleted" in captured.err


def test_what_sqs_took_of_a_batch_is_told_beside_what_it_refused(
    account: Account, stack: FakeStack, capsys: Capture
) -> None:
    fail(account, "orders", 12)
    stack.refused = {1: "the queue did not take the request: InternalError"}
    assert resume("--state-machine", "orders", "--yes", "--json") == 1
    results = json.loads(capsys.readouterr().out)["results"]
    assert results["done"] == {"requested": 10, "not resumed": 2}
    assert {failure["reason"] for failure in results["failures"]} == set(stack.refused.values())
    stack.refused = {}
    assert resume("--state-machine", "orders", "--yes") == 0
    assert len(started(account)) == 12


def test_what_the_stack_may_not_read_is_done_from_here(
    account: Account, stack: FakeStack, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(account, "orders", 2)
    fail(account, "refunds", 3)
    names = {"STATE_MACHINE_NAMES": "ord*"}
    monkeypatch.setattr("gotostate.cli.account.environment_of", lambda *_, **how: names)
    assert resume("--state-machine", "orders", "refunds", "--yes") == 0
    assert len(stack.sent) == 2
    printed = capsys.readouterr().out
    assert "3 from here, with your own credentials: the Resumer handles only state machines" in printed
    assert len(started(account)) + len(started(account, "refunds")) == 5


def test_a_plan_of_what_cannot_be_read_exits_as_the_resume_would(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(account, "orders", 2)

    def unreadable(*_: Any) -> Any:
        raise HistoryError("no such event")

    monkeypatch.setattr(reading, "read", unreadable)
    for options in (("--json",), ("--yes",), ("--json", "--yes")):
        assert resume("--state-machine", "orders", *options) == 1, options
    assert resume("--state-machine", "orders", "--dry-run") == 0


def taken_up(account: Account, monkeypatch: pytest.MonkeyPatch, what: Callable[[], None]) -> None:
    """Let somebody do something while the command asks."""
    account.now += 60
    monkeypatch.setattr(bulk, "confirm", lambda question, given: what())


@pytest.mark.parametrize("after", [(), failure_events("Charge")[1:]])
def test_what_was_redriven_while_it_asked_is_left(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch, after: Sequence[HistoryEvent]
) -> None:
    """Whether it runs or has failed again: its work must not be done twice."""
    fail(account, "orders", 2)
    taken_up(account, monkeypatch, lambda: account.redrive(execution_arn("orders", "Charge-1"), *after))
    assert resume("--state-machine", "orders", "--yes") == 0
    assert len(started(account)) == 1
    assert "Resumed      1\nWas running  1\n" in capsys.readouterr().out


def test_a_resume_whose_original_was_redriven_while_it_asked_is_left(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(account, "orders", 1)
    assert resume("--state-machine", "orders", "--yes") == 0
    (run,) = started(account)
    account.now += 60
    account.end(run.arn, "FAILED", failure_events("Charge"))
    taken_up(account, monkeypatch, lambda: account.redrive(execution_arn("orders", "Charge-0")))
    assert resume("--state-machine", "orders", "--yes", "--wait") == 0
    assert started(account) == [run]


def test_what_would_be_done_otherwise_than_it_was_shown_is_left(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(account, "orders", 2)
    account.retag("orders", gotostate="off")

    def change() -> None:
        account.retag("orders", **{"gotostate:strategy": "redrive"})
        account.now += 90

    taken_up(account, monkeypatch, change)
    before = list(account.changes)
    assert resume("--state-machine", "orders", "--yes") == 1
    assert account.changes == before
    printed = capsys.readouterr().out
    assert "Not resumed  2\n" in printed
    assert "Because      what would be done about it has changed since it was shown: " in printed


EACH = {
    "Type": "Map",
    "ItemProcessor": {"StartAt": "Pay", "States": {"Pay": task("pay", End=True)}},
    "End": True,
}


@pytest.mark.parametrize("refused_form", ["Goes on inside", ""])
def test_a_map_that_aws_does_not_take_opened_is_resumed_as_a_whole_if_it_takes_that(
    account: Account, capsys: Capture, refused_form: str
) -> None:
    account.add_machine("orders", {"StartAt": "Each", "States": {"Each": EACH}}, {"gotostate": "resume"})
    story = History("[1,2]")
    before = story.iterates("Each", 0, story.map_starts(story.enter("Map", "Each", 0, "[1,2]"), 2))
    story.iterated("Each", 0, story.task("Pay", before, "1", "1"))
    story.fails(story.task("Pay", story.iterates("Each", 1, before), "2"), within="Map")
    account.add_failure("orders", "order-17", story.newest_first[::-1], story.input)

    def gate(operation: str, body: Any) -> None:
        if operation == "CreateStateMachine" and refused_form in str(body["definition"]):
            raise RefusalError("InvalidDefinition", "SCHEMA_VALIDATION_FAILED")

    account.gate = gate
    code = resume("--state-machine", "orders", "--since", "2026-01-01", "--yes")
    printed = capsys.readouterr().out
    if refused_form:
        (run,) = started(account)
        assert "inside" not in json.loads(run.input)["resuming"]
        assert (code, "Resumed      1\n" in printed) == (0, True)
    else:
        assert (code, started(account), "Not resumed  1\n" in printed) == (1, [], True)


def test_what_is_redriven_while_it_is_read_runs_again(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 3)

    def gate(operation: str, body: Any) -> None:
        if operation == "DescribeExecution":
            account.gate = lambda operation, body: None
            account.redrive(body["executionArn"])

    account.gate = gate
    assert resume("--state-machine", "orders", "--dry-run") == 0
    assert "2 failures: 2 to resume, 1 more run again already\n" in capsys.readouterr().out


def test_what_aws_answers_that_nobody_expected_ends_it_before_anything_is_done(
    account: Account, stack: FakeStack, capsys: Capture
) -> None:
    fail(account, "orders", 2)

    def gate(operation: str, body: Any) -> None:
        if operation == "GetExecutionHistory":
            raise RefusalError("UnheardOfException", "never seen before")

    account.gate = gate
    assert resume("--state-machine", "orders", "--yes") == 1
    assert "never seen before" in capsys.readouterr().err
    assert (account.changes, stack.sent) == ([], [])


@pytest.mark.parametrize("parent_waits", [True, False])
def test_what_was_chosen_takes_up_no_child_that_its_parent_waits_for(
    account: Account, capsys: Capture, parent_waits: bool
) -> None:
    """An error that automation leaves to people is no hindrance to a person."""
    account.retag("refunds", **{"gotostate:prepare-errors": "BankDown"})
    fail(account, "refunds", 1)
    call = task("x") | {"Resource": f"arn:aws:states:::states:startExecution{'.sync:2' if parent_waits else ''}"}
    call["Parameters"] = {"StateMachineArn": machine_arn("refunds")}
    account.add_machine("parent", {"StartAt": "T", "States": {"T": {**call, "End": True}}}, {"gotostate": "resume"})
    parent = account.add_failure("parent", "p", failure_events("T"))
    account.runs[execution_arn("refunds", "Charge-0")].input = json.dumps({STARTED_BY: parent})
    assert resume("--state-machine", "refunds", "--from-state", "Charge", "--yes") == 0
    assert len(started(account, "refunds")) == (0 if parent_waits else 1)
    assert (f"refused: its parent {parent} waits for it" in capsys.readouterr().out) is parent_waits


def test_the_preview_says_which_state_is_entered_where_it_is_another_one(account: Account, capsys: Capture) -> None:
    fail(account, "orders", 1)
    run, before = account.runs[execution_arn("orders", "Charge-0")], failure_events("Reserve")[1]
    first, entered, last = run.events
    run.events = [first, before, {**entered, "id": 3}, {**last, "id": 4}]
    assert resume("--state-machine", "orders", "--from-state", "Reserve", "--dry-run") == 0
    assert "  from: Reserve\n" in capsys.readouterr().out
    assert resume("--state-machine", "orders", "--from-state", "Charge", "--dry-run") == 0
    assert "  from: " not in capsys.readouterr().out


def test_a_definition_that_aws_refuses_is_told(account: Account, capsys: Capture) -> None:
    fail(account, "orders", 1)

    def gate(operation: str, body: Any) -> None:
        if operation == "CreateStateMachine":
            raise RefusalError("InvalidDefinition", "SCHEMA_VALIDATION_FAILED: at /States/Charge")

    account.gate = gate
    assert resume("--state-machine", "orders", "--yes") == 1
    assert "Not resumed  1\n" in (printed := capsys.readouterr().out)
    assert "SCHEMA_VALIDATION_FAILED: at /States/Charge" in printed


UNKNOWN = [
    (refused("AccessDenied", "not authorized"), "not authorized"),
    (refused("Throttling", "Rate exceeded"), "Rate exceeded"),
    (EndpointConnectionError(endpoint_url="https://cloudformation"), "Could not connect"),
    (StackError("the stack sfn-resume has no output RecoveryMappingId"), "has no output RecoveryMappingId"),
]


@pytest.mark.parametrize(("error", "said"), UNKNOWN, ids=[said for _, said in UNKNOWN])
def test_what_cannot_be_known_of_the_stack_is_said(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """Other than what is known not to exist: there the failures are resumed from here, and nothing is to be minded."""
    fail(account, "orders", 1)

    def fails(*_: Any, **how: Any) -> Any:
        raise error

    assert resume("--state-machine", "orders", "--json") == 3
    assert json.loads(capsys.readouterr().out)["minds"] == []
    monkeypatch.setattr("gotostate.cli.account.environment_of", fails)
    assert resume("--state-machine", "orders", "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "1 from here, with your own credentials: it is not known whether there is a Resumer\n" in printed
    mind = "mind: the stack's parameters are not known, nor whether its Resumer is to be asked: "
    (line,) = [line for line in printed.splitlines() if line.startswith(mind)]
    assert said in line
    assert resume("--state-machine", "orders", "--yes") == 1
    complaint = capsys.readouterr().err
    assert "it is not known whether the Resumer is to be asked, so nothing was started: " in complaint
    assert said in complaint
    assert started(account) == []


@pytest.mark.parametrize("option", ["--stack", "--yes", "--dry-run"])
def test_a_stack_that_cannot_be_read_is_not_taken_for_none(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    fail(account, "orders", 1)
    hasty = []

    def throttled(name: str, region: str, profile: None, *, is_hasty: bool) -> Any:
        hasty.append(is_hasty)
        raise ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "DescribeStacks")

    monkeypatch.setattr("gotostate.cli.account.environment_of", throttled)
    words = [option, "resumes"] if option == "--stack" else [option]
    # Without either, a person sees it before it is confirmed.
    assert resume("--state-machine", "orders", *words) == (0 if option == "--dry-run" else 1)
    captured = capsys.readouterr()
    assert ("the stack" in captured.err) is (option != "--dry-run")
    assert hasty == [False]
    assert started(account) == []


def test_nothing_that_could_be_resumed_is_no_success(account: Account, capsys: Capture) -> None:
    account.add_failure("orders", "gone", failure_events("Gone"))
    words = ("--state-machine", "orders", "--since", "2026-01-01")
    assert resume(*words, "--yes") == 1
    assert resume(*words, "--dry-run") == 0


# ---- Canaries -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
def test_the_others_follow_only_if_all_canaries_succeed(
    account: Account, stack: FakeStack, capsys: Capture, status: str
) -> None:
    fail(account, "orders", 5)
    fail(account, "orders", 2, "Reserve", "Down")

    def gate(operation: str, body: Any) -> None:
        """The canaries end when they are looked at for the second time."""
        for number, run in enumerate(started(account)):
            if operation == "DescribeExecution" and body["executionArn"] == run.arn and account.now > run.started + 1:
                account.end(run.arn, status if number else "SUCCEEDED", failure_events("Charge"))

    account.gate = gate
    assert resume("--state-machine", "orders", "--canary", "2", "--yes") == (0 if status == "SUCCEEDED" else 1)
    printed = capsys.readouterr().out
    assert len(stack.sent) == (5 if status == "SUCCEEDED" else 0)
    if status == "SUCCEEDED":
        assert printed.count("SUCCEEDED\n") == 2
        assert "Resumed      2\nRequested    5\n" in printed
    else:
        assert "a canary did not succeed, so 5 others were not resumed" in printed
        assert printed.count("Canary  ") == 2
        assert f"Next         gotostate plan {started(account)[1].arn}\n" in printed
    # One of each group.
    states = [json.loads(run.input)["resuming"]["state"] for run in started(account)[:2]]
    assert sorted(states) == ["Charge", "Reserve"]


def test_a_canary_that_cannot_be_started_stops_it(account: Account, stack: FakeStack, capsys: Capture) -> None:
    account.add_machine("orders-with-GoToState", ORDERS, {})
    fail(account, "orders", 3)
    assert resume("--state-machine", "orders", "--canary", "1", "--yes") == 1
    printed = capsys.readouterr().out
    assert "Not resumed  1\n" in printed
    assert "Mind         a canary could not be resumed, so 2 others were not resumed\n" in printed
    assert stack.sent == []


def test_canaries_that_run_are_told_where_another_cannot_be_started(
    account: Account, stack: FakeStack, capsys: Capture
) -> None:
    account.add_machine("refunds-with-GoToState", ORDERS, {})
    fail(account, "orders", 3)
    fail(account, "refunds", 2)
    assert resume("--since", "2h", "--canary", "2", "--yes") == 1
    (canary,) = started(account)
    printed = capsys.readouterr().out
    assert "Resumed      1\nNot resumed  1\n" in printed
    assert f"Canary       {canary.arn} RUNNING\n" in printed
    assert "a canary could not be resumed, so 3 others were not resumed\n" in printed


def test_canaries_that_run_are_told_where_another_fails(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 5)

    def gate(operation: str, body: Any) -> None:
        if len(runs := started(account)) == 3:
            account.end(runs[0].arn, "FAILED", failure_events("Charge"))

    account.gate = gate
    assert resume("--state-machine", "orders", "--canary", "3", "--yes") == 1
    first, *others = started(account)
    printed = capsys.readouterr().out
    assert f"Canary       {first.arn} FAILED\n" in printed
    for run in others:
        assert f"Canary       {run.arn} RUNNING\n" in printed
    assert printed.count("so 2 others were not resumed") == 1


def test_the_command_that_looks_at_a_canary_can_be_copied(account: Account, capsys: Capture) -> None:
    account.add_failure("orders", "order(17)", failure_events("Charge"))

    def gate(operation: str, body: Any) -> None:
        for run in started(account):
            account.end(run.arn, "FAILED", failure_events("Charge"))

    account.gate = gate
    assert resume("--state-machine", "orders", "--since", "2026-01-01", "--canary", "1", "--yes") == 1
    assert f"Next         gotostate plan '{started(account)[0].arn}'\n" in capsys.readouterr().out


def test_the_preview_says_who_starts_the_canaries(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 5)
    assert resume("--state-machine", "orders", "--canary", "2", "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "first: 2 canaries from here, with your own credentials\n3 by the Resumer of" in printed


def test_in_place_of_a_canary_that_goes_on_already_comes_another(
    account: Account, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(account, "orders", 3)
    taken = execution_arn("orders", "Charge-2")
    monkeypatch.setattr(bulk, "confirm", lambda question, given: account.redrive(taken))

    let_resumes_succeed(account)
    assert resume("--state-machine", "orders", "--canary", "1", "--yes") == 0
    assert account.runs[taken].status == "RUNNING"
    assert [run.arn.split(":")[7].partition("-resume-")[0] for run in started(account)] == ["Charge-1", "Charge-0"]


def test_a_canary_that_has_ended_by_then_is_told_as_it_ended(
    account: Account, stack: FakeStack, capsys: Capture
) -> None:
    account.add_machine("refunds-with-GoToState", ORDERS, {})
    fail(account, "orders", 1)
    fail(account, "refunds", 1)

    let_resumes_succeed(account)
    assert resume("--since", "2h", "--canary", "2", "--yes") == 1
    (canary,) = started(account)
    assert f"Canary       {canary.arn} SUCCEEDED\n" in capsys.readouterr().out


def test_there_may_be_fewer_failures_than_canaries(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 2)

    let_resumes_succeed(account)
    assert resume("--state-machine", "orders", "--canary", "5", "--yes") == 0
    assert "Resumed      2\n" in capsys.readouterr().out
    assert (len(started(account)), stack.sent) == (2, [])


# ---- Watching -------------------------------------------------------------------------------------


def test_what_is_redriven_is_watched_by_itself(account: Account, stack: FakeStack, capsys: Capture) -> None:
    """A listing is by the start, so it may not reach what was redriven; the Resumer takes a while to begin."""
    account.retag("orders", **{"gotostate:strategy": "redrive"})
    fail(account, "orders", 2)
    stack.mapping = "Disabled"
    looks: list[str] = []

    def begin(operation: str, body: Any) -> None:
        if operation == "DescribeExecution" and stack.sent:
            looks.append(body["executionArn"])
        if len(looks) == 3:
            account.gate = end
            stack.mapping = "Enabled"
            for event in stack.sent:
                stack.recover(event)

    def end(operation: str, body: Any) -> None:
        if operation == "DescribeExecution":
            for run in account.runs.values():
                if run.redrives:
                    account.end(run.arn, "SUCCEEDED")

    account.gate = begin
    assert resume("--state-machine", "orders", "--wait", "--yes") == 0
    printed = capsys.readouterr().out
    assert "  why a redrive: " in printed
    assert "Seen         2 succeeded\n" in printed
    assert started(account) == []


def test_watching_reads_no_listing_further_back_than_the_resumes(
    account: Account, stack: FakeStack, capsys: Capture
) -> None:
    """Of the thousands of resumes that ended long before it reads a page."""
    fail(account, "orders", 1)
    assert resume("--state-machine", "orders", "--yes") == 0
    (old,) = started(account)
    account.now += 3_600
    account.runs |= {f"{old.arn}-{number}": replace(old, arn=f"{old.arn}-{number}") for number in range(2_500)}
    recent = account.add_failure("orders", "later", failure_events("Charge"))
    item = Watched(recent, f"{old.arn}-none")
    account.calls.clear()
    assert Watch(account.memory(), [item], account.now).look() == Seen(0, 0, 0)  # type: ignore[list-item]
    assert account.calls == {"ListExecutions": 1}


@dataclass
class Watched:
    """What a watch needs of a failure and of its resume."""

    execution: str
    target: str


def test_it_waits_for_the_ends_and_tells_of_them(account: Account, stack: FakeStack, capsys: Capture) -> None:
    fail(account, "orders", 4)
    stack.succeeds = False

    def gate(operation: str, body: Any) -> None:
        runs = started(account)
        if operation == "ListExecutions" and len(runs) == 4:
            running = [run for run in runs if run.status == "RUNNING"]
            if running:
                account.end(running[0].arn, "FAILED" if len(running) == 1 else "SUCCEEDED", failure_events("Charge"))

    account.gate = gate
    assert resume("--state-machine", "orders", "--wait", "--yes") == 1
    assert "Seen         3 succeeded, 1 failed\n" in capsys.readouterr().out


def test_what_the_resumer_leaves_is_not_waited_for(account: Account, stack: FakeStack, capsys: Capture) -> None:
    """Somebody took the machine's tag away since."""
    fail(account, "orders", 2)

    def gate(operation: str, body: Any) -> None:
        if operation == "GetCallerIdentity":
            account.retag("orders", gotostate="off")

    account.gate = gate
    stack.recover = lambda event: None  # type: ignore[method-assign]
    assert resume("--state-machine", "orders", "--wait", "--yes") == 1
    printed = capsys.readouterr().out
    assert "Seen         none yet\n" in printed
    advice = "look at the dead letters: gotostate status --region eu-west-1"
    assert f"Mind         2 did not begin; {advice}\n" in printed


def test_who_stops_watching_stops_nothing(
    account: Account, stack: FakeStack, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(account, "orders", 3)
    stack.succeeds = False
    monkeypatch.setattr(Wired, "_sleep", _interrupt)
    # What --wait was for is not known.
    assert resume("--state-machine", "orders", "--wait", "--yes") == 1
    captured = capsys.readouterr()
    assert "continues without this command" in captured.err
    assert "Seen         3 running\n" in captured.out
    assert len(started(account)) == 3


def test_who_stops_watching_without_having_asked_to_wait_has_what_they_asked_for(
    account: Account, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal it watches without --wait."""
    fail(account, "orders", 3)
    stack.succeeds = False
    monkeypatch.setattr(Wired, "_sleep", _interrupt)
    monkeypatch.setattr("sys.stderr", _Terminal())
    assert resume("--state-machine", "orders", "--yes") == 0
    assert len(started(account)) == 3


def _interrupt(wired: Wired, seconds: float) -> None:
    raise KeyboardInterrupt


def test_a_bar_is_drawn_on_a_terminal_alone(
    account: Account, stack: FakeStack, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(account, "orders", 20)
    assert resume("--state-machine", "orders", "--yes") == 0
    assert capsys.readouterr().err == ""
    fail(account, "refunds", 20)
    err = _Terminal()
    monkeypatch.setattr("sys.stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    assert resume("--state-machine", "refunds", "--yes") == 0
    drawn = err.getvalue().split("\r")
    assert any(line.startswith("resuming [############............] 10 of 20") for line in drawn)
    assert any(line.startswith("ended [########################] 20 of 20, 20 succeeded") for line in drawn)
    assert all(len(line) <= 79 for line in drawn)
    assert drawn[-1] == ""
    monkeypatch.setattr("sys.stderr", _Terminal())


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True
