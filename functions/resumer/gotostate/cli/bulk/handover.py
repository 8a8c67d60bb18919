"""Resuming many failures: by the Resumer, through its queue, or from here with the person's own credentials."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gotostate import recovery
from gotostate.cli.bulk.gathering import Gatherer
from gotostate.cli.bulk.items import Item
from gotostate.cli.stack import BATCH, Stack
from gotostate.errors import GotoStateError, RefusedError, TransientError
from gotostate.memory import Memory
from gotostate.outcome import Outcome, Result
from gotostate.report import request
from gotostate.resumption import Asked


class What(StrEnum):
    """What was done about one failure."""

    RESUMED = "resumed"
    REDRIVEN = "redriven"
    ALREADY = "was running"
    ASKED = "requested"
    FAILED = "not resumed"


_DONE = {Result.RESUMED: What.RESUMED, Result.REDRIVEN: What.REDRIVEN, Result.ALREADY_RESUMED: What.ALREADY}


@dataclass
class Done:
    """The progress so far, by the ARN of the execution that failed.

    by: what was done. why: the reasons for those that were not resumed. left: those that somebody else has recovered
    since they were read.
    """

    by: dict[str, What] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)

    @property
    def counts(self) -> dict[What, int]:
        """The number of failures for each kind of result, in a fixed order."""
        counted = Counter(self.by.values())
        return {what: counted[what] for what in What if counted[what]}


def from_here(memory: Memory, gatherer: Gatherer, items: Iterable[Item], done: Done) -> Iterator[Item]:
    """Resume failures one after the other with the person's own credentials, at the pace that AWS allows.

    Yields each failure that was processed. A failure that cannot be resumed is noted, and the others follow; a denial
    by AWS is raised. Each failure is read again: its data was not kept, and if it continues by other means, its work
    must not be done twice.
    """
    for item in items:
        try:
            outcome = _resumed(memory, gatherer, item)
        except (GotoStateError, TransientError) as error:
            done.by[item.execution], done.why[item.execution] = What.FAILED, str(error)
        else:
            if outcome is None:
                done.by[item.execution] = What.ALREADY
                done.left.add(item.execution)
            else:
                done.by[item.execution] = _DONE.get(outcome.outcome, What.FAILED)
                if outcome.outcome not in _DONE:
                    done.why[item.execution] = outcome.reason
        yield item


def by_resumer(stack: Stack, items: Sequence[Item], asked: Asked, done: Done) -> Iterator[Sequence[Item]]:
    """Ask the Resumer for recoveries through its queue, ten with each call; yields each batch of requests.

    Harmless when it is repeated: the Resumer starts one execution for a failure. Raises StackError.
    """
    for first in range(0, len(items), BATCH):
        batch = items[first : first + BATCH]
        refused = stack.send([request(item.execution, asked, _redrives(item)) for item in batch])
        for place, item in enumerate(batch):
            done.by[item.execution] = What.FAILED if place in refused else What.ASKED
        done.why |= {batch[place].execution: why for place, why in refused.items()}
        yield batch


def _resumed(memory: Memory, gatherer: Gatherer, item: Item) -> Outcome | None:
    """Resume one failure as it was shown; None if it already continues. Raises RefusedError if the plan has changed."""
    found = gatherer.anew(item)
    if found is None:
        return None
    if _what(found) != _what(item):
        raise RefusedError(f"what would be done about it has changed since it was shown: {found.decision.reason}")
    assert found.plan
    try:
        return recovery.carry_out(memory, found.plan, found.settings)
    except RefusedError as error:
        if not found.plan.record:
            raise
        # AWS does not take the opened Parallel or Map.
        return recovery.carry_out(memory, found.plan.as_whole(str(error)), found.settings)


def _what(item: Item) -> tuple[object, ...]:
    """Return what a person was shown and confirmed."""
    assert item.plan
    return item.decision.action, item.plan.state, item.target


def _redrives(item: Item) -> int:
    assert item.plan
    return item.plan.failure.redrives
