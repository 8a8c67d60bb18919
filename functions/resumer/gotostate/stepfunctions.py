"""The calls to AWS Step Functions: the only file that talks to AWS."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gotostate.definition import Definition
from gotostate.errors import NotFoundError
from gotostate.history import HistoryEvent

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# The most that GetExecutionHistory gives in one page
# (https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html).
PAGE_SIZE = 1_000

_NOT_FOUND = ("ExecutionDoesNotExist", "StateMachineDoesNotExist", "ResourceNotFound", "InvalidArn")
# Somebody else was faster: what exists now has to be read again.
_OVERTAKEN = ("StateMachineAlreadyExists", "ConflictException")

# UpdateStateMachine leaves as it is what it is not told, so what a source has switched off is said.
_ALL_OFF: dict[str, Any] = {
    "loggingConfiguration": {"level": "OFF", "includeExecutionData": False, "destinations": []},
    "tracingConfiguration": {"enabled": False},
    "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
}


@dataclass(frozen=True)
class Execution:
    """What DescribeExecution says of an execution.

    input, output: JSON texts; output is None unless it succeeded. redrive_count: 0 if never redriven.
    """

    arn: str
    status: str
    input: str
    output: str | None
    redrive_count: int


@dataclass(frozen=True)
class Machine:
    """A state machine or a version of it, or the one that an execution ran with.

    configuration: role, logging, tracing and encryption, as CreateStateMachine takes them.
    """

    arn: str
    definition: Definition
    configuration: Mapping[str, Any] = field(hash=False)


class StepFunctions:
    """A Step Functions client that speaks in this project's types; made once, connects when first used."""

    def __init__(self, region: str | None = None) -> None:
        self._region = region

    @cached_property
    def client(self) -> "SFNClient":
        """The boto3 client; it retries what AWS throttles."""
        return self._connect(attempts=8)

    @cached_property
    def _impatient_client(self) -> "SFNClient":
        return self._connect(attempts=1)

    def _connect(self, attempts: int) -> "SFNClient":
        # Here and not above: boto3 takes a third of a second to import, which `plan --history` need not wait for.
        import boto3
        from botocore.config import Config

        retries = Config(retries={"mode": "standard", "total_max_attempts": attempts})
        return boto3.client("stepfunctions", region_name=self._region, config=retries)

    def tags(self, machine_arn: str) -> dict[str, str]:
        """Return the tags of a state machine. Raises NotFoundError when it does not exist (any more)."""
        with _not_found(f"the state machine {machine_arn} does not exist (any more)"):
            response = self.client.list_tags_for_resource(resourceArn=machine_arn)
        return {tag["key"]: tag["value"] for tag in response.get("tags", [])}

    def execution(self, execution_arn: str) -> Execution:
        """Describe an execution. Raises NotFoundError."""
        with _not_found(
            f"the execution {execution_arn} does not exist; check account, region and name "
            "(Step Functions keeps closed executions for 90 days)"
        ):
            response = self.client.describe_execution(executionArn=execution_arn)
        return Execution(
            execution_arn,
            response["status"],
            response.get("input", "{}"),
            response.get("output"),
            int(response.get("redriveCount", 0)),
        )

    def machine_of(self, execution_arn: str) -> Machine:
        """Return the state machine as it was when the execution ran. Raises NotFoundError."""
        with _not_found(f"the execution {execution_arn} does not exist"):
            response = self.client.describe_state_machine_for_execution(executionArn=execution_arn)
        return _machine(response["stateMachineArn"], response)

    def events(self, execution_arn: str) -> Iterator[HistoryEvent]:
        """Yield the history's events, newest first; a page is fetched when its first event is asked for."""
        token: dict[str, str] = {}
        while True:
            with _not_found(f"the execution {execution_arn} does not exist"):
                page = self.client.get_execution_history(
                    executionArn=execution_arn,
                    maxResults=PAGE_SIZE,
                    reverseOrder=True,
                    includeExecutionData=True,
                    **token,
                )
            yield from page["events"]
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}

    def machine(self, arn: str) -> Machine | None:
        """Describe a state machine or a version of it; None when it does not exist."""
        try:
            with _not_found(arn):
                response = self.client.describe_state_machine(stateMachineArn=arn)
        except NotFoundError:
            return None
        return _machine(arn, response)

    def version_arns(self, machine_arn: str, most: int) -> list[str]:
        """Return the ARNs of the newest versions of a state machine, newest first."""
        response = self.client.list_state_machine_versions(stateMachineArn=machine_arn, maxResults=most)
        return [version["stateMachineVersionArn"] for version in response["stateMachineVersions"]]

    def create(self, name: str, machine: Machine, tags: Mapping[str, str]) -> str | None:
        """Create a state machine and publish it; return the version's ARN, or None when the name is taken."""
        try:
            response = self.client.create_state_machine(
                name=name,
                definition=machine.definition.text,
                type="STANDARD",
                publish=True,
                tags=[{"key": key, "value": value} for key, value in tags.items()],
                **machine.configuration,
            )
        except self.client.exceptions.ClientError as error:
            if _code(error) in _OVERTAKEN:
                return None
            raise
        return response.get("stateMachineVersionArn", response["stateMachineArn"])

    def update(self, machine: Machine, *, publish: bool) -> str | None:
        """Update a state machine; return the ARN of the version if published, None if somebody overtook us."""
        try:
            response = self.client.update_state_machine(
                stateMachineArn=machine.arn,
                definition=machine.definition.text,
                publish=publish,
                **{**_ALL_OFF, **machine.configuration},
            )
        except self.client.exceptions.ClientError as error:
            if _code(error) in _OVERTAKEN:
                return None
            raise
        return response.get("stateMachineVersionArn", machine.arn)

    def bind(self, machine: Machine) -> bool:
        """Update a state machine's definition without publishing it; tried once, False when AWS refuses."""
        client = self._impatient_client
        try:
            client.update_state_machine(stateMachineArn=machine.arn, definition=machine.definition.text)
        except client.exceptions.ClientError:
            return False
        return True

    def start(self, machine_arn: str, name: str, input_text: str) -> bool:
        """Start an execution; False when one of this name was started before."""
        try:
            self.client.start_execution(stateMachineArn=machine_arn, name=name, input=input_text)
        except self.client.exceptions.ExecutionAlreadyExists:
            return False
        return True


class _not_found:  # noqa: N801  reads as the statement that it is
    """Turn AWS's several ways to say 'no such thing' into NotFoundError."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and _code(error) in _NOT_FOUND:
            raise NotFoundError(self._message) from error


def is_denied(error: BaseException) -> bool:
    """Tell whether AWS refused a call for want of a permission."""
    return _code(error) in ("AccessDeniedException", "AccessDenied")


def _code(error: BaseException) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _machine(arn: str, response: Mapping[str, Any]) -> Machine:
    return Machine(arn, Definition.parse(response["definition"]), _configuration(response))


def _configuration(response: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what a GoToState machine shares with its source; what equals AWS's default is left out."""
    configuration: dict[str, Any] = {"roleArn": response["roleArn"]}
    if (response.get("loggingConfiguration") or {}).get("level", "OFF") != "OFF":
        configuration["loggingConfiguration"] = response["loggingConfiguration"]
    if (response.get("tracingConfiguration") or {}).get("enabled"):
        configuration["tracingConfiguration"] = response["tracingConfiguration"]
    if (response.get("encryptionConfiguration") or {}).get("type", "AWS_OWNED_KEY") != "AWS_OWNED_KEY":
        configuration["encryptionConfiguration"] = response["encryptionConfiguration"]
    return configuration
