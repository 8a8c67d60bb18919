"""Histories in the shapes of real AWS, written event by event: each points to the one that led to it."""

from dataclasses import dataclass, field
from typing import Any

from gotostate.events import HistoryEvent


@dataclass
class History:
    """A history that is being written, oldest first; each method adds one event and returns its id."""

    input: str = "{}"
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add("ExecutionStarted", 0, executionStartedEventDetails={"input": self.input})

    @property
    def newest_first(self) -> list[HistoryEvent]:
        return list(reversed(self.events))

    def add(self, kind: str, before: int, **details: Any) -> int:
        self.events.append({"type": kind, "id": len(self.events) + 1, "previousEventId": before, **details})
        return len(self.events)

    def enter(self, kind: str, name: str, before: int, given: str = "{}") -> int:
        return self.add(f"{kind}StateEntered", before, stateEnteredEventDetails={"name": name, "input": given})

    def leave(self, kind: str, name: str, before: int, output: str = "{}", **assigned: str) -> int:
        details = {"name": name, "output": output, "assignedVariables": assigned}
        return self.add(f"{kind}StateExited", before, stateExitedEventDetails=details)

    def map_starts(self, before: int, length: int) -> int:
        return self.add("MapStateStarted", before, mapStateStartedEventDetails={"length": length})

    def iterates(self, name: str, index: int, before: int) -> int:
        return self.add("MapIterationStarted", before, mapIterationStartedEventDetails={"name": name, "index": index})

    def iterated(self, name: str, index: int, before: int) -> int:
        details = {"name": name, "index": index}
        return self.add("MapIterationSucceeded", before, mapIterationSucceededEventDetails=details)

    def parallel_starts(self, before: int) -> int:
        return self.add("ParallelStateStarted", before)

    def backs_off(self, held: str) -> int:
        """Add the router's wait, which sets the numbers of a record's elements; return the event that leads on."""
        waiting = self.enter("Wait", "GoToState Backoff", 0)
        return self.leave("Wait", "GoToState Backoff", waiting, gotostate0=held)

    def task(self, name: str, before: int, given: str = "{}", output: str | None = None, **assigned: str) -> int:
        """Add a task that succeeds with an output, or that has just begun."""
        scheduled = self.add("TaskScheduled", self.enter("Task", name, before, given))
        if output is None:
            return self.add("TaskStarted", scheduled)
        return self.leave("Task", name, self.add("TaskSucceeded", scheduled), output, **assigned)

    def step(self, name: str, before: int, given: str = "{}", output: str = "{}", **assigned: str) -> int:
        """Add a Pass state that is entered and left."""
        return self.leave("Pass", name, self.enter("Pass", name, before, given), output, **assigned)

    def fails(self, before: int, *, error: str = "Down", within: str | None = None, siblings: int = 0) -> int:
        """Let a task fail, and with it the container that it is in, and the execution."""
        failed = self.add("TaskFailed", before, taskFailedEventDetails={"error": error})
        for _ in range(siblings):
            # Of siblings AWS says no name, and points to what failed.
            self.add("TaskStateAborted", failed)
        last = self.add(f"{within}StateFailed", failed) if within else failed
        return self.ends(last, error)

    def ends(self, before: int, error: str = "Down", cause: str = "") -> int:
        return self.add("ExecutionFailed", before, executionFailedEventDetails={"error": error, "cause": cause})
