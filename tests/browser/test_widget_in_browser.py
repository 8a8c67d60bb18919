"""The widget as an operator sees it: in Chromium, on a page that does what CloudWatch does."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import listed
import pytest
import request as request_function
import widget
from failures import FOUND, GIVEN_UP, LONG_ROW, NASTY, NASTY_ROW, ODD, ODD_ROW, OPEN, PREPARED, RECOVERED, WAITING
from gotostate.plain import printable
from gotostate.rows import Found, Row

WIDTHS = (400, 800, 1400)
THEMES = ("light", "dark")
CHAIN, RESUME = "a.gs-act:has-text('Chain')", "a.gs-act:has-text('Resume')"


@pytest.fixture
def show(page: Any, console: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Show a dashboard with some failures; the functions are the real ones, on an account in memory."""

    def shown(found: Found = FOUND, *, width: int = 800, theme: str = "light", ways: str = "") -> None:
        account = listed.account(monkeypatch, found)
        context: Any = listed.Context
        console.functions = {
            listed.WIDGET: lambda event: widget.handler(event, context(listed.WIDGET)),
            listed.REQUEST: lambda event: request_function.handler(event, context(listed.REQUEST)),
        }
        widget_context = listed.widget_context(theme=theme, width=width)
        console.start = {"endpoint": listed.WIDGET, "params": {}, "widgetContext": widget_context}
        console.account = account
        page.open(console.url + ways, width + 40)

    return shown


def of(*rows: Row) -> Found:
    return Found(rows, 0)


def asked(console: Any) -> list[Any]:
    """Return what was asked of the button's function."""
    return [event for endpoint, event in console.calls if endpoint == listed.REQUEST]


def test_the_list_shows_failures_by_machine_state_and_error(page: Any, show: Any) -> None:
    show()
    groups = page.run("[...document.querySelectorAll('.gs-group')].map(one => one.innerText)")
    assert len(groups) == 5
    assert re.sub(r"\s+", " ", groups[0]) == "4 of 7 unresolved orders \u203a Charge \u203a BankDown"
    assert page.run("document.querySelectorAll('.gs-row').length") == len(FOUND.rows)
    assert (
        page.run("[...document.querySelectorAll('.gs-row')].filter(one => one.innerText.includes('Resume')).length")
        == 3
    )
    links = page.run("[...document.querySelectorAll('.gs-row a[href]')].map(one => one.href)")
    assert links
    assert all(
        one.startswith("https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/") for one in links
    )
    assert page.events() == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_can_be_read(page: Any, show: Any, width: int, theme: str, tmp_path: Any) -> None:
    show(of(*FOUND.rows, NASTY_ROW, LONG_ROW), width=width, theme=theme)
    page.call("screenshot", {"path": str(tmp_path / "widget.png"), "fullPage": True})
    assert (tmp_path / "widget.png").stat().st_size > 10_000
    assert page.run(WIDER) == []
    assert page.run(PALE) == []
    # CloudWatch's own styles are switched off.
    assert page.run("document.querySelectorAll('.styled').length") == 0


# Elements that end beyond the widget's right edge.
WIDER = """(() => {
  const edge = document.getElementById("widget").getBoundingClientRect().right + 0.5;
  return [...document.querySelectorAll("#widget *")].filter((one) => one.getBoundingClientRect().right > edge)
    .map((one) => one.outerHTML.slice(0, 200));
})()"""
# Elements with a text of their own whose contrast is less than 4.5 to 1 (WCAG 2, level AA).
PALE = """(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => rgb(text).slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (one) => {
    const colour = getComputedStyle(one).backgroundColor;
    return rgb(colour)[3] === 0 ? behind(one.parentElement) : colour;
  };
  return [...document.querySelectorAll("#widget *")]
    .filter((one) => one.localName !== "style")
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .filter((one) => one.getClientRects().length)
    .map((one) => [light(getComputedStyle(one).color), light(behind(one)), one.outerHTML.slice(0, 200)])
    .map(([front, back, what]) => [(Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05), what])
    .filter(([ratio]) => ratio < 4.5);
})()"""


@pytest.mark.parametrize("ways", ["", "?read=html&confirm=html"])
def test_nasty_names_are_text_and_run_nothing(page: Any, console: Any, show: Any, ways: str) -> None:
    show(of(ODD_ROW, NASTY_ROW), ways=ways)
    shown = page.call("innerText", "#widget").replace("\n", "")
    for text in (*(f"{letter}-{NASTY}" for letter in "emrsx"), f"m-{ODD}", f"e-{ODD}"):
        assert printable(text) in shown, text
    page.call("click", CHAIN)
    page.call("waitForSelector", "#popup[open] .gs")
    popup = page.call("innerText", "#popup")
    assert printable(f"c-{NASTY}") in popup
    page.call("click", "#popup footer button")
    page.call("click", RESUME)
    question = page.call("innerText", "#question div")
    # What is markup is written otherwise there, as the page may take it for HTML.
    assert "script" in question
    assert not set("<>&") & set(question)
    page.call("click", "#question button[value=yes]")
    page.call("waitForSelector", "#popup[open] .gs")
    (event,) = asked(console)
    assert (event["execution"], event["state"]) == (ODD_ROW.newest, ODD_ROW.state)
    # Nothing ran, and nothing had to be removed: it is text everywhere, not markup that CloudWatch happens to clean.
    assert page.events() == []
    assert page.run("[window.removed.length, window.hit ?? 0, document.images.length]") == [0, 0, 0]


def test_a_chain_is_drawn_on_demand(page: Any, console: Any, show: Any) -> None:
    show(of(WAITING))
    assert len(console.calls) == 1
    page.call("click", CHAIN)
    page.call("waitForSelector", "#popup[open] .gs-chain")
    drawn = page.run("[...document.querySelectorAll('#popup .gs-chain li')].map(one => one.innerText.split('\\n')[0])")
    assert drawn == ["order-38 FAILED", "resume 1 FAILED", "resume 2 WAITING"]
    links = page.run(
        "[...document.querySelectorAll('#popup a')].map(one => decodeURIComponent(one.href).split('/').pop())"
    )
    assert links == [one.execution for one in WAITING.chain]
    assert console.calls[1][0] == listed.WIDGET
    assert asked(console) == []


def test_a_resume_is_asked_for_once_it_was_confirmed(page: Any, console: Any, show: Any) -> None:
    show(of(OPEN))
    page.call("click", RESUME)
    question = page.call("innerText", "#question div")
    assert "Resume order-41 of orders" in question
    for call in OPEN.calls:
        assert call in question
    page.call("click", "#question button[value=no]")
    assert asked(console) == []
    page.call("click", RESUME)
    page.call("click", "#question button[value=yes]")
    page.call("waitForSelector", "#popup[open] .gs")
    (event,) = asked(console)
    assert event["execution"] == OPEN.newest
    assert event["widgetContext"]["dashboardName"] == "sfn-resume-recoveries"
    (sent,) = console.account.sent
    assert sent["detail"]["executionArn"] == OPEN.newest
    assert "Requested: order-41 is resumed from Charge" in page.call("innerText", "#popup")


@pytest.mark.parametrize("row", [WAITING, RECOVERED[0]], ids=["waiting", "recovered"])
def test_what_nobody_can_do_anything_about_has_no_button(page: Any, show: Any, row: Row) -> None:
    show(of(row))
    assert page.run("document.querySelectorAll('.gs-main').length") == 0


def test_what_was_resumed_meanwhile_is_not_asked_for(page: Any, console: Any, show: Any) -> None:
    # The list is old: the failure that it shows is another one by now.
    show(of(replace(OPEN, state="Reserve")))
    page.call("click", RESUME)
    page.call("click", "#question button[value=yes]")
    page.call("waitForSelector", "#popup[open] .gs")
    assert "Nothing was requested" in page.call("innerText", "#popup")
    assert console.account.sent == []


@pytest.mark.parametrize("row", [GIVEN_UP, PREPARED], ids=["gave-up", "prepared"])
def test_the_popup_says_what_to_type(page: Any, show: Any, row: Row) -> None:
    show(of(row))
    page.call("click", CHAIN)
    page.call("waitForSelector", "#popup[open] code")
    assert page.call("innerText", "#popup code") == row.next
