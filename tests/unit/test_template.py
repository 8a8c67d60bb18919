"""The template: what each role may do, read from the file as it is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import measures
import pytest
from template_file import RESOURCES, ROOT, TEMPLATE, TEXT

ROLES = [name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::IAM::Role"]


def statements(role: str) -> Iterator[dict[str, Any]]:
    for policy in RESOURCES[role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield statement["!If"][1] if "!If" in statement else statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


EVERY = [
    pytest.param(statement, id=f"{role}-{statement.get('Sid')}") for role in ROLES for statement in statements(role)
]


@pytest.mark.parametrize("statement", EVERY)
def test_each_statement_is_named_explained_and_narrow(statement: dict[str, Any]) -> None:
    sid = statement["Sid"]
    lines = TEXT.splitlines()
    places = [number for number, line in enumerate(lines) if line.strip() in (f"- Sid: {sid}", f"Sid: {sid}")]
    assert places
    for place in places:
        above = place - 1
        while lines[above].strip() in ("- !If", "- HasKey") or lines[above].strip().startswith("- Has"):
            above -= 1
        assert lines[above].strip().startswith("#"), f"{sid} has no remark"
    assert all("*" not in action for action in listed(statement["Action"]))
    if sid not in ALL_RESOURCES:
        assert "*" not in listed(statement["Resource"])


# AWS knows no resource for these statements' actions.
ALL_RESOURCES = {"AnswerTaskTokens", "FindMachines", "ReadAllTags"}


# What each role may do; to widen one is a decision that this list makes visible.
ALLOWED = {
    "ResumerRole": {
        "events:PutEvents",
        "iam:PassRole",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKey",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sns:Publish",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
        "states:RedriveExecution",
        "states:CreateStateMachine",
        "states:DeleteStateMachineVersion",
        "states:DescribeExecution",
        "states:DescribeStateMachine",
        "states:DescribeStateMachineForExecution",
        "states:GetExecutionHistory",
        "states:ListExecutions",
        "states:ListStateMachineVersions",
        "states:ListTagsForResource",
        "states:PublishStateMachineVersion",
        "states:StartExecution",
        "states:TagResource",
        "states:UpdateStateMachine",
        "tag:GetResources",
    },
    "WidgetRole": {
        "kms:Decrypt",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "states:DescribeExecution",
        "states:DescribeStateMachine",
        "states:DescribeStateMachineForExecution",
        "states:GetExecutionHistory",
        "states:ListExecutions",
        "states:ListStateMachines",
        "states:ListTagsForResource",
        "tag:GetResources",
    },
    "SweeperRole": {
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "logs:CreateLogStream",
        "logs:FilterLogEvents",
        "logs:PutLogEvents",
        "sqs:SendMessage",
        "states:DeleteStateMachine",
        "states:DeleteStateMachineVersion",
        "states:DescribeStateMachine",
        "states:ListExecutions",
        "states:ListStateMachines",
        "states:ListStateMachineVersions",
        "states:ListTagsForResource",
        "states:TagResource",
        "states:UntagResource",
        "tag:GetResources",
    },
    "RequestRole": {
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
        "states:DescribeExecution",
        "states:DescribeStateMachine",
        "states:DescribeStateMachineForExecution",
        "states:GetExecutionHistory",
        "states:ListTagsForResource",
    },
    "CallbackRole": {"logs:CreateLogStream", "logs:PutLogEvents", "states:SendTaskSuccess"},
    "ChildRole": {"lambda:InvokeFunction"},
    "ContinueAsNewApiRole": {"lambda:InvokeFunction", "states:StartExecution"},
    "ContinueAsNewRole": {"lambda:InvokeFunction"},
    "IteratorRole": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "NestingRole": {
        "events:DescribeRule",
        "events:PutRule",
        "events:PutTargets",
        "states:DescribeExecution",
        "states:StartExecution",
        "states:StopExecution",
    },
    "ParentRole": {"states:StartExecution"},
    "RestartRole": {"logs:CreateLogStream", "logs:PutLogEvents", "states:StartExecution"},
    "DemonstrationRole": {"lambda:InvokeFunction"},
    "WorkerRole": {"logs:CreateLogStream", "logs:PutLogEvents", "dynamodb:UpdateItem"},
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_it_does_and_no_more(role: str) -> None:
    assert {action for statement in statements(role) for action in listed(statement["Action"])} == ALLOWED[role]


@pytest.mark.parametrize(
    ("role", "machine"),
    [
        ("RestartRole", "${AWS::StackName}-ContinueAsNew"),
        ("ContinueAsNewApiRole", "${AWS::StackName}-ContinueAsNewApi"),
        ("ParentRole", "ChildStateMachine"),
        ("NestingRole", "ChildStateMachine"),
    ],
)
def test_who_starts_executions_may_start_one_machine_only(role: str, machine: str) -> None:
    (statement,) = [found for found in statements(role) if found["Action"] == "states:StartExecution"]
    resource = statement["Resource"]
    assert resource.get("!Ref") == machine or resource["!Sub"].endswith(f":stateMachine:{machine}")


MACHINES = [name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::Serverless::StateMachine"]


@pytest.mark.parametrize("machine", MACHINES)
def test_each_substitution_is_used(machine: str) -> None:
    properties = RESOURCES[machine]["Properties"]
    text = (ROOT / properties["DefinitionUri"]).read_text()
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(properties["DefinitionSubstitutions"])


@pytest.mark.parametrize("role", ["ResumerRole", "SweeperRole"])
def test_gotostate_machines_only_are_changed_started_and_deleted(role: str) -> None:
    changing = ("Create", "Delete", "Update", "Publish", "Tag", "Untag", "Start")
    for statement in statements(role):
        if any(action.startswith(f"states:{verb}") for action in listed(statement["Action"]) for verb in changing):
            for resource in listed(statement["Resource"]):
                name = resource["!Sub"].partition(":stateMachine:")[2]
                # No version: AWS authorizes versions by the machine's own ARN, which the emulator does not check.
                assert name == "${StateMachineNames}-with-GoToState", resource


def test_roles_are_passed_to_step_functions_alone_and_narrowed_by_a_parameter() -> None:
    (statement,) = [found for found in statements("ResumerRole") if found["Action"] == "iam:PassRole"]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}}
    assert "${StateMachineRoles}" in statement["Resource"]["!Sub"]


def test_each_function_has_its_log_group_beside_it() -> None:
    names = list(RESOURCES)
    for name in [name for name in names if RESOURCES[name]["Type"] == "AWS::Serverless::Function"]:
        group = RESOURCES[name]["Properties"]["LoggingConfig"]["LogGroup"]["!Ref"]
        assert names[names.index(name) + 1] == group
        assert RESOURCES[group]["Properties"]["RetentionInDays"] == {"!Ref": "LogRetentionDays"}


def test_everything_is_described() -> None:
    for kind in ("Parameters", "Outputs"):
        for name, item in TEMPLATE[kind].items():
            assert item["Description"].endswith("."), f"{kind} {name}"


def test_a_production_stack_holds_no_demonstration() -> None:
    left = {name: resource for name, resource in RESOURCES.items() if resource.get("Condition") != "HasDemonstrations"}
    assert not [name for name, resource in left.items() if resource["Type"] == "AWS::DynamoDB::Table"]
    text = json.dumps(left)
    for name, resource in RESOURCES.items():
        if resource.get("Condition") == "HasDemonstrations":
            assert f'"{name}"' not in text, f"{name} is used by what stays"
            assert f'"{name}.Arn"' not in text, f"{name} is used by what stays"


def test_a_failure_waits_until_it_can_be_dealt_with() -> None:
    """The rule retries delivery, the queue keeps for 14 days what is throttled, and no message is thrown away."""
    rule, queue = RESOURCES["FailureRule"]["Properties"], RESOURCES["RecoveryQueue"]["Properties"]
    (target,) = rule["Targets"]
    assert target["Arn"] == {"!GetAtt": "RecoveryQueue.Arn"}
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}
    assert target["DeadLetterConfig"]["Arn"] == {"!GetAtt": "DeadLetterQueue.Arn"}
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"!GetAtt": "DeadLetterQueue.Arn"}
    for name in ("RecoveryQueue", "DeadLetterQueue"):
        assert RESOURCES[name]["Properties"]["MessageRetentionPeriod"] == 14 * 86_400


def test_the_queue_and_the_function_fit_together() -> None:
    """AWS's advice: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html ."""
    function, queue = RESOURCES["ResumerFunction"]["Properties"], RESOURCES["RecoveryQueue"]["Properties"]
    mapping = function["Events"]["Recovery"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"!Ref": "ResumerConcurrency"}}
    # What is throttled all day long is not given up.
    assert queue["VisibilityTimeout"] * queue["RedrivePolicy"]["maxReceiveCount"] >= 4 * 3_600


ALARMS = {name: found["Properties"] for name, found in RESOURCES.items() if found["Type"] == "AWS::CloudWatch::Alarm"}
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()


@pytest.mark.parametrize("name", ALARMS)
def test_each_alarm_tells_people_and_names_its_entry_in_the_runbook(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == [{"!Ref": "RecoveryTopic"}]
    assert alarm["TreatMissingData"] == "notBreaching"
    anchor = alarm["AlarmDescription"].rpartition("docs/runbook.md#")[2]
    headings = re.findall(r"^### (.+)$", RUNBOOK, re.MULTILINE)
    anchors = [heading.lower().replace(":", "").replace(" ", "-") for heading in headings]
    assert anchor in anchors
    assert f"`{name}`" in RUNBOOK


def test_the_dashboard_is_json_and_shows_every_metric() -> None:
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["!Sub"]
    widgets = json.loads(body)["widgets"]
    assert [widget["properties"]["title"] for widget in widgets]
    for metric in (
        *measures.OUTCOMES.values(),
        measures.FAILURES,
        measures.SECONDS_TO_RECOVERY,
        measures.THROTTLED,
        measures.SWEPT,
    ):
        assert f'"{metric}"' in body, metric
        assert f"`{metric}`" in RUNBOOK, metric
    names = set(re.findall(r"\$\{(\w+)", body)) - {"AWS"}
    assert names <= set(RESOURCES)
    for widget in widgets:
        assert widget["x"] + widget["width"] <= 24
