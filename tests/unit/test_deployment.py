"""What a deployer meets in the template: the parameters' order and groups, the release, the boundary and the key."""

import tomllib
from typing import Any

import pytest
from template_file import RESOURCES, ROOT, TEMPLATE

INTERFACE = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
RELEASE = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]


def of_type(*kinds: str) -> dict[str, Any]:
    return {name: found["Properties"] for name, found in RESOURCES.items() if found["Type"] in kinds}


def test_the_groups_hold_every_parameter_in_the_order_of_the_template() -> None:
    """`sam deploy --guided` knows no groups: it asks in the template's order."""
    grouped = [name for group in INTERFACE["ParameterGroups"] for name in group["Parameters"]]
    assert grouped == list(TEMPLATE["Parameters"])
    assert set(INTERFACE["ParameterLabels"]) == set(grouped)
    assert all(group["Label"]["default"] for group in INTERFACE["ParameterGroups"])
    assert all(label["default"] for label in INTERFACE["ParameterLabels"].values())


def test_the_docs_list_the_parameters_in_the_same_order() -> None:
    lines = (ROOT / "docs" / "deploy.md").read_text().splitlines()
    listed = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert listed == list(TEMPLATE["Parameters"])


def test_every_parameter_has_a_default() -> None:
    """So that a deployer may answer nothing."""
    assert all("Default" in parameter for parameter in TEMPLATE["Parameters"].values())


def test_the_release_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert RELEASE["SemanticVersion"] == project["version"]
    assert RELEASE["Name"] == project["name"]
    assert RELEASE["SpdxLicenseId"] == project["license"]
    for file in ("LicenseUrl", "ReadmeUrl"):
        assert (ROOT / RELEASE[file]).is_file()
    # The limits of the Serverless Application Repository.
    assert len(RELEASE["Description"]) <= 256
    assert len(RELEASE["Labels"]) <= 10


BOUNDARY = {"!If": ["HasBoundary", {"!Ref": "PermissionsBoundary"}, {"!Ref": "AWS::NoValue"}]}
KEY = {"!If": ["HasStackKey", {"!Ref": "KmsKeyArn"}, {"!Ref": "AWS::NoValue"}]}


def test_every_role_has_the_boundary() -> None:
    for name, role in of_type("AWS::IAM::Role").items():
        assert role["PermissionsBoundary"] == BOUNDARY, name
    for name, properties in of_type("AWS::Serverless::Function", "AWS::Serverless::StateMachine").items():
        # Without one, SAM would make one.
        assert "Role" in properties, name
        for event in properties.get("Events", {}).values():
            # SAM makes a role for each schedule.
            if event["Type"] != "SQS":
                assert event["Properties"]["PermissionsBoundary"] == BOUNDARY, name


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
    ],
)
def test_the_key_encrypts_all_queues_topics_and_logs(kind: str, name: str) -> None:
    assert of_type(kind)
    for resource, properties in of_type(kind).items():
        assert properties[name] == KEY, resource


def test_without_a_key_the_queues_have_that_of_sqs() -> None:
    """SQS takes one or the other."""
    for properties in of_type("AWS::SQS::Queue").values():
        assert properties["SqsManagedSseEnabled"] == {"!If": ["HasStackKey", False, True]}


NAMES = [
    "AlarmName",
    "DashboardName",
    "FunctionName",
    "LogGroupName",
    "Name",
    "QueueName",
    "RoleName",
    "TableName",
    "TopicName",
]


def test_no_name_is_the_same_in_two_stacks() -> None:
    for name, resource in RESOURCES.items():
        # CloudFormation names what has no name here, for the stack.
        for given in NAMES:
            if given in resource["Properties"]:
                assert resource["Properties"][given]["!Sub"].startswith("${AWS::StackName}-"), name
    for properties in of_type("AWS::Serverless::Function").values():
        for event in properties.get("Events", {}).values():
            # SAM names a schedule after its function.
            if event["Type"] != "SQS":
                assert event["Properties"]["OmitName"] is True


def test_each_queue_has_one_policy() -> None:
    """A second policy for a queue overwrites the first, and the deletion of either takes both away."""
    queues = [queue["!Ref"] for policy in of_type("AWS::SQS::QueuePolicy").values() for queue in policy["Queues"]]
    assert sorted(queues) == sorted(of_type("AWS::SQS::Queue"))


def test_the_dead_letter_queue_keeps_its_policy_when_an_older_stack_is_updated() -> None:
    """Stacks from before the RecoveryQueue have DeadLetterQueuePolicy; in later ones QueuePolicy was that of both."""
    assert RESOURCES["DeadLetterQueuePolicy"]["Properties"]["Queues"] == [{"!Ref": "DeadLetterQueue"}]
    assert RESOURCES["DeadLetterQueuePolicy"]["DependsOn"] == "QueuePolicy"
