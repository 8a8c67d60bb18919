"""The deployed sweep: a failure that no event brought is recovered, once, and a GoToState machine goes when it may.

The local account's scheduler never fires, so the tests invoke the function. A sweep takes up what failed five minutes
ago and deletes what was not used for days: one more module in the function's code sets its clock. It also narrows the
sweep to one machine, as the others of the account are none of its business. All else is as it was deployed.
"""

import io
import json
import os
import time
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from stack import SUFFIX, Stack, wait_for

MachineMaker = Callable[..., str]
Sweep = Callable[[str, float], dict[str, int]]
MINUTE, DAY = 60.0, 86_400.0
# EventBridge may deliver by a rule's old targets for a moment.
SETTLING_SECONDS = 0 if "AWS_ENDPOINT_URL" in os.environ else 60
# Why the sweep waits before it deletes is shown by tests/functional/test_sweep.py, in every interleaving.
# Housekeeping looks at a machine in one of the sweeps of a day, so here in each.
LATER = """
import os
import time
import sweeper
from gotostate import cleaning

def handler(event, context):
    os.environ.update(STATE_MACHINE_NAMES=event["name"], SWEEP_RATE="rate(1 day)")
    sweeper._now = lambda: time.time() + event["later"]
    cleaning.SETTLE_SECONDS = 1
    return sweeper.handler({}, context)
"""


def resource(stack: Stack, logical_name: str) -> str:
    found = boto3.client("cloudformation").describe_stack_resource(StackName=stack.name, LogicalResourceId=logical_name)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def swept(stack: Stack, event: Any) -> dict[str, int]:
    """Let the deployed function sweep, and return its answer."""
    response = boto3.client("lambda").invoke(
        FunctionName=resource(stack, "SweeperFunction"), Payload=json.dumps(event).encode()
    )
    answer: dict[str, int] = json.loads(response["Payload"].read())
    assert "FunctionError" not in response, answer
    return answer


@pytest.fixture(scope="module")
def sweep(stack: Stack) -> Iterator[Sweep]:
    """Sweep one machine, so many seconds from now; the function is as it was after the tests."""
    client, name = boto3.client("lambda"), resource(stack, "SweeperFunction")
    handler = client.get_function_configuration(FunctionName=name)["Handler"]
    with urllib.request.urlopen(client.get_function(FunctionName=name)["Code"]["Location"]) as response:
        code = response.read()

    def set_to(code: bytes, handler: str) -> None:
        client.update_function_code(FunctionName=name, ZipFile=code)
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        client.update_function_configuration(FunctionName=name, Handler=handler)
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})

    file = io.BytesIO(code)
    with zipfile.ZipFile(file, "a") as archive:
        module = zipfile.ZipInfo("later.py")
        module.external_attr = 0o644 << 16
        archive.writestr(module, LATER)
    try:
        set_to(file.getvalue(), "later.handler")
        yield lambda machine, later: swept(stack, {"name": machine.rpartition(":")[2], "later": later})
    finally:
        set_to(code, handler)


@contextmanager
def without_events(stack: Stack) -> Iterator[None]:
    """Let EventBridge bring no failure to the Resumer; take it back.

    The rule loses its targets: the local account delivers by a disabled rule all the same.
    """
    client, rule = boto3.client("events"), resource(stack, "FailureRule")
    targets = client.list_targets_by_rule(Rule=rule)["Targets"]
    client.remove_targets(Rule=rule, Ids=[target["Id"] for target in targets])
    try:
        time.sleep(SETTLING_SECONDS)
        yield
    finally:
        client.put_targets(Rule=rule, Targets=targets)


@pytest.fixture
def make_orders(stack: Stack, make_machine: MachineMaker) -> Callable[[str], str]:
    """Create a machine as OrderMachine, of which there are no other failures; the tag decides about them."""
    definition = stack.states.describe_state_machine(stateMachineArn=stack.outputs["OrderMachineArn"])["definition"]
    return lambda tag: make_machine(definition, {"gotostate": tag})


def failed_order(stack: Stack, machine: str) -> tuple[str, str]:
    """Start an order whose charging fails once, wait for its failure; return its execution's ARN and its key."""
    key = f"order-{uuid.uuid4()}"
    arn = stack.start(machine, {"order": key, "outage": 1}, key[:40])
    assert stack.ended(arn)["status"] == "FAILED"
    return arn, key


def assert_recovered_once(stack: Stack, failed_arn: str, key: str) -> None:
    """Wait until nothing is left to do; nothing ran twice but the state that failed."""
    stack.recovered(failed_arn)
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def look() -> bool | None:
        found: dict[str, Any] = boto3.client("sqs").get_queue_attributes(
            QueueUrl=stack.outputs["RecoveryQueueUrl"], AttributeNames=counts
        )["Attributes"]
        return True if all(found[count] == "0" for count in counts) else None

    wait_for(look, "an empty queue")
    assert len(stack.resumed(failed_arn)) == 1
    assert stack.calls(key) == {"Reserve": 1, "Charge": 2, "Ship": 1}


def test_the_sweep_as_it_is_deployed(stack: Stack) -> None:
    """Its own clock and all machines; housekeeping finds nothing that is so old."""
    answer = swept(stack, {})
    assert set(answer) == {"machines", "failures", "swept", "deletedMachines", "deletedVersions"}
    assert (answer["machines"] > 0, answer["deletedMachines"], answer["deletedVersions"]) == (True, 0, 0)


def test_a_failure_that_no_event_brought_is_recovered_once(
    stack: Stack, make_orders: Callable[[str], str], sweep: Sweep
) -> None:
    machine = make_orders("resume")
    with without_events(stack):
        failed_arn, key = failed_order(stack, machine)
        # Its event might come yet.
        assert sweep(machine, 0)["swept"] == 0
        found = sweep(machine, 10 * MINUTE)
        assert (found["machines"], found["failures"], found["swept"]) == (1, 1, 1)
        stack.recovered(failed_arn)
    # Another sweep, and its event at last.
    assert sweep(machine, 10 * MINUTE)["swept"] == 0
    event = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": failed_arn, "status": "FAILED"},
    }
    boto3.client("sqs").send_message(QueueUrl=stack.outputs["RecoveryQueueUrl"], MessageBody=json.dumps(event))
    assert_recovered_once(stack, failed_arn, key)


def test_sweeps_beside_the_event_and_beside_each_other_recover_once(
    stack: Stack, make_orders: Callable[[str], str], sweep: Sweep
) -> None:
    machine = make_orders("resume")
    failed_arn, key = failed_order(stack, machine)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda later: sweep(machine, later), [10 * MINUTE, 11 * MINUTE]))
    assert_recovered_once(stack, failed_arn, key)


def test_what_was_told_is_not_put_on_the_queue_again(
    stack: Stack, make_orders: Callable[[str], str], sweep: Sweep, outcome_of: Callable[[str, str], dict[str, Any]]
) -> None:
    """The sweep reads in the Resumer's log that a failure was prepared; the failure itself does not show it."""
    machine = make_orders("prepare")
    failed_arn, _ = failed_order(stack, machine)
    outcome_of(failed_arn, "prepared")
    found = sweep(machine, 10 * MINUTE)
    assert (found["failures"], found["swept"]) == (1, 0)


def test_a_gotostate_machine_is_deleted_when_it_is_not_needed_any_more(
    stack: Stack, make_orders: Callable[[str], str], sweep: Sweep
) -> None:
    machine = make_orders("resume")
    built = machine + SUFFIX

    def is_gone() -> bool | None:
        try:
            found = stack.states.describe_state_machine(stateMachineArn=built)
        except stack.states.exceptions.StateMachineDoesNotExist:
            return True
        return True if found["status"] == "DELETING" else None

    failed_arn, _ = failed_order(stack, machine)
    stack.recovered(failed_arn)
    # Not used for longer than KeepDays; but AWS holds the failure of its source, and here is how that was resumed.
    assert sweep(machine, 40 * DAY)["deletedMachines"] == 0
    stack.states.delete_state_machine(stateMachineArn=machine)
    # It ran recently.
    assert sweep(machine, 10 * MINUTE)["deletedMachines"] == 0
    assert is_gone() is None
    assert sweep(machine, 40 * DAY)["deletedMachines"] == 1
    wait_for(is_gone, f"the end of {built}")
