"""What is done about a failure, decided from facts alone."""

import json
from typing import Any

import pytest
from gotostate import nesting, policy
from gotostate.definition import Definition
from gotostate.history import FailurePoint, Why
from gotostate.nesting import Parent, Pattern
from gotostate.policy import Action, Decision, Mode, Settings
from gotostate.resumption import Chain, ExecutionArn

ARN = "arn:aws:states:eu-west-1:123456789012:execution:orders:order-17"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"
RESUME = Decision(Action.RESUME, "its tag gotostate is resume")


def point(why: Why = Why.ENDED_IN, state: str | None = "B") -> FailurePoint:
    return FailurePoint("FAILED", "Boom", None, "B", state, "{}" if state else None, {}, why)


@pytest.mark.parametrize(
    ("tags", "default", "action", "says"),
    [
        ({}, Mode.OFF, Action.SKIP, "has not opted in"),
        ({}, Mode.PREPARE, Action.PREPARE, "DefaultMode is prepare"),
        ({}, Mode.RESUME, Action.RESUME, "DefaultMode is resume"),
        ({"gotostate": "off"}, Mode.RESUME, Action.SKIP, "is off"),
        ({"gotostate": "resume"}, Mode.OFF, Action.RESUME, "tag gotostate is resume"),
        ({"gotostate": "prepare"}, Mode.RESUME, Action.PREPARE, "tag gotostate is prepare"),
        ({"gotostate": "Resume"}, Mode.RESUME, Action.SKIP, "'Resume'; set it to resume, prepare or off"),
        ({"gotostate": ""}, Mode.RESUME, Action.SKIP, "set it to"),
    ],
)
def test_opt_in(tags: dict[str, str], default: Mode, action: Action, says: str) -> None:
    decision = policy.opt_in(tags, Settings(default_mode=default))
    assert decision.action is action
    assert says in decision.reason


@pytest.mark.parametrize(
    ("attempt", "most", "action"),
    [(1, 3, Action.RESUME), (3, 3, Action.RESUME), (4, 3, Action.GIVE_UP), (1, 0, Action.GIVE_UP)],
)
def test_attempts_are_capped(attempt: int, most: int, action: Action) -> None:
    assert policy.by_failure(RESUME, point(), attempt, Settings(max_attempts=most)).action is action


@pytest.mark.parametrize(
    ("why", "action"),
    [
        (Why.ENDED_IN, Action.RESUME),
        (Why.FOLLOWED, Action.RESUME),
        (Why.START, Action.RESUME),
        (Why.AGAIN, Action.RESUME),
        (Why.CAUGHT, Action.PREPARE),
        (Why.WORKED, Action.PREPARE),
    ],
)
def test_fail_states_are_prepared_only(why: Why, action: Action) -> None:
    assert policy.by_failure(RESUME, point(why), 1, Settings()).action is action


def test_nothing_to_resume_is_given_up() -> None:
    decision = policy.by_failure(RESUME, point(Why.NOTHING, None), 1, Settings())
    assert decision == Decision(Action.GIVE_UP, Why.NOTHING)


def test_children_of_a_map_run_are_left_alone() -> None:
    decision = policy.by_arn(ExecutionArn.parse(ARN.replace("orders", "orders/label")))
    assert decision
    assert decision.action is Action.SKIP
    assert policy.by_arn(ExecutionArn.parse(ARN)) is None


@pytest.mark.parametrize(
    ("pattern", "action"),
    [
        (Pattern.SYNC, Action.SKIP),
        (Pattern.FIRE_AND_FORGET, Action.RESUME),
        (Pattern.CALLBACK, Action.RESUME),
        (Pattern.UNKNOWN, Action.PREPARE),
    ],
)
def test_a_child_that_is_awaited_is_left_to_its_parent(pattern: Pattern, action: Action) -> None:
    special = policy.by_parent(Parent(ARN, pattern))
    assert policy.by_failure(RESUME, point(), 1, Settings(), special).action is action
    assert policy.by_parent(None) is None


READS = '{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"x.$":"$$.Execution.Input.x"},"End":true}}}'
READS_NOT = '{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}'


@pytest.mark.parametrize(
    ("definition", "chain", "exact"),
    [
        (READS, Chain(ARN, 0, {"x": "1"}), True),
        (READS, Chain(ARN, 0, None), False),
        (READS, Chain(ARN, 0, {"resuming": "1"}), False),
        (READS, Chain(ARN, 1, {"x": "1"}), True),
        (READS_NOT, Chain(ARN, 0, None), True),
    ],
)
def test_an_execution_input_that_cannot_be_given_again_is_for_people(
    definition: str, chain: Chain, exact: bool
) -> None:
    decision = policy.by_context(Definition.parse(definition), chain)
    assert (decision is None) is exact
    assert exact or policy.by_failure(RESUME, point(), 1, Settings(), decision).action is Action.PREPARE


def start(resource: str, machine: Any = None, language: str = "Parameters") -> dict[str, Any]:
    named = {"StateMachineArn": machine} if machine else {"StateMachineArn.$": "$.arn"}
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", language: named, "End": True}


@pytest.mark.parametrize(
    ("task", "patterns"),
    [
        (start("states:startExecution.sync", MACHINE), {Pattern.SYNC}),
        (start("states:startExecution.sync:2", MACHINE + ":3"), {Pattern.SYNC}),
        (start("states:startExecution", MACHINE), {Pattern.FIRE_AND_FORGET}),
        (start("aws-sdk:sfn:startExecution"), {Pattern.FIRE_AND_FORGET}),
        (start("states:startExecution.waitForTaskToken", MACHINE), {Pattern.CALLBACK}),
        (start("states:startExecution.sync", "{% $x %}", "Arguments"), {Pattern.SYNC}),
        (start("states:startExecution.sync", MACHINE + "-other"), set()),
        (start("lambda:invoke"), set()),
    ],
)
def test_the_parents_definition_tells_how_it_starts_a_child(task: dict[str, Any], patterns: set[Pattern]) -> None:
    inside = {"Type": "Parallel", "Branches": [{"StartAt": "T", "States": {"T": task}}], "End": True}
    parent = Definition.parse(json.dumps({"StartAt": "P", "States": {"P": inside}}))
    assert nesting.patterns_in(parent, MACHINE) == patterns


@pytest.mark.parametrize(
    ("details", "resource", "pattern"),
    [
        ("taskSubmittedEventDetails", "startExecution.sync", Pattern.SYNC),
        ("taskSubmittedEventDetails", "startExecution.waitForTaskToken", Pattern.CALLBACK),
        ("taskSucceededEventDetails", "startExecution", Pattern.FIRE_AND_FORGET),
    ],
)
def test_the_parents_history_tells_it_apart(details: str, resource: str, pattern: Pattern) -> None:
    def event(child: str, by: str) -> dict[str, Any]:
        return {"type": "x", details: {"resource": by, "output": json.dumps({"ExecutionArn": child})}}

    events = [{"type": "ExecutionFailed"}, event(f"{ARN}8", "startExecution.other"), event(ARN, resource)]
    assert nesting.pattern_in(events, ARN) is pattern
    assert nesting.pattern_in(events[:2], ARN) is Pattern.UNKNOWN


@pytest.mark.parametrize(
    ("text", "parent"),
    [
        (json.dumps({nesting.STARTED_BY: ARN}), ARN),
        ('{"a": 1}', None),
        ("[]", None),
        (json.dumps({nesting.STARTED_BY: 1}), None),
    ],
)
def test_a_child_names_its_parent(text: str, parent: str | None) -> None:
    assert nesting.parent_of(text) == parent
