"""What the command prints: nothing that comes from a user's machine can act on the terminal or fake a line."""

import codecs
import sys
import unicodedata
from enum import IntEnum
from io import TextIOWrapper

# Characters that end a line, move the cursor or change the direction of what follows.
_CONTROL_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")


class Exit(IntEnum):
    """Exit codes of the command."""

    DONE = 0
    FAILURE = 1
    USAGE = 2


def prepare_streams() -> None:
    """Let what an encoding cannot print be written as JSON escapes, which are right in JSON and readable elsewhere."""
    codecs.register_error("gotostate.json", _json_escapes)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="gotostate.json")


def printable(text: str) -> str:
    """Return a text with its control characters written out, so that it stays on its line."""
    return "".join(_escaped(character) if _is_control(character) else character for character in text)


def show(label: str, value: str) -> None:
    """Print one fact on one line."""
    print(f"{label:<13}{printable(value)}".rstrip())


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in _CONTROL_CATEGORIES


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def _json_escapes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escaped, error.object[error.start : error.end])), error.end
