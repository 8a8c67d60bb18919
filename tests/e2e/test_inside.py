"""Going on inside a Parallel or Map in the deployed application: the elements, the digits, once, and after an abort."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from gotostate import cli, router
from gotostate.definition import Definition
from machines import LAMBDA
from stack import SUFFIX, Stack, wait_for

MachineMaker = Callable[..., str]
VALUES: list[Any] = [None, [], [1], [[1]], "text", 0, False, {}, {"a": []}, {"output": 1, "state": "x"}]
DIGITS = '{"n":12345678901234567890123,"small":1.10}'


@pytest.fixture(scope="module")
def worker(stack: Stack) -> str:
    found = boto3.client("cloudformation").describe_stack_resource(
        StackName=stack.name, LogicalResourceId="WorkerFunction"
    )
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def step(worker: str, run: str, name: str, failures: Any = 0, **more: Any) -> dict[str, Any]:
    """Write a Task that keeps its input and counts its calls."""
    payload = {"step": name, "run": run, "failures": failures}
    call = {"FunctionName": worker, "Payload": payload}
    return {"Type": "Task", "Resource": LAMBDA, "Parameters": call, "ResultPath": None, "End": True, **more}


def language(*, jsonata: bool) -> dict[str, str]:
    return {"QueryLanguage": "JSONata"} if jsonata else {}


@pytest.mark.parametrize("jsonata", [False, True], ids=["JSONPath", "JSONata"])
@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_each_form_of_an_element(stack: Stack, make_machine: MachineMaker, kind: str, jsonata: bool) -> None:
    """Finished, going on, and from its start, with every JSON value as input and output."""
    scope = {
        "StartAt": "First",
        "States": {
            "First": {"Type": "Pass", "Assign": {"v": 1}, "Next": "Last"},
            "Last": {
                "Type": "Pass",
                "End": True,
                **(
                    {"Output": ["{% $states.input %}", "{% $v %}"]}
                    if jsonata
                    else {"Parameters": {"i.$": "$", "v.$": "$v"}}
                ),
            },
        },
    }
    elements: list[Any] = [{"output": value} for value in VALUES]
    # A path is not applied to null, so the state that reads its input is not given null.
    given = VALUES if jsonata else VALUES[1:]
    elements += [{"state": "Last", "input": value, "variables": {"v": 7}, "inside": None} for value in given]
    fresh = {"state": "First", "input": "item", "variables": {"v": None}, "inside": None}
    elements.append({} if kind == "Map" else fresh)
    container: dict[str, Any] = {"Type": kind, "End": True}
    if kind == "Map":
        container |= {"ItemProcessor": scope, **({"Items": "{% $states.input %}"} if jsonata else {})}
    else:
        container["Branches"] = [renamed(scope, number) for number in range(len(elements))]
        elements = [
            {**element, "state": f"{element['state']} {number}"} if "state" in element else element
            for number, element in enumerate(elements)
        ]
    source = Definition.parse(json.dumps({**language(jsonata=jsonata), "StartAt": "C", "States": {"C": container}}))
    machine_arn = make_machine(router.add_gotostate(source, inside="C").text)
    resuming = {
        "state": "C",
        "input": ["item"] * len(elements) if kind == "Map" else None,
        "variables": {"gotostate0": list(range(len(elements)))},
        "delaySeconds": 0,
        "inside": elements,
    }
    ended = stack.ended(stack.start(machine_arn, {"resuming": resuming}))
    assert ended["status"] == "SUCCEEDED", ended

    def last(value: Any, variable: int) -> Any:
        return [value, variable] if jsonata else {"i": value, "v": variable}

    expected = [*VALUES, *(last(value, 7) for value in given), last("item", 1)]
    assert json.loads(ended["output"]) == expected


def renamed(scope: dict[str, Any], number: int) -> dict[str, Any]:
    """Give each branch names of its own."""
    text = json.dumps(scope).replace('"First"', f'"First {number}"').replace('"Last"', f'"Last {number}"')
    found: dict[str, Any] = json.loads(text)
    return found


def test_digits_are_as_exact_as_without_a_record(stack: Stack, make_machine: MachineMaker, worker: str) -> None:
    run = f"run-{uuid.uuid4()}"
    whole = '{"Type":"Pass","End":true}'
    branches = [f'{{"StartAt":"Kept","States":{{"Kept":{whole}}}}}']
    branches += [json.dumps({"StartAt": "Charge", "States": {"Charge": step(worker, run, "Charge", 1)}})]
    definition = (
        f'{{"StartAt":"P","States":{{"P":{{"Type":"Parallel","End":true,"Branches":[{",".join(branches)}]}}}}}}'
    )
    machine_arn = make_machine(definition, {"gotostate": "resume"})
    failed = stack.states.start_execution(stateMachineArn=machine_arn, input=DIGITS)["executionArn"]
    recovered = stack.recovered(failed)
    (entered,) = [
        event["stateEnteredEventDetails"]["input"]
        for event in stack.states.get_execution_history(executionArn=failed)["events"]
        if event["type"] == "ParallelStateEntered"
    ]
    # The source machine hands on what the emulator makes of the digits; both elements are that very text.
    kept = json.loads(entered, parse_int=str, parse_float=str)
    assert json.loads(recovered["output"], parse_int=str, parse_float=str) == [kept, kept]
    assert "12345678901234567890123" in recovered["output"]
    assert stack.calls(run) == {"Charge": 2}
    # The branch that had finished ran none of its states.
    assert "Kept" not in stack.states_entered(recovered["executionArn"])


@pytest.mark.parametrize("jsonata", [False, True], ids=["JSONPath", "JSONata"])
def test_a_loop_that_comes_back_begins_anew(
    stack: Stack, make_machine: MachineMaker, worker: str, jsonata: bool
) -> None:
    """The record holds once: without that the second round would be handed the outputs of the first."""
    run = f"run-{uuid.uuid4()}"

    def task(name: str, failures: Any) -> dict[str, Any]:
        if not jsonata:
            return step(worker, run, name, failures)
        payload = {"step": name, "run": run, "failures": failures}
        arguments = {"FunctionName": worker, "Payload": payload}
        return {"Type": "Task", "Resource": LAMBDA, "Arguments": arguments, "Output": {}, "End": True}

    branches = [
        {"StartAt": "A", "States": {"A": task("A", 0)}},
        {"StartAt": "B", "States": {"B": task("B", [1])}},
    ]
    count: dict[str, Any] = {"n": "{% $n + 1 %}"} if jsonata else {"n.$": "States.MathAdd($n, 1)"}
    again = {"Condition": "{% $n < 3 %}"} if jsonata else {"Variable": "$n", "NumericLessThan": 3}
    states = {
        "Init": {"Type": "Pass", "Assign": {"n": 0}, "Next": "P"},
        "P": {"Type": "Parallel", "Branches": branches, "Assign": count, "Next": "More"},
        "More": {"Type": "Choice", "Choices": [{**again, "Next": "P"}], "Default": "Done"},
        "Done": {"Type": "Succeed"},
    }
    machine_arn = make_machine(
        {**language(jsonata=jsonata), "StartAt": "Init", "States": states}, {"gotostate": "resume"}
    )
    failed = stack.start(machine_arn, {})
    stack.recovered(failed)
    calls = stack.calls(run)
    assert calls["B"] == 4
    # Once more only if it was aborted in the first run.
    assert calls["A"] - stack.states_entered(failed).count("A") in (2, 3)
    assert calls["A"] in (3, 4)


def test_a_resume_that_is_stopped_in_the_middle_keeps_what_was_done(
    stack: Stack, make_machine: MachineMaker, worker: str
) -> None:
    """One iteration waits; the resumed execution is stopped there, and resumed by hand from the record."""
    run = f"run-{uuid.uuid4()}"
    states = {
        "Work": step(worker, run, "Work", [2], Next="Rest") | {"End": None},
        "Rest": {"Type": "Wait", "SecondsPath": "$.rest", "End": True},
    }
    del states["Work"]["End"]
    each = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": {"StartAt": "Work", "States": states}, "End": True}
    # With no tag: the emulator ends a stopped Map with FAILED, which the stack's own Resumer would resume. AWS aborts.
    failed = stack.start(
        make_machine({"StartAt": "Each", "States": {"Each": each}}), [{"rest": 0}, {"rest": 4}, {"rest": 0}]
    )
    assert stack.ended(failed)["status"] == "FAILED"
    assert cli.main(["resume", failed]) == 0

    def resting() -> str | None:
        for execution in stack.resumed(failed):
            if "Rest" in stack.states_entered(execution["executionArn"]):
                return str(execution["executionArn"])
        return None

    resumed = wait_for(resting, "the resumed execution to rest")
    stack.states.stop_execution(executionArn=resumed)
    assert stack.ended(resumed)["status"] in ("ABORTED", "FAILED")
    assert cli.main(["resume", resumed]) == 0
    last = wait_for(lambda: next((one for one in stack.resumed(failed)[1:]), None), "the second resume")
    assert stack.ended(last["executionArn"])["status"] == "SUCCEEDED"
    assert stack.calls(run) == {"Work": 4}
    inside = json.loads(last["input"])["resuming"]["inside"]
    assert [sorted(element) for element in inside] == [["output"], ["input", "inside", "state", "variables"], []]
    assert inside[1]["state"] == "Rest"


def test_a_large_map_goes_on_where_one_iteration_failed(stack: Stack, make_machine: MachineMaker, worker: str) -> None:
    run = f"run-{uuid.uuid4()}"
    scope = {"StartAt": "Charge", "States": {"Charge": step(worker, run, "Charge", [37])}}
    each = {"Type": "Map", "MaxConcurrency": 5, "ItemProcessor": scope, "End": True}
    machine_arn = make_machine({"StartAt": "Each", "States": {"Each": each}}, {"gotostate": "resume"})
    began = time.monotonic()
    failed = stack.start(machine_arn, list(range(40)))
    recovered = stack.recovered(failed)
    assert time.monotonic() - began < 120
    assert json.loads(recovered["output"]) == list(range(40))
    # The 37th call failed; those beside it were aborted, in the emulator a few that came after as well.
    assert 41 <= stack.calls(run)["Charge"] <= 50
    assert recovered["stateMachineArn"] == machine_arn + SUFFIX
