"""Answers that come in pages are read to the last one, and no further."""

from collections.abc import Iterator

import pytest
from botocore.stub import ANY, Stubber
from gotostate.logs import Logs
from gotostate.pace import Pace
from gotostate.stepfunctions import StepFunctions

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"


@pytest.fixture
def stubbed() -> Iterator[tuple[StepFunctions, Stubber]]:
    aws = StepFunctions("eu-west-1", Pace(sleep=lambda seconds: None))
    with Stubber(aws.client) as stubber:
        yield aws, stubber
        stubber.assert_no_pending_responses()


def test_versions_of_all_pages(stubbed: tuple[StepFunctions, Stubber]) -> None:
    aws, stubber = stubbed
    for number, (sent, answered) in enumerate([({}, {"nextToken": "2"}), ({"nextToken": "2"}, {})]):
        version = {"stateMachineVersionArn": f"{MACHINE}:{2 - number}", "creationDate": 1_700_000_000}
        stubber.add_response(
            "list_state_machine_versions",
            {"stateMachineVersions": [version], **answered},
            {"stateMachineArn": MACHINE, "maxResults": ANY, **sent},
        )
    assert [arn for arn, _ in aws.versions(MACHINE)] == [f"{MACHINE}:2", f"{MACHINE}:1"]


def test_standard_machines_of_all_pages(stubbed: tuple[StepFunctions, Stubber]) -> None:
    aws, stubber = stubbed
    pages = [({}, {"nextToken": "2"}, "STANDARD"), ({"nextToken": "2"}, {"nextToken": "3"}, "EXPRESS")]
    for number, (sent, answered, kind) in enumerate([*pages, ({"nextToken": "3"}, {}, "STANDARD")]):
        machine = {"stateMachineArn": f"{MACHINE}{number}", "name": "orders", "type": kind, "creationDate": 1}
        stubber.add_response(
            "list_state_machines", {"stateMachines": [machine], **answered}, {"maxResults": ANY, **sent}
        )
    assert list(aws.standard_machines()) == [f"{MACHINE}0", f"{MACHINE}2"]


def test_log_lines_of_all_pages_also_after_an_empty_one() -> None:
    logs = Logs(StepFunctions("eu-west-1", Pace(sleep=lambda seconds: None)))
    lines = ('{"execution": "e", "outcome": "resumed"}', "START RequestId: 1", "[1]", '{"execution": 1, "outcome": 2}')
    pages: list[tuple[dict[str, str], dict[str, str], tuple[str, ...]]] = [
        ({}, {"nextToken": "2"}, ()),
        ({"nextToken": "2"}, {}, lines),
    ]
    with Stubber(logs.client) as stubber:
        for sent, answered, messages in pages:
            found = [{"message": message, "timestamp": 5_000} for message in messages]
            expected = {"logGroupName": "group", "startTime": 1_000, "filterPattern": ANY, **sent}
            stubber.add_response("filter_log_events", {"events": found, **answered}, expected)
        assert logs.outcomes("group", 1.0) == {"e": {"resumed": 5.0}}
        stubber.assert_no_pending_responses()
