"""The pure parts of continuing as new: the iterator's arithmetic, names, and what is refused."""

import json
from pathlib import Path
from typing import Any

import iterator
import pytest
import restart

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "events"
ARN = "arn:aws:states:eu-west-1:123456789012:stateMachine:loop"


def test_the_tutorials_sample() -> None:
    answer = iterator.handler(json.loads((EVENTS / "iterator.json").read_text()), None)
    assert answer == {"index": 6, "step": 1, "count": 10, "continue": True}


@pytest.mark.parametrize(
    ("index", "step", "count", "following", "goes_on"),
    [(-1, 1, 1, 0, True), (0, 1, 1, 1, False), (9, 1, 10, 10, False), (0, 5, 10, 5, True), (-1.0, 1.0, 3.0, 0, True)],
)
def test_steps(index: float, step: float, count: float, following: int, goes_on: bool) -> None:
    answer = iterator.handler({"iterator": {"index": index, "step": step, "count": count, "execution": "e"}}, None)
    assert (answer["index"], answer["continue"], answer["execution"]) == (following, goes_on, "e")
    assert type(answer["index"]) is int


@pytest.mark.parametrize("count", [0, 1, 7, 100])
def test_a_loop_from_minus_one_runs_count_times(count: int) -> None:
    state: dict[str, Any] = {"index": -1, "step": 1, "count": count}
    done = 0
    while (state := iterator.handler({"iterator": state}, None))["continue"]:
        done += 1
    assert done == count


@pytest.mark.parametrize("field", ["index", "step", "count"])
@pytest.mark.parametrize("value", [None, "1", True, 1.5, float("nan"), float("inf"), []])
def test_bad_fields_are_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"iterator\.{field} .*must be a whole number"):
        iterator.handler({"iterator": {"index": 1, "step": 1, "count": 1, field: value}}, None)


@pytest.mark.parametrize("event", [{}, {"iterator": 1}, {"Comment": "x"}])
def test_no_iterator(event: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no object 'iterator'"):
        iterator.handler(event, None)


class Client:
    """Starts executions as AWS does: a used name is refused."""

    class exceptions:  # noqa: N801  boto3's name
        class ExecutionAlreadyExists(Exception):  # noqa: N818  AWS's name
            pass

    def __init__(self) -> None:
        self.started: dict[str, dict[str, Any]] = {}

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:  # noqa: A002, N803  AWS's names
        assert stateMachineArn == ARN
        if name in self.started:
            raise self.exceptions.ExecutionAlreadyExists
        self.started[name] = json.loads(input)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    client = Client()
    monkeypatch.setattr(restart, "_client", lambda: client)
    monkeypatch.setenv("STATE_MACHINE_ARN", ARN)
    return client


def test_a_chain_of_restarts(client: Client) -> None:
    data: dict[str, Any] = {
        "restart": {"StateMachineArn": ARN, "executionCount": 4},
        "mine": "é",
        "iterator": {"index": 9},
    }
    name = "nightly"
    while data["restart"]["executionCount"] > 1:
        answer = restart.handler({"execution": name, "input": data}, None)
        assert answer["started"] is True
        name, data = answer["execution"], client.started[answer["execution"]]
    assert list(client.started) == ["nightly-continue-3", "nightly-continue-2", "nightly-continue-1"]
    assert data == {
        "restart": {"StateMachineArn": ARN, "executionCount": 1, "firstExecution": "nightly"}, "mine": "é",
    }  # fmt: skip


def test_a_restart_that_is_asked_twice_starts_once(client: Client) -> None:
    event = {"execution": "nightly", "input": {"restart": {"executionCount": 2}}}
    assert [restart.handler(event, None)["started"] for _ in range(3)] == [True, False, False]
    assert list(client.started) == ["nightly-continue-1"]


def test_the_sample_event(client: Client) -> None:
    event = json.loads((EVENTS / "restart.json").read_text())
    client_arn = event["input"]["restart"].pop("StateMachineArn")
    assert client_arn.startswith("arn:aws:states:")
    assert restart.handler(event, None) == {"execution": "nightly-continue-3", "started": True}


@pytest.mark.parametrize("count", [0, 1, -4, "4", None, True, 2.5])
def test_a_count_that_starts_nothing_is_refused(client: Client, count: Any) -> None:
    with pytest.raises(ValueError, match=r"restart\.executionCount is .*2 or more"):
        restart.handler({"execution": "nightly", "input": {"restart": {"executionCount": count}}}, None)
    assert client.started == {}


@pytest.mark.parametrize("count", [2**53, 999_999_999_999_999_999, 1e300])
def test_a_count_that_a_double_cannot_count_is_refused(client: Client, count: float) -> None:
    with pytest.raises(ValueError, match=r"restart\.executionCount is .*9007199254740991 or less, as in "):
        restart.handler({"execution": "nightly", "input": {"restart": {"executionCount": count}}}, None)
    assert client.started == {}


def test_the_largest_count_starts_the_next_one(client: Client) -> None:
    restart.handler({"execution": "nightly", "input": {"restart": {"executionCount": 2**53 - 1}}}, None)
    assert list(client.started) == ["nightly-continue-9007199254740990"]


@pytest.mark.parametrize("machine", ["continue-as-new", "continue-as-new-api"])
def test_the_machines_and_restart_agree_on_the_largest_count(machine: str) -> None:
    states = json.loads((ROOT / f"statemachines/{machine}.asl.json").read_text())["States"]
    assert str(restart.MAX_COUNT) in json.dumps(states["CheckInput"])
    causes = [state["Cause"] for state in states.values() if state["Type"] == "Fail"]
    assert any(
        f"restart.executionCount must be a whole number from 1 to {restart.MAX_COUNT}" in each for each in causes
    )


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({}, "no object 'restart'"),
        ({"execution": "n", "input": []}, "no object 'restart'"),
        ({"execution": "n", "input": {"restart": 4}}, "no object 'restart'"),
        ({"input": {"restart": {"executionCount": 4}}}, "execution is None"),
        ({"execution": "n", "input": {"restart": {"executionCount": 4, "firstExecution": 5}}}, "firstExecution is 5"),
        (
            {"execution": "n", "input": {"restart": {"executionCount": 4, "StateMachineArn": ARN + "2"}}},
            "this function starts",
        ),
    ],
)
def test_bad_events_are_named(client: Client, event: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        restart.handler(event, None)
    assert client.started == {}


def test_long_names_are_cut_and_stay_apart() -> None:
    longs = ["x" * 70 + letter for letter in "abc"]
    names = {restart.next_name(name, 12_345) for name in longs}
    assert len(names) == 3
    assert all(len(name) <= 80 for name in names)
    assert restart.next_name("x" * 69, 9) == "x" * 69 + "-continue-9"


@pytest.mark.parametrize("digits", range(1, 17))
def test_a_next_name_fits_whatever_the_first_ones_length(digits: int) -> None:
    remaining = min(10**digits - 1, restart.MAX_COUNT)
    for length in range(1, restart.MAX_NAME + 1):
        name = restart.next_name("x" * length, remaining)
        assert len(name) <= restart.MAX_NAME
        assert name.endswith(f"-continue-{remaining}")
        assert name.startswith("x" * min(length, 37))
