"""What the Resumer tells on the bus: one event for each outcome, and none of machines that never opted in."""

import json
from pathlib import Path
from typing import Any

import pytest
import resumer
from fake_account import Account, RefusalError, failure_events
from jsonschema import Draft202012Validator
from listed import Context

SCHEMA = Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "docs" / "events.schema.json").read_text()),
    format_checker=Draft202012Validator.FORMAT_CHECKER,
)
ORDERS = {
    "StartAt": "Charge",
    "States": {"Charge": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}},
}
CARD = '{"card": "4111"}'


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    account.add_machine("orders", ORDERS, {"gotostate": "resume"})
    memory = account.memory()
    monkeypatch.setattr(resumer, "_memory", lambda: memory)
    return account


def failed(account: Account, name: str = "order-17", error: str = "Boom") -> str:
    return account.add_failure("orders", name, failure_events("Charge", CARD, start=CARD, error=error), CARD)


def handled(account: Account, arn: str, **detail: Any) -> dict[str, Any]:
    answer: dict[str, Any] = resumer.handler(account.event(arn, **detail), Context())  # type: ignore[arg-type]
    return answer


def told(account: Account) -> list[dict[str, Any]]:
    for detail in account.told:
        SCHEMA.validate(detail)
        assert "4111" not in json.dumps(detail)
    return account.told


def test_a_resume_is_told_once_however_often_it_is_delivered(account: Account) -> None:
    arn = failed(account)
    answers = [handled(account, arn) for _ in range(3)]
    assert [answer["outcome"] for answer in answers] == ["resumed", "already resumed", "already resumed"]
    (detail,) = told(account)
    assert (detail["outcome"], detail["rule"], detail["state"], detail["attempt"]) == (
        "resumed",
        "resume",
        "Charge",
        1,
    )
    assert (detail["execution"], detail["original"], detail["resumed"]) == (arn, arn, answers[0]["resumed"])
    assert (detail["error"], detail["cause"]) == ("Boom", "it broke")
    assert detail["inputBytes"] == len(CARD)
    assert detail["calls"] == ["Charge: lambda:invoke"]


def test_the_success_of_the_resumed_execution_is_a_recovery(account: Account) -> None:
    arn = failed(account)
    resumed = handled(account, arn)["resumed"]
    failed_at = account.runs[arn].stopped
    assert failed_at is not None
    account.now += 90
    account.end(resumed, "SUCCEEDED", [])
    answer = handled(account, resumed)
    assert (answer["outcome"], answer["rule"]) == ("recovered", "recovered")
    detail = told(account)[-1]
    assert (detail["outcome"], detail["execution"], detail["original"]) == ("recovered", resumed, arn)
    stopped = account.runs[resumed].stopped
    assert stopped is not None
    assert detail["secondsToRecovery"] == round(stopped - failed_at) == 89


@pytest.mark.parametrize(
    ("tags", "error", "outcome"),
    [
        ({"gotostate": "resume"}, "States.Runtime", "prepared"),
        ({"gotostate": "prepare"}, "Boom", "prepared"),
        ({"gotostate": "resume", "gotostate:max-attempts": "0"}, "Boom", "gave up"),
        ({"gotostate": "resume", "gotostate:max-attempts": "many"}, "Boom", "resumed"),
        ({"gotostate": "on"}, "Boom", "skipped"),
        ({"gotostate": "off"}, "Boom", None),
        ({}, "Boom", None),
    ],
)
def test_each_outcome_is_told_and_nothing_of_who_never_opted_in(
    account: Account, tags: dict[str, str], error: str, outcome: str | None
) -> None:
    account.add_machine("orders", ORDERS, tags)
    handled(account, failed(account, error=error))
    assert [detail["outcome"] for detail in told(account)] == ([outcome] if outcome else [])


def test_a_bad_tag_is_reported_in_the_reason(account: Account) -> None:
    account.add_machine("orders", ORDERS, {"gotostate": "resume", "gotostate:max-attempts": "many"})
    assert "its tag gotostate:max-attempts is 'many'" in handled(account, failed(account))["reason"]


def test_a_success_that_recovers_nothing_is_not_told(account: Account) -> None:
    arn = failed(account)
    account.end(arn, "SUCCEEDED", [])
    assert handled(account, arn)["rule"] == "not-a-resume"
    assert told(account) == []


def test_what_was_done_is_done_where_it_cannot_be_told(account: Account) -> None:
    def refuse(operation: str, body: dict[str, Any]) -> None:
        if operation == "PutEvents":
            raise RefusalError("AccessDeniedException")

    account.gate = refuse
    assert handled(account, failed(account))["outcome"] == "resumed"


def test_an_event_that_the_bus_does_not_take_is_an_error_in_the_log(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(resumer.logger, "exception", lambda message, **more: logged.append(message))
    answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
    monkeypatch.setattr(account, "_put_events", lambda body: answer)
    assert handled(account, failed(account))["outcome"] == "resumed"
    assert logged == ["the outcome could not be announced"]


class Topic:
    def __init__(self) -> None:
        self.published: list[tuple[str, str, str]] = []
        self.is_down = False

    def publish(self, arn: str, subject: str, message: str) -> None:
        if self.is_down:
            raise RefusalError("InternalError")
        self.published.append((arn, subject, message))


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    topic = Topic()
    monkeypatch.setenv("TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:topic")
    monkeypatch.setattr(resumer, "_topic", lambda memory: topic)
    return topic


@pytest.mark.parametrize(
    ("mode", "error", "count"), [("resume", "Boom", 0), ("prepare", "Boom", 1), ("off", "Boom", 0)]
)
def test_the_topic_has_what_needs_a_person(account: Account, topic: Topic, mode: str, error: str, count: int) -> None:
    account.add_machine("orders", ORDERS, {"gotostate": mode})
    arn = failed(account, error=error)
    handled(account, arn)
    assert len(topic.published) == count
    for where, subject, text in topic.published:
        assert where == "arn:aws:sns:eu-west-1:123456789012:topic"
        assert subject == "prepared: orders order-17 failed in Charge: Boom"
        assert f"gotostate resume {arn}" in json.loads(text)["email"]
        assert "4111" not in text


def test_a_topic_that_does_not_answer_changes_nothing(account: Account, topic: Topic) -> None:
    topic.is_down = True
    account.add_machine("orders", ORDERS, {"gotostate": "prepare"})
    assert handled(account, failed(account))["outcome"] == "prepared"


def test_outcomes_are_counted_once(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    arn = failed(account)
    resumed = handled(account, arn)["resumed"]
    handled(account, arn)
    account.now += 90
    account.end(resumed, "SUCCEEDED", [])
    handled(account, resumed)
    account.add_machine("others", ORDERS, {})
    handled(account, account.add_failure("others", "x", failure_events("Charge")))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    counted = [{name: value for name, value in line.items() if name not in ("_aws", "service")} for line in lines]
    assert [sorted(names) for names in counted] == [["Failures", "Resumed"], ["Recovered", "SecondsToRecovery"]]
    assert counted[0]["Failures"] == counted[0]["Resumed"] == counted[1]["Recovered"] == [1.0]
    assert counted[1]["SecondsToRecovery"][0] >= 89
    assert {line["service"] for line in lines} == {"sfn-resume"}
    assert all(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]] for line in lines)
