"""What is done about a failure, decided from facts alone: resume, prepare, skip or give up."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gotostate.definition import Definition
from gotostate.history import FailurePoint, Why
from gotostate.nesting import Parent, Pattern
from gotostate.resumption import Chain, ExecutionArn

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


def by_parent(parent: Parent | None) -> Decision | None:
    """Decide what the parent of a nested execution settles; None where it settles nothing."""
    if parent is None or parent.pattern in (Pattern.FIRE_AND_FORGET, Pattern.CALLBACK):
        return None
    if parent.pattern is Pattern.SYNC:
        return Decision(
            Action.SKIP,
            f"its parent {parent.execution} awaits it (.sync) and deals with its failure; resume the parent",
        )
    return Decision(
        Action.PREPARE, f"whether its parent {parent.execution} awaits it cannot be told; resume one of the two by hand"
    )


def by_context(definition: Definition, chain: Chain) -> Decision | None:
    """Decide whether what the states read of the execution's input can be given to them again."""
    if not definition.reads_execution_input:
        return None
    if chain.beside is None:
        problem = "is not a JSON object"
    elif chain.attempt == 0 and "resuming" in chain.beside:
        problem = "has a field 'resuming' of its own"
    else:
        return None
    return Decision(
        Action.PREPARE,
        f"its states read the execution's input, which {problem} and so cannot be given to them unchanged",
    )


def by_failure(
    allowed: Decision, point: FailurePoint, attempt: int, settings: Settings, special: Decision | None = None
) -> Decision:
    """Decide what to do once it is known where the execution ended.

    allowed: what opt_in decided, resume or prepare.
    special: what by_parent or by_context decided, if anything.
    attempt: the number that the resume would have, 1 for the first.
    """
    if special and special.action is Action.SKIP:
        return special
    if point.resume_from is None:
        return Decision(Action.GIVE_UP, point.why)
    if attempt > settings.max_attempts:
        return Decision(
            Action.GIVE_UP, f"it was resumed {attempt - 1} times already, MaxAttempts is {settings.max_attempts}"
        )
    if special and allowed.action is Action.RESUME:
        return special
    if point.why in (Why.CAUGHT, Why.WORKED):
        return Decision(Action.PREPARE, f"{point.why}; whether its work should be done again is for people to say")
    return Decision(allowed.action, point.why)
