"""What a person should know before they resume one failure: what runs again, and what speaks against it."""

from collections.abc import Collection, Iterable

from gotostate.cli.terminal import show
from gotostate.planning import Plan
from gotostate.policy import Decision
from gotostate.settings import Settings

MOST_CALLS = 12


def show_calls(plan: Plan, settings: Settings, again: Collection[str] | None = None) -> None:
    """Print what runs from the state on, and what of it a person declared not idempotent.

    again: the tasks that are known to run again; None: as the plan has it.
    """
    for call in plan.calls[:MOST_CALLS]:
        once_more = " (again)" if call.state in (plan.again if again is None else again) else ""
        danger = " NOT IDEMPOTENT" if call.state in settings.not_idempotent else ""
        show("Calls", f"{call}{once_more}{danger}")
    if len(plan.calls) > MOST_CALLS:
        show("Calls", f"... and {len(plan.calls) - MOST_CALLS} more")


def show_remarks(remarks: Iterable[Decision]) -> None:
    """Print what a person should know before resuming."""
    for remark in remarks:
        show("Mind", remark.reason)
