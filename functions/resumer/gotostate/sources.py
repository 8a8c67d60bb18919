"""The state machines that people wrote, found by their names or because they have opted in."""

from collections.abc import Iterable, Sequence

from gotostate import resumption
from gotostate.errors import NotFoundError
from gotostate.resumption import OPT_IN_TAG, SUFFIX
from gotostate.settings import Mode, matches
from gotostate.stepfunctions import StepFunctions


def opted_in(aws: StepFunctions) -> list[str]:
    """Return the ARNs of the state machines whose tag asks for a resume or for its preparation.

    A GoToState machine has its source's tags, and stands for its source here, which may be deleted.
    """
    tagged = aws.tags_of_opted_in()
    asked = (arn for arn, tags in tagged.items() if tags[OPT_IN_TAG] != Mode.OFF)
    return sorted({resumption.source_of(tagged[arn], arn) or arn.removesuffix(SUFFIX) for arn in asked})


def named(aws: StepFunctions, patterns: Sequence[str]) -> list[str]:
    """Return the ARNs of the state machines that are meant by names, * for any characters, or by their own ARNs.

    The name of a GoToState machine means its source. Raises NotFoundError for a name that no state machine has.
    """
    found = {pattern.removesuffix(SUFFIX) for pattern in patterns if pattern.startswith("arn:")}
    names = [pattern for pattern in patterns if not pattern.startswith("arn:")]
    # One page holds a thousand machines, so it is not asked where ARNs say all.
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


def _sources(machine_arns: Iterable[str]) -> dict[str, str]:
    """Return by name, of all state machines, the ARN of the one that people wrote."""
    arns = {arn.rpartition(":")[2]: arn for arn in machine_arns}
    built = {resumption.machine_name(name): arn for name, arn in arns.items() if not name.endswith(SUFFIX)}
    # Of a source that was deleted the GoToState machine says the name, if that was not cut.
    return {name: built.get(name, arn.removesuffix(SUFFIX)) for name, arn in arns.items()}
