"""The stays of an execution in its top-level states, read from its whole history, whatever its status is.

visits.py reads backwards and no further than a resume needs. This reads everything: times, attempts, how many
branches or iterations have finished, and what a state started. It does not judge, and it leaves out what it cannot
determine.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gotostate import jsontext
from gotostate.containers import is_added, is_container, is_distributed, scopes, variable
from gotostate.definition import Definition
from gotostate.events import HistoryEvent, details_of, optional_details, previous_id, seconds, state_name
from gotostate.router import MAX_WAIT_SECONDS

_BACKOFF = re.compile(r"GoToState Backoff( \d+)?")
_STARTED = ("MapStateStarted", "ParallelStateStarted")


class Step(NamedTuple):
    """The kept parts of one event, without its payloads.

    name: of the state that was entered, left or evaluated, or of the Map of an iteration. number: an iteration's
    index or a Map's length; -1 where there is none. child: ARN of what was started.
    """

    id: int
    before: int
    kind: str
    time: float | None = None
    name: str | None = None
    number: int = -1
    error: str | None = None
    cause: str | None = None
    child: str | None = None

    @property
    def is_failure(self) -> bool:
        """Tell whether something in the execution failed; an EvaluationFailed counts, as a Catch may handle it."""
        return self.kind.endswith(("Failed", "TimedOut")) and not self.kind.startswith("Execution")


def step_of(event: HistoryEvent) -> Step:
    """Extract the kept parts of an event. Raises HistoryError where it is damaged."""
    kind = event["type"]
    step = Step(event["id"], previous_id(event), kind, seconds(event.get("timestamp")))
    for ending, name in (("StateEntered", "stateEnteredEventDetails"), ("StateExited", "stateExitedEventDetails")):
        if kind.endswith(ending):
            return step._replace(name=state_name(event, details_of(event, name)))
    details = optional_details(event, f"{kind[:1].lower()}{kind[1:]}EventDetails")
    number = details.get("index", details.get("length"))
    return step._replace(
        name=_text(details, "state" if kind == "EvaluationFailed" else "name"),
        number=number if isinstance(number, int) else -1,
        error=_text(details, "error"),
        cause=_text(details, "cause"),
        child=_child(kind, details),
    )


@dataclass
class Stay:
    """One stay in a top-level state.

    failure: the event of the last error in it; failed_in: the inner state in which that occurred.
    kept: numbers of the branches or iterations that the execution was given as finished.
    attempts: of a Task, Parallel or Map. total: branches or iterations, where that is known.
    """

    name: str
    type: str
    entered: Step
    exited: Step | None = None
    caught: bool = False
    failure: Step | None = None
    failed_in: str | None = None
    total: int | None = None
    kept: frozenset[int] = frozenset()
    attempts: int = 0
    children: dict[str, None] = field(default_factory=dict)
    done: set[int] | None = None

    @property
    def finished(self) -> int | None:
        """Count the branches or iterations that are finished; None for states without any on record here."""
        return len(self.done | self.kept) if self.done is not None else None


@dataclass
class Stays:
    """The stays in an execution's own states, oldest first.

    delay_seconds: how long GoToState Backoff was to wait, where it was entered. is_waiting: whether it was not left.
    """

    own: list[Stay] = field(default_factory=list)
    delay_seconds: float | None = None
    is_waiting: bool = False


def read_stays(steps: Iterable[Step], definition: Definition, given: str) -> Stays:
    """Read the stays in top-level states; a router's states count as none.

    steps: all, oldest first. given: the execution's input as JSON text.
    """
    return _Reading(definition, given).read(steps)


class _Reading:
    def __init__(self, definition: Definition, given: str) -> None:
        self._definition = definition
        self._resuming = _resuming(given) if definition.is_gotostate else {}
        self._stays = Stays()
        self._stay: Stay | None = None
        self._before: Step | None = None
        # By the event's id: its kind, the length that a MapStateStarted gives, and the state that it happened in.
        self._kinds: dict[int, str] = {}
        self._lengths: dict[int, int] = {}
        self._state: dict[int, str | None] = {}
        # In the current Parallel: the branch of each state. In the current container: the events that started it.
        self._branch: dict[str, int] = {}
        self._starts: set[int] = set()
        # In the current state: the event that has the error of each failure.
        self._failures: dict[int, Step | None] = {}

    def read(self, steps: Iterable[Step]) -> Stays:
        for step in steps:
            self._kinds[step.id] = step.kind
            self._state[step.id] = self._place(step)
            if step.kind.endswith("StateEntered"):
                self._enter(step)
            elif step.kind.endswith("StateExited"):
                self._leave(step)
            elif self._stay:
                self._inside(self._stay, step)
            self._before = step
        return self._stays

    def _place(self, step: Step) -> str | None:
        """Return the state in which an event happened: each event points to the one that led to it."""
        if step.kind.endswith("StateExited"):
            return None
        # EvaluationFailed points to before the state that failed (recorded on AWS), and names it.
        if step.kind.endswith("StateEntered") or (step.kind == "EvaluationFailed" and step.name):
            return step.name
        return self._state.get(step.before)

    def _enter(self, step: Step) -> None:
        name = str(step.name)
        if name in self._definition.router_states:
            self._stay = None
            if _BACKOFF.fullmatch(name):
                self._stays.delay_seconds, self._stays.is_waiting = _delay(self._resuming), True
        elif name in self._definition.states:
            self._stay = self._begun(name, step)
            self._stays.own.append(self._stay)
        elif self._stay and (branch := self._branch.get(name)) is not None:
            self._count_attempt(self._stay, step)
            if self._stay.done is not None:
                self._stay.done.discard(branch)

    def _begun(self, name: str, step: Step) -> Stay:
        state = self._definition.states[name]
        stay = Stay(name, str(state.get("Type", "")), step)
        self._branch, self._starts, self._failures = {}, set(), {}
        if is_container(state) and not is_distributed(state):
            stay.done = set()
            if stay.type == "Parallel":
                stay.total = len(scopes(state))
                self._branch = {inner: at for at, scope in enumerate(scopes(state)) for inner in scope["States"]}
            if name == self._definition.opened == self._resuming.get("state") and not self._was_entered(name):
                # The record applies to the first stay only.
                numbers, stay.kept = _kept(self._resuming)
                stay.total = stay.total or numbers
        return stay

    def _was_entered(self, name: str) -> bool:
        return any(stay.name == name for stay in self._stays.own)

    def _leave(self, step: Step) -> None:
        name = str(step.name)
        if name in self._definition.router_states:
            if _BACKOFF.fullmatch(name):
                self._stays.is_waiting = False
            return
        stay = self._stay
        if stay is None:
            return
        if name == stay.name:
            stay.exited = step
            # An error was caught if the event before, in the list or by id, is a failure.
            by_id = self._kinds.get(step.before, "")
            stay.caught = bool(self._before and self._before.is_failure) or Step(0, 0, by_id).is_failure
            self._stay = None
        elif stay.done is not None and (branch := self._branch.get(name)) is not None:
            body = scopes(self._definition.states[stay.name])[branch]["States"][name]
            # After a caught error another state of the branch is entered, which takes this back.
            if "Next" not in body and body.get("Type") != "Choice":
                stay.done.add(branch)

    def _inside(self, stay: Stay, step: Step) -> None:
        if step.child:
            stay.children[step.child] = None
        if step.is_failure:
            # The failure of a container or an iteration has no error of its own: it points to the event that has one.
            stay.failure = step if step.error is not None else self._failures.get(step.before)
            self._failures[step.id] = stay.failure
        if step.kind.endswith("Scheduled") and stay.type == "Task":
            stay.attempts += 1
        elif step.kind == "MapStateStarted":
            self._lengths[step.id] = step.number
            if step.before == stay.entered.id:
                stay.total = self._length(stay, step.id)
        elif step.kind in ("MapIterationStarted", "MapIterationSucceeded") and step.name == stay.name:
            if step.kind == "MapIterationStarted":
                self._count_attempt(stay, step)
            elif stay.done is not None:
                stay.done.add(step.number)
        if step.is_failure or step.kind == "ExecutionFailed":
            # The container or the execution fails last; its event points to the failure inside it.
            self._note_place(stay, step)

    def _note_place(self, stay: Stay, step: Step) -> None:
        place = self._state[step.id]
        body = self._definition.all_states.get(place or "")
        is_inside = body is not None and place not in self._definition.states and not is_added(str(place), body)
        stay.failed_in = place if is_inside else None

    def _count_attempt(self, stay: Stay, step: Step) -> None:
        """Restart the count where a container was retried: an inner step then follows another start."""
        start = step.before
        if self._kinds.get(start) not in _STARTED or start in self._starts:
            return
        if self._starts and stay.done is not None:
            stay.done.clear()
        self._starts.add(start)
        stay.attempts = len(self._starts)
        if start in self._lengths:
            stay.total = self._length(stay, start)

    def _length(self, stay: Stay, start: int) -> int | None:
        # A Distributed Map that reads its items from S3 does not know their number when it starts, and gives 0.
        least = 0 if stay.done is not None else 1
        return length if (length := self._lengths[start]) >= least else None


def _text(details: Mapping[str, Any], name: str) -> str | None:
    value = details.get(name)
    return value if isinstance(value, str) else None


def _child(kind: str, details: Mapping[str, Any]) -> str | None:
    if kind == "MapRunStarted":
        return _text(details, "mapRunArn")
    if kind not in ("TaskSubmitted", "TaskSucceeded") or not str(details.get("resource")).startswith("startExecution"):
        return None
    output = _parsed(_text(details, "output") or "null")
    return _text(output, "ExecutionArn") if isinstance(output, dict) else None


def _resuming(given: str) -> Mapping[str, Any]:
    document = _parsed(given)
    resuming = document.get("resuming") if isinstance(document, dict) else None
    return resuming if isinstance(resuming, dict) else {}


def _delay(resuming: Mapping[str, Any]) -> float:
    delay = resuming.get("delaySeconds")
    if not isinstance(delay, int | float) or isinstance(delay, bool):
        return 0
    return delay if 0 <= delay <= MAX_WAIT_SECONDS else 0


def _kept(resuming: Mapping[str, Any]) -> tuple[int | None, frozenset[int]]:
    """Read from a record (docs/inside.md) how many elements a container has and which of them are finished."""
    variables, elements = resuming.get("variables"), resuming.get("inside")
    numbers = variables.get(variable(0)) if isinstance(variables, dict) else None
    if not isinstance(numbers, list) or not isinstance(elements, list):
        return None, frozenset()
    finished = [at for at, element in enumerate(elements) if isinstance(element, dict) and "output" in element]
    return len(numbers), frozenset(place for place, number in enumerate(numbers) if number in finished)


def _parsed(text: str) -> Any:
    try:
        return jsontext.parse(text)
    except ValueError:
        return None
