"""The Resumer: takes failed executions, from a queue or as one event, and gives an outcome for each."""

import json
import os
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

import measures
from aws_lambda_powertools import Logger
from gotostate import jsontext, message, notice, recovery
from gotostate.bus import Bus, Queue, Topic
from gotostate.errors import ArnError, ReportError, SettingsError, ThrottledError
from gotostate.memory import Memory
from gotostate.outcome import Outcome, Result
from gotostate.plain import encodable
from gotostate.report import Report, execution_of, redrive_due
from gotostate.settings import Settings, settings_from
from gotostate.stepfunctions import StepFunctions

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Part of the function's time that is reserved for the calls of the last recovery, and for the answer.
RESERVE_SECONDS = 3.0
DEFAULT_SECONDS = 30.0
# A recovery is not begun with less time than this.
LEAST_SECONDS = 5.0

# The members of an answer; an event says more.
ANSWERED = (
    "outcome",
    "rule",
    "reason",
    "execution",
    "state",
    "machine",
    "resumed",
    "attempt",
    "maxAttempts",
    "delaySeconds",
    "next",
    "inside",
)

logger = Logger(service="resumer", json_serializer=jsontext.log_line)


def handler(event: Any, context: "LambdaContext") -> dict[str, Any]:
    """Process failed executions.

    event: an SQS batch, {"Records": [...]}, each body an EventBridge event; answers {"batchItemFailures": [...]}
    with the messages that have to be tried again. Or one EventBridge event; answers its outcome, see outcome.Outcome.

    An event that can never be processed is skipped with a reason. Only errors that may pass (throttling, a missing
    permission, a wrong setting) are tried again, and their messages finally go to the dead-letter queue.
    """
    if _is_batch(event):
        if not event["Records"]:
            return {"batchItemFailures": []}
        # Here and not above: it takes as long to import as all the rest, and a bare event need not wait for it.
        from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        return dict(process_partial_response(event, lambda record: _message(record, context), processor, context))
    return _recovered(event, context)


def _is_batch(event: object) -> bool:
    """Tell whether an event is a batch of SQS; anything else is processed as one event, and its errors are reported."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and all(
        isinstance(record, dict) and isinstance(record.get("messageId"), str) for record in records
    )


def _message(record: Any, context: "LambdaContext") -> dict[str, Any]:
    """Process one message of the queue."""
    if _seconds_left(context) < LEAST_SECONDS:
        raise ThrottledError("there is no time left in this invocation; the message goes back to the queue")
    try:
        event = json.loads(record.body)
    except (ValueError, RecursionError):
        event = record.body
    return _recovered(event, context)


def _recovered(event: object, context: "LambdaContext") -> dict[str, Any]:
    execution = execution_of(event)
    logger.set_correlation_id(getattr(context, "aws_request_id", None))
    logger.append_keys(execution=execution, state=None, outcome=None, reason=None)
    if os.environ.get("LOG_PAYLOADS") == "true":
        logger.info("received", extra={"event": event})
    memory = _memory()
    memory.aws.pace.set_deadline(_seconds_left(context) - RESERVE_SECONDS)
    try:
        outcome = _recover(event, execution, memory, settings_from(os.environ))
        if outcome.outcome is Result.WAITING:
            _let_wait(outcome, memory)
    except ThrottledError as error:
        measures.count_throttled()
        logger.append_keys(outcome="throttled", reason=str(error))
        logger.info("goes back to the queue and is tried again")
        raise
    except Exception as error:
        logger.append_keys(outcome="error", reason=f"{type(error).__name__}: {error}")
        logger.exception("is tried again, then the event goes to the dead-letter queue")
        raise
    _announce(outcome, memory)
    measures.count(outcome)
    answer = described(outcome)
    logger.append_keys(state=outcome.state, outcome=answer["outcome"], reason=outcome.reason)
    log = logger.error if outcome.outcome is Result.GAVE_UP else logger.info
    log(
        _sentence(outcome),
        extra={name: answer[name] for name in ("rule", "machine", "resumed", "attempt", "delaySeconds", "inside")},
    )
    return answer


def _let_wait(outcome: Outcome, memory: Memory) -> None:
    """Put a redrive back on the queue until it is due. Raises SettingsError."""
    url = os.environ.get("QUEUE_URL")
    if not url:
        raise SettingsError("QUEUE_URL is not set: a redrive that waits needs the URL of the RecoveryQueue")
    _queue(memory).send(url, redrive_due(outcome.execution, outcome.redrives or 0), outcome.delay_seconds or 0)


def _announce(outcome: Outcome, memory: Memory) -> None:
    """Announce an outcome on the bus. The recovery is already done, so a failed announcement is only logged."""
    if not notice.is_told(outcome):
        return
    detail = notice.detail_of(outcome)
    try:
        _bus(memory).put(detail)
    except Exception:
        logger.exception("the outcome could not be announced", extra={"notice": detail})
    topic_arn = os.environ.get("TOPIC_ARN")
    if not topic_arn or not message.is_for_people(outcome):
        return
    try:
        _topic(memory).publish(topic_arn, message.subject(outcome), message.message(outcome))
    except Exception:
        logger.exception("nobody could be told", extra={"notice": detail})


def _recover(event: object, execution: str, memory: Memory, settings: Settings) -> Outcome:
    try:
        return recovery.recover(memory, Report.from_event(event), settings)
    except (ReportError, ArnError) as error:
        return Outcome(Result.SKIPPED, "bad-event", str(error), execution)


def described(outcome: Outcome) -> dict[str, Any]:
    """Turn an outcome into the function's answer."""
    answer = asdict(outcome)
    answer["outcome"] = outcome.outcome.value
    answer["maxAttempts"] = answer.pop("max_attempts")
    answer["delaySeconds"] = answer.pop("delay_seconds")
    # Lambda cannot send a lone surrogate, which a truncated error name may contain.
    return {name: encodable(value) if isinstance(value := answer[name], str) else value for name in ANSWERED}


def _sentence(outcome: Outcome) -> str:
    """Say on one line what was done and what to type next."""
    match outcome.outcome:
        case Result.RESUMED:
            said = (
                f"resumed from {outcome.state!r}, attempt {outcome.attempt} of {outcome.max_attempts}, "
                f"after {outcome.delay_seconds} s: {outcome.resumed}"
            )
            said += f" ({outcome.inside})" if outcome.inside else ""
        case Result.REDRIVEN:
            said = f"redriven, attempt {outcome.attempt} of {outcome.max_attempts}: {outcome.reason}"
        case Result.PREPARED:
            said = f"prepared for a person: {outcome.reason}"
        case _:
            said = f"{outcome.outcome.value}: {outcome.reason}"
    return f"{said}. Next: {outcome.next}" if outcome.next else said


def _seconds_left(context: "LambdaContext") -> float:
    # A replay from a script or a test may come without a context of Lambda's.
    left = getattr(context, "get_remaining_time_in_millis", None)
    return left() / 1_000 if left else DEFAULT_SECONDS


@cache
def _topic(memory: Memory) -> Topic:
    return Topic(memory.aws)


@cache
def _queue(memory: Memory) -> Queue:
    return Queue(memory.aws)


@cache
def _bus(memory: Memory) -> Bus:
    return Bus(memory.aws)


@cache
def _memory() -> Memory:
    return Memory(StepFunctions())
