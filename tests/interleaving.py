"""Actors that take turns, and a world in which each of their calls to AWS may go wrong.

The real recovery runs against the account in memory, in one thread at a time: before each call it is chosen who goes
on, and whether the call fails, and how. All choices come from one list or one seed, so that a run can be repeated.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from fake_account import Account, RefusalError
from gotostate import recovery
from gotostate.memory import Memory
from gotostate.outcome import Outcome
from gotostate.pace import Pace
from gotostate.report import Report
from gotostate.settings import Settings
from gotostate.stepfunctions import StepFunctions

RECEIVES = 8
VISIBILITY_SECONDS = 180


class KilledError(BaseException):
    """The process is gone: nothing of it runs any more."""


class ApiError(Exception):
    """An error in the form of botocore's."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


class ConnectionError(Exception):  # noqa: A001  known by its name, as botocore's is
    """No answer came."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a call: an error in its place, or after it took effect; or an answer that is behind."""

    name: str
    error: Callable[[], BaseException] | None = None
    after: bool = False


FAULTS = (
    Fault("throttle", lambda: ApiError("ThrottlingException", 400)),
    Fault("failure of AWS's own", lambda: ApiError("InternalFailure", 500)),
    Fault("access denied", lambda: ApiError("AccessDeniedException", 400)),
    Fault("connection lost before", lambda: ConnectionError("refused")),
    Fault("connection lost after", lambda: ConnectionError("reset"), after=True),
    Fault("timeout", lambda: ConnectionError("timed out"), after=True),
    Fault("killed before", KilledError),
    Fault("killed after", KilledError, after=True),
    Fault("behind"),
)


class Turns:
    """Lets actors run by turns, one at a time.

    choose: of so many, who goes on. most_switches: how often an actor that could go on has to let another one; after
    that each runs to its end. Nearly all errors need two or three.
    """

    def __init__(self, choose: Callable[[int], int], most_switches: int | None = None) -> None:
        self._choose = choose
        self._switches_left = float("inf") if most_switches is None else most_switches
        self._waiting: dict[str, threading.Semaphore] = {}
        self._control = threading.Semaphore(0)
        self._errors: list[BaseException] = []

    def run(self, actors: Mapping[str, Callable[[], None]]) -> None:
        """Run all actors to their ends. Raises the first error of an actor."""
        threads = []
        for name, act in actors.items():
            thread = threading.Thread(target=self._act, args=(name, act), daemon=True)
            threads.append(thread)
            thread.start()
            self._control.acquire()
        last = ""
        while self._waiting:
            last = self._next(last)
            self._waiting.pop(last).release()
            self._control.acquire()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _next(self, last: str) -> str:
        # Who ran last comes first, so that the first choice is to let it go on.
        names = sorted(self._waiting, key=lambda name: (name != last, name))
        if len(names) == 1 or (names[0] == last and not self._switches_left):
            return names[0]
        chosen = names[self._choose(len(names))]
        if last in self._waiting and chosen != last:
            self._switches_left -= 1
        return chosen

    def pause(self, name: str) -> None:
        """Let others go on, called by an actor."""
        mine = self._waiting[name] = threading.Semaphore(0)
        self._control.release()
        mine.acquire()

    def _act(self, name: str, act: Callable[[], None]) -> None:
        self.pause(name)
        try:
            act()
        except BaseException as error:  # noqa: BLE001  it is raised where the turns are run
            self._errors.append(error)
        finally:
            self._control.release()


@dataclass
class World:
    """An account, actors that work on it, and the faults that they meet.

    fault_at: which fault meets an actor's next call, of an operation; None: none does.
    """

    account: Account
    fault_at: Callable[[str, str], Fault | None] = lambda actor, operation: None
    turns: Turns | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    dead: list[tuple[str, str]] = field(default_factory=list)
    injected: Counter[tuple[str, str]] = field(default_factory=Counter)

    def container(self, actor: str) -> Memory:
        """Return what a new container has."""
        return Memory(Client(self, actor), clock=lambda: self.account.now)

    def deliver(self, actor: str, *events: dict[str, Any], settings: Settings | None = None) -> None:
        """Deliver events to one container after another, each until it is dealt with or dead."""
        memory = self.container(actor)
        for event in events:
            reason = ""
            for _ in range(RECEIVES):
                try:
                    outcome = recovery.recover(memory, Report.from_event(event), settings or Settings())
                except KilledError:
                    memory, reason = self.container(actor), "killed"
                except Exception as error:  # noqa: BLE001  the message goes back to the queue, whatever it is
                    reason = f"{type(error).__name__}: {error}"
                else:
                    self.outcomes.append(outcome)
                    break
                self.account.now += VISIBILITY_SECONDS
            else:
                self.dead.append((event["detail"]["executionArn"], reason))

    def call(self, actor: str, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """Carry out a call of an actor, when it is its turn, and with the fault that meets it."""
        if self.turns:
            self.turns.pause(actor)
        fault = self.fault_at(actor, operation)
        if fault:
            self.injected[operation, fault.name] += 1
        if fault and fault.error and not fault.after:
            raise fault.error()
        answer = self._behind(operation, body) if fault and not fault.error else None
        answer = answer or self._answer(operation, body)
        if fault and fault.error:
            raise fault.error()
        return answer

    def _answer(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        name = "".join(part.capitalize() for part in operation.split("_"))
        try:
            answer = self.account.answer(name, json.loads(json.dumps(body)))
        except RefusalError as refusal:
            raise ApiError(refusal.code, refusal.status) from None
        headers = {"date": formatdate(self.account.now, usegmt=True)}
        return {**answer, "ResponseMetadata": {"HTTPHeaders": headers}}

    def _behind(self, operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Answer as AWS does where a read does not show yet what has just happened."""
        if operation == "get_execution_history":
            answer = self._answer(operation, body)
            return {**answer, "events": answer["events"][1:]}
        if operation == "describe_execution":
            return {**self._answer(operation, body), "status": "RUNNING"}
        if operation in ("describe_state_machine", "list_state_machine_versions"):
            raise ApiError("StateMachineDoesNotExist", 400)
        if operation == "describe_state_machine_for_execution":
            raise ApiError("ExecutionDoesNotExist", 400)
        if operation == "list_tags_for_resource" and (machine := self.account.machines.get(body["resourceArn"])):
            # Of a machine that was created a moment ago, and whose definition nobody has changed since.
            is_new = machine.created > self.account.now - 120 and machine.revision.id is None
            return {"tags": []} if is_new and machine.arn.endswith("-with-GoToState") else None
        return None


class Client(StepFunctions):
    """The real client but for its HTTP: each call goes to the world."""

    def __init__(self, world: World, actor: str) -> None:
        account = world.account

        def sleep(seconds: float) -> None:
            account.now += seconds

        super().__init__("eu-west-1", Pace(clock=lambda: account.now, sleep=sleep))
        self._world, self._actor = world, actor

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        return self.pace.call(operation, lambda: self._world.call(self._actor, operation, arguments))

    def connect(self, service: Any) -> Any:
        """Refuse: a client of another service would talk to AWS."""
        raise NotImplementedError(service)

    @property
    def _tagging(self) -> Any:
        return self

    def get_paginator(self, operation: str) -> Any:
        return self

    def paginate(self, **arguments: Any) -> list[dict[str, Any]]:
        return [self._world.call(self._actor, "get_resources", arguments)]


def every_choice(run: Callable[[Callable[[int], int]], None], most: int = 100_000) -> int:
    """Run with each sequence of choices that there is; return how many there were.

    run: takes the function that chooses one of so many. Raises what it raises, with the choices.
    """
    prefix: list[int] = []
    for number in range(1, most + 1):
        options: list[int] = []

        def choose(count: int, options: list[int] = options, prefix: list[int] = prefix) -> int:
            options.append(count)
            return prefix[len(options) - 1] if len(options) <= len(prefix) else 0

        try:
            run(choose)
        except BaseException as error:
            error.add_note(f"choices: {prefix}")
            raise
        taken = [*prefix, *[0] * (len(options) - len(prefix))]
        while taken and taken[-1] + 1 == options[len(taken) - 1]:
            taken.pop()
        if not taken:
            return number
        taken[-1] += 1
        prefix = taken
    raise AssertionError(f"more than {most} sequences of choices")
