"""The deployed stack, as hold, release and status name it and show it."""

import argparse
import shlex

from gotostate.cli.options import add_profile, add_region, add_stack
from gotostate.cli.stack import Hold, Resumer, Stack, State
from gotostate.cli.terminal import show
from gotostate.settings import DEFAULT_STACK


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which stack is meant, and where it is."""
    add_stack(parser, DEFAULT_STACK)
    add_region(parser)
    add_profile(parser)


def check_options(options: argparse.Namespace) -> str | None:
    """Say what is wrong with the options, if anything is."""
    return None if options.stack else "--stack needs the name of a stack"


def stack_of(options: argparse.Namespace) -> Stack:
    """Return the stack that the options name; it is not looked at yet."""
    return Stack(options.stack, options.region, options.profile)


def command(verb: str, options: argparse.Namespace) -> str:
    """Return what to type to use another verb on the same stack."""
    return f"gotostate {verb} --stack {shlex.quote(options.stack)}{place(options)}"


def place(options: argparse.Namespace) -> str:
    """Return the options by which gotostate and the AWS CLI find the stack's region and account."""
    given = (("--region", options.region), ("--profile", options.profile))
    return "".join(f" {name} {shlex.quote(value)}" for name, value in given if value)


def show_state(stack: Stack, state: State) -> None:
    """Print which stack it is and the state of its Resumer."""
    show("Stack", stack.name)
    show("Resumer", _told(state))


def held(hold: Hold) -> str:
    """Tell since when, by whom and why the Resumer is held."""
    return f"held since {hold.since} by {hold.by}" + (f" because {hold.because}" if hold.because else "")


def _told(state: State) -> str:
    if state.resumer is Resumer.RUNNING:
        left = f" (not {held(state.hold)}: somebody enabled it without a release)" if state.hold else ""
        return f"running{left}"
    if state.resumer is Resumer.CHANGING:
        return f"changing: {state.mapping}" + (f" ({held(state.hold)})" if state.hold else "")
    return held(state.hold) if state.hold else "disabled by somebody without a hold: nothing is resumed"
