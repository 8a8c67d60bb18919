"""A bulk resume, planned from its options: which failures, by which plans, and who resumes them."""

import argparse
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gotostate.cli import selection
from gotostate.cli.account import Parameters, asked, parameters
from gotostate.cli.bar import Bar
from gotostate.cli.bulk import items as bulk_items
from gotostate.cli.bulk.gathering import Gatherer, Meant, Planner
from gotostate.cli.bulk.items import Item
from gotostate.cli.bulk.preview import Preview
from gotostate.cli.chosen import Chooser, Wish
from gotostate.cli.stack import Resumer, Stack
from gotostate.definition import Definition
from gotostate.errors import DefinitionError, StackError
from gotostate.failure import Failure
from gotostate.memory import Memory
from gotostate.planning import Plan
from gotostate.resumption import Asked
from gotostate.settings import Settings

_CHOSEN = "a request to the Resumer carries neither --definition nor --from-state"
_NOT_TAKEN = (
    "the Resumer handles only state machines that have opted in by the tag gotostate and that its stack's "
    "StateMachineNames includes"
)


@dataclass(frozen=True)
class Planned:
    """A bulk resume that is ready to be confirmed and carried out.

    gatherer: reads a failure again before it is resumed from here. stack: the one whose Resumer is asked; None: all is
    done from here. since: when it was planned, in seconds since the epoch. rest, status: the commands that show what is
    left, and the dead letters. again: the one that does what a dry run shows.
    """

    memory: Memory
    gatherer: Gatherer
    preview: Preview
    stack: Stack | None
    asked: Asked
    since: float
    rest: str
    status: str
    again: str


def plan_many(options: argparse.Namespace, now: float) -> Planned:
    """Read the failures that are meant and plan for each; changes nothing.

    now: seconds since the epoch. Raises StackError, NotFoundError, ThrottledError, and DefinitionError and InputError
    for what the options name.
    """
    since, until = selection.times(options, now)
    wish = Wish.of(options)
    aws = selection.connect(options)
    memory = Memory(aws)
    region = aws.client.meta.region_name
    machines = selection.machines(aws, options, memory)
    if isinstance(wish.definition, Definition) and len(machines) > 1:
        raise DefinitionError(
            f"--definition names one file, and these are {len(machines)} state machines; name one with --state-machine"
        )
    # Unless a person sees what is done from here, it must be known whether there is a Resumer.
    found = parameters(options.stack, region, options.profile, is_needed=bool(options.stack) or options.yes)
    by = asked(aws, options.reason)
    planner = None if wish.is_plain else _planner(Chooser(memory, wish))
    meant = Meant(machines, since, until, options.state, options.error, int(options.limit) if options.limit else None)
    gatherer = Gatherer(memory, found.settings, by, planner, taken=found.names if found.stack else None)
    with Bar("reading", 1) as bar:

        def note(read: int, total: int) -> None:
            bar.total = total
            bar.show(read)

        gathered = gatherer.gather(meant, note)
    stack = Stack(found.stack, region, options.profile) if found.stack else None
    preview = Preview(
        gathered,
        found.stack,
        found.source,
        bulk_items.seconds(gathered.items, gathered.looked_at, region),
        _why_here(found, planner),
        tuple(_minds(found, stack, gathered.items, _on_stack("release", options, region))),
        int(options.canary or 0),
    )
    return Planned(
        memory,
        gatherer,
        preview,
        stack,
        by,
        now,
        _rest(options, since, until),
        _on_stack("status", options, region),
        _again(options, since, until),
    )


def _planner(chooser: Chooser) -> Planner:
    def plan(failure: Failure, settings: Settings) -> tuple[Plan, frozenset[str], tuple[str, ...]]:
        chosen = chooser.plan(failure, settings)
        return chosen.plan, chosen.again, chosen.remarks

    return plan


def _why_here(found: Parameters, planner: Planner | None) -> str:
    """Say why the resumes that are done from here are not done by the Resumer."""
    if not found.is_known:
        return "it is not known whether there is a Resumer"
    return found.why or (_NOT_TAKEN if planner is None else _CHOSEN)


def _minds(found: Parameters, stack: Stack | None, items: Sequence[Item], release: str) -> Iterator[str]:
    """Yield what a person should know of the stack and of the plans before they confirm them.

    release: the command that ends a hold.
    """
    if not found.is_known:
        yield f"the stack's parameters are not known, nor whether its Resumer is to be asked: {found.why}"
    if stack and any(item.in_queue for item in items):
        yield from _state(stack, release)
    for remark, count in Counter(remark for item in items for remark in item.remarks).items():
        yield f"{count:,} of them: {remark}"


def _state(stack: Stack, release: str) -> Iterator[str]:
    """Yield remarks if the Resumer does not process requests now."""
    try:
        state = stack.state()
    except StackError as error:
        yield str(error)
        return
    if state.resumer is not Resumer.RUNNING:
        yield f"the Resumer of the stack {stack.name} is {state.resumer}: requests wait in its queue"
        if state.resumer is Resumer.HELD:
            yield f"to let it continue: {release}"


def _rest(options: argparse.Namespace, since: float, until: float | None) -> str:
    """Return the command that shows what is left."""
    return shlex.join(["gotostate", "list", *selection.given(options, since, until), "--unresolved"])


def _again(options: argparse.Namespace, since: float, until: float | None) -> str:
    """Return the command without --dry-run."""
    chosen = selection.named(options, "definition", "from_state", "limit", "canary", "reason")
    waits = ["--wait"] if options.wait else []
    return shlex.join(["gotostate", "resume", *selection.given(options, since, until), *chosen, *waits])


def _on_stack(verb: str, options: argparse.Namespace, region: str) -> str:
    """Return the command of a verb that takes a stack."""
    return shlex.join(["gotostate", verb, "--region", region, *selection.named(options, "stack", "profile")])
