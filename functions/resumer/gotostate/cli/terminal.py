"""The command's output: nothing that comes from a user's machine can control the terminal or fake a line."""

import codecs
import sys
from enum import IntEnum
from io import TextIOWrapper

from gotostate import jsontext
from gotostate.plain import escaped, printable

_JSON_SPACE = str.maketrans("\t\r\n", "   ")


class Exit(IntEnum):
    """Exit codes of the command."""

    DONE = 0
    FAILURE = 1
    USAGE = 2
    UNCONFIRMED = 3


def prepare_streams() -> None:
    """Write characters that an encoding cannot print as JSON escapes, correct in JSON and readable elsewhere."""
    codecs.register_error("gotostate.json", _json_escapes)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="gotostate.json")


def show(label: str, value: str) -> None:
    """Print one fact on one line."""
    print(f"{label:<13}{printable(value)}".rstrip())


def show_json(text: str) -> None:
    """Print JSON on one line: the same value, with escapes for characters that could control the terminal.

    text: one JSON text, or a line of one. Numbers and all other characters stay as they were written.
    """
    # Between tokens, where JSON has no escapes; a string holds none of these.
    print(printable(text.translate(_JSON_SPACE)))


def short_cause(cause: str | None) -> str:
    """Return the message out of the JSON that Lambda gives as cause; any other cause as it is."""
    if not cause:
        return "(none given)"
    try:
        described = jsontext.parse(cause)
    except ValueError:
        return cause
    message = described.get("errorMessage") if isinstance(described, dict) else None
    return message if isinstance(message, str) and message else cause


def _json_escapes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(escaped, error.object[error.start : error.end])), error.end
