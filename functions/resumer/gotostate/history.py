"""Where an execution ended, with what input and which variables, told from its history alone.

Execution at the top level of a state machine is sequential and state names are unique in a machine,
so the last StateEntered event that names a top-level state is the state in which the execution
ended. previousEventId is no guide to it: after a JSONata error it skips the failing state (measured
on histories that were recorded on AWS).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from gotostate import jsontext
from gotostate.definition import Definition
from gotostate.errors import DefinitionError, HistoryError, NotFailedError, StillRunningError
from gotostate.events import (
    HistoryEvent,
    assigned_variables,
    details_of,
    optional_details,
    payload,
    seconds,
    state_name,
    succeeded_output,
)

# A Fail state is resumed before it, at work that can be done again; Pass, Wait and Choice do none.
WORK = ("Task", "Map", "Parallel")

_ENDED = {
    "ExecutionFailed": ("FAILED", "executionFailedEventDetails"),
    "ExecutionTimedOut": ("TIMED_OUT", "executionTimedOutEventDetails"),
    "ExecutionAborted": ("ABORTED", "executionAbortedEventDetails"),
}
# A state's own work is done; what may still fail is its ResultSelector, Output, ResultPath or Assign.
_TASK_SUCCEEDED = ("TaskSucceeded", "LambdaFunctionSucceeded", "ActivitySucceeded")
_CONTAINER_SUCCEEDED = ("ParallelStateSucceeded", "MapStateSucceeded", "MapRunSucceeded")
_AFTER_WORK = ("Output", "Assign", "ResultSelector")
# Errors that Step Functions itself raises while it processes data.
_PROCESSING_ERRORS = (
    "States.Runtime",
    "States.QueryEvaluationError",
    "States.DataLimitExceeded",
    "States.IntrinsicFailure",
    "States.ParameterPathFailure",
    "States.ResultPathMatchFailure",
)
# A report and the history give the time of the same end; between two ends lies a redrive, which takes longer.
_SAME_END_SECONDS = 1.0


class Why(StrEnum):
    """The rule by which the state to resume from was chosen."""

    ENDED_IN = "the state it ended in"
    FOLLOWED = "the state it ended in had finished, so the one after it"
    FINISHED = "the last state had finished, so nothing is left to run"
    DONE = "the work of the state it ended in succeeded, and then its result could not be processed"
    CAUGHT = "it ended in a Fail state; this is the nearest earlier state whose error was caught"
    WORKED = "it ended in a Fail state and no error was caught; this is the nearest earlier Task, Map or Parallel"
    FAIL_INSIDE = "it ended in a Fail state inside this Parallel or Map"
    START = "it entered no state, so it starts at the beginning"
    AGAIN = "it ended before it entered the state that it was to resume from"
    NOTHING = "it ended in a Fail state and did no work before it, so there is nothing to resume"
    REJECTED = "its input names no state that could be entered, so there is nothing to resume"


@dataclass(frozen=True)
class Reported:
    """What is known of an end before the history is read; a history that does not show it yet is behind.

    redrives: how often the execution had been redriven; stopped: when it ended, in seconds since the epoch.
    """

    redrives: int
    stopped: float | None = None


@dataclass(frozen=True)
class Ending:
    """The event with which an execution ended.

    id: of that event; together with the execution's ARN it tells one failure from every other.
    earlier: ids of the ends before it, newest first, where the execution was redriven.
    """

    id: int
    status: str
    error: str | None
    cause: str | None
    earlier: tuple[int, ...] = ()


@dataclass(frozen=True)
class FailurePoint:
    """Where and why an execution ended, and from where it can go on.

    ended_in: name of the state it ended in; None if it entered none.
    resume_from: name of the state to enter again; None where there is nothing to resume.
    input: that state's input as JSON text; None with resume_from.
    variables: name to JSON text, as they stood when that state was entered.
    output: JSON text of what finished work gave, where that work needs no repeat (Why.FINISHED, Why.DONE).
    """

    ending: Ending
    ended_in: str | None
    resume_from: str | None
    input: str | None
    variables: Mapping[str, str]
    why: Why
    output: str | None = None


@dataclass
class _Exit:
    """A top-level StateExited event, and whether what came right before it was a failure."""

    event: HistoryEvent
    caught: bool = False
    next_is_before: bool = True

    def look_at(self, event: HistoryEvent) -> None:
        """See an earlier event: an error was caught if the one before, in the list or by id, is a failure."""
        if self.next_is_before or event["id"] == self.event.get("previousEventId", 0):
            self.caught = self.caught or _is_failure(event["type"])
        self.next_is_before = False


@dataclass(frozen=True)
class Visit:
    """One stay in a top-level state: from its StateEntered event to its StateExited event (None: never left)."""

    name: str
    entered: HistoryEvent
    exited: HistoryEvent | None = None
    caught: bool = False

    @property
    def input(self) -> str:
        """The state's input as JSON text. Raises HistoryError when the history lacks it."""
        return payload(self.entered, details_of(self.entered, "stateEnteredEventDetails"), "input")

    @property
    def output(self) -> str:
        """The state's output as JSON text. Raises HistoryError when the history lacks it."""
        assert self.exited
        return payload(self.exited, details_of(self.exited, "stateExitedEventDetails"), "output")

    @property
    def assigned(self) -> Mapping[str, str]:
        """The variables that were assigned when the state was left."""
        return assigned_variables(self.exited) if self.exited else {}


def locate(
    events: Iterable[HistoryEvent],
    definition: Definition,
    *,
    reported: Reported | None = None,
    every_event: bool = False,
) -> FailurePoint:
    """Find the top-level state in which an execution ended, and from which it can go on.

    events: newest first, as GetExecutionHistory returns them with reverseOrder. Reading stops as
    soon as the answer is known, so a lazy iterator of pages costs only the pages it needs; only a
    definition that assigns variables, or a redrive, makes it read on.
    every_event: read to the start in any case, for a history whose definition may not be the very
    one that ran, so that it cannot be trusted to say that there are no variables.

    Raises NotFailedError when the execution succeeded or was redriven since, StillRunningError when
    the history does not show the reported end (yet), HistoryError when a needed part of the history
    is missing, DefinitionError when the history is of another definition.
    """
    reader = _Reader(iter(events), definition)
    reader.read_ending(reported)
    to_start = every_event or bool(definition.variable_names)
    point = _locate(reader, definition, to_start=to_start)
    earlier = reader.earlier_endings(reported)
    return _checked(replace(point, ending=replace(point.ending, earlier=earlier)))


def last_visit(events: Iterable[HistoryEvent], definition: Definition, state: str) -> FailurePoint | None:
    """Find the last time that an execution entered a given top-level state; None if it never did.

    It may have succeeded as well. Takes and raises what locate does; the variables are those at that entry.
    """
    reader = _Reader(iter(events), definition)
    reader.read_ending(None)
    ended_in = None
    for visit in reader:
        ended_in = ended_in or visit.name
        if visit.name == state:
            variables: dict[str, str] = {}
            if definition.variable_names:
                reader.collect(variables)
            return _checked(_point(reader, ended_in, state, visit.input, variables, Why.ENDED_IN))
    return None


def last_variables(events: Iterable[HistoryEvent], definition: Definition) -> dict[str, str]:
    """Return the variables of an execution as they stood at its end, by name as JSON texts."""
    reader = _Reader(iter(events), definition)
    reader.read_ending(None)
    variables: dict[str, str] = {}
    reader.collect(variables)
    return variables


def _locate(reader: "_Reader", definition: Definition, *, to_start: bool) -> FailurePoint:
    last = next(reader, None)
    if last is None:
        return _from_start(reader, definition, ended_in=None)
    if last.name in definition.router_states:
        return _in_router(reader, last, definition)
    if definition.type_of(last.name) == "Fail":
        return _before_fail(reader, last, definition, to_start=to_start)
    if last.exited and not last.caught and not last.exited["type"].startswith("Choice"):
        # It ended between two states (event 25,000, or a time-out): to enter the finished one
        # would do its work twice. A Choice has no Next of its own: it is entered again, at no cost.
        following = definition.states[last.name].get("Next")
        if following not in definition.states:
            return _point(reader, last.name, None, None, {}, Why.FINISHED, last.output)
        variables = dict(last.assigned)
        if to_start:
            reader.collect(variables)
        return _point(reader, last.name, following, last.output, variables, Why.FOLLOWED)
    why, output = reader.trail.judge(definition, last, reader.ending.error) if not last.exited else (Why.ENDED_IN, None)
    variables = {}
    if to_start:
        reader.collect(variables)
    return _point(reader, last.name, last.name, last.input, variables, why, output)


class _Trail:
    """What happened inside the last state before the execution ended, seen newest first.

    newest: the newest event that tells of work; evaluation: details of a JSONata error that came after it.
    fail_state: whether a Fail state inside was entered whose failure nothing inside caught.
    """

    def __init__(self) -> None:
        self.newest: HistoryEvent | None = None
        self.evaluation: Mapping[str, Any] = {}
        self.fail_state = False
        # Ids of failures that a Catch or Retry of an inner container took up.
        self._recovered: set[int] = set()

    def look_at(self, event: HistoryEvent) -> None:
        kind, previous = event["type"], event.get("previousEventId", 0)
        if kind.endswith(("StateExited", "StateStarted")):
            self._recovered.add(previous)
        elif kind.endswith(("StateFailed", "IterationFailed")):
            if event["id"] in self._recovered:
                self._recovered.add(previous)
            return
        elif kind == "FailStateEntered":
            self.fail_state = self.fail_state or event["id"] not in self._recovered
        if kind.endswith("Aborted"):
            return
        if self.newest is None:
            if kind == "EvaluationFailed" and not self.evaluation:
                self.evaluation = optional_details(event, "evaluationFailedEventDetails")
            else:
                self.newest = event

    def judge(self, definition: Definition, last: Visit, error: str | None) -> tuple[Why, str | None]:
        """Tell by which rule the last state is entered again, and what its finished work gave, if it is on record.

        error: the error with which the execution ended.
        """
        container = definition.type_of(last.name) in ("Map", "Parallel")
        if container and self.fail_state:
            return Why.FAIL_INSIDE, None
        kind = self.newest["type"] if self.newest else ""
        failed_state = definition.all_states.get(str(self.evaluation.get("state")), {})
        after_work = str(self.evaluation.get("location", "")).startswith(_AFTER_WORK)
        if container:
            inside = error in _PROCESSING_ERRORS and kind in _TASK_SUCCEEDED
            done = kind in _CONTAINER_SUCCEEDED or inside
        else:
            done = kind in _TASK_SUCCEEDED
        if not done and not (after_work and failed_state.get("Type") in WORK):
            return Why.ENDED_IN, None
        return Why.DONE, succeeded_output(self.newest) if self.newest and not container else None


class _Reader(Iterator[Visit]):
    """The visits to top-level states, newest first; reads no further than the visit that is asked for."""

    def __init__(self, events: Iterator[HistoryEvent], definition: Definition) -> None:
        self.start: HistoryEvent | None = None
        self.trail = _Trail()
        self._events = events
        self._definition = definition
        self._ending: Ending | None = None
        self._stopped: float | None = None
        # Of each redrive that was passed: its number and the id of the end that it undid, newest first.
        self._redrives: list[tuple[int, int]] = []
        self._visits = self._read()

    def __next__(self) -> Visit:
        return next(self._visits)

    @property
    def ending(self) -> Ending:
        """How the execution ended."""
        assert self._ending, "read_ending comes first"
        return self._ending

    def read_ending(self, reported: Reported | None) -> None:
        """Read the end of the execution. On AWS it is the newest event; the emulator may add some of siblings."""
        for event in self._events:
            kind = event["type"]
            if kind in _ENDED:
                status, details_name = _ENDED[kind]
                details = optional_details(event, details_name)
                self._ending = Ending(event["id"], status, details.get("error"), details.get("cause"))
                self._stopped = seconds(event.get("timestamp"))
                return
            if kind == "ExecutionSucceeded":
                raise NotFailedError("the execution succeeded; there is nothing to resume")
            if kind == "ExecutionRedriven" and (not reported or _redrive_of(event)[0] > reported.redrives):
                raise NotFailedError("the execution was redriven and runs again; wait until it has ended")
        raise StillRunningError(
            "the history holds no end of the execution: it still runs, or the history is cut off; "
            "wait until it has failed, or read the whole history"
        )

    def earlier_endings(self, reported: Reported | None) -> tuple[int, ...]:
        """Return the ids of the ends before a redrive, newest first; reads on only where there was a redrive.

        Raises StillRunningError when the history ends before the reported redrive: it is behind.
        """
        if reported is None:
            return ()
        since = self._stopped and reported.stopped and self._stopped > reported.stopped + _SAME_END_SECONDS
        if reported.redrives or since or self._redrives:
            while not (self._redrives and self._redrives[-1][0] <= 1) and next(self, None):
                pass
        if reported.redrives > max((number for number, _ in self._redrives), default=0):
            raise StillRunningError(f"the history does not show redrive {reported.redrives} of the execution yet")
        return tuple(undone for _, undone in self._redrives)

    def collect(self, variables: dict[str, str]) -> None:
        """Read to the start and add each variable's last value, unless there is a later one already."""
        for visit in self:
            _add_older(variables, visit.assigned)

    def _read(self) -> Iterator[Visit]:
        left: _Exit | None = None
        visited = False
        for event in self._events:
            kind = event["type"]
            if left:
                left.look_at(event)
            if not visited:
                self.trail.look_at(event)
            if kind.endswith("StateExited"):
                if state_name(event, details_of(event, "stateExitedEventDetails")) in self._definition.states:
                    left = _Exit(event)
            elif kind.endswith("StateEntered"):
                if (name := self._entered(event)) in self._definition.states:
                    visited = True
                    yield Visit(name, event, left.event, left.caught) if left else Visit(name, event)
                    left = None
            else:
                self._note(event)
        if self.start is None:
            raise HistoryError(
                "the history does not go back to ExecutionStarted, so the variables or the state could be wrong; "
                "read the whole history"
            )

    def _entered(self, event: HistoryEvent) -> str:
        name = state_name(event, details_of(event, "stateEnteredEventDetails"))
        if name not in self._definition.all_states:
            raise DefinitionError(
                f"the execution entered {name!r}, which the definition does not have; "
                "give the definition that the execution ran with"
            )
        return name

    def _note(self, event: HistoryEvent) -> None:
        if event["type"] == "ExecutionRedriven":
            self._redrives.append(_redrive_of(event))
        elif event["type"] == "ExecutionStarted":
            self.start = event


def _before_fail(reader: _Reader, fail: Visit, definition: Definition, *, to_start: bool) -> FailurePoint:
    worked: Visit | None = None
    caught_is_known = False
    between: list[str] = []
    variables: dict[str, str] = {}
    for visit in reader:
        if visit.name not in definition.router_states:
            if visit.caught and not caught_is_known:
                caught_is_known = True
                # The way on from a Catch is its own until it comes to a state that the normal way leads to as well:
                # from there on the error was dealt with, and the Fail state has another reason.
                if not set(between) & set(definition.reachable(visit.name, by_catch=False)):
                    variables = {}
                    if to_start:
                        reader.collect(variables)
                    return _point(reader, fail.name, visit.name, visit.input, variables, Why.CAUGHT)
            between.append(visit.name)
            if worked is None and definition.type_of(visit.name) in WORK:
                worked, variables = visit, {}
                continue
        _add_older(variables, visit.assigned)
        if worked and caught_is_known and not to_start:
            break
    if worked:
        return _point(reader, fail.name, worked.name, worked.input, variables, Why.WORKED)
    return _point(reader, fail.name, None, None, {}, Why.NOTHING)


def _in_router(reader: _Reader, last: Visit, definition: Definition) -> FailurePoint:
    if definition.type_of(last.name) == "Fail":
        return _point(reader, last.name, None, None, {}, Why.REJECTED)
    reader.collect({})
    return _from_start(reader, definition, ended_in=last.name)


def _from_start(reader: _Reader, definition: Definition, *, ended_in: str | None) -> FailurePoint:
    assert reader.start, "all visits were read"
    given = payload(reader.start, details_of(reader.start, "executionStartedEventDetails"), "input")
    if definition.is_gotostate:
        return _from_router_input(reader, given, definition, ended_in)
    return _point(reader, ended_in, definition.document["StartAt"], given, {}, Why.START)


def _from_router_input(reader: _Reader, text: str, definition: Definition, ended_in: str | None) -> FailurePoint:
    """Tell where a GoToState execution was going when it ended before it got there."""
    source_start, target = definition.route
    try:
        resuming_text = jsontext.members(text).get("resuming", "false")
    except ValueError:
        resuming_text = "false"  # no object, so it starts at the beginning
    resuming = jsontext.parse(resuming_text)
    if resuming is False:
        return _point(reader, ended_in, source_start, text, {}, Why.START)
    if resuming is True and target:
        return _point(reader, ended_in, target, text, {}, Why.AGAIN)
    if (
        not isinstance(resuming, dict)
        or resuming.get("state") not in definition.enterable_states
        or "input" not in resuming
        or not isinstance(resuming.get("variables", {}), dict)
    ):
        return _point(reader, ended_in, None, None, {}, Why.REJECTED)
    parts = jsontext.members(resuming_text)
    variables = jsontext.members(parts.get("variables", "{}"))
    return _point(reader, ended_in, resuming["state"], parts["input"], variables, Why.AGAIN)


def _point(
    reader: _Reader,
    ended_in: str | None,
    resume_from: str | None,
    given: str | None,
    variables: Mapping[str, str],
    why: Why,
    output: str | None = None,
) -> FailurePoint:
    return FailurePoint(reader.ending, ended_in, resume_from, given, dict(sorted(variables.items())), why, output)


def _checked(point: FailurePoint) -> FailurePoint:
    for name, text in (("input", point.input or "null"), *point.variables.items()):
        try:
            jsontext.parse(text)
        except ValueError as error:
            raise HistoryError(
                f"the history's {name} of {point.resume_from!r} is not JSON ({error}); read it again"
            ) from error
    return point


def _add_older(variables: dict[str, str], older: Mapping[str, str]) -> None:
    for name, value in older.items():
        variables.setdefault(name, value)


def _is_failure(kind: str) -> bool:
    # EvaluationFailed counts: a Catch may take up a JSONata error.
    return kind.endswith(("Failed", "TimedOut")) and not kind.startswith("Execution")


def _redrive_of(event: HistoryEvent) -> tuple[int, int]:
    """Return a redrive's number and the id of the end that it undid."""
    number = optional_details(event, "executionRedrivenEventDetails").get("redriveCount", 1)
    return int(number), int(event.get("previousEventId", 0))
