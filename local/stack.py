"""The deployed stack, as the demo and the end-to-end tests use it: through the AWS API alone.

Whatever AWS_ENDPOINT_URL names is used: the local account, another emulator, or none, for a real account.
"""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).resolve().parent.parent
SUFFIX = "-with-GoToState"
_SAMS_STACK = "aws-sam-cli-managed-default"
ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
# On a real account the asynchronous retries of a function alone take three minutes.
PATIENCE_SECONDS = 60 if "AWS_ENDPOINT_URL" in os.environ else 600


class StackError(Exception):
    """The stack cannot be deployed, or what was waited for did not come."""


def sam(*arguments: str) -> None:
    """Run the SAM CLI in the project's folder. Raises StackError with its output when it fails."""
    command = [os.environ.get("SAM", "sam"), *arguments]
    # The local account has no quota for questions: `sam deploy` asks it twice a second, not every five.
    hurry = {"SAM_CLI_POLL_DELAY": "0.5"} if "AWS_ENDPOINT_URL" in os.environ else {}
    environment = {**hurry, **os.environ}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"{' '.join(['sam', *arguments])} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


def deploy(name: str, *, is_built: bool = False) -> "Stack":
    """Build the template and deploy it with `sam deploy`, as a user does."""
    if not is_built:
        sam("build")
    if "AWS_ENDPOINT_URL" in os.environ:
        _create_sams_bucket()
    sam("deploy", "--config-env", "local", "--stack-name", name)
    return Stack(name)


def _create_sams_bucket() -> None:
    """Create the stack with the bucket that `sam deploy --resolve-s3` would create, and then wait 15 seconds for."""
    template = {
        "Resources": {"SamCliSourceBucket": {"Type": "AWS::S3::Bucket"}},
        "Outputs": {"SourceBucket": {"Value": {"Ref": "SamCliSourceBucket"}}},
    }
    client = boto3.client("cloudformation")
    with suppress(client.exceptions.AlreadyExistsException):
        client.create_stack(
            StackName=_SAMS_STACK,
            TemplateBody=json.dumps(template),
            Tags=[{"Key": "ManagedStackSource", "Value": "AwsSamCli"}],
        )
        client.get_waiter("stack_create_complete").wait(StackName=_SAMS_STACK, WaiterConfig={"Delay": 1})


@dataclass(frozen=True)
class Stack:
    """A deployed stack of this project's template."""

    name: str

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        stack = boto3.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    @cached_property
    def states(self) -> Any:
        """A Step Functions client."""
        return boto3.client("stepfunctions")

    def start(self, machine_arn: str, data: Any, name: str | None = None) -> str:
        """Start an execution and return its ARN."""
        response = self.states.start_execution(
            stateMachineArn=machine_arn, name=name or f"run-{uuid.uuid4()}", input=json.dumps(data)
        )
        return str(response["executionArn"])

    def ended(self, execution_arn: str) -> dict[str, Any]:
        """Wait for an execution's end and return its description."""

        def look() -> dict[str, Any] | None:
            execution: dict[str, Any] = self.states.describe_execution(executionArn=execution_arn)
            return execution if execution["status"] in ENDED else None

        return wait_for(look, f"the end of {execution_arn}")

    def executions(self, machine_arn: str) -> list[dict[str, Any]]:
        """Return a machine's executions, oldest first; none where the machine does not exist."""
        pages = self.states.get_paginator("list_executions").paginate(
            stateMachineArn=machine_arn, PaginationConfig={"PageSize": 1000}
        )
        try:
            found = [execution for page in pages for execution in page["executions"]]
        except self.states.exceptions.StateMachineDoesNotExist:
            return []
        return sorted(found, key=lambda execution: execution["startDate"])

    def states_entered(self, execution_arn: str) -> list[str]:
        """Return the names of the states that an execution entered, in order, those in containers too."""
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
        events = (event for page in pages for event in page["events"])
        return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]

    def resumed(self, execution_arn: str) -> list[dict[str, Any]]:
        """Return the executions that resumed an execution, by what their inputs say, oldest first."""
        machine_arn = execution_arn.rpartition(":")[0].replace(":execution:", ":stateMachine:") + SUFFIX
        found = []
        for execution in self.executions(machine_arn):
            described = self.states.describe_execution(executionArn=execution["executionArn"])
            # Right after its start an execution may be described without its input.
            resuming = json.loads(described.get("input", "{}")).get("resuming")
            if isinstance(resuming, dict) and resuming.get("execution") == execution_arn:
                found.append(described)
        return found

    def recovered(self, execution_arn: str) -> dict[str, Any]:
        """Wait until a resume of an execution succeeded and return its description."""

        def look() -> dict[str, Any] | None:
            return next((found for found in self.resumed(execution_arn) if found["status"] == "SUCCEEDED"), None)

        return wait_for(look, f"a resume of {execution_arn} that succeeds")

    def chain(self, machine_arn: str, first: str, length: int) -> list[dict[str, Any]]:
        """Wait for the end of all executions of a chain that continues as new and return them in order."""
        names = [first, *(f"{first}-continue-{left}" for left in range(length - 1, 0, -1))]
        self.started(machine_arn, names)
        return [self.ended(execution_arn(machine_arn, name)) for name in names]

    def started(self, machine_arn: str, names: list[str]) -> None:
        """Wait until a machine has executions of these names."""

        def look() -> bool | None:
            return True if set(names) <= {found["name"] for found in self.executions(machine_arn)} else None

        wait_for(look, f"the executions {', '.join(names)}")

    def calls(self, run: str) -> dict[str, int]:
        """Return how often each step of a run was called."""
        items = boto3.resource("dynamodb").Table(self.outputs["CallsTableName"]).scan()["Items"]
        return {str(item["step"]): int(item["calls"]) for item in items if item["run"] == run}


def execution_arn(machine_arn: str, name: str) -> str:
    """Return the ARN of a machine's execution."""
    return f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def wait_for[Found](look: Callable[[], Found | None], what: str) -> Found:
    """Look until there is something. Raises StackError that names what did not come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.3)
    raise StackError(f"waited {PATIENCE_SECONDS} seconds in vain for {what}")
