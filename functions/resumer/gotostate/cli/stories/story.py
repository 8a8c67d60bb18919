"""The story of a failure: the executions of a chain in order, and the states that each of them went through.

A chain is an original execution and all its resumes. Times are seconds since the epoch, as far as they are known.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gotostate import resumption
from gotostate.cli.stories.stays import Stay, Step, read_stays, step_of
from gotostate.definition import Definition
from gotostate.events import ENDED_BADLY, SUCCEEDED, HistoryEvent
from gotostate.resumption import SUFFIX, Chain, ExecutionArn

REDRIVEN = "REDRIVEN"

# A state that was visited this often with the same outcome is shown once.
_OFTEN = 3

_TURNS = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionAborted": "ABORTED",
    "ExecutionRedriven": REDRIVEN,
}


class StateOutcome(StrEnum):
    """How a stay in a state ended; a state is open while its execution runs."""

    SUCCEEDED = "succeeded"
    CAUGHT = "caught"
    FAILED = "failed"
    OPEN = "open"


@dataclass(frozen=True)
class StateStory:
    """A top-level state that an execution went through, once or, where it was visited often, many times.

    entered, left: of the first and of the last visit. seconds: spent in it, in all visits that have ended.
    attempts: how often its work was begun, 0 where it has none. id: of the event that entered it first.
    finished, total: branches or iterations of a Parallel or Map; kept: those that earlier executions had finished.
    failed_in: the state inside it in which it failed. children: ARNs of the executions and Map Runs that it started.
    again: whether an earlier execution of the chain had entered it too.
    """

    id: int
    name: str
    type: str
    entered: float | None
    left: float | None
    outcome: StateOutcome
    seconds: float | None = None
    times: int = 1
    attempts: int = 0
    finished: int | None = None
    total: int | None = None
    kept: int = 0
    error: str | None = None
    cause: str | None = None
    failed_in: str | None = None
    children: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True)
class Turn:
    """An end of an execution, or a redrive that undid one; status is AWS's, or REDRIVEN. id: of the event."""

    id: int
    time: float | None
    status: str
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True)
class ExecutionStory:
    """One execution of a chain.

    chain: where it stands in the chain. resumes: ARN of the execution that it resumes, where that was found.
    delay_seconds: for how long GoToState Backoff was to wait; None where it was not entered.
    is_waiting: whether it did not leave that state. untold: why its states cannot be shown; None where they are.
    """

    arn: str
    status: str
    chain: Chain
    started: float | None = None
    stopped: float | None = None
    resumes: str | None = None
    delay_seconds: float | None = None
    is_waiting: bool = False
    states: tuple[StateStory, ...] = ()
    turns: tuple[Turn, ...] = ()
    untold: str | None = None
    is_gotostate: bool = False

    @property
    def name(self) -> str:
        """Name of the execution, without the rest of its ARN."""
        return self.arn.rpartition(":")[2]

    @property
    def ended(self) -> Turn | None:
        """Its last end; None while it runs."""
        ends = [turn for turn in self.turns if turn.status != REDRIVEN]
        return ends[-1] if ends and ends[-1].status == self.status else None

    @property
    def redrives(self) -> list[Turn]:
        """The times that it was redriven."""
        return [turn for turn in self.turns if turn.status == REDRIVEN]

    @property
    def next_arns(self) -> list[str]:
        """ARNs that the resumes of this execution have, if there are any: one for each time that it ended.

        One that succeeded may have been run again from a state (cli/rerun.py).
        """
        arn, original = ExecutionArn.parse(self.arn), ExecutionArn.parse(self.chain.original)
        if arn.is_map_run_child:
            return []
        machine = arn.machine_name if self.is_gotostate else resumption.machine_name(arn.machine_name)
        ends = [turn.id for turn in self.turns if turn.status in (*ENDED_BADLY, SUCCEEDED)]
        names = [resumption.execution_name(original.name, self.arn, end, self.chain.attempt + 1) for end in ends]
        return [f"{arn.prefix}:execution:{machine}:{name}" for name in names]


@dataclass(frozen=True)
class Story:
    """A chain as one story, its executions in the order in which they started.

    parent: ARN of the execution that started the original. remarks: what could not be followed, a line each.
    """

    original: str
    executions: tuple[ExecutionStory, ...]
    parent: str | None = None
    remarks: tuple[str, ...] = field(default=())

    @property
    def last(self) -> ExecutionStory:
        """The execution by which the story ends: one that runs, or else the one that ended last."""
        return max(
            self.executions, key=lambda told: (told.status not in (*ENDED_BADLY, "SUCCEEDED"), told.stopped or 0)
        )


def is_gotostate_name(arn: str) -> bool:
    """Tell by its name whether an execution is of a GoToState machine; for where its definition is not known."""
    return ExecutionArn.parse(arn).machine_name.endswith(SUFFIX)


def chain_of(arn: str, given: str, definition: Definition | None) -> Chain:
    """Tell where an execution stands in its chain, from its input and the definition that it ran with."""
    resumed = definition.is_gotostate if definition else is_gotostate_name(arn)
    return resumption.chain_of(arn, given, resumed=resumed)


def execution_story(
    arn: str, status: str, given: str, definition: Definition | None, events: Iterable[HistoryEvent]
) -> ExecutionStory:
    """Tell one execution, as far as its history does.

    status: as DescribeExecution gives it. given: the execution's input as JSON text. definition: the one that ran;
    None where it is not known any more. events: its history in any order, of which little is kept.
    Raises HistoryError where an event is damaged.
    """
    steps = sorted(map(step_of, events), key=lambda step: step.id)
    chain = chain_of(arn, given, definition)
    turns = tuple(_turn(step) for step in steps if step.kind in _TURNS)
    told = ExecutionStory(arn, status, chain, turns=turns)
    if definition is None:
        untold = "the definition that it ran with is gone"
        return replace(told, untold=untold, is_gotostate=is_gotostate_name(arn))
    stays = read_stays(steps, definition, given)
    return replace(
        told,
        is_gotostate=definition.is_gotostate,
        delay_seconds=stays.delay_seconds,
        is_waiting=stays.is_waiting,
        states=_folded(_states(stays.own, told)),
    )


def story_of(
    original: str, executions: Iterable[ExecutionStory], parent: str | None = None, remarks: Sequence[str] = ()
) -> Story:
    """Put the executions of a chain into one story, and mark the states that ran again."""
    entered: set[str] = set()
    told = []
    for execution in sorted(executions, key=lambda one: one.started or 0):
        states = tuple(replace(state, again=state.name in entered) for state in execution.states)
        entered |= {state.name for state in states}
        told.append(replace(execution, states=states))
    return Story(original, tuple(told), parent, tuple(remarks))


def _turn(step: Step) -> Turn:
    return Turn(step.id, step.time, _TURNS[step.kind], step.error, step.cause)


def _states(stays: Sequence[Stay], told: ExecutionStory) -> list[StateStory]:
    return [_state(stay, _outcome(stay, told), told) for stay in stays]


def _outcome(stay: Stay, told: ExecutionStory) -> StateOutcome:
    if stay.exited:
        return StateOutcome.CAUGHT if stay.caught else StateOutcome.SUCCEEDED
    if told.status == "SUCCEEDED":
        return StateOutcome.SUCCEEDED
    return StateOutcome.FAILED if told.status in ENDED_BADLY else StateOutcome.OPEN


def _state(stay: Stay, outcome: StateOutcome, told: ExecutionStory) -> StateStory:
    entered, left = stay.entered.time, stay.exited.time if stay.exited else None
    error = cause = failed_in = None
    ended = left
    if outcome is StateOutcome.CAUGHT:
        failed_in = stay.failed_in
        if stay.failure:
            error, cause = stay.failure.error, stay.failure.cause
    elif outcome is StateOutcome.FAILED and told.ended:
        error, cause, ended = told.ended.error, told.ended.cause, told.ended.time
        # A time-out or an abort of the whole execution is not caused by a state inside.
        failed_in = stay.failed_in if told.status == "FAILED" else None
    return StateStory(
        stay.entered.id,
        stay.name,
        stay.type,
        entered,
        left,
        outcome,
        seconds=ended - entered if entered is not None and ended is not None else None,
        attempts=stay.attempts,
        finished=stay.finished,
        total=stay.total,
        kept=len(stay.kept),
        error=error,
        cause=cause,
        failed_in=failed_in,
        children=tuple(stay.children),
    )


def _folded(states: Sequence[StateStory]) -> tuple[StateStory, ...]:
    """Show a state that was visited often with the same outcome only once, at its first visit; loops may be long."""
    often = Counter((state.name, state.outcome) for state in states)
    told: dict[object, StateStory] = {}
    for state in states:
        key = state.name, state.outcome
        if often[key] < _OFTEN:
            told[state.id] = state
        else:
            told[key] = _joined(told[key], state) if key in told else state
    return tuple(told.values())


def _joined(one: StateStory, later: StateStory) -> StateStory:
    return replace(
        one,
        left=later.left,
        seconds=_sum(one.seconds, later.seconds),
        times=one.times + later.times,
        attempts=one.attempts + later.attempts,
        finished=_sum(one.finished, later.finished),
        total=_sum(one.total, later.total),
        kept=one.kept + later.kept,
        error=later.error,
        cause=later.cause,
        failed_in=later.failed_in,
        children=tuple(dict.fromkeys(one.children + later.children)),
    )


def _sum[Number: (int, float)](one: Number | None, other: Number | None) -> Number | None:
    return one + other if one is not None and other is not None else None
