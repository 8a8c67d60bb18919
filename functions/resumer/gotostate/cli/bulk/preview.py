"""The plan for many failures, for people and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gotostate.cli.bulk import items as bulk_items
from gotostate.cli.bulk.gathering import Gathered
from gotostate.cli.bulk.items import Group, Item
from gotostate.cli.caution import MOST_CALLS
from gotostate.cli.table import table
from gotostate.plain import duration, printable
from gotostate.policy import Action

# By these rules there is nothing to resume, or another execution is the one to resume.
_NOT_MEANT = ("left-to-parent", "map-run-child", "finished", "not-failed", "already-redriven", "aborted")

# What automation had done about a failure that is resumed now.
_WAS = {Action.PREPARE: "was prepared", Action.GIVE_UP: "had given up"}


@dataclass(frozen=True)
class Preview:
    """The plan for many failures: which were gathered, who resumes them, and how long AWS's quotas make it take.

    stack: the name of the deployed stack whose Resumer is asked; None: all is done from here. here: the reason, if
    something is done from here. minds: what else to know before it is confirmed. canaries: how many are tried first.
    """

    gathered: Gathered
    stack: str | None
    parameters: str
    seconds: int
    here: str
    minds: tuple[str, ...] = ()
    canaries: int = 0

    @property
    def done(self) -> list[Item]:
        """The failures that would be resumed or redriven."""
        return [item for item in self.gathered.items if item.is_done]

    @property
    def has_refused(self) -> bool:
        """Tell whether a failure that should be resumed is not: it cannot be read, or a rule refuses it."""
        return any(item.decision.rule not in _NOT_MEANT for item in self.gathered.items if not item.is_done)


def lines(preview: Preview) -> Iterator[str]:
    """Write the plan for people."""
    groups = bulk_items.groups(preview.gathered.items)
    rows = [_cells(group) for group in groups]
    header = ("MACHINE", "STATE", "ERROR", "COUNT", "ACTION")
    for line, group in zip(table(header, rows, names=3), (None, *groups), strict=True):
        yield line
        for more in _below(group) if group else ():
            yield f"  {printable(more)}"
    count, done = len(preview.gathered.items), len(preview.done)
    told = [f"{_failures(count)}: {done:,} to resume"]
    if count > done:
        told.append(f"{count - done:,} refused")
    if preview.gathered.running:
        told.append(f"{preview.gathered.running:,} more run again already")
    if preview.gathered.more:
        told.append(f"{preview.gathered.more:,} more were not looked at")
    yield ", ".join(told)
    if done:
        yield from _ways(preview)
    yield f"parameters: {printable(preview.parameters)}"
    yield from (f"mind: {printable(mind)}" for mind in preview.minds)


def facts(preview: Preview) -> dict[str, Any]:
    """Return the plan as data for JSON."""
    gathered = preview.gathered
    return {
        "groups": [_group(group) for group in bulk_items.groups(gathered.items)],
        "failures": [_item(item) for item in gathered.items],
        "running": gathered.running,
        "more": gathered.more,
        "seconds": preview.seconds,
        "canaries": min(preview.canaries, len(preview.done)),
        "stack": preview.stack,
        "parameters": preview.parameters,
        "minds": list(preview.minds),
    }


def _ways(preview: Preview) -> Iterator[str]:
    first = bulk_items.canaries(preview.done, preview.canaries) if preview.canaries else []
    asked = sum(item.in_queue for item in preview.done) - sum(item.in_queue for item in first)
    here = len(preview.done) - len(first) - asked
    if first:
        count = "1 canary" if len(first) == 1 else f"{len(first):,} canaries"
        yield f"first: {count} from here, with your own credentials"
    if asked:
        yield f"{asked:,} by the Resumer of the stack {preview.stack}, through its queue"
    if here:
        yield f"{here:,} from here, with your own credentials: {printable(preview.here)}"
    if preview.seconds:
        yield f"AWS's quotas make it take at least {duration(preview.seconds)}"


def _cells(group: Group) -> tuple[str, ...]:
    item = group.first
    name = item.listed.machine.rpartition(":")[2]
    return (name, item.state or "-", item.error or "-", f"{len(group.items):,}", _what(item))


def _what(item: Item) -> str:
    if not item.is_done:
        return "refused"
    does = "redrive" if item.decision.action is Action.REDRIVE else "resume"
    was = _WAS.get(item.held.action) if item.held else None
    return f"{does} ({was})" if was else does


def _below(group: Group) -> Iterator[str]:
    item = group.first
    example = "" if group.has_one_reason else ", for example"
    if not item.is_done:
        yield f"refused{example}: {item.decision.reason}"
        return
    if item.plan and item.plan.state != item.state and item.decision.action is Action.RESUME:
        yield f"from: {item.plan.state}"
    if item.held:
        yield f"why not automatic{example}: {item.held.reason}"
    if item.decision.action is Action.REDRIVE:
        yield f"why a redrive: {item.decision.reason}"
    calls = list(group.calls())
    for call, again in calls[:MOST_CALLS]:
        how_often = f" (again in {again:,})" if again else ""
        danger = " NOT IDEMPOTENT" if call.state in item.settings.not_idempotent else ""
        yield f"calls: {call}{how_often}{danger}"
    if len(calls) > MOST_CALLS:
        yield f"calls: ... and {len(calls) - MOST_CALLS} more"


def _failures(count: int) -> str:
    return f"{count:,} failure{'' if count == 1 else 's'}"


def _group(group: Group) -> dict[str, Any]:
    item = group.first
    return {
        **_shared(item),
        "count": len(group.items),
        "calls": [{"call": str(call), "again": again} for call, again in group.calls()],
    }


def _item(item: Item) -> dict[str, Any]:
    plan = item.plan
    return {
        "execution": item.listed.original,
        "newest": item.execution,
        **_shared(item),
        "resumeFrom": plan.state if plan and item.is_done else None,
        "target": item.target,
        "again": sorted(item.again) if item.is_done else [],
    }


def _shared(item: Item) -> dict[str, Any]:
    through = "queue" if item.in_queue else "here"
    return {
        "machine": item.listed.machine,
        "state": item.state,
        "error": item.error,
        "action": item.decision.action.value if item.is_done else "refuse",
        "reason": item.decision.reason,
        "heldBack": item.held.reason if item.held else None,
        "through": through if item.is_done else None,
    }


def counted(counts: Sequence[tuple[str, int]]) -> str:
    """Write counts in one line, those of zero left out."""
    return ", ".join(f"{count:,} {what}" for what, count in counts if count)
