"""A whole recovery against an account in memory: what it decides, what it changes, and what it never does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from fake_account import Account, execution_arn, failure_events, machine_arn
from gotostate import recovery
from gotostate.errors import ArnError, DefinitionError, TransientError
from gotostate.nesting import STARTED_BY
from gotostate.policy import Settings
from gotostate.recovery import Outcome, Result
from gotostate.resumption import ExecutionArn
from gotostate.stepfunctions import Machine

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
    """An account with the machine orders and one failed execution of it."""

    account: Account
    failed: str

    def recover(self, arn: str | None = None, **settings: Any) -> Outcome:
        return recovery.recover(self.account, arn or self.failed, Settings(**settings))


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
    value: dict[str, Any] = json.loads(account.execution(arn).input)
    return value


def test_a_failure_is_resumed() -> None:
    case = orders(given='{"n": 1.0}')
    outcome = case.recover()
    assert (outcome.result, outcome.state, outcome.attempt) == (Result.RESUMED, "B", 1)
    assert case.account.changes == [f"create {GOTO}", f"start {GOTO}:1"]
    assert outcome.resumed
    assert outcome.resumed.startswith(execution_arn(GOTO, "order-17-resume-1-"))
    assert '"input":{"n": 1.0}' in case.account.execution(outcome.resumed).input
    assert input_of(case.account, outcome.resumed)["resuming"] == {
        "state": "B", "delaySeconds": 0, "execution": case.failed, "attempt": 1, "variables": {}, "input": {"n": 1},
    }  # fmt: skip


def test_the_machine_carries_what_its_source_has() -> None:
    case = orders({"gotostate": "resume", "team": "shop", "aws:cloudformation:stack-name": "x"})
    case.recover()
    assert case.account.machine_tags[machine_arn(GOTO)] == {
        "gotostate": "resume", "team": "shop", "gotostate:source": machine_arn("orders"),
    }  # fmt: skip
    assert case.account.machines[machine_arn(GOTO)].configuration == {"roleArn": "role/a"}


def test_the_same_failure_is_resumed_once() -> None:
    case = orders()
    assert [case.recover().result for _ in range(3)] == [Result.RESUMED, Result.ALREADY_RESUMED, Result.ALREADY_RESUMED]
    assert len([change for change in case.account.changes if change.startswith("start")]) == 1


def test_prepare_builds_and_starts_nothing() -> None:
    case = orders({"gotostate": "prepare"})
    assert case.recover().result is Result.PREPARED
    assert case.account.changes == [f"create {GOTO}"]


@pytest.mark.parametrize("tags", [{}, {"gotostate": "off"}, {"gotostate": "yes"}])
def test_a_machine_that_did_not_opt_in_is_left_alone(tags: dict[str, str]) -> None:
    case = orders(tags)
    assert case.recover().result is Result.SKIPPED
    assert case.account.changes == []


def fail_again(case: Orders, arn: str, state: str = "B") -> None:
    text = case.account.execution(arn).input
    given = json.dumps(json.loads(text)["resuming"]["input"])
    case.account.end(arn, "FAILED", failure_events(state, given, start=text))


def test_a_chain_ends_at_max_attempts_in_one_machine() -> None:
    case = orders()
    arn, results = case.failed, []
    for _ in range(4):
        outcome = case.recover(arn)
        results.append((outcome.result, outcome.attempt))
        if outcome.resumed:
            arn = outcome.resumed
            assert input_of(case.account, arn)["resuming"]["execution"] == case.failed
            fail_again(case, arn)
    assert results == [
        (Result.RESUMED, 1), (Result.RESUMED, 2), (Result.RESUMED, 3), (Result.GAVE_UP, None),
    ]  # fmt: skip
    assert sorted(case.account.machines) == [machine_arn("orders"), machine_arn(GOTO)]
    assert len(case.account.versions[machine_arn(GOTO)]) == 1


def test_the_sources_tag_decides_about_a_chain() -> None:
    case = orders()
    resumed = case.recover().resumed
    assert resumed
    fail_again(case, resumed)
    case.account.machine_tags[machine_arn("orders")]["gotostate"] = "off"
    assert case.recover(resumed).result is Result.SKIPPED
    # A source that was deleted since can say nothing any more: the copy of its tag does.
    del case.account.machine_tags[machine_arn("orders")]
    assert case.recover(resumed).result is Result.RESUMED


def test_a_native_redrive_that_fails_again_is_a_new_failure() -> None:
    case = orders()
    first = case.recover()
    case.account.redrive(case.failed)
    second = case.recover()
    assert second.result is Result.RESUMED
    assert (second.attempt, second.resumed != first.resumed) == (1, True)


def test_an_execution_that_was_redriven_meanwhile_is_left_alone() -> None:
    case = orders()
    case.account.redrive(case.failed)
    case.account.end(case.failed, "RUNNING")
    outcome = case.recover()
    assert (outcome.result, "RUNNING" in outcome.reason) == (Result.SKIPPED, True)


def test_one_machine_serves_every_state_and_true_follows_the_newest_failure() -> None:
    case = orders()
    case.recover()
    other = case.account.add_failure("orders", "order-18", failure_events("A"))
    assert case.recover(other).result is Result.RESUMED
    assert case.account.changes == [f"create {GOTO}", f"start {GOTO}:1", f"start {GOTO}:1", f"bind {GOTO}"]
    assert case.account.machines[machine_arn(GOTO)].definition.route == ("A", "A")


def test_each_failure_runs_on_its_own_revision() -> None:
    """Failures of an old and a new revision that come by turns: an update for each revision, not for each failure."""
    case = orders()
    new = {**ORDERS, "Comment": "new"}
    case.recover()
    case.account.add_machine("orders", new, {"gotostate": "resume"})
    of_new = [case.account.add_failure("orders", f"new-{number}", failure_events("B")) for number in (1, 2)]
    old = case.account.add_machine("orders", ORDERS, {"gotostate": "resume"})
    of_old = case.account.add_failure("orders", "old", failure_events("B"))
    case.account.add_machine("orders", new, {"gotostate": "resume"})
    assert old == machine_arn("orders")
    for arn, version in ((of_new[0], 2), (of_old, 1), (of_new[1], 2)):
        outcome = case.recover(arn)
        assert case.account.changes[-1] == f"start {GOTO}:{version}"
        assert outcome.resumed
        ran = case.account.machine_of(outcome.resumed).definition.document
        assert ("Comment" in ran) is (version == 2)
    assert case.account.changes.count(f"update {GOTO} and publish") == 1


def test_a_changed_role_makes_a_new_version() -> None:
    case = orders()
    case.recover()
    case.account.add_machine("orders", ORDERS, {"gotostate": "resume"}, role="role/b")
    other = case.account.add_failure("orders", "order-18", failure_events("B"))
    case.recover(other)
    assert case.account.machines[machine_arn(GOTO)].configuration == {"roleArn": "role/b"}


def test_somebody_elses_machine_is_never_touched() -> None:
    case = orders()
    case.account.add_machine(GOTO, ORDERS, {"gotostate:source": machine_arn("other")})
    outcome = case.recover()
    assert (outcome.result, "was not built from" in outcome.reason) == (Result.GAVE_UP, True)
    assert case.account.changes == []


def test_two_resumers_at_once_build_one_machine() -> None:
    case = orders()

    class Overtaken(Account):
        def create(self, name: str, machine: Machine, tags: Mapping[str, str]) -> str | None:
            super().create(name, machine, tags)
            return None

    case.account.__class__ = Overtaken
    assert case.recover().result is Result.RESUMED
    assert case.account.changes == [f"create {GOTO}", f"start {GOTO}:1"]


def test_a_machine_that_changes_all_the_time_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    case = orders()

    class Overtaken(Account):
        def create(self, name: str, machine: Machine, tags: Mapping[str, str]) -> str | None:
            return None

    case.account.__class__ = Overtaken
    monkeypatch.setattr(recovery, "_PAUSE_SECONDS", 0)
    # Not settled: Lambda tries again and then keeps the event.
    with pytest.raises(TransientError, match="changed by others"):
        case.recover()


def test_a_read_that_does_not_show_the_failure_yet_is_tried_again() -> None:
    """AWS's reads are eventually consistent; a skip here would lose the event for good."""
    case = orders()
    events = case.account.runs[case.failed].events
    case.account.end(case.failed, "RUNNING")
    with pytest.raises(TransientError, match="not show the failure"):
        case.recover()
    case.account.end(case.failed, "FAILED", events[::-1][:-1])
    with pytest.raises(TransientError, match="not show its end"):
        case.recover()
    case.account.end(case.failed, "FAILED", events[::-1])
    with pytest.raises(TransientError, match="not show the failure"):
        recovery.recover(case.account, case.failed, Settings(), reported_redrives=1)
    assert case.recover().result is Result.RESUMED


@pytest.mark.parametrize("problem", ["denied", "definition"])
def test_a_parent_that_may_not_or_cannot_be_read_is_for_people(problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = orders(given=json.dumps({STARTED_BY: execution_arn("parent", "p")}))
    machine_of = case.account.machine_of
    answer = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
    error = ClientError(answer, "x") if problem == "denied" else DefinitionError("bad")  # type: ignore[arg-type]

    def refuse(arn: str) -> Machine:
        if ":parent:" in arn:
            raise error
        return machine_of(arn)

    monkeypatch.setattr(case.account, "machine_of", refuse)
    assert case.recover().result is Result.PREPARED


def test_a_nested_chain_knows_its_parent_still() -> None:
    parent = execution_arn("parent", "p")
    case = orders(document=READING, given=json.dumps({STARTED_BY: parent}))
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution",
        "Parameters": {"StateMachineArn": machine_arn("orders")},
        "End": True,
    }
    case.account.add_machine("parent", {"StartAt": "T", "States": {"T": task}}, {})
    case.account.add_failure("parent", "p", [])
    resumed = case.recover().resumed
    assert resumed
    fail_again(case, resumed)
    assert case.recover(resumed).result is Result.RESUMED


def test_an_input_too_large_leaves_nothing_half_prepared() -> None:
    case = orders(given=json.dumps("x" * 262_100))
    outcome = case.recover()
    assert (outcome.result, "redrive-execution" in outcome.reason) == (Result.GAVE_UP, True)
    assert case.account.changes == []


def test_the_original_input_stays_readable_through_the_chain() -> None:
    case = orders(document=READING, given='{"order": 1.10}')
    arn = case.failed
    for _ in range(2):
        resumed = case.recover(arn).resumed
        assert resumed
        assert '"order":1.10' in case.account.execution(resumed).input
        fail_again(case, resumed)
        arn = resumed


def test_an_original_input_that_cannot_stay_readable_is_for_people() -> None:
    reading = {
        "StartAt": "B",
        "States": {"B": {"Type": "Task", "Parameters": {"x.$": "$$.Execution.Input[0]"}, "End": True}},
    }
    assert orders(document=reading, given="[1]").recover().result is Result.PREPARED
    assert orders(given="[1]").recover().result is Result.RESUMED


def test_variables_that_were_not_assigned_are_null() -> None:
    assigning = {
        "StartAt": "A",
        "States": {"A": {"Type": "Task", "Assign": {"v": 1}, "Next": "B"}, "B": {"Type": "Task", "End": True}},
    }
    resumed = orders(document=assigning, state="A").recover()
    assert resumed.resumed
    case = orders(document=assigning, state="A")
    case.recover()
    assert input_of(case.account, resumed.resumed)["resuming"]["variables"] == {"v": None}


def test_a_fail_state_is_prepared_not_started() -> None:
    case = orders(state="F", kind="Fail")
    outcome = case.recover()
    assert (outcome.result, outcome.state) == (Result.GAVE_UP, None)
    events = [
        *failure_events("A")[:2],
        {
            "type": "TaskStateExited",
            "id": 3,
            "previousEventId": 2,
            "stateExitedEventDetails": {"name": "A", "output": "1"},
        },
        {
            "type": "FailStateEntered",
            "id": 4,
            "previousEventId": 3,
            "stateEnteredEventDetails": {"name": "F", "input": "1"},
        },
        {"type": "ExecutionFailed", "id": 5, "previousEventId": 4, "executionFailedEventDetails": {}},
    ]
    other = case.account.add_failure("orders", "order-18", events)
    outcome = case.recover(other)
    assert (outcome.result, outcome.state) == (Result.PREPARED, "A")


@pytest.mark.parametrize(
    ("resource", "result"),
    [
        ("states:startExecution.sync:2", Result.SKIPPED),
        ("states:startExecution", Result.RESUMED),
        ("states:startExecution.waitForTaskToken", Result.RESUMED),
    ],
)
def test_a_nested_execution(resource: str, result: Result) -> None:
    case = orders()
    task = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "End": True}
    case.account.add_machine("parent", {"StartAt": "T", "States": {"T": task}}, {})
    parent = case.account.add_failure("parent", "p", [])
    given = json.dumps({STARTED_BY: parent})
    child = case.account.add_failure("orders", "child", failure_events("B"), given)
    outcome = case.recover(child)
    assert outcome.result is result
    assert (parent in outcome.reason) is (result is Result.SKIPPED)


def test_a_nested_execution_whose_parent_has_it_both_ways() -> None:
    case = orders()
    tasks = {
        name: {"Type": "Task", "Resource": f"arn:aws:states:::states:{resource}"}
        for name, resource in (("S", "startExecution.sync"), ("T", "startExecution"))
    }
    case.account.add_machine("parent", {"StartAt": "S", "States": tasks}, {})
    details = {
        "resource": "startExecution.sync",
        "output": json.dumps({"ExecutionArn": execution_arn("orders", "child")}),
    }
    parent = case.account.add_failure(
        "parent", "p", [{"type": "TaskSubmitted", "id": 1, "taskSubmittedEventDetails": details}]
    )
    given = json.dumps({STARTED_BY: parent})
    child = case.account.add_failure("orders", "child", failure_events("B"), given)
    other = case.account.add_failure("orders", "other", failure_events("B"), given)
    assert case.recover(child).result is Result.SKIPPED
    assert case.recover(other).result is Result.PREPARED


def test_a_nested_execution_whose_parent_is_gone_is_for_people() -> None:
    case = orders(given=json.dumps({STARTED_BY: execution_arn("gone", "p")}))
    assert case.recover().result is Result.PREPARED


def test_a_child_of_a_map_run_is_left_alone() -> None:
    case = orders()
    assert case.recover(execution_arn("orders/label", "x")).result is Result.SKIPPED


def test_an_execution_or_machine_that_is_gone_is_left_alone() -> None:
    case = orders()
    assert case.recover(execution_arn("orders", "none")).result is Result.SKIPPED
    assert case.recover(execution_arn("none", "none")).result is Result.SKIPPED


def test_an_arn_of_another_kind_is_an_error() -> None:
    with pytest.raises(ArnError):
        orders().recover("arn:aws:lambda:eu-west-1:123456789012:function:orders")


def test_a_resumed_execution_that_never_got_to_its_state_goes_there_again() -> None:
    case = orders(given='{"n": 1.0}')
    resumed = case.recover().resumed
    assert resumed
    start: dict[str, Any] = failure_events("x", start=case.account.execution(resumed).input)[0]  # type: ignore[assignment]
    aborted = {"type": "ExecutionTimedOut", "id": 2, "previousEventId": 0, "executionTimedOutEventDetails": {}}
    case.account.end(resumed, "TIMED_OUT", [start, aborted])
    outcome = case.recover(resumed)
    assert (outcome.result, outcome.state, outcome.attempt) == (Result.RESUMED, "B", 2)
    assert outcome.resumed
    assert '"input":{"n": 1.0}' in case.account.execution(outcome.resumed).input


def test_the_newest_of_a_chain_is_found() -> None:
    case = orders()
    failure = recovery.read(case.account, ExecutionArn.parse(case.failed))
    assert recovery.newest_of_chain(case.account, failure).arn == case.failed
    first = case.recover().resumed
    assert first
    fail_again(case, first)
    second = case.recover(first).resumed
    assert recovery.newest_of_chain(case.account, failure).arn == second
