"""Continue as new, through Lambda and through the API, and the nesting patterns."""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from typing import Any
from zipfile import ZipFile

import boto3
import pytest
from restart import next_name
from stack import ROOT, SUFFIX, Stack, execution_arn

MACHINES = ("ContinueAsNewArn", "ContinueAsNewApiArn")
# Measured by the test below; the template's MaxValue of IterationsPerExecution is made of it.
EVENTS_PER_ITERATION = {"ContinueAsNewArn": 12, "ContinueAsNewApiArn": 7}
MAX_ITERATIONS, MAX_EVENTS = 1_500, 25_000


def unique(prefix: str = "chain") -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def iterations_per_execution(stack: Stack) -> int:
    described = boto3.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"][0]
    parameters = {found["ParameterKey"]: found["ParameterValue"] for found in described["Parameters"]}
    return int(parameters["IterationsPerExecution"])


@pytest.mark.parametrize("output", MACHINES)
@pytest.mark.parametrize("length", [4, 1])
def test_a_chain_has_as_many_executions_as_it_was_asked_for(stack: Stack, output: str, length: int) -> None:
    first = unique()
    restart: dict[str, Any] = {"executionCount": length}
    if output == "ContinueAsNewArn":
        restart["StateMachineArn"] = stack.outputs[output]
    stack.start(stack.outputs[output], {"restart": restart, "kept": {"é": [1]}}, first)
    executions = stack.chain(stack.outputs[output], first, length)
    assert [execution["status"] for execution in executions] == ["SUCCEEDED"] * length
    names = [found["name"] for found in stack.executions(stack.outputs[output]) if found["name"].startswith(first)]
    assert len(names) == length
    inputs = [json.loads(execution["input"]) for execution in executions]
    assert [given["restart"]["executionCount"] for given in inputs] == list(range(length, 0, -1))
    assert all(given["kept"] == {"é": [1]} for given in inputs)
    count = iterations_per_execution(stack)
    for execution in executions:
        assert stack.states_entered(execution["executionArn"]).count("ExampleWork") == count
        assert stack.calls(execution["name"]) == {f"iteration {number}": 1 for number in range(count)}


@pytest.mark.parametrize("output", MACHINES)
@pytest.mark.parametrize(
    "data",
    [
        {"restart": {"executionCount": 0}},
        {"restart": {"executionCount": -4}},
        {"restart": {"executionCount": 2.5}},
        {"restart": {"executionCount": 2**53}},
        {"restart": {"executionCount": 999_999_999_999_999_999}},
        {"restart": {"executionCount": "4"}},
        {"restart": {"executionCount": None}},
        {"restart": {}},
        {"restart": 4},
        {},
    ],
)
def test_bad_input_fails_at_once_and_says_what_is_right(stack: Stack, output: str, data: Any) -> None:
    first = unique("bad")
    execution = stack.ended(stack.start(stack.outputs[output], data, first))
    assert (execution["status"], execution["error"]) == ("FAILED", "ContinueAsNew.InvalidInput")
    says = 'restart.executionCount must be a whole number from 1 to 9007199254740991, as in {"restart"'
    assert says in execution["cause"]
    assert "ExampleWork" not in stack.states_entered(execution["executionArn"])


@pytest.mark.parametrize("data", [[], [{"restart": {"executionCount": 4}}], [4], "4", 4])
def test_input_that_is_no_object_fails_at_once_too(stack: Stack, data: Any) -> None:
    execution = stack.ended(stack.start(stack.outputs["ContinueAsNewApiArn"], data, unique("bad")))
    assert (execution["status"], execution["error"]) == ("FAILED", "ContinueAsNew.InvalidInput")


@pytest.mark.parametrize("output", MACHINES)
@pytest.mark.parametrize("count", [4.0, 1e12])
def test_a_whole_number_may_have_a_decimal_point(stack: Stack, output: str, count: float) -> None:
    first = unique()
    machine_arn = stack.outputs[output]
    end_chain_at(stack, machine_arn, f"{first}-continue-{int(count) - 2}")
    stack.start(machine_arn, {"restart": {"executionCount": count}}, first)
    following = f"{first}-continue-{int(count) - 1}"
    stack.started(machine_arn, [following])
    assert stack.ended(execution_arn(machine_arn, following))["status"] == "SUCCEEDED"


def end_chain_at(stack: Stack, machine_arn: str, name: str) -> None:
    """Use up a name, so that the chain which comes to it ends there: StartExecution refuses a used name."""
    stack.ended(stack.start(machine_arn, {"restart": {"executionCount": 1}}, name))


@pytest.mark.parametrize("output", MACHINES)
def test_a_chain_goes_on_from_the_largest_count(stack: Stack, output: str) -> None:
    first, largest = unique(), 2**53 - 1
    machine_arn = stack.outputs[output]
    names = [first, *(f"{first}-continue-{largest - number}" for number in (1, 2, 3))]
    end_chain_at(stack, machine_arn, names[-1])
    stack.start(machine_arn, {"restart": {"executionCount": largest}}, first)
    stack.started(machine_arn, names)
    executions = [stack.ended(execution_arn(machine_arn, name)) for name in names[:-1]]
    assert [execution["status"] for execution in executions] == ["SUCCEEDED"] * 3
    counts = [json.loads(execution["input"])["restart"]["executionCount"] for execution in executions]
    assert counts == [largest, largest - 1, largest - 2]
    found = [run["name"] for run in stack.executions(machine_arn) if run["name"].startswith(first)]
    assert sorted(found) == sorted(names)


# A name that AWS chooses has 36 characters; 69 are the most that leave room for -continue-3.
@pytest.mark.parametrize(("characters", "length"), [(36, 3), (54, 3), (64, 3), (69, 4), (80, 1)])
def test_a_name_that_leaves_room_at_the_start_lasts_the_whole_chain(stack: Stack, characters: int, length: int) -> None:
    first = unique().ljust(characters, "x")
    stack.start(stack.outputs["ContinueAsNewApiArn"], {"restart": {"executionCount": length}}, first)
    executions = stack.chain(stack.outputs["ContinueAsNewApiArn"], first, length)
    assert [execution["status"] for execution in executions] == ["SUCCEEDED"] * length
    assert len(executions[min(1, length - 1)]["name"]) <= 80


@pytest.mark.parametrize(("characters", "count"), [(70, 4), (69, 11), (60, 10**13), (55, 2**53 - 1), (80, 2)])
def test_a_name_that_leaves_no_room_fails_at_once_and_says_what_is_right(
    stack: Stack, characters: int, count: int
) -> None:
    first = unique().ljust(characters, "x")
    arn = stack.start(stack.outputs["ContinueAsNewApiArn"], {"restart": {"executionCount": count}}, first)
    execution = stack.ended(arn)
    assert (execution["status"], execution["error"]) == ("FAILED", "ContinueAsNew.InvalidInput")
    assert "a NAME of at most 54 characters, which leaves room for every executionCount, as in" in execution["cause"]
    assert "ExampleWork" not in stack.states_entered(arn)


@pytest.mark.parametrize(("characters", "count"), [(57, 10**13), (54, 2**53 - 1)])
def test_a_name_that_just_leaves_room_is_taken(stack: Stack, characters: int, count: int) -> None:
    first = unique().ljust(characters, "x")
    machine_arn = stack.outputs["ContinueAsNewApiArn"]
    following = f"{first}-continue-{count - 1}"
    assert len(following) == 80
    end_chain_at(stack, machine_arn, following)
    execution = stack.ended(stack.start(machine_arn, {"restart": {"executionCount": count}}, first))
    assert execution["status"] == "SUCCEEDED"
    assert stack.states_entered(execution["executionArn"])[-2:] == ["Restart", "Done"]


def test_through_lambda_a_name_of_80_characters_is_cut(stack: Stack) -> None:
    first = unique().ljust(80, "x")
    machine_arn = stack.outputs["ContinueAsNewArn"]
    stack.start(machine_arn, {"restart": {"executionCount": 3}}, first)
    names = [first, next_name(first, 2), next_name(first, 1)]
    stack.started(machine_arn, names)
    executions = [stack.ended(execution_arn(machine_arn, name)) for name in names]
    assert [execution["status"] for execution in executions] == ["SUCCEEDED"] * 3


KILLED = """
import os
import restart

def handler(event, context):
    answer = restart.handler(event, context)
    if answer["started"]:
        os._exit(1)
    return answer
"""


@pytest.fixture
def killed_restart(stack: Stack) -> Iterator[str]:
    """A Restart function that is killed after its StartExecution and before its answer."""
    client = boto3.client("lambda")
    original = client.get_function_configuration(FunctionName=stack.outputs["RestartFunctionName"])
    code = BytesIO()
    with ZipFile(code, "w") as archive:
        archive.writestr("restart.py", (ROOT / "functions/restart/restart.py").read_text())
        archive.writestr("killed.py", KILLED)
    name = unique(f"{stack.name}-killed-restart")
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=original["Role"],
        Handler="killed.handler",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": original["Environment"]["Variables"]},
        Timeout=30,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    yield name
    client.delete_function(FunctionName=name)


@pytest.fixture
def calling_role(stack: Stack) -> Iterator[str]:
    """A role that may call any function: that of ContinueAsNew may call its own three alone."""
    client, name = boto3.client("iam"), unique(stack.name)
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    call = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    role = client.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]
    client.put_role_policy(RoleName=name, PolicyName="call", PolicyDocument=policy(call))
    if "AWS_ENDPOINT_URL" not in os.environ:
        time.sleep(15)  # IAM is eventually consistent
    yield role["Arn"]
    client.delete_role_policy(RoleName=name, PolicyName="call")
    client.delete_role(RoleName=name)


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_restart_that_is_killed_before_its_answer_starts_no_second_chain(
    stack: Stack, make_machine: Any, killed_restart: str, calling_role: str
) -> None:
    machine_arn = stack.outputs["ContinueAsNewArn"]
    definition = json.loads(stack.states.describe_state_machine(stateMachineArn=machine_arn)["definition"])
    definition["States"]["Restart"]["Parameters"]["FunctionName"] = killed_restart
    first = unique()
    arn = stack.start(make_machine(definition, role=calling_role), {"restart": {"executionCount": 3}}, first)
    execution = stack.ended(arn)
    events = stack.states.get_execution_history(executionArn=arn)["events"]
    assert [event["type"] for event in events].count("TaskFailed") == 1, execution
    assert execution["status"] == "SUCCEEDED", execution
    stack.started(machine_arn, [f"{first}-continue-1"])
    stack.ended(execution_arn(machine_arn, f"{first}-continue-1"))
    found = [run["name"] for run in stack.executions(machine_arn) if run["name"].startswith(first)]
    assert sorted(found) == [f"{first}-continue-1", f"{first}-continue-2"]


def test_a_restart_whose_answer_was_lost_starts_no_second_chain(stack: Stack) -> None:
    first = unique()
    data = {"restart": {"executionCount": 2}, "iterator": {"execution": first}}
    payload = json.dumps({"execution": first, "input": data}).encode()
    client = boto3.client("lambda")
    answers = []
    for _ in range(3):
        response = client.invoke(FunctionName=stack.outputs["RestartFunctionName"], Payload=payload)
        answers.append(json.loads(response["Payload"].read()))
    name = f"{first}-continue-1"
    assert {answer["execution"] for answer in answers} == {name}
    assert answers[0]["started"] is True
    stack.ended(execution_arn(stack.outputs["ContinueAsNewArn"], name))
    late = json.loads(
        client.invoke(FunctionName=stack.outputs["RestartFunctionName"], Payload=payload)["Payload"].read()
    )
    assert late == {"execution": name, "started": False}
    found = [
        run["name"] for run in stack.executions(stack.outputs["ContinueAsNewArn"]) if run["name"].startswith(first)
    ]
    assert found == [name]


def test_the_api_way_starts_no_second_chain_either(stack: Stack) -> None:
    first = unique()
    machine_arn = stack.outputs["ContinueAsNewApiArn"]
    # The next execution exists already, as if the Restart task had been retried after its answer was lost.
    stack.ended(
        stack.start(machine_arn, {"restart": {"executionCount": 1, "firstExecution": first}}, f"{first}-continue-1")
    )
    execution = stack.ended(stack.start(machine_arn, {"restart": {"executionCount": 2}}, first))
    assert execution["status"] == "SUCCEEDED"
    found = [run["name"] for run in stack.executions(machine_arn) if run["name"].startswith(first)]
    assert sorted(found) == [first, f"{first}-continue-1"]


@pytest.mark.parametrize("output", MACHINES)
def test_a_chain_whose_work_fails_midway_goes_on_to_its_last_execution(stack: Stack, output: str) -> None:
    first = unique()
    outage = {"run": f"{first}-continue-2", "step": "iteration 1", "calls": 1}
    stack.start(stack.outputs[output], {"restart": {"executionCount": 3}, "outage": outage}, first)
    executions = stack.chain(stack.outputs[output], first, 3)
    assert [execution["status"] for execution in executions] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    failed = executions[1]["executionArn"]
    stack.recovered(failed)
    (resumed,) = stack.resumed(failed)
    assert json.loads(resumed["input"])["resuming"]["state"] == "ExampleWork"
    # Each iteration is done once: that of the outage was called twice, once in vain.
    for execution in executions:
        expected = {f"iteration {number}": 1 for number in range(iterations_per_execution(stack))}
        if execution["executionArn"] == failed:
            expected["iteration 1"] = 2
        assert stack.calls(execution["name"]) == expected
    found = [run["name"] for run in stack.executions(stack.outputs[output]) if run["name"].startswith(first)]
    assert len(found) == 3
    others = [run["name"] for run in stack.executions(stack.outputs[output] + SUFFIX) if run["name"].startswith(first)]
    assert others == [resumed["name"]]


@pytest.mark.parametrize("output", MACHINES)
def test_events_per_iteration_leave_room_at_the_upper_bound(stack: Stack, output: str) -> None:
    first = unique()
    arn = stack.start(stack.outputs[output], {"restart": {"executionCount": 1}}, first)
    assert stack.ended(arn)["status"] == "SUCCEEDED"
    events = stack.states.get_execution_history(executionArn=arn)["events"]
    entered = [
        number
        for number, event in enumerate(events)
        if event.get("stateEnteredEventDetails", {}).get("name") == "ExampleWork"
    ]
    distances = {after - before for before, after in pairwise(entered)}
    assert distances == {EVENTS_PER_ITERATION[output]}
    fixed = len(events) - len(entered) * EVENTS_PER_ITERATION[output]
    assert fixed + MAX_ITERATIONS * EVENTS_PER_ITERATION[output] < 0.75 * MAX_EVENTS


def test_a_parent_starts_another_machine_and_goes_on(stack: Stack) -> None:
    before = {found["executionArn"] for found in stack.executions(stack.outputs["ChildStateMachineArn"])}
    parent = stack.ended(stack.start(stack.outputs["ParentStateMachineArn"], {}))
    assert parent["status"] == "SUCCEEDED"
    (child,) = [
        found
        for found in stack.executions(stack.outputs["ChildStateMachineArn"])
        if found["executionArn"] not in before
    ]
    given = json.loads(stack.ended(child["executionArn"])["input"])
    assert given["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"] == parent["executionArn"]
    assert given["Comment"] == "Hello world!"
    assert json.loads(parent["output"]) == {"ExecutionArn": child["executionArn"]}


def test_a_parent_whose_child_was_started_and_closed_before_goes_on(stack: Stack) -> None:
    name = unique("parent")
    parent_arn, child_arn = stack.outputs["ParentStateMachineArn"], stack.outputs["ChildStateMachineArn"]
    # The child has run already, as if Step Functions had lost the answer to StartExecution and tried again late.
    digest = hashlib.sha256(execution_arn(parent_arn, name).encode()).hexdigest()
    child = stack.start(child_arn, {"NeedCallback": False}, f"child-{digest}")
    assert stack.ended(child)["status"] == "SUCCEEDED"
    before = len(stack.executions(child_arn))
    parent = stack.ended(stack.start(parent_arn, {}, name))
    assert parent["status"] == "SUCCEEDED", parent
    assert json.loads(parent["output"]) == {"ExecutionArn": child}
    assert len(stack.executions(child_arn)) == before


def test_the_nesting_patterns(stack: Stack) -> None:
    before = {found["executionArn"] for found in stack.executions(stack.outputs["ChildStateMachineArn"])}
    parent = stack.ended(stack.start(stack.outputs["NestingPatternsMachineArn"], {}))
    assert parent["status"] == "SUCCEEDED", parent
    children = [
        stack.ended(found["executionArn"])
        for found in stack.executions(stack.outputs["ChildStateMachineArn"])
        if found["executionArn"] not in before
    ]
    assert [child["status"] for child in children] == ["SUCCEEDED"] * 3
    inputs = [json.loads(child["input"]) for child in children]
    assert {given["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"] for given in inputs} == {parent["executionArn"]}
    assert sorted(given["NeedCallback"] for given in inputs) == [False, False, True]
    waited, answered = json.loads(parent["output"])
    assert waited["status"] == "SUCCEEDED"
    assert answered == {"answered": True}
