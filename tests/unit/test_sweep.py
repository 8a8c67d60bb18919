"""What a sweep looks for and which machines are not needed, decided from facts alone."""

import pytest
import sweeper
from fake_account import execution_arn, machine_arn
from gotostate import housekeeping, report, sweep
from gotostate.chains import Link, Listed
from gotostate.errors import SettingsError
from gotostate.executions import ListedExecution
from gotostate.housekeeping import DELETING_TAG, DELETION_SECONDS, Built, Marks, Use, deleting_tag
from gotostate.resumption import SOURCE_TAG, source_tag
from gotostate.sweep import WAIT_SECONDS, missed, rate_seconds, window

NOW = 1_777_600_000.0
HOUR, DAY = 3_600.0, 86_400.0
ORDER = execution_arn("orders", "order-17")
ORDERS, GOTO = machine_arn("orders"), machine_arn("orders-with-GoToState")


# ---- What is swept ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"), [("rate(1 hour)", HOUR), ("rate(15 minutes)", 900), ("rate(2 days)", 2 * DAY)]
)
def test_the_rate_of_a_schedule_is_read(text: str, seconds: float) -> None:
    assert rate_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "rate(0 hours)", "rate(hour)", "cron(0 * * * ? *)", "off", "rate(1 hour) "])
def test_another_rate_is_refused_with_the_parameters_name(text: str) -> None:
    with pytest.raises(SettingsError, match="SweepRate"):
        rate_seconds(text)


@pytest.mark.parametrize("text", ["", "a month", "-1", "1.5", "\u0663", "9" * 10])
def test_another_number_of_days_is_refused_with_the_parameters_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("KEEP_DAYS", text)
    with pytest.raises(SettingsError, match="KeepDays"):
        sweeper._keep_days()


@pytest.mark.parametrize("rate", [60.0, 900.0, HOUR, 6 * HOUR, DAY])
def test_one_sweep_fails_and_the_next_is_late_and_nothing_falls_between(rate: float) -> None:
    """A sweep at T, none at T + rate, and one that comes a whole rate too late, meet."""
    earlier, later = window(NOW, rate), window(NOW + 2 * rate + rate, rate)
    assert later[0] <= earlier[1]
    assert earlier[1] == NOW - WAIT_SECONDS
    # A short rate leaves time for what stops several sweeps.
    assert later[1] - later[0] >= HOUR


def link(
    status: str = "FAILED", stopped: float | None = NOW, attempt: int = 0, arn: str = ORDER, redrives: int = 0
) -> Link:
    started = NOW - 60 + attempt
    return Link(arn, status, started, stopped, attempt, redrives, NOW - 30 if redrives else None)


def found(*chain: Link, dealt_with: sweep.Outcomes | None = None) -> list[str]:
    listed = [Listed(ORDERS, ORDER, chain)]
    return [one.execution for one in missed(listed, NOW - HOUR, NOW + 1, dealt_with or {})]


def test_what_nothing_has_dealt_with_is_missed() -> None:
    assert found(link()) == [ORDER]
    assert found(link("TIMED_OUT")) == [ORDER]
    resumed = execution_arn("orders-with-GoToState", "order-17-resume-1-0123456789abcdef")
    assert found(link(), link(attempt=1, arn=resumed)) == [resumed]


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE", "SUCCEEDED", "ABORTED"])
def test_what_runs_or_succeeded_or_was_stopped_is_left(status: str) -> None:
    stopped = None if status in ("RUNNING", "PENDING_REDRIVE") else NOW
    assert found(link(), link(status, stopped, 1)) == []
    assert found(link(status, stopped, redrives=1)) == []


@pytest.mark.parametrize("stopped", [NOW - HOUR - 1, NOW + 1, NOW + 60])
def test_what_failed_at_another_time_is_left(stopped: float) -> None:
    assert found(link(stopped=stopped)) == []


@pytest.mark.parametrize("outcome", ["prepared", "gave up", "skipped", "waiting", "already resumed", "swept"])
def test_what_was_dealt_with_or_swept_is_left(outcome: str) -> None:
    assert found(link(), dealt_with={ORDER: {outcome: NOW + 1}}) == []


@pytest.mark.parametrize("outcome", ["resumed", "redriven"])
def test_a_resume_that_listings_do_not_show_was_lost(outcome: str) -> None:
    assert found(link(), dealt_with={ORDER: {outcome: NOW + 1}}) == [ORDER]
    assert found(link(), dealt_with={ORDER: {outcome: NOW + 1, "swept": NOW + 2}}) == []


def test_what_was_logged_of_the_failure_before_a_redrive_counts_for_nothing() -> None:
    assert found(link(redrives=1), dealt_with={ORDER: {"prepared": NOW - 40}}) == [ORDER]


def test_the_message_is_an_event_of_one_failure_that_names_nobody() -> None:
    assert report.request(ORDER, None, redrives=2) == {
        "source": "gotostate",
        "detail-type": "Recovery Requested",
        "detail": {"executionArn": ORDER, "redriveCount": 2},
    }


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7, 100])
def test_each_machine_is_in_the_first_third_of_one_of_the_sweeps_that_see_a_failure(count: int) -> None:
    machines = [str(number) for number in range(count)]
    first: set[str] = set()
    for number in range(sweep.SWEEPS):
        turn = sweep.in_turn(machines, NOW + number * HOUR, HOUR)
        assert sorted(turn) == sorted(machines)
        first |= set(turn[: -(-count // sweep.SWEEPS)])
    assert first == set(machines)


# ---- What is not needed any more --------------------------------------------------------------------


MARKS = Marks.of(GOTO, {SOURCE_TAG: source_tag(ORDERS)})


def built(marks: Marks = MARKS, *runs: ListedExecution, created: float = NOW - 100 * DAY, **more: bool) -> Built:
    use = Use()
    for run in runs:
        use.add(run)
    facts = {"has_router": True, "is_deleting": False} | more
    return Built(marks, facts["has_router"], facts["is_deleting"], created, use, facts.get("source_has_failures"))


def ran(status: str = "SUCCEEDED", ago: float = 31 * DAY, version: str | None = None) -> ListedExecution:
    stopped = None if status in ("RUNNING", "PENDING_REDRIVE") else NOW - ago
    return ListedExecution(f"{GOTO}:{ago}", status, NOW - 90 * DAY, stopped, version=version)


def stays(given: Built, *, everything: bool = False) -> str | None:
    return housekeeping.stays(given, now=NOW, keep=30 * DAY, everything=everything)


def test_what_has_not_run_for_so_long_is_not_needed() -> None:
    assert stays(built()) is None
    assert stays(built(MARKS, ran())) is None


@pytest.mark.parametrize(
    ("given", "why", "for_ever"),
    [
        (built(Marks.of(GOTO, {})), "somebody else's", True),
        (built(Marks.of(GOTO, {SOURCE_TAG: source_tag(machine_arn("bills"))})), "somebody else's", True),
        (built(has_router=False), "somebody else has changed it", True),
        (built(is_deleting=True), "AWS is deleting it", True),
        (built(Marks.of(GOTO, {DELETING_TAG: deleting_tag(source_tag(ORDERS), NOW - 60)})), "somebody is", True),
        (built(MARKS, ran("RUNNING")), "runs or waits", True),
        (built(MARKS, ran("PENDING_REDRIVE")), "runs or waits", True),
        (built(MARKS, ran(), ran(ago=29 * DAY), ran()), "it ran recently", False),
        (built(created=NOW - 29 * DAY), "it was built recently", False),
        (built(MARKS, ran("FAILED")), "holds a failed execution of it", False),
        (built(source_has_failures=True), "failures of its source", False),
    ],
)
def test_what_stays_and_why(given: Built, why: str, for_ever: bool) -> None:
    assert why in str(stays(given))
    assert (stays(given, everything=True) is not None) is for_ever


def test_a_deletion_that_was_left_is_known_by_its_age_and_keeps_the_source() -> None:
    marks = Marks.of(GOTO, {DELETING_TAG: deleting_tag(source_tag(ORDERS), NOW - DELETION_SECONDS)})
    assert (marks.source, marks.source_tag) == (ORDERS, source_tag(ORDERS))
    assert marks.was_left(NOW)
    assert not marks.was_left(NOW - 1)
    assert stays(built(marks)) is None


def test_old_versions_are_those_that_nothing_has_run_and_never_the_newest() -> None:
    versions = [(f"{GOTO}:{number}", NOW - 40 * DAY) for number in (5, 4, 3, 2)] + [(f"{GOTO}:1", None)]
    use = Use()
    for run in (ran(version=f"{GOTO}:4"), ran("RUNNING", version=f"{GOTO}:3"), ran(ago=DAY, version=f"{GOTO}:2")):
        use.add(run)

    def old(**more: bool) -> list[str]:
        return [
            arn.rpartition(":")[2]
            for arn in housekeeping.old_versions(
                versions, use, now=NOW, keep=30 * DAY, everything=more.get("all", False)
            )
        ]

    assert old() == ["4"]
    assert old(all=True) == ["2", "4"]
    assert list(housekeeping.old_versions([], use, now=NOW, keep=DAY)) == []
