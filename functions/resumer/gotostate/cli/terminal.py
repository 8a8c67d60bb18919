"""What the command prints: nothing that comes from a user's machine can act on the terminal or fake a line."""

import codecs
import sys
from enum import IntEnum
from io import TextIOWrapper

from gotostate.plain import escaped, printable


class Exit(IntEnum):
    """Exit codes of the command."""

    DONE = 0
    FAILURE = 1
    USAGE = 2
    UNCONFIRMED = 3


def prepare_streams() -> None:
    """Let what an encoding cannot print be written as JSON escapes, which are right in JSON and readable elsewhere."""
    codecs.register_error("gotostate.json", _json_escapes)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="gotostate.json")


def show(label: str, value: str) -> None:
    """Print one fact on one line."""
    print(f"{label:<13}{printable(value)}".rstrip())


def _json_escapes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(escaped, error.object[error.start : error.end])), error.end
