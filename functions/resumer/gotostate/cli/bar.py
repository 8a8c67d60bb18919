"""One line on a terminal that shows the progress of long work. No library: it is one line without any user data."""

import os
import sys
from types import TracebackType
from typing import Self

_CELLS = 24
_WIDTH = 79


class Bar:
    """A progress bar on the terminal's error stream; without a terminal it shows nothing.

    Used in a with statement, at whose end the line is removed.
    """

    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self.total = total
        self._is_shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._line = ""

    def show(self, done: int, told: str = "") -> None:
        """Draw it. told: additional text."""
        filled = _CELLS * min(done, self.total) // max(self.total, 1)
        bar = "#" * filled + "." * (_CELLS - filled)
        line = f"{self._label} [{bar}] {done:,} of {self.total:,}{f', {told}' if told else ''}"[:_WIDTH]
        if self._is_shown and line != self._line:
            self._line = line
            print(f"\r{line:<{_WIDTH}}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line:
            print(f"\r{'':<{_WIDTH}}\r", end="", file=sys.stderr, flush=True)
