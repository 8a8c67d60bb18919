"""gotostate resume of many failures: shows what would be done, asks, tries canaries, and hands the rest over."""

import argparse
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gotostate import jsontext, many
from gotostate.cli import preview, selection
from gotostate.cli.account import asked, parameters
from gotostate.cli.bar import Bar
from gotostate.cli.chosen import Chooser, Wish
from gotostate.cli.confirmation import confirm
from gotostate.cli.handover import Canary, Done, Seen, Watch, What, by_resumer, from_here, look_once, see_to_the_end
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

DEFAULT_SINCE = "24h"

# Options that choose among many failures, which are not for one that is named; --profile is for both.
_FOR_MANY = ("state_machine", "since", "until", "error", "state", "region", "limit", "canary", "dry_run", "json")
# Options that are for one execution alone.
_FOR_ONE = ("input", "whole", "skip", "strategy", "force")
# By these rules a failure was left that somebody meant to resume.
_NOT_RESUMED = ("unreadable", "refused")
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
        if text is not None and (wrong := selection.check_count(name, text)):
            return wrong
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
    if options.dry_run:
        return bulk.finish(Exit.DONE)
    if not bulk.preview.done:
        return bulk.finish(Exit.FAILURE if bulk.has_refused else Exit.DONE)
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
    # Without a person who sees what is done from here, it must be known whether there is a Resumer.
    found = parameters(options.stack, region, options.profile, is_needed=bool(options.stack) or options.yes)
    by = asked(aws, options.reason)
    planner = None if wish.is_plain else _planner(Chooser(memory, wish))
    meant = Meant(machines, since, until, options.state, options.error, int(options.limit) if options.limit else None)
    with Bar("reading", 1) as bar:

        def note(read: int, total: int) -> None:
            bar.total = total
            bar.show(read)

        gatherer = Gatherer(
            memory, found.settings, by, planner, has_queue=bool(found.stack), keeps_all=options.canary is not None
        )
        gathered = gatherer.gather(meant, note)
    stack = _stack(found.stack, region, options.profile) if found.stack else None
    if stack is None:
        here = found.source.partition(", as ")[2] or "there is no deployed stack"
    else:
        here = _CHOSEN if planner else _NOT_OPTED_IN
    shown = Preview(
        gathered,
        found.stack,
        found.source,
        many.seconds(gathered.items, gathered.looked_at, region),
        here,
        _minds(stack, gathered.items),
        int(options.canary or 0),
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
    canaries: list[Canary] = field(default_factory=list)
    # Why the others were not resumed.
    stopped: str | None = None
    seen: Seen | None = None
    # How many of those that were waited for did not begin.
    missing: int = 0

    def carry_out(self) -> Exit:
        """Resume the canaries, and the others only if all of them succeed."""
        try:
            items = self.preview.done
            if self.preview.canaries and not self._try(self.preview.canaries):
                return self.finish(Exit.FAILURE)
            self._hand_over([item for item in items if item.execution not in self.done.by])
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
        self._show_canaries()
        for what, number in self.done.counts.items():
            show(what.value.capitalize(), f"{number:,}")
        for why in sorted(set(self.done.why.values())):
            show("Because", why)
        if self.seen:
            show("Seen", _told(self.seen))
        if self.missing:
            show("Mind", f"{self.missing:,} did not begin; look at the dead letters: {self._status()}")
        if self.preview.gathered.items or self.preview.gathered.running:
            show("Next", self.rest)
        return code

    def _show_canaries(self) -> None:
        for canary in self.canaries:
            show("Canary", f"{canary.arn} {canary.status}")
            if canary.status != "RUNNING" and not canary.has_succeeded:
                show("Error", f"{canary.error or '(none given)'}: {short_cause(canary.cause)}")
                show("Next", f"gotostate plan {shlex.quote(canary.arn)}")
        if self.stopped:
            show("Mind", f"{self.stopped}, so {self._left():,} others were not resumed")

    def _try(self, count: int) -> bool:
        """Resume so many first, and wait for their ends; in place of one that goes on already comes another."""
        items = self.preview.done
        with Bar("canaries", min(count, len(items))) as bar:
            self.stopped = "the canaries have not all succeeded"
            for item in from_here(self.memory, many.canaries(items, len(items)), self.done):
                if self.done.why:
                    self.stopped = "a canary could not be resumed"
                    look_once(self.memory, self.canaries)
                    return False
                if item.execution not in self.done.left:
                    self.canaries.append(Canary(item))
                bar.show(0, "starting")
                if len(self.canaries) == count:
                    break
            see_to_the_end(self.memory, self.canaries, bar.show)
            if not all(canary.has_succeeded for canary in self.canaries):
                self.stopped = "a canary did not succeed"
                return False
        self.stopped = None
        return True

    def _hand_over(self, items: Sequence[Item]) -> None:
        asked_for = [item for item in items if item.in_queue]
        began, so_far = _now(), 0
        with Bar("resuming", len(items)) as bar:
            if self.stack:
                for batch in by_resumer(self.stack, asked_for, self.asked, self.done):
                    so_far += len(batch)
                    bar.show(so_far, f"asked for {len(batch)}")
            for _ in from_here(self.memory, [item for item in items if not item.in_queue], self.done):
                so_far += 1
                bar.show(so_far)
        if self.options.wait or (sys.stderr.isatty() and not self.options.json):
            self._watch(self._handed_over(items), began)

    def _handed_over(self, items: Iterable[Item]) -> list[Item]:
        done = self.done
        return [
            item for item in items if done.by.get(item.execution) is not What.FAILED and item.execution not in done.left
        ]

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
                self.missing = watch.wanted - self.seen.begun
            except KeyboardInterrupt:
                print("\ngotostate: all of it was handed over and goes on without you", file=sys.stderr)

    @property
    def has_refused(self) -> bool:
        """Tell whether something could not be read, or AWS or its data do not let it be resumed."""
        refused = (item.decision.rule for item in self.preview.gathered.items if not item.is_done)
        return any(rule in _NOT_RESUMED for rule in refused)

    def _has_failed(self) -> bool:
        has_ended_badly = self.seen is not None and (self.seen.failed or self.missing)
        return bool(self.done.why) or self.has_refused or bool(self.options.wait and has_ended_badly)

    def _status(self) -> str:
        """Return the command that shows the dead letters."""
        words = ["gotostate", "status", "--region", self.memory.aws.client.meta.region_name]
        for name in ("stack", "profile"):
            if value := getattr(self.options, name):
                words += [_option(name), value]
        return shlex.join(words)

    def _left(self) -> int:
        return len(self.preview.done) - len(self.done.by)

    def _results(self) -> dict[str, Any]:
        return {
            "canaries": [{"execution": canary.arn, "status": canary.status} for canary in self.canaries],
            "done": {what.value: number for what, number in self.done.counts.items()},
            "failures": [{"execution": arn, "reason": why} for arn, why in self.done.why.items()],
            "seen": vars(self.seen) | {"missing": self.missing} if self.seen else None,
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
    for name in ("error", "state", "region", "profile", "stack"):
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
