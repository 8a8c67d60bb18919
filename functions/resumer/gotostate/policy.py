"""What is done about a failure, decided from facts alone: resume, prepare, skip or give up.

The Lambda and the command decide by the same rules; by hand, what holds automation back is a remark.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gotostate.definition import Definition, states_within
from gotostate.failure import Failure
from gotostate.history import Why
from gotostate.nesting import Pattern
from gotostate.resumption import INSIDE_TAG, OPT_IN_TAG, ExecutionArn, mark_number

AUTOMATIC = ("FAILED", "TIMED_OUT")


class Mode(StrEnum):
    """Values of the tag 'gotostate' on a state machine."""

    RESUME = "resume"
    PREPARE = "prepare"
    OFF = "off"


class Action(StrEnum):
    """What is done about one failure."""

    RESUME = "resume"
    PREPARE = "prepare"
    SKIP = "skip"
    GIVE_UP = "give up"


@dataclass(frozen=True)
class Settings:
    """The stack's parameters that policy depends on; times in seconds."""

    max_attempts: int = 5
    default_mode: Mode = Mode.OFF
    backoff_seconds: int = 60
    backoff_rate: float = 4.0
    max_backoff_seconds: int = 86_400
    resume_inside: bool = True


@dataclass(frozen=True)
class Decision:
    """An action and the reason that people are told.

    rule: a stable code for programs. needs_force: by hand it takes --force.
    next: what to type instead of resuming this execution; None where that is right.
    """

    action: Action
    rule: str
    reason: str
    needs_force: bool = False
    next: str | None = None


def by_arn(arn: ExecutionArn) -> Decision | None:
    """Decide what the ARN alone settles; None where it settles nothing."""
    if arn.is_map_run_child:
        return Decision(
            Action.SKIP, "map-run-child", "it is a child of a Map Run and belongs to its Map state's execution"
        )
    return None


def opt_in(tags: Mapping[str, str], settings: Settings) -> Decision:
    """Decide by the state machine's tags whether automation may touch it."""
    value = tags.get(OPT_IN_TAG)
    if value is None:
        mode, source = settings.default_mode, "the stack's DefaultMode is"
    elif value in set(Mode):
        mode, source = Mode(value), f"its tag {OPT_IN_TAG} is"
    else:
        return Decision(
            Action.SKIP,
            "bad-tag",
            f"the state machine's tag {OPT_IN_TAG} is {value!r}; set it to resume, prepare or off",
        )
    if mode is Mode.OFF:
        if value is None:
            return Decision(
                Action.SKIP,
                "not-opted-in",
                f"the state machine has not opted in; tag it {OPT_IN_TAG}=resume or {OPT_IN_TAG}=prepare",
            )
        return Decision(Action.SKIP, "off", f"the state machine's tag {OPT_IN_TAG} is off")
    return Decision(Action(mode.value), mode.value, f"{source} {mode.value}")


def for_machine(tags: Mapping[str, str], settings: Settings) -> Settings:
    """Return the settings that hold for one state machine, by its tags; a value that is none leaves the stack's."""
    inside = {"true": True, "false": False}.get(tags.get(INSIDE_TAG, ""))
    return settings if inside is None else replace(settings, resume_inside=inside)


def bad_tags(tags: Mapping[str, str]) -> Iterator[str]:
    """Say which tags of a state machine have a value that is none of theirs, so that the stack's is used."""
    if tags.get(INSIDE_TAG, "true") not in ("true", "false"):
        yield f"the tag {INSIDE_TAG} is {tags[INSIDE_TAG]!r}, neither true nor false: the stack's ResumeInside is used"


def automatic(failure: Failure, allowed: Decision, settings: Settings) -> Decision:
    """Decide what automation does about a failure: the first rule that speaks.

    allowed: what opt_in decided.
    """
    if allowed.action is Action.SKIP:
        return allowed
    return next(_rules(failure, allowed, settings))


def _rules(failure: Failure, allowed: Decision, settings: Settings) -> Iterator[Decision]:
    if failure.point.ending.status not in AUTOMATIC:
        yield Decision(Action.SKIP, "aborted", "it was aborted, so somebody stopped it; only a person resumes it")
    for rule in (_by_parent, _nothing_left):
        if decision := rule(failure):
            yield decision
    if failure.attempt > settings.max_attempts:
        yield Decision(
            Action.GIVE_UP,
            "max-attempts",
            f"it was resumed {failure.attempt - 1} times already, MaxAttempts is {settings.max_attempts}; "
            "fix the cause, then resume it by hand",
        )
    yield from hindrances(failure, settings)
    if allowed.action is Action.PREPARE:
        reason = f"not started, as {allowed.reason}; would enter {failure.point.resume_from!r}: {failure.point.why}"
        yield Decision(Action.PREPARE, allowed.rule, reason)
    yield Decision(Action.RESUME, "resume", failure.point.why)


def remarks(failure: Failure, settings: Settings) -> list[Decision]:
    """Return all that a person should know before resuming a failure by hand."""
    parent = _by_parent(failure)
    return [*([parent] if parent else []), *hindrances(failure, settings)]


def hindrances(failure: Failure, settings: Settings) -> Iterator[Decision]:
    """Yield what speaks against resuming a failure without a person."""
    rules: tuple[Callable[[Failure], Decision | None], ...] = (_original_went_on, _by_input, _by_point, _by_role)
    if ran_on := _earlier_ran_on(failure, settings):
        yield ran_on
    for rule in rules:
        if decision := rule(failure):
            yield decision


def delay_seconds(failure: Failure, settings: Settings) -> int:
    """Return how long a resume waits before it enters its state.

    It grows with each attempt; the jitter, a half either way, follows from the failure, so that a second
    delivery of the same failure gives the same input.
    """
    grown = settings.backoff_seconds * settings.backoff_rate ** (failure.attempt - 1)
    jitter = 0.5 + mark_number(failure.resumed_name) % 1_000 / 1_000
    longest: float = settings.max_backoff_seconds
    # The wait counts towards the machine's own time-out, which must leave time for the work.
    if timeout := failure.source.timeout_seconds:
        longest = min(longest, timeout / 2)
    return int(min(grown * jitter, longest))


def _by_parent(failure: Failure) -> Decision | None:
    parent = failure.parent
    if parent is None or parent.pattern in (Pattern.FIRE_AND_FORGET, Pattern.CALLBACK):
        return None
    look = f"gotostate plan {parent.execution}"
    if parent.pattern is Pattern.UNKNOWN:
        return Decision(
            Action.PREPARE,
            "parent-unknown",
            f"it is unknown whether its parent {parent.execution} waits for it; resume one of the two, not both",
            next=look,
        )
    if parent.recovers:
        return Decision(
            Action.SKIP,
            "left-to-parent",
            f"its parent {parent.execution} waits for it (.sync) and is recovered itself; resume the parent",
            needs_force=True,
            next=look,
        )
    return Decision(
        Action.PREPARE,
        "parent-not-opted-in",
        f"its parent {parent.execution} waits for it (.sync), but the parent's state machine has not opted in, "
        "so nobody resumes either; resume the parent",
        needs_force=True,
        next=look,
    )


def _nothing_left(failure: Failure) -> Decision | None:
    point = failure.point
    if point.resume_from is not None:
        return None
    if point.why is Why.FINISHED:
        return Decision(Action.PREPARE, "finished", f"{point.why}; its output is on record in {point.ended_in!r}")
    return Decision(Action.GIVE_UP, "nothing-to-resume", point.why)


def _earlier_ran_on(failure: Failure, settings: Settings) -> Decision | None:
    for earlier in failure.earlier:
        if earlier.status in AUTOMATIC and earlier.attempt >= settings.max_attempts:
            continue
        if earlier.status != "ABORTED":
            return Decision(
                Action.PREPARE,
                "resumed-before-redrive",
                f"before its redrive it was resumed by {earlier.execution}, which is {earlier.status}: "
                "to resume it again may do that work twice",
            )
    return None


def _original_went_on(failure: Failure) -> Decision | None:
    if failure.original is None:
        return None
    return Decision(
        Action.PREPARE,
        "original-redriven",
        f"the original execution {failure.chain.original} was redriven meanwhile and is {failure.original}: "
        "to resume this one as well may do its work twice",
    )


def _by_input(failure: Failure) -> Decision | None:
    if not failure.source.reads_execution_input:
        return None
    original = failure.chain.original_input
    if original is None:
        problem = "is not a JSON object"
    elif failure.chain.attempt == 0 and "resuming" in original:
        problem = "has a field 'resuming' of its own"
    else:
        return None
    return Decision(
        Action.PREPARE,
        "execution-input",
        f"its states read the execution's input, which {problem}, so it cannot be reproduced in a resumed execution",
    )


def _by_point(failure: Failure) -> Decision | None:
    why = failure.point.why
    if why in (Why.CAUGHT, Why.WORKED, Why.FAIL_INSIDE):
        return Decision(
            Action.PREPARE, "fail-state", f"{why}; failing was deliberate, so resuming needs approval by hand"
        )
    if why is Why.DONE:
        return Decision(
            Action.PREPARE,
            "work-succeeded",
            f"{why}; to enter it again does the work again: mend the definition, or give the next state its input",
        )
    return None


def _by_role(failure: Failure) -> Decision | None:
    """Find states whose role commonly names the source machine's ARN, and so fails in the GoToState machine."""
    target = failure.point.resume_from
    if target is None or failure.is_resumed:
        return None
    for name in (target, *failure.source.reachable(target, by_catch=True)):
        if found := _names_its_machine(failure.source, name):
            return Decision(
                Action.PREPARE,
                "role",
                f"{found}, whose role commonly names the source state machine; "
                f"allow {failure.machine_name} as docs/security.md shows, then resume it by hand",
            )
    return None


def _names_its_machine(definition: Definition, name: str) -> str | None:
    for inner, state in states_within({"States": {name: definition.states[name]}}):
        if state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            return f"{inner!r} is a Distributed Map"
        if str(state.get("Resource", "")).endswith(":states:::http:invoke"):
            return f"{inner!r} is an HTTP Task"
    return None
