"""Canaries: failures that are resumed first, and whose ends decide whether the others follow."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gotostate.cli.bulk.items import Item
from gotostate.cli.waiting import POLL_SECONDS, Awaited
from gotostate.executions import Execution
from gotostate.memory import Memory


@dataclass
class Canary:
    """An execution that was resumed first, with its last known status. item: the failure."""

    item: Item
    status: str = "RUNNING"
    error: str | None = None
    cause: str | None = None

    @property
    def arn(self) -> str:
        """ARN of the execution that runs."""
        assert self.item.target
        return self.item.target

    @property
    def has_succeeded(self) -> bool:
        """Tell whether it has ended well."""
        return self.status == "SUCCEEDED"

    @property
    def has_failed(self) -> bool:
        """Tell whether it has ended otherwise."""
        return self.status != "RUNNING" and not self.has_succeeded

    def ended_as(self, execution: Execution) -> None:
        """Keep how it ended."""
        self.status, self.error, self.cause = execution.status, execution.error, execution.cause


def see_to_the_end(memory: Memory, canaries: Sequence[Canary], note: Callable[[int], None]) -> None:
    """Wait for the ends of canaries and record them, until one does not succeed; each round looks at all of them.

    note: called with the number that have succeeded.
    """
    waiting = [(canary, _awaited(memory, canary.item)) for canary in canaries]
    while waiting:
        running = []
        for canary, awaited in waiting:
            if execution := awaited.look():
                canary.ended_as(execution)
            else:
                running.append((canary, awaited))
        note(sum(canary.has_succeeded for canary in canaries))
        if any(canary.has_failed for canary in canaries):
            return
        waiting = running
        if waiting:
            memory.aws.pace.pause(POLL_SECONDS)


def look_once(memory: Memory, canaries: Iterable[Canary]) -> None:
    """Record the end of each canary that has ended by now."""
    for canary in canaries:
        if execution := _awaited(memory, canary.item).look():
            canary.ended_as(execution)


def _awaited(memory: Memory, item: Item) -> Awaited:
    assert item.target
    is_redrive = item.target == item.execution
    return Awaited(memory.aws, item.target, item.listed.newest.redrives + 1 if is_redrive else 0)
