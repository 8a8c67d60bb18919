"""gotostate hold: let failures wait in the queue until they are released."""

import argparse
from typing import Any

from gotostate.cli.deployment import add_options, check_options, command, show_state, stack_of
from gotostate.cli.options import add_reason, add_verb
from gotostate.cli.stack import Resumer
from gotostate.cli.terminal import Exit, show


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        commands,
        "hold",
        "let failures wait in the queue until they are released",
        description="Let failures wait in the queue, for up to 14 days: nothing is resumed, and nothing is lost. The "
        "reason is kept in a tag: up to 256 letters, digits, spaces and _.:/=+-@.",
        examples=['gotostate hold --stack sfn-resume --reason "the bank is down"'],
    )
    add_reason(parser, "a tag of the function")
    add_options(parser)
    parser.set_defaults(run=_run, check=check_options, parser=parser)


def _run(options: argparse.Namespace) -> Exit:
    stack = stack_of(options)
    state = stack.settled_state()
    if state.resumer is Resumer.HELD:
        show_state(stack, state)
        show("Note", "it was held already; nothing was changed")
    else:
        was_disabled = state.resumer is Resumer.DISABLED
        show_state(stack, stack.hold(options.reason))
        if was_disabled:
            show("Note", "somebody had disabled it without a hold; now the hold is on record")
        show("Note", "failures wait in the queue for up to 14 days; what was begun is finished")
    show("Next", command("status", options))
    show("Next", command("release", options))
    return Exit.DONE
