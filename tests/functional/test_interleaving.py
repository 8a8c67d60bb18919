"""The recovery in a world that is against it: every interleaving, every fault at every call, and thousands at random.

In the end there is always exactly one resumed execution, on the right definition and with the right input, or the
event is in the dead-letter queue with a reason, or there is a good reason to leave the execution alone; never two,
and never none. SFN_RESUME_SEEDS sets how many random worlds there are (2,000 by default, 100,000 in a nightly run); a
world that fails prints its seed, by which SFN_RESUME_SEED=SEED runs it again.
"""

import contextlib
import io
import itertools
import json
import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fake_account import Account, failure_events, machine_arn
from gotostate import cli, machines, router
from gotostate.definition import Definition
from gotostate.memory import TAG_SECONDS
from gotostate.outcome import Result
from gotostate.settings import Settings
from interleaving import FAULTS, Client, Fault, Turns, World, every_choice

SEEDS = int(os.environ.get("SFN_RESUME_SEEDS", "2000"))
GOTO = "orders-with-GoToState"
ORDERS = {
    "StartAt": "A",
    "States": {"A": {"Type": "Task", "Next": "B"}, "B": {"Type": "Task", "End": True}},
}
UPDATED = {**ORDERS, "Comment": "updated"}
FAULT = {fault.name: fault for fault in FAULTS}


REDRIVE = {"gotostate:strategy": "redrive", "gotostate:backoff-seconds": "0"}


def account_with(
    *, built: bool = False, updated: bool = False, versions: int = 0, redrive: bool = False
) -> tuple[Account, str]:
    """An account with a failed execution.

    built: an earlier failure was resumed, so the GoToState machine is there. updated: the machine was updated since.
    versions: so many more revisions were resumed. redrive: the machine's failures are redriven, at once.
    """
    account = Account()
    account.add_machine("orders", ORDERS, {"gotostate": "resume", **(REDRIVE if redrive else {})})
    account.now += 100
    for number in range(versions):
        account.add_machine("orders", {**ORDERS, "Comment": str(number)}, {"gotostate": "resume"})
        account.now += 100
        earlier = account.add_failure("orders", f"earlier-{number}", failure_events("A"))
        World(account).deliver("earlier", account.event(earlier))
        account.end(account.resumed(GOTO)[-1].arn, "SUCCEEDED")
    if built:
        World(account).deliver("earlier", account.event(account.add_failure("orders", "earlier", failure_events("A"))))
        account.end(account.resumed(GOTO)[-1].arn, "SUCCEEDED")
    if updated:
        account.add_machine("orders", UPDATED, {"gotostate": "resume"})
    account.now += 100
    failed = account.add_failure(
        "orders", "order-17", failure_events("B", '{"n":1.10}', start='{"n":1.10}'), '{"n":1.10}'
    )
    account.changes.clear()
    account.now += 2
    return account, failed


def resumes_of(account: Account, failed: str) -> list[Any]:
    return [run for run in account.resumed(GOTO) if json.loads(run.input)["resuming"]["execution"] == failed]


def check(world: World, failed: str, document: Any = None) -> None:
    """One resumed execution, the right one; or an event that is dead, with a reason."""
    account = world.account
    resumed = resumes_of(account, failed)
    redrives = [change for change in account.changes if change.startswith("redrive")]
    assert len(resumed) + len(redrives) <= 1, "resumed twice"
    if redrives:
        assert account.runs[failed].status == "RUNNING"
        return
    if not resumed:
        assert [reason for arn, reason in world.dead if arn == failed], (world.outcomes, "lost")
        return
    run = resumed[0]
    ran = router.remove_gotostate(Definition.parse(run.revision.definition)).document
    assert ran == (document or account.runs[failed].document)
    resuming = json.loads(run.input)["resuming"]
    assert (resuming["state"], resuming["input"], resuming["attempt"]) == ("B", {"n": 1.1}, 1)
    assert '"input":{"n":1.10}' in run.input
    assert run.version, "started by its plain ARN"


# Every interleaving where there are a few thousand; else all with so many switches (any number in a nightly run). Those
# of the command take the longest.
SWITCHES: dict[str, int | None] = {
    "first failure": None,
    "machine is built": None,
    "machine is built and the source updated": 3,
}
BY_HAND: dict[str, int | None] = dict.fromkeys(SWITCHES, 3)
if SEEDS >= 100_000:
    SWITCHES = BY_HAND = {}
WORLDS: dict[str, dict[str, Any]] = {
    "first failure": {},
    "machine is built": {"built": True},
    "machine is built and the source updated": {"built": True, "updated": True},
}


@pytest.mark.parametrize("name", WORLDS)
def test_two_resumers_of_one_failure_in_every_interleaving(name: str) -> None:
    def run(choose: Callable[[int], int]) -> None:
        account, failed = account_with(**WORLDS[name])
        here = World(account, turns=Turns(choose, SWITCHES.get(name)))
        event = account.event(failed)
        assert here.turns
        here.turns.run({name: partial(here.deliver, name, event) for name in ("one", "two")})
        check(here, failed)
        assert here.dead == []
        assert {outcome.outcome for outcome in here.outcomes} <= {Result.RESUMED, Result.ALREADY_RESUMED}

    assert every_choice(run) > 100


def test_two_resumers_redrive_once_in_every_interleaving() -> None:
    def run(choose: Callable[[int], int]) -> None:
        account, failed = account_with(redrive=True)
        here = World(account, turns=Turns(choose, 4))
        event = account.event(failed)
        assert here.turns
        here.turns.run({name: partial(here.deliver, name, event) for name in ("one", "two")})
        check(here, failed)
        assert here.dead == []
        # A second one may find that it runs again already.
        assert {outcome.outcome for outcome in here.outcomes} <= {Result.REDRIVEN, Result.SKIPPED}
        assert Result.REDRIVEN in {outcome.outcome for outcome in here.outcomes}

    assert every_choice(run) > 100


@pytest.mark.parametrize("name", WORLDS)
def test_a_resumer_and_a_hand_in_every_interleaving(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(choose: Callable[[int], int]) -> None:
        account, failed = account_with(**WORLDS[name])
        here = World(account, turns=Turns(choose, BY_HAND.get(name)))
        monkeypatch.setattr("gotostate.cli.account.StepFunctions", lambda region: Client(here, "hand"))
        event = account.event(failed)
        codes = []

        def resume() -> None:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                codes.append(cli.main(["resume", failed]))

        assert here.turns
        here.turns.run({"hand": resume, "resumer": lambda: here.deliver("resumer", event)})
        check(here, failed)
        by_hand = json.loads(resumes_of(account, failed)[0].input)["resuming"]["delaySeconds"] == 0
        assert codes == [0 if by_hand else 1]
        assert here.outcomes[-1].outcome is (Result.ALREADY_RESUMED if by_hand else Result.RESUMED)

    assert every_choice(run) > 100


@dataclass
class Nth:
    """Lets a fault meet the n-th call; with `stays` each later call of that operation too."""

    number: int
    fault: Fault
    stays: bool = False
    seen: int = 0
    operation: str = ""

    def __call__(self, actor: str, operation: str) -> Fault | None:
        self.seen += 1
        if self.seen == self.number:
            self.operation = operation
            return self.fault
        return self.fault if self.stays and operation == self.operation else None


FAULTY: dict[str, dict[str, Any]] = {
    **WORLDS,
    "many versions": {"versions": 6, "updated": True},
    "redriven": {"redrive": True},
}


def run_with_fault(world: dict[str, Any], fault: Nth, reports: dict[str, Any]) -> World:
    account, failed = account_with(**world)
    here = World(account, fault_at=fault)
    here.deliver("resumer", account.event(failed, **reports))
    check(here, failed)
    return here


@pytest.fixture
def few_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "_MANY_VERSIONS", 7)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.usefixtures("few_versions")
def test_every_fault_at_every_call(fault: Fault) -> None:
    """Operations come from the code: one that no fault has met fails the test."""
    met = set()
    for world in FAULTY.values():
        # With and without what AWS does not document: then more is asked for.
        for reports in ({}, {"redriveCount": None}):
            number = 1
            while True:
                here = run_with_fault(world, Nth(number, fault), reports)
                if not here.injected:
                    break
                assert here.dead == [], "one fault that passes kills no event"
                met |= {operation for operation, _ in here.injected}
                number += 1
    assert operations_of_a_recovery() - met == set()


@pytest.mark.usefixtures("few_versions")
def test_a_permission_that_is_missing_ends_in_the_dead_letter_queue_with_its_name() -> None:
    for world in FAULTY.values():
        number = 1
        while True:
            fault = Nth(number, FAULT["access denied"], stays=True)
            here = run_with_fault(world, fault, {})
            if not here.injected:
                break
            if here.dead:
                assert "AccessDenied" in here.dead[0][1]
            number += 1


def operations_of_a_recovery() -> set[str]:
    """Return the operations that the code calls, but for those of listings and of housekeeping."""
    source = Path(cli.__file__).parents[1] / "stepfunctions.py"
    called = set(re.findall(r'_call\(\s*"(\w+)"', source.read_text()))
    assert len(called) >= 11
    return called - {"list_state_machines", "delete_state_machine", "tag_resource", "untag_resource"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_where_all_tags_are_read_at_once(fault: Fault) -> None:
    account, failed = account_with(built=True)
    throttled = [FAULT["throttle"]] * 3

    def meet(actor: str, operation: str) -> Fault | None:
        if operation == "list_tags_for_resource" and throttled:
            return throttled.pop()
        return fault if operation == "get_resources" and here.injected[operation, fault.name] == 0 else None

    here = World(account, fault_at=meet)
    memory = here.container("resumer")
    with contextlib.suppress(Exception):
        memory.aws.pace.set_deadline(0.3)
        memory.tags(machine_arn("payments"))
    here.container = lambda actor: memory  # type: ignore[method-assign]
    memory.aws.pace.set_deadline(None)
    here.deliver("resumer", account.event(failed))
    check(here, failed)
    assert here.injected["get_resources", fault.name] == 1


def update(account: Account, failed: str) -> None:
    account.add_machine("orders", UPDATED, {"gotostate": "resume"})


def update_and_back(account: Account, failed: str) -> None:
    update(account, failed)
    account.add_machine("orders", ORDERS, {"gotostate": "resume"})


def delete_goto(account: Account, failed: str) -> None:
    account.machines.pop(machine_arn(GOTO), None)


def delete_versions(account: Account, failed: str) -> None:
    if machine_arn(GOTO) in account.machines:
        account.machines[machine_arn(GOTO)].versions.clear()


def delete_source(account: Account, failed: str) -> None:
    account.machines.pop(machine_arn("orders"), None)


def switch_off(account: Account, failed: str) -> None:
    account.retag("orders", gotostate="off")


def change_goto(account: Account, failed: str) -> None:
    if machine_arn(GOTO) in account.machines:
        account.add_machine(GOTO, ORDERS, account.machines[machine_arn(GOTO)].tags)


def redrive(account: Account, failed: str) -> None:
    account.redrive(failed)


CHANGES = (update, update_and_back, delete_goto, delete_versions, delete_source, switch_off, change_goto, redrive)


def run_with_change(change: Callable[[Account, str], None], world: dict[str, Any], number: int) -> bool:
    """Run with a change before the n-th call; tell whether there was one."""
    account, failed = account_with(**world)
    document = account.runs[failed].document
    event = account.event(failed)
    calls = itertools.count(1)
    changed = []

    def meet(actor: str, operation: str) -> None:
        if next(calls) == number:
            changed.append(operation)
            change(account, failed)

    here = World(account, fault_at=meet)
    here.deliver("resumer", event)
    if change in (switch_off, redrive, delete_source) and not resumes_of(account, failed):
        assert here.outcomes[-1].outcome is Result.SKIPPED
    else:
        check(here, failed, document)
        assert here.dead == []
    return bool(changed)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_every_change_between_any_two_calls(change: Callable[[Account, str], None], world: dict[str, Any]) -> None:
    changes = sum(itertools.takewhile(bool, (run_with_change(change, world, number) for number in itertools.count(1))))
    assert changes >= 5


@pytest.mark.parametrize("number", range(1, 8))
def test_a_redrive_between_two_calls_that_fails_again_is_not_resumed_twice(number: int) -> None:
    account, failed = account_with()
    calls = 0

    def meet(actor: str, operation: str) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            account.redrive(failed)

    here = World(account, fault_at=meet)
    here.deliver("resumer", account.event(failed))
    if account.runs[failed].status == "RUNNING":
        account.runs[failed].events.append({**failure_events("B")[-1], "id": 9})
        account.end(failed, "FAILED")
        account.now += 10
        here.deliver("resumer", account.event(failed))
    assert len(resumes_of(account, failed)) == 1


def random_world(seed: int) -> None:
    """Several failures of a machine that changes, reported several times, to several containers, with faults."""
    chance = random.Random(seed)  # noqa: S311  a world that can be repeated
    account, _ = account_with(built=chance.random() < 0.5, updated=chance.random() < 0.5)
    failures = []
    for number in range(chance.randint(1, 3)):
        account.now += chance.choice((0, 1, 3, 30))
        if chance.random() < 0.3:
            account.add_machine("orders", {**ORDERS, "Comment": f"{seed} {number}"}, {"gotostate": "resume"})
            account.now += chance.choice((0, 2, 30))
        events = failure_events("B", '{"n":1.10}', start='{"n":1.10}')
        failures.append(account.add_failure("orders", f"failure-{number}", events, '{"n":1.10}'))
    undocumented = {"redriveCount": None} if chance.random() < 0.2 else {}
    deliveries = [account.event(arn, **undocumented) for arn in failures for _ in range(chance.randint(1, 2))]
    chance.shuffle(deliveries)
    possible = [update_and_back, delete_versions, change_goto]
    # A machine that is deleted and built anew counts its versions from 1 again: a warm function that knows version 1
    # of another definition may start it for ten minutes (docs/limits.md).
    if len({account.runs[arn].revision.definition for arn in failures}) == 1:
        possible.append(delete_goto)
    changes = [change for change in possible if chance.random() < 0.2]

    def meet(actor: str, operation: str) -> Fault | None:
        if changes and chance.random() < 0.05:
            changes.pop()(account, "")
        # No read is behind for minutes.
        faults = FAULTS if account.now < reported + 120 else FAULTS[:-1]
        return chance.choice(faults) if chance.random() < 0.08 else None

    reported = account.now
    here = World(account, fault_at=meet, turns=Turns(chance.randrange))
    containers = [f"container {number}" for number in range(chance.randint(1, 3))]
    actors = {
        name: partial(here.deliver, name, *deliveries[number :: len(containers)])
        for number, name in enumerate(containers)
    }
    assert here.turns
    here.turns.run(actors)
    for failed in failures:
        check(here, failed)


def test_random_worlds() -> None:
    chosen = os.environ.get("SFN_RESUME_SEED")
    for seed in [int(chosen)] if chosen else range(SEEDS):
        try:
            random_world(seed)
        except BaseException as error:
            error.add_note(f"run it again with SFN_RESUME_SEED={seed}")
            raise


def test_a_tag_that_was_changed_is_obeyed_within_a_minute() -> None:
    account, failed = account_with(built=True)
    here = World(account)
    memory = here.container("resumer")
    here.container = lambda actor: memory  # type: ignore[method-assign]
    here.deliver("resumer", account.event(failed))
    switch_off(account, failed)
    account.now += TAG_SECONDS + 1
    other = account.add_failure("orders", "other", failure_events("B"))
    here.deliver("resumer", account.event(other), settings=Settings())
    assert [outcome.outcome for outcome in here.outcomes] == [Result.RESUMED, Result.SKIPPED]
