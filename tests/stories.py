"""Histories with times, as a story needs them, and a chain of three executions that goes on inside a Map."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from fake_account import BEGINNING, Account
from gotostate import recovery
from gotostate.report import Report
from gotostate.settings import Settings
from histories import History

LAMBDA = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
ORDERS: dict[str, Any] = {
    "StartAt": "Reserve",
    "States": {
        "Reserve": {**LAMBDA, "Retry": [{"ErrorEquals": ["States.ALL"]}], "Next": "Charges"},
        "Charges": {
            "Type": "Map",
            "ItemProcessor": {"StartAt": "Charge", "States": {"Charge": {**LAMBDA, "End": True}}},
            "Next": "Ship",
        },
        "Ship": {**LAMBDA, "End": True},
    },
}
DOWN = {"error": "BankDown", "cause": json.dumps({"errorMessage": "the bank does not answer", "errorType": "BankDown"})}


@dataclass
class Timed(History):
    """A history whose events have times; clock: of the next event, in seconds since the epoch."""

    clock: float = BEGINNING

    def add(self, kind: str, before: int, **details: Any) -> int:
        return super().add(kind, before, timestamp=self.clock, **details)

    def later(self, seconds: float) -> None:
        self.clock += seconds

    def works(self, name: str, before: int, seconds: float = 1) -> int:
        """Add a Task that takes so long and succeeds."""
        scheduled = self.add("TaskScheduled", self.enter("Task", name, before))
        self.later(seconds)
        return self.leave("Task", name, self.add("TaskSucceeded", scheduled))

    def routed(self, seconds: int, **assigned: str) -> int:
        """Add the way through the router of a GoToState machine, which waits so long."""
        before = self.leave("Choice", "GoToState", self.enter("Choice", "GoToState", 0))
        before = self.enter("Wait", "GoToState Backoff", before)
        self.later(seconds)
        before = self.leave("Wait", "GoToState Backoff", before, **assigned)
        before = self.leave("Pass", "GoToState Input", self.enter("Pass", "GoToState Input", before))
        return self.leave("Choice", "GoToState Enter", self.enter("Choice", "GoToState Enter", before))

    def handed(self, before: int, *parts: str) -> int:
        """Add states that were added to the iteration of an opened Map."""
        for part in ("Inside", "Take", "Which", *parts):
            kind = "Choice" if part in ("Inside", "Which", "Enter") else "Pass"
            name = f"GoToState {part} 1"
            before = self.leave(kind, name, self.enter(kind, name, before))
        return before

    def charges(
        self, before: int, total: int, fails: Collection[int], through: Collection[int] | None = None
    ) -> tuple[int, int]:
        """Add a Map Charges that takes ten seconds, and of which some iterations fail.

        through: those that are handed through; of an opened Map.
        Returns the event that leads on and the one that failed last, 0 where none did.
        """
        started = self.map_starts(self.enter("Map", "Charges", before, "[]"), total)
        self.later(10)
        failed = after = 0
        for index in sorted(range(total), key=lambda one: one in fails):
            inside = self.iterates("Charges", index, started)
            if through is not None:
                inside = self.handed(inside, *(["Done"] if index in through else ["Fill", "Input", "Enter"]))
            if through is not None and index in through:
                self.iterated("Charges", index, inside)
                continue
            scheduled = self.add("TaskScheduled", self.enter("Task", "Charge", inside))
            if index in fails:
                failed = self.add("TaskFailed", scheduled, taskFailedEventDetails=DOWN)
            else:
                after = self.leave("Task", "Charge", self.add("TaskSucceeded", scheduled))
                self.iterated("Charges", index, after)
        return after, failed

    def stops(self, failed: int, index: int) -> None:
        """End the Map, and with it the execution, after an iteration that failed."""
        self.add("MapIterationFailed", failed, mapIterationFailedEventDetails={"name": "Charges", "index": index})
        self.add("TaskStateAborted", failed)
        last = self.add("MapStateFailed", failed)
        self.add("ExecutionFailed", last, executionFailedEventDetails=DOWN)


def put(account: Account, name: str, history: History, status: str = "FAILED", machine: str = "orders") -> str:
    """Put an execution into an account that started and stopped at the times of its history."""
    arn = account.add_failure(machine, name, history.newest_first[::-1], history.input, status)
    run = account.runs[arn]
    run.started, run.stopped = history.events[0]["timestamp"], history.events[-1]["timestamp"]
    return arn


def resumed(account: Account, arn: str, seconds: float) -> str:
    """Let automation resume a failure, some time after it; return the ARN of the resumed execution."""
    account.now = (account.runs[arn].stopped or account.now) + seconds
    found = recovery.recover(account.memory(), Report.from_event(account.event(arn)), Settings()).resumed
    assert found
    return found


def end(account: Account, arn: str, history: Timed, status: str) -> None:
    """Give a resumed execution its history, and its end."""
    account.now = history.clock
    account.end(arn, status, history.newest_first[::-1])


def began(account: Account, arn: str) -> Timed:
    """Begin the history of an execution that was started."""
    return Timed(account.runs[arn].input, clock=account.runs[arn].started)


def delay(account: Account, arn: str) -> int:
    """Return for how long a resumed execution is to wait."""
    return int(json.loads(account.runs[arn].input)["resuming"]["delaySeconds"])


def chain_of_three(account: Account, total: int = 1_000) -> list[str]:
    """Put the chain into an account: two charges fail, then one of these again, and then all is well."""
    account.add_machine("orders", ORDERS, {"gotostate": "resume"})
    first = Timed('{"order": 17}')
    scheduled = first.add("TaskScheduled", first.enter("Task", "Reserve", 0))
    first.later(1)
    failed = first.add("TaskFailed", scheduled, taskFailedEventDetails={"error": "Busy", "cause": ""})
    first.later(2)
    before = first.leave("Task", "Reserve", first.add("TaskSucceeded", first.add("TaskScheduled", failed)))
    _, failed = first.charges(before, total, {7, 9})
    first.stops(failed, 9)
    arns = [put(account, "order-17", first)]

    arns.append(resumed(account, arns[0], 2.2))
    second = began(account, arns[1])
    numbers = json.dumps(list(range(total)))
    before = second.routed(delay(account, arns[1]), gotostate0=numbers)
    _, failed = second.charges(before, total, {9}, set(range(total)) - {7, 9})
    second.stops(failed, 9)
    end(account, arns[1], second, "FAILED")

    arns.append(resumed(account, arns[1], 2.2))
    third = began(account, arns[2])
    before = third.routed(delay(account, arns[2]), gotostate0=numbers)
    after, _ = third.charges(before, total, set(), set(range(total)) - {9})
    # What leaves a container points to the same event as its success does.
    third.add("MapStateSucceeded", after)
    third.add("ExecutionSucceeded", third.works("Ship", third.leave("Map", "Charges", after, gotostate0="null"), 2))
    end(account, arns[2], third, "SUCCEEDED")
    return arns
