"""The widget "Recoveries" of a CloudWatch dashboard: reads failures and answers HTML. It changes nothing."""

import os
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from gotostate import jsontext, listing, sources
from gotostate.dashboard.answers import failed, none_opted_in
from gotostate.dashboard.chaindrawing import chain
from gotostate.dashboard.panel import Actions, failures, message, page
from gotostate.dashboard.widgetcontext import View, Wanted, WidgetError, failed_at_of
from gotostate.errors import GotoStateError, TransientError
from gotostate.memory import Memory
from gotostate.resumption import ExecutionArn, gotostate_arn
from gotostate.rows import Row
from gotostate.settings import matches, settings_from
from gotostate.stepfunctions import StepFunctions

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Part of the function's time that is reserved for the answer.
RESERVE_SECONDS = 2.0
# How far the time of a failure may be from the one that the widget was given: it went through JSON.
SAME_SECONDS = 1.0

DOCUMENTATION = """
## Recoveries
Failed executions of the state machines that opted in: where each failed, how it stands, its resumes, and a button to
resume it.

### Widget parameters
Param | Description
---|---
**limit** | How many failures are shown at most, unresolved ones first: 1 to 100, default 20
**stateMachine** | Name of the state machines, with * for any characters, default *

The dashboard's time range, or the range that a graph is zoomed to, chooses the failures.

### Example parameters
``` yaml
limit: 50
stateMachine: prod-*
```
"""

logger = Logger(service="widget", json_serializer=jsontext.log_line)


def handler(event: Any, context: "LambdaContext") -> str:
    """Answer a dashboard.

    event: the widget's parameters with widgetContext, answered with the list; {"describe": true} with Markdown;
    {"chain": ARN, "failedAt": seconds}, which the list's own buttons send, with the drawing of one chain.

    Errors are answered as HTML, because a dashboard shows a function's error as it is.
    """
    if isinstance(event, Mapping) and event.get("describe"):
        return DOCUMENTATION
    view = View.of(event)
    logger.set_correlation_id(getattr(context, "aws_request_id", None))
    try:
        memory = _memory()
        memory.aws.pace.set_deadline(context.get_remaining_time_in_millis() / 1_000 - RESERVE_SECONDS)
        return page(_answer(memory, event, view, context), view)
    except GotoStateError as error:
        logger.info("not shown", extra={"reason": str(error)})
        return page(message("This cannot be shown", str(error)), view)
    except TransientError as error:
        logger.info("not shown", extra={"reason": str(error)})
        said = "AWS throttles what has to be read. Refresh the widget in a minute, or choose a shorter time range."
        return page(message("Not now", said, "held"), view)
    except Exception as error:
        logger.exception("not shown")
        return page(failed(error, context.function_name, context.aws_request_id), view)


def _answer(memory: Memory, event: Any, view: View, context: "LambdaContext") -> str:
    now = _now()
    if isinstance(event, Mapping) and "chain" in event:
        return chain(_row(memory, event, now), view, now=now)
    wanted = Wanted.of(event)
    machines = _machines(memory, wanted.pattern)
    if not machines:
        return none_opted_in(wanted.pattern)
    actions = Actions(context.invoked_function_arn, os.environ.get("REQUEST_FUNCTION_ARN"))
    found = listing.rows(
        memory,
        machines,
        settings_from(os.environ),
        now=now,
        since=wanted.since,
        until=wanted.until,
        limit=wanted.limit,
    )
    logger.info("shown", extra={"rows": len(found.rows), "more": found.more, "dashboard": view.dashboard})
    return failures(found, wanted, view, actions, now=now)


def _row(memory: Memory, event: Mapping[str, Any], now: float) -> Row:
    """Read one failure again. Raises WidgetError, ArnError."""
    given = event["chain"]
    if not isinstance(given, str):
        raise WidgetError("the event names no execution")
    machine, failed_at = ExecutionArn.parse(given).machine_arn, failed_at_of(event)
    machines = _machines(memory, "*")
    # A failure may have begun in a GoToState machine that a person started.
    machine = next((arn for arn in machines if gotostate_arn(arn) == machine), machine)
    if machine not in machines:
        raise WidgetError(f"the state machine {machine} has not opted in, or is none that this stack may read")
    found = listing.rows(
        memory,
        [machine],
        settings_from(os.environ),
        now=now,
        since=failed_at - SAME_SECONDS,
        until=failed_at + SAME_SECONDS,
    )
    for row in found.rows:
        if row.original == given:
            return row
    raise WidgetError(f"the failure of {given} is not there any more; refresh the widget")


def _machines(memory: Memory, pattern: str) -> list[str]:
    """Return the ARNs of the state machines that the stack processes and that this function may read."""
    readable = os.environ.get("STATE_MACHINE_NAMES", "*")
    mode = settings_from(os.environ).default_mode
    found = sources.of_stack(memory.aws, mode, readable, memory)
    return [arn for arn in found if matches(arn.rpartition(":")[2], (pattern,))]


def _now() -> float:
    return time.time()


@cache
def _memory() -> Memory:
    return Memory(StepFunctions())
