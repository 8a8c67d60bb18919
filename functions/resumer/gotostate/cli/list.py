"""gotostate list: one row for each failure: where it failed, how it stands, and what to type; changes nothing."""

import argparse
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from gotostate import jsontext, listing
from gotostate.cli import selection
from gotostate.cli.terminal import Exit
from gotostate.cli.wording import columns, timestamp
from gotostate.listing import Found, Group, Link, Row, Status
from gotostate.memory import Memory
from gotostate.plain import duration, printable
from gotostate.settings import Settings

MOST_ROWS = 20

_WIDTH = 80
_GAP = "  "
_CUT = "..."


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = commands.add_parser(
        "list",
        help="show the failures of many executions, a row each; changes nothing",
        description="Show failures, a row each: an execution that failed, with all its resumes. Unresolved ones come "
        "first, then the newest. Changes nothing.",
        epilog="Example: gotostate list --state-machine 'prod-*' --since 7d --unresolved",
    )
    selection.add_options(parser)
    parser.add_argument("--unresolved", action="store_true", help="leave out what has recovered")
    parser.add_argument("--limit", metavar="N", help=f"how many rows to show at most; default {MOST_ROWS}")
    parser.add_argument("--group", action="store_true", help="count the failures by machine, state and error instead")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_run, check=_check, parser=parser)


def _check(options: argparse.Namespace) -> str | None:
    limit = options.limit
    if limit is not None and not (limit.isascii() and limit.isdecimal() and int(limit)):
        return f"--limit is {limit!r}; give a whole number of at least 1"
    if limit is not None and options.group:
        return "--limit is for rows, and --group counts all failures; leave one of them out"
    return selection.check_options(options, _now())


def _run(options: argparse.Namespace) -> Exit:
    now = _now()
    since, until = selection.times(options, now)
    aws = selection.connect(options)
    machines = selection.machines(aws, options)
    found = listing.rows(
        Memory(aws),
        machines,
        # The parameters of a stack with its defaults, as `gotostate plan` takes them.
        Settings(),
        now=now,
        since=since,
        until=until,
        limit=None if options.group else int(options.limit or MOST_ROWS),
        unresolved=options.unresolved,
        state=options.state,
        error=options.error,
    )
    if options.json:
        print(_json_of_groups(found) if options.group else _json(found))
    elif not machines:
        print("no state machine has opted in: tag one gotostate=resume, or name some with --state-machine")
    elif not found.rows:
        print(f"no failures since {timestamp(since)}" + (f" until {timestamp(until)}" if until else ""))
    elif options.group:
        _show_groups(listing.groups(found.rows))
    else:
        _show(found, now)
    return Exit.DONE


def _now() -> float:
    return time.time()


def _show(found: Found, now: float) -> None:
    header = ("MACHINE", "EXECUTION", "STATE", "ERROR", "STATUS", "AGE")
    cells = [_cells(row, now) for row in found.rows]
    for line, row in zip(_table(header, cells), (None, *found.rows), strict=True):
        print(line)
        for more in _below(row) if row else ():
            print(f"{_GAP}{printable(more)}")
    if found.more:
        print(f"{found.more:,} more: --limit {len(found.rows) + found.more} shows all, --group counts them")


def _cells(row: Row, now: float) -> tuple[str, ...]:
    names = (_name(row.machine), _name(row.original), row.state or "-", row.error or "-")
    return (*names, _told(row, now), duration(max(now - row.failed_at, 0)))


def _told(row: Row, now: float) -> str:
    """Write the status, with the number of the attempt or the time (UTC) that belong to it."""
    if row.status is Status.RUNNING and row.attempt:
        return f"{row.status} {row.attempt} of {row.max_attempts}"
    if row.status is Status.WAITING and row.until is not None:
        until, today = datetime.fromtimestamp(row.until, UTC), datetime.fromtimestamp(now, UTC)
        return f"{row.status} until {until:{'%H:%MZ' if until.date() == today.date() else '%m-%d %H:%MZ'}}"
    return row.status


def _below(row: Row) -> Iterator[str]:
    """Yield what is copied from the screen, whole, whatever the width: the newest execution and what to type."""
    if row.newest != row.original and row.newest not in (row.next or ""):
        yield f"newest: {row.newest}"
    if row.next:
        yield f"next: {row.next}"


def _show_groups(groups: Sequence[Group]) -> None:
    header = ("MACHINE", "STATE", "ERROR", "COUNT", "FIRST", "LAST")
    cells = [
        (
            _name(group.machine),
            group.state or "-",
            group.error or "-",
            f"{group.count:,}",
            *(f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%MZ}" for time in (group.first, group.last)),
        )
        for group in groups
    ]
    for line in _table(header, cells):
        print(line)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines with aligned columns that fit the terminal, or 80 columns; the widest ones are cut."""
    lines = [header, *(tuple(map(printable, row)) for row in rows)]
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    room = shutil.get_terminal_size((_WIDTH, 0)).columns - len(_GAP) * (len(header) - 1)
    while sum(widths) > max(room, len(header) * (len(_CUT) + 1)):
        widths[widths.index(max(widths))] -= 1
    for line in lines:
        yield _GAP.join(_fitted(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _fitted(cell: str, width: int) -> str:
    if columns(cell) > width:
        while columns(cell) > width - len(_CUT):
            cell = cell[:-1]
        cell += _CUT
    return cell + " " * (width - columns(cell))


def _json(found: Found) -> str:
    """Write the rows as JSON; times as AWS writes them, null where something is not known or does not apply."""
    return jsontext.write({"failures": [_facts(row) for row in found.rows], "more": found.more})


def _facts(row: Row) -> dict[str, Any]:
    return {
        "execution": row.original,
        "machine": row.machine,
        "state": row.state,
        "error": row.error,
        "status": row.status.value,
        "reason": row.reason,
        "failedAt": timestamp(row.failed_at),
        "attempts": row.attempt,
        "maxAttempts": row.max_attempts,
        "newest": row.newest,
        "until": timestamp(row.until),
        "calls": list(row.calls),
        "next": row.next,
        "chain": [_link(link) for link in row.chain],
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "execution": link.execution,
        "status": link.status,
        "attempt": link.attempt,
        "started": timestamp(link.started),
        "stopped": timestamp(link.stopped),
        "redriven": timestamp(link.redriven),
    }


def _json_of_groups(found: Found) -> str:
    return jsontext.write(
        {
            "groups": [
                {
                    "machine": group.machine,
                    "state": group.state,
                    "error": group.error,
                    "count": group.count,
                    "first": timestamp(group.first),
                    "last": timestamp(group.last),
                }
                for group in listing.groups(found.rows)
            ]
        }
    )


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]
