"""Watching the resumes of many failures after all of them were handed over."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gotostate.cli.bulk.items import Item
from gotostate.cli.stack import Stack
from gotostate.errors import NotFoundError
from gotostate.events import GOING_ON
from gotostate.executions import Execution, ListedExecution
from gotostate.memory import Memory
from gotostate.resumption import ExecutionArn

# A listing is read this often at most: AWS allows ListExecutions twice a second in small regions.
WATCH_SECONDS = 3.0
# The queue has to be found empty this often before executions that have not appeared are given up.
EMPTY_LOOKS = 4
# This computer's clock and AWS's may differ.
_MARGIN_SECONDS = 300.0


@dataclass(frozen=True)
class Seen:
    """How many executions have begun, succeeded, and ended otherwise."""

    begun: int
    succeeded: int
    failed: int

    @property
    def ended(self) -> int:
        """How many have ended."""
        return self.succeeded + self.failed


class Watch:
    """Watches the executions that resume failures; each look reads one listing per state machine.

    since: when the first of them may have begun, in seconds since the epoch.
    """

    def __init__(self, memory: Memory, items: Iterable[Item], since: float) -> None:
        self._memory = memory
        self._since = since - _MARGIN_SECONDS
        targets = [(item.target, item) for item in items if item.target]
        # How often each redriven execution had been redriven before.
        self._redriven = {arn: item.listed.newest.redrives for arn, item in targets if arn == item.execution}
        self._wanted = {arn for arn, _ in targets}
        self._ended: dict[str, str] = {}

    @property
    def wanted(self) -> int:
        """How many executions are looked for."""
        return len(self._wanted)

    def look(self) -> Seen:
        """Look once. Executions that have ended are not looked for again."""
        begun = set(self._ended)
        for found in self._found(self._wanted - begun):
            begun.add(found.arn)
            if found.status not in GOING_ON:
                self._ended[found.arn] = found.status
        succeeded = sum(status == "SUCCEEDED" for status in self._ended.values())
        return Seen(len(begun), succeeded, len(self._ended) - succeeded)

    def to_the_end(self, stack: Stack | None, note: Callable[[Seen], None]) -> Seen:
        """Look until all have ended, or nothing is in the queue any more for those that have not begun."""
        empty = 0
        while True:
            seen = self.look()
            note(seen)
            if seen.ended == len(self._wanted):
                return seen
            if seen.begun < len(self._wanted) and seen.begun == seen.ended:
                empty = empty + 1 if stack is None or not stack.recovery_queue().messages else 0
                if empty == EMPTY_LOOKS:
                    return seen
            self._memory.aws.pace.pause(WATCH_SECONDS)

    def _found(self, left: set[str]) -> Iterator[ListedExecution | Execution]:
        """Yield those that have begun. Listings are ordered by start, so redriven ones are described one by one."""
        machines = {ExecutionArn.parse(arn).machine_arn for arn in left - set(self._redriven)}
        yield from (found for machine in sorted(machines) for found in self._listed(machine) if found.arn in left)
        for arn in left & set(self._redriven):
            execution = self._memory.aws.execution(arn)
            if execution.redrive_count > self._redriven[arn]:
                yield execution

    def _listed(self, machine_arn: str) -> Iterator[ListedExecution]:
        try:
            for found in self._memory.aws.executions(machine_arn):
                times = [time for time in (found.started, found.stopped, found.redriven) if time is not None]
                if times and max(times) < self._since:
                    return
                yield found
        except NotFoundError:
            # The machine is built with the first of its executions.
            return
