"""What was done about a failure, as plain data."""

from dataclasses import dataclass
from enum import StrEnum

from gotostate.resumption import Asked


class Result(StrEnum):
    """The result for one failure; WAITING: its redrive waits in the queue, and its outcome follows."""

    RESUMED = "resumed"
    REDRIVEN = "redriven"
    WAITING = "waiting"
    PREPARED = "prepared"
    SKIPPED = "skipped"
    ALREADY_RESUMED = "already resumed"
    GAVE_UP = "gave up"
    RECOVERED = "recovered"


@dataclass(frozen=True)
class Outcome:
    """What was done about one failed execution, and why.

    rule: a stable code of the reason. state: the state to resume from; None where there is none.
    machine: ARN of the GoToState machine; resumed: ARN of the resumed execution; None if there is none.
    attempt: its number in the chain, of so many; delay_seconds: how long it waits before it enters the state.
    next: what to type; None where there is nothing to do.
    inside: for a Parallel or Map, what need not run again, or why all of it does; None for other states.
    original: ARN of the first failed execution of the chain; source: of the state machine that people wrote.
    status, error, cause: how the execution ended. failed_at: when, in seconds since the epoch.
    input_bytes: size of the state's input. calls: what the tasks from the state on call. seconds: from the original
    failure to the recovery. asked: the person who requested it. redrives: if it waits, how often it was redriven.
    """

    outcome: Result
    rule: str
    reason: str
    execution: str
    state: str | None = None
    machine: str | None = None
    resumed: str | None = None
    attempt: int | None = None
    max_attempts: int | None = None
    delay_seconds: int | None = None
    next: str | None = None
    inside: str | None = None
    original: str | None = None
    source: str | None = None
    status: str | None = None
    error: str | None = None
    cause: str | None = None
    failed_at: float | None = None
    input_bytes: int | None = None
    calls: tuple[str, ...] = ()
    seconds: int | None = None
    asked: Asked | None = None
    redrives: int | None = None
