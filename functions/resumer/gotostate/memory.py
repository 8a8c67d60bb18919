"""What a warm function keeps between recoveries, and the rule by which each entry may be trusted.

Without it a recovery costs six calls, of which AWS refills three at 1 a second; with it, two. The rules are
explained and proven in docs/decisions.md, "What is kept in a warm function".
"""

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gotostate import router
from gotostate.definition import Definition, Machine
from gotostate.errors import NotFoundError
from gotostate.report import Report
from gotostate.resumption import ExecutionArn
from gotostate.revisions import MARGIN_SECONDS, Revisions
from gotostate.stepfunctions import Revision, StepFunctions

# A tag that somebody changed takes effect within this time.
TAG_SECONDS = 60.0
# A version that serves is looked at again after this time: its machine may have been deleted and built anew, and the
# number of the version be another one's. A start tells sooner that it does not exist.
SERVING_SECONDS = 600.0
# What was reported so lately may not be shown by all of AWS's reads yet.
RECENT_SECONDS = 300.0
# How often the tags of all machines are read at once, at most.
ALL_TAGS_SECONDS = 15.0
# In a storm, a machine's executions are asked about one by one this often at most.
ASKING_SECONDS = 60.0
# Who waits for a look anyway waits a little longer, so that it settles what started a little later too.
AHEAD_SECONDS = 2.0

_MOST_MACHINES = 5_000
_MOST_DEFINITION_CHARACTERS = 8_000_000
_MOST_STARTED = 20_000

_log = logging.getLogger(__name__)


@dataclass
class _Tags:
    tags: Mapping[str, str] | None
    read_at: float


class Memory:
    """What is known of state machines, read from AWS where it is not known or may not be trusted any more."""

    def __init__(self, aws: StepFunctions, clock: Callable[[], float] = lambda: time.time()) -> None:  # noqa: PLW0108
        self.aws = aws
        self._clock = clock
        # The newest time that AWS has reported, and when it came.
        self._reported, self._reported_at = float("-inf"), 0.0
        self._tags: dict[str, _Tags] = {}
        self._all_asked_at = self._all_tags_at = float("-inf")
        self._all_tagged: set[str] = set()
        self._versions: OrderedDict[str, Machine] = OrderedDict()
        self._revisions: OrderedDict[str, Revisions] = OrderedDict()
        self._sources: OrderedDict[str, Machine] = OrderedDict()
        self._serving: dict[str, tuple[str, float]] = {}
        self._refused: dict[str, str] = {}
        self._published: dict[str, str] = {}
        self._gone: set[str] = set()
        self._started: OrderedDict[str, None] = OrderedDict()

    def tags(self, machine_arn: str, *, failed_at: float | None = None) -> Mapping[str, str]:
        """Return the tags of a state machine, at most a minute old. Raises NotFoundError when it does not exist.

        failed_at: when the execution failed for which they are wanted, in seconds since the epoch.
        """
        if self._is_old(machine_arn) and self.aws.pace.is_slow("list_tags_for_resource"):
            self._read_all_tags()
            # It was not shown, and its index is not that far behind: it had no such tag when the execution failed.
            if failed_at and machine_arn not in self._all_tagged and self._all_tags_at - failed_at > TAG_SECONDS:
                return {}
        if self._is_old(machine_arn):
            self._read_tags(machine_arn)
        tags = self._tags[machine_arn].tags
        if tags is None:
            raise NotFoundError(f"the state machine {machine_arn} does not exist (any more)")
        return tags

    def tags_of_opted_in(self) -> Mapping[str, Mapping[str, str]]:
        """Read the tags of all state machines that have the tag 'gotostate', by ARN, and keep them for a minute.

        AWS answers for a hundred machines in one call, and for a single one once a second. What this does not show
        counts as untagged by the rule of `tags` alone. Raises what AWS raises.
        """
        read_at = self._all_asked_at = self._clock()
        self._all_tags_at = float("-inf")
        found = self.aws.tags_of_opted_in()
        self._all_tags_at, self._all_tagged = read_at, set(found)
        self._tags |= {arn: _Tags(tags, read_at) for arn, tags in found.items()}
        return found

    def _is_old(self, machine_arn: str) -> bool:
        kept = self._tags.get(machine_arn)
        return kept is None or self._clock() - kept.read_at > TAG_SECONDS

    def _read_tags(self, machine_arn: str) -> None:
        read_at = self._clock()
        try:
            kept = _Tags(self.aws.tags(machine_arn), read_at)
        except NotFoundError:
            kept = _Tags(None, read_at)
        if len(self._tags) >= _MOST_MACHINES:
            self._tags.clear()
        self._tags[machine_arn] = kept

    def _read_all_tags(self) -> None:
        """Read the tags of all machines that opted in, where AWS throttles the question about single ones."""
        if self._clock() - self._all_asked_at < ALL_TAGS_SECONDS:
            return
        try:
            self.tags_of_opted_in()
        except Exception as error:  # noqa: BLE001  it is the faster of two ways; the other is left
            _log.warning("the tags of all state machines cannot be read at once: %s", error)

    def forget_tags(self, machine_arn: str) -> None:
        """Read a machine's tags anew when they are asked for next."""
        self._tags.pop(machine_arn, None)

    def machine_that_ran(self, report: Report) -> Machine:
        """Return the state machine as the reported execution ran it. Raises NotFoundError."""
        for time_of_report in (report.started, report.stopped):
            if time_of_report is not None:
                self.has_come(time_of_report)
        if report.version:
            if report.version in self._versions:
                self._versions.move_to_end(report.version)
                return self._versions[report.version]
            if machine := self.aws.machine(report.version):
                self._keep(self._versions, report.version, machine)
                return machine
            # The version was deleted since; its executions are described still.
            return self.aws.revision_of(report.execution).machine
        if not report.on_plain_arn or report.started is None:
            return self.aws.revision_of(report.execution).machine
        return self._plain_machine_that_ran(report.execution, report.started)

    def forget_machine(self, report: Report) -> None:
        """Forget which definition the reported execution ran: it proved wrong."""
        self._revisions.pop(ExecutionArn.parse(report.execution).machine_arn, None)

    def _plain_machine_that_ran(self, execution: str, started: float) -> Machine:
        machine_arn = ExecutionArn.parse(execution).machine_arn
        known = self._revisions.get(machine_arn) or Revisions()
        if machine := known.surely_ran(started):
            return machine
        # Of a machine that nothing is known of a look tells enough only if it was never updated.
        is_slow = self.aws.pace.is_slow("describe_state_machine_for_execution")
        if (known.may_be_current(started) if known.seen else is_slow) and (
            machine := self._look(machine_arn, known, started)
        ):
            self._keep(self._revisions, machine_arn, known)
            return machine
        known.asked_at = self._clock()
        revision = self.aws.revision_of(execution)
        known.add(revision, started)
        self._keep(self._revisions, machine_arn, known)
        return revision.machine

    def _look(self, machine_arn: str, known: Revisions, started: float) -> Machine | None:
        """Look at the machine as it is now: if it is a revision that is known, all that started before ran it.

        What started a moment ago is not settled by it yet. In a storm it is worth the wait, as the look settles all
        others as well and AWS answers twenty of them a second; the question about one execution it answers once.
        """
        wait = started + MARGIN_SECONDS - self._now()
        if wait > 0:
            if known.seen and self._clock() - known.asked_at > ASKING_SECONDS:
                return None
            self.aws.pace.pause(wait + AHEAD_SECONDS)
        looked_at = self._now()
        current = self.aws.current(machine_arn)
        updated = self._updated(known, current) if current else None
        if current is None or updated is None:
            return None
        known.add(Revision(current.machine, current.id, updated), looked_at)
        return known.surely_ran(started)

    def look_ahead(self, machine_arn: str) -> None:
        """Look at a machine before several of its past executions are asked about: one call settles most of them.

        Of a machine that was updated a look does not tell when; the question about one of the executions does then.
        """
        known, looked_at = self._revisions.get(machine_arn) or Revisions(), self._now()
        if known.seen or looked_at == float("-inf") or not (current := self.aws.current(machine_arn)):
            return
        if current.updated is None:
            known.undated = current, looked_at
        known.add(current, looked_at)
        self._keep(self._revisions, machine_arn, known)

    def has_come(self, time: float) -> None:
        """Take in a time that AWS's clock has reached, in seconds since the epoch; looks are dated by the newest one.

        It may be trusted where AWS itself told it, as the past or as its present: the start or the end of an
        execution, or the Date of an answer, which is cut to whole seconds. Never give a time of another clock, nor
        one that is still to come: a look that is dated too late mistakes definitions.
        """
        if time > self._now():
            self._reported, self._reported_at = time, self._clock()

    def _now(self) -> float:
        """Return a time by AWS's clock that has surely come: the newest that it reported, and what has passed since.

        Revisions are dated by AWS's clock, so this computer's own may only be used to count seconds.
        """
        return self._reported + (self._clock() - self._reported_at)

    @staticmethod
    def _updated(known: Revisions, current: Revision) -> float | None:
        """Tell when the current revision was made: DescribeStateMachine says it of one that was never updated."""
        if current.updated is not None:
            return current.updated
        return next((seen.revision.updated for seen in known.seen if seen.revision.id == current.id), None)

    def source_of(self, definition: Definition) -> Definition:
        """Return a definition without its router."""
        if not definition.is_gotostate:
            return definition
        if definition.text not in self._sources:
            self._keep(self._sources, definition.text, Machine("", router.remove_gotostate(definition), {}))
        self._sources.move_to_end(definition.text)
        return self._sources[definition.text].definition

    def serving(self, wanted: Machine, inside: str | None) -> str | None:
        """Return the version of a GoToState machine that serves a source, if it was found lately.

        inside: the Parallel or Map that is opened in it, if one is.
        """
        version, found_at = self._serving.get(_digest_of(wanted, inside), ("", float("-inf")))
        return version if self._clock() - found_at <= SERVING_SECONDS else None

    def serves(self, wanted: Machine, inside: str | None, version_arn: str) -> None:
        """Keep the version that serves a source."""
        if len(self._serving) >= _MOST_MACHINES:
            self._serving.clear()
        self._serving[_digest_of(wanted, inside)] = version_arn, self._clock()

    def refuses(self, wanted: Machine, inside: str | None, why: str) -> None:
        """Keep that AWS does not take what would serve a source."""
        if len(self._refused) >= _MOST_MACHINES:
            self._refused.clear()
        self._refused[_digest_of(wanted, inside)] = why

    def refused(self, wanted: Machine, inside: str | None) -> str | None:
        """Tell why AWS did not take what would serve a source, if it did not."""
        return self._refused.get(_digest_of(wanted, inside))

    def is_gone(self, wanted: Machine, inside: str | None, version_arn: str) -> None:
        """Forget the version that serves a source: it does not exist any more."""
        self._serving.pop(_digest_of(wanted, inside), None)
        self._versions.pop(version_arn, None)
        self._gone.add(version_arn)

    def was_gone(self, version_arn: str) -> bool:
        """Tell whether a start of a version was refused, as it does not exist any more."""
        return version_arn in self._gone

    def may_serve(self, version_arn: str, wanted: Machine) -> bool:
        """Tell whether a version is not known to be another one: who looks through many goes on where they ended."""
        return self._published.get(version_arn, _digest_of(wanted)) == _digest_of(wanted)

    def has_seen(self, version: Machine) -> None:
        """Keep what a version is; it never changes."""
        if len(self._published) >= _MOST_MACHINES:
            self._published.clear()
        self._published[version.arn] = _digest_of(
            Machine(version.arn.rpartition(":")[0], version.definition, version.configuration)
        )

    def is_recent(self, report: Report) -> bool:
        """Tell whether AWS reported a failure so lately that a read which does not show it may be behind."""
        return report.is_event and report.stopped is not None and self._clock() - report.stopped < RECENT_SECONDS

    def first_start(self, execution_arn: str) -> bool:
        """Tell whether this function starts an execution for the first time, as far as it can remember."""
        if execution_arn in self._started:
            return False
        self._started[execution_arn] = None
        if len(self._started) > _MOST_STARTED:
            self._started.popitem(last=False)
        return True

    @staticmethod
    def _keep[Kept: Machine | Revisions](kept: OrderedDict[str, Kept], arn: str, entry: Kept) -> None:
        """Keep an entry as the newest, and drop the oldest ones where definitions take too much room."""
        kept[arn] = entry
        kept.move_to_end(arn)
        while len(kept) > 1 and sum(map(_characters, kept.values())) > _MOST_DEFINITION_CHARACTERS:
            kept.popitem(last=False)


def _characters(entry: Machine | Revisions) -> int:
    if isinstance(entry, Machine):
        return len(entry.definition.text)
    revisions = [seen.revision for seen in entry.seen] + ([entry.undated[0]] if entry.undated else [])
    return sum(len(revision.machine.definition.text) for revision in revisions)


def _digest_of(machine: Machine, inside: str | None = None) -> str:
    whole = repr((machine.arn, machine.definition.text, sorted(machine.configuration.items()), inside))
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
