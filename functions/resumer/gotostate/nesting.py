"""How a nested execution was started: whether its parent waits for it.

A child that a .sync parent awaits is its parent's to deal with: the parent's own failure starts the
child's work again, so resuming the child as well would run that work twice. All others are resumed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gotostate import jsontext
from gotostate.definition import Definition
from gotostate.history import HistoryEvent

# The field by which a parent names itself in its child's input; the console's link needs it too
# (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-nested-workflows.html).
STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"


class Pattern(StrEnum):
    """The service integration pattern of the task that started an execution."""

    FIRE_AND_FORGET = "fire and forget"
    SYNC = ".sync"
    CALLBACK = ".waitForTaskToken"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Parent:
    """The execution that started this one, and how."""

    execution: str
    pattern: Pattern


def parent_of(execution_input: str) -> str | None:
    """Return the ARN of the parent execution that an input names; None if it names none."""
    value = jsontext.parse(execution_input)
    parent = value.get(STARTED_BY) if isinstance(value, dict) else None
    return parent if isinstance(parent, str) and parent else None


def patterns_in(parent: Definition, child_machine_arn: str) -> set[Pattern]:
    """Return the patterns by which a parent's definition may start a machine, nested states included."""
    return {
        pattern
        for task in _tasks(parent.document)
        if (pattern := _pattern(str(task.get("Resource", "")))) and _may_start(task, child_machine_arn)
    }


def pattern_in(events: Iterable[HistoryEvent], child_arn: str) -> Pattern:
    """Find in a parent's history the task that started a child; reads no further than that event."""
    for event in events:
        for name in ("taskSubmittedEventDetails", "taskSucceededEventDetails"):
            details = event.get(name) or {}
            if f'"{child_arn}"' in (details.get("output") or ""):
                return _pattern(f"states:{details.get('resource', '')}") or Pattern.UNKNOWN
    return Pattern.UNKNOWN


def _tasks(container: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for state in container.get("States", {}).values():
        if state.get("Type") == "Task":
            yield state
        for nested in (*state.get("Branches", []), state.get("ItemProcessor"), state.get("Iterator")):
            if isinstance(nested, dict):
                yield from _tasks(nested)


def _pattern(resource: str) -> Pattern | None:
    _, found, ending = resource.partition(":startExecution")
    if not found:
        return None
    if ending.startswith(".sync"):
        return Pattern.SYNC
    return Pattern.CALLBACK if ending.startswith(".waitForTaskToken") else Pattern.FIRE_AND_FORGET


def _may_start(task: Mapping[str, Any], machine_arn: str) -> bool:
    given = task.get("Parameters") or task.get("Arguments")
    named = given.get("StateMachineArn") if isinstance(given, dict) else None
    if not isinstance(named, str) or named.startswith("{%"):
        return True
    # The rest may be a version or an alias.
    return named == machine_arn or named.startswith(f"{machine_arn}:")
