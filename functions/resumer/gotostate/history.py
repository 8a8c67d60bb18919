"""Where an execution ended, with what input and which variables, as its history alone shows.

Execution at the top level of a state machine is sequential and state names are unique in a machine,
so the last StateEntered event that names a top-level state is the state in which the execution
ended. previousEventId is no guide to it: after a JSONata error it skips the failing state (measured
on histories that were recorded on AWS).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gotostate import jsontext
from gotostate.containers import is_container, variable
from gotostate.definition import Definition
from gotostate.errors import HistoryError
from gotostate.events import HistoryEvent, details_of, payload, succeeded_output
from gotostate.progress import Steps
from gotostate.visits import Ending, Reader, Reported, Trail, Visit, add_older

# An execution that ended in a Fail state is resumed at an earlier state that does work; Pass, Wait and Choice do none.
WORK = ("Task", "Map", "Parallel")

# A state's own work is done; what may still fail is its ResultSelector, Output, ResultPath or Assign.
_TASK_SUCCEEDED = ("TaskSucceeded", "LambdaFunctionSucceeded", "ActivitySucceeded")
_CONTAINER_SUCCEEDED = ("ParallelStateSucceeded", "MapStateSucceeded", "MapRunSucceeded")
_AFTER_WORK = ("Output", "Assign", "ResultSelector")
# Errors that Step Functions itself raises while it processes data.
PROCESSING_ERRORS = (
    "States.Runtime",
    "States.QueryEvaluationError",
    "States.DataLimitExceeded",
    "States.IntrinsicFailure",
    "States.ParameterPathFailure",
    "States.ResultPathMatchFailure",
)

# How AWS names the state in which it failed to process data.
_NAMED = re.compile(r"An error occurred while executing the state '(.*)' \(entered at the event id #\d+\)", re.DOTALL)


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
class FailurePoint:
    """Where and why an execution ended, and from where it can continue.

    ended_in: name of the state it ended in; None if it entered none.
    resume_from: name of the state to enter again; None where there is nothing to resume.
    input: that state's input as JSON text; None with resume_from.
    variables: name to JSON text, as they stood when that state was entered.
    output: JSON text of the output of finished work that need not be repeated (Why.FINISHED, Why.DONE).
    steps: what happened inside a Parallel or Map, where that is the state to resume from; None otherwise.
    failed_state: the state that AWS names as the one that failed, also inside a container; None where it names none.
    held: JSON text of the variable by which an opened container finds its record (inside.py), as it stood then.
    """

    ending: Ending
    ended_in: str | None
    resume_from: str | None
    input: str | None
    variables: Mapping[str, str]
    why: Why
    output: str | None = None
    steps: Steps | None = field(default=None, repr=False)
    held: str | None = None
    failed_state: str | None = None


def locate(
    events: Iterable[HistoryEvent],
    definition: Definition,
    *,
    reported: Reported | None = None,
    every_event: bool = False,
) -> FailurePoint:
    """Find the top-level state in which an execution ended, and the one from which it can continue.

    events: newest first, as GetExecutionHistory returns them with reverseOrder. Reading stops as
    soon as the answer is known, so a lazy iterator of pages costs only the pages it needs; only a
    definition that assigns variables, or a redrive, makes it read on.
    every_event: read to the start in any case, for a history whose definition may not be the very
    one that ran, so that it cannot be trusted to say that there are no variables.

    Raises NotFailedError when the execution succeeded or was redriven since, StillRunningError when
    the history does not show the reported end (yet), HistoryError when a needed part of the history
    is missing, DefinitionError when the history is of another definition.
    """
    reader = Reader(iter(events), definition)
    reader.read_ending(reported)
    to_start = every_event or bool(definition.variable_names)
    point = _locate(reader, definition, to_start=to_start)
    earlier = reader.earlier_endings(reported)
    return _checked(replace(point, ending=replace(point.ending, earlier=earlier)))


def success(events: Iterable[HistoryEvent], definition: Definition) -> FailurePoint:
    """Tell how an execution that succeeded ended; as it stands, there is nothing to resume.

    Takes and raises what locate does, but NotFailedError only where it runs again.
    """
    reader = Reader(iter(events), definition)
    reader.read_ending(None, may_have_succeeded=True)
    last = next(reader, None)
    return _point(reader, last.name if last else None, None, None, {}, Why.FINISHED)


def last_visit(
    events: Iterable[HistoryEvent], definition: Definition, state: str, *, may_have_succeeded: bool = False
) -> FailurePoint | None:
    """Find the last time that an execution entered a given top-level state; None if it never did.

    Takes and raises what locate does; the variables are those at that entry.
    may_have_succeeded: take an execution that succeeded as well.
    """
    reader = Reader(iter(events), definition)
    reader.read_ending(None, may_have_succeeded=may_have_succeeded)
    ended_in = None
    for visit in reader:
        ended_in = ended_in or visit.name
        if visit.name == state:
            variables: dict[str, str] = {}
            if definition.variable_names:
                reader.collect(variables)
            return _checked(_point(reader, ended_in, state, visit.input, variables, Why.ENDED_IN))
    return None


def last_variables(
    events: Iterable[HistoryEvent], definition: Definition, *, may_have_succeeded: bool = False
) -> dict[str, str]:
    """Return the variables of an execution as they stood at its end, by name as JSON texts."""
    reader = Reader(iter(events), definition)
    reader.read_ending(None, may_have_succeeded=may_have_succeeded)
    variables: dict[str, str] = {}
    reader.collect(variables)
    return _parted(variables, definition)[0]


def input_of(events: Iterable[HistoryEvent]) -> str:
    """Return the input of the execution as JSON text. Raises HistoryError when the history lacks it."""
    for event in events:
        if event["type"] == "ExecutionStarted":
            return payload(event, details_of(event, "executionStartedEventDetails"), "input")
    raise HistoryError("the history does not go back to ExecutionStarted; read the whole history")


def _locate(reader: Reader, definition: Definition, *, to_start: bool) -> FailurePoint:
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
    why, output = (
        _judge(reader.trail, definition, last, reader.ending.error) if not last.exited else (Why.ENDED_IN, None)
    )
    variables = {}
    if to_start:
        reader.collect(variables)
    point = _point(reader, last.name, last.name, last.input, variables, why, output)
    inside = is_container(definition.states[last.name]) and not last.exited
    return replace(point, steps=reader.trail.steps, failed_state=_failed_state(reader)) if inside else point


def _failed_state(reader: Reader) -> str | None:
    if isinstance(named := reader.trail.evaluation.get("state"), str):
        return named
    found = _NAMED.match(reader.ending.cause or "")
    return found[1] if found else None


def _judge(trail: Trail, definition: Definition, last: Visit, error: str | None) -> tuple[Why, str | None]:
    """Tell by which rule the last state is entered again, and the output of its finished work, if it is on record.

    error: the error with which the execution ended.
    """
    container = is_container(definition.states[last.name])
    if container and trail.fail_state:
        return Why.FAIL_INSIDE, None
    kind = trail.newest["type"] if trail.newest else ""
    failed_state = definition.all_states.get(str(trail.evaluation.get("state")), {})
    after_work = str(trail.evaluation.get("location", "")).startswith(_AFTER_WORK)
    if container:
        # The work that succeeded last may be a sibling of the work that failed, unless processing failed.
        done = error in PROCESSING_ERRORS and kind in (*_CONTAINER_SUCCEEDED, *_TASK_SUCCEEDED)
    else:
        done = kind in _TASK_SUCCEEDED
    if not done and not (after_work and failed_state.get("Type") in WORK):
        return Why.ENDED_IN, None
    return Why.DONE, succeeded_output(trail.newest) if trail.newest and not container else None


def _before_fail(reader: Reader, fail: Visit, definition: Definition, *, to_start: bool) -> FailurePoint:
    worked: Visit | None = None
    caught_is_known = False
    between: list[str] = []
    variables: dict[str, str] = {}
    for visit in reader:
        if visit.name not in definition.router_states:
            if visit.caught and not caught_is_known:
                caught_is_known = True
                # The path after a Catch is part of the error handling until it reaches a state that the normal path
                # leads to as well: from there on the error was handled, and the Fail state has another reason.
                if not set(between) & set(definition.reachable(visit.name, by_catch=False)):
                    variables = {}
                    if to_start:
                        reader.collect(variables)
                    return _point(reader, fail.name, visit.name, visit.input, variables, Why.CAUGHT)
            between.append(visit.name)
            if worked is None and definition.type_of(visit.name) in WORK:
                worked, variables = visit, {}
                continue
        add_older(variables, visit.assigned)
        if worked and caught_is_known and not to_start:
            break
    if worked:
        return _point(reader, fail.name, worked.name, worked.input, variables, Why.WORKED)
    return _point(reader, fail.name, None, None, {}, Why.NOTHING)


def _in_router(reader: Reader, last: Visit, definition: Definition) -> FailurePoint:
    if definition.type_of(last.name) == "Fail":
        return _point(reader, last.name, None, None, {}, Why.REJECTED)
    reader.collect({})
    return _from_start(reader, definition, ended_in=last.name)


def _from_start(reader: Reader, definition: Definition, *, ended_in: str | None) -> FailurePoint:
    assert reader.start, "all visits were read"
    given = payload(reader.start, details_of(reader.start, "executionStartedEventDetails"), "input")
    if definition.is_gotostate:
        return _from_router_input(reader, given, definition, ended_in)
    return _point(reader, ended_in, definition.document["StartAt"], given, {}, Why.START)


def _from_router_input(reader: Reader, text: str, definition: Definition, ended_in: str | None) -> FailurePoint:
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
    reader: Reader,
    ended_in: str | None,
    resume_from: str | None,
    given: str | None,
    variables: Mapping[str, str],
    why: Why,
    output: str | None = None,
) -> FailurePoint:
    own, held = _parted(variables, reader.definition)
    return FailurePoint(reader.ending, ended_in, resume_from, given, own, why, output, held=held)


def _parted(variables: Mapping[str, str], definition: Definition) -> tuple[dict[str, str], str | None]:
    """Part the machine's own variables from the one that was added to it."""
    own = dict(sorted(variables.items()))
    return own, own.pop(variable(0), None) if definition.opened else None


def _checked(point: FailurePoint) -> FailurePoint:
    given = "null" if point.input is None else point.input
    for name, text in (("input", given), *point.variables.items()):
        try:
            jsontext.parse(text)
        except ValueError as error:
            raise HistoryError(
                f"the history's {name} of {point.resume_from!r} is not JSON ({error}); read it again"
            ) from error
    return point
