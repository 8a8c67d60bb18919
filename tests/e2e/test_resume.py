"""Failed executions are resumed in the deployed application, with no call from the tests."""

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from stack import SUFFIX, Stack, wait_for

Outcome = Callable[[str, str], dict[str, Any]]
MAX_ATTEMPTS = 3
SETTLING_SECONDS = 5


def gotostate(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["gotostate", *arguments], capture_output=True, text=True, check=False)


def order(stack: Stack, outage: int, machine_arn: str | None = None) -> tuple[str, str]:
    """Start an order whose charging fails a number of times; return its execution's ARN and its key."""
    key = f"order-{uuid.uuid4()}"
    arn = stack.start(machine_arn or stack.outputs["OrderMachineArn"], {"order": key, "outage": outage}, key[:40])
    return arn, key


def test_a_failed_execution_is_resumed_by_itself(stack: Stack) -> None:
    smooth_arn, _ = order(stack, 0)
    failed_arn, key = order(stack, 1)
    assert stack.ended(failed_arn)["status"] == "FAILED"
    recovered = stack.recovered(failed_arn)
    smooth = json.loads(stack.ended(smooth_arn)["output"])
    output = json.loads(recovered["output"])
    assert output == {**smooth, "order": key, "outage": 1}
    assert stack.calls(key) == {"Reserve": 1, "Charge": 2, "Ship": 1}
    assert "Reserve" not in stack.states_entered(recovered["executionArn"])


def test_a_failure_that_stays_ends_at_max_attempts(stack: Stack, outcome_of: Outcome) -> None:
    failed_arn, key = order(stack, 99)
    last: list[str] = []

    def all_failed() -> bool | None:
        resumed = stack.resumed(failed_arn)
        last[:] = [found["executionArn"] for found in resumed]
        return True if len(resumed) >= MAX_ATTEMPTS and all(found["status"] == "FAILED" for found in resumed) else None

    wait_for(all_failed, "all resumes to fail")
    assert f"MaxAttempts is {MAX_ATTEMPTS}" in outcome_of(last[-1], "gave up")["reason"]
    resumed = stack.resumed(failed_arn)
    assert [json.loads(found["input"])["resuming"]["attempt"] for found in resumed] == [1, 2, 3]
    assert {found["stateMachineArn"] for found in resumed} == {stack.outputs["OrderMachineArn"] + SUFFIX}
    assert stack.calls(key) == {"Reserve": 1, "Charge": 1 + MAX_ATTEMPTS}
    names = [machine["name"] for machine in stack.states.list_state_machines()["stateMachines"]]
    assert not [name for name in names if name.endswith(SUFFIX + SUFFIX)]


def test_a_machine_without_the_tag_is_left_alone(stack: Stack, make_machine: Any, outcome_of: Outcome) -> None:
    definition = stack.states.describe_state_machine(stateMachineArn=stack.outputs["OrderMachineArn"])["definition"]
    machine_arn = make_machine(definition)
    failed_arn, key = order(stack, 1, machine_arn)
    assert "has not opted in" in outcome_of(failed_arn, "skipped")["reason"]
    assert stack.calls(key) == {"Reserve": 1, "Charge": 1}
    with pytest.raises(stack.states.exceptions.StateMachineDoesNotExist):
        stack.states.describe_state_machine(stateMachineArn=machine_arn + SUFFIX)


def test_prepare_builds_and_does_not_start(stack: Stack, make_machine: Any, outcome_of: Outcome) -> None:
    definition = stack.states.describe_state_machine(stateMachineArn=stack.outputs["OrderMachineArn"])["definition"]
    machine_arn = make_machine(definition, {"gotostate": "prepare"})
    failed_arn, key = order(stack, 1, machine_arn)
    line = outcome_of(failed_arn, "prepared")
    assert (line["state"], line["machine"]) == ("Charge", machine_arn + SUFFIX)
    assert f"gotostate resume {failed_arn}" in line["message"]
    stack.states.describe_state_machine(stateMachineArn=machine_arn + SUFFIX)
    assert stack.executions(machine_arn + SUFFIX) == []
    assert gotostate("resume", failed_arn, "--wait").returncode == 0
    assert stack.calls(key) == {"Reserve": 1, "Charge": 2, "Ship": 1}


def test_the_same_event_three_times_resumes_once(stack: Stack) -> None:
    failed_arn, key = order(stack, 1)
    stack.ended(failed_arn)
    event = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": failed_arn, "status": "FAILED"},
    }
    client = boto3.client("lambda")
    for _ in range(3):
        response = client.invoke(FunctionName=stack.outputs["ResumerFunctionName"], Payload=json.dumps(event).encode())
        answer = json.loads(response["Payload"].read())
        assert answer["outcome"] in ("resumed", "already resumed")
    stack.recovered(failed_arn)
    assert len(stack.resumed(failed_arn)) == 1
    assert stack.calls(key) == {"Reserve": 1, "Charge": 2, "Ship": 1}


@contextmanager
def broken(stack: Stack) -> Iterator[None]:
    """Give the Resumer a setting that it crashes on, and let its queue give up soon; take both back."""
    client, queues = boto3.client("lambda"), boto3.client("sqs")
    name, url = stack.outputs["ResumerFunctionName"], stack.outputs["RecoveryQueueUrl"]
    before = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    wanted = ["VisibilityTimeout", "RedrivePolicy"]
    patient = queues.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]

    def set_to(variables: dict[str, str], attributes: dict[str, str]) -> None:
        queues.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        client.get_waiter("function_updated_v2").wait(FunctionName=name)
        # Messages may still meet the old settings for a moment.
        time.sleep(SETTLING_SECONDS)

    policy = json.dumps({**json.loads(patient["RedrivePolicy"]), "maxReceiveCount": 2})
    set_to({**before, "MAX_ATTEMPTS": "broken"}, {"VisibilityTimeout": "1", "RedrivePolicy": policy})
    try:
        yield
    finally:
        set_to(before, patient)


def test_what_cannot_be_dealt_with_is_kept_and_put_back_by_awss_own_means(stack: Stack) -> None:
    queues = boto3.client("sqs")
    url = stack.outputs["DeadLetterQueueUrl"]
    with broken(stack):
        failed_arn, key = order(stack, 1)

        def kept() -> str | None:
            found = queues.receive_message(QueueUrl=url, VisibilityTimeout=0, MaxNumberOfMessages=10)
            return next((each["Body"] for each in found.get("Messages", []) if failed_arn in each["Body"]), None)

        body = wait_for(kept, "the event in the dead-letter queue")
    # It is whole, as EventBridge sent it.
    event = json.loads(body)
    assert (event["source"], event["detail"]["executionArn"]) == ("aws.states", failed_arn)
    assert stack.resumed(failed_arn) == []
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    queues.start_message_move_task(SourceArn=arn)
    stack.recovered(failed_arn)
    assert stack.calls(key) == {"Reserve": 1, "Charge": 2, "Ship": 1}


def test_bad_data_is_prepared_and_resumed_by_hand_with_better_data(stack: Stack, outcome_of: Outcome) -> None:
    failed_arn = stack.start(stack.outputs["TestMachineArn"], {"foo": 1, "Message": True})
    outcome_of(failed_arn, "prepared")
    plan = json.loads(gotostate("plan", failed_arn, "--json").stdout)
    assert (plan["status"], plan["error"], plan["resumeFrom"]) == ("FAILED", "BadDataError", "FirstMatchState")
    assert plan["input"] == {"foo": 1, "Message": True}
    run = gotostate("resume", failed_arn, "--input", '{"foo":1,"Message":"Hello!"}', "--wait")
    assert run.returncode == 0, run.stderr
    assert "SUCCEEDED" in run.stdout
    again = gotostate("resume", failed_arn)
    assert (again.returncode, "resumed already" in again.stderr) == (1, True)


def test_the_console_form_enters_the_failed_state(stack: Stack, outcome_of: Outcome) -> None:
    failed_arn = stack.start(stack.outputs["ParallelStateMachineArn"], {"Message": "Your message here"})
    outcome_of(failed_arn, "prepared")
    data = {"foo": 1, "output": [{"Message": "Your message here"}], "resuming": True}
    arn = stack.start(stack.outputs["ParallelStateMachineArn"] + SUFFIX, data)
    assert stack.ended(arn)["status"] == "SUCCEEDED"
    assert "Parallel" not in stack.states_entered(arn)


def test_the_seeds_command_tells_machine_state_and_input(stack: Stack, outcome_of: Outcome) -> None:
    failed_arn = stack.start(stack.outputs["ParallelStateMachineArn"], {"Message": "Your message here"})
    outcome_of(failed_arn, "prepared")
    run = gotostate("--failedExecutionArn", failed_arn)
    assert run.returncode == 0, run.stderr
    assert stack.outputs["ParallelStateMachineArn"] + SUFFIX in run.stdout
    assert "Failed state       Parallel 2" in run.stdout
    assert '"Message":"Your message here"' in run.stdout


def test_an_old_failure_resumes_on_the_mended_definition(stack: Stack, make_machine: Any) -> None:
    definition = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Result": 1, "ResultPath": "$.a", "Next": "B"},
            "B": {"Type": "Pass", "Parameters": {"x.$": "$.nowhere"}, "End": True},
        },
    }
    machine_arn = make_machine(definition)
    failed_arn = stack.start(machine_arn, {})
    assert stack.ended(failed_arn)["status"] == "FAILED"
    definition["States"]["B"] = {"Type": "Pass", "Parameters": {"x.$": "$.a"}, "End": True}  # type: ignore[index]
    stack.states.update_state_machine(stateMachineArn=machine_arn, definition=json.dumps(definition))
    run = gotostate("resume", failed_arn, "--definition", "current", "--wait")
    assert run.returncode == 0, run.stdout + run.stderr
    assert '{"x":1}' in run.stdout
