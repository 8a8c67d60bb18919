"""The calls to EventBridge, SNS and SQS that the functions make: the only file that talks to them."""

from functools import cached_property
from typing import Any

from gotostate import jsontext
from gotostate.errors import TransientError
from gotostate.notice import DETAIL_TYPE, SOURCE
from gotostate.stepfunctions import StepFunctions


class Bus:
    """The default event bus; made once, connects when first used."""

    def __init__(self, aws: StepFunctions) -> None:
        self._aws = aws

    @cached_property
    def client(self) -> Any:
        """The boto3 client."""
        return self._aws.connect("events")

    def put(self, detail: dict[str, Any]) -> None:
        """Put one event. Raises TransientError when EventBridge rejects it, which a successful response can report."""
        entry = {
            "Source": SOURCE,
            "DetailType": DETAIL_TYPE,
            "Detail": jsontext.write(detail),
            "Resources": [detail["execution"]],
        }
        answer = self._aws.pace.call("put_events", lambda: self.client.put_events(Entries=[entry]))
        if answer.get("FailedEntryCount"):
            raise TransientError(f"EventBridge did not take the event: {answer['Entries'][0].get('ErrorCode')}")


class Topic:
    """The stack's SNS topic for outcomes that need a person; made once, connects when first used."""

    def __init__(self, aws: StepFunctions) -> None:
        self._aws = aws

    @cached_property
    def client(self) -> Any:
        """The boto3 client."""
        return self._aws.connect("sns")

    def publish(self, arn: str, subject: str, message: str) -> None:
        """Publish one message; message: JSON with a text for each protocol."""
        self._aws.pace.call(
            "publish",
            lambda: self.client.publish(TopicArn=arn, Subject=subject, Message=message, MessageStructure="json"),
        )


class Queue:
    """The RecoveryQueue; made once, connects when first used."""

    def __init__(self, aws: StepFunctions) -> None:
        self._aws = aws

    @cached_property
    def client(self) -> Any:
        """The boto3 client."""
        return self._aws.connect("sqs")

    def send(self, url: str, event: dict[str, Any], delay_seconds: int = 0) -> None:
        """Send one event, to be received after a delay of 900 seconds at most."""
        self._aws.pace.call(
            "send_message",
            lambda: self.client.send_message(
                QueueUrl=url, MessageBody=jsontext.write(event), DelaySeconds=delay_seconds
            ),
        )
