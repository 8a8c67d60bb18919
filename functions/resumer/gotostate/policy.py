"""What is done about a failure, decided from facts alone: resume, prepare, skip or give up."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gotostate.history import FailurePoint, Why
from gotostate.resumption import ExecutionArn

OPT_IN_TAG = "gotostate"


class Mode(StrEnum):
    """Values of the tag 'gotostate' on a state machine."""

    RESUME = "resume"
    PREPARE = "prepare"
    OFF = "off"


class Action(StrEnum):
    """What automation does about one failure."""

    RESUME = "resume"
    PREPARE = "prepare"
    SKIP = "skip"
    GIVE_UP = "give up"


@dataclass(frozen=True)
class Settings:
    """The stack's parameters that policy depends on."""

    max_attempts: int = 3
    default_mode: Mode = Mode.OFF


@dataclass(frozen=True)
class Decision:
    """An action and the reason that people are told."""

    action: Action
    reason: str


def opt_in(tags: Mapping[str, str], settings: Settings) -> Decision:
    """Decide by the state machine's tags whether automation may touch it."""
    value = tags.get(OPT_IN_TAG)
    if value is None:
        mode, source = settings.default_mode, "the stack's DefaultMode is"
    elif value in set(Mode):
        mode, source = Mode(value), f"its tag {OPT_IN_TAG} is"
    else:
        return Decision(
            Action.SKIP, f"the state machine's tag {OPT_IN_TAG} is {value!r}; set it to resume, prepare or off"
        )
    if mode is Mode.OFF:
        if value is None:
            return Decision(Action.SKIP, f"the state machine has not opted in; tag it {OPT_IN_TAG}=resume or prepare")
        return Decision(Action.SKIP, f"the state machine's tag {OPT_IN_TAG} is off")
    return Decision(Action(mode.value), f"{source} {mode.value}")


def by_arn(arn: ExecutionArn) -> Decision | None:
    """Decide what the ARN alone settles; None where it settles nothing."""
    if arn.is_map_run_child:
        return Decision(Action.SKIP, "it is a child of a Map Run and belongs to its Map state's execution")
    return None


def by_failure(allowed: Decision, point: FailurePoint, attempt: int, settings: Settings) -> Decision:
    """Decide what to do once it is known where the execution ended.

    allowed: what opt_in decided, resume or prepare.
    attempt: the number that the resume would have, 1 for the first.
    """
    if point.resume_from is None:
        return Decision(Action.GIVE_UP, point.why)
    if attempt > settings.max_attempts:
        return Decision(
            Action.GIVE_UP, f"it was resumed {attempt - 1} times already, MaxAttempts is {settings.max_attempts}"
        )
    if point.why in (Why.CAUGHT, Why.WORKED):
        return Decision(Action.PREPARE, f"{point.why}; whether its work should be done again is for people to say")
    return Decision(allowed.action, point.why)
