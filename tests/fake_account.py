"""An account in memory that answers as AWS Step Functions does, for tests of a whole recovery.

Unlike moto it knows versions, the definition that an execution ran with, and names that were used.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gotostate.definition import Definition
from gotostate.errors import NotFoundError
from gotostate.history import HistoryEvent
from gotostate.stepfunctions import Execution, Machine, StepFunctions

PREFIX = "arn:aws:states:eu-west-1:123456789012"


def machine_arn(name: str) -> str:
    return f"{PREFIX}:stateMachine:{name}"


def execution_arn(machine: str, name: str) -> str:
    return f"{PREFIX}:execution:{machine}:{name}"


@dataclass
class _Run:
    execution: Execution
    machine: Machine
    events: list[HistoryEvent]


@dataclass
class Account(StepFunctions):
    """What is in the account, and the calls that changed it, in order."""

    machines: dict[str, Machine] = field(default_factory=dict)
    machine_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    versions: dict[str, list[Machine]] = field(default_factory=dict)
    runs: dict[str, _Run] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)

    def add_machine(self, name: str, document: Mapping[str, Any], tags: Mapping[str, str], role: str = "role/a") -> str:
        arn = machine_arn(name)
        self.machines[arn] = Machine(arn, Definition.parse(json.dumps(document)), {"roleArn": role})
        self.machine_tags[arn] = dict(tags)
        return arn

    def add_failure(
        self, machine: str, name: str, events: list[HistoryEvent], given: str = "{}", status: str = "FAILED"
    ) -> str:
        """Add an execution that ended, with its events oldest first."""
        arn = execution_arn(machine, name)
        execution = Execution(arn, status, given, None, 0)
        self.runs[arn] = _Run(execution, self.machines[machine_arn(machine)], events[::-1])
        return arn

    def end(self, arn: str, status: str, events: list[HistoryEvent] | None = None) -> None:
        """End an execution that was started, with the events of a history, oldest first."""
        run = self.runs[arn]
        run.execution = replace(run.execution, status=status, output="{}" if status == "SUCCEEDED" else None)
        run.events = (events or [])[::-1]

    def redrive(self, arn: str) -> None:
        """Redrive an execution that fails again at once."""
        run = self.runs[arn]
        run.execution = replace(run.execution, redrive_count=run.execution.redrive_count + 1)

    def tags(self, machine_arn: str) -> dict[str, str]:
        if machine_arn not in self.machine_tags:
            raise NotFoundError(f"the state machine {machine_arn} does not exist (any more)")
        return self.machine_tags[machine_arn]

    def execution(self, execution_arn: str) -> Execution:
        if execution_arn not in self.runs:
            raise NotFoundError(f"the execution {execution_arn} does not exist")
        return self.runs[execution_arn].execution

    def machine_of(self, execution_arn: str) -> Machine:
        self.execution(execution_arn)
        return self.runs[execution_arn].machine

    def events(self, execution_arn: str) -> Iterator[HistoryEvent]:
        self.execution(execution_arn)
        return iter(self.runs[execution_arn].events)

    def machine(self, arn: str) -> Machine | None:
        return self._version(arn) or self.machines.get(arn)

    def version_arns(self, machine_arn: str, most: int) -> list[str]:
        return [version.arn for version in self.versions.get(machine_arn, [])[::-1]][:most]

    def create(self, name: str, machine: Machine, tags: Mapping[str, str]) -> str | None:
        arn = machine_arn(name)
        if arn in self.machines:
            return None
        self.changes.append(f"create {name}")
        self.machines[arn] = replace(machine, arn=arn)
        self.machine_tags[arn] = dict(tags)
        return self._publish(arn)

    def update(self, machine: Machine, *, publish: bool) -> str | None:
        self.changes.append(f"update {machine.arn.rpartition(':')[2]}{' and publish' if publish else ''}")
        self.machines[machine.arn] = machine
        return self._publish(machine.arn) if publish else machine.arn

    def bind(self, machine: Machine) -> bool:
        self.changes.append(f"bind {machine.arn.rpartition(':')[2]}")
        self.machines[machine.arn] = replace(self.machines[machine.arn], definition=machine.definition)
        return True

    def start(self, machine_arn: str, name: str, input_text: str) -> bool:
        machine = self.machine(machine_arn)
        assert machine, f"{machine_arn} does not exist"
        arn = execution_arn(machine_arn.split(":")[6], name)
        if arn in self.runs:
            return False
        self.changes.append(f"start {machine_arn.removeprefix(PREFIX + ':stateMachine:')}")
        self.runs[arn] = _Run(Execution(arn, "RUNNING", input_text, None, 0), machine, [])
        return True

    def _publish(self, arn: str) -> str:
        versions = self.versions.setdefault(arn, [])
        versions.append(replace(self.machines[arn], arn=f"{arn}:{len(versions) + 1}"))
        return versions[-1].arn

    def _version(self, arn: str) -> Machine | None:
        return next((found for found in self.versions.get(arn.rpartition(":")[0], []) if found.arn == arn), None)


def failure_events(
    state: str, given: str = "{}", kind: str = "Task", start: str = "{}", error: str = "Boom"
) -> list[HistoryEvent]:
    """Return the history of an execution that enters one state and fails there, oldest first."""
    return [
        {"type": "ExecutionStarted", "id": 1, "previousEventId": 0, "executionStartedEventDetails": {"input": start}},
        {
            "type": f"{kind}StateEntered",
            "id": 2,
            "previousEventId": 0,
            "stateEnteredEventDetails": {"name": state, "input": given},
        },
        {
            "type": "ExecutionFailed",
            "id": 3,
            "previousEventId": 2,
            "executionFailedEventDetails": {"error": error, "cause": '{"errorMessage": "it broke"}'},
        },
    ]
