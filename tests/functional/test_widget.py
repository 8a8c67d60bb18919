"""The widget's two functions on an account in memory: one reads, the other asks, and both always answer HTML."""

import json
from io import StringIO
from typing import Any

import listed
import pytest
import request
import resumer
import widget
from failures import FOUND, NOW, OPEN, WAITING
from fake_account import RefusalError, execution_arn, failure_events
from gotostate import listing
from gotostate.recovery import recover
from gotostate.report import Report
from gotostate.rows import Found
from gotostate.settings import Settings
from listed import ORDERS, REQUEST, WIDGET, Account, Context, widget_context

READS = {
    "DescribeExecution",
    "DescribeStateMachine",
    "DescribeStateMachineForExecution",
    "GetExecutionHistory",
    "GetResources",
    "ListExecutions",
    "ListStateMachines",
    "ListTagsForResource",
}
ORDER = execution_arn("orders", "order-41")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account with the order that failed; the list of failures is the real one."""
    real = listing.rows
    made = listed.account(monkeypatch, Found((OPEN,), 0))
    monkeypatch.setattr(listing, "rows", real)
    made.runs[ORDER].stopped = NOW - 50
    return made


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    stream = StringIO()
    monkeypatch.setattr(widget.logger.registered_handler, "stream", stream)
    monkeypatch.setattr(request.logger.registered_handler, "stream", stream)
    return stream


def shown(event: Any = None, **parameters: Any) -> str:
    event = {"widgetContext": widget_context(), **parameters} if event is None else event
    context: Any = Context(WIDGET)
    return widget.handler(event, context)


def asked(execution: Any = ORDER, arn: str = REQUEST, **parameters: Any) -> str:
    context: Any = Context(arn)
    return request.handler({"execution": execution, "widgetContext": widget_context(), **parameters}, context)


def deny(account: Account, operation: str, code: str = "AccessDeniedException") -> None:
    def gate(asked: str, body: Any) -> None:
        if asked == operation:
            raise RefusalError(code, f"User is not authorized to perform {operation}")

    account.gate = gate


# ---- The list ---------------------------------------------------------------------------------------


def test_failures_are_listed_and_nothing_is_changed(account: Account) -> None:
    html = shown()
    assert "order-41" in html
    assert "Boom" in html
    assert f'endpoint="{WIDGET}"' in html
    assert f'endpoint="{REQUEST}"' in html
    assert (account.changes, account.sent) == ([], [])
    assert set(account.calls) <= READS


def test_what_recovered_is_told(account: Account) -> None:
    outcome = recover(account.memory(), Report.from_event(account.event(ORDER)), Settings())
    account.end(str(outcome.resumed), "SUCCEEDED")
    html = shown()
    assert "1 recovered" in html
    assert ">Resume</a>" not in html


def test_the_dashboards_parameters_and_time_range_are_passed_on(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def rows(memory: Any, machines: Any, settings: Any, **options: Any) -> Found:
        given.append((machines, options))
        return Found((), 0)

    monkeypatch.setattr(listing, "rows", rows)
    account.add_machine("bills", ORDERS, {"gotostate": "prepare"})
    account.add_machine("bills-with-GoToState", ORDERS, {"gotostate": "prepare"})
    account.add_machine("off", ORDERS, {"gotostate": "off"})
    account.add_machine("private", ORDERS, {})
    zoomed = {"start": 0, "end": 1, "zoom": {"start": 1_000, "end": 2_500}}
    shown(limit=7, stateMachine="b*", widgetContext=widget_context(timeRange=zoomed))
    (machines, options) = given[0]
    assert [arn.rpartition(":")[2] for arn in machines] == ["bills"]
    assert options == {"now": NOW, "since": 1.0, "until": 2.5, "limit": 7}
    monkeypatch.setenv("STATE_MACHINE_NAMES", "ord*")
    shown()
    assert [arn.rpartition(":")[2] for arn in given[1][0]] == ["orders"]


def test_where_nothing_has_opted_in_it_says_how(account: Account) -> None:
    account.retag("orders", gotostate="off")
    assert "No state machine has opted in" in shown()
    assert "No state machine named &lt;x&gt; has opted in" in shown(stateMachine="<x>")


def test_a_stack_that_deals_with_every_machine_lists_every_machine(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.add_machine("orders", ORDERS, {})
    monkeypatch.setenv("DEFAULT_MODE", "resume")
    assert "order-41" in shown()
    assert set(account.calls) <= READS


def test_without_the_buttons_function_there_is_no_button(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUEST_FUNCTION_ARN")
    assert "Resume</a>" not in shown()


def test_it_describes_itself_in_markdown(account: Account) -> None:
    text = shown({"describe": True})
    assert text.lstrip().startswith("## Recoveries")
    assert not account.calls


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({}, "no widgetContext.timeRange"),
        ([], "not a JSON object"),
        ("text", "not a JSON object"),
        ({"limit": "many", "widgetContext": widget_context()}, "the parameter limit"),
        ({"stateMachine": 7, "widgetContext": widget_context()}, "the parameter stateMachine"),
        ({"chain": 7}, "names no execution"),
        ({"chain": "arn:aws:s3:::x"}, "not the ARN of an execution"),
        ({"chain": ORDER}, "does not say when"),
        ({"chain": ORDER, "failedAt": NOW - 5_000}, "not there any more"),
        ({"chain": execution_arn("private", "x"), "failedAt": NOW}, "has not opted in"),
    ],
)
def test_a_bad_request_is_answered_in_html(account: Account, event: Any, says: str) -> None:
    html = shown(event)
    assert says in html
    assert html.startswith("<style>")
    assert (account.changes, account.sent) == ([], [])


def test_a_chain_is_read_anew(account: Account) -> None:
    html = shown({"chain": ORDER, "failedAt": account.runs[ORDER].stopped, "widgetContext": widget_context()})
    assert "gs-chain" in html
    assert "order-41" in html
    assert account.changes == []


def test_a_chain_that_a_person_began_in_the_gotostate_machine_is_read(account: Account) -> None:
    outcome = recover(account.memory(), Report.from_event(account.event(ORDER)), Settings())
    account.end(str(outcome.resumed), "SUCCEEDED")
    document = account.machines[str(outcome.machine)].document
    account.now = NOW - 100
    by_hand = account.add_failure("orders-with-GoToState", "by-hand", failure_events("Charge"), "{}")
    assert document["StartAt"] == "GoToState"
    account.now = NOW
    html = shown({"chain": by_hand, "failedAt": account.runs[by_hand].stopped, "widgetContext": widget_context()})
    assert "gs-chain" in html
    assert "by-hand" in html


def test_a_missing_permission_is_said_without_a_traceback(account: Account, log: StringIO) -> None:
    deny(account, "ListExecutions")
    html = shown()
    assert "A permission is missing" in html
    assert "sfn-resume-WidgetFunction-1 says more, under the request request-1" in html
    assert "ListExecutions" not in html
    assert "AccessDeniedException" in log.getvalue()


def test_an_error_of_ours_is_said_without_a_traceback(
    account: Account, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(*given: Any, **options: Any) -> Found:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(listing, "rows", rows)
    html = shown()
    assert "The function failed" in html
    assert "secret" not in html
    assert "ZeroDivisionError: secret" in log.getvalue()


def test_throttling_is_said(account: Account) -> None:
    deny(account, "ListExecutions", "ThrottlingException")
    assert "AWS throttles what has to be read" in shown()


def test_a_wrong_setting_is_said(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_MODE", "always")
    assert "DEFAULT_MODE is &#x27;always&#x27;" in shown()


# ---- The button -------------------------------------------------------------------------------------


def test_a_request_is_put_on_the_queue_as_the_resumer_takes_it(account: Account) -> None:
    html = asked(state="Charge")
    assert "Requested: order-41 is resumed from Charge" in html
    assert "Charge: lambda:invoke payments-charge" in html
    assert account.sent == [
        {
            "source": "gotostate",
            "detail-type": "Recovery Requested",
            "detail": {
                "executionArn": ORDER,
                "redriveCount": 0,
                "by": "somebody on the dashboard sfn-resume-recoveries of account 123456789012",
                "reason": "the resume from 'Charge' was confirmed",
            },
        }
    ]
    assert account.changes == []
    assert set(account.calls) <= READS | {"SendMessage"}


def test_what_is_to_be_redriven_is_told_so(account: Account) -> None:
    account.retag("orders", **{"gotostate:strategy": "redrive"})
    html = asked()
    assert "The Resumer redrives it as soon as it comes to the request" in html
    assert "The Resumer starts it" not in html
    assert len(account.sent) == 1


def test_however_often_it_is_asked_the_resumer_starts_one(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    asked()
    asked()
    memory = account.memory()
    monkeypatch.setattr(resumer, "_memory", lambda: memory)
    context: Any = Context()
    outcomes = [resumer.handler(message, context)["outcome"] for message in account.sent]
    assert outcomes == ["resumed", "already resumed"]
    assert "it was resumed already" in asked()
    assert len(account.sent) == 2


def test_a_person_may_have_resumed_what_automation_gave_up_or_only_prepares(account: Account) -> None:
    account.retag("orders", **{"gotostate": "prepare", "gotostate:max-attempts": "0"})
    assert "Requested" in asked()


@pytest.mark.parametrize(
    ("execution", "says"),
    [
        (None, "names no execution"),
        (7, "names no execution"),
        ("text", "not the ARN of an execution"),
        ("arn:aws:states:eu-west-1:123456789012:express:m:n:u", "Express"),
        (ORDER.replace("123456789012", "210987654321"), "is not in the account 123456789012"),
        (ORDER.replace("eu-west-1", "us-east-1"), "and the region eu-west-1"),
        (ORDER.replace("arn:aws:", "arn:aws-cn:"), "is not in the account"),
        (ORDER + "9", "does not exist"),
        (execution_arn("unknown", "x"), "does not exist"),
        (execution_arn("orders/Map", "x"), "child of a Map Run"),
    ],
)
def test_what_cannot_be_resumed_is_not_asked_for(account: Account, execution: Any, says: str) -> None:
    html = asked(execution)
    assert "Nothing was requested" in html
    assert says in html
    assert (account.changes, account.sent) == ([], [])


def test_nothing_but_the_tags_is_read_of_a_machine_that_has_not_opted_in(account: Account) -> None:
    for tags in ({}, {"gotostate": "off"}):
        account.add_machine("orders", ORDERS, tags)
        # A new container of the function.
        account.calls.clear()
        request._memory().forget_tags("arn:aws:states:eu-west-1:123456789012:stateMachine:orders")
        assert "Nothing was requested" in asked()
        assert set(account.calls) == {"ListTagsForResource"}
    assert account.sent == []


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
def test_what_has_not_failed_is_not_asked_for(account: Account, status: str) -> None:
    account.end(ORDER, status)
    assert f"the execution is {status}" in asked()
    assert account.sent == []


def test_another_state_than_was_confirmed_is_not_asked_for(account: Account) -> None:
    html = asked(state="Ship")
    assert "it would now be resumed from &#x27;Charge&#x27;" in html
    assert account.sent == []


def test_what_has_nothing_to_resume_is_not_asked_for(account: Account) -> None:
    account.add_machine("fails", {"StartAt": "No", "States": {"No": {"Type": "Fail"}}}, {"gotostate": "resume"})
    fails = account.add_failure("fails", "f", failure_events("No", kind="Fail"))
    assert "Nothing was requested" in asked(fails)
    assert account.sent == []


def test_a_child_is_left_to_its_parent(account: Account) -> None:
    sync = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"},
        "End": True,
    }
    account.add_machine("parent", {"StartAt": "Run", "States": {"Run": sync}}, {"gotostate": "resume"})
    parent = account.add_failure("parent", "p", failure_events("Run"))
    given = json.dumps({"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": parent})
    child = account.add_failure("orders", "child", failure_events("Charge", start=given), given)
    html = asked(child)
    assert "Nothing was requested" in html
    assert "waits for it (.sync)" in html
    assert account.sent == []


@pytest.mark.parametrize("name", ["<script>", "a b", "x\n", None, 7])
def test_a_dashboards_name_is_a_name_or_left_out(account: Account, name: Any) -> None:
    asked(widgetContext=widget_context(dashboardName=name, accountId="<b>"))
    assert account.sent[0]["detail"]["by"] == "somebody on a dashboard"


def test_a_request_that_cannot_be_sent_is_told(account: Account, log: StringIO) -> None:
    deny(account, "SendMessage")
    html = asked()
    assert "A permission is missing" in html
    assert "sfn-resume-RequestFunction-1 says more" in html
    assert "AccessDenied" in log.getvalue()
    deny(account, "DescribeExecution", "ThrottlingException")
    assert "Nothing was requested" in asked()


def test_an_event_that_is_none_is_answered(account: Account) -> None:
    context: Any = Context(REQUEST)
    assert "names no execution" in request.handler(None, context)


def test_what_is_logged_holds_no_payload(account: Account, log: StringIO) -> None:
    account.runs[ORDER].input = '{"card": "4111"}'
    shown()
    asked()
    assert log.getvalue().count('"message":"requested"') == 1
    assert "4111" not in log.getvalue()


def test_every_row_of_the_samples_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    listed.account(monkeypatch, FOUND)
    html = shown({"chain": WAITING.original, "failedAt": WAITING.failed_at, "widgetContext": widget_context()})
    assert "WAITING" in html
