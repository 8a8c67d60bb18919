"""Every call that a deployed function made in this run, judged by the role that it was deployed with.

The local account records the calls (local/local_account/bootstrap.py) and does not enforce IAM; a real account does.
This module comes last (conftest.py), so that the calls of all other tests are in the recording. That all which a role
allows is used is proven in tests/functional/test_roles.py.
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from account import STATE, endpoints
from iam import integrations
from iam.authorization import Call, Place
from iam.recording import calls_in, distinct
from iam.simulator import Role, Simulator
from local_account.bootstrap import CALLS
from stack import SUFFIX, Stack


def fail_an_order(stack: Stack) -> None:
    order = f"roles-{uuid.uuid4().hex[:12]}"
    stack.recovered(stack.start(stack.outputs["OrderMachineArn"], {"order": order, "outage": 1}, order))


def continue_as_new(stack: Stack) -> None:
    first = f"roles-{uuid.uuid4().hex[:12]}"
    stack.start(stack.outputs["ContinueAsNewArn"], {"restart": {"executionCount": 2}}, first)
    stack.chain(stack.outputs["ContinueAsNewArn"], first, 2)


def nest(stack: Stack) -> None:
    stack.ended(stack.start(stack.outputs["NestingPatternsMachineArn"], {}))


def resume_on_the_dashboard(stack: Stack) -> None:
    failed = stack.start(stack.outputs["TestMachineArn"], {"foo": 1, "Message": True})
    stack.ended(failed)
    now = time.time() * 1_000
    shown = {"widgetContext": {"timeRange": {"start": now - 3_600_000, "end": now + 60_000}}}
    for output, event in (("WidgetFunctionName", shown), ("RequestFunctionName", {"execution": failed})):
        boto3.client("lambda").invoke(FunctionName=stack.outputs[output], Payload=json.dumps(event).encode())


def sweep(stack: Stack) -> None:
    found = boto3.client("cloudformation").describe_stack_resource(
        StackName=stack.name, LogicalResourceId="SweeperFunction"
    )
    name = found["StackResourceDetail"]["PhysicalResourceId"]
    boto3.client("lambda").invoke(FunctionName=name, Payload=b"{}")


# What makes each function call AWS, where no other test of this account did.
RUNS: dict[str, Callable[[Stack], None]] = {
    "CallbackFunction": nest,
    "RequestFunction": resume_on_the_dashboard,
    "RestartFunction": continue_as_new,
    "ResumerFunction": fail_an_order,
    "SweeperFunction": sweep,
    "WidgetFunction": resume_on_the_dashboard,
    "WorkerFunction": fail_an_order,
}


@pytest.fixture(scope="module", autouse=True, params=("first", "second")[: max(len(endpoints()), 1)])
def own_half(request: pytest.FixtureRequest) -> str:
    """Judge the calls of each account behind the tests that ran there; tests/conftest.py reads the name."""
    return str(request.param)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def place() -> Place:
    identity = boto3.client("sts").get_caller_identity()
    return Place(identity["Account"], boto3.session.Session().region_name or "", identity["Arn"].split(":")[1])


@pytest.fixture(scope="module")
def resources(stack: Stack) -> list[dict[str, Any]]:
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack.name)
    return [resource for page in pages for resource in page["StackResourceSummaries"]]


@pytest.fixture(scope="module")
def functions(resources: list[dict[str, Any]]) -> dict[str, str]:
    """The stack's functions: logical names by real ones."""
    kind = "AWS::Lambda::Function"
    return {
        found["PhysicalResourceId"]: found["LogicalResourceId"] for found in resources if found["ResourceType"] == kind
    }


@pytest.fixture(scope="module")
def calls(stack: Stack, functions: dict[str, str]) -> dict[str, list[Call]]:
    """All calls so far, by the function's logical name."""
    folder = STATE / str(urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).port)
    if not folder.exists():
        pytest.skip("only the local account records calls; a real account enforces the roles itself")
    made = made_by(functions, Path(folder, CALLS))
    for run in dict.fromkeys(run for name, run in RUNS.items() if not made[name]):
        run(stack)
    return made_by(functions, Path(folder, CALLS))


def made_by(functions: dict[str, str], recording: Path) -> dict[str, list[Call]]:
    made: dict[str, list[Call]] = {name: [] for name in functions.values()}
    for call in calls_in(recording):
        if call.function in functions:
            made[functions[call.function]].append(call)
    return made


def role_of(arn: str) -> Role:
    """Read a role as it was deployed."""
    iam, name = boto3.client("iam"), arn.rpartition("/")[2]
    assert not iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return Role(
        name, arn, {found: iam.get_role_policy(RoleName=name, PolicyName=found)["PolicyDocument"] for found in inline}
    )


def role_of_function(name: str) -> Role:
    return role_of(boto3.client("lambda").get_function_configuration(FunctionName=name)["Role"])


def test_every_call_that_a_function_made_is_allowed(
    calls: dict[str, list[Call]], functions: dict[str, str], place: Place, simulator: Simulator
) -> None:
    for name, logical_name in functions.items():
        denied = simulator.denied(role_of_function(name), distinct(calls[logical_name], place))
        assert denied == [], f"the role of {logical_name} does not allow what it called"


def test_every_function_that_may_call_something_was_seen_to(
    calls: dict[str, list[Call]], functions: dict[str, str]
) -> None:
    for name, logical_name in functions.items():
        actions = {grant.action for grant in role_of_function(name).grants}
        if any(not action.startswith("logs:") for action in actions):
            assert calls[logical_name], (
                f"no call of {logical_name} was recorded: add a row to RUNS of tests/e2e/test_roles.py"
            )


def test_every_task_of_the_deployed_state_machines_is_allowed(
    stack: Stack, resources: list[dict[str, Any]], place: Place, simulator: Simulator
) -> None:
    """The GoToState machines, which run with the same roles, do nothing else."""
    sources = [
        found["PhysicalResourceId"]
        for found in resources
        if found["ResourceType"] == "AWS::StepFunctions::StateMachine"
    ]
    built = [arn + SUFFIX for arn in sources]
    for arn in (*sources, *built):
        try:
            machine = stack.states.describe_state_machine(stateMachineArn=arn)
        except stack.states.exceptions.StateMachineDoesNotExist:
            assert arn in built
            continue
        requests = list(dict.fromkeys(integrations.requests_of(json.loads(machine["definition"]), place)))
        denied = simulator.denied(role_of(machine["roleArn"]), requests)
        assert denied == [], f"the role of {arn} does not allow what its tasks do"
