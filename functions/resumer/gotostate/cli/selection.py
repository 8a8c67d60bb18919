"""The selection of failures, for the verbs that process many: by machines, period, state and error."""

import argparse
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from gotostate import sources
from gotostate.cli.account import use_profile
from gotostate.memory import Memory
from gotostate.plain import timestamp
from gotostate.stepfunctions import StepFunctions

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AGO = re.compile(rf"(\d{{1,9}})([{''.join(_UNITS)}])", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_FORMS = "give how long ago, as 30m, 2h or 7d, or a time in ISO 8601, as 2026-11-20T03:00 (local) or 2026-11-20T03:00Z"
_MACHINE = re.compile(r"arn:[^:]+:states:(?P<region>[^:]+):[^:]+:stateMachine:[^:*]+")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which failures are meant."""
    add_machines(parser, "all that have opted in by their tag")
    parser.add_argument(
        "--since", metavar="T", default="24h", help="how long ago, as 30m, 2h or 7d, or a time in ISO 8601; default 24h"
    )
    parser.add_argument("--until", metavar="T", help="the end of the period, in the same forms; default now")
    parser.add_argument("--error", metavar="PATTERN", help="name of the error, * for any characters")
    parser.add_argument("--state", metavar="NAME", help="the state in which it failed")


def add_machines(parser: argparse.ArgumentParser, default: str) -> None:
    """Add --state-machine. default: which ones are meant without it, in words."""
    parser.add_argument(
        "--state-machine",
        metavar="NAME",
        nargs="+",
        help=f"names or ARNs of state machines, * for any characters; default: {default}",
    )


def check_count(name: str, text: str) -> str | None:
    """Say what is wrong with the number that an option was given, if anything is."""
    if _COUNT.fullmatch(text) and int(text):
        return None
    return f"--{name} is {text!r}; give a whole number of at least 1 and at most 9 digits"


def check_options(options: argparse.Namespace, now: float) -> str | None:
    """Say what is wrong with the options, if anything is."""
    for name in ("error", "state", "region", "profile"):
        if getattr(options, name) == "":
            return f"--{name} is empty; give a value or leave it out"
    for name in ("since", "until"):
        text = getattr(options, name)
        if text is not None and time_of(text, now) is None:
            return f"--{name} is {text!r}; {_FORMS}"
    since, until = times(options, now)
    if since >= (now if until is None else until):
        return "--since is not before --until, or not in the past; give an earlier --since"
    return check_machines(options)


def times(options: argparse.Namespace, now: float) -> tuple[float, float | None]:
    """Return --since and --until, once they were checked, in seconds since the epoch."""
    since, until = time_of(options.since, now), time_of(options.until, now) if options.until else None
    assert since is not None
    return since, until


def time_of(text: str, now: float) -> float | None:
    """Read a time, in seconds since the epoch; None where it is none. Without a zone it is local."""
    try:
        if ago := _AGO.fullmatch(text):
            time = now - int(ago[1]) * _UNITS[ago[2]]
        else:
            time = datetime.fromisoformat(text).timestamp()
        # Only times with a year from 1 to 9999 in UTC can be written.
        datetime.fromtimestamp(time, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return time


def connect(options: argparse.Namespace) -> StepFunctions:
    """Return Step Functions in the account and region that the options name; it connects when first used."""
    use_profile(options.profile)
    regions = _regions(options.state_machine or ())
    return StepFunctions(options.region or next(iter(regions), None))


def machines(aws: StepFunctions, options: argparse.Namespace, memory: Memory | None = None) -> list[str]:
    """Return the ARNs of the state machines that the options name; memory: keeps the tags. Raises NotFoundError."""
    if options.state_machine:
        return sources.named(aws, options.state_machine, memory)
    return sources.opted_in(aws, memory)


def check_machines(options: argparse.Namespace) -> str | None:
    """Say what is wrong with --state-machine, if anything is."""
    names, region = options.state_machine or (), options.region
    for name in names:
        if not name:
            return "--state-machine is empty; give a name or leave it out"
        if name.startswith("arn:") and not _MACHINE.fullmatch(name):
            return (
                f"--state-machine is {name!r}, which is not the ARN of a state machine; give "
                "arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, or a name; for one execution: gotostate show ARN"
            )
    if len(regions := _regions(names) | ({region} if region else set())) > 1:
        return f"--state-machine and --region name {' and '.join(sorted(regions))}; give those of one region at a time"
    return None


def _regions(names: Sequence[str]) -> set[str]:
    return {found["region"] for name in names if (found := _MACHINE.fullmatch(name))}


def given(options: argparse.Namespace, since: float, until: float | None) -> list[str]:
    """Return the words of a command line that means the same failures; times are in seconds since the epoch."""
    words = ["--state-machine", *options.state_machine] if options.state_machine else []
    words += ["--since", str(timestamp(since))]
    if until is not None:
        words += ["--until", str(timestamp(until))]
    return [*words, *named(options, "error", "state", "region", "profile", "stack")]


def named(options: argparse.Namespace, *names: str) -> list[str]:
    """Return the words of those of the options that were given."""
    found = ((name, getattr(options, name)) for name in names)
    return [word for name, value in found if value for word in option(name, value)]


def option(name: str, value: str) -> tuple[str, ...]:
    """Return the words of one option; one word where its value would be taken for an option itself."""
    words = (f"--{name.replace('_', '-')}", value)
    return ("=".join(words),) if value.startswith("-") else words
