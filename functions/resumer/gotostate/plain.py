"""Texts and lengths of time as people read them, the same on a terminal and on a dashboard."""

import unicodedata

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
# Characters that end a line, move the cursor or change the direction of what follows.
_CONTROL_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")


def printable(text: str) -> str:
    """Return a text with its control characters written out, so that it stays on its line."""
    return "".join(escaped(character) if _is_control(character) else character for character in text)


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


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in _CONTROL_CATEGORIES
