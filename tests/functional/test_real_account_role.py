"""What the role of the workflow real-account may do: all that the end-to-end tests need, on their own stack alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from iam.simulator import Request, Role, Simulator

ROLE = Path(__file__).parents[2] / ".github" / "real-account-role.yaml"
VALUES = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "Stack": "sfn-resume-e2e",
}
# The function's ARN tells whose event source mapping it is.
MAPPING = {"lambda:FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:{}-Resumer"}
PASSED = {"iam:PassedToService": "states.amazonaws.com"}
# On what bears the stack's name: service, resource and context, and the actions.
OWN: list[tuple[str, Mapping[str, str], str]] = [
    (
        "arn:aws:cloudformation:eu-west-1:123456789012:stack/{}/1",
        {},
        (
            "cloudformation:CreateChangeSet DescribeChangeSet ExecuteChangeSet DeleteChangeSet DescribeStacks "
            "DescribeStackEvents DescribeStackResource ListStackResources GetTemplate DeleteStack"
        ),
    ),
    (
        "arn:aws:iam::123456789012:role/{}-Role",
        {},
        "iam:CreateRole GetRole PutRolePolicy GetRolePolicy ListRolePolicies DeleteRolePolicy DeleteRole TagRole",
    ),
    ("arn:aws:iam::123456789012:role/{}-Role", PASSED, "iam:PassRole"),
    (
        "arn:aws:lambda:eu-west-1:123456789012:function:{}-Resumer",
        {},
        (
            "lambda:CreateFunction GetFunction GetFunctionConfiguration UpdateFunctionConfiguration InvokeFunction "
            "TagResource DeleteFunction"
        ),
    ),
    ("*", MAPPING, "lambda:CreateEventSourceMapping"),
    (
        "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:1",
        MAPPING,
        "lambda:UpdateEventSourceMapping DeleteEventSourceMapping",
    ),
    (
        "arn:aws:states:eu-west-1:123456789012:stateMachine:{}-Orders-with-GoToState",
        {},
        (
            "states:CreateStateMachine DescribeStateMachine UpdateStateMachine PublishStateMachineVersion TagResource "
            "ListTagsForResource ListStateMachineVersions ListExecutions StartExecution DeleteStateMachine"
        ),
    ),
    (
        "arn:aws:states:eu-west-1:123456789012:execution:{}-Orders:order-17",
        {},
        "states:DescribeExecution GetExecutionHistory StopExecution DescribeStateMachineForExecution RedriveExecution",
    ),
    (
        "arn:aws:sqs:eu-west-1:123456789012:{}-RecoveryQueue",
        {},
        (
            "sqs:CreateQueue GetQueueAttributes SetQueueAttributes SendMessage ReceiveMessage DeleteMessage PurgeQueue "
            "StartMessageMoveTask DeleteQueue TagQueue"
        ),
    ),
    (
        "arn:aws:sns:eu-west-1:123456789012:{}-RecoveryTopic",
        {},
        "sns:CreateTopic GetTopicAttributes Subscribe DeleteTopic TagResource",
    ),
    (
        "arn:aws:events:eu-west-1:123456789012:rule/{}-FailureRule",
        {},
        "events:PutRule DescribeRule PutTargets ListTargetsByRule RemoveTargets DeleteRule TagResource",
    ),
    (
        "arn:aws:logs:eu-west-1:123456789012:log-group:{}-ResumerLogGroup",
        {},
        "logs:CreateLogGroup PutRetentionPolicy DeleteLogGroup FilterLogEvents",
    ),
    (
        "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{}-GaveUpAlarm",
        {},
        "cloudwatch:PutMetricAlarm DeleteAlarms TagResource",
    ),
    ("arn:aws:cloudwatch::123456789012:dashboard/{}-recoveries", {}, "cloudwatch:PutDashboard DeleteDashboards"),
    (
        "arn:aws:dynamodb:eu-west-1:123456789012:table/{}-CallsTable",
        {},
        "dynamodb:CreateTable DescribeTable Scan DeleteTable",
    ),
    (
        "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-1/{}/code",
        {},
        "s3:PutObject GetObject DeleteObject DeleteObjectVersion",
    ),
]


def requests(stack: str) -> list[Request]:
    found = []
    for resource, context, actions in OWN:
        service, _, names = actions.partition(":")
        filled = {key: value.replace("{}", stack) for key, value in context.items()}
        found += [Request(f"{service}:{name}", resource.replace("{}", stack), filled) for name in names.split()]
    return found


class Loader(yaml.SafeLoader):
    """Fills in what the tests' policies substitute; other functions of CloudFormation stand outside of policies."""


def _substituted(loader: Loader, node: Any) -> str:
    text = str(loader.construct_scalar(node))
    for name, value in VALUES.items():
        text = text.replace(f"${{{name}}}", value)
    return text


Loader.add_constructor("!Sub", _substituted)
Loader.add_multi_constructor("!", lambda _loader, _tag, node: str(node.value))


@pytest.fixture(scope="module")
def properties() -> dict[str, Any]:
    document = yaml.load(ROLE.read_text(), Loader)  # noqa: S506  a safe loader, with tags
    found: dict[str, Any] = document["Resources"]["Role"]["Properties"]
    return found


@pytest.fixture(scope="module")
def role(properties: dict[str, Any]) -> Role:
    policies = {found["PolicyName"]: found["PolicyDocument"] for found in properties["Policies"]}
    return Role("role", "arn:aws:iam::123456789012:role/sfn-resume-real-account-Role-1", policies)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


def test_what_the_tests_do_with_their_own_stack_is_allowed(simulator: Simulator, role: Role) -> None:
    assert simulator.denied(role, requests("sfn-resume-e2e")) == []


def test_the_same_with_another_stack_is_not(simulator: Simulator, role: Role) -> None:
    assert simulator.allowed(role, requests("sfn-resume")) == []


def test_it_passes_roles_to_step_functions_and_lambda_alone(simulator: Simulator, role: Role) -> None:
    to_ec2 = {"iam:PassedToService": "ec2.amazonaws.com"}
    passing = Request("iam:PassRole", "arn:aws:iam::123456789012:role/sfn-resume-e2e-Role", to_ec2)
    assert simulator.denied(role, [passing]) == [passing]


def test_it_lists_what_has_to_be_found_before_it_is_deleted(simulator: Simulator, role: Role) -> None:
    actions = (
        "events:ListRules",
        "iam:ListRoles",
        "lambda:ListFunctions",
        "states:ListStateMachines",
        "tag:GetResources",
    )
    assert simulator.denied(role, [Request(action) for action in actions]) == []


def test_only_one_subject_may_assume_it(properties: dict[str, Any]) -> None:
    (statement,) = properties["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "Subject",
        }
    }
