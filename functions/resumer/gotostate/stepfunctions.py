"""The calls to AWS Step Functions: the only file that talks to it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gotostate.awserrors import error_code, is_throttled
from gotostate.definition import Definition, Machine
from gotostate.errors import NotFoundError, NotRedrivableError, RefusedError, ThrottledError
from gotostate.events import HistoryEvent, seconds
from gotostate.executions import Execution, ListedExecution
from gotostate.pace import Pace
from gotostate.resumption import OPT_IN_TAG

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# The first page is small, as the failure is mostly near the end and each event may hold 250 KB. The most that
# GetExecutionHistory gives in one page is 1,000
# (https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html).
PAGE_SIZES = (50, 200, 1_000)
# A page of more bytes than this is not followed by a larger one.
LARGE_PAGE_BYTES = 4_000_000

# The most that ListExecutions and ListStateMachines give in one page.
LIST_PAGE = 1_000

# Well under the function's timeout, so that a call that hangs does not take the whole batch with it.
CONNECT_SECONDS, READ_SECONDS = 3, 10

_NOT_FOUND = ("ExecutionDoesNotExist", "StateMachineDoesNotExist", "ResourceNotFound", "InvalidArn")
# Somebody else was faster: the machine has to be read again.
_OVERTAKEN = ("StateMachineAlreadyExists", "ConflictException", "StateMachineDeleting")

# UpdateStateMachine keeps the settings that are left out, so what a source has switched off is sent explicitly.
_ALL_OFF: dict[str, Any] = {
    "loggingConfiguration": {"level": "OFF", "includeExecutionData": False, "destinations": []},
    "tracingConfiguration": {"enabled": False},
    "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
}


@dataclass(frozen=True)
class Revision:
    """A state machine as it is now, or as an execution ran it.

    id: AWS's revisionId; None for a machine that was never updated.
    updated: when the revision was made, in seconds since the epoch; None where AWS does not say.
    description: of a version, where it has one. created: when the machine or version was, in seconds since the epoch.
    is_deleting: whether AWS is deleting the machine.
    """

    machine: Machine
    id: str | None
    updated: float | None
    description: str | None = None
    created: float | None = None
    is_deleting: bool = False

    @property
    def is_ours(self) -> bool:
        """Tell whether this is a version that we published, with this very definition."""
        return self.description == _description(self.machine)


class StepFunctions:
    """A Step Functions client that speaks in this project's types; made once, connects when first used."""

    def __init__(self, region: str | None = None, pace: Pace | None = None) -> None:
        self._region = region
        self.pace = pace or Pace()

    @cached_property
    def client(self) -> "SFNClient":
        """The boto3 client. It does not retry: Pace does, with the time that is left in view."""
        client: SFNClient = self.connect("stepfunctions")
        return client

    def connect(self, service: Any) -> Any:
        """Make a boto3 client of a service; it does not retry, as Pace does, and does not wait long."""
        # Here and not above: boto3 takes a third of a second to import, which `plan --history` need not wait for.
        import boto3
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=4,
        )
        return boto3.client(service, region_name=self._region, config=config)

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        call: Callable[..., dict[str, Any]] = getattr(self.client, operation)
        return self.pace.call(operation, lambda: call(**arguments))

    def tags(self, machine_arn: str) -> dict[str, str]:
        """Return the tags of a state machine. Raises NotFoundError when it does not exist (any more)."""
        with _not_found(f"the state machine {machine_arn} does not exist (any more)"):
            response = self._call("list_tags_for_resource", resourceArn=machine_arn)
        return {tag["key"]: tag["value"] for tag in response.get("tags", [])}

    def tags_of_opted_in(self) -> dict[str, dict[str, str]]:
        """Return the tags of all state machines that have the tag 'gotostate', by ARN."""
        return self.tags_of_all_with(OPT_IN_TAG)

    def tags_of_all_with(self, key: str) -> dict[str, dict[str, str]]:
        """Return the tags of all state machines that have a tag, by ARN.

        The Resource Groups Tagging API returns a hundred machines in one call, while Step Functions allows one machine
        a second. The API's index may be slightly behind, so a machine that is not in it may have opted in.
        Raises ThrottledError at once, as most callers have another way.
        """
        found: dict[str, dict[str, str]] = {}
        try:
            for page in self._tagging.get_paginator("get_resources").paginate(
                ResourceTypeFilters=["states:stateMachine"], TagFilters=[{"Key": key}], ResourcesPerPage=100
            ):
                for resource in page["ResourceTagMappingList"]:
                    found[resource["ResourceARN"]] = {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
        except Exception as error:
            if is_throttled(error):
                raise ThrottledError("AWS throttles the question which machines are tagged; ask again later") from error
            raise
        return found

    @cached_property
    def _tagging(self) -> Any:
        return self.connect("resourcegroupstaggingapi")

    def execution(self, execution_arn: str) -> Execution:
        """Describe an execution. Raises NotFoundError."""
        with _not_found(
            f"the execution {execution_arn} does not exist; check account, region and name "
            "(Step Functions keeps closed executions for 90 days)"
        ):
            response = self._call("describe_execution", executionArn=execution_arn)
        version, alias = response.get("stateMachineVersionArn"), response.get("stateMachineAliasArn")
        return Execution(
            execution_arn,
            response["status"],
            response.get("input", "{}"),
            response.get("output"),
            int(response.get("redriveCount", 0)),
            response.get("error"),
            response.get("cause"),
            seconds(response.get("startDate")),
            seconds(response.get("stopDate")),
            version,
            not version and not alias,
            seconds(response.get("redriveDate")),
            response.get("redriveStatus"),
            response.get("redriveStatusReason"),
        )

    def revision_of(self, execution_arn: str) -> Revision:
        """Return the state machine as the execution ran it. Raises NotFoundError."""
        with _not_found(f"the execution {execution_arn} does not exist"):
            response = self._call("describe_state_machine_for_execution", executionArn=execution_arn)
        machine = _machine(response["stateMachineArn"], response)
        return Revision(machine, response.get("revisionId"), seconds(response.get("updateDate")))

    def events(self, execution_arn: str) -> Iterator[HistoryEvent]:
        """Yield the history's events, newest first; a page is fetched when its first event is needed."""
        token: dict[str, str] = {}
        sizes = list(PAGE_SIZES)
        while True:
            with _not_found(f"the execution {execution_arn} does not exist"):
                page = self._call(
                    "get_execution_history",
                    executionArn=execution_arn,
                    maxResults=sizes[0],
                    reverseOrder=True,
                    includeExecutionData=True,
                    **token,
                )
            events, next_token = page["events"], page.get("nextToken")
            if len(sizes) > 1 and _bytes_of(page) < LARGE_PAGE_BYTES:
                del sizes[0]
            del page
            # Consumed from the end, so that an event's memory is free once it was looked at.
            events.reverse()
            while events:
                yield events.pop()
            if not next_token:
                return
            token = {"nextToken": next_token}

    def current(self, machine_arn: str) -> Revision | None:
        """Describe a state machine or a version of it; None when it does not exist."""
        try:
            with _not_found(machine_arn):
                response = self._call("describe_state_machine", stateMachineArn=machine_arn)
        except NotFoundError:
            return None
        revision_id = response.get("revisionId")
        updated = None if revision_id else seconds(response.get("creationDate"))
        return Revision(
            _machine(machine_arn, response),
            revision_id,
            updated,
            response.get("description"),
            seconds(response.get("creationDate")),
            response.get("status") == "DELETING",
        )

    def machine(self, arn: str) -> Machine | None:
        """Describe a state machine or a version of it; None when it does not exist."""
        revision = self.current(arn)
        return revision.machine if revision else None

    def version_arns(self, machine_arn: str) -> Iterator[str]:
        """Yield the ARNs of a state machine's versions, newest first, page by page. Raises NotFoundError."""
        yield from (arn for arn, _ in self.versions(machine_arn))

    def versions(self, machine_arn: str) -> Iterator[tuple[str, float | None]]:
        """Yield the ARN of each version of a state machine and when it was published, newest first, page by page.

        Times are in seconds since the epoch. Raises NotFoundError.
        """
        token: dict[str, str] = {}
        while True:
            with _not_found(f"the state machine {machine_arn} does not exist (any more)"):
                page = self._call("list_state_machine_versions", stateMachineArn=machine_arn, maxResults=1_000, **token)
            for version in page["stateMachineVersions"]:
                yield version["stateMachineVersionArn"], seconds(version.get("creationDate"))
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}

    def is_running(self, version_arn: str) -> bool:
        """Tell whether any execution of a version runs."""
        page = self._call("list_executions", stateMachineArn=version_arn, statusFilter="RUNNING", maxResults=1)
        return bool(page["executions"])

    def executions(self, machine_arn: str, status: str | None = None) -> Iterator[ListedExecution]:
        """Yield the executions of a state machine, the one that started last first; a page is fetched when needed.

        status: of those that are wanted; None for all. Raises NotFoundError when there is no such machine (any more).
        """
        arguments: dict[str, Any] = {"statusFilter": status} if status else {}
        while True:
            with _not_found(f"the state machine {machine_arn} does not exist (any more)"):
                page = self._call("list_executions", stateMachineArn=machine_arn, maxResults=LIST_PAGE, **arguments)
            yield from map(_listed, page["executions"])
            if not page.get("nextToken"):
                return
            arguments["nextToken"] = page["nextToken"]

    def standard_machines(self) -> Iterator[str]:
        """Yield the ARNs of all Standard state machines, page by page."""
        token: dict[str, str] = {}
        while True:
            page = self._call("list_state_machines", maxResults=LIST_PAGE, **token)
            yield from (found["stateMachineArn"] for found in page["stateMachines"] if found["type"] == "STANDARD")
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}

    def delete_version(self, version_arn: str) -> None:
        """Delete a version; its running executions continue."""
        self._call("delete_state_machine_version", stateMachineVersionArn=version_arn)

    def delete_machine(self, machine_arn: str) -> None:
        """Delete a state machine with its versions; AWS ends its running executions at their next transition."""
        self._call("delete_state_machine", stateMachineArn=machine_arn)

    def tag(self, machine_arn: str, tags: Mapping[str, str]) -> None:
        """Set tags of a state machine. Raises NotFoundError."""
        with _not_found(f"the state machine {machine_arn} does not exist (any more)"):
            given = [{"key": key, "value": value} for key, value in tags.items()]
            self._call("tag_resource", resourceArn=machine_arn, tags=given)

    def untag(self, machine_arn: str, key: str) -> None:
        """Remove a tag of a state machine. Raises NotFoundError."""
        with _not_found(f"the state machine {machine_arn} does not exist (any more)"):
            self._call("untag_resource", resourceArn=machine_arn, tagKeys=[key])

    def create(self, machine: Machine, tags: Mapping[str, str]) -> str | None:
        """Create a state machine and publish it; return the version's ARN, or None when the name is taken.

        Raises RefusedError when AWS does not take the definition.
        """
        try:
            response = self._call(
                "create_state_machine",
                name=machine.arn.rpartition(":")[2],
                definition=machine.definition.text,
                type="STANDARD",
                publish=True,
                versionDescription=_description(machine),
                tags=[{"key": key, "value": value} for key, value in tags.items()],
                **machine.configuration,
            )
        except Exception as error:
            if error_code(error) in _OVERTAKEN:
                return None
            _raise_if_refused(error)
            raise
        return str(response.get("stateMachineVersionArn", response["stateMachineArn"]))

    def update(self, machine: Machine, *, publish: bool) -> str | None:
        """Update a state machine; return the ARN of the version if published, None if somebody overtook us.

        Raises RefusedError when AWS does not take the definition.
        """
        described = {"publish": True, "versionDescription": _description(machine)} if publish else {}
        try:
            response = self._call(
                "update_state_machine",
                stateMachineArn=machine.arn,
                definition=machine.definition.text,
                **described,
                **{**_ALL_OFF, **machine.configuration},
            )
        except Exception as error:
            if error_code(error) in (*_OVERTAKEN, "StateMachineDoesNotExist"):
                return None
            _raise_if_refused(error)
            raise
        return str(response.get("stateMachineVersionArn", machine.arn))

    def start(self, machine_arn: str, name: str, input_text: str) -> bool:
        """Start an execution; False when one of this name was started before.

        StartExecution with the name and input of a running execution succeeds; its startDate shows that the execution
        is an older one. Raises NotFoundError when the machine or version does not exist.
        """
        began = self.pace.now()
        try:
            with _not_found(f"{machine_arn} does not exist (any more)"):
                response = self._call("start_execution", stateMachineArn=machine_arn, name=name, input=input_text)
        except Exception as error:
            if error_code(error) == "ExecutionAlreadyExists":
                return False
            raise
        return not _is_older(response, self.pace.now() - began)

    def redrive(self, execution_arn: str, token: str) -> None:
        """Redrive an execution from where it failed; idempotent for the same token for 15 minutes.

        Raises NotRedrivableError when it cannot be redriven (any more), NotFoundError.
        """
        try:
            with _not_found(f"the execution {execution_arn} does not exist"):
                self._call("redrive_execution", executionArn=execution_arn, clientToken=token)
        except Exception as error:
            if error_code(error) == "ExecutionNotRedrivable":
                raise NotRedrivableError(_said(error)) from error
            raise


class _not_found:  # noqa: N801  reads as the statement that it is
    """Turn AWS's several ways to say 'no such thing' into NotFoundError."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and error_code(error) in _NOT_FOUND:
            raise NotFoundError(self._message) from error


def _raise_if_refused(error: Exception) -> None:
    """Raise RefusedError if AWS says that a definition is not valid."""
    if error_code(error) == "InvalidDefinition":
        raise RefusedError(f"AWS does not take the definition: {_said(error)}") from error


def _said(error: Exception) -> str:
    """Return AWS's own words."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Message", error))


def _is_older(response: Mapping[str, Any], call_seconds: float) -> bool:
    """Tell whether an execution was started before the call that answered, by AWS's own clock."""
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    started = seconds(response.get("startDate"))
    if not date or started is None:
        return False
    try:
        answered = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return False
    # The header gives whole seconds, rounded down.
    return started < answered - call_seconds - 1


def _listed(item: Mapping[str, Any]) -> ListedExecution:
    version, alias = item.get("stateMachineVersionArn"), item.get("stateMachineAliasArn")
    return ListedExecution(
        item["executionArn"],
        item["status"],
        seconds(item.get("startDate")),
        seconds(item.get("stopDate")),
        int(item.get("redriveCount", 0)),
        seconds(item.get("redriveDate")),
        version,
        not version and not alias,
    )


def _bytes_of(page: Mapping[str, Any]) -> int:
    length = page.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("content-length", "0")
    return int(length) if str(length).isdecimal() else 0


def _description(machine: Machine) -> str:
    """Describe a version by its definition.

    CreateStateMachine with the definition of a machine that exists answers with its first version, whatever
    definition that has, unless the description differs (measured on AWS).
    """
    return "sfn-resume " + hashlib.sha256(machine.definition.text.encode("utf-8", "surrogatepass")).hexdigest()


def _machine(arn: str, response: Mapping[str, Any]) -> Machine:
    return Machine(arn, Definition.parse(response["definition"]), _configuration(response))


def _configuration(response: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the settings that a GoToState machine shares with its source; those with AWS's default are left out."""
    configuration: dict[str, Any] = {"roleArn": response["roleArn"]}
    if (response.get("loggingConfiguration") or {}).get("level", "OFF") != "OFF":
        configuration["loggingConfiguration"] = response["loggingConfiguration"]
    if (response.get("tracingConfiguration") or {}).get("enabled"):
        configuration["tracingConfiguration"] = response["tracingConfiguration"]
    if (response.get("encryptionConfiguration") or {}).get("type", "AWS_OWNED_KEY") != "AWS_OWNED_KEY":
        configuration["encryptionConfiguration"] = response["encryptionConfiguration"]
    return configuration
