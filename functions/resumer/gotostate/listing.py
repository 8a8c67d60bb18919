"""The failures of state machines as rows, filtered, in the order in which they are shown, and counted in groups."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from gotostate import awsclock, quotas, resumption
from gotostate.awserrors import error_code, is_denied
from gotostate.chains import Link, Listed
from gotostate.errors import NotFoundError
from gotostate.listreader import LONGEST_RUN_SECONDS, failures
from gotostate.memory import Memory
from gotostate.resumption import ExecutionArn
from gotostate.rows import Found, Group, Row, Status, as_listed, is_meant
from gotostate.settings import Settings
from gotostate.standing import look, told_of
from gotostate.stepfunctions import StepFunctions


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
    """Return the failures of some state machines in a period, as rows; changes nothing.

    machine_arns: of the machines that people wrote. settings: the stack's; the machines' tags are read.
    now, since, until: seconds since the epoch; one execution of the chain failed between the last two. longest: for how
    many seconds an execution runs at most; a smaller value saves pages of listings. limit: how many rows; None: all.
    unresolved: leave out failures that have recovered.
    state: name of a state; error: pattern of an error's name, * for any characters. With one of these every failure
    in the time is read, otherwise only those that are returned.

    Raises NotFoundError when none of the machines exists.
    """
    listed = joined(memory, machine_arns, since=since, until=until, longest=longest, unresolved=unresolved)
    return looked_at(memory, listed, settings, now=now, limit=limit, unresolved=unresolved, state=state, error=error)


def joined(
    memory: Memory,
    machine_arns: Collection[str],
    *,
    since: float,
    until: float | None = None,
    longest: float = LONGEST_RUN_SECONDS,
    unresolved: bool = False,
) -> list[Listed]:
    """Return the failures of some state machines in a period as the listings show them, in the order of the rows.

    Takes what `rows` takes, and raises what it raises. Costs calls of ListExecutions, and one more for each chain that
    may be the rerun of an execution that succeeded.
    """
    awsclock.listen(memory)
    listed = (
        one
        for one in _listed(memory, machine_arns, since, until, longest)
        if not (unresolved and one.is_resolved) and _has_failed(memory.aws, one)
    )
    return sorted(listed, key=_order)


def looked_at(
    memory: Memory,
    listed: Sequence[Listed],
    settings: Settings,
    *,
    now: float,
    limit: int | None = None,
    unresolved: bool = False,
    state: str | None = None,
    error: str | None = None,
) -> Found:
    """Look at joined failures: only at those that are returned or, with a filter, at all; parameters as in `rows`.

    seconds_to_look_at tells how long it takes.
    """

    def is_wanted(row: Row) -> bool:
        return not (unresolved and row.status.is_resolved) and is_meant(
            row.state, row.error, state=state, pattern=error
        )

    is_filtered = state is not None or error is not None
    look_ahead(memory, map(told_of, listed if is_filtered else listed[:limit]))
    left = iter(listed)
    wanted = filter(is_wanted, (look(memory, one, settings, now=now) for one in left))
    found = list(islice(wanted, limit))
    found.sort(key=lambda row: (row.status.is_resolved, -row.failed_at))
    if is_filtered:
        return Found(tuple(found), sum(1 for _ in wanted))
    unread = tuple(left)
    return Found(tuple(found), len(unread), unread)


def look_ahead(memory: Memory, links: Iterable[Link]) -> None:
    """Look at the machines that have several executions to read, before AWS is asked about each execution."""
    machines = Counter(ExecutionArn.parse(link.execution).machine_arn for link in links if link.on_plain_arn)
    for arn, times in machines.items():
        if times > 1:
            memory.look_ahead(arn)


def seconds_to_look_at(listed: Sequence[Listed]) -> float:
    """Return the least time that AWS's quotas allow for looking at failures, if nothing else uses the quotas."""
    histories, unresolved = len(listed), sum(not one.is_resolved for one in listed)
    region = listed[0].machine.split(":")[3] if listed else ""
    return quotas.seconds({"GetExecutionHistory": histories, "DescribeExecution": unresolved}, region)


def groups(found: Iterable[Row]) -> list[Group]:
    """Count rows by machine, state and error; the largest group first."""
    alike = defaultdict[tuple[str, str | None, str | None], list[Row]](list)
    for row in found:
        alike[row.machine, row.state, row.error].append(row)
    counted = [_group(key, rows) for key, rows in alike.items()]
    return sorted(counted, key=lambda group: (-group.count, -group.last))


def _group(key: tuple[str, str | None, str | None], members: Sequence[Row]) -> Group:
    times = [row.failed_at for row in members]
    return Group(*key, len(members), sum(not row.status.is_resolved for row in members), min(times), max(times))


def counts(listed: Iterable[Listed]) -> dict[str, Counter[Status]]:
    """Count failures by machine, the one with the most first, and by how they stand by the listings alone."""
    counted = defaultdict[str, Counter[Status]](Counter)
    for one in listed:
        counted[one.machine][as_listed(one)] += 1
    return dict(sorted(counted.items(), key=lambda of: (-of[1].total(), of[0])))


def _has_failed(aws: StepFunctions, listed: Listed) -> bool:
    """Tell whether something in a chain failed: a rerun of what had succeeded (rerun.py) looks like a resume.

    Where no listing holds the original, and none of its resumes failed, the first resume's input tells: one call.
    """
    if not listed.is_cut or any(True for link in listed.chain for _ in link.failures):
        return True
    first = listed.chain[0].execution
    try:
        return not resumption.chain_of(first, aws.execution(first).input, resumed=True).is_rerun
    except (NotFoundError, ValueError):
        return True
    except Exception as error:
        if is_denied(error):
            return True
        raise


def _order(listed: Listed) -> tuple[bool, float]:
    return listed.is_resolved, -listed.failed_at


def _listed(
    memory: Memory, machine_arns: Collection[str], since: float, until: float | None, longest: float
) -> Iterator[Listed]:
    gone: list[NotFoundError] = []
    for arn in machine_arns:
        try:
            yield from failures(memory.aws, arn, since=since, until=until, longest=longest)
        except NotFoundError as error:
            # The index of machines that have opted in may be behind.
            gone.append(error)
        except Exception as error:
            # An Express machine may have the tag.
            if error_code(error) != "StateMachineTypeNotSupported":
                raise
            gone.append(NotFoundError(f"{arn} is an Express state machine: AWS lists no executions of it"))
    if gone and len(gone) == len(machine_arns):
        raise gone[0]
