"""A whole recovery against an account in memory: what it decides, what it changes, and what it never does."""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from fake_account import Account, RefusalError, execution_arn, failure_events, machine_arn
from gotostate import machines, reading, recovery
from gotostate.errors import ArnError, TransientError
from gotostate.events import HistoryEvent
from gotostate.memory import Memory
from gotostate.nesting import STARTED_BY
from gotostate.outcome import Outcome, Result
from gotostate.report import Report
from gotostate.settings import Settings

ORDERS = {
    "StartAt": "A",
    "States": {"A": {"Type": "Task", "Next": "B"}, "B": {"Type": "Task", "End": True}, "F": {"Type": "Fail"}},
}
READING = {
    "StartAt": "B",
    "States": {"B": {"Type": "Task", "Parameters": {"x.$": "$$.Execution.Input.order"}, "End": True}},
}
GOTO = "orders-with-GoToState"


@dataclass
class Orders:
    """An account with the machine orders and one failed execution of it, and a function that is warm."""

    account: Account
    failed: str
    memory: Memory = field(init=False)

    def __post_init__(self) -> None:
        self.memory = self.account.memory()

    def recover(self, arn: str | None = None, report: Report | None = None, **settings: Any) -> Outcome:
        """Recover a failure that AWS reports as it is now."""
        report = report or Report.from_event(self.account.event(arn or self.failed))
        return recovery.recover(self.memory, report, Settings(**settings))


def orders(
    tags: Mapping[str, str] | None = None,
    document: Mapping[str, Any] = ORDERS,
    state: str = "B",
    given: str = "{}",
    **more: Any,
) -> Orders:
    account = Account()
    account.add_machine("orders", document, {"gotostate": "resume"} if tags is None else tags)
    failed = account.add_failure("orders", "order-17", failure_events(state, given, start=given, **more), given)
    return Orders(account, failed)


def input_of(account: Account, arn: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(account.runs[arn].input)
    return value


def event(number: int, kind: str, **details: Any) -> HistoryEvent:
    """An event in a chain where each follows the one before."""
    return {"id": number, "type": kind, "previousEventId": number - 1, **details}


def entered(number: int, kind: str, name: str, given: str = "{}") -> HistoryEvent:
    return event(number, f"{kind}StateEntered", stateEnteredEventDetails={"name": name, "input": given})


def exited(number: int, kind: str, name: str, output: str = "{}") -> HistoryEvent:
    return event(number, f"{kind}StateExited", stateExitedEventDetails={"name": name, "output": output})


STARTED = event(1, "ExecutionStarted", executionStartedEventDetails={"input": "{}"})


def test_a_failure_is_resumed() -> None:
    case = orders(given='{"n": 1.0}')
    outcome = case.recover(backoff_seconds=60)
    assert (outcome.outcome, outcome.state, outcome.attempt) == (Result.RESUMED, "B", 1)
    assert case.account.changes == [f"create {GOTO}", f"start {GOTO}:1"]
    assert outcome.resumed
    assert outcome.resumed.startswith(execution_arn(GOTO, "order-17-resume-1-"))
    assert '"input":{"n": 1.0}' in case.account.runs[outcome.resumed].input
    assert outcome.delay_seconds
    assert 30 <= outcome.delay_seconds <= 90
    assert input_of(case.account, outcome.resumed)["resuming"] == {
        "state": "B", "delaySeconds": outcome.delay_seconds, "execution": case.failed, "attempt": 1,
        "variables": {}, "input": {"n": 1},
    }  # fmt: skip


def test_the_machine_carries_what_its_source_has() -> None:
    case = orders({"gotostate": "resume", "team": "shop", "aws:cloudformation:stack-name": "x"})
    case.recover()
    built = case.account.machines[machine_arn(GOTO)]
    assert built.tags == {"gotostate": "resume", "team": "shop", "gotostate:source": machine_arn("orders")}
    assert built.revision.settings == {"roleArn": "role/a"}


def test_one_failure_has_one_resumed_however_often_it_is_delivered() -> None:
    """StartExecution succeeds for the name and input of an execution that runs, so its answer alone does not tell."""
    case = orders()
    assert [case.recover().outcome for _ in range(3)] == [
        Result.RESUMED, Result.ALREADY_RESUMED, Result.ALREADY_RESUMED,
    ]  # fmt: skip
    case.account.now += 60
    # Another container, which does not remember: AWS's startDate tells.
    case.memory = case.account.memory()
    again = case.recover()
    assert (again.outcome, again.rule) == (Result.ALREADY_RESUMED, "already-resumed")
    assert again.resumed
    assert again.resumed in again.reason
    case.account.end(again.resumed, "SUCCEEDED")
    case.memory = case.account.memory()
    assert case.recover().outcome is Result.ALREADY_RESUMED
    assert len([change for change in case.account.changes if change.startswith("start")]) == 1


def test_prepare_builds_and_starts_nothing() -> None:
    case = orders({"gotostate": "prepare"})
    outcome = case.recover()
    assert (outcome.outcome, outcome.rule) == (Result.PREPARED, "prepare")
    assert outcome.reason.startswith("not started, because its tag gotostate is prepare; would enter 'B'")
    assert case.account.changes == [f"create {GOTO}"]


@pytest.mark.parametrize("tags", [{}, {"gotostate": "off"}, {"gotostate": "yes"}])
def test_a_machine_that_did_not_opt_in_is_left_alone(tags: dict[str, str]) -> None:
    case = orders(tags)
    assert case.recover().outcome is Result.SKIPPED
    assert case.account.changes == []
    assert case.account.calls == {"ListTagsForResource": 1}


@pytest.mark.parametrize("tags", [{"gotostate": "off"}, {}])
def test_a_stray_source_tag_opts_no_machine_in(tags: dict[str, str]) -> None:
    """Tags are copied from machine to machine: a source tag counts only where it explains the machine's name."""
    case = orders()
    case.account.add_machine("payments", ORDERS, {**tags, "gotostate:source": machine_arn("orders")})
    failed = case.account.add_failure("payments", "p", failure_events("A"))
    assert case.recover(failed).outcome is Result.SKIPPED
    assert case.account.changes == []


def test_a_machines_own_off_always_wins() -> None:
    case = orders()
    resumed = case.recover().resumed
    assert resumed
    fail_again(case, resumed)
    case.account.retag(GOTO, gotostate="off")
    case.account.now += 61
    assert case.recover(resumed).outcome is Result.SKIPPED


@pytest.mark.parametrize("tag", ["=110000=", "=d800=", "=ffffffffffffffffffffff=", "x"])
def test_a_malformed_source_tag_is_no_source_tag(tag: str) -> None:
    case = orders({"gotostate": "resume", "gotostate:source": tag})
    assert case.recover().outcome is Result.RESUMED


def fail_again(case: Orders, arn: str, state: str = "B") -> None:
    text = case.account.runs[arn].input
    given = json.dumps(json.loads(text)["resuming"]["input"])
    case.account.end(arn, "FAILED", failure_events(state, given, start=text))


def test_a_chain_ends_at_max_attempts_in_one_machine() -> None:
    case = orders()
    arn, results = case.failed, []
    for _ in range(4):
        outcome = case.recover(arn, max_attempts=3)
        results.append((outcome.outcome, outcome.attempt))
        if outcome.resumed:
            arn = outcome.resumed
            assert input_of(case.account, arn)["resuming"]["execution"] == case.failed
            fail_again(case, arn)
    assert results == [
        (Result.RESUMED, 1), (Result.RESUMED, 2), (Result.RESUMED, 3), (Result.GAVE_UP, None),
    ]  # fmt: skip
    assert outcome.next == f"gotostate resume {arn}"
    assert sorted(case.account.machines) == [machine_arn("orders"), machine_arn(GOTO)]
    assert len(case.account.machines[machine_arn(GOTO)].versions) == 1


def test_the_sources_tag_decides_about_a_chain() -> None:
    case = orders()
    resumed = case.recover().resumed
    assert resumed
    fail_again(case, resumed)
    case.account.retag("orders", gotostate="off")
    case.account.now += 61
    assert case.recover(resumed).outcome is Result.SKIPPED
    # A source that was deleted since can say nothing any more: the copy of its tag does.
    del case.account.machines[machine_arn("orders")]
    case.account.now += 61
    assert case.recover(resumed).outcome is Result.RESUMED


def test_a_redrive_that_fails_again_is_a_new_failure() -> None:
    case = orders({})
    assert case.recover().outcome is Result.SKIPPED
    case.account.retag("orders", gotostate="resume")
    case.account.redrive(case.failed, failure_events("B")[-1])
    case.account.now += 61
    outcome = case.recover()
    assert (outcome.outcome, outcome.attempt) == (Result.RESUMED, 1)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("RUNNING", Result.PREPARED),
        ("SUCCEEDED", Result.PREPARED),
        ("ABORTED", Result.RESUMED),
    ],
)
def test_a_redrive_of_what_was_resumed_before_is_not_resumed_once_more(status: str, result: Result) -> None:
    """The resume has done, or does, the rest of the work."""
    case = orders()
    first = case.recover().resumed
    assert first
    case.account.end(first, status, failure_events("B", start=case.account.runs[first].input))
    if status == "ABORTED":
        aborted = event(4, "ExecutionAborted", executionAbortedEventDetails={})
        case.account.runs[first].events = [*case.account.runs[first].events[:-1], aborted]
    case.account.redrive(case.failed, failure_events("B")[-1])
    outcome = case.recover()
    assert outcome.outcome is result
    assert (first in outcome.reason) is (result is Result.PREPARED)
    if outcome.resumed:
        assert outcome.resumed != first


def test_a_redrive_of_what_gave_up_before_is_a_new_failure() -> None:
    case = orders()
    first = case.recover(max_attempts=1).resumed
    assert first
    fail_again(case, first)
    assert case.recover(first, max_attempts=1).outcome is Result.GAVE_UP
    case.account.redrive(case.failed, failure_events("B")[-1])
    # The redrive counts as an attempt.
    assert case.recover(max_attempts=1).outcome is Result.GAVE_UP
    case.account.end(first, "ABORTED", failure_events("B", start=case.account.runs[first].input))
    assert case.recover(max_attempts=2).outcome is Result.RESUMED


def test_an_execution_that_was_redriven_meanwhile_is_left_alone() -> None:
    case = orders()
    report = Report.from_event(case.account.event(case.failed))
    case.account.redrive(case.failed)
    outcome = case.recover(report=report)
    assert (outcome.outcome, "redriven" in outcome.reason) == (Result.SKIPPED, True)


def test_an_execution_that_was_redriven_and_stopped_is_left_alone() -> None:
    """The report is of a failure; by now somebody has stopped the execution, and automation resumes no stopped one."""
    case = orders()
    late = Report.from_event(case.account.event(case.failed))
    case.account.redrive(case.failed, event(5, "ExecutionAborted", executionAbortedEventDetails={}))
    case.account.end(case.failed, "ABORTED")
    for report in (late, Report(case.failed)):
        outcome = case.recover(report=report)
        assert (outcome.outcome, outcome.rule) == (Result.SKIPPED, "aborted")


THREE = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Task", "Next": "B"},
        "B": {"Type": "Task", "Next": "C"},
        "C": {"Type": "Task", "End": True},
    },
}
FAILED_IN_B = [
    STARTED,
    entered(2, "Task", "A"),
    exited(3, "Task", "A"),
    entered(4, "Task", "B", '"b"'),
    event(5, "ExecutionFailed", executionFailedEventDetails={"error": "x"}),
]
THEN_IN_C = [
    event(7, "TaskSucceeded"),
    exited(8, "Task", "B"),
    entered(9, "Task", "C", '"c"'),
    event(10, "ExecutionFailed", executionFailedEventDetails={"error": "y"}),
]


@pytest.mark.parametrize("seen", [len(FAILED_IN_B), len(FAILED_IN_B) + 1, len(FAILED_IN_B) + 4])
def test_a_history_that_is_behind_a_redrive_is_read_again(seen: int) -> None:
    """It still ends before the reported failure: what it shows last has finished since, and would run twice."""
    case = orders(document=THREE)
    failed = case.account.add_failure("orders", "o1", FAILED_IN_B)
    case.account.redrive(failed, *THEN_IN_C)
    report = Report.from_event(case.account.event(failed))
    whole = case.account.runs[failed].events
    case.account.runs[failed].events = whole[:seen]
    with pytest.raises(TransientError, match="does not show"):
        case.recover(report=report)
    assert case.account.changes == []
    case.account.runs[failed].events = whole
    outcome = case.recover(report=report)
    assert (outcome.outcome, outcome.state) == (Result.RESUMED, "C")


def test_a_late_report_of_the_first_failure_resumes_the_second_once() -> None:
    """The first event comes after a redrive has failed elsewhere: what is read counts, and it has its own name."""
    case = orders(document=THREE)
    failed = case.account.add_failure("orders", "o1", FAILED_IN_B)
    late = Report.from_event(case.account.event(failed))
    case.account.now += 100
    case.account.redrive(failed, *THEN_IN_C)
    first, second = case.recover(report=late), case.recover(failed)
    assert [(found.outcome, found.state) for found in (first, second)] == [
        (Result.RESUMED, "C"), (Result.ALREADY_RESUMED, "C"),
    ]  # fmt: skip
    assert first.resumed == second.resumed


def test_one_machine_serves_every_state_and_automation_binds_nothing() -> None:
    case = orders()
    case.recover()
    other = case.account.add_failure("orders", "order-18", failure_events("A"))
    assert case.recover(other).outcome is Result.RESUMED
    assert case.account.changes == [f"create {GOTO}", f"start {GOTO}:1", f"start {GOTO}:1"]


def test_each_failure_runs_on_its_own_revision() -> None:
    """Failures of an old and a new revision that come by turns: an update for each revision, not for each failure."""
    case = orders()
    case.recover()
    new = {**ORDERS, "Comment": "new"}
    failures = []
    for number in range(12):
        case.account.now += 100
        case.account.add_machine("orders", new if number % 2 else ORDERS, {"gotostate": "resume"})
        case.account.now += 100
        failures.append(case.account.add_failure("orders", f"by-turns-{number}", failure_events("AB"[number % 3 % 2])))
    for number, arn in enumerate(failures):
        outcome = case.recover(arn)
        assert outcome.resumed
        assert ("Comment" in case.account.runs[outcome.resumed].document) is bool(number % 2)
    assert case.account.changes.count(f"update {GOTO} and publish") == 1


def test_six_revisions_in_flight_publish_six_versions() -> None:
    case = orders()
    for turn in range(4):
        for number in range(6):
            case.account.now += 100
            case.account.add_machine("orders", {**ORDERS, "Comment": str(number)}, {"gotostate": "resume"})
            case.account.now += 100
            failed = case.account.add_failure("orders", f"o-{turn}-{number}", failure_events("B"))
            # A new container each time: nothing is remembered.
            case.memory = case.account.memory()
            assert case.recover(failed).outcome is Result.RESUMED
    assert len(case.account.machines[machine_arn(GOTO)].versions) == 6


def test_old_versions_that_nothing_runs_are_deleted_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "_MANY_VERSIONS", 8)
    case = orders()
    running = ""
    for number in range(12):
        case.account.now += 100
        case.account.add_machine("orders", {**ORDERS, "Comment": str(number)}, {"gotostate": "resume"})
        case.account.now += 100
        outcome = case.recover(case.account.add_failure("orders", f"o-{number}", failure_events("B")))
        assert outcome.resumed
        if number == 2:
            running = case.account.runs[outcome.resumed].version or ""
        else:
            case.account.end(outcome.resumed, "SUCCEEDED")
    left = [version.arn for version in case.account.machines[machine_arn(GOTO)].versions]
    assert len(left) < 8
    assert running in left
    assert f"{machine_arn(GOTO)}:12" in left


def test_a_version_that_was_deleted_since_is_published_again() -> None:
    case = orders()
    case.recover()
    case.account.machines[machine_arn(GOTO)].versions.clear()
    other = case.account.add_failure("orders", "order-18", failure_events("B"))
    assert case.recover(other).outcome is Result.RESUMED


def test_a_machine_that_was_deleted_since_is_built_again() -> None:
    case = orders()
    case.recover()
    del case.account.machines[machine_arn(GOTO)]
    other = case.account.add_failure("orders", "order-18", failure_events("B"))
    assert case.recover(other).outcome is Result.RESUMED


def test_a_changed_role_makes_a_new_version() -> None:
    case = orders()
    case.recover()
    case.account.now += 100
    case.account.add_machine("orders", ORDERS, {"gotostate": "resume"}, role="role/b")
    case.account.now += 100
    other = case.account.add_failure("orders", "order-18", failure_events("B"))
    case.recover(other)
    assert case.account.machines[machine_arn(GOTO)].revision.settings["roleArn"] == "role/b"


def test_somebody_elses_machine_is_never_touched() -> None:
    case = orders()
    case.account.add_machine(GOTO, ORDERS, {"gotostate:source": machine_arn("other")})
    outcome = case.recover()
    assert (outcome.outcome, "was not built from" in outcome.reason) == (Result.GAVE_UP, True)
    case.account.retag(GOTO, **{"gotostate:source": ""})
    assert case.account.changes == []


def test_two_resumers_at_once_build_one_machine() -> None:
    case = orders()
    other: list[Memory] = []

    def overtake(operation: str, body: dict[str, Any]) -> None:
        if operation == "CreateStateMachine" and not other:
            other.append(case.account.memory())
            recovery.recover(other[0], Report.from_event(case.account.event(case.failed)), Settings())

    case.account.gate = overtake
    # Within one second the two cannot be told apart, so both may say "resumed"; there is one execution.
    assert case.recover().outcome in (Result.RESUMED, Result.ALREADY_RESUMED)
    assert case.account.changes == [f"create {GOTO}", f"start {GOTO}:1"]


def test_a_create_that_lost_a_race_never_starts_another_definition() -> None:
    """Measured on AWS: CreateStateMachine with the current definition answers with the *first* version's ARN."""
    case = orders()
    new = {**ORDERS, "Comment": "new"}
    case.recover()
    case.account.now += 100
    case.account.add_machine("orders", new, {"gotostate": "resume"})
    case.account.now += 100
    others = [case.account.add_failure("orders", f"o-{number}", failure_events("B")) for number in range(2)]
    case.recover(others[0])
    case.memory = case.account.memory()
    built = case.account.machines.pop(machine_arn(GOTO))

    def come_back(operation: str, body: dict[str, Any]) -> None:
        # Somebody else creates it, old definition first, between our look and our call.
        if operation == "CreateStateMachine":
            case.account.machines[machine_arn(GOTO)] = built

    case.account.gate = come_back
    outcome = case.recover(others[1])
    assert outcome.resumed
    assert case.account.runs[outcome.resumed].document["Comment"] == "new"


def test_a_machine_that_changes_all_the_time_is_tried_again() -> None:
    case = orders()

    def overtake(operation: str, body: dict[str, Any]) -> None:
        if operation == "CreateStateMachine":
            raise RefusalError("StateMachineAlreadyExists")

    case.account.gate = overtake
    # Not settled: the message goes back to the queue.
    with pytest.raises(TransientError, match="changed by others"):
        case.recover()


@pytest.mark.parametrize("problem", ["deleted", "tags not visible"])
def test_a_race_about_the_machine_is_tried_again(problem: str) -> None:
    """Between two of our calls it is deleted, or its tags are not to be seen yet: that may pass."""
    case = orders()
    case.recover()
    case.memory = case.account.memory()
    # A version that is not described as ours: only the tags tell whose it is.
    case.account.machines[machine_arn(GOTO)].versions[0].description = ""
    other = case.account.add_failure("orders", "order-18", failure_events("B"))
    tags = dict(case.account.machines[machine_arn(GOTO)].tags)

    def vanish(operation: str, body: dict[str, Any]) -> None:
        if operation == "ListTagsForResource" and body["resourceArn"] == machine_arn(GOTO):
            if problem == "deleted":
                raise RefusalError("ResourceNotFound")
            case.account.machines[machine_arn(GOTO)].tags = {}

    case.account.gate = vanish
    with pytest.raises(TransientError):
        case.recover(other)
    case.account.gate = lambda operation, body: None
    case.account.machines[machine_arn(GOTO)].tags = tags
    assert case.recover(other).outcome is Result.RESUMED


def test_a_machine_that_is_deleted_again_and_again_is_tried_again() -> None:
    case = orders()
    case.account.gate = refusing("StateMachineDoesNotExist", "StartExecution")
    with pytest.raises(TransientError, match=f"{GOTO} was deleted meanwhile; try again"):
        case.recover()
    assert case.account.calls["StartExecution"] == 2
    case.account.gate = lambda operation, body: None
    assert case.recover().outcome is Result.RESUMED


def test_a_definition_that_aws_refuses_is_for_people() -> None:
    case = orders()
    case.account.gate = refusing("InvalidDefinition", "CreateStateMachine")
    outcome = case.recover()
    assert (outcome.outcome, outcome.rule) == (Result.GAVE_UP, "refused")
    assert outcome.next == f"gotostate plan {case.failed}"
    assert case.account.changes == []


def test_a_history_that_cannot_be_read_is_for_people() -> None:
    case = orders()
    events = case.account.runs[case.failed].events
    events[1] = {**events[1], "stateEnteredEventDetails": {"name": "B"}}
    outcome = case.recover()
    assert (outcome.outcome, outcome.rule) == (Result.GAVE_UP, "unreadable")
    assert "has no complete input" in outcome.reason
    assert case.account.changes == []


@pytest.mark.parametrize("is_on_record", [True, False])
def test_a_recovery_took_as_long_as_it_is_since_the_first_of_several_failures(is_on_record: bool) -> None:
    """The original was redriven, and failed again, before it was resumed."""
    case = orders()
    run = case.account.runs[case.failed]
    first_failed_at = run.stopped
    assert first_failed_at
    run.events = [{"timestamp": first_failed_at, **event} for event in run.events]
    case.account.now += 600
    case.account.redrive(case.failed, failure_events("B")[-1])
    resumed = case.recover().resumed
    assert resumed
    case.account.now += 60
    case.account.end(resumed, "SUCCEEDED")
    if not is_on_record:
        run.events = [event for event in run.events if event["type"] != "ExecutionRedriven"]
    outcome = case.recover(resumed)
    assert outcome.outcome is Result.RECOVERED
    if is_on_record:
        assert outcome.failed_at == pytest.approx(first_failed_at)
        assert outcome.seconds == pytest.approx(660, abs=5)
    else:
        assert (outcome.failed_at, outcome.seconds) == (None, None)


def test_a_read_that_does_not_show_the_failure_yet_is_tried_again() -> None:
    """AWS's reads are eventually consistent; a skip here would lose the event for good."""
    case = orders()
    report = Report.from_event(case.account.event(case.failed))
    partly = Report.from_event(case.account.event(case.failed, redriveCount=None))
    events = case.account.runs[case.failed].events
    case.account.end(case.failed, "RUNNING", events[:-1])
    with pytest.raises(TransientError, match="not show its end"):
        case.recover(report=report)
    with pytest.raises(TransientError, match="not show the failure"):
        case.recover(report=partly)
    case.account.end(case.failed, "FAILED", events)
    with pytest.raises(TransientError, match="not show"):
        case.recover(report=Report.from_event(case.account.event(case.failed, redriveCount=1)))
    assert case.recover(report=partly).outcome is Result.RESUMED


def test_a_description_that_is_behind_a_failed_redrive_is_read_again() -> None:
    """The event does not say which redrive failed; that it was after the redrive, its stopDate says."""
    case = orders()
    case.account.now += 10
    case.account.redrive(case.failed, failure_events("B")[-1])
    case.account.now += 10
    case.account.end(case.failed, "FAILED")
    event = case.account.event(case.failed, redriveCount=None)
    case.account.end(case.failed, "RUNNING")
    with pytest.raises(TransientError, match="not show the failure"):
        case.recover(report=Report.from_event(event))
    case.account.end(case.failed, "FAILED")
    case.account.runs[case.failed].redriven = case.account.now + 60
    case.account.end(case.failed, "RUNNING")
    assert case.recover(report=Report.from_event(event)).outcome is Result.SKIPPED


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "KmsAccessDeniedException", "ValidationException", "ExecutionDoesNotExist"]
)
def test_a_parent_that_may_not_or_cannot_be_read_is_for_people(code: str) -> None:
    case = orders(given=json.dumps({STARTED_BY: execution_arn("parent", "p")}))
    case.account.gate = refusing(code, "DescribeStateMachineForExecution", ":parent:")
    assert (case.recover().outcome, case.recover().rule) == (Result.PREPARED, "parent-unknown")


def refusing(code: str, operation: str, about: str = "") -> Callable[[str, dict[str, Any]], None]:
    """Refuse each call of an operation that is about something."""

    def refuse(asked: str, body: dict[str, Any]) -> None:
        if asked == operation and about in json.dumps(body):
            raise RefusalError(code)

    return refuse


def test_a_parent_that_is_throttled_is_asked_again() -> None:
    case = orders(given=json.dumps({STARTED_BY: execution_arn("parent", "p")}))
    case.account.gate = refusing("ThrottlingException", "DescribeStateMachineForExecution", ":parent:")
    case.memory.aws.pace.set_deadline(60)
    with pytest.raises(TransientError, match="throttles"):
        case.recover()


def test_a_nested_chain_knows_its_parent_still() -> None:
    parent = execution_arn("parent", "p")
    case = orders(document=READING, given=json.dumps({STARTED_BY: parent}))
    add_parent(case, "states:startExecution", {})
    resumed = case.recover().resumed
    assert resumed
    fail_again(case, resumed)
    assert case.recover(resumed).outcome is Result.RESUMED


def add_parent(case: Orders, resource: str, tags: dict[str, str]) -> str:
    """Add a failed execution of a machine that starts orders."""
    task = {
        "Type": "Task",
        "Resource": f"arn:aws:states:::{resource}",
        "Parameters": {"StateMachineArn": machine_arn("orders")},
        "End": True,
    }
    case.account.add_machine("parent", {"StartAt": "T", "States": {"T": task}}, tags)
    return case.account.add_failure("parent", "p", [])


def test_the_original_input_stays_readable_through_the_chain() -> None:
    case = orders(document=READING, given='{"order": 1.10}')
    arn = case.failed
    for _ in range(2):
        resumed = case.recover(arn).resumed
        assert resumed
        assert '"order":1.10' in case.account.runs[resumed].input
        fail_again(case, resumed)
        arn = resumed


def test_variables_that_were_not_assigned_are_null() -> None:
    assigning = {
        "StartAt": "A",
        "States": {"A": {"Type": "Task", "Assign": {"v": 1}, "Next": "B"}, "B": {"Type": "Task", "End": True}},
    }
    case = orders(document=assigning, state="A")
    resumed = case.recover().resumed
    assert resumed
    assert input_of(case.account, resumed)["resuming"]["variables"] == {"v": None}


def test_a_fail_state_is_prepared_not_started() -> None:
    case = orders(state="F", kind="Fail")
    outcome = case.recover()
    assert (outcome.outcome, outcome.state) == (Result.GAVE_UP, None)
    events = [
        STARTED,
        entered(2, "Task", "A"),
        exited(3, "Task", "A", "1"),
        entered(4, "Fail", "F", "1"),
        event(5, "ExecutionFailed", executionFailedEventDetails={}),
    ]
    outcome = case.recover(case.account.add_failure("orders", "order-18", events))
    assert (outcome.outcome, outcome.state) == (Result.PREPARED, "A")


def container(kind: str, states: dict[str, Any]) -> dict[str, Any]:
    inside = {"StartAt": next(iter(states)), "States": states}
    held = {"Branches": [inside]} if kind == "Parallel" else {"ItemProcessor": inside}
    return {"StartAt": "P", "States": {"P": {"Type": kind, **held, "End": True}}}


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
def test_a_fail_state_inside_a_container_is_prepared_not_started(kind: str) -> None:
    case = orders(document=container(kind, {"Work": {"Type": "Task", "Next": "Stop"}, "Stop": {"Type": "Fail"}}))
    events = [
        STARTED,
        entered(2, kind, "P"),
        event(3, f"{kind}StateStarted"),
        entered(4, "Task", "Work"),
        exited(5, "Task", "Work"),
        entered(6, "Fail", "Stop"),
        event(7, f"{kind}StateFailed"),
        event(8, "ExecutionFailed", executionFailedEventDetails={"error": "Stop"}),
    ]
    outcome = case.recover(case.account.add_failure("orders", "o1", events))
    assert (outcome.outcome, outcome.rule, outcome.state) == (Result.PREPARED, "fail-state", "P")
    assert not [change for change in case.account.changes if change.startswith("start")]


def test_work_that_succeeded_is_not_done_again() -> None:
    """Its Output failed, as it would fail again: each resume would charge the card once more."""
    charge = {"Type": "Task", "Output": "{% $states.result.misspelt.x %}", "End": True}
    case = orders(document={"QueryLanguage": "JSONata", "StartAt": "Charge", "States": {"Charge": charge}})
    error = "States.QueryEvaluationError"
    events = [
        STARTED,
        entered(2, "Task", "Charge"),
        event(3, "TaskScheduled"),
        event(4, "TaskSucceeded", taskSucceededEventDetails={"output": '{"charged":true}'}),
        event(5, "EvaluationFailed", evaluationFailedEventDetails={"error": error, "state": "Charge"}),
        event(6, "ExecutionFailed", executionFailedEventDetails={"error": error}),
    ]
    outcome = case.recover(case.account.add_failure("orders", "o1", events))
    assert (outcome.outcome, outcome.rule) == (Result.PREPARED, "work-succeeded")


def test_a_last_state_that_had_finished_leaves_nothing_to_run() -> None:
    case = orders()
    for number, status in enumerate(("FAILED", "TIMED_OUT")):
        ending = {"FAILED": "ExecutionFailed", "TIMED_OUT": "ExecutionTimedOut"}[status]
        events = [STARTED, entered(2, "Task", "B"), exited(3, "Task", "B", '{"paid":true}'), event(4, ending)]
        outcome = case.recover(case.account.add_failure("orders", f"o-{number}", events, status=status))
        assert (outcome.outcome, outcome.rule, outcome.state) == (Result.PREPARED, "finished", None)
        assert "output is on record" in outcome.reason
    assert case.account.changes == []


@pytest.mark.parametrize(
    ("resource", "tags", "result", "rule"),
    [
        ("states:startExecution.sync:2", {"gotostate": "resume"}, Result.SKIPPED, "left-to-parent"),
        ("states:startExecution.sync:2", {"gotostate": "prepare"}, Result.SKIPPED, "left-to-parent"),
        ("states:startExecution.sync:2", {"gotostate": "off"}, Result.PREPARED, "parent-not-opted-in"),
        ("states:startExecution.sync", {}, Result.PREPARED, "parent-not-opted-in"),
        ("states:startExecution", {}, Result.RESUMED, "resume"),
        ("states:startExecution.waitForTaskToken", {}, Result.RESUMED, "resume"),
    ],
)
def test_a_nested_execution(resource: str, tags: dict[str, str], result: Result, rule: str) -> None:
    case = orders()
    parent = add_parent(case, resource, tags)
    child = case.account.add_failure("orders", "child", failure_events("B"), json.dumps({STARTED_BY: parent}))
    outcome = case.recover(child)
    assert (outcome.outcome, outcome.rule) == (result, rule)
    assert (parent in outcome.reason) is (result is not Result.RESUMED)
    if result is not Result.RESUMED:
        assert outcome.next == f"gotostate plan {parent}"


def test_a_child_of_an_express_execution_is_resumed() -> None:
    """Express executions can neither wait for a child nor for a callback."""
    parent = "arn:aws:states:eu-west-1:123456789012:express:front:0f:1a"
    given = json.dumps({STARTED_BY: parent})
    case = orders(given=given)
    assert case.recover().outcome is Result.RESUMED


def test_a_nested_execution_whose_parent_has_it_both_ways() -> None:
    case = orders()
    tasks = {
        name: {"Type": "Task", "Resource": f"arn:aws:states:::states:{resource}"}
        for name, resource in (("S", "startExecution.sync"), ("T", "startExecution"))
    }
    case.account.add_machine("parent", {"StartAt": "S", "States": tasks}, {"gotostate": "resume"})
    details = {
        "resource": "startExecution.sync",
        "resourceType": "states",
        "output": json.dumps({"ExecutionArn": execution_arn("orders", "child")}),
    }
    parent = case.account.add_failure(
        "parent", "p", [{"type": "TaskSubmitted", "id": 1, "taskSubmittedEventDetails": details}]
    )
    given = json.dumps({STARTED_BY: parent})
    child = case.account.add_failure("orders", "child", failure_events("B"), given)
    other = case.account.add_failure("orders", "other", failure_events("B"), given)
    assert case.recover(child).outcome is Result.SKIPPED
    assert case.recover(other).outcome is Result.PREPARED


def test_a_nested_execution_whose_parent_is_gone_is_for_people() -> None:
    case = orders(given=json.dumps({STARTED_BY: execution_arn("gone", "p")}))
    assert case.recover().outcome is Result.PREPARED


def test_a_child_of_a_map_run_is_left_alone() -> None:
    case = orders()
    assert case.recover(report=Report(execution_arn("orders/label", "x"))).outcome is Result.SKIPPED


def test_what_has_just_failed_and_is_not_shown_yet_is_tried_again() -> None:
    case = orders()
    event = case.account.event(case.failed)
    run = case.account.runs.pop(case.failed)
    with pytest.raises(TransientError, match="just failed"):
        case.recover(report=Report.from_event(event))
    case.account.runs[case.failed] = run
    assert case.recover(report=Report.from_event(event)).outcome is Result.RESUMED


def test_an_original_that_was_redriven_after_its_resume_began_is_not_resumed_by_two() -> None:
    case = orders()
    first = case.recover().resumed
    assert first
    case.account.now += 60
    case.account.redrive(case.failed)
    fail_again(case, first)
    outcome = case.recover(first)
    assert (outcome.outcome, outcome.rule) == (Result.PREPARED, "original-redriven")


def test_to_remove_the_only_tag_is_to_opt_out() -> None:
    case = orders()
    resumed = case.recover().resumed
    assert resumed
    fail_again(case, resumed)
    case.account.machines[machine_arn("orders")].tags.clear()
    case.account.now += 61
    assert case.recover(resumed).outcome is Result.SKIPPED


def test_a_machine_that_somebody_adopted_is_not_overwritten() -> None:
    case = orders({"gotostate": "prepare"})
    case.recover()
    theirs = {**ORDERS, "Comment": "theirs"}
    case.account.add_machine(GOTO, theirs, {"owner": "them"})
    case.memory = case.account.memory()
    other = case.account.add_failure("orders", "order-18", failure_events("B"))
    assert case.recover(other).outcome is Result.GAVE_UP
    assert case.account.machines[machine_arn(GOTO)].document["Comment"] == "theirs"


def test_a_machine_that_was_built_anew_is_looked_at_again() -> None:
    """The version that served is another one's now, under the same number."""
    case = orders()
    case.recover()
    other = case.account.add_failure("orders", "order-18", failure_events("B"))
    del case.account.machines[machine_arn(GOTO)]
    case.account.add_machine("orders", {**ORDERS, "Comment": "new"}, {"gotostate": "resume"})
    case.account.now += 100
    newer = case.account.add_failure("orders", "order-19", failure_events("B"))
    recovery.recover(case.account.memory(), Report.from_event(case.account.event(newer)), Settings())
    case.account.now += 601
    outcome = case.recover(other)
    assert outcome.resumed
    assert "Comment" not in case.account.runs[outcome.resumed].document


def test_a_resume_whose_version_was_deleted_is_resumed_on_another() -> None:
    case = orders()
    first = case.recover().resumed
    assert first
    fail_again(case, first)
    event = case.account.event(first)
    case.recover(case.account.add_failure("orders", "order-18", failure_events("B")))
    case.account.machines[machine_arn(GOTO)].versions.clear()
    assert case.recover(report=Report.from_event(event)).outcome is Result.RESUMED


def test_a_search_through_many_versions_goes_on_where_it_ended() -> None:
    case = orders()
    case.recover()
    for number in range(30):
        case.account.now += 100
        case.account.add_machine(
            GOTO, {**ORDERS, "Comment": str(number)}, case.account.machines[machine_arn(GOTO)].tags
        )
        case.account.answer("UpdateStateMachine", {"stateMachineArn": machine_arn(GOTO), "publish": True})
    case.account.add_machine("orders", {**ORDERS, "Comment": "new"}, {"gotostate": "resume"})
    case.account.now += 100
    failed = case.account.add_failure("orders", "new", failure_events("B"))
    looks: list[str] = []

    def interrupt(operation: str, body: dict[str, Any]) -> None:
        if operation == "DescribeStateMachine":
            looks.append(body["stateMachineArn"])
            if len(looks) % 12 == 0:
                raise RefusalError("AccessDeniedException")

    case.account.gate = interrupt
    for _ in range(10):
        with contextlib.suppress(ClientError):
            assert case.recover(failed).outcome is Result.RESUMED
            break
    assert len(looks) < 60


def test_an_execution_or_machine_that_is_gone_is_left_alone() -> None:
    case = orders()
    assert case.recover(report=Report(execution_arn("orders", "none"))).outcome is Result.SKIPPED
    assert case.recover(report=Report(execution_arn("none", "none"))).outcome is Result.SKIPPED


def test_an_arn_of_another_kind_is_an_error() -> None:
    with pytest.raises(ArnError):
        orders().recover(report=Report("arn:aws:lambda:eu-west-1:123456789012:function:orders"))


def test_a_resumed_execution_that_never_got_to_its_state_goes_there_again() -> None:
    case = orders(given='{"n": 1.0}')
    resumed = case.recover().resumed
    assert resumed
    start: Any = failure_events("x", start=case.account.runs[resumed].input)[0]
    timed_out = {"type": "ExecutionTimedOut", "id": 2, "previousEventId": 0, "executionTimedOutEventDetails": {}}
    case.account.end(resumed, "TIMED_OUT", [start, timed_out])
    outcome = case.recover(resumed)
    assert (outcome.outcome, outcome.state, outcome.attempt) == (Result.RESUMED, "B", 2)
    assert outcome.resumed
    assert '"input":{"n": 1.0}' in case.account.runs[outcome.resumed].input


def test_an_input_of_very_many_digits_is_handed_on() -> None:
    """Python refuses to convert integers of more than 4,300 digits; they are JSON all the same."""
    given = '{"n":' + "1" * 5_000 + "}"
    case = orders(given=given)
    resumed = case.recover().resumed
    assert resumed
    assert f'"input":{given}' in case.account.runs[resumed].input


def test_the_newest_of_a_chain_is_found() -> None:
    case = orders()
    failure = reading.read(case.memory, Report(case.failed), Settings())
    assert reading.newest_of_chain(case.memory, failure) is None
    first = case.recover().resumed
    assert first
    fail_again(case, first)
    second = case.recover(first).resumed
    newest = reading.newest_of_chain(case.memory, failure)
    assert newest
    assert newest.arn == second


def test_a_binding_that_fails_is_said_and_harms_nothing() -> None:
    case = orders({"gotostate": "prepare"})
    case.recover()
    case.account.gate = refusing("ThrottlingException", "UpdateStateMachine")
    case.memory.aws.pace.set_deadline(30)
    outcome = case.recover(case.account.add_failure("orders", "order-18", failure_events("A")))
    assert outcome.outcome is Result.PREPARED
    assert "could not be bound" in outcome.reason


def test_true_goes_to_the_failure_that_was_prepared_last_whatever_its_revision() -> None:
    case = orders({"gotostate": "prepare"})
    old = [case.account.add_failure("orders", f"old-{number}", failure_events("B")) for number in range(2)]
    case.recover(old[0])
    case.account.now += 100
    case.account.add_machine("orders", {**ORDERS, "Comment": "new"}, {"gotostate": "prepare"})
    case.account.now += 100
    case.recover(case.account.add_failure("orders", "new-1", failure_events("A")))
    assert bound(case.account) == ("A", "new")
    case.recover(old[1])
    assert bound(case.account) == ("B", None)


def bound(account: Account) -> tuple[str, str | None]:
    """Tell where `true` goes, and in which revision."""
    document = account.machines[machine_arn(GOTO)].document
    return document["States"]["GoToState"]["Choices"][2]["Next"], document.get("Comment")


def test_calls_of_a_recovery() -> None:
    """Six for a new container, two for a warm one; one for a machine that did not opt in, and none within a minute."""
    case = orders()
    counted = []
    for number in range(4):
        failed = case.account.add_failure("orders", f"o-{number}", failure_events("AB"[number % 2]))
        case.account.now += 7
        if number == 1:
            case.memory = case.account.memory()
        case.account.calls.clear()
        case.recover(failed)
        counted.append(dict(case.account.calls))
    first, cold, looking, warm = counted
    assert sum(first.values()) == 6
    assert sum(cold.values()) == 5
    # An execution that started later: one more look at the machine settles all that have started since.
    assert looking == {"DescribeStateMachine": 1, "GetExecutionHistory": 1, "StartExecution": 1}
    assert sum(warm.values()) <= 3
    same_time = [case.account.add_failure("orders", f"s-{number}", failure_events("B")) for number in range(3)]
    case.account.now += 7
    case.recover(same_time[0])
    for failed in same_time[1:]:
        case.account.calls.clear()
        case.recover(failed)
        assert case.account.calls == {"GetExecutionHistory": 1, "StartExecution": 1}
    case.account.add_machine("others", ORDERS, {})
    case.account.calls.clear()
    for number in range(3):
        case.recover(case.account.add_failure("others", f"x-{number}", failure_events("B")))
    assert case.account.calls == {"ListTagsForResource": 1}
