"""Which tasks were entered since a state was entered last."""

import pytest
from gotostate import history
from gotostate.cli.skipping import TasksSince, skipped
from gotostate.definition import Definition
from gotostate.errors import NothingToResumeError
from gotostate.events import HistoryEvent
from gotostate.jsontext import write
from histories import History

LOOP = {
    "StartAt": "Fetch",
    "States": {
        "Fetch": {"Type": "Task", "Next": "Work"},
        "Work": {
            "Type": "Map",
            "ItemProcessor": {"StartAt": "Item", "States": {"Item": {"Type": "Task", "End": True}}},
        },
        "Pause": {"Type": "Wait", "Next": "Store"},
        "Store": {"Type": "Task", "Next": "Fetch"},
    },
}


def entered(*names: str) -> list[HistoryEvent]:
    events: list[HistoryEvent] = []
    for number, name in enumerate(names, 1):
        events.append({"id": number, "type": "TaskStateEntered", "stateEnteredEventDetails": {"name": name}})
    return events[::-1]


def test_only_tasks_since_the_last_visit_count() -> None:
    definition = Definition.parse(write(LOOP))
    since = TasksSince(entered("Fetch", "Store", "Fetch", "Work", "Item", "Item", "Pause"), definition, "Work")
    assert len(list(since)) == 7
    assert since.names == {"Item"}


def test_where_all_had_finished_there_is_nothing_to_skip() -> None:
    story = History()
    story.ends(story.task("Charge", 0, "{}", "{}"), "States.Timeout")
    definition = Definition.parse(write({"StartAt": "Charge", "States": {"Charge": {"Type": "Task", "End": True}}}))
    with pytest.raises(NothingToResumeError, match="nothing was started"):
        skipped(history.locate(story.newest_first, definition))


def test_the_state_itself_counts() -> None:
    since = TasksSince(entered("Fetch", "Store", "Fetch"), Definition.parse(write(LOOP)), "Store")
    assert len(list(since)) == 3
    assert since.names == {"Fetch", "Store"}
