"""The stack under test: the real template, deployed with `sam deploy` into whatever account is given.

AWS_ENDPOINT_URL names an emulator (`make test` starts two local accounts, one for each half of the tests). Without it
they run against a real account, which costs a few cents: say so with SFN_RESUME_REAL_ACCOUNT=yes. There the stack, and
all that the tests made beside it, is deleted in the end, whatever happened (tests/real_account.py).
"""

import json
import os
import tomllib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import account
import boto3
import pytest
from invoke import build
from real_account import check, remove
from stack import ROOT, SUFFIX, Stack, sam, wait_for

MachineMaker = Callable[..., str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put test_roles.py behind the other end-to-end tests: it judges the calls that they made the functions do."""
    here = Path(__file__).parent
    roles = [item for item in items if item.path == here / "test_roles.py"]
    others = [item for item in items if item not in roles]
    behind = max((place for place, item in enumerate(others, 1) if item.path.parent == here), default=0)
    items[:] = [*others[:behind], *roles, *others[behind:]]


@pytest.fixture(scope="session", autouse=True)
def own_account() -> None:
    """Take one of the accounts that `make test` started, as other processes test in the others."""
    if account.endpoints():
        endpoint = account.claim()
        assert endpoint, "more processes run end-to-end tests than there are accounts"
        os.environ["AWS_ENDPOINT_URL"] = endpoint


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    is_real = "AWS_ENDPOINT_URL" not in os.environ
    if is_real and os.environ.get("SFN_RESUME_REAL_ACCOUNT") != "yes":
        pytest.fail("the end-to-end tests need an account: make test, or SFN_RESUME_REAL_ACCOUNT=yes for a real one")
    name = os.environ.get("SFN_RESUME_STACK", "sfn-resume-e2e")
    check(name)
    try:
        _deploy(name)
        yield Stack(name)
    finally:
        if is_real:
            remove(name)


def _deploy(name: str) -> None:
    """Build the template and deploy it, for its own state machines alone: a real account may hold others."""
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text())["local"]["deploy"]["parameters"]
    narrow = f"{settings['parameter_overrides']} StateMachineNames={name}-* StateMachineRoles={name}-*"
    build()
    # Packages have a folder of their own in the account's bucket, by which they are found again.
    sam("deploy", "--config-env", "local", "--stack-name", name, "--s3-prefix", name, "--parameter-overrides", narrow)


@pytest.fixture(scope="session")
def role_arn(stack: Stack) -> str:
    """A role that may call the worker."""
    described = stack.states.describe_state_machine(stateMachineArn=stack.outputs["OrderMachineArn"])
    return str(described["roleArn"])


@pytest.fixture
def make_machine(stack: Stack, role_arn: str) -> Iterator[MachineMaker]:
    """Create state machines that are deleted, with their GoToState machines, after the test."""
    made: list[str] = []

    def make(definition: Any, tags: dict[str, str] | None = None, role: str | None = None) -> str:
        response = stack.states.create_state_machine(
            name=f"{stack.name}-{uuid.uuid4().hex[:12]}",
            definition=definition if isinstance(definition, str) else json.dumps(definition),
            roleArn=role or role_arn,
            tags=[{"key": key, "value": value} for key, value in (tags or {}).items()],
        )
        made.append(response["stateMachineArn"])
        return str(response["stateMachineArn"])

    yield make
    for arn in made:
        for each in (arn, arn + SUFFIX):
            stack.states.delete_state_machine(stateMachineArn=each)


@pytest.fixture(scope="session")
def outcome_of(stack: Stack) -> Callable[[str, str], dict[str, Any]]:
    """Wait for the Resumer's log line about an execution with a given outcome."""
    logs = boto3.client("logs")

    def wait(execution_arn: str, outcome: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=stack.outputs["ResumerLogGroupName"])
            for page in pages:
                for event in page["events"]:
                    if execution_arn in event["message"] and f'"outcome":"{outcome}"' in event["message"]:
                        line: dict[str, Any] = json.loads(event["message"])
                        return line
            return None

        return wait_for(look, f"the outcome {outcome!r} of {execution_arn}")

    return wait
