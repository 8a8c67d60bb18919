"""gotostate resume of many failures: shows what would be done, asks, and tells what was done."""

import argparse
import sys
import time

from gotostate import jsontext
from gotostate.cli import selection
from gotostate.cli.bulk import preview
from gotostate.cli.bulk.carrying import carry_out
from gotostate.cli.bulk.planned import Planned, plan_many
from gotostate.cli.bulk.preview import Preview
from gotostate.cli.bulk.results import Results, facts, lines
from gotostate.cli.confirmation import confirm
from gotostate.cli.options import add_dry_run, add_json
from gotostate.cli.terminal import Exit, show, show_json

DEFAULT_SINCE = "24h"

# Options that select among many failures, and do not apply to a single named one; --profile applies to both.
_FOR_MANY = ("state_machine", "since", "until", "error", "state", "region", "limit", "canary", "dry_run", "json")
# Options that are for one execution alone.
_FOR_ONE = ("input", "whole", "skip", "strategy", "force")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how many failures are resumed."""
    parser.add_argument("--limit", metavar="N", help="most to resume, the newest first; what is refused does not count")
    parser.add_argument(
        "--canary", metavar="N", help="resume so many first, wait for them to end, and continue only if all succeed"
    )
    add_dry_run(parser)
    add_json(parser)


def given_for_many(options: argparse.Namespace) -> list[str]:
    """Return the options that were given and are for many failures."""
    return [_option(name) for name in _FOR_MANY if getattr(options, name) not in (None, False)]


def check_options(options: argparse.Namespace) -> str | None:
    """Say what is wrong with the options, if anything is; fills in the default of --since."""
    if not options.state_machine and options.since is None:
        return "give the ARN of a failed execution, or say which failures: --state-machine NAME... or --since T"
    if given := [_option(name) for name in _FOR_ONE if getattr(options, name) not in (None, False)]:
        return f"{', '.join(given)} is for one execution: give its ARN"
    for name in ("limit", "canary"):
        text = getattr(options, name)
        if text is not None and (wrong := selection.check_count(name, text)):
            return wrong
    if options.dry_run and options.yes:
        return "--dry-run does nothing, and --yes does it; leave one of them out"
    options.since = options.since or DEFAULT_SINCE
    return selection.check_options(options, _now())


def run(options: argparse.Namespace) -> Exit:
    """Resume many failures. Raises UnconfirmedError for a no."""
    planned = plan_many(options, _now())
    results = Results(is_dry=options.dry_run and bool(planned.preview.done))
    if options.json and not options.yes:
        show_json(jsontext.write(facts(planned, None)))
        if options.dry_run:
            return Exit.DONE
        if planned.preview.done:
            return Exit.UNCONFIRMED
        return Exit.FAILURE if planned.preview.has_refused else Exit.DONE
    if not options.json:
        for line in preview.lines(planned.preview):
            print(line)
    is_carried_out = bool(planned.preview.done) and not options.dry_run
    if is_carried_out:
        sys.stdout.flush()
        confirm(_question(planned.preview), given=options.yes)
    try:
        if is_carried_out:
            carry_out(planned, results, watches=options.wait or (sys.stderr.isatty() and not options.json))
    finally:
        # Report the results so far even if it was interrupted; the same command, run again, does the rest.
        _tell(planned, results, is_json=options.json)
    has_failed = planned.preview.has_refused or results.has_failed(waits=options.wait)
    return Exit.FAILURE if has_failed and not options.dry_run else Exit.DONE


def _question(preview: Preview) -> str:
    total, first = len(preview.done), min(preview.canaries, len(preview.done))
    if not first or first == total:
        return f"Resume {total:,}?"
    return f"Resume {first:,} first, and the other {total - first:,} only if all of these succeed?"


def _tell(planned: Planned, results: Results, *, is_json: bool) -> None:
    if is_json:
        show_json(jsontext.write(facts(planned, results)))
        return
    for label, value in lines(planned, results):
        show(label, value)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _now() -> float:
    return time.time()
