"""The plan for many failures, as data: in groups, with canaries, and how long AWS's quotas make it take."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from gotostate import quotas
from gotostate.calls import Call
from gotostate.chains import Listed
from gotostate.planning import Plan
from gotostate.policy import Action, Decision
from gotostate.settings import Settings


@dataclass(frozen=True)
class Item:
    """A failure, and what would be done about it.

    listed: its chain. plan: what would be done; None where it could not be read. decision: to resume or redrive it, or
    why not. again: tasks that run again. held: why automation leaves it alone, if it does. in_queue: whether the
    Resumer does it on request. remarks: what else a person should know. settings: those of its machine.
    """

    listed: Listed
    plan: Plan | None
    decision: Decision
    settings: Settings
    again: frozenset[str] = frozenset()
    held: Decision | None = None
    in_queue: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def execution(self) -> str:
        """ARN of the newest execution of the chain, the one that would be resumed."""
        return self.listed.newest.execution

    @property
    def is_done(self) -> bool:
        """Tell whether something would be done about it."""
        return self.decision.action in (Action.RESUME, Action.REDRIVE)

    @property
    def state(self) -> str | None:
        """The state in which it failed, as a list shows it; None where that is not known."""
        return self.plan.failure.failed_in if self.plan else None

    @property
    def error(self) -> str | None:
        """The error with which it failed; None where there is none, or it is not known."""
        return self.plan.failure.point.ending.error if self.plan else None

    @property
    def target(self) -> str | None:
        """ARN of the execution that will run: the resumed one, or the redriven one itself."""
        if self.plan is None or not self.is_done:
            return None
        return self.execution if self.decision.action is Action.REDRIVE else self.plan.failure.resumed_arn


@dataclass(frozen=True)
class Group:
    """Failures of one machine, state and error about which the same would be done by the same rule; never empty."""

    items: tuple[Item, ...]

    @property
    def first(self) -> Item:
        """Stands for all of them."""
        return self.items[0]

    @property
    def has_one_reason(self) -> bool:
        """Tell whether all have the first one's reason; their reasons may name other executions."""
        return len({_why(item) for item in self.items}) == 1

    def calls(self) -> Iterator[tuple[Call, int]]:
        """Yield the calls of the tasks from the state on, and in how many executions each is made again."""
        if self.first.is_done and self.first.plan:
            for call in self.first.plan.calls:
                yield call, sum(call.state in item.again for item in self.items)


def groups(items: Iterable[Item]) -> list[Group]:
    """Put failures into groups; the largest first, those about which nothing is done last."""
    found = defaultdict[tuple[object, ...], list[Item]](list)
    calls = dict[tuple[int, str | None], tuple[str, ...]]()
    for item in items:
        decision = item.held if item.is_done else item.decision
        rule = decision and (decision.rule, decision.action)
        runs: tuple[object, ...] = ()
        if item.plan and item.is_done:
            # Thousands of failures have only a few definitions.
            entered = id(item.plan.failure.source), item.plan.state
            if entered not in calls:
                calls[entered] = tuple(map(str, item.plan.calls))
            runs = item.plan.state, calls[entered]
        key = (item.listed.machine, item.state, item.error, item.decision.action, rule, runs, item.in_queue)
        found[key].append(item)
    made = [Group(tuple(members)) for members in found.values()]
    return sorted(made, key=lambda group: (not group.first.is_done, -len(group.items)))


def canaries(items: Iterable[Item], count: int) -> list[Item]:
    """Choose the failures that are resumed first: one of each group, then another of each, and so on."""
    turns = zip_longest(*(group.items for group in groups(items)))
    return [item for item in chain.from_iterable(turns) if item and item.is_done][:count]


def _why(item: Item) -> str | None:
    decision = item.held if item.is_done else item.decision
    return decision.reason if decision else None


def seconds(items: Sequence[Item], read: int, region: str) -> int:
    """Return the least number of seconds that AWS's quotas allow for resuming failures, if nothing else uses them.

    read: how many failures were just read for the plan, which used the same quotas.
    """
    started = sum(item.is_done for item in items)
    # Each is read again before it is started, by the Resumer or from here.
    calls = {"DescribeExecution": read + started, "GetExecutionHistory": read + started, "StartExecution": started}
    return int(quotas.seconds(calls, region))
