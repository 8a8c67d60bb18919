"""The widget's functions on an account in memory, and what CloudWatch and Lambda tell them."""

import json
from typing import Any

import failures
import fake_account
import pytest
import request as request_function
import widget
from fake_account import failure_events
from gotostate import listing
from gotostate.rows import Found

PREFIX = "arn:aws:lambda:eu-west-1:123456789012:function:sfn-resume"
WIDGET, REQUEST = f"{PREFIX}-WidgetFunction-1", f"{PREFIX}-RequestFunction-1"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/recovery"
ORDERS = {
    "StartAt": "Charge",
    "States": {
        "Charge": {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:1:function:payments-charge", "Next": "Ship"},
        "Ship": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Parameters": {"QueueUrl": "https://sqs/1/parcels"},
            "End": True,
        },
    },
}


class Account(fake_account.Account):
    """An account with a queue; sent: what was put on it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []

    def _send_message(self, body: Any) -> Any:
        assert body["QueueUrl"] == QUEUE
        self.sent.append(json.loads(body["MessageBody"]))
        return {"MessageId": "m"}


class Context:
    """What Lambda tells a function about an invocation."""

    aws_request_id = "request-1"

    def __init__(self, arn: str = WIDGET, seconds: float = 30) -> None:
        self.invoked_function_arn, self.seconds = arn, seconds
        self.function_name = arn.rpartition(":")[2]

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1_000)


def widget_context(**given: Any) -> dict[str, Any]:
    """Write what CloudWatch adds to each call, in the form of AWS's documents."""
    return {
        "dashboardName": "sfn-resume-recoveries",
        "widgetId": "widget-16",
        "accountId": "123456789012",
        "locale": "en",
        "timezone": {"label": "UTC", "offsetISO": "+00:00", "offsetInMinutes": 0},
        "period": 300,
        "isAutoPeriod": True,
        "timeRange": {
            "mode": "relative",
            "start": round((failures.NOW - 2 * 86_400) * 1_000),
            "end": round(failures.NOW * 1_000),
            "relativeStart": 2 * 86_400_000,
        },
        "theme": "light",
        "linkCharts": True,
        "title": "Recoveries",
        "forms": {"all": {}},
        "params": {},
        "width": 800,
        "height": 600,
        **given,
    }


def account(monkeypatch: pytest.MonkeyPatch, found: Found = failures.FOUND) -> Account:
    """Make an account whose failures are listed as some rows; of them order-41 is there to be resumed."""
    made = Account()
    made.add_machine("orders", ORDERS, {"gotostate": "resume"})
    made.add_failure("orders", "order-41", failure_events("Charge"))
    for row in found.rows:
        if row.machine not in made.machines:
            made.add_machine(row.machine.rpartition(":")[2], ORDERS, {"gotostate": "resume"})
    made.now = failures.NOW
    memory = made.memory()
    monkeypatch.setattr(widget, "_memory", lambda: memory)
    monkeypatch.setattr(request_function, "_memory", lambda: memory)
    monkeypatch.setattr(listing, "rows", lambda *given, **options: found)
    monkeypatch.setattr(widget, "_now", lambda: failures.NOW)
    monkeypatch.setenv("QUEUE_URL", QUEUE)
    monkeypatch.setenv("REQUEST_FUNCTION_ARN", REQUEST)
    return made
