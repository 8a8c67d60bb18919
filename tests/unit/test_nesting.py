"""How a nested execution was started, and whether its parent waits for it."""

import json
from typing import Any

import pytest
from facts import ARN, MACHINE
from gotostate import nesting
from gotostate.definition import Definition
from gotostate.nesting import Pattern


def start(resource: str, machine: Any = None, language: str = "Parameters") -> dict[str, Any]:
    named = {"StateMachineArn": machine} if machine else {"StateMachineArn.$": "$.arn"}
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", language: named, "End": True}


@pytest.mark.parametrize(
    ("task", "patterns"),
    [
        (start("states:startExecution.sync", MACHINE), {Pattern.SYNC}),
        (start("states:startExecution.sync:2", MACHINE + ":3"), {Pattern.SYNC}),
        (start("states:startExecution", MACHINE), {Pattern.FIRE_AND_FORGET}),
        # Which machine it starts is known only when it runs: the parent's history has to tell.
        (start("aws-sdk:sfn:startExecution"), {Pattern.FIRE_AND_FORGET, Pattern.UNKNOWN}),
        (start("states:startExecution.waitForTaskToken", MACHINE), {Pattern.CALLBACK}),
        (start("states:startExecution.sync", "{% $x %}", "Arguments"), {Pattern.SYNC, Pattern.UNKNOWN}),
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
