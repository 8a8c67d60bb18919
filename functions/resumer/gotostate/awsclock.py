"""AWS's clock, read from the responses of Step Functions, so that a memory can date its observations by it."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from gotostate.memory import Memory

# Registered once per client, however often a memory is asked for failures.
_ONCE = "gotostate-awsclock"


def listen(memory: Memory) -> None:
    """Pass the Date header of each response of Step Functions to a memory from now on.

    Code that reads past failures needs this: the failures' own times do not show how long ago they were.
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
