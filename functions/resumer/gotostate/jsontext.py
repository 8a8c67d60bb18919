"""JSON texts taken apart and put together with every value left as it was written.

json.loads and json.dumps together change values: 1.10 becomes 1.1, 1e400 becomes Infinity, a lone
surrogate cannot be encoded. An input that is to be passed on exactly must never make that round trip.
"""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from gotostate.plain import printable

_SPACE = re.compile(r"[ \t\n\r]*")
# int() refuses texts of more than 4,300 digits (https://docs.python.org/3/library/stdtypes.html#int-max-str-digits).
_MOST_DIGITS = 4_000


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MOST_DIGITS else Decimal(text)


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_int=_integer)


def parse(text: str) -> Any:
    """Parse one JSON text; unlike json.loads, NaN and Infinity are errors. Raises ValueError."""
    try:
        value, end = _DECODER.raw_decode(text, _skip_space(text, 0))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _skip_space(text, end) != len(text):
        raise ValueError(f"there is more text after the JSON value, at character {end}")
    return value


def is_json(text: str) -> bool:
    """Tell whether a text is one JSON text."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def members(text: str) -> dict[str, str]:
    """Split the text of a JSON object into its names and the texts of their values.

    Raises ValueError when the text is not one JSON object.
    """
    if not isinstance(parse(text), dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  one error for all that is wrong with a text
    return {name: text[start:end] for name, (start, end) in member_spans(text).items()}


def items(text: str) -> list[str]:
    """Split the text of a JSON array into the texts of its items. Raises ValueError when it is not one JSON array."""
    if not isinstance(parse(text), list):
        raise ValueError("not a JSON array")  # noqa: TRY004  as above
    return [text[start:end] for start, end in item_spans(text)]


def member_spans(text: str, at: int = 0) -> dict[str, tuple[int, int]]:
    """Return where each member's value begins and ends in the JSON object that begins at a position in a text."""
    found: dict[str, tuple[int, int]] = {}
    at = _skip_space(text, _skip_space(text, at) + 1)
    while text[at] != "}":
        name, end = _DECODER.raw_decode(text, at)
        start = _skip_space(text, _skip_space(text, end) + 1)
        _, end = _DECODER.raw_decode(text, start)
        found[name] = start, end
        at = _next(text, end)
    return found


def item_spans(text: str, at: int = 0) -> list[tuple[int, int]]:
    """Return where each item begins and ends in the JSON array that begins at a position in a text."""
    found: list[tuple[int, int]] = []
    at = _skip_space(text, _skip_space(text, at) + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        found.append((at, end))
        at = _next(text, end)
    return found


def join(parts: Mapping[str, str]) -> str:
    """Write a JSON object from names and the texts of their values: the reverse of members."""
    return "{" + ",".join(f"{write(name)}:{text}" for name, text in parts.items()) + "}"


def join_items(texts: Iterable[str]) -> str:
    """Write a JSON array from the texts of its items: the reverse of items."""
    return "[" + ",".join(texts) + "]"


def write(value: Any) -> str:
    """Write a value of our own (never one that came from a user's machine) as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def log_line(value: Any) -> str:
    """Write a line of a log as JSON; values that JSON does not know are written as strings.

    Characters that could control a terminal that shows the log stay escaped. So does a lone surrogate: UTF-8 has no
    form for it, and Python would lose the whole line.
    """
    return printable(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


def on_one_line(text: str) -> str:
    """Return a JSON text on one line, its values as they were written (no JSON string holds a line's end)."""
    return " ".join(line.strip(" \t") for line in re.split(r"[\r\n]+", text))


def size(text: str) -> int:
    """Count the bytes of UTF-8, which is what the quotas of Step Functions count."""
    return len(text.encode("utf-8", "surrogatepass"))


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _next(text: str, end: int) -> int:
    """Go from the end of a value to the next name or value, or to the closing bracket."""
    at = _skip_space(text, end)
    return _skip_space(text, at + 1) if text[at] == "," else at
