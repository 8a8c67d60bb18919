"""The deployed stack's parameters, as the command reads them, and requests to its queue."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from fake_account import Account, Wired, execution_arn, failure_events
from gotostate import cli
from gotostate.cli import account as command
from gotostate.cli.account import environment_of
from gotostate.cli.stack import Stack
from gotostate.settings import Mode, Settings

Capture = pytest.CaptureFixture[str]
FAILED = execution_arn("orders", "order-17")
ENVIRONMENT = {"DEFAULT_MODE": "resume", "MAX_ATTEMPTS": "2", "BACKOFF_SECONDS": "7", "QUEUE_URL": "https://queue"}


class Clients:
    """What AWS answers about a stack; denied: the call that is not allowed; taken: how much a send takes."""

    def __init__(self, denied: str = "", taken: tuple[int, ...] = (10,)) -> None:
        self.denied = denied
        self.taken = list(taken)
        self.sent: list[list[Any]] = []
        self.functions: list[str] = []
        error = type("QueueDoesNotExist", (Exception,), {})
        self.exceptions = type(
            "Exceptions",
            (),
            {"ClientError": ClientError, "ResourceNotFoundException": error, "QueueDoesNotExist": error},
        )

    def _answer(self, call: str, answer: Any) -> Any:
        if call == self.denied:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": f"not authorized: {call}"}}, call)
        return answer

    def describe_stacks(self, **given: Any) -> Any:
        outputs = {"RecoveryMappingId": "mapping", "RecoveryQueueUrl": "https://queue"}
        listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        return self._answer("describe_stacks", {"Stacks": [{"Outputs": listed}]})

    def get_event_source_mapping(self, **given: Any) -> Any:
        return self._answer("mapping", {"FunctionArn": "arn:function:live", "State": "Enabled"})

    def get_function_configuration(self, **given: Any) -> Any:
        self.functions.append(given["FunctionName"])
        return self._answer("function", {"Environment": {"Variables": ENVIRONMENT}})

    def send_message_batch(self, **given: Any) -> Any:
        entries = given["Entries"]
        self.sent.append([json.loads(entry["MessageBody"]) for entry in entries])
        refused = entries[self.taken.pop(0) if self.taken else 0 :]
        return {"Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in refused]}


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    clients = Clients()
    monkeypatch.setattr(Stack, "_client", lambda stack, service: clients)
    # In place of the one that finds no stack.
    monkeypatch.setattr(command, "environment_of", environment_of)
    return clients


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    call = {"Type": "Task", "End": True}
    account.add_machine("orders", {"StartAt": "A", "States": {"A": call}}, {})
    account.add_failure("orders", "order-17", failure_events("A"))
    monkeypatch.setattr("gotostate.cli.account.StepFunctions", lambda region: Wired(account, region))
    return account


def test_they_are_those_of_the_function_that_the_mapping_names(clients: Clients) -> None:
    found = command.parameters(None, "eu-west-1", None)
    assert (found.stack, found.source) == ("sfn-resume", "the stack sfn-resume")
    settings = found.settings
    assert (settings.default_mode, settings.max_attempts, settings.backoff_seconds) == (Mode.RESUME, 2, 7)
    assert clients.functions == ["arn:function:live"]


@pytest.mark.parametrize("denied", ["describe_stacks", "mapping", "function"])
def test_without_the_permission_they_are_the_defaults(clients: Clients, denied: str) -> None:
    clients.denied = denied
    found = command.parameters("resumes", "eu-west-1", None)
    assert (found.settings, found.stack) == (Settings(command_options=("--stack", "resumes")), None)
    assert found.source.startswith("the stack's defaults, as the stack resumes cannot be read: ")
    assert "not authorized" in found.source


def test_a_stack_that_was_named_must_be_there(account: Account, capsys: Capture) -> None:
    assert cli.main(["plan", FAILED, "--stack", "resumes"]) == 1
    assert "there is no stack resumes in eu-west-1" in capsys.readouterr().err


def test_where_aws_is_not_reachable_it_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens on port 9 of this machine."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(command, "environment_of", environment_of)
    found = command.parameters(None, "eu-west-1", None)
    assert (found.settings, found.stack) == (Settings(), None)
    assert "Could not connect" in found.source


def test_plan_tells_whose_parameters_it_takes(account: Account, clients: Clients, capsys: Capture) -> None:
    assert cli.main(["plan", FAILED]) == 0
    printed = capsys.readouterr().out
    assert "Automation   resume: the state it ended in\n" in printed
    assert "(attempt 1 of 2)\n" in printed
    assert "Parameters   the stack sfn-resume\n" in printed
    assert cli.main(["plan", FAILED, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stack"] == "sfn-resume"


def test_where_the_failure_cannot_be_read_the_stack_is_not_asked_for(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, region: str | None, profile: str | None) -> Any:
        raise AssertionError("it was asked for")

    monkeypatch.setattr(command, "environment_of", fail)

    def gate(operation: str, body: Any) -> None:
        raise ClientError({"Error": {"Code": "UnrecognizedClientException", "Message": "no"}}, operation)

    account.gate = gate
    assert cli.main(["plan", FAILED]) == 1


def test_a_request_that_sqs_does_not_take_is_sent_again(clients: Clients) -> None:
    clients.taken = [2, 1]
    assert Stack("resumes").send([{"n": number} for number in range(3)]) == {}
    assert clients.sent == [[{"n": 0}, {"n": 1}, {"n": 2}], [{"n": 2}]]


def test_requests_that_sqs_never_takes_are_told(clients: Clients) -> None:
    clients.taken = [1]
    refused = Stack("resumes").send([{"n": number} for number in range(3)])
    assert sorted(refused) == [1, 2]
    assert all("did not take the request: InternalError" in why for why in refused.values())
