"""The failures of state machines as rows, filtered, in the order in which they are shown, and counted in groups."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from gotostate.chains import LONGEST_RUN_SECONDS, Link, Listed, failures
from gotostate.errors import NotFoundError
from gotostate.memory import Memory
from gotostate.settings import Settings, matches
from gotostate.standing import Row, Status, look

__all__ = ["Found", "Group", "Link", "Row", "Status", "groups", "rows"]


@dataclass(frozen=True)
class Found:
    """The rows that are shown, unresolved first and then newest first, and how many more there are."""

    rows: tuple[Row, ...]
    more: int


@dataclass(frozen=True)
class Group:
    """How many failures have a machine, state and error in common; first, last: when the first and last failed."""

    machine: str
    state: str | None
    error: str | None
    count: int
    first: float
    last: float


def rows(
    memory: Memory,
    machine_arns: Collection[str],
    settings: Settings,
    *,
    now: float,
    since: float,
    until: float | None = None,
    limit: int | None = None,
    longest: float = LONGEST_RUN_SECONDS,
    unresolved: bool = False,
    state: str | None = None,
    error: str | None = None,
) -> Found:
    """Return the failures of some state machines in a time, as rows; changes nothing.

    machine_arns: of the machines that people wrote. settings: the stack's; the machines' tags are read.
    now, since, until: seconds since the epoch; one execution of the chain failed between the last two. longest: for how
    many seconds an execution runs at most; a smaller one spares pages of listings. limit: of the rows; None: all.
    unresolved: leave out what has recovered.
    state: name of a state; error: pattern of an error's name, * for any characters. With one of these every failure
    in the time is read, otherwise only those that are returned.

    Raises NotFoundError when none of the machines exists.
    """
    listed = list(_listed(memory, machine_arns, since, until, longest))
    if unresolved:
        listed = [one for one in listed if not one.is_resolved]
    listed.sort(key=lambda one: (one.is_resolved, -one.failed_at))

    def is_wanted(row: Row) -> bool:
        return (
            not (unresolved and row.status.is_resolved)
            and (state is None or row.state == state)
            and (error is None or bool(matches(row.error or "", (error,))))
        )

    left = iter(listed)
    wanted = filter(is_wanted, (look(memory, one, settings, now=now) for one in left))
    found = list(islice(wanted, limit))
    more = sum(1 for _ in (left if state is None and error is None else wanted))
    found.sort(key=lambda row: (row.status.is_resolved, -row.failed_at))
    return Found(tuple(found), more)


def groups(found: Iterable[Row]) -> list[Group]:
    """Count rows by machine, state and error; the largest group first."""
    times = defaultdict[tuple[str, str | None, str | None], list[float]](list)
    for row in found:
        times[row.machine, row.state, row.error].append(row.failed_at)
    counted = [Group(*key, len(failed), min(failed), max(failed)) for key, failed in times.items()]
    return sorted(counted, key=lambda group: (-group.count, -group.last))


def _listed(
    memory: Memory, machine_arns: Collection[str], since: float, until: float | None, longest: float
) -> Iterator[Listed]:
    gone: list[NotFoundError] = []
    for arn in machine_arns:
        try:
            yield from failures(memory.aws, arn, since=since, until=until, longest=longest)
        except NotFoundError as error:
            # What says which machines have opted in may be behind.
            gone.append(error)
    if gone and len(gone) == len(machine_arns):
        raise gone[0]
