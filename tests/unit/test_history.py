"""Where an execution ended: golden cases as data, in the event shapes of real AWS, and what must be refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gotostate import jsontext
from gotostate.definition import Definition
from gotostate.errors import DefinitionError, GotoStateError, HistoryError, NotFailedError, StillRunningError
from gotostate.events import HistoryEvent
from gotostate.history import FailurePoint, Why, last_visit, locate
from gotostate.visits import Reported

CASES = sorted((Path(__file__).parent.parent / "golden" / "history").glob("*.json"))


def load(name: str) -> tuple[Definition, list[HistoryEvent], dict[str, Any]]:
    path = next(path for path in CASES if path.stem == name)
    case = json.loads(path.read_text())
    return Definition.parse(json.dumps(case["definition"])), case["history"]["events"][::-1], case["expect"]


def told(point: FailurePoint) -> dict[str, Any]:
    return {
        "status": point.ending.status,
        "error": point.ending.error,
        "cause": point.ending.cause,
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


def event(number: int, kind: str, previous: int | None = None, **details: Any) -> HistoryEvent:
    return {"id": number, "type": kind, "previousEventId": number - 1 if previous is None else previous, **details}


def entered(number: int, kind: str, name: str, given: str = "{}") -> HistoryEvent:
    return event(number, f"{kind}StateEntered", stateEnteredEventDetails={"name": name, "input": given})


def exited(number: int, kind: str, name: str, previous: int | None = None, **more: Any) -> HistoryEvent:
    details = {"name": name, "output": "{}", **more}
    return event(number, f"{kind}StateExited", previous, stateExitedEventDetails=details)


def failed(number: int, error: str = "Boom", previous: int | None = None) -> HistoryEvent:
    return event(number, "ExecutionFailed", previous, executionFailedEventDetails={"error": error})


STARTED = event(1, "ExecutionStarted", executionStartedEventDetails={"input": "{}"})


def definition(states: dict[str, Any]) -> Definition:
    return Definition.parse(json.dumps({"StartAt": next(iter(states)), "States": states}))


def at(events: list[HistoryEvent], states: dict[str, Any]) -> FailurePoint:
    return locate(events[::-1], definition(states))


CATCH = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "Default price"}]
PRICED = {
    "Get price": {"Type": "Task", "Catch": CATCH, "Next": "Charge"},
    "Default price": {"Type": "Pass", "Next": "Charge"},
    "Charge": {"Type": "Task", "Next": "Check"},
    "Check": {"Type": "Task", "Next": "Good?"},
    "Good?": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.ok", "IsPresent": True, "Next": "Done"}],
        "Default": "Stop",
    },
    "Done": {"Type": "Succeed"},
    "Stop": {"Type": "Fail"},
}


def test_an_error_that_was_recovered_long_before_is_not_the_way_to_a_fail_state() -> None:
    """Charge finished; to go back to the state that was caught would charge the card again."""
    events = [
        STARTED,
        entered(2, "Task", "Get price"),
        event(3, "TaskFailed"),
        exited(4, "Task", "Get price"),
        entered(5, "Pass", "Default price"),
        exited(6, "Pass", "Default price"),
        entered(7, "Task", "Charge"),
        exited(8, "Task", "Charge"),
        entered(9, "Task", "Check", '{"n":1}'),
        exited(10, "Task", "Check"),
        entered(11, "Choice", "Good?"),
        exited(12, "Choice", "Good?"),
        entered(13, "Fail", "Stop"),
        failed(14),
    ]
    point = at(events, PRICED)
    assert (point.resume_from, point.why, point.input) == ("Check", Why.WORKED, '{"n":1}')


@pytest.mark.parametrize("handlers", [[], ["Tell"], ["Tell", "Undo"]])
def test_the_way_of_a_catch_leads_back_to_the_state_that_was_caught(handlers: list[str]) -> None:
    way = [*handlers, "Stop"]
    states: dict[str, Any] = {
        "A": {"Type": "Task", "Next": "B"},
        "B": {"Type": "Task", "Catch": [{"ErrorEquals": ["x"], "Next": way[0]}], "Next": "Good?"},
        # The Fail state itself may be one that the normal way knows as well.
        "Good?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.x", "IsPresent": True, "Next": "Stop"}],
            "Default": "C",
        },
        "C": {"Type": "Task", "End": True},
        **{name: {"Type": "Task", "Next": following} for name, following in zip(handlers, way[1:], strict=True)},
        "Stop": {"Type": "Fail"},
    }
    events = [STARTED, entered(2, "Task", "B"), event(3, "TaskFailed"), exited(4, "Task", "B")]
    for name in handlers:
        events += [entered(len(events) + 1, "Task", name), exited(len(events) + 2, "Task", name)]
    events += [entered(len(events) + 1, "Fail", "Stop"), failed(len(events) + 2)]
    point = at(events, states)
    assert (point.resume_from, point.why) == ("B", Why.CAUGHT)


def container(kind: str, states: dict[str, Any], **more: Any) -> dict[str, Any]:
    inside = {"StartAt": next(iter(states)), "States": states}
    held = {"Branches": [inside]} if kind == "Parallel" else {"ItemProcessor": inside}
    return {"Type": kind, **held, "End": True, **more}


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
def test_a_fail_state_inside_a_container_is_told(kind: str) -> None:
    states = {"P": container(kind, {"W": {"Type": "Task", "Next": "F"}, "F": {"Type": "Fail"}})}
    events = [
        STARTED,
        entered(2, kind, "P"),
        event(3, f"{kind}StateStarted"),
        entered(4, "Task", "W"),
        exited(5, "Task", "W"),
        entered(6, "Fail", "F"),
        # As recorded on AWS: both point to the Fail state's own event.
        *([event(7, "MapIterationFailed", 6)] if kind == "Map" else []),
        event(8, f"{kind}StateFailed", 6),
        failed(9),
    ]
    assert at(events, states).why is Why.FAIL_INSIDE


@pytest.mark.parametrize("recovered", ["caught", "retried"])
def test_a_fail_state_whose_failure_was_recovered_inside_is_passed(recovered: str) -> None:
    inner = container("Parallel", {"F": {"Type": "Fail"}}, Next="W") | {"End": False}
    states = {"P": container("Parallel", {"Q": inner, "W": {"Type": "Task", "End": True}})}
    events = [
        STARTED,
        entered(2, "Parallel", "P"),
        event(3, "ParallelStateStarted"),
        entered(4, "Parallel", "Q"),
        event(5, "ParallelStateStarted"),
        entered(6, "Fail", "F"),
        event(7, "ParallelStateFailed", 6),
        exited(8, "Parallel", "Q", 7) if recovered == "caught" else event(8, "ParallelStateStarted", 7),
        entered(9, "Task", "W"),
        event(10, "TaskFailed"),
        event(11, "ParallelStateFailed", 10),
        failed(12),
    ]
    assert at(events, states).why is Why.ENDED_IN


@pytest.mark.parametrize(
    ("kind", "newest", "more", "error", "why"),
    [
        ("Task", "TaskSucceeded", [], "States.Runtime", Why.DONE),
        ("Task", "LambdaFunctionSucceeded", [], "States.Runtime", Why.DONE),
        ("Task", "ActivitySucceeded", [], "States.DataLimitExceeded", Why.DONE),
        ("Task", "TaskSucceeded", [("Output/x", "S")], "States.QueryEvaluationError", Why.DONE),
        ("Task", "TaskScheduled", [("Assign/v", "S")], "States.QueryEvaluationError", Why.DONE),
        ("Task", "TaskStateEntered", [("Arguments", "S")], "States.QueryEvaluationError", Why.ENDED_IN),
        ("Pass", "PassStateEntered", [("Output/x", "S")], "States.QueryEvaluationError", Why.ENDED_IN),
        ("Task", "TaskFailed", [], "Boom", Why.ENDED_IN),
        ("Task", "TaskScheduled", [], "States.Timeout", Why.ENDED_IN),
        ("Parallel", "ParallelStateSucceeded", [], "States.Runtime", Why.DONE),
        ("Map", "MapStateSucceeded", [], "States.Runtime", Why.DONE),
        ("Map", "MapRunSucceeded", [], "States.Runtime", Why.DONE),
        ("Map", "TaskSucceeded", [], "States.Runtime", Why.DONE),
        ("Map", "TaskSucceeded", [("Output", "Inner")], "States.QueryEvaluationError", Why.DONE),
        # The execution timed out while other iterations ran: that one of them is done says nothing of the Map.
        ("Map", "TaskSucceeded", [], "States.Timeout", Why.ENDED_IN),
    ],
)
def test_work_that_succeeded_and_whose_result_was_not_processed_is_told(
    kind: str, newest: str, more: list[tuple[str, str]], error: str, why: Why
) -> None:
    state = {"Type": kind, "End": True}
    if kind in ("Map", "Parallel"):
        state = container(kind, {"Inner": {"Type": "Task", "End": True}})
    events = [STARTED, entered(2, kind, "S")]
    if not newest.endswith("Entered"):
        output = {"output": '{"charged":1.0}'} if newest == "TaskSucceeded" else {}
        events.append(event(3, newest, taskSucceededEventDetails=output))
    for location, name in more:
        details = {"error": error, "location": location, "state": name}
        events.append(event(len(events) + 1, "EvaluationFailed", evaluationFailedEventDetails=details))
    point = at([*events, failed(len(events) + 1, error)], {"S": state})
    assert (point.why, point.resume_from) == (why, "S")
    assert (point.output == '{"charged":1.0}') is (newest == "TaskSucceeded" and kind == "Task")


@pytest.mark.parametrize(("kind", "state"), [("Task", {"Type": "Task", "End": True}), ("Succeed", {"Type": "Succeed"})])
def test_after_the_last_state_there_is_nothing_left_to_run(kind: str, state: dict[str, Any]) -> None:
    ended = event(4, "ExecutionTimedOut", 0, executionTimedOutEventDetails={})
    events = [STARTED, entered(2, kind, "S"), exited(3, kind, "S", output='{"paid":true}'), ended]
    point = at(events, {"S": state})
    assert (point.ended_in, point.resume_from, point.why) == ("S", None, Why.FINISHED)
    assert (point.input, point.output) == (None, '{"paid":true}')


ASSIGNING = {"A": {"Type": "Pass", "Assign": {"v": 1}, "Next": "B"}, "B": {"Type": "Task", "End": True}}


def test_variables_that_are_cut_off_are_an_error() -> None:
    left: dict[str, Any] = {"assignedVariables": {}, "assignedVariablesDetails": {"truncated": True}}
    events = [
        STARTED,
        entered(2, "Pass", "A"),
        exited(3, "Pass", "A", None, **left),
        entered(4, "Task", "B"),
        failed(5),
    ]
    with pytest.raises(HistoryError, match="no complete assignedVariables"):
        at(events, ASSIGNING)


def test_an_input_that_is_cut_off_and_not_needed_is_no_error() -> None:
    cut = event(2, "PassStateEntered", stateEnteredEventDetails={"name": "A", "inputDetails": {"truncated": True}})
    left: dict[str, Any] = {"assignedVariables": {"v": "1"}}
    events = [STARTED, cut, exited(3, "Pass", "A", None, **left), entered(4, "Task", "B"), failed(5)]
    assert at(events, ASSIGNING).variables == {"v": "1"}


def redriven(number: int, count: int, undone: int) -> HistoryEvent:
    return event(number, "ExecutionRedriven", undone, executionRedrivenEventDetails={"redriveCount": count})


TWICE = [
    STARTED,
    entered(2, "Task", "A"),
    failed(3),
    redriven(4, 1, 3),
    event(5, "TaskScheduled", 2),
    failed(6),
    redriven(7, 2, 6),
    exited(8, "Task", "A"),
    entered(9, "Task", "B"),
    failed(10),
]
TWO = {"A": {"Type": "Task", "Next": "B"}, "B": {"Type": "Task", "End": True}}


def test_a_redriven_execution_tells_its_ends() -> None:
    point = locate(TWICE[::-1], definition(TWO), reported=Reported(2))
    assert (point.ending.id, point.ending.earlier, point.resume_from) == (10, (6, 3), "B")


@pytest.mark.parametrize("seen", [3, 4, 5, 6, 7, 8, 9])
def test_a_history_that_is_behind_what_was_reported_is_not_believed(seen: int) -> None:
    with pytest.raises(StillRunningError):
        locate(TWICE[:seen][::-1], definition(TWO), reported=Reported(2))


def test_a_later_end_than_the_reported_one_tells_its_redrives_by_the_time() -> None:
    events: list[HistoryEvent] = [{**found, "timestamp": 1_777_604_400 + 60 * found["id"]} for found in TWICE[::-1]]
    stopped = 1_777_604_400 + 60 * 3
    assert locate(events, definition(TWO), reported=Reported(0, stopped)).ending.earlier == (6, 3)
    reader = Counted(events)
    assert locate(reader, definition(TWO), reported=Reported(0, stopped + 420)).ending.earlier == ()
    assert reader.taken == 2
