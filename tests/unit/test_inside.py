"""An opened Parallel or Map: what is added to it, and that closing it gives the source back byte for byte."""

import json
from typing import Any

import pytest
from gotostate import containers, router
from gotostate.definition import ROUTER_MARK, Definition
from gotostate.inside import close_container, open_container
from hypothesis import given
from hypothesis import strategies as st
from machines import Plan, plans

# Spaces, escapes and a first member of each kind, as people and tools write them.
WRITTEN = r"""
{ "StartAt" : "M",
  "States": {
    "M": { "Type": "Map", "ItemsPath": "$.items", "Catch": [ {"ErrorEquals": ["States.ALL"], "Next": "E"} ,
                    {"Assign":{"q" : 1.10},"ErrorEquals": ["X"], "Next": "E"}],
      "ItemProcessor": { "StartAt": "caf\u00e9", "States" : {
          "caf\u00e9": { "Type": "Parallel", "Next": "Z", "Branches": [
             {"StartAt": "X", "States": {"X": {"Type": "Pass", "Result": 1E+2, "End": true}}} ,
             { "StartAt" : "Y" , "States": { "Y": {"Type": "Pass", "Assign": {"v": 1}, "End": true} } } ] },
          "Z": {"Assign" : { "w.$": "$[0]" } , "Type": "Pass", "End": true} } },
      "Assign" : { "n.$": "$[0]" }, "Next": "E" },
    "E": {"Type": "Succeed"} } }
"""


def shaped(**fields: Any) -> Definition:
    scope = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    state = {"Type": "Map", "ItemProcessor": scope, "End": True, **fields}
    return Definition.parse(json.dumps({"StartAt": "M", "States": {"M": state}}))


def test_closing_gives_the_text_back_as_it_was_written() -> None:
    source = Definition.parse(WRITTEN)
    opened = open_container(source, "M")
    assert close_container(opened, "M").text == WRITTEN
    for kept in ('"Result": 1E+2', '"Assign" : {"gotostate0":null, "n.$": "$[0]" }', '{"gotostate0":null,"q" : 1.10}'):
        assert kept in opened.text
    # Where it was written with an escape, it is so still.
    assert r'"Next":"caf\u00e9"' in opened.text


SELECTORS = [
    {},
    {"ItemSelector": {"a.$": "$.a"}},
    {"ItemSelector": {"input.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index"}},
    {"ItemSelector": {"index.$": "$$.Map.Item.Index", "input.$": "$$.Map.Item.Value"}},
    {"Parameters": {"a": 1}},
    {"Parameters": {"a": 1}, "ItemProcessor": None, "Iterator": "the processor"},
    {"ItemProcessor": None, "Iterator": "the processor"},
    {"Assign": {"gotostate": None}},
    {"Assign": {"x": 1}, "ItemSelector": {}},
]


@pytest.mark.parametrize("fields", SELECTORS, ids=str)
@pytest.mark.parametrize("first", [True, False])
def test_any_selector_and_assign_comes_back(fields: dict[str, Any], first: bool) -> None:
    """Also where the source's own looks like what is added, and stands where it would be added."""
    scope = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    fields = {name: scope if value == "the processor" else value for name, value in fields.items()}
    whole = {"Type": "Map", "ItemProcessor": scope, "End": True}
    state = {**fields, **whole, **fields} if first else {**whole, **fields}
    state = {name: value for name, value in state.items() if name not in ("ItemProcessor", "Iterator") or value}
    source = Definition.parse(json.dumps({"StartAt": "M", "States": {"M": state}}))
    assert containers.why_not(source, "M") is None
    assert close_container(open_container(source, "M"), "M").text == source.text


@given(plans(), st.sampled_from([None, 1, 3]), st.booleans())
def test_any_container_comes_back_whole(plan: Plan, indent: int | None, ascii_only: bool) -> None:
    document = plan.definition("worker", "run", faulty=True)
    source = Definition.parse(json.dumps(document, indent=indent, ensure_ascii=ascii_only))
    for name, state in source.states.items():
        if not containers.is_container(state) or containers.why_not(source, name):
            continue
        opened = open_container(source, name)
        assert close_container(opened, name).text == source.text
        built = router.add_gotostate(source, inside=name)
        assert built.opened == name
        # The chain goes on with the very definition that it began with.
        closed = router.remove_gotostate(built)
        assert closed.text == router.remove_gotostate(router.add_gotostate(source)).text
        assert router.add_gotostate(closed, inside=name).text == built.text
        assert router.add_gotostate(closed).text == router.add_gotostate(source).text
        # All that it adds says so, and nothing else does.
        added = [body for inner, body in built.all_states.items() if inner not in source.all_states]
        assert all(body["Comment"].startswith(ROUTER_MARK) for body in added)


def test_a_machine_without_an_opened_container_is_as_it_was_before() -> None:
    built = router.add_gotostate(Definition.parse(WRITTEN))
    assert built.opened is None
    assert "gotostate0" not in built.text
    assert router.add_gotostate(built, inside="M").opened == "M"
    assert router.add_gotostate(router.add_gotostate(built, inside="M")).text == built.text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"Retry": [{"ErrorEquals": ["States.ALL"]}]}, "Retry"),
        ({"ToleratedFailurePercentage": 5}, "tolerates"),
        ({"QueryLanguage": "JSONata"}, "query language"),
        ({"Assign": {}}, "Assign"),
        ({"Catch": [{"ErrorEquals": ["X"], "Next": "M", "Assign": {}}]}, "Assign"),
        ({"Assign": {"gotostate0": 1}}, "'gotostate0'"),
        ({"ItemSelector": "x"}, "ItemSelector"),
        ({"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}}}, "Distributed"),
        ({"ItemProcessor": {}}, "no item processor"),
        ({"Type": "Parallel", "Branches": []}, "no branches"),
        ({"ItemsPath": "$$.Execution.StartTime"}, "differs in each execution"),
        ({"Items": "{% $shuffle($states.input) %}"}, "differs in each execution"),
        ({"Items": "{% $map([1], function($i) { $now () }) %}"}, "differs in each execution"),
        ({"Items": "{% $states.context . Execution.Id %}"}, "differs in each execution"),
        ({"Items": "{% $states.input.items ~> $shuffle %}"}, "differs in each execution"),
        ({"Items": "{% $map($states.input, $random) %}"}, "differs in each execution"),
        ({"Items": '{% $states.context.Execution."Name" %}'}, "differs in each execution"),
    ],
)
def test_a_container_that_cannot_be_entered_in_the_middle(fields: dict[str, Any], says: str) -> None:
    reason = containers.why_not(shaped(**fields), "M")
    assert reason
    assert says in reason


def test_items_that_are_the_same_each_time_are_no_hindrance() -> None:
    for fields in (
        {"ItemsPath": "$$.Execution.Input.a"},
        {"ItemsPath": "$$.Map.Item.Value.items"},
        {"ItemsPath": "$.now"},
        {"ItemsPath": "$.State"},
        {"Items": "{% $states.context.Execution.Input.items %}"},
    ):
        assert containers.why_not(shaped(**fields), "M") is None


@pytest.mark.parametrize(
    ("fields", "are_members"),
    [
        ({}, True),
        ({"ItemsPath": "$.list"}, False),
        ({"ItemsPath": "$['list']"}, False),
        ({"ItemsPath": "$.object"}, True),
        ({"ItemsPath": "$['object'].inner"}, True),
        ({"InputPath": "$.object", "ItemsPath": "$.deep"}, False),
        ({"ItemsPath": "$many"}, False),
        ({"ItemsPath": "$one"}, True),
        ({"ItemsPath": "$one.list"}, False),
        # What is no plain path is not told.
        ({"ItemsPath": "$.list[*]"}, False),
        ({"ItemsPath": "$$.Execution.Input"}, False),
        ({"ItemsPath": "$unknown"}, False),
        ({"InputPath": None}, False),
    ],
)
def test_items_that_are_the_members_of_an_object(fields: dict[str, Any], are_members: bool) -> None:
    given = json.dumps({"list": [1], "object": {"inner": {}, "deep": []}})
    variables = {"many": "[1]", "one": '{"list": []}'}
    assert containers.items_are_members(shaped(**fields).states["M"], given, variables) is are_members


def test_states_that_were_copied_out_of_an_opened_container_are_left_alone() -> None:
    done = open_container(Definition.parse(WRITTEN), "M").all_states["GoToState Done 1"]
    scope = {"StartAt": "GoToState Done 1", "States": {"GoToState Done 1": done}}
    assert "copied" in (containers.why_not(shaped(ItemProcessor=scope), "M") or "")
    # A state of a user's own that has but the comment is their own.
    assert not containers.is_added("Mine", {"Comment": "Added by sfn-resume: goes on inside."})


def test_an_inner_container_that_cannot_be_opened_is_left_alone() -> None:
    inner = shaped(Retry=[{"ErrorEquals": ["X"]}]).states["M"]
    scope = {"StartAt": "N", "States": {"N": inner}}
    source = Definition.parse(
        json.dumps({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": scope, "End": True}}})
    )
    opened = open_container(source, "M")
    assert opened.all_states["N"] == inner


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({}, None),
        ({"ItemsPath": "$.other"}, "ItemsPath"),
        ({"ItemSelector": {"a": 1}}, "ItemSelector"),
        ({"MaxConcurrency": 3, "ResultSelector": {"a": 1}, "Comment": "mended"}, None),
        ({"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Pass"}}}] * 2}, "Branches"),
    ],
)
def test_what_makes_other_iterations(changed: dict[str, Any], field: str | None) -> None:
    assert containers.changed_field(shaped().states["M"], shaped(**changed).states["M"]) == field


def test_what_makes_other_iterations_of_a_container_inside_counts() -> None:
    def holding(path: str) -> dict[str, Any]:
        inner = {"Type": "Map", "ItemsPath": path, "ItemProcessor": {"StartAt": "A", "States": {"A": {"Type": "Pass"}}}}
        return {"Type": "Map", "ItemProcessor": {"StartAt": "N", "States": {"N": inner}}}

    assert containers.changed_field(holding("$.a"), holding("$.b")) == "ItemsPath of 'N'"
    assert containers.changed_field(holding("$.a"), holding("$.a")) is None


def test_what_is_added_is_known_in_machines_that_are_deployed() -> None:
    """Machines in people's accounts carry these: they must never change."""
    opened = open_container(Definition.parse(WRITTEN), "M")
    scope = opened.states["M"]["ItemProcessor"]
    parts = ["Inside", "Take", "Which", "Fill", "Input", "Enter", "Done", "Begin"]
    assert list(scope["States"]) == [*(f"GoToState {part} 1" for part in parts), "café", "Z"]
    assert {scope["States"][f"GoToState {part} 1"]["Comment"] for part in parts} == {
        "Added by sfn-resume: goes on inside."
    }
    built = router.add_gotostate(Definition.parse(WRITTEN), inside="M")
    assert built.states["GoToState"]["Comment"].endswith(' Goes on inside "M".')


def test_branches_in_another_order_are_others() -> None:
    def branches(*names: str) -> dict[str, Any]:
        scopes = [{"StartAt": name, "States": {name: {"Type": "Pass", "End": True}}} for name in names]
        return {"Type": "Parallel", "Branches": scopes, "End": True}

    assert containers.changed_field(branches("A", "B"), branches("A", "B")) is None
    assert containers.changed_field(branches("A", "B"), branches("B", "A")) == "Branches"
