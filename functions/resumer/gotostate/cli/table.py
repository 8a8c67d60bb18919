"""Tables with aligned columns that fit the terminal."""

import shutil
from collections.abc import Iterator, Sequence

from gotostate.cli.layout import columns
from gotostate.plain import printable

# A file or a pipe takes lines of any width; COLUMNS sets another one, as for other programs.
_UNLIMITED = 100_000
_GAP = "  "
_CUT = "..."


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, names: int) -> Iterator[str]:
    """Yield lines with aligned columns that fit the terminal.

    names: so many columns, the first ones, hold names, of which the longest are cut; the others are shown whole. Where
    names of a row are cut, a second line of its text shows them in full.
    """
    lines = [header, *(tuple(map(printable, row)) for row in rows)]
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    room = shutil.get_terminal_size((_UNLIMITED, 0)).columns - len(_GAP) * (len(header) - 1)
    while sum(widths) > room and max(widths[:names]) > len(_CUT) + 1:
        widths[widths.index(max(widths[:names]))] -= 1
    for line in lines:
        shown = _GAP.join(_fitted(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        is_cut = any(columns(cell) > width for cell, width in zip(line, widths, strict=True))
        yield f"{shown}\n  {', '.join(line[:names])}" if is_cut and line is not header else shown


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
