"""The Resumer's handler: events as AWS sends them in, one outcome and one log line out."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import resumer
from fake_account import Account, RefusalError, failure_events
from gotostate.errors import SettingsError, ThrottledError

EVENTS = Path(__file__).parents[2] / "events"


class Context:
    """What Lambda tells a function about an invocation."""

    aws_request_id = "request-1"

    def __init__(self, seconds: float = 60) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


CONTEXT: Any = Context()
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
    # Long after the samples, so that what AWS does not show does not exist.
    account.now += 86_400
    memory = account.memory()
    monkeypatch.setattr(resumer, "_memory", lambda: memory)
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
    assert logged[-1]["message"].startswith("resumed from 'Charge', attempt 1 of 5, after ")
    assert logged[-1]["resumed"] in logged[-1]["message"]


def test_no_payload_is_logged_unless_a_parameter_asks(
    account: Account, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumer.handler(event(), CONTEXT)
    assert "4111" not in log.getvalue()
    assert "outage" not in log.getvalue()
    monkeypatch.setenv("LOG_PAYLOADS", "true")
    resumer.handler(event(), CONTEXT)
    assert lines(log)[1]["event"] == event()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": "aws.ec2"}, "check what sent it"),
        ({"detail-type": "Other"}, "check what sent it"),
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_ATTEMPTS", "many"),
        ("MAX_ATTEMPTS", "-1"),
        ("MAX_ATTEMPTS", "\u0663"),
        ("DEFAULT_MODE", "on"),
        ("BACKOFF_SECONDS", "1.5"),
        ("MAX_BACKOFF_SECONDS", ""),
        ("RESUME_INSIDE", "yes"),
        ("STRATEGY", "always"),
        ("BACKOFF_RATE", "fast"),
        ("BACKOFF_RATE", "0.5"),
        ("BACKOFF_RATE", "nan"),
    ],
)
def test_a_wrong_setting_is_an_error_that_keeps_the_event(
    account: Account, log: StringIO, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        resumer.handler(event(), CONTEXT)
    last = lines(log)[-1]
    assert (last["level"], last["outcome"]) == ("ERROR", "error")
    assert name in last["reason"]


def test_what_may_pass_goes_through_to_lambda(account: Account) -> None:
    def refuse(operation: str, body: dict[str, Any]) -> None:
        raise RefusalError("AccessDeniedException")

    account.gate = refuse
    with pytest.raises(Exception, match="AccessDenied"):
        resumer.handler(event(), CONTEXT)


def test_a_throttle_that_lasts_goes_back_before_the_function_ends(account: Account, log: StringIO) -> None:
    def throttle(operation: str, body: dict[str, Any]) -> None:
        raise RefusalError("ThrottlingException")

    account.gate = throttle
    before = account.now
    with pytest.raises(ThrottledError):
        resumer.handler(event(), CONTEXT)
    # What AWS answers once a second is not waited for: other messages may need nothing of the kind.
    assert account.now - before < 1
    account.gate = lambda operation, body: throttle(operation, body) if "History" in operation else None
    before = account.now
    with pytest.raises(ThrottledError):
        resumer.handler(event(), Context(seconds=6))  # type: ignore[arg-type]
    assert 1 < account.now - before <= 6 - resumer.RESERVE_SECONDS
    # It is no error: it is what a storm looks like.
    assert lines(log)[-1]["outcome"] == "throttled"
    assert lines(log)[-1]["level"] == "INFO"


def batch(*bodies: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / "resumer-batch.json").read_text())
    record = loaded["Records"][0]
    records = [
        {**record, "messageId": f"message-{number}", "body": body if isinstance(body, str) else json.dumps(body)}
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}


def failed_messages(answer: dict[str, Any]) -> list[str]:
    assert list(answer) == ["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_batch_is_dealt_with_message_by_message(account: Account, log: StringIO) -> None:
    other = account.add_failure("orders", "order-18", failure_events("Charge"))
    poisoned = {**event(), "detail": None}
    answer = resumer.handler(batch(event(), "no JSON {", poisoned, account.event(other)), CONTEXT)
    assert failed_messages(answer) == []
    assert len(account.resumed("orders-with-GoToState")) == 2
    outcomes = [line["outcome"] for line in lines(log)]
    assert outcomes == ["resumed", "skipped", "skipped", "resumed"]


def test_the_sample_of_a_batch_is_resumed(account: Account) -> None:
    assert resumer.handler(json.loads((EVENTS / "resumer-batch.json").read_text()), CONTEXT) == {
        "batchItemFailures": []
    }
    assert len(account.resumed("orders-with-GoToState")) == 1


def test_a_replay_without_lambdas_context_is_dealt_with(account: Account) -> None:
    context: Any = None
    assert resumer.handler(event(), context)["outcome"] == "resumed"


def test_a_request_by_hand_travels_in_the_same_shape(account: Account) -> None:
    request = {
        "source": "gotostate",
        "detail-type": "Recovery Requested",
        "detail": {"executionArn": event()["detail"]["executionArn"]},
    }
    assert resumer.handler(batch(request), CONTEXT) == {"batchItemFailures": []}
    assert len(account.resumed("orders-with-GoToState")) == 1


def test_of_a_batch_only_what_failed_is_tried_again(account: Account) -> None:
    other = account.add_failure("orders", "order-18", failure_events("Charge"))

    def refuse(operation: str, body: dict[str, Any]) -> None:
        if body.get("executionArn") == other:
            raise RefusalError("AccessDeniedException")

    account.gate = refuse
    answer = resumer.handler(batch(event(), account.event(other), event()), CONTEXT)
    assert failed_messages(answer) == ["message-1"]


def test_a_batch_that_fails_as_a_whole_is_answered_and_not_raised(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To raise would make Lambda slow down the whole queue."""
    monkeypatch.setenv("MAX_ATTEMPTS", "broken")
    assert failed_messages(resumer.handler(batch(event(), event()), CONTEXT)) == ["message-0", "message-1"]
    assert account.changes == []


def test_no_message_is_begun_without_the_time_to_finish_it(account: Account) -> None:
    context: Any = Context(seconds=resumer.LEAST_SECONDS + 1)

    def pass_time(operation: str, body: dict[str, Any]) -> None:
        context.seconds -= 0.5

    account.gate = pass_time
    answer = resumer.handler(batch(event(), event(), event()), context)
    assert failed_messages(answer) == ["message-1", "message-2"]
    assert len(account.resumed("orders-with-GoToState")) == 1


def test_the_client_is_made_once_and_not_at_import() -> None:
    assert resumer._memory() is resumer._memory()
    assert "client" not in vars(resumer._memory().aws)
