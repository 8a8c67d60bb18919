"""How a nested execution was started: whether its parent waits for it.

A child that a .sync parent waits for is left to its parent: recovering the parent's own failure starts
the child's work again, so resuming the child as well would run that work twice. All others are resumed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gotostate import jsontext
from gotostate.definition import Definition, states_within
from gotostate.events import HistoryEvent

# The field by which a parent names itself in its child's input; the console's link needs it too
# (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-nested-workflows.html).
STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"


class Pattern(StrEnum):
    """The service integration pattern of the task that started an execution."""

    FIRE_AND_FORGET = "fire and forget"
    SYNC = ".sync"
    CALLBACK = ".waitForTaskToken"
    UNKNOWN = "unknown"


# Stands for a parent's ARN if the input gives something else.
UNNAMED = "(its input names no execution)"
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html lists the forbidden characters.
_NAME = r"""[^\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]+"""
_EXECUTION = re.compile(
    rf"arn:aws[a-z-]*:states:[a-z0-9-]+:\d{{12}}:(?:execution|express):{_NAME}:{_NAME}(?::{_NAME})?"
)


@dataclass(frozen=True)
class Parent:
    """The execution that started this one, and how.

    recovers: whether the parent's own machine has opted in, so that its failure is processed.
    """

    execution: str
    pattern: Pattern
    recovers: bool = False

    @property
    def is_named(self) -> bool:
        """Tell whether it is known by its ARN."""
        return self.execution != UNNAMED


def is_express(parent_arn: str) -> bool:
    """Tell whether a parent is an Express execution, which can neither wait for a child nor for a callback."""
    return ":express:" in parent_arn


def parent_of(execution_input: str) -> str | None:
    """Return the ARN of the parent execution that an input names; UNNAMED if it is not an ARN, None if there is none.

    Whoever starts an execution writes its input, so nothing else from it may be shown or put into a command.
    """
    value = jsontext.parse(execution_input)
    parent = value.get(STARTED_BY) if isinstance(value, dict) else None
    if not isinstance(parent, str) or not parent:
        return None
    return parent if _EXECUTION.fullmatch(parent) else UNNAMED


def patterns_in(parent: Definition, child_machine_arn: str) -> set[Pattern]:
    """Return the patterns by which a parent's definition may start a machine, nested states included.

    Pattern.UNKNOWN is included if the definition does not say which machine a task starts.
    """
    found = set()
    for _, task in states_within(parent.document):
        pattern = _pattern(str(task.get("Resource", ""))) if task.get("Type") == "Task" else None
        named = _named_machine(task) if pattern else None
        if pattern and named is None:
            found |= {pattern, Pattern.UNKNOWN}
        # The rest may be a version or an alias.
        elif pattern and f"{named}:".startswith(f"{child_machine_arn}:"):
            found.add(pattern)
    return found


def pattern_in(events: Iterable[HistoryEvent], child_arn: str) -> Pattern:
    """Find in a parent's history the task that started a child; reads no further than that event."""
    for event in events:
        for name in ("taskSubmittedEventDetails", "taskSucceededEventDetails"):
            details = event.get(name)
            if not isinstance(details, Mapping):
                continue
            output = details.get("output")
            if isinstance(output, str) and f'"{child_arn}"' in output:
                return _pattern(f"states:{details.get('resource', '')}") or Pattern.UNKNOWN
    return Pattern.UNKNOWN


def _pattern(resource: str) -> Pattern | None:
    _, found, ending = resource.partition(":startExecution")
    if not found:
        return None
    if ending.startswith(".sync"):
        return Pattern.SYNC
    return Pattern.CALLBACK if ending.startswith(".waitForTaskToken") else Pattern.FIRE_AND_FORGET


def _named_machine(task: Mapping[str, Any]) -> str | None:
    """Return the machine that a task starts; None where that is only known when it runs."""
    given = task.get("Parameters") or task.get("Arguments")
    named = given.get("StateMachineArn") if isinstance(given, dict) else None
    return named if isinstance(named, str) and not named.startswith("{%") else None
