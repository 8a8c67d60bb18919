"""Which failures a sweep takes up: those of a time that nothing has dealt with."""

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gotostate.chains import Link, Listed
from gotostate.errors import SettingsError
from gotostate.report import STATUSES

# An event comes within a second of the failure; a message that was put off comes back three minutes later.
WAIT_SECONDS = 300.0
# A failure is looked for by so many sweeps one after another: if one fails and the next is late, the third has it.
SWEEPS = 3
LEAST_SECONDS = 3_600.0
# How the sweep logs a failure that it puts on the queue; what it logged so is not put there again.
SWEPT = "swept"
# Outcomes that listings show, so that one which was told and is not to be seen there was lost.
_SEEN = ("resumed", "redriven", "recovered")
# A log's clock and AWS's may differ.
_SKEW_SECONDS = 2.0

_RATE = re.compile(r"rate\(([1-9]\d{0,4}) (minute|hour|day)s?\)", re.ASCII)
_UNITS = {"minute": 60.0, "hour": 3_600.0, "day": 86_400.0}

Outcomes = Mapping[str, Mapping[str, float]]


def rate_seconds(text: str) -> float:
    """Read the rate of the sweep, in seconds. Raises SettingsError."""
    if found := _RATE.fullmatch(text):
        return int(found[1]) * _UNITS[found[2]]
    raise SettingsError(
        f"SWEEP_RATE is {text!r}; set the stack's parameter SweepRate to a rate, as rate(1 hour), or off"
    )


def window(now: float, rate: float) -> tuple[float, float]:
    """Return the time whose failures a sweep looks for: since, until; in seconds since the epoch.

    It follows from the clock and the rate alone, so a sweep needs to know nothing of those before it.
    """
    until = now - WAIT_SECONDS
    return until - max(SWEEPS * rate, LEAST_SECONDS), until


def in_turn(machines: Sequence[str], now: float, rate: float) -> list[str]:
    """Return machines in the order of this sweep: the next one begins a third further on.

    So each machine is among the first ones in one of the sweeps that look for a failure of it, should AWS's quota not
    last for all.
    """
    first = -(-len(machines) // SWEEPS) * (int(now / rate) % SWEEPS)
    return [*machines[first:], *machines[:first]]


def missed(listed: Iterable[Listed], since: float, until: float, dealt_with: Outcomes) -> Iterator[Link]:
    """Yield the executions that failed in a time and that nothing has dealt with.

    listed: failures as listings show them. dealt_with: when an outcome was logged, by execution and outcome.
    """
    for failure in listed:
        newest = failure.newest
        # What runs or has succeeded is dealt with, and what was aborted was stopped by somebody.
        if newest.status not in STATUSES or newest.stopped is None or not since <= newest.stopped < until:
            continue
        logged = dealt_with.get(newest.execution, {})
        # An execution that is redriven may fail again: what was logged before is of the earlier failure.
        if not any(time > newest.stopped - _SKEW_SECONDS for outcome, time in logged.items() if outcome not in _SEEN):
            yield newest


def turn_of(machine_arn: str, turns: int) -> int:
    """Tell at which of so many sweeps, counted from 0, a machine is looked at; it follows from its ARN."""
    return zlib.crc32(machine_arn.encode("utf-8", "surrogatepass")) % turns
