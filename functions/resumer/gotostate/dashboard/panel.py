"""The widget "Recoveries": failures as a list, as CloudWatch shows it on a dashboard. Pure: rows in, HTML out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gotostate.dashboard.markup import call, link, tag, text
from gotostate.dashboard.theme import style
from gotostate.dashboard.widgetcontext import View, Wanted
from gotostate.history import Why
from gotostate.notice import console_link
from gotostate.plain import duration
from gotostate.rows import Found, Row, Status

MOST_CALLS = 20
LONGEST_REASON = 300

# Of each status: the class that colours it, and the shape of its mark, so that colour is not all that tells.
LOOKS = {
    Status.OPEN: ("failed", "cross"),
    Status.GAVE_UP: ("failed", "cross"),
    Status.PREPARED: ("held", "bang"),
    Status.WAITING: ("going", "clock"),
    Status.RUNNING: ("going", "play"),
    Status.RECOVERED: ("done", "tick"),
    Status.OFF: ("idle", "dash"),
    Status.LEFT_TO_PARENT: ("idle", "dash"),
}
_SHAPES = {
    "cross": "M5 5l4 4M9 5l-4 4",
    "bang": "M7 4v3.4M7 9.8v.2",
    "clock": "M7 4v3.2l2 1.2",
    "play": "M5.8 4.6v4.8L9.6 7z",
    "tick": "M4.4 7.2l1.9 1.9 3.4-3.9",
    "dash": "M4.5 7h5",
}
# Those that a person can do something about here; a request for the others is refused.
_RESUMABLE = (Status.OPEN, Status.PREPARED, Status.GAVE_UP)
_COUNTED = (
    ("failed", "cross", "open or given up", (Status.OPEN, Status.GAVE_UP)),
    ("held", "bang", "prepared", (Status.PREPARED,)),
    ("going", "play", "waiting or running", (Status.WAITING, Status.RUNNING)),
    ("idle", "dash", "left alone", (Status.OFF, Status.LEFT_TO_PARENT)),
    ("done", "tick", "recovered", (Status.RECOVERED,)),
)


@dataclass(frozen=True)
class Actions:
    """The functions that the widget's buttons call, by ARN.

    show: the one that draws the list. ask: the one that asks for a resume; None where there is none.
    """

    show: str
    ask: str | None = None


def page(content: str, view: View) -> str:
    """Make the widget's whole answer out of what it shows."""
    root = tag("div", content, class_="gs cwdb-no-default-styles")
    return style(view.theme, view.width) + root


def failures(found: Found, wanted: Wanted, view: View, actions: Actions, *, now: float) -> str:
    """Show failures, by machine, state and error. now: in seconds since the epoch."""
    between = view.between(wanted.since, wanted.until)
    if not found.rows:
        nothing = "No failures of state machines that opted in"
        return page(message(nothing, between, "done"), view)
    body = "".join(_group(rows, view, actions, now) for rows in grouped(found.rows))
    head = tag("thead", tag("tr", "".join(_heading(*column) for column in _COLUMNS)))
    table = tag("table", head + tag("tbody", body))
    return page(_bar(found, between) + table + _more(found, wanted), view)


def message(title: str, said: str, kind: str = "failed") -> str:
    """Say one thing in place of a list, or in a popup. kind: failed, held or done."""
    return tag("div", tag("h2", text(title)) + tag("p", text(said)), class_=f"gs-note gs-{kind}")


def grouped(rows: Iterable[Row]) -> list[list[Row]]:
    """Put rows together by machine, state and error; groups and rows stay in the order in which they came."""
    found: dict[tuple[str, str | None, str | None], list[Row]] = {}
    for row in rows:
        found.setdefault((row.machine, row.state, row.error), []).append(row)
    return list(found.values())


def status(row: Row) -> str:
    """Write how a failure stands, with its mark."""
    kind, shape = LOOKS[row.status]
    return tag("span", mark(shape) + text(row.status.value), class_=f"gs-status gs-{kind}")


def mark(shape: str, size: int = 14) -> str:
    """Draw a small mark in the colour of the text that it stands in."""
    return (
        f'<svg width="{size}" height="{size}" viewBox="0 0 14 14" fill="none" stroke="currentColor" stroke-width="1.4" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><circle cx="7" cy="7" r="6"/>'
        f'<path d="{_SHAPES[shape]}"/></svg>'
    )


def name_of(arn: str) -> str:
    """Return the name in the ARN of an execution or state machine."""
    return arn.rpartition(":")[2]


def execution(arn: str, label: str | None = None) -> str:
    """Write an execution's name as the link to it in the console."""
    return link(label or name_of(arn), console_link(arn), class_="gs-name", title=arn)


_COLUMNS = (("Status", "132px"), ("Execution", None), ("Failed", "126px"), ("Attempt", "76px"), ("", "152px"))


def _heading(label: str, width: str | None) -> str:
    return tag("th", text(label), scope="col", style=f"width:{width}" if width else None)


def _bar(found: Found, between: str) -> str:
    rows, counts = found.rows, []
    for kind, shape, label, statuses in _COUNTED:
        if number := sum(row.status in statuses for row in rows):
            counts.append(tag("span", f"{mark(shape)}{number} {text(label)}", class_=f"gs-status gs-{kind}"))
    shown = f"{len(rows):,} of {len(rows) + found.more:,} shown, {between}" if found.more else between
    return tag("div", "".join(counts) + tag("span", text(shown), class_="gs-small"), class_="gs-bar")


def _more(found: Found, wanted: Wanted) -> str:
    if not found.more:
        return ""
    said = f"{found.more:,} more are not shown: choose a shorter time range, or set limit (now {wanted.limit})"
    return tag("p", text(said), class_="gs-small gs-bar")


def _group(rows: Sequence[Row], view: View, actions: Actions, now: float) -> str:
    first = rows[0]
    parts = [_named(name_of(first.machine)), _named(first.state or "no state")]
    if first.error:
        parts.append(tag("span", text(first.error), class_="gs-name gs-error"))
    title = tag("span", _count(rows), class_="gs-count") + tag("span", " \u203a ", class_="gs-dim").join(parts)
    header = tag("tr", tag("th", title, colspan=str(len(_COLUMNS)), scope="rowgroup"), class_="gs-group")
    return header + "".join(_row(row, view, actions, now) for row in rows)


def _count(rows: Sequence[Row]) -> str:
    unresolved = sum(not row.status.is_resolved for row in rows)
    if unresolved == 0:
        return f"{len(rows)} recovered"
    return f"{unresolved} unresolved" if unresolved == len(rows) else f"{unresolved} of {len(rows)} unresolved"


def _named(name: str) -> str:
    return tag("span", text(name), class_="gs-name")


def _row(row: Row, view: View, actions: Actions, now: float) -> str:
    cells = [
        tag("td", status(row) + _until(row, view, now)),
        tag("td", execution(row.original) + _newest(row) + _reason(row), class_="gs-what"),
        tag("td", f"{text(duration(now - row.failed_at))} ago", class_="gs-when", title=view.time(row.failed_at)),
        tag("td", text(f"{row.attempt} of {row.max_attempts}"), class_="gs-try"),
        tag("td", _acts(row, actions), class_="gs-acts"),
    ]
    return tag("tr", "".join(cells), class_="gs-row")


def _until(row: Row, view: View, now: float) -> str:
    if row.status is not Status.WAITING or row.until is None:
        return ""
    left = f"for {duration(row.until - now)}" if row.until > now else "enters it now"
    return tag("div", text(left), class_="gs-small", title=view.time(row.until))


def _newest(row: Row) -> str:
    if row.newest == row.original:
        return ""
    return tag("div", text("newest: ") + execution(row.newest, f"resume {row.attempt}"), class_="gs-small")


def _reason(row: Row) -> str:
    reason = reason_of(row)
    return tag("div", text(shortened(reason)), class_="gs-small gs-name") if reason else ""


def reason_of(row: Row) -> str | None:
    """Say why a failure stands as it does; None where nothing is to be said."""
    # Where automation would simply resume it, its reason is why it enters that state.
    if row.status is Status.OPEN and row.reason in set(Why):
        return "nothing has taken it up yet"
    return None if row.status.is_resolved else row.reason


def shortened(reason: str) -> str:
    """Cut a text that would fill the widget."""
    return reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…"


def _acts(row: Row, actions: Actions) -> str:
    # Anchors, as in AWS's documents of cwdb-action; a class of CloudWatch's own makes nothing of them here.
    chain = tag("a", "Chain", class_="gs-act", role="button", title="Show the chain of executions") + call(
        actions.show, {"chain": row.original, "failedAt": row.failed_at}
    )
    if actions.ask is None or not is_resumable(row):
        return chain
    resume = tag("a", "Resume", class_="gs-act gs-main", role="button", title="Ask the Resumer to resume it")
    asked = {"execution": row.newest, "state": row.state}
    return resume + call(actions.ask, asked, confirmation=confirmation(row)) + chain


def is_resumable(row: Row) -> bool:
    """Tell whether a person can ask for a resume of a failure here."""
    return row.status in _RESUMABLE and row.state is not None


def confirmation(row: Row) -> str:
    """Ask whether a failure is to be resumed, with all that runs again."""
    again = ", ".join(row.calls[:MOST_CALLS])
    if (unsaid := len(row.calls) - MOST_CALLS) > 0:
        again += f" and {unsaid} more"
    tasks = f"These tasks run again, or for the first time: {again}." if again else "No task runs."
    return f"Resume {name_of(row.original)} of {name_of(row.machine)}, which failed in '{row.state}'? {tasks}"
