"""Failures as rows, as lists show them: how each stands, and how many are alike. Pure data."""

from dataclasses import dataclass
from enum import StrEnum

from gotostate.chains import Link, Listed
from gotostate.settings import matches


class Status(StrEnum):
    """The status of a failure."""

    OPEN = "open"
    WAITING = "waiting"
    RUNNING = "running"
    RECOVERED = "recovered"
    PREPARED = "prepared"
    GAVE_UP = "gave up"
    OFF = "off"
    LEFT_TO_PARENT = "left to parent"

    @property
    def is_resolved(self) -> bool:
        """Tell whether nothing is left to do: a resumed or redriven execution has succeeded."""
        return self is Status.RECOVERED


@dataclass(frozen=True)
class Row:
    """One failure, with all its resumes.

    machine: ARN of the state machine that people wrote. original, newest: ARNs of the first failed execution and of the
    newest one of its chain. failed_at: when the original failed. state, error: of the newest execution that failed;
    None where it is not known or there is none. reason: why it has this status; None where it runs or has recovered.
    attempt: number of the newest resume, 0 for none, of max_attempts. until: when a waiting one enters its state.
    calls: what runs again. next: what to type; None where there is nothing to do. Times in seconds since the epoch.
    """

    machine: str
    original: str
    newest: str
    chain: tuple[Link, ...]
    failed_at: float
    status: Status
    state: str | None
    error: str | None
    reason: str | None
    attempt: int
    max_attempts: int
    until: float | None
    calls: tuple[str, ...]
    next: str | None


@dataclass(frozen=True)
class Found:
    """The rows that are shown, unresolved first and then newest first, and how many more there are.

    unread: those of them that were not looked at, as the listings show them.
    """

    rows: tuple[Row, ...]
    more: int
    unread: tuple[Listed, ...] = ()


@dataclass(frozen=True)
class Group:
    """How many failures have a machine, state and error in common.

    unresolved: so many of them have not recovered. first, last: when the first and last failed.
    """

    machine: str
    state: str | None
    error: str | None
    count: int
    unresolved: int
    first: float
    last: float


def is_meant(failed_in: str | None, error: str | None, *, state: str | None, pattern: str | None) -> bool:
    """Tell whether a failure matches a filter.

    failed_in, error: its own. state: name of a state; pattern: of an error's name, * for any characters; None: any.
    """
    if state is not None and failed_in != state:
        return False
    return pattern is None or bool(matches(error or "", (pattern,)))


def as_listed(listed: Listed) -> Status:
    """Return the status of a failure by the listings alone: open, running or recovered."""
    if listed.is_resolved:
        return Status.RECOVERED
    return Status.OPEN if listed.newest.has_failed else Status.RUNNING
