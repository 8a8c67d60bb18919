"""The status of one failure: where it failed, what became of it, what automation decides, and what to type."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from gotostate import history, jsontext, policy, reading, recovery, resumption
from gotostate.awserrors import error_code, is_denied
from gotostate.chains import Link, Listed
from gotostate.definition import Definition
from gotostate.errors import GotoStateError, NotFailedError, NotFoundError, ThrottledError, TransientError
from gotostate.events import HistoryEvent
from gotostate.memory import Memory
from gotostate.nextsteps import command, first_step
from gotostate.policy import Action, Decision
from gotostate.report import Report
from gotostate.resumption import ExecutionArn
from gotostate.rows import Row, Status
from gotostate.settings import Settings, for_machine
from gotostate.visits import Reader


def told_of(listed: Listed) -> Link:
    """Return the execution of a chain whose state and error its row gives."""
    return listed.newest_failed or listed.chain[0]


def look(memory: Memory, listed: Listed, settings: Settings, *, now: float) -> Row:
    """Find out where an execution failed and its status: two or three calls, one more for each kind of definition.

    A failure that cannot be read is a row all the same, with the reason. Raises ThrottledError.
    """
    # As the listing has it, so that a failure is found again by the time that its row gives.
    failed_at = listed.failed_at
    if listed.is_cut:
        listed = _with_original(memory, listed)
        failed_at = listed.failed_at if listed.is_rerun else failed_at
    newest = listed.newest
    own = _own_settings(memory, newest.execution if newest.has_failed else listed.original, settings)
    row = Row(
        machine=listed.machine,
        original=listed.original,
        newest=newest.execution,
        chain=listed.chain,
        failed_at=failed_at,
        status=Status.RECOVERED if listed.is_resolved else Status.RUNNING,
        state=None,
        error=None,
        reason=None,
        attempt=newest.attempt + newest.redrives,
        max_attempts=own.max_attempts,
        until=None,
        calls=(),
        next=None,
    )
    if newest.has_failed:
        return _with_decision(memory, row, own)
    row = _with_failure(memory, row, told_of(listed))
    return row if listed.is_resolved or not newest.attempt else _with_wait(memory, row, now)


def _with_original(memory: Memory, listed: Listed) -> Listed:
    """Add the original that no listing held: a redrive made it succeed, or somebody gave the resume another name."""
    original, first = listed.original, listed.chain[0].execution
    try:
        if original == first:
            original = resumption.chain_of(first, memory.aws.execution(first).input, resumed=True).original
        if original == first:
            return listed
        return listed.with_original(Link.of(memory.aws.execution(original), 0))
    except (GotoStateError, ValueError):
        return replace(listed, original=original)
    except Exception as error:
        # A person may have written any ARN into an input.
        if is_denied(error) or error_code(error) == "ValidationException":
            return replace(listed, original=original)
        raise


def _own_settings(memory: Memory, execution: str, settings: Settings) -> Settings:
    try:
        return for_machine(reading.governing_tags(memory, ExecutionArn.parse(execution).machine_arn), settings)
    except NotFoundError:
        return settings


def _with_decision(memory: Memory, row: Row, settings: Settings) -> Row:
    """Add automation's decision, as `gotostate plan` shows it, to the row of a failed execution."""
    arn = ExecutionArn.parse(row.newest)
    look_first = command("plan", arn.text, settings.command_options)
    try:
        allowed = policy.by_arn(arn) or reading.opted_in(memory, arn.machine_arn, settings)
        plan = recovery.planned(memory, reading.read(memory, Report(arn.text), settings), allowed, settings)
    except NotFailedError as error:
        # It was redriven since it was listed.
        return replace(row, status=Status.RUNNING, reason=str(error))
    except GotoStateError as error:
        return replace(row, status=Status.GAVE_UP, reason=str(error), next=look_first)
    except ThrottledError:
        raise
    except Exception as error:
        if isinstance(error, TransientError) or is_denied(error):
            return replace(row, status=Status.OPEN, reason=str(error), next=look_first)
        raise
    failure, status = plan.failure, _status(plan.decision)
    return replace(
        row,
        status=status,
        state=failure.failed_in,
        error=failure.point.ending.error,
        reason=plan.decision.reason,
        calls=tuple(map(str, plan.calls)),
        next=first_step(plan.decision, arn.text, settings.command_options, is_enterable=plan.state is not None),
    )


def _status(decision: Decision) -> Status:
    """Return the status of a failure that has not been resumed or redriven; it is open if automation is yet to act."""
    if decision.rule == "left-to-parent":
        return Status.LEFT_TO_PARENT
    if decision.rule == "aborted":
        return Status.OPEN
    by_action = {Action.PREPARE: Status.PREPARED, Action.GIVE_UP: Status.GAVE_UP, Action.SKIP: Status.OFF}
    return by_action.get(decision.action, Status.OPEN)


def _with_failure(memory: Memory, row: Row, failed: Link) -> Row:
    """Add the state and error of a given execution to the row of a failure that runs again or has recovered."""
    report = Report(
        failed.execution,
        started=failed.started,
        stopped=failed.stopped,
        version=failed.version,
        on_plain_arn=failed.on_plain_arn,
    )
    try:
        definition = memory.machine_that_ran(report).definition
        state, error = _told(lambda: _events(memory, failed), definition)
    except GotoStateError:
        return row
    except Exception as problem:
        if is_denied(problem):
            return row
        raise
    return replace(row, state=state, error=error)


def _told(read: Callable[[], Iterator[HistoryEvent]], definition: Definition) -> tuple[str | None, str | None]:
    """Return the state in which an execution failed and its error; reads no further than that state's beginning."""
    reader = Reader(read(), definition)
    reader.read_ending(None)
    visit = next(reader, None)
    if visit and visit.name not in definition.router_states:
        return visit.name, reader.ending.error
    # It ended before its first own state: it was on its way to one.
    return history.locate(read(), definition).resume_from, reader.ending.error


def _events(memory: Memory, failed: Link) -> Iterator[HistoryEvent]:
    """Yield the events of a failed execution, newest first; if it was redriven, only those before the redrive."""
    events = memory.aws.events(failed.execution)
    if not failed.has_failed:
        for event in events:
            if event["type"] == "ExecutionRedriven":
                break
    return events


def _with_wait(memory: Memory, row: Row, now: float) -> Row:
    """Add the end of the wait before it enters its state to the row of a running resumed execution."""
    newest = next(link for link in row.chain if link.execution == row.newest)
    try:
        resuming = jsontext.parse(memory.aws.execution(newest.execution).input)["resuming"]
        delay = float(resuming["delaySeconds"])
    except (GotoStateError, KeyError, TypeError, ValueError):
        return row
    until = (newest.started or 0.0) + delay
    # Without a delay it is not waiting, even if this computer's clock is behind AWS's.
    return replace(row, status=Status.WAITING, until=until) if delay and until > now else row
