"""Spoiled histories and definitions: an answer or a typed error, of every reader of them."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzz.spoiled import LONE, at, examples, nested, places, spoiled, spoiled_texts, written
from gotostate import containers, history, means, nesting, planning, router
from gotostate.cli.stories.story import execution_story, story_of
from gotostate.definition import Definition
from gotostate.errors import GotoStateError
from gotostate.events import HistoryEvent
from gotostate.resumption import MAX_NAME, ExecutionArn, chain_of, execution_name
from gotostate.visits import Reported
from hypothesis import example, given
from hypothesis import strategies as st
from machines import plans

GOLDEN = Path(__file__).parents[1] / "golden" / "history"
ARN = "arn:aws:states:eu-west-1:123456789012:execution:orders:order-17"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"
CASES = [json.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.json"))]
WITHIN = {
    "StartAt": "In",
    "States": {"In": {"Type": "Pass", "Assign": {"v": 1}, "Next": "Out"}, "Out": {"Type": "Succeed"}},
}
BOTH = {"Type": "Parallel", "Branches": [WITHIN], "End": True}
# A Map that holds a Parallel.
ITEMS = {
    "Type": "Map",
    "ItemSelector": {"x.$": "$$.Map.Item.Value"},
    "ItemProcessor": {"StartAt": "Both", "States": {"Both": BOTH}},
    "End": True,
}
DOCUMENTS = [*(case["definition"] for case in CASES), {"StartAt": "Items", "States": {"Items": ITEMS}}]
INSIDE = next(case for case in CASES if "parallel" in json.dumps(case["definition"]).lower())
# A router, a container that was opened, and a JSONata machine among them.
BUILT = [
    router.add_gotostate(source, target, inside).document
    for source in map(Definition.parse, map(json.dumps, DOCUMENTS))
    if not source.is_gotostate
    for target, inside in (
        (next(iter(source.states)), None),
        *((None, name) for name in source.states if containers.is_container(source.states[name])),
    )
    if inside is None or not containers.why_not(source, inside)
]


def typed(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return what a call gives; None where it raises one of our errors."""
    try:
        return call(*arguments, **options)
    except GotoStateError:
        return None


def events_of(value: Any) -> list[HistoryEvent]:
    """What a reader is given: events with an id and a type, newest first, as AWS and read_history (files.py) give."""
    given = value if isinstance(value, list) else []
    return [
        event
        for event in reversed(given)
        if isinstance(event, dict) and isinstance(event.get("id"), int) and isinstance(event.get("type"), str)
    ]


cases = st.sampled_from(CASES)


@examples(200)
@given(cases.flatmap(lambda case: st.tuples(st.just(case), spoiled(case["history"]["events"]))), st.booleans())
@example((INSIDE, []), True)
@example(
    (INSIDE, [{"id": 1, "type": "ExecutionRedriven", "executionRedrivenEventDetails": {"redriveCount": "x"}}]), True
)
@example(
    (INSIDE, [*INSIDE["history"]["events"], {"id": 99, "type": "ExecutionRedriven", "previousEventId": None}]), True
)
@example((INSIDE, [{"id": 1, "type": ""}]), True)
@example((INSIDE, [{"id": 1, "type": "x", "taskSubmittedEventDetails": {"output": True}}]), True)
@example((INSIDE, [{"id": 1, "type": "x", "taskSubmittedEventDetails": 7}]), True)
def test_any_history_is_read_or_refused(given_case: Any, every_event: bool) -> None:
    case, spoilt = given_case
    definition, events = Definition.parse(json.dumps(case["definition"])), events_of(spoilt)
    read_all(definition, events, every_event)


@examples(100)
@given(cases.flatmap(lambda case: st.tuples(st.just(case), spoiled_texts(case["definition"]))))
def test_any_definition_is_read_with_any_history(given_case: Any) -> None:
    case, text = given_case
    if definition := typed(Definition.parse, text):
        read_all(definition, events_of(case["history"]["events"]), every_event=False)


def read_all(definition: Definition, events: list[HistoryEvent], every_event: bool) -> None:
    for reported in (None, Reported(0, 1.0), Reported(1)):
        typed(history.locate, events, definition, reported=reported, every_event=every_event)
    point = typed(history.locate, events, definition, every_event=every_event)
    typed(history.success, events, definition)
    typed(history.last_variables, events, definition, may_have_succeeded=True)
    given_input = typed(history.input_of, events)
    for name in definition.states:
        typed(history.last_visit, events, definition, name, may_have_succeeded=True)
    nesting.pattern_in(events, ARN)
    if point and containers.is_container(definition.states.get(point.resume_from or "", {})):
        typed(planning.told_record, point, definition, typed(router.remove_gotostate, definition) or definition, None)
    if given_input is not None:
        try:
            chain_of(ARN, given_input, resumed=definition.is_gotostate)
        except ValueError:
            # Who calls it knows that AWS takes nothing but JSON.
            given_input = "{}"
    told = typed(execution_story, ARN, "FAILED", given_input or "{}", definition, events)
    if told:
        story_of(ARN, [told])


@examples(200)
@given(st.sampled_from([*DOCUMENTS, *BUILT]).flatmap(spoiled_texts))
@example("[" * 100_000)
@example('{"StartAt": "A", "States": {"A": ' + "[" * 3_000 + "]" * 3_000 + "}}")
@example(written({"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": nested(400)}}}))
@example('{"StartAt":"A","States":{"A":{"Type":"Map","ItemProcessor":{"StartAt":"B","States":{"B":7}}}}}')
@example('{"StartAt":"A","States":{"A":{"Type":"Parallel","Branches":[{"States":{"B":{"Branches":7}}}]}}}')
@example('{"StartAt":"A","States":{"A":{"Type":"Task","Catch":[{"Assign":{"v":1}},7],"Choices":[null]}}}')
@example('{"StartAt":"A","States":{"A":{"Type":["Pass"]}}}')
@example(written(BUILT[-1]).replace("Goes on inside", 'Goes on inside "x" "y". Goes on inside'))
@example(re.sub(r"Goes on inside .*?\\.", "Goes on inside 7.", written(BUILT[-1])))
def test_any_definition_is_read_or_refused(text: str) -> None:
    definition = typed(Definition.parse, text)
    if definition is None:
        return
    ask(definition)
    target = next(iter(definition.states))
    opened = [name for name, state in definition.states.items() if containers.is_container(state)]
    for name in [None, *opened]:
        if name and containers.why_not(definition, name):
            continue
        if built := typed(
            router.add_gotostate, definition, target if target in definition.enterable_states else None, name
        ):
            ask(built)
            typed(router.remove_gotostate, built)
    typed(router.remove_gotostate, definition)


OPENED = [document for document in BUILT if "Goes on inside" in json.dumps(document)]


@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_a_built_machine_that_somebody_changed_is_read_or_refused(kind: str) -> None:
    """Each thing in it is taken out once."""
    document = next(document for document in OPENED if any(s["Type"] == kind for s in document["States"].values()))
    for path in list(places(document)):
        changed = copy.deepcopy(document)
        del at(changed, path[:-1])[path[-1]]
        if definition := typed(Definition.parse, json.dumps(changed)):
            ask(definition)
            typed(router.remove_gotostate, definition)


def ask(definition: Definition) -> None:
    if definition.is_gotostate:
        _ = definition.route, definition.opened
    _ = definition.timeout_seconds, definition.variable_names, definition.reads_execution_input, definition.all_states
    for name in definition.states:
        definition.type_of(name)
        definition.reachable(name, by_catch=True)
        containers.why_not(definition, name)
        list(containers.scopes(definition.states[name]))
        means._names_its_machine(definition, name)
    nesting.patterns_in(definition, MACHINE)


@examples(15)
@given(plans().map(lambda plan: plan.definition("worker", "run", faulty=True)).flatmap(spoiled_texts))
def test_any_machine_is_read_or_refused(text: str) -> None:
    test_any_definition_is_read_or_refused.hypothesis.inner_test(text)  # type: ignore[attr-defined]


@examples(100)
@given(spoiled_texts({"resuming": {"state": "A", "input": 1, "attempt": 2, "execution": ARN, "inside": [1, "x"]}}))
@example(json.dumps({"resuming": {"attempt": 10**400, "execution": ARN}}))
@example(json.dumps({"resuming": {"attempt": 1, "execution": ARN, "redrives": 10**400}}))
@example(json.dumps({"resuming": {"attempt": 1, "execution": ARN + LONE}}))
def test_any_input_has_its_place_in_a_chain(text: str) -> None:
    for resumed in (True, False):
        try:
            found = chain_of(ARN, text, resumed=resumed)
        except ValueError:
            continue
        name = ExecutionArn.parse(found.original).name
        assert len(execution_name(name, ARN, 9, found.attempt + 1)) <= MAX_NAME
        assert found.redrives >= 0
        nesting.parent_of(text)
