"""The Resumer of the deployed application is held: failures wait, and recover once it is released."""

import json
import shlex
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from stack import Stack, wait_for

HOLDING_SECONDS = 5


def gotostate(verb: str, stack: Stack, *options: str) -> str:
    """Run a verb on the stack and return what it printed."""
    command = ["gotostate", verb, "--stack", stack.name, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    print(f"$ {shlex.join(command)}\n{done.stdout}")
    return done.stdout


def status(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gotostate("status", stack, "--json"))
    return found


def order(stack: Stack) -> tuple[str, str]:
    """Start an order whose charging fails once, wait for its failure; return its execution's ARN and its key."""
    key = f"order-{uuid.uuid4()}"
    arn = stack.start(stack.outputs["OrderMachineArn"], {"order": key, "outage": 1}, key[:40])
    assert stack.ended(arn)["status"] == "FAILED"
    return arn, key


@contextmanager
def released(stack: Stack) -> Iterator[None]:
    """Release the Resumer in the end, whatever happens: other tests need it."""
    try:
        yield
    finally:
        gotostate("release", stack)


def test_a_held_failure_waits_and_recovers_once_when_it_is_released(stack: Stack) -> None:
    with released(stack):
        assert "held since" in gotostate("hold", stack, "--reason", "the bank is down; see #8")
        failed_arn, key = order(stack)
        waits = wait_for(lambda: found if (found := status(stack))["waiting"] else None, "the failure in the queue")
        me = boto3.client("sts").get_caller_identity()["Arn"]
        assert (waits["resumer"], waits["heldBy"], waits["heldBecause"]) == ("held", me, "the bank is down_ see _8")
        time.sleep(HOLDING_SECONDS)
        assert stack.resumed(failed_arn) == []
        assert stack.calls(key) == {"Reserve": 1, "Charge": 1}
        printed = gotostate("status", stack)
        assert f"Next         gotostate release --stack {stack.name}\n" in printed
        assert "it was held already" in gotostate("hold", stack, "--reason", "another")
        assert status(stack)["heldBecause"] == "the bank is down_ see _8"
    recovered = stack.recovered(failed_arn)
    assert "Reserve" not in stack.states_entered(recovered["executionArn"])
    wait_for(lambda: None if status(stack)["waiting"] else True, "an empty queue")
    assert len(stack.resumed(failed_arn)) == 1
    assert stack.calls(key) == {"Reserve": 1, "Charge": 2, "Ship": 1}
    assert status(stack)["resumer"] == "running"
    assert "it was not held" in gotostate("release", stack)


def test_what_eventbridge_could_not_deliver_is_put_back_by_the_command_that_status_prints(stack: Stack) -> None:
    queues = boto3.client("sqs")
    recovery, dead = stack.outputs["RecoveryQueueUrl"], stack.outputs["DeadLetterQueueUrl"]

    def taken() -> str | None:
        for message in queues.receive_message(QueueUrl=recovery, MaxNumberOfMessages=10).get("Messages", []):
            if failed_arn in message["Body"]:
                queues.delete_message(QueueUrl=recovery, ReceiptHandle=message["ReceiptHandle"])
                return str(message["Body"])
        return None

    with released(stack):
        gotostate("hold", stack)
        failed_arn, key = order(stack)
        # EventBridge delivers here, so the test does what it would have done.
        queues.send_message(QueueUrl=dead, MessageBody=wait_for(taken, "the failure in the queue"))
        lines = gotostate("status", stack).splitlines()
        (words,) = [shlex.split(line)[1:] for line in lines if "--destination-arn" in line]
        assert (words[:3], words[3::2]) == (
            ["aws", "sqs", "start-message-move-task"],
            ["--source-arn", "--destination-arn"],
        )
        try:
            queues.start_message_move_task(SourceArn=words[4], DestinationArn=words[6])
            wait_for(lambda: True if status(stack)["waiting"] else None, "the failure in the queue again")
        finally:
            queues.purge_queue(QueueUrl=dead)
    stack.recovered(failed_arn)
    assert stack.calls(key) == {"Reserve": 1, "Charge": 2, "Ship": 1}
