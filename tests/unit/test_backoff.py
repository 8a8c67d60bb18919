"""How long a resume waits: longer with each attempt, apart from its siblings, and each time the same."""

from dataclasses import replace

import pytest
from facts import ARN, PLAIN, failure
from gotostate import backoff, resumption
from gotostate.failure import Failure
from gotostate.resumption import Chain
from gotostate.settings import Settings
from gotostate.visits import Ending
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(("attempt", "middle"), [(1, 60), (2, 240), (3, 960), (4, 3_840), (5, 15_360), (9, 86_400)])
def test_each_attempt_waits_longer(attempt: int, middle: int) -> None:
    delays = [backoff.delay_seconds(case, Settings()) for case in failures_of_attempt(attempt)]
    assert all(middle / 2 <= delay <= min(middle * 1.5, 86_400) for delay in delays)
    assert len(set(delays)) > 10 or attempt == 9
    # An outage ends for all of them at once: half a minute either way keeps them apart.
    assert delays == [backoff.delay_seconds(case, Settings()) for case in failures_of_attempt(attempt)]


def failures_of_attempt(attempt: int) -> list[Failure]:
    case = failure(chain=Chain(ARN, attempt - 1, {}))
    return [
        replace(case, point=replace(case.point, ending=Ending(number, "FAILED", None, None))) for number in range(40)
    ]


def test_the_wait_leaves_time_for_the_work_where_the_machine_has_a_time_out() -> None:
    """TimeoutSeconds of the machine counts from the start of the execution, and so from before the wait."""
    timed = PLAIN.replace('{"StartAt"', '{"TimeoutSeconds":30,"StartAt"', 1)
    delays = [backoff.delay_seconds(failure(definition=timed, chain=Chain(ARN, n, {})), Settings()) for n in range(5)]
    assert max(delays) == 15


@given(st.integers(1, 99), st.integers(0, 10**6), st.floats(1, 100), st.integers(0, 99_999_999))
def test_a_delay_is_a_whole_number_that_a_wait_takes(attempt: int, base: int, rate: float, most: int) -> None:
    settings = Settings(backoff_seconds=base, backoff_rate=rate, max_backoff_seconds=most)
    delay = backoff.delay_seconds(failure(chain=Chain(ARN, attempt - 1, {})), settings)
    assert isinstance(delay, int)
    assert 0 <= delay <= most


@pytest.mark.parametrize("attempt", [1, 5])
def test_a_redrive_waits_as_long_as_a_queue_holds_a_message(attempt: int) -> None:
    case = failure(chain=Chain(ARN, attempt - 1, {}))
    delay = backoff.delay_seconds(case, Settings())
    assert (delay > 900) is (attempt == 5)
    assert backoff.redrive_delay_seconds(case, Settings()) == min(delay, 900)


def test_the_wait_of_a_failure_is_the_same_in_each_release() -> None:
    """It stands in the resumed execution's input: another one would be another start of the same failure."""
    delays = [backoff.delay_seconds(case, Settings(backoff_seconds=100_000, max_backoff_seconds=10**6))
              for case in failures_of_attempt(1)[:4]]  # fmt: skip
    assert delays == [119899, 122299, 116100, 140300]


def test_a_wait_does_not_overflow() -> None:
    case = failure(chain=Chain(ARN, resumption.MOST_TRIES, {}, redrives=resumption.MOST_TRIES))
    assert backoff.delay_seconds(case, Settings(backoff_rate=100.0)) == 86_400
