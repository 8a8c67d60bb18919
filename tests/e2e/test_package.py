"""A template that was packaged once deploys without a clone, and twice into one account.

The stacks have no demonstration machines, so that they are deployed in seconds.
"""

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from stack import ROOT, Stack

REGION = os.environ.get("AWS_DEFAULT_REGION", "eu-west-1")
SAM = os.environ.get("SAM", "sam")


def run(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert not done.returncode, f"{' '.join(command)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket for a release."""
    if "AWS_ENDPOINT_URL" not in os.environ and os.environ.get("SFN_RESUME_REAL_ACCOUNT") != "yes":
        pytest.fail("the end-to-end tests need an account: make test, or SFN_RESUME_REAL_ACCOUNT=yes for a real one")
    name = f"sfn-resume-e2e-{uuid.uuid4().hex[:12]}"
    elsewhere: Any = {} if REGION == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    boto3.client("s3").create_bucket(Bucket=name, **elsewhere)
    yield name
    found = boto3.resource("s3").Bucket(name)
    found.objects.delete()
    found.delete()


@pytest.fixture(scope="module")
def release(bucket: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the packaged template and nothing else."""
    run("make", "package", f"BUCKET={bucket}", folder=ROOT)
    folder = tmp_path_factory.mktemp("release")
    (ROOT / ".make" / "packaged.yaml").rename(folder / "packaged.yaml")
    return folder


@pytest.fixture(scope="module")
def key() -> Iterator[str]:
    """A KMS key with the policy that docs/deploy.md shows."""
    if "AWS_ENDPOINT_URL" not in os.environ:
        pytest.skip("in a real account: its role may create no KMS key, which could not be deleted at once")
    client = boto3.client("kms")
    documented = re.search(r"```json\n(.*?)```", (ROOT / "docs" / "deploy.md").read_text(), re.DOTALL)
    assert documented
    account = boto3.client("sts").get_caller_identity()["Account"]
    policy = documented[1].replace("123456789012", account).replace("eu-west-1", REGION)
    assert json.loads(policy)
    made = client.create_key(Description="end-to-end tests of sfn-resume", Policy=policy)["KeyMetadata"]
    yield made["Arn"]
    client.schedule_key_deletion(KeyId=made["KeyId"], PendingWindowInDays=7)


BOUNDARY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture(scope="module")
def boundary() -> Iterator[str]:
    """A permissions boundary."""
    client = boto3.client("iam")
    name = f"sfn-resume-e2e-{uuid.uuid4().hex[:12]}"
    arn = client.create_policy(PolicyName=name, PolicyDocument=json.dumps(BOUNDARY))["Policy"]["Arn"]
    yield arn
    client.delete_policy(PolicyArn=arn)


def deploy(release: Path, bucket: str, stack: Stack, parameters: dict[str, str]) -> None:
    given = {"DemonstrationMachines": "false", "SweepRate": "off", "Architecture": "x86_64", **parameters}
    options = ["--template-file", "packaged.yaml", "--stack-name", stack.name, "--s3-bucket", bucket]
    overrides = [f"{parameter}={value}" for parameter, value in given.items()]
    run(
        *(SAM, "deploy", *options, "--capabilities", "CAPABILITY_IAM", "--parameter-overrides", *overrides),
        folder=release,
    )


@pytest.fixture(scope="module")
def stacks(release: Path, bucket: str, key: str, boundary: str) -> Iterator[list[Stack]]:
    """Two stacks in one account, for different state machines; the second has a key and a permissions boundary."""
    cloudformation = boto3.client("cloudformation")
    different: list[dict[str, str]] = [
        {"StateMachineNames": "e2e-first-*"},
        {"StateMachineNames": "e2e-second-*", "KmsKeyArn": key, "PermissionsBoundary": boundary},
    ]
    made = [Stack(f"sfn-resume-e2e-{uuid.uuid4().hex[:6]}") for _ in different]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(partial(deploy, release, bucket), made, different))
        yield made
    finally:
        for stack in made:
            cloudformation.delete_stack(StackName=stack.name)
        for stack in made:
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack.name, WaiterConfig={"Delay": 1})


def resources(stack: Stack, kind: str) -> dict[str, str]:
    """Return the physical names of a stack's resources of a type, by logical name."""
    found = boto3.client("cloudformation").describe_stack_resources(StackName=stack.name)["StackResources"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found if each["ResourceType"] == kind}


def test_two_stacks_are_deployed_beside_each_other(stacks: list[Stack]) -> None:
    cloudformation = boto3.client("cloudformation")
    for stack in stacks:
        (found,) = cloudformation.describe_stacks(StackName=stack.name)["Stacks"]
        assert found["StackStatus"] == "CREATE_COMPLETE"
    # The local account knows no dashboards; test_deployment.py looks at their names.
    for kind in ("AWS::Scheduler::Schedule", "AWS::SQS::Queue", "AWS::Events::Rule"):
        first, second = (set(resources(stack, kind).values()) for stack in stacks)
        assert first
        assert not first & second, kind


def test_their_functions_answer(stacks: list[Stack]) -> None:
    for stack in stacks:
        answer = boto3.client("lambda").invoke(
            FunctionName=stack.outputs["WidgetFunctionName"], Payload=json.dumps({"describe": True}).encode()
        )
        assert "FunctionError" not in answer
        assert "## Recoveries" in json.load(answer["Payload"])


def test_the_key_encrypts_queues_topic_and_logs(stacks: list[Stack], key: str) -> None:
    plain, keyed = stacks
    sqs, sns, logs = boto3.client("sqs"), boto3.client("sns"), boto3.client("logs")

    def of_queues(stack: Stack) -> list[Any]:
        urls = resources(stack, "AWS::SQS::Queue").values()
        all_attributes = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]) for url in urls]
        return [found["Attributes"].get("KmsMasterKeyId") for found in all_attributes]

    assert of_queues(plain) == [None, None]
    assert of_queues(keyed) == [key, key]
    topic = sns.get_topic_attributes(TopicArn=keyed.outputs["RecoveryTopicArn"])["Attributes"]
    assert topic["KmsMasterKeyId"] == key
    if "AWS_ENDPOINT_URL" in os.environ:
        # The local account creates log groups without their key; test_deployment.py looks at the template.
        return
    names = resources(keyed, "AWS::Logs::LogGroup").values()
    assert names
    for name in names:
        (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        assert group["kmsKeyId"] == key


def test_the_boundary_is_that_of_every_role(stacks: list[Stack], boundary: str) -> None:
    plain, bounded = stacks
    iam = boto3.client("iam")
    # SAM makes one of them, for the schedule.
    assert len(resources(bounded, "AWS::IAM::Role")) == 5
    for name in resources(bounded, "AWS::IAM::Role").values():
        assert iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    for name in resources(plain, "AWS::IAM::Role").values():
        assert "PermissionsBoundary" not in iam.get_role(RoleName=name)["Role"]
