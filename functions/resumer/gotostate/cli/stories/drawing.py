"""A story as an SVG picture to attach to an incident: complete in itself, without scripts, for light and dark."""

import re
from xml.sax.saxutils import escape

from gotostate.cli.layout import columns, wrapped
from gotostate.cli.stories import words
from gotostate.cli.stories.story import REDRIVEN, ExecutionStory, StateOutcome, StateStory, Story, Turn
from gotostate.plain import duration, printable

_WIDTH = 880
_ROW, _SMALL_ROW, _GAP = 26, 18, 22
_LEFT, _RIGHT = 24, _WIDTH - 24
# Where the columns begin; if times include the day, the time, its line and the names are further to the right.
_LINE, _TEXT, _TOOK, _WORK = 112, 130, 470, 490
_DAY = 54
# A name ends here at the latest if the work of its state is to be shown beside it.
_NAME_END = 400
_MOST_LINES = 3
_MOST_CHILDREN = 3

# The colour of each role on light and on dark (GitHub's Primer palette).
_PALETTE = {
    "back": ("#ffffff", "#0d1117"),
    "text": ("#1f2328", "#e6edf3"),
    "dim": ("#59636e", "#9198a1"),
    "line": ("#d1d9e0", "#3d444d"),
    "succeeded": ("#1a7f37", "#3fb950"),
    "failed": ("#cf222e", "#f85149"),
    "caught": ("#9a6700", "#d29922"),
    "open": ("#0969da", "#4493f8"),
}
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"

# Characters that XML cannot hold at all.
_NOT_XML = re.compile("[\ufffe\uffff]")
_MARKS = {
    StateOutcome.SUCCEEDED: '<path d="M-3.5 0.2 -1 2.7 3.8 -2.6"/>',
    StateOutcome.FAILED: '<path d="M-2.8 -2.8 2.8 2.8M2.8 -2.8 -2.8 2.8"/>',
    StateOutcome.CAUGHT: '<path d="M0 -3.6V0.6M0 3.2V3.4"/>',
    StateOutcome.OPEN: '<path d="M-3 0V0.1M0 0V0.1M3 0V0.1"/>',
}


def svg(story: Story) -> str:
    """Draw a story, from top to bottom."""
    return _Drawing(story).whole()


class _Drawing:
    def __init__(self, story: Story) -> None:
        self._story = story
        self._parts: list[str] = []
        self._y = self._last = 38
        self._clock = words.clock_for(story)
        shift = _DAY if len(self._clock(None)) > 8 else 0
        self._line, self._text = _LINE + shift, _TEXT + shift

    def whole(self) -> str:
        summary = words.summary(self._story)
        self._write(_LEFT, summary, size=18, weight="bold", end=_RIGHT)
        self._down(_SMALL_ROW + 4)
        self._write(_LEFT, "times are UTC", role="dim", size=12)
        if self._story.parent:
            self._small(f"started by {self._story.parent}", _LEFT)
        for remark in self._story.remarks:
            self._small(remark, _LEFT)
        before = None
        for told in self._story.executions:
            self._down(_GAP)
            self._execution(told, words.title(told, before))
            before = told
        height = self._y + 30
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img" font-family="{_FONTS}" font-size="14">'
        )
        back = f'<rect width="100%" height="100%" rx="8" {_fill("back")}/>'
        known = [f"<title>{_escaped(summary)}</title>", f"<style>{_dark()}</style>", back]
        return "\n".join([head, *known, *self._parts, "</svg>", ""])

    def _execution(self, told: ExecutionStory, title: str) -> None:
        self._down(_ROW)
        self._write(_LEFT, title, weight="bold", size=15, end=_RIGHT - 100)
        self._write(_RIGHT, words.date(told.started), role="dim", anchor="end")
        self._small(told.arn, _LEFT)
        self._down(6)
        place, first = len(self._parts), self._y + _ROW
        self._dot(told.started, "dim", words.beginning(told))
        for one in words.in_order(told):
            if isinstance(one, StateStory):
                self._state(one)
            else:
                self._turn(told, one)
        if told.untold:
            self._reason(f"its states cannot be told: {told.untold}")
        if not told.ended:
            self._dot(told.stopped, "open", told.status)
        # It lies under the marks, so it is inserted before them.
        self._parts.insert(
            place,
            f'<path d="M{self._line} {first - 5}V{self._last - 5}" fill="none" stroke-width="2" {_stroke("line")}/>',
        )

    def _dot(self, time: float | None, role: str, said: str) -> None:
        self._down(_ROW)
        self._last = self._y
        self._write(_LEFT, self._clock(time) if time is not None else "", role="dim")
        self._parts.append(f'<circle cx="{self._line}" cy="{self._y - 5}" r="5" {_fill(role)}/>')
        self._write(self._text, said, role=role, end=_RIGHT)

    def _turn(self, told: ExecutionStory, turn: Turn) -> None:
        role = {REDRIVEN: "open", "SUCCEEDED": "succeeded"}.get(turn.status, "failed")
        self._dot(turn.time, role, "redriven" if turn.status == REDRIVEN else turn.status)
        if why := words.reason_of_turn(told, turn):
            self._reason(why)

    def _state(self, state: StateStory) -> None:
        self._down(_ROW)
        self._last = self._y
        role = state.outcome.value
        self._write(_LEFT, self._clock(state.entered), role="dim")
        mark = f'<g fill="none" stroke-width="1.8" stroke-linecap="round" {_stroke("back")}>{_MARKS[state.outcome]}</g>'
        self._parts.append(
            f'<g transform="translate({self._line} {self._y - 5})"><circle r="8" {_fill(role)}/>{mark}</g>'
        )
        self._write(self._text, state.name, weight="bold", end=_RIGHT)
        if self._text + _width(state.name, 14) > _NAME_END:
            self._down(_SMALL_ROW)
        self._write(_TOOK, duration(state.seconds), role="dim", anchor="end")
        for number, line in enumerate(_broken(words.work(state), _RIGHT - _WORK, 14)):
            self._down(_SMALL_ROW if number else 0)
            self._write(_WORK, line)
        if why := words.reason(state):
            self._reason(why, "caught" if state.outcome is StateOutcome.CAUGHT else "failed")
        for child in state.children[:_MOST_CHILDREN]:
            self._small(f"→ {child}", self._text)
        if (unsaid := len(state.children) - _MOST_CHILDREN) > 0:
            self._small(f"→ {unsaid:,} more", self._text)

    def _reason(self, text: str, role: str = "failed") -> None:
        for line in _broken(text, _RIGHT - self._text, 13):
            self._down(_SMALL_ROW)
            self._write(self._text, line, role=role, size=13)

    def _small(self, text: str, x: int) -> None:
        for line in _broken(text, _RIGHT - x, 12):
            self._down(_SMALL_ROW)
            self._write(x, line, role="dim", size=12)

    def _down(self, pixels: int) -> None:
        self._y += pixels

    def _write(
        self,
        x: int,
        text: str,
        *,
        role: str = "text",
        size: int = 14,
        weight: str = "normal",
        anchor: str = "start",
        end: int | None = None,
    ) -> None:
        """Write a line. end: where it has to end; text that is cut off is shown when one points at the line."""
        cut, tip = text, ""
        if end is not None and _width(text, size) > end - x:
            cut, tip = _broken(text, end - x, size, 1)[0], f"<title>{_escaped(text)}</title>"
        self._parts.append(
            f'<text x="{x}" y="{self._y}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
            f"{_fill(role)}>{tip}{_escaped(cut)}</text>"
        )


def _ems(character: str) -> float:
    """Estimate the width of a character, rather too large: which font will draw it is not known."""
    if character in "MWmw@%":
        return 1.1
    if character in " .,:;'|!ijl":
        return 0.4
    return (0.78 if character.isupper() else 0.63) * columns(character)


def _width(text: str, size: int) -> float:
    return size * sum(map(_ems, printable(text)))


def _broken(text: str, width: int, size: int, most: int = _MOST_LINES) -> list[str]:
    return wrapped(printable(text), width / size, most, _ems)


def _fill(role: str) -> str:
    return f'fill="{_PALETTE[role][0]}" class="{role}"'


def _stroke(role: str) -> str:
    return f'stroke="{_PALETTE[role][0]}" class="{role}-stroke"'


def _dark() -> str:
    rules = (f".{role}{{fill:{dark}}}.{role}-stroke{{stroke:{dark}}}" for role, (_, dark) in _PALETTE.items())
    return f"@media (prefers-color-scheme: dark){{{''.join(rules)}}}"


def _escaped(text: str) -> str:
    return escape(_NOT_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", printable(text)))
