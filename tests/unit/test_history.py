"""Where an execution ended: golden cases as data, in the event shapes of real AWS, and what must be refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gotostate import history, jsontext, router
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
        ("Task", "TaskScheduled", [("Output/x", "Gone")], "States.QueryEvaluationError", Why.ENDED_IN),
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


SUCCEEDED = [
    STARTED,
    entered(2, "Pass", "A"),
    exited(3, "Pass", "A", assignedVariables={"v": "1"}),
    entered(4, "Task", "B", '{"n":1}'),
    exited(5, "Task", "B", assignedVariables={"v": "2"}),
    event(6, "ExecutionSucceeded"),
]
FAILED = [*SUCCEEDED[:4], failed(5)]


def test_an_execution_that_succeeded_is_told_only_where_it_is_asked_for() -> None:
    states, events = definition(ASSIGNING), SUCCEEDED[::-1]
    point = history.success(events, states)
    assert (point.ending.id, point.ending.status, point.ended_in, point.resume_from) == (6, "SUCCEEDED", "B", None)
    assert (point.input, point.variables, point.why) == (None, {}, Why.FINISHED)
    assert history.success([events[0], STARTED], states).ended_in is None
    # A failure is told as well: it may have come meanwhile.
    assert history.success(FAILED[::-1], states).ending.status == "FAILED"
    visit = last_visit(events, states, "A", may_have_succeeded=True)
    assert visit
    assert (visit.ended_in, visit.resume_from, visit.why, visit.variables) == ("B", "A", Why.ENDED_IN, {})
    assert history.last_variables(events, states, may_have_succeeded=True) == {"v": "2"}
    with pytest.raises(NotFailedError):
        last_visit(events, states, "A")
    with pytest.raises(NotFailedError):
        history.last_variables(events, states)


def test_the_variables_at_the_end_are_those_of_the_machine() -> None:
    assert history.last_variables(FAILED[::-1], definition(ASSIGNING)) == {"v": "1"}


def test_the_input_of_an_execution_is_in_its_first_event() -> None:
    start = event(1, "ExecutionStarted", executionStartedEventDetails={"input": '{"n": 1.0}'})
    assert history.input_of([failed(2), start]) == '{"n": 1.0}'
    cut = event(1, "ExecutionStarted", executionStartedEventDetails={"inputDetails": {"truncated": True}})
    with pytest.raises(HistoryError, match=r"^event 1 \(ExecutionStarted\) has no complete input; "):
        history.input_of([cut])
    with pytest.raises(HistoryError) as raised:
        history.input_of([failed(2)])
    assert str(raised.value) == "the history does not go back to ExecutionStarted; read the whole history"


def test_a_state_in_which_it_did_not_end_is_found_with_the_last_one() -> None:
    visit = last_visit(FAILED[::-1], definition(ASSIGNING), "A")
    assert visit
    assert (visit.ended_in, visit.resume_from) == ("B", "A")


@pytest.mark.parametrize("kept", ["x", "{", ""])
def test_a_recorded_text_that_is_no_json_is_not_handed_on(kept: str) -> None:
    events = [STARTED, entered(2, "Pass", "A"), exited(3, "Pass", "A", assignedVariables={"v": kept})]
    events += [entered(4, "Task", "B"), failed(5)]
    with pytest.raises(HistoryError) as raised:
        at(events, ASSIGNING)
    assert str(raised.value).startswith("the history's v of 'B' is not JSON (Expecting ")
    assert str(raised.value).endswith("); read it again")
    with pytest.raises(HistoryError, match=r"^the history's input of 'B' is not JSON"):
        at([STARTED, entered(2, "Task", "B", kept), failed(3)], ASSIGNING)


CHOOSING = {
    "C": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": True, "Next": "D"}], "Next": "D"},
    "D": {"Type": "Pass", "End": True},
}


def test_a_choice_that_was_left_is_entered_again() -> None:
    """Which way it took is not on record before the next state is entered; its Next is a rule's and not its own."""
    events = [STARTED, entered(2, "Choice", "C", "[1]"), exited(3, "Choice", "C"), failed(4)]
    point = at(events, CHOOSING)
    assert (point.why, point.resume_from, point.input) == (Why.ENDED_IN, "C", "[1]")
    assert (point.steps, point.failed_state, point.held, point.output) == (None, None, None, None)


def test_between_two_states_it_goes_on_with_all_variables() -> None:
    states = {**ASSIGNING, "B": {"Type": "Task", "Next": "A"}}
    events = [STARTED, entered(2, "Pass", "A"), exited(3, "Pass", "A", assignedVariables={"v": "1", "w": "1"})]
    events += [entered(4, "Task", "B"), exited(5, "Task", "B", output="[2]", assignedVariables={"w": "2"}), failed(6)]
    point = at(events, states)
    assert (point.why, point.resume_from, point.input) == (Why.FOLLOWED, "A", "[2]")
    assert point.variables == {"v": "1", "w": "2"}


def test_a_caught_state_is_entered_again_for_what_it_is() -> None:
    """Its work is not done: that its own Catch took the error up says nothing of what succeeded before."""
    states = {"S": {"Type": "Task", "Catch": [{"ErrorEquals": ["x"], "Next": "T"}], "Next": "T"}, "T": {"Type": "Pass"}}
    events = [STARTED, entered(2, "Task", "S"), event(3, "TaskSucceeded"), event(4, "EvaluationFailed")]
    point = at([*events, exited(5, "Task", "S"), event(6, "TaskSucceeded"), failed(7)], states)
    assert (point.why, point.resume_from) == (Why.ENDED_IN, "S")


CAUSE = "An error occurred while executing the state 'In\n' (entered at the event id #4). Bad."


@pytest.mark.parametrize(
    ("more", "cause", "named"),
    [
        ([], CAUSE, "In\n"),
        ([event(5, "EvaluationFailed", evaluationFailedEventDetails={"state": "In"})], CAUSE, "In"),
        ([], "x" + CAUSE, None),
        ([], "", None),
        ([], None, None),
    ],
)
def test_the_state_that_failed_inside_is_named_where_aws_does(
    more: list[HistoryEvent], cause: str | None, named: str | None
) -> None:
    states = {"P": container("Parallel", {"In": {"Type": "Pass", "End": True}})}
    events = [STARTED, entered(2, "Parallel", "P"), event(3, "ParallelStateStarted"), entered(4, "Pass", "In"), *more]
    ended = event(9, "ExecutionFailed", executionFailedEventDetails={"error": "States.Runtime", "cause": cause})
    point = at([*events, ended], states)
    assert point.failed_state == named
    assert point.steps
    assert [step.id for step in point.steps.newest_first][-3:] == [4, 3, 2]


def test_nothing_is_kept_of_a_state_that_is_no_container() -> None:
    named = event(3, "EvaluationFailed", evaluationFailedEventDetails={"state": "S"})
    point = at([STARTED, entered(2, "Pass", "S"), named, failed(4)], {"S": {"Type": "Pass", "End": True}})
    assert (point.steps, point.failed_state) == (None, None)
    left = container("Parallel", {"In": {"Type": "Pass", "End": True}}, Catch=CATCH)
    events = [STARTED, entered(2, "Parallel", "P"), event(3, "ParallelStateFailed"), exited(4, "Parallel", "P")]
    assert at([*events, failed(5)], {"P": left, "Default price": {"Type": "Pass"}}).steps is None


def test_the_variable_of_an_opened_container_is_told_apart() -> None:
    states = {"P": container("Parallel", {"In": {"Type": "Pass", "End": True}})}
    built = router.add_gotostate(definition(states), None, "P")
    waited = exited(3, "Wait", "GoToState Backoff", assignedVariables={"gotostate0": "[0]", "gotostate1": "7"})
    events = [STARTED, entered(2, "Wait", "GoToState Backoff"), waited, entered(4, "Parallel", "P"), failed(5)]
    point = locate(events[::-1], built)
    assert (point.held, point.variables) == ("[0]", {"gotostate1": "7"})
    assert locate([*events[:2], *events[3:]][::-1], built).held is None
    # In any other machine it is a variable like all others.
    plain = router.add_gotostate(definition(states))
    assert locate(events[::-1], plain, every_event=True).held is None
    assert locate(events[::-1], plain, every_event=True).variables == {"gotostate0": "[0]", "gotostate1": "7"}


GIVEN = '{"state":"B","input":[1.0],"variables":{"v":1.10}}'


@pytest.mark.parametrize(
    ("given", "why", "state", "text", "variables"),
    [
        ("{}", Why.START, "A", "{}", {}),
        ("[1]", Why.START, "A", "[1]", {}),
        ('{"resuming":false}', Why.START, "A", '{"resuming":false}', {}),
        ('{"resuming":true}', Why.AGAIN, "B", '{"resuming":true}', {}),
        ('{"resuming":' + GIVEN + "}", Why.AGAIN, "B", "[1.0]", {"v": "1.10"}),
        ('{"resuming":{"state":"A","input":null}}', Why.AGAIN, "A", "null", {}),
        ('{"resuming":null}', Why.REJECTED, None, None, {}),
        ('{"resuming":0}', Why.REJECTED, None, None, {}),
        ('{"resuming":1}', Why.REJECTED, None, None, {}),
        ('{"resuming":{"state":"C","input":1}}', Why.REJECTED, None, None, {}),
        ('{"resuming":{"state":"GoToState","input":1}}', Why.REJECTED, None, None, {}),
        ('{"resuming":{"state":"B"}}', Why.REJECTED, None, None, {}),
        ('{"resuming":{"state":"B","input":1,"variables":[]}}', Why.REJECTED, None, None, {}),
        ('{"resuming":{"state":"B","input":1,"variables":null}}', Why.REJECTED, None, None, {}),
    ],
)
@pytest.mark.parametrize("last", [None, "GoToState", "GoToState Enter"])
def test_an_execution_that_ended_in_its_router_goes_where_its_input_says(
    given: str, why: Why, state: str | None, text: str | None, variables: dict[str, str], last: str | None
) -> None:
    built = router.add_gotostate(definition(TWO), "B")
    start = event(1, "ExecutionStarted", executionStartedEventDetails={"input": given})
    waited = [entered(2, "Wait", "GoToState Backoff"), exited(3, "Wait", "GoToState Backoff")]
    details = {**waited[1]["stateExitedEventDetails"], "assignedVariables": {"v": "0"}}
    waited[1] = {**waited[1], "stateExitedEventDetails": details}
    events = [start, *(waited if last == "GoToState Enter" else [])]
    events += [*([entered(4, "Choice", last)] if last else []), failed(5)]
    point = locate(events[::-1], built)
    assert (point.ended_in, point.why, point.resume_from, point.input) == (last, why, state, text)
    assert point.variables == variables


def test_true_is_rejected_where_nothing_was_prepared() -> None:
    built = router.add_gotostate(definition(TWO))
    start = event(1, "ExecutionStarted", executionStartedEventDetails={"input": '{"resuming":true}'})
    assert locate([failed(2), start], built).why is Why.REJECTED


def test_a_rejected_input_is_told_without_a_look_at_it() -> None:
    built = router.add_gotostate(definition(TWO))
    reader = Counted([failed(3), entered(2, "Fail", "GoToState Rejected"), STARTED])
    point = locate(reader, built)
    assert (point.ended_in, point.why, point.resume_from) == ("GoToState Rejected", Why.REJECTED, None)
    assert reader.taken == 2


def test_an_execution_that_entered_nothing_starts_at_the_beginning() -> None:
    start = event(1, "ExecutionStarted", executionStartedEventDetails={"input": "[1.0]"})
    point = at([start, failed(2)], TWO)
    assert (point.ended_in, point.why, point.resume_from, point.input) == (None, Why.START, "A", "[1.0]")
    cut = event(1, "ExecutionStarted", executionStartedEventDetails={"inputDetails": {"truncated": True}})
    with pytest.raises(HistoryError, match=r"^event 1 \(ExecutionStarted\) has no complete input"):
        at([cut, failed(2)], TWO)


def test_before_a_fail_state_it_reads_no_further_than_it_needs() -> None:
    """Which state had its error caught decides; once that is known, an earlier one says nothing more."""
    states: dict[str, Any] = {
        "A": {"Type": "Task", "Next": "B"},
        "B": {"Type": "Task", "Catch": [{"ErrorEquals": ["x"], "Next": "C"}], "Next": "C"},
        "C": {"Type": "Task", "Next": "Stop"},
        "Stop": {"Type": "Fail"},
    }
    events = [STARTED, entered(2, "Task", "A"), exited(3, "Task", "A"), entered(4, "Task", "B"), event(5, "TaskFailed")]
    events += [exited(6, "Task", "B"), entered(7, "Task", "C"), exited(8, "Task", "C"), entered(9, "Fail", "Stop")]
    reader = Counted([*events, failed(10)][::-1])
    point = locate(reader, definition(states))
    assert (point.resume_from, point.why) == ("C", Why.WORKED)
    assert reader.taken == 7
