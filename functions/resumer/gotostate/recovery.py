"""A recovery from beginning to end: read the failure, decide, ensure the machine, start.

The Lambda and the command both call what stands here; it calls AWS through stepfunctions.py alone.
"""

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gotostate import history, nesting, policy, resumption, router
from gotostate.definition import Definition
from gotostate.errors import (
    ForeignMachineError,
    GotoStateError,
    NotFailedError,
    NotFoundError,
    TransientError,
)
from gotostate.history import FailurePoint
from gotostate.nesting import Parent, Pattern
from gotostate.policy import Action, Settings
from gotostate.resumption import SOURCE_TAG, Chain, ExecutionArn
from gotostate.stepfunctions import Execution, Machine, StepFunctions, is_denied

FAILED = ("FAILED", "TIMED_OUT", "ABORTED")

# Versions that are looked through for one that serves a definition before the machine is updated.
_VERSIONS_READ = 5
# Times that a machine is read anew when somebody else changed it meanwhile.
_TRIES = 4
_PAUSE_SECONDS = 0.5

_log = logging.getLogger(__name__)


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

    state: the state to resume from; None where that was not found out or there is none.
    machine: ARN of the GoToState machine; resumed: ARN of the resumed execution; None if there is none.
    """

    result: Result
    reason: str
    execution: str
    state: str | None = None
    machine: str | None = None
    resumed: str | None = None
    attempt: int | None = None


@dataclass(frozen=True)
class Failure:
    """All that is known of a failed execution.

    ran: the machine as it ran, router and all if it was a GoToState machine.
    source: its definition without a router. source_arn: the machine that people wrote.
    """

    arn: ExecutionArn
    execution: Execution
    ran: Machine
    source: Definition
    source_arn: str
    tags: Mapping[str, str]
    chain: Chain
    point: FailurePoint

    @property
    def is_resumed(self) -> bool:
        """Tell whether the execution ran in a GoToState machine already."""
        return self.ran.definition.is_gotostate

    @property
    def machine_arn(self) -> str:
        """ARN that the GoToState machine has, or will have when it is built."""
        if self.is_resumed:
            return self.arn.machine_arn
        return f"{self.arn.prefix}:stateMachine:{resumption.machine_name(self.arn.machine_name)}"

    @property
    def attempt(self) -> int:
        """Number that the next resume has in the chain, 1 for the first."""
        return self.chain.attempt + 1

    @property
    def resumed_name(self) -> str:
        """Name of the execution that resumes this failure, the same whoever asks."""
        original = ExecutionArn.parse(self.chain.original).name
        return resumption.execution_name(original, self.arn.text, self.execution.redrive_count, self.attempt)

    @property
    def resumed_arn(self) -> str:
        """ARN of the execution that resumes this failure."""
        return f"{self.machine_arn.replace(':stateMachine:', ':execution:')}:{self.resumed_name}"


def recover(aws: StepFunctions, execution_arn: str, settings: Settings, *, reported_redrives: int = 0) -> Outcome:
    """Do about one failed execution what policy says; safe to repeat for the same failure.

    reported_redrives: the redriveCount of the failure that was reported.

    Raises ArnError for an ARN that is no execution's, TransientError when AWS does not show the
    reported failure yet; errors of AWS that may pass (throttling, missing permissions) go through,
    so that the caller tries again or keeps the event.
    """
    arn = ExecutionArn.parse(execution_arn)
    if settled := policy.by_arn(arn):
        return Outcome(Result.SKIPPED, settled.reason, execution_arn)
    try:
        tags = aws.tags(arn.machine_arn)
        allowed = policy.opt_in(_deciding_tags(aws, tags), settings)
        if allowed.action is Action.SKIP:
            return Outcome(Result.SKIPPED, allowed.reason, execution_arn)
        failure = read(aws, arn, tags, reported_redrives=reported_redrives)
    except GotoStateError as error:
        settled_since = isinstance(error, NotFoundError | NotFailedError)
        return Outcome(Result.SKIPPED if settled_since else Result.GAVE_UP, str(error), execution_arn)
    special = policy.by_parent(parent_of(aws, failure)) or policy.by_context(failure.source, failure.chain)
    decision = policy.by_failure(allowed, failure.point, failure.attempt, settings, special)
    seen = Outcome(Result.GAVE_UP, decision.reason, execution_arn, failure.point.resume_from, failure.machine_arn)
    if decision.action in (Action.SKIP, Action.GIVE_UP):
        return replace(seen, result=Result.SKIPPED if decision.action is Action.SKIP else Result.GAVE_UP, machine=None)
    try:
        return _carry_out(aws, failure, decision, seen)
    except GotoStateError as error:
        return replace(seen, reason=str(error))


def _carry_out(aws: StepFunctions, failure: Failure, decision: policy.Decision, seen: Outcome) -> Outcome:
    assert failure.point.resume_from is not None
    assert failure.point.input is not None
    # The input first: one that is too large must leave nothing half prepared.
    input_text = input_for(failure, failure.point.resume_from, failure.point.input, failure.point.variables)
    ensured = ensure_machine(aws, failure, failure.point.resume_from)
    if decision.action is Action.PREPARE:
        bind_true(aws, ensured)
        return replace(seen, result=Result.PREPARED)
    started = aws.start(ensured.version_arn, failure.resumed_name, input_text)
    bind_true(aws, ensured)
    return replace(
        seen,
        result=Result.RESUMED if started else Result.ALREADY_RESUMED,
        reason=decision.reason
        if started
        else "an execution of this name exists, as the same failure was resumed before",
        resumed=failure.resumed_arn,
        attempt=failure.attempt,
    )


def read(
    aws: StepFunctions,
    arn: ExecutionArn,
    tags: Mapping[str, str] | None = None,
    *,
    reported_redrives: int | None = None,
) -> Failure:
    """Read all that is known of a failed execution; changes nothing.

    tags: of its state machine, where the caller has them already.
    reported_redrives: the redriveCount of the failure that was reported, if one was. AWS's reads are
    eventually consistent, so right after the report they may not show it yet.
    Raises TransientError for that, NotFoundError, NotFailedError, HistoryError and DefinitionError.
    """
    execution = aws.execution(arn.text)
    if reported_redrives is not None and _is_stale(execution, reported_redrives):
        raise TransientError(f"DescribeExecution does not show the failure of {arn.text} yet; try again in a minute")
    if execution.status not in FAILED:
        raise NotFailedError(
            f"the execution is {execution.status}; only one that has failed, timed out or was aborted can be resumed"
        )
    if tags is None:
        tags = _tags_if_any(aws, arn.machine_arn)
    ran = aws.machine_of(arn.text)
    try:
        point = history.locate(aws.events(arn.text), ran.definition)
    except NotFailedError as error:
        raise TransientError(f"the history of {arn.text} does not show its end yet; try again in a minute") from error
    resumed = ran.definition.is_gotostate
    chain = resumption.chain_of(arn.text, execution.input, resumed=resumed)
    return Failure(
        arn=arn,
        execution=execution,
        ran=ran,
        source=router.remove_gotostate(ran.definition),
        source_arn=_source_arn(tags, chain) if resumed else arn.machine_arn,
        tags=tags,
        chain=chain,
        point=point,
    )


def _is_stale(execution: Execution, reported_redrives: int) -> bool:
    if execution.redrive_count != reported_redrives:
        return execution.redrive_count < reported_redrives
    return execution.status == "RUNNING"


def parent_of(aws: StepFunctions, failure: Failure) -> Parent | None:
    """Tell how a nested execution was started; None for one that is not nested.

    The parent's definition tells, as a rule; its history is read only where that has it both ways.
    """
    parent_arn = nesting.parent_of(failure.execution.input)
    if parent_arn is None:
        return None
    try:
        definition = aws.machine_of(ExecutionArn.parse(parent_arn).text).definition
        patterns = nesting.patterns_in(definition, failure.source_arn)
        if len(patterns) == 1:
            return Parent(parent_arn, patterns.pop())
        return Parent(parent_arn, nesting.pattern_in(aws.events(parent_arn), failure.chain.original))
    except GotoStateError:
        return Parent(parent_arn, Pattern.UNKNOWN)
    except Exception as error:
        # The parent may be another team's; its ARN comes from the input.
        if is_denied(error):
            return Parent(parent_arn, Pattern.UNKNOWN)
        raise


def newest_of_chain(aws: StepFunctions, failure: Failure) -> Execution:
    """Follow the resumes of a failure to the newest one; the failed execution itself if there is none."""
    newest = failure.execution
    while True:
        try:
            newest = aws.execution(failure.resumed_arn)
        except NotFoundError:
            return newest
        if newest.status not in FAILED:
            return newest
        failure = read(aws, ExecutionArn.parse(newest.arn))


def input_for(failure: Failure, state: str, state_input: str, variables: Mapping[str, str]) -> str:
    """Write the input of the execution that resumes a failure. Raises InputError when it is too large."""
    unset = dict.fromkeys(failure.source.variable_names, "null")
    return resumption.resume_input(
        state=state,
        state_input=state_input,
        variables=unset | dict(variables),
        execution=failure.chain.original,
        failed=failure.arn.text,
        attempt=failure.attempt,
        beside=failure.chain.beside if failure.source.reads_execution_input else None,
    )


@dataclass(frozen=True)
class Ensured:
    """A GoToState machine that is there: a version that serves, and what is still to be bound, if anything."""

    version_arn: str
    to_bind: Machine | None = None


def ensure_machine(aws: StepFunctions, failure: Failure, target: str) -> Ensured:
    """Make sure that the GoToState machine of a failure exists, with a version that serves it.

    A version is started and never the plain ARN: right after an update that may still run the old
    definition, and another failure may update the machine between our look and our start.

    Raises ForeignMachineError when the name belongs to a machine that was not built from this source,
    TransientError when others change the machine all the time.
    """
    arn = failure.machine_arn
    wanted = Machine(arn, router.add_gotostate(failure.source, target), failure.ran.configuration)
    for turn in range(_TRIES):
        existing = aws.machine(arn)
        if existing is None:
            version = aws.create(arn.rpartition(":")[2], wanted, _tags_for(failure))
        else:
            _refuse_foreign(aws, failure)
            version = _serving_version(aws, failure, existing) or aws.update(wanted, publish=True)
        if version:
            goes_elsewhere = (
                existing is not None
                and _serves(existing, failure)
                and existing.definition.route != wanted.definition.route
            )
            return Ensured(version, wanted if goes_elsewhere else None)
        time.sleep(_PAUSE_SECONDS * random.uniform(1, 2) * turn)  # noqa: S311  no secret, only out of step
    raise TransientError(f"{arn} was changed by others {_TRIES} times meanwhile; try again")


def bind_true(aws: StepFunctions, ensured: Ensured) -> None:
    """Bind the input {"resuming": true} to the newest failure's state.

    For people at a console alone: automation names the state. So it comes after the start, it is
    tried once, and a failure of it harms nobody. It publishes nothing, as a machine may have 1,000
    versions.
    """
    if ensured.to_bind and not aws.bind(ensured.to_bind):
        _log.warning("the input {'resuming': true} still goes to an earlier state")


def _serving_version(aws: StepFunctions, failure: Failure, existing: Machine) -> str | None:
    """Find a published version that was built from the failure's own source definition."""
    for version_arn in aws.version_arns(existing.arn, _VERSIONS_READ):
        version = aws.machine(version_arn)
        if version and _serves(version, failure):
            return version_arn
    return None


def _serves(machine: Machine, failure: Failure) -> bool:
    same_configuration = machine.configuration == failure.ran.configuration
    return same_configuration and router.same_source(machine.definition, failure.source)


def _refuse_foreign(aws: StepFunctions, failure: Failure) -> None:
    arn = failure.machine_arn
    tag = failure.tags.get(SOURCE_TAG) if failure.is_resumed else aws.tags(arn).get(SOURCE_TAG)
    ours = tag is not None if failure.is_resumed else tag == resumption.source_tag(failure.source_arn)
    if not ours:
        raise ForeignMachineError(
            f"{arn} exists and was not built from {failure.source_arn} (its tag {SOURCE_TAG} says {tag}); "
            "rename or delete it, or resume by hand with the native redrive"
        )


def _tags_for(failure: Failure) -> dict[str, str]:
    # The prefix aws: is AWS's own, and a resource may have 50 tags.
    copied = [(key, value) for key, value in failure.tags.items() if not key.startswith("aws:")]
    return {**dict(copied[:49]), SOURCE_TAG: resumption.source_tag(failure.source_arn)}


def _deciding_tags(aws: StepFunctions, tags: Mapping[str, str]) -> Mapping[str, str]:
    """Return the tags that decide: the source's, as people change those; a copy if it was deleted since."""
    source_arn = resumption.source_of_tag(tags[SOURCE_TAG]) if SOURCE_TAG in tags else None
    if source_arn is None:
        return tags
    return _tags_if_any(aws, source_arn, tags)


def _tags_if_any(aws: StepFunctions, machine_arn: str, otherwise: Mapping[str, str] | None = None) -> Mapping[str, str]:
    try:
        return aws.tags(machine_arn)
    except NotFoundError:
        return otherwise or {}


def _source_arn(tags: Mapping[str, str], chain: Chain) -> str:
    if source_arn := resumption.source_of_tag(tags.get(SOURCE_TAG, "sha256:")):
        return source_arn
    return ExecutionArn.parse(chain.original).machine_arn
