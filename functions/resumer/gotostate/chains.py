"""The chain of a failure: the original execution and its resumes, joined by their names.

No table is kept: the name of a resumed execution follows from the failure that it resumes (resumption.py).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from gotostate import resumption
from gotostate.events import ENDED_BADLY
from gotostate.executions import Execution, ListedExecution

_RESUMED = re.compile(r"(?P<original>.*)-resume-(?P<attempt>[1-9][0-9]*)-(?P<failed>[0-9a-f]{8})[0-9a-f]{8}", re.DOTALL)
# The length of the name's ending, which alone differs between the resumes of an execution that failed more than once.
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
        """When it was started or last redriven, whichever is later."""
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
        """Tell whether the original is in no listing: a redrive made it succeed, or AWS no longer keeps it."""
        return self.chain[0].attempt > 0

    @property
    def is_rerun(self) -> bool:
        """Tell whether the original succeeded and a person ran it again from a state (rerun.py), as far as is known."""
        first = self.chain[0]
        return first.attempt == 0 and first.status == "SUCCEEDED" and not first.redrives

    @cached_property
    def newest(self) -> Link:
        """The execution that was started or redriven last."""
        return max(self.chain, key=_lately)

    @cached_property
    def newest_failed(self) -> Link | None:
        """The failed execution that was started or redriven last; None if none has failed."""
        return max((link for link in self.chain if link.has_failed), key=_lately, default=None)

    @property
    def failed_at(self) -> float:
        """When the original failed, in seconds since the epoch; where no listing says, a time soon after that."""
        first = self.chain[0]
        if self.is_rerun:
            return min((time for link in self.chain for time in link.failures), default=first.started or 0.0)
        if first.attempt == 0 and (times := list(first.failures)):
            return min(times)
        return first.started or 0.0

    @property
    def is_resolved(self) -> bool:
        """Tell whether the newest execution has succeeded."""
        return self.newest.status == "SUCCEEDED"

    def has_failed_in(self, since: float, until: float | None) -> bool:
        """Tell whether the original or one of its resumes failed in a period."""
        times = (self.failed_at, *(time for link in self.chain for time in link.failures))
        return any(since <= time and (until is None or time <= until) for time in times)

    def with_original(self, original: Link) -> "Listed":
        """Return the chain with the original that no listing held."""
        return replace(self, original=original.execution, chain=(original, *self.chain))


class Join:
    """The executions of a GoToState machine, and which of them resumes which execution."""

    def __init__(self, built: Iterable[ListedExecution]) -> None:
        self._resumes: dict[str, list[Link]] = defaultdict(list)
        self._by_hand: list[ListedExecution] = []
        # Resumes that do not belong to a chain yet.
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
        """Yield executions in one of these statuses whose names mark no resume; running ones only if redriven."""
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
            # Resumes that an earlier chain already contains are left out.
            if first := [link for link in resumes if link.execution in self._left]:
                for link in first:
                    del self._left[link.execution]
                yield self._followed(first)

    def _followed(self, first: list[Link]) -> tuple[Link, ...]:
        """Return some executions of a chain with all their resumes, and theirs, in order."""
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


def _lately(link: Link) -> tuple[float, int]:
    return link.taken_up, link.attempt


def _name_of(execution_arn: str) -> str:
    return execution_arn.rpartition(":")[2]


def _stem_of(resume: Link) -> str:
    """Return the part of a resume's name that follows from the failed execution alone."""
    return _name_of(resume.execution)[:-_ENDING]


def original_of(first: Link, machine_arn: str) -> str:
    """Return the ARN of the original that a first resume's name tells; its own where the name was cut."""
    named = _RESUMED.fullmatch(_name_of(first.execution))
    if named and first.attempt == 1:
        original = f"{machine_arn.replace(':stateMachine:', ':execution:')}:{named['original']}"
        if resumption.resumed_mark(original, 1).endswith(f"-{named['failed']}"):
            return original
    return first.execution
