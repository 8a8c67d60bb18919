"""The commands that a person types next about one failure: the one place where they are chosen by its rule."""

import shlex
from collections.abc import Sequence

from gotostate.policy import Action, Decision

# Rules by which automation leaves a failure alone that a person may resume at once.
_SKIPPED_AND_RESUMABLE = ("not-opted-in", "aborted")


def command(verb: str, execution: str, options: Sequence[str] = ()) -> str:
    """Write the command line of a verb for one execution. options: as Settings.command_options has them."""
    return shlex.join(["gotostate", verb, execution, *options])


def steps(decision: Decision, execution: str, options: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what to type about a failure that waits for a person, in order; nothing where nothing is to be done."""
    look, resume = command("plan", execution, options), command("resume", execution, options)
    if decision.look:
        return (command("plan", decision.look, options),)
    match decision.action:
        case Action.SKIP:
            return (resume,) if decision.rule in _SKIPPED_AND_RESUMABLE else ()
        case Action.GIVE_UP:
            return (resume,) if decision.rule == "max-attempts" else (look,)
        case Action.PREPARE:
            return (look,) if decision.rule == "finished" else (look, resume)
        case Action.RESUME | Action.REDRIVE:
            return (resume,)


def first_step(decision: Decision, execution: str, options: Sequence[str] = (), *, is_enterable: bool) -> str | None:
    """Return the one command that a list shows: `plan` first if something speaks against a resume.

    is_enterable: whether there is a state to enter.
    """
    found = steps(decision, execution, options)
    if not found or decision.look:
        return next(iter(found), None)
    # With the rule `prepare`, it only waits for approval.
    chosen = found[1] if decision.rule == "prepare" else found[0]
    return chosen if is_enterable else command("plan", execution, options)
