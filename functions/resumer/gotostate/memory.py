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
# A version that serves is looked at again after this time: its machine may have been deleted and built again, so that
# the number belongs to another version. If the version does not exist, a start shows that sooner.
SERVING_SECONDS = 600.0
# Some of AWS's reads may not show yet what was reported this recently.
RECENT_SECONDS = 300.0
# How often the tags of all machines are read at once, at most.
ALL_TAGS_SECONDS = 15.0
# In a storm of failures, AWS is asked about a single execution of a machine this often at most.
ASKING_SECONDS = 60.0
# A caller that has to wait before a look waits a little longer, so that the look settles slightly later starts too.
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
    """The known facts about state machines, read from AWS if they are missing or may not be trusted any more."""

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
            # The index, which is not that far behind, does not show it: it had no such tag when the execution failed.
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

        One call returns a hundred machines, while AWS allows the call for a single machine once a second. A machine
        that this does not show counts as untagged only by the rule of `tags`. Raises what AWS raises.
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
        """Read the tags of all machines that opted in, because AWS throttles the call for a single one."""
        if self._clock() - self._all_asked_at < ALL_TAGS_SECONDS:
            return
        try:
            self.tags_of_opted_in()
        except Exception as error:  # noqa: BLE001  it is the faster of two ways; the other is left
            _log.warning("the tags of all state machines cannot be read at once: %s", error)

    def forget_tags(self, machine_arn: str) -> None:
        """Forget a machine's tags, so that they are read again when they are needed next."""
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
            # The version was deleted since; AWS still describes its executions.
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
        # For a machine that is not known yet, a look is enough only if the machine was never updated.
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

        It does not settle executions that started a moment ago. In a storm it is worth the wait, as the look settles
        all others as well and AWS allows twenty of these calls a second, but only one that asks about an execution.
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

        For a machine that was updated, the look does not tell when; the call about one of its executions does.
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

        Only a past or present time that AWS itself gave may be trusted: the start or end of an execution, or the Date
        of a response, which is cut to whole seconds. Never pass a time of another clock, nor one in the future: a look
        that is dated too late leads to a wrong definition.
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
        """Return the version of a GoToState machine that serves a source, if it was found recently.

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
        """Remember that AWS refuses the definition that would serve a source."""
        if len(self._refused) >= _MOST_MACHINES:
            self._refused.clear()
        self._refused[_digest_of(wanted, inside)] = why

    def refused(self, wanted: Machine, inside: str | None) -> str | None:
        """Return why AWS refused the definition that would serve a source; None if it did not."""
        return self._refused.get(_digest_of(wanted, inside))

    def is_gone(self, wanted: Machine, inside: str | None, version_arn: str) -> None:
        """Forget the version that serves a source: it does not exist any more."""
        self._serving.pop(_digest_of(wanted, inside), None)
        self._versions.pop(version_arn, None)
        self._gone.add(version_arn)

    def was_gone(self, version_arn: str) -> bool:
        """Tell whether a start of a version failed because the version does not exist any more."""
        return version_arn in self._gone

    def may_serve(self, version_arn: str, wanted: Machine) -> bool:
        """Tell whether a version may be the wanted one: a search through many versions skips those already seen."""
        return self._published.get(version_arn, _digest_of(wanted)) == _digest_of(wanted)

    def has_seen(self, version: Machine) -> None:
        """Keep what a version is; it never changes."""
        if len(self._published) >= _MOST_MACHINES:
            self._published.clear()
        self._published[version.arn] = _digest_of(
            Machine(version.arn.rpartition(":")[0], version.definition, version.configuration)
        )

    def is_recent(self, report: Report) -> bool:
        """Tell whether AWS reported a failure so recently that a read which does not show it may be behind."""
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
