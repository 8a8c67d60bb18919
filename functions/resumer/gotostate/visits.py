"""The events of a history as visits to top-level states, newest first, read no further than they are needed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gotostate.definition import Definition
from gotostate.errors import DefinitionError, HistoryError, NotFailedError, RedrivenError, StillRunningError
from gotostate.events import (
    SUCCEEDED,
    HistoryEvent,
    assigned_variables,
    details_of,
    number_of,
    optional_details,
    payload,
    previous_id,
    seconds,
    state_name,
    text_of,
)
from gotostate.progress import Steps

_ENDED = {
    "ExecutionFailed": ("FAILED", "executionFailedEventDetails"),
    "ExecutionTimedOut": ("TIMED_OUT", "executionTimedOutEventDetails"),
    "ExecutionAborted": ("ABORTED", "executionAbortedEventDetails"),
}
# Times of the same end in a report and in the history differ by less; a redrive between two ends takes longer.
_SAME_END_SECONDS = 1.0


@dataclass(frozen=True)
class Reported:
    """The reported end of an execution, before its history is read; a history that does not show it yet is behind.

    redrives: how often the execution had been redriven; stopped: when it ended, in seconds since the epoch.
    """

    redrives: int
    stopped: float | None = None


@dataclass(frozen=True)
class Ending:
    """The event with which an execution ended.

    id: of that event; together with the execution's ARN it identifies the failure.
    earlier: ids of the ends before it, newest first, where the execution was redriven.
    stopped: when it ended, in seconds since the epoch; None where the history does not say.
    """

    id: int
    status: str
    error: str | None
    cause: str | None
    earlier: tuple[int, ...] = ()
    stopped: float | None = None


@dataclass
class _Exit:
    """A top-level StateExited event, and whether the event right before it was a failure."""

    event: HistoryEvent
    caught: bool = False
    next_is_before: bool = True

    def look_at(self, event: HistoryEvent) -> None:
        """Process an earlier event: an error was caught if the event before, in the list or by id, is a failure."""
        if self.next_is_before or event["id"] == previous_id(self.event):
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


class Trail:
    """What happened inside the last state before the execution ended, seen newest first.

    newest: the newest event that tells of work; evaluation: details of a JSONata error that came after it.
    fail_state: whether a Fail state inside was entered whose failure nothing inside caught.
    steps: what is kept of all of it, for a Parallel or Map.
    """

    def __init__(self) -> None:
        self.newest: HistoryEvent | None = None
        self.evaluation: Mapping[str, Any] = {}
        self.fail_state = False
        self.steps = Steps()
        # Ids of failures that a Catch or Retry of an inner container handled.
        self._recovered: set[int] = set()

    def look_at(self, event: HistoryEvent) -> None:
        """Process an earlier event."""
        self.steps.take(event)
        kind, previous = event["type"], previous_id(event)
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


class Reader(Iterator[Visit]):
    """The visits to top-level states, newest first; reads no further than the requested visit.

    start: the ExecutionStarted event, once it was read. trail: what happened inside the last state.
    """

    def __init__(self, events: Iterator[HistoryEvent], definition: Definition) -> None:
        self.start: HistoryEvent | None = None
        self.trail = Trail()
        self.definition = definition
        self._events = events
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

    def read_ending(self, reported: Reported | None, *, may_have_succeeded: bool = False) -> None:
        """Read the end of the execution. On AWS it is the newest event; the emulator may add some of siblings."""
        for event in self._events:
            kind = event["type"]
            if kind in _ENDED:
                status, details_name = _ENDED[kind]
                details = optional_details(event, details_name)
                self._stopped = seconds(event.get("timestamp"))
                self._ending = Ending(
                    event["id"],
                    status,
                    text_of(event, details, "error"),
                    text_of(event, details, "cause"),
                    stopped=self._stopped,
                )
                return
            if kind == "ExecutionSucceeded" and may_have_succeeded:
                self._stopped = seconds(event.get("timestamp"))
                self._ending = Ending(event["id"], SUCCEEDED, None, None, stopped=self._stopped)
                return
            if kind == "ExecutionSucceeded":
                raise NotFailedError("the execution succeeded; there is nothing to resume")
            if kind == "ExecutionRedriven" and (not reported or _redrive_of(event)[0] > reported.redrives):
                raise RedrivenError("the execution was redriven and runs again; wait until it has ended")
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
            add_older(variables, visit.assigned)

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
                if state_name(event, details_of(event, "stateExitedEventDetails")) in self.definition.states:
                    left = _Exit(event)
            elif kind.endswith("StateEntered"):
                if (name := self._entered(event)) in self.definition.states:
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
        if name not in self.definition.all_states:
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


def add_older(variables: dict[str, str], older: Mapping[str, str]) -> None:
    """Add variables of an earlier time, where there is no later value."""
    for name, value in older.items():
        variables.setdefault(name, value)


def _is_failure(kind: str) -> bool:
    # EvaluationFailed counts: a Catch may handle a JSONata error.
    return kind.endswith(("Failed", "TimedOut")) and not kind.startswith("Execution")


def _redrive_of(event: HistoryEvent) -> tuple[int, int]:
    """Return a redrive's number and the id of the end that it undid."""
    details = optional_details(event, "executionRedrivenEventDetails")
    return number_of(event, details, "redriveCount", 1), previous_id(event)
