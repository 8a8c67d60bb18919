"""The decision about a failure, made from facts alone: resume, prepare, skip or give up.

The Lambda and the command decide by the same rules; by hand, a reason that holds automation back is only a remark.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gotostate import means
from gotostate.containers import is_container
from gotostate.failure import Failure
from gotostate.history import Why
from gotostate.nesting import Pattern
from gotostate.resumption import OPT_IN_TAG, Asked, ExecutionArn
from gotostate.settings import Mode, Settings, Strategy, matches

AUTOMATIC = ("FAILED", "TIMED_OUT")
# The last event that an execution may have (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
LAST_EVENT = 25_000
_FAIL_STATE = (Why.CAUGHT, Why.WORKED, Why.FAIL_INSIDE)


class Action(StrEnum):
    """What is done about one failure."""

    RESUME = "resume"
    REDRIVE = "redrive"
    PREPARE = "prepare"
    SKIP = "skip"
    GIVE_UP = "give up"


@dataclass(frozen=True)
class Decision:
    """An action and the reason that people are told.

    rule: a stable code for programs. needs_force: by hand it takes --force.
    look: ARN of the execution to look at instead of resuming this one; None where that is right.
    """

    action: Action
    rule: str
    reason: str
    needs_force: bool = False
    look: str | None = None


BY_HAND = Decision(Action.RESUME, "by-hand", "resumed by hand")


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


def automatic(
    failure: Failure,
    allowed: Decision,
    settings: Settings,
    again: Collection[str] = (),
    no_room: str | None = None,
) -> Decision:
    """Decide what automation does about a failure: the first rule that applies decides.

    allowed: what opt_in decided. again: tasks that had begun and are entered again. no_room: why the input of a
    resumed execution would be too large, if it would. A REDRIVE holds once AWS was asked (failure.redrive).
    """
    if allowed.action is Action.SKIP:
        return allowed
    return next(_rules(failure, allowed, settings, again, no_room))


def _rules(
    failure: Failure, allowed: Decision, settings: Settings, again: Collection[str], no_room: str | None
) -> Iterator[Decision]:
    if failure.point.ending.status not in AUTOMATIC:
        yield Decision(Action.SKIP, "aborted", "it was aborted, so somebody stopped it; only a person resumes it")
    for rule in (_by_parent, _nothing_left):
        if decision := rule(failure):
            yield decision
    if failure.tries >= settings.max_attempts:
        limit = f"{settings.source_of('max_attempts', 'MaxAttempts')} is {settings.max_attempts}"
        reason = f"it was {_tried(failure)} already, {limit}; fix the cause, then resume it by hand"
        yield Decision(Action.GIVE_UP, "max-attempts", reason)
    yield from hindrances(failure, settings, again)
    by_means = _by_means(failure, settings, no_room)
    if by_means and by_means.action is not Action.REDRIVE:
        yield by_means
    if allowed.action is Action.PREPARE:
        would = "be redriven" if by_means else f"enter {failure.point.resume_from!r}"
        why = by_means.reason if by_means else failure.point.why
        yield Decision(Action.PREPARE, allowed.rule, f"not started, because {allowed.reason}; would {would}: {why}")
    yield by_means or Decision(Action.RESUME, "resume", failure.point.why)


def by_hand(failure: Failure, settings: Settings, no_room: str | None = None) -> Decision:
    """Decide by which means a person's resume is done; reasons against it are only remarks.

    Where the native redrive is wanted but impossible, GoToState is used: the person may know that it is allowed.
    """
    by_means = _by_means(failure, settings, no_room)
    if by_means and by_means.action is Action.REDRIVE:
        return by_means
    return BY_HAND


def requested(
    failure: Failure, allowed: Decision, settings: Settings, asked: Asked, no_room: str | None = None
) -> Decision:
    """Decide about a person's request through the queue: as by hand, but only for machines that have opted in.

    The rules that hold automation back do not apply. The request is refused if it would do work twice or cannot be
    started.
    """
    if allowed.action is Action.SKIP:
        return allowed
    found = (_by_parent(failure), _earlier_ran_on(failure, settings), _original_went_on(failure))
    for decision in (*(one for one in found if one and one.needs_force), _nothing_left(failure)):
        if decision:
            return decision
    by_means = _by_means(failure, settings, no_room)
    # If a redrive was wanted but is impossible, and GoToState is exact, the person gets the resume that they requested.
    if by_means and by_means.rule != means.NOT_REDRIVABLE:
        return by_means
    why = f": {asked.reason}" if asked.reason else ""
    return Decision(Action.RESUME, "requested", f"requested by {asked.by}{why}")


def wants_redrive(failure: Failure, settings: Settings, no_room: str | None = None) -> bool:
    """Tell whether the native redrive is the means for a failure, where AWS can do it."""
    by_means = _by_means(failure, settings, no_room)
    return by_means is not None and by_means.action is Action.REDRIVE


def inexact(failure: Failure, settings: Settings, no_room: str | None = None) -> Decision | None:
    """Return the reason against a GoToState execution if it is the chosen means, whether or not AWS could redrive."""
    obstacle = means.obstacle(failure, no_room)
    # Choosing the strategy gotostate states that the roles allow it.
    if obstacle is None or (settings.strategy is Strategy.GOTOSTATE and obstacle.rule == means.ROLE):
        return None
    return Decision(Action.PREPARE, obstacle.rule, f"{obstacle.reason}; {obstacle.remedy}")


def remarks(
    failure: Failure, settings: Settings, again: Collection[str] = (), *, is_redrivable: bool = True
) -> list[Decision]:
    """Return all that a person should know before resuming a failure by hand.

    is_redrivable: whether it may be redriven, which is impossible if another input, state or definition was chosen.
    """
    by_means = _by_means(failure, settings, None) if is_redrivable else inexact(failure, settings)
    parent = _by_parent(failure)
    return [
        *([parent] if parent else []),
        *hindrances(failure, settings, again),
        *([by_means] if by_means and by_means.action is Action.PREPARE else []),
    ]


def hindrances(failure: Failure, settings: Settings, again: Collection[str] = ()) -> Iterator[Decision]:
    """Yield the reasons against recovering a failure without a person, by whatever means."""
    rules: tuple[Callable[[Failure], Decision | None], ...] = (_original_went_on, _by_rerun, _by_point)
    if ran_on := _earlier_ran_on(failure, settings):
        yield ran_on
    for rule in rules:
        if decision := rule(failure):
            yield decision
    if decision := _by_idempotence(settings, again):
        yield decision
    if decision := _by_error(failure, settings):
        yield decision


def _tried(failure: Failure) -> str:
    resumed = [f"resumed {failure.chain.attempt} times"] if failure.chain.attempt or not failure.redrives else []
    redriven = [f"redriven {failure.redrives} times"] if failure.redrives else []
    return " and ".join(resumed + redriven)


def _by_means(failure: Failure, settings: Settings, no_room: str | None) -> Decision | None:
    """Decide for the native redrive, or for a person where neither means is right; None: GoToState."""
    if settings.strategy is Strategy.GOTOSTATE:
        return inexact(failure, settings, no_room)
    obstacle, wanted = means.obstacle(failure, no_room), ""
    if settings.strategy is Strategy.REDRIVE:
        wanted = f"{settings.source_of('strategy', 'Strategy')} is redrive"
        # The reasons against GoToState count if the redrive is impossible.
        obstacle = obstacle or means.Obstacle(means.NOT_REDRIVABLE, wanted, "resume it by hand")
    if obstacle is None:
        return None
    why_not = failure.redrive.why_not if failure.redrive else None
    if failure.point.why in _FAIL_STATE:
        why_not = "a redriven Fail state fails again"
    if why_not:
        cannot = f"it is not redriven: {why_not}"
        return Decision(Action.PREPARE, obstacle.rule, f"{obstacle.reason}; {cannot}; {obstacle.remedy}")
    return Decision(Action.REDRIVE, "redrive", wanted or obstacle.reason)


def _by_parent(failure: Failure) -> Decision | None:
    parent = failure.parent
    if parent is None or parent.pattern in (Pattern.FIRE_AND_FORGET, Pattern.CALLBACK):
        return None
    look = parent.execution if parent.is_named else None
    if parent.pattern is Pattern.UNKNOWN:
        return Decision(
            Action.PREPARE,
            "parent-unknown",
            f"it is unknown whether its parent {parent.execution} waits for it; resume one of the two, not both",
            look=look,
        )
    if parent.recovers:
        return Decision(
            Action.SKIP,
            "left-to-parent",
            f"its parent {parent.execution} waits for it (.sync) and is recovered instead; resume the parent",
            needs_force=True,
            look=look,
        )
    return Decision(
        Action.PREPARE,
        "parent-not-opted-in",
        f"its parent {parent.execution} waits for it (.sync), but the parent's state machine has not opted in, "
        "so nobody resumes either of them; resume the parent",
        needs_force=True,
        look=look,
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
                "resuming it again may do that work twice",
                needs_force=True,
                look=earlier.execution,
            )
    return None


def _original_went_on(failure: Failure) -> Decision | None:
    if failure.original is None:
        return None
    return Decision(
        Action.PREPARE,
        "original-redriven",
        f"the original execution {failure.chain.original} was redriven meanwhile and is {failure.original}: "
        "resuming this one too may do its work twice",
        needs_force=True,
        look=failure.chain.original,
    )


def _by_rerun(failure: Failure) -> Decision | None:
    if not failure.chain.is_rerun:
        return None
    reason = "a person ran a successful execution again, so only a person resumes it"
    return Decision(Action.PREPARE, "rerun", reason)


def _by_point(failure: Failure) -> Decision | None:
    why = failure.point.why
    if why in _FAIL_STATE:
        return Decision(
            Action.PREPARE, "fail-state", f"{why}; failing was deliberate, so resuming needs approval by hand"
        )
    if why is Why.DONE:
        inside = is_container(failure.source.states[str(failure.point.resume_from)])
        again = "what had not finished inside it runs again" if inside else "entering it again does the work again"
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
        "that it is not idempotent: check whether its work was done before you resume it",
    )


def _by_error(failure: Failure, settings: Settings) -> Decision | None:
    """Hold back a failure whose error would usually occur again with the same input."""
    error = failure.point.ending.error
    # An execution that used up its events fails like this too, and the resumed one begins with none. An execution that
    # failed in a state that was added to the machine does not enter that state again.
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
        f"{error} usually occurs again with the same input ({source} names {pattern}): fix the cause, then resume it",
    )
