"""The widget's HTML: what it says, and that no name can be more than a text in it."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import failures
import pytest
import widget
from failures import FOUND, GIVEN_UP, NASTY, NASTY_ROW, NOTHING_LEFT, NOW, OPEN, PREPARED, RECOVERED, RUNNING, WAITING
from gotostate.dashboard import chaindrawing, panel
from gotostate.dashboard.markup import LONGEST_CONFIRMATION, call, tag, text
from gotostate.dashboard.panel import Actions
from gotostate.dashboard.theme import PALETTE, Theme, style
from gotostate.dashboard.widgetcontext import DEFAULT_LIMIT, LATEST, MOST_ROWS, View, Wanted, WidgetError, failed_at_of
from gotostate.history import Why
from gotostate.plain import duration, printable
from gotostate.rows import Found, Row, Status
from hypothesis import given
from hypothesis import strategies as st
from listed import REQUEST, WIDGET, widget_context

ACTIONS = Actions(WIDGET, REQUEST)
WANTED = Wanted(NOW - 86_400, NOW)
VIEW = View()
NASTY_VIEW = View(dashboard=None)
NAMES = st.text(st.characters(exclude_characters=":"), min_size=1)


class Outline(HTMLParser):
    """The elements of some HTML with the names of their attributes, and apart from them the values and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, ...]] = []
        self.values: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment",))

    def handle_decl(self, decl: str) -> None:
        self.elements.append(("declaration",))

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(*rows: Row, view: View = VIEW, actions: Actions = ACTIONS, more: int = 0) -> str:
    return panel.failures(Found(rows, more), WANTED, view, actions, now=NOW)


def drawn(row: Row) -> str:
    return chaindrawing.chain(row, VIEW, now=NOW)


def named(name: str) -> Row:
    """Write a row in which all that comes from outside is one name."""
    # AWS's names of machines and executions are UTF-8; other texts may hold half a character, by JSON's escapes.
    whole = name.encode("utf-8", "replace").decode()
    row = failures.failure(whole, whole, Status.OPEN, 1, ago=60)
    return replace(row, state=name, error=name, reason=name, calls=(name,))


def actions_in(html: str) -> list[tuple[dict[str, str | None], Any]]:
    """Return the attributes and the parameters of each cwdb-action."""
    found: list[tuple[dict[str, str | None], Any]] = []

    class Actions(HTMLParser):
        inside = False

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.inside = tag == "cwdb-action"
            if self.inside:
                found.append((dict(attrs), ""))

        def handle_data(self, data: str) -> None:
            if self.inside:
                found[-1] = found[-1][0], json.loads(data)
                self.inside = False

    Actions().feed(html)
    return found


# ---- Nothing that comes from outside is markup ----------------------------------------------------


@given(NAMES)
def test_a_name_changes_no_element(name: str) -> None:
    plain = named("plain")
    nasty = named(name)
    for draw in (shown, drawn):
        assert Outline(draw(nasty)).elements == Outline(draw(plain)).elements


def test_nasty_names_are_shown_as_they_are() -> None:
    for html in (shown(NASTY_ROW), drawn(NASTY_ROW)):
        outline = Outline(html)
        for letter in "semr":
            assert printable(f"{letter}-{NASTY}") in outline.text
        # What changes the direction of the text, or ends a line, is written out.
        assert not set("\u202e\u200f\u2067\n") & set(outline.text + "".join(outline.values))
        assert "<script" not in html
        assert "<img" not in html


@given(st.text(), st.text())
def test_a_text_is_one_text_wherever_it_stands(value: str, other: str) -> None:
    outline = Outline(tag("b", text(value), title=other))
    assert outline.elements == [("b", "title"), ("/b",)]
    assert (outline.values, outline.text) == ([printable(other)], printable(value))


@given(st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False) | st.none()))
def test_parameters_are_the_same_however_they_are_read(parameters: dict[str, Any]) -> None:
    html = call(WIDGET, parameters)
    body = html.partition(">")[2].rpartition("</cwdb-action>")[0]
    assert json.loads(body) == parameters
    # Read as HTML it is the same: nothing in it means anything there.
    assert body.isascii()
    assert not set("<>&") & set(body)


@given(NAMES)
def test_a_confirmation_is_a_text_on_one_line_even_where_it_is_read_as_html(name: str) -> None:
    (attributes, parameters) = actions_in(shown(named(name)))[0]
    asked = attributes["confirmation"]
    assert asked
    assert asked == printable(asked)
    assert not set("<>&") & set(asked)
    assert len(asked) <= LONGEST_CONFIRMATION
    assert parameters["state"] == name


@given(st.text(st.characters(categories=["Cs", "Cc", "Cf", "Lo"])))
def test_lambda_can_answer_it(name: str) -> None:
    (shown(named(f"a{name}")) + drawn(named(f"a{name}"))).encode()


def test_nothing_is_used_that_cloudwatch_removes() -> None:
    html = shown(*FOUND.rows) + "".join(map(drawn, FOUND.rows))
    elements = Outline(html).elements
    names = {element[0] for element in elements}
    assert not names & {"script", "iframe", "use", "object", "embed", "form", "link", "base"}
    assert not [name for _, *attributes in elements for name in attributes if name.startswith("on")]
    assert "cwdb-no-default-styles" in html
    # Closed as they were opened.
    opened: list[str] = []
    for name, *_ in elements:
        if name.startswith("/"):
            assert opened.pop() == name[1:]
        else:
            opened.append(name)
    assert opened == []


# ---- What it says -----------------------------------------------------------------------------------


def test_rows_stand_by_machine_state_and_error_in_the_order_they_came() -> None:
    groups = panel.grouped([OPEN, PREPARED, RECOVERED[0], replace(OPEN, error="Other"), GIVEN_UP])
    assert [[row.original.rpartition(":")[2] for row in group] for group in groups] == [
        ["order-41", "order-22", "order-17"],
        ["2026-05-eu"],
        ["order-41"],
    ]
    html = shown(OPEN, RECOVERED[0], PREPARED)
    assert "1 of 2 unresolved" in html
    assert "1 unresolved" in html
    assert "3 recovered" in shown(*RECOVERED)


@pytest.mark.parametrize("status", list(Status))
def test_each_status_has_a_word_a_mark_and_a_place_in_the_count(status: Status) -> None:
    row = replace(OPEN, status=status)
    html = shown(row)
    assert html.count("<svg") == 2
    assert f"</svg>{status.value}</span>" in html
    assert "</svg>1 " in html
    assert ("Resume" in html) is (status in (Status.OPEN, Status.PREPARED, Status.GAVE_UP))


def test_the_button_asks_for_the_newest_execution_with_the_tasks_that_run_again() -> None:
    (attributes, parameters), chain = actions_in(shown(GIVEN_UP))
    assert attributes == {
        "action": "call",
        "display": "popup",
        "endpoint": REQUEST,
        "confirmation": (
            "Resume order-17 of orders, which failed in 'Charge'? These tasks run again, or for the first time: "
            "Charge: lambda:invoke payments-charge, Ship: sqs:sendMessage parcels."
        ),
    }
    assert parameters == {"execution": GIVEN_UP.newest, "state": "Charge"}
    assert chain[0] == {"action": "call", "display": "popup", "endpoint": WIDGET}
    assert chain[1] == {"chain": GIVEN_UP.original, "failedAt": GIVEN_UP.failed_at}


def test_a_confirmation_does_not_hide_how_many_tasks_there_are() -> None:
    many = replace(OPEN, calls=tuple(f"T{number}: sns:publish" for number in range(30)))
    assert panel.confirmation(many).endswith("T19: sns:publish and 10 more.")
    assert panel.confirmation(replace(OPEN, calls=())).endswith("No task runs.")


def test_there_is_no_button_where_nothing_can_be_resumed_or_asked() -> None:
    assert "Resume" not in shown(NOTHING_LEFT)
    assert "Resume" not in shown(OPEN, actions=Actions(WIDGET))
    assert len(actions_in(shown(OPEN, actions=Actions(WIDGET)))) == 1


def test_a_row_says_age_attempt_and_newest_resume() -> None:
    html = shown(WAITING)
    assert "16 min ago" in html
    assert "2 of 5" in html
    assert "for 4 min" in html
    assert ">resume 2</a>" in html
    assert "newest:" not in shown(OPEN)
    assert "enters it now" in shown(replace(WAITING, until=NOW - 1))


def test_what_is_not_shown_is_counted() -> None:
    assert "1,200 more are not shown: choose a shorter time range, or set limit (now 20)" in shown(OPEN, more=1_200)
    assert "more are not shown" not in shown(OPEN)


def test_no_failures_are_good_news() -> None:
    assert "No failures of state machines that opted in" in shown()


def test_why_a_state_is_entered_is_no_reason_for_being_open() -> None:
    row = replace(OPEN, reason=Why.ENDED_IN.value)
    for html in (shown(row), drawn(row)):
        assert "nothing has taken it up yet" in html
        assert Why.ENDED_IN.value not in html
    assert "it was aborted" in shown(replace(OPEN, reason="it was aborted"))
    assert "a reason" not in shown(replace(RECOVERED[0], reason="a reason"))


def test_a_long_reason_is_cut_in_the_list_and_whole_in_the_popup() -> None:
    row = replace(OPEN, reason="because " * 100)
    assert len(panel.shortened(str(row.reason))) == panel.LONGEST_REASON
    assert str(row.reason) in drawn(row)
    assert str(row.reason) not in shown(row)


@pytest.mark.parametrize(
    ("row", "links"),
    [
        (OPEN, ["order-41 FAILED"]),
        (RUNNING, ["order-36 FAILED", "resume 1 RUNNING"]),
        (WAITING, ["order-38 FAILED", "resume 1 FAILED", "resume 2 WAITING"]),
        (RECOVERED[0], ["order-22 FAILED", "resume 1 SUCCEEDED"]),
    ],
)
def test_a_chain_goes_from_the_original_to_the_newest(row: Row, links: list[str]) -> None:
    items = re.findall(r"<li>.*?</svg></span><div>(.*?)</div>", drawn(row).partition("</ol>")[0])
    assert [Outline(item).text for item in items] == links


def test_a_chain_says_where_it_failed_last_what_runs_again_and_what_to_type() -> None:
    html = drawn(GIVEN_UP)
    assert html.count("failed in Charge: BankDown") == 1
    assert html.index("failed in Charge") > html.index("resume 5<")
    assert "Runs again, or for the first time" in html
    assert f"<code>gotostate resume {GIVEN_UP.newest}</code>" in html
    assert "Runs again" not in drawn(RECOVERED[0])
    assert "In a terminal" not in drawn(RECOVERED[0])
    assert "enters its state at 2026-05-02 01:50:40 UTC" in drawn(WAITING)
    redriven = replace(OPEN, chain=(replace(OPEN.chain[0], redriven=NOW - 30),))
    assert "redriven at 2026-05-02 01:46:10 UTC" in drawn(redriven)
    unknown = replace(OPEN, chain=(replace(OPEN.chain[0], started=None, stopped=None, status="NEW"),))
    assert "NEW" in drawn(unknown)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (-1, "0 s"), (0.25, "0.2 s"), (59, "59 s"), (61, "1 min 1 s"), (7_200, "2 h"), (90_000, "1 d 1 h")],
)
def test_a_length_of_time_has_two_units_at_most(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


# ---- How it looks -----------------------------------------------------------------------------------


def brightness(colour: str) -> float:
    """Return the relative luminance of WCAG 2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("theme", list(Theme))
def test_every_text_stands_out_in_both_themes(theme: Theme) -> None:
    colours = {role: pair[theme is Theme.DARK] for role, pair in PALETTE.items()}
    pairs = [
        (role, back) for role in colours for back in ("back", "band") if role not in ("back", "band", "line", "on")
    ]
    for front, back in [*pairs, ("on", "link")]:
        high, low = sorted((brightness(colours[front]), brightness(colours[back])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (front, back)


@pytest.mark.parametrize("theme", list(Theme))
@pytest.mark.parametrize("width", [320, 1_400])
def test_a_style_sheet_is_complete_and_of_its_theme(theme: Theme, width: int) -> None:
    sheet = style(theme, width)
    assert sheet.count("{") == sheet.count("}")
    assert not re.search(r"\{\w+\}", sheet)
    assert PALETTE["back"][theme is Theme.DARK] in sheet
    assert PALETTE["back"][theme is Theme.LIGHT] not in sheet
    assert ("display:grid" in sheet) is (width == 320)
    # The dashboard's own elements are left alone.
    selectors = re.findall(r"([^{}]+)\{", sheet.removeprefix("<style>"))
    assert all(part.strip().startswith(".gs") for selector in selectors for part in selector.split(","))


# ---- What a dashboard says --------------------------------------------------------------------------


def test_a_view_is_read_as_cloudwatch_writes_it() -> None:
    zone = {"label": "Local", "offsetISO": "-03:30", "offsetInMinutes": 210}
    view = View.of({"widgetContext": widget_context(theme="dark", width=588, timezone=zone)})
    assert (view.theme, view.width) == (Theme.DARK, 588)
    assert (view.dashboard, view.account) == ("sfn-resume-recoveries", "123456789012")
    assert view.time(0) == "1969-12-31 20:30:00 UTC-03:30"
    assert view.time(LATEST)
    assert view.between(0, 60) == "1969-12-31 20:30 to 1969-12-31 20:31 UTC-03:30"
    assert View().time(0) == "1970-01-01 00:00:00 UTC"


@pytest.mark.parametrize(
    "context",
    [
        None,
        "text",
        {"theme": ["dark"], "width": "wide", "timezone": 7, "dashboardName": "a b", "accountId": 123456789012},
        {"width": True, "timezone": {"offsetISO": "+99:00"}, "dashboardName": "x\n", "accountId": "1234"},
        {"width": float("inf"), "timezone": {"offsetISO": "+1"}, "dashboardName": "<b>"},
        {"width": 10**400},
    ],
)
def test_what_a_view_cannot_read_it_leaves_out(context: Any) -> None:
    assert View.of({"widgetContext": context}) == View()


def test_the_zoomed_range_wins() -> None:
    given = {"start": 1_000, "end": 9_000, "zoom": {"start": 2_000, "end": 3_500}}
    assert Wanted.of({"widgetContext": {"timeRange": given}}) == Wanted(2.0, 3.5, 20, "*")
    parameters = {"limit": "7", "stateMachine": "prod-*", "widgetContext": {"timeRange": {"start": 0, "end": 1}}}
    assert Wanted.of(parameters) == Wanted(0.0, 0.001, 7, "prod-*")


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (None, "not a JSON object"),
        ([], "not a JSON object"),
        ({}, "no widgetContext.timeRange"),
        ({"widgetContext": {"timeRange": 7}}, "no widgetContext.timeRange"),
        ({"widgetContext": {"timeRange": {"start": 5, "end": 5}}}, "cannot be read"),
        ({"widgetContext": {"timeRange": {"start": "5", "end": 6}}}, "cannot be read"),
        ({"widgetContext": {"timeRange": {"start": -1, "end": 6}}}, "cannot be read"),
        ({"widgetContext": {"timeRange": {"start": 1, "end": float("nan")}}}, "cannot be read"),
        ({"widgetContext": {"timeRange": {"start": 1, "end": 10**400}}}, "cannot be read"),
        ({"widgetContext": {"timeRange": {"start": 1, "end": LATEST * 1_000}}}, "cannot be read"),
        ({"limit": 0}, f"limit is no whole number from 1 to {MOST_ROWS}"),
        ({"limit": MOST_ROWS + 1}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": "9" * 5_000}, "limit"),
        ({"limit": None}, "limit"),
        ({"stateMachine": ""}, "stateMachine"),
        ({"stateMachine": ["a"]}, "stateMachine"),
        ({"stateMachine": "a" * 81}, "stateMachine"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong_with_it(event: Any, says: str) -> None:
    if isinstance(event, dict) and event and "widgetContext" not in event:
        event = {**event, "widgetContext": widget_context()}
    with pytest.raises(WidgetError, match=re.escape(says)):
        Wanted.of(event)


@pytest.mark.parametrize("failed_at", [None, "1", 0, -1, True, float("nan"), 10**400, LATEST])
def test_a_time_that_is_none_is_refused(failed_at: Any) -> None:
    with pytest.raises(WidgetError):
        failed_at_of({"failedAt": failed_at})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from([*widget_context(), "zoom", "start", "end"]), inner)
    ),
)


@given(JSON, JSON, JSON)
def test_whatever_is_sent_is_read_or_refused(context: Any, limit: Any, pattern: Any) -> None:
    event = {"widgetContext": context, "limit": limit, "stateMachine": pattern}
    View.of(event)
    try:
        wanted = Wanted.of(event)
    except WidgetError:
        return
    View.of(event).between(wanted.since, wanted.until)


def test_the_documents_name_the_parameters_and_statuses() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text()
    for name in ("limit", "stateMachine"):
        assert f"**{name}** |" in widget.DOCUMENTATION
        assert f"| `{name}` |" in docs
    assert f"1 to {MOST_ROWS}" in widget.DOCUMENTATION
    assert f"1 to {MOST_ROWS}" in docs
    assert f"| `limit` | {DEFAULT_LIMIT} |" in docs
    assert f"default {DEFAULT_LIMIT}" in widget.DOCUMENTATION
    for status in Status:
        assert f"| `{status.value}` |" in docs
