"""The sweep: puts failures without an event on the Resumer's queue, and deletes GoToState machines not needed any more.

EventBridge Scheduler invokes it. It keeps no state: ListExecutions and the functions' logs show which failures there
are and what became of them.
"""

import os
import time
from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import measures
from aws_lambda_powertools import Logger
from gotostate import cleaning, jsontext, listreader, sources, sweep
from gotostate.awserrors import is_denied
from gotostate.bus import Queue
from gotostate.chains import Listed
from gotostate.cleaning import Found
from gotostate.errors import NotFoundError, ThrottledError
from gotostate.logs import Logs
from gotostate.report import request
from gotostate.resumption import SUFFIX
from gotostate.settings import matches, settings_from, whole
from gotostate.stepfunctions import StepFunctions

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Part of the function's time that is reserved for the answer and for finishing work that was begun.
RESERVE_SECONDS = 5.0
# Time for the listings of one machine; a machine that takes longer gets the time that the others leave.
MACHINE_SECONDS = 20.0
# What is kept of the function's time for what follows the listings: the logs, the queue and the housekeeping.
AFTER_SECONDS = cleaning.SETTLE_SECONDS + 180.0
# Housekeeping looks at each machine once a day.
DAY_SECONDS = 86_400.0
# A deletion is begun only if this much time is left.
DELETION_SECONDS = cleaning.SETTLE_SECONDS + 120.0

logger = Logger(service="sweeper", json_serializer=jsontext.log_line)


def handler(event: Any, context: "LambdaContext") -> dict[str, int]:
    """Sweep once, and return the numbers of what was done.

    event: not used. Harmless at any time, even if two sweeps run at once: the Resumer decides about each failure by its
    own rules, and starts one execution for it.
    """
    logger.set_correlation_id(getattr(context, "aws_request_id", None))
    aws = _aws()
    now = _now()
    rate = sweep.rate_seconds(os.environ.get("SWEEP_RATE") or "rate(1 hour)")
    answer = {"machines": 0, "failures": 0, "swept": 0, "deletedMachines": 0, "deletedVersions": 0}
    try:
        _sweep(aws, context, now, rate, answer)
        _keep_house(aws, context, now, rate, answer)
    except ThrottledError as error:
        logger.info("the next sweep continues", extra={"reason": str(error)})
    finally:
        if answer["swept"]:
            measures.count_swept(answer["swept"])
        logger.info("done", extra=answer)
    return answer


def _sweep(aws: StepFunctions, context: "LambdaContext", now: float, rate: float, answer: dict[str, int]) -> None:
    """Put failures that were not processed on the queue. Raises ThrottledError when some machines were not read."""
    since, until = sweep.window(now, rate)
    listed: list[Listed] = []
    stopped: ThrottledError | None = None
    machines = sources.of_stack(aws, settings_from(os.environ).default_mode, _names())
    waiting = deque((arn, MACHINE_SECONDS) for arn in sweep.in_turn(machines, now, rate))
    while waiting:
        machine_arn, seconds = waiting.popleft()
        left = _seconds_left(context) - AFTER_SECONDS
        aws.pace.set_deadline(min(left, seconds))
        try:
            listed += listreader.failures(aws, machine_arn, since=since, until=until)
        except ThrottledError as error:
            if aws.pace.is_slow("list_executions"):
                # Others need AWS's quota as well.
                stopped = error
                break
            if left <= MACHINE_SECONDS:
                unread = [machine_arn, *(arn for arn, _ in waiting)]
                logger.warning("not read, as there is no time left", extra={"stateMachines": unread})
                break
            waiting.append((machine_arn, float("inf")))
            continue
        except NotFoundError:
            continue
        except Exception as error:
            if not is_denied(error):
                raise
            logger.warning("not read", extra={"stateMachine": machine_arn, "reason": str(error)})
            continue
        answer["machines"] += 1
    answer["failures"] = len(listed)
    _set_deadline(aws, context)
    # After the listings, so that failures that were processed meanwhile are known.
    dealt_with = _dealt_with(aws, since) if listed else {}
    queue = Queue(aws)
    for failed in sweep.missed(listed, since, until, dealt_with):
        queue.send(os.environ["QUEUE_URL"], request(failed.execution, None, failed.redrives))
        answer["swept"] += 1
        # The next sweep reads this line.
        logger.info("put on the queue", extra={"execution": failed.execution, "outcome": sweep.SWEPT})
    if stopped:
        raise stopped


def _dealt_with(aws: StepFunctions, since: float) -> sweep.Outcomes:
    """Return the outcomes of failures that the Resumer and earlier sweeps have logged since a time."""
    logs = Logs(aws)
    found = logs.outcomes(os.environ["RESUMER_LOG_GROUP"], since)
    for execution, times in logs.outcomes(os.environ["SWEEPER_LOG_GROUP"], since).items():
        found.setdefault(execution, {}).update(times)
    return found


def _keep_house(aws: StepFunctions, context: "LambdaContext", now: float, rate: float, answer: dict[str, int]) -> None:
    """Delete machines and versions that have not run for KEEP_DAYS days. Raises ThrottledError."""
    days = _keep_days()
    doomed: list[Found] = []
    for found in _looked_at(aws, context, now, rate, days):
        if found.stays is None:
            doomed.append(found)
            continue
        if found.was_left:
            cleaning.restore(aws, found)
        deleted = cleaning.delete_versions(aws, found)
        answer["deletedVersions"] += len(deleted)
        if deleted:
            logger.info("versions deleted", extra={"stateMachine": found.arn, "versions": len(deleted)})
    if not doomed or _seconds_left(context) < DELETION_SECONDS:
        return
    _set_deadline(aws, context)
    for arn in cleaning.delete(aws, doomed, _now):
        answer["deletedMachines"] += 1
        logger.info("state machine deleted", extra={"stateMachine": arn, "reason": f"not used for {days} days"})


def _looked_at(aws: StepFunctions, context: "LambdaContext", now: float, rate: float, days: int) -> Iterator[Found]:
    """Yield the GoToState machines whose turn it is, and those whose deletion was not finished.

    days: for how many they are kept; 0: forever, so that only the latter are looked at.
    """
    keep = days * DAY_SECONDS or float("inf")
    _set_deadline(aws, context)
    turns = max(round(DAY_SECONDS / rate), 1)
    for arn, marks in cleaning.machines(aws).items():
        if not matches(arn.rpartition(":")[2], (_names() + SUFFIX,)):
            continue
        is_its_turn = days and sweep.turn_of(arn, turns) == int(now / rate) % turns
        if marks.deleting_since is None and not is_its_turn:
            continue
        _set_deadline(aws, context, MACHINE_SECONDS)
        try:
            yield cleaning.look(aws, arn, marks, now=now, keep=keep)
        except NotFoundError:
            continue
        except ThrottledError as error:
            logger.info("not looked at", extra={"stateMachine": arn, "reason": str(error)})
            if aws.pace.is_slow("list_executions"):
                # The machines found so far are deleted, if there is time; the next sweep continues.
                return
        except Exception as error:  # noqa: BLE001  one machine that cannot be read does not keep the others
            logger.warning("not looked at", extra={"stateMachine": arn, "reason": str(error)})


def _names() -> str:
    return os.environ.get("STATE_MACHINE_NAMES", "*")


def _keep_days() -> int:
    return whole(os.environ, "KEEP_DAYS", "KeepDays", 30)


def _set_deadline(aws: StepFunctions, context: "LambdaContext", most: float = float("inf")) -> None:
    aws.pace.set_deadline(min(_seconds_left(context) - RESERVE_SECONDS, most))


def _seconds_left(context: "LambdaContext") -> float:
    return context.get_remaining_time_in_millis() / 1_000


def _now() -> float:
    return time.time()


@cache
def _aws() -> StepFunctions:
    return StepFunctions()
