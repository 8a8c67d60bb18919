"""Which tasks were entered since a state was entered last."""

from gotostate.definition import Definition
from gotostate.events import HistoryEvent
from gotostate.jsontext import write
from gotostate.skipping import TasksSince

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


def test_the_state_itself_counts() -> None:
    since = TasksSince(entered("Fetch", "Store", "Fetch"), Definition.parse(write(LOOP)), "Store")
    assert len(list(since)) == 3
    assert since.names == {"Fetch", "Store"}
