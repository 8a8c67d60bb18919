"""Spoiled requests of a dashboard, its button and the schedule: HTML or numbers, and nothing that was not asked for."""

import json
from typing import Any

import listed
import pytest
import request
import sweeper
import widget
from botocore.exceptions import ClientError
from failures import NOW
from fake_account import RefusalError, execution_arn, failure_events, machine_arn
from fuzz.spoiled import LONE, Log, client_of, examples, junk, memory_of, nested, sent, spoiled, spoiled_texts, texts
from gotostate.housekeeping import DELETING_TAG
from gotostate.resumption import SOURCE_TAG
from hypothesis import example, given
from hypothesis import strategies as st
from listed import ORDERS, QUEUE, REQUEST, WIDGET, Account, widget_context

ORDER = execution_arn("orders", "order-41")
LIST = {"limit": 20, "stateMachine": "*", "widgetContext": widget_context(forms={"all": {"a": "b"}})}
CHAIN = {"chain": ORDER, "failedAt": NOW - 50, "widgetContext": widget_context()}
ASKED = {"execution": ORDER, "state": "Charge", "widgetContext": widget_context()}
requests = st.sampled_from([LIST, CHAIN, ASKED, {"describe": True}]).flatmap(spoiled)
LINE = {"level": "INFO", "execution": ORDER, "outcome": "resumed", "timestamp": "2026-05-01 03:00:02,000+0000"}


def setting(patch: pytest.MonkeyPatch, error: str = "Boom", state: str = "Charge") -> Account:
    account = Account()
    account.add_machine("orders", ORDERS, {"gotostate": "resume"})
    account.add_machine("private", ORDERS, {})
    events = failure_events(state, error=error)
    account.add_failure("orders", "order-41", events)
    account.add_failure("private", "order-42", events)
    for run in account.runs.values():
        run.stopped = NOW - 50
    account.now = NOW
    memory = memory_of(account)
    for function in (widget, request):
        patch.setattr(function, "_memory", lambda: memory)
    patch.setattr(widget, "_now", lambda: NOW)
    patch.setattr(sweeper, "_aws", lambda: client_of(account))
    patch.setattr(sweeper, "_now", lambda: account.now)
    patch.setenv("QUEUE_URL", QUEUE)
    patch.setenv("REQUEST_FUNCTION_ARN", REQUEST)
    patch.setenv("RESUMER_LOG_GROUP", "resumer")
    patch.setenv("SWEEPER_LOG_GROUP", "sweeper")
    return account


@examples(60)
@given(requests)
@example({"widgetContext": {"timeRange": {"start": 0, "end": 10**400}}})
@example({**LIST, "limit": "٣"})
@example({**LIST, "stateMachine": "*" * 80})
@example({**LIST, "stateMachine": LONE})
@example({**CHAIN, "chain": LONE})
@example({**CHAIN, "chain": f"{ORDER}{LONE}"})
@example({**CHAIN, "failedAt": float("nan")})
@example(nested(400))
def test_the_widget_shows_or_says_why_not(event: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        account, log = setting(patch), Log(widget.logger, patch)
        context: Any = listed.Context(WIDGET)
        html = widget.handler(event, context)
        assert isinstance(html, str)
        sent(html)
        assert "did not work" not in html
        assert not [line for line in log.lines() if line["level"] == "ERROR"]
        assert (account.changes, account.sent) == ([], [])


@examples(60)
@given(spoiled(ASKED))
@example({**ASKED, "execution": LONE})
@example({**ASKED, "execution": f"{ORDER}{LONE}"})
@example({**ASKED, "execution": execution_arn("private", "order-42")})
@example({**ASKED, "state": [LONE]})
@example({**ASKED, "state": float("nan")})
def test_the_button_asks_for_what_was_confirmed_alone(event: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        account, log = setting(patch), Log(request.logger, patch)
        context: Any = listed.Context(REQUEST)
        html = request.handler(event, context)
        assert isinstance(html, str)
        sent(html)
        assert not [line for line in log.lines() if line["level"] == "ERROR"]
        assert account.changes == []
        if account.sent:
            assert event["execution"] == ORDER
            assert event.get("state") in ("Charge", None)
            assert [message["detail"]["executionArn"] for message in account.sent] == [ORDER]


@examples(20)
@given(requests, texts, texts)
def test_what_failed_is_shown_whatever_it_is_called(event: Any, error: str, cause: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        account, log = setting(patch, error), Log(widget.logger, patch)
        account.runs[ORDER].events[-1]["executionFailedEventDetails"]["cause"] = cause
        context: Any = listed.Context(WIDGET)
        sent(widget.handler(event, context))
        sent(widget.handler(LIST, context))
        assert not [line for line in log.lines() if line["level"] == "ERROR"]


class Context(listed.Context):
    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@examples(40)
@given(
    junk,
    st.lists(spoiled_texts(LINE) | texts, max_size=4),
    st.dictionaries(st.sampled_from([SOURCE_TAG, DELETING_TAG]), texts | st.just(machine_arn("orders")), max_size=2),
)
@example(None, [json.dumps({**LINE, "execution": []})], {})
@example(None, ["[" * 100_000], {})
@example(None, ["1" * 5_000], {})
@example(None, [], {DELETING_TAG: "9" * 5_000})
@example(None, [], {DELETING_TAG: "0"})
@example(None, [], {DELETING_TAG: "0 somebody's", SOURCE_TAG: ""})
def test_the_sweep_counts_whatever_was_logged(event: Any, lines: list[str], tags: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        account, log = setting(patch), Log(sweeper.logger, patch)
        account.add_machine("orders-with-GoToState", ORDERS, tags)
        account.now += 600
        account.logs["resumer"] = [(NOW, line) for line in lines]
        context: Any = Context()
        answer = sweeper.handler(event, context)
        sent(answer)
        assert answer["swept"] == len(account.sent) <= 1
        assert not [line for line in log.lines() if line["level"] == "ERROR"]
        # A machine that does not prove to be ours is left alone.
        assert account.changes == []


@examples(20)
@given(st.data())
def test_a_sweep_that_aws_refuses_changes_nothing(data: st.DataObject) -> None:
    def refuse(operation: str, body: Any) -> None:
        refused.append(data.draw(st.sampled_from([None, None, "AccessDeniedException", "ThrottlingException"])))
        if refused[-1]:
            raise RefusalError(refused[-1])

    refused: list[str | None] = []
    with pytest.MonkeyPatch.context() as patch:
        account = setting(patch)
        account.now += 600
        account.gate = refuse
        context: Any = Context()
        try:
            sweeper.handler(None, context)
        except ClientError:
            # A missing permission is for people: Lambda tries again, and the alarm tells of it.
            was_denied = refused[-1] == "AccessDeniedException"
        else:
            was_denied = True
        assert was_denied
        assert account.changes == []


def test_the_harness_would_see_a_change() -> None:
    with pytest.MonkeyPatch.context() as patch:
        account = setting(patch)
        context: Any = listed.Context(REQUEST)
        request.handler(ASKED, context)
        assert len(account.sent) == 1
        account.now += 600
        schedule: Any = Context()
        assert sweeper.handler(None, schedule)["swept"] == 1


def test_where_aws_throttles_the_index_of_tags_it_is_later_and_no_error() -> None:
    def throttle(operation: str, body: Any) -> None:
        if operation == "GetResources":
            raise RefusalError("ThrottledException")

    with pytest.MonkeyPatch.context() as patch:
        account, log = setting(patch), Log(widget.logger, patch)
        account.gate = throttle
        context: Any = Context()
        assert sweeper.handler(None, context)["machines"] == 0
        assert "Not now" in widget.handler(LIST, context)
        assert not [line for line in log.lines() if line["level"] == "ERROR"]
