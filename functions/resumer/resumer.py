"""The Resumer: one status-change event of Step Functions in, one outcome out."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from gotostate import recovery
from gotostate.errors import ArnError, SettingsError
from gotostate.policy import Mode, Settings
from gotostate.recovery import Outcome, Result
from gotostate.stepfunctions import StepFunctions

SOURCE = "aws.states"
DETAIL_TYPE = "Step Functions Execution Status Change"
STATUSES = ("FAILED", "TIMED_OUT")

logger = Logger(service="resumer")


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deal with one failed execution and say how; see recovery.Outcome for the shape of the answer.

    An event that can never be dealt with is skipped with a reason. Only what may pass (throttling,
    a missing permission, a wrong setting) raises, so that Lambda tries again and then keeps the
    event in the dead-letter queue.
    """
    logger.set_correlation_id(context.aws_request_id)
    execution, problem = execution_of(event)
    logger.append_keys(execution=execution, state=None, outcome=None, reason=None)
    logger.info("received", extra={"event": event} if _log_payloads() else None)
    try:
        outcome = _skip(execution, problem) if problem else _recover(event, execution)
    except ArnError as error:
        outcome = _skip(execution, str(error))
    except Exception as error:
        logger.append_keys(outcome="error", reason=f"{type(error).__name__}: {error}")
        logger.exception("failed; Lambda tries again, then the event goes to the dead-letter queue")
        raise
    answer = described(outcome)
    logger.append_keys(state=outcome.state, outcome=answer["outcome"], reason=outcome.reason)
    log = logger.error if outcome.result is Result.GAVE_UP else logger.info
    log(answer["next"], extra={name: answer[name] for name in ("machine", "resumed", "attempt")})
    return answer


def _recover(event: dict[str, Any], execution: str) -> Outcome:
    # Seen in practice, not documented: so it is optional.
    redrives = event["detail"].get("redriveCount")
    return recovery.recover(
        _aws(), execution, settings(), reported_redrives=redrives if isinstance(redrives, int) else 0
    )


def execution_of(event: object) -> tuple[str, str | None]:
    """Return the event's execution ARN ("" if there is none) and what is wrong with the event, if anything."""
    if not isinstance(event, Mapping):
        return "", "the event is not a JSON object"
    detail = event.get("detail")
    arn = detail.get("executionArn") if isinstance(detail, Mapping) else None
    if event.get("source") != SOURCE or event.get("detail-type") != DETAIL_TYPE:
        return str(arn or ""), f"the event is not a {DETAIL_TYPE!r} of {SOURCE!r}; check the rule that sent it"
    if not isinstance(detail, Mapping) or not isinstance(arn, str):
        return "", "the event's detail has no executionArn"
    if detail.get("status") not in STATUSES:
        return arn, f"the execution's status is {detail.get('status')!r}; only {' and '.join(STATUSES)} are resumed"
    return arn, None


def settings() -> Settings:
    """Read the stack's parameters from the environment. Raises SettingsError that names the variable."""
    attempts, mode = os.environ.get("MAX_ATTEMPTS", "3"), os.environ.get("DEFAULT_MODE", Mode.OFF.value)
    if not attempts.isdecimal():
        raise SettingsError(f"MAX_ATTEMPTS is {attempts!r}; set the stack's parameter MaxAttempts to a whole number")
    if mode not in set(Mode):
        raise SettingsError(
            f"DEFAULT_MODE is {mode!r}; set the stack's parameter DefaultMode to resume, prepare or off"
        )
    return Settings(max_attempts=int(attempts), default_mode=Mode(mode))


def described(outcome: Outcome) -> dict[str, Any]:
    """Turn an outcome into the function's answer, with what to type next."""
    answer = asdict(outcome)
    answer["outcome"] = answer.pop("result").value
    answer["next"] = _next_step(outcome)
    return answer


def _next_step(outcome: Outcome) -> str:
    match outcome.result:
        case Result.RESUMED:
            return "nothing to do; see how it goes: gotostate plan " + outcome.execution
        case Result.ALREADY_RESUMED:
            return "nothing to do; the same failure was reported before"
        case Result.PREPARED:
            return "look at it: gotostate plan " + outcome.execution + "; go on: gotostate resume " + outcome.execution
        case Result.GAVE_UP:
            return "look at it: gotostate plan " + outcome.execution
        case Result.SKIPPED:
            return "left alone"


def _skip(execution: str, reason: str) -> Outcome:
    return Outcome(Result.SKIPPED, reason, execution)


def _log_payloads() -> bool:
    return os.environ.get("LOG_PAYLOADS") == "true"


@cache
def _aws() -> StepFunctions:
    return StepFunctions()
