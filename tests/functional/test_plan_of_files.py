"""`gotostate plan --history F --definition F` for people: the point, and what need not run again inside a container."""

import json
from pathlib import Path
from typing import Any

import pytest
from gotostate import cli
from histories import History

GOLDEN = Path(__file__).parents[1] / "golden" / "history"
Capture = pytest.CaptureFixture[str]


def plan(tmp_path: Path, capsys: Capture, case: dict[str, Any], *options: str) -> str:
    history, definition = tmp_path / "history.json", tmp_path / "definition.json"
    history.write_text(json.dumps(case["history"]))
    definition.write_text(json.dumps(case["definition"]))
    arguments = ["plan", "--history", str(history), "--definition", str(definition), *options]
    assert cli.main(arguments) == 0
    return capsys.readouterr().out


def golden(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return case


def test_it_is_told_in_words(tmp_path: Path, capsys: Capture) -> None:
    printed = plan(tmp_path, capsys, golden("variables"))
    assert "Error        Boom\n" in printed
    assert "Resume from  C" in printed
    assert "Inside" not in printed


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("parallel_nested_interleaved", "Both: 0 of 2 finished, 1 goes on at Left 2, 1 goes on at Right"),
        ("map_inline_retried", "the whole of 'Items' runs again: it has a Retry"),
        ("map_distributed", "the whole of 'Items' runs again: it is a Distributed Map"),
    ],
)
def test_what_of_a_container_runs_again_is_told(tmp_path: Path, capsys: Capture, name: str, inside: str) -> None:
    assert f"Inside       {inside}" in plan(tmp_path, capsys, golden(name))


def test_a_redriven_container_runs_again_as_a_whole(tmp_path: Path, capsys: Capture) -> None:
    case = golden("parallel_nested_interleaved")
    events = case["history"]["events"]
    last = max(events, key=lambda event: event["id"])
    times = {"timestamp": last["timestamp"]}
    redriven = {"id": last["id"] + 1, "previousEventId": last["id"], "type": "ExecutionRedriven", **times}
    again = {**last, "id": last["id"] + 2, "previousEventId": last["id"] + 1}
    events += [{**redriven, "executionRedrivenEventDetails": {"redriveCount": 1}}, again]
    printed = plan(tmp_path, capsys, case)
    assert "Inside       the whole of 'Both' runs again: " in printed
    assert "redriven" in printed


def test_of_an_execution_whose_last_state_had_finished_its_output_is_shown(tmp_path: Path, capsys: Capture) -> None:
    story = History()
    story.ends(story.task("Charge", 0, "{}", '{"n": 1.10}'), "States.Timeout")
    document = {"StartAt": "Charge", "States": {"Charge": {"Type": "Task", "End": True}}}
    case = {"history": {"events": story.events}, "definition": document}
    printed = plan(tmp_path, capsys, case)
    assert "Resume from  (nothing to resume)\n" in printed
    assert 'Output       {"n": 1.10}\n' in printed
    assert '"output":{"n": 1.10}' in plan(tmp_path, capsys, case, "--json")


def test_a_program_gets_the_same_as_json(tmp_path: Path, capsys: Capture) -> None:
    told = json.loads(plan(tmp_path, capsys, golden("parallel_nested_interleaved"), "--json"))
    assert (told["resumeFrom"], told["inside"]["container"]) == ("Both", "Both")
