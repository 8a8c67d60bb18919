"""The failures of a state machine and what became of them, joined from ListExecutions alone.

No table is kept: the name of a resumed execution follows from the failure that it resumes (resumption.py).
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from gotostate import resumption
from gotostate.errors import NotFoundError
from gotostate.events import ENDED_BADLY
from gotostate.stepfunctions import LIST_PAGE, Execution, ListedExecution, StepFunctions

# AWS ends an execution after a year
# (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html), and keeps it for 90 days.
LONGEST_RUN_SECONDS = 366 * 86_400.0

_ABORTED = "ABORTED"
# Of these an original failure can be in; those that run again are among them because they were redriven.
_FAILED = ("FAILED", "TIMED_OUT")
_RESUMED = re.compile(r"(?P<original>.*)-resume-(?P<attempt>[1-9][0-9]*)-(?P<failed>[0-9a-f]{8})[0-9a-f]{8}", re.DOTALL)
# What differs between the resumes of one execution, which failed, was redriven and failed again.
_ENDING = 8


@dataclass(frozen=True)
class Link:
    """One execution of a chain: the original, or one of its resumes.

    execution: its ARN. status: AWS's. started, stopped, redriven: seconds since the epoch; stopped is None while it
    runs, redriven where it never was; redrives: how often it was. attempt: number of the resume; 0 for the original.
    version: ARN of the version that was started, if one was. on_plain_arn: whether it was started without a version
    or alias.
    """

    execution: str
    status: str
    started: float | None
    stopped: float | None
    attempt: int
    redrives: int = 0
    redriven: float | None = None
    version: str | None = None
    on_plain_arn: bool = False

    @classmethod
    def of(cls, found: ListedExecution | Execution, attempt: int) -> "Link":
        """Give an execution its place in a chain."""
        return cls(
            found.arn,
            found.status,
            found.started,
            found.stopped,
            attempt,
            found.redrive_count,
            found.redriven,
            found.version,
            found.on_plain_arn,
        )

    @property
    def has_failed(self) -> bool:
        """Tell whether it has ended and did not succeed."""
        return self.status in ENDED_BADLY

    @property
    def taken_up(self) -> float:
        """When it began, or was redriven last."""
        return max(self.started or 0.0, self.redriven or 0.0)

    @property
    def failures(self) -> Iterator[float]:
        """Yield the times of its failures, as far as a listing tells them: of those before a redrive, the redrive's."""
        if self.has_failed and self.stopped is not None:
            yield self.stopped
        if self.redriven is not None:
            yield self.redriven


@dataclass(frozen=True)
class Listed:
    """One failure with all its resumes, as listings show it.

    machine: ARN of the state machine that people wrote. original: ARN of the first failed execution; where no listing
    holds that one (is_cut), as it follows from the name of its first resume, or else the ARN of the earliest resume.
    chain: in the order of the attempts, never empty.
    """

    machine: str
    original: str
    chain: tuple[Link, ...]

    @property
    def is_cut(self) -> bool:
        """Tell whether the original is in no listing: a redrive made it succeed, or AWS keeps it no more."""
        return self.chain[0].attempt > 0

    @cached_property
    def newest(self) -> Link:
        """The execution that was started or redriven last."""
        return max(self.chain, key=_lately)

    @cached_property
    def newest_failed(self) -> Link | None:
        """The one of those that have failed that was started or redriven last; None where all of them run on."""
        return max((link for link in self.chain if link.has_failed), key=_lately, default=None)

    @property
    def failed_at(self) -> float:
        """When the original failed, in seconds since the epoch; where no listing says, a time soon after that."""
        first = self.chain[0]
        if first.attempt == 0 and (times := list(first.failures)):
            return min(times)
        return first.started or 0.0

    @property
    def is_resolved(self) -> bool:
        """Tell whether the newest execution has succeeded."""
        return self.newest.status == "SUCCEEDED"

    def has_failed_in(self, since: float, until: float | None) -> bool:
        """Tell whether the original or one of its resumes failed in a time."""
        times = (self.failed_at, *(time for link in self.chain for time in link.failures))
        return any(since <= time and (until is None or time <= until) for time in times)

    def with_original(self, original: Link) -> "Listed":
        """Return the chain with the original that no listing held."""
        return replace(self, original=original.execution, chain=(original, *self.chain))


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

    Reads of the machine those that failed, timed out or run (of these the redriven ones are kept), and all of its
    GoToState machine that one of those may be joined with. ListExecutions takes no times, and what ended long ago may
    have been redriven or resumed a moment ago. So paging ends with the listing, which is what AWS keeps, or where all
    that follows was over so long before `since` that nothing of it can have failed since then. That holds whether AWS
    orders a listing by start or by end: its documents said one thing and say the other now
    (https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html).

    A failure that only a native redrive made succeed is in none of these listings. Aborted executions are left out
    unless somebody resumed them. ListExecutions is eventually consistent, so the last moments may be missing.

    Raises NotFoundError when neither the machine nor its GoToState machine exists.
    """
    prefix, _, name = machine_arn.rpartition(":")
    reader = _Reader(aws, since, since - longest)
    own = reader.read(machine_arn, *_FAILED)
    # After those that failed, so that one that is redriven meanwhile is counted as running.
    own |= {one.arn: one for one in reader.read(machine_arn, "RUNNING").values() if one.redrive_count}
    # Last, so that the failure of each resume is known as a rule.
    built = reader.read_built(f"{prefix}:{resumption.machine_name(name)}")
    if not reader.has_found:
        raise NotFoundError(f"the state machine {machine_arn} does not exist (any more)")
    join = _Join(built.values())
    begun = [*own.values(), *join.begun_by_hand(*_FAILED, "RUNNING")]
    chains = [(one.arn, join.chain(one)) for one in begun]
    if join.is_unexplained:
        aborted = [*reader.read(machine_arn, _ABORTED).values(), *join.begun_by_hand(_ABORTED)]
        chains += [(one.arn, chain) for one in aborted if len(chain := join.chain(one)) > 1]
        chains += [(_original_of(chain[0], machine_arn), chain) for chain in join.unexplained()]
    found = (Listed(machine_arn, original, chain) for original, chain in chains)
    return [listed for listed in found if listed.has_failed_in(since, until)]


class _Reader:
    """Reads listings, and remembers whether any of the machines exists.

    since: from when on failures are wanted; earliest: what was over before can have no part in one.
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
        """Return the executions of a GoToState machine that a chain which failed in the time may hold, by ARN.

        What succeeded before that time is in no such chain, and it is nearly all of a listing where recoveries
        succeed. So once a page was read down to that time the pages that follow are left, and what has not succeeded
        is asked for by its status.
        """
        found: dict[str, ListedExecution] = {}
        for number, one in enumerate(self._listed(machine_arn, None), 1):
            found[one.arn] = one
            if number % LIST_PAGE == 0 and _latest(one) < self._since:
                # What has failed counts as failed, should it have done so between two calls.
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


class _Join:
    """The executions of a GoToState machine, and which of them resumes which execution."""

    def __init__(self, built: Iterable[ListedExecution]) -> None:
        self._resumes: dict[str, list[Link]] = defaultdict(list)
        self._by_hand: list[ListedExecution] = []
        # Resumes that no chain holds yet.
        self._left: dict[str, Link] = {}
        for one in built:
            if named := _RESUMED.fullmatch(_name_of(one.arn)):
                link = self._left[one.arn] = Link.of(one, int(named["attempt"]))
                self._resumes[named["failed"]].append(link)
            else:
                self._by_hand.append(one)

    @property
    def is_unexplained(self) -> bool:
        """Tell whether a resume is left whose failure is not known."""
        return bool(self._left)

    def begun_by_hand(self, *statuses: str) -> Iterator[ListedExecution]:
        """Yield what resumes nothing by its name and is in one of these statuses; what runs only if redriven."""
        found = (one for one in self._by_hand if one.status in statuses)
        return (one for one in found if one.status != "RUNNING" or one.redrive_count)

    def chain(self, original: ListedExecution) -> tuple[Link, ...]:
        """Return an execution and all its resumes, and theirs."""
        return self._followed([Link.of(original, 0)])

    def unexplained(self) -> Iterator[tuple[Link, ...]]:
        """Yield the chains of the resumes that are left, each without its beginning."""
        by_failure: dict[str, list[Link]] = defaultdict(list)
        for link in sorted(self._left.values(), key=lambda link: link.attempt):
            by_failure[_stem_of(link)].append(link)
        for resumes in by_failure.values():
            # What resumes one of these is in its chain.
            if first := [link for link in resumes if link.execution in self._left]:
                for link in first:
                    del self._left[link.execution]
                yield self._followed(first)

    def _followed(self, first: list[Link]) -> tuple[Link, ...]:
        """Add to executions of a chain all that resume them."""
        chain, waiting = list[Link](), list(first)
        while waiting:
            chain.append(link := waiting.pop())
            waiting += self._take(link)
        return tuple(sorted(chain, key=lambda link: (link.attempt, link.started or 0.0)))

    def _take(self, failed: Link) -> Iterator[Link]:
        """Yield the resumes of one execution, one for each time that it failed and was resumed."""
        machine, _, name = failed.execution.rpartition(":")
        named = _RESUMED.fullmatch(name) if failed.attempt else None
        original = named["original"] if named else name
        stem = resumption.execution_name(original, failed.execution, 0, failed.attempt + 1)[:-_ENDING]
        # Begun at the console, maybe with the input of a resume: its place in a chain is not in its name.
        by_hand = not failed.attempt and machine.endswith(resumption.SUFFIX)
        for link in self._resumes.get(stem[-_ENDING:], ()):
            mark = resumption.resumed_mark(failed.execution, link.attempt)
            is_resume = _stem_of(link).endswith(mark) if by_hand else _stem_of(link) == stem
            if is_resume and link.execution in self._left:
                del self._left[link.execution]
                yield link


def _latest(found: ListedExecution) -> float:
    """Return the last time that a listing tells of an execution; of one that says nothing, that it is yet to come."""
    return max((time for time in (found.started, found.stopped, found.redriven) if time is not None), default=math.inf)


def _lately(link: Link) -> tuple[float, int]:
    return link.taken_up, link.attempt


def _name_of(execution_arn: str) -> str:
    return execution_arn.rpartition(":")[2]


def _stem_of(resume: Link) -> str:
    """Return the part of a resume's name that follows from the failed execution alone."""
    return _name_of(resume.execution)[:-_ENDING]


def _original_of(first: Link, machine_arn: str) -> str:
    """Return the ARN of the original that a first resume's name tells; its own where the name was cut."""
    named = _RESUMED.fullmatch(_name_of(first.execution))
    if named and first.attempt == 1:
        original = f"{machine_arn.replace(':stateMachine:', ':execution:')}:{named['original']}"
        if resumption.resumed_mark(original, 1).endswith(f"-{named['failed']}"):
            return original
    return first.execution
