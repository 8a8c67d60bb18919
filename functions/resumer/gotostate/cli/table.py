"""Tables with aligned columns that fit the terminal."""

import shutil
from collections.abc import Iterator, Sequence

from gotostate.cli.layout import columns
from gotostate.plain import printable

_WIDTH = 80
_GAP = "  "
_CUT = "..."


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines with aligned columns that fit the terminal, or 80 columns; the widest ones are cut."""
    lines = [header, *(tuple(map(printable, row)) for row in rows)]
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    room = shutil.get_terminal_size((_WIDTH, 0)).columns - len(_GAP) * (len(header) - 1)
    while sum(widths) > max(room, len(header) * (len(_CUT) + 1)):
        widths[widths.index(max(widths))] -= 1
    for line in lines:
        yield _GAP.join(_fitted(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _fitted(cell: str, width: int) -> str:
    """Cut a cell in its middle, as names that belong together begin alike and differ at their ends."""
    if columns(cell) > width:
        head, tail = cell[: len(cell) // 2], cell[len(cell) // 2 :]
        while columns(head) + columns(tail) > width - len(_CUT):
            if columns(head) > columns(tail):
                head = head[:-1]
            else:
                tail = tail[1:]
        cell = head + _CUT + tail
    return cell + " " * (width - columns(cell))
