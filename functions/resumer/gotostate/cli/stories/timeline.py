"""A story as lines for the terminal: 80 columns, ASCII where the encoding has no more, colour only where wanted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from gotostate.cli.layout import columns, wrapped
from gotostate.cli.stories import words
from gotostate.cli.stories.story import REDRIVEN, ExecutionStory, StateOutcome, StateStory, Story, Turn
from gotostate.events import ENDED_BADLY
from gotostate.nextsteps import command
from gotostate.plain import duration, printable

WIDTH = 80

_MOST_NAME = 28
_MOST_LINES = 4
_MOST_CHILDREN = 5

_GREEN, _RED, _YELLOW, _CYAN = "32", "31", "33", "36"
_COLOURS = {
    StateOutcome.SUCCEEDED: _GREEN,
    StateOutcome.FAILED: _RED,
    StateOutcome.CAUGHT: _YELLOW,
    StateOutcome.OPEN: _CYAN,
}
_UNICODE = {StateOutcome.SUCCEEDED: "✓", StateOutcome.FAILED: "✗", StateOutcome.CAUGHT: "↷", StateOutcome.OPEN: "…"}
_ARROW = "→"
_ASCII = {StateOutcome.SUCCEEDED: "+", StateOutcome.FAILED: "x", StateOutcome.CAUGHT: "!", StateOutcome.OPEN: "~"}


@dataclass(frozen=True)
class Screen:
    """The output for the lines: whether it can show our symbols, and whether colours are wanted."""

    has_symbols: bool = True
    has_colour: bool = False

    @classmethod
    def of(cls, stream: TextIO, environment: Mapping[str, str]) -> "Screen":
        """Look at a stream; no colour without a terminal, or where NO_COLOR is set (https://no-color.org)."""
        try:
            "".join([*_UNICODE.values(), _ARROW]).encode(stream.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            has_symbols = False
        else:
            has_symbols = True
        plain = environment.get("NO_COLOR") or environment.get("TERM") == "dumb"
        return cls(has_symbols, stream.isatty() and not plain)

    def symbol(self, outcome: StateOutcome) -> str:
        """Return the sign for an outcome, one column wide."""
        return self.painted((_UNICODE if self.has_symbols else _ASCII)[outcome], _COLOURS[outcome])

    @property
    def arrow(self) -> str:
        """Return the sign for an execution that a state started."""
        return _ARROW if self.has_symbols else "->"

    def painted(self, text: str, colour: str) -> str:
        """Return a text in a colour, where colours are wanted."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self.has_colour else text


def lines(story: Story, screen: Screen, options: Sequence[str] = ()) -> Iterator[str]:
    """Write a story, a line for each state, end and redrive; all times in UTC.

    options: those that the command shown at the end needs (Settings.command_options).
    """
    yield f"{words.summary(story)} (times are UTC)"
    if story.parent:
        yield f"started by {printable(story.parent)}"
    yield from map(printable, story.remarks)
    layout = _Layout(screen, story)
    before = None
    for told in story.executions:
        yield ""
        yield f"{words.title(told, before)}, {words.date(told.started)}"
        yield f"  {printable(told.arn)}"
        yield from layout.execution(told)
        before = told
    if story.last.status in ENDED_BADLY:
        yield ""
        yield f"next: {printable(command('plan', story.last.arn, options))}"


class _Layout:
    def __init__(self, screen: Screen, story: Story) -> None:
        self._screen = screen
        states = [state for told in story.executions for state in told.states]
        self._names = min(max((columns(printable(state.name)) for state in states), default=0), _MOST_NAME)
        self._took = max((len(duration(state.seconds)) for state in states), default=0)
        self._time = words.clock_for(story)
        self._indent = " " * len(f"  {self._time(None)}   ")

    def execution(self, told: ExecutionStory) -> Iterator[str]:
        yield f"  {self._time(told.started)}   {words.beginning(told)}"
        for one in words.in_order(told):
            yield from self._state(one) if isinstance(one, StateStory) else self._turn(told, one)
        if told.untold:
            yield from _indented(printable(f"its states cannot be told: {told.untold}"), self._indent)
        if not told.ended:
            ended = f" {self._time(told.stopped)}" if told.stopped is not None else ""
            yield f"{self._indent}{told.status}{ended}"

    def _turn(self, told: ExecutionStory, turn: Turn) -> Iterator[str]:
        yield f"  {self._time(turn.time)}   {self._painted(turn)}"
        if why := words.reason_of_turn(told, turn):
            yield from _indented(why, self._indent)

    def _painted(self, turn: Turn) -> str:
        colour = {REDRIVEN: _CYAN, "SUCCEEDED": _GREEN}.get(turn.status, _RED)
        return self._screen.painted("redriven" if turn.status == REDRIVEN else turn.status, colour)

    def _state(self, state: StateStory) -> Iterator[str]:
        name = printable(state.name)
        head = f"  {self._time(state.entered)} {self._screen.symbol(state.outcome)} "
        if columns(name) <= self._names:
            head += name + " " * (self._names - columns(name))
        else:
            yield f"{head}{name}"
            head = self._indent + " " * self._names
        took = f"  {duration(state.seconds):>{self._took}}  "
        margin = " " * (len(self._indent) + self._names + len(took))
        first, *rest = wrapped(words.work(state), WIDTH - len(margin))
        yield f"{head}{took}{first}"
        yield from (margin + more for more in rest)
        if why := words.reason(state):
            yield from _indented(why, self._indent)
        for child in state.children[:_MOST_CHILDREN]:
            yield f"{self._indent}{self._screen.arrow} {printable(child)}"
        if (unsaid := len(state.children) - _MOST_CHILDREN) > 0:
            yield f"{self._indent}{self._screen.arrow} {unsaid:,} more; --json names them"


def _indented(text: str, indent: str) -> Iterator[str]:
    return (indent + line for line in wrapped(text, WIDTH - len(indent), _MOST_LINES))
