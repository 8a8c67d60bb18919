"""Where an execution ended: golden cases as data, in the event shapes of real AWS, and what must be refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gotostate import jsontext
from gotostate.definition import Definition
from gotostate.errors import DefinitionError, GotoStateError, HistoryError, NotFailedError
from gotostate.history import FailurePoint, HistoryEvent, Why, last_visit, locate

CASES = sorted((Path(__file__).parent.parent / "golden" / "history").glob("*.json"))


def load(name: str) -> tuple[Definition, list[HistoryEvent], dict[str, Any]]:
    path = next(path for path in CASES if path.stem == name)
    case = json.loads(path.read_text())
    return Definition.parse(json.dumps(case["definition"])), case["history"]["events"][::-1], case["expect"]


def told(point: FailurePoint) -> dict[str, Any]:
    return {
        "status": point.status,
        "error": point.error,
        "cause": point.cause,
        "endedIn": point.ended_in,
        "resumeFrom": point.resume_from,
        "input": point.input,
        "variables": dict(point.variables),
        "why": point.why.name,
    }


@pytest.mark.parametrize("name", [path.stem for path in CASES])
@pytest.mark.parametrize("every_event", [False, True])
def test_golden(name: str, every_event: bool) -> None:
    definition, events, expect = load(name)
    assert told(locate(events, definition, every_event=every_event)) == expect


@pytest.mark.parametrize("name", [path.stem for path in CASES])
def test_emulators_may_send_events_of_siblings_after_the_end(name: str) -> None:
    # AWS ends a history with the end; the emulator was seen to add a sibling's events to it.
    definition, events, expect = load(name)
    late = {"type": "TaskStateAborted", "id": len(events) + 1, "previousEventId": 1}
    assert told(locate([late, *events], definition)) == expect


class Counted(Iterator[HistoryEvent]):
    """Counts the events that are taken from it."""

    def __init__(self, events: list[HistoryEvent]) -> None:
        self._events = iter(events)
        self.taken = 0

    def __next__(self) -> HistoryEvent:
        event = next(self._events)
        self.taken += 1
        return event


def test_reads_no_further_than_the_failed_states_own_entry() -> None:
    definition, events, _ = load("task_lambda")
    reader = Counted(events)
    locate(reader, definition)
    entered = next(number for number, event in enumerate(events, 1) if event["type"].endswith("StateEntered"))
    assert reader.taken == entered


def test_reads_to_the_start_for_variables() -> None:
    definition, events, _ = load("variables")
    reader = Counted(events)
    locate(reader, definition)
    assert reader.taken == len(events)


def test_memory_of_a_long_map_stays_flat() -> None:
    """20,000 inner events pass by; none of them is kept."""
    definition = Definition.parse(
        '{"StartAt": "Items", "States": {"Items": {"Type": "Map", "End": true, "ItemProcessor":'
        ' {"StartAt": "Inner", "States": {"Inner": {"Type": "Pass", "End": true}}}}}}'
    )
    alive = 0

    class Event(dict[str, Any]):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    most = 0

    def events() -> Iterator[HistoryEvent]:
        nonlocal alive, most
        for number in range(24_000, 0, -1):
            event = Event(type="PassStateEntered", id=number, stateEnteredEventDetails={"name": "Inner", "input": "1"})
            if number == 24_000:
                event = Event(type="ExecutionFailed", id=number, executionFailedEventDetails={})
            elif number == 2_000:
                event = Event(
                    type="MapStateEntered", id=number, stateEnteredEventDetails={"name": "Items", "input": "[]"}
                )
            alive += 1
            most = max(most, alive)
            yield event
            assert number >= 2_000, "it read past the Map's own entry"

    assert locate(events(), definition).resume_from == "Items"
    assert most < 10


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda events: [{"type": "ExecutionSucceeded", "id": 99}, *events[1:]], NotFailedError, "succeeded"),
        (lambda events: events[1:], NotFailedError, "still runs"),
        (lambda events: [{"type": "ExecutionRedriven", "id": 99}, *events], NotFailedError, "redriven"),
        (lambda events: events[:-1], HistoryError, "ExecutionStarted"),
        (lambda events: [without_input(event) for event in events], HistoryError, "includeExecutionData"),
        (lambda events: [renamed(event) for event in events], DefinitionError, "ran with"),
        (lambda events: [without_details(event) for event in events], HistoryError, "stateExitedEventDetails"),
    ],
)
def test_refuses_what_it_cannot_know(change: Any, error: type[GotoStateError], says: str) -> None:
    definition, events, _ = load("variables")
    with pytest.raises(error, match=says):
        locate(change(events), definition)


def without_input(event: HistoryEvent) -> HistoryEvent:
    details = dict(event.get("stateEnteredEventDetails", {}), inputDetails={"truncated": True})
    return {**event, "stateEnteredEventDetails": details} if "stateEnteredEventDetails" in event else event


def renamed(event: HistoryEvent) -> HistoryEvent:
    details = {name: {**value, "name": "Other"} for name, value in event.items() if name.startswith("stateE")}
    return {**event, **details}


def without_details(event: HistoryEvent) -> HistoryEvent:
    return {name: value for name, value in event.items() if name != "stateExitedEventDetails"}


def test_a_state_can_be_found_on_its_last_entry() -> None:
    definition, events, _ = load("loop")
    visit = last_visit(events, definition, "More")
    assert visit
    assert (visit.resume_from, visit.input, visit.variables) == ("More", '{"i":3}', {"i": "2"})
    assert last_visit(events, definition, "Done") is None


def test_rerun_of_a_gotostate_machine_keeps_the_recorded_texts() -> None:
    definition, events, _ = load("gotostate_aborted_in_backoff")
    text = '{"resuming":{"state":"C","input":1.10,"variables":{"v":1E+2}}}'
    details = {"input": text, "inputDetails": {"truncated": False}}
    start = {**events[-1], "executionStartedEventDetails": details}
    point = locate([*events[:-1], start], definition)
    assert (point.why, point.input, point.variables) == (Why.AGAIN, "1.10", {"v": "1E+2"})
    assert jsontext.parse(str(point.input)) == 1.1
