"""The failures that a person means, each with the plan for it; changes nothing."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from gotostate import policy, reading, recovery
from gotostate.awserrors import is_denied
from gotostate.chains import Listed
from gotostate.cli.bulk.items import Item
from gotostate.errors import GotoStateError, NotFailedError, ThrottledError, TransientError
from gotostate.failure import Failure
from gotostate.listing import joined, look_ahead
from gotostate.memory import Memory
from gotostate.planning import Plan
from gotostate.policy import BY_HAND, Action, Decision
from gotostate.report import Report
from gotostate.resumption import SUFFIX, Asked, ExecutionArn
from gotostate.rows import is_meant
from gotostate.settings import Settings, for_machine, matches

# Makes a plan that differs from the usual one, with the tasks that run again, and remarks about it.
Planner = Callable[[Failure, Settings], tuple[Plan, frozenset[str], tuple[str, ...]]]


@dataclass(frozen=True)
class Meant:
    """Which failures are selected: by machines, by period (in seconds since the epoch), and by state and error.

    error: pattern of its name, * for any characters. limit: how many are resumed at most; None: all.
    """

    machines: Collection[str]
    since: float
    until: float | None = None
    state: str | None = None
    error: str | None = None
    limit: int | None = None

    def takes(self, item: Item) -> bool:
        """Tell whether a failure that was read is meant."""
        return is_meant(item.state, item.error, state=self.state, pattern=self.error)


@dataclass(frozen=True)
class Gathered:
    """The failures that are meant, newest first.

    running: how many run again already; None where a state or an error was asked for, as theirs is not known.
    more: how many were not looked at. looked_at: how many were.
    """

    items: tuple[Item, ...]
    running: int | None
    more: int
    looked_at: int = 0


class Gatherer:
    """Reads failures and makes a plan for each, as a person requested.

    settings: the stack's. planner: where something was chosen, what makes the plan; such a plan is carried out by the
    person's own credentials, as a request to the Resumer does not carry it. taken: names of the state machines that the
    deployed Resumer may read, with * for any characters; None: there is no Resumer to ask.
    """

    def __init__(
        self,
        memory: Memory,
        settings: Settings,
        asked: Asked,
        planner: Planner | None = None,
        *,
        taken: str | None = "*",
    ) -> None:
        self._memory = memory
        self._settings = settings
        self._asked = asked
        self._planner = planner
        self._taken = () if taken is None else (taken, taken + SUFFIX)

    def gather(self, meant: Meant, note: Callable[[int, int], None] = lambda read, total: None) -> Gathered:
        """Return the selected failures that are unresolved, without their data; `anew` reads the data of one failure.

        note: called with how many were read, of how many. All data of ten thousand failures may be gigabytes.

        Raises NotFoundError when none of the machines exists, ThrottledError.
        """
        unresolved = joined(self._memory, meant.machines, since=meant.since, until=meant.until, unresolved=True)
        failed = [listed for listed in unresolved if listed.newest.has_failed]
        look_ahead(self._memory, (listed.newest for listed in failed))
        running, items = len(unresolved) - len(failed), list[Item]()
        done, looked_at = 0, 0
        for listed in failed:
            if meant.limit is not None and done >= meant.limit:
                break
            looked_at += 1
            item = self._item(listed)
            if item is None:
                running += 1
            elif meant.takes(item):
                items.append(item)
                done += item.is_done
            note(looked_at, len(failed))
        is_filtered = meant.state is not None or meant.error is not None
        return Gathered(tuple(items), None if is_filtered else running, len(failed) - looked_at, looked_at)

    def anew(self, item: Item) -> Item | None:
        """Read a failure and plan for it once more, with its data, right before it is resumed from here.

        None where it has been continued by other means since: it was redriven, or the original that it resumed was.
        Raises what `reading.read` raises, except NotFailedError.
        """
        assert item.plan
        try:
            found = self._read(item.listed)
        except NotFailedError:
            return None
        assert found.plan
        failure = found.plan.failure
        has_gone_on = failure.redrives != item.plan.failure.redrives or failure.original is not None
        return None if has_gone_on else found

    def _item(self, listed: Listed) -> Item | None:
        """Read one failure; None where it runs again by now. Read errors are reported in the item, not raised."""
        try:
            item = self._read(listed)
        except NotFailedError:
            return None
        except ThrottledError:
            raise
        except Exception as error:
            if isinstance(error, GotoStateError | TransientError) or is_denied(error):
                return Item(listed, None, Decision(Action.GIVE_UP, "unreadable", str(error)), self._settings)
            raise
        return replace(item, plan=_without_data(item.plan)) if item.plan else item

    def _read(self, listed: Listed) -> Item:
        arn = ExecutionArn.parse(listed.newest.execution)
        if by_arn := policy.by_arn(arn):
            return Item(listed, None, by_arn, self._settings)
        tags = reading.governing_tags(self._memory, arn.machine_arn)
        settings = for_machine(tags, self._settings)
        allowed = policy.opt_in(tags, self._settings)
        failure = reading.read(self._memory, Report(arn.text), settings)
        return self._planned(listed, failure, allowed, settings)

    def _planned(self, listed: Listed, failure: Failure, allowed: Decision, settings: Settings) -> Item:
        if self._planner:
            return self._chosen(listed, failure, allowed, settings, self._planner)
        is_opted_in = allowed.action is not Action.SKIP
        hand = allowed if is_opted_in else BY_HAND
        plan = recovery.planned(self._memory, failure, hand, settings, asked=self._asked)
        plan = replace(plan, delay_seconds=0)
        held = _held(plan.failure, allowed, settings, plan.again, plan.no_room)
        in_queue = is_opted_in and bool(matches(failure.arn.machine_name, self._taken))
        return Item(listed, plan, plan.decision, settings, plan.again, held, in_queue=in_queue)

    def _chosen(
        self, listed: Listed, failure: Failure, allowed: Decision, settings: Settings, planner: Planner
    ) -> Item:
        # Shows the state and error of a failure that is refused.
        bare = Plan(failure, BY_HAND, None, None, {})
        for remark in policy.remarks(failure, settings):
            if remark.needs_force:
                return Item(listed, bare, replace(remark, action=Action.SKIP), settings)
        try:
            plan, again, remarks = planner(failure, settings)
            plan = replace(plan, asked=self._asked)
            plan.resume_input()
        except GotoStateError as error:
            return Item(listed, bare, Decision(Action.GIVE_UP, "refused", str(error)), settings)
        # Nobody looks at each of many failures, so inexact resumes are left to a person, as in a plan without a choice.
        if inexact := policy.inexact(plan.failure, settings):
            return Item(listed, bare, inexact, settings)
        return Item(
            listed, plan, plan.decision, settings, again, _held(failure, allowed, settings, again), remarks=remarks
        )


def _held(
    failure: Failure, allowed: Decision, settings: Settings, again: Collection[str], no_room: str | None = None
) -> Decision | None:
    """Say why automation leaves a failure alone; None where it does not."""
    held = policy.automatic(failure, allowed, settings, again, no_room)
    return None if held.action in (Action.RESUME, Action.REDRIVE) else held


def _without_data(plan: Plan) -> Plan:
    """Drop the data that only the start needs: it is read again for the start."""
    failure = plan.failure
    ending = replace(failure.point.ending, cause=None)
    point = replace(failure.point, ending=ending, input=None, variables={}, output=None, steps=None, held=None)
    chain = replace(failure.chain, original_input=None, record=None)
    failure = replace(failure, point=point, chain=chain)
    return replace(plan, failure=failure, input=None, variables={}, record=None)
