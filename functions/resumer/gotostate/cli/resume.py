"""gotostate resume: build the GoToState machine and start it at the failed state."""

import argparse
import time
from dataclasses import replace
from typing import Any

from gotostate import containers, history, jsontext, planning, policy, reading, recovery, resumption, router
from gotostate.cli.account import Account
from gotostate.cli.files import read_text
from gotostate.cli.plan import short_cause, show_remarks
from gotostate.cli.terminal import Exit, show
from gotostate.definition import Definition, Machine
from gotostate.errors import (
    DefinitionError,
    GotoStateError,
    InputError,
    NeedsForceError,
    NotFoundError,
    NothingToResumeError,
    NotRedrivableError,
    RefusedError,
)
from gotostate.events import ENDED_BADLY
from gotostate.failure import Failure
from gotostate.history import FailurePoint
from gotostate.memory import Memory
from gotostate.planning import Plan
from gotostate.policy import Action, Decision
from gotostate.settings import Settings, Strategy
from gotostate.stepfunctions import Execution, StepFunctions

_CURRENT = "current"
_POLL_SECONDS = 1.0
# Reads are eventually consistent: right after the start AWS may not know the execution yet.
_BEHIND_SECONDS = 30.0
_BY_HAND = Decision(Action.RESUME, "by-hand", "resumed by hand")
_CHANGING = ("--input", "--from-state", "--definition", "--whole")


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = commands.add_parser("resume", help="build the GoToState machine and start it at the failed state")
    parser.add_argument("arn", metavar="ARN", help="the failed execution")
    parser.add_argument("--input", metavar="JSON|@FILE", help="the state's input, in place of the recorded one")
    parser.add_argument("--from-state", metavar="S", help="the state to enter, in place of the one it ended in")
    parser.add_argument(
        "--definition",
        metavar="current|FILE",
        help="a mended definition, in place of the one that the execution ran with",
    )
    parser.add_argument(
        "--whole", action="store_true", help="run a failed Parallel or Map again as a whole, finished iterations too"
    )
    parser.add_argument(
        "--strategy",
        choices=[strategy.value for strategy in Strategy],
        help="by which means: a new execution (gotostate), AWS's native redrive (redrive), or what is right (auto); "
        "default: as its state machine is tagged",
    )
    parser.add_argument("--reason", metavar="TEXT", help="why, for those who read of it later")
    parser.add_argument("--force", action="store_true", help="resume although a parent execution waits for this one")
    parser.add_argument(
        "--wait", action="store_true", help="wait for the end of the resumed execution and print its output"
    )
    parser.set_defaults(run=_run, check=_check, parser=parser)


def _check(options: argparse.Namespace) -> str | None:
    for name in ("input", "from_state", "definition"):
        if getattr(options, name) == "":
            return f"--{name.replace('_', '-')} is empty; give a value or leave it out"
    if options.strategy == Strategy.REDRIVE and not _is_plain(options):
        return "--strategy redrive goes on with the same definition and input; leave out " + ", ".join(_CHANGING)
    return None


def _is_plain(options: argparse.Namespace) -> bool:
    """Tell whether the execution is to go on as it was, which a redrive can do as well."""
    return not (options.input or options.from_state or options.definition or options.whole)


def _run(options: argparse.Namespace) -> Exit:
    given = _input_option(options.input)
    account = Account.of(options.arn)
    failure, memory = account.failure, account.memory
    settings = replace(account.settings, strategy=Strategy(options.strategy or account.settings.strategy))
    for remark in policy.remarks(failure, settings):
        if remark.needs_force and not options.force:
            raise NeedsForceError(f"{remark.reason}: {remark.next}; to resume this one all the same add --force")
    plan = replace(_planned(account, options, given), asked=account.asked(options.reason))
    if _is_plain(options):
        plan = _with_means(memory, plan, settings, options)
    if plan.decision.action is not Action.REDRIVE:
        # Before anything is built or started.
        plan.resume_input()
    if newest := reading.newest_of_chain(memory, failure):
        raise _resumed_already(newest)
    show_remarks(policy.remarks(plan.failure, settings, plan.again))
    if plan.decision.action is Action.REDRIVE:
        recovery.redrive(memory, failure)
        show("Redriven", f"{failure.arn.text}: {plan.decision.reason}")
        show("From state", str(plan.state))
        return _wait(memory.aws, failure.arn.text, failure.redrives + 1) if options.wait else Exit.DONE
    plan, started = _started(memory, plan)
    if not started:
        raise _resumed_already(reading.newest_of_chain(memory, failure) or memory.aws.execution(failure.resumed_arn))
    show("Resumed", failure.resumed_arn)
    show("From state", str(plan.state))
    if plan.inside:
        show("Inside", plan.inside)
    show("Input", jsontext.on_one_line(str(plan.input)))
    return _wait(memory.aws, failure.resumed_arn) if options.wait else Exit.DONE


def _with_means(memory: Memory, plan: Plan, settings: Settings, options: argparse.Namespace) -> Plan:
    """Decide between a GoToState execution and the native redrive.

    Raises NotRedrivableError where a redrive was asked for and AWS does none.
    """
    plan = planning.with_room(plan)
    failure = plan.failure
    if not policy.wants_redrive(failure, settings, plan.no_room):
        return plan
    failure = replace(failure, redrive=reading.redrive_of(memory, failure))
    if options.strategy == Strategy.REDRIVE and failure.redrive and failure.redrive.why_not:
        raise NotRedrivableError(f"AWS cannot redrive it: {failure.redrive.why_not}; nothing was started")
    return replace(plan, failure=failure, decision=policy.by_hand(failure, settings, plan.no_room))


def _planned(account: Account, options: argparse.Namespace, given: str | None) -> Plan:
    """Plan what the user asked for."""
    failure, aws = account.failure, account.memory.aws
    ran = failure.source
    if options.definition:
        failure = _mended(aws, failure, options.definition)
    point = _chosen_point(aws, failure, options.from_state, given)
    chosen = replace(failure, point=point)
    plan = Plan(chosen, _BY_HAND, point.resume_from, point.input, point.variables)
    if point is failure.point and not options.whole:
        return planning.with_inside(plan, account.settings, ran=ran)
    is_container = containers.is_container(failure.source.states.get(str(plan.state), {}))
    return plan.as_whole(_chosen(options)) if is_container else plan


def _started(memory: Memory, plan: Plan) -> tuple[Plan, bool]:
    """Start the execution, and where AWS does not take the opened Parallel or Map, with the whole of it."""
    try:
        return plan, recovery.start(memory, plan)
    except RefusedError as error:
        if not plan.record:
            raise
        plan = plan.as_whole(str(error))
    return plan, recovery.start(memory, plan)


def _chosen(options: argparse.Namespace) -> str:
    """Name the option by which a person chose that a Parallel or Map runs again as a whole."""
    if options.whole:
        return "--whole was given"
    return "--input gives it other data" if options.input else "--from-state chose it"


def _resumed_already(newest: Execution) -> GotoStateError:
    advice = f"to go on from there: gotostate resume {newest.arn}" if newest.status in ENDED_BADLY else "leave it"
    return GotoStateError(
        f"this failure was resumed already, nothing was started; "
        f"the newest execution of its chain is {newest.arn} ({newest.status}): {advice}"
    )


def _chosen_point(aws: StepFunctions, failure: Failure, state: str | None, given: str | None) -> FailurePoint:
    """Return the state to enter, its input and its variables, by what the user asked for."""
    point = failure.point
    if state:
        failure.source.require(state)
        visit = history.last_visit(aws.events(failure.arn.text), failure.ran.definition, state)
        if visit is None and given is None:
            raise InputError(
                f"the execution never entered {state!r}, so there is no input of it on record; give --input"
            )
        if visit is None:
            variables = history.last_variables(aws.events(failure.arn.text), failure.ran.definition)
            visit = replace(point, resume_from=state, variables=variables)
        point = visit
    if point.resume_from is None:
        raise NothingToResumeError(f"{point.why}; to enter a state of your choice: --from-state S --input JSON")
    return replace(point, input=given) if given is not None else point


def _mended(aws: StepFunctions, failure: Failure, definition: str) -> Failure:
    """Put another definition in the place of the one that ran."""
    if definition != _CURRENT:
        source = Definition.parse(read_text(definition, DefinitionError))
        return replace(failure, source=router.remove_gotostate(source))
    current = aws.machine(failure.source_arn)
    if current is None:
        raise DefinitionError(f"{failure.source_arn} does not exist any more; give --definition FILE")
    ran = Machine(failure.ran.arn, failure.ran.definition, current.configuration)
    return replace(failure, source=router.remove_gotostate(current.definition), ran=ran)


def _wait(aws: StepFunctions, arn: str, redrives: int = 0) -> Exit:
    behind_until = time.monotonic() + _BEHIND_SECONDS
    while True:
        try:
            execution = aws.execution(arn)
        except NotFoundError:
            if time.monotonic() > behind_until:
                raise
        else:
            is_behind = execution.redrive_count < redrives and time.monotonic() < behind_until
            if execution.status not in ("RUNNING", "PENDING_REDRIVE") and not is_behind:
                break
        time.sleep(_POLL_SECONDS)
    show("Status", execution.status)
    if execution.status == "SUCCEEDED":
        if execution.output is not None:
            show("Output", jsontext.on_one_line(execution.output))
        return Exit.DONE
    show("Error", execution.error or "(none given)")
    show("Cause", short_cause(execution.cause))
    show("Next", f"gotostate plan {arn}")
    return Exit.FAILURE


def _input_option(value: str | None) -> str | None:
    if value is None:
        return None
    return resumption.checked_input(read_text(value[1:], InputError) if value.startswith("@") else value)
