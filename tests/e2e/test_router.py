"""What the GoToState definition does with each form of input, in both query languages."""

import json
from typing import Any

import pytest
from gotostate import router
from gotostate.definition import Definition
from stack import Stack

JSONPATH = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1, "y": "q"}, "Next": "B"},
        "B": {"Type": "Pass", "Parameters": {"b.$": "$"}, "Next": "C"},
        "C": {"Type": "Pass", "Parameters": {"c.$": "$", "x.$": "$x", "y.$": "$y"}, "End": True},
    },
}
JSONATA = {
    "QueryLanguage": "JSONata",
    "StartAt": "A",
    "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1, "y": "q"}, "Next": "B"},
        "B": {"Type": "Pass", "Output": {"b": "{% $states.input %}"}, "Next": "C"},
        "C": {"Type": "Pass", "Output": {"c": "{% $states.input %}", "x": "{% $x %}", "y": "{% $y %}"}, "End": True},
    },
}
REJECTED = "GoToState.UnknownTarget"


def from_start(data: Any) -> dict[str, Any]:
    return {"c": {"b": data}, "x": 1, "y": "q"}


def jump(state: str, data: Any, **more: Any) -> dict[str, Any]:
    return {"resuming": {"state": state, "input": data, **more}}


VALUES: list[Any] = [None, [], [1], [[1]], "text", 0, False, {}, {"a": []}, [{"resuming": True}]]
CASES: list[tuple[Any, Any]] = [
    *((data, from_start(data)) for data in ({}, 5, None, [], [{"resuming": True}], {"a": 1})),
    ({"resuming": False, "z": 1}, from_start({"resuming": False, "z": 1})),
    *(
        (jump("B", data, delaySeconds=0, variables={"x": 7, "y": None}), {"c": {"b": data}, "x": 7, "y": None})
        for data in VALUES
    ),
    *(
        (jump("C", data, delaySeconds=0, variables={"x": data, "y": 1}), {"c": data, "x": data, "y": 1})
        for data in VALUES
    ),
    (jump("C", 1), {"c": 1, "x": None, "y": None}),
    (jump("C", 1, variables={"x": 7}), {"c": 1, "x": 7, "y": None}),
    (jump("C", 1, delaySeconds=1), {"c": 1, "x": None, "y": None}),
    *(
        ({"resuming": resuming, "other": 1}, REJECTED)
        for resuming in (
            None, "true", 1, [], [True], {}, {"state": "B"}, {"input": 1}, {"state": "Nowhere", "input": 1},
            {"state": 1, "input": 1}, {"state": ["B"], "input": 1}, {"state": "GoToState", "input": 1},
            {"state": "B", "input": 1, "delaySeconds": "5"}, {"state": "B", "input": 1, "delaySeconds": -5},
            {"state": "Nowhere", "input": 1, "delaySeconds": 3600},
            {"state": "B", "input": 1, "variables": None}, {"state": "B", "input": 1, "variables": "x"},
            {"state": "B", "input": 1, "variables": [1]}, {"state": "B", "input": 1, "delaySeconds": 100_000_000},
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("document", [JSONPATH, JSONATA], ids=["JSONPath", "JSONata"])
def test_every_form_of_input(stack: Stack, make_machine: Any, document: dict[str, Any]) -> None:
    built = router.add_gotostate(Definition.parse(json.dumps(document)), "C")
    machine_arn = make_machine(built.text)
    started = [(data, expected, stack.start(machine_arn, data)) for data, expected in CASES]
    wrong = []
    for data, expected, arn in started:
        execution = stack.ended(arn)
        got = json.loads(execution["output"]) if execution["status"] == "SUCCEEDED" else execution.get("error")
        if got != expected:
            wrong.append(f"{json.dumps(data)}: {got!r}, not {expected!r}")
    assert not wrong, "\n".join(wrong)


def test_true_goes_to_the_state_that_the_machine_was_built_for(stack: Stack, make_machine: Any) -> None:
    document = {"StartAt": "A", "States": {"A": {"Type": "Fail"}, "B": {"Type": "Pass", "End": True}}}
    built = router.add_gotostate(Definition.parse(json.dumps(document)), "B")
    execution = stack.ended(stack.start(make_machine(built.text), {"resuming": True, "foo": 1}))
    assert json.loads(execution["output"]) == {"resuming": True, "foo": 1}


@pytest.mark.parametrize("text", ["12345678901234567890123", "1.0", "[1.0]"])
def test_jsonpath_hands_the_input_on_digit_for_digit(stack: Stack, make_machine: Any, text: str) -> None:
    document = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    machine_arn = make_machine(router.add_gotostate(Definition.parse(json.dumps(document)), "A").text)
    given = f'{{"resuming":{{"state":"A","input":{text},"delaySeconds":0,"variables":{{}}}}}}'
    arn = stack.states.start_execution(stateMachineArn=machine_arn, input=given)["executionArn"]
    assert stack.ended(arn)["output"] == text


def test_a_large_input_written_by_hand_fits(stack: Stack, make_machine: Any) -> None:
    """No state of the router holds the input twice; a state's payload is limited to 256 KiB."""
    built = router.add_gotostate(Definition.parse('{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}'))
    arn = stack.start(make_machine(built.text), jump("A", "x" * 200_000))
    assert json.loads(stack.ended(arn)["output"]) == "x" * 200_000


def test_true_is_rejected_where_no_failure_was_prepared(stack: Stack, make_machine: Any) -> None:
    arn = stack.start(
        make_machine(router.add_gotostate(Definition.parse(json.dumps(JSONPATH))).text), {"resuming": True}
    )
    assert stack.ended(arn)["error"] == REJECTED
