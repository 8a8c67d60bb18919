"""GoToState machines that are not needed any more: found, looked at and deleted.

A start that races with the deletion is not lost. AWS ends the executions of a machine that is deleted at their next
transition (https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html), so it has to
be certain that none begins. Executions are started only by version, and no version is published of a machine without
its source tag (machines.py). So: remove the tag, delete the versions, wait until every process that saw the tag is
done, and delete the machine if it still has no version and nothing runs. Until then a start is refused and the message
returns to the queue; after that the machine is built again.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gotostate.awserrors import error_code
from gotostate.definition import ROUTER_MARK
from gotostate.errors import DefinitionError, NotFoundError
from gotostate.events import ENDED_BADLY
from gotostate.housekeeping import (
    DELETING_TAG,
    DELETION_SECONDS,
    Built,
    Marks,
    Use,
    deleting_tag,
    is_foreign,
    old_versions,
    stays,
)
from gotostate.resumption import SOURCE_TAG
from gotostate.stepfunctions import Revision, StepFunctions

# A tag that was read is trusted for a minute, the index of all tags may be a minute behind, and a Resumer ends after
# half a minute (memory.py, template.yaml).
SETTLE_SECONDS = 180.0
# AWS allows one DeleteStateMachineVersion per second. The next run deletes the rest.
MOST_VERSIONS = 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A GoToState machine that was looked at.

    stays: why it is not deleted; None if it is to be deleted. versions: ARNs of the versions to delete; all of them if
    the machine is to be deleted. was_left: whether a deletion of it was begun and not finished. latest: when it ran
    last, in seconds since the epoch. keep, everything: as the caller gave them.
    """

    arn: str
    marks: Marks
    stays: str | None
    versions: tuple[str, ...]
    was_left: bool
    latest: float
    keep: float
    everything: bool


def machines(aws: StepFunctions) -> dict[str, Marks]:
    """Return all machines whose tags say that they are GoToState machines, by ARN, and what the tags say."""
    tagged = aws.tags_of_all_with(SOURCE_TAG) | aws.tags_of_all_with(DELETING_TAG)
    return {arn: Marks.of(arn, tags) for arn, tags in sorted(tagged.items())}


def look(aws: StepFunctions, arn: str, marks: Marks, *, now: float, keep: float, everything: bool = False) -> Found:
    """Look at one GoToState machine; changes nothing. Raises NotFoundError when it is gone."""
    built, versions = _read(aws, arn, marks)
    reason = stays(built, now=now, keep=keep, everything=everything)
    if reason is None and not everything:
        built = replace(built, source_has_failures=_has_failures(aws, str(marks.source)))
        reason = stays(built, now=now, keep=keep)
    old = list(old_versions(versions, built.use, now=now, keep=keep, everything=everything))
    if reason is None and len(versions) > MOST_VERSIONS:
        reason = f"it has {len(versions)} versions; the old ones are deleted first"
    if reason is None:
        old = [version for version, _ in versions]
    # The tag is not put back on a machine that may be somebody else's.
    left = marks.source is not None and marks.was_left(now) and not built.is_deleting
    return Found(arn, marks, reason, tuple(old), left, built.use.latest, keep, everything)


def delete_versions(aws: StepFunctions, found: Found) -> list[str]:
    """Delete old versions of a machine that stays, a few at a time; return the ARNs of those that were deleted.

    Running executions continue, and a start that finds its version deleted uses or publishes another one.
    """
    return delete_idle(aws, found.versions, MOST_VERSIONS)


def delete_idle(aws: StepFunctions, version_arns: Iterable[str], most: int) -> list[str]:
    """Delete versions that no running execution uses, `most` at most; return the ARNs of those that were deleted."""
    # Each costs two calls, also one that cannot be deleted.
    idle = (arn for arn in islice(version_arns, 2 * most) if not aws.is_running(arn))
    return list(islice((arn for arn in idle if _is_deleted(aws, arn)), most))


def restore(aws: StepFunctions, found: Found) -> None:
    """Give a machine its source tag back, by which it is built and started again."""
    try:
        aws.tag(found.arn, {SOURCE_TAG: found.marks.source_tag})
        aws.untag(found.arn, DELETING_TAG)
    except NotFoundError:
        return


def delete(
    aws: StepFunctions,
    doomed: Sequence[Found],
    clock: Callable[[], float] = lambda: time.time(),  # noqa: PLW0108
) -> list[str]:
    """Delete machines; return the ARNs of those that were. It waits for three minutes, once for all of them.

    A machine that somebody has used meanwhile stays. One that cannot be deleted gets its source tag back, but has no
    versions. Raises ThrottledError when there is no time to wait.
    """
    begun: list[Found] = []
    deleted: list[str] = []
    try:
        for found in doomed:
            begun.append(found)
            if not _close(aws, found, clock()):
                begun.remove(found)
                _restore_anyhow(aws, found)
        if begun:
            closed_at = clock()
            aws.pace.pause(SETTLE_SECONDS)
        for found in list(begun):
            # By then another sweep may have given it its tag back.
            is_late = clock() - closed_at > DELETION_SECONDS - SETTLE_SECONDS
            if not is_late and _is_closed(aws, found, clock()):
                aws.delete_machine(found.arn)
                begun.remove(found)
                deleted.append(found.arn)
    finally:
        for found in begun:
            _restore_anyhow(aws, found)
    return deleted


def _close(aws: StepFunctions, found: Found, now: float) -> bool:
    """Prevent further starts of a machine; False, with a warning, if that fails."""
    try:
        # In this order, so that the machine is known to be ours whenever we are stopped.
        aws.tag(found.arn, {DELETING_TAG: deleting_tag(found.marks.source_tag, now)})
        aws.untag(found.arn, SOURCE_TAG)
        for arn, _ in list(aws.versions(found.arn)):
            aws.delete_version(arn)
    except NotFoundError:
        return False
    except Exception as error:  # noqa: BLE001  an alias of somebody's, or no room for a tag; the others go on
        _log.warning("%s is not deleted: %s", found.arn, error)
        return False
    return True


def _is_closed(aws: StepFunctions, found: Found, now: float) -> bool:
    """Tell whether a machine may still be deleted: nobody has used it or put its tag back."""
    try:
        tags = aws.tags(found.arn)
        if SOURCE_TAG in tags or DELETING_TAG not in tags:
            return False
        marks = replace(found.marks, deleting_since=None)
        again = look(aws, found.arn, marks, now=now, keep=found.keep, everything=found.everything)
    except NotFoundError:
        return False
    return again.stays is None and not again.versions and again.latest == found.latest


def _restore_anyhow(aws: StepFunctions, found: Found) -> None:
    try:
        restore(aws, found)
    except Exception as error:  # noqa: BLE001  the next sweep does it
        _log.warning("%s has no tag %s until the next sweep: %s", found.arn, SOURCE_TAG, error)


def _is_deleted(aws: StepFunctions, version_arn: str) -> bool:
    """Delete a version; False, with a warning, for one that AWS keeps because an alias refers to it."""
    try:
        aws.delete_version(version_arn)
    except Exception as error:
        # https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachineVersion.html
        if error_code(error) != "ConflictException":
            raise
        _log.warning("%s is not deleted: %s", version_arn, error)
        return False
    return True


def _read(aws: StepFunctions, arn: str, marks: Marks) -> tuple[Built, list[tuple[str, float | None]]]:
    revision = _described(aws, arn)
    built = Built(marks, _has_router(revision), revision.is_deleting, revision.created, Use())
    if is_foreign(built) or revision.is_deleting:
        return built, []
    versions = list(aws.versions(arn))
    for one in aws.executions(arn):
        built.use.add(one)
        # One version is the newest, so nothing more is to be decided.
        if built.use.is_running and len(versions) <= 1:
            break
    return built, versions


def _described(aws: StepFunctions, arn: str) -> Revision:
    try:
        revision = aws.current(arn)
    except DefinitionError as error:
        raise NotFoundError(f"the definition of {arn} cannot be read: {error}") from error
    if revision is None:
        raise NotFoundError(f"the state machine {arn} does not exist (any more)")
    return revision


def _has_router(revision: Revision) -> bool:
    return ROUTER_MARK in revision.machine.definition.text and revision.machine.definition.is_gotostate


def _has_failures(aws: StepFunctions, source_arn: str) -> bool:
    """Tell whether AWS holds a failure of a state machine; of one that is gone it holds none."""
    return any(_failures(aws, source_arn))


def _failures(aws: StepFunctions, source_arn: str) -> Iterator[bool]:
    try:
        for status in ENDED_BADLY:
            yield next(aws.executions(source_arn, status), None) is not None
        yield any(one.redrive_count for one in aws.executions(source_arn, "RUNNING"))
    except NotFoundError:
        return
