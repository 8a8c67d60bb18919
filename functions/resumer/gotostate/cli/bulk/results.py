"""The results of a bulk resume, for people, as JSON, and as an exit code."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gotostate.cli.bulk import preview
from gotostate.cli.bulk.canaries import Canary
from gotostate.cli.bulk.handover import Done
from gotostate.cli.bulk.planned import Planned
from gotostate.cli.bulk.watching import Seen
from gotostate.cli.terminal import short_cause
from gotostate.nextsteps import command


@dataclass
class Results:
    """The progress so far, and what watching it showed.

    stopped: why the others were not resumed after the canaries; None where they were. seen: the last watched counts;
    None where nobody watched. missing: how many of the watched executions did not begin. was_left: whether somebody
    stopped the watching before all had ended.
    """

    done: Done = field(default_factory=Done)
    canaries: list[Canary] = field(default_factory=list)
    stopped: str | None = None
    seen: Seen | None = None
    missing: int = 0
    was_left: bool = False
    is_dry: bool = False

    def has_failed(self, *, waits: bool) -> bool:
        """Tell whether something was not resumed or, with waits (--wait), is not known to have succeeded."""
        has_ended_badly = self.seen is not None and bool(self.seen.failed or self.missing)
        return bool(self.stopped or self.done.why or (waits and (has_ended_badly or self.was_left)))


def lines(planned: Planned, results: Results) -> Iterator[tuple[str, str]]:
    """Yield the lines for people, each with its label."""
    for canary in results.canaries:
        yield "Canary", f"{canary.arn} {canary.status}"
        if canary.has_failed:
            yield "Error", f"{canary.error or '(none given)'}: {short_cause(canary.cause)}"
            yield "Next", command("plan", canary.arn, canary.item.settings.command_options)
    if results.stopped:
        left = len(planned.preview.done) - len(results.done.by)
        yield "Mind", f"{results.stopped}, so {left:,} others were not resumed"
    for what, number in results.done.counts.items():
        yield what.value.capitalize(), f"{number:,}"
    for why in sorted(set(results.done.why.values())):
        yield "Because", why
    if results.seen:
        yield "Seen", told(results.seen)
    if results.missing:
        yield "Mind", f"{results.missing:,} did not begin; look at the dead letters: {planned.status}"
    if results.is_dry:
        yield "Next", planned.again
    elif planned.preview.gathered.items or planned.preview.gathered.running:
        yield "Next", planned.rest


def facts(planned: Planned, results: Results | None) -> dict[str, Any]:
    """Return the plan and the results as data for JSON; results: None where nothing was to be done yet."""
    following = planned.again if results is None and planned.preview.done else planned.rest
    return preview.facts(planned.preview) | {"results": results and _facts(results), "next": following}


def told(seen: Seen) -> str:
    """Write the observed counts of executions in a few words."""
    counts = (("succeeded", seen.succeeded), ("failed", seen.failed), ("running", seen.begun - seen.ended))
    return preview.counted(counts) or "none yet"


def _facts(results: Results) -> dict[str, Any]:
    return {
        "canaries": [{"execution": canary.arn, "status": canary.status} for canary in results.canaries],
        "done": {what.value: number for what, number in results.done.counts.items()},
        "failures": [{"execution": arn, "reason": why} for arn, why in results.done.why.items()],
        "seen": vars(results.seen) | {"missing": results.missing} if results.seen else None,
    }
