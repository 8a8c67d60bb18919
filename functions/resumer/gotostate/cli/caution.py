"""Warnings before a person resumes one failure: what runs again, and reasons against it."""

from collections.abc import Collection, Iterable

from gotostate import reading
from gotostate.cli.terminal import show
from gotostate.failure import Failure
from gotostate.memory import Memory
from gotostate.planning import Plan
from gotostate.policy import Action, Decision
from gotostate.settings import Settings

MOST_CALLS = 12


def begun_by_hand(memory: Memory, failure: Failure) -> list[Decision]:
    """Warn of an execution that a person started in the GoToState machine since a failure, as from the console."""
    found = reading.begun_by_hand(memory, failure)
    if found is None:
        return []
    reason = (
        f"{found.arn} ({found.status}) was started by hand in the GoToState machine after this failure: if it did this "
        "work, resuming the failure does it again"
    )
    return [Decision(Action.PREPARE, "begun-by-hand", reason)]


def show_calls(plan: Plan, settings: Settings, again: Collection[str] | None = None) -> None:
    """Print the calls from the state on, and the tasks among them that are declared not idempotent.

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
