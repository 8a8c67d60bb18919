"""A story as a Mermaid flowchart, which GitHub renders where it stands in a block of the language mermaid."""

import re
from collections.abc import Iterator

from gotostate.cli.stories import words
from gotostate.cli.stories.story import REDRIVEN, ExecutionStory, StateStory, Story, Turn
from gotostate.events import ENDED_BADLY
from gotostate.plain import duration, printable

_MOST_CHILDREN = 3
_MOST_REASON = 200

# Written as numbers (https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters): a quote would
# end the text, and Mermaid interprets <, #, *, `, and "1. " and "- " at the beginning.
_NOT_PLAIN = re.compile(r"(?<!\w)-|(?<!\d):|:(?!\d)|_|[^\w ,:\-\u0080-\U0010ffff]", re.ASCII)
# Sequences that Mermaid looks for after it has decoded the numbers: a formula, a line break, an icon. A zero-width
# space keeps it from finding them.
_MARKS = re.compile(r"\$(?=\$)|\\(?=n)|:(?=fa-)")

# Only the borders: fill and text are those of the reader's light or dark theme.
_CLASSES = (
    "classDef succeeded stroke:#1a7f37,stroke-width:2px",
    "classDef caught stroke:#9a6700,stroke-width:2px,stroke-dasharray:4",
    "classDef failed stroke:#cf222e,stroke-width:3px",
    "classDef open stroke:#0969da,stroke-width:2px,stroke-dasharray:4",
)


def lines(story: Story) -> Iterator[str]:
    """Write a story: a subgraph for each execution, and an arrow from each failure to the execution that resumed it."""
    yield from _Chart(story).lines()


class _Chart:
    def __init__(self, story: Story) -> None:
        self._story = story
        self._ids = {told.arn: f"e{number}" for number, told in enumerate(story.executions)}
        self._clock = words.clock_for(story)

    def lines(self) -> Iterator[str]:
        yield "flowchart TD"
        if parent := self._story.parent:
            yield f"    parent[{_text(f'started by {_short(parent)}')}] -.-> e0n0"
        before = None
        for told in self._story.executions:
            own = self._ids[told.arn]
            yield from self._execution(told, own, words.title(told, before))
            if failed := self._ids.get(told.resumes or ""):
                yield f"    {failed}last -->|{_text(_waited(told))}| {own}n0"
            before = told
        yield from (f"    {line}" for line in _CLASSES)

    def _execution(self, told: ExecutionStory, own: str, title: str) -> Iterator[str]:
        yield f"    subgraph {own}[{_text(f'{title}, {words.date(told.started)}')}]"
        at = f"{own}n0"
        children: list[str] = []
        yield f"        {at}([{_text(f'started {self._clock(told.started)}')}])"
        for number, one in enumerate((one for one in words.in_order(told) if one is not told.ended), 1):
            node = f"{own}n{number}"
            yield f"        {at} --> {node}{self._node(told, one)}"
            at = node
            if isinstance(one, StateStory):
                children += _children(one, node)
        yield f"        {at} --> {own}last([{_text(*self._ending(told))}]):::{_class_of(told.status)}"
        yield "    end"
        yield from children

    def _node(self, told: ExecutionStory, one: StateStory | Turn) -> str:
        if isinstance(one, Turn):
            status = "redriven" if one.status == REDRIVEN else one.status
            text = _text(f"{status} {self._clock(one.time)}", words.reason_of_turn(told, one))
            return f"([{text}]):::{_class_of(one.status)}"
        took = f"{self._clock(one.entered)}, {duration(one.seconds)}".removesuffix(", ")
        return f"[{_text(one.name, words.work(one), took, words.reason(one))}]:::{one.outcome.value}"

    def _ending(self, told: ExecutionStory) -> tuple[str, str | None]:
        time = f" {self._clock(told.stopped)}" if told.stopped is not None else ""
        reason = words.reason_of_turn(told, told.ended) if told.ended else told.untold
        return f"{told.status}{time}", reason


def _class_of(status: str) -> str:
    return "succeeded" if status == "SUCCEEDED" else "failed" if status in ENDED_BADLY else "open"


def _children(state: StateStory, node: str) -> Iterator[str]:
    for number, child in enumerate(state.children[:_MOST_CHILDREN]):
        yield f"    {node} -.-> {node}c{number}[{_text(_short(child))}]"
    if (unsaid := len(state.children) - _MOST_CHILDREN) > 0:
        yield f"    {node} -.-> {node}c[{_text(f'{unsaid:,} more')}]"


def _waited(told: ExecutionStory) -> str:
    waited = f" after {duration(told.delay_seconds)}" if told.delay_seconds else ""
    return f"resume {told.chain.attempt}{waited}"


def _short(arn: str) -> str:
    """Return the machine and the name of an execution, which is what fits into a node."""
    return ":".join(arn.split(":")[6:]) or arn


def _text(*parts: str | None) -> str:
    """Write a quoted text, a line for each part that there is."""
    return '"' + "<br>".join(_escaped(part) for part in parts if part) + '"'


def _escaped(text: str) -> str:
    plain = printable(text)
    plain = plain if len(plain) <= _MOST_REASON else plain[: _MOST_REASON - 3] + "..."
    return _NOT_PLAIN.sub(lambda match: f"#{ord(match[0])};", _MARKS.sub("\\g<0>\u200b", plain))
