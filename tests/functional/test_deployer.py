"""The policy in docs/deployer-permissions.md: what CloudFormation needs for the template's resources, and no more."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from iam.authorization import Place
from iam.simulator import Request, Role, Simulator
from template_file import RESOURCES, ROOT

PLACE = Place("123456789012", "eu-west-1")
STACK = "sfn-resume"
TEXT = (ROOT / "docs" / "deployer-permissions.md").read_text()
BOUNDARY = {"iam:PermissionsBoundary": f"arn:aws:iam::{PLACE.account}:policy/sfn-resume-boundary"}
ROLE = f"arn:aws:iam::{PLACE.account}:role/{STACK}-ResumerRole-ABC"
FUNCTION = PLACE.arn("lambda", f"function:{STACK}-ResumerFunction-ABC")
TABLE = PLACE.arn("dynamodb", f"table/{STACK}-CallsTable-ABC")


def requests(service: str, resource: str, *actions: str, **context: str) -> list[Request]:
    keys = {key.replace("__", ":"): value for key, value in context.items()}
    return [Request(f"{service}:{action}", resource, keys) for action in actions]


def passed_to(service: str) -> Request:
    return Request("iam:PassRole", ROLE, {"iam:PassedToService": f"{service}.amazonaws.com"})


# What CloudFormation does with a type: the permissions of the handlers in its schema
# (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-type-schemas.html) as far as the template's
# properties need them. For alarms, rules and the dashboard, whose schemas name none here: the calls of the service.
NEEDED = {
    "AWS::CloudWatch::Alarm": requests(
        "cloudwatch",
        PLACE.arn("cloudwatch", f"alarm:{STACK}-GaveUpAlarm-ABC"),
        *("PutMetricAlarm", "DescribeAlarms", "DeleteAlarms", "ListTagsForResource", "TagResource", "UntagResource"),
    ),
    "AWS::CloudWatch::Dashboard": requests(
        "cloudwatch",
        f"arn:aws:cloudwatch::{PLACE.account}:dashboard/{STACK}-recoveries",
        *("PutDashboard", "GetDashboard", "DeleteDashboards"),
    ),
    "AWS::DynamoDB::Table": requests(
        "dynamodb",
        TABLE,
        *("CreateTable", "DescribeTable", "UpdateTable", "DeleteTable", "DescribeTimeToLive"),
        *("DescribeContinuousBackups", "DescribeContributorInsights", "DescribeKinesisStreamingDestination"),
        *("ListTagsOfResource", "TagResource", "UntagResource"),
    ),
    "AWS::Events::Rule": requests(
        "events",
        PLACE.arn("events", f"rule/{STACK}-FailureRule-ABC"),
        *("PutRule", "DescribeRule", "DeleteRule", "PutTargets", "ListTargetsByRule", "RemoveTargets"),
        *("ListTagsForResource", "TagResource", "UntagResource"),
    ),
    "AWS::IAM::Role": [
        *(
            Request(f"iam:{action}", ROLE, BOUNDARY)
            for action in ("CreateRole", "PutRolePermissionsBoundary", "PutRolePolicy", "DeleteRolePolicy")
        ),
        *requests(
            "iam",
            ROLE,
            *("DeleteRole", "GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies"),
            *("TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription"),
        ),
    ],
    "AWS::Lambda::EventSourceMapping": [
        *requests("lambda", "*", "CreateEventSourceMapping", lambda__FunctionArn=FUNCTION),
        *requests(
            "lambda",
            PLACE.arn("lambda", "event-source-mapping:0123"),
            *("GetEventSourceMapping", "UpdateEventSourceMapping", "DeleteEventSourceMapping"),
            lambda__FunctionArn=FUNCTION,
        ),
    ],
    "AWS::Lambda::Function": [
        passed_to("lambda"),
        *requests(
            "lambda",
            FUNCTION,
            *("CreateFunction", "GetFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "DeleteFunction"),
            *("GetFunctionCodeSigningConfig", "GetFunctionRecursionConfig", "GetRuntimeManagementConfig"),
            *("ListTags", "TagResource", "UntagResource"),
        ),
    ],
    "AWS::Logs::LogGroup": [
        *requests(
            "logs",
            PLACE.arn("logs", f"log-group:{STACK}-ResumerLogGroup-ABC"),
            *("CreateLogGroup", "PutRetentionPolicy", "DeleteLogGroup", "AssociateKmsKey", "DisassociateKmsKey"),
            *("GetDataProtectionPolicy", "ListTagsForResource", "TagResource", "UntagResource"),
        ),
        *requests("logs", "*", "DescribeLogGroups", "DescribeIndexPolicies"),
    ],
    "AWS::SNS::Topic": requests(
        "sns",
        PLACE.arn("sns", f"{STACK}-RecoveryTopic-ABC"),
        *("CreateTopic", "GetTopicAttributes", "SetTopicAttributes", "DeleteTopic", "GetDataProtectionPolicy"),
        *("ListSubscriptionsByTopic", "ListTagsForResource", "TagResource", "UntagResource"),
    ),
    "AWS::SQS::Queue": requests(
        "sqs",
        PLACE.arn("sqs", f"{STACK}-RecoveryQueue-ABC"),
        *("CreateQueue", "GetQueueAttributes", "GetQueueUrl", "SetQueueAttributes", "DeleteQueue"),
        *("ListQueueTags", "TagQueue", "UntagQueue"),
    ),
    "AWS::SQS::QueuePolicy": requests("sqs", PLACE.arn("sqs", f"{STACK}-RecoveryQueue-ABC"), "SetQueueAttributes"),
    "AWS::Scheduler::Schedule": [
        passed_to("scheduler"),
        *requests(
            "scheduler",
            PLACE.arn("scheduler", f"schedule/default/{STACK}-SweeperFunctionSweep-ABC"),
            *("CreateSchedule", "GetSchedule", "UpdateSchedule", "DeleteSchedule"),
        ),
    ],
    "AWS::StepFunctions::StateMachine": [
        passed_to("states"),
        *requests(
            "states",
            PLACE.arn("states", f"stateMachine:{STACK}-OrderMachine"),
            *("CreateStateMachine", "DescribeStateMachine", "UpdateStateMachine", "DeleteStateMachine"),
            *("ListTagsForResource", "TagResource", "UntagResource"),
        ),
    ],
}

# What `sam deploy` and `sam delete` do themselves.
SAM = [
    *requests(
        "cloudformation",
        PLACE.arn("cloudformation", f"stack/{STACK}/0123"),
        *("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "DescribeStacks"),
        *("DescribeStackEvents", "DescribeStackResources", "ListStackResources", "GetTemplate", "GetTemplateSummary"),
        "DeleteStack",
    ),
    *requests("s3", "arn:aws:s3:::my-releases/sfn-resume/0123", "GetObject", "PutObject"),
    *requests("s3", "arn:aws:s3:::my-releases", "GetBucketLocation", "ListBucket"),
]
TRANSFORM = f"arn:aws:cloudformation:{PLACE.region}:aws:transform/Serverless-2016-10-31"

SERVERLESS = {
    "AWS::Serverless::Function": "AWS::Lambda::Function",
    "AWS::Serverless::StateMachine": "AWS::StepFunctions::StateMachine",
    "SQS": "AWS::Lambda::EventSourceMapping",
    "ScheduleV2": "AWS::Scheduler::Schedule",
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def deployer() -> Role:
    found = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert found
    policy: Any = json.loads(found[1])
    return Role("deployer", f"arn:aws:iam::{PLACE.account}:role/deployer", {"deployer": policy})


def types() -> set[str]:
    """The types of CloudFormation that the template gives."""
    events = [event["Type"] for found in RESOURCES.values() for event in found["Properties"].get("Events", {}).values()]
    kinds = {found["Type"] for found in RESOURCES.values()} | set(events)
    return {SERVERLESS.get(kind, kind) for kind in kinds}


def everything() -> list[Request]:
    return [*SAM, *(request for kind in NEEDED.values() for request in kind)]


def test_every_type_of_the_template_is_in_the_table() -> None:
    assert set(NEEDED) == types()


def test_the_policy_allows_what_each_type_needs_and_nothing_else(deployer: Role, simulator: Simulator) -> None:
    denied = simulator.denied(deployer, everything())
    assert not denied, "\n".join(map(str, denied))
    unused = simulator.unused(deployer, everything())
    # A resource of another account (AWS's own), which the simulator does not judge.
    assert {grant.resource for grant in unused} == {TRANSFORM}


def test_the_policy_allows_nothing_of_another_stack(deployer: Role, simulator: Simulator) -> None:
    elsewhere = [
        replace(
            request,
            resource=request.resource.replace("sfn-resume", "payments").replace("my-releases", "other"),
            context={key: value.replace("sfn-resume", "payments") for key, value in request.context.items()},
        )
        for request in everything()
        if "logs:Describe" not in request.action
    ]
    assert simulator.allowed(deployer, elsewhere) == []


def test_roles_are_made_with_the_boundary_alone(deployer: Role, simulator: Simulator) -> None:
    for action in ("CreateRole", "PutRolePolicy", "PutRolePermissionsBoundary"):
        other = {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}
        asked = [Request(f"iam:{action}", ROLE), Request(f"iam:{action}", ROLE, other)]
        assert simulator.allowed(deployer, asked) == []
    taken_away = Request("iam:DeleteRolePermissionsBoundary", ROLE, BOUNDARY)
    assert simulator.allowed(deployer, [taken_away]) == []


def test_the_policy_fits_into_a_managed_policy(deployer: Role) -> None:
    """IAM counts 6,144 characters, without white space."""
    assert len(json.dumps(deployer.policies["deployer"], separators=(",", ":"))) <= 6_144
