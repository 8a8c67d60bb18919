"""What tasks call, in words."""

import json
from typing import Any

import pytest
from gotostate.calls import calls_ahead
from gotostate.definition import Definition

LAMBDA = "arn:aws:states:::lambda:invoke"


@pytest.mark.parametrize(
    ("resource", "given", "said"),
    [
        (LAMBDA, {"FunctionName": "pay"}, "S: lambda:invoke pay"),
        (LAMBDA, {"FunctionName": "arn:aws:lambda:eu-west-1:1:function:pay:live"}, "S: lambda:invoke pay:live"),
        (LAMBDA, {"FunctionName.$": "$.name"}, "S: lambda:invoke"),
        (LAMBDA, {"FunctionName": "{% $name %}"}, "S: lambda:invoke"),
        ("arn:aws:lambda:eu-west-1:1:function:pay", None, "S: lambda:invoke pay"),
        ("arn:aws:states:eu-west-1:1:activity:act", None, "S: activity act"),
        ("arn:aws:states:::sqs:sendMessage.waitForTaskToken", {"QueueUrl": "https://s/1/q"}, "S: sqs:sendMessage q"),
        (
            "arn:aws-cn:states:::states:startExecution.sync:2",
            {"StateMachineArn": "arn:aws-cn:states:cn-north-1:1:stateMachine:child"},
            "S: states:startExecution child",
        ),
        ("arn:aws:states:::aws-sdk:dynamodb:putItem", {"TableName": "orders"}, "S: dynamodb:putItem orders"),
        ("arn:aws:states:::http:invoke", {"ApiEndpoint": "https://a.example/b"}, "S: http:invoke https://a.example/b"),
        ("${Resource}", None, "S: ${Resource}"),
        (None, None, "S"),
    ],
)
@pytest.mark.parametrize("field", ["Parameters", "Arguments"])
def test_a_call_in_words(resource: str | None, given: Any, said: str, field: str) -> None:
    state = {"Type": "Task", **({"Resource": resource} if resource else {}), **({field: given} if given else {})}
    definition = Definition.parse(json.dumps({"StartAt": "S", "States": {"S": state}}))
    assert [str(call) for call in calls_ahead(definition, "S")] == [said]


def test_all_tasks_from_a_state_on() -> None:
    task = {"Type": "Task", "Resource": "r"}
    inner = {"StartAt": "In", "States": {"In": {**task, "End": True}}}
    states = {
        "Before": {**task, "Next": "Each"},
        "Each": {
            "Type": "Map",
            "ItemProcessor": inner,
            "Catch": [{"ErrorEquals": ["X"], "Next": "Undo"}],
            "Next": "Ship",
        },
        "Ship": {**task, "Next": "Each"},
        "Undo": {**task, "End": True},
        "Elsewhere": {**task, "End": True},
    }
    definition = Definition.parse(json.dumps({"StartAt": "Before", "States": states}))
    assert [call.state for call in calls_ahead(definition, "Each")] == ["In", "Ship", "Undo"]
