"""gotostate list: one row for each failure: where it failed, its status, and what to type; changes nothing."""

import argparse
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from gotostate import listing
from gotostate.chains import Listed
from gotostate.cli import failuresjson, selection
from gotostate.cli.account import parameters
from gotostate.cli.options import add_json, add_profile, add_region, add_stack, add_verb
from gotostate.cli.table import table
from gotostate.cli.terminal import Exit, show_json
from gotostate.memory import Memory
from gotostate.plain import duration, printable, timestamp
from gotostate.rows import Found, Group, Row, Status

# Without a limit, up to this many failures are all looked at; of more, only the first few that have not recovered.
MOST_LOOKED_AT, FIRST = 100, 3
# With more failures than this, the time that it takes to look at them is printed.
LONG = 1_000

# The statuses of a failure that a listing can show.
_LISTED = (Status.OPEN, Status.RUNNING, Status.RECOVERED)
# The statuses of failures that only a person resumes.
_FOR_A_PERSON = (Status.PREPARED, Status.GAVE_UP, Status.OFF)


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        commands,
        "list",
        "show the failures of many executions, one row each; changes nothing",
        description="Show failures, one row each: an execution that failed, with all its resumes. Unresolved ones come "
        "first, then the newest. Changes nothing.",
        examples=["gotostate list --state-machine 'prod-*' --since 7d --unresolved", "gotostate list --group --json"],
    )
    selection.add_options(parser)
    parser.add_argument("--unresolved", action="store_true", help="leave out what has recovered")
    parser.add_argument(
        "--limit",
        metavar="N",
        help=f"most failures to look at and to show; default all, or the first {FIRST} of more than "
        f"{MOST_LOOKED_AT} and the counts of the others",
    )
    parser.add_argument("--group", action="store_true", help="count the failures by machine, state and error instead")
    add_json(parser)
    add_stack(parser)
    add_region(parser)
    add_profile(parser)
    parser.set_defaults(run=_run, check=_check, parser=parser)


def _check(options: argparse.Namespace) -> str | None:
    limit = options.limit
    if limit is not None and (wrong := selection.check_count("limit", limit)):
        return wrong
    if limit is not None and options.group:
        return "--limit is for rows, and --group counts all failures; leave one of them out"
    return selection.check_options(options, _now())


def _run(options: argparse.Namespace) -> Exit:
    now = _now()
    since, until = selection.times(options, now)
    memory = Memory(selection.connect(options))
    region = memory.aws.client.meta.region_name
    machines = selection.machines(memory.aws, options, memory)
    listed = listing.joined(memory, machines, since=since, until=until, unresolved=options.unresolved)
    needs_all = options.group or options.state is not None or options.error is not None
    limit = int(options.limit) if options.limit else None if needs_all else _default_limit(listed)
    _say_how_long(listed if needs_all else listed[:limit])
    settings = parameters(options.stack, region, options.profile).settings
    found = listing.looked_at(
        memory,
        listed,
        settings,
        now=now,
        limit=limit,
        unresolved=options.unresolved,
        state=options.state,
        error=options.error,
    )
    if options.json and options.group:
        show_json(failuresjson.of_groups(listing.groups(found.rows)))
    elif options.json:
        unread = () if options.limit else found.unread
        show_json(failuresjson.of_failures(found.rows, unread, settings.command_options))
        _say_what_is_left(found, is_limited=options.limit is not None)
    elif not machines:
        print(f"no state machine in {region} has opted in: tag one gotostate=resume, or name some with --state-machine")
    elif not found.rows and not found.more:
        which = " that match" if options.state or options.error or options.unresolved else ""
        print(f"no failures{which} since {timestamp(since)}" + (f" until {timestamp(until)}" if until else ""))
        if listed and options.error and "*" not in options.error:
            print(f"--error matches the whole name: --error {shlex.quote(f'*{options.error}*')} matches a part of it")
    else:
        if options.group:
            _show_groups(listing.groups(found.rows), now)
        else:
            _show(found, now)
        if sum(row.status in _FOR_A_PERSON for row in found.rows) > 1:
            command = shlex.join(["gotostate", "resume", *selection.given(options, since, until), "--dry-run"])
            print(f"to resume many at once: {printable(command)}")
    return Exit.DONE


def _now() -> float:
    return time.time()


def _default_limit(listed: Sequence[Listed]) -> int | None:
    if len(listed) <= MOST_LOOKED_AT:
        return None
    return sum(not one.is_resolved for one in listed[:FIRST])


def _say_how_long(listed: Sequence[Listed]) -> None:
    if len(listed) > LONG:
        least = duration(listing.seconds_to_look_at(listed))
        _say(f"looking at {len(listed):,} failures takes at least {least} at AWS's quotas, which the Resumer needs too")


def _say_what_is_left(found: Found, *, is_limited: bool) -> None:
    """Say what the JSON does not contain, outside of it."""
    if not found.more:
        return
    if is_limited:
        _say(f"{found.more:,} more; without --limit all are printed")
    else:
        looked_at = f"{len(found.rows):,} of {len(found.rows) + found.more:,} failures were looked at"
        _say(f"{looked_at}, of the others state, error and reason are null; --limit N looks at N, --group at all")


def _say(note: str) -> None:
    print(f"gotostate: {note}", file=sys.stderr)


def _show(found: Found, now: float) -> None:
    if found.rows:
        header = ("MACHINE", "EXECUTION", "STATE", "ERROR", "STATUS", "AGE")
        cells = [_cells(row, now) for row in found.rows]
        for line, row in zip(table(header, cells, names=4), (None, *found.rows), strict=True):
            print(line)
            for more in _below(row) if row else ():
                print(f"  {printable(more)}")
    if found.unread:
        _show_unread(found)
    elif found.more:
        print(f"{found.more:,} more: --limit {len(found.rows) + found.more} shows all, --group counts them")


def _show_unread(found: Found) -> None:
    """Count the failures that were not looked at, by their listed status, and say how to learn more."""
    print(f"{found.more:,} {'more ' if found.rows else ''}failures were not looked at:")
    header = ("MACHINE", *(status.value.upper() for status in _LISTED))
    counted = listing.counts(found.unread).items()
    for line in table(header, [(_name(arn), *(f"{of[one]:,}" for one in _LISTED)) for arn, of in counted], names=1):
        print(line)
    print("to look at N: --limit N; to count all of them by state and error: --group")


def _cells(row: Row, now: float) -> tuple[str, ...]:
    names = (_name(row.machine), _name(row.original), row.state or "-", row.error or "-")
    return (*names, _told(row, now), duration(max(now - row.failed_at, 0)))


def _told(row: Row, now: float) -> str:
    """Write the status, with the number of the attempt or the time (UTC) that belong to it."""
    if row.status is Status.RUNNING and row.attempt:
        return f"{row.status} {row.attempt} of {row.max_attempts}"
    if row.status is Status.WAITING and row.until is not None:
        return f"{row.status} until {_minute(row.until, now, '%m-%d')}"
    return row.status


def _below(row: Row) -> Iterator[str]:
    """Yield text to copy from the screen, uncut whatever the width: the newest execution and what to type."""
    if row.newest != row.original and row.newest not in (row.next or ""):
        yield f"newest: {row.newest}"
    if row.next:
        yield f"next: {row.next}"


def _minute(time: float, now: float, day: str = "%Y-%m-%d") -> str:
    """Write a time to the minute, in UTC, with the day, in a form of strftime, where that is not today."""
    moment, today = datetime.fromtimestamp(time, UTC), datetime.fromtimestamp(now, UTC)
    return f"{moment:{'%H:%MZ' if moment.date() == today.date() else f'{day} %H:%MZ'}}"


def _show_groups(groups: Sequence[Group], now: float) -> None:
    header = ("MACHINE", "STATE", "ERROR", "COUNT", "UNRESOLVED", "FIRST", "LAST")
    cells = [
        (
            _name(group.machine),
            group.state or "-",
            group.error or "-",
            f"{group.count:,}",
            f"{group.unresolved:,}",
            _minute(group.first, now),
            _minute(group.last, now),
        )
        for group in groups
    ]
    for line in table(header, cells, names=3):
        print(line)


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]
