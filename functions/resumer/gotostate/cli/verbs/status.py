"""gotostate status: show whether the Resumer is running or held, and what is waiting; changes nothing."""

import argparse
from collections.abc import Iterator
from typing import Any

from gotostate import jsontext
from gotostate.cli.deployment import add_options, check_options, command, place, show_state, stack_of
from gotostate.cli.options import add_json, add_verb
from gotostate.cli.stack import Queue, Resumer, State
from gotostate.cli.terminal import Exit, show, show_json

_PUT_BACK = "aws sqs start-message-move-task"


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        commands,
        "status",
        "show whether the Resumer is running or held, and what is waiting; changes nothing",
        description="Show whether the Resumer is running or held, by whom and why, and what is waiting. SQS's counts "
        "are approximate. Changes nothing.",
        examples=["gotostate status --stack sfn-resume --json"],
    )
    add_json(parser)
    add_options(parser)
    parser.set_defaults(run=_run, check=check_options, parser=parser)


def _run(options: argparse.Namespace) -> Exit:
    stack = stack_of(options)
    state = stack.state()
    recovery, dead = stack.recovery_queue(), stack.dead_letters()
    if options.json:
        show_json(_json(stack.name, state, recovery, dead))
        return Exit.DONE
    show_state(stack, state)
    show("Waiting", f"{recovery.messages}" + (f" ({recovery.in_flight} in flight)" if recovery.in_flight else ""))
    show("Dead letters", f"{dead.messages}")
    for following in _next(options, state, recovery, dead):
        show("Next", following)
    return Exit.DONE


def _next(options: argparse.Namespace, state: State, recovery: Queue, dead: Queue) -> Iterator[str]:
    if state.resumer is Resumer.CHANGING:
        yield command("status", options)
    elif state.hold or state.resumer is Resumer.DISABLED:
        yield command("release", options)
    if dead.messages:
        # With a destination, as SQS knows where to put back only messages that it moved itself.
        yield f"{_PUT_BACK} --source-arn {dead.arn} --destination-arn {recovery.arn}{place(options)}"


def _json(name: str, state: State, recovery: Queue, dead: Queue) -> str:
    """Write the status as JSON: waiting includes inFlight; the hold is null unless it is in force."""
    hold = state.hold if state.resumer is not Resumer.RUNNING else None
    return jsontext.write(
        {
            "stack": name,
            "resumer": state.resumer.value,
            "heldSince": hold.since if hold else None,
            "heldBy": hold.by if hold else None,
            "heldBecause": hold.because if hold else None,
            "waiting": recovery.messages,
            "inFlight": recovery.in_flight,
            "deadLetters": dead.messages,
        }
    )
