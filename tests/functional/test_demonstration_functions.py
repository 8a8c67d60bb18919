"""The functions that the demonstration machines call: they fail as their machine says, and count each call."""

from collections.abc import Iterator
from typing import Any

import boto3
import callback
import pytest
import worker
from moto import mock_aws


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="calls",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("run", "step")],
            KeySchema=[{"AttributeName": "run", "KeyType": "HASH"}, {"AttributeName": "step", "KeyType": "RANGE"}],
        )
        monkeypatch.setenv("CALLS_TABLE", "calls")
        worker._table.cache_clear()
        yield
        worker._table.cache_clear()


def outcomes(event: dict[str, Any], calls: int = 3) -> str:
    """Call a step some times; return a letter for each call: d for done, f for failed."""
    letters = ""
    for _ in range(calls):
        try:
            letters += "d" if worker.handler(event, None) == {"step": "Charge", "done": True} else "?"
        except worker.DependencyDownError:
            letters += "f"
    return letters


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({}, "ddd"),
        ({"failures": 2}, "ffd"),
        ({"failures": "1"}, "fdd"),
        ({"failures": [2]}, "dfd"),
        ({"value": {"outage": {"run": "r", "step": "Charge", "calls": 2}}}, "ffd"),
        ({"value": {"outage": {"run": "r", "step": "Ship", "calls": 2}}}, "ddd"),
        ({"value": {"outage": 2}}, "ddd"),
    ],
)
def test_the_worker_fails_as_often_as_it_is_told(event: dict[str, Any], expected: str) -> None:
    assert outcomes({"step": "Charge", "run": "r", **event}) == expected
    assert boto3.resource("dynamodb").Table("calls").scan()["Items"] == [{"run": "r", "step": "Charge", "calls": 3}]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "Charge: the input has no field 'Message'"),
        ({"Message": True}, "the field 'Message' is True, not a string"),
    ],
)
def test_the_worker_refuses_data_that_it_does_not_need_to_count(value: dict[str, Any], said: str) -> None:
    event = {"step": "Charge", "needs": {"Message": "string", "foo": "number"}, "value": {"foo": 1, **value}}
    with pytest.raises(worker.BadDataError, match=said):
        worker.handler(event, None)
    assert worker.handler({**event, "value": {"foo": 1, "Message": "x"}}, None)["done"]


@pytest.mark.parametrize("event", [{}, {"TaskToken": ""}, {"TaskToken": 1}])
def test_the_callback_needs_a_token(event: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no TaskToken; start this machine with \.waitForTaskToken"):
        callback.handler(event, None)
