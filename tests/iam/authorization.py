"""What AWS authorizes a call as: the requests that IAM is asked about when a function calls an operation.

An operation that is not here is an error, so that a new call of a function cannot go unjudged. The actions and the
resources are those of AWS's Service Authorization Reference (https://docs.aws.amazon.com/service-authorization/).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iam.simulator import Request

STEP_FUNCTIONS = "states.amazonaws.com"
_QUALIFIER = "states:StateMachineQualifier"


class UnknownCallError(Exception):
    """Nobody has said yet what AWS authorizes this call as."""


@dataclass(frozen=True)
class Call:
    """A call that was recorded (local/local_account/bootstrap.py). service: botocore's name of it."""

    function: str
    service: str
    operation: str
    parameters: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Service and operation, as in stepfunctions.StartExecution."""
        return f"{self.service}.{self.operation}"


@dataclass(frozen=True)
class Place:
    """Where a stack is."""

    account: str
    region: str
    partition: str = "aws"

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource here."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def requests_of(call: Call, place: Place) -> list[Request]:
    """Return what IAM is asked about a call. Raises UnknownCallError."""
    if call.name in BY_ARN:
        action, parameter = BY_ARN[call.name]
        return [on_arn(action, call.parameters[parameter])]
    if call.name in RULES:
        return list(RULES[call.name](call.parameters, place))
    raise UnknownCallError(
        f"{call.function} calls {call.name}, and tests/iam/authorization.py does not say what AWS authorizes that as: "
        "add a row to BY_ARN, or a rule to RULES"
    )


def on_arn(action: str, arn: str) -> Request:
    """Return the request for an action on a resource that has an ARN.

    A version or alias is authorized by the machine's own ARN
    (https://docs.aws.amazon.com/step-functions/latest/dg/auth-version-alias.html).
    """
    parts = arn.split(":")
    if parts[5] == "stateMachine" and len(parts) > 7:
        return Request(action, ":".join(parts[:7]), {_QUALIFIER: parts[7]})
    return Request(action, arn)


# Operations that need one action on one resource: the action, and the parameter that holds the resource's ARN.
BY_ARN = {
    "sns.Publish": ("sns:Publish", "TopicArn"),
    "stepfunctions.DeleteStateMachine": ("states:DeleteStateMachine", "stateMachineArn"),
    "stepfunctions.DeleteStateMachineVersion": ("states:DeleteStateMachineVersion", "stateMachineVersionArn"),
    "stepfunctions.DescribeExecution": ("states:DescribeExecution", "executionArn"),
    "stepfunctions.DescribeStateMachine": ("states:DescribeStateMachine", "stateMachineArn"),
    "stepfunctions.DescribeStateMachineForExecution": ("states:DescribeStateMachineForExecution", "executionArn"),
    "stepfunctions.GetExecutionHistory": ("states:GetExecutionHistory", "executionArn"),
    "stepfunctions.ListExecutions": ("states:ListExecutions", "stateMachineArn"),
    "stepfunctions.ListStateMachineVersions": ("states:ListStateMachineVersions", "stateMachineArn"),
    "stepfunctions.ListTagsForResource": ("states:ListTagsForResource", "resourceArn"),
    "stepfunctions.RedriveExecution": ("states:RedriveExecution", "executionArn"),
    "stepfunctions.StartExecution": ("states:StartExecution", "stateMachineArn"),
    "stepfunctions.TagResource": ("states:TagResource", "resourceArn"),
    "stepfunctions.UntagResource": ("states:UntagResource", "resourceArn"),
}


def _create_state_machine(parameters: Mapping[str, Any], place: Place) -> Iterator[Request]:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html ."""
    arn = place.arn("states", f"stateMachine:{parameters['name']}")
    yield Request("states:CreateStateMachine", arn)
    if parameters.get("tags"):
        yield Request("states:TagResource", arn)
    yield from _published_and_passed(parameters, arn)


def _update_state_machine(parameters: Mapping[str, Any], place: Place) -> Iterator[Request]:
    arn = parameters["stateMachineArn"]
    yield Request("states:UpdateStateMachine", arn)
    yield from _published_and_passed(parameters, arn)


def _published_and_passed(parameters: Mapping[str, Any], arn: str) -> Iterator[Request]:
    if parameters.get("publish"):
        yield Request("states:PublishStateMachineVersion", arn)
    if role := parameters.get("roleArn"):
        yield Request("iam:PassRole", role, {"iam:PassedToService": STEP_FUNCTIONS, "iam:AssociatedResourceArn": arn})


def _put_events(parameters: Mapping[str, Any], place: Place) -> Iterator[Request]:
    for entry in parameters["Entries"]:
        bus = entry.get("EventBusName", "default")
        arn = bus if bus.startswith("arn:") else place.arn("events", f"event-bus/{bus}")
        yield Request(
            "events:PutEvents", arn, {"events:source": entry["Source"], "events:detail-type": entry["DetailType"]}
        )


def _get_resources(parameters: Mapping[str, Any], place: Place) -> Iterator[Request]:
    yield Request("tag:GetResources")


def _send_task_success(parameters: Mapping[str, Any], place: Place) -> Iterator[Request]:
    yield Request("states:SendTaskSuccess")


def _send_message(parameters: Mapping[str, Any], place: Place) -> Iterator[Request]:
    # https://sqs.REGION.amazonaws.com/ACCOUNT/NAME
    account, name = parameters["QueueUrl"].split("/")[-2:]
    yield Request("sqs:SendMessage", Place(account, place.region, place.partition).arn("sqs", name))


def _filter_log_events(parameters: Mapping[str, Any], place: Place) -> Iterator[Request]:
    # The policy has to name the group's ARN with :*, which !GetAtt gives
    # (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogGroup.html).
    yield Request("logs:FilterLogEvents", place.arn("logs", f"log-group:{parameters['logGroupName']}:log-stream:"))


def _update_item(parameters: Mapping[str, Any], place: Place) -> Iterator[Request]:
    yield Request("dynamodb:UpdateItem", place.arn("dynamodb", f"table/{parameters['TableName']}"))


# Operations that need more than one action, or whose resource follows from something else than an ARN.
def _list_state_machines(parameters: Mapping[str, Any], place: Place) -> Iterator[Request]:
    # AWS knows no resource for it.
    yield Request("states:ListStateMachines", "*")


RULES: dict[str, Callable[[Mapping[str, Any], Place], Iterator[Request]]] = {
    "dynamodb.UpdateItem": _update_item,
    "events.PutEvents": _put_events,
    "logs.FilterLogEvents": _filter_log_events,
    "resourcegroupstaggingapi.GetResources": _get_resources,
    "sqs.SendMessage": _send_message,
    "stepfunctions.CreateStateMachine": _create_state_machine,
    "stepfunctions.ListStateMachines": _list_state_machines,
    "stepfunctions.SendTaskSuccess": _send_task_success,
    "stepfunctions.UpdateStateMachine": _update_state_machine,
}
