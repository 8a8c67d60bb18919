"""The function behind the widget's Resume button: checks a failure again and puts a request on the Resumer's queue."""

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from gotostate import jsontext, policy, reading, recovery, report
from gotostate.bus import Queue
from gotostate.dashboard.answers import asked_for, failed, not_asked_for
from gotostate.dashboard.panel import page
from gotostate.dashboard.widgetcontext import View, WidgetError
from gotostate.errors import GotoStateError, TransientError
from gotostate.memory import Memory
from gotostate.nextsteps import command
from gotostate.planning import Plan
from gotostate.policy import Action
from gotostate.report import Report
from gotostate.resumption import Asked, ExecutionArn
from gotostate.settings import for_machine, settings_from
from gotostate.stepfunctions import StepFunctions

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Part of the function's time that is reserved for the answer.
RESERVE_SECONDS = 2.0

logger = Logger(service="request", json_serializer=jsontext.log_line)


class RefusedRequestError(GotoStateError):
    """The request is not passed on; the message says why, and what to do instead."""


def handler(event: Any, context: "LambdaContext") -> str:
    """Ask the Resumer to resume a failure, and answer HTML that says what happens next, or why nothing does.

    event: {"execution": ARN of the newest failed execution, "state": the state that the person confirmed,
    "widgetContext": ...}. Idempotent: the Resumer starts one execution for a failure, however often it is asked.
    """
    view = View.of(event)
    logger.set_correlation_id(getattr(context, "aws_request_id", None))
    try:
        memory = _memory()
        memory.aws.pace.set_deadline(context.get_remaining_time_in_millis() / 1_000 - RESERVE_SECONDS)
        plan = _checked(memory, event, view, context)
        execution, asked = plan.failure.arn.text, plan.asked
        assert asked
        Queue(memory.aws).send(os.environ["QUEUE_URL"], report.request(execution, asked, plan.failure.redrives))
    except (GotoStateError, TransientError) as error:
        logger.info("not requested", extra={"reason": str(error)})
        return page(not_asked_for(str(error)), view)
    except Exception as error:
        logger.exception("not requested")
        return page(failed(error, context.function_name, context.aws_request_id), view)
    logger.info("requested", extra={"execution": execution, "state": plan.state, "by": asked.by})
    return page(asked_for(plan), view)


def _checked(memory: Memory, event: Any, view: View, context: "LambdaContext") -> Plan:
    """Read a failure again and plan what the Resumer will do about it when a person asks.

    Raises GotoStateError that says why it may not be requested, TransientError where that cannot be determined now.
    """
    given = event.get("execution") if isinstance(event, Mapping) else None
    if not isinstance(given, str):
        raise WidgetError("the event names no execution; this function is called by the button of a dashboard")
    arn = ExecutionArn.parse(given)
    _require_here(arn, context)
    stack = settings_from(os.environ)
    # Nothing but the tags is read of a machine that has not opted in.
    tags = {} if arn.is_map_run_child else reading.governing_tags(memory, arn.machine_arn)
    allowed = policy.by_arn(arn) or policy.opt_in(tags, stack)
    if allowed.action is Action.SKIP:
        raise RefusedRequestError(allowed.reason)
    settings = for_machine(tags, stack)
    failure = reading.read(memory, Report(arn.text), settings)
    if newest := reading.newest_of_chain(memory, failure):
        raise RefusedRequestError(
            f"it was resumed already: the newest execution of its chain is {newest.arn}, which is {newest.status}; "
            "refresh the widget"
        )
    asked = Asked.of(_by(view), f"the resume from {failure.point.resume_from!r} was confirmed")
    plan = recovery.planned(memory, failure, allowed, settings, asked=asked)
    if plan.decision.action not in (Action.RESUME, Action.REDRIVE):
        look = plan.decision.look
        advice = f"; next: {command('plan', look, settings.command_options)}" if look else ""
        raise RefusedRequestError(f"{plan.decision.reason}{advice}")
    confirmed = event.get("state")
    if confirmed is not None and confirmed not in (plan.state, failure.point.ended_in):
        raise RefusedRequestError(
            f"it would now be resumed from {plan.state!r}, and another state was confirmed; refresh the widget"
        )
    return plan


def _require_here(arn: ExecutionArn, context: "LambdaContext") -> None:
    """Raise RefusedRequestError for an execution of another account or region: nothing is read from there."""
    _, partition, _, region, account = context.invoked_function_arn.split(":")[:5]
    if arn.prefix != f"arn:{partition}:states:{region}:{account}":
        raise RefusedRequestError(f"{arn.text} is not in the account {account} and the region {region}")


def _by(view: View) -> str:
    """Say who asked. Only the dashboard is known, and only by its own unverified statement."""
    said = f"somebody on the dashboard {view.dashboard}" if view.dashboard else "somebody on a dashboard"
    return f"{said} of account {view.account}" if view.account else said


@cache
def _memory() -> Memory:
    return Memory(StepFunctions())
