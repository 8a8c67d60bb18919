"""A recovery from beginning to end: read the failure, decide, ensure the machine, start.

The Lambda and the command both call what stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gotostate import history, machines, nesting, policy, resumption
from gotostate.definition import Definition
from gotostate.errors import (
    DefinitionError,
    GotoStateError,
    NotFailedError,
    NotFoundError,
    NothingToResumeError,
    StillRunningError,
    TransientError,
)
from gotostate.failure import EarlierResume, Failure
from gotostate.history import FailurePoint
from gotostate.memory import Memory
from gotostate.nesting import Parent, Pattern
from gotostate.pace import error_code
from gotostate.policy import Action, Decision, Settings
from gotostate.report import Report
from gotostate.resumption import ExecutionArn
from gotostate.stepfunctions import Execution, is_denied
from gotostate.visits import Reported

_NOT_BOUND = (
    'the input {"resuming": true} could not be bound to this state and may go to another one; '
    "use gotostate resume, or name the state in the input"
)
FAILED = ("FAILED", "TIMED_OUT", "ABORTED")


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


@dataclass(frozen=True)
class Plan:
    """What is to be done about a failure; the Lambda and the command carry out the same.

    state: the state to enter; None where nothing can be entered. input, variables: its JSON texts.
    """

    failure: Failure
    decision: Decision
    state: str | None
    input: str | None
    variables: Mapping[str, str]
    delay_seconds: int = 0

    def resume_input(self) -> str:
        """Write the input of the resumed execution. Raises NothingToResumeError and InputError (too large)."""
        failure = self.failure
        if self.state is None or self.input is None:
            raise NothingToResumeError(failure.point.why)
        failure.source.require(self.state)
        return resumption.resume_input(
            state=self.state,
            state_input=self.input,
            variables=dict.fromkeys(failure.source.variable_names, "null") | dict(self.variables),
            execution=failure.chain.original,
            failed=failure.arn.text,
            attempt=failure.attempt,
            delay_seconds=self.delay_seconds,
            original_input=failure.chain.original_input if failure.source.reads_execution_input else None,
        )


def recover(memory: Memory, report: Report, settings: Settings) -> Outcome:
    """Do about one failed execution what policy says; idempotent for the same failure.

    Raises ArnError for an ARN that is no execution's, TransientError when AWS does not show the
    reported failure yet; errors of AWS that may pass (throttling, missing permissions) go through,
    so that the caller tries again or keeps the event.
    """
    arn = ExecutionArn.parse(report.execution)
    # Nothing but the tags is read of a machine that has not opted in.
    decision = policy.by_arn(arn) or _opt_in(memory, arn.machine_arn, settings, report.stopped)
    if decision.action is Action.SKIP:
        return _settled(report.execution, Result.SKIPPED, decision)
    try:
        failure = read(memory, report, settings)
    except GotoStateError as error:
        return _unread(memory, report, error)
    plan = planned(failure, policy.automatic(failure, decision, settings), settings)
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


def automatic_decision(memory: Memory, failure: Failure, settings: Settings) -> Decision:
    """Tell what automation does about a failure; changes nothing."""
    allowed = policy.by_arn(failure.arn) or _opt_in(memory, failure.arn.machine_arn, settings)
    return policy.automatic(failure, allowed, settings)


def planned(failure: Failure, decision: Decision, settings: Settings) -> Plan:
    """Make the plan that automation has for a failure."""
    point = failure.point
    delay = policy.delay_seconds(failure, settings) if decision.action is Action.RESUME else 0
    return Plan(failure, decision, point.resume_from, point.input, point.variables, delay)


def carry_out(memory: Memory, plan: Plan, settings: Settings) -> Outcome:
    """Do what a plan says and tell its outcome."""
    decision, failure = plan.decision, plan.failure
    if decision.action is Action.SKIP:
        return _told(plan, Result.SKIPPED, decision, settings)
    if decision.action is Action.GIVE_UP:
        return _told(plan, Result.GAVE_UP, decision, settings)
    if plan.state is None:
        return _told(plan, Result.PREPARED, decision, settings)
    # The input first: one that is too large must leave nothing half prepared.
    input_text = plan.resume_input()
    if decision.action is Action.PREPARE:
        if not machines.prepare(memory, failure, plan.state):
            decision = replace(decision, reason=f"{decision.reason}; {_NOT_BOUND}")
        return replace(_told(plan, Result.PREPARED, decision, settings), machine=failure.machine_arn)
    started = start(memory, failure, input_text)
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


def start(memory: Memory, failure: Failure, input_text: str) -> bool:
    """Start the execution that resumes a failure; False when it was started before.

    Raises ForeignMachineError, and TransientError when the machine vanishes again and again.
    """
    for _ in range(2):
        version = machines.ensure(memory, failure)
        try:
            started = memory.aws.start(version, failure.resumed_name, input_text)
        except NotFoundError:
            # The version, or the whole machine, was deleted since it was found.
            memory.is_gone(machines.source_for(failure), version)
            continue
        return memory.first_start(failure.resumed_arn) and started
    raise TransientError(f"{failure.machine_arn} was deleted meanwhile; try again")


def read(memory: Memory, report: Report, settings: Settings) -> Failure:
    """Read all that is known of a failed execution; changes nothing.

    Raises TransientError when AWS does not show the reported failure yet, NotFoundError, NotFailedError,
    HistoryError and DefinitionError.
    """
    report = _completed(memory, report)
    failure = _read_alone(memory, report)
    return replace(
        failure,
        parent=_parent_of(memory, failure, str(report.input), settings),
        earlier=_earlier(memory, failure),
        original=_original_that_went_on(memory, failure, report.started),
    )


def _read_alone(memory: Memory, report: Report) -> Failure:
    """Read a failed execution without those that it is related to."""
    arn = ExecutionArn.parse(report.execution)
    assert report.input is not None
    assert report.redrives is not None
    reported = Reported(report.redrives, report.stopped)
    ran = memory.machine_that_ran(report)
    try:
        point = _located(memory, arn, ran.definition, reported)
    except DefinitionError:
        # Not the definition that ran after all: the rule by which it was kept did not hold.
        memory.forget_machine(report)
        ran = memory.aws.revision_of(arn.text).machine
        point = _located(memory, arn, ran.definition, reported)
    tags = _tags_if_any(memory, arn.machine_arn)
    resumed = ran.definition.is_gotostate
    chain = resumption.chain_of(arn.text, report.input, resumed=resumed)
    source_arn = arn.machine_arn
    if resumed:
        source_arn = resumption.source_of(tags, arn.machine_arn) or ExecutionArn.parse(chain.original).machine_arn
    return Failure(arn, ran, memory.source_of(ran.definition), source_arn, tags, chain, point)


def newest_of_chain(memory: Memory, failure: Failure) -> Execution | None:
    """Follow the resumes of a failure to the newest one; None if it was never resumed."""
    newest = None
    while True:
        try:
            newest = memory.aws.execution(failure.resumed_arn)
        except NotFoundError:
            return newest
        if newest.status not in FAILED:
            return newest
        failure = _read_alone(memory, _completed(memory, Report(newest.arn)))


def _completed(memory: Memory, report: Report) -> Report:
    """Add what the report does not say. Raises TransientError when AWS does not show the failure yet."""
    if report.input is not None and report.redrives is not None:
        return report
    execution = memory.aws.execution(report.execution)
    redrives = report.redrives or 0
    redriven_since = execution.redrive_count > redrives and not (
        execution.redriven and report.stopped and execution.redriven < report.stopped
    )
    is_behind = execution.redrive_count < redrives or (execution.status == "RUNNING" and not redriven_since)
    if report.is_event and is_behind:
        raise TransientError(f"DescribeExecution does not show the failure of {report.execution} yet; try again")
    if execution.status not in FAILED:
        raise NotFailedError(
            f"the execution is {execution.status}; only one that has failed, timed out or was aborted can be resumed"
        )
    return replace(
        report,
        input=execution.input,
        redrives=execution.redrive_count,
        started=execution.started,
        stopped=report.stopped or execution.stopped,
        version=execution.version,
        on_plain_arn=execution.on_plain_arn,
    )


def _located(memory: Memory, arn: ExecutionArn, definition: Definition, reported: Reported) -> FailurePoint:
    try:
        return history.locate(memory.aws.events(arn.text), definition, reported=reported)
    except StillRunningError as error:
        raise TransientError(f"the history of {arn.text} does not show its end yet; try again in a minute") from error


def _opt_in(memory: Memory, machine_arn: str, settings: Settings, failed_at: float | None = None) -> Decision:
    """Decide by the machine's tags; of a GoToState machine the source's count, as people change those."""
    # A GoToState machine whose source has no tag has none itself, and is still its source's.
    is_built = machine_arn.endswith(resumption.SUFFIX)
    try:
        tags = memory.tags(machine_arn, failed_at=None if is_built else failed_at)
    except NotFoundError as error:
        return Decision(Action.SKIP, "not-found", str(error))
    own = policy.opt_in(tags, settings)
    source_arn = resumption.source_of(tags, machine_arn)
    if source_arn is None or own.rule == "off":
        return own
    try:
        return policy.opt_in(memory.tags(source_arn), settings)
    except NotFoundError:
        # A source that was deleted can say nothing any more: the copy of its tag does.
        return own


def _tags_if_any(memory: Memory, machine_arn: str) -> Mapping[str, str]:
    try:
        return memory.tags(machine_arn)
    except NotFoundError:
        return {}


def _parent_of(memory: Memory, failure: Failure, execution_input: str, settings: Settings) -> Parent | None:
    """Tell how a nested execution was started; None for one that is not nested.

    The parent's definition tells, as a rule; its history is read only if the definition is ambiguous.
    """
    parent_arn = nesting.parent_of(execution_input)
    if parent_arn is None:
        return None
    if nesting.is_express(parent_arn):
        return Parent(parent_arn, Pattern.FIRE_AND_FORGET)
    try:
        arn = ExecutionArn.parse(parent_arn)
        definition = memory.aws.revision_of(parent_arn).machine.definition
        patterns = nesting.patterns_in(definition, failure.source_arn)
        if len(patterns) == 1:
            pattern = patterns.pop()
        else:
            pattern = nesting.pattern_in(memory.aws.events(parent_arn), failure.chain.original)
        recovers = pattern is Pattern.SYNC and _opt_in(memory, arn.machine_arn, settings).action is not Action.SKIP
        return Parent(parent_arn, pattern, recovers)
    except GotoStateError:
        return Parent(parent_arn, Pattern.UNKNOWN)
    except Exception as error:
        # The parent may be another team's; its ARN comes from the input.
        if is_denied(error) or error_code(error) == "ValidationException":
            return Parent(parent_arn, Pattern.UNKNOWN)
        raise


def _earlier(memory: Memory, failure: Failure) -> tuple[EarlierResume, ...]:
    """Find out how the resumes went that earlier ends of a redriven execution had."""
    found = []
    for ending_id in failure.point.ending.earlier:
        ending = replace(failure.point.ending, id=ending_id, earlier=())
        earlier = replace(failure, point=replace(failure.point, ending=ending))
        if newest := newest_of_chain(memory, earlier):
            chain = resumption.chain_of(newest.arn, newest.input, resumed=True)
            found.append(EarlierResume(newest.arn, newest.status, chain.attempt))
    return tuple(found)


def _original_that_went_on(memory: Memory, failure: Failure, started: float | None) -> str | None:
    """Tell the status of the original execution if it was redriven after this resume of it had begun."""
    if not failure.chain.attempt:
        return None
    try:
        original = memory.aws.execution(failure.chain.original)
    except NotFoundError:
        return None
    redriven_since = original.redriven and started and original.redriven > started
    return original.status if original.status not in FAILED or redriven_since else None


def _told(plan: Plan, result: Result, decision: Decision, settings: Settings) -> Outcome:
    outcome = _settled(plan.failure.arn.text, result, decision)
    return replace(outcome, state=plan.state, max_attempts=settings.max_attempts)


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
