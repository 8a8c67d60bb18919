"""The announcement of an outcome: one event on the default bus. docs/events.md is its contract.

It contains no payloads, as people who may read events may not be allowed to read those: only the size of the input,
and only a cause that a task itself gave. Errors that Step Functions raises quote the data.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from gotostate import jsontext
from gotostate.outcome import Outcome, Result

SOURCE = "gotostate"
DETAIL_TYPE = "Execution Recovery Status Change"
VERSION = "1"
MOST_CALLS = 20
LONGEST_TEXT = 1_000

# Rules whose outcomes are not announced: the machine has not opted in, the event is not about one of its own failures,
# or the outcome was announced before.
_SILENT = ("not-opted-in", "off", "bad-event", "map-run-child", "not-a-resume", "already-redriven")


def is_told(outcome: Outcome) -> bool:
    """Tell whether an outcome is announced."""
    return outcome.outcome not in (Result.ALREADY_RESUMED, Result.WAITING) and outcome.rule not in _SILENT


def detail_of(outcome: Outcome) -> dict[str, Any]:
    """Write the detail of an outcome's event; a member is null where it does not apply."""
    original = outcome.original or outcome.execution
    return {
        "version": VERSION,
        "id": id_of(outcome),
        "outcome": outcome.outcome.value,
        "rule": outcome.rule,
        "reason": short(outcome.reason),
        "execution": outcome.execution,
        "original": original,
        "stateMachine": outcome.source,
        "status": outcome.status,
        "error": outcome.error,
        "cause": cause_of(outcome),
        "failedAt": _time(outcome.failed_at),
        "state": outcome.state,
        "inside": outcome.inside,
        "inputBytes": outcome.input_bytes,
        "attempt": outcome.attempt,
        "maxAttempts": outcome.max_attempts,
        "delaySeconds": outcome.delay_seconds,
        "goToStateMachine": outcome.machine,
        "resumed": outcome.resumed,
        "calls": list(outcome.calls[:MOST_CALLS]),
        "secondsToRecovery": outcome.seconds,
        "by": outcome.asked.by if outcome.asked else None,
        "byReason": outcome.asked.reason if outcome.asked else None,
        "next": outcome.next,
        "links": {
            "execution": console_link(outcome.execution),
            "original": console_link(original),
            "resumed": console_link(outcome.resumed) if outcome.resumed else None,
        },
    }


def console_link(execution_arn: str) -> str:
    """Return the link of an execution in the console of its partition."""
    parts = execution_arn.split(":")
    partition, region = (parts[1], parts[3]) if len(parts) > 3 else ("aws", "")
    domain = {"aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}.get(partition, "aws.amazon.com")
    arn = quote(execution_arn, safe="")
    return f"https://{region}.console.{domain}/states/home?region={region}#/v2/executions/details/{arn}"


def id_of(outcome: Outcome) -> str:
    """Return an id that is the same for the same outcome, however often it is announced."""
    told = (outcome.outcome.value, outcome.execution, outcome.rule, outcome.resumed, outcome.failed_at)
    return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def cause_of(outcome: Outcome) -> str | None:
    """Return why it failed in the words of the task; None where it had none, or Step Functions quotes the data."""
    if outcome.cause is None or (outcome.error or "").startswith("States."):
        return None
    try:
        described = jsontext.parse(outcome.cause)
    except ValueError:
        return short(outcome.cause)
    # Lambda gives the message beside the stack trace.
    message = described.get("errorMessage") if isinstance(described, dict) else None
    return short(message) if isinstance(message, str) else None


def short(text: str) -> str:
    """Cut a text that would fill an event or a mail."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
