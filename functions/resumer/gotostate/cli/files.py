"""The files that the command reads."""

from pathlib import Path

from gotostate import jsontext
from gotostate.errors import GotoStateError, HistoryError
from gotostate.events import HistoryEvent


def read_text(name: str, kind: type[GotoStateError]) -> str:
    """Return what a file holds. Raises an error of the given kind that names the file."""
    try:
        return Path(name).read_text(encoding="utf-8")
    # ValueError: what is not UTF-8, and a name with a character that no file system takes.
    except (OSError, ValueError) as error:
        raise kind(f"{name} cannot be read: {error}") from error


def read_history(name: str) -> list[HistoryEvent]:
    """Read a history file and return its events newest first, whatever order they are in. Raises HistoryError."""
    try:
        document = jsontext.parse(read_text(name, HistoryError))
    except ValueError as error:
        raise HistoryError(
            f"{name} is not JSON ({error}); give all that 'aws stepfunctions get-execution-history' printed"
        ) from error
    events = document.get("events") if isinstance(document, dict) else document
    if not isinstance(events, list) or not all(_is_event(event) for event in events):
        raise HistoryError(f"{name} holds no list 'events' of history events with 'id' and 'type'")
    return sorted(events, key=lambda event: event["id"], reverse=True)


def _is_event(event: object) -> bool:
    return isinstance(event, dict) and isinstance(event.get("id"), int) and isinstance(event.get("type"), str)
