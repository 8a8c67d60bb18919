"""The storm: ten thousand executions fail in a minute, and the real Resumer works them off in simulated time.

The handler, the core and botocore are the real ones. Simulated are the clock, Step Functions with its quotas, SQS
and the event source mapping with what template.yaml sets, and each container's memory. Beside it stand the call
sequences of two others: the original script, and the Resumer before it had a queue and a memory.
"""

import json
import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    os.environ.setdefault(name, "x")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "functions" / "resumer"), str(ROOT / "tests")]

import resumer  # noqa: E402  found by the path above
from fake_account import (  # noqa: E402
    BEGINNING,
    Account,
    Body,
    RefusalError,
    Wired,
    failure_events,
)
from gotostate.memory import Memory  # noqa: E402
from gotostate.pace import Pace  # noqa: E402

from bench.simulation import Process, Simulation  # noqa: E402

# Burst and refill a second, in us-east-1, us-west-2 and eu-west-1
# (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
QUOTAS = {
    "CreateStateMachine": (100, 1),
    "DeleteStateMachineVersion": (100, 1),
    "DescribeExecution": (300, 15),
    "DescribeStateMachine": (200, 20),
    "DescribeStateMachineForExecution": (200, 1),
    "GetExecutionHistory": (400, 20),
    # Of the Resource Groups Tagging API; not documented, assumed.
    "GetResources": (10, 10),
    "ListExecutions": (200, 5),
    # Of EventBridge: 10,000 a second in large regions, 600 in small ones.
    "PutEvents": (600, 600),
    "ListStateMachineVersions": (100, 1),
    "ListTagsForResource": (100, 1),
    "StartExecution": (1_300, 300),
    "UpdateStateMachine": (100, 1),
}
# Assumed, as nothing ran on AWS: what a call takes, and what a refused one takes, each from a half to one and a half.
CALL_SECONDS, REFUSED_SECONDS = 0.05, 0.02
FAILING_SECONDS = 60
STATES = [f"Step {number}" for number in range(20)]


def document(comment: str = "") -> dict[str, Any]:
    """Return a machine of twenty tasks."""
    following = {name: {"Next": after} for name, after in pairwise(STATES)}
    states = {name: {"Type": "Task", "Resource": "r", **following.get(name, {"End": True})} for name in STATES}
    return {"Comment": comment, "StartAt": STATES[0], "States": states}


def limit_seconds(failures: int) -> float:
    """Return how long the histories of so many failures take at AWS's quota, and no less than they take to fail."""
    burst, refill = QUOTAS["GetExecutionHistory"]
    return max((failures - burst) / refill, FAILING_SECONDS)


@dataclass(frozen=True)
class Scenario:
    """What fails. update: the machines get another definition midway. strangers: failures that did not opt in."""

    name: str
    machines: int = 1
    states: int = 1
    update: bool = False
    strangers: int = 0


SCENARIOS = (
    Scenario("one machine, one state"),
    Scenario("one machine, many states", states=20),
    Scenario("200 machines", machines=200, states=20),
    Scenario("one machine, updated midway", states=20, update=True),
    Scenario("one machine, others did not opt in", strangers=2_000),
)


@dataclass
class Bucket:
    """A token bucket of AWS."""

    tokens: float
    burst: float
    refill: float
    filled_at: float = 0.0

    def take(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.refill)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class Quotas:
    """The buckets of one account, and the calls that were answered and refused."""

    buckets: dict[str, Bucket] = field(
        default_factory=lambda: {name: Bucket(burst, burst, refill) for name, (burst, refill) in QUOTAS.items()}
    )
    answered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def take(self, operation: str, now: float) -> bool:
        taken = self.buckets[operation].take(now)
        (self.answered if taken else self.refused)[operation] += 1
        return taken


class SimulatedAccount(Account):
    """The account in memory, in simulated time and with AWS's quotas."""

    def __init__(self, simulation: Simulation, quotas: Quotas) -> None:
        super().__init__()
        self.simulation, self.quotas = simulation, quotas
        self.random = random.Random(4)  # noqa: S311  a storm that can be repeated

    @property
    def now(self) -> float:
        return BEGINNING + (self.simulation.now if hasattr(self, "simulation") else 0.0)

    @now.setter
    def now(self, value: float) -> None:
        """Time is the simulation's to keep."""

    def answer(self, operation: str, body: Body) -> Body:
        if not self.quotas.take(operation, self.simulation.now):
            self.simulation.sleep(REFUSED_SECONDS * self.random.uniform(0.5, 1.5))
            raise RefusalError("ThrottlingException", "Rate exceeded")
        self.simulation.sleep(CALL_SECONDS * self.random.uniform(0.5, 1.5))
        return super().answer(operation, body)


class SimulatedClient(Wired):
    def __init__(self, account: SimulatedAccount) -> None:
        super().__init__(account)
        self.pace = Pace(clock=lambda: account.now, sleep=account.simulation.sleep)


# Each container is a thread, and has its own memory.
_OWN = threading.local()


@dataclass
class Message:
    body: str
    visible_at: float
    received: int = 0


@dataclass(frozen=True)
class Delivery:
    """The queue and the mapping, as template.yaml sets them."""

    batch_size: int
    concurrency: int
    timeout: float
    visibility: float
    max_receives: int

    @classmethod
    def from_template(cls) -> "Delivery":
        """Read template.yaml; short forms of CloudFormation are read as the parameters that they name."""

        class Loader(yaml.SafeLoader):
            pass

        Loader.add_multi_constructor("!", lambda loader, suffix, node: getattr(node, "value", None))
        template = yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506  plain values alone
        function, queue = (template["Resources"][name]["Properties"] for name in ("ResumerFunction", "RecoveryQueue"))
        mapping = function["Events"]["Recovery"]["Properties"]
        concurrency = mapping["ScalingConfig"]["MaximumConcurrency"]
        return cls(
            mapping["BatchSize"],
            template["Parameters"][concurrency]["Default"] if isinstance(concurrency, str) else concurrency,
            function["Timeout"],
            queue["VisibilityTimeout"],
            queue["RedrivePolicy"]["maxReceiveCount"],
        )


@dataclass
class Storm:
    """One scenario at one size, and what came of it."""

    scenario: Scenario
    failures: int
    delivery: Delivery
    simulation: Simulation = field(default_factory=Simulation)
    quotas: Quotas = field(default_factory=Quotas)
    queue: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    in_flight: int = 0
    expected: int = 0
    settled: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(17)  # noqa: S311  a storm that can be repeated
        self.account = SimulatedAccount(self.simulation, self.quotas)
        self.reported: list[str] = []

    def run(self) -> None:
        """Let the executions fail, and the containers work until the queue is empty."""
        with (
            mock.patch.object(resumer, "_memory", lambda: _OWN.memory),  # noqa: PT008  each thread has another one
            mock.patch.object(resumer.logger, "info"),
            mock.patch.object(resumer, "measures"),
            mock.patch("gotostate.memory._log.warning"),
        ):
            self._run()

    def _run(self) -> None:
        names = [f"machine-{number}" for number in range(self.scenario.machines)]
        for name in names:
            self._settle(self.account.add_machine(name, document(), {"gotostate": "resume"}))
        for number in range(self.scenario.strangers // 20):
            self._settle(self.account.add_machine(f"stranger-{number}", document(), {}))
        if self.scenario.update:
            self.simulation.spawn(self._update(names), FAILING_SECONDS / 2)
        for number in range(self.failures):
            at = number * FAILING_SECONDS / self.failures
            self.simulation.spawn(self._fail(names[number % len(names)], number), at)
        for number in range(self.scenario.strangers):
            at = number * FAILING_SECONDS / self.scenario.strangers
            self.simulation.spawn(self._fail(f"stranger-{number % (self.scenario.strangers // 20)}", number), at)
        self.expected = self.failures + self.scenario.strangers
        for _ in range(self.delivery.concurrency):
            self.simulation.thread(partial(self._container, Memory(SimulatedClient(self.account), self._clock)))
        self.simulation.run(until=6 * 3_600)

    def _settle(self, machine_arn: str) -> None:
        """Let a machine be an hour old."""
        machine = self.account.machines[machine_arn]
        machine.created = machine.revision.updated = BEGINNING - 3_600

    def _clock(self) -> float:
        return self.account.now

    def _update(self, names: list[str]) -> Process:
        for name in names:
            self.account.add_machine(name, document("updated"), {"gotostate": "resume"})
        yield 0.0

    def _fail(self, machine: str, number: int) -> Process:
        state = STATES[number % self.scenario.states]
        started = self.account.now
        arn = self.account.add_failure(machine, f"run-{number}", failure_events(state))
        self.account.runs[arn].started = started
        # The execution takes a second, and its event another half.
        yield 1.0
        self.account.runs[arn].stopped = self.account.now
        yield 0.5
        self.queue.append(Message(json.dumps(self.account.event(arn)), self.simulation.now))

    def _container(self, memory: Memory) -> None:
        """Poll as the event source mapping does, and run the handler on what comes."""
        _OWN.memory = memory
        while self.settled < self.expected:
            batch = self._receive()
            if not batch:
                self.simulation.sleep(0.2)
                continue
            began = self.simulation.now
            records = {"Records": [_record(number, message) for number, message in enumerate(batch)]}
            context: Any = _Context(partial(self._left, began))
            answer = resumer.handler(records, context)
            if self.simulation.now - began > self.delivery.timeout:
                answer = {"batchItemFailures": [{"itemIdentifier": str(number)} for number in range(len(batch))]}
            failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            for number, message in enumerate(batch):
                if str(number) in failed:
                    self.queue.append(message)
                else:
                    self.settled += 1

    def _left(self, began: float) -> float:
        return self.delivery.timeout - (self.simulation.now - began)

    def _receive(self) -> list[Message]:
        visible = [message for message in self.queue if message.visible_at <= self.simulation.now]
        batch = self.random.sample(visible, min(self.delivery.batch_size, len(visible)))
        kept = []
        for message in batch:
            self.queue.remove(message)
            message.received += 1
            message.visible_at = self.simulation.now + self.delivery.visibility
            if message.received > self.delivery.max_receives:
                self.dead.append(message)
                self.settled += 1
            else:
                kept.append(message)
        return kept

    def result(self) -> dict[str, Any]:
        """Tell what came of it, in the form that `python -m bench storm --json` prints."""
        resumed = [run for arn, run in self.account.runs.items() if "-with-GoToState:" in arn]
        originals = Counter(json.loads(run.input)["resuming"]["execution"] for run in resumed)
        seconds = max((run.started for run in resumed), default=BEGINNING) - BEGINNING
        limit = limit_seconds(self.failures)
        calls = self.quotas.answered
        return {
            "scenario": self.scenario.name,
            "failures": self.failures,
            "resumed": len(originals),
            "twice": sum(times > 1 for times in originals.values()),
            "wrong": sum(self._is_wrong(run) for run in resumed),
            "lost": self.failures - len(originals) - len(self.dead),
            "deadLetters": len(self.dead),
            "seconds": round(seconds, 1),
            "limitSeconds": limit,
            "ratio": round(seconds / limit, 3),
            # Of Step Functions: one event on the bus for each outcome comes on top.
            "callsPerFailure": round((sum(calls.values()) - calls["PutEvents"]) / self.failures, 3),
            "calls": dict(sorted(calls.items())),
            "throttled": dict(sorted(self.quotas.refused.items())),
        }

    def _is_wrong(self, run: Any) -> bool:
        """Tell whether a resumed execution runs another definition than its original did."""
        original = self.account.runs[json.loads(run.input)["resuming"]["execution"]]
        return bool(run.document["Comment"] != original.document["Comment"])

    def resumed_at(self) -> list[float]:
        """Return when each resume was started, in seconds since the first failure."""
        return sorted(run.started - BEGINNING for arn, run in self.account.runs.items() if "-with-GoToState:" in arn)


class _Context:
    aws_request_id = "storm"

    def __init__(self, seconds_left: Callable[[], float]) -> None:
        self._seconds_left = seconds_left

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(self._seconds_left() * 1_000))


def _record(number: int, message: Message) -> dict[str, Any]:
    return {"messageId": str(number), "body": message.body, "eventSource": "aws:sqs", "attributes": {}}


# ---- The others, as sequences of calls ---------------------------------------------------------------

ORIGINAL = [*["GetExecutionHistory"] * 250, "DescribeStateMachine", "CreateStateMachine"]
BEFORE = [
    "ListTagsForResource",
    "DescribeExecution",
    "DescribeStateMachineForExecution",
    "GetExecutionHistory",
    "DescribeStateMachine",
    "ListTagsForResource",
    "ListStateMachineVersions",
    "DescribeStateMachine",
    "StartExecution",
]


@dataclass
class CallSequence:
    """Lambda invoked asynchronously for each failure: all at once, three tries, boto3's own retries in each."""

    name: str
    calls: list[str]
    failures: int
    simulation: Simulation = field(default_factory=Simulation)
    quotas: Quotas = field(default_factory=Quotas)
    done_at: list[float] = field(default_factory=list)
    dead: int = 0

    def run(self, until: float = 6 * 3_600) -> None:
        """Let the executions fail, and Lambda try each of them three times."""
        self.random = random.Random(17)  # noqa: S311  a storm that can be repeated
        for number in range(self.failures):
            self.simulation.spawn(self._invocations(), number * FAILING_SECONDS / self.failures + 1.5)
        self.simulation.run(until=until)

    def _invocations(self) -> Process:
        # Lambda tries a function that raised again after one and after two minutes.
        for pause in (60, 120, 0):
            done = yield from self._attempt()
            if done:
                self.done_at.append(self.simulation.now)
                return
            yield pause
        self.dead += 1

    def _attempt(self) -> Generator[float, None, bool]:
        began = self.simulation.now
        for operation in self.calls:
            for retry in range(8):
                if self.quotas.take(operation, self.simulation.now):
                    yield CALL_SECONDS
                    break
                # boto3's standard mode: a random part of two to the power of the retries, at most 20 seconds.
                yield REFUSED_SECONDS + self.random.random() * min(2**retry, 20)
                if self.simulation.now - began > 60:
                    return False
            else:
                return False
        return True

    def result(self) -> dict[str, Any]:
        calls = self.quotas.answered
        seconds = max(self.done_at, default=0.0)
        limit = limit_seconds(self.failures)
        return {
            "scenario": self.name,
            "failures": self.failures,
            "resumed": len(self.done_at),
            "twice": 0,
            "lost": 0,
            "deadLetters": self.dead,
            "seconds": round(seconds, 1),
            "limitSeconds": limit,
            "ratio": round(seconds / limit, 3),
            "callsPerFailure": round(sum(calls.values()) / self.failures, 3),
            "calls": dict(sorted(calls.items())),
            "throttled": dict(sorted(self.quotas.refused.items())),
        }
