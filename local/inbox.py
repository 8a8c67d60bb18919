"""What a subscriber of the stack gets: a queue behind a rule or a topic, for the demo and the end-to-end tests."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from stack import wait_for


def queue_for(service: str, source_arn: str) -> tuple[str, str]:
    """Create a queue that one rule or topic may send to; return its URL and its ARN."""
    sqs = boto3.client("sqs")
    source = source_arn.replace("/", ":").rpartition(":")[2]
    url = sqs.create_queue(QueueName=f"{source[:60]}-inbox-{uuid.uuid4().hex[:12]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source_arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, arn


@dataclass
class Inbox:
    """A queue and all that came into it."""

    url: str
    received: list[dict[str, Any]] = field(default_factory=list)

    def receive(self) -> list[dict[str, Any]]:
        """Take what has come since, and return all of it."""
        sqs = boto3.client("sqs")
        for message in sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", []):
            self.received.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.received

    def told(self, original: str, outcome: str) -> dict[str, Any]:
        """Wait for the event of an outcome of a chain; return its detail."""

        def look() -> dict[str, Any] | None:
            details: list[dict[str, Any]] = [event["detail"] for event in self.receive()]
            found = (detail for detail in details if (detail["original"], detail["outcome"]) == (original, outcome))
            return next(found, None)

        return wait_for(look, f"the event {outcome!r} of {original}")

    def mail(self, subject: str, about: str) -> dict[str, Any]:
        """Wait for what the topic sent about an execution, by how its subject begins; return Subject and Message."""

        def look() -> dict[str, Any] | None:
            found = (mail for mail in self.receive() if about in mail["Message"])
            return next((mail for mail in found if mail["Subject"].startswith(subject)), None)

        return wait_for(look, f"the message {subject!r} about {about}")


@contextmanager
def subscribed(topic_arn: str) -> Iterator[Inbox]:
    """Subscribe a queue to the stack's topic for a while."""
    sns = boto3.client("sns")
    url, queue = queue_for("sns.amazonaws.com", topic_arn)
    subscription = sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue, ReturnSubscriptionArn=True)
    try:
        yield Inbox(url)
    finally:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        boto3.client("sqs").delete_queue(QueueUrl=url)
