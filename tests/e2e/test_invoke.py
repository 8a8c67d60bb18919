"""`make invoke` with a deployed stack: the function built here does what the deployed one would do, as its caller."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from stack import ROOT, Stack


def invoke(stack: Stack, function: str, event: Any, folder: Path) -> Any:
    path = folder / "event.json"
    path.write_text(json.dumps(event))
    command = [sys.executable, "local/invoke.py", "--function", function, "--event", str(path), "--stack", stack.name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "not set" not in done.stderr
    return json.loads(done.stdout)


def test_restart_starts_the_next_execution_of_the_stacks_machine(stack: Stack, tmp_path: Path) -> None:
    first = f"invoke-{uuid.uuid4().hex[:12]}"
    event = {"execution": first, "input": {"restart": {"executionCount": 2}}}
    next_name = f"{first}-continue-1"
    answer = invoke(stack, "RestartFunction", event, tmp_path)
    assert answer == {"execution": next_name, "started": True}
    stack.started(stack.outputs["ContinueAsNewArn"], [next_name])


def test_the_minimal_event_is_dealt_with_as_the_failures_own(stack: Stack, make_machine: Any, tmp_path: Path) -> None:
    event = json.loads((ROOT / "events" / "resumer-minimal.json").read_text())
    definition = stack.states.describe_state_machine(stateMachineArn=stack.outputs["OrderMachineArn"])["definition"]
    failed = stack.start(make_machine(definition, {"gotostate": "prepare"}), {"order": tmp_path.name, "outage": 1})
    assert stack.ended(failed)["status"] == "FAILED"
    event["detail"]["executionArn"] = failed
    answer = invoke(stack, "ResumerFunction", event, tmp_path)
    assert (answer["outcome"], answer["execution"], answer["state"]) == ("prepared", failed, "Charge")
