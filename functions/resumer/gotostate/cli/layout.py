"""How printable texts fit into the columns of a terminal."""

import unicodedata
from collections.abc import Callable


def columns(text: str) -> int:
    """Count the columns that a printable text takes on a terminal."""
    return sum(map(_columns, text))


def wrapped(
    text: str, width: float, most: int | None = None, measure: Callable[[str], float] | None = None
) -> list[str]:
    """Break a printable text into lines, at spaces where there are any.

    width: of a line, in columns, or in what measure gives for a character. most: lines; the rest is cut.
    """
    measure = measure or _columns
    found: list[str] = []
    while text:
        cut = _fitting(text, width, measure)
        if most is not None and len(found) == most - 1 and cut < len(text):
            return [*found, text[: _fitting(text, width - 3 * measure("."), measure)] + "..."]
        if cut < len(text) and (space := text.rfind(" ", 0, cut + 1)) > 0:
            cut = space
        found.append(text[:cut])
        text = text[cut:].lstrip(" ")
    return found or [""]


def _fitting(text: str, width: float, measure: Callable[[str], float]) -> int:
    """Count the characters at the beginning of a text that fit into a width; at least one."""
    taken = 0.0
    for at, character in enumerate(text):
        taken += measure(character)
        if taken > width:
            return max(at, 1)
    return len(text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
