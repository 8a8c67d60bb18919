"""The gotostate command: what it prints, what it changes, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from fake_account import Account, RefusalError, Wired, execution_arn, failure_events, machine_arn
from gotostate import cli, recovery
from gotostate.cli.waiting import BEHIND_SECONDS
from gotostate.nesting import STARTED_BY
from gotostate.notice import console_link
from gotostate.report import Report
from gotostate.settings import Settings

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "history"
ORDERS = {
    "StartAt": "A",
    "States": {"A": {"Type": "Task", "Next": "B"}, "B": {"Type": "Task", "End": True}, "F": {"Type": "Fail"}},
}
FAILED = execution_arn("orders", "order-17")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    account.add_machine("orders", ORDERS, {})
    account.add_failure("orders", "order-17", failure_events("B", '{"n": 1.10}'), "{}")
    monkeypatch.setattr("gotostate.cli.account.StepFunctions", lambda region: Wired(account, region))
    return account


def files(tmp_path: Path, name: str, newest_first: bool = False) -> tuple[str, str]:
    case = json.loads((GOLDEN / f"{name}.json").read_text())
    if newest_first:
        case["history"]["events"].reverse()
    history, definition = tmp_path / "history.json", tmp_path / "definition.json"
    history.write_text(json.dumps(case["history"]))
    definition.write_text(json.dumps(case["definition"]))
    return str(history), str(definition)


@pytest.mark.parametrize("newest_first", [False, True])
def test_plan_needs_no_aws(tmp_path: Path, capsys: Capture, newest_first: bool) -> None:
    history, definition = files(tmp_path, "variables", newest_first)
    assert cli.main(["plan", "--history", history, "--definition", definition, "--json"]) == 0
    printed = capsys.readouterr().out
    plan = json.loads(printed)
    assert {name: plan[name] for name in ("status", "error", "cause", "endedIn", "resumeFrom", "input")} == {
        "status": "FAILED", "error": "Boom", "cause": "it broke", "endedIn": "C", "resumeFrom": "C", "input": {},
    }  # fmt: skip
    assert plan["variables"]["z"] is None
    assert '"big":12345678901234567890123' in printed
    assert '"f":1.0' in printed


def test_plan_json_where_there_is_nothing_to_resume(tmp_path: Path, capsys: Capture) -> None:
    history, definition = files(tmp_path, "fail_without_work")
    assert cli.main(["plan", "--history", history, "--definition", definition, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["endedIn"], plan["resumeFrom"], plan["input"], plan["variables"]) == ("Failed", None, None, {})


def test_plan_for_people(account: Account, capsys: Capture) -> None:
    assert cli.main(["plan", FAILED]) == 0
    assert capsys.readouterr().out == (
        f"Execution    {FAILED}\n"
        "Status       FAILED\n"
        "Error        Boom\n"
        "Cause        it broke\n"
        "Ended in     B\n"
        "Resume from  B\n"
        "Why          the state it ended in\n"
        'Input        {"n": 1.10}\n'
        "Variables    (none)\n"
        "Machine      orders-with-GoToState\n"
        "Automation   skip: the state machine has not opted in; tag it gotostate=resume or gotostate=prepare\n"
        "Parameters   the stack's defaults, as there is no stack sfn-resume in eu-west-1\n"
        "Calls        B (again)\n"
        f"Next         gotostate resume {FAILED}\n"
    )
    assert account.changes == []


def test_plan_tells_who_resumed_it_already(account: Account, capsys: Capture) -> None:
    cli.main(["resume", FAILED])
    resumed = next(arn for arn in account.runs if "resume-1" in arn)
    capsys.readouterr()
    assert cli.main(["plan", FAILED]) == 0
    printed = capsys.readouterr().out
    assert f"Resumed by   {resumed} (RUNNING)" in printed
    assert "Automation   skip: this failure was resumed already" in printed
    assert "Waits" not in printed
    assert cli.main(["plan", FAILED, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["resumedBy"] == resumed


def test_what_a_person_started_in_the_gotostate_machine_is_warned_of(account: Account, capsys: Capture) -> None:
    """An input that was written by hand names no failure, so nothing tells whether it did the work of this one."""
    assert cli.main(["build", FAILED]) == 0
    account.now += 60
    by_hand = account.add_failure("orders-with-GoToState", "by-hand", failure_events("B"), status="SUCCEEDED")
    capsys.readouterr()
    for verb in ("plan", "resume"):
        assert cli.main([verb, FAILED]) == 0
        assert f"Mind         {by_hand} (SUCCEEDED) was started by hand" in capsys.readouterr().out
    later = account.add_failure("orders", "later", failure_events("B"))
    account.runs[later].stopped = account.now + 60
    assert cli.main(["plan", later]) == 0
    assert "by hand" not in capsys.readouterr().out


def test_the_consoles_url_of_an_execution_names_it(account: Account, capsys: Capture) -> None:
    for url in (console_link(FAILED), console_link(FAILED) + "?startDate=1"):
        assert cli.main(["plan", url]) == 0
        assert capsys.readouterr().out.startswith(f"Execution    {FAILED}\n")


def test_an_option_that_is_spelled_in_part_is_refused(account: Account, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as exited:
        cli.main(["resume", FAILED, "--wai"])
    assert exited.value.code == 2
    assert account.changes == []


def test_the_seeds_command(account: Account, capsys: Capture) -> None:
    assert cli.main(["--failedExecutionArn", FAILED]) == 0
    printed = capsys.readouterr().out
    assert machine_arn("orders-with-GoToState") in printed
    assert "Failed state       B" in printed
    assert '{"n": 1.10}' in printed
    assert account.changes == ["create orders-with-GoToState"]


def test_build_creates_the_machine(account: Account, capsys: Capture) -> None:
    assert cli.main(["build", FAILED]) == 0
    assert capsys.readouterr().out == machine_arn("orders-with-GoToState") + "\n"
    assert account.changes == ["create orders-with-GoToState"]


def test_build_prints_a_definition_without_aws(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "orders.asl.json"
    path.write_text(json.dumps(ORDERS))
    assert cli.main(["build", "--definition", str(path), "--state", "B"]) == 0
    built = json.loads(capsys.readouterr().out)
    assert built["StartAt"] == "GoToState"
    assert built["States"]["B"] == ORDERS["States"]["B"]  # type: ignore[index]


def test_what_build_prints_keeps_the_states_digit_for_digit(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "orders.asl.json"
    state = '{"Type": "Pass", "Result": [1.10, 0.12345678901234567890, 1e400], "End": true}'
    path.write_text(f'{{"StartAt": "A", "States": {{"A": {state}}}}}')
    assert cli.main(["build", "--definition", str(path), "--state", "A"]) == 0
    assert f'"A": {state}' in capsys.readouterr().out


def resumed_input(account: Account) -> dict[str, Any]:
    arn = next(arn for arn in account.runs if "-resume-" in arn)
    loaded: dict[str, Any] = json.loads(account.runs[arn].input)["resuming"]
    return loaded


def test_resume_starts_it(account: Account, capsys: Capture) -> None:
    assert cli.main(["resume", FAILED]) == 0
    assert (resumed_input(account)["state"], resumed_input(account)["input"]) == ("B", {"n": 1.1})
    assert "From state   B" in capsys.readouterr().out


@pytest.mark.parametrize("from_file", [False, True])
def test_resume_with_another_input(account: Account, tmp_path: Path, from_file: bool) -> None:
    text = '{"Message": "Hello!"}'
    (tmp_path / "input.json").write_text(text)
    assert cli.main(["resume", FAILED, "--input", f"@{tmp_path}/input.json" if from_file else text]) == 0
    assert resumed_input(account)["input"] == {"Message": "Hello!"}


def test_resume_from_a_state_that_it_never_entered(account: Account, capsys: Capture) -> None:
    assert cli.main(["resume", FAILED, "--from-state", "A"]) == 1
    assert "never entered 'A'" in capsys.readouterr().err
    assert account.changes == []
    assert cli.main(["resume", FAILED, "--from-state", "A", "--input", "[1]"]) == 0
    assert (resumed_input(account)["state"], resumed_input(account)["input"]) == ("A", [1])


def test_resume_a_second_time_starts_nothing(account: Account, capsys: Capture) -> None:
    assert cli.main(["resume", FAILED]) == 0
    started = [arn for arn in account.runs if "resume-1" in arn]
    assert cli.main(["resume", FAILED, "--input", "1"]) == 1
    error = capsys.readouterr().err
    assert "was resumed already" in error
    assert started[0] in error
    account.end(started[0], "FAILED", failure_events("B"))
    assert cli.main(["resume", FAILED]) == 1
    assert f"gotostate resume {started[0]}" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "code"), [("SUCCEEDED", 0), ("FAILED", 1)])
def test_resume_and_wait(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch, status: str, code: int
) -> None:
    looks = []

    def end(operation: str, body: dict[str, Any]) -> None:
        """AWS does not know it right after the start, then it runs, then it has ended."""
        resumed = account.resumed("orders-with-GoToState")
        if operation == "DescribeExecution" and resumed:
            looks.append(body)
            if len(looks) < 3:
                raise RefusalError("ExecutionDoesNotExist")
            account.end(resumed[0].arn, status, failure_events("B"))

    account.gate = end
    assert cli.main(["resume", FAILED, "--wait"]) == code
    printed = capsys.readouterr().out
    assert f"Status       {status}" in printed
    if code:
        resumed = account.resumed("orders-with-GoToState")[0].arn
        assert printed.endswith(f"Error        Boom\nCause        it broke\nNext         gotostate plan {resumed}\n")


def test_a_resume_that_aws_goes_on_not_knowing_is_not_waited_for_without_end(account: Account, capsys: Capture) -> None:
    def unknown(operation: str, body: dict[str, Any]) -> None:
        if operation == "DescribeExecution" and account.resumed("orders-with-GoToState"):
            raise RefusalError("ExecutionDoesNotExist")

    account.gate = unknown
    begun = account.now
    assert cli.main(["resume", FAILED, "--wait"]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert BEHIND_SECONDS <= account.now - begun < 2 * BEHIND_SECONDS


def test_a_child_of_a_map_run_is_neither_resumed_nor_built(account: Account, capsys: Capture) -> None:
    account.add_machine("orders/label", ORDERS, {})
    child = account.add_failure("orders/label", "child-1", failure_events("B"))
    assert cli.main(["plan", child]) == 0
    assert "Next" not in capsys.readouterr().out
    for verb in ("resume", "build"):
        assert cli.main([verb, child]) == 1
        assert "belongs to its Map state's execution; resume that one" in capsys.readouterr().err
    assert account.changes == []


def test_resume_on_the_mended_definition(account: Account, capsys: Capture) -> None:
    mended = {**ORDERS, "Comment": "mended"}
    account.add_machine("orders", mended, {}, role="role/mended")
    assert cli.main(["resume", FAILED, "--definition", "current"]) == 0
    built = account.machines[machine_arn("orders-with-GoToState")]
    assert built.document["Comment"] == "mended"
    assert built.revision.settings == {"roleArn": "role/mended"}


def test_resume_of_a_resume_takes_the_current_role(account: Account, capsys: Capture) -> None:
    """The text of the definition is the same, so the version that ran must not be taken for one that has the role."""
    assert cli.main(["resume", FAILED]) == 0
    first = next(run for run in account.runs.values() if run.status == "RUNNING")
    account.now += 60
    account.end(first.arn, "FAILED", failure_events("B", start=first.input, error="States.Permissions"))
    account.add_machine("orders", ORDERS, {}, role="role/mended")
    assert cli.main(["resume", first.arn, "--definition", "current"]) == 0
    second = next(run for run in account.runs.values() if run.status == "RUNNING")
    assert second.revision.settings["roleArn"] == "role/mended"


def test_resume_on_a_definition_from_a_file(account: Account, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "mended.asl.json"
    path.write_text(json.dumps({**ORDERS, "Comment": "mended"}))
    assert cli.main(["resume", FAILED, "--definition", str(path)]) == 0
    assert account.machines[machine_arn("orders-with-GoToState")].document["Comment"] == "mended"
    path.write_text(json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}))
    account.add_failure("orders", "order-17", failure_events("B"))
    assert cli.main(["resume", FAILED, "--definition", str(path)]) == 1
    assert "'B' is not a top-level state" in capsys.readouterr().err


def test_resume_on_current_where_the_machine_is_gone(account: Account, capsys: Capture) -> None:
    del account.machines[machine_arn("orders")]
    assert cli.main(["resume", FAILED, "--definition", "current"]) == 1
    assert "--definition FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--failedExecutionArn ARN or a command"),
        (["plan"], "either ARN or both"),
        (["plan", "--history", "x"], "either ARN or both"),
        (["plan", FAILED, "--history", "x", "--definition", "y"], "either ARN or both"),
        (["build"], "either ARN or both"),
        (["build", "--definition", "x"], "either ARN or both"),
        (["resume"], "ARN"),
        (["undo"], "invalid choice"),
        (["plan", "--nope"], "--nope"),
        (["--failedExecutionArn", FAILED, "plan", FAILED], "either --failedExecutionArn ARN or a command"),
        (["resume", FAILED, "--from-state", ""], "--from-state is empty"),
        (["resume", FAILED, "--definition", ""], "--definition is empty"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], says: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan", "order-17"], "not the ARN of an execution"),
        (["plan", "arn:aws:lambda:eu-west-1:1:function:x"], "of the service 'lambda'"),
        (["plan", "arn:aws:states:eu-west-1:1:express:m:n:u"], "Express"),
        (["plan", execution_arn("orders", "none")], "does not exist"),
        (["resume", FAILED, "--from-state", "Nowhere"], "'Nowhere' is not a top-level state"),
        (["resume", FAILED, "--input", "{"], "--input is not JSON"),
        (["resume", FAILED, "--input", "@/nowhere"], "/nowhere cannot be read"),
        (["resume", FAILED, "--definition", "/nowhere"], "/nowhere cannot be read"),
        (["build", "--definition", "/nowhere", "--state", "A"], "/nowhere cannot be read"),
    ],
)
def test_failures_exit_with_1_and_change_nothing(
    account: Account, arguments: list[str], says: str, capsys: Capture
) -> None:
    assert cli.main(arguments) == 1
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.err.startswith("gotostate: ")
    assert captured.out == ""
    assert account.changes == []


def test_an_execution_that_has_not_failed(account: Account, capsys: Capture) -> None:
    account.end(FAILED, "SUCCEEDED")
    assert cli.main(["plan", FAILED]) == 1
    assert "SUCCEEDED" in capsys.readouterr().err


def test_a_fail_state_without_work(account: Account, capsys: Capture) -> None:
    account.add_failure("orders", "order-17", failure_events("F", kind="Fail"))
    for arguments in (["resume", FAILED], ["build", FAILED], ["--failedExecutionArn", FAILED]):
        assert cli.main(arguments) == 1
        assert "nothing to resume" in capsys.readouterr().err
    assert cli.main(["plan", FAILED]) == 0
    assert cli.main(["resume", FAILED, "--from-state", "A", "--input", "1"]) == 0


def damaged(**details: Any) -> str:
    """A history whose last state's Entered event is damaged."""
    case = json.loads((GOLDEN / "task_lambda.json").read_text())
    entered = [event for event in case["history"]["events"] if "stateEnteredEventDetails" in event]
    entered[-1]["stateEnteredEventDetails"].update(details)
    return json.dumps(case["history"])


@pytest.mark.parametrize(
    ("history", "definition", "says"),
    [
        ("cut", None, "is not JSON"),
        ("{}", None, "no list 'events'"),
        ('{"events": [1]}', None, "no list 'events'"),
        ('{"events": []}', None, "still runs, or the history is cut off"),
        (damaged(name=None), None, "has no name of a state"),
        (damaged(input="{trunc"), None, "is not JSON"),
        (damaged(input=7), None, "no complete input"),
        (None, "{", "the definition is not JSON"),
        (None, '{"StartAt": [], "States": {"X": {}}}', '"StartAt"'),
        (None, '{"StartAt": "X", "States": {"X": {"Catch": null}}}', '"Catch" of the state'),
        (None, "[1]", "not a JSON object"),
        (None, '{"StartAt": "X", "States": {"X": {"Type": "Pass", "End": true}}}', "the definition does not have"),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, capsys: Capture, history: str | None, definition: str | None, says: str
) -> None:
    history_file, definition_file = files(tmp_path, "task_lambda")
    if history == "cut":
        text = Path(history_file).read_text()
        history = text[: len(text) // 2]
    if history is not None:
        Path(history_file).write_text(history)
    if definition is not None:
        Path(definition_file).write_text(definition)
    assert cli.main(["plan", "--history", history_file, "--definition", definition_file]) == 1
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""


def test_errors_of_aws_are_told_without_a_traceback(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import NoCredentialsError

    def fail(operation: str, body: dict[str, Any]) -> None:
        raise NoCredentialsError

    account.gate = fail
    assert cli.main(["plan", FAILED]) == 1
    assert "Unable to locate credentials" in capsys.readouterr().err


def nested(account: Account, resource: str, tags: dict[str, str]) -> tuple[str, str]:
    """Add a failed child of a failed parent; return both ARNs."""
    task: dict[str, Any] = {"Type": "Task", "Resource": f"arn:aws:states:::states:{resource}", "End": True}
    task["Parameters"] = {"StateMachineArn": machine_arn("orders")}
    account.add_machine("parent", {"StartAt": "T", "States": {"T": task}}, tags)
    parent = account.add_failure("parent", "p", failure_events("T"))
    given = json.dumps({STARTED_BY: parent})
    return parent, account.add_failure("orders", "child", failure_events("B"), given)


@pytest.mark.parametrize("tags", [{}, {"gotostate": "resume"}])
def test_of_a_child_that_its_parent_waits_for_the_parent_is_next(
    account: Account, capsys: Capture, tags: dict[str, str]
) -> None:
    parent, child = nested(account, "startExecution.sync:2", tags)
    assert cli.main(["plan", child]) == 0
    printed = capsys.readouterr().out
    assert f"Next         gotostate plan {parent}\n" in printed
    assert f"Mind         its parent {parent} waits for it" in printed
    assert "gotostate resume" not in printed
    assert cli.main(["resume", child]) == 1
    error = capsys.readouterr().err
    assert f"gotostate plan {parent}" in error
    assert "--force" in error
    assert account.changes == []
    assert cli.main(["resume", child, "--force"]) == 0
    assert f"Mind         its parent {parent} waits for it" in capsys.readouterr().out


def test_plan_shows_what_resumed_it_before_a_redrive(account: Account, capsys: Capture) -> None:
    account.retag("orders", gotostate="prepare")
    assert cli.main(["resume", FAILED]) == 0
    resumed = account.resumed("orders-with-GoToState")[0].arn
    account.end(resumed, "SUCCEEDED")
    account.redrive(FAILED, failure_events("B")[-1])
    capsys.readouterr()
    assert cli.main(["plan", FAILED]) == 0
    printed = capsys.readouterr().out
    assert f"Resumed by   {resumed} (SUCCEEDED), before a redrive" in printed
    assert f"Mind         before its redrive it was resumed by {resumed}" in printed
    assert cli.main(["plan", FAILED, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["resumedBeforeRedrive"] == [{"execution": resumed, "status": "SUCCEEDED"}]
    assert told["automation"]["rule"] == "resumed-before-redrive"


def test_resume_of_what_automation_has_resumed_starts_nothing(account: Account, capsys: Capture) -> None:
    """StartExecution would succeed: the name and the input are those of an execution that runs."""
    account.retag("orders", gotostate="resume")
    report = Report.from_event(account.event(FAILED))
    outcome = recovery.recover(account.memory(), report, Settings(backoff_seconds=0))
    assert cli.main(["resume", FAILED]) == 1
    assert f"the newest execution of its chain is {outcome.resumed} (RUNNING): leave it" in capsys.readouterr().err
    assert len(account.resumed("orders-with-GoToState")) == 1


def test_what_comes_from_a_machine_cannot_fake_a_line(account: Account, capsys: Capture) -> None:
    events = failure_events("B", error="E\nNext         gotostate resume other")
    events[-1]["executionFailedEventDetails"]["cause"] = "a\rb\x1b[2Jc\u202ed\u2028e"
    account.add_failure("orders", "order-17", events)
    assert cli.main(["plan", FAILED]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\nNext ") == 1
    assert "E\\u000aNext         gotostate resume other" in printed
    assert r"a\u000db\u001b[2Jc\u202ed\u2028e" in printed
    assert cli.main(["resume", execution_arn("orders", "none\n\x1b[2J")]) == 1
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("cause", ["[" * 32_768, '{"errorMessage": 7}', "null", '{"a": ' + "1" * 5_000 + "}"])
def test_any_cause_is_shown(account: Account, capsys: Capture, cause: str) -> None:
    events = failure_events("B")
    events[-1]["executionFailedEventDetails"]["cause"] = cause
    account.add_failure("orders", "order-17", events)
    assert cli.main(["plan", FAILED]) == 0
    assert f"Cause        {cause}\n" in capsys.readouterr().out


def test_a_definition_whose_later_states_were_renamed_is_refused(tmp_path: Path, capsys: Capture) -> None:
    """The state that failed is not in it: the one before it had finished."""
    events = [
        *failure_events("A")[:2],
        {"type": "TaskStateExited", "id": 3, "stateExitedEventDetails": {"name": "A", "output": "1"}},
        {"type": "TaskStateEntered", "id": 4, "stateEnteredEventDetails": {"name": "B", "input": "1"}},
        {"type": "ExecutionFailed", "id": 5, "previousEventId": 4, "executionFailedEventDetails": {}},
    ]  # fmt: skip
    renamed = {"StartAt": "A", "States": {"A": {"Type": "Task", "Next": "C"}, "C": {"Type": "Task", "End": True}}}
    history, definition = tmp_path / "history.json", tmp_path / "definition.json"
    history.write_text(json.dumps({"events": events}))
    definition.write_text(json.dumps(renamed))
    assert cli.main(["plan", "--history", str(history), "--definition", str(definition)]) == 1
    assert "entered 'B', which the definition does not have" in capsys.readouterr().err


def run_command(*arguments: str, encoding: str = "ascii") -> "subprocess.CompletedProcess[bytes]":
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT / "functions" / "resumer")}
    return subprocess.run(
        [sys.executable, "-m", "gotostate", *arguments], capture_output=True, check=False, env=environment
    )


def test_json_stays_json_in_any_encoding(tmp_path: Path) -> None:
    path = tmp_path / "orders.asl.json"
    path.write_text('{"StartAt": "é\U0001f600", "States": {"é\U0001f600": {"Type": "Pass", "End": true}}}')
    run = run_command("build", "--definition", str(path), "--state", "é\U0001f600")
    assert (run.returncode, run.stderr) == (0, b"")
    assert "é\U0001f600" in json.loads(run.stdout)["States"]


def test_a_pipe_that_is_closed_ends_the_command_quietly(tmp_path: Path) -> None:
    states = {f"S{number}": {"Type": "Pass", "Comment": "x" * 5_000, "End": True} for number in range(150)}
    path = tmp_path / "orders.asl.json"
    path.write_text(json.dumps({"StartAt": "S1", "States": states}))
    command = f"{sys.executable} -m gotostate build --definition {path} --state S1 | head -1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "functions" / "resumer")}
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=environment)
    assert (run.stdout, run.stderr) == ("{\n", "")


ASSIGNING = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Pass", "Assign": {"v": 1}, "Next": "F"},
        "F": {"Type": "Fail"},
        "Z": {"Type": "Task", "End": True},
    },
}


def test_variables_go_along_to_a_state_that_was_never_entered(account: Account) -> None:
    account.add_machine("orders", ASSIGNING, {})
    left = {"name": "A", "output": "{}", "assignedVariables": {"v": "1.0"}}
    events = [
        *failure_events("A", kind="Pass")[:2],
        {"type": "PassStateExited", "id": 3, "previousEventId": 2, "stateExitedEventDetails": left},
        {"type": "FailStateEntered", "id": 4, "stateEnteredEventDetails": {"name": "F", "input": "1"}},
        {"type": "ExecutionFailed", "id": 5, "previousEventId": 4, "executionFailedEventDetails": {}},
    ]  # fmt: skip
    account.add_failure("orders", "order-17", events)
    assert cli.main(["resume", FAILED, "--from-state", "Z", "--input", "7"]) == 0
    assert (resumed_input(account)["state"], resumed_input(account)["variables"]) == ("Z", {"v": 1.0})


@pytest.mark.parametrize("arguments", [["build", FAILED], ["--failedExecutionArn", FAILED], ["resume", FAILED]])
def test_an_input_that_is_too_large_leaves_nothing_behind(
    account: Account, capsys: Capture, arguments: list[str]
) -> None:
    account.add_failure("orders", "order-17", failure_events("B", json.dumps("x" * 262_100)))
    account.runs[FAILED].why_not_redrivable = "it failed 15 days ago"
    assert cli.main(arguments) == 1
    assert "redrive-execution" in capsys.readouterr().err
    assert account.changes == []


@pytest.mark.parametrize("arguments", [["build", FAILED], ["--failedExecutionArn", FAILED]])
def test_a_binding_that_fails_is_said(account: Account, capsys: Capture, arguments: list[str]) -> None:
    def refuse(operation: str, body: dict[str, Any]) -> None:
        if operation == "UpdateStateMachine":
            raise EndpointConnectionError(endpoint_url="https://states")

    assert cli.main(["build", account.add_failure("orders", "earlier", failure_events("A"))]) == 0
    account.gate = refuse
    assert cli.main(arguments) == 1
    error = capsys.readouterr().err
    assert "was built, but the input" in error
    assert "may go to another one" in error


def test_true_goes_to_the_state_that_was_built_for_whatever_ran_before(account: Account, capsys: Capture) -> None:
    account.retag("orders", gotostate="prepare")
    old = account.add_failure("orders", "old", failure_events("B"))
    account.now += 100
    account.add_machine("orders", {**ORDERS, "Comment": "new"}, {"gotostate": "prepare"})
    account.now += 100
    new = account.add_failure("orders", "new", failure_events("A"))
    for arn, state in ((new, "A"), (old, "B"), (new, "A")):
        assert cli.main(["--failedExecutionArn", arn]) == 0
        assert f"Failed state       {state}" in capsys.readouterr().out
        document = account.machines[machine_arn("orders-with-GoToState")].document
        assert document["States"]["GoToState"]["Choices"][2]["Next"] == state
        assert ("Comment" in document) is (arn == new)


def test_every_command_and_option_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    options = (
        "--failedExecutionArn",
        "--history",
        "--definition",
        "--json",
        "--state",
        "--input",
        "--from-state",
        "--force",
        "--wait",
        "--whole",
        "--mermaid",
        "--svg",
        "--stack",
        "--reason",
        "--region",
        "--profile",
        "--skip",
        "--output",
        "--strategy",
        "--state-machine",
        "--since",
        "--canary",
        "--limit",
        "--dry-run",
        "--yes",
    )
    verbs = [f"gotostate {verb}" for verb in ("plan", "build", "resume", "show", "hold", "release", "status")]
    for word in (*verbs, *options):
        assert word in documented, word
