"""A recovery from beginning to end: read the failure, decide, ensure the machine, start."""

from dataclasses import replace

from gotostate import jsontext, machines, policy, resumption
from gotostate.errors import (
    GotoStateError,
    NotFailedError,
    NotFoundError,
    RefusedError,
    TransientError,
)
from gotostate.failure import Failure
from gotostate.memory import Memory
from gotostate.outcome import Outcome, Result
from gotostate.planning import Plan, planned
from gotostate.policy import Action, Decision
from gotostate.reading import governing_tags, read
from gotostate.report import SUCCEEDED, Report
from gotostate.resumption import ExecutionArn
from gotostate.settings import Settings, for_machine

_NOT_BOUND = (
    'the input {"resuming": true} could not be bound to this state and may go to another one; '
    "use gotostate resume, or name the state in the input"
)


def recover(memory: Memory, report: Report, settings: Settings) -> Outcome:
    """Do about one failed execution what policy says; idempotent for the same failure.

    Raises ArnError for an ARN that is no execution's, TransientError when AWS does not show the
    reported failure yet; errors of AWS that may pass (throttling, missing permissions) go through,
    so that the caller tries again or keeps the event.
    """
    arn = ExecutionArn.parse(report.execution)
    # Nothing but the tags is read of a machine that has not opted in.
    try:
        tags = {} if arn.is_map_run_child else governing_tags(memory, arn.machine_arn, report.stopped)
    except NotFoundError as error:
        return _settled(report.execution, Result.SKIPPED, Decision(Action.SKIP, "not-found", str(error)))
    allowed = policy.by_arn(arn) or policy.opt_in(tags, settings)
    if allowed.action is Action.SKIP:
        return _settled(report.execution, Result.SKIPPED, allowed)
    settings = for_machine(tags, settings)
    return _recovered(memory, report) if report.status == SUCCEEDED else _failed(memory, report, allowed, settings)


def _failed(memory: Memory, report: Report, allowed: Decision, settings: Settings) -> Outcome:
    try:
        failure = read(memory, report, settings)
    except GotoStateError as error:
        return _unread(memory, report, error)
    return _dealt_with(memory, failure, allowed, settings)


def _dealt_with(
    memory: Memory, failure: Failure, allowed: Decision, settings: Settings, whole: str | None = None
) -> Outcome:
    plan = planned(failure, allowed, settings, whole=whole)
    try:
        return carry_out(memory, plan, settings)
    except GotoStateError as error:
        if isinstance(error, RefusedError) and plan.record:
            # What runs again is more now, so it is decided anew.
            return _dealt_with(memory, failure, allowed, settings, whole=str(error))
        return _told(plan, Result.GAVE_UP, Decision(Action.GIVE_UP, "refused", str(error)), settings)


def _recovered(memory: Memory, report: Report) -> Outcome:
    """Tell that a resumed execution succeeded, and how long that took since the original one failed."""
    arn = ExecutionArn.parse(report.execution)
    given = report.input if report.input is not None else memory.aws.execution(report.execution).input
    chain = resumption.chain_of(report.execution, given, resumed=arn.machine_name.endswith(resumption.SUFFIX))
    if not chain.attempt:
        decision = Decision(Action.SKIP, "not-a-resume", "it succeeded, and it resumed no failure")
        return _settled(report.execution, Result.SKIPPED, decision)
    try:
        failed_at = memory.aws.execution(chain.original).stopped
    except NotFoundError:
        failed_at = None
    seconds = None if failed_at is None or report.stopped is None else round(report.stopped - failed_at)
    took = "" if seconds is None else f", {seconds} s after the original failure"
    reason = f"attempt {chain.attempt} succeeded{took}"
    return Outcome(
        Result.RECOVERED,
        "recovered",
        reason,
        report.execution,
        machine=arn.machine_arn,
        resumed=report.execution,
        attempt=chain.attempt,
        original=chain.original,
        source=ExecutionArn.parse(chain.original).machine_arn,
        status=SUCCEEDED,
        failed_at=failed_at,
        seconds=seconds,
    )


def _unread(memory: Memory, report: Report, error: GotoStateError) -> Outcome:
    """Tell what comes of a failure that was not read. Raises TransientError where a read may be behind."""
    if isinstance(error, NotFoundError) and memory.is_recent(report):
        raise TransientError(f"AWS does not show what has just failed: {error}; try again in a minute") from error
    for kind, rule in ((NotFoundError, "not-found"), (NotFailedError, "not-failed")):
        if isinstance(error, kind):
            return _settled(report.execution, Result.SKIPPED, Decision(Action.SKIP, rule, str(error)))
    return _settled(report.execution, Result.GAVE_UP, Decision(Action.GIVE_UP, "unreadable", str(error)))


def carry_out(memory: Memory, plan: Plan, settings: Settings) -> Outcome:
    """Do what a plan says and tell its outcome."""
    decision, failure = plan.decision, plan.failure
    if decision.action is Action.SKIP:
        return _told(plan, Result.SKIPPED, decision, settings)
    if decision.action is Action.GIVE_UP:
        return _told(plan, Result.GAVE_UP, decision, settings)
    if plan.state is None:
        return _told(plan, Result.PREPARED, decision, settings)
    if decision.action is Action.PREPARE:
        # The input first: one that is too large must leave nothing half prepared.
        plan.resume_input()
        if not machines.prepare(memory, failure, plan.state):
            decision = replace(decision, reason=f"{decision.reason}; {_NOT_BOUND}")
        return replace(_told(plan, Result.PREPARED, decision, settings), machine=failure.machine_arn)
    started = start(memory, plan)
    outcome = _told(plan, Result.RESUMED if started else Result.ALREADY_RESUMED, decision, settings)
    outcome = replace(outcome, machine=failure.machine_arn, resumed=failure.resumed_arn, attempt=failure.attempt)
    if started:
        return replace(outcome, delay_seconds=plan.delay_seconds)
    return replace(
        outcome, rule="already-resumed", reason=f"the same failure was resumed before, by {failure.resumed_arn}"
    )


def not_bound(plan: Plan) -> TransientError:
    """Say that a machine was built, and that `true` does not go to the failed state."""
    return TransientError(f"{plan.failure.machine_arn} was built, but {_NOT_BOUND}; or try again")


def start(memory: Memory, plan: Plan) -> bool:
    """Start the execution that a plan describes; False when it was started before.

    Raises RefusedError where AWS does not take the definition, above all one with an opened Parallel or Map,
    ForeignMachineError, and TransientError when the machine vanishes again and again.
    """
    # The input first: one that is too large must leave nothing half prepared.
    failure, input_text = plan.failure, plan.resume_input()
    for _ in range(2):
        version = machines.ensure(memory, failure, plan.opened)
        try:
            started = memory.aws.start(version, failure.resumed_name, input_text)
        except NotFoundError:
            # The version, or the whole machine, was deleted since it was found.
            memory.is_gone(machines.source_for(failure), plan.opened, version)
            continue
        return memory.first_start(failure.resumed_arn) and started
    raise TransientError(f"{failure.machine_arn} was deleted meanwhile; try again")


def _told(plan: Plan, result: Result, decision: Decision, settings: Settings) -> Outcome:
    failure, ending = plan.failure, plan.failure.point.ending
    outcome = _settled(failure.arn.text, result, decision)
    return replace(
        outcome,
        reason="; ".join((outcome.reason, *settings.problems)),
        state=plan.state,
        max_attempts=settings.max_attempts,
        inside=plan.inside,
        original=failure.chain.original,
        source=failure.source_arn,
        status=ending.status,
        error=ending.error,
        cause=ending.cause,
        failed_at=ending.stopped,
        input_bytes=None if plan.input is None else jsontext.size(plan.input),
        calls=tuple(map(str, plan.calls)),
    )


def _settled(execution: str, result: Result, decision: Decision) -> Outcome:
    return Outcome(result, decision.rule, decision.reason, execution, next=_next(execution, result, decision))


def _next(execution: str, result: Result, decision: Decision) -> str | None:
    look, resume = f"gotostate plan {execution}", f"gotostate resume {execution}"
    if decision.next:
        return decision.next
    if result is Result.PREPARED:
        return look if decision.rule == "finished" else f"{look}; {resume}"
    if result is Result.GAVE_UP:
        return resume if decision.rule == "max-attempts" else look
    if decision.rule in ("not-opted-in", "aborted"):
        return resume
    return None
