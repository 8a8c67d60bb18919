"""The drawing of one chain: the execution that failed and its resumes, from top to bottom. Pure: a row in, HTML out."""

from gotostate.chains import Link
from gotostate.dashboard.markup import tag, text
from gotostate.dashboard.panel import LOOKS, MOST_CALLS, execution, is_resumable, mark, name_of, reason_of, status
from gotostate.dashboard.widgetcontext import View
from gotostate.plain import duration
from gotostate.rows import Row, Status

# Of each status of AWS's: the class that colours it and the shape of its mark.
_LOOKS = {
    "SUCCEEDED": LOOKS[Status.RECOVERED],
    "RUNNING": LOOKS[Status.RUNNING],
    "FAILED": LOOKS[Status.OPEN],
    "TIMED_OUT": LOOKS[Status.OPEN],
    "ABORTED": LOOKS[Status.OFF],
}


def chain(row: Row, view: View, *, now: float) -> str:
    """Draw a failure's chain, and below it what runs again and what to type. now: in seconds since the epoch."""
    name = tag("span", text(name_of(row.original)), class_="gs-name")
    machine = tag("span", text(name_of(row.machine)), class_="gs-name")
    title = tag("h2", name + tag("span", " of ", class_="gs-dim") + machine)
    told = tag("p", status(row))
    if reason := reason_of(row):
        told += tag("p", text(reason), class_="gs-small gs-name")
    links = "".join(_link(row, number, view, now) for number in range(len(row.chain)))
    return title + told + tag("ol", links, class_="gs-chain") + _again(row) + _next(row)


def _link(row: Row, number: int, view: View, now: float) -> str:
    one = row.chain[number]
    waits = row.status is Status.WAITING and one.execution == row.newest
    kind, shape = LOOKS[Status.WAITING] if waits else _LOOKS.get(one.status, LOOKS[Status.OFF])
    name = execution(one.execution, f"resume {one.attempt}" if one.attempt else None)
    said = "WAITING" if waits else one.status
    head = f"{name} {tag('span', text(said), class_=f'gs-status gs-{kind}')}"
    lines = [_when(one, view, now)]
    if waits and row.until is not None:
        lines.append(f"enters its state at {view.time(row.until)}")
    if one.redriven is not None:
        lines.append(f"redriven at {view.time(one.redriven)}")
    if one.execution == _failed_last(row):
        lines.append(f"failed in {row.state or 'no state'}" + (f": {row.error}" if row.error else ""))
    small = "".join(tag("div", text(line), class_="gs-small gs-name") for line in lines if line)
    drawn = tag("span", mark(shape, 16), class_=f"gs-mark gs-{kind}")
    return tag("li", drawn + tag("div", head) + small)


def _when(one: Link, view: View, now: float) -> str:
    if one.started is None:
        return ""
    if one.stopped is None:
        return f"started {view.time(one.started)}, {duration(now - one.started)} ago"
    return f"started {view.time(one.started)}, ended after {duration(one.stopped - one.started)}"


def _failed_last(row: Row) -> str | None:
    """Return the newest execution that failed: the row's state and error are of it."""
    failed = [one.execution for one in row.chain if one.status in ("FAILED", "TIMED_OUT", "ABORTED")]
    return failed[-1] if failed else None


def _again(row: Row) -> str:
    if not is_resumable(row) or not row.calls:
        return ""
    shown = "".join(tag("li", tag("span", text(one), class_="gs-name")) for one in row.calls[:MOST_CALLS])
    more = len(row.calls) - MOST_CALLS
    rest = tag("li", text(f"and {more} more")) if more > 0 else ""
    return tag("h3", "Runs again, or for the first time") + tag("ul", shown + rest, class_="gs-list")


def _next(row: Row) -> str:
    if not row.next:
        return ""
    commands = "".join(tag("p", tag("code", text(one))) for one in row.next.split("; "))
    return tag("h3", "In a terminal") + commands
