"""The GoToState machine in the account: found, built, kept to its source, and bound to a state for people."""

import logging
import random
from collections.abc import Iterator, Mapping

from gotostate import cleaning, resumption, router
from gotostate.definition import Machine
from gotostate.errors import DefinitionError, ForeignMachineError, NotFoundError, RefusedError, TransientError
from gotostate.failure import Failure
from gotostate.housekeeping import DELETING_TAG
from gotostate.memory import Memory
from gotostate.resumption import SOURCE_TAG

# How often a machine is read again when somebody else has changed it meanwhile, and the growing pause before each.
_TRIES = 4
_PAUSE_SECONDS = 0.5
# A machine may have 1,000 versions (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html). With
# so many, the oldest ones that nothing runs are deleted when another one is published, a few each time.
_MANY_VERSIONS = 100
_DELETED_AT_ONCE = 5
# AWS's limit for a resource; one is needed for our own.
_MOST_TAGS = 50

_log = logging.getLogger(__name__)


def source_for(failure: Failure) -> Machine:
    """Return what the GoToState machine of a failure is built from, under the GoToState machine's ARN."""
    return Machine(failure.machine_arn, failure.source, failure.ran.configuration)


def ensure(memory: Memory, failure: Failure, inside: str | None = None) -> str:
    """Make sure that the GoToState machine of a failure has a version that serves it; return the version's ARN.

    inside: the Parallel or Map that is opened, where the resume continues inside one.
    A version is started and never the plain ARN: right after an update that may still run the old
    definition, and another failure may update the machine between our look and our start. The version depends
    only on the source and the opened container, so that all failures of one definition share it.

    Raises RefusedError when AWS does not take the definition, or it is too large,
    ForeignMachineError when the name belongs to a machine that was not built from this source,
    TransientError when others change the machine all the time.
    """
    source = source_for(failure)
    if version := memory.serving(source, inside):
        return version
    if refused := memory.refused(source, inside):
        raise RefusedError(refused)
    try:
        definition = router.add_gotostate(failure.source, inside=inside)
        return _ensured(memory, failure, Machine(source.arn, definition, source.configuration), inside)
    except (RefusedError, DefinitionError) as error:
        memory.refuses(source, inside, str(error))
        raise RefusedError(str(error)) from error


def _ensured(memory: Memory, failure: Failure, wanted: Machine, inside: str | None) -> str:
    for turn in range(_TRIES):
        if turn:
            # Random, to be out of step with the processes that overtook us.
            memory.aws.pace.pause(_PAUSE_SECONDS * random.uniform(1, 2) * turn)  # noqa: S311
        if version := _serving(memory, failure, wanted):
            memory.serves(source_for(failure), inside, version)
            return version
    raise TransientError(f"{wanted.arn} was changed by others {_TRIES} times meanwhile; try again")


def prepare(memory: Memory, failure: Failure, state: str) -> bool:
    """Build the GoToState machine of a failure for people at a console, where {"resuming": true} goes to a state.

    They start it by its plain ARN, so an update publishes no version. Returns False, with a warning in the log, when
    the machine is there and AWS refuses to change it. Raises ForeignMachineError.
    """
    wanted = Machine(failure.machine_arn, router.add_gotostate(failure.source, state), failure.ran.configuration)
    current = memory.aws.machine(failure.machine_arn)
    if current is None and memory.aws.create(wanted, _tags_for(failure)):
        return True
    if current and _is_same(current, wanted):
        return True
    # Somebody may have taken it over since it was built: its tags show that.
    memory.forget_tags(failure.machine_arn)
    _refuse_foreign(memory, failure, current)
    try:
        if memory.aws.update(wanted, publish=False):
            return True
        problem = "somebody else changes the machine"
    except Exception as error:  # noqa: BLE001  whatever it is, the machine is there, and the object form works
        problem = str(error)
    _log.warning("the input {'resuming': true} may go to another state: %s", problem)
    return False


def _serving(memory: Memory, failure: Failure, wanted: Machine) -> str | None:
    """Find a version that serves, or publish one. None: somebody else changes the machine.

    Nearly always it is the version that ran, or the first. The versions are listed last, as AWS allows one
    ListStateMachineVersions call per second.
    """
    ran = failure.ran
    if failure.is_resumed and ran.arn != wanted.arn and not memory.was_gone(ran.arn) and _is_same(ran, wanted):
        _refuse_foreign(memory, failure)
        return ran.arn
    first = f"{wanted.arn}:1"
    version = memory.aws.current(first)
    if version and _is_same(version.machine, wanted):
        # A version with our description is ours; its tags need no look, as AWS allows one ListTagsForResource a second.
        if not version.is_ours:
            _refuse_foreign(memory, failure)
        return first
    if version is None and (created := memory.aws.create(wanted, _tags_for(failure))):
        return created
    current = memory.aws.machine(wanted.arn)
    if current is None:
        return None
    _refuse_foreign(memory, failure, current)
    for arn in _versions(memory, wanted.arn):
        version = memory.aws.current(arn) if arn != first and memory.may_serve(arn, wanted) else None
        if version and _is_same(version.machine, wanted):
            return arn
        if version:
            memory.has_seen(version.machine)
    published = memory.aws.update(wanted, publish=True)
    if published:
        _delete_old_versions(memory, published)
    return published


def _versions(memory: Memory, machine_arn: str) -> Iterator[str]:
    try:
        yield from memory.aws.version_arns(machine_arn)
    except NotFoundError:
        return


def _is_same(one: Machine, other: Machine) -> bool:
    return one.definition.text == other.definition.text and one.configuration == other.configuration


def _refuse_foreign(memory: Memory, failure: Failure, current: Machine | None = None) -> None:
    """Raise ForeignMachineError unless the tags say that the machine is ours.

    A machine of our shape that shows no tags may have just been created, or may be in deletion.
    """
    arn = failure.machine_arn
    try:
        tags = memory.tags(arn)
    except NotFoundError as error:
        memory.forget_tags(arn)
        raise TransientError(f"{arn} was deleted meanwhile; try again") from error
    if resumption.is_built_from(tags, arn, failure.source_arn):
        return
    memory.forget_tags(arn)
    tag = tags.get(SOURCE_TAG)
    if DELETING_TAG in tags:
        raise TransientError(f"a deletion of {arn} has begun; the next sweep, or gotostate clean, ends or undoes it")
    if tag is None and (current is None or current.definition.is_gotostate):
        raise TransientError(f"the tags of {arn} do not show its source (yet); try again")
    raise ForeignMachineError(
        f"{arn} exists and was not built from {failure.source_arn} (its tag {SOURCE_TAG} says {tag}); "
        "rename or delete it, or resume by hand with the native redrive"
    )


def _delete_old_versions(memory: Memory, published: str) -> None:
    """Delete a few of the oldest versions that nothing runs, where there are many."""
    machine_arn, _, number = published.rpartition(":")
    if not number.isdecimal() or int(number) < _MANY_VERSIONS:
        return
    try:
        versions = list(memory.aws.version_arns(machine_arn))
        oldest = reversed(versions[_MANY_VERSIONS // 2 :]) if len(versions) >= _MANY_VERSIONS else iter(())
        cleaning.delete_idle(memory.aws, oldest, _DELETED_AT_ONCE)
    except Exception as error:  # noqa: BLE001  the version that is needed is published; the next time will do
        _log.warning("old versions of %s were not deleted: %s", machine_arn, error)


def _tags_for(failure: Failure) -> Mapping[str, str]:
    # The prefix aws: is AWS's own.
    copied = [(key, value) for key, value in failure.tags.items() if not key.startswith("aws:") and key != SOURCE_TAG]
    return {**dict(copied[: _MOST_TAGS - 1]), SOURCE_TAG: resumption.source_tag(failure.source_arn)}
