"""The failures of a state machine and what became of them, read from ListExecutions alone."""

import math
from collections.abc import Iterator

from gotostate import resumption
from gotostate.chains import Join, Listed, original_of
from gotostate.errors import NotFoundError
from gotostate.events import ENDED_BADLY
from gotostate.executions import ListedExecution
from gotostate.stepfunctions import LIST_PAGE, StepFunctions

# AWS ends an execution after a year
# (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html), and keeps it for 90 days.
LONGEST_RUN_SECONDS = 366 * 86_400.0

_ABORTED = "ABORTED"
# The statuses of an original failure; one that was redriven and runs again is found as such.
_FAILED = ("FAILED", "TIMED_OUT")


def failures(
    aws: StepFunctions,
    machine_arn: str,
    *,
    since: float,
    until: float | None = None,
    longest: float = LONGEST_RUN_SECONDS,
) -> list[Listed]:
    """Return the failures of a state machine that people wrote, each with its resumes, in no particular order.

    since, until: one execution of the chain failed in this time, in seconds since the epoch. longest: for how many
    seconds an execution runs at most.

    Reads the machine's executions that failed, timed out or run (only redriven ones of the latter are kept), and all
    executions of its GoToState machine that may be joined with them. ListExecutions cannot filter by time, and an
    execution that ended long ago may have been redriven or resumed a moment ago. So paging ends with the listing, which
    is what AWS keeps, or where all that follows was over so long before `since` that nothing of it can have failed
    since then. That holds whether AWS orders a listing by start or by end: its documents said one thing and say the
    other now (https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html).

    A failure that succeeded after only a native redrive is in none of these listings. Aborted executions are left out
    unless somebody resumed them. Reruns of executions that had succeeded are included. ListExecutions is eventually
    consistent, so the last moments may be missing.

    Raises NotFoundError when neither the machine nor its GoToState machine exists.
    """
    prefix, _, name = machine_arn.rpartition(":")
    reader = _Reader(aws, since, since - longest)
    own = reader.read(machine_arn, *_FAILED)
    # After those that failed, so that one that is redriven meanwhile is counted as running.
    own |= {one.arn: one for one in reader.read(machine_arn, "RUNNING").values() if one.redrive_count}
    # Last, so that the failure of each resume is usually known.
    built = reader.read_built(f"{prefix}:{resumption.machine_name(name)}")
    if not reader.has_found:
        raise NotFoundError(f"the state machine {machine_arn} does not exist (any more)")
    join = Join(built.values())
    begun = [*own.values(), *join.begun_by_hand(*_FAILED, "RUNNING")]
    chains = [(one.arn, join.chain(one)) for one in begun]
    if join.is_unexplained:
        aborted = [*reader.read(machine_arn, _ABORTED).values(), *join.begun_by_hand(_ABORTED)]
        chains += [(one.arn, chain) for one in aborted if len(chain := join.chain(one)) > 1]
        chains += [(original_of(chain[0], machine_arn), chain) for chain in join.unexplained()]
    found = (Listed(machine_arn, original, chain) for original, chain in chains)
    return [listed for listed in found if listed.has_failed_in(since, until)]


class _Reader:
    """Reads listings, and remembers whether any of the machines exists.

    since: from when on failures are wanted; earliest: executions that were over before then cannot belong to one.
    """

    def __init__(self, aws: StepFunctions, since: float, earliest: float) -> None:
        self.has_found = False
        self._aws = aws
        self._since = since
        self._earliest = earliest

    def read(self, machine_arn: str, *statuses: str) -> dict[str, ListedExecution]:
        """Return the executions of a machine that are in one of these statuses, by ARN."""
        found: dict[str, ListedExecution] = {}
        for status in statuses:
            found |= {one.arn: one for one in self._listed(machine_arn, status)}
        return found

    def read_built(self, machine_arn: str) -> dict[str, ListedExecution]:
        """Return the executions of a GoToState machine that may belong to a chain with a failure in the period, by ARN.

        Executions that succeeded before the period are in no such chain, and where recoveries succeed they are nearly
        the whole listing. So once a page reaches back beyond the start of the period, the following pages are not read,
        and the executions that have not succeeded are requested by status.
        """
        found: dict[str, ListedExecution] = {}
        for number, one in enumerate(self._listed(machine_arn, None), 1):
            found[one.arn] = one
            if number % LIST_PAGE == 0 and _latest(one) < self._since:
                # An execution that fails between two of these calls counts as failed.
                return found | self.read(machine_arn, "RUNNING", *ENDED_BADLY)
        return found

    def _listed(self, machine_arn: str, status: str | None) -> Iterator[ListedExecution]:
        try:
            for one in self._aws.executions(machine_arn, status):
                self.has_found = True
                if _latest(one) < self._earliest:
                    return
                yield one
            self.has_found = True
        except NotFoundError:
            return


def _latest(found: ListedExecution) -> float:
    """Return the last time that a listing gives for an execution; infinity if it gives none."""
    return max((time for time in (found.started, found.stopped, found.redriven) if time is not None), default=math.inf)
