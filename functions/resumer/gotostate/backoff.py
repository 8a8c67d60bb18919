"""How long a resume or a redrive waits, longer with each attempt."""

from gotostate.failure import Failure
from gotostate.resumption import mark_number
from gotostate.settings import Settings

LONGEST_QUEUE_DELAY = 900
# The wait grows at most this many times: at the highest rate, 100, a float would overflow at the 154th time.
MOST_STEPS = 100


def delay_seconds(failure: Failure, settings: Settings) -> int:
    """Return how long a resume waits before it enters its state.

    The wait grows with each attempt. The jitter, up to half of it either way, is derived from the failure, so that a
    second delivery of the same failure gives the same input.
    """
    grown = settings.backoff_seconds * settings.backoff_rate ** min(failure.tries, MOST_STEPS)
    jitter = 0.5 + mark_number(failure.resumed_name) % 1_000 / 1_000
    longest: float = settings.max_backoff_seconds
    # The wait counts towards the machine's own time-out, which must leave time for the work.
    if timeout := failure.source.timeout_seconds:
        longest = min(longest, timeout / 2)
    return int(min(grown * jitter, longest))


def redrive_delay_seconds(failure: Failure, settings: Settings) -> int:
    """Return how long a redrive waits in the queue, which holds a message back for a quarter of an hour at most.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    return min(delay_seconds(failure, settings), LONGEST_QUEUE_DELAY)
