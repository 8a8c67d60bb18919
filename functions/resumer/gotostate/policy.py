"""What is done about a failure, decided from facts alone: resume, prepare, skip or give up.

The Lambda and the command decide by the same rules; by hand, what holds automation back is a remark.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gotostate.containers import is_container, is_distributed
from gotostate.definition import Definition, with_inner
from gotostate.failure import Failure
from gotostate.history import Why
from gotostate.nesting import Pattern
from gotostate.resumption import OPT_IN_TAG, ExecutionArn, mark_number
from gotostate.settings import Mode, Settings, matches

AUTOMATIC = ("FAILED", "TIMED_OUT")
# The last event that an execution may have (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
LAST_EVENT = 25_000


class Action(StrEnum):
    """What is done about one failure."""

    RESUME = "resume"
    PREPARE = "prepare"
    SKIP = "skip"
    GIVE_UP = "give up"


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


def automatic(failure: Failure, allowed: Decision, settings: Settings, again: Collection[str] = ()) -> Decision:
    """Decide what automation does about a failure: the first rule that speaks.

    allowed: what opt_in decided. again: tasks that had begun and are entered again.
    """
    if allowed.action is Action.SKIP:
        return allowed
    return next(_rules(failure, allowed, settings, again))


def _rules(failure: Failure, allowed: Decision, settings: Settings, again: Collection[str]) -> Iterator[Decision]:
    if failure.point.ending.status not in AUTOMATIC:
        yield Decision(Action.SKIP, "aborted", "it was aborted, so somebody stopped it; only a person resumes it")
    for rule in (_by_parent, _nothing_left):
        if decision := rule(failure):
            yield decision
    if failure.attempt > settings.max_attempts:
        limit = f"{settings.source_of('max_attempts', 'MaxAttempts')} is {settings.max_attempts}"
        reason = f"it was resumed {failure.attempt - 1} times already, {limit}; fix the cause, then resume it by hand"
        yield Decision(Action.GIVE_UP, "max-attempts", reason)
    yield from hindrances(failure, settings, again)
    if allowed.action is Action.PREPARE:
        reason = f"not started, as {allowed.reason}; would enter {failure.point.resume_from!r}: {failure.point.why}"
        yield Decision(Action.PREPARE, allowed.rule, reason)
    yield Decision(Action.RESUME, "resume", failure.point.why)


def remarks(failure: Failure, settings: Settings, again: Collection[str] = ()) -> list[Decision]:
    """Return all that a person should know before resuming a failure by hand."""
    parent = _by_parent(failure)
    return [*([parent] if parent else []), *hindrances(failure, settings, again)]


def hindrances(failure: Failure, settings: Settings, again: Collection[str] = ()) -> Iterator[Decision]:
    """Yield what speaks against resuming a failure without a person."""
    rules: tuple[Callable[[Failure], Decision | None], ...] = (_original_went_on, _by_input, _by_point, _by_role)
    if ran_on := _earlier_ran_on(failure, settings):
        yield ran_on
    for rule in rules:
        if decision := rule(failure):
            yield decision
    if decision := _by_idempotence(settings, again) or _by_error(failure, settings):
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
        inside = is_container(failure.source.states[str(failure.point.resume_from)])
        again = "what had not finished inside it runs again" if inside else "to enter it again does the work again"
        reason = f"{why}; {again}: correct the definition, or give the next state its input"
        return Decision(Action.PREPARE, "work-succeeded", reason)
    return None


def _by_idempotence(settings: Settings, again: Collection[str]) -> Decision | None:
    named = sorted(set(again) & set(settings.not_idempotent))
    if not named:
        return None
    return Decision(
        Action.PREPARE,
        "not-idempotent",
        f"{', '.join(map(repr, named))} would be entered again, and {settings.source_of('not_idempotent', '')} says "
        "that it is not idempotent: look whether its work was done before you resume it",
    )


def _by_error(failure: Failure, settings: Settings) -> Decision | None:
    """Hold back what the same input would meet again."""
    error = failure.point.ending.error
    # An execution that used up its events fails so as well, and the resumed one begins with none. And what failed in
    # a state that was added to the machine does not meet that state again.
    if error is None or failure.point.ending.id >= LAST_EVENT or failure.failed_in_added:
        return None
    if matches(error, settings.resume_errors):
        return None
    own = matches(error, settings.own_prepare_errors)
    pattern = own or matches(error, settings.prepare_errors)
    if pattern is None:
        return None
    source = settings.source_of("own_prepare_errors", "") if own else "the stack's PrepareErrors"
    return Decision(
        Action.PREPARE,
        "error",
        f"{error} as a rule comes again with the same input ({source} names {pattern}): fix the cause, then resume it",
    )


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
    for inner, state in with_inner(name, definition.states[name]):
        if is_distributed(state):
            return f"{inner!r} is a Distributed Map"
        if str(state.get("Resource", "")).endswith(":states:::http:invoke"):
            return f"{inner!r} is an HTTP Task"
    return None
