"""The deployed stack, from outside: its event source mapping, its parameters, its queues, and its hold.

The only file that calls CloudFormation, and Lambda for the mapping, the function's environment and its tags. Only the
command uses it, never a function.
"""

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from gotostate import jsontext
from gotostate.awserrors import error_code
from gotostate.errors import NoStackError, StackError

HELD_SINCE, HELD_BY, HELD_BECAUSE = "gotostate:held-since", "gotostate:held-by", "gotostate:held-because"
LONGEST_TAG_VALUE = 256
# How long a mapping may take to change, and how often it is looked at meanwhile.
PATIENCE_SECONDS, POLL_SECONDS = 60.0, 0.5
# The most that SendMessageBatch takes
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html).
BATCH = 10
# How often a batch is sent at most; each time without the messages that SQS has accepted.
SENDS = 3
# Time to reach AWS for information that is useful, but not worth waiting for.
HASTY_SECONDS = 0.8

_ENABLED, _DISABLED = "Enabled", "Disabled"
_IN_TAGS = " _.:/=+-@"
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible")


class Resumer(StrEnum):
    """The state of the Resumer.

    HELD: by `gotostate hold`. DISABLED: somebody disabled the mapping by other means. CHANGING: between the two.
    """

    RUNNING = "running"
    HELD = "held"
    DISABLED = "disabled"
    CHANGING = "changing"


@dataclass(frozen=True)
class Hold:
    """Who holds the Resumer, as the function's tags keep it.

    since: UTC, as 2026-01-31T09:30:00Z. by: the ARN of the person who requested it. because: None without a reason.
    """

    since: str
    by: str
    because: str | None


@dataclass(frozen=True)
class State:
    """The state of the mapping, and the hold on record.

    mapping: Lambda's word for the mapping's state. hold: the one on record, in force or not; None if there is none.
    """

    mapping: str
    hold: Hold | None

    @property
    def resumer(self) -> Resumer:
        """The state of the Resumer: the mapping decides, and a hold on record shows who disabled it."""
        if self.mapping == _ENABLED:
            return Resumer.RUNNING
        if self.mapping != _DISABLED:
            return Resumer.CHANGING
        return Resumer.HELD if self.hold else Resumer.DISABLED


@dataclass(frozen=True)
class Queue:
    """A queue with SQS's approximate counts; messages: all of them, including those in flight and delayed."""

    arn: str
    messages: int
    in_flight: int


class Stack:
    """A deployed stack of this project's template; made at once, connects when first used."""

    def __init__(
        self, name: str, region: str | None = None, profile: str | None = None, *, is_hasty: bool = False
    ) -> None:
        """Name a stack. is_hasty: give up within a second where AWS cannot be reached."""
        self.name = name
        self._region = region
        self._profile = profile
        self._is_hasty = is_hasty
        self._clients: dict[str, Any] = {}

    def state(self) -> State:
        """Return how the Resumer stands now. Raises StackError."""
        return self._state_of(self._mapping())

    def settled_state(self) -> State:
        """Return the Resumer's state once its mapping does not change any more.

        Raises StackError when the mapping keeps changing: AWS refuses to switch it then.
        """
        state = self._state_of(self._mapping_once_in((_ENABLED, _DISABLED)))
        if state.resumer is Resumer.CHANGING:
            raise StackError(
                f"the event source mapping {self._mapping_id} of the stack {self.name} is {state.mapping} for "
                f"{PATIENCE_SECONDS:.0f} seconds; nothing was changed: try again when it has ended"
            )
        return state

    def hold(self, reason: str | None) -> State:
        """Put the caller's hold on record, then disable the mapping; return the state afterwards.

        Its state is still Disabling when AWS takes long. Raises StackError.
        """
        by = self._client("sts").get_caller_identity()["Arn"]
        # Without a reason, an empty one is written, so that none remains from an earlier hold.
        tags = {
            HELD_SINCE: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            HELD_BY: tag_value(by),
            HELD_BECAUSE: tag_value(reason or ""),
        }
        # Before it is disabled: a mapping that is off and has no tags was disabled by somebody else.
        self._client("lambda").tag_resource(Resource=self._function_arn, Tags=tags)
        return self._state_of(self._switched(_DISABLED))

    def release(self) -> State:
        """Enable the mapping, then remove the hold from record; return the state afterwards.

        While its state is still Enabling, the hold stays on record. Raises StackError.
        """
        mapping = self._switched(_ENABLED)
        if mapping["State"] == _ENABLED:
            self.forget_hold()
        return self._state_of(mapping)

    def forget_hold(self) -> None:
        """Remove the hold from record."""
        self._client("lambda").untag_resource(Resource=self._function_arn, TagKeys=[HELD_SINCE, HELD_BY, HELD_BECAUSE])

    def environment(self) -> dict[str, str]:
        """Return the environment of the Resumer's function, which holds the stack's parameters. Raises StackError."""
        client = self._client("lambda")
        found = client.get_function_configuration(FunctionName=self._mapping()["FunctionArn"])
        return dict(found.get("Environment", {}).get("Variables", {}))

    def send(self, events: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        """Put at most 10 events on the RecoveryQueue; return SQS's reason for each rejected one, by its index.

        Raises StackError where there is no queue.
        """
        client, url = self._client("sqs"), self._output("RecoveryQueueUrl")
        left = {str(number): jsontext.write(event) for number, event in enumerate(events)}
        refused: dict[str, str] = {}
        for _ in range(SENDS):
            entries = [{"Id": number, "MessageBody": body} for number, body in left.items()]
            try:
                answer = client.send_message_batch(QueueUrl=url, Entries=entries)
            except client.exceptions.QueueDoesNotExist as error:
                raise StackError(f"the queue {url} of the stack {self.name} was deleted: deploy it again") from error
            refused = {entry["Id"]: entry.get("Message") or entry["Code"] for entry in answer.get("Failed", [])}
            if not refused:
                break
            left = {number: left[number] for number in refused}
        return {int(number): f"the queue {url} did not take the request: {why}" for number, why in refused.items()}

    def recovery_queue(self) -> Queue:
        """Count the failures that wait for the Resumer. Raises StackError."""
        return self._queue("RecoveryQueueUrl")

    def dead_letters(self) -> Queue:
        """Count the failures that could not be delivered or processed. Raises StackError."""
        return self._queue("DeadLetterQueueUrl")

    @cached_property
    def _outputs(self) -> dict[str, str]:
        client = self._client("cloudformation")
        try:
            (described,) = client.describe_stacks(StackName=self.name)["Stacks"]
        except client.exceptions.ClientError as error:
            if error_code(error) == "ValidationError" and "does not exist" in str(error):
                raise NoStackError(
                    f"there is no stack {self.name} in {client.meta.region_name}; give its name with --stack, "
                    "and where it is with --region and --profile"
                ) from error
            raise
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}

    def _output(self, key: str) -> str:
        if key not in self._outputs:
            raise StackError(
                f"the stack {self.name} has no output {key}, so it is none of sfn-resume, is being deployed for the "
                "first time, or is of an old version: give another with --stack, or deploy it again"
            )
        return self._outputs[key]

    @property
    def _mapping_id(self) -> str:
        return self._output("RecoveryMappingId")

    def _mapping(self) -> Mapping[str, Any]:
        client = self._client("lambda")
        try:
            found: Mapping[str, Any] = client.get_event_source_mapping(UUID=self._mapping_id)
        except client.exceptions.ResourceNotFoundException as error:
            raise StackError(
                f"the event source mapping {self._mapping_id} of the stack {self.name} was deleted: deploy it again"
            ) from error
        return found

    def _mapping_once_in(self, states: Container[str]) -> Mapping[str, Any]:
        """Return the mapping once it is in one of these states, or as it is when patience ends."""
        until = time.monotonic() + PATIENCE_SECONDS
        while (mapping := self._mapping())["State"] not in states and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        return mapping

    def _switched(self, state: str) -> Mapping[str, Any]:
        self._client("lambda").update_event_source_mapping(UUID=self._mapping_id, Enabled=state == _ENABLED)
        return self._mapping_once_in((state,))

    def _state_of(self, mapping: Mapping[str, Any]) -> State:
        tags = self._client("lambda").list_tags(Resource=self._function_arn).get("Tags", {})
        since = tags.get(HELD_SINCE)
        hold = Hold(since, tags.get(HELD_BY, "somebody"), tags.get(HELD_BECAUSE) or None) if since else None
        return State(mapping["State"], hold)

    @cached_property
    def _function_arn(self) -> str:
        # Without the version or alias that a mapping may name: those have no tags.
        return ":".join(str(self._mapping()["FunctionArn"]).split(":")[:7])

    def _queue(self, output: str) -> Queue:
        client = self._client("sqs")
        try:
            attributes = client.get_queue_attributes(
                QueueUrl=self._output(output), AttributeNames=["QueueArn", *_COUNTS]
            )["Attributes"]
        except client.exceptions.QueueDoesNotExist as error:
            raise StackError(
                f"the queue {self._output(output)} of the stack {self.name} was deleted: deploy it again"
            ) from error
        visible, delayed, in_flight = (int(attributes[count]) for count in _COUNTS)
        return Queue(attributes["QueueArn"], visible + delayed + in_flight, in_flight)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            # Here and not above: boto3 takes a third of a second to import, which no other verb need wait for.
            import boto3
            from botocore.config import Config

            config = Config(retries={"mode": "standard"}, connect_timeout=5, read_timeout=20)
            if self._is_hasty:
                config = Config(retries={"total_max_attempts": 1}, connect_timeout=HASTY_SECONDS, read_timeout=5)
            session = boto3.Session(region_name=self._region, profile_name=self._profile)
            if not session.region_name:
                raise StackError("no AWS region is set; give one with --region")
            client: Any = session.client
            self._clients[service] = client(service, config=config)
        return self._clients[service]


def tag_value(text: str) -> str:
    """Return a text as the value of a tag can hold it.

    AWS takes letters, digits, spaces and _ . : / = + - @, at most 256 characters, and none that begin with "aws:"
    (https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html). Any other character becomes "_", white
    space one space, and what is longer is cut. An ARN of a user or of a role's session fits; but a comma in a name
    becomes "_", and a user's path of hundreds of characters is cut.
    """
    spaced = " ".join(text.split())
    plain = "".join(character if character.isalnum() or character in _IN_TAGS else "_" for character in spaced)
    reserved = plain[:4].lower() == "aws:"
    return ("_" + plain if reserved else plain)[:LONGEST_TAG_VALUE].rstrip()
