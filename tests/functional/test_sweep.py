"""The sweep on an account in memory: nothing is missed or told again and again, and what is deleted is not needed.

Failures, events that never come, sweeps that fail or come late, and a queue that somebody holds are simulated with a
clock of their own. A deletion is run against a Resumer in every interleaving of their calls.
"""

import contextlib
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import fake_account
import listed
import pytest
import resumer
import sweeper
from fake_account import DELETING_SECONDS, RefusalError, Wired, failure_events, machine_arn
from gotostate import cleaning, listreader, recovery
from gotostate.cleaning import SETTLE_SECONDS
from gotostate.errors import ThrottledError, TransientError
from gotostate.housekeeping import DELETING_TAG, DELETION_SECONDS, deleting_tag
from gotostate.memory import Memory
from gotostate.outcome import Result
from gotostate.report import Report
from gotostate.resumption import SOURCE_TAG
from gotostate.settings import Settings
from gotostate.stepfunctions import StepFunctions
from interleaving import KilledError, Turns, World, every_choice

SEEDS = max(int(os.environ.get("SFN_RESUME_SEEDS", "2000")) // 200, 5)
# With two, the Resumer begins at any point of the deletion, and the deletion goes on at any point of the Resumer.
SWITCHES = 3 if SEEDS >= 500 else 2
HOUR, DAY = 3_600.0, 86_400.0
GOTO = "orders-with-GoToState"
ORDERS = {
    "StartAt": "A",
    "States": {"A": {"Type": "Task", "Next": "B"}, "B": {"Type": "Task", "End": True}},
}


class Account(listed.Account):
    """An account with a queue and with logs."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What the Resumer logged."""
        return [json.loads(line) for _, line in self.logs.get("resumer", [])]

    @property
    def swept(self) -> list[str]:
        """The executions that were put on the queue, by name."""
        return [message["detail"]["executionArn"].rpartition(":")[2] for message in self.sent]


class Stream:
    """A log group: what is written to it has the time of the account."""

    def __init__(self, account: Account, group: str) -> None:
        self.account, self.group = account, group

    def write(self, text: str) -> None:
        lines = self.account.logs.setdefault(self.group, [])
        lines += [(self.account.now, line) for line in text.splitlines() if line]

    def flush(self) -> None:
        """There is nothing to flush."""


class Context:
    """What Lambda tells a function: how much is left of its time."""

    aws_request_id = "request-1"
    function_name = "sweeper"

    def __init__(self, account: Account, seconds: float = 900) -> None:
        self.account, self.until = account, account.now + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self.until - self.account.now) * 1_000)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    made.add_machine("orders", ORDERS, {"gotostate": "resume"})
    made.add_machine("bills", ORDERS, {"gotostate": "prepare"})
    made.add_machine("private", ORDERS, {})
    made.add_machine("off", ORDERS, {"gotostate": "off"})
    made.now += 100 * DAY
    wire(made, monkeypatch)
    return made


def wire(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = account.memory()
    monkeypatch.setattr(resumer, "_memory", lambda: memory)
    monkeypatch.setattr(sweeper, "_aws", lambda: Wired(account))
    monkeypatch.setattr(sweeper, "_now", lambda: account.now)
    for module, group in ((resumer, "resumer"), (sweeper, "sweeper")):
        monkeypatch.setattr(module.logger.registered_handler, "stream", Stream(account, group))
    for name, value in {
        "QUEUE_URL": listed.QUEUE, "RESUMER_LOG_GROUP": "resumer", "SWEEPER_LOG_GROUP": "sweeper",
        "SWEEP_RATE": "rate(1 hour)", "KEEP_DAYS": "30",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


def swept(account: Account, seconds: float = 900) -> dict[str, int]:
    context: Any = Context(account, seconds)
    return sweeper.handler({}, context)


def failed(account: Account, name: str, ago: float = 600, machine: str = "orders", **more: Any) -> str:
    """Put an execution into the account that ended so many seconds ago."""
    now = account.now
    account.now = now - ago - 1
    arn = account.add_failure(machine, name, failure_events("B", **more.pop("events", {})), **more)
    account.now = now
    return arn


def receive(account: Account, message: Any) -> Any:
    context: Any = Context(account, 30)
    return resumer.handler(message, context)


def refuse(account: Account, refused: str, code: str, when: Callable[[Any], bool] = lambda body: True) -> None:
    def gate(operation: str, body: Any) -> None:
        if operation == refused and when(body):
            raise RefusalError(code)

    account.gate = gate


# ---- What is swept ----------------------------------------------------------------------------------


def test_a_failure_without_an_event_is_resumed_as_by_its_event(account: Account) -> None:
    failed(account, "order-17")
    assert swept(account)["swept"] == 1
    answer = receive(account, account.sent[0])
    assert (answer["outcome"], answer["rule"], answer["attempt"]) == ("resumed", "resume", 1)
    assert answer["delaySeconds"] > 0
    account.now += HOUR
    assert swept(account)["swept"] == 0


def test_of_machines_that_opted_in_alone(account: Account) -> None:
    for machine in ("orders", "bills", "private", "off"):
        failed(account, f"of-{machine}", machine=machine)
    assert swept(account) == {
        "machines": 2, "failures": 2, "swept": 2, "deletedMachines": 0, "deletedVersions": 0,
    }  # fmt: skip
    assert sorted(account.swept) == ["of-bills", "of-orders"]


def test_of_all_machines_where_the_stack_deals_with_all(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_MODE", "prepare")
    monkeypatch.setenv("STATE_MACHINE_NAMES", "p*")
    for machine in ("orders", "private"):
        failed(account, f"of-{machine}", machine=machine)
    swept(account)
    assert account.swept == ["of-private"]


def test_what_its_event_may_bring_yet_is_waited_for(account: Account) -> None:
    failed(account, "order-17", ago=200)
    assert swept(account)["swept"] == 0
    account.now += HOUR
    assert swept(account)["swept"] == 1


def test_what_started_long_ago_and_failed_lately_is_found(account: Account) -> None:
    arn = failed(account, "order-17", ago=40 * DAY)
    account.runs[arn].stopped = account.now - 600
    for number in range(30):
        account.end(failed(account, f"new-{number}", ago=700 + number), "SUCCEEDED")
    swept(account)
    assert account.swept == ["order-17"]


def test_a_resume_that_failed_again_without_an_event(account: Account) -> None:
    answer = receive(account, account.event(failed(account, "order-17")))
    account.now += 300
    run = account.runs[answer["resumed"]]
    account.end(run.arn, "FAILED", failure_events("B", start=run.input))
    account.now += 600
    swept(account)
    answer = receive(account, account.sent[0])
    assert (answer["outcome"], answer["attempt"]) == ("resumed", 2)


def test_what_was_told_by_its_event_is_not_told_by_a_sweep(account: Account) -> None:
    answer = receive(account, account.event(failed(account, "bill-1", machine="bills")))
    assert answer["outcome"] == "prepared"
    account.now += 60
    assert swept(account)["failures"] == 1
    assert account.sent == []


def test_what_is_redriven_and_fails_again_is_another_failure(account: Account) -> None:
    arn = failed(account, "bill-1", machine="bills", ago=2_000)
    receive(account, account.event(arn))
    account.now += 60
    account.redrive(arn, failure_events("B")[-1])
    account.now += 600
    swept(account)
    assert account.sent[0]["detail"] == {"executionArn": arn, "redriveCount": 1}


def test_a_resume_that_was_lost_is_started_again(account: Account) -> None:
    arn = failed(account, "order-17")
    answer = receive(account, account.event(arn))
    del account.runs[answer["resumed"]], account.machines[machine_arn(GOTO)]
    wire_anew = account.memory()
    account.now += 700
    swept(account)
    assert account.swept == ["order-17"]
    outcome = recovery.recover(wire_anew, Report.from_event(account.sent[0]), Settings())
    assert outcome.outcome is Result.RESUMED


def test_a_held_queue_gets_each_failure_once(account: Account) -> None:
    failed(account, "order-17")
    for _ in range(4):
        swept(account)
        account.now += HOUR
    assert account.swept == ["order-17"]


def test_two_sweeps_at_the_same_time_start_one_execution(account: Account) -> None:
    """Neither sees what the other logs: it is told once more at most, where its event was lost."""
    failed(account, "order-17")
    failed(account, "bill-1", machine="bills")
    swept(account)
    del account.logs["sweeper"]
    swept(account)
    assert len(account.sent) == 4
    told = Counter(receive(account, message)["outcome"] for message in account.sent)
    assert told == {"resumed": 1, "already resumed": 1, "prepared": 2}


def test_where_aws_throttles_the_sweep_stops_and_the_next_one_begins_elsewhere(account: Account) -> None:
    for name in ("aaa", "mmm", "zzz"):
        account.add_machine(name, ORDERS, {"gotostate": "resume"})
        failed(account, f"of-{name}", machine=name)

    def throttle(left: int) -> Callable[[str, Any], None]:
        counts = Counter[str]()

        def gate(operation: str, body: Any) -> None:
            counts[operation] += 1
            if operation == "ListExecutions" and counts[operation] > left:
                raise RefusalError("ThrottlingException")

        return gate

    for _ in range(3):
        # Enough for two machines, of five.
        account.gate = throttle(8)
        before = account.now
        assert swept(account)["machines"] == 2
        assert account.now - before < 30, "it does not stay to hammer"
        account.now = before + HOUR
    assert sorted(account.swept) == ["of-aaa", "of-mmm", "of-zzz"]


def test_a_machine_with_long_listings_keeps_neither_the_others_nor_the_house_waiting(account: Account) -> None:
    """It is read when the others have been, in the time that is left."""
    arn = dormant(account)
    for name in ("aaa", "mmm", "zzz"):
        account.add_machine(name, ORDERS, {"gotostate": "resume"})
        failed(account, f"of-{name}", machine=name)
    slow = sweeper.MACHINE_SECONDS / 3

    def gate(operation: str, body: Any) -> None:
        if operation == "ListExecutions" and body.get("stateMachineArn") == machine_arn("aaa"):
            account.now += slow

    account.gate = gate
    assert all_day(account)["deletedMachines"] == 1
    assert sorted(account.swept) == ["of-aaa", "of-mmm", "of-zzz"]
    assert arn not in account.machines


def test_a_machine_whose_listings_never_end_keeps_back_none_of_the_others(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of the others is put on the queue, and the house is kept, in the time that is kept for it."""
    arn = dormant(account)
    account.add_machine("aaa", ORDERS, {"gotostate": "resume"})
    failed(account, "bill-1", machine="bills")

    read = listreader.failures

    def failures(aws: StepFunctions, machine: str, **period: float) -> Any:
        while machine == machine_arn("aaa"):
            aws.pace.pause(1)
        return read(aws, machine, **period)

    monkeypatch.setattr(listreader, "failures", failures)
    assert all_day(account)["deletedMachines"] == 1
    assert account.swept == ["bill-1"]
    assert arn not in account.machines


@pytest.mark.parametrize(("rule", "count"), [("already-redriven", 1), ("not-failed", 0)])
def test_an_earlier_failures_late_message_hides_no_later_failure(account: Account, rule: str, count: int) -> None:
    arn = failed(account, "order-17")
    line = {"execution": arn, "outcome": "skipped", "rule": rule}
    account.logs["resumer"] = [(account.now - 300, json.dumps(line))]
    assert swept(account)["swept"] == count


@pytest.mark.parametrize("mode", ["prepare", "resume"])
def test_an_account_with_no_state_machine_is_swept(
    account: Account, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("DEFAULT_MODE", mode)
    account.machines.clear()
    assert swept(account)["machines"] == 0


def test_a_machine_that_may_not_be_read_does_not_keep_the_others(account: Account) -> None:
    failed(account, "order-17")
    refuse(account, "ListExecutions", "AccessDeniedException", lambda body: "bills" in body["stateMachineArn"])
    swept(account)
    assert account.swept == ["order-17"]
    assert any("bills" in line for _, line in account.logs["sweeper"])


def test_where_the_logs_cannot_be_read_nothing_is_put_on_the_queue(account: Account) -> None:
    failed(account, "order-17")
    refuse(account, "FilterLogEvents", "AccessDeniedException")
    with pytest.raises(Exception, match="AccessDenied"):
        swept(account)
    assert account.sent == []


def test_it_counts_and_logs(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    failed(account, "order-17")
    swept(account)
    (metric,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert metric["Swept"] == [1.0]
    done = json.loads(account.logs["sweeper"][-1][1])
    assert (done["message"], done["machines"], done["failures"], done["swept"]) == ("done", 2, 1, 1)


def a_day(seed: int, account: Account) -> tuple[set[str], dict[str, bool]]:
    """Let executions fail for a day. Events are lost or late, sweeps fail or are late, and some overlap.

    Returns the names of those that failed, and by name of those to be prepared whether their event came in time.
    """
    chance = random.Random(seed)  # noqa: S311  a day that can be repeated
    begin = account.now
    todo: list[tuple[float, str, Any]] = []
    for number in range(24):
        machine = chance.choice(("orders", "bills"))
        todo.append((begin + chance.random() * DAY, "fail", (machine, f"{machine}-{number}")))
    was_bad = True
    for number in range(29):
        is_bad = not was_bad and chance.random() < 0.4
        late = chance.random() * 0.9 * HOUR * (chance.random() < 0.3)
        # One more comes before the one that overlaps with it is done, or as it is done.
        again = [30.0] * (chance.random() < 0.1)
        todo += [(begin + number * HOUR + late + after, "sweep", is_bad) for after in (0.0, *again)]
        was_bad = is_bad
    names, in_time = set(), {}
    while todo:
        todo.sort(key=lambda item: item[:2])
        at, what, given = todo.pop(0)
        account.now = max(account.now, at)
        if what == "fail":
            machine, name = given
            arn = failed(account, name, ago=0, machine=machine)
            names.add(name)
            fate = chance.choice(("lost", "lost", "soon", "late"))
            in_time[name] = fate == "soon"
            if fate != "lost":
                todo.append((account.now + (1 if fate == "soon" else chance.random() * 2 * HOUR), "event", arn))
        elif what == "event":
            receive(account, account.event(given))
        elif what == "message":
            receive(account, given)
        else:
            before = len(account.sent)
            run_sweep(account, chance.randint(1, 12) if given else None)
            todo += [(account.now + chance.random() * 300, "message", message) for message in account.sent[before:]]
    return names, in_time


def run_sweep(account: Account, fails_at: int | None) -> None:
    """Sweep; fails_at: at which of its calls it fails."""
    calls = Counter[str]()

    def gate(operation: str, body: Any) -> None:
        calls["all"] += 1
        if calls["all"] == fails_at:
            raise RefusalError("AccessDeniedException" if operation == "FilterLogEvents" else "ValidationException")

    account.gate = gate
    # Whatever it is, the next one is to make up for it.
    with contextlib.suppress(Exception):
        swept(account)
    account.gate = lambda operation, body: None


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_missed_and_nothing_is_told_more_than_once_again(seed: int, account: Account) -> None:
    names, in_time = a_day(seed, account)
    original = [json.loads(run.input)["resuming"]["execution"].rpartition(":")[2] for run in account.resumed(GOTO)]
    assert sorted(original) == sorted(name for name in names if name.startswith("orders"))
    told = Counter(line["execution"].rpartition(":")[2] for line in account.lines if line.get("outcome") == "prepared")
    assert set(told) == {name for name in names if name.startswith("bills")}, "missed"
    assert max(told.values(), default=0) <= 2, told
    # Of what came in time nothing is told twice.
    assert all(told[name] == 1 for name, was_in_time in in_time.items() if was_in_time and name in told)


# ---- What is deleted --------------------------------------------------------------------------------


def unwatched(account: fake_account.Account) -> Memory:
    """Return what a new container has, whose calls go to the account and to nobody's turn."""
    return World(account).container("unwatched")


def dormant(account: fake_account.Account, name: str = "orders", days: float = 100) -> str:
    """Let a failure be recovered so many days ago; AWS holds nothing of it any more. Returns the machine's ARN."""
    account.now -= days * DAY
    arn = failed(account, f"{name}-old", machine=name)  # type: ignore[arg-type]
    outcome = recovery.recover(unwatched(account), Report.from_event(account.event(arn)), Settings())
    del account.runs[str(outcome.resumed)], account.runs[arn]
    account.now += days * DAY
    account.changes.clear()
    return str(outcome.machine)


def all_day(account: Account) -> Counter[str]:
    """Sweep for a day, as each machine has its turn once a day."""
    done = Counter[str]()
    for _ in range(24):
        before = account.now
        done.update(swept(account))
        account.now = max(before + HOUR, account.now)
    return done


def test_a_machine_that_is_not_needed_is_deleted_and_built_anew_when_it_is(account: Account) -> None:
    arn = dormant(account)
    assert all_day(account)["deletedMachines"] == 1
    assert arn not in account.machines
    assert account.changes == [
        f"tag {GOTO}", f"untag {GOTO}", f"delete {GOTO}:1", f"delete {GOTO}",
    ]  # fmt: skip
    assert receive(account, account.event(failed(account, "order-17")))["outcome"] == "resumed"
    assert account.machines[arn].tags[SOURCE_TAG] == machine_arn("orders")


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_machine_stays_while_aws_holds_a_failure_that_it_may_have_resumed(account: Account, status: str) -> None:
    arn = dormant(account)
    failed(account, "older", ago=80 * DAY, status=status)
    assert all_day(account)["deletedMachines"] == 0
    assert arn in account.machines
    assert account.changes == []


def test_a_source_that_is_gone_holds_no_machine(account: Account) -> None:
    arn = dormant(account)
    del account.machines[machine_arn("orders")]
    assert all_day(account)["deletedMachines"] == 1
    assert arn not in account.machines


def test_keep_days_of_none_deletes_nothing(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    dormant(account)
    monkeypatch.setenv("KEEP_DAYS", "0")
    all_day(account)
    assert account.changes == []


def test_a_deletion_that_was_left_is_undone_even_where_nothing_is_deleted(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = dormant(account)
    tags = account.machines[arn].tags
    tags[DELETING_TAG] = deleting_tag(tags.pop(SOURCE_TAG), account.now)
    account.machines[arn].versions.clear()
    with pytest.raises(TransientError, match="gotostate clean, ends or undoes it"):
        recovery.recover(account.memory(), Report.from_event(account.event(failed(account, "order-17"))), Settings())
    monkeypatch.setenv("KEEP_DAYS", "0")
    account.now += DELETION_SECONDS + 60
    swept(account)
    assert (tags.get(SOURCE_TAG), DELETING_TAG in tags) == (machine_arn("orders"), False)


def test_what_is_not_ours_is_not_touched(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = {SOURCE_TAG: machine_arn("orders")}
    account.add_machine("copied-with-GoToState", account.machines[dormant(account)].document, copied)
    account.add_machine("bills-with-GoToState", ORDERS, {SOURCE_TAG: machine_arn("bills")})
    account.now += 100 * DAY
    # The one that is ours is another stack's.
    for names in ("bills", "copied", "copied-with-GoToState", "order"):
        monkeypatch.setenv("STATE_MACHINE_NAMES", names)
        all_day(account)
    assert account.changes == []
    monkeypatch.setenv("STATE_MACHINE_NAMES", "ord*")
    assert all_day(account)["deletedMachines"] == 1


def test_old_versions_are_deleted_and_what_they_run_goes_on(account: Account) -> None:
    account.now -= 50 * DAY
    for number in range(4):
        account.add_machine("orders", {**ORDERS, "Comment": str(number)}, {"gotostate": "resume"})
        account.now += 100
        answer = receive(account, account.event(failed(account, f"order-{number}", ago=2)))
        if number != 1:
            account.end(answer["resumed"], "SUCCEEDED")
    account.now += 50 * DAY
    account.changes.clear()
    assert all_day(account)["deletedVersions"] == 2
    assert account.changes == [f"delete {GOTO}:1", f"delete {GOTO}:3"]
    # The definition of the first version is wanted again.
    account.add_machine("orders", {**ORDERS, "Comment": "0"}, {"gotostate": "resume"})
    account.now += 100
    assert receive(account, account.event(failed(account, "order-9", ago=2)))["outcome"] == "resumed"


def test_an_alias_of_somebodys_keeps_the_machine_with_its_tags(account: Account) -> None:
    arn = dormant(account)
    refuse(account, "DeleteStateMachineVersion", "ConflictException")
    tags = dict(account.machines[arn].tags)
    assert all_day(account)["deletedMachines"] == 0
    assert account.machines[arn].tags == tags


def test_an_alias_of_somebodys_keeps_its_version_and_no_other(account: Account) -> None:
    account.now -= 50 * DAY
    for number in range(3):
        account.add_machine("orders", {**ORDERS, "Comment": str(number)}, {"gotostate": "resume"})
        account.now += 100
        answer = receive(account, account.event(failed(account, f"order-{number}", ago=2)))
        account.end(answer["resumed"], "SUCCEEDED")
    account.now += 50 * DAY
    account.changes.clear()
    first = f"{machine_arn(GOTO)}:1"
    refuse(account, "DeleteStateMachineVersion", "ConflictException", lambda body: first in body.values())
    assert all_day(account)["deletedVersions"] == 1
    assert account.changes == [f"delete {GOTO}:2"]


def test_versions_that_cannot_be_deleted_cost_few_calls(account: Account) -> None:
    arn = dormant(account)
    account.machines[arn].versions *= 300
    refuse(account, "DeleteStateMachineVersion", "ConflictException")
    account.calls.clear()
    versions = [f"{arn}:{number}" for number in range(300)]
    assert cleaning.delete_idle(Wired(account), versions, 5) == []
    assert account.calls["DeleteStateMachineVersion"] == 10
    refuse(account, "DeleteStateMachineVersion", "AccessDeniedException")
    with pytest.raises(Exception, match="AccessDenied"):
        cleaning.delete_idle(Wired(account), versions, 5)


def test_without_time_to_wait_no_deletion_is_begun(account: Account) -> None:
    arn = dormant(account)
    for _ in range(24):
        swept(account, seconds=SETTLE_SECONDS)
        account.now += HOUR
    assert account.changes == []
    assert arn in account.machines


def test_many_machines_are_waited_for_once(account: Account) -> None:
    for number in range(5):
        account.add_machine(f"many-{number}", ORDERS, {"gotostate": "resume"})
        dormant(account, f"many-{number}")
    aws = Wired(account)
    doomed = [
        cleaning.look(aws, arn, marks, now=account.now, keep=DAY) for arn, marks in cleaning.machines(aws).items()
    ]
    before = account.now
    assert len(cleaning.delete(aws, doomed, lambda: account.now)) == 5
    assert account.now - before < SETTLE_SECONDS + 10


# ---- A start that races with a deletion -------------------------------------------------------------


class Race:
    """A cleaner and a Resumer of a failure that comes while the cleaner is at work."""

    # Lambda ends the Resumer then, wherever it is (template.yaml).
    LONGEST = 30.0

    def __init__(
        self, choose: Callable[[int], int], switches: int | None, *, everything: bool = False, updated: bool = False
    ) -> None:
        self.account = account = Account()
        account.add_machine("orders", ORDERS, {"gotostate": "resume"})
        account.now += 100 * DAY
        dormant(account)
        if updated:
            # So another version is published, by one who has seen the tags.
            account.add_machine("orders", {**ORDERS, "Comment": "updated"}, {"gotostate": "resume"})
            account.now += 100
        self.everything = everything
        self.began = self.begun = account.now
        self.killed_at: int | None = None
        self.calls = 0
        self.here = World(account, self._fault, Turns(choose, switches))
        self.outcomes: list[Result] = []
        self.failed = ""

    def _fault(self, actor: str, operation: str) -> None:
        if actor == "resumer" and self.account.now - self.begun > self.LONGEST:
            raise KilledError
        if actor == "cleaner":
            self.calls += 1
            if self.account.now - self.began > DELETION_SECONDS:
                raise KilledError
            if self.killed_at is not None and self.calls >= self.killed_at:
                raise KilledError

    def clean(self) -> None:
        aws = self.here.container("cleaner").aws
        with contextlib.suppress(KilledError, ThrottledError):
            self.look_and_delete(aws)

    def look_and_delete(self, aws: StepFunctions) -> None:
        for arn, marks in cleaning.machines(aws).items():
            found = cleaning.look(aws, arn, marks, now=self.account.now, keep=30 * DAY, everything=self.everything)
            if found.stays is None:
                cleaning.delete(aws, [found], lambda: self.account.now)
            elif found.was_left:
                cleaning.restore(aws, found)

    def resume(self) -> None:
        """Let an execution fail, and deal with it as the queue does: until it is dealt with."""
        turns = self.here.turns
        assert turns
        turns.pause("resumer")
        self.failed = failed(self.account, "order-17", ago=1)
        event = self.account.event(self.failed)
        # Warm: it knows the tags and the version from before.
        memory = self.warm
        for _ in range(40):
            self.begun = self.account.now
            try:
                outcome = recovery.recover(memory, Report.from_event(event), Settings())
            except KilledError:
                memory = self.here.container("resumer")
            except Exception:  # noqa: BLE001, S110  the message comes back, whatever it is
                pass
            else:
                self.outcomes.append(outcome.outcome)
                return
            self.account.now += 180
            # The sweep's rate is a quarter of an hour here.
            if self.account.now - self.began > DELETION_SECONDS:
                self.sweep_again()

    def sweep_again(self) -> None:
        """Do what the next sweep does; whoever was at it before has reached Lambda's limit."""
        self.look_and_delete(unwatched(self.account).aws)
        self.began = self.account.now - DELETION_SECONDS - 1

    def run(self, *, warm: bool) -> None:
        self.warm = self.here.container("resumer")
        turns, self.here.turns = self.here.turns, None
        if warm:
            arn = failed(self.account, "orders-warm", ago=1)
            outcome = recovery.recover(self.warm, Report.from_event(self.account.event(arn)), Settings())
            # AWS holds nothing of it: what is known of the machine alone is left.
            del self.account.runs[str(outcome.resumed)], self.account.runs[arn]
            self.account.changes.clear()
        self.here.turns = turns
        assert turns
        turns.run({"cleaner": self.clean, "resumer": self.resume})

    def check(self) -> None:
        """One resumed execution runs, in a machine that is there, and no deletion ended one."""
        account = self.account
        account.now += 10 * DELETING_SECONDS
        account._finish_deletions()
        assert account.ended_by_deletion == [], "a deletion ended what was started"
        (run,) = account.resumed(GOTO)
        assert run.status == "RUNNING"
        assert json.loads(run.input)["resuming"]["execution"] == self.failed
        assert machine_arn(GOTO) in account.machines
        assert SOURCE_TAG in account.machines[machine_arn(GOTO)].tags
        # The other one where it was killed after its start.
        assert self.outcomes in ([Result.RESUMED], [Result.ALREADY_RESUMED])


@pytest.mark.parametrize("world", ["warm", "cold", "updated"])
def test_a_start_that_races_with_a_deletion_ends_in_a_resumed_execution(world: str) -> None:
    seen = Counter[bool]()

    def run(choose: Callable[[int], int]) -> None:
        race = Race(choose, SWITCHES, everything=world != "warm", updated=world == "updated")
        race.run(warm=world == "warm")
        race.check()
        seen[f"delete {GOTO}" in race.account.changes] += 1

    assert every_choice(run) > 100
    # Both happen: the machine is deleted and built anew, and the machine stays.
    assert seen[True]
    assert seen[False]


def test_a_cleaner_that_is_killed_anywhere_keeps_a_failure_waiting_until_the_next_sweep_at_most() -> None:
    number = 0
    while True:
        number += 1
        race = Race(lambda options: 0, 0)
        race.killed_at = number
        race.run(warm=False)
        if race.calls < number:
            break
        race.account.now += HOUR
        race.sweep_again()
        race.check()
        assert DELETING_TAG not in race.account.machines[machine_arn(GOTO)].tags
    assert number > 8
