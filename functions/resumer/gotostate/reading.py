"""Gathering all that is known of a failed execution from AWS; changes nothing."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from gotostate import history, nesting, policy, resumption
from gotostate.awserrors import error_code, is_denied
from gotostate.definition import Definition
from gotostate.errors import (
    DefinitionError,
    GotoStateError,
    NotFailedError,
    NotFoundError,
    RedrivenError,
    StillRunningError,
    TransientError,
)
from gotostate.events import ENDED_BADLY
from gotostate.executions import Execution, ListedExecution
from gotostate.failure import EarlierResume, Failure, Redrive
from gotostate.history import FailurePoint
from gotostate.memory import Memory
from gotostate.nesting import Parent, Pattern
from gotostate.planning import failed_in_added
from gotostate.policy import Action, Decision
from gotostate.report import Report
from gotostate.resumption import ExecutionArn, is_resume_name
from gotostate.settings import Mode, Settings
from gotostate.stepfunctions import LIST_PAGE
from gotostate.visits import Reported


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
        original=original_that_went_on(memory, failure, report.started),
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
    tags = tags_if_any(memory, arn.machine_arn)
    resumed = ran.definition.is_gotostate
    chain = resumption.chain_of(arn.text, report.input, resumed=resumed)
    source_arn = arn.machine_arn
    if resumed:
        source_arn = resumption.source_of(tags, arn.machine_arn) or ExecutionArn.parse(chain.original).machine_arn
    source = memory.source_of(ran.definition)
    in_added = failed_in_added(point, ran.definition)
    # If this is a late report of an earlier failure, the history shows that.
    redrives = max(report.redrives, len(point.ending.earlier))
    return Failure(arn, ran, source, source_arn, tags, chain, point, failed_in_added=in_added, redrives=redrives)


def redrive_of(memory: Memory, failure: Failure) -> Redrive:
    """Ask AWS whether an execution can be redriven.

    Raises NotFoundError, NotFailedError when it runs again, TransientError when AWS does not show its failure yet.
    """
    execution = memory.aws.execution(failure.arn.text)
    if execution.status == "RUNNING" and execution.redrive_count <= failure.redrives:
        raise TransientError(f"DescribeExecution does not show the failure of {failure.arn.text} yet; try again")
    if execution.status not in ENDED_BADLY:
        raise RedrivenError(f"the execution was redriven, and is {execution.status} by now")
    if execution.redrive == "REDRIVABLE":
        return Redrive(None)
    if execution.redrive is None:
        trial = f"aws stepfunctions redrive-execution --execution-arn {shlex.quote(failure.arn.text)}"
        return Redrive(f"DescribeExecution does not say whether it is REDRIVABLE; to try it: {trial}")
    return Redrive(execution.why_not_redrivable or f"it is {execution.redrive}")


def newest_of_chain(memory: Memory, failure: Failure) -> Execution | None:
    """Follow the resumes of a failure to the newest one; None if it was never resumed."""
    newest = None
    while True:
        try:
            newest = memory.aws.execution(failure.resumed_arn)
        except NotFoundError:
            return newest
        if newest.status not in ENDED_BADLY:
            return newest
        failure = _read_alone(memory, _completed(memory, Report(newest.arn)))


def begun_by_hand(memory: Memory, failure: Failure) -> ListedExecution | None:
    """Find the newest execution that a person started in the GoToState machine since a failure; None if there is none.

    Nothing tells whether it did the work of this failure: an input written by hand names none.
    """
    stopped = failure.point.ending.stopped
    try:
        for found in islice(memory.aws.executions(failure.machine_arn), LIST_PAGE):
            # Listings are by the start or by the end (listreader.py), so none of them ends the search.
            is_later = stopped is not None and (found.started or 0.0) > stopped
            if is_later and not is_resume_name(ExecutionArn.parse(found.arn).name):
                return found
    except NotFoundError:
        pass
    except Exception as error:
        if not is_denied(error):
            raise
    return None


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
    if (report.is_event or report.is_due) and is_behind:
        raise TransientError(f"DescribeExecution does not show the failure of {report.execution} yet; try again")
    if execution.status not in ENDED_BADLY:
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


def governing_tags(memory: Memory, machine_arn: str, failed_at: float | None = None) -> Mapping[str, str]:
    """Return the tags by which a state machine's failures are processed. Raises NotFoundError.

    For a GoToState machine the source's tags count, as people change those; but its own 'off' always wins.
    failed_at: when the execution failed for which they are wanted, in seconds since the epoch.
    """
    # A GoToState machine whose source has no opt-in tag has none itself, but its source's tags count all the same.
    is_built = machine_arn.endswith(resumption.SUFFIX)
    own = memory.tags(machine_arn, failed_at=None if is_built else failed_at)
    source_arn = resumption.source_of(own, machine_arn)
    if source_arn is None or own.get(resumption.OPT_IN_TAG) == Mode.OFF:
        return own
    try:
        return memory.tags(source_arn)
    except NotFoundError:
        # The source was deleted, so the copy of its tags counts.
        return own


def opted_in(memory: Memory, machine_arn: str, settings: Settings) -> Decision:
    """Decide by the tags of a state machine whether automation may touch it."""
    try:
        return policy.opt_in(governing_tags(memory, machine_arn), settings)
    except NotFoundError as error:
        return Decision(Action.SKIP, "not-found", str(error))


def tags_if_any(memory: Memory, machine_arn: str) -> Mapping[str, str]:
    try:
        return memory.tags(machine_arn)
    except NotFoundError:
        return {}


def _parent_of(memory: Memory, failure: Failure, execution_input: str, settings: Settings) -> Parent | None:
    """Tell how a nested execution was started; None for one that is not nested.

    Usually the parent's definition shows it; the history is read only if the definition is ambiguous.
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
        recovers = pattern is Pattern.SYNC and opted_in(memory, arn.machine_arn, settings).action is not Action.SKIP
        return Parent(parent_arn, pattern, recovers)
    except GotoStateError:
        return Parent(parent_arn, Pattern.UNKNOWN)
    except Exception as error:
        # The parent may be another team's; its ARN comes from the input.
        if is_denied(error) or error_code(error) == "ValidationException":
            return Parent(parent_arn, Pattern.UNKNOWN)
        raise


def _earlier(memory: Memory, failure: Failure) -> tuple[EarlierResume, ...]:
    """Find the newest resume of each earlier end of a redriven execution, and its status."""
    found = []
    for ending_id in failure.point.ending.earlier:
        ending = replace(failure.point.ending, id=ending_id, earlier=())
        earlier = replace(failure, point=replace(failure.point, ending=ending))
        if newest := newest_of_chain(memory, earlier):
            chain = resumption.chain_of(newest.arn, newest.input, resumed=True)
            found.append(EarlierResume(newest.arn, newest.status, chain.attempt))
    return tuple(found)


def original_that_went_on(memory: Memory, failure: Failure, started: float | None) -> str | None:
    """Tell the status of the original execution if it was redriven after this resume of it had begun."""
    if not failure.chain.attempt or failure.chain.is_rerun:
        return None
    try:
        original = memory.aws.execution(failure.chain.original)
    except NotFoundError:
        return None
    redriven_since = original.redriven and started and original.redriven > started
    return original.status if original.status not in ENDED_BADLY or redriven_since else None
