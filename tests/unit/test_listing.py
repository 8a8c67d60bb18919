"""Failures that are joined from listings, rows that are counted, and the machines and times that are meant."""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from gotostate import awsclock, chains, listing, listreader, sources
from gotostate.chains import Listed
from gotostate.cli import selection
from gotostate.errors import NotFoundError
from gotostate.executions import ListedExecution
from gotostate.memory import Memory
from gotostate.resumption import execution_name, machine_name, source_tag
from gotostate.rows import Row, Status
from gotostate.stepfunctions import StepFunctions
from hypothesis import given, settings
from hypothesis import strategies as st

PREFIX = "arn:aws:states:eu-west-1:123456789012"
NOW = 1_780_000_000.0
HOUR, DAY = 3_600.0, 86_400.0


def machine(name: str) -> str:
    return f"{PREFIX}:stateMachine:{name}"


@dataclass
class Account(StepFunctions):
    """Listings, newest first: by the start or, where by_end, as AWS's newer documents say; read counts items."""

    source: str = "orders"
    by_end: bool = False
    found: list[ListedExecution] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    read: int = 0
    existing: tuple[str, ...] = ("orders", "orders-with-GoToState")

    def executions(self, machine_arn: str, status: str | None = None) -> Iterator[ListedExecution]:
        name = machine_arn.rpartition(":")[2]
        self.asked.append((name, status))
        if name not in self.existing:
            raise NotFoundError(name)
        mine = [one for one in self.found if one.arn.split(":")[6] == name and status in (None, one.status)]
        for one in sorted(mine, key=self._time, reverse=True):
            self.read += 1
            yield one

    def _time(self, one: ListedExecution) -> float:
        if not self.by_end:
            return one.started or 0
        return one.redriven or one.started or 0 if one.status == "RUNNING" else one.stopped or 0

    def add(self, name: str, status: str, started: float, *, resumed: bool = False, **more: float) -> ListedExecution:
        """Add an execution that ran for a second; started, and the times in more: seconds before NOW."""
        host = machine_name(self.source) if resumed else self.source
        times = {key: value if key == "redrive_count" else NOW - value for key, value in more.items()}
        if status != "RUNNING":
            times.setdefault("stopped", NOW - started + 1)
        one = ListedExecution(f"{PREFIX}:execution:{host}:{name}", status, NOW - started, **times)  # type: ignore[arg-type]
        self.found.append(one)
        return one

    def resume(
        self,
        failed: ListedExecution,
        attempt: int,
        status: str,
        started: float,
        original: str = "order-1",
        end: int = 9,
    ) -> ListedExecution:
        name = execution_name(original, failed.arn, end, attempt)
        return self.add(name, status, started, resumed=True)

    def failures(self, since: float = DAY, until: float | None = None, **options: float) -> list[Listed]:
        before = None if until is None else NOW - until
        return listreader.failures(self, machine(self.source), since=NOW - since, until=before, **options)


def shown(listed: Listed) -> list[tuple[str, str, int]]:
    return [(link.execution.rpartition(":")[2], link.status, link.attempt) for link in listed.chain]


def test_a_failure_that_nothing_resumed() -> None:
    account = Account()
    failed = account.add("order-1", "FAILED", HOUR)
    (listed,) = account.failures()
    assert (listed.machine, listed.original, listed.failed_at) == (machine("orders"), failed.arn, NOW - HOUR + 1)
    assert shown(listed) == [("order-1", "FAILED", 0)]
    assert not listed.is_resolved
    assert listed.newest is listed.newest_failed is listed.chain[0]


@pytest.mark.parametrize("original", ["order-1", "o" * 54, "o" * 55, "o" * 80, "a-resume-1-0123456789abcdef"])
@pytest.mark.parametrize("source", ["orders", "s" * 80])
def test_a_chain_is_one_failure(original: str, source: str) -> None:
    account = Account(source=source, existing=(source, machine_name(source)))
    failed = account.add(original, "TIMED_OUT", 9_000)
    first = account.resume(failed, 1, "FAILED", 8_000, original)
    second = account.resume(first, 2, "ABORTED", 7_000, original)
    third = account.resume(second, 3, "SUCCEEDED", 6_000, original)
    other = account.add("another", "FAILED", 9_000)
    found = {listed.original: listed for listed in account.failures()}
    assert set(found) == {failed.arn, other.arn}
    assert [link.execution for link in found[failed.arn].chain] == [failed.arn, first.arn, second.arn, third.arn]
    assert [link.attempt for link in found[failed.arn].chain] == [0, 1, 2, 3]
    assert found[failed.arn].newest.execution == third.arn
    assert found[failed.arn].newest_failed == found[failed.arn].chain[2]
    assert found[failed.arn].is_resolved


def test_tenth_attempts_of_names_that_were_cut() -> None:
    account, name = Account(), "o" * 80
    newest = original = account.add(name, "FAILED", 9_000)
    for attempt in range(1, 13):
        newest = account.resume(newest, attempt, "FAILED", 9_000 - 100 * attempt, name)
    (listed,) = account.failures()
    assert listed.original == original.arn
    assert [link.attempt for link in listed.chain] == list(range(13))


@pytest.mark.parametrize("by_end", [False, True])
def test_what_started_long_ago_and_failed_lately_is_found(by_end: bool) -> None:
    account = Account(by_end=by_end)
    account.add("old", "FAILED", 300 * DAY, stopped=HOUR)
    account.add("gone", "FAILED", 3 * DAY)
    account.add("late", "FAILED", 3 * HOUR)
    assert sorted(shown(listed)[0][0] for listed in account.failures()) == ["late", "old"]
    assert [shown(listed)[0][0] for listed in account.failures(until=2 * HOUR)] == ["late"]


def test_a_resume_that_failed_lately_brings_its_chain() -> None:
    account = Account()
    failed = account.add("order-1", "FAILED", 3 * DAY)
    account.resume(failed, 1, "FAILED", HOUR)
    (listed,) = account.failures()
    assert listed.failed_at == NOW - 3 * DAY + 1
    assert not account.failures(since=HOUR / 2)


def test_paging_ends_where_nothing_can_matter_any_more() -> None:
    account = Account()
    for days in range(1, 400):
        account.add(f"order-{days}", "FAILED", days * DAY)
    account.failures()
    assert account.read == 368
    account.read = 0
    account.failures(longest=5 * DAY)
    assert account.read == 7


@pytest.mark.parametrize("by_end", [False, True])
def test_resumes_that_succeeded_before_the_time_are_left_after_a_page(by_end: bool) -> None:
    """Those that failed, were stopped or run on are found all the same, however long ago they were started."""
    account = Account(by_end=by_end)
    for number in range(5_000):
        original = account.add(f"o-{number}", "FAILED", 2 * DAY + number)
        account.resume(original, 1, "SUCCEEDED", 2 * DAY + number - 10, f"o-{number}")
    expected = set()
    for name, status, times in (
        ("failed", "FAILED", {"stopped": HOUR}),
        ("stopped", "ABORTED", {"stopped": HOUR}),
        ("timed-out", "TIMED_OUT", {"stopped": HOUR}),
        ("runs", "RUNNING", {"redriven": HOUR, "redrive_count": 1}),
    ):
        original = account.add(name, "FAILED", 20 * DAY)
        resume = execution_name(name, original.arn, 9, 1)
        account.add(resume, status, 19 * DAY, resumed=True, **times)
        expected.add((name, status))
    fresh = account.add("fresh", "FAILED", HOUR)
    account.resume(fresh, 1, "SUCCEEDED", HOUR - 10, "fresh")
    expected.add(("fresh", "SUCCEEDED"))
    account.read = 0
    found = account.failures()
    assert {(shown(listed)[0][0], listed.newest.status) for listed in found} == expected
    assert all(len(listed.chain) == 2 for listed in found)
    assert account.read < 5_000 + 1_000 + 50


@pytest.mark.parametrize("by_end", [False, True])
def test_resumes_that_ran_long_do_not_hide_those_of_the_time(by_end: bool) -> None:
    account = Account(by_end=by_end)
    for number in range(1_500):
        original = account.add(f"o-{number}", "FAILED", 3 * DAY + number)
        account.add(execution_name(f"o-{number}", original.arn, 9, 1), "SUCCEEDED", 2 * DAY, resumed=True, stopped=HOUR)
    fresh = account.add("fresh", "FAILED", 21 * HOUR)
    account.resume(fresh, 1, "SUCCEEDED", 20 * HOUR, "fresh")
    assert [listed.newest.status for listed in account.failures()] == ["SUCCEEDED"]


@pytest.mark.parametrize("count", [999, 1_000, 1_001])
def test_a_short_listing_of_resumes_is_read_in_one_go(count: int) -> None:
    account = Account()
    for number in range(count):
        account.add(f"resume-{number}", "SUCCEEDED", 2 * DAY + number, resumed=True)
    account.failures()
    asked = [status for name, status in account.asked if name == "orders-with-GoToState"]
    assert asked == [None] if count < 1_000 else [None, "RUNNING", "FAILED", "TIMED_OUT", "ABORTED"]


def test_a_redriven_original_that_failed_again() -> None:
    """Its resumes differ in the last eight characters, as it ended twice."""
    account = Account()
    failed = account.add("order-1", "FAILED", 9_000, stopped=5_000, redrive_count=1, redriven=6_000)
    account.resume(failed, 1, "FAILED", 8_000, end=9)
    second = account.resume(failed, 1, "RUNNING", 4_000, end=15)
    (listed,) = account.failures()
    assert [attempt for _, _, attempt in shown(listed)] == [0, 1, 1]
    assert listed.newest.execution == second.arn
    assert listed.newest_failed == listed.chain[0]
    assert listed.failed_at == NOW - 6_000


def test_a_redriven_original_that_runs() -> None:
    account = Account()
    failed = account.add("order-1", "RUNNING", 9_000, redrive_count=1, redriven=6_000)
    account.add("order-2", "RUNNING", 8_000)
    account.resume(failed, 1, "FAILED", 8_000)
    (listed,) = account.failures()
    assert listed.newest.execution == failed.arn
    assert (listed.newest.status, listed.newest.redrives, listed.failed_at) == ("RUNNING", 1, NOW - 6_000)
    assert not account.failures(since=5_000)


def test_an_original_that_a_redrive_made_succeed_follows_from_the_name_of_its_resume() -> None:
    account = Account()
    for number, name in enumerate(("order-1", "o" * 55)):
        original = account.add(name, "SUCCEEDED", 9_000 - number, redrive_count=1, redriven=6_000)
        first = account.resume(original, 1, "FAILED", 8_000 - number, name)
        account.resume(first, 2, "SUCCEEDED", 7_000 - number, name)
    cut, told = account.failures()
    assert (told.is_cut, told.original) == (True, f"{PREFIX}:execution:orders:order-1")
    assert [attempt for _, _, attempt in shown(told)] == [1, 2]
    assert told.failed_at == NOW - 8_000
    # Where the name was cut, the input of the resume has to be asked.
    assert cut.original == cut.chain[0].execution


def test_aborted_originals_are_listed_if_somebody_resumed_them() -> None:
    account = Account()
    account.add("order-0", "ABORTED", 9_000)
    failed = account.add("order-2", "FAILED", 9_000)
    account.resume(failed, 1, "RUNNING", 8_000, "order-2")
    assert [listed.original for listed in account.failures()] == [failed.arn]
    assert ("orders", "ABORTED") not in account.asked
    aborted = account.add("order-1", "ABORTED", 9_000)
    account.resume(aborted, 1, "RUNNING", 8_000)
    found = {listed.original: listed for listed in account.failures()}
    assert set(found) == {failed.arn, aborted.arn}
    assert [status for _, status, _ in shown(found[aborted.arn])] == ["ABORTED", "RUNNING"]


def test_names_tell_apart_what_a_short_hash_may_not() -> None:
    account = Account()
    failed = account.add("order-1", "FAILED", 9_000)
    resume = account.resume(failed, 1, "SUCCEEDED", 8_000)
    name = resume.arn.rpartition(":")[2]
    for other in (name.replace("order-1", "order-2"), name.replace("-resume-1-", "-resume-2-")):
        account.add(other, "FAILED", 8_000, resumed=True)
    found = {listed.original: listed for listed in account.failures()}
    assert [link.execution for link in found[failed.arn].chain] == [failed.arn, resume.arn]
    assert len(found) == 3


def test_what_was_begun_at_the_console_is_an_original() -> None:
    account = Account()
    failed = account.add("by-hand", "FAILED", 9_000, resumed=True)
    account.add("by-hand-too", "SUCCEEDED", 9_000, resumed=True)
    account.add("by-hand-yet", "RUNNING", 9_000, resumed=True)
    # Begun with the input of another resume, so the chain goes on with that one's names.
    copied = account.add("copied", "FAILED", 9_000, resumed=True)
    first = account.resume(failed, 1, "SUCCEEDED", 8_000, "by-hand")
    second = account.resume(copied, 2, "FAILED", 8_000, "order-1")
    third = account.resume(second, 3, "RUNNING", 7_000, "order-1")
    found = {listed.original: [link.execution for link in listed.chain] for listed in account.failures()}
    assert found == {failed.arn: [failed.arn, first.arn], copied.arn: [copied.arn, second.arn, third.arn]}


def test_a_source_or_a_gotostate_machine_that_does_not_exist() -> None:
    account = Account()
    failed = account.add("order-1", "FAILED", 9_000)
    first = account.resume(failed, 1, "FAILED", 8_000)
    account.existing = ("orders",)
    assert [len(listed.chain) for listed in account.failures()] == [1]
    account.existing = ("orders-with-GoToState",)
    (listed,) = account.failures()
    assert (listed.original, [link.execution for link in listed.chain]) == (failed.arn, [first.arn])
    account.existing = ()
    with pytest.raises(NotFoundError, match="orders does not exist"):
        account.failures()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["FAILED", "TIMED_OUT"])), max_size=30))
def test_any_forest_of_resumes_is_joined(drawn: list[tuple[int, str]]) -> None:
    """Each execution is a new original, or resumes an earlier one at another end."""
    account = Account()
    trees: dict[str, set[str]] = {}
    made: list[tuple[ListedExecution, str, int, str]] = []
    for number, (choice, status) in enumerate(drawn):
        started = 9_000.0 - number
        if choice >= len(made):
            name = f"order-{number}"
            one, attempt, root = account.add(name, status, started), 0, ""
        else:
            failed, name, attempt, root = made[choice]
            attempt += 1
            one = account.resume(failed, attempt, status, started, name, end=number)
        root = root or one.arn
        trees.setdefault(root, set()).add(one.arn)
        made.append((one, name, attempt, root))
    account.found.reverse()
    assert {listed.original: {link.execution for link in listed.chain} for listed in account.failures()} == trees


# ---- Rows -------------------------------------------------------------------------------------------


def row(**fields: object) -> Row:
    arn = f"{PREFIX}:execution:orders:order-1"
    plain = Row(machine("orders"), arn, arn, (), NOW, Status.OPEN, "Charge", "Down", None, 0, 5, None, (), None)
    return replace(plain, **fields)  # type: ignore[arg-type]


def test_groups_count_by_machine_state_and_error() -> None:
    found = [
        row(failed_at=3.0),
        row(failed_at=1.0, status=Status.RECOVERED),
        row(failed_at=2.0),
        row(failed_at=9.0, error=None),
        row(failed_at=8.0, machine=machine("refunds")),
    ]
    assert [(group.machine.rpartition(":")[2], group.error, group.count) for group in listing.groups(found)] == [
        ("orders", "Down", 3),
        ("orders", None, 1),
        ("refunds", "Down", 1),
    ]
    assert (listing.groups(found)[0].first, listing.groups(found)[0].last) == (1.0, 3.0)


def listed(status: str, name: str = "orders", region: str = "eu-west-1") -> Listed:
    arn = f"arn:aws:states:{region}:123456789012:execution:{name}:order-1"
    links = [chains.Link(arn, "FAILED", NOW, NOW + 1, 0), chains.Link(arn + "-1", status, NOW + 2, None, 1)]
    return Listed(f"arn:aws:states:{region}:123456789012:stateMachine:{name}", arn, tuple(links))


def test_what_listings_alone_tell_is_counted_by_machine() -> None:
    found = [listed("ABORTED", "few"), listed("RUNNING"), listed("SUCCEEDED"), listed("SUCCEEDED"), listed("TIMED_OUT")]
    counted = listing.counts(found)
    assert list(counted) == [machine("orders"), machine("few")]
    assert counted[machine("orders")] == {Status.RECOVERED: 2, Status.RUNNING: 1, Status.OPEN: 1}
    assert counted[machine("few")] == {Status.OPEN: 1}


@pytest.mark.parametrize(
    ("status", "region", "count", "seconds"),
    [
        ("FAILED", "eu-west-1", 0, 0),
        ("FAILED", "eu-west-1", 300, 0),
        ("FAILED", "eu-west-1", 10_000, 9_700 / 15),
        ("RUNNING", "eu-central-1", 10_000, 9_750 / 10),
        ("SUCCEEDED", "eu-central-1", 10_000, 9_600 / 20),
    ],
)
def test_how_long_a_look_takes_at_the_quotas(status: str, region: str, count: int, seconds: float) -> None:
    assert listing.seconds_to_look_at([listed(status, region=region)] * count) == seconds


def test_only_what_has_recovered_is_resolved() -> None:
    assert [status for status in Status if status.is_resolved] == [Status.RECOVERED]


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Fri, 20 Nov 2026 03:00:00 GMT", datetime(2026, 11, 20, 3, tzinfo=UTC).timestamp()),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_when_aws_answered(date: str | None, expected: float | None) -> None:
    headers = {} if date is None else {"date": date}
    assert awsclock.answered_at({"ResponseMetadata": {"HTTPHeaders": headers}}) == expected
    assert awsclock.answered_at({}) is None


# ---- Machines ---------------------------------------------------------------------------------------


class Machines(StepFunctions):
    def __init__(self, *names: str, tags: dict[str, dict[str, str]] | None = None) -> None:
        super().__init__()
        self.names, self.tags_by_name = names, tags or {}

    def standard_machines(self) -> Iterator[str]:
        return map(machine, self.names)

    def tags(self, arn: str) -> dict[str, str]:
        return self.tags_by_name[arn.rpartition(":")[2]]

    def tags_of_opted_in(self) -> dict[str, dict[str, str]]:
        return {machine(name): tags for name, tags in self.tags_by_name.items()}


def test_machines_are_named_with_asterisks_and_gotostate_machines_mean_their_sources() -> None:
    long = "s" * 80
    aws = Machines("orders", "orders-with-GoToState", "refunds", "gone-with-GoToState", long, machine_name(long))
    everything = [machine(name) for name in ("gone", "orders", "refunds", long)]
    assert sources.named(aws, ["*"]) == everything
    assert sources.named(aws, ["*-with-GoToState"]) == [machine("gone"), machine("orders"), machine(long)]
    assert sources.named(aws, ["refunds", "or*"]) == [machine("orders"), machine("refunds")]
    with pytest.raises(NotFoundError, match="no Standard state machine is named 'ordres'"):
        sources.named(aws, ["orders", "ordres"])


def test_arns_need_no_listing_of_the_machines() -> None:
    arns = [machine("b"), machine("a-with-GoToState")]
    aws = Machines()
    aws.standard_machines = pytest.fail  # type: ignore[method-assign]
    assert sources.named(aws, arns) == [machine("a"), machine("b")]


def test_the_arn_of_a_gotostate_machine_with_a_cut_name_means_its_source() -> None:
    name = "a" * 70
    cut = machine_name(name)
    aws = Machines(tags={cut: {"gotostate:source": source_tag(machine(name))}})
    assert sources.named(aws, [machine(cut)]) == [machine(name)]


def test_names_of_machines_with_the_tag_need_no_listing_of_the_machines() -> None:
    tags = {
        "orders": {"gotostate": "off"},
        "orders-with-GoToState": {"gotostate": "resume", "gotostate:source": source_tag(machine("orders"))},
    }
    aws = Machines("refunds", "orders", tags=tags)
    assert sources.named(aws, ["refunds", "orders"], Memory(aws)) == [machine("orders"), machine("refunds")]
    aws.standard_machines = pytest.fail  # type: ignore[method-assign]
    assert sources.named(aws, ["orders"], Memory(aws)) == [machine("orders")]
    assert sources.named(aws, ["orders-with-GoToState", machine("b")], Memory(aws)) == [machine("b"), machine("orders")]


def test_tags_that_were_read_at_once_are_kept() -> None:
    tags = {"orders": {"gotostate": "resume", "team": "a"}, "refunds": {"gotostate": "off"}}
    aws = Machines(tags=tags)
    aws.tags = pytest.fail  # type: ignore[assignment, method-assign]
    memory = Memory(aws)
    assert sources.opted_in(aws, memory) == [machine("orders")]
    assert [memory.tags(machine(name)) for name in tags] == list(tags.values())


def test_machines_that_have_opted_in() -> None:
    tags = {
        "orders": {"gotostate": "resume"},
        "orders-with-GoToState": {"gotostate": "resume", "gotostate:source": source_tag(machine("orders"))},
        "gone-with-GoToState": {"gotostate": "prepare", "gotostate:source": source_tag(machine("gone"))},
        "refunds": {"gotostate": "off"},
        "bills": {"gotostate": "prepare"},
    }
    assert sources.opted_in(Machines(tags=tags)) == [machine("bills"), machine("gone"), machine("orders")]


# ---- Options ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", NOW - 1_800),
        ("2h", NOW - 7_200),
        ("7d", NOW - 7 * DAY),
        ("45s", NOW - 45),
        ("2026-11-20T03:00Z", datetime(2026, 11, 20, 3, tzinfo=UTC).timestamp()),
        ("2026-11-20T03:00+02:00", datetime(2026, 11, 20, 1, tzinfo=UTC).timestamp()),
        ("2026-11-20T03:00", datetime(2026, 11, 20, 3).astimezone().timestamp()),
        ("2026-11-20", datetime(2026, 11, 20).astimezone().timestamp()),
        ("yesterday", None),
        ("2 h", None),
        ("-2h", None),
        ("2026-13-01", None),
        ("", None),
        ("0001-01-01T00:00", None),
        ("٣h", None),
    ],
)
def test_times(text: str, expected: float | None) -> None:
    assert selection.time_of(text, NOW) == expected


def test_local_times_are_in_the_time_zone_of_the_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    try:
        monkeypatch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        assert selection.time_of("2026-11-20T03:00", NOW) == datetime(2026, 11, 19, 21, 30, tzinfo=UTC).timestamp()
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"since": "soon"}, "--since is 'soon'; give how long ago, as 30m, 2h or 7d"),
        ({"until": "soon"}, "--until is 'soon'; give how long ago"),
        ({"since": "1h", "until": "2h"}, "--since is not before --until"),
        ({"since": "2999-01-01"}, "--since is not before --until, or not in the past"),
        ({"error": ""}, "--error is empty"),
        ({"state_machine": [""]}, "--state-machine is empty"),
        ({"state_machine": [f"{PREFIX}:execution:orders:order-1"]}, "not the ARN of a state machine"),
        ({"state_machine": [machine("orders") + ":1"]}, "not the ARN of a state machine"),
        ({"state_machine": [machine("orders")], "region": "eu-west-2"}, "name eu-west-1 and eu-west-2"),
    ],
)
def test_what_is_wrong_with_the_options(options: dict[str, object], said: str) -> None:
    plain = {"error": None, "state": None, "region": None, "profile": None, "since": "24h", "until": None}
    assert selection.check_options(Namespace(**plain, state_machine=None), NOW) is None
    message = selection.check_options(Namespace(**{**plain, "state_machine": None, **options}), NOW)
    assert message
    assert said in message
