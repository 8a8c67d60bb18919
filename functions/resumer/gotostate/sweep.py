"""Choosing the failures for a sweep: those in a period that nothing has processed."""

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gotostate.chains import Link, Listed
from gotostate.errors import SettingsError
from gotostate.report import STATUSES

# An event comes within a second of the failure; a message that was put off returns three minutes later.
WAIT_SECONDS = 300.0
# This many consecutive sweeps look for a failure: if one fails and the next is late, the third finds it.
SWEEPS = 3
LEAST_SECONDS = 3_600.0
# The outcome that the sweep logs for a failure that it puts on the queue, so that the next sweeps skip the failure.
SWEPT = "swept"
# Outcomes that listings show: if one was logged but the listing does not show it, the recovery was lost.
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
    """Return the period whose failures a sweep looks for: since, until; in seconds since the epoch.

    It follows from the clock and the rate alone, so a sweep need not know about earlier sweeps.
    """
    until = now - WAIT_SECONDS
    return until - max(SWEEPS * rate, LEAST_SECONDS), until


def in_turn(machines: Sequence[str], now: float, rate: float) -> list[str]:
    """Return machines in the order of this sweep: the next one begins a third further on.

    So if AWS's quota is not enough for all, each machine is still among the first ones in one of the sweeps that look
    for a failure of it.
    """
    first = -(-len(machines) // SWEEPS) * (int(now / rate) % SWEEPS)
    return [*machines[first:], *machines[:first]]


def missed(listed: Iterable[Listed], since: float, until: float, dealt_with: Outcomes) -> Iterator[Link]:
    """Yield the executions that failed in a period and that nothing has processed.

    listed: failures as listings show them. dealt_with: when an outcome was logged, by execution and outcome.
    """
    for failure in listed:
        newest = failure.newest
        # An execution that runs or has succeeded needs nothing, and an aborted one was stopped by somebody.
        if newest.status not in STATUSES or newest.stopped is None or not since <= newest.stopped < until:
            continue
        logged = dealt_with.get(newest.execution, {})
        # A redriven execution may fail again: earlier log lines are about the earlier failure.
        if not any(time > newest.stopped - _SKEW_SECONDS for outcome, time in logged.items() if outcome not in _SEEN):
            yield newest


def turn_of(machine_arn: str, turns: int) -> int:
    """Return which of `turns` sweeps, counted from 0, looks at a machine; it follows from the machine's ARN."""
    return zlib.crc32(machine_arn.encode("utf-8", "surrogatepass")) % turns
