"""What a resume is called and what it is given: names and inputs, as text and without AWS."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from gotostate import jsontext
from gotostate.errors import ArnError, InputError

SUFFIX = "-with-GoToState"
SOURCE_TAG = "gotostate:source"
MAX_NAME = 80
MAX_INPUT_BYTES = 262_144
MAX_TAG_VALUE = 256

_NOT_IN_TAGS = re.compile(r"[^\w .:/+\-@]")
_ESCAPED = re.compile(r"=([0-9a-f]+)=")


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
        if parts[5] != "execution" or len(parts) != 8 or not all(parts[1:]):
            raise ArnError(f"{text!r} is not the ARN of an execution; {expected}")
        return cls(text, ":".join(parts[:5]), parts[3], parts[6], parts[7])

    @property
    def machine_arn(self) -> str:
        """ARN of the state machine (without a version or alias)."""
        return f"{self.prefix}:stateMachine:{self.machine_name}"

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


def execution_name(original_name: str, failed_arn: str, redrive_count: int, attempt: int) -> str:
    """Name the resumed execution, the same for the same failure however often it is asked for.

    StartExecution refuses a name that was used before, which is what makes a second delivery of
    the same failure harmless.
    """
    ending = f"-resume-{attempt}-{_digest(f'{failed_arn} {redrive_count} {attempt}')[:16]}"
    return original_name[: MAX_NAME - len(ending)] + ending


def source_tag(source_arn: str) -> str:
    """Write a state machine's ARN as a tag value: names may hold characters that tags may not."""
    value = _NOT_IN_TAGS.sub(lambda match: f"={ord(match[0]):x}=", source_arn)
    return value if len(value) <= MAX_TAG_VALUE else f"sha256:{_digest(source_arn)}"


def source_of_tag(value: str) -> str | None:
    """Read a source tag back; None where only its hash fitted."""
    if value.startswith("sha256:"):
        return None
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)


@dataclass(frozen=True)
class Chain:
    """Where an execution stands in a chain of resumes.

    original: ARN of the first failed execution.
    attempt: number of the resume that this execution is; 0 for the original itself.
    beside: the original execution's input, its members' texts by name; None if it was no object.
    """

    original: str
    attempt: int
    beside: Mapping[str, str] | None


def chain_of(execution_arn: str, execution_input: str, *, resumed: bool) -> Chain:
    """Tell where an execution stands in its chain, from its input.

    resumed: whether it is an execution of a GoToState machine. The input alone does not say: a
    source machine is free to have a 'resuming' of its own.
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
    if not isinstance(original, str) or not isinstance(attempt, int) or isinstance(attempt, bool) or attempt < 1:
        return Chain(execution_arn, 0, beside)
    return Chain(original, attempt, beside)


def resume_input(
    *,
    state: str,
    state_input: str,
    variables: Mapping[str, str],
    execution: str,
    failed: str,
    attempt: int,
    delay_seconds: int = 0,
    beside: Mapping[str, str] | None = None,
) -> str:
    """Write the input of a resumed execution; state_input, variables and beside are JSON texts.

    execution: the first failed execution of the chain; failed: the one that is resumed.

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
    text = jsontext.join({**(beside or {}), "resuming": jsontext.join(resuming)})
    size = jsontext.size(text)
    if size > MAX_INPUT_BYTES:
        raise InputError(
            f"the resume's input would have {size} bytes, over the {MAX_INPUT_BYTES} that Step Functions takes; "
            f"within 14 days of the failure the native redrive resumes it: "
            f"aws stepfunctions redrive-execution --execution-arn {failed}"
        )
    return text


def checked_input(text: str) -> str:
    """Return a user's JSON text as it is. Raises InputError unless it is JSON."""
    try:
        jsontext.parse(text)
    except ValueError as error:
        raise InputError(f"--input is not JSON ({error}); quote strings and give one JSON value") from error
    return text


def on_one_line(text: str) -> str:
    """Return a JSON text on one line, its values as they were written (no JSON string holds a line's end)."""
    return " ".join(line.strip(" \t") for line in re.split(r"[\r\n]+", text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
