"""An account in memory and its deployed stack, as the command meets them: the stage for scenes.py."""

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_account import ADA, BEGINNING, Account, Wired, failure_events
from gotostate import recovery
from gotostate.cli.stack import Hold, Queue, Stack, State
from gotostate.report import Report
from gotostate.settings import Settings, settings_from

NOW = BEGINNING + 86_400
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "COLUMNS": "80",
}


class Scene:
    """An account, its deployed stack, and where the command runs; files: what it reads there."""

    def __init__(self) -> None:
        self.account = Account(now=NOW)
        self.files: dict[str, str] = {}
        # Where None, no stack is deployed.
        self.hold: Hold | None = None
        self.waiting = 0
        self.dead = 0
        # How those end that the Resumer starts, and those that the command starts once they are looked at.
        self.ends: Callable[[str], str] = lambda name: "SUCCEEDED"

    # ---- What is in the account -----------------------------------------------------------------

    def fail(self, machine: str, name: str, ago: float, **more: Any) -> str:
        """Put an execution into the account that failed so many seconds before NOW."""
        options = {"state": "Charge", "given": "{}", "error": "BankDown"} | more
        self.account.now = NOW - ago
        return self.account.add_failure(machine, name, failure_events(**options, start=options["given"]))

    def resume(self, arn: str, after: float = 2) -> str:
        """Let automation resume a failure."""
        self.account.now = (self.account.runs[arn].stopped or self.account.now) + after
        found = recovery.recover(self.account.memory(), Report.from_event(self.account.event(arn)), Settings()).resumed
        assert found
        return found

    def end(self, arn: str, status: str, after: float = 120) -> str:
        """End a resumed execution, some time after its start."""
        run = self.account.runs[arn]
        self.account.now = run.started + after
        events = failure_events("Charge", start=run.input, error="BankDown") if status == "FAILED" else []
        self.account.end(arn, status, events)
        return arn

    # ---- The command ----------------------------------------------------------------------------

    def meets(self, patch: pytest.MonkeyPatch) -> None:
        """Let the command meet this account, and its clock."""
        patch.setattr(time, "time", lambda: self.account.now)
        for module in ("selection", "account"):
            patch.setattr(
                f"gotostate.cli.{module}.StepFunctions", lambda region: Wired(self.account, region or "eu-west-1")
            )
        self._deploy(patch)
        self.account.now, self.account.gate = NOW, self._gate

    def _deploy(self, patch: pytest.MonkeyPatch) -> None:
        """Put a stack there, whose Resumer deals at once with what it is sent."""
        # On the class, as the verbs make a Stack each.
        patch.setattr("gotostate.cli.account.environment_of", lambda *_, **how: {"MAX_ATTEMPTS": "5"})
        answers: dict[str, Callable[..., Any]] = {
            "state": self._state,
            "settled_state": self._state,
            "hold": self._held,
            "release": self._released,
            "recovery_queue": lambda stack: Queue(_queue("RecoveryQueue"), self.waiting, 0),
            "dead_letters": lambda stack: Queue(_queue("DeadLetterQueue"), self.dead, 0),
            "send": self._sent,
        }
        for name, answer in answers.items():
            patch.setattr(Stack, name, answer)

    def _state(self) -> State:
        return State("Disabled" if self.hold else "Enabled", self.hold)

    def _held(self, reason: str | None) -> State:
        self.hold = Hold("2026-05-02T01:46:40Z", ADA, reason)
        return self._state()

    def _released(self) -> State:
        self.hold = None
        return self._state()

    def _sent(self, events: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        for event in json.loads(json.dumps(events)):
            recovery.recover(self.account.memory(), Report.from_event(event), settings_from({}))
        return {}

    def _gate(self, operation: str, body: Any) -> None:
        """End what was started, some time later."""
        for run in list(self.account.runs.values()):
            if run.status == "RUNNING" and self.account.now > run.started + 1:
                name = run.arn.rpartition(":")[2]
                if (status := self.ends(name)) != "RUNNING":
                    self.account.end(run.arn, status, failure_events("Charge", error="BankDown"))
                    run.output = '{"charged": true}' if status == "SUCCEEDED" else None


def _queue(name: str) -> str:
    return f"arn:aws:sqs:eu-west-1:123456789012:sfn-resume-{name}"


@contextlib.contextmanager
def played(make: Callable[[], Scene]) -> Iterator[Path]:
    """Set a scene in a folder of its own; the command sees nothing else of this machine."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name in ("NO_COLOR", "TERM", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        for name, value in _ENVIRONMENT.items():
            patch.setenv(name, value)
        scene = make()
        scene.meets(patch)
        for name, text in scene.files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        with contextlib.chdir(folder):
            yield Path(folder)
