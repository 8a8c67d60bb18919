"""The names and inputs of resumes, as text and without AWS."""

import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from gotostate import jsontext
from gotostate.errors import ArnError, InputError

SUFFIX = "-with-GoToState"
OPT_IN_TAG = "gotostate"
SOURCE_TAG = "gotostate:source"
MAX_NAME = 80
MAX_INPUT_BYTES = 262_144
MAX_TAG_VALUE = 256
LONGEST_REASON = 256
# No chain is this long: a larger number was written by hand, and would not fit into a name.
MOST_TRIES = 1_000_000

_NOT_IN_TAGS = re.compile(r"[^\w .:/+\-@]")
_ESCAPED = re.compile(r"=([0-9a-f]+)=")
_PARTITION, _REGION, _ACCOUNT = re.compile(r"aws[a-z-]*"), re.compile(r"[a-z0-9-]+"), re.compile(r"\d{12}")
_RESUME_NAME = re.compile(r"-resume-\d+-[0-9a-f]{16}$")
# No name holds one (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html).
_NOT_IN_ARNS = re.compile(r"""[\s\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff<>{}\[\]?*"#%\\^|~`$&,;]""")


@dataclass(frozen=True)
class ExecutionArn:
    """The parts of a Standard execution's ARN: arn:PARTITION:states:REGION:ACCOUNT:execution:MACHINE:NAME."""

    text: str
    prefix: str
    region: str
    machine_name: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "ExecutionArn":
        """Take an ARN apart. Raises ArnError that says what it is an ARN of instead."""
        parts = text.split(":")
        expected = "expected arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME"
        if len(parts) < 7 or parts[0] != "arn":
            raise ArnError(f"{text!r} is not the ARN of an execution; {expected}")
        if parts[2] != "states":
            raise ArnError(f"{text!r} is an ARN of the service {parts[2]!r}, not of Step Functions; {expected}")
        if parts[5] == "express":
            raise ArnError(
                f"{text!r} is an Express execution: Step Functions keeps no history of it to resume from; "
                "only Standard executions can be resumed"
            )
        is_place = _PARTITION.fullmatch(parts[1]) and _REGION.fullmatch(parts[3]) and _ACCOUNT.fullmatch(parts[4])
        is_name = all(parts[6:]) and not _NOT_IN_ARNS.search(text)
        if parts[5] != "execution" or len(parts) != 8 or not is_place or not is_name:
            raise ArnError(f"{text!r} is not the ARN of an execution; {expected}")
        return cls(text, ":".join(parts[:5]), parts[3], parts[6], parts[7])

    @property
    def machine_arn(self) -> str:
        """ARN of the state machine, without a version or alias, or the label of a Distributed Map."""
        return f"{self.prefix}:stateMachine:{self.machine_name.partition('/')[0]}"

    @property
    def is_map_run_child(self) -> bool:
        """Tell whether a Distributed Map started it; such a machine part reads MACHINE/LABEL."""
        return "/" in self.machine_name


def machine_name(source_name: str) -> str:
    """Name the GoToState machine of a source machine; at most 80 characters.

    A source name that is too long is cut and given a hash of the whole of it, so that two machines
    never share one.
    """
    if len(source_name) + len(SUFFIX) <= MAX_NAME:
        return source_name + SUFFIX
    mark = "-" + _digest(source_name)[:8]
    return source_name[: MAX_NAME - len(SUFFIX) - len(mark)] + mark + SUFFIX


def gotostate_arn(source_arn: str) -> str:
    """Return the ARN of the GoToState machine of a source machine."""
    prefix, _, name = source_arn.rpartition(":")
    return f"{prefix}:{machine_name(name)}"


def execution_name(original_name: str, failed_arn: str, ending_id: int, attempt: int) -> str:
    """Name the resumed execution, the same for the same failure however often the name is requested.

    ending_id: id of the event with which the failed execution ended. StartExecution starts no second execution
    under a used name, which makes a second delivery of the same failure harmless.
    The first half of the mark follows from the failed execution's ARN alone, so that listings can be joined.
    """
    ending = f"{resumed_mark(failed_arn, attempt)}{_digest(f'{failed_arn} {ending_id}')[:8]}"
    return original_name[: MAX_NAME - len(ending)] + ending


def is_resume_name(name: str) -> bool:
    """Tell whether an execution's name has the form of a resume's; another one was started by a person."""
    return _RESUME_NAME.search(name) is not None


def redrive_token(failed_arn: str, ending_id: int) -> str:
    """Name the redrive of a failure, so that RedriveExecution does the same one once (64 characters at most)."""
    return _digest(f"redrive {failed_arn} {ending_id}")


def resumed_mark(failed_arn: str, attempt: int) -> str:
    """Return what the names of all resumes of one execution have in common, before the last 8 characters."""
    return f"-resume-{attempt}-{_digest(failed_arn)[:8]}"


def source_tag(source_arn: str) -> str:
    """Write a state machine's ARN as a tag value: names may hold characters that tags may not."""
    value = _NOT_IN_TAGS.sub(lambda match: f"={ord(match[0]):x}=", source_arn)
    return value if len(value) <= MAX_TAG_VALUE else f"sha256:{_digest(source_arn)}"


def source_of(tags: Mapping[str, str], machine_arn: str) -> str | None:
    """Return the source machine's ARN that a GoToState machine's tag gives.

    None where there is no such tag, where only a hash of the ARN fitted into it, or where the tag does not
    explain the machine's name: tags are copied from machine to machine.
    """
    tag = tags.get(SOURCE_TAG, "")
    try:
        source_arn = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), tag)
    except (ValueError, OverflowError):
        return None
    return source_arn if not source_arn.endswith(":") and gotostate_arn(source_arn) == machine_arn else None


def is_built_from(tags: Mapping[str, str], machine_arn: str, source_arn: str) -> bool:
    """Tell whether the tags of a GoToState machine say that it was built from a source machine."""
    return tags.get(SOURCE_TAG) == source_tag(source_arn) and gotostate_arn(source_arn) == machine_arn


@dataclass(frozen=True)
class Asked:
    """The person who requested a recovery, and why; both are cut to a length that leaves room for the state's input."""

    by: str
    reason: str | None = None

    @classmethod
    def of(cls, by: object, reason: object) -> "Asked | None":
        """Read them from a request or a resumed execution's input; None where nobody is named."""
        if not isinstance(by, str) or not by.strip():
            return None
        said = reason.strip()[:LONGEST_REASON] if isinstance(reason, str) else ""
        return cls(by.strip()[:LONGEST_REASON], said or None)


@dataclass(frozen=True)
class Chain:
    """Where an execution stands in a chain: a failed execution and its resumes, each of which resumes the one before.

    original: ARN of the first failed execution.
    attempt: number of the resume that this execution is; 0 for the original itself.
    original_input: the original execution's input, its members' texts by name; None if it was no object.
    record: JSON text of the record of a Parallel or Map that the execution was given (record.py), if it was.
    asked: the last person who requested a resume of this chain; None where automation did all.
    redrives: how often the executions before this one in the chain were redriven. is_rerun: whether the chain began
    with an execution that had succeeded, which a person ran again from a state.
    """

    original: str
    attempt: int
    original_input: Mapping[str, str] | None
    record: str | None = None
    asked: Asked | None = None
    redrives: int = 0
    is_rerun: bool = False


def chain_of(execution_arn: str, execution_input: str, *, resumed: bool) -> Chain:
    """Tell where an execution stands in its chain, from its input.

    resumed: whether it is an execution of a GoToState machine. The input alone does not say: a
    source machine is free to use a field 'resuming' of its own.
    """
    value = jsontext.parse(execution_input)
    parts = jsontext.members(execution_input) if isinstance(value, dict) else None
    if not resumed or parts is None or "resuming" not in parts:
        return Chain(execution_arn, 0, parts)
    beside = {name: text for name, text in parts.items() if name != "resuming"}
    resuming = value["resuming"]
    if not isinstance(resuming, dict):
        return Chain(execution_arn, 0, beside)
    original, attempt = resuming.get("execution"), resuming.get("attempt")
    record = jsontext.members(parts["resuming"]).get("inside")
    asked = Asked.of(resuming.get("by"), resuming.get("reason"))
    if not _is_count(attempt):
        return Chain(execution_arn, 0, beside, record, asked)
    # A person may have written anything there.
    if not isinstance(original, str) or not _is_beside(original, execution_arn):
        return Chain(execution_arn, 0, beside, record, asked)
    redrives = resuming.get("redrives")
    counted = redrives if _is_count(redrives) else 0
    return Chain(original, attempt, beside, record, asked, counted, resuming.get("rerun") is True)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_TRIES


def _is_beside(arn: str, other: str) -> bool:
    """Tell whether a text is the ARN of an execution in the account and region of another one."""
    try:
        return ExecutionArn.parse(arn).prefix == ":".join(other.split(":")[:5])
    except ArnError:
        return False


def resume_input(
    *,
    state: str,
    state_input: str,
    variables: Mapping[str, str],
    execution: str,
    failed: str,
    attempt: int,
    delay_seconds: int,
    original_input: Mapping[str, str] | None = None,
    inside: Sequence[str] | None = None,
    asked: Asked | None = None,
    redrives: int = 0,
    is_rerun: bool = False,
) -> str:
    """Write the input of a resumed execution; state_input, variables and original_input are JSON texts.

    execution: the first failed execution of the chain; failed: the one that is resumed.
    original_input: its members are put beside 'resuming', for definitions that read the execution's input.
    inside: the JSON texts of a container's record. asked: the person who requested it. redrives: how
    often executions of the chain were redriven so far. is_rerun: whether the chain began with one that had succeeded.

    Raises InputError when it would be larger than Step Functions takes.
    """
    resuming = {
        "state": jsontext.write(state),
        "delaySeconds": jsontext.write(delay_seconds),
        "execution": jsontext.write(execution),
        "attempt": jsontext.write(attempt),
        "variables": jsontext.join(variables),
        "input": state_input.strip(" \t\r\n"),
    }
    if redrives:
        resuming["redrives"] = jsontext.write(redrives)
    if is_rerun:
        resuming["rerun"] = "true"
    if asked:
        resuming |= {name: jsontext.write(value) for name, value in vars(asked).items() if value is not None}
    if inside is not None:
        resuming["inside"] = jsontext.join_items(inside)
    text = jsontext.join({**(original_input or {}), "resuming": jsontext.join(resuming)})
    size = jsontext.size(text)
    if size > MAX_INPUT_BYTES:
        raise InputError(
            f"the resume's input would have {size} bytes, over the {MAX_INPUT_BYTES} that Step Functions takes; "
            f"within 14 days of the failure the native redrive resumes it: "
            f"aws stepfunctions redrive-execution --execution-arn {shlex.quote(failed)}"
        )
    return text


def checked_input(text: str) -> str:
    """Return a user's JSON text as it is. Raises InputError unless it is JSON."""
    try:
        jsontext.parse(text)
    except ValueError as error:
        raise InputError(f"--input is not JSON ({error}); quote strings and give one JSON value") from error
    return text


def mark_number(name: str) -> int:
    """Return a number that follows from a resumed execution's name, spread evenly."""
    return int(_digest(name)[:8], 16)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
