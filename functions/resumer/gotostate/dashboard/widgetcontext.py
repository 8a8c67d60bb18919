"""What a CloudWatch dashboard tells a custom widget: the parameters, the time range and how it looks.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_about.html
Nothing of it is authenticated: whoever may invoke the function can send anything.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, TypeGuard

from gotostate.dashboard.theme import Theme
from gotostate.errors import GotoStateError

# Each row takes two or three calls, from the quotas that the Resumer needs as well.
DEFAULT_LIMIT, MOST_ROWS = 20, 100
DEFAULT_WIDTH = 800
LONGEST_PATTERN = 80
# In seconds since the epoch: some years before the year 9999, the last that a date can hold, whatever the time zone.
LATEST = 253_000_000_000

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
_DASHBOARD = re.compile(r"[A-Za-z0-9_-]{1,255}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_OFFSET = re.compile(r"([+-])(\d\d):([0-5]\d)")


class WidgetError(GotoStateError):
    """The widget cannot show what it was asked for."""


@dataclass(frozen=True)
class View:
    """How a dashboard wants something shown; where it does not say, as a wide light one in UTC.

    width: in pixels. dashboard, account: as the dashboard says them; None where they are none.
    """

    theme: Theme = Theme.LIGHT
    zone: tzinfo = UTC
    width: int = DEFAULT_WIDTH
    dashboard: str | None = None
    account: str | None = None

    @classmethod
    def of(cls, event: object) -> "View":
        """Read the view out of a widget's event; what cannot be read is left out, as no list depends on it."""
        context = _context(event)
        width = context.get("width")
        return cls(
            Theme.DARK if context.get("theme") == Theme.DARK else Theme.LIGHT,
            _zone(context.get("timezone")),
            int(width) if _is_number(width) and 0 < width < 100_000 else DEFAULT_WIDTH,
            _matching(_DASHBOARD, context.get("dashboardName")),
            _matching(_ACCOUNT, context.get("accountId")),
        )

    def time(self, seconds: float) -> str:
        """Write a time, in seconds since the epoch, in the dashboard's time zone."""
        return f"{datetime.fromtimestamp(seconds, self.zone):%Y-%m-%d %H:%M:%S} {self.zone.tzname(None)}"

    def between(self, since: float, until: float) -> str:
        """Write a range of time, to the minute."""
        first, last = (f"{datetime.fromtimestamp(time, self.zone):%Y-%m-%d %H:%M}" for time in (since, until))
        return f"{first} to {last} {self.zone.tzname(None)}"


@dataclass(frozen=True)
class Wanted:
    """The failures that a widget shows.

    since, until: in seconds since the epoch. limit: rows at most. pattern: of the names of state machines, with * for
    any characters.
    """

    since: float
    until: float
    limit: int = DEFAULT_LIMIT
    pattern: str = "*"

    @classmethod
    def of(cls, event: object) -> "Wanted":
        """Read a widget's event. Raises WidgetError that says what is wrong with it."""
        if not isinstance(event, Mapping):
            raise WidgetError("the event is not a JSON object; this function is called by a CloudWatch dashboard")
        since, until = _range(_context(event).get("timeRange"))
        return cls(since, until, _limit(event.get("limit", DEFAULT_LIMIT)), _pattern(event.get("stateMachine", "*")))


def failed_at_of(event: Mapping[str, Any]) -> float:
    """Return the time of a failure that the list wrote into one of its buttons. Raises WidgetError."""
    failed_at = event.get("failedAt")
    if not _is_number(failed_at) or not 0 < failed_at < LATEST:
        raise WidgetError("the event does not say when the execution failed")
    return float(failed_at)


def _context(event: object) -> Mapping[str, Any]:
    context = event.get("widgetContext") if isinstance(event, Mapping) else None
    return context if isinstance(context, Mapping) else {}


def _range(given: object) -> tuple[float, float]:
    """Read the time range, zoomed where a graph of the dashboard is; CloudWatch gives milliseconds."""
    zoomed = given.get("zoom") if isinstance(given, Mapping) else None
    chosen = zoomed if isinstance(zoomed, Mapping) else given
    if not isinstance(chosen, Mapping):
        raise WidgetError("the event has no widgetContext.timeRange; this function is called by a CloudWatch dashboard")
    start, end = chosen.get("start"), chosen.get("end")
    if not _is_number(start) or not _is_number(end) or not 0 <= start < end < LATEST * 1_000:
        raise WidgetError(
            "the time range of the event cannot be read: its start and end are milliseconds, the end later"
        )
    return start / 1_000, end / 1_000


def _limit(given: object) -> int:
    # A variable of the dashboard comes as a text.
    number = (
        int(given) if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) < 9 else given
    )
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MOST_ROWS:
        raise WidgetError(f"the parameter limit is no whole number from 1 to {MOST_ROWS}")
    return number


def _pattern(given: object) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_PATTERN:
        raise WidgetError(
            "the parameter stateMachine is not the name of a state machine, with * for any characters (prod-*)"
        )
    return given


def _zone(given: object) -> tzinfo:
    offset = given.get("offsetISO") if isinstance(given, Mapping) else None
    found = _OFFSET.fullmatch(offset) if isinstance(offset, str) else None
    if found is None or int(found[2]) > 23:
        return UTC
    shift = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-shift if found[1] == "-" else shift) if shift else UTC


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _matching(form: re.Pattern[str], given: object) -> str | None:
    return given if isinstance(given, str) and form.fullmatch(given) else None
