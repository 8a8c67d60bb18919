"""gotostate list: a row for each failure, whatever became of it, in few calls, and that it changes nothing."""

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from fake_account import BEGINNING, Account, RefusalError, Run, Wired, execution_arn, failure_events, machine_arn
from gotostate import cli, listing, recovery
from gotostate.cli.layout import columns
from gotostate.cli.verbs import list as verb
from gotostate.errors import ThrottledError
from gotostate.events import HistoryEvent
from gotostate.memory import Memory
from gotostate.nesting import STARTED_BY
from gotostate.plain import timestamp
from gotostate.report import Report
from gotostate.resumption import execution_name
from gotostate.rows import Status
from gotostate.settings import Settings

Capture = pytest.CaptureFixture[str]
COMMANDS = Path(__file__).parents[2] / "docs" / "commands.md"
READING = {
    "DescribeExecution",
    "DescribeStateMachine",
    "DescribeStateMachineForExecution",
    "GetExecutionHistory",
    "GetResources",
    "ListExecutions",
    "ListStateMachines",
    "ListTagsForResource",
}
NOW = BEGINNING + 86_400
HOUR = 3_600.0


def task(function: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function},
        **more,
    }


ORDERS = {
    "StartAt": "Reserve",
    "States": {"Reserve": task("reserve", Next="Charge"), "Charge": task("payments-charge", End=True)},
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    account.add_machine("orders", ORDERS, {"gotostate": "resume"})
    monkeypatch.setattr("gotostate.cli.selection.StepFunctions", lambda region: Wired(account, region or "eu-west-1"))
    monkeypatch.setattr("gotostate.cli.account.StepFunctions", lambda region: Wired(account, region))
    monkeypatch.setattr("gotostate.cli.verbs.list._now", lambda: account.now)
    monkeypatch.setattr("gotostate.cli.verbs.list.Memory", lambda aws: Memory(aws, clock=lambda: account.now))
    monkeypatch.setenv("COLUMNS", "80")
    return account


def failed(account: Account, name: str, ago: float = HOUR, *, machine: str = "orders", **more: Any) -> str:
    """Put an execution into the account that failed so many seconds before NOW."""
    options = {"given": "{}", "status": "FAILED"} | {key: more.pop(key) for key in ("given", "status") if key in more}
    account.now = NOW - ago
    state = more.pop("state", "Charge")
    return account.add_failure(machine, name, failure_events(state, start=options["given"], **more), **options)


def resumed(account: Account, arn: str, after: float = 2) -> str:
    account.now = (account.runs[arn].stopped or account.now) + after
    found = recovery.recover(account.memory(), Report.from_event(account.event(arn)), Settings()).resumed
    assert found
    return found


def ended(account: Account, arn: str, status: str, after: float = 120, error: str = "BankDown") -> str:
    account.now = account.runs[arn].started + after
    account.end(arn, status, failure_events("Charge", start=account.runs[arn].input, error=error))
    return arn


def printed(account: Account, capsys: Capture, *options: str, said: str = "") -> str:
    """Run the verb, which has to succeed and must not change anything; return what it printed.

    said: what it has to say on stderr.
    """
    account.now = NOW
    changes = list(account.changes)
    account.calls.clear()
    assert cli.main(["list", *options]) == 0
    assert account.changes == changes
    assert set(account.calls) <= READING
    captured = capsys.readouterr()
    assert captured.err == said
    return captured.out


def told(account: Account, capsys: Capture, *options: str, said: str = "") -> dict[str, dict[str, Any]]:
    """Return the rows, by the name of the original."""
    rows = json.loads(printed(account, capsys, "--json", *options, said=said))
    return {row["execution"].rpartition(":")[2]: row for row in rows}


def test_the_documentation_names_all_there_is(account: Account, capsys: Capture) -> None:
    text = COMMANDS.read_text(encoding="utf-8")
    failed(account, "order-1")
    (row,) = told(account, capsys).values()
    members = text.partition("| member of a failure |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "".join(line.partition("|")[2].partition("|")[0] for line in members.splitlines()))
    assert sorted(named) == sorted(row)
    statuses = text.partition("| status |")[2].partition("\n\n")[0]
    assert all(f"| `{status}" in statuses for status in Status)


# ---- How a failure stands ---------------------------------------------------------------------------


def test_open_and_prepared_and_gave_up_and_off(account: Account, capsys: Capture) -> None:
    account.add_machine("refunds", ORDERS, {"gotostate": "off"})
    account.add_machine("bills", ORDERS, {"gotostate": "prepare"})
    account.add_machine("carts", ORDERS, {})
    account.add_machine("once", ORDERS, {"gotostate": "resume", "gotostate:max-attempts": "1"})
    arns = {
        "open": failed(account, "open"),
        "prepared": failed(account, "prepared", machine="bills"),
        "looked(at)": failed(account, "looked(at)", error="States.Runtime"),
        "off": failed(account, "off", machine="refunds"),
        "not(asked)": failed(account, "not(asked)", machine="carts"),
        "gave(up)": failed(account, "gave(up)", 7_200, machine="once"),
    }
    newest = ended(account, resumed(account, arns["gave(up)"]), "FAILED", error="Down again")
    rows = told(account, capsys, "--state-machine", "*")
    assert {name: (row["status"], row["next"]) for name, row in rows.items()} == {
        "open": ("open", f"gotostate resume {arns['open']}"),
        "prepared": ("prepared", f"gotostate resume {arns['prepared']}"),
        "looked(at)": ("prepared", f"gotostate plan {shlex.quote(arns['looked(at)'])}"),
        "off": ("off", None),
        "not(asked)": ("off", f"gotostate resume {shlex.quote(arns['not(asked)'])}"),
        "gave(up)": ("gave up", f"gotostate resume {shlex.quote(newest)}"),
    }
    assert (rows["gave(up)"]["attempts"], rows["gave(up)"]["maxAttempts"]) == (1, 1)
    assert (rows["gave(up)"]["state"], rows["gave(up)"]["error"]) == ("Charge", "Down again")
    # What is to be typed names the newest execution, so no line of its own does.
    assert "newest:" not in printed(account, capsys, "--state-machine", "once")
    assert rows["open"]["calls"] == ["Charge: lambda:invoke payments-charge"]


def test_it_says_of_a_failure_what_plan_says(account: Account, capsys: Capture) -> None:
    account.add_machine("bills", ORDERS, {"gotostate": "prepare"})
    failed(account, "one")
    failed(account, "two", error="States.Permissions")
    failed(account, "three", machine="bills")
    failed(account, "four", kind="Fail", state="Charge")
    for row in told(account, capsys, "--state-machine", "*").values():
        assert cli.main(["plan", row["execution"], "--json"]) == 0
        plan = json.loads(capsys.readouterr().out)
        assert (row["state"], row["error"], row["reason"]) == (
            plan["endedIn"],
            plan["error"],
            plan["automation"]["reason"],
        )


def test_waiting_running_and_recovered(account: Account, capsys: Capture) -> None:
    waiting = resumed(account, failed(account, "waiting", 60), after=30)
    resumed(account, failed(account, "running", 7_200))
    ended(account, resumed(account, failed(account, "recovered", 9_000)), "SUCCEEDED")
    rows = told(account, capsys)
    assert {name: (row["status"], row["state"], row["error"], row["next"]) for name, row in rows.items()} == {
        "waiting": ("waiting", "Charge", "Boom", None),
        "running": ("running", "Charge", "Boom", None),
        "recovered": ("recovered", "Charge", "Boom", None),
    }
    seconds = json.loads(account.runs[waiting].input)["resuming"]["delaySeconds"]
    assert seconds > 30
    assert rows["waiting"]["until"] == timestamp(account.runs[waiting].started + seconds)
    assert rows["running"]["until"] is None
    assert rows["waiting"]["newest"] == waiting
    assert [(link["attempt"], link["status"]) for link in rows["recovered"]["chain"]] == [
        (0, "FAILED"),
        (1, "SUCCEEDED"),
    ]


def test_the_state_and_error_are_those_of_the_newest_failure(account: Account, capsys: Capture) -> None:
    original = failed(account, "order-1", 7_200, state="Reserve", error="First")
    resumed(account, ended(account, resumed(account, original), "FAILED", error="Second"))
    row = told(account, capsys)["order-1"]
    assert (row["state"], row["error"], row["status"], row["attempts"]) == ("Charge", "Second", "running", 2)
    assert row["failedAt"] == timestamp(account.runs[original].stopped or 0)


def test_a_chain_that_somebody_stopped_is_open(account: Account, capsys: Capture) -> None:
    failed(account, "order-2", status="ABORTED")
    newest = resumed(account, failed(account, "order-1", 7_200))
    account.now = account.runs[newest].started + 5
    stopped: list[HistoryEvent] = [
        {"type": "ExecutionStarted", "id": 1, "executionStartedEventDetails": {"input": account.runs[newest].input}},
        {"type": "WaitStateEntered", "id": 2, "stateEnteredEventDetails": {"name": "GoToState Backoff", "input": "{}"}},
        {"type": "ExecutionAborted", "id": 3},
    ]
    account.end(newest, "ABORTED", stopped)
    rows = told(account, capsys)
    assert list(rows) == ["order-1"]
    assert (rows["order-1"]["status"], rows["order-1"]["next"]) == ("open", f"gotostate resume {newest}")
    # In the router it had no state of its own yet: the one that it was on its way to.
    assert rows["order-1"]["state"] == "Charge"
    assert cli.main(["resume", newest]) == 0
    capsys.readouterr()
    row = told(account, capsys)["order-1"]
    assert (row["status"], row["state"], row["attempts"]) == ("running", "Charge", 2)


def test_a_child_is_left_to_its_parent(account: Account, capsys: Capture) -> None:
    start = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "End": True}
    start["Parameters"] = {"StateMachineArn": machine_arn("orders")}
    account.add_machine("parents", {"StartAt": "Start", "States": {"Start": start}}, {"gotostate": "resume"})
    parent = failed(account, "parent", machine="parents", state="Start")
    failed(account, "child", given=json.dumps({STARTED_BY: parent}))
    rows = told(account, capsys)
    assert (rows["child"]["status"], rows["child"]["next"]) == ("left to parent", f"gotostate plan {parent}")
    assert rows["parent"]["status"] != "left to parent"


def test_a_redriven_original(account: Account, capsys: Capture) -> None:
    again = failed(account, "order-1", 7_200)
    ended(account, resumed(account, again), "FAILED")
    account.redrive(again, {"type": "ExecutionFailed", "executionFailedEventDetails": {"error": "Later"}})
    runs = failed(account, "order-2", 7_200)
    account.now += 60
    account.redrive(runs)
    rows = told(account, capsys)
    assert (rows["order-1"]["newest"], rows["order-1"]["error"], rows["order-1"]["attempts"]) == (again, "Later", 1)
    assert rows["order-1"]["status"] == "prepared"
    assert (rows["order-2"]["status"], rows["order-2"]["state"], rows["order-2"]["error"]) == (
        "running",
        "Charge",
        "Boom",
    )
    assert rows["order-2"]["attempts"] == 1


@pytest.mark.parametrize("name", ["order-1", "o" * 60])
def test_an_original_that_a_redrive_made_succeed_after_its_resume_failed(
    account: Account, capsys: Capture, name: str
) -> None:
    original = failed(account, name, 7_200)
    ended(account, resumed(account, original), "FAILED")
    account.now += 60
    account.redrive(original)
    account.now += 60
    account.end(original, "SUCCEEDED")
    row = told(account, capsys)[name]
    assert (row["status"], row["newest"], row["error"]) == ("recovered", original, "BankDown")
    assert printed(account, capsys, "--unresolved").startswith("no failures ")
    # Once AWS does not keep it any more, its resume stands for it.
    del account.runs[original]
    row = told(account, capsys)[name]
    assert (row["status"], row["attempts"], row["execution"]) == ("open", 1, original)


def rerun(account: Account, name: str, ago: float = 7_200) -> tuple[str, str]:
    """Let an execution succeed, and a person run it again from a state; return both."""
    events = [*failure_events("Reserve")[:2], {"type": "ExecutionSucceeded", "id": 3, "previousEventId": 2}]
    account.now = NOW - ago
    original = account.add_failure("orders", name, events, status="SUCCEEDED")
    account.now += 600
    assert cli.main(["resume", original, "--from-state", "Reserve", "--yes"]) == 0
    return original, account.resumed("orders-with-GoToState")[-1].arn


@pytest.mark.parametrize("name", ["order-1", "o" * 60])
def test_the_rerun_of_what_succeeded_is_no_failure_unless_it_fails(
    account: Account, capsys: Capture, name: str
) -> None:
    original, again = rerun(account, name)
    capsys.readouterr()
    assert printed(account, capsys).startswith("no failures ")
    ended(account, again, "SUCCEEDED")
    assert printed(account, capsys).startswith("no failures ")
    ended(account, again, "FAILED", 120)
    row = told(account, capsys)[name]
    assert (row["execution"], row["newest"], row["status"], row["state"]) == (original, again, "prepared", "Charge")
    assert row["reason"].startswith("a person ran a successful execution again")
    assert [link["status"] for link in row["chain"]] == ["SUCCEEDED", "FAILED"]
    # The rerun failed, and not what it ran again.
    assert row["failedAt"] == timestamp(account.runs[again].stopped)


def test_the_resume_of_a_rerun_that_failed_is_shown(account: Account, capsys: Capture) -> None:
    original, again = rerun(account, "order-1")
    ended(account, again, "FAILED")
    account.now += 60
    assert cli.main(["resume", again]) == 0
    capsys.readouterr()
    assert told(account, capsys)["order-1"]["status"] == "running"
    ended(account, account.resumed("orders-with-GoToState")[-1].arn, "SUCCEEDED")
    assert told(account, capsys)["order-1"]["status"] == "recovered"
    # Nothing tells any more what the original was: it is shown rather than hidden.
    del account.runs[original]
    assert told(account, capsys)["order-1"]["status"] == "recovered"


def test_what_may_be_a_rerun_and_may_not_be_read_is_shown(account: Account, capsys: Capture) -> None:
    rerun(account, "order-1")
    capsys.readouterr()

    def gate(operation: str, body: dict[str, Any]) -> None:
        if operation == "DescribeExecution":
            raise RefusalError("AccessDeniedException", "not allowed")

    account.gate = gate
    found = listing.joined(account.memory(), [machine_arn("orders")], since=BEGINNING)
    assert [one.is_resolved for one in found] == [False]


def test_a_bulk_resume_and_a_rerun(account: Account, capsys: Capture) -> None:
    """One that runs is not counted among those that run again; one that failed is resumed as any failure."""
    rerun(account, "order-1")
    _, failed_again = rerun(account, "order-2", 3_600)
    ended(account, failed_again, "FAILED")
    capsys.readouterr()
    account.now = NOW
    assert cli.main(["resume", "--state-machine", "orders", "--since", "2026-01-01", "--json"]) == 3
    plan = json.loads(capsys.readouterr().out)
    assert (plan["running"], [one["newest"] for one in plan["failures"]]) == (0, [failed_again])


def test_what_cannot_be_read_is_a_row_all_the_same(account: Account, capsys: Capture) -> None:
    lost, denied = failed(account, "lost"), failed(account, "denied", 7_200)
    account.runs[lost].events[1] = {**account.runs[lost].events[1], "stateEnteredEventDetails": {"name": "Charge"}}
    runs = resumed(account, failed(account, "runs", 9_000))
    ended(account, runs, "SUCCEEDED")

    def gate(operation: str, body: dict[str, Any]) -> None:
        if operation == "GetExecutionHistory" and body["executionArn"].endswith((":denied", ":runs")):
            raise RefusalError("AccessDeniedException", "not allowed")

    account.gate = gate
    rows = told(account, capsys)
    assert {name: (row["status"], row["state"], row["next"]) for name, row in rows.items()} == {
        "lost": ("gave up", None, f"gotostate plan {lost}"),
        "denied": ("open", None, f"gotostate plan {denied}"),
        "runs": ("recovered", None, None),
    }
    assert "has no complete input" in rows["lost"]["reason"]
    assert "not allowed" in rows["denied"]["reason"]


@pytest.mark.parametrize("has_recovered", [False, True])
def test_what_aws_answers_that_nobody_expected_is_told(account: Account, capsys: Capture, has_recovered: bool) -> None:
    """It is no row: of what else may not be true nothing is known."""
    first = failed(account, "order-1")
    if has_recovered:
        ended(account, resumed(account, first), "SUCCEEDED")
    account.now = NOW
    account.gate = unheard_of("GetExecutionHistory", first)
    assert cli.main(["list"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, "never seen before" in captured.err) == ("", True)


def test_of_an_original_as_well(account: Account, capsys: Capture) -> None:
    original = failed(account, "order-1", 7_200)
    ended(account, resumed(account, original), "SUCCEEDED")
    account.redrive(original)
    account.end(original, "SUCCEEDED")
    account.now = NOW
    account.gate = unheard_of("DescribeExecution", original)
    assert cli.main(["list"]) == 1
    assert "never seen before" in capsys.readouterr().err


def unheard_of(operation: str, arn: str) -> Callable[[str, dict[str, Any]], None]:
    """Answer one call about an execution with an error that AWS does not document."""

    def gate(asked: str, body: dict[str, Any]) -> None:
        if asked == operation and body["executionArn"] == arn:
            raise RefusalError("UnheardOfException", "never seen before")

    return gate


def test_a_source_that_was_deleted(account: Account, capsys: Capture) -> None:
    """Its GoToState machine lists the resumes, whose inputs and names lead to the originals."""
    open_, recovered = failed(account, "order-1", 7_200), failed(account, "o" * 60, 9_000)
    newest = ended(account, resumed(account, open_), "FAILED")
    ended(account, resumed(account, recovered), "SUCCEEDED")
    del account.machines[machine_arn("orders")]
    rows = {row["execution"]: row for row in told(account, capsys).values()}
    assert {arn: (row["status"], row["state"], row["newest"] == newest) for arn, row in rows.items()} == {
        open_: ("open", "Charge", True),
        recovered: ("recovered", "Charge", False),
    }
    assert [link["attempt"] for link in rows[open_]["chain"]] == [0, 1]


def test_an_original_that_may_not_be_read(account: Account, capsys: Capture) -> None:
    original = failed(account, "order-1", 7_200)
    ended(account, resumed(account, original), "SUCCEEDED")
    account.redrive(original)
    account.end(original, "SUCCEEDED")

    def gate(operation: str, body: dict[str, Any]) -> None:
        if operation == "DescribeExecution" and body["executionArn"] == original:
            raise RefusalError("AccessDeniedException", "not allowed")

    account.gate = gate
    row = told(account, capsys)["order-1"]
    assert (row["status"], row["execution"], [link["attempt"] for link in row["chain"]]) == ("recovered", original, [1])


def test_what_changes_while_it_is_read(account: Account, capsys: Capture) -> None:
    redriven, behind = failed(account, "redriven", 9_000), failed(account, "behind", 7_200)
    del account.runs[behind].events[-1]

    def gate(operation: str, body: dict[str, Any]) -> None:
        if operation == "DescribeExecution" and body["executionArn"] == redriven:
            account.redrive(redriven)

    account.gate = gate
    rows = told(account, capsys)
    assert {name: (row["status"], row["next"]) for name, row in rows.items()} == {
        "redriven": ("running", None),
        "behind": ("open", f"gotostate plan {behind}"),
    }
    assert "does not show its end yet" in rows["behind"]["reason"]


def test_a_function_whose_time_is_over_is_told_so(account: Account) -> None:
    failed(account, "order-1")
    memory = account.memory()
    memory.aws.pace.set_deadline(60)

    def gate(operation: str, body: dict[str, Any]) -> None:
        if operation == "GetExecutionHistory":
            raise RefusalError("ThrottlingException")

    account.gate = gate
    with pytest.raises(ThrottledError):
        listing.rows(memory, [machine_arn("orders")], Settings(), now=NOW, since=BEGINNING)


# ---- Which failures are shown -----------------------------------------------------------------------


def test_unresolved_first_then_the_newest(account: Account, capsys: Capture) -> None:
    ended(account, resumed(account, failed(account, "recovered", 120)), "SUCCEEDED", 30)
    failed(account, "older", 9_000)
    failed(account, "newer", 7_200)
    failed(account, "yesterday", 90_000)
    assert list(told(account, capsys)) == ["newer", "older", "recovered"]
    left = "gotostate: 2 more; without --limit all are printed\n"
    assert list(told(account, capsys, "--limit", "1", said=left)) == ["newer"]
    assert list(told(account, capsys, "--unresolved")) == ["newer", "older"]
    assert list(told(account, capsys, "--since", "7d")) == ["newer", "older", "yesterday", "recovered"]
    assert list(told(account, capsys, "--since", "7d", "--until", "2h")) == ["older", "yesterday"]
    assert list(told(account, capsys, "--since", "2026-05-02T01:00+02:00", "--until", "2026-05-01T23:30Z")) == ["older"]


def test_filters_look_at_all_and_the_limit_says_how_many_more(account: Account, capsys: Capture) -> None:
    for number in range(5):
        failed(account, f"down-{number}", 1_000 + number, error="BankDown")
        failed(account, f"full-{number}", 2_000 + number, error="DiskFull", state="Reserve")
    left = "gotostate: 3 more; without --limit all are printed\n"
    assert list(told(account, capsys, "--error", "Disk*", "--limit", "2", said=left)) == ["full-0", "full-1"]
    assert account.calls["GetExecutionHistory"] == 10
    said = printed(account, capsys, "--error", "Disk*", "--limit", "2")
    assert said.endswith("3 more: --limit 5 shows all, --group counts them\n")
    assert list(told(account, capsys, "--state", "Reserve")) == [f"full-{number}" for number in range(5)]
    assert list(told(account, capsys, "--state", "Reserve", "--error", "BankDown")) == []
    left = "gotostate: 7 more; without --limit all are printed\n"
    assert list(told(account, capsys, "--limit", "3", said=left)) == ["down-0", "down-1", "down-2"]
    assert account.calls["GetExecutionHistory"] == 3
    groups = json.loads(printed(account, capsys, "--group", "--json"))
    assert [(group["state"], group["error"], group["count"]) for group in groups] == [
        ("Charge", "BankDown", 5),
        ("Reserve", "DiskFull", 5),
    ]


def test_up_to_a_hundred_failures_are_all_looked_at(account: Account, capsys: Capture) -> None:
    for number in range(100):
        failed(account, f"order-{number}", 1_000 + number)
    assert printed(account, capsys).count("next: gotostate resume") == 100
    assert all(row["state"] for row in told(account, capsys).values())
    recovered = failed(account, "order-100", 2_000)
    ended(account, resumed(account, recovered), "SUCCEEDED")
    lines = printed(account, capsys).splitlines()
    assert [line.split()[1] for line in lines[1:7:2]] == ["order-0", "order-1", "order-2"]
    assert lines[7:] == [
        "98 more failures were not looked at:",
        "MACHINE  OPEN  RUNNING  RECOVERED",
        "orders   97    0        1",
        "to look at N: --limit N; to count all of them by state and error: --group",
    ]


def test_what_was_not_looked_at_is_told_as_the_listings_show_it(account: Account, capsys: Capture) -> None:
    account.add_machine("refunds", ORDERS, {"gotostate": "resume"})
    for number in range(98):
        failed(account, f"order-{number}", 1_000 + number)
    open_ = ended(account, resumed(account, failed(account, "again", 3_000)), "FAILED")
    running = resumed(account, failed(account, "refund-1", 4_000, machine="refunds"))
    recovered = failed(account, "recovered", 5_000)
    newest = ended(account, resumed(account, recovered), "SUCCEEDED")
    said = (
        "gotostate: 3 of 101 failures were looked at, of the others state, error and reason are null; "
        "--limit N looks at N, --group at all\n"
    )
    rows = told(account, capsys, said=said)
    assert len(rows) == 101
    assert [name for name, row in rows.items() if row["state"]] == ["order-0", "order-1", "order-2"]
    assert {name: (rows[name]["status"], rows[name]["next"]) for name in ("again", "refund-1", "recovered")} == {
        "again": ("open", f"gotostate plan {open_}"),
        "refund-1": ("running", None),
        "recovered": ("recovered", None),
    }
    assert rows["refund-1"]["newest"] == running
    assert set(rows["again"]) == set(rows["order-0"])
    assert rows["recovered"] == {
        "execution": recovered,
        "machine": machine_arn("orders"),
        "failedAt": timestamp(account.runs[recovered].stopped or 0),
        "status": "recovered",
        "attempts": 1,
        "newest": newest,
        "chain": rows["recovered"]["chain"],
        **dict.fromkeys(("state", "error", "reason", "maxAttempts", "until", "calls", "next")),
    }
    assert [link["attempt"] for link in rows["recovered"]["chain"]] == [0, 1]
    counted = printed(account, capsys).splitlines()[-4:-1]
    assert [line.split() for line in counted] == [
        ["MACHINE", "OPEN", "RUNNING", "RECOVERED"],
        ["orders", "96", "0", "1"],
        ["refunds", "0", "1", "0"],
    ]
    # With a filter each of them is looked at.
    assert set(told(account, capsys, "--error", "BankDown")) == {"again"}
    assert len(told(account, capsys, "--state", "Charge")) == 101


def test_machines_by_name_by_arn_and_by_their_tag(account: Account, capsys: Capture) -> None:
    account.add_machine("refunds", ORDERS, {})
    failed(account, "refund-1", machine="refunds")
    ended(account, resumed(account, failed(account, "order-1", 7_200)), "FAILED")
    assert list(told(account, capsys)) == ["order-1"]
    assert list(told(account, capsys, "--state-machine", "ref*")) == ["refund-1"]
    assert list(told(account, capsys, "--state-machine", machine_arn("refunds"))) == ["refund-1"]
    assert list(told(account, capsys, "--state-machine", "refunds", "orders-with-GoToState")) == ["refund-1", "order-1"]
    assert cli.main(["list", "--state-machine", "ordres"]) == 1
    assert "no Standard state machine is named 'ordres'; to see the names: aws" in capsys.readouterr().err
    assert cli.main(["list", "--state-machine", machine_arn("ordres")]) == 1
    assert "ordres does not exist (any more)" in capsys.readouterr().err


def test_nothing_to_show(account: Account, capsys: Capture) -> None:
    assert printed(account, capsys, "--since", "2h") == "no failures since 2026-05-01T23:46:40.000Z\n"
    assert printed(account, capsys, "--json") == "[]\n"
    assert printed(account, capsys, "--json", "--group") == "[]\n"
    account.machines.clear()
    said = "no state machine in eu-west-1 has opted in: tag one gotostate=resume, or name some with --state-machine\n"
    assert printed(account, capsys) == said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "soon"], "--since is 'soon'; give how long ago, as 30m, 2h or 7d, or a time in ISO 8601"),
        (["--limit", "0"], "--limit is '0'; give a whole number of at least 1"),
        (["--limit", "many"], "--limit is 'many'; give a whole number of at least 1"),
        (["--limit", "5", "--group"], "leave one of them out"),
        (["--state", ""], "--state is empty; give a value or leave it out"),
    ],
)
def test_wrong_usage(account: Account, capsys: Capture, options: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["list", *options])
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err
    assert not account.calls


def test_region_and_profile(account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    regions = []

    def connect(region: str | None) -> Wired:
        regions.append(region)
        return Wired(account)

    monkeypatch.setattr("gotostate.cli.selection.StepFunctions", connect)
    (tmp_path / "config").write_text(
        "[profile ops]\nregion = eu-north-1\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    printed(account, capsys, "--region", "eu-west-3", "--profile", "ops")
    assert boto3.DEFAULT_SESSION
    assert boto3.DEFAULT_SESSION.profile_name == "ops"
    printed(account, capsys, "--state-machine", machine_arn("orders"))
    assert regions == ["eu-west-3", "eu-west-1"]
    assert cli.main(["list", "--profile", "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err


# ---- What it looks like -----------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 60, 200])
def test_the_table_fits_the_terminal_and_nothing_acts_on_it(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    account.add_machine("漢" * 30, ORDERS, {"gotostate": "resume"})
    failed(account, "order-" + "x" * 74, error="Evil\x1b[2J\u202e" + "y" * 90)
    failed(account, "order-2", machine="漢" * 30)
    lines = printed(account, capsys).splitlines()
    assert all(columns(line) <= width for line in lines if not line.startswith("  "))
    assert "\x1b" not in "".join(lines)
    header, *rows = [line for line in lines if not line.startswith("  ")]
    assert header.split() == ["MACHINE", "EXECUTION", "STATE", "ERROR", "STATUS", "AGE"]
    assert all("open" in row for row in rows)
    assert sum("..." in row for row in rows) >= 1
    # What is to be copied is whole.
    assert f"  next: gotostate resume {execution_arn('orders', 'order-' + 'x' * 74)}" in lines


def test_the_names_in_the_json_are_stable(account: Account, capsys: Capture) -> None:
    failed(account, "order-1")
    (row,) = json.loads(printed(account, capsys, "--json"))
    assert set(row) == {
        "execution", "machine", "state", "error", "status", "reason", "failedAt", "attempts", "maxAttempts", "newest",
        "until", "calls", "next", "chain",
    }  # fmt: skip
    assert set(row["chain"][0]) == {"execution", "status", "attempt", "started", "stopped", "redriven"}
    (group,) = json.loads(printed(account, capsys, "--json", "--group"))
    assert set(group) == {"machine", "state", "error", "count", "unresolved", "first", "last"}


# ---- What it costs ----------------------------------------------------------------------------------


def storm(account: Account, count: int, resumed: int, machine: str = "orders", error: str = "Boom") -> None:
    """Put failures of one storm into an account; resumed: how many were, and have recovered. The newest are open."""
    revision, events = account.machines[machine_arn(machine)].revision, failure_events("Charge", error=error)
    account.add_machine(f"{machine}-with-GoToState", ORDERS, {"gotostate": "resume"})
    beginning = account.now
    for number in range(count):
        name = f"{machine.removesuffix('s')}-{number}"
        arn, started = execution_arn(machine, name), beginning + number
        account.runs[arn] = Run(arn, "FAILED", "{}", revision, None, started, events, started + 1)
        if number < resumed:
            again = execution_arn(f"{machine}-with-GoToState", execution_name(name, arn, 3, 1))
            run = Run(again, "SUCCEEDED", "{}", revision, None, started + 2, events, started + 80)
            account.runs[again] = run
    account.now = beginning + count + 60


@pytest.mark.parametrize("options", [(), ("--json",), ("--state-machine", "orders"), ("--unresolved",)])
@pytest.mark.parametrize(
    ("resumed", "listings", "calls"),
    [
        # Pages of a thousand: ten of those that failed, and one each of those that timed out, run, and were resumed.
        (0, 13, 21),
        (5_000, 17, 25),
        # What has recovered is not looked at.
        (10_000, 22, 23),
    ],
)
def test_ten_thousand_failures_take_at_most_25_calls_and_no_pause(
    account: Account, capsys: Capture, resumed: int, listings: int, calls: int, options: tuple[str, ...]
) -> None:
    storm(account, 10_000, resumed)
    began = account.now
    assert cli.main(["list", *options]) == 0
    printed_ = capsys.readouterr()
    assert account.calls["ListExecutions"] == listings
    assert sum(account.calls.values()) == calls <= 25
    # Each call takes a millisecond here.
    assert account.now - began < 0.1
    looked_at = 0 if resumed == 10_000 else 3
    if "--json" in options:
        rows = json.loads(printed_.out)
        assert [row["state"] for row in rows] == ["Charge"] * looked_at + [None] * (10_000 - looked_at)
        assert sum(row["status"] == "recovered" for row in rows) == resumed
        assert printed_.err.startswith(f"gotostate: {looked_at} of 10,000 failures were looked at")
    elif "--unresolved" not in options:
        assert printed_.out.count("next: gotostate resume") == looked_at
        assert printed_.out.splitlines()[-2].split() == [
            "orders", f"{10_000 - resumed - looked_at:,}", "0", f"{resumed:,}"
        ]  # fmt: skip
        assert printed_.err == ""


def test_of_a_machine_that_was_updated_one_more_question_is_asked(account: Account, capsys: Capture) -> None:
    account.add_machine("orders", {**ORDERS, "Comment": "second revision"}, {"gotostate": "resume"})
    account.machines[machine_arn("orders")].revision.updated = BEGINNING - HOUR
    storm(account, 1_000, 0)
    began = account.now
    assert cli.main(["list", "--limit", "30"]) == 0
    assert (account.calls["DescribeStateMachine"], account.calls["DescribeStateMachineForExecution"]) == (1, 1)
    assert account.now - began < 0.1


def test_what_failed_a_moment_ago_is_worth_one_pause(account: Account, capsys: Capture) -> None:
    """Which revision it ran is not settled before AWS's clock is a margin past its start."""
    machine = account.machines[machine_arn("orders")]
    machine.created = machine.revision.updated = BEGINNING - HOUR
    storm(account, 10, 0)
    account.now = began = account.now - 59
    assert cli.main(["list"]) == 0
    assert 1 < account.now - began < 7
    assert account.calls["DescribeStateMachineForExecution"] <= 1


def test_what_recovered_before_the_time_is_not_read(account: Account, capsys: Capture) -> None:
    storm(account, 9_000, 9_000)
    arn, started = execution_arn("orders", "new"), account.now + 40 * 86_400
    account.runs[arn] = replace(account.runs[execution_arn("orders", "order-0")], arn=arn, started=started)
    account.runs[arn].stopped = started + 1
    account.now = started + 60
    assert cli.main(["list", "--json"]) == 0
    assert [row["execution"] for row in json.loads(capsys.readouterr().out)] == [arn]
    # Of the failures all ten pages, as one of long ago may have been redriven or resumed a moment ago. Of the resumes
    # the first page, and then what has not succeeded.
    assert account.calls["ListExecutions"] == (10 + 1 + 1) + (1 + 4)


def test_tags_of_many_machines_are_read_at_once(account: Account, capsys: Capture) -> None:
    for number in range(30):
        account.add_machine(f"m-{number}", ORDERS, {"gotostate": "resume"})
        failed(account, f"order-{number}", machine=f"m-{number}")
    assert len(told(account, capsys)) == 30
    assert (account.calls["GetResources"], account.calls["ListTagsForResource"]) == (1, 0)
    assert len(told(account, capsys, "--state-machine", "m-*")) == 30
    assert (account.calls["GetResources"], account.calls["ListTagsForResource"]) == (1, 0)
    assert account.calls["ListStateMachines"] == 1
    assert len(told(account, capsys, "--state-machine", "m-1", "m-2")) == 2
    assert (account.calls["GetResources"], account.calls["ListStateMachines"]) == (1, 0)


def test_names_are_found_without_the_permission_to_read_tags_at_once(account: Account, capsys: Capture) -> None:
    failed(account, "order-1")

    def gate(operation: str, body: dict[str, Any]) -> None:
        if operation == "GetResources":
            raise RefusalError("AccessDeniedException", "not allowed")

    account.gate = gate
    assert list(told(account, capsys, "--state-machine", "orders")) == ["order-1"]
    assert cli.main(["list"]) == 1
    assert "not allowed" in capsys.readouterr().err


def test_an_express_machine_that_has_the_tag_is_passed_over(account: Account, capsys: Capture) -> None:
    account.add_machine("express", ORDERS, {"gotostate": "resume"})
    failed(account, "order-1")

    def gate(operation: str, body: dict[str, Any]) -> None:
        if operation == "ListExecutions" and body["stateMachineArn"] == machine_arn("express"):
            raise RefusalError("StateMachineTypeNotSupported", "This operation is not supported by this type")

    account.gate = gate
    assert list(told(account, capsys)) == ["order-1"]
    assert cli.main(["list", "--state-machine", "express"]) == 1
    assert f"{machine_arn('express')} is an Express state machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [("--group",), ("--error", "Boom", "--limit", "1"), ("--state", "No", "--json"), ("--limit", "6")],
    ids=" ".join,
)
def test_what_takes_long_is_said_before(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    assert verb.LONG == 1_000
    monkeypatch.setattr(verb, "LONG", 5)
    monkeypatch.setattr(listing, "seconds_to_look_at", lambda listed: 60.0 * len(listed))
    storm(account, 5, 0)
    assert cli.main(["list", *options]) == 0
    assert "takes at least" not in capsys.readouterr().err
    storm(account, 6, 0)
    assert cli.main(["list", "--since", "2m", *options]) == 0
    said = "gotostate: looking at 6 failures takes at least 6 min at AWS's quotas, which the Resumer needs too\n"
    assert capsys.readouterr().err.startswith(said)


def test_rows_cost_two_calls_each_once_the_definition_is_known(account: Account, capsys: Capture) -> None:
    storm(account, 100, 0)
    printed(account, capsys, "--state-machine", "orders", "--limit", "5")
    five = sum(account.calls.values())
    printed(account, capsys, "--state-machine", "orders", "--limit", "15")
    assert sum(account.calls.values()) - five == 2 * 10


def test_the_bulk_of_a_listing_is_joined_without_a_look(account: Account) -> None:
    """What a bulk resume and a widget begin with: the interface of the library."""
    storm(account, 30, 10)
    found = listing.rows(
        account.memory(), [machine_arn("orders")], Settings(), now=account.now, since=BEGINNING, limit=0
    )
    assert (found.rows, found.more) == ((), 30)
    assert set(account.calls) == {"ListExecutions"}


def test_a_limit_of_too_many_digits_is_wrong_usage(account: Account, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["list", "--limit", "9" * 5_000])
    assert exit_.value.code == 2
    assert "at most 9 digits" in capsys.readouterr().err
