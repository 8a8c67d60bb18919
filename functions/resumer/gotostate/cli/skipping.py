"""Continuing after a failed state whose work was done by hand, or from an earlier state: the point, and what reruns."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from gotostate.definition import Definition
from gotostate.errors import NothingToResumeError, NotSkippableError
from gotostate.events import HistoryEvent, details_of, state_name
from gotostate.history import FailurePoint, Why

# By these rules the state to enter is the one that failed.
_FAILED_IN = (Why.ENDED_IN, Why.DONE, Why.FAIL_INSIDE, Why.AGAIN)


def skipped(point: FailurePoint) -> str:
    """Return the name of the state that failed and may be skipped.

    Raises NotSkippableError where no state failed, NothingToResumeError where all had finished.
    """
    if point.why is Why.FINISHED:
        raise NothingToResumeError(f"{point.why}; nothing was started")
    if point.why in (Why.CAUGHT, Why.WORKED, Why.NOTHING):
        raise NotSkippableError(
            f"it ended in the Fail state {point.ended_in!r}, which has no state after it; name the state to enter: "
            "--from-state S --input JSON"
        )
    if point.why is Why.FOLLOWED:
        raise NotSkippableError(
            f"no state failed: {point.ended_in!r} had finished and {point.resume_from!r} had not begun; "
            "leave out --skip"
        )
    if point.why not in _FAILED_IN or point.resume_from is None:
        raise NotSkippableError(f"no state failed: {point.why}; leave out --skip")
    return point.resume_from


def after(point: FailurePoint, source: Definition, output: str | None) -> FailurePoint:
    """Return the point at which an execution continues as though its failed state had given an output.

    source: the definition to resume on, without a router. output: JSON text; None: the state's own input.
    Variables stay as they were when the state was entered, as its Assign is not run.

    Raises NotSkippableError, UnknownStateError, and NothingToResumeError where no state comes after it.
    """
    name = skipped(point)
    source.require(name)
    state = source.states[name]
    if state.get("Type") in ("Choice", "Fail"):
        following = ", ".join(map(repr, source.reachable(name, by_catch=False)))
        raise NotSkippableError(
            f"{name!r} is a {state['Type']} state, which has no single Next; name the state to enter"
            f"{f' ({following})' if following else ''}: --from-state S --input JSON"
        )
    if state.get("Next") not in source.states:
        raise NothingToResumeError(f"{name!r} is the last state, so nothing is left to run; nothing was started")
    given = point.input if output is None else output
    # As though it had finished: the state after it has not begun.
    return replace(point, resume_from=state["Next"], input=given, why=Why.FOLLOWED, output=None, steps=None)


def not_assigned(source: Definition, state: str) -> list[str]:
    """Return the variables that a skipped state would have assigned when it succeeded."""
    return sorted(name.removesuffix(".$") for name in source.states[state].get("Assign", {}))


class TasksSince(Iterator[HistoryEvent]):
    """Passes a history on, newest first, and notes the tasks that were entered since a state was entered last.

    names: of those tasks, those inside a Parallel or Map too, as far as the history was read.
    """

    def __init__(self, events: Iterable[HistoryEvent], definition: Definition, state: str) -> None:
        self.names: set[str] = set()
        self._events = iter(events)
        self._definition = definition
        self._state = state
        self._is_over = False

    def __next__(self) -> HistoryEvent:
        event = next(self._events)
        if not self._is_over and event["type"].endswith("StateEntered"):
            name = state_name(event, details_of(event, "stateEnteredEventDetails"))
            if self._definition.all_states.get(name, {}).get("Type") == "Task":
                self.names.add(name)
            self._is_over = name == self._state
        return event
