"""What a rule of a user's own receives from the deployed application."""

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from inbox import Inbox, queue_for, subscribed
from jsonschema import Draft202012Validator
from stack import Stack, wait_for

SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[2] / "docs" / "events.schema.json").read_text()))


@pytest.fixture
def inbox(stack: Stack) -> Iterator[Inbox]:
    name = f"{stack.name}-{uuid.uuid4().hex[:12]}"
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


def metrics(stack: Stack, since: float) -> set[str]:
    """Return the metrics that stand in the Resumer's log since a time, in the embedded metric format."""
    pages = (
        boto3.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=stack.outputs["ResumerLogGroupName"], startTime=int(since * 1_000))
    )
    lines = [event["message"] for page in pages for event in page["events"]]
    blocks = [json.loads(line)["_aws"] for line in lines if line.startswith('{"_aws"')]
    directives = [directive for block in blocks for directive in block["CloudWatchMetrics"]]
    assert all(directive["Namespace"] == "sfn-resume" for directive in directives)
    return {metric["Name"] for directive in directives for metric in directive["Metrics"]}


def test_a_failure_that_stays_is_told(stack: Stack, inbox: Inbox) -> None:
    began = time.time() - 1
    with subscribed(stack.outputs["RecoveryTopicArn"]) as mails:
        failed = order(stack, 99)
        given_up = inbox.told(failed, "gave up")
        mail = mails.mail("gave up: ", failed.rpartition(":")[2])
    assert given_up["next"] in mail["Message"]
    for event in inbox.received:
        SCHEMA.validate(event["detail"])
    wanted = {"Failures", "Resumed", "GaveUp"}
    wait_for(lambda: wanted <= metrics(stack, began) or None, f"{wanted} in the log")
    assert given_up["rule"] == "max-attempts"
    assert given_up["next"] == f"gotostate resume {given_up['execution']} --stack {stack.name}"
    assert [event["detail"]["outcome"] for event in inbox.received if event["detail"]["original"] == failed] == [
        "resumed",
        "resumed",
        "resumed",
        "gave up",
    ]


def test_who_subscribed_to_the_topic_is_told_what_to_type_and_how_it_ended(stack: Stack) -> None:
    with subscribed(stack.outputs["RecoveryTopicArn"]) as inbox:
        failed = stack.start(stack.outputs["TestMachineArn"], {"foo": 1, "Message": True}, f"bad-{uuid.uuid4()}")
        prepared = inbox.mail("prepared: ", failed)
        assert len(prepared["Message"].splitlines()) == 5
        assert f"gotostate resume {failed}" in prepared["Message"]
        given = '{"foo":1,"Message":"Hello!"}'
        subprocess.run(["gotostate", "resume", failed, "--input", given, "--reason", "mended the order"], check=True)
        name = failed.rpartition(":")[2]
        recovered = inbox.mail("recovered: ", name)
        assert "mended the order" in recovered["Message"]
