"""Reasons against a GoToState execution, and so for AWS's native redrive, which continues in the source machine."""

from dataclasses import dataclass

from gotostate.containers import is_distributed
from gotostate.definition import Definition, with_inner
from gotostate.failure import Failure

ROLE, NOT_REDRIVABLE = "role", "not-redrivable"


@dataclass(frozen=True)
class Obstacle:
    """Why a GoToState execution is not exact, or would lack a permission.

    rule: a stable code for programs. remedy: what a person can do about it.
    """

    rule: str
    reason: str
    remedy: str


def obstacle(failure: Failure, no_room: str | None = None) -> Obstacle | None:
    """Find the reason against resuming a failure in its GoToState machine; usually None.

    no_room: why the input of the resumed execution would be too large, if it would.
    """
    return _by_input(failure) or _by_role(failure) or _by_size(no_room)


def _by_input(failure: Failure) -> Obstacle | None:
    if not failure.source.reads_execution_input:
        return None
    original = failure.chain.original_input
    if original is None:
        problem = "is not a JSON object"
    elif failure.chain.attempt == 0 and "resuming" in original:
        problem = "has its own field 'resuming'"
    else:
        return None
    return Obstacle(
        "execution-input",
        f"its states read the execution's input, which {problem}, so it cannot be reproduced in a resumed execution",
        "resume it by hand if they tolerate a different input there",
    )


def _by_size(no_room: str | None) -> Obstacle | None:
    return (
        Obstacle("input-size", no_room, "give the state a smaller input: gotostate resume --input") if no_room else None
    )


def _by_role(failure: Failure) -> Obstacle | None:
    """Find a feature whose permission commonly names the source machine's ARN, so that it fails in the GoToState one.

    https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html shows such a policy of a key.
    """
    target = failure.point.resume_from
    if target is None or failure.is_resumed:
        return None
    names = (target, *failure.source.reachable(target, by_catch=True))
    found = next(filter(None, (_names_its_machine(failure.source, name) for name in names)), None)
    if found is None and "encryptionConfiguration" in failure.ran.configuration:
        found = "it is encrypted with a customer's KMS key"
    if found is None:
        return None
    return Obstacle(
        ROLE,
        f"{found}, whose permission usually names the source state machine",
        f"allow {failure.machine_name} as docs/roles.md shows, then resume it by hand, or set the tag "
        "gotostate:strategy to gotostate",
    )


def _names_its_machine(definition: Definition, name: str) -> str | None:
    for inner, state in with_inner(name, definition.states[name]):
        if is_distributed(state):
            return f"{inner!r} is a Distributed Map"
        if str(state.get("Resource", "")).endswith(":states:::http:invoke"):
            return f"{inner!r} is an HTTP Task"
    return None
