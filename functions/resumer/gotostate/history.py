"""Where an execution ended, with what input and which variables, told from its history alone.

Execution at the top level of a state machine is sequential and state names are unique in a machine,
so the last StateEntered event that names a top-level state is the state in which the execution
ended. previousEventId is no guide: after a JSONata error it skips the failing state (measured on
histories that were recorded on AWS).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gotostate import jsontext
from gotostate.definition import Definition
from gotostate.errors import DefinitionError, HistoryError, NotFailedError

HistoryEvent = Mapping[str, Any]

# A Fail state is resumed before it, at work that can be done again; Pass, Wait and Choice do none.
WORK = ("Task", "Map", "Parallel")

_ENDED = {
    "ExecutionFailed": ("FAILED", "executionFailedEventDetails"),
    "ExecutionTimedOut": ("TIMED_OUT", "executionTimedOutEventDetails"),
    "ExecutionAborted": ("ABORTED", "executionAbortedEventDetails"),
}


class Why(StrEnum):
    """The rule by which the state to resume from was chosen."""

    ENDED_IN = "the state it ended in"
    FOLLOWED = "the state it ended in had finished, so the one after it"
    CAUGHT = "it ended in a Fail state; this is the nearest earlier state whose error was caught"
    WORKED = "it ended in a Fail state and no error was caught; this is the nearest earlier Task, Map or Parallel"
    START = "it entered no state, so it starts at the beginning"
    AGAIN = "it ended before it entered the state that it was to resume from"
    NOTHING = "it ended in a Fail state and did no work before it, so there is nothing to resume"
    REJECTED = "its input names no state that could be entered, so there is nothing to resume"


@dataclass(frozen=True)
class FailurePoint:
    """Where and why an execution ended, and from where it can go on.

    ended_in: name of the state it ended in; None if it entered none.
    resume_from: name of the state to enter again; None where there is nothing to resume.
    input: that state's input as JSON text; None with resume_from.
    variables: name to JSON text, as they stood when that state was entered.
    """

    status: str
    error: str | None
    cause: str | None
    ended_in: str | None
    resume_from: str | None
    input: str | None
    variables: Mapping[str, str]
    why: Why


@dataclass(frozen=True)
class _Ending:
    status: str
    error: str | None
    cause: str | None


@dataclass
class _Exit:
    """A top-level StateExited event, and whether what came right before it was a failure."""

    event: HistoryEvent
    assigned: Mapping[str, str]
    previous_id: int
    caught: bool = False
    next_is_before: bool = True

    def look_at(self, event: HistoryEvent) -> None:
        """See an earlier event; the one before in the list and the one before by id tell of a catch."""
        if self.next_is_before or event["id"] == self.previous_id:
            self.caught = self.caught or _is_failure(event["type"])
        self.next_is_before = False


@dataclass(frozen=True)
class Visit:
    """One stay in a top-level state: from its StateEntered event to its StateExited event.

    exited: the StateExited event; None where the state was never left.
    """

    name: str
    input: str
    exited: HistoryEvent | None = None
    assigned: Mapping[str, str] = field(default_factory=dict)
    caught: bool = False


def locate(events: Iterable[HistoryEvent], definition: Definition, *, every_event: bool = False) -> FailurePoint:
    """Find the top-level state in which an execution ended, and from which it can go on.

    events: newest first, as GetExecutionHistory returns them with reverseOrder. Reading stops as
    soon as the answer is known, so a lazy iterator of pages costs only the pages it needs; only a
    definition that assigns variables makes it read to the start.
    every_event: read to the start in any case, for a history whose definition may not be the very
    one that ran, so that it cannot be trusted to say that there are no variables.

    Raises NotFailedError when the execution succeeded or still runs, HistoryError when a needed
    part of the history is missing, DefinitionError when the history is of another definition.
    """
    reader = iter(events)
    ending = _read_ending(reader)
    visits = _Visits(reader, definition)
    to_start = every_event or bool(definition.variable_names)
    last = next(visits, None)
    if last is None:
        return _from_start(ending, visits, definition, ended_in=None)
    if last.name in definition.router_states:
        return _in_router(ending, last, visits, definition)
    if definition.type_of(last.name) == "Fail":
        return _before_fail(ending, last, visits, definition, to_start=to_start)
    variables: dict[str, str] = {}
    target, given, why = last.name, last.input, Why.ENDED_IN
    following = definition.states[last.name].get("Next")
    if last.exited and following in definition.states and not last.caught:
        # It ended between two states (event 25,000, or a time-out): to enter the finished one
        # would do its work twice. A Choice has no Next of its own: it is entered again, at no cost.
        output = _payload(last.exited, _details(last.exited, "stateExitedEventDetails"), "output")
        target, given, why = following, output, Why.FOLLOWED
        variables.update(last.assigned)
    if to_start:
        visits.collect(variables)
    return _point(ending, last.name, target, given, variables, why)


def last_visit(events: Iterable[HistoryEvent], definition: Definition, state: str) -> FailurePoint | None:
    """Find the last time that an execution entered a given top-level state; None if it never did.

    Takes and raises what locate does; the variables are those at that entry.
    """
    reader = iter(events)
    ending = _read_ending(reader)
    visits = _Visits(reader, definition)
    ended_in = None
    for visit in visits:
        ended_in = ended_in or visit.name
        if visit.name == state:
            variables: dict[str, str] = {}
            if definition.variable_names:
                visits.collect(variables)
            return _point(ending, ended_in, state, visit.input, variables, Why.ENDED_IN)
    return None


def _read_ending(reader: Iterator[HistoryEvent]) -> _Ending:
    # On AWS the newest event is the end; on the emulator a few events of siblings may follow it.
    for event in reader:
        kind = event["type"]
        if kind in _ENDED:
            status, details_name = _ENDED[kind]
            details = event.get(details_name) or {}
            if not isinstance(details, Mapping):
                raise HistoryError(f"{_told(event)} has no object {details_name}")
            return _Ending(status, details.get("error"), details.get("cause"))
        if kind == "ExecutionSucceeded":
            raise NotFailedError("the execution succeeded; there is nothing to resume")
        if kind == "ExecutionRedriven":
            raise NotFailedError("the execution was redriven and runs again; wait until it has ended")
    raise NotFailedError(
        "the history holds no end of the execution: it still runs, or the history is cut off; "
        "wait until it has failed, or read the whole history"
    )


class _Visits(Iterator[Visit]):
    """The visits to top-level states, newest first; reads no further than the visit that is asked for."""

    def __init__(self, events: Iterator[HistoryEvent], definition: Definition) -> None:
        self.start: HistoryEvent | None = None
        self._definition = definition
        self._visits = self._read(events)

    def __next__(self) -> Visit:
        return next(self._visits)

    def collect(self, variables: dict[str, str]) -> None:
        """Read to the start and add each variable's last value, unless there is a later one already."""
        for visit in self:
            _add_older(variables, visit.assigned)

    def _read(self, events: Iterator[HistoryEvent]) -> Iterator[Visit]:
        left: _Exit | None = None
        visited = other_state = None
        for event in events:
            kind = event["type"]
            if left:
                left.look_at(event)
            if kind.endswith("StateExited"):
                details = _details(event, "stateExitedEventDetails")
                if _name(event, details) in self._definition.states:
                    left = _exit(event, details)
            elif kind.endswith("StateEntered"):
                details = _details(event, "stateEnteredEventDetails")
                name = _name(event, details)
                if name not in self._definition.states:
                    other_state = name
                    continue
                visited = name
                given = _payload(event, details, "input")
                yield Visit(name, given, left.event, left.assigned, left.caught) if left else Visit(name, given)
                left = None
            elif kind == "ExecutionStarted":
                self.start = event
        if other_state and not visited:
            raise DefinitionError(
                f"the execution entered {other_state!r}, which the definition does not have; "
                "give the definition that the execution ran with"
            )
        if self.start is None:
            raise HistoryError(
                "the history does not go back to ExecutionStarted, so the variables or the state could be wrong; "
                "read the whole history"
            )


def _before_fail(
    ending: _Ending, fail: Visit, visits: _Visits, definition: Definition, *, to_start: bool
) -> FailurePoint:
    worked: Visit | None = None
    variables: dict[str, str] = {}
    for visit in visits:
        if visit.name in definition.router_states:
            _add_older(variables, visit.assigned)
            continue
        if visit.caught:
            variables = {}
            if to_start:
                visits.collect(variables)
            return _point(ending, fail.name, visit.name, visit.input, variables, Why.CAUGHT)
        if worked:
            _add_older(variables, visit.assigned)
        elif definition.type_of(visit.name) in WORK:
            worked = visit
            variables = {}
    if worked:
        return _point(ending, fail.name, worked.name, worked.input, variables, Why.WORKED)
    return _point(ending, fail.name, None, None, {}, Why.NOTHING)


def _in_router(ending: _Ending, last: Visit, visits: _Visits, definition: Definition) -> FailurePoint:
    if definition.type_of(last.name) == "Fail":
        return _point(ending, last.name, None, None, {}, Why.REJECTED)
    visits.collect({})
    return _from_start(ending, visits, definition, ended_in=last.name)


def _from_start(ending: _Ending, visits: _Visits, definition: Definition, *, ended_in: str | None) -> FailurePoint:
    assert visits.start, "all visits were read"
    given = _payload(visits.start, _details(visits.start, "executionStartedEventDetails"), "input")
    if definition.is_gotostate:
        return _from_router_input(ending, given, definition, ended_in)
    return _point(ending, ended_in, definition.document["StartAt"], given, {}, Why.START)


def _from_router_input(ending: _Ending, text: str, definition: Definition, ended_in: str | None) -> FailurePoint:
    """Tell where a GoToState execution was going when it ended before it got there."""
    source_start, target = definition.route
    try:
        resuming_text = jsontext.members(text).get("resuming", "false")
    except ValueError:
        resuming_text = "false"  # no object, so it starts at the beginning
    resuming = jsontext.parse(resuming_text)
    if resuming is False:
        return _point(ending, ended_in, source_start, text, {}, Why.START)
    if resuming is True:
        return _point(ending, ended_in, target, text, {}, Why.AGAIN)
    if (
        not isinstance(resuming, dict)
        or resuming.get("state") not in definition.enterable_states
        or "input" not in resuming
        or not isinstance(resuming.get("variables", {}), dict)
    ):
        return _point(ending, ended_in, None, None, {}, Why.REJECTED)
    parts = jsontext.members(resuming_text)
    variables = jsontext.members(parts.get("variables", "{}"))
    return _point(ending, ended_in, resuming["state"], parts["input"], variables, Why.AGAIN)


def _point(
    ending: _Ending,
    ended_in: str | None,
    resume_from: str | None,
    given: str | None,
    variables: Mapping[str, str],
    why: Why,
) -> FailurePoint:
    for name, text in (("input", given or "null"), *variables.items()):
        try:
            jsontext.parse(text)
        except ValueError as error:
            raise HistoryError(
                f"the history's {name} of {resume_from!r} is not JSON ({error}); read it again"
            ) from error
    return FailurePoint(
        ending.status, ending.error, ending.cause, ended_in, resume_from, given, dict(sorted(variables.items())), why
    )


def _add_older(variables: dict[str, str], older: Mapping[str, str]) -> None:
    for name, value in older.items():
        variables.setdefault(name, value)


def _is_failure(kind: str) -> bool:
    return kind.endswith(("Failed", "TimedOut")) and not kind.startswith("Execution")


def _exit(event: HistoryEvent, details: Mapping[str, Any]) -> _Exit:
    assigned = details.get("assignedVariables") or {}
    if not isinstance(assigned, Mapping) or not all(isinstance(text, str) for text in assigned.values()):
        raise HistoryError(f"{_told(event)} has no object assignedVariables of JSON texts")
    return _Exit(event, assigned, event.get("previousEventId", 0))


def _name(event: HistoryEvent, details: Mapping[str, Any]) -> str:
    name = details.get("name")
    if not isinstance(name, str):
        raise HistoryError(f"{_told(event)} has no name of a state")
    return name


def _details(event: HistoryEvent, name: str) -> Mapping[str, Any]:
    details = event.get(name)
    if not isinstance(details, Mapping):
        raise HistoryError(f"{_told(event)} has no {name}; read the whole history again")
    return details


def _told(event: HistoryEvent) -> str:
    return f"event {event.get('id')} ({event.get('type')})"


def _payload(event: HistoryEvent, details: Mapping[str, Any], name: str) -> str:
    text, about = details.get(name), details.get(f"{name}Details")
    if not isinstance(text, str) or (isinstance(about, Mapping) and about.get("truncated")):
        raise HistoryError(
            f"{_told(event)} has no complete {name}; read the history with its execution data (includeExecutionData)"
        )
    return text
