"""What a rule of a user's own receives from the deployed application."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from jsonschema import Draft202012Validator
from stack import Stack, wait_for

SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[2] / "docs" / "events.schema.json").read_text()))


class Inbox:
    """A queue that a rule on the default bus fills with the Resumer's events."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[dict[str, Any]] = []
        self._sqs = boto3.client("sqs")

    def told(self, original: str, outcome: str) -> dict[str, Any]:
        """Wait for an outcome of a chain."""

        def look() -> dict[str, Any] | None:
            answer = self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                self.received.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            for event in self.received:
                if (event["detail"]["original"], event["detail"]["outcome"]) == (original, outcome):
                    detail: dict[str, Any] = event["detail"]
                    return detail
            return None

        return wait_for(look, f"the event {outcome!r} of {original}")


def queue_for(service: str, source_arn: str) -> tuple[str, str]:
    """Create a queue that one rule or topic may send to; return its URL and its ARN."""
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=f"e2e-{uuid.uuid4().hex[:12]}")["QueueUrl"]
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


@pytest.fixture
def inbox(stack: Stack) -> Iterator[Inbox]:
    name = f"e2e-{uuid.uuid4().hex[:12]}"
    events = boto3.client("events")
    pattern = {"source": ["gotostate"], "detail-type": ["Execution Recovery Status Change"]}
    rule = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    url, arn = queue_for("events.amazonaws.com", rule)
    events.put_targets(Rule=name, Targets=[{"Id": "inbox", "Arn": arn}])
    yield Inbox(url)
    events.remove_targets(Rule=name, Ids=["inbox"])
    events.delete_rule(Name=name)
    boto3.client("sqs").delete_queue(QueueUrl=url)


def order(stack: Stack, outage: int) -> str:
    key = f"order-{uuid.uuid4()}"
    return stack.start(stack.outputs["OrderMachineArn"], {"order": key, "outage": outage}, key[:40])


def test_a_recovery_is_told_from_the_failure_to_the_end(stack: Stack, inbox: Inbox) -> None:
    failed = order(stack, 1)
    resumed = inbox.told(failed, "resumed")
    assert (resumed["state"], resumed["error"], resumed["attempt"]) == ("Charge", "DependencyDownError", 1)
    assert resumed["cause"].startswith("Charge: the dependency is down")
    assert [call.partition(":")[0] for call in resumed["calls"]] == ["Charge", "Ship"]
    recovered = inbox.told(failed, "recovered")
    assert recovered["execution"] == resumed["resumed"] == stack.recovered(failed)["executionArn"]
    assert recovered["secondsToRecovery"] >= 0
    for event in inbox.received:
        SCHEMA.validate(event["detail"])


def test_a_failure_that_stays_is_told(stack: Stack, inbox: Inbox) -> None:
    failed = order(stack, 99)
    given_up = inbox.told(failed, "gave up")
    assert given_up["rule"] == "max-attempts"
    assert given_up["next"] == f"gotostate resume {given_up['execution']}"
    assert [event["detail"]["outcome"] for event in inbox.received if event["detail"]["original"] == failed] == [
        "resumed",
        "resumed",
        "resumed",
        "gave up",
    ]


def test_who_subscribed_to_the_topic_is_told_what_to_type(stack: Stack) -> None:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = stack.outputs["RecoveryTopicArn"]
    url, queue = queue_for("sns.amazonaws.com", topic)
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, ReturnSubscriptionArn=True)
    try:
        failed = stack.start(stack.outputs["TestMachineArn"], {"foo": 1, "Message": True}, f"bad-{uuid.uuid4()}")

        def look() -> dict[str, Any] | None:
            for received in sqs.receive_message(QueueUrl=url).get("Messages", []):
                envelope: dict[str, Any] = json.loads(received["Body"])
                if failed in envelope["Message"]:
                    return envelope
            return None

        envelope = wait_for(look, f"the message about {failed}")
        assert envelope["Subject"].startswith("prepared: ")
        assert len(envelope["Message"].splitlines()) == 5
        assert f"gotostate resume {failed}" in envelope["Message"]
    finally:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        sqs.delete_queue(QueueUrl=url)
