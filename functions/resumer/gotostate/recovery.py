"""A recovery from beginning to end: read the failure, decide, ensure the machine, start."""

from dataclasses import dataclass, replace
from enum import StrEnum

from gotostate import machines, policy
from gotostate.errors import (
    DefinitionError,
    GotoStateError,
    NotFailedError,
    NotFoundError,
    RefusedError,
    TransientError,
)
from gotostate.memory import Memory
from gotostate.planning import Plan, planned
from gotostate.policy import Action, Decision
from gotostate.reading import governing_tags, read
from gotostate.report import Report
from gotostate.resumption import ExecutionArn
from gotostate.settings import Settings, for_machine

_NOT_BOUND = (
    'the input {"resuming": true} could not be bound to this state and may go to another one; '
    "use gotostate resume, or name the state in the input"
)


class Result(StrEnum):
    """How one failure was dealt with."""

    RESUMED = "resumed"
    PREPARED = "prepared"
    SKIPPED = "skipped"
    ALREADY_RESUMED = "already resumed"
    GAVE_UP = "gave up"


@dataclass(frozen=True)
class Outcome:
    """What was done about one failed execution, and why.

    rule: a stable code of the reason. state: the state to resume from; None where there is none.
    machine: ARN of the GoToState machine; resumed: ARN of the resumed execution; None if there is none.
    attempt: its number in the chain, of so many; delay_seconds: how long it waits before it enters the state.
    next: what to type; None where there is nothing to do.
    inside: of a Parallel or Map, what need not run again, or why all of it does; None of other states.
    """

    outcome: Result
    rule: str
    reason: str
    execution: str
    state: str | None = None
    machine: str | None = None
    resumed: str | None = None
    attempt: int | None = None
    max_attempts: int | None = None
    delay_seconds: int | None = None
    next: str | None = None
    inside: str | None = None


def recover(memory: Memory, report: Report, settings: Settings) -> Outcome:
    """Do about one failed execution what policy says; idempotent for the same failure.

    Raises ArnError for an ARN that is no execution's, TransientError when AWS does not show the
    reported failure yet; errors of AWS that may pass (throttling, missing permissions) go through,
    so that the caller tries again or keeps the event.
    """
    arn = ExecutionArn.parse(report.execution)
    if decision := policy.by_arn(arn):
        return _settled(report.execution, Result.SKIPPED, decision)
    # Nothing but the tags is read of a machine that has not opted in.
    try:
        tags = governing_tags(memory, arn.machine_arn, report.stopped)
    except NotFoundError as error:
        return _settled(report.execution, Result.SKIPPED, Decision(Action.SKIP, "not-found", str(error)))
    allowed = policy.opt_in(tags, settings)
    if allowed.action is Action.SKIP:
        return _settled(report.execution, Result.SKIPPED, allowed)
    settings = for_machine(tags, settings)
    try:
        failure = read(memory, report, settings)
    except GotoStateError as error:
        return _unread(memory, report, error)
    plan = planned(failure, allowed, settings)
    try:
        return carry_out(memory, plan, settings)
    except GotoStateError as error:
        refused = Decision(Action.GIVE_UP, "refused", str(error))
        return _told(plan, Result.GAVE_UP, refused, settings)


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
    plan, started = start(memory, plan)
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


def start(memory: Memory, plan: Plan) -> tuple[Plan, bool]:
    """Start the execution that a plan describes; return the plan as it was carried out, and whether this started it.

    Where AWS does not take the opened Parallel or Map, the whole of it runs again. False: it was started before.
    Raises ForeignMachineError, and TransientError when the machine vanishes again and again.
    """
    if plan.record:
        try:
            return plan, _start(memory, plan)
        except (RefusedError, DefinitionError) as error:
            plan = plan.as_whole(f"its opened definition is refused: {error}")
    return plan, _start(memory, plan)


def _start(memory: Memory, plan: Plan) -> bool:
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
    outcome = _settled(plan.failure.arn.text, result, decision)
    return replace(outcome, state=plan.state, max_attempts=settings.max_attempts, inside=plan.inside)


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
