"""AWS's clock, as the answers of Step Functions tell it, for a memory that dates by it what it looks at."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from gotostate.memory import Memory

# Once for each client, however often a memory is asked for failures.
_ONCE = "gotostate-awsclock"


def listen(memory: Memory) -> None:
    """Let a memory take in the Date of each answer of Step Functions from now on.

    Who reads failures of the past needs it: their own times do not tell that they are past.
    """

    def hear(parsed: Mapping[str, Any], **_: Any) -> None:
        if (answered := answered_at(parsed)) is not None:
            memory.has_come(answered)

    memory.aws.client.meta.events.register("after-call.sfn", hear, unique_id=_ONCE)


def answered_at(answer: Mapping[str, Any]) -> float | None:
    """Return when AWS gave an answer, in seconds since the epoch; None where the answer does not say.

    The header gives whole seconds, rounded down, in GMT (RFC 9110, section 6.6.1).
    """
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None
