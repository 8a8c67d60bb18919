"""gotostate clean: it says what it would delete and why the others stay, asks, and deletes that and nothing else."""

import json
import sys
from typing import Any

import pytest
from fake_account import Account, RefusalError, Version, Wired, failure_events, machine_arn
from gotostate import cleaning, cli, recovery
from gotostate.cleaning import MOST_VERSIONS, SETTLE_SECONDS
from gotostate.cli.terminal import Exit
from gotostate.cli.verbs import clean
from gotostate.housekeeping import DELETING_TAG
from gotostate.report import Report
from gotostate.resumption import SOURCE_TAG, source_tag
from gotostate.settings import Settings

Capture = pytest.CaptureFixture[str]
DAY = 86_400.0
ORDERS = {"StartAt": "A", "States": {"A": {"Type": "Task", "End": True}}}
READING = {"DescribeStateMachine", "GetResources", "ListExecutions", "ListStateMachineVersions"}
OLD, BUSY, WAITING, FOREIGN = (f"{name}-with-GoToState" for name in ("old", "busy", "waiting", "foreign"))


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account with a machine that is not needed, one with old versions, one that runs, and one of somebody else."""
    account = Account()
    for name in ("old", "busy", "waiting"):
        account.add_machine(name, ORDERS, {"gotostate": "resume"})
    account.add_machine(FOREIGN, ORDERS, {SOURCE_TAG: machine_arn("foreign")})
    recovered = resumed(account, "old")
    resumed(account, "busy")
    resumed(account, "waiting", ends=False)
    for number in range(2):
        account.now += 100
        account.add_machine("busy", {**ORDERS, "Comment": str(number)}, {"gotostate": "resume"})
        account.now += 100
        resumed(account, "busy")
    # AWS keeps executions for 90 days.
    account.now += 100 * DAY
    account.runs = {arn: run for arn, run in account.runs.items() if not run.stopped}
    resumed(account, "busy")
    assert recovered not in account.runs
    account.now += 3_600
    account.changes.clear()
    monkeypatch.setattr("gotostate.cli.selection.StepFunctions", lambda region: Wired(account, region or "eu-west-1"))
    monkeypatch.setattr("gotostate.cli.verbs.clean._now", lambda: account.now)
    monkeypatch.setattr(cli, "VERBS", tuple(dict.fromkeys((*cli.VERBS, clean))))
    monkeypatch.setenv("COLUMNS", "80")
    return account


def resumed(account: Account, machine: str, *, ends: bool = True) -> str:
    failed = account.add_failure(machine, f"{machine}-{account.now:.0f}", failure_events("A"))
    account.now += 2
    outcome = recovery.recover(account.memory(), Report.from_event(account.event(failed)), Settings())
    assert outcome.resumed
    if ends:
        account.end(outcome.resumed, "SUCCEEDED")
    return outcome.resumed


def run(account: Account, *options: str) -> int:
    account.calls.clear()
    return cli.main(["clean", *options])


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdin, "readline", lambda: text, raising=False)


SHOWN = """\
MACHINE                   DELETE
busy-with-GoToState       2 old versions
  stays: it ran recently
foreign-with-GoToState    -
  stays: its definition has no router, so somebody else has changed it
old-with-GoToState        the machine
waiting-with-GoToState    -
  stays: an execution of it runs or waits
"""


def test_a_dry_run_shows_all_and_changes_nothing(account: Account, capsys: Capture) -> None:
    assert run(account, "--dry-run") == 0
    assert " ".join(capsys.readouterr().out.split()) == " ".join(SHOWN.split())
    assert account.changes == []
    assert set(account.calls) <= READING


def test_after_a_yes_it_is_deleted_and_nothing_else(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "y\n")
    before = account.now
    assert run(account) == 0
    out, err = capsys.readouterr()
    assert "Delete 1 state machine and 2 old versions? [y/N]" in out
    assert f"Deleted      {machine_arn(OLD)}\n" in out
    assert "waiting for 3 minutes" in err
    assert account.now - before >= SETTLE_SECONDS
    account.now += 100
    account._finish_deletions()
    assert machine_arn(OLD) not in account.machines
    assert [version.arn.rpartition(":")[2] for version in account.machines[machine_arn(BUSY)].versions] == ["3"]
    changed = {change.split()[1].partition(":")[0] for change in account.changes}
    assert changed == {OLD, BUSY}
    assert account.ended_by_deletion == []
    account.changes.clear()
    assert run(account, "--yes") == 0
    assert account.changes == []


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["old"], [OLD]),
        ([OLD, "wait*"], [OLD, WAITING]),
        ([machine_arn("busy"), machine_arn(OLD)], [BUSY, OLD]),
        (["*ing"], [WAITING]),
    ],
)
def test_those_of_some_names_alone(account: Account, capsys: Capture, names: list[str], shown: list[str]) -> None:
    assert run(account, "--all", "--dry-run", "--json", "--state-machine", *names) == 0
    machines = json.loads(capsys.readouterr().out)["machines"]
    assert [one["machine"] for one in machines] == [machine_arn(name) for name in shown]


def test_where_none_has_the_name_it_says_so(account: Account, capsys: Capture) -> None:
    assert run(account, "--yes", "--state-machine", "unknown") == 0
    assert capsys.readouterr().out == "there are no such GoToState machines here\n"
    assert account.changes == []


@pytest.mark.parametrize("text", ["n\n", "\n", ""])
def test_after_a_no_nothing_is_changed(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    answer(monkeypatch, text)
    assert run(account) != 0
    assert account.changes == []
    assert "nothing was changed" in capsys.readouterr().err


def test_without_a_terminal_nobody_is_asked(account: Account, capsys: Capture) -> None:
    assert run(account) != 0
    assert account.changes == []
    assert "--yes" in capsys.readouterr().err


def test_the_json_of_the_plan_and_of_what_was_done(account: Account, capsys: Capture) -> None:
    assert run(account, "--json") == Exit.UNCONFIRMED
    plan = json.loads(capsys.readouterr().out)
    assert plan["deleted"] is None
    told: dict[str, Any] = {one["machine"].rpartition(":")[2]: one for one in plan["machines"]}
    assert {name: one["delete"] for name, one in told.items()} == {
        BUSY: False,
        FOREIGN: False,
        OLD: True,
        WAITING: False,
    }
    assert told[BUSY]["versions"] == [f"{machine_arn(BUSY)}:1", f"{machine_arn(BUSY)}:2"]
    assert told[OLD] == {
        "machine": machine_arn(OLD), "source": machine_arn("old"), "delete": True, "stays": None,
        "versions": [f"{machine_arn(OLD)}:1"],
    }  # fmt: skip
    assert account.changes == []
    assert run(account, "--json", "--dry-run") == 0
    capsys.readouterr()
    assert run(account, "--json", "--yes") == 0
    deleted = json.loads(capsys.readouterr().out)["deleted"]
    assert deleted == {"machines": [machine_arn(OLD)], "versions": told[BUSY]["versions"]}
    # What is left is needed.
    assert run(account, "--json", "--yes") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["deleted"] == {"machines": [], "versions": []}


def test_all_deletes_what_has_nothing_running(account: Account, capsys: Capture) -> None:
    assert run(account, "--all", "--yes") == 0
    assert "Mind         deleting a machine also deletes its executions" in capsys.readouterr().out
    account.now += 100
    account._finish_deletions()
    left = {arn.rpartition(":")[2] for arn in account.machines}
    assert left == {"old", "busy", "waiting", FOREIGN, WAITING}
    assert account.ended_by_deletion == []


def test_days_are_kept(account: Account, capsys: Capture) -> None:
    assert run(account, "--days", "200", "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)["machines"]
    assert not any(one["delete"] or one["versions"] for one in told)


def test_what_is_used_while_it_waits_stays_and_is_as_before(account: Account, capsys: Capture) -> None:
    def gate(operation: str, body: Any) -> None:
        # Once it is closed a person starts it at the console.
        if operation == "ListTagsForResource":
            run_of = next(run for arn, run in account.runs.items() if arn.rpartition(":")[0].endswith(BUSY))
            account.runs[f"{machine_arn(OLD).replace(':stateMachine:', ':execution:')}:by-hand"] = run_of
            account.gate = lambda operation, body: None

    tags = dict(account.machines[machine_arn(OLD)].tags)
    account.gate = gate
    assert run(account, "--yes") == 1
    assert f"Stays        {machine_arn(OLD)}: somebody uses it" in capsys.readouterr().out
    assert account.machines[machine_arn(OLD)].tags == tags


def test_what_got_its_source_tag_back_while_it_waits_stays(account: Account, capsys: Capture) -> None:
    """Another sweep gave it back, so that a Resumer may start it by now."""
    machine = account.machines[machine_arn(OLD)]

    def gate(operation: str, body: Any) -> None:
        if operation == "ListTagsForResource" and body["resourceArn"] == machine.arn:
            machine.tags[SOURCE_TAG] = source_tag(machine_arn("old"))

    account.gate = gate
    assert run(account, "--yes") == 1
    assert f"Stays        {machine.arn}: somebody uses it" in capsys.readouterr().out
    assert account.machines[machine.arn].deleting is None


def test_what_is_gone_by_the_time_it_is_looked_at_is_left_out(account: Account, capsys: Capture) -> None:
    def gate(operation: str, body: Any) -> None:
        if operation == "DescribeStateMachine":
            account.machines.pop(machine_arn(OLD), None)

    account.gate = gate
    assert run(account, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert OLD not in printed
    assert BUSY in printed


def test_of_very_many_versions_a_few_go_each_time_and_the_machine_last(account: Account, capsys: Capture) -> None:
    machine = account.machines[machine_arn(OLD)]
    machine.versions = [Version(f"{machine.arn}:{number}", machine.revision, "") for number in range(1, 31)]
    assert run(account, "--dry-run") == 0
    assert "  stays: it has 30 versions; the old ones are deleted first\n" in capsys.readouterr().out
    assert run(account, "--yes") == 0
    left = len(machine.versions)
    assert left == 30 - MOST_VERSIONS
    assert run(account, "--yes") == 0
    assert machine.deleting


def test_a_version_that_runs_by_now_is_not_deleted(account: Account) -> None:
    """A resume began between the look and the deletion."""
    aws = Wired(account)
    arn = machine_arn(BUSY)
    found = cleaning.look(aws, arn, cleaning.machines(aws)[arn], now=account.now, keep=30 * DAY)
    first, second = found.versions
    aws.start(first, "by-hand", "{}")
    assert cleaning.delete_versions(aws, found) == [second]
    assert first in [version.arn for version in account.machines[arn].versions]


def test_an_interruption_leaves_the_machine_as_it_was(account: Account) -> None:
    def gate(operation: str, body: Any) -> None:
        if operation == "DeleteStateMachineVersion" and OLD in body["stateMachineVersionArn"]:
            raise KeyboardInterrupt

    tags = dict(account.machines[machine_arn(OLD)].tags)
    account.gate = gate
    assert run(account, "--yes") == 1
    assert account.machines[machine_arn(OLD)].tags == tags


def test_what_a_deletion_has_left_is_mended(account: Account, capsys: Capture) -> None:
    machine = account.machines[machine_arn(WAITING)]
    tags = dict(machine.tags)
    del machine.tags[SOURCE_TAG]
    machine.tags[DELETING_TAG] = f"{account.now - 3_600:.0f} {source_tag(machine_arn('waiting'))}"
    assert run(account, "--yes") == 0
    assert machine.tags == tags


def test_nothing_here(account: Account, capsys: Capture) -> None:
    account.machines.clear()
    assert run(account) == 0
    assert capsys.readouterr().out == "there are no GoToState machines here\n"


def test_what_aws_denies_is_said(account: Account, capsys: Capture) -> None:
    def gate(operation: str, body: Any) -> None:
        if operation == "TagResource":
            raise RefusalError("AccessDeniedException", "not you")

    account.gate = gate
    assert run(account, "--yes") == 1
    assert "Stays" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--days", "0"], "--days is '0'; give a whole number of at least 1"),
        (["--days", "7", "--all"], "leave --days or --all out"),
        (["--dry-run", "--yes"], "leave one of them out"),
        (["--region", ""], "--region is empty"),
        (["--state-machine", ""], "--state-machine is empty"),
    ],
)
def test_wrong_usage(account: Account, capsys: Capture, options: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(account, *options)
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err
    assert not account.calls
