"""The dashboard's list and its button, deployed: a person resumes what automation only prepared."""

import json
import time
from html.parser import HTMLParser
from typing import Any

import boto3
from stack import Stack, wait_for


class Actions(HTMLParser):
    """The cwdb-action elements of a widget, as CloudWatch reads them: the function to call, and with what."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, Any]] = []
        self._endpoint: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._endpoint = dict(attrs)["endpoint"] if tag == "cwdb-action" else None

    def handle_data(self, data: str) -> None:
        if self._endpoint:
            self.found.append((self._endpoint, json.loads(data)))
            self._endpoint = None


def invoke(function: str, event: dict[str, Any]) -> str:
    """Call a function as a dashboard does."""
    now = time.time() * 1_000
    context = {
        "dashboardName": "e2e",
        "accountId": "000000000000",
        "theme": "light",
        "timeRange": {"start": now - 3_600_000, "end": now + 60_000},
    }
    answer = boto3.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps({**event, "widgetContext": context}).encode()
    )
    html = json.loads(answer["Payload"].read())
    assert isinstance(html, str), html
    return html


def test_a_person_resumes_on_the_dashboard_what_was_only_prepared(stack: Stack) -> None:
    failed = stack.start(stack.outputs["TestMachineArn"], {"foo": 1, "Message": True})
    stack.ended(failed)
    widget = stack.outputs["WidgetFunctionName"]
    name = failed.rpartition(":")[2]

    def prepared() -> tuple[str, Any] | None:
        html = invoke(widget, {"limit": 100, "stateMachine": f"{stack.name}-TestMachine"})
        assert name in html
        asks = [found for found in Actions(html).found if found[1].get("execution") == failed]
        return asks[0] if asks and "prepared" in html else None

    function, parameters = wait_for(prepared, f"the button for {failed}")
    assert f"Requested: {name} is resumed from FirstMatchState" in invoke(function, parameters)
    resumed = wait_for(lambda: stack.resumed(failed) or None, f"a resume of {failed}")
    assert len(resumed) == 1
    assert json.loads(resumed[0]["input"])["resuming"]["by"] == "somebody on the dashboard e2e of account 000000000000"
    assert "it was resumed already" in invoke(function, parameters)
    html = invoke(widget, {"limit": 100, "stateMachine": f"{stack.name}-TestMachine"})
    chain = next(found for endpoint, found in Actions(html).found if found.get("chain") == failed)
    assert "resume 1" in invoke(widget, chain)
