"""gotostate plan: say where an execution failed and what would be done; changes nothing."""

import argparse
from typing import Any

from gotostate import history, jsontext, policy, recovery
from gotostate.cli.account import Account
from gotostate.cli.files import read_history, read_text
from gotostate.cli.terminal import Exit, show
from gotostate.definition import Definition
from gotostate.errors import DefinitionError
from gotostate.failure import Failure
from gotostate.history import FailurePoint
from gotostate.policy import Action, Decision
from gotostate.stepfunctions import Execution


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = commands.add_parser("plan", help="say where it failed and what would be done; changes nothing")
    parser.add_argument("arn", nargs="?", metavar="ARN", help="the failed execution")
    parser.add_argument("--history", metavar="FILE", help="what 'aws stepfunctions get-execution-history' printed")
    parser.add_argument("--definition", metavar="FILE", help="the ASL file that the execution ran with")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_run, check=_check, parser=parser)


def check_forms(arn: str | None, first: str | None, second: str | None, names: str) -> str | None:
    """Say what is wrong unless there is either an ARN (asks AWS) or the two options that need no AWS."""
    with_aws = arn and not first and not second
    without_aws = first and second and not arn
    return None if with_aws or without_aws else f"give either ARN or both {names}"


def show_remarks(remarks: list[Decision]) -> None:
    """Print what a person should know before resuming."""
    for remark in remarks:
        show("Mind", remark.reason)


def _check(options: argparse.Namespace) -> str | None:
    return check_forms(options.arn, options.history, options.definition, "--history FILE and --definition FILE")


def _run(options: argparse.Namespace) -> Exit:
    if options.history:
        definition = Definition.parse(read_text(options.definition, DefinitionError))
        point = history.locate(read_history(options.history), definition, every_event=True)
        if options.json:
            print(_json(point, {}))
        else:
            _show_point(point)
        return Exit.DONE
    account = Account.of(options.arn)
    failure = account.failure
    newest = recovery.newest_of_chain(account.memory, failure)
    automation = recovery.automatic_decision(account.memory, failure, account.settings)
    remarks = policy.remarks(failure, account.settings)
    if options.json:
        delay = policy.delay_seconds(failure, account.settings) if automation.action is Action.RESUME else None
        print(_json(failure.point, _facts(failure, newest, automation, remarks) | {"delaySeconds": delay}))
        return Exit.DONE
    show("Execution", failure.arn.text)
    _show_point(failure.point)
    show("Machine", failure.machine_name)
    if failure.parent:
        show("Parent", f"{failure.parent.execution} ({failure.parent.pattern})")
    show("Automation", f"{automation.action}: {automation.reason}")
    if automation.action is Action.RESUME:
        delay = policy.delay_seconds(failure, account.settings)
        show("Waits", f"{delay} s before it enters the state (attempt {failure.attempt}, the stack's defaults)")
    show_remarks(remarks)
    for earlier in failure.earlier:
        show("Resumed by", f"{earlier.execution} ({earlier.status}), before a redrive")
    if newest:
        show("Resumed by", f"{newest.arn} ({newest.status})")
    if following := _next(failure, newest, remarks):
        show("Next", following)
    return Exit.DONE


def _next(failure: Failure, newest: Execution | None, remarks: list[Decision]) -> str | None:
    if newest:
        return f"gotostate resume {newest.arn}" if newest.status in recovery.FAILED else None
    for remark in remarks:
        if remark.next:
            return remark.next
    return f"gotostate resume {failure.arn.text}" if failure.point.resume_from else None


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


def _told(decision: Decision) -> dict[str, str]:
    return {"action": decision.action.value, "rule": decision.rule, "reason": decision.reason}


def _json(point: FailurePoint, extra: dict[str, Any]) -> str:
    """Write the plan as JSON; input and variables stand in it as they were recorded, digit for digit."""
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


def short_cause(cause: str | None) -> str:
    """Return the message out of the JSON that Lambda gives as cause; any other cause as it is."""
    if not cause:
        return "(none given)"
    try:
        described = jsontext.parse(cause)
    except ValueError:
        return cause
    message = described.get("errorMessage") if isinstance(described, dict) else None
    return message if isinstance(message, str) and message else cause
