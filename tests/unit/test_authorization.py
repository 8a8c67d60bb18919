"""What AWS authorizes a call and a task as: the requests that roles are judged by."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from iam import integrations
from iam.authorization import Call, Place, UnknownCallError, requests_of
from iam.recording import calls_in, distinct
from local_account.bootstrap import MOST_CHARACTERS, recorder

PLACE = Place("123456789012", "eu-west-1")
MACHINE = PLACE.arn("states", "stateMachine:orders")
ROLE = "arn:aws:iam::123456789012:role/orders"


def requests(service: str, operation: str, **parameters: Any) -> list[tuple[str, str, dict[str, str]]]:
    found = requests_of(Call("f", service, operation, parameters), PLACE)
    return [(request.action, request.resource, dict(request.context)) for request in found]


def test_a_create_also_tags_publishes_and_passes_the_role() -> None:
    passed = {"iam:PassedToService": "states.amazonaws.com", "iam:AssociatedResourceArn": MACHINE}
    assert requests(
        "stepfunctions",
        "CreateStateMachine",
        name="orders",
        roleArn=ROLE,
        publish=True,
        tags=[{"key": "a", "value": ""}],
    ) == [
        ("states:CreateStateMachine", MACHINE, {}),
        ("states:TagResource", MACHINE, {}),
        ("states:PublishStateMachineVersion", MACHINE, {}),
        ("iam:PassRole", ROLE, passed),
    ]


def test_an_update_asks_for_what_it_changes() -> None:
    assert requests("stepfunctions", "UpdateStateMachine", stateMachineArn=MACHINE, definition="{}") == [
        ("states:UpdateStateMachine", MACHINE, {})
    ]


def test_a_version_is_authorized_by_its_machine() -> None:
    assert requests("stepfunctions", "StartExecution", stateMachineArn=f"{MACHINE}:7") == [
        ("states:StartExecution", MACHINE, {"states:StateMachineQualifier": "7"})
    ]


def test_each_event_is_a_request() -> None:
    entries = [{"Source": "a", "DetailType": "x"}, {"Source": "b", "DetailType": "x", "EventBusName": "other"}]
    assert [
        (resource, context["events:source"])
        for _, resource, context in requests("events", "PutEvents", Entries=entries)
    ] == [
        (PLACE.arn("events", "event-bus/default"), "a"),
        (PLACE.arn("events", "event-bus/other"), "b"),
    ]


@pytest.mark.parametrize("host", ["https://sqs.eu-west-1.amazonaws.com", "http://sqs.eu-west-1.localhost:4566"])
def test_a_queue_is_known_by_its_url(host: str) -> None:
    assert requests("sqs", "SendMessage", QueueUrl=f"{host}/123456789012/queue") == [
        ("sqs:SendMessage", PLACE.arn("sqs", "queue"), {})
    ]


def test_a_call_that_nobody_knows_is_an_error_that_says_where_to_add_it() -> None:
    with pytest.raises(UnknownCallError, match=r"f calls iam.CreateRole, and tests/iam/authorization.py does not"):
        requests("iam", "CreateRole", RoleName="r")


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage"},
        {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName.$": "$.name"}},
        {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "States": {}}},
    ],
)
def test_a_task_that_cannot_be_judged_is_an_error(state: dict[str, Any]) -> None:
    inner = {"Type": "Parallel", "Branches": [{"States": {"A": state}}]}
    with pytest.raises(UnknownCallError):
        list(integrations.requests_of({"States": {"P": inner}}, PLACE))


def test_calls_are_recorded_and_long_texts_are_cut(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    model = SimpleNamespace(name="StartExecution", service_model=SimpleNamespace(service_name="stepfunctions"))
    record = recorder(str(file), "f")
    for number in range(2):
        record({"stateMachineArn": MACHINE, "input": json.dumps("é" * 1_000), "n": number, "b": b"x"}, model=model)
    calls = list(calls_in(file))
    assert [call.name for call in calls] == ["stepfunctions.StartExecution"] * 2
    assert len(calls[0].parameters["input"]) == MOST_CHARACTERS
    assert [request.resource for request in distinct(calls, PLACE)] == [MACHINE]
    assert list(calls_in(tmp_path / "none")) == []
