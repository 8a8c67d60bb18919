"""The state machines that people wrote, found by their names or because they have opted in."""

from collections.abc import Iterable, Mapping, Sequence

from gotostate import resumption
from gotostate.awserrors import is_denied
from gotostate.errors import NotFoundError, ThrottledError
from gotostate.memory import Memory
from gotostate.resumption import OPT_IN_TAG, SUFFIX
from gotostate.settings import Mode, matches
from gotostate.stepfunctions import StepFunctions


def opted_in(aws: StepFunctions, memory: Memory | None = None) -> list[str]:
    """Return the ARNs of the state machines whose tag asks for a resume or for its preparation.

    A GoToState machine has its source's tags, and stands for its source here, which may be deleted. memory: keeps the
    tags that are read.
    """
    tagged = (memory or aws).tags_of_opted_in()
    asked = (arn for arn, tags in tagged.items() if tags[OPT_IN_TAG] != Mode.OFF)
    return sorted({_source_of(arn, tagged[arn]) for arn in asked})


def of_stack(aws: StepFunctions, default_mode: Mode, names: str, memory: Memory | None = None) -> list[str]:
    """Return the ARNs of the state machines whose failures a stack processes.

    default_mode: what holds for machines without a tag. names: pattern of those that the stack may read. memory: keeps
    the tags that are read.
    """
    found = opted_in(aws, memory) if default_mode is Mode.OFF else sorted({*_sources(aws.standard_machines()).values()})
    return [arn for arn in found if matches(arn.rpartition(":")[2], (names,))]


def named(aws: StepFunctions, patterns: Sequence[str], memory: Memory | None = None) -> list[str]:
    """Return the ARNs of the state machines that are given by name, * for any characters, or by ARN.

    The name of a GoToState machine means its source. memory: keeps the tags that are read on the way. Raises
    NotFoundError for a name that no state machine has.
    """
    found = {_source_of_arn(aws, pattern) for pattern in patterns if pattern.startswith("arn:")}
    names = [pattern for pattern in patterns if not pattern.startswith("arn:")]
    # One call returns the ARNs and tags of a hundred machines that have the tag, instead of one call for each.
    tagged = _tagged_sources(memory) if names and memory else {}
    found |= {tagged[name] for name in names if name in tagged}
    names = [name for name in names if name not in tagged]
    sources = _sources(aws.standard_machines()) if names else {}
    for pattern in names:
        meant = {source for name, source in sources.items() if matches(name, (pattern,))}
        if not meant:
            raise NotFoundError(
                f"no Standard state machine is named {pattern!r}; to see the names: "
                "aws stepfunctions list-state-machines --query 'stateMachines[].name'"
            )
        found |= meant
    return sorted(found)


def _tagged_sources(memory: Memory) -> dict[str, str]:
    """Return, by name, the ARNs of the sources of all state machines with the tag 'gotostate'."""
    try:
        tagged = memory.tags_of_opted_in()
    except Exception as error:
        # It is the cheaper of two ways, with a permission and a quota of its own.
        if is_denied(error) or isinstance(error, ThrottledError):
            return {}
        raise
    return {arn.rpartition(":")[2]: _source_of(arn, tags) for arn, tags in tagged.items()}


def _source_of(machine_arn: str, tags: Mapping[str, str]) -> str:
    return resumption.source_of(tags, machine_arn) or machine_arn.removesuffix(SUFFIX)


def _source_of_arn(aws: StepFunctions, arn: str) -> str:
    """Return the ARN of the machine that people wrote; where the name of a GoToState machine was cut, its tag tells."""
    if not arn.endswith(SUFFIX) or len(arn.rpartition(":")[2]) < resumption.MAX_NAME:
        return arn.removesuffix(SUFFIX)
    try:
        return _source_of(arn, aws.tags(arn))
    except NotFoundError:
        return arn.removesuffix(SUFFIX)
    except Exception as error:
        if is_denied(error):
            return arn.removesuffix(SUFFIX)
        raise


def _sources(machine_arns: Iterable[str]) -> dict[str, str]:
    """Return, by name, the ARNs of the sources of state machines."""
    arns = {arn.rpartition(":")[2]: arn for arn in machine_arns}
    built = {resumption.machine_name(name): arn for name, arn in arns.items() if not name.endswith(SUFFIX)}
    # The GoToState machine of a deleted source shows the source's name, unless that was truncated.
    return {name: built.get(name, arn.removesuffix(SUFFIX)) for name, arn in arns.items()}
