"""What the end-to-end tests leave in an account is deleted, and nothing else of the account is."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import boto3
import pytest
import real_account
from moto import mock_aws

STACK = "sfn-resume-e2e"
OTHERS = ("sfn-resume-e2e2",)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
CALL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}],
    }
)
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})


@pytest.fixture(autouse=True)
def account() -> Iterator[None]:
    with mock_aws():
        yield


def make(stack: str) -> None:
    """Make what a deployed stack and tests that were killed leave: a stack, and things that bear its name."""
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"{stack}-topic"}}}}
    boto3.client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template))
    iam = boto3.client("iam")
    role = iam.create_role(RoleName=f"{stack}-role", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName=f"{stack}-role", PolicyName="call", PolicyDocument=CALL)
    for name in (f"{stack}-0123", f"{stack}-OrderMachine-with-GoToState"):
        boto3.client("stepfunctions").create_state_machine(name=name, definition=PASS, roleArn=role)
    code = io.BytesIO()
    with ZipFile(code, "w") as archive:
        archive.writestr("a.py", "")
    boto3.client("lambda").create_function(
        FunctionName=f"{stack}-killed",
        Runtime="python3.13",
        Role=role,
        Handler="a.handler",
        Code={"ZipFile": code.getvalue()},
    )
    queue = boto3.client("sqs").create_queue(QueueName=f"{stack}-inbox")["QueueUrl"]
    events = boto3.client("events")
    events.put_rule(Name=f"{stack}-rule", EventPattern=json.dumps({"source": ["gotostate"]}))
    arn = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    events.put_targets(Rule=f"{stack}-rule", Targets=[{"Id": "inbox", "Arn": arn["QueueArn"]}])

    iam.create_policy(PolicyName=f"{stack}-boundary", PolicyDocument=CALL)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=f"{stack}-release", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=f"{stack}-release", Key="packaged.yaml", Body=b"1")


def make_packages(*stacks: str) -> None:
    """Upload two versions of a package for each stack into the bucket that the SAM CLI manages."""
    s3, bucket = boto3.client("s3"), "aws-sam-cli-managed-default-bucket"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"SourceBucket": {"Value": bucket}},
    }
    boto3.client("cloudformation").create_stack(
        StackName="aws-sam-cli-managed-default", TemplateBody=json.dumps(template)
    )
    for stack in stacks:
        for body in (b"1", b"2"):
            s3.put_object(Bucket=bucket, Key=f"{stack}/code.zip", Body=body)


def inventory() -> set[str]:
    """Return the names of all that there is."""

    def names(service: Any, operation: str, key: str, field: str | None) -> set[str]:
        found: list[Any] = getattr(boto3.client(service), operation)().get(key, [])
        return {f"{service} {each[field] if field else each.rpartition('/')[2]}" for each in found}

    versions = boto3.client("s3").list_object_versions(Bucket="aws-sam-cli-managed-default-bucket")
    return (
        names("cloudformation", "describe_stacks", "Stacks", "StackName")
        | names("iam", "list_roles", "Roles", "RoleName")
        | names("stepfunctions", "list_state_machines", "stateMachines", "name")
        | names("lambda", "list_functions", "Functions", "FunctionName")
        | names("sqs", "list_queues", "QueueUrls", None)
        | names("events", "list_rules", "Rules", "Name")
        | names("s3", "list_buckets", "Buckets", "Name")
        | {policy["Arn"] for policy in boto3.client("iam").list_policies(Scope="Local")["Policies"]}
        | {f"s3 {version['Key']} {version['VersionId']}" for version in versions["Versions"]}
    )


def test_all_that_bears_the_stacks_name_is_deleted_and_nothing_else() -> None:
    for name in OTHERS:
        make(name)
    make_packages(*OTHERS)
    others = inventory()
    make(STACK)
    boto3.client("s3").put_object(Bucket="aws-sam-cli-managed-default-bucket", Key=f"{STACK}/code.zip", Body=b"1")
    deleted = real_account.remove(STACK)
    assert inventory() == others
    assert [each.rpartition(" ")[0] for each in deleted] == [
        "stack",
        "state machine",
        "state machine",
        "function",
        "rule",
        "queue",
        "role",
        "policy",
        "bucket",
        "object",
    ]


def test_it_runs_without_the_tests_path() -> None:
    script = Path(real_account.__file__)
    done = subprocess.run([sys.executable, str(script), "orders"], capture_output=True, text=True, check=False)
    assert "'orders' does not end with -e2e" in done.stderr


def test_where_nothing_was_left_nothing_is_deleted() -> None:
    assert real_account.remove(STACK) == []


def test_what_cannot_be_deleted_does_not_keep_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    make_packages(STACK)
    make(STACK)

    def refuse(name: str) -> Iterator[Any]:
        raise PermissionError(f"nobody may list the functions of {name}")

    monkeypatch.setattr(real_account, "_functions", refuse)
    with pytest.raises(ExceptionGroup, match="not all of sfn-resume-e2e could be deleted; deleted: stack") as raised:
        real_account.remove(STACK)
    assert [str(error) for error in raised.value.exceptions] == [f"nobody may list the functions of {STACK}"]


def test_a_name_that_other_stacks_may_begin_with_is_refused() -> None:
    make("sfn-resume-prod")
    with pytest.raises(ValueError, match="'sfn-resume' does not end with -e2e"):
        real_account.remove("sfn-resume")
    assert boto3.client("cloudformation").describe_stacks(StackName="sfn-resume-prod")["Stacks"]
