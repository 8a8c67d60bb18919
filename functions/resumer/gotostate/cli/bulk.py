"""gotostate resume of many failures: shows what would be done, asks, tries canaries, and hands the rest over."""

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gotostate import jsontext, many
from gotostate.cli import preview, selection
from gotostate.cli.account import asked, parameters
from gotostate.cli.bar import Bar
from gotostate.cli.chosen import Chooser, Wish
from gotostate.cli.confirmation import confirm
from gotostate.cli.handover import Done, Seen, Watch, What, by_resumer, ended, from_here
from gotostate.cli.plan import short_cause
from gotostate.cli.preview import Preview
from gotostate.cli.terminal import Exit, show
from gotostate.cli.wording import timestamp
from gotostate.definition import Definition
from gotostate.errors import DefinitionError, StackError
from gotostate.failure import Failure
from gotostate.gathering import Gatherer, Meant, Planner
from gotostate.many import Item
from gotostate.memory import Memory
from gotostate.planning import Plan
from gotostate.resumption import Asked
from gotostate.settings import Settings
from gotostate.stack import Resumer, Stack
from gotostate.stepfunctions import Execution

DEFAULT_SINCE = "24h"

# Options that choose among many failures, which are not for one that is named; --profile is for both.
_FOR_MANY = ("state_machine", "since", "until", "error", "state", "region", "limit", "canary", "dry_run", "json")
# Options that are for one execution alone.
_FOR_ONE = ("input", "whole", "skip", "strategy", "force")
_CHOSEN = "a request to the Resumer carries neither --definition nor --from-state"
_NOT_OPTED_IN = "the Resumer touches no state machine that has not opted in by the tag gotostate"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how many failures are resumed."""
    parser.add_argument("--limit", metavar="N", help="how many to resume at most, the newest failures first")
    parser.add_argument(
        "--canary", metavar="N", help="resume so many first, wait for their ends, and go on only if all succeed"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object; without --yes that of the plan")


def given_for_many(options: argparse.Namespace) -> list[str]:
    """Return the options that were given and are for many failures."""
    return [_option(name) for name in _FOR_MANY if getattr(options, name) not in (None, False)]


def check_options(options: argparse.Namespace) -> str | None:
    """Say what is wrong with the options, if anything is; fills in the default of --since."""
    if not options.state_machine and options.since is None:
        return "give the ARN of a failed execution, or say which failures: --state-machine NAME... or --since T"
    if given := [_option(name) for name in _FOR_ONE if getattr(options, name) not in (None, False)]:
        return f"{', '.join(given)} is for one execution: give its ARN"
    for name in ("limit", "canary"):
        text = getattr(options, name)
        if text is not None and not (text.isascii() and text.isdecimal() and int(text)):
            return f"--{name} is {text!r}; give a whole number of at least 1"
    if options.dry_run and options.yes:
        return "--dry-run does nothing, and --yes does it; leave one of them out"
    options.since = options.since or DEFAULT_SINCE
    return selection.check_options(options, _now())


def run(options: argparse.Namespace) -> Exit:
    """Resume many failures. Raises UnconfirmedError for a no."""
    bulk = _prepared(options)
    if options.json and not options.yes:
        print(jsontext.write(preview.facts(bulk.preview) | {"results": None, "next": bulk.rest}))
        return Exit.DONE if options.dry_run or not bulk.preview.done else Exit.UNCONFIRMED
    if not options.json:
        for line in preview.lines(bulk.preview):
            print(line)
    if options.dry_run or not bulk.preview.done:
        return bulk.finish(Exit.DONE)
    sys.stdout.flush()
    confirm(f"Resume {len(bulk.preview.done):,}?", given=options.yes)
    return bulk.carry_out()


def _prepared(options: argparse.Namespace) -> "_Bulk":
    now = _now()
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
    found = parameters(options.stack, region, options.profile)
    by = asked(aws, options.reason)
    planner = None if wish.is_plain else _planner(Chooser(memory, wish))
    meant = Meant(machines, since, until, options.state, options.error, int(options.limit) if options.limit else None)
    with Bar("reading", 1) as bar:

        def note(read: int, total: int) -> None:
            bar.total = total
            bar.show(read)

        gathered = Gatherer(memory, found.settings, by, planner).gather(meant, note)
    stack = _stack(found.stack, region, options.profile) if found.stack else None
    if stack is None:
        gathered = replace(gathered, items=tuple(replace(item, in_queue=False) for item in gathered.items))
        here = found.source.partition(", as ")[2] or "there is no deployed stack"
    else:
        here = _CHOSEN if planner else _NOT_OPTED_IN
    read = len(gathered.items)
    shown = Preview(
        gathered,
        found.stack,
        found.source,
        many.seconds(gathered.items, read, region),
        here,
        _minds(stack, gathered.items),
    )
    return _Bulk(options, memory, shown, stack, by, _rest(options, since, until))


@dataclass
class _Bulk:
    """A bulk resume from its plan to its end."""

    options: argparse.Namespace
    memory: Memory
    preview: Preview
    stack: Stack | None
    asked: Asked
    rest: str
    done: Done = field(default_factory=Done)
    canaries: list[Execution] = field(default_factory=list)
    seen: Seen | None = None

    def carry_out(self) -> Exit:
        """Resume the canaries, and the others only if all of them succeed."""
        try:
            items = self.preview.done
            count = int(self.options.canary or 0)
            canaries = many.canaries(items, count) if count else []
            if canaries and not self._try(canaries):
                return self.finish(Exit.FAILURE)
            self._hand_over([item for item in items if item not in canaries])
        except BaseException:
            # What was done is done, whatever ended it; to run the same command again does the rest.
            self.finish(Exit.FAILURE)
            raise
        return self.finish(Exit.FAILURE if self._has_failed() else Exit.DONE)

    def finish(self, code: Exit) -> Exit:
        """Print what was done, and what shows the rest."""
        if self.options.json:
            if not self.options.dry_run:
                print(jsontext.write(preview.facts(self.preview) | {"results": self._results(), "next": self.rest}))
            return code
        for execution in self.canaries:
            show("Canary", f"{execution.arn} {execution.status}")
            if execution.status != "SUCCEEDED":
                show("Error", f"{execution.error or '(none given)'}: {short_cause(execution.cause)}")
                show("Mind", f"a canary did not succeed, so {self._left():,} others were not resumed")
                show("Next", f"gotostate plan {execution.arn}")
        for what, number in self.done.counts.items():
            show(what.value.capitalize(), f"{number:,}")
        for why in sorted(set(self.done.why.values())):
            show("Because", why)
        if self.seen:
            show("Seen", _told(self.seen))
        if self.preview.gathered.items or self.preview.gathered.running:
            show("Next", self.rest)
        return code

    def _try(self, canaries: Sequence[Item]) -> bool:
        with Bar("canaries", len(canaries)) as bar:
            for _ in from_here(self.memory, canaries, self.done):
                bar.show(0, "starting")
            if self.done.why:
                return False
            self.canaries = ended(self.memory, canaries, bar.show)
        return all(execution.status == "SUCCEEDED" for execution in self.canaries)

    def _hand_over(self, items: Sequence[Item]) -> None:
        asked_for = [item for item in items if item.in_queue]
        began = _now()
        with Bar("resuming", len(items)) as bar:
            if self.stack:
                for batch in by_resumer(self.stack, asked_for, self.asked, self.done):
                    bar.show(sum(item.execution in self.done.by for item in items), f"asked for {len(batch)}")
            for _ in from_here(self.memory, [item for item in items if not item.in_queue], self.done):
                bar.show(sum(item.execution in self.done.by for item in items))
        if self.options.wait or (sys.stderr.isatty() and not self.options.json):
            self._watch([item for item in items if self.done.by.get(item.execution) is not What.FAILED], began)

    def _watch(self, items: Sequence[Item], began: float) -> None:
        if sys.stderr.isatty():
            print("All was handed over: Ctrl-C ends the watching and nothing else.", file=sys.stderr)
        watch = Watch(self.memory, items, began)
        with Bar("ended", len(items)) as bar:

            def note(seen: Seen) -> None:
                self.seen = seen
                bar.show(seen.ended, _told(seen))

            try:
                self.seen = watch.to_the_end(self.stack, note)
            except KeyboardInterrupt:
                print("\ngotostate: all of it was handed over and goes on without you", file=sys.stderr)

    def _has_failed(self) -> bool:
        return bool(self.done.why) or bool(self.options.wait and self.seen and self.seen.failed)

    def _left(self) -> int:
        return len(self.preview.done) - len(self.done.by)

    def _results(self) -> dict[str, Any]:
        return {
            "canaries": [{"execution": found.arn, "status": found.status} for found in self.canaries],
            "done": {what.value: number for what, number in self.done.counts.items()},
            "failures": [{"execution": arn, "reason": why} for arn, why in self.done.why.items()],
            "seen": vars(self.seen) if self.seen else None,
        }


def _planner(chooser: Chooser) -> Planner:
    def plan(failure: Failure, settings: Settings) -> tuple[Plan, frozenset[str]]:
        chosen = chooser.plan(failure, settings)
        return chosen.plan, chosen.again

    return plan


def _stack(name: str, region: str, profile: str | None) -> Stack:
    return Stack(name, region, profile)


def _minds(stack: Stack | None, items: Sequence[Item]) -> tuple[str, ...]:
    """Tell of a Resumer that does not take what it is asked for now."""
    if stack is None or not any(item.in_queue for item in items):
        return ()
    try:
        state = stack.state()
    except StackError as error:
        return (str(error),)
    if state.resumer is Resumer.RUNNING:
        return ()
    return (f"the Resumer of the stack {stack.name} is {state.resumer}: what it is asked for waits in its queue",)


def _rest(options: argparse.Namespace, since: float, until: float | None) -> str:
    """Return the command that shows what is left."""
    words = ["gotostate", "list"]
    if options.state_machine:
        words += ["--state-machine", *options.state_machine]
    words += ["--since", str(timestamp(since))]
    if until is not None:
        words += ["--until", str(timestamp(until))]
    for name in ("error", "state", "region", "profile"):
        if value := getattr(options, name):
            words += [_option(name), value]
    return shlex.join([*words, "--unresolved"])


def _told(seen: Seen) -> str:
    running = seen.begun - seen.ended
    return preview.counted((("succeeded", seen.succeeded), ("failed", seen.failed), ("running", running))) or "none yet"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _now() -> float:
    return time.time()
