"""Each call to Step Functions: on moto where moto does what AWS does, on stubbed answers of AWS where not.

moto 5 knows no versions (it takes publish and returns none), no reverseOrder and no pages, so those are stubbed.
"""

import json
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import ANY, Stubber
from gotostate.definition import Definition, Machine
from gotostate.errors import NotFoundError, ThrottledError
from gotostate.pace import Pace
from gotostate.stepfunctions import PAGE_SIZES, StepFunctions
from moto import mock_aws

ROLE = "arn:aws:iam::123456789012:role/machine"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:orders:order-17"
TEXT = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[StepFunctions]:
    with mock_aws():
        yield StepFunctions("eu-west-1")


@pytest.fixture
def stubbed() -> Iterator[tuple[StepFunctions, Stubber]]:
    aws = StepFunctions("eu-west-1", Pace(sleep=lambda seconds: None))
    with Stubber(aws.client) as stubber:
        yield aws, stubber
        stubber.assert_no_pending_responses()


def create(name: str = "orders", **more: Any) -> str:
    client = boto3.client("stepfunctions", region_name="eu-west-1")
    return str(client.create_state_machine(name=name, definition=TEXT, roleArn=ROLE, **more)["stateMachineArn"])


def start(machine_arn: str, name: str = "order-17", text: str = '{"f": 1.10}') -> str:
    client = boto3.client("stepfunctions", region_name="eu-west-1")
    return str(client.start_execution(stateMachineArn=machine_arn, name=name, input=text)["executionArn"])


def test_describes_an_execution(aws: StepFunctions) -> None:
    execution = aws.execution(start(create()))
    assert (execution.status, execution.input, execution.redrive_count) == ("RUNNING", '{"f": 1.10}', 0)


def test_reads_the_machine_that_an_execution_ran(aws: StepFunctions) -> None:
    machine = aws.revision_of(start(create())).machine
    assert machine.definition.text == TEXT
    assert machine.configuration == {"roleArn": ROLE}


def test_reads_events(aws: StepFunctions) -> None:
    # moto gives them oldest first, whatever it is asked for; the order is tested on stubbed answers below.
    assert {"ExecutionStarted"} <= {event["type"] for event in aws.events(start(create()))}


def test_reads_tags(aws: StepFunctions) -> None:
    assert aws.tags(create(tags=[{"key": "gotostate", "value": "resume"}])) == {"gotostate": "resume"}


def test_reads_a_machine_with_what_a_gotostate_machine_shares_with_it(aws: StepFunctions) -> None:
    logging = {"level": "ERROR", "includeExecutionData": False, "destinations": []}
    arn = create(loggingConfiguration=logging, tracingConfiguration={"enabled": True})
    machine = aws.machine(arn)
    assert machine
    assert machine.configuration == {
        "roleArn": ROLE,
        "loggingConfiguration": logging,
        "tracingConfiguration": {"enabled": True},
    }


def test_creates_with_tags(aws: StepFunctions) -> None:
    aws.create(Machine(MACHINE, Definition.parse(TEXT), {"roleArn": ROLE}), {"gotostate:source": "x"})
    assert aws.tags(MACHINE) == {"gotostate:source": "x"}
    created = aws.machine(MACHINE)
    assert created
    assert created.definition.text == TEXT


def test_updates(aws: StepFunctions) -> None:
    changed = TEXT.replace('"A"', '"B"')
    aws.update(Machine(create(), Definition.parse(changed), {"roleArn": ROLE}), publish=True)
    updated = aws.machine(MACHINE)
    assert updated
    assert updated.definition.text == changed


def test_starts(aws: StepFunctions) -> None:
    assert aws.start(create(), "order-17", '{"f": 1.10}') is True
    assert aws.execution(EXECUTION).input == '{"f": 1.10}'


@pytest.mark.parametrize("call", ["execution", "revision_of"])
def test_what_does_not_exist_is_named(aws: StepFunctions, call: str) -> None:
    with pytest.raises(NotFoundError, match=r"orders.*does not exist"):
        getattr(aws, call)(EXECUTION)


def test_tags_of_a_deleted_machine_are_named(stubbed: tuple[StepFunctions, Stubber]) -> None:
    # AWS answers ResourceNotFound; moto gives no tags.
    aws, stubber = stubbed
    stubber.add_client_error("list_tags_for_resource", "ResourceNotFound")
    with pytest.raises(NotFoundError, match=r"orders does not exist"):
        aws.tags(MACHINE)


def test_a_machine_that_does_not_exist_is_none(aws: StepFunctions) -> None:
    assert aws.machine(MACHINE) is None


def event(number: int) -> dict[str, Any]:
    return {"type": "PassStateEntered", "id": number, "timestamp": 0}


def test_reads_the_history_backwards_page_by_page(stubbed: tuple[StepFunctions, Stubber]) -> None:
    aws, stubber = stubbed
    asked = {
        "executionArn": EXECUTION,
        "maxResults": PAGE_SIZES[0],
        "reverseOrder": True,
        "includeExecutionData": True,
    }
    stubber.add_response("get_execution_history", {"events": [event(2)], "nextToken": "more"}, asked)
    stubber.add_response(
        "get_execution_history", {"events": [event(1)]}, {**asked, "maxResults": PAGE_SIZES[1], "nextToken": "more"}
    )
    assert [found["id"] for found in aws.events(EXECUTION)] == [2, 1]


def test_a_page_that_is_not_needed_is_not_fetched(stubbed: tuple[StepFunctions, Stubber]) -> None:
    aws, stubber = stubbed
    stubber.add_response("get_execution_history", {"events": [event(2)], "nextToken": "more"}, ANY_ARGUMENTS)
    assert next(aws.events(EXECUTION))["id"] == 2


ANY_ARGUMENTS = dict.fromkeys(("executionArn", "maxResults", "reverseOrder", "includeExecutionData"), ANY)


def test_lists_versions_newest_first(stubbed: tuple[StepFunctions, Stubber]) -> None:
    aws, stubber = stubbed
    versions = [{"stateMachineVersionArn": f"{MACHINE}:{number}", "creationDate": 0} for number in (2, 1)]
    stubber.add_response(
        "list_state_machine_versions",
        {"stateMachineVersions": versions},
        {"stateMachineArn": MACHINE, "maxResults": 1_000},
    )
    assert list(aws.version_arns(MACHINE)) == [f"{MACHINE}:2", f"{MACHINE}:1"]


def test_publishes_what_it_creates_and_updates(stubbed: tuple[StepFunctions, Stubber]) -> None:
    aws, stubber = stubbed
    machine = Machine(MACHINE, Definition.parse(TEXT), {"roleArn": ROLE})
    answer = {"stateMachineArn": MACHINE, "creationDate": 0, "stateMachineVersionArn": f"{MACHINE}:1"}
    asked = {"name": "orders", "definition": TEXT, "type": "STANDARD", "publish": True, "roleArn": ROLE, "tags": []}
    asked["versionDescription"] = ANY
    stubber.add_response("create_state_machine", answer, asked)
    assert aws.create(machine, {}) == f"{MACHINE}:1"
    updated = {"updateDate": 0, "stateMachineVersionArn": f"{MACHINE}:2"}
    # UpdateStateMachine keeps what it is not told: what the source has switched off is said.
    asked = {
        "stateMachineArn": MACHINE,
        "definition": TEXT,
        "publish": True,
        "versionDescription": ANY,
        "roleArn": ROLE,
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": False, "destinations": []},
        "tracingConfiguration": {"enabled": False},
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
    }
    stubber.add_response("update_state_machine", updated, asked)
    assert aws.update(machine, publish=True) == f"{MACHINE}:2"


def test_somebody_else_who_was_faster_is_no_error(stubbed: tuple[StepFunctions, Stubber]) -> None:
    aws, stubber = stubbed
    machine = Machine(MACHINE, Definition.parse(TEXT), {"roleArn": ROLE})
    stubber.add_client_error("create_state_machine", "StateMachineAlreadyExists")
    stubber.add_client_error("update_state_machine", "ConflictException")
    assert aws.create(machine, {}) is None
    assert aws.update(machine, publish=True) is None


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("create_state_machine", lambda aws, machine: aws.create(machine, {})),
        ("update_state_machine", lambda aws, machine: aws.update(machine, publish=True)),
        ("list_tags_for_resource", lambda aws, machine: aws.tags(MACHINE)),
        ("start_execution", lambda aws, machine: aws.start(MACHINE, "x", "{}")),
    ],
)
def test_other_errors_go_through(stubbed: tuple[StepFunctions, Stubber], name: str, call: Any) -> None:
    aws, stubber = stubbed
    stubber.add_client_error(name, "AccessDeniedException", "not allowed")
    with pytest.raises(aws.client.exceptions.ClientError, match="not allowed"):
        call(aws, Machine(MACHINE, Definition.parse(TEXT), {"roleArn": ROLE}))


def test_what_is_not_published_gets_no_description(stubbed: tuple[StepFunctions, Stubber]) -> None:
    aws, stubber = stubbed
    stubber.add_response("update_state_machine", {"updateDate": 0}, UNPUBLISHED)
    assert aws.update(Machine(MACHINE, Definition.parse(TEXT), {"roleArn": ROLE}), publish=False) == MACHINE


UNPUBLISHED = {
    "stateMachineArn": MACHINE,
    "definition": TEXT,
    "roleArn": ROLE,
    "loggingConfiguration": {"level": "OFF", "includeExecutionData": False, "destinations": []},
    "tracingConfiguration": {"enabled": False},
    "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
}


def test_what_is_throttled_is_asked_again_later() -> None:
    waited: list[float] = []
    aws = StepFunctions("eu-west-1", Pace(clock=lambda: sum(waited), sleep=waited.append))
    with Stubber(aws.client) as stubber:
        for _ in range(4):
            stubber.add_client_error("list_tags_for_resource", "ThrottlingException", http_status_code=400)
        stubber.add_response("list_tags_for_resource", {"tags": []})
        assert aws.tags(MACHINE) == {}
        assert len(waited) == 4
        assert aws.pace.is_slow("list_tags_for_resource")
        assert not aws.pace.is_slow("describe_execution")


def test_what_is_throttled_longer_than_there_is_time_goes_back() -> None:
    waited: list[float] = []
    aws = StepFunctions("eu-west-1", Pace(clock=lambda: sum(waited), sleep=waited.append))
    aws.pace.set_deadline(3)
    with Stubber(aws.client) as stubber:
        for _ in range(40):
            stubber.add_client_error("list_tags_for_resource", "ThrottlingException", http_status_code=400)
        with pytest.raises(ThrottledError, match="list_tags_for_resource: AWS throttles it"):
            aws.tags(MACHINE)
    assert sum(waited) <= 3


def test_nothing_is_begun_or_waited_for_past_the_deadline() -> None:
    now: list[float] = [0.0]
    called: list[str] = []

    def make() -> dict[str, Any]:
        called.append("made")
        now[0] += 2
        return {}

    pace = Pace(clock=lambda: now[0], sleep=lambda seconds: None)
    pace.set_deadline(3)
    with pytest.raises(ThrottledError, match="no time left to wait"):
        pace.pause(4)
    pace.call("get_execution_history", make)
    pace.call("get_execution_history", make)
    with pytest.raises(ThrottledError, match="the invocation ends"):
        pace.call("get_execution_history", make)
    assert called == ["made", "made"]


@pytest.mark.parametrize(("status", "tries"), [(500, 3), (503, 3), (400, 1)])
def test_a_failure_of_awss_own_is_tried_again_a_few_times(
    stubbed: tuple[StepFunctions, Stubber], status: int, tries: int
) -> None:
    aws, stubber = stubbed
    for _ in range(tries):
        stubber.add_client_error("list_tags_for_resource", "InternalFailure", http_status_code=status)
    with pytest.raises(aws.client.exceptions.ClientError, match="InternalFailure"):
        aws.tags(MACHINE)


def test_a_connection_that_breaks_is_tried_again() -> None:
    aws = StepFunctions("eu-west-1", Pace(sleep=lambda seconds: None))
    broken: list[Exception] = [EndpointConnectionError(endpoint_url="x"), ReadTimeoutError(endpoint_url="x")]
    aws.client.meta.events.register("before-send.stepfunctions.*", lambda **kwargs: raise_next(broken))
    with pytest.raises(ConnectionClosedError):
        aws.tags(MACHINE)
    assert broken == []


def raise_next(errors: list[Exception]) -> None:
    raise errors.pop(0) if errors else ConnectionClosedError(endpoint_url="x")


@pytest.mark.parametrize(
    ("started", "is_new"), [("Fri, 01 May 2026 03:00:00 GMT", True), ("Fri, 01 May 2026 02:59:50 GMT", False)]
)
def test_an_execution_that_ran_before_the_call_was_not_started_by_it(
    stubbed: tuple[StepFunctions, Stubber], started: str, is_new: bool
) -> None:
    """StartExecution succeeds for the name and input of an execution that runs (AWS's API reference)."""
    aws, stubber = stubbed
    answer = {
        "executionArn": EXECUTION,
        "startDate": parsedate_to_datetime(started),
        "ResponseMetadata": {"HTTPHeaders": {"date": "Fri, 01 May 2026 03:00:00 GMT"}},
    }
    stubber.add_response("start_execution", answer)
    assert aws.start(f"{MACHINE}:1", "order-17", "{}") is is_new


def test_a_name_that_was_used_is_not_started_again(stubbed: tuple[StepFunctions, Stubber]) -> None:
    aws, stubber = stubbed
    stubber.add_client_error("start_execution", "ExecutionAlreadyExists")
    assert aws.start(f"{MACHINE}:1", "order-17", "{}") is False


def test_a_history_near_its_end_costs_one_call(stubbed: tuple[StepFunctions, Stubber]) -> None:
    """25,000 events, the failure among the newest 1,000."""
    from gotostate.history import locate

    aws, stubber = stubbed
    newest = [
        {"type": "ExecutionFailed", "id": 25_000, "timestamp": 0, "executionFailedEventDetails": {}},
        {
            "type": "PassStateEntered",
            "id": 24_999,
            "timestamp": 0,
            "stateEnteredEventDetails": {"name": "A", "input": "1"},
        },
        *(event(number) for number in range(24_998, 24_000, -1)),
    ]
    stubber.add_response("get_execution_history", {"events": newest, "nextToken": "more"}, ANY_ARGUMENTS)
    assert locate(aws.events(EXECUTION), Definition.parse(TEXT)).input == "1"
