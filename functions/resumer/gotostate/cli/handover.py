"""Resuming many failures: from here or by the Resumer, canaries first, and watching what becomes of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gotostate import reading, recovery
from gotostate.cli.waiting import POLL_SECONDS, Awaited
from gotostate.errors import GotoStateError, NotFoundError, RefusedError, TransientError
from gotostate.events import ENDED_BADLY
from gotostate.many import Item
from gotostate.memory import Memory
from gotostate.outcome import Outcome, Result
from gotostate.planning import Plan
from gotostate.report import request
from gotostate.resumption import Asked, ExecutionArn
from gotostate.settings import Settings
from gotostate.stack import BATCH, Stack
from gotostate.stepfunctions import Execution, ListedExecution

# A listing is watched this often at most: AWS answers ListExecutions twice a second in small regions.
WATCH_SECONDS = 3.0
# So often the queue is to be found empty before what has not appeared is given up.
EMPTY_LOOKS = 4
# This computer's clock and AWS's may differ.
_MARGIN_SECONDS = 300.0

_DONE = (Result.RESUMED, Result.REDRIVEN, Result.ALREADY_RESUMED)


class What(StrEnum):
    """What was done about one failure."""

    RESUMED = "resumed"
    REDRIVEN = "redriven"
    ALREADY = "taken up"
    ASKED = "asked for"
    FAILED = "not resumed"


@dataclass
class Done:
    """What was done so far, by the ARN of the execution that failed.

    by: what was done. why: of what was not resumed, why. left: those that somebody took up since they were read.
    """

    by: dict[str, What] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)

    @property
    def counts(self) -> dict[What, int]:
        """How many failures each was done about, in a fixed order."""
        counted = Counter(self.by.values())
        return {what: counted[what] for what in What if counted[what]}


def from_here(memory: Memory, items: Iterable[Item], done: Done) -> Iterator[Item]:
    """Resume failures one after the other with the person's own credentials, at the pace that AWS allows.

    Yields each that was dealt with. What cannot be resumed is noted, and the others go on; what AWS denies is raised.
    What goes on by other means since it was read is left: its work must not be done twice.
    """
    for item in items:
        assert item.plan
        try:
            if _goes_on_already(memory, item.plan):
                done.by[item.execution] = What.ALREADY
                done.left.add(item.execution)
                yield item
                continue
            outcome = _carried_out(memory, item.plan, item.settings)
        except (GotoStateError, TransientError) as error:
            done.by[item.execution], done.why[item.execution] = What.FAILED, str(error)
        else:
            done.by[item.execution] = {
                Result.RESUMED: What.RESUMED,
                Result.REDRIVEN: What.REDRIVEN,
                Result.ALREADY_RESUMED: What.ALREADY,
            }.get(outcome.outcome, What.FAILED)
            if outcome.outcome not in _DONE:
                done.why[item.execution] = outcome.reason
        yield item


def by_resumer(stack: Stack, items: Sequence[Item], asked: Asked, done: Done) -> Iterator[Sequence[Item]]:
    """Ask the Resumer for recoveries through its queue, ten with each call; yields what it was asked for.

    Harmless when it is repeated: the Resumer starts one execution for a failure. Raises StackError.
    """
    for first in range(0, len(items), BATCH):
        batch = items[first : first + BATCH]
        stack.send([request(item.execution, asked, _redrives(item)) for item in batch])
        done.by |= dict.fromkeys((item.execution for item in batch), What.ASKED)
        yield batch


@dataclass
class Canary:
    """An execution that was resumed first, with what is known of it last. item: the failure."""

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

    def ended_as(self, execution: Execution) -> None:
        """Keep how it ended."""
        self.status, self.error, self.cause = execution.status, execution.error, execution.cause


def see_to_the_end(memory: Memory, canaries: Sequence[Canary], note: Callable[[int], None]) -> None:
    """Wait for the ends of canaries and keep them, until one does not succeed; in each round all are looked at.

    note: told how many have succeeded.
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
        if any(canary.status != "RUNNING" and not canary.has_succeeded for canary in canaries):
            return
        waiting = running
        if waiting:
            memory.aws.pace.pause(POLL_SECONDS)


def look_once(memory: Memory, canaries: Iterable[Canary]) -> None:
    """Keep of canaries how those ended that have ended by now."""
    for canary in canaries:
        if execution := _awaited(memory, canary.item).look():
            canary.ended_as(execution)


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
    """Looks how the executions are by which failures are resumed, a listing for each state machine and look.

    since: when the first of them may have begun, in seconds since the epoch.
    """

    def __init__(self, memory: Memory, items: Iterable[Item], since: float) -> None:
        self._memory = memory
        self._since = since - _MARGIN_SECONDS
        targets = [(item.target, item) for item in items if item.target]
        # Of what is redriven, how often it had been before.
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
            if found.status not in ("RUNNING", "PENDING_REDRIVE"):
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
        """Yield those that have begun. Listings are by the start, so what was redriven is asked for."""
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
            # It is built with the first of them.
            return


def _goes_on_already(memory: Memory, plan: Plan) -> bool:
    """Tell whether a failure was redriven since it was read, or the original that it resumed has gone on."""
    failure = plan.failure
    execution = memory.aws.execution(failure.arn.text)
    if execution.status not in ENDED_BADLY or execution.redrive_count != failure.redrives:
        return True
    return reading.original_that_went_on(memory, failure, execution.started) is not None


def _carried_out(memory: Memory, plan: Plan, settings: Settings) -> Outcome:
    try:
        return recovery.carry_out(memory, plan, settings)
    except RefusedError as error:
        if not plan.record:
            raise
        # AWS does not take the opened Parallel or Map.
        return recovery.carry_out(memory, plan.as_whole(str(error)), settings)


def _redrives(item: Item) -> int:
    assert item.plan
    return item.plan.failure.redrives


def _awaited(memory: Memory, item: Item) -> Awaited:
    assert item.target
    is_redrive = item.target == item.execution
    return Awaited(memory.aws, item.target, item.listed.newest.redrives + 1 if is_redrive else 0)
