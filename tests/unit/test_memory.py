"""What a warm function keeps: never older than it may be, and never another definition than the one that ran."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from gotostate import memory as memory_module
from gotostate.definition import Definition, Machine
from gotostate.errors import NotFoundError
from gotostate.memory import Memory
from gotostate.pace import Pace
from gotostate.report import Report
from gotostate.revisions import MARGIN_SECONDS
from gotostate.stepfunctions import Revision
from hypothesis import given, settings
from hypothesis import strategies as st

ORDERS = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:orders:"
CREATED = 1_000_000.0


def definition(number: int) -> Definition:
    state = {"Type": "Pass", "Comment": str(number), "End": True}
    return Definition.parse(json.dumps({"StartAt": "A", "States": {"A": state}}))


@dataclass
class World:
    """A machine that is updated, and AWS's answers about it, as far behind as AWS's documents allow.

    updates: when, and to which definition; the first is the creation. lag: how long an execution may still run the
    revision before; behind: how far a look may be behind. Both are drawn anew for each call from `chances`.
    """

    updates: list[tuple[float, int]]
    chances: Any
    now: float = CREATED
    calls: Counter[str] = field(default_factory=Counter)
    ran: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pace = Pace(clock=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def revision_at(self, time: float) -> int:
        """Return the number of the revision that was current."""
        return max(number for number, (made, _) in enumerate(self.updates) if made <= max(time, CREATED))

    def start(self, name: str, time: float) -> Report:
        """Start an execution on the plain ARN; right after an update it may run the revision before."""
        lag = self.chances(st.sampled_from((0.0, 2.0, MARGIN_SECONDS - 0.01)))
        self.ran[EXECUTION + name] = self.revision_at(time - lag)
        return Report(EXECUTION + name, "{}", 0, time, time + 1, on_plain_arn=True, is_event=True)

    def _revision(self, number: int) -> Revision:
        made, kind = self.updates[number]
        return Revision(Machine(ORDERS, definition(kind), {}), f"revision-{number}" if number else None, made)

    def current(self, arn: str) -> Revision:
        self.calls["current"] += 1
        behind = self.chances(st.sampled_from((0.0, 2.0, MARGIN_SECONDS - 0.01)))
        found = self._revision(self.revision_at(self.now - behind))
        # DescribeStateMachine says when a machine was created, and not when it was updated.
        return Revision(found.machine, found.id, None if found.id else CREATED)

    def revision_of(self, execution: str) -> Revision:
        self.calls["revision_of"] += 1
        return self._revision(self.ran[execution])


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_the_definition_that_ran_is_never_mistaken(data: st.DataObject) -> None:
    """Machines that are updated, updated back, and updated twice within moments, in the middle of a storm."""
    gaps = data.draw(st.lists(st.sampled_from((0.5, 2.0, 3.9, 4.1, 9.0, 30.0, 100.0)), max_size=5))
    kinds = data.draw(st.lists(st.integers(0, 2), min_size=len(gaps) + 1, max_size=len(gaps) + 1))
    times = [CREATED]
    for gap in gaps:
        times.append(times[-1] + gap)
    world = World(list(zip(times, kinds, strict=True)), data.draw)
    # Most executions start about an update, where it matters.
    about = st.tuples(st.sampled_from(times), st.sampled_from([-9, -5, -3, -1, 0, 0.1, 1, 2, 3, 3.9, 4.1, 5, 8, 30]))
    starts = sorted(max(CREATED, time + offset) for time, offset in data.draw(st.lists(about, min_size=2, max_size=20)))
    reports = [world.start(str(number), start) for number, start in enumerate(starts)]
    memory = Memory(world, clock=lambda: world.now)  # type: ignore[arg-type]
    late = data.draw(st.booleans())
    for report in data.draw(st.permutations(reports)) if late else reports:
        # It is reported a moment after it has ended, or all of them are reported after the storm.
        world.now = max(world.now + 0.1, (report.stopped or 0) + (300 if late else 0.3))
        # Somebody else tells AWS's time, and looks.
        if data.draw(st.integers(0, 3)) == 0:
            memory.has_come(world.now - data.draw(st.sampled_from((0.0, 0.9, 200.0))))
            memory.look_ahead(ORDERS)
        ran = memory.machine_that_ran(report).definition
        assert ran.text == definition(world.updates[world.ran[report.execution]][1]).text


def test_a_look_settles_all_that_started_before_it() -> None:
    world = World([(CREATED, 0), (CREATED + 50, 1)], lambda strategy: 0.0)
    reports = [world.start(str(number), CREATED + 100 + number / 10) for number in range(300)]
    memory = Memory(world, clock=lambda: world.now)  # type: ignore[arg-type]
    world.now = CREATED + 1_000
    # As they come: each report tells a later time, by which a look may be dated.
    for report in reports:
        memory.machine_that_ran(report)
    assert world.calls["revision_of"] == 1
    assert world.calls["current"] <= 20
    world.calls.clear()
    for report in reports:
        memory.machine_that_ran(report)
    assert world.calls == {}


@pytest.mark.parametrize("wrong_by", [-86_400.0, -3.0, 3.0, 86_400.0])
def test_a_clock_that_is_wrong_mistakes_no_definition(wrong_by: float) -> None:
    """Revisions are dated by AWS's clock; this computer's own counts seconds alone."""
    world = World([(CREATED, 0), (CREATED + 300, 1)], lambda strategy: 0.0)
    memory = Memory(world, clock=lambda: world.now + wrong_by)  # type: ignore[arg-type]
    for second in range(0, 600, 3):
        report = world.start(str(second), CREATED + second)
        world.now = CREATED + second + 2
        kind = world.updates[world.ran[report.execution]][1]
        assert memory.machine_that_ran(report).definition.text == definition(kind).text
    assert world.calls["revision_of"] < 20


@pytest.mark.parametrize("updates", [[(CREATED, 0)], [(CREATED, 0), (CREATED + 50, 1)]], ids=["never", "once"])
def test_one_look_settles_a_burst_of_the_past_and_nothing_waits(updates: list[tuple[float, int]]) -> None:
    """Without a time that has come, the burst's own times do not tell that it is past."""
    world = World(updates, lambda strategy: 0.0)
    reports = [world.start(str(number), CREATED + 100 + number / 100) for number in range(300)]
    memory = Memory(world, clock=lambda: world.now)  # type: ignore[arg-type]
    world.now = CREATED + 5_000
    memory.has_come(world.now)
    memory.look_ahead(ORDERS)
    for report in reversed(reports):
        assert memory.machine_that_ran(report).definition.text == definition(len(updates) - 1).text
    assert world.calls == Counter(current=1, revision_of=len(updates) - 1)
    assert world.now == CREATED + 5_000
    waiting = Memory(world, clock=lambda: world.now)  # type: ignore[arg-type]
    for report in reversed(reports):
        waiting.machine_that_ran(report)
    assert world.now > CREATED + 5_001


def test_a_look_ahead_settles_nothing_that_started_later() -> None:
    world = World([(CREATED, 0), (CREATED + 50, 1), (CREATED + 102, 2)], lambda strategy: 0.0)
    memory = Memory(world, clock=lambda: world.now)  # type: ignore[arg-type]
    world.now = CREATED + 100
    memory.has_come(world.now)
    memory.look_ahead(ORDERS)
    world.now = CREATED + 1_000
    for second, kind in ((60, 1), (95, 1), (97, 1), (103, 2), (104, 2)):
        report = world.start(str(second), CREATED + second)
        assert memory.machine_that_ran(report).definition.text == definition(kind).text


def test_a_look_ahead_waits_for_its_date() -> None:
    world = World([(CREATED, 0), (CREATED + 50, 1), (CREATED + 200, 2)], lambda strategy: 0.0)
    memory = Memory(world, clock=lambda: world.now)  # type: ignore[arg-type]
    world.now = CREATED + 1_000
    # It is not known what time it is.
    memory.look_ahead(ORDERS)
    assert not world.calls
    memory.has_come(world.now)
    memory.look_ahead(ORDERS)
    # The second revision is another one than the look has seen, so it says nothing of the look.
    for second, kind in ((100, 1), (101, 1), (300, 2), (301, 2), (299, 2)):
        report = world.start(str(second), CREATED + second)
        assert memory.machine_that_ran(report).definition.text == definition(kind).text
    assert world.calls["revision_of"] == 3
    # What is known needs no look.
    world.calls.clear()
    memory.look_ahead(ORDERS)
    assert not world.calls


@pytest.mark.parametrize("wrong_by", [-86_400.0, -3.0, 3.0, 86_400.0])
def test_looks_are_dated_by_the_newest_time_that_has_come_and_the_seconds_since(wrong_by: float) -> None:
    """Times come in any order; a look that is dated by an older one is only worth less."""
    now = CREATED + wrong_by
    memory = Memory(World([(CREATED, 0)], None), clock=lambda: now)  # type: ignore[arg-type]
    for time, expected in ((CREATED, CREATED), (CREATED - 50, CREATED), (CREATED + 2, CREATED + 2)):
        memory.has_come(time)
        assert memory._now() == expected
    now += 7
    assert memory._now() == CREATED + 9
    memory.has_come(CREATED + 8)
    assert memory._now() == CREATED + 9


def test_answers_that_contradict_each_other_are_not_used() -> None:
    """An emulator was seen to give the creation as the time of each revision."""
    world = World([(CREATED, 0), (CREATED + 100, 1)], lambda strategy: 0.0)
    truth = world._revision

    def wrong(number: int) -> Revision:
        found = truth(number)
        return Revision(found.machine, found.id, CREATED)

    world._revision = wrong  # type: ignore[method-assign]
    memory = Memory(world, clock=lambda: world.now)  # type: ignore[arg-type]
    world.now = CREATED + 1_000
    for second in (50, 150, 60, 160, 61, 161):
        report = world.start(str(second), CREATED + second)
        kind = world.updates[world.ran[report.execution]][1]
        assert memory.machine_that_ran(report).definition.text == definition(kind).text


def test_revisions_without_ids_that_differ_are_not_used() -> None:
    """An emulator may give no revisionId, and the time of the creation for each revision."""
    world = World([(CREATED, 0), (CREATED + 100, 1)], lambda strategy: 0.0)
    truth = world._revision
    world._revision = lambda number: Revision(truth(number).machine, None, CREATED)  # type: ignore[method-assign]
    memory = Memory(world, clock=lambda: world.now)  # type: ignore[arg-type]
    world.now = CREATED + 1_000
    for second in (50, 150, 250, 350):
        report = world.start(str(second), CREATED + second)
        kind = world.updates[world.ran[report.execution]][1]
        assert memory.machine_that_ran(report).definition.text == definition(kind).text


class Aws:
    """The few calls of a client, counted."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.now = CREATED
        self.machine_tags: dict[str, dict[str, str]] = {ORDERS: {"gotostate": "resume"}}
        self.all_at_once = True
        self.pace = Pace(clock=lambda: self.now)
        self.slow = False
        self.pace.is_slow = lambda operation: self.slow  # type: ignore[method-assign]

    def tags(self, machine_arn: str) -> dict[str, str]:
        self.calls["tags"] += 1
        if machine_arn not in self.machine_tags:
            raise NotFoundError("gone")
        return self.machine_tags[machine_arn]

    def tags_of_opted_in(self) -> dict[str, dict[str, str]]:
        self.calls["all tags"] += 1
        if not self.all_at_once:
            raise RuntimeError("denied")
        return {arn: tags for arn, tags in self.machine_tags.items() if "gotostate" in tags}

    def machine(self, arn: str) -> Machine | None:
        self.calls["machine"] += 1
        return Machine(arn, definition(1), {})

    def revision_of(self, execution: str) -> Revision:
        self.calls["revision_of"] += 1
        return Revision(Machine(ORDERS, definition(1), {}), None, CREATED)


@pytest.fixture
def aws() -> Aws:
    return Aws()


def remembering(aws: Aws) -> Memory:
    return Memory(aws, clock=lambda: aws.now)  # type: ignore[arg-type]


def test_of_a_machine_that_is_gone_a_look_ahead_keeps_nothing(aws: Aws) -> None:
    aws.current = lambda arn: None  # type: ignore[attr-defined]
    memory = remembering(aws)
    memory.has_come(aws.now)
    memory.look_ahead(ORDERS)
    assert not memory._revisions


def test_tags_are_kept_for_a_minute_and_no_longer(aws: Aws) -> None:
    memory = remembering(aws)
    for _ in range(3):
        aws.now += 19
        assert memory.tags(ORDERS) == {"gotostate": "resume"}
    assert aws.calls["tags"] == 1
    aws.machine_tags[ORDERS] = {"gotostate": "off"}
    aws.now += 61 - 38
    assert memory.tags(ORDERS) == {"gotostate": "off"}


def test_that_a_machine_has_no_tags_or_does_not_exist_is_kept_too(aws: Aws) -> None:
    memory = remembering(aws)
    aws.machine_tags = {ORDERS: {}}
    for _ in range(3):
        assert memory.tags(ORDERS) == {}
        with pytest.raises(NotFoundError):
            memory.tags(ORDERS + "-gone")
    assert aws.calls["tags"] == 2


def test_where_tags_are_throttled_all_are_read_at_once(aws: Aws) -> None:
    memory = remembering(aws)
    aws.slow = True
    aws.machine_tags |= {f"{ORDERS}-{number}": {"gotostate": "resume"} for number in range(200)}
    for number in range(200):
        assert memory.tags(f"{ORDERS}-{number}") == {"gotostate": "resume"}
    assert aws.calls == {"all tags": 1}
    aws.now += 61
    aws.machine_tags[f"{ORDERS}-7"]["gotostate"] = "off"
    assert memory.tags(f"{ORDERS}-7") == {"gotostate": "off"}


def test_a_machine_that_is_not_among_them_has_no_tag_unless_it_was_tagged_just_now(aws: Aws) -> None:
    memory = remembering(aws)
    aws.slow = True
    aws.machine_tags[ORDERS + "-new"] = {"gotostate": "resume"}
    shown = {ORDERS: aws.machine_tags[ORDERS]}
    aws.tags_of_opted_in = lambda: shown  # type: ignore[method-assign]
    # The index may be behind: within a minute after the failure the machine itself is asked.
    assert memory.tags(ORDERS + "-new", failed_at=aws.now - 50) == {"gotostate": "resume"}
    assert memory.tags(ORDERS + "-other", failed_at=aws.now - 61) == {}
    assert aws.calls["tags"] == 1


def test_where_all_tags_cannot_be_read_each_machine_is_asked(aws: Aws) -> None:
    memory = remembering(aws)
    aws.slow, aws.all_at_once = True, False
    assert memory.tags(ORDERS, failed_at=aws.now - 1_000) == {"gotostate": "resume"}
    assert aws.calls == {"all tags": 1, "tags": 1}


def test_tags_that_somebody_read_at_once_are_kept_for_a_minute_and_no_longer(aws: Aws) -> None:
    memory = remembering(aws)
    aws.machine_tags |= {ORDERS + "-other": {"gotostate": "prepare"}, ORDERS + "-untagged": {}}
    assert memory.tags_of_opted_in() == {ORDERS: {"gotostate": "resume"}, ORDERS + "-other": {"gotostate": "prepare"}}
    aws.machine_tags[ORDERS] = {"gotostate": "off"}
    aws.now += 59
    assert memory.tags(ORDERS) == {"gotostate": "resume"}
    assert memory.tags(ORDERS + "-other") == {"gotostate": "prepare"}
    assert aws.calls == {"all tags": 1}
    aws.now += 2
    assert memory.tags(ORDERS) == {"gotostate": "off"}
    # Who asks is given what AWS says now.
    memory.tags_of_opted_in()
    assert aws.calls == {"all tags": 2, "tags": 1}


def test_what_was_not_read_at_once_is_asked_for_unless_it_may_count_as_untagged(aws: Aws) -> None:
    memory = remembering(aws)
    memory.tags_of_opted_in()
    aws.machine_tags[ORDERS + "-new"] = {"gotostate": "resume"}
    assert memory.tags(ORDERS + "-new", failed_at=aws.now - 61) == {"gotostate": "resume"}
    # Where AWS throttles that question, by the rule that holds there; all were read a moment ago.
    aws.slow = True
    assert memory.tags(ORDERS + "-other", failed_at=aws.now - 61) == {}
    assert aws.calls == {"all tags": 1, "tags": 1}


def test_a_reading_of_all_tags_that_failed_proves_nothing(aws: Aws) -> None:
    memory = remembering(aws)
    memory.tags_of_opted_in()
    aws.now += 1_000
    aws.machine_tags[ORDERS + "-new"] = {"gotostate": "resume"}
    aws.slow, aws.all_at_once = True, False
    with pytest.raises(RuntimeError, match="denied"):
        memory.tags_of_opted_in()
    assert memory.tags(ORDERS + "-new", failed_at=aws.now - 1_100) == {"gotostate": "resume"}


def test_a_version_is_read_once_and_kept(aws: Aws) -> None:
    memory = remembering(aws)
    for number in range(3):
        memory.machine_that_ran(Report(f"{EXECUTION}{number}", version=f"{ORDERS}:7", started=aws.now))
    assert aws.calls == {"machine": 1}


@pytest.mark.parametrize(("on_plain_arn", "started"), [(False, CREATED), (True, None)])
def test_where_the_report_does_not_say_what_was_started_each_execution_is_asked_about(
    aws: Aws, on_plain_arn: bool, started: float | None
) -> None:
    memory = remembering(aws)
    aws.now += 1_000
    for number in range(3):
        memory.machine_that_ran(Report(f"{EXECUTION}{number}", started=started, on_plain_arn=on_plain_arn))
    assert aws.calls == {"revision_of": 3}


def test_definitions_are_dropped_before_they_fill_the_memory(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "_MOST_DEFINITION_CHARACTERS", 10 * len(definition(1).text))
    memory = remembering(aws)
    for number in range(100):
        memory.machine_that_ran(Report(f"{EXECUTION}{number}", version=f"{ORDERS}:{number}", started=aws.now))
    assert len(memory._versions) == 10
