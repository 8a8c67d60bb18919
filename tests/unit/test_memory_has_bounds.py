"""What a warm function keeps has an end; what it dropped it asks for again."""

from typing import cast

import pytest
from gotostate import memory as memory_module
from gotostate.definition import Definition, Machine
from gotostate.memory import Memory
from gotostate.pace import Pace
from gotostate.stepfunctions import StepFunctions

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"


class Tags:
    """An account that knows tags alone, and counts who asks for them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pace = Pace()

    def tags(self, arn: str) -> dict[str, str]:
        self.asked.append(arn)
        return {"gotostate": "resume"}


@pytest.fixture
def account() -> Tags:
    return Tags()


@pytest.fixture
def memory(account: Tags, monkeypatch: pytest.MonkeyPatch) -> Memory:
    monkeypatch.setattr(memory_module, "_MOST_MACHINES", 2)
    monkeypatch.setattr(memory_module, "_MOST_STARTED", 2)
    return Memory(cast("StepFunctions", account), clock=lambda: 0.0)


def machine(name: str) -> Machine:
    text = f'{{"StartAt": "{name}", "States": {{"{name}": {{"Type": "Pass", "End": true}}}}}}'
    return Machine(f"{MACHINE}:{name}", Definition.parse(text), {"roleArn": "role"})


def test_tags_of_more_machines_than_it_holds_are_read_again(memory: Memory, account: Tags) -> None:
    for name in "abaca":
        memory.tags(MACHINE + name)
    assert [arn.removeprefix(MACHINE) for arn in account.asked] == ["a", "b", "c", "a"]


def test_of_the_executions_that_it_started_it_knows_the_last_ones(memory: Memory) -> None:
    assert [memory.first_start(arn) for arn in "abacba"] == [True, True, False, True, False, True]


def test_of_what_serves_and_what_aws_refused_it_knows_the_last_ones(memory: Memory) -> None:
    a, b, c = map(machine, "abc")
    for each in (a, b, c):
        memory.serves(each, None, each.arn)
        memory.refuses(each, None, "too large")
    assert [memory.serving(each, None) for each in (a, b, c)] == [None, None, c.arn]
    assert [memory.refused(each, None) for each in (a, b, c)] == [None, None, "too large"]


def test_a_version_that_it_dropped_may_serve_again(memory: Memory) -> None:
    a, b, c = map(machine, "abc")
    for each in (a, b):
        memory.has_seen(each)
    assert not memory.may_serve(a.arn, b)
    memory.has_seen(c)
    assert memory.may_serve(a.arn, b)
    assert not memory.may_serve(c.arn, b)
