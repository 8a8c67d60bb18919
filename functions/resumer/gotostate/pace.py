"""Calls at the pace that AWS allows: throttled calls are repeated, as long as there is time.

botocore's adaptive mode paces all calls of a client together, so that one slow operation would slow all, and it
knows of no deadline; a function in Lambda has one. Each operation has a pace of its own here.
"""

import random
import time
from collections.abc import Callable
from typing import Any

from gotostate.awserrors import is_throttled, may_pass
from gotostate.errors import ThrottledError

# The pause after a throttled call. It does not grow: a refused call costs nothing, and a container that pauses longer
# than the others gets no answer at all. It is random each time, to be out of step with the others.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.2
# An operation that was throttled this recently is slow.
SLOW_SECONDS = 10.0
# After a broken connection or a server error of AWS, a call is tried this often.
TRIES, RETRY_SECONDS = 3, 0.2
# AWS allows these once a second after a burst
# (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html). With a deadline there is no waiting for
# them: other failures may not need them.
ONCE_A_SECOND = frozenset(
    (
        "create_state_machine",
        "delete_state_machine",
        "delete_state_machine_version",
        "describe_state_machine_for_execution",
        "list_state_machine_versions",
        "list_tags_for_resource",
        "update_state_machine",
    )
)
SHORT_WAIT_SECONDS = 0.5


class Pace:
    """Makes calls, and waits where AWS throttles them.

    deadline: on the clock, until when to wait; None: as long as it takes.
    """

    def __init__(
        self,
        # Looked up when called, so that code which simulates time need not know of us.
        clock: Callable[[], float] = lambda: time.monotonic(),  # noqa: PLW0108
        sleep: Callable[[float], None] = lambda seconds: time.sleep(seconds),  # noqa: PLW0108
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._throttled_at: dict[str, float] = {}
        self.deadline: float | None = None

    def set_deadline(self, seconds: float | None) -> None:
        """Wait no longer than so many seconds from now; None: as long as it takes."""
        self.deadline = None if seconds is None else self._clock() + seconds

    def is_slow(self, operation: str) -> bool:
        """Tell whether an operation was throttled recently."""
        return self._clock() - self._throttled_at.get(operation, float("-inf")) < SLOW_SECONDS

    def now(self) -> float:
        """Return the time on the clock, in seconds."""
        return self._clock()

    def pause(self, seconds: float) -> None:
        """Wait. Raises ThrottledError when there is no time for it."""
        if self.deadline is not None and self._clock() + seconds > self.deadline:
            raise ThrottledError("there is no time left to wait; try again later")
        self._sleep(seconds)

    def call(self, operation: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Make a call and return its answer.

        Raises ThrottledError when AWS throttles it for longer than there is time, and whatever else it raises.
        """
        until = self.deadline
        if until is not None and operation in ONCE_A_SECOND:
            until = min(until, self._clock() + SHORT_WAIT_SECONDS)
        tries = 0
        while True:
            self._wait(operation, 0.0, self.deadline)
            try:
                return make()
            except Exception as error:
                if is_throttled(error):
                    self._throttled_at[operation] = self._clock()
                    self._wait(operation, random.uniform(SHORTEST_PAUSE, LONGEST_PAUSE), until)  # noqa: S311
                    continue
                tries += 1
                if tries >= TRIES or not may_pass(error):
                    raise
                self._wait(operation, RETRY_SECONDS * tries, self.deadline)

    def _wait(self, operation: str, seconds: float, until: float | None) -> None:
        if until is not None and self._clock() + seconds > until:
            why = "AWS throttles it" if self.is_slow(operation) else "the invocation ends"
            raise ThrottledError(f"there is no time left for {operation}: {why}; it is tried again")
        if seconds:
            self._sleep(seconds)
