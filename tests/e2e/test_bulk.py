"""Sixty failures of three machines at once: shown, tried with canaries, resumed by the Resumer and from here, once."""

import json
import signal
import subprocess
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from stack import SUFFIX, Stack, wait_for

MachineMaker = Callable[..., str]


def definition(table: str, opened: str = "is_open") -> dict[str, Any]:
    """Write a machine of two calls to DynamoDB; each fails until the item that it counts in has an attribute.

    opened: the attribute that Charge looks for.
    """

    def call(step: str, attribute: str, **more: Any) -> dict[str, Any]:
        parameters = {
            "TableName": table,
            "Key": {"run": {"S.$": "$.run"}, "step": {"S": step}},
            "UpdateExpression": "ADD calls :one",
            "ConditionExpression": f"attribute_exists({attribute})",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
        shared = {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "ResultPath": None}
        return {**shared, "Parameters": parameters, **more}

    states = {"Charge": call("Charge", opened, Next="Ship"), "Ship": call("Ship", "is_open", End=True)}
    return {"StartAt": "Charge", "States": states}


@dataclass
class Failures:
    """The failures of the test, and the machines that they are of. runs: by ARN, the key of the calls."""

    stack: Stack
    orders: str
    refunds: str
    imports: str
    runs: dict[str, str]

    def resume(self, *options: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(self.command(*options), capture_output=True, text=True, check=False)

    def command(self, *options: str) -> list[str]:
        return ["gotostate", "resume", "--stack", self.stack.name, *options]

    def of(self, machine_arn: str) -> list[str]:
        return [arn for arn in self.runs if arn.startswith(machine_arn.replace(":stateMachine:", ":execution:") + ":")]

    def started(self, *machine_arns: str) -> list[dict[str, Any]]:
        return [found for arn in machine_arns for found in self.stack.executions(arn + SUFFIX)]

    @property
    def table(self) -> Any:
        return boto3.resource("dynamodb").Table(self.stack.outputs["CallsTableName"])

    def open(self, keys: Iterable[str], *steps: str) -> None:
        """Let these steps of these runs work."""
        table = self.table
        for key in keys:
            for step in steps:
                table.update_item(
                    Key={"run": key, "step": step},
                    UpdateExpression="SET is_open = :yes",
                    ExpressionAttributeValues={":yes": True},
                )

    def calls(self) -> Counter[tuple[str, int]]:
        """How many runs made each call, and how often."""
        items = self.table.scan()["Items"]
        keys = set(self.runs.values())
        return Counter((item["step"], int(item["calls"])) for item in items if item["run"] in keys)

    def all(self) -> Any:
        """All machines, versions and executions."""
        machines = self.stack.states.list_state_machines()["stateMachines"]
        return sorted(
            (machine["stateMachineArn"], len(self.stack.executions(machine["stateMachineArn"]))) for machine in machines
        )


@pytest.fixture
def failures(stack: Stack, make_machine: MachineMaker) -> Failures:
    table = stack.outputs["CallsTableName"]
    prepare = {"gotostate": "prepare"}
    orders, refunds = (make_machine(definition(table), prepare) for _ in range(2))
    imports = make_machine(definition(table, opened="is_opened"))
    made = Failures(stack, orders, refunds, imports, {})
    # Machine, how many, and which of its calls work.
    for machine, count, steps in ((orders, 15, ()), (orders, 10, ("Charge",)), (refunds, 25, ()), (imports, 10, ())):
        for _ in range(count):
            key = f"run-{uuid.uuid4().hex}"
            made.open([key], *steps)
            made.runs[stack.start(machine, {"run": key})] = key
    for arn in made.runs:
        assert stack.ended(arn)["status"] == "FAILED"
    # The bank is back, and the machine was mended since.
    made.open(made.runs.values(), "Charge", "Ship")
    stack.states.update_state_machine(stateMachineArn=imports, definition=json.dumps(definition(table)))

    def prepared() -> bool | None:
        status = subprocess.run(
            ["gotostate", "status", "--stack", stack.name, "--json"], capture_output=True, text=True, check=True
        )
        return True if not json.loads(status.stdout)["waiting"] else None

    wait_for(prepared, "an empty queue")
    return made


def test_sixty_failures_are_resumed_at_once(failures: Failures) -> None:
    stack, orders, refunds, imports = failures.stack, failures.orders, failures.refunds, failures.imports
    names = ["--since", "1h", "--state-machine", *(arn.rpartition(":")[2] for arn in (orders, refunds, imports))]

    before = failures.all()
    dry = failures.resume(*names, "--dry-run", "--json")
    assert dry.returncode == 0, dry.stderr
    assert failures.all() == before
    plan = json.loads(dry.stdout)
    counted = {(group["machine"], group["state"]): (group["count"], group["through"]) for group in plan["groups"]}
    assert counted == {
        (orders, "Charge"): (15, "queue"),
        (orders, "Ship"): (10, "queue"),
        (refunds, "Charge"): (25, "queue"),
        (imports, "Charge"): (10, "here"),
    }
    assert failures.resume(*names, "--json").returncode == 3
    assert failures.all() == before

    # One canary of each group; the one of imports meets the definition that it failed on.
    tried = failures.resume(*names, "--canary", "4", "--yes")
    print(tried.stdout)
    assert tried.returncode == 1, tried.stderr
    assert "56 others were not resumed" in tried.stdout
    assert len(failures.started(orders, refunds, imports)) == 4

    # Killed in the middle: what was started goes on, and what was not is found by the next.
    mended = ["--since", "1h", "--state-machine", imports.rpartition(":")[2], "--definition", "current", "--yes"]
    killed = subprocess.Popen(failures.command(*mended), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: True if len(failures.started(imports)) >= 3 else killed.poll(), "some resumes")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    rest = failures.resume(*mended, "--wait")
    print(rest.stdout)
    assert rest.returncode == 0, rest.stderr

    done = failures.resume(*names, "--reason", "the bank is back", "--wait", "--yes")
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    described = [
        stack.states.describe_execution(executionArn=found["executionArn"])
        for found in failures.started(orders, refunds, imports)
        if found["status"] == "SUCCEEDED"
    ]
    recovered = Counter(json.loads(found["input"])["resuming"]["execution"] for found in described)
    assert recovered == Counter(failures.runs.keys())
    # Each once; the canary of imports failed, and was resumed again.
    assert len(failures.started(orders, refunds)) == 50
    assert len(failures.started(imports)) == 11
    assert failures.calls() == {("Charge", 1): 60, ("Ship", 1): 60}
    resumed = stack.resumed(failures.of(refunds)[0])[0]
    assert json.loads(resumed["input"])["resuming"]["reason"] == "the bank is back"

    third = failures.resume(*names, "--yes")
    assert third.returncode == 0, third.stderr
    assert "0 failures: 0 to resume" in third.stdout
    assert len(failures.started(orders, refunds, imports)) == 61
