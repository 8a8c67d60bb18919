"""The calls that a definition's tasks make, in words, so that people see what runs again before they confirm it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gotostate.definition import Definition, with_inner

# The arguments that name a call's target; the first one that is a string counts.
_TARGETS = (
    "FunctionName",
    "StateMachineArn",
    "TableName",
    "QueueUrl",
    "TopicArn",
    "Bucket",
    "JobName",
    "TaskDefinition",
    "EventBusName",
    "ApiEndpoint",
)
_PATTERNS = (".waitForTaskToken", ".sync:2", ".sync")
# A definition may have a string of any length there; an event or a mail that contains it is limited to 256 KiB.
_LONGEST = 256


@dataclass(frozen=True)
class Call:
    """A Task and what it calls, as 'lambda:invoke' and 'payments-charge'; target is None where input decides it."""

    state: str
    action: str
    target: str | None

    def __str__(self) -> str:
        """Say it as people read it: 'Charge: lambda:invoke payments-charge'."""
        called = " ".join(part for part in (self.action, self.target) if part)
        return f"{self.state}: {called}" if called else self.state


def calls_ahead(definition: Definition, state: str) -> list[Call]:
    """Return the calls from a top-level state on: its own, and those of all states that may follow it."""
    ahead = [state, *(name for name in definition.reachable(state, by_catch=True) if name != state)]
    return [call for name in ahead for call in _calls_of(name, definition.states[name])]


def _calls_of(name: str, state: Mapping[str, Any]) -> Iterator[Call]:
    for inner, body in with_inner(name, state):
        if body.get("Type") == "Task":
            yield _call(inner, body)


def _call(name: str, task: Mapping[str, Any]) -> Call:
    resource = str(task.get("Resource", ""))
    # arn:PARTITION:SERVICE:REGION:ACCOUNT:WHAT[:...]
    parts = resource.split(":", 5)
    service, what = (parts[2], parts[5].lstrip(":")) if len(parts) == 6 else ("", resource)
    what = what[:_LONGEST]
    if service == "lambda":
        return Call(name, "lambda:invoke", what.removeprefix("function:"))
    if service == "states" and what.startswith("activity:"):
        return Call(name, "activity", what.removeprefix("activity:"))
    action = what.removeprefix("aws-sdk:")
    for pattern in _PATTERNS:
        action = action.removesuffix(pattern)
    return Call(name, action, _target(task.get("Arguments", task.get("Parameters"))))


def _target(arguments: object) -> str | None:
    if not isinstance(arguments, Mapping):
        return None
    for field in _TARGETS:
        value = arguments.get(field)
        if isinstance(value, str) and not value.startswith("{%"):
            return (value.rpartition("/")[2] if field == "QueueUrl" else _short(value))[:_LONGEST]
    return None


def _short(value: str) -> str:
    """Return the name in an ARN, with the version that it may have; any other text as it is."""
    if not value.startswith("arn:"):
        return value
    parts = value.split(":")
    return ":".join(parts[6:]) or parts[-1]
