"""A resumed run gives what a run that never failed gives, and does nothing twice: random machines, random faults.

Containers are nested three deep. No step is called less often than in a smooth run, and none more often than by
the calls that failed, were aborted or are meant to be repeated.

SFN_RESUME_MACHINES sets how many (25 by default; 200 or more in a nightly run). A machine that fails the test is
shrunk and printed with the seed by which it can be replayed: pytest --hypothesis-seed=SEED.
"""

import json
import os
import uuid
from collections import Counter
from typing import Any

import boto3
import pytest
from gotostate import recovery
from gotostate.memory import Memory
from gotostate.outcome import Result
from gotostate.report import Report
from gotostate.settings import Mode, Settings
from gotostate.stepfunctions import StepFunctions
from hypothesis import HealthCheck, Phase, given, note
from hypothesis import settings as example_settings
from machines import Plan, data, plans, unbounded_tasks
from stack import Stack

MACHINES = int(os.environ.get("SFN_RESUME_MACHINES", "25"))
# Each fault ends one run at most.
MOST_RESUMES = 4


@pytest.fixture(scope="module")
def worker(stack: Stack) -> str:
    found = boto3.client("cloudformation").describe_stack_resource(
        StackName=stack.name, LogicalResourceId="WorkerFunction"
    )
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def run(stack: Stack, role_arn: str, plan: Plan, worker: str, *, faulty: bool) -> tuple[str, dict[str, Any]]:
    """Run a plan's machine; return the key of its calls and the ended execution."""
    key = f"run-{uuid.uuid4().hex}"
    definition = json.dumps(plan.definition(worker, key, faulty=faulty), ensure_ascii=False)
    machine_arn = stack.states.create_state_machine(
        name=f"{stack.name}-{key}", definition=definition, roleArn=role_arn
    )["stateMachineArn"]
    return key, stack.ended(stack.start(machine_arn, data()))


def unfinished(stack: Stack, arn: str) -> Counter[str]:
    """Count, of an execution that failed, how often each state was entered and not left, or entered after the end.

    On AWS nothing happens after the end; in the emulator a sibling of what failed may go on for a moment.
    """
    pages = stack.states.get_paginator("get_execution_history").paginate(executionArn=arn)
    found: Counter[str] = Counter()
    ended = False
    for event in (event for page in pages for event in page["events"]):
        ended = ended or event["type"] in ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")
        if "stateEnteredEventDetails" in event:
            found[event["stateEnteredEventDetails"]["name"]] += 1
        elif "stateExitedEventDetails" in event and not ended:
            found[event["stateExitedEventDetails"]["name"]] -= 1
    return found


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
    definition = plan.definition("worker", "run", faulty=True)
    note(json.dumps(definition, indent=1, ensure_ascii=False))
    smooth_key, smooth = run(stack, role_arn, plan, worker, faulty=False)
    assert smooth["status"] == "SUCCEEDED", smooth
    key, execution = run(stack, role_arn, plan, worker, faulty=True)
    # The machine has no tag, so the stack's own Resumer leaves it to this one.
    settings = Settings(default_mode=Mode.RESUME, backoff_seconds=0)
    memory = Memory(StepFunctions())
    aborted: Counter[str] = Counter()
    for _ in range(MOST_RESUMES):
        if execution["status"] == "SUCCEEDED":
            break
        aborted += unfinished(stack, execution["executionArn"])
        outcome = recovery.recover(memory, Report(execution["executionArn"]), settings)
        note(f"{outcome.outcome}: {outcome.reason}; {outcome.inside}")
        assert outcome.outcome is Result.RESUMED
        assert outcome.resumed
        execution = stack.ended(outcome.resumed)
    assert execution["status"] == "SUCCEEDED", execution
    assert json.loads(execution["output"]) == json.loads(smooth["output"])
    calls, smooth_calls = stack.calls(key), stack.calls(smooth_key)
    faults = plan.faults_by_step()
    repeated = unbounded_tasks(definition)
    for step, least in smooth_calls.items():
        # A Retry of the task's own takes up a failed call without leaving the state.
        retried = sum(call <= calls.get(step, 0) for call in faults.get(step, ()))
        most = least + aborted[step] + retried
        assert least <= calls.get(step, 0), (step, calls, smooth_calls)
        assert calls.get(step, 0) <= most or step in repeated, (step, most, calls, smooth_calls)
