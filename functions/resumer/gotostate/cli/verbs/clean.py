"""gotostate clean: delete GoToState machines and versions that are not needed any more."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from gotostate import cleaning, jsontext
from gotostate.cleaning import Found
from gotostate.cli import selection
from gotostate.cli.confirmation import confirm
from gotostate.cli.options import add_dry_run, add_json, add_profile, add_region, add_verb, add_yes
from gotostate.cli.selection import check_count
from gotostate.cli.table import table
from gotostate.cli.terminal import Exit, show, show_json
from gotostate.errors import NotFoundError
from gotostate.housekeeping import Marks
from gotostate.plain import printable
from gotostate.settings import matches
from gotostate.stepfunctions import StepFunctions

DAYS = 30

_DAY_SECONDS = 86_400.0
_FORGETS = (
    "deleting a machine also deletes its executions: a failure that they resumed then looks open, and resuming it "
    "again does its work again"
)


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        commands,
        "clean",
        "delete GoToState machines and versions that are not needed any more",
        description="Delete GoToState machines and their versions that have not run for some days and are not needed: "
        "nothing of them runs, and AWS holds no failure that they may have resumed. A machine that is deleted is built "
        "again when a failure needs it. Shows what would be deleted and why the others stay, and asks for "
        "confirmation; --json without --yes prints that and exits with 3.",
        examples=["gotostate clean --days 60 --dry-run", "gotostate clean --state-machine 'dev-*' --all"],
    )
    selection.add_machines(parser, "all")
    parser.add_argument("--days", metavar="N", help=f"keep what has run within so many days; default {DAYS}")
    parser.add_argument(
        "--all",
        action="store_true",
        help="delete all GoToState machines of this region that have nothing running; before you remove the stack",
    )
    add_dry_run(parser)
    add_json(parser)
    add_yes(parser)
    add_region(parser)
    add_profile(parser)
    parser.set_defaults(run=_run, check=_check, parser=parser)


def _check(options: argparse.Namespace) -> str | None:
    days = options.days
    if days is not None and (wrong := check_count("days", days)):
        return wrong
    if days is not None and options.all:
        return "--all keeps nothing for the days it ran in; leave --days or --all out"
    if options.dry_run and options.yes:
        return "--dry-run does nothing, and --yes does it; leave one of them out"
    for name in ("region", "profile"):
        if getattr(options, name) == "":
            return f"--{name} is empty; give a value or leave it out"
    return selection.check_machines(options)


def _run(options: argparse.Namespace) -> Exit:
    aws = selection.connect(options)
    found = list(_found(aws, options))
    doomed = [one for one in found if one.stays is None]
    trimmed = [one for one in found if one.stays is not None and (one.versions or one.was_left)]
    if options.json and not options.yes:
        show_json(_json(found, None, None))
        return Exit.UNCONFIRMED if (doomed or trimmed) and not options.dry_run else Exit.DONE
    if not options.json:
        _show(found, options)
    if options.dry_run or not (doomed or trimmed):
        if options.json:
            show_json(_json(found, [], []))
        return Exit.DONE
    sys.stdout.flush()
    confirm(f"Delete {_counted(doomed, trimmed)}?", given=options.yes)
    return _delete(aws, found, doomed, trimmed, is_json=options.json)


def _found(aws: StepFunctions, options: argparse.Namespace) -> Iterator[Found]:
    keep = int(options.days or DAYS) * _DAY_SECONDS
    for arn, marks in cleaning.machines(aws).items():
        if not _is_meant(arn, marks, options.state_machine):
            continue
        try:
            yield cleaning.look(aws, arn, marks, now=_now(), keep=keep, everything=options.all)
        except NotFoundError:
            # The index of machines may be behind.
            continue


def _is_meant(arn: str, marks: Marks, patterns: Sequence[str] | None) -> bool:
    """Tell whether a GoToState machine, or its source, has one of these names or ARNs."""
    if not patterns:
        return True
    arns = (arn, marks.source or arn)
    return any(matches(name, tuple(patterns)) for each in arns for name in (each, each.rpartition(":")[2]))


def _delete(
    aws: StepFunctions, found: Sequence[Found], doomed: Sequence[Found], trimmed: Sequence[Found], *, is_json: bool
) -> Exit:
    versions: list[str] = []
    for one in trimmed:
        if one.was_left:
            cleaning.restore(aws, one)
        versions += cleaning.delete_versions(aws, one)
    if doomed:
        minutes = round(cleaning.SETTLE_SECONDS / 60)
        print(f"waiting for {minutes} minutes, until nobody can start them any more", file=sys.stderr, flush=True)
    machines = cleaning.delete(aws, doomed, _now)
    if is_json:
        show_json(_json(found, machines, versions))
    else:
        for arn in (*machines, *versions):
            show("Deleted", arn)
        for one in doomed:
            if one.arn not in machines:
                show("Stays", f"{one.arn}: somebody uses it, or its versions cannot be deleted")
    return Exit.DONE if len(machines) == len(doomed) else Exit.FAILURE


def _show(found: Sequence[Found], options: argparse.Namespace) -> None:
    if not found:
        such = "such " if options.state_machine else ""
        print(f"there are no {such}GoToState machines here")
        return
    rows = [(one.arn.rpartition(":")[2], _what(one)) for one in found]
    for line, one in zip(table(("MACHINE", "DELETE"), rows, names=1), (None, *found), strict=True):
        print(line)
        if one and one.stays:
            print(f"  stays: {printable(one.stays)}")
    if options.all:
        show("Mind", _FORGETS)


def _what(found: Found) -> str:
    if found.stays is None:
        return "the machine"
    return _number(len(found.versions), "old version") if found.versions else "-"


def _counted(doomed: Sequence[Found], trimmed: Sequence[Found]) -> str:
    counts = (len(doomed), "state machine"), (sum(len(one.versions) for one in trimmed), "old version")
    return " and ".join(_number(count, what) for count, what in counts if count) or "what a deletion has left"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _json(found: Sequence[Found], machines: Sequence[str] | None, versions: Sequence[str] | None) -> str:
    """Write the plan, and the deleted machines and versions; null where nothing was to be done yet."""
    return jsontext.write(
        {
            "machines": [
                {
                    "machine": one.arn,
                    "source": one.marks.source,
                    "delete": one.stays is None,
                    "stays": one.stays,
                    "versions": list(one.versions),
                }
                for one in found
            ],
            "deleted": None if machines is None else {"machines": list(machines), "versions": list(versions or ())},
        }
    )


def _now() -> float:
    return time.time()
