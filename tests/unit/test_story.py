"""The story of an execution and of a chain, told from histories in the shapes of real AWS."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from gotostate import containers, router
from gotostate.cli.stories.story import ExecutionStory, StateOutcome, execution_story, story_of
from gotostate.definition import Definition
from gotostate.errors import HistoryError
from gotostate.resumption import execution_name
from stories import Timed

GOLDEN = sorted((Path(__file__).parent.parent / "golden" / "history").glob("*.json"))
PREFIX = "arn:aws:states:eu-west-1:123456789012"
ARN = f"{PREFIX}:execution:orders:order-17"
TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
BOOM = {"error": "Boom", "cause": "it broke"}


def scope(**states: Mapping[str, Any]) -> dict[str, Any]:
    """Write a definition, a branch or an item processor, in which each state leads to the next."""
    written = {}
    for (name, state), following in zip(states.items(), [*list(states)[1:], None], strict=True):
        ways = {"Next": following} if following else {"End": True}
        written[name] = {**state, **({} if state["Type"] == "Fail" or "End" in state else ways)}
    return {"StartAt": next(iter(states)), "States": written}


def machine(**states: Mapping[str, Any]) -> Definition:
    return Definition.parse(json.dumps(scope(**states)))


def each(**states: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": scope(**states)}


def both(*branches: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Parallel", "Branches": list(branches)}


def told(history: Timed, definition: Definition, status: str = "FAILED", arn: str = ARN) -> ExecutionStory:
    return execution_story(arn, status, history.input, definition, history.newest_first)


class Row(NamedTuple):
    """What a case says of a state."""

    name: str
    outcome: str
    attempts: int = 0
    finished: int | None = None
    total: int | None = None
    error: str | None = None
    failed_in: str | None = None


def rows(execution: ExecutionStory) -> list[Row]:
    return [
        Row(one.name, one.outcome.value, one.attempts, one.finished, one.total, one.error, one.failed_in)
        for one in execution.states
    ]


def broken(history: Timed, before: int) -> int:
    """Let a task that was scheduled fail."""
    return history.add("TaskFailed", history.add("TaskScheduled", before), taskFailedEventDetails=BOOM)


def aborted(history: Timed, failed: int, within: str) -> int:
    """Abort the siblings of what failed: AWS says no name of them and points to what failed."""
    history.add("TaskStateAborted", failed)
    return history.add(f"{within}StateFailed", failed)


def ended(history: Timed, before: int, details: Mapping[str, Any] = BOOM) -> None:
    history.add("ExecutionFailed", before, executionFailedEventDetails=details)


# ---- One execution --------------------------------------------------------------------------------------------------


def retries(history: Timed) -> None:
    before = broken(history, broken(history, history.enter("Task", "A", 0)))
    before = history.leave("Task", "A", history.add("TaskSucceeded", history.add("TaskScheduled", before)))
    ended(history, broken(history, history.enter("Task", "B", before)))


def catches(history: Timed) -> None:
    before = history.leave("Task", "A", broken(history, history.enter("Task", "A", 0)))
    ended(history, history.enter("Fail", "F", before), {"error": "Given up"})


def catches_of_a_parallel(history: Timed) -> None:
    started = history.parallel_starts(history.enter("Parallel", "P", 0))
    finished = history.enter("Task", "Left", started)
    failing = history.enter("Task", "Right", started)
    history.leave("Task", "Left", history.add("TaskSucceeded", history.add("TaskScheduled", finished)))
    failed = broken(history, failing)
    before = history.leave("Parallel", "P", aborted(history, failed, "Parallel"))
    ended(history, history.enter("Fail", "F", before))


def catches_a_fail_state_inside(history: Timed) -> None:
    """What failed earlier inside was dealt with; a Fail state has no event that tells its error."""
    started = history.parallel_starts(history.enter("Parallel", "P", 0))
    before = history.leave("Task", "A", broken(history, history.enter("Task", "A", started)))
    failed = history.add("ParallelStateFailed", history.enter("Fail", "G", before))
    ended(history, history.enter("Fail", "F", history.leave("Parallel", "P", failed)))


def catches_that_show_in_the_list_alone(history: Timed) -> None:
    entered = history.enter("Pass", "A", 0)
    history.add("EvaluationFailed", 0, evaluationFailedEventDetails={**BOOM, "state": "A"})
    ended(history, history.enter("Fail", "F", history.leave("Pass", "A", entered)))


def catches_that_show_by_id_alone(history: Timed) -> None:
    failed = broken(history, history.enter("Task", "Left", history.parallel_starts(history.enter("Parallel", "P", 0))))
    last = history.add("ParallelStateFailed", failed)
    history.add("TaskStateAborted", failed)
    ended(history, history.enter("Fail", "F", history.leave("Parallel", "P", last)))


def output_of_a_map_that_cannot_be_made(history: Timed) -> None:
    """Nothing inside failed."""
    started = history.map_starts(history.enter("Map", "M", 0), 1)
    last = history.works("A", history.iterates("M", 0, started))
    history.iterated("M", 0, last)
    ended(history, last)


def evaluation(history: Timed) -> None:
    """A JSONata error inside points to before the state that it names."""
    started = history.map_starts(history.enter("Map", "M", 0), 2)
    before = history.step("A", history.iterates("M", 0, started))
    history.enter("Pass", "B", before)
    failed = history.add("EvaluationFailed", before, evaluationFailedEventDetails={**BOOM, "state": "B"})
    ended(history, history.add("MapStateFailed", failed))


def concurrent_iterations(history: Timed) -> None:
    """Four iterations run at once: two finish, one fails, and its sibling is aborted."""
    started = history.map_starts(history.enter("Map", "M", 0), 5)
    iterations = [history.iterates("M", index, started) for index in range(4)]
    tasks = [history.enter("Task", "A", iteration) for iteration in iterations]
    for index in (2, 0):
        done = history.add("TaskSucceeded", history.add("TaskScheduled", tasks[index]))
        history.iterated("M", index, history.leave("Task", "A", done))
    failed = broken(history, tasks[3])
    history.add("MapIterationFailed", failed, mapIterationFailedEventDetails={"name": "M", "index": 3})
    history.add("MapIterationAborted", failed, mapIterationAbortedEventDetails={"name": "M", "index": 1})
    ended(history, aborted(history, failed, "Map"))


def one_iteration_after_another(history: Timed) -> None:
    """With MaxConcurrency 1 an iteration begins where the one before it ended; the nested Map counts for itself."""
    before = history.map_starts(history.enter("Map", "M", 0), 3)
    for index in range(2):
        inner = history.map_starts(history.enter("Map", "N", history.iterates("M", index, before)), 7)
        last = history.step("A", history.iterates("N", 0, inner))
        history.iterated("N", 0, last)
        history.add("MapStateSucceeded", last)
        before = history.leave("Map", "N", last)
        history.iterated("M", index, before)
    history.iterates("M", 2, before)


def map_that_is_tried_again(history: Timed) -> None:
    before = history.enter("Map", "M", 0)
    for finished in (2, 1):
        started = history.map_starts(before, 3)
        iterations = [history.iterates("M", index, started) for index in range(3)]
        for index in range(finished):
            history.iterated("M", index, history.step("A", iterations[index]))
        failed = broken(history, history.enter("Task", "B", history.step("A", iterations[2])))
        before = aborted(history, failed, "Map")
    ended(history, before)


def map_that_did_not_begin(history: Timed) -> None:
    history.enter("Map", "M", 0)
    failed = history.add("EvaluationFailed", 0, evaluationFailedEventDetails={**BOOM, "state": "M"})
    ended(history, history.add("MapStateFailed", failed))


def branches(history: Timed) -> None:
    """Of five one is finished, one between two states, one in a nested Map, one went on after a catch, one fails."""
    started = history.parallel_starts(history.enter("Parallel", "P", 0))
    history.step("E1", started)
    history.step("A2", history.step("A1", started))
    history.iterates("B1", 0, history.map_starts(history.enter("Map", "B1", started), 2))
    history.enter("Wait", "C2", history.leave("Task", "C1", broken(history, history.enter("Task", "C1", started))))
    failed = broken(history, history.enter("Task", "D1", started))
    ended(history, aborted(history, failed, "Parallel"))


def parallel_that_is_tried_again(history: Timed) -> None:
    """At the first try the left branch is finished, at the second it is aborted."""
    started = history.parallel_starts(history.enter("Parallel", "P", 0))
    failing = history.enter("Task", "Right", started)
    history.works("Left", started)
    started = history.parallel_starts(aborted(history, broken(history, failing), "Parallel"))
    history.enter("Task", "Left", started)
    ended(history, aborted(history, broken(history, history.enter("Task", "Right", started)), "Parallel"))


def distributed(history: Timed) -> None:
    started = history.map_starts(history.enter("Map", "M", 0), 6)
    run = history.add("MapRunStarted", started, mapRunStartedEventDetails={"mapRunArn": f"{PREFIX}:mapRun:orders/M:1"})
    failed = history.add("MapRunFailed", run, mapRunFailedEventDetails=BOOM)
    ended(history, history.add("MapStateFailed", failed))


def distributed_over_items_in_s3(history: Timed) -> None:
    """Their number is not known when it starts."""
    history.map_starts(history.enter("Map", "M", 0), 0)


def runtime_error_in_a_branch(history: Timed) -> None:
    """Nothing is said of the containers: the execution ends at once."""
    started = history.parallel_starts(history.enter("Parallel", "P", 0))
    history.enter("Wait", "A", started)
    ended(history, history.map_starts(history.enter("Map", "N", started), 3))


def times_out(history: Timed) -> None:
    """An earlier failure inside was dealt with and is no reason for the end."""
    started = history.map_starts(history.enter("Map", "M", 0), 2)
    history.add("TaskScheduled", broken(history, history.enter("Task", "A", history.iterates("M", 0, started))))
    history.add("ExecutionTimedOut", 0, executionTimedOutEventDetails={"error": "States.Timeout"})


def redriven(history: Timed) -> None:
    """A redrive enters nothing anew: what follows points to the state's first entering."""
    entered = history.enter("Task", "A", 0)
    ended(history, broken(history, entered))
    history.add("ExecutionRedriven", len(history.events), executionRedrivenEventDetails={"redriveCount": 1})
    before = history.leave("Task", "A", history.add("TaskSucceeded", history.add("TaskScheduled", entered)))
    history.add("TaskScheduled", history.enter("Task", "B", before))


def between_states(history: Timed) -> None:
    ended(history, history.works("A", 0), {"error": "States.Runtime"})


MAP = each(A=TASK)
PARALLEL = both(scope(Left=TASK), scope(Right=TASK))
FIVE = both(
    scope(A1={"Type": "Pass"}, A2={"Type": "Pass"}),
    scope(B1=each(B=TASK)),
    scope(C1={**TASK, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C2"}], "End": True}, C2={"Type": "Wait"}),
    scope(D1=TASK),
    scope(E1={"Type": "Pass"}, E2=TASK),
)
DISTRIBUTED = {**MAP, "ItemProcessor": {**MAP["ItemProcessor"], "ProcessorConfig": {"Mode": "DISTRIBUTED"}}}
FAIL = {"Type": "Fail"}
CASES: dict[Callable[[Timed], None], tuple[Definition, str, list[Row]]] = {
    retries: (
        machine(A=TASK, B=TASK),
        "FAILED",
        [Row("A", "succeeded", 3), Row("B", "failed", 1, error="Boom")],
    ),
    catches: (
        machine(A=TASK, F=FAIL),
        "FAILED",
        [Row("A", "caught", 1, error="Boom"), Row("F", "failed", error="Given up")],
    ),
    catches_of_a_parallel: (
        machine(P=PARALLEL, F=FAIL),
        "FAILED",
        [Row("P", "caught", 1, 1, 2, "Boom", "Right"), Row("F", "failed", error="Boom")],
    ),
    catches_a_fail_state_inside: (
        machine(P=both(scope(A=TASK, G=FAIL)), F=FAIL),
        "FAILED",
        [Row("P", "caught", 1, 0, 1, None, "G"), Row("F", "failed", error="Boom")],
    ),
    catches_that_show_in_the_list_alone: (
        machine(A={"Type": "Pass"}, F=FAIL),
        "FAILED",
        [Row("A", "caught", error="Boom"), Row("F", "failed", error="Boom")],
    ),
    catches_that_show_by_id_alone: (
        machine(P=PARALLEL, F=FAIL),
        "FAILED",
        [Row("P", "caught", 1, 0, 2, "Boom", "Left"), Row("F", "failed", error="Boom")],
    ),
    output_of_a_map_that_cannot_be_made: (machine(M=MAP), "FAILED", [Row("M", "failed", 1, 1, 1, "Boom")]),
    evaluation: (
        machine(M=each(A={"Type": "Pass"}, B={"Type": "Pass"})),
        "FAILED",
        [Row("M", "failed", 1, 0, 2, "Boom", "B")],
    ),
    concurrent_iterations: (machine(M=MAP), "FAILED", [Row("M", "failed", 1, 2, 5, "Boom", "A")]),
    one_iteration_after_another: (machine(M=each(N=each(A=TASK))), "RUNNING", [Row("M", "open", 1, 2, 3)]),
    map_that_is_tried_again: (
        machine(M=each(A={"Type": "Pass"}, B=TASK)),
        "FAILED",
        [Row("M", "failed", 2, 1, 3, "Boom", "B")],
    ),
    map_that_did_not_begin: (machine(M=MAP), "FAILED", [Row("M", "failed", 0, 0, None, "Boom")]),
    branches: (machine(P=FIVE), "FAILED", [Row("P", "failed", 1, 1, 5, "Boom", "D1")]),
    parallel_that_is_tried_again: (
        machine(P=PARALLEL),
        "FAILED",
        [Row("P", "failed", 2, 0, 2, "Boom", "Right")],
    ),
    distributed: (machine(M=DISTRIBUTED), "FAILED", [Row("M", "failed", 0, None, 6, "Boom")]),
    distributed_over_items_in_s3: (machine(M=DISTRIBUTED), "RUNNING", [Row("M", "open")]),
    runtime_error_in_a_branch: (
        machine(P=both(scope(A={"Type": "Wait"}), scope(N=each(C=TASK)))),
        "FAILED",
        [Row("P", "failed", 1, 0, 2, "Boom", "N")],
    ),
    times_out: (machine(M=MAP), "TIMED_OUT", [Row("M", "failed", 1, 0, 2, "States.Timeout")]),
    redriven: (machine(A=TASK, B=TASK), "RUNNING", [Row("A", "succeeded", 2), Row("B", "open", 1)]),
    between_states: (machine(A=TASK, B=TASK), "FAILED", [Row("A", "succeeded", 1)]),
}


@pytest.mark.parametrize("write", CASES, ids=lambda write: write.__name__)
@pytest.mark.parametrize("newest_first", [False, True])
def test_the_states_of_an_execution(write: Callable[[Timed], None], newest_first: bool) -> None:
    definition, status, expected = CASES[write]
    history = Timed()
    write(history)
    events = history.newest_first if newest_first else history.newest_first[::-1]
    assert rows(execution_story(ARN, status, "{}", definition, events)) == expected


def test_times_are_those_of_the_events() -> None:
    history = Timed(clock=100.0)
    before = history.works("A", 0, 2.5)
    history.later(1)
    history.enter("Task", "B", before)
    history.later(4)
    ended(history, len(history.events))
    one, other = told(history, machine(A=TASK, B=TASK)).states
    assert (one.entered, one.left, one.seconds) == (100.0, 102.5, 2.5)
    # What it failed in was not left: it took until the end.
    assert (other.entered, other.left, other.seconds) == (103.5, None, 4.0)


def test_a_redrive_and_each_end_is_told() -> None:
    history = Timed()
    redriven(history)
    execution = told(history, machine(A=TASK, B=TASK), "RUNNING")
    assert [(turn.status, turn.error) for turn in execution.turns] == [("FAILED", "Boom"), ("REDRIVEN", None)]
    assert execution.ended is None
    assert [turn.status for turn in execution.redrives] == ["REDRIVEN"]


def loop(rounds: int) -> Timed:
    history = Timed()
    before = 0
    for _ in range(rounds):
        before = history.works("A", before, 2)
        before = history.leave("Choice", "More", history.enter("Choice", "More", before))
    ended(history, broken(history, history.enter("Task", "A", before)))
    return history


LOOP = machine(A={**TASK, "Next": "More"}, More={"Type": "Choice", "Choices": [{"Next": "A"}], "End": True})


def test_a_long_loop_is_folded_and_what_failed_stands_apart() -> None:
    states = told(loop(5_000), LOOP).states
    assert [(one.name, one.outcome, one.times) for one in states] == [
        ("A", StateOutcome.SUCCEEDED, 5_000),
        ("More", StateOutcome.SUCCEEDED, 5_000),
        ("A", StateOutcome.FAILED, 1),
    ]
    assert (states[0].attempts, states[0].seconds) == (5_000, 10_000)
    assert (states[0].entered, states[0].left) == (Timed().clock, Timed().clock + 10_000)


def test_a_short_loop_is_told_in_its_order() -> None:
    assert [one.name for one in told(loop(2), LOOP).states] == ["A", "More", "A", "More", "A"]


STARTED = f"{PREFIX}:execution:children:"


@pytest.mark.parametrize(
    ("kind", "resource", "output", "found"),
    [
        ("TaskSubmitted", "startExecution.sync:2", {"ExecutionArn": STARTED + "a", "StartDate": 1}, [STARTED + "a"]),
        ("TaskSucceeded", "startExecution", {"ExecutionArn": STARTED + "b"}, [STARTED + "b"]),
        ("TaskSubmitted", "startExecution.waitForTaskToken", {"ExecutionArn": STARTED + "c"}, [STARTED + "c"]),
        ("TaskSucceeded", "invoke", {"ExecutionArn": STARTED + "d"}, []),
        ("TaskSucceeded", "startExecution", {"ExecutionArn": 7}, []),
        ("TaskSucceeded", "startExecution", ["ExecutionArn"], []),
    ],
)
def test_children_stand_under_what_started_them(kind: str, resource: str, output: Any, found: list[str]) -> None:
    history = Timed()
    before = history.works("A", 0)
    started = history.map_starts(history.enter("Map", "M", before), 1)
    before = history.add("TaskScheduled", history.enter("Task", "B", history.iterates("M", 0, started)))
    details = {"resourceType": "states", "resource": resource, "output": json.dumps(output)}
    # AWS names a child of .sync twice: when it was started, and in its result.
    for _ in range(2):
        before = history.add(kind, before, **{f"t{kind[1:]}EventDetails": details})
    ended(history, before)
    execution = told(history, machine(A=TASK, M=each(B=TASK)))
    assert [list(one.children) for one in execution.states] == [[], found]


def test_an_output_that_is_cut_off_names_no_child() -> None:
    history = Timed()
    details = {"resource": "startExecution", "output": f'{{"ExecutionArn": "{STARTED}a", "Inp'}
    history.add("TaskSucceeded", history.enter("Task", "A", 0), taskSucceededEventDetails=details)
    assert told(history, machine(A=TASK), "RUNNING").states[0].children == ()


def test_a_map_run_is_named_as_a_child() -> None:
    history = Timed()
    distributed(history)
    assert told(history, machine(M=DISTRIBUTED)).states[0].children == (f"{PREFIX}:mapRun:orders/M:1",)


def test_a_damaged_event_is_refused() -> None:
    history = Timed()
    history.add("TaskStateEntered", 0, stateEnteredEventDetails={"input": "{}"})
    with pytest.raises(HistoryError, match="has no name of a state"):
        told(history, machine(A=TASK))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_golden_histories(path: Path) -> None:
    """The state that fails in the story is the one that the execution ended in."""
    case = json.loads(path.read_text())
    definition = Definition.parse(json.dumps(case["definition"]))
    events, expect = case["history"]["events"], case["expect"]
    given = events[0]["executionStartedEventDetails"]["input"]
    execution = execution_story(ARN, expect["status"], given, definition, events)
    assert execution.ended
    assert (execution.ended.error, execution.ended.cause) == (expect["error"], expect["cause"])
    assert not {one.name for one in execution.states} & definition.router_states
    failed = [one.name for one in execution.states if one.outcome is StateOutcome.FAILED]
    left = expect["why"] in ("FOLLOWED", "FINISHED") or path.stem == "ended_after_catch"
    in_router = expect["endedIn"] is None or expect["endedIn"] in definition.router_states
    assert failed == ([] if left or in_router else [expect["endedIn"]])


# ---- A resumed execution --------------------------------------------------------------------------------------------


def resuming(**fields: Any) -> str:
    return json.dumps({"resuming": {"input": {}, "variables": {}, "execution": ARN, "attempt": 1, **fields}})


RESUMED = f"{PREFIX}:execution:orders-with-GoToState:order-17-resume-1-x"


@pytest.mark.parametrize(("delay", "expected"), [({"delaySeconds": 240}, 240), ({}, 0), ({"delaySeconds": 1e99}, 0)])
def test_the_router_is_not_told_but_its_delay(delay: dict[str, float], expected: int) -> None:
    history = Timed(resuming(state="B", **delay))
    ended(history, broken(history, history.enter("Task", "B", history.routed(240))))
    execution = told(history, router.add_gotostate(machine(A=TASK, B=TASK)), arn=RESUMED)
    assert [one.name for one in execution.states] == ["B"]
    assert (execution.delay_seconds, execution.is_waiting) == (expected, False)
    assert (execution.chain.original, execution.chain.attempt) == (ARN, 1)


def test_an_execution_that_still_waits() -> None:
    history = Timed(resuming(state="B", delaySeconds=240))
    history.enter("Wait", "GoToState Backoff", history.step("GoToState", 0))
    execution = told(history, router.add_gotostate(machine(A=TASK, B=TASK)), "RUNNING", RESUMED)
    assert (execution.states, execution.delay_seconds, execution.is_waiting) == ((), 240, True)


def test_resuming_of_a_source_machine_is_its_own() -> None:
    """Without a router there is no delay, and no chain."""
    history = Timed(resuming(state="A", delaySeconds=240))
    history.enter("Wait", "GoToState Backoff", 0)
    execution = told(history, machine(**{"GoToState Backoff": {"Type": "Wait"}}), "RUNNING")
    assert (execution.delay_seconds, execution.chain.attempt) == (None, 0)
    assert [one.name for one in execution.states] == ["GoToState Backoff"]


RECORD: dict[str, Any] = {
    "variables": {"gotostate0": [0, 1, 2, 3]},
    "inside": [{"output": 1}, {"state": "A", "input": 1}, {"output": 2}, {}],
}


def opened(source: Definition, container: str) -> Definition:
    return router.add_gotostate(source, None, container)


def test_iterations_that_an_earlier_execution_finished_count_as_finished() -> None:
    """One is handed through, one is finished now, one fails before the last one was handed through."""
    history = Timed(resuming(state="M", **RECORD))
    started = history.map_starts(history.enter("Map", "M", history.routed(0)), 4)
    history.iterated("M", 0, history.handed(history.iterates("M", 0, started), "Done"))
    going_on = history.handed(history.iterates("M", 1, started), "Fill", "Input", "Enter")
    history.iterated("M", 1, history.works("A", going_on))
    failed = broken(history, history.enter("Task", "A", history.iterates("M", 3, started)))
    ended(history, aborted(history, failed, "Map"))
    definition = opened(machine(M=MAP), "M")
    execution = told(history, definition, arn=RESUMED)
    assert rows(execution) == [Row("M", "failed", 1, 3, 4, "Boom", "A")]
    assert execution.states[0].kept == 2
    assert containers.is_added("GoToState Done 1", definition.all_states["GoToState Done 1"])


def test_a_map_that_did_not_begin_again_is_as_far_as_before() -> None:
    history = Timed(resuming(state="M", **RECORD))
    history.enter("Map", "M", history.routed(0))
    ended(history, 0)
    assert rows(told(history, opened(machine(M=MAP), "M"), arn=RESUMED)) == [Row("M", "failed", 0, 2, 4, "Boom")]


def test_a_failure_in_an_added_state_is_not_told_as_the_users() -> None:
    history = Timed(resuming(state="M", **RECORD))
    started = history.map_starts(history.enter("Map", "M", history.routed(0)), 4)
    ended(history, history.enter("Pass", "GoToState Take 1", history.iterates("M", 0, started)))
    assert told(history, opened(machine(M=MAP), "M"), arn=RESUMED).states[0].failed_in is None


def test_the_record_holds_for_the_first_visit_alone() -> None:
    history = Timed(resuming(state="M", **RECORD))
    before = history.routed(0)
    for _ in range(2):
        started = history.map_starts(history.enter("Map", "M", before), 4)
        last = history.handed(history.iterates("M", 0, started), "Done")
        history.iterated("M", 0, last)
        before = history.leave("Map", "M", last)
    states = told(history, opened(machine(M=MAP), "M"), "RUNNING", RESUMED).states
    assert [(one.finished, one.kept) for one in states] == [(2, 2), (1, 0)]


def test_branches_that_an_earlier_execution_finished_count_as_finished() -> None:
    record = {"variables": {"gotostate0": [0, 1]}, "inside": [{"output": 1}, {"state": "Right", "input": 1}]}
    history = Timed(resuming(state="P", **record))
    started = history.parallel_starts(history.enter("Parallel", "P", history.routed(0)))
    inner = history.enter("Choice", "GoToState Inside 2", started)
    ended(history, aborted(history, broken(history, history.enter("Task", "Right", inner)), "Parallel"))
    execution = told(history, opened(machine(P=PARALLEL), "P"), arn=RESUMED)
    assert rows(execution) == [Row("P", "failed", 1, 1, 2, "Boom", "Right")]
    assert execution.states[0].kept == 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"inside": {}, "variables": []},
        {"inside": [{"output": 1}], "variables": {"gotostate0": "x"}},
        {"inside": ["x", None], "variables": {"gotostate0": [[], {}, None, 99]}},
        {"inside": [], "variables": {"gotostate0": None}},
    ],
)
def test_what_people_write_for_a_record_does_no_harm(fields: dict[str, Any]) -> None:
    history = Timed(resuming(state="M", **{"delaySeconds": "soon", **fields}))
    history.map_starts(history.enter("Map", "M", history.routed(0)), 4)
    execution = told(history, opened(machine(M=MAP), "M"), "RUNNING", RESUMED)
    assert rows(execution) == [Row("M", "open", 0, 0, 4)]
    assert execution.states[0].kept == 0


# ---- A chain --------------------------------------------------------------------------------------------------------


def failed_in(name: str, given: str = "{}") -> Timed:
    history = Timed(given)
    before = history.routed(60) if "resuming" in given else history.works("A", 0)
    ended(history, broken(history, history.enter("Task", name, before)))
    return history


def test_a_chain_is_told_in_its_order_with_what_ran_again() -> None:
    source = machine(A=TASK, B=TASK, C=TASK)
    goto = router.add_gotostate(source)
    first = replace(told(failed_in("B"), source), started=1.0, stopped=2.0)
    second = replace(told(failed_in("B", resuming(state="B")), goto, arn=RESUMED), started=3.0, stopped=4.0)
    history = Timed(resuming(state="B", attempt=2))
    history.works("C", history.works("B", history.routed(60)))
    third = replace(told(history, goto, "RUNNING", RESUMED + "3"), started=5.0)
    story = story_of(ARN, [third, first, second])
    assert [execution.arn for execution in story.executions] == [ARN, RESUMED, RESUMED + "3"]
    assert [[(one.name, one.again) for one in execution.states] for execution in story.executions] == [
        [("A", False), ("B", False)],
        [("B", True)],
        [("B", True), ("C", False)],
    ]
    assert story.last.arn == RESUMED + "3"


def test_a_story_ends_with_what_ended_last() -> None:
    """The original was redriven after its resume had failed."""
    source = machine(A=TASK, B=TASK)
    first = replace(told(Timed(), source, "SUCCEEDED"), started=1.0, stopped=9.0)
    second = replace(told(failed_in("B", resuming(state="B")), router.add_gotostate(source), arn=RESUMED), stopped=4.0)
    assert story_of(ARN, [first, replace(second, started=3.0)]).last.arn == ARN


def test_each_failure_has_a_resume_of_its_own() -> None:
    """A redriven execution that fails again has ended twice."""
    history = failed_in("B")
    history.add("ExecutionRedriven", 6, executionRedrivenEventDetails={"redriveCount": 1})
    ended(history, 7)
    ids = [event["id"] for event in history.events if event["type"] == "ExecutionFailed"]
    assert told(history, machine(A=TASK, B=TASK)).next_arns == [
        f"{PREFIX}:execution:orders-with-GoToState:{execution_name('order-17', ARN, ending, 1)}" for ending in ids
    ]
    assert len(set(ids)) == 2


def test_the_resume_of_a_resume_is_in_the_same_machine() -> None:
    history = failed_in("B", resuming(state="B"))
    execution = told(history, router.add_gotostate(machine(A=TASK, B=TASK)), arn=RESUMED)
    assert execution.next_arns == [
        f"{PREFIX}:execution:orders-with-GoToState:{execution_name('order-17', RESUMED, len(history.events), 2)}"
    ]


@pytest.mark.parametrize("arn", [ARN, RESUMED])
def test_without_its_definition_an_execution_still_leads_on(arn: str) -> None:
    history = failed_in("B", resuming(state="B") if arn == RESUMED else "{}")
    execution = execution_story(arn, "FAILED", history.input, None, history.newest_first)
    assert (execution.states, execution.untold) == ((), "the definition that it ran with is gone")
    assert execution.ended
    assert [found.rpartition(":")[0] for found in execution.next_arns] == [f"{PREFIX}:execution:orders-with-GoToState"]
    assert execution.chain.attempt == (1 if arn == RESUMED else 0)


def test_a_child_of_a_distributed_map_is_not_resumed() -> None:
    execution = told(failed_in("B"), machine(A=TASK, B=TASK), arn=f"{PREFIX}:execution:orders/Label:uuid")
    assert execution.next_arns == []
