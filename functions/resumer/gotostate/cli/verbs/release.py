"""gotostate release: let the Resumer continue with the failures that waited."""

import argparse
from typing import Any

from gotostate.cli.deployment import add_options, check_options, command, held, show_state, stack_of
from gotostate.cli.options import add_verb
from gotostate.cli.stack import Resumer, State
from gotostate.cli.terminal import Exit, show


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        commands,
        "release",
        "end a hold: the failures that waited are resumed",
        description="End a hold: the failures that waited in the queue are resumed.",
        examples=["gotostate release --stack sfn-resume"],
    )
    add_options(parser)
    parser.set_defaults(run=_run, check=check_options, parser=parser)


def _run(options: argparse.Namespace) -> Exit:
    stack = stack_of(options)
    before = stack.settled_state()
    if before.resumer is not Resumer.RUNNING:
        after = stack.release()
    else:
        if before.hold:
            stack.forget_hold()
        after = State(before.mapping, None)
    show_state(stack, after)
    show("Note", _note(before))
    show("Next", command("status", options))
    return Exit.DONE


def _note(before: State) -> str:
    """Tell what there was to release."""
    if before.resumer is Resumer.DISABLED:
        return "it was disabled by somebody without a hold; it is enabled now"
    if before.resumer is Resumer.HELD and before.hold:
        return f"it was {held(before.hold)}"
    if before.hold:
        return f"it was not held: somebody had enabled it; the hold is off the record ({held(before.hold)})"
    return "it was not held; nothing was changed"
