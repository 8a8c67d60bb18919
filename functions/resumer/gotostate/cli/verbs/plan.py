"""gotostate plan: show where an execution failed and what would be done; changes nothing."""

import argparse
from collections.abc import Sequence
from typing import Any

from gotostate import containers, history, jsontext, planning, policy, reading, recovery, resumption, router
from gotostate.cli.account import Account
from gotostate.cli.caution import begun_by_hand, show_calls, show_remarks
from gotostate.cli.files import read_history, read_text
from gotostate.cli.options import EXAMPLE_ARN, add_json, add_profile, add_stack, add_verb, check_forms
from gotostate.cli.terminal import Exit, short_cause, show, show_json
from gotostate.definition import Definition
from gotostate.errors import DefinitionError, HistoryError, UnclearError
from gotostate.events import ENDED_BADLY, HistoryEvent
from gotostate.executions import Execution
from gotostate.failure import Failure
from gotostate.history import FailurePoint
from gotostate.nextsteps import command
from gotostate.planning import Plan
from gotostate.policy import Action, Decision
from gotostate.record import Record


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        commands,
        "plan",
        "show where an execution failed and what would be done; changes nothing",
        description="Show where an execution failed and what would be done. Changes nothing. With --history and "
        "--definition it works without AWS.",
        examples=[
            f"gotostate plan {EXAMPLE_ARN}",
            "gotostate plan --history history.json --definition orders.asl.json",
        ],
    )
    parser.add_argument("arn", nargs="?", metavar="ARN", help="the failed execution")
    parser.add_argument("--history", metavar="FILE", help="what 'aws stepfunctions get-execution-history' printed")
    parser.add_argument("--definition", metavar="FILE", help="the ASL file that the execution ran with")
    add_json(parser)
    add_stack(parser)
    add_profile(parser)
    parser.set_defaults(run=_run, check=_check, parser=parser)


def _check(options: argparse.Namespace) -> str | None:
    return check_forms(options.arn, options.history, options.definition, "--history FILE and --definition FILE")


def _run(options: argparse.Namespace) -> Exit:
    return _from_files(options) if options.history else _from_account(options)


def _from_files(options: argparse.Namespace) -> Exit:
    definition = Definition.parse(read_text(options.definition, DefinitionError))
    events = read_history(options.history)
    point = history.locate(events, definition, every_event=True)
    record, whole = _told_inside(point, definition, events)
    if options.json:
        show_json(_json(point, {"inside": _inside(record, whole, point.resume_from)}))
        return Exit.DONE
    _show_point(point)
    if record or whole:
        show("Inside", str(record or f"the whole of {point.resume_from!r} runs again: {whole}"))
    return Exit.DONE


def _told_inside(
    point: FailurePoint, definition: Definition, events: list[HistoryEvent]
) -> tuple[Record | None, str | None]:
    """Return the record of a Parallel or Map if parts of it need not run again, or else why all of it runs again."""
    if not containers.is_container(definition.states.get(point.resume_from or "", {})):
        return None, None
    try:
        if any(event["type"] == "ExecutionRedriven" for event in events):
            raise UnclearError(planning.REDRIVEN)
        if planning.failed_in_added(point, definition):
            raise UnclearError("the resumed execution failed in a state that was added to it")
        given = _given(definition, events)
        return planning.told_record(point, definition, router.remove_gotostate(definition), given), None
    except UnclearError as error:
        return None, str(error)


def _given(definition: Definition, events: list[HistoryEvent]) -> str | None:
    """Return the record that the execution was given, if one of its containers was opened."""
    if definition.opened is None:
        return None
    try:
        return resumption.chain_of("", history.input_of(events), resumed=True).record
    except (HistoryError, ValueError) as error:
        raise UnclearError(f"the execution's input is not on record ({error})") from error


def _from_account(options: argparse.Namespace) -> Exit:
    account = Account.of(options.arn, options.stack, options.profile)
    failure = account.failure
    newest = reading.newest_of_chain(account.memory, failure)
    allowed = policy.by_arn(failure.arn) or reading.opted_in(account.memory, failure.arn.machine_arn, account.settings)
    plan = recovery.planned(account.memory, failure, allowed, account.settings)
    failure = plan.failure
    automation = _automation(plan, newest)
    by_hand = [] if newest else begun_by_hand(account.memory, failure)
    remarks = [*by_hand, *policy.remarks(failure, account.settings, plan.again)]
    if options.json:
        delay = plan.delay_seconds if automation.action in (Action.RESUME, Action.REDRIVE) else None
        facts = _facts(failure, newest, automation, remarks) | {
            "delaySeconds": delay,
            "stack": account.parameters.stack,
            "inside": _inside(plan.record, plan.whole, plan.state),
        }
        show_json(_json(failure.point, facts))
        return Exit.DONE
    show("Execution", failure.arn.text)
    _show_point(failure.point)
    if plan.inside:
        show("Inside", plan.inside)
    show("Machine", failure.machine_name)
    if failure.parent:
        show("Parent", f"{failure.parent.execution} ({failure.parent.pattern})")
    show("Automation", f"{automation.action}: {automation.reason}")
    if automation.action in (Action.RESUME, Action.REDRIVE):
        limit = account.settings.max_attempts
        then = "enters the state" if automation.action is Action.RESUME else "is redriven"
        waits = f"{plan.delay_seconds} s before it {then} (attempt {failure.tries + 1} of {limit})"
        show("Waits", waits)
    show("Parameters", account.parameters.source)
    show_calls(plan, account.settings)
    show_remarks(remarks)
    for problem in account.settings.problems:
        show("Mind", problem)
    _show_resumes(failure, newest)
    if following := _next(failure, newest, remarks, account.settings.command_options):
        show("Next", following)
    return Exit.DONE


def _automation(plan: Plan, newest: Execution | None) -> Decision:
    """Tell what automation does about a failure, or that it was resumed already."""
    if newest is None:
        return plan.decision
    reason = f"this failure was resumed already; the newest execution of its chain is {newest.arn} ({newest.status})"
    return Decision(Action.SKIP, "already-resumed", reason)


def _show_resumes(failure: Failure, newest: Execution | None) -> None:
    for earlier in failure.earlier:
        show("Resumed by", f"{earlier.execution} ({earlier.status}), before a redrive")
    if newest:
        show("Resumed by", f"{newest.arn} ({newest.status})")


def _next(failure: Failure, newest: Execution | None, remarks: list[Decision], options: Sequence[str]) -> str | None:
    if policy.by_arn(failure.arn):
        return None
    if newest:
        return command("resume", newest.arn, options) if newest.status in ENDED_BADLY else None
    if look := next((remark.look for remark in remarks if remark.look), None):
        return command("plan", look, options)
    return command("resume", failure.arn.text, options) if failure.point.resume_from else None


def _facts(failure: Failure, newest: Execution | None, automation: Decision, remarks: list[Decision]) -> dict[str, Any]:
    return {
        "execution": failure.arn.text,
        "original": failure.chain.original,
        "attempt": failure.attempt,
        "machine": failure.machine_arn,
        "resumedBy": newest.arn if newest else None,
        "resumedByStatus": newest.status if newest else None,
        "resumedBeforeRedrive": [{"execution": found.execution, "status": found.status} for found in failure.earlier],
        "parent": failure.parent.execution if failure.parent else None,
        "parentPattern": failure.parent.pattern.value if failure.parent else None,
        "automation": _told(automation),
        "remarks": [_told(remark) for remark in remarks],
    }


def _inside(record: Record | None, whole: str | None, state: str | None) -> dict[str, Any] | None:
    """Tell how a Parallel or Map is entered; None for any other state."""
    if record:
        return {
            "container": record.container,
            "total": record.total,
            "finished": record.finished,
            "goesOn": dict(record.goes_on),
            "fromStart": record.from_start,
            "whole": None,
        }
    return {"container": state, "whole": whole} if whole else None


def _told(decision: Decision) -> dict[str, str]:
    return {"action": decision.action.value, "rule": decision.rule, "reason": decision.reason}


def _json(point: FailurePoint, extra: dict[str, Any]) -> str:
    """Write the plan as JSON; it contains input and variables as they were recorded, digit for digit."""
    facts = {
        "status": point.ending.status,
        "error": point.ending.error,
        "cause": point.ending.cause,
        "endedIn": point.ended_in,
        "resumeFrom": point.resume_from,
        "why": point.why.value,
        "rule": point.why.name.lower(),
        **extra,
    }
    texts = {name: jsontext.write(value) for name, value in facts.items()}
    texts["input"] = point.input if point.input is not None else "null"
    texts["variables"] = jsontext.join(point.variables)
    if point.output is not None and jsontext.is_json(point.output):
        texts["output"] = point.output
    return jsontext.join(texts)


def _show_point(point: FailurePoint) -> None:
    show("Status", point.ending.status)
    show("Error", point.ending.error or "(none given)")
    show("Cause", short_cause(point.ending.cause))
    show("Ended in", point.ended_in or "(it entered no state)")
    show("Resume from", point.resume_from or "(nothing to resume)")
    show("Why", point.why)
    if point.input is not None:
        show("Input", jsontext.on_one_line(point.input))
        show("Variables", jsontext.join(point.variables) if point.variables else "(none)")
    if point.output is not None:
        show("Output", jsontext.on_one_line(point.output))
