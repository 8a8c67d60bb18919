"""A recovery from beginning to end: read the failure, decide, ensure the machine, start."""

from dataclasses import replace

from gotostate import jsontext, machines, nextsteps, planning, policy, resumption
from gotostate.errors import (
    GotoStateError,
    NotFailedError,
    NotFoundError,
    NotRedrivableError,
    RedrivenError,
    RefusedError,
    TransientError,
)
from gotostate.events import SUCCEEDED
from gotostate.events import seconds as seconds_of
from gotostate.failure import Failure
from gotostate.memory import Memory
from gotostate.outcome import Outcome, Result
from gotostate.planning import Plan
from gotostate.policy import Action, Decision
from gotostate.reading import governing_tags, newest_of_chain, read, redrive_of
from gotostate.report import Report
from gotostate.resumption import Asked, ExecutionArn
from gotostate.settings import Settings, for_machine

_NOT_BOUND = (
    'the input {"resuming": true} could not be bound to this state and may go to another one; '
    "use gotostate resume, or name the state in the input"
)


def recover(memory: Memory, report: Report, settings: Settings) -> Outcome:
    """Recover one failed execution as the policy decides; idempotent for the same failure.

    Raises ArnError for an ARN that is not an execution's, TransientError when AWS does not show the
    reported failure yet. Errors of AWS that may pass (throttling, missing permissions) are passed on,
    so that the caller tries again or keeps the event.
    """
    arn = ExecutionArn.parse(report.execution)
    # Nothing but the tags is read of a machine that has not opted in.
    try:
        tags = {} if arn.is_map_run_child else governing_tags(memory, arn.machine_arn, report.stopped)
    except NotFoundError as error:
        return _settled(report.execution, Result.SKIPPED, Decision(Action.SKIP, "not-found", str(error)), settings)
    allowed = policy.by_arn(arn) or policy.opt_in(tags, settings)
    if allowed.action is Action.SKIP:
        return _settled(report.execution, Result.SKIPPED, allowed, settings)
    settings = for_machine(tags, settings)
    if report.status == SUCCEEDED:
        return _recovered(memory, report, settings)
    return _failed(memory, report, allowed, settings)


def planned(
    memory: Memory,
    failure: Failure,
    allowed: Decision,
    settings: Settings,
    *,
    whole: str | None = None,
    asked: Asked | None = None,
) -> Plan:
    """Make the plan for a failure; where it is to be redriven, ask AWS whether it can be.

    Raises NotFoundError, and NotFailedError when somebody has redriven it by now.
    """
    plan = planning.planned(failure, allowed, settings, whole=whole, asked=asked)
    is_open = plan.decision.action not in (Action.SKIP, Action.GIVE_UP)
    if is_open and failure.redrive is None and policy.wants_redrive(failure, settings, plan.no_room):
        failure = replace(failure, redrive=redrive_of(memory, failure))
        plan = planning.planned(failure, allowed, settings, whole=whole, asked=asked)
    return plan


def _failed(memory: Memory, report: Report, allowed: Decision, settings: Settings) -> Outcome:
    try:
        failure = read(memory, report, settings)
    except GotoStateError as error:
        return _unread(memory, report, error, settings)
    # A redrive that waited, or a person's request, is for one failure; a later one is processed by its own event.
    is_of_one = not report.is_event and report.redrives is not None
    if is_of_one and failure.redrives != report.redrives:
        decision = Decision(Action.SKIP, "already-redriven", "it was redriven meanwhile, and failed again")
        return _settled(report.execution, Result.SKIPPED, decision, settings)
    return _dealt_with(memory, failure, allowed, settings, report)


def _dealt_with(
    memory: Memory, failure: Failure, allowed: Decision, settings: Settings, report: Report, whole: str | None = None
) -> Outcome:
    try:
        plan = planned(memory, failure, allowed, settings, whole=whole, asked=report.asked)
    except (NotFoundError, NotFailedError) as error:
        return _unread(memory, report, error, settings)
    if report.is_due or report.asked:
        plan = replace(plan, delay_seconds=0)
    try:
        return carry_out(memory, plan, settings)
    except NotRedrivableError as error:
        try:
            redrive = redrive_of(memory, failure)
        except (NotFoundError, NotFailedError) as gone:
            return _unread(memory, report, gone, settings)
        if redrive.why_not is None:
            raise TransientError(f"AWS refuses a redrive that it calls possible ({error}); try again") from error
        failure = replace(failure, redrive=redrive)
    except RefusedError as error:
        if not plan.record:
            return _refused(plan, error, settings)
        whole = str(error)
    except GotoStateError as error:
        return _refused(plan, error, settings)
    # Now more runs again, or another means is used, so the decision is made again.
    return _dealt_with(memory, failure, allowed, settings, report, whole)


def _refused(plan: Plan, error: GotoStateError, settings: Settings) -> Outcome:
    return _told(plan, Result.GAVE_UP, Decision(Action.GIVE_UP, "refused", str(error)), settings)


def _recovered(memory: Memory, report: Report, settings: Settings) -> Outcome:
    """Tell that a resumed or redriven execution succeeded, and how long that took since the original one failed."""
    arn = ExecutionArn.parse(report.execution)
    given = report.input if report.input is not None else memory.aws.execution(report.execution).input
    chain = resumption.chain_of(report.execution, given, resumed=arn.machine_name.endswith(resumption.SUFFIX))
    redrives = report.redrives or 0
    attempt = chain.attempt + chain.redrives + redrives
    if not attempt or chain.is_rerun:
        decision = Decision(Action.SKIP, "not-a-resume", "it succeeded, and it resumed no failure")
        return _settled(report.execution, Result.SKIPPED, decision, settings)
    failed_at = _first_failed_at(memory, chain.original, redrives)
    took = None if failed_at is None or report.stopped is None else round(report.stopped - failed_at)
    seconds = took if took is not None and took >= 0 else None
    after = "" if seconds is None else f", {seconds} s after the original failure"
    reason = f"attempt {attempt} succeeded{after}"
    return Outcome(
        Result.RECOVERED,
        "recovered",
        reason,
        report.execution,
        machine=arn.machine_arn,
        resumed=report.execution,
        attempt=attempt,
        original=chain.original,
        source=ExecutionArn.parse(chain.original).machine_arn,
        status=SUCCEEDED,
        failed_at=failed_at,
        seconds=seconds,
        asked=chain.asked,
    )


def _first_failed_at(memory: Memory, original: str, redrives: int) -> float | None:
    """Tell when an execution failed first, in seconds since the epoch; None where AWS does not say (any more).

    redrives: how often it was redriven, where that is known.
    """
    try:
        if not redrives:
            execution = memory.aws.execution(original)
            if not execution.redrive_count:
                return execution.stopped
            redrives = execution.redrive_count
        for event in memory.aws.events(original):
            if event["type"] == "ExecutionRedriven":
                redrives -= 1
            elif not redrives:
                return seconds_of(event.get("timestamp"))
    except NotFoundError:
        pass
    return None


def _unread(memory: Memory, report: Report, error: GotoStateError, settings: Settings) -> Outcome:
    """Return the outcome for a failure that could not be read. Raises TransientError where a read may be behind."""
    if isinstance(error, NotFoundError) and (memory.is_recent(report) or report.is_due):
        raise TransientError(f"AWS does not show what has just failed: {error}; try again in a minute") from error
    rules = ((NotFoundError, "not-found"), (RedrivenError, "already-redriven"), (NotFailedError, "not-failed"))
    for kind, rule in rules:
        if isinstance(error, kind):
            return _settled(report.execution, Result.SKIPPED, Decision(Action.SKIP, rule, str(error)), settings)
    return _settled(report.execution, Result.GAVE_UP, Decision(Action.GIVE_UP, "unreadable", str(error)), settings)


def carry_out(memory: Memory, plan: Plan, settings: Settings) -> Outcome:
    """Carry out a plan and return the outcome."""
    decision = plan.decision
    match decision.action:
        case Action.SKIP:
            return _told(plan, Result.SKIPPED, decision, settings)
        case Action.GIVE_UP:
            return _told(plan, Result.GAVE_UP, decision, settings)
        case Action.PREPARE:
            return _prepared(memory, plan, settings)
        case Action.REDRIVE:
            return _redriven(memory, plan, settings)
        case Action.RESUME:
            return _resumed(memory, plan, settings)


def _prepared(memory: Memory, plan: Plan, settings: Settings) -> Outcome:
    decision, failure = plan.decision, plan.failure
    # An input that is too large must leave nothing half prepared.
    if plan.state is None or plan.no_room:
        return _told(plan, Result.PREPARED, decision, settings)
    if not machines.prepare(memory, failure, plan.state):
        decision = replace(decision, reason=f"{decision.reason}; {_NOT_BOUND}")
    return replace(_told(plan, Result.PREPARED, decision, settings), machine=failure.machine_arn)


def _resumed(memory: Memory, plan: Plan, settings: Settings) -> Outcome:
    decision, failure = plan.decision, plan.failure
    started = start(memory, plan)
    outcome = _told(plan, Result.RESUMED if started else Result.ALREADY_RESUMED, decision, settings)
    outcome = replace(outcome, machine=failure.machine_arn, resumed=failure.resumed_arn, attempt=failure.attempt)
    if started:
        return replace(outcome, delay_seconds=plan.delay_seconds)
    return replace(
        outcome, rule="already-resumed", reason=f"the same failure was resumed before, by {failure.resumed_arn}"
    )


def _redriven(memory: Memory, plan: Plan, settings: Settings) -> Outcome:
    failure = plan.failure
    # An earlier resume does the rest of the work.
    if newest := newest_of_chain(memory, failure):
        reason = f"the same failure was resumed before; the newest execution of its chain is {newest.arn}"
        decision = Decision(Action.SKIP, "already-resumed", reason)
        return replace(_told(plan, Result.ALREADY_RESUMED, decision, settings), resumed=newest.arn)
    attempt, delay = failure.tries + 1, plan.delay_seconds
    if delay:
        reason = f"{plan.decision.reason}; it waits {delay} s in the queue"
        waiting = _told(plan, Result.WAITING, replace(plan.decision, reason=reason), settings)
        return replace(waiting, attempt=attempt, delay_seconds=delay, redrives=failure.redrives)
    redrive(memory, failure)
    return replace(_told(plan, Result.REDRIVEN, plan.decision, settings), attempt=attempt)


def redrive(memory: Memory, failure: Failure) -> None:
    """Continue a failed execution with AWS's native redrive; idempotent for the same failure.

    Raises NotRedrivableError, NotFoundError.
    """
    token = resumption.redrive_token(failure.arn.text, failure.point.ending.id)
    memory.aws.redrive(failure.arn.text, token)


def not_bound(plan: Plan) -> TransientError:
    """Return the error that a machine was built, but `true` does not go to the failed state."""
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
    outcome = _settled(failure.arn.text, result, decision, settings)
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
        asked=plan.asked or failure.chain.asked,
    )


def _settled(execution: str, result: Result, decision: Decision, settings: Settings) -> Outcome:
    waits = result in (Result.PREPARED, Result.GAVE_UP, Result.SKIPPED)
    following = nextsteps.steps(decision, execution, settings.command_options) if waits else ()
    return Outcome(result, decision.rule, decision.reason, execution, next="; ".join(following) or None)
