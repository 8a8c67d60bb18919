"""Whether states read the execution's input from the context object, which is another one in a resumed execution."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

# `$$` or `$states`, and what a path takes from it. A JSONata path may be written with spaces, comments and quotes.
_JSONPATH_CONTEXT = re.compile(r"\$\$((?:\.\w+|\[\s*['\"]\w+['\"]\s*\])*)")
_JSONATA_STATES = re.compile(r"\$states(?!\w)")
# A comment matches in one way only and ends at the next $states, so that any text is scanned only once.
_JSONATA_SPACE = r"(?:\s|/\*(?:(?!\*/|\$states).)*+\*/)*+"
_JSONATA_STEP = re.compile(rf"""{_JSONATA_SPACE}\.{_JSONATA_SPACE}(?:(\w+)|`([^`]*)`|"([^"]*)"|'([^']*)')""", re.DOTALL)
_FIELD = re.compile(r"\w+")
_EXECUTION_INPUT = ["Execution", "Input"]
# The other fields of $states (https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html).
_NOT_CONTEXT = ("input", "result", "errorOutput")


def reads_execution_input(states: Mapping[str, Any]) -> bool:
    """Tell whether any state may read the execution's input; in doubt it does."""
    return any(_reads(text) for text in _strings(states))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _reads(text: str) -> bool:
    paths = [_FIELD.findall(match[1]) for match in _JSONPATH_CONTEXT.finditer(text)]
    # A shorter path, such as $$ or $$.Execution, passes on an object that contains the input.
    return any(path[:2] == _EXECUTION_INPUT[: len(path[:2])] for path in paths) or any(
        _may_reach_execution_input(_jsonata_steps(text, match.end())) for match in _JSONATA_STATES.finditer(text)
    )


def _may_reach_execution_input(steps: Iterator[str]) -> bool:
    """Tell whether the steps after $states may lead to the execution's input."""
    first = next(steps, "")
    if first != "context":
        return first not in _NOT_CONTEXT
    return all(step == wanted for step, wanted in zip(steps, _EXECUTION_INPUT, strict=False))


def _jsonata_steps(text: str, at: int) -> Iterator[str]:
    while step := _JSONATA_STEP.match(text, at):
        yield next(part for part in step.groups() if part is not None)
        at = step.end()
