"""gotostate resume --skip, and --from-state of what succeeded: what is entered, what is said, and what is refused."""

import io
import json
import shlex
from typing import Any

import pytest
from fake_account import Account, Wired, execution_arn
from gotostate import cli, recovery
from gotostate.events import HistoryEvent
from gotostate.outcome import Result
from gotostate.report import Report
from gotostate.settings import Settings

Capture = pytest.CaptureFixture[str]
CALL = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}}
PAIR = {"Branches": [{"StartAt": "Inner", "States": {"Inner": {**CALL, "End": True}}}]}
ORDERS = {
    "StartAt": "Reserve",
    "States": {
        "Reserve": {**CALL, "Assign": {"first": 1}, "Next": "Charge"},
        "Charge": {**CALL, "Assign": {"paid.$": "$.paid"}, "ResultPath": "$.charge", "Next": "Both"},
        "Both": {"Type": "Parallel", **PAIR, "Next": "Choose"},
        "Choose": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "Ship"}], "Default": "No"},
        "No": {"Type": "Fail"},
        "Ship": {**CALL, "End": True},
    },
}
FAILED = execution_arn("orders", "order-17")


class Terminal(io.StringIO):
    """A person at a terminal who types a line."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    account.add_machine("orders", ORDERS, {})
    monkeypatch.setattr("gotostate.cli.account.StepFunctions", lambda region: Wired(account, region))
    return account


def history(*states: tuple[str, str, str], end: str = "ExecutionFailed", **ending: Any) -> list[HistoryEvent]:
    """Write the events of an execution that left all states but the last, or all where it succeeded."""
    events: list[HistoryEvent] = [{"type": "ExecutionStarted", "executionStartedEventDetails": {"input": "{}"}}]
    for place, (kind, name, given) in enumerate(states, 1):
        events.append({"type": f"{kind}StateEntered", "stateEnteredEventDetails": {"name": name, "input": given}})
        if place < len(states) or end == "ExecutionSucceeded":
            left: dict[str, Any] = {"name": name, "output": "{}"}
            if name == "Reserve":
                left["assignedVariables"] = {"first": "1"}
            events.append({"type": f"{kind}StateExited", "stateExitedEventDetails": left})
    details = {"executionFailedEventDetails": ending} if end == "ExecutionFailed" else {}
    events.append({"type": end, **details})
    return [{**event, "id": number, "previousEventId": number - 1} for number, event in enumerate(events, 1)]


RESERVE, CHARGE = ("Task", "Reserve", "{}"), ("Task", "Charge", '{"n": 1.10}')
BOTH, SHIP = ("Parallel", "Both", '{"b": 1}'), ("Task", "Ship", '{"s": 1}')


def fails(account: Account, *states: tuple[str, str, str], **ending: Any) -> str:
    return account.add_failure("orders", "order-17", history(*states, **{"error": "Boom", **ending}))


def resuming(account: Account) -> dict[str, Any]:
    (run,) = account.resumed("orders-with-GoToState")
    found: dict[str, Any] = json.loads(run.input)["resuming"]
    return found


@pytest.mark.parametrize(
    ("arguments", "given"),
    [([], {"n": 1.1}), (["--output", '{"paid": true}'], {"paid": True}), (["--output", "null"], None)],
)
def test_skip_enters_the_next_state_with_the_output(
    account: Account, capsys: Capture, arguments: list[str], given: Any
) -> None:
    fails(account, RESERVE, CHARGE)
    assert cli.main(["resume", FAILED, "--skip", *arguments]) == 0
    found = resuming(account)
    assert (found["state"], found["input"]) == ("Both", given)
    # What was assigned before it stays; its own Assign is not run.
    assert found["variables"] == {"first": 1, "paid": None}
    printed = capsys.readouterr().out
    assert "Mind         the Assign of 'Charge' is not run: paid stay as they were" in printed
    assert "From state   Both" in printed


def test_the_output_may_come_from_a_file_and_keeps_its_digits(account: Account, tmp_path: Any) -> None:
    fails(account, RESERVE, CHARGE)
    (tmp_path / "output.json").write_text('{"big": 12345678901234567890123}')
    assert cli.main(["resume", FAILED, "--skip", "--output", f"@{tmp_path}/output.json"]) == 0
    assert '"input":{"big": 12345678901234567890123}' in account.resumed("orders-with-GoToState")[0].input


def test_a_parallel_is_skipped_as_a_whole(account: Account) -> None:
    fails(account, RESERVE, CHARGE, BOTH)
    assert cli.main(["resume", FAILED, "--skip", "--output", "[1]"]) == 0
    assert (resuming(account)["state"], resuming(account)["input"]) == ("Choose", [1])
    assert "inside" not in resuming(account)


def test_the_error_of_a_skipped_state_is_no_remark(account: Account, capsys: Capture) -> None:
    """It would come again with the same input; but the state is not entered again."""
    fails(account, RESERVE, CHARGE, error="States.Runtime")
    assert cli.main(["resume", FAILED, "--skip"]) == 0
    assert "comes again" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ((RESERVE, SHIP), "'Ship' is the last state, so nothing is left to run"),
        ((RESERVE, ("Choice", "Choose", "{}")), "'Choose' is a Choice state, which has no single Next"),
        ((RESERVE, ("Fail", "No", "{}")), "it ended in the Fail state 'No', which has no state after it"),
        ((), "no state failed: it entered no state"),
    ],
)
def test_what_cannot_be_skipped_is_refused(
    account: Account, capsys: Capture, states: tuple[tuple[str, str, str], ...], says: str
) -> None:
    fails(account, *states)
    assert cli.main(["resume", FAILED, "--skip"]) == 1
    assert says in capsys.readouterr().err
    assert account.changes == []


def test_between_two_states_nothing_is_skipped(account: Account, capsys: Capture) -> None:
    events = history(RESERVE, CHARGE)[:3]
    events.append({"type": "ExecutionTimedOut", "id": 4, "previousEventId": 3})
    account.add_failure("orders", "order-17", events, status="TIMED_OUT")
    assert cli.main(["resume", FAILED, "--skip"]) == 1
    assert "'Reserve' had finished and 'Charge' had not begun" in capsys.readouterr().err


def test_a_skip_and_a_resume_of_one_failure_are_one(account: Account, capsys: Capture) -> None:
    fails(account, RESERVE, CHARGE)
    assert cli.main(["resume", FAILED, "--skip"]) == 0
    assert cli.main(["resume", FAILED]) == 1
    assert "was resumed already" in capsys.readouterr().err
    assert len(account.resumed("orders-with-GoToState")) == 1


def test_a_skipped_state_of_a_resumed_execution(account: Account) -> None:
    fails(account, RESERVE, CHARGE)
    assert cli.main(["resume", FAILED]) == 0
    (run,) = account.resumed("orders-with-GoToState")
    account.end(run.arn, "FAILED", history(("Choice", "GoToState", run.input), CHARGE))
    assert cli.main(["resume", run.arn, "--skip", "--output", "7"]) == 0
    found = json.loads(account.resumed("orders-with-GoToState")[1].input)["resuming"]
    assert (found["state"], found["input"], found["attempt"]) == ("Both", 7, 2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--output", "1"], "add --skip"),
        (["--skip", "--input", "1"], "leave out --input, --from-state and --whole"),
        (["--skip", "--from-state", "Ship"], "leave out --input, --from-state and --whole"),
        (["--skip", "--strategy", "redrive"], "--strategy redrive uses the same definition"),
        (["--skip", "--output", ""], "--output is empty"),
    ],
)
def test_options_that_do_not_go_together(account: Account, capsys: Capture, arguments: list[str], says: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["resume", FAILED, *arguments])
    assert exit_.value.code == 2
    assert says in capsys.readouterr().err


def test_an_output_that_is_not_json(account: Account, capsys: Capture) -> None:
    assert cli.main(["resume", FAILED, "--skip", "--output", "{"]) == 1
    assert "--output is not JSON" in capsys.readouterr().err


# ---- What succeeded, from a state on ----------------------------------------------------------------


def succeeds(account: Account) -> str:
    events = history(RESERVE, CHARGE, BOTH, ("Task", "Inner", "{}"), SHIP, end="ExecutionSucceeded")
    return account.add_failure("orders", "order-17", events, status="SUCCEEDED")


def test_what_succeeded_runs_again_from_a_state(account: Account, capsys: Capture) -> None:
    succeeds(account)
    assert cli.main(["resume", FAILED, "--from-state", "Charge", "--yes"]) == 0
    found = resuming(account)
    assert (found["state"], found["input"], found["variables"]) == ("Charge", {"n": 1.1}, {"first": 1, "paid": None})
    printed = capsys.readouterr().out
    for name in ("Charge", "Inner", "Ship"):
        assert f"Calls        {name}: lambda:invoke f (again)" in printed
    assert "Reserve: " not in printed


def test_it_is_started_once_and_by_the_id_of_its_end(account: Account, capsys: Capture) -> None:
    succeeds(account)
    assert cli.main(["resume", FAILED, "--from-state", "Charge", "--yes"]) == 0
    (run,) = account.resumed("orders-with-GoToState")
    assert cli.main(["resume", FAILED, "--from-state", "Ship", "--yes"]) == 1
    assert f"the newest execution of its chain is {run.arn} (RUNNING): leave it" in capsys.readouterr().err
    account.end(run.arn, "SUCCEEDED", history(("Choice", "GoToState", run.input), SHIP, end="ExecutionSucceeded"))
    assert cli.main(["resume", FAILED, "--from-state", "Ship", "--yes"]) == 1
    assert f"gotostate resume {run.arn} --from-state Ship" in capsys.readouterr().err
    assert cli.main(["resume", run.arn, "--from-state", "Ship", "--yes"]) == 0
    found = json.loads(account.resumed("orders-with-GoToState")[1].input)["resuming"]
    assert (found["attempt"], found["execution"]) == (2, FAILED)


def test_what_it_says_to_type_can_be_copied(account: Account, capsys: Capture) -> None:
    van = "Bob's van"
    document = json.loads(json.dumps(ORDERS))
    document["States"][van] = {**CALL, "End": True}
    account.add_machine("orders", document, {})
    succeeds(account)
    words = ["--from-state", van, "--input", "{}", "--yes"]
    assert cli.main(["resume", FAILED, *words]) == 0
    (run,) = account.resumed("orders-with-GoToState")
    account.end(run.arn, "SUCCEEDED")
    assert cli.main(["resume", FAILED, *words]) == 1
    advice = capsys.readouterr().err.partition("to run that one again: ")[2]
    assert shlex.split(advice) == ["gotostate", "resume", run.arn, "--from-state", van]


def test_automation_never_goes_on_with_it(account: Account) -> None:
    account.retag("orders", gotostate="resume")
    succeeds(account)
    assert cli.main(["resume", FAILED, "--from-state", "Charge", "--yes"]) == 0
    (run,) = account.resumed("orders-with-GoToState")
    account.end(run.arn, "FAILED", history(("Choice", "GoToState", run.input), CHARGE))
    outcome = recovery.recover(account.memory(), Report.from_event(account.event(run.arn)), Settings())
    assert (outcome.outcome, outcome.rule) == (Result.PREPARED, "rerun")
    assert len(account.resumed("orders-with-GoToState")) == 1


def test_a_rerun_of_a_resume_that_succeeded_is_a_persons_too(account: Account) -> None:
    account.retag("orders", gotostate="resume")
    account.add_failure("orders", "order-17", history(RESERVE, CHARGE))
    memory = account.memory()
    first = recovery.recover(memory, Report.from_event(account.event(FAILED)), Settings()).resumed
    assert first
    account.end(
        first, "SUCCEEDED", history(("Choice", "GoToState", account.runs[first].input), SHIP, end="ExecutionSucceeded")
    )
    assert cli.main(["resume", first, "--from-state", "Ship", "--yes"]) == 0
    rerun = account.resumed("orders-with-GoToState")[-1]
    account.end(rerun.arn, "FAILED", history(("Choice", "GoToState", rerun.input), SHIP))
    outcome = recovery.recover(memory, Report.from_event(account.event(rerun.arn)), Settings())
    assert (outcome.outcome, outcome.rule) == (Result.PREPARED, "rerun")


def test_a_rerun_that_succeeds_recovers_nothing(account: Account) -> None:
    account.retag("orders", gotostate="resume")
    succeeds(account)
    assert cli.main(["resume", FAILED, "--from-state", "Charge", "--yes"]) == 0
    (run,) = account.resumed("orders-with-GoToState")
    account.end(run.arn, "SUCCEEDED", history(("Choice", "GoToState", run.input), SHIP, end="ExecutionSucceeded"))
    outcome = recovery.recover(account.memory(), Report.from_event(account.event(run.arn)), Settings())
    assert outcome.rule == "not-a-resume"


@pytest.mark.parametrize(("typed", "code", "count"), [("y\n", 0, 1), ("n\n", 3, 0), ("", 3, 0)])
def test_a_person_at_the_terminal_is_asked(
    account: Account, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, count: int
) -> None:
    succeeds(account)
    out = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stdout", out)
    assert cli.main(["resume", FAILED, "--from-state", "Ship"]) == code
    assert "Calls        Ship: lambda:invoke f (again)\nIt succeeded." in out.getvalue()
    assert len(account.resumed("orders-with-GoToState")) == count


def test_where_nobody_can_be_asked_it_needs_yes(account: Account, capsys: Capture) -> None:
    succeeds(account)
    assert cli.main(["resume", FAILED, "--from-state", "Ship"]) == 3
    assert "add --yes" in capsys.readouterr().err
    assert account.changes == []


@pytest.mark.parametrize("arguments", [[], ["--skip"]])
def test_without_a_state_what_succeeded_is_left(account: Account, capsys: Capture, arguments: list[str]) -> None:
    succeeds(account)
    assert cli.main(["resume", FAILED, *arguments, "--yes"]) == 1
    assert "to run it again from a state: --from-state S" in capsys.readouterr().err
    assert account.changes == []


def test_a_state_that_it_never_entered_needs_an_input(account: Account, capsys: Capture) -> None:
    succeeds(account)
    assert cli.main(["resume", FAILED, "--from-state", "No", "--yes"]) == 1
    assert "never entered 'No'" in capsys.readouterr().err
    assert cli.main(["resume", FAILED, "--from-state", "No", "--input", "1", "--yes"]) == 0
    assert resuming(account)["variables"] == {"first": 1, "paid": None}


def test_tasks_of_a_failed_execution_that_run_again_are_told_too(account: Account, capsys: Capture) -> None:
    """A task that is not idempotent and ran after the state that a person chose is said."""
    account.retag("orders", **{"gotostate:not-idempotent": "Charge"})
    fails(account, RESERVE, CHARGE, BOTH)
    assert cli.main(["resume", FAILED, "--from-state", "Reserve"]) == 0
    assert "Mind         'Charge' would be entered again" in capsys.readouterr().out
