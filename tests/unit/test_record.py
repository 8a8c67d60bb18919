"""What the branches and iterations of a container had done, from histories in the shapes of real AWS."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from gotostate import history, jsontext
from gotostate.definition import Definition
from gotostate.errors import UnclearError
from gotostate.progress import MAX_CHARACTERS, Container, open_lanes, read_progress
from gotostate.record import Earlier, Record, record_of
from gotostate.router import add_gotostate, remove_gotostate
from histories import History

TASK = {"Type": "Task", "Resource": "r"}
INLINE = {"ProcessorConfig": {"Mode": "INLINE"}}


def sequence(*names: str, **more: Any) -> dict[str, Any]:
    """Write a scope of tasks, one after another; more: fields of single states, by name."""
    following: list[dict[str, Any]] = [*({"Next": name} for name in names[1:]), {"End": True}]
    states = {name: {**TASK, **next_, **more.get(name, {})} for name, next_ in zip(names, following, strict=True)}
    return {"StartAt": names[0], "States": states}


def machine(**states: dict[str, Any]) -> Definition:
    return Definition.parse(json.dumps({"StartAt": next(iter(states)), "States": states}))


def mapping(processor: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": {**INLINE, **processor}, "End": True, **more}


def parallel(*branches: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Branches": list(branches), "End": True, **more}


def recorded(definition: Definition, story: History, elements: str | None = None) -> Record:
    """Record the container in which a history ended. elements: the record that its execution was given."""
    point = history.locate(story.newest_first, definition)
    assert point.resume_from
    assert point.steps
    progress = read_progress(point.steps, definition, point.resume_from)
    return record_of(progress, remove_gotostate(definition), Earlier.read(point.held, elements))


def elements(record: Record) -> list[Any]:
    return [json.loads(text) for text in record.elements]


def at(state: str, given: Any = None, inside: list[int] | None = None, **variables: Any) -> dict[str, Any]:
    return {"state": state, "input": {} if given is None else given, "variables": variables, "inside": inside}


ITEMS = machine(M=mapping(sequence("Reserve", "Charge")))


def test_iterations_that_ran_at_the_same_time() -> None:
    """The third fails; the second is aborted on its way; the fifth had not begun."""
    story = History()
    started = story.map_starts(story.enter("Map", "M", 0), 5)
    first, second, third = (story.iterates("M", index, started) for index in range(3))
    reserving = story.enter("Task", "Reserve", first, '{"n": 1}')
    other = story.task("Reserve", second, '{"n": 2}', '{"r": 2}')
    third = story.task("Reserve", third, '{"n": 3}', '{"r": 3}')
    reserved = story.leave("Task", "Reserve", story.add("TaskSucceeded", reserving), '{"r": 1}')
    failing = story.task("Charge", third, '{"r": 3}')
    story.task("Charge", other, '{"r": 2}')
    charged = story.task("Charge", reserved, '{"r": 1}', '{"done": 1.10}')
    story.iterated("M", 0, charged)
    # A place is free: the next iteration points to what made it so.
    story.iterates("M", 3, charged)
    story.fails(failing, within="Map", siblings=3)
    record = recorded(ITEMS, story)
    assert elements(record) == [{"output": {"done": 1.1}}, at("Charge", {"r": 2}), at("Charge", {"r": 3}), {}, {}]
    assert record.elements[0] == '{"output":{"done": 1.10}}'
    assert record.numbers == "[0,1,2,3,4]"
    assert str(record) == "M: 1 of 5 finished, 2 go on at Charge, 2 from their start"


def test_an_iteration_between_two_states_goes_on_at_the_next() -> None:
    story = History()
    begun = story.iterates("M", 0, story.map_starts(story.enter("Map", "M", 0), 1))
    story.task("Reserve", begun, "{}", "12345678901234567890123")
    story.ends(0, "States.Timeout")
    assert recorded(ITEMS, story).elements[0] == (
        '{"state":"Charge","input":12345678901234567890123,"variables":{},"inside":null}'
    )


def test_one_at_a_time_points_to_the_iteration_before() -> None:
    story = History()
    before = story.map_starts(story.enter("Map", "M", 0), 3)
    before = story.task("Charge", story.task("Reserve", story.iterates("M", 0, before)), "{}", "0")
    story.iterated("M", 0, before)
    before = story.iterates("M", 1, before)
    story.fails(story.task("Reserve", before, "[1]"), within="Map")
    record = recorded(ITEMS, _reserved_first(story))
    assert elements(record) == [{"output": 0}, at("Reserve", [1]), {}]
    assert str(record) == "M: 1 of 3 finished, 1 goes on at Reserve, 1 from its start"


def _reserved_first(story: History) -> History:
    """Let the first Reserve be left, which `task` without an output leaves open."""
    open_at = next(place for place, event in enumerate(story.events) if event["type"] == "TaskStarted")
    event = story.events[open_at]
    details = {"name": "Reserve", "output": "{}", "assignedVariables": {}}
    story.events[open_at] = {**event, "type": "TaskStateExited", "stateExitedEventDetails": details}
    return story


def test_branches_whose_input_is_null() -> None:
    definition = machine(P=parallel(sequence("A"), sequence("B"), sequence("C")))
    story = History()
    started = story.parallel_starts(story.enter("Parallel", "P", 0, "null"))
    story.task("A", started, "null", '"a"')
    story.fails(story.task("B", started, "null"), within="Parallel")
    record = recorded(definition, story)
    # The third had not begun; what it is given is what the others were given.
    assert elements(record) == [{"output": "a"}, at("B") | {"input": None}, at("C") | {"input": None}]
    assert str(record) == "P: 1 of 3 finished, 1 goes on at B, 1 from its start"


def test_a_jsonata_error_points_before_its_own_state() -> None:
    states = {
        "M": mapping({"StartAt": "Make", "States": {"Make": {"Type": "Pass", "Output": "{% $x %}", "End": True}}})
    }
    definition = Definition.parse(json.dumps({"QueryLanguage": "JSONata", "StartAt": "M", "States": states}))
    story = History()
    started = story.map_starts(story.enter("Map", "M", 0), 2)
    first, second = (story.iterates("M", index, started) for index in range(2))
    story.enter("Pass", "Make", second, '"second"')
    story.step("Make", first, '"first"', '"made"')
    # Not the state's own event, but the one before it.
    details = {"error": "States.QueryEvaluationError", "state": "Make"}
    failed = story.add("EvaluationFailed", second, evaluationFailedEventDetails=details)
    story.ends(failed, "States.QueryEvaluationError")
    assert elements(recorded(definition, story)) == [{"output": "made"}, at("Make", "second")]


def nested() -> Definition:
    inner = mapping(sequence("X", "Y", X={"Assign": {"v.$": "$.v"}}), Next="After")
    del inner["End"]
    branch = {"StartAt": "Inner", "States": {"Inner": inner, "After": {**TASK, "End": True}}}
    return machine(P=parallel(branch, sequence("B")))


def nested_story() -> History:
    story = History()
    started = story.parallel_starts(story.enter("Parallel", "P", 0, '"i"'))
    begun = story.map_starts(story.enter("Map", "Inner", started, '"i"'), 3)
    other = story.task("B", started, '"i"')
    first, second = (story.iterates("Inner", index, begun) for index in range(2))
    second = story.task("X", second, "2", "22", v="7")
    first = story.task("X", first, "1", "11", v="1.10")
    story.task("Y", first, "11")
    story.iterated("Inner", 1, story.task("Y", second, "22", '"y"'))
    story.fails(other, within="Parallel", siblings=2)
    return story


def test_what_is_nested_stands_behind_and_is_named_by_number() -> None:
    record = recorded(nested(), nested_story())
    assert elements(record) == [
        at("Inner", "i", inside=[2, 3, 4]),
        at("B", "i"),
        at("Y", 11, v=1.1),
        {"output": "y"},
        {},
    ]
    assert '"variables":{"v":1.10}' in record.elements[2]
    assert record.numbers == "[0,1]"
    assert str(record) == "P: 0 of 2 finished, 1 goes on at Inner, 1 goes on at B"


def test_a_nested_container_with_a_retry_begins_anew_and_as_a_whole() -> None:
    inner = mapping(sequence("X"), Retry=[{"ErrorEquals": ["States.ALL"]}])
    definition = machine(P=parallel({"StartAt": "Inner", "States": {"Inner": inner}}, sequence("B")))
    story = History()
    started = story.parallel_starts(story.enter("Parallel", "P", 0))
    entered = story.enter("Map", "Inner", started)
    story.task("B", started, "{}", "1")
    for _ in range(2):
        # A Map that is tried again starts with no new MapStateEntered.
        begun = story.iterates("Inner", 0, story.map_starts(entered, 1))
        task = story.task("X", begun)
        entered = story.add("TaskFailed", task)
        story.add("MapIterationFailed", task)
    story.ends(story.add("ParallelStateFailed", entered))
    assert elements(recorded(definition, story)) == [at("Inner"), {"output": 1}]


def test_a_catch_and_a_choice_are_entered_again() -> None:
    scope = sequence("A", "B", A={"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B", "Assign": {"v": 2}}]})
    chosen = {"StartAt": "Which", "States": {"Which": {"Type": "Choice", "Choices": [], "Default": "Z"}, "Z": TASK}}
    definition = machine(P=parallel(scope, chosen))
    story = History()
    started = story.parallel_starts(story.enter("Parallel", "P", 0))
    failed = story.add("TaskFailed", story.task("A", started, "1"))
    story.leave("Task", "A", failed, "2", v="2")
    story.leave("Choice", "Which", story.enter("Choice", "Which", started, "3"), "4")
    story.ends(0, "States.Timeout")
    # What the Catch assigned is not so any more when the state is entered again.
    assert elements(recorded(definition, story)) == [at("A", 1, v=None), at("Which", 3)]


def test_a_loop_inside_counts_its_last_round() -> None:
    looping = {
        "StartAt": "Work",
        "States": {
            "Work": {**TASK, "Assign": {"n.$": "$.n"}, "Next": "More"},
            "More": {"Type": "Choice", "Choices": [], "Default": "Work"},
        },
    }
    definition = machine(M=mapping(looping))
    story = History()
    before = story.iterates("M", 0, story.map_starts(story.enter("Map", "M", 0), 1))
    for round_ in range(2):
        before = story.task("Work", before, f'"{round_}"', "{}", n=str(round_))
        before = story.leave("Choice", "More", story.enter("Choice", "More", before))
    story.fails(story.task("Work", before, '"2"'), within="Map")
    assert elements(recorded(definition, story)) == [at("Work", "2", n=1)]


# ---- chains: an execution that was given a record itself


def opened_story(definition: Definition, *, held: str) -> History:
    """Begin a resumed execution of an opened machine, up to the entry of its Map."""
    story = History()
    before = story.backs_off(held)
    assert "GoToState Backoff" in definition.states
    return _extended(story, before)


def _extended(story: History, before: int) -> History:
    story.map_starts(story.enter("Map", "M", before), 4)
    return story


def passing(story: History, before: int, *parts: str) -> int:
    """Go through states that were added to a scope."""
    for part in parts:
        before = story.step(f"GoToState {part} 1", before)
    return before


GIVEN = json.dumps([at("Charge", {"r": 0}), {"output": "one"}, {}, at("Reserve", 3)])


def test_what_the_run_did_not_get_to_stays_as_it_was() -> None:
    definition = add_gotostate(ITEMS, inside="M")
    story = opened_story(definition, held="[0,1,2,3]")
    started = len(story.events)
    first = passing(story, story.iterates("M", 0, started), "Inside", "Take", "Which", "Fill", "Input", "Enter")
    failing = story.task("Charge", first, '{"r": 0}')
    passing(story, story.iterates("M", 2, started), "Inside", "Take")
    story.fails(failing, within="Map")
    record = recorded(definition, story, GIVEN)
    assert elements(record) == [at("Charge", {"r": 0}), {"output": "one"}, {}, at("Reserve", 3)]
    assert str(record) == "M: 1 of 4 finished, 1 goes on at Charge, 1 goes on at Reserve, 1 from its start"


def test_an_output_that_was_handed_through_counts_as_finished() -> None:
    definition = add_gotostate(ITEMS, inside="M")
    story = opened_story(definition, held="[0,1,2,3]")
    started = len(story.events)
    before = passing(story, story.iterates("M", 1, started), "Inside", "Take", "Which")
    done = story.step("GoToState Done 1", before, "{}", '"1"')
    story.iterated("M", 1, done)
    story.ends(0, "States.Timeout")
    assert elements(recorded(definition, story, GIVEN))[1] == {"output": "1"}


def test_a_record_that_was_cleared_is_not_taken_up_again() -> None:
    """A loop came back to the Map: its second run is not the one that the record tells of."""
    definition = add_gotostate(ITEMS, inside="M")
    story = opened_story(definition, held="null")
    before = passing(story, story.iterates("M", 0, len(story.events)), "Inside", "Begin")
    story.task("Reserve", before, '"new"')
    story.ends(0, "States.Timeout")
    assert elements(recorded(definition, story, GIVEN)) == [at("Reserve", "new"), {}, {}, {}]


def test_nested_elements_that_were_not_reached_get_new_numbers() -> None:
    definition = add_gotostate(nested(), inside="P")
    source = remove_gotostate(definition)
    given = json.dumps([at("Inner", "i", inside=[3, 2]), at("B", 0), {"output": "z"}, at("Y", 1, v=5)])
    story = History()
    before = story.backs_off("[0,1]")
    started = story.parallel_starts(story.enter("Parallel", "P", before, '"i"'))
    guard = next(name for name in definition.all_states if name.startswith("GoToState Inside"))
    story.enter("Choice", guard, started, '"i"')
    story.ends(0, "States.Timeout")
    point = history.locate(story.newest_first, definition)
    assert point.steps
    record = record_of(read_progress(point.steps, definition, "P"), source, Earlier.read(point.held, given))
    assert elements(record) == [at("Inner", "i", inside=[2, 3]), at("B", 0), at("Y", 1, v=5), {"output": "z"}]


def resumed_in_nested(corrected: Definition | None = None) -> Record:
    """Record a resume that was stopped in the router; the one before it had ended inside the nested Map."""
    definition = add_gotostate(nested(), inside="P")
    given = json.dumps([at("Inner", "i", inside=[2, 3]), at("B", 0), {"output": "z"}, at("Y", 1, v=5)])
    return record_of(Container("P"), corrected or remove_gotostate(definition), Earlier.read("[0,1]", given))


def test_a_resume_that_ended_in_the_router_hands_on_what_it_was_given() -> None:
    record = resumed_in_nested()
    assert elements(record)[0] == at("Inner", "i", inside=[2, 3])
    assert record.again == {"Inner", "B", "Y"}


def test_the_record_of_a_nested_container_that_is_not_opened_any_more_is_dropped() -> None:
    """Its variable would never be cleared, and the next container of that scope would find it."""
    document = json.loads(json.dumps(nested().document))
    document["States"]["P"]["Branches"][0]["States"]["Inner"]["Retry"] = [{"ErrorEquals": ["States.ALL"]}]
    record = resumed_in_nested(Definition.parse(json.dumps(document)))
    assert elements(record) == [at("Inner", "i"), at("B", 0)]
    # All of it runs again.
    assert record.again == {"Inner", "X", "Y", "B"}


def test_an_empty_map_inside_a_branch_is_left_like_any_state() -> None:
    """What leaves a container points to what its success points to: of no items, to the start."""
    inner = mapping(sequence("X"), Next="After")
    del inner["End"]
    branch = {"StartAt": "In", "States": {"In": inner, "After": {**TASK, "End": True}}}
    definition = machine(P=parallel(branch, sequence("B")))
    story = History()
    started = story.parallel_starts(story.enter("Parallel", "P", 0))
    empty = story.map_starts(story.enter("Map", "In", started, "[]"), 0)
    other = story.task("B", started)
    story.add("MapStateSucceeded", empty)
    story.task("After", story.leave("Map", "In", empty, "[]"), "[]", '"after"')
    story.fails(other, within="Parallel")
    assert elements(recorded(definition, story)) == [{"output": "after"}, at("B")]


def test_a_nested_map_over_an_objects_members_runs_as_a_whole_with_all_around_it() -> None:
    story = History()
    started = story.parallel_starts(story.enter("Parallel", "P", 0))
    begun = story.map_starts(story.enter("Map", "Inner", started, '{"a": 1}'), 1)
    story.task("X", story.iterates("Inner", 0, begun))
    story.fails(story.task("B", started), within="Parallel")
    with pytest.raises(UnclearError, match="'Inner' are the members of an object"):
        recorded(nested(), story)


def test_a_nested_container_that_had_begun_nothing_is_entered_as_a_whole() -> None:
    story = History()
    started = story.parallel_starts(story.enter("Parallel", "P", 0))
    story.map_starts(story.enter("Map", "Inner", started, "[1, 2]"), 2)
    story.fails(story.task("B", started), within="Parallel")
    record = recorded(nested(), story)
    assert elements(record) == [at("Inner", [1, 2]), at("B")]
    assert record.again == {"Inner", "X", "Y", "B"}


def test_a_nested_parallel_goes_on_inside() -> None:
    inner = parallel(sequence("L"), sequence("R"))
    definition = machine(M=mapping({"StartAt": "Both", "States": {"Both": inner}}))
    story = History()
    begun = story.iterates("M", 0, story.map_starts(story.enter("Map", "M", 0), 1))
    started = story.parallel_starts(story.enter("Parallel", "Both", begun, '"i"'))
    story.task("L", started, '"i"', '"l"')
    story.ends(0, "States.Timeout")
    # Its other branch had not begun.
    assert elements(recorded(definition, story)) == [at("Both", "i", inside=[1, 2]), {"output": "l"}, at("R", "i")]


def test_a_nested_map_of_a_jsonata_machine_goes_on_inside_whatever_its_items_were() -> None:
    """A JSONata Map takes its items from an array alone (Items), so its input may be an object."""
    document = {**nested().document, "QueryLanguage": "JSONata"}
    document["States"]["P"]["Branches"][0]["States"]["Inner"]["Items"] = "{% $states.input.items %}"
    story = History()
    started = story.parallel_starts(story.enter("Parallel", "P", 0))
    begun = story.map_starts(story.enter("Map", "Inner", started, '{"items": [1]}'), 1)
    story.task("X", story.iterates("Inner", 0, begun), "1")
    story.fails(story.task("B", started), within="Parallel")
    record = recorded(Definition.parse(json.dumps(document)), story)
    assert elements(record) == [at("Inner", {"items": [1]}, inside=[2]), at("B"), at("X", 1, v=None)]


def test_the_branches_and_iterations_that_were_in_a_state_at_the_end() -> None:
    """In the order of their numbers: Y of the first iteration, and B; the second had finished."""
    point = history.locate(nested_story().newest_first, nested())
    assert point.steps
    assert [lane.state for lane in open_lanes(read_progress(point.steps, nested(), "P"))] == ["Y", "B"]


def test_what_had_begun_and_runs_again() -> None:
    story = History()
    started = story.map_starts(story.enter("Map", "M", 0), 3)
    # Between two states: Charge has not begun.
    story.task("Reserve", story.iterates("M", 0, started), "{}", "{}")
    story.task("Reserve", story.iterates("M", 1, started))
    story.ends(0)
    record = recorded(ITEMS, story)
    assert dict(record.goes_on) == {"Charge": 1, "Reserve": 1}
    assert record.again == {"Reserve"}


def test_a_jsonata_error_that_is_caught_in_a_branchs_first_state() -> None:
    first = {"Type": "Pass", "Output": "{% $x %}", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}], "End": True}
    branch = {"StartAt": "A", "States": {"A": first, "B": {**TASK, "End": True}}}
    definition = machine(P=parallel(branch, sequence("C")))
    story = History()
    started = story.parallel_starts(story.enter("Parallel", "P", 0))
    story.enter("Pass", "A", started)
    # It points before the state that failed, here to the start of all branches.
    failed = story.add("EvaluationFailed", started, evaluationFailedEventDetails={"state": "A"})
    story.task("B", story.leave("Pass", "A", failed, '"caught"'), '"caught"')
    story.fails(story.task("C", started), within="Parallel")
    assert elements(recorded(definition, story)) == [at("B", "caught"), at("C")]


@pytest.mark.parametrize(
    ("numbers", "given"),
    [
        ("[0,1,2]", '[{"output": 1}, {"output": 2}, {"output": 3}]'),
        ("[0,7]", '[{"output": 1}]'),
        ("[0,1]", '[{"output": 1}, 5]'),
        ("[0,1]", '[{"output": 1}, {"state": "B", "input": 1, "variables": []}]'),
        ("[0,1]", '[{"output": 1}, {"state": 7, "input": 1}]'),
        ("[0,1]", '"text"'),
    ],
)
def test_a_record_that_a_person_wrote_wrong_is_not_taken(numbers: str, given: str) -> None:
    definition = machine(P=parallel(sequence("A"), sequence("B")))
    with pytest.raises(UnclearError, match=r"record|no state"):
        record_of(Container("P"), definition, Earlier.read(numbers, given))


@pytest.mark.parametrize("numbers", ["[true, 0]", '["0"]', "5", "[-1]", "null", "[", None])
def test_what_is_no_list_of_numbers_holds_nothing(numbers: str | None) -> None:
    assert Earlier.read(numbers, "[]") == Earlier()


# ---- what is not certain is not guessed


def test_an_iteration_has_finished_where_its_last_state_was_left() -> None:
    """The emulator was seen to write MapIterationSucceeded of an iteration that was aborted; AWS was not."""
    story = History()
    started = story.map_starts(story.enter("Map", "M", 0), 2)
    failing = story.task("Reserve", story.iterates("M", 0, started))
    other = story.task("Reserve", story.iterates("M", 1, started))
    story.iterated("M", 1, story.add("TaskSucceeded", other))
    story.fails(failing, within="Map")
    assert elements(recorded(ITEMS, story)) == [at("Reserve"), at("Reserve")]


def begun(story: History) -> int:
    return story.map_starts(story.enter("Map", "M", 0), 3)


def an_event_of_no_iteration(story: History) -> None:
    begun(story)
    story.enter("Task", "Reserve", 0)


def a_state_that_cannot_follow(story: History) -> None:
    story.enter("Task", "Charge", story.iterates("M", 0, begun(story)))


def a_state_that_was_not_left(story: History) -> None:
    before = story.iterates("M", 0, begun(story))
    story.enter("Task", "Charge", story.enter("Task", "Reserve", before))


def a_state_that_was_not_entered(story: History) -> None:
    story.leave("Task", "Reserve", story.iterates("M", 0, begun(story)))


def an_iteration_twice(story: History) -> None:
    started = begun(story)
    story.iterates("M", 0, started)
    story.iterates("M", 0, started)


def an_iteration_too_many(story: History) -> None:
    story.iterates("M", 3, begun(story))


def an_input_that_is_cut_off(story: History) -> None:
    story.enter("Task", "Reserve", story.iterates("M", 0, begun(story)))
    story.events[-1]["stateEnteredEventDetails"] = {"name": "Reserve", "inputDetails": {"truncated": True}}


def variables_that_are_cut_off(story: History) -> None:
    story.task("Reserve", story.iterates("M", 0, begun(story)), "{}", "{}")
    story.events[-1]["stateExitedEventDetails"]["assignedVariablesDetails"] = {"truncated": True}


def nothing_that_began(story: History) -> None:
    begun(story)


def an_output_that_is_cut_off(story: History) -> None:
    reserved = story.task("Reserve", story.iterates("M", 0, begun(story)), "{}", "{}")
    story.task("Charge", reserved, "{}", "{}")
    story.events[-1]["stateExitedEventDetails"] = {"name": "Charge", "outputDetails": {"truncated": True}}


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (an_event_of_no_iteration, "does not lead to its iteration"),
        (a_state_that_cannot_follow, "cannot follow"),
        (a_state_that_was_not_left, "cannot follow"),
        (a_state_that_was_not_entered, "is left"),
        (an_iteration_twice, "cannot have begun"),
        (an_iteration_too_many, "cannot have begun"),
        (an_input_that_is_cut_off, "the input of 'Reserve' is cut off"),
        (an_output_that_is_cut_off, "an output is cut off"),
        (variables_that_are_cut_off, "variables are cut off"),
        (nothing_that_began, "had begun"),
    ],
)
def test_what_is_not_certain_is_not_guessed(write: Callable[[History], None], says: str) -> None:
    story = History()
    write(story)
    story.ends(0)
    with pytest.raises(UnclearError, match=says):
        recorded(ITEMS, story)


def a_nested_iteration_of_a_map_that_was_not_entered(story: History, started: int) -> None:
    story.iterates("Inner", 0, story.map_starts(story.task("B", started), 1))


def a_branch_that_is_left_before_it_began(story: History, started: int) -> None:
    story.leave("Task", "B", started)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (a_nested_iteration_of_a_map_that_was_not_entered, "is of 'Inner', which was not entered before"),
        (a_branch_that_is_left_before_it_began, "'B' is left, and its branch had not begun"),
    ],
)
def test_what_is_not_certain_of_a_branch_is_not_guessed(write: Callable[[History, int], None], says: str) -> None:
    story = History()
    write(story, story.parallel_starts(story.enter("Parallel", "P", 0)))
    story.ends(0)
    with pytest.raises(UnclearError, match=says):
        recorded(nested(), story)


def test_iterations_that_the_definition_does_not_have_are_not_guessed() -> None:
    story = History()
    story.iterates("M", 0, begun(story))
    story.ends(0)
    with pytest.raises(UnclearError, match="'M' has no iterations in the definition"):
        recorded(machine(M={"Type": "Map", "End": True}), story)


def test_a_fail_state_that_a_branch_had_come_to_is_not_passed_over() -> None:
    """Another branch may be what the execution ended by; somebody decided here that the run must fail."""
    stop = {"StartAt": "Stop", "States": {"Stop": {"Type": "Fail"}}}
    story = History()
    started = story.parallel_starts(story.enter("Parallel", "P", 0))
    story.task("A", started)
    story.enter("Fail", "Stop", started)
    story.ends(0, "States.Timeout")
    with pytest.raises(UnclearError, match="it had come to the Fail state 'Stop'"):
        recorded(machine(P=parallel(sequence("A"), stop)), story)


@pytest.mark.parametrize(("length", "fits"), [(1_000, True), (1_001, False)])
def test_a_record_has_a_thousand_elements_at_most(length: int, fits: bool) -> None:
    story = History()
    story.task("Reserve", story.iterates("M", 0, story.map_starts(story.enter("Map", "M", 0), length)))
    story.ends(0)
    if fits:
        assert len(recorded(ITEMS, story).elements) == length
    else:
        with pytest.raises(UnclearError, match="more than 1,000"):
            recorded(ITEMS, story)


def test_payloads_that_would_fill_the_memory_are_dropped() -> None:
    story = History()
    before = story.map_starts(story.enter("Map", "M", 0), 500)
    for index in range(MAX_CHARACTERS // 200_000 + 1):
        before = story.task("Reserve", story.iterates("M", index, before), jsontext.write(f"{index}" + "x" * 200_000))
    story.ends(0)
    with pytest.raises(UnclearError, match="too much data"):
        recorded(ITEMS, story)
