"""A resumed run gives what a run that never failed gives: random machines, a task that fails at a random point.

SFN_RESUME_MACHINES sets how many (25 by default; 200 or more in a nightly run). A machine that fails the test is
shrunk and printed with the seed by which it can be replayed: pytest --hypothesis-seed=SEED.
"""

import json
import os
import uuid
from typing import Any

import boto3
import pytest
from gotostate import recovery
from gotostate.memory import Memory
from gotostate.policy import Mode, Settings
from gotostate.recovery import Result
from gotostate.report import Report
from gotostate.stepfunctions import StepFunctions
from hypothesis import HealthCheck, Phase, given, note
from hypothesis import settings as example_settings
from machines import Plan, plans
from stack import Stack

MACHINES = int(os.environ.get("SFN_RESUME_MACHINES", "25"))
DATA = {"seed": {"n": [1, "é"]}, "items": [1, 2]}


@pytest.fixture(scope="module")
def worker(stack: Stack) -> str:
    found = boto3.client("cloudformation").describe_stack_resource(
        StackName=stack.name, LogicalResourceId="WorkerFunction"
    )
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def top_level_states(stack: Stack, arn: str, names: set[str]) -> list[str]:
    return [name for name in stack.states_entered(arn) if name in names]


def run(stack: Stack, role_arn: str, plan: Plan, worker: str, failures: int) -> tuple[str, str, dict[str, Any]]:
    """Run a plan's machine; return the machine's ARN, the key of its calls, and the ended execution."""
    key = f"run-{uuid.uuid4().hex}"
    definition = json.dumps(plan.definition(worker, key, failures), ensure_ascii=False)
    machine_arn = stack.states.create_state_machine(name=key, definition=definition, roleArn=role_arn)[
        "stateMachineArn"
    ]
    return machine_arn, key, stack.ended(stack.start(machine_arn, DATA))


@example_settings(
    max_examples=MACHINES,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(plan=plans())
def test_a_resumed_run_gives_what_a_smooth_one_gives(stack: Stack, role_arn: str, worker: str, plan: Plan) -> None:
    note(json.dumps(plan.definition("worker", "run", 1), indent=1, ensure_ascii=False))
    _, smooth_key, smooth = run(stack, role_arn, plan, worker, 0)
    assert smooth["status"] == "SUCCEEDED", smooth
    _, key, failed = run(stack, role_arn, plan, worker, 1)
    assert failed["status"] == "FAILED", failed
    # The machine has no tag, so the stack's own Resumer leaves it to this one.
    settings = Settings(default_mode=Mode.RESUME, backoff_seconds=0)
    outcome = recovery.recover(Memory(StepFunctions()), Report(failed["executionArn"]), settings)
    assert (outcome.outcome, outcome.state) == (Result.RESUMED, plan.name(plan.failing))
    assert outcome.resumed
    resumed = stack.ended(outcome.resumed)
    assert resumed["status"] == "SUCCEEDED", resumed
    assert json.loads(resumed["output"]) == json.loads(smooth["output"])
    names = set(plan.definition(worker, key, 0)["States"])
    before = top_level_states(stack, failed["executionArn"], names)
    after = top_level_states(stack, outcome.resumed, names)
    assert before[:-1] + after == top_level_states(stack, smooth["executionArn"], names)
    # Steps at the top level before the failed one ran once; those in a container may run again with it.
    calls, smooth_calls = stack.calls(key), stack.calls(smooth_key)
    finished = set(before[:-1])
    assert {step: calls.get(step) for step in finished} == {step: smooth_calls.get(step) for step in finished}
