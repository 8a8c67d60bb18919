"""Texts and lengths of time as people read them, the same on a terminal and on a dashboard."""

import re
import unicodedata
from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
# Characters that end a line, move the cursor or change the direction of what follows.
_CONTROL_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
_ESCAPES = re.compile(r"(?:\\u[0-9a-f]{4})+")


def printable(text: str) -> str:
    """Return a text with its control characters written out, so that it stays on its line."""
    return "".join(escaped(character) if _is_control(character) else character for character in text)


def as_written(text: str) -> str:
    """Undo printable in a text that has no backslash of its own, such as an ARN, so that it can be copied."""
    return _ESCAPES.sub(lambda found: bytes.fromhex(found[0].replace("\\u", "")).decode("utf-16-be", "replace"), text)


def encodable(text: str) -> str:
    """Return a text with its lone surrogates written out, as UTF-8 has no form for them."""
    return text.encode("utf-8", "backslashreplace").decode()


def escaped(character: str) -> str:
    r"""Write a character as JSON escapes: \u202e."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def duration(seconds: float | None) -> str:
    """Write a length of time in at most two units; nothing where it is not known."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 10:
        return f"{max(seconds, 0):.1f} s".replace(".0 s", " s")
    for size, large, small, unit in ((_DAY, "d", "h", _HOUR), (_HOUR, "h", "min", _MINUTE), (_MINUTE, "min", "s", 1)):
        if whole >= size:
            rest = whole % size // unit
            return f"{whole // size} {large}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def timestamp(time: float | None) -> str | None:
    """Write a time as AWS does, to the millisecond and in UTC."""
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in _CONTROL_CATEGORIES
