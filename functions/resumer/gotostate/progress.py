"""The progress of each branch and iteration of a container when the execution ended, determined from its history.

Only StateEntered, StateExited and MapIterationStarted count. The branch of an event follows from the state's name, and
the iteration from the events that led to it: each points to the one before it (recorded on AWS, also where iterations
run at the same time). *Aborted events point to the sibling that failed, so they are ignored. Every step is checked
against the definition, and uncertain facts are not guessed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gotostate.containers import Scope, is_added, is_container, is_distributed, scopes
from gotostate.definition import Definition, followers
from gotostate.errors import HistoryError, UnclearError
from gotostate.events import (
    HistoryEvent,
    assigned_variables,
    details_of,
    number_of,
    optional_details,
    payload,
    previous_id,
    state_name,
)

# At most this many characters of payloads are kept for a container's events; equal payloads count once.
MAX_CHARACTERS = 32_000_000

_ENDED_WELL = ("MapStateSucceeded", "ParallelStateSucceeded", "MapRunSucceeded")


class Step(NamedTuple):
    """The kept parts of one event. text: a StateEntered's input or a StateExited's output; None where it is cut off.

    number: index of the iteration of a MapIterationStarted, length of a MapStateStarted.
    """

    id: int
    before: int
    kind: str
    name: str = ""
    number: int = 0
    text: str | None = None
    assigned: Mapping[str, str] | None = None


class Steps:
    """The steps inside one state, taken from its events newest first."""

    def __init__(self) -> None:
        self.newest_first: list[Step] = []
        self.is_too_large = False
        self._texts: dict[str, str] = {}
        self._characters = 0

    def take(self, event: HistoryEvent) -> None:
        """Keep the parts of an event that are needed."""
        if not self.is_too_large:
            self.newest_first.append(self._step(event))

    def _step(self, event: HistoryEvent) -> Step:
        step = Step(event["id"], previous_id(event), event["type"])
        if step.kind.endswith("StateEntered"):
            details = details_of(event, "stateEnteredEventDetails")
            return step._replace(name=state_name(event, details), text=self._text(event, details, "input"))
        if step.kind.endswith("StateExited"):
            details = details_of(event, "stateExitedEventDetails")
            name, text = state_name(event, details), self._text(event, details, "output")
            return step._replace(name=name, text=text, assigned=self._assigned(event))
        if step.kind == "MapIterationStarted":
            details = optional_details(event, "mapIterationStartedEventDetails")
            return step._replace(name=str(details.get("name", "")), number=number_of(event, details, "index", -1))
        if step.kind == "MapStateStarted":
            details = optional_details(event, "mapStateStartedEventDetails")
            return step._replace(number=number_of(event, details, "length", 0))
        return step

    def _text(self, event: HistoryEvent, details: Mapping[str, Any], name: str) -> str | None:
        try:
            return self._kept(payload(event, details, name))
        except HistoryError:
            return None

    def _assigned(self, event: HistoryEvent) -> Mapping[str, str] | None:
        try:
            return {name: self._kept(text) for name, text in assigned_variables(event).items()}
        except HistoryError:
            return None

    def _kept(self, text: str) -> str:
        # A state often passes its input on unchanged: one text is then kept for both.
        if text not in self._texts:
            self._texts[text] = text
            self._characters += len(text)
            if self._characters > MAX_CHARACTERS:
                self.is_too_large = True
                self.newest_first.clear()
                self._texts.clear()
        return text if self.is_too_large else self._texts[text]


@dataclass
class Lane:
    """How far one branch or iteration had come.

    scope: its branch or item processor. state: the state that it was in last; None where it was in none.
    input: that state's input. output: the state's output, once it was left. variables: of this scope, as they stood
    when the state was entered; assigned: when it was left. caught: whether it was left by a Catch.
    container: what is inside the state. All payloads are JSON texts.
    """

    scope: Scope
    above: "Lane | None" = None
    state: str | None = None
    input: str | None = None
    output: str | None = None
    is_left: bool = False
    caught: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    assigned: Mapping[str, str] = field(default_factory=dict)
    container: "Container | None" = None

    @property
    def depth(self) -> int:
        return self.above.depth + 1 if self.above else 0

    @property
    def is_added(self) -> bool:
        """Whether the state that it was in last was added to it."""
        return self.state is not None and is_added(self.state, self.body)

    @property
    def body(self) -> Mapping[str, Any]:
        """The state that it was in last."""
        found: Mapping[str, Any] = self.scope["States"][self.state]
        return found


@dataclass
class Container:
    """The known branches or iterations of a container, by their numbers.

    length: how many there are; None where it had not begun. input: what a Parallel gives each of its branches.
    """

    name: str
    length: int | None = None
    input: str | None = None
    lanes: dict[int, Lane] = field(default_factory=dict)
    started: int | None = None


def read_progress(steps: Steps, definition: Definition, name: str) -> Container:
    """Determine the progress inside a container at the top level.

    steps: all since it was entered for the last time. definition: the one that ran, including added states.
    Raises UnclearError where the history does not show it with certainty.
    """
    if steps.is_too_large:
        raise UnclearError("its history holds too much data to be kept")
    return _Reading(definition, name).read(reversed(steps.newest_first))


def open_lanes(container: Container) -> Iterator[Lane]:
    """Yield the branches and iterations, nested ones too, that were in a state when the execution ended."""
    for lane in container.lanes.values():
        if lane.state is not None and not lane.is_left:
            if lane.container and lane.container.lanes:
                yield from open_lanes(lane.container)
            else:
                yield lane


class _Reading:
    def __init__(self, definition: Definition, name: str) -> None:
        self._root = Lane(definition.document, state=name, container=Container(name))
        self._places = dict(_places(name, definition.states[name], ()))
        self._lane_of: dict[int, Lane] = {}
        self._kinds: dict[int, str] = {}
        self._lengths: dict[int, int] = {}
        # The events that the success of a container points to; its StateExited event points to the same one.
        self._succeeded: set[int] = set()

    def read(self, steps: Iterable[Step]) -> Container:
        for step in steps:
            self._kinds[step.id] = step.kind
            self._lane_of[step.id] = self._lane_of.get(step.before, self._root)
            if step.kind == "MapStateStarted":
                self._lengths[step.id] = step.number
            elif step.kind in _ENDED_WELL:
                self._succeeded.add(step.before)
            elif step.kind == "MapIterationStarted":
                self._begin(step)
            elif step.kind.endswith("StateEntered") and step.name in self._places:
                self._enter(step)
            elif step.kind.endswith("StateExited") and step.name in self._places:
                self._leave(step)
        assert self._root.container
        return self._root.container

    def _above(self, step: Step, depth: int) -> Lane:
        """Return the branch or iteration of a depth that led to a step."""
        lane: Lane | None = self._lane_of[step.id]
        while lane and lane.depth > depth:
            lane = lane.above
        if lane is None or lane.depth != depth:
            raise UnclearError(f"event {step.id} ({step.kind}) does not lead to its iteration")
        return lane

    def _container(self, step: Step, name: str, depth: int) -> tuple[Container, Lane]:
        lane = self._above(step, depth)
        if lane.container is None or lane.container.name != name:
            raise UnclearError(f"event {step.id} ({step.kind}) is of {name!r}, which was not entered before")
        container = lane.container
        if self._kinds.get(step.before) in ("MapStateStarted", "ParallelStateStarted"):
            if container.started not in (None, step.before):
                container.lanes.clear()  # it was tried again, from its beginning
            container.started = step.before
            container.length = self._lengths.get(step.before, container.length)
        return container, lane

    def _begin(self, step: Step) -> None:
        path = self._places.get(step.name, (None, ()))[1]
        container, above = self._container(step, step.name, len(path))
        if container.length is None or not 0 <= step.number < container.length or step.number in container.lanes:
            raise UnclearError(f"event {step.id}: iteration {step.number} of {step.name!r} cannot have begun")
        processor = scopes(above.body)
        if not processor:
            raise UnclearError(f"event {step.id}: {step.name!r} has no iterations in the definition")
        self._lane_of[step.id] = container.lanes[step.number] = Lane(processor[0], above)

    def _enter(self, step: Step) -> None:
        lane = self._lane_of[step.id] = self._lane(step)
        if lane.state is None:
            may_follow = {lane.scope["StartAt"]}
        else:
            may_follow = set(followers(lane.body, by_catch=True)) if lane.is_left else set()
        if step.name not in may_follow:
            raise UnclearError(f"event {step.id}: {step.name!r} cannot follow {lane.state!r}")
        lane.variables |= lane.assigned
        lane.state, lane.input, lane.output, lane.is_left, lane.caught = step.name, step.text, None, False, False
        lane.assigned, lane.container = {}, None
        if is_container(lane.body) and not is_distributed(lane.body):
            lane.container = Container(step.name)
            if lane.body["Type"] == "Parallel":
                lane.container.length = len(scopes(lane.body))

    def _lane(self, step: Step) -> Lane:
        """Find the branch or iteration that a state was entered in."""
        branch, path = self._places[step.name]
        if branch is None:
            return self._above(step, len(path))
        container, above = self._container(step, path[-1], len(path) - 1)
        if branch not in container.lanes:
            container.lanes[branch] = Lane(scopes(above.body)[branch], above)
            container.length, container.input = len(scopes(above.body)), step.text
        return container.lanes[branch]

    def _left(self, step: Step) -> Lane:
        """Find the branch or iteration that a state was left in."""
        branch, path = self._places[step.name]
        if branch is None:
            return self._above(step, len(path))
        container = self._above(step, len(path) - 1).container
        lane = container.lanes.get(branch) if container and container.name == path[-1] else None
        if lane is None:
            raise UnclearError(f"event {step.id}: {step.name!r} is left, and its branch had not begun")
        return lane

    def _leave(self, step: Step) -> None:
        lane = self._left(step)
        if lane.state != step.name or lane.is_left:
            raise UnclearError(f"event {step.id}: {step.name!r} is left, and {lane.state!r} was entered")
        if step.assigned is None:
            raise UnclearError(f"event {step.id}: the variables are cut off")
        self._lane_of[step.id] = lane
        lane.is_left, lane.output, lane.assigned = True, step.text, step.assigned
        before = self._kinds.get(step.before, "")
        if is_container(lane.body):
            lane.caught = before not in _ENDED_WELL and step.before not in self._succeeded
        else:
            # EvaluationFailed counts: a Catch may handle a JSONata error.
            lane.caught = before.endswith(("Failed", "TimedOut"))


def _places(
    name: str, state: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[str, tuple[int | None, tuple[str, ...]]]]:
    """Yield each state inside a container with its branch (None: of a Map) and the containers around it."""
    path = (*path, name)
    is_map = state["Type"] == "Map"
    for number, scope in enumerate(scopes(state)):
        for inner, body in scope["States"].items():
            yield inner, (None if is_map else number, path)
            if is_container(body):
                yield from _places(inner, body, path)
