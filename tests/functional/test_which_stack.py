"""Whether there is a stack, as CloudFormation tells it."""

import json
from typing import Any

import boto3
import pytest
from gotostate.cli import account
from gotostate.cli.account import environment_of, parameters
from gotostate.errors import StackError
from gotostate.settings import Settings
from moto import mock_aws

REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "environment_of", environment_of)


@mock_aws
def test_a_stack_that_does_not_exist_is_known_not_to() -> None:
    found = parameters(None, REGION, None, is_needed=True)
    assert (found.settings, found.stack, found.is_known) == (Settings(), None, True)
    assert found.source == "the stack's defaults, as there is no stack sfn-resume in eu-west-1"


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({}, "has no output RecoveryMappingId"),
        ({"RecoveryMappingId": {"Value": "5a5ba5bf-f1b5-4f3e-a6a5-0c7a5c7a1b1e"}}, "was deleted: deploy it again"),
    ],
)
@mock_aws
def test_a_stack_that_is_there_and_not_as_ours_leaves_it_unknown(outputs: dict[str, Any], said: str) -> None:
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}
    boto3.client("cloudformation", REGION).create_stack(StackName="sfn-resume", TemplateBody=json.dumps(template))
    found = parameters(None, REGION, None)
    assert (found.settings, found.stack, found.is_known) == (Settings(), None, False)
    with pytest.raises(StackError, match=f"not known whether the Resumer is to be asked.* {said}") as raised:
        parameters(None, REGION, None, is_needed=True)
    assert isinstance(raised.value.__cause__, StackError)
