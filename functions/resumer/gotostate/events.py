"""The fields of history events, read with care: a history may come from AWS, from a file or from an emulator."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeGuard

from gotostate.errors import HistoryError

HistoryEvent = Mapping[str, Any]

# Statuses of an execution that has ended and did not succeed.
SUCCEEDED = "SUCCEEDED"
ENDED_BADLY = ("FAILED", "TIMED_OUT", "ABORTED")
GOING_ON = ("RUNNING", "PENDING_REDRIVE")
# The year 9999, the last that a date can hold, in milliseconds since the epoch.
LATEST_MILLISECONDS = 253_000_000_000_000


def state_name(event: HistoryEvent, details: Mapping[str, Any]) -> str:
    """Return the name of the state that was entered or exited. Raises HistoryError."""
    name = details.get("name")
    if not isinstance(name, str):
        raise HistoryError(f"{_told(event)} has no name of a state")
    return name


def details_of(event: HistoryEvent, name: str) -> Mapping[str, Any]:
    """Return the details object of an event. Raises HistoryError when it has none."""
    details = event.get(name)
    if not isinstance(details, Mapping):
        raise HistoryError(f"{_told(event)} has no {name}; read the whole history again")
    return details


def optional_details(event: HistoryEvent, name: str) -> Mapping[str, Any]:
    """Return the details object of an event that AWS may leave out. Raises HistoryError when it is no object."""
    details = event.get(name) or {}
    if not isinstance(details, Mapping):
        raise HistoryError(f"{_told(event)} has no object {name}")
    return details


def previous_id(event: HistoryEvent) -> int:
    """Return the id of the event that led to an event; 0 where it names none. Raises HistoryError."""
    return number_of(event, event, "previousEventId", 0)


def number_of(event: HistoryEvent, details: Mapping[str, Any], name: str, default: int) -> int:
    """Return a whole number of an event; the default where it has none. Raises HistoryError when it is no number."""
    number = details.get(name, default)
    if not isinstance(number, int) or isinstance(number, bool):
        raise HistoryError(f"{_told(event)} has no whole number {name}")
    return number


def text_of(event: HistoryEvent, details: Mapping[str, Any], name: str) -> str | None:
    """Return a text of an event that AWS may leave out. Raises HistoryError when it is no text."""
    text = details.get(name)
    if text is not None and not isinstance(text, str):
        raise HistoryError(f"{_told(event)} has no text {name}")
    return text


def payload(event: HistoryEvent, details: Mapping[str, Any], name: str) -> str:
    """Return the JSON text of an input or output. Raises HistoryError when it is missing or cut off."""
    text = details.get(name)
    if not isinstance(text, str) or _is_truncated(details, name):
        raise HistoryError(
            f"{_told(event)} has no complete {name}; read the history with its execution data (includeExecutionData)"
        )
    return text


def assigned_variables(event: HistoryEvent) -> Mapping[str, str]:
    """Return what a StateExited event assigned, by name as JSON texts. Raises HistoryError when it is cut off."""
    details = details_of(event, "stateExitedEventDetails")
    assigned = details.get("assignedVariables") or {}
    if not isinstance(assigned, Mapping) or not all(isinstance(text, str) for text in assigned.values()):
        raise HistoryError(f"{_told(event)} has no object assignedVariables of JSON texts")
    if _is_truncated(details, "assignedVariables"):
        raise HistoryError(
            f"{_told(event)} has no complete assignedVariables, so the variables cannot be known; "
            "read the history with its execution data (includeExecutionData)"
        )
    return assigned


def succeeded_output(event: HistoryEvent) -> str | None:
    """Return the JSON text that a ...Succeeded event gives as output; None where it has none or it is cut off."""
    for name, details in event.items():
        if name.endswith("SucceededEventDetails") and isinstance(details, Mapping):
            text = details.get("output")
            return text if isinstance(text, str) and not _is_truncated(details, "output") else None
    return None


def seconds(value: object) -> float | None:
    """Return a point in time as seconds since the epoch, from what boto3, a file or an event gives; None for others.

    A number of more than 1e11 is taken for milliseconds, as status-change events give them. A number that is no time in
    the years 1970 to 9999 gives None: anyone who may send to the queue can write anything.
    """
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError):
            return None
    if is_time(value):
        return value / 1000 if value > 1e11 else float(value)
    return None


def is_time(value: object) -> TypeGuard[int | float]:
    """Tell whether a value is a number that can be a time since the epoch, in seconds or milliseconds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < LATEST_MILLISECONDS


def _is_truncated(details: Mapping[str, Any], name: str) -> bool:
    about = details.get(f"{name}Details")
    return isinstance(about, Mapping) and bool(about.get("truncated"))


def _told(event: HistoryEvent) -> str:
    return f"event {event.get('id')} ({event.get('type')})"
