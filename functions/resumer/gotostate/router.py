"""The GoToState definition: a source definition, its states untouched, with a way into any of them.

The router depends on the source definition and on one state name alone, so one machine serves every
failure of that definition. What it takes as input is a contract (docs/gotostate-definition.md).

A JSONPath machine gets a JSONPath router, as JSONPath hands the input on exactly; an expression in
JSONata turns 12345678901234567890123 into 12345678901234567741440 (measured), which is no loss only
where the machine is JSONata itself.
"""

from collections.abc import Callable, Mapping
from typing import Any

from gotostate import jsontext
from gotostate.definition import ROUTER_MARK, Definition
from gotostate.errors import DefinitionError

MAX_DEFINITION_BYTES = 1_048_576
# https://docs.aws.amazon.com/step-functions/latest/dg/state-wait.html
MAX_WAIT_SECONDS = 99_999_999
UNKNOWN_TARGET = "GoToState.UnknownTarget"

_CAUSE = (
    "The input's 'resuming' is neither true, false nor an object with the name of a top-level state in 'state' "
    "and that state's input in 'input'. Nothing was run."
)

State = dict[str, Any]
Namer = Callable[[str], str]


def add_gotostate(source: Definition, target: str) -> Definition:
    """Build the GoToState definition of a source definition.

    target: the top-level state that the input {"resuming": true} goes to.
    The text of each state of the source stands in the result byte for byte; the source is not
    changed. A definition that is a GoToState one already keeps its one router, made anew.

    Raises UnknownStateError for a target that the source does not have, DefinitionError when the
    result would be larger than Step Functions takes.
    """
    source = remove_gotostate(source)
    source.require(target)
    name = _namer(source)
    states = (_jsonata_states if source.is_jsonata else _jsonpath_states)(source, target, name)
    for state in states.values():
        state["Comment"] = ROUTER_MARK + state["Comment"]
    parts = jsontext.members(source.text)
    parts["StartAt"] = jsontext.write(name("GoToState"))
    added = {state: jsontext.write(body) for state, body in states.items()}
    parts["States"] = jsontext.join(added | jsontext.members(parts["States"]))
    text = jsontext.join(parts)
    size = jsontext.size(text)
    if size > MAX_DEFINITION_BYTES:
        raise DefinitionError(
            f"with GoToState added the definition has {size} bytes, over the {MAX_DEFINITION_BYTES} "
            "that Step Functions takes; use the native redrive for this machine"
        )
    return Definition.parse(text)


def remove_gotostate(definition: Definition) -> Definition:
    """Give back the source of a GoToState definition; any other definition comes back as it is."""
    if not definition.is_gotostate:
        return definition
    start, _ = definition.route
    parts = jsontext.members(definition.text)
    parts["StartAt"] = jsontext.write(start)
    states = jsontext.members(parts["States"])
    parts["States"] = jsontext.join({name: states[name] for name in definition.enterable_states})
    return Definition.parse(jsontext.join(parts))


def same_source(gotostate: Definition, source: Definition) -> bool:
    """Tell whether a GoToState definition was built from this source, by this version of the router.

    The state that `true` goes to may differ.
    """
    if not gotostate.is_gotostate:
        return False
    _, target = gotostate.route
    return target in source.states and add_gotostate(source, target).text == gotostate.text


def _namer(source: Definition) -> Namer:
    """Return a function that turns a router state's name into one that the source does not use."""

    def free(wanted: str) -> str:
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted} {number}", number + 1
        return name

    taken = set(_state_names(source.document))
    return free


def _state_names(container: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    for name, state in container.get("States", {}).items():
        inner = [*state.get("Branches", []), state.get("ItemProcessor"), state.get("Iterator")]
        names += [name, *(found for nested in inner if isinstance(nested, dict) for found in _state_names(nested))]
    return names


def _rejected() -> State:
    return {
        "Type": "Fail",
        "Comment": ": the input names no state that could be entered.",
        "Error": UNKNOWN_TARGET,
        "Cause": _CAUSE,
    }


def _jsonpath_states(source: Definition, target: str, name: Namer) -> dict[str, State]:
    start = source.document["StartAt"]
    backoff, defaults, fill, merge, enter, rejected = (
        name(f"GoToState {part}") for part in ("Backoff", "Defaults", "Fill", "Merge", "Enter", "Rejected")
    )
    known = [{"Variable": "$.resuming.state", "StringEquals": state} for state in source.enterable_states]
    delay, given = "$.resuming.delaySeconds", "$.resuming.variables"
    well_formed = [
        _present("$.resuming.state"),
        {"Variable": "$.resuming.state", "IsString": True},
        _present("$.resuming.input"),
        _any(known),
        _any([{"Not": _present(given)}, {"And": [_present(given), *_no_scalar(given)]}]),
    ]
    delay_is_number = [
        _present(delay),
        {"Variable": delay, "IsNumeric": True},
        {"Variable": delay, "NumericGreaterThanEquals": 0},
        {"Variable": delay, "NumericLessThanEquals": MAX_WAIT_SECONDS},
    ]
    variables = {variable: f"$.resuming.variables['{variable}']" for variable in source.variable_names}
    complete = [_present(path) for path in variables.values()]
    states: dict[str, State] = {
        name("GoToState"): {
            "Type": "Choice",
            "Comment": ": starts at the beginning, or goes to a state that the input names.",
            "Choices": [
                {"Not": _present("$.resuming"), "Next": start},
                {"And": [*_is_boolean(), {"Variable": "$.resuming", "BooleanEquals": False}], "Next": start},
                {"And": [*_is_boolean(), {"Variable": "$.resuming", "BooleanEquals": True}], "Next": target},
                {"And": [*well_formed, *delay_is_number, *complete], "Next": backoff},
                {"And": [*well_formed, _any([{"Not": _present(delay)}, {"And": delay_is_number}])], "Next": defaults},
            ],
            "Default": rejected,
        },
        # What a person left out of the input; automation writes all of it and passes these two by.
        defaults: {
            "Type": "Pass",
            "Comment": ": no delay and no variables, where the input does not say.",
            "Result": {"delaySeconds": 0, "variables": dict.fromkeys(variables)},
            "ResultPath": "$.resuming.defaults",
            "Next": fill,
        },
        fill: {
            "Type": "Pass",
            "Comment": ": puts the defaults where the input is silent.",
            "Parameters": {
                "state.$": "$.resuming.state",
                "input.$": "$.resuming.input",
                "defaults.$": "$.resuming.defaults",
                "given.$": "States.JsonMerge($.resuming.defaults, $.resuming, false)",
            },
            "ResultPath": "$.resuming",
            "Next": merge,
        },
        merge: {
            "Type": "Pass",
            "Comment": ": a variable that the input does not name is null.",
            "Parameters": {
                "state.$": "$.resuming.state",
                "input.$": "$.resuming.input",
                "delaySeconds.$": "$.resuming.given.delaySeconds",
                "variables.$": "States.JsonMerge($.resuming.defaults.variables, $.resuming.given.variables, false)",
            },
            "ResultPath": "$.resuming",
            "Next": backoff,
        },
        backoff: {
            "Type": "Wait",
            "Comment": ": waits as long as the input says and sets the variables.",
            "SecondsPath": delay,
            "Next": enter,
        },
        enter: {
            "Type": "Choice",
            "Comment": ": enters the state that the input names, with exactly its input.",
            "Choices": [rule | {"Next": rule["StringEquals"]} for rule in known],
            "OutputPath": "$.resuming.input",
            "Default": rejected,
        },
        rejected: _rejected(),
    }
    if variables:
        states[backoff]["Assign"] = {f"{variable}.$": path for variable, path in variables.items()}
    return states


def _no_scalar(path: str) -> list[State]:
    """Return what tells an object (a Choice has no test for one); an array must not have a first member."""
    scalars: list[State] = [{"Variable": path, f"Is{kind}": True} for kind in ("Null", "String", "Numeric", "Boolean")]
    return [{"Not": rule} for rule in (*scalars, _present(f"{path}[0]"))]


def _present(path: str) -> State:
    return {"Variable": path, "IsPresent": True}


def _is_boolean() -> list[State]:
    return [_present("$.resuming"), {"Variable": "$.resuming", "IsBoolean": True}]


def _any(rules: list[State]) -> State:
    return rules[0] if len(rules) == 1 else {"Or": rules}


def _jsonata_states(source: Definition, target: str, name: Namer) -> dict[str, State]:
    start = source.document["StartAt"]
    backoff, enter, rejected = (name(f"GoToState {part}") for part in ("Backoff", "Enter", "Rejected"))
    resuming = "$states.input.resuming"
    # Without the test of the type, a path into the array [{"resuming": true}] finds its member's field.
    is_object = "$type($states.input) = 'object'"
    has_resuming = f"{is_object} and 'resuming' in $keys($states.input)"
    names = "[" + ", ".join(_jsonata_string(state) for state in source.enterable_states) + "]"
    # A conditional, as "and" need not stop at a false left side and "x" >= 0 is an error.
    delay_ok = (
        f"('delaySeconds' in $keys({resuming}) "
        f"? ($type({resuming}.delaySeconds) = 'number' ? {resuming}.delaySeconds >= 0 "
        f"and {resuming}.delaySeconds <= {MAX_WAIT_SECONDS} "
        f"and $floor({resuming}.delaySeconds) = {resuming}.delaySeconds : false) : true)"
    )
    variables_ok = f"($not('variables' in $keys({resuming})) or $type({resuming}.variables) = 'object')"

    def when(value: str) -> str:
        return f"{{% {has_resuming} and $type({resuming}) = 'boolean' and {resuming} = {value} %}}"

    states: dict[str, State] = {
        name("GoToState"): {
            "Type": "Choice",
            "Comment": ": starts at the beginning, or goes to a state that the input names.",
            "Choices": [
                {"Condition": f"{{% $not({has_resuming}) %}}", "Next": start},
                {"Condition": when("false"), "Next": start},
                {"Condition": when("true"), "Next": target},
                {
                    "Condition": (
                        f"{{% {has_resuming} and $type({resuming}) = 'object' and $type({resuming}.state) = 'string' "
                        f"and {resuming}.state in {names} and 'input' in $keys({resuming}) "
                        f"and {delay_ok} and {variables_ok} %}}"
                    ),
                    "Next": backoff,
                },
            ],
            "Default": rejected,
        },
        backoff: {
            "Type": "Wait",
            "Comment": ": waits as long as the input says and sets the variables.",
            "Seconds": f"{{% 'delaySeconds' in $keys({resuming}) ? {resuming}.delaySeconds : 0 %}}",
            "Next": enter,
        },
        enter: {
            "Type": "Choice",
            "Comment": ": enters the state that the input names, with exactly its input.",
            "Choices": [
                {
                    "Condition": f"{{% {resuming}.state = {_jsonata_string(state)} %}}",
                    "Output": f"{{% {resuming}.input %}}",
                    "Next": state,
                }
                for state in source.enterable_states
            ],
            "Default": rejected,
        },
        rejected: _rejected(),
    }
    if source.variable_names:
        # On AWS an expression that gives undefined is an error, so a name that is missing becomes null.
        states[backoff]["Assign"] = {
            variable: (
                f"{{% {_jsonata_string(variable)} in $keys({resuming}.variables) "
                f"? {resuming}.variables.`{variable}` : null %}}"
            )
            for variable in source.variable_names
        }
    return states


def _jsonata_string(text: str) -> str:
    """Write a JSONata string literal; a percent sign is escaped, as %} would end the expression."""
    return jsontext.write(text).replace("%", "\\u0025")
