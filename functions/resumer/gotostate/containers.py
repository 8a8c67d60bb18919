"""Parallel and Map states: what runs inside them, and which of them can be entered in the middle.

A container is a Parallel or a Map. A scope is one branch of a Parallel, or the item processor of a Map: its
states, and the variables that they assign, are its own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gotostate import jsontext
from gotostate.definition import ROUTER_MARK, Definition, assigned_by, with_inner

# The variable that holds the numbers of a container's elements in the record. Each depth has its own variable, as an
# inner scope may not assign a variable of an outer one.
_VARIABLE = re.compile(r"gotostate\d")
_TOLERATES = ("ToleratedFailureCount", "ToleratedFailurePercentage")
# JSONata functions and context object fields that may differ in each execution; in doubt, they are taken to differ.
_CHANGING = re.compile(
    r"\$(shuffle|random|now|millis|uuid)\b"
    r"|(\$\$|\$states\s*\.\s*context)(?!\s*\.\s*(Execution\s*\.\s*Input|Map)\b)"
)
_PLAIN_PATH = re.compile(r"\$(\w*)((?:\.\w+|\['[^']*'\])*)")
_PATH_STEP = re.compile(r"\.(\w+)|\['([^']*)'\]")
ADDED_COMMENT = ROUTER_MARK + ": goes on inside."
_ADDED_NAME = re.compile(r"GoToState (Inside|Take|Which|Fill|Input|Enter|Done|Begin) \d+( \d+)?")
# The fields from which a container makes its branches' input or its items: if one of them differs, the finished
# branches and iterations do not fit any more.
_MADE_OF = ("Type", "InputPath", "Parameters", "Arguments", "ItemsPath", "Items", "ItemSelector")

Scope = Mapping[str, Any]


def variable(depth: int) -> str:
    """Name the variable by which a container's elements are found; depth is 0 at the top level."""
    return f"gotostate{depth}"


def is_container(state: Mapping[str, Any]) -> bool:
    """Tell whether a state is a Parallel or a Map."""
    return state.get("Type") in ("Parallel", "Map")


def is_distributed(state: Mapping[str, Any]) -> bool:
    """Tell whether a state is a Distributed Map, whose iterations are executions of their own."""
    config = _processor(state).get("ProcessorConfig")
    return isinstance(config, Mapping) and config.get("Mode") == "DISTRIBUTED"


def scopes(state: Mapping[str, Any]) -> Sequence[Scope]:
    """Return the branches of a Parallel, or the one item processor of an inline Map; nothing for any other state."""
    if state.get("Type") == "Parallel":
        found = state.get("Branches", [])
    elif state.get("Type") == "Map" and not is_distributed(state):
        found = [_processor(state)]
    else:
        return ()
    sound = isinstance(found, list) and all(isinstance(scope, Mapping) and _is_sound(scope) for scope in found)
    return found if sound else ()


def is_added(name: str, state: Mapping[str, Any]) -> bool:
    """Tell whether a state inside an opened container was added to it (inside.py)."""
    return state.get("Comment") == ADDED_COMMENT and _ADDED_NAME.fullmatch(name) is not None


def assigned_in(scope: Scope) -> list[str]:
    """Name the variables of a scope, sorted; those that gotostate added are left out."""
    names = {name for state in scope["States"].values() for name in assigned_by(state)}
    return sorted(name for name in names if not _VARIABLE.match(name))


def why_not(definition: Definition, name: str) -> str | None:
    """Say why a Parallel or Map at the top level cannot be entered in the middle; None where it can.

    definition: a source definition, as people wrote it.
    """
    taken = sorted(name for state in definition.all_states.values() for name in assigned_by(state))
    if theirs := next((name for name in taken if _VARIABLE.match(name)), None):
        return f"the definition has a variable {theirs!r}, a name that is needed to go on inside"
    within = list(with_inner(name, definition.states[name]))
    if any(is_added(inner, state) for inner, state in within):
        return "it holds states that were copied from an opened container"
    if any(_items_change(state) for _, state in within):
        return "its items depend on what differs in each execution, so they may be different the next time"
    return _why_not(definition.states[name], jsonata=definition.is_jsonata)


def can_open(state: Mapping[str, Any], *, jsonata: bool) -> bool:
    """Tell whether a container inside another one can be entered in the middle.

    jsonata: whether that is the machine's query language.
    """
    return _why_not(state, jsonata=jsonata) is None


def items_are_members(state: Mapping[str, Any], given: str | None, variables: Mapping[str, str]) -> bool:
    """Tell whether a JSONPath Map takes its items from an object, as far as a plain ItemsPath tells.

    given: its input; variables: those that are known, by name. All are JSON texts.
    """
    if state.get("Type") != "Map" or given is None:
        return False
    value = jsontext.parse(given)
    for field in ("InputPath", "ItemsPath"):
        value = _at(state.get(field, "$"), value, variables)
    return isinstance(value, dict)


def _at(path: object, value: Any, variables: Mapping[str, str]) -> Any:
    """Return what a path finds; None where it is not a plain one, or finds nothing."""
    plain = _PLAIN_PATH.fullmatch(path) if isinstance(path, str) else None
    if plain is None:
        return None
    if plain[1]:
        value = jsontext.parse(variables.get(plain[1], "null"))
    for step in _PATH_STEP.finditer(plain[2]):
        value = value.get(step[1] or step[2]) if isinstance(value, dict) else None
    return value


def changed_field(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """Name the first field whose difference makes two containers, or nested ones, run other branches or iterations."""
    if len(scopes(one)) != len(scopes(other)):
        return "Branches"
    for field in _MADE_OF:
        if one.get(field) != other.get(field):
            return field
    for scope, another in zip(scopes(one), scopes(other), strict=True):
        if one["Type"] == "Parallel" and scope["StartAt"] != another["StartAt"]:
            return "Branches"
        for name, state in scope["States"].items():
            inner = another["States"].get(name)
            if is_container(state) and inner is not None and (found := changed_field(state, inner)):
                return f"{found} of {name!r}"
    return None


def _why_not(state: Mapping[str, Any], *, jsonata: bool) -> str | None:
    return next(_hindrances(state, jsonata=jsonata), None)


def _hindrances(state: Mapping[str, Any], *, jsonata: bool) -> Iterator[str]:
    language = "JSONata" if jsonata else "JSONPath"
    if is_distributed(state):
        yield "it is a Distributed Map: its iterations are executions of their own"
    if not scopes(state):
        yield "it has no branches or no item processor that could be entered"
    if state.get("Retry"):
        yield "it has a Retry: its author chose the whole of it as the unit to repeat"
    if any(name.startswith(_TOLERATES) for name in state):
        yield "it tolerates failures (ToleratedFailure...), and which iterations failed is not recorded"
    if state.get("QueryLanguage", language) != language:
        yield "its query language is not the state machine's"
    # Each Assign gets one more member, which has to be distinguishable when it is removed again.
    if any("Assign" in rule and not _has_members(rule["Assign"]) for rule in (state, *state.get("Catch", []))):
        yield "an Assign of it is empty or no object"
    selector = state.get("ItemSelector", state.get("Parameters", {}))
    if state.get("Type") == "Map" and not jsonata and not isinstance(selector, Mapping):
        yield "its ItemSelector is no object"


def _items_change(state: Mapping[str, Any]) -> bool:
    return any(_CHANGING.search(str(state.get(field, ""))) is not None for field in ("Items", "ItemsPath"))


def _processor(state: Mapping[str, Any]) -> Mapping[str, Any]:
    found = state.get("ItemProcessor", state.get("Iterator"))
    return found if isinstance(found, Mapping) else {}


def _is_sound(scope: Scope) -> bool:
    states = scope.get("States")
    if not isinstance(states, Mapping) or not all(isinstance(state, Mapping) for state in states.values()):
        return False
    return isinstance(scope.get("StartAt"), str) and scope["StartAt"] in states


def _has_members(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value)
