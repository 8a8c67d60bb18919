"""gotostate resume: build the GoToState machine and start it at the failed state; of one execution, or of many."""

import argparse
from dataclasses import replace
from typing import Any

from gotostate import jsontext, policy, reading, recovery
from gotostate.cli import rerun, selection
from gotostate.cli.account import Account
from gotostate.cli.bulk import verb as bulk
from gotostate.cli.caution import begun_by_hand, show_calls, show_remarks
from gotostate.cli.chosen import CHANGING, Chooser, Chosen, Wish, started, with_means
from gotostate.cli.confirmation import confirm
from gotostate.cli.options import EXAMPLE_ARN, add_profile, add_reason, add_region, add_stack, add_verb, add_yes
from gotostate.cli.terminal import Exit, short_cause, show
from gotostate.cli.waiting import Awaited
from gotostate.errors import GotoStateError, NeedsForceError, NotFailedError
from gotostate.events import ENDED_BADLY, SUCCEEDED
from gotostate.executions import Execution
from gotostate.failure import Failure
from gotostate.memory import Memory
from gotostate.nextsteps import command
from gotostate.policy import Action
from gotostate.settings import Settings, Strategy


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        commands,
        "resume",
        "build the GoToState machine and start it at the failed state; of one execution, or of many",
        description="Resume one failed execution, by its ARN, or many, by the filters of gotostate list. Of many it "
        "shows first what would be done, and asks; --json without --yes prints that and exits with 3.",
        examples=[
            f"gotostate resume {EXAMPLE_ARN} --wait",
            f"gotostate resume {EXAMPLE_ARN} --skip --output '{{\"paid\": true}}'",
            "gotostate resume --state-machine 'prod-*' --since 2h --canary 2",
        ],
    )
    parser.add_argument("arn", nargs="?", metavar="ARN", help="the failed execution")
    parser.add_argument("--input", metavar="JSON|@FILE", help="the state's input, in place of the recorded one")
    parser.add_argument(
        "--from-state",
        metavar="S",
        help="the state to enter, in place of the one it ended in; takes an execution that succeeded as well",
    )
    parser.add_argument(
        "--definition",
        metavar="current|FILE",
        help="a corrected definition, in place of the one that the execution ran with; a FILE applies to one machine",
    )
    parser.add_argument(
        "--whole", action="store_true", help="run a failed Parallel or Map again as a whole, finished iterations too"
    )
    parser.add_argument(
        "--skip",
        action="store_true",
        help="resume after the failed state, whose work was done by hand; a Parallel or Map is skipped as a whole",
    )
    parser.add_argument(
        "--output",
        metavar="JSON|@FILE",
        help="with --skip: what the state after it gets, as it stands: ResultSelector, ResultPath, OutputPath, Output "
        "and Assign of the skipped state are not applied; default: the skipped state's own input",
    )
    parser.add_argument(
        "--strategy",
        choices=[strategy.value for strategy in Strategy],
        help="how to resume: a new execution (gotostate), AWS's native redrive (redrive), or whichever fits (auto); "
        "default: as the tag of its state machine says",
    )
    add_reason(parser, "the log, the notice and the input")
    parser.add_argument(
        "--force",
        action="store_true",
        help="resume although a parent waits for this one, or an earlier resume of it continued",
    )
    parser.add_argument(
        "--wait", action="store_true", help="wait for the end of what was resumed; exit code 1 unless it succeeds"
    )
    selection.add_options(parser)
    bulk.add_options(parser)
    add_yes(parser)
    add_stack(parser)
    add_region(parser)
    add_profile(parser)
    # None tells that it was not given.
    parser.set_defaults(run=_run, check=_check, parser=parser, since=None)


def _check(options: argparse.Namespace) -> str | None:
    for name in ("input", "from_state", "definition", "output", "stack"):
        if getattr(options, name) == "":
            return f"--{name.replace('_', '-')} is empty; give a value or leave it out"
    if options.strategy == Strategy.REDRIVE and _is_changed(options):
        return "--strategy redrive uses the same definition and input; leave out " + ", ".join(CHANGING)
    if options.output is not None and not options.skip:
        return "--output is what a skipped state is to have given; add --skip"
    if options.skip and (options.input or options.from_state or options.whole):
        return "--skip resumes after the failed state; leave out --input, --from-state and --whole"
    return _check_one(options) if options.arn else bulk.check_options(options)


def _check_one(options: argparse.Namespace) -> str | None:
    if given := bulk.given_for_many(options):
        look = "; of one, gotostate plan ARN shows what would be done" if "--dry-run" in given else ""
        return f"these options are for many failures: {', '.join(given)}; leave out the ARN, or them{look}"
    return None if options.profile != "" else "--profile is empty; give a value or leave it out"


def _is_changed(options: argparse.Namespace) -> bool:
    return bool(options.input or options.from_state or options.definition or options.whole or options.skip)


def _run(options: argparse.Namespace) -> Exit:
    return _resume(options) if options.arn else bulk.run(options)


def _settings(account: Account, strategy: str | None) -> Settings:
    """Return the settings for the failure, with the strategy that the person chose, if they chose one."""
    settings = account.settings
    if strategy is None:
        return settings
    return replace(settings, strategy=Strategy(strategy), sources={**settings.sources, "strategy": "your --strategy"})


def _resume(options: argparse.Namespace) -> Exit:
    wish = Wish.of(options)
    account = Account.of(options.arn, options.stack, options.profile)
    account.require_resumable()
    failure, memory = _failure(account, wish), account.memory
    settings = _settings(account, options.strategy)
    for remark in policy.remarks(failure, settings):
        if remark.needs_force and not options.force:
            look = f": {command('plan', remark.look, settings.command_options)}" if remark.look else ""
            raise NeedsForceError(f"{remark.reason}{look}; to resume this one all the same add --force")
    chosen = Chooser(memory, wish).plan(failure, settings)
    plan = replace(chosen.plan, asked=account.asked(options.reason))
    if wish.is_plain:
        plan = with_means(memory, plan, settings, insists=options.strategy == Strategy.REDRIVE)
    if plan.decision.action is not Action.REDRIVE:
        # Before anything is built or started.
        plan.resume_input()
    if newest := reading.newest_of_chain(memory, failure):
        raise _resumed_already(newest, wish, settings)
    chosen = replace(chosen, plan=plan)
    if failure.point.ending.status == SUCCEEDED:
        _confirm(chosen, settings, options)
    _show_remarks(memory, chosen, settings, wish)
    if plan.decision.action is Action.REDRIVE:
        recovery.redrive(memory, failure)
        show("Redriven", f"{failure.arn.text}: {plan.decision.reason}")
        show("From state", str(plan.state))
        awaited = Awaited(memory.aws, failure.arn.text, failure.redrives + 1)
        return _wait(awaited, settings) if options.wait else Exit.DONE
    plan, is_new = started(memory, plan)
    if not is_new:
        newest = reading.newest_of_chain(memory, failure) or memory.aws.execution(failure.resumed_arn)
        raise _resumed_already(newest, wish, settings)
    show("Resumed", failure.resumed_arn)
    show("From state", str(plan.state))
    if plan.inside:
        show("Inside", plan.inside)
    show("Input", jsontext.on_one_line(str(plan.input)))
    return _wait(Awaited(memory.aws, failure.resumed_arn), settings) if options.wait else Exit.DONE


def _failure(account: Account, wish: Wish) -> Failure:
    """Read the execution to resume; one that succeeded only if a person names a state of it."""
    try:
        return account.failure
    except NotFailedError as error:
        execution = account.memory.aws.execution(account.arn.text)
        if execution.status != SUCCEEDED:
            raise
        if wish.state is None:
            raise NotFailedError(f"{error}; to run it again from a state: --from-state S") from error
    return rerun.read(account.memory, execution)


def _confirm(chosen: Chosen, settings: Settings, options: argparse.Namespace) -> None:
    """Ask before an execution that succeeded is run again. Raises UnconfirmedError."""
    plan = chosen.plan
    show("Execution", plan.failure.arn.text)
    show("Status", plan.failure.point.ending.status)
    show("From state", str(plan.state))
    show_calls(plan, settings, chosen.again)
    confirm(
        f"It succeeded. What follows {plan.state!r} runs again, and does again what is marked (again). Go on?",
        given=options.yes,
    )


def _show_remarks(memory: Memory, chosen: Chosen, settings: Settings, wish: Wish) -> None:
    failure = chosen.plan.failure
    remarks = policy.remarks(failure, settings, chosen.again, is_redrivable=wish.is_plain)
    show_remarks(begun_by_hand(memory, failure))
    # The error of a skipped state does not occur again.
    show_remarks([remark for remark in remarks if not (wish.skip and remark.rule == "error")])
    for remark in chosen.remarks:
        show("Mind", remark)


def _resumed_already(newest: Execution, wish: Wish, settings: Settings) -> GotoStateError:
    advice = "leave it"
    if newest.status in ENDED_BADLY:
        advice = f"to continue from there: {command('resume', newest.arn, settings.command_options)}"
    elif newest.status == SUCCEEDED and wish.state:
        again = command("resume", newest.arn, (*selection.option("from_state", wish.state), *settings.command_options))
        advice = f"to run that one again: {again}"
    return GotoStateError(
        f"this failure was resumed already, nothing was started; "
        f"the newest execution of its chain is {newest.arn} ({newest.status}): {advice}"
    )


def _wait(awaited: Awaited, settings: Settings) -> Exit:
    execution = awaited.end()
    show("Status", execution.status)
    if execution.status == SUCCEEDED:
        if execution.output is not None:
            show("Output", jsontext.on_one_line(execution.output))
        return Exit.DONE
    show("Error", execution.error or "(none given)")
    show("Cause", short_cause(execution.cause))
    show("Next", command("plan", awaited.arn, settings.command_options))
    return Exit.FAILURE
