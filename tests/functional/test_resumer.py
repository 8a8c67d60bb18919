"""The Resumer's handler: events as AWS sends them in, one outcome and one log line out."""

import json
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import resumer
from fake_account import Account, failure_events
from gotostate.errors import SettingsError

EVENTS = Path(__file__).parents[2] / "events"
CONTEXT: Any = SimpleNamespace(aws_request_id="request-1")
ORDERS = {"StartAt": "Charge", "States": {"Charge": {"Type": "Task", "End": True}}}


def event(name: str = "resumer-failed") -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    account.add_machine("orders", ORDERS, {"gotostate": "resume"})
    card = '{"card": "4111"}'
    account.add_failure("orders", "order-17", failure_events("Charge", card, start=card), card)
    monkeypatch.setattr(resumer, "_aws", lambda: account)
    return account


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What the function logs; Powertools took hold of the standard output when it was imported."""
    stream = StringIO()
    monkeypatch.setattr(resumer.logger.registered_handler, "stream", stream)
    return stream


def lines(log: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.mark.parametrize("name", ["resumer-failed", "resumer-timed-out", "resumer-large-input"])
def test_a_failure_is_resumed(account: Account, name: str) -> None:
    answer = resumer.handler(event(name), CONTEXT)
    assert (answer["outcome"], answer["state"], answer["attempt"]) == ("resumed", "Charge", 1)
    assert json.loads(json.dumps(answer)) == answer


def test_every_line_tells_execution_and_the_last_one_all(account: Account, log: StringIO) -> None:
    resumer.handler(event(), CONTEXT)
    logged = lines(log)
    assert {line["execution"] for line in logged} == {event()["detail"]["executionArn"]}
    assert (logged[-1]["state"], logged[-1]["outcome"]) == ("Charge", "resumed")
    assert logged[-1]["reason"] == "the state it ended in"
    assert "gotostate plan" in logged[-1]["message"]


def test_no_payload_is_logged_unless_a_parameter_asks(
    account: Account, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumer.handler(event(), CONTEXT)
    assert "4111" not in log.getvalue()
    assert "outage" not in log.getvalue()
    monkeypatch.setenv("LOG_PAYLOADS", "true")
    resumer.handler(event(), CONTEXT)
    assert lines(log)[2]["event"] == event()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": "aws.ec2"}, "check the rule"),
        ({"detail-type": "Other"}, "check the rule"),
        ({"detail": None}, "no executionArn"),
        ({"detail": {"status": "FAILED"}}, "no executionArn"),
        ({"detail": {"executionArn": 7, "status": "FAILED"}}, "no executionArn"),
        ({"detail": {"executionArn": "arn:aws:s3:::x", "status": "FAILED"}}, "not the ARN of an execution"),
        (
            {"detail": {"executionArn": "arn:aws:states:eu-west-1:1:express:m:n:u", "status": "FAILED"}},
            "Express",
        ),
        ({"detail": {**event()["detail"], "status": "ABORTED"}}, "'ABORTED'"),
        ({"detail": {**event()["detail"], "executionArn": event()["detail"]["executionArn"] + "8"}}, "does not exist"),
    ],
)
def test_a_poisoned_event_is_skipped_with_a_reason(account: Account, change: dict[str, Any], says: str) -> None:
    answer = resumer.handler({**event(), **change}, CONTEXT)
    assert answer["outcome"] == "skipped"
    assert says in answer["reason"]
    assert account.changes == []


@pytest.mark.parametrize("poison", [None, [], "text", 7])
def test_what_is_no_event_at_all_is_skipped(account: Account, poison: Any) -> None:
    assert resumer.handler(poison, CONTEXT)["outcome"] == "skipped"


def test_the_sample_of_an_event_that_is_not_ours(account: Account) -> None:
    assert resumer.handler(event("resumer-not-ours"), CONTEXT)["outcome"] == "skipped"


def test_given_up_is_an_error_in_the_log(account: Account, log: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_ATTEMPTS", "0")
    assert resumer.handler(event(), CONTEXT)["outcome"] == "gave up"
    assert lines(log)[-1]["level"] == "ERROR"


def test_prepared_says_what_to_type(account: Account) -> None:
    account.add_machine("orders", ORDERS, {"gotostate": "prepare"})
    answer = resumer.handler(event(), CONTEXT)
    assert answer["outcome"] == "prepared"
    assert f"gotostate resume {event()['detail']['executionArn']}" in answer["next"]


@pytest.mark.parametrize(("name", "value"), [("MAX_ATTEMPTS", "many"), ("MAX_ATTEMPTS", "-1"), ("DEFAULT_MODE", "on")])
def test_a_wrong_setting_is_an_error_that_keeps_the_event(
    account: Account, log: StringIO, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        resumer.handler(event(), CONTEXT)
    last = lines(log)[-1]
    assert (last["level"], last["outcome"]) == ("ERROR", "error")
    assert name in last["reason"]


def test_what_may_pass_goes_through_to_lambda(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(arn: str) -> dict[str, str]:
        raise ConnectionError("throttled")

    monkeypatch.setattr(account, "tags", throttled)
    with pytest.raises(ConnectionError):
        resumer.handler(event(), CONTEXT)


def test_the_client_is_made_once_and_not_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resumer._aws() is resumer._aws()
    assert "client" not in vars(resumer._aws())
