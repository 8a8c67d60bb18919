"""The gotostate command: see where an execution failed, build its GoToState machine, resume it."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from gotostate import history, jsontext, policy, recovery, resumption, router
from gotostate.definition import Definition
from gotostate.errors import (
    DefinitionError,
    GotoStateError,
    HistoryError,
    InputError,
    NothingToResumeError,
    TransientError,
)
from gotostate.history import FailurePoint, HistoryEvent
from gotostate.recovery import Failure
from gotostate.resumption import ExecutionArn
from gotostate.stepfunctions import Machine, StepFunctions

OK, FAILURE, USAGE = 0, 1, 2
_POLL_SECONDS = 1.0
_CURRENT = "current"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 1 failed, 2 wrong usage."""
    # A text of AWS may hold half a surrogate pair, which no encoding can print.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    options = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    if message := options.check(options):
        options.parser.error(message)
    try:
        return run(options)
    except (GotoStateError, TransientError) as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return _complain("interrupted; what was started goes on")
    except Exception as error:
        if not type(error).__module__.startswith(("botocore", "boto3")):
            raise
        return _complain(f"AWS: {error}")


def _complain(message: str) -> int:
    print(f"gotostate: {message}", file=sys.stderr)
    return FAILURE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gotostate",
        description="Resume a failed Step Functions execution from the state in which it ended.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage.",
    )
    parser.add_argument(
        "--failedExecutionArn",
        metavar="ARN",
        help="build the GoToState machine and print its ARN, the state and the input",
    )
    parser.set_defaults(run=_seed, check=_check_seed, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="{plan,build,resume}")

    plan = commands.add_parser("plan", help="say where it failed and what would be done; changes nothing")
    plan.add_argument("arn", nargs="?", metavar="ARN", help="the failed execution")
    plan.add_argument("--history", metavar="FILE", help="what 'aws stepfunctions get-execution-history' printed")
    plan.add_argument("--definition", metavar="FILE", help="the ASL file that the execution ran with")
    plan.add_argument("--json", action="store_true", help="print one JSON object")
    plan.set_defaults(run=_plan, check=_check_plan, parser=plan)

    build = commands.add_parser("build", help="create the GoToState machine, or print its definition")
    build.add_argument("arn", nargs="?", metavar="ARN", help="the failed execution")
    build.add_argument("--definition", metavar="FILE", help="an ASL file: print its GoToState definition; no AWS")
    build.add_argument("--state", metavar="S", help='the state that the input {"resuming": true} goes to')
    build.set_defaults(run=_build, check=_check_build, parser=build)

    resume = commands.add_parser("resume", help="build the GoToState machine and start it at the failed state")
    resume.add_argument("arn", metavar="ARN", help="the failed execution")
    resume.add_argument("--input", metavar="JSON|@FILE", help="the state's input, in place of the recorded one")
    resume.add_argument("--from-state", metavar="S", help="the state to enter, in place of the one it ended in")
    resume.add_argument(
        "--definition",
        metavar="current|FILE",
        help="a mended definition, in place of the one that the execution ran with",
    )
    resume.add_argument(
        "--wait", action="store_true", help="wait for the end of the resumed execution and print its output"
    )
    resume.set_defaults(run=_resume, check=lambda options: None, parser=resume)
    return parser


def _check_seed(options: argparse.Namespace) -> str | None:
    return None if options.failedExecutionArn else "give --failedExecutionArn ARN or a command: plan, build or resume"


def _check_plan(options: argparse.Namespace) -> str | None:
    return _check_forms(options.arn, options.history, options.definition, "--history FILE and --definition FILE")


def _check_build(options: argparse.Namespace) -> str | None:
    return _check_forms(options.arn, options.definition, options.state, "--definition FILE and --state S")


def _check_forms(arn: str | None, first: str | None, second: str | None, names: str) -> str | None:
    """Say what is wrong unless there is either an ARN (asks AWS) or the two options that need no AWS."""
    with_aws = arn and not first and not second
    without_aws = first and second and not arn
    return None if with_aws or without_aws else f"give either ARN or both {names}"


def _seed(options: argparse.Namespace) -> int:
    aws, failure = _read(options.failedExecutionArn)
    state, given = _target(failure)
    recovery.input_for(failure, state, given, failure.point.variables)
    recovery.bind_true(aws, recovery.ensure_machine(aws, failure, state))
    print(f"GoToState machine  {failure.machine_arn}")
    print(f"Failed state       {state}")
    print(f"Input              {resumption.on_one_line(given)}")
    print(f"Start it with      gotostate resume {failure.arn.text}")
    return OK


def _plan(options: argparse.Namespace) -> int:
    if options.history:
        definition = Definition.parse(_read_file(options.definition, DefinitionError))
        point = history.locate(_read_history(options.history), definition, every_event=True)
        if options.json:
            print(_plan_json(point, {}))
        else:
            _print_point(point)
        return OK
    aws, failure = _read(options.arn)
    newest = recovery.newest_of_chain(aws, failure)
    resumed = newest.arn != failure.arn.text
    parent = recovery.parent_of(aws, failure)
    if options.json:
        extra = {
            "execution": failure.arn.text,
            "original": failure.chain.original,
            "attempt": failure.attempt,
            "machine": failure.machine_arn,
            "resumedBy": newest.arn if resumed else None,
            "resumedByStatus": newest.status if resumed else None,
            "parent": parent.execution if parent else None,
            "parentPattern": parent.pattern.value if parent else None,
        }
        print(_plan_json(failure.point, extra))
        return OK
    print(f"Execution    {failure.arn.text}")
    _print_point(failure.point)
    print(f"Machine      {failure.machine_arn.rpartition(':')[2]}")
    if parent:
        print(f"Parent       {parent.execution} ({parent.pattern})")
    for decision in (policy.by_parent(parent), policy.by_context(failure.source, failure.chain)):
        if decision:
            print(f"Mind         {decision.reason}")
    if resumed:
        print(f"Resumed by   {newest.arn} ({newest.status})")
        if newest.status in recovery.FAILED:
            print(f"Next         gotostate resume {newest.arn}")
    elif failure.point.resume_from:
        print(f"Next         gotostate resume {failure.arn.text}")
    return OK


def _plan_json(point: FailurePoint, extra: dict[str, Any]) -> str:
    """Write the plan as JSON; input and variables stand in it as they were recorded, digit for digit."""
    facts = {
        "status": point.status,
        "error": point.error,
        "cause": point.cause,
        "endedIn": point.ended_in,
        "resumeFrom": point.resume_from,
        "why": point.why.value,
        **extra,
    }
    texts = {name: jsontext.write(value) for name, value in facts.items()}
    texts["input"] = point.input if point.input is not None else "null"
    texts["variables"] = jsontext.join(point.variables)
    return jsontext.join(texts)


def _print_point(point: FailurePoint) -> None:
    print(f"Status       {point.status}")
    print(f"Error        {point.error or '(none given)'}")
    print(f"Cause        {_short_cause(point.cause)}")
    print(f"Ended in     {point.ended_in or '(it entered no state)'}")
    print(f"Resume from  {point.resume_from or '(nothing to resume)'}")
    print(f"Why          {point.why}")
    if point.input is not None:
        print(f"Input        {resumption.on_one_line(point.input)}")
        print(f"Variables    {jsontext.join(point.variables) if point.variables else '(none)'}")


def _short_cause(cause: str | None) -> str:
    """Return the message out of the JSON that Lambda gives as cause; any other cause as it is."""
    if not cause:
        return "(none given)"
    try:
        described = json.loads(cause)
    except ValueError:
        return cause
    message = described.get("errorMessage") if isinstance(described, dict) else None
    return message if isinstance(message, str) and message else cause


def _build(options: argparse.Namespace) -> int:
    if options.definition:
        source = Definition.parse(_read_file(options.definition, DefinitionError))
        built = router.add_gotostate(source, options.state)
        print(_lines(built))
        return OK
    aws, failure = _read(options.arn)
    state, _ = _target(failure)
    recovery.bind_true(aws, recovery.ensure_machine(aws, failure, state))
    print(failure.machine_arn)
    return OK


def _lines(definition: Definition) -> str:
    """Write a definition with a line for each state, the states as they were written."""
    parts = jsontext.members(definition.text)
    states = [f"    {jsontext.write(name)}: {text}" for name, text in jsontext.members(parts.pop("States")).items()]
    lines = [f"  {jsontext.write(name)}: {text}" for name, text in parts.items()]
    return "{\n" + ",\n".join([*lines, '  "States": {\n' + ",\n".join(states) + "\n  }"]) + "\n}"


def _resume(options: argparse.Namespace) -> int:
    given = _input_option(options.input)
    aws, failure = _read(options.arn)
    if options.definition:
        failure = _mended(aws, failure, options.definition)
    point = _chosen_point(aws, failure, options.from_state, given)
    assert point.resume_from is not None
    assert point.input is not None
    failure.source.require(point.resume_from)
    input_text = recovery.input_for(failure, point.resume_from, point.input, point.variables)
    ensured = recovery.ensure_machine(aws, failure, point.resume_from)
    started = aws.start(ensured.version_arn, failure.resumed_name, input_text)
    recovery.bind_true(aws, ensured)
    if not started:
        newest = recovery.newest_of_chain(aws, failure)
        advice = (
            f"to go on from there: gotostate resume {newest.arn}" if newest.status in recovery.FAILED else "leave it"
        )
        raise GotoStateError(
            f"this failure was resumed already, nothing was started; "
            f"the newest execution of its chain is {newest.arn} ({newest.status}): {advice}"
        )
    print(f"Resumed      {failure.resumed_arn}")
    print(f"From state   {point.resume_from}")
    print(f"Input        {resumption.on_one_line(point.input)}")
    return _wait(aws, failure.resumed_arn) if options.wait else OK


def _chosen_point(aws: StepFunctions, failure: Failure, state: str | None, given: str | None) -> FailurePoint:
    """Return the state to enter, its input and its variables, by what the user asked for."""
    point = failure.point
    if state:
        failure.source.require(state)
        events = aws.events(failure.arn.text)
        visit = history.last_visit(events, failure.ran.definition, state)
        if visit is None and given is None:
            raise InputError(
                f"the execution never entered {state!r}, so there is no input of it on record; give --input"
            )
        point = visit or replace(point, resume_from=state)
    if point.resume_from is None:
        raise NothingToResumeError(f"{point.why}; to enter a state of your choice: --from-state S --input JSON")
    return replace(point, input=given) if given is not None else point


def _mended(aws: StepFunctions, failure: Failure, definition: str) -> Failure:
    """Put another definition in the place of the one that ran."""
    if definition != _CURRENT:
        source = Definition.parse(_read_file(definition, DefinitionError))
        return replace(failure, source=router.remove_gotostate(source))
    current = aws.machine(failure.source_arn)
    if current is None:
        raise DefinitionError(f"{failure.source_arn} does not exist any more; give --definition FILE")
    ran = Machine(failure.ran.arn, failure.ran.definition, current.configuration)
    return replace(failure, source=router.remove_gotostate(current.definition), ran=ran)


def _wait(aws: StepFunctions, arn: str) -> int:
    while (execution := aws.execution(arn)).status == "RUNNING":
        time.sleep(_POLL_SECONDS)
    print(f"Status       {execution.status}")
    if execution.output is not None:
        print(f"Output       {execution.output}")
    return OK if execution.status == "SUCCEEDED" else FAILURE


def _read(arn_text: str) -> tuple[StepFunctions, Failure]:
    arn = ExecutionArn.parse(arn_text)
    # The region of the ARN, so that the command is right whatever the shell's default region is.
    aws = StepFunctions(arn.region)
    return aws, recovery.read(aws, arn)


def _target(failure: Failure) -> tuple[str, str]:
    if failure.point.resume_from is None or failure.point.input is None:
        raise NothingToResumeError(failure.point.why)
    return failure.point.resume_from, failure.point.input


def _input_option(value: str | None) -> str | None:
    if value is None:
        return None
    return resumption.checked_input(_read_file(value[1:], InputError) if value.startswith("@") else value)


def _read_file(name: str, kind: type[GotoStateError]) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise kind(f"{name} cannot be read: {error}") from error


def _read_history(name: str) -> list[HistoryEvent]:
    """Read a history file and return its events newest first, whatever order they are in."""
    try:
        document = jsontext.parse(_read_file(name, HistoryError))
    except ValueError as error:
        raise HistoryError(
            f"{name} is not JSON ({error}); give all that 'aws stepfunctions get-execution-history' printed"
        ) from error
    events = document.get("events") if isinstance(document, dict) else document
    if not isinstance(events, list) or not all(_is_event(event) for event in events):
        raise HistoryError(f"{name} holds no list 'events' of history events with 'id' and 'type'")
    return sorted(events, key=lambda event: event["id"], reverse=True)


def _is_event(event: object) -> bool:
    return isinstance(event, dict) and isinstance(event.get("id"), int) and isinstance(event.get("type"), str)
