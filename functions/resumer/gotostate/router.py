"""The GoToState definition: a source definition, its states untouched, with a way into any of them.

The router depends only on the source definition and on one state name, so one machine serves every
failure of that definition. Its input format is a contract (docs/gotostate-definition.md).

A JSONPath machine gets a JSONPath router, as JSONPath passes the input on exactly; an expression in
JSONata turns 12345678901234567890123 into 12345678901234567741440 (measured), which is no loss only
where the machine is JSONata itself.
"""

from typing import Any

from gotostate import jsontext
from gotostate.definition import OPENED_COMMENT, ROUTER_MARK, Definition, Namer, free_names, jsonata_string
from gotostate.errors import DefinitionError
from gotostate.inside import close_container, open_container

# A whole request is limited to 1 MiB, with its headers, the other fields and the escapes of the definition's JSON
# (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
MAX_DEFINITION_BYTES = 1_048_576 - 65_536
# https://docs.aws.amazon.com/step-functions/latest/dg/state-wait.html
MAX_WAIT_SECONDS = 99_999_999
UNKNOWN_TARGET = "GoToState.UnknownTarget"

_CAUSE = (
    "The input's 'resuming' is neither true, false nor an object with the name of a top-level state in 'state' "
    "and that state's input in 'input'. Nothing was run."
)

State = dict[str, Any]


def add_gotostate(source: Definition, target: str | None = None, inside: str | None = None) -> Definition:
    """Build the GoToState definition of a source definition.

    inside: the Parallel or Map that is opened, so that its branches or iterations can be entered in the middle.
    target: the top-level state that the input {"resuming": true} goes to; None: it is rejected, as no
    failure was prepared. Versions are built without one, so that they depend on the source alone.
    The text of each state of the source stands in the result byte for byte; the source is not
    changed. If the definition is already a GoToState one, its one router is rebuilt.

    Raises UnknownStateError for a target that the source does not have, DefinitionError when the
    result would be larger than Step Functions takes.
    """
    source = remove_gotostate(source)
    if target is not None:
        source.require(target)
    if inside is not None:
        source = open_container(source, inside)
    name = free_names(source)
    states = (_jsonata_states if source.is_jsonata else _jsonpath_states)(source, target, name)
    for state in states.values():
        state["Comment"] = ROUTER_MARK + state["Comment"]
    if inside is not None:
        next(iter(states.values()))["Comment"] += OPENED_COMMENT.format(jsontext.write(inside))
    parts = jsontext.members(source.text)
    parts["StartAt"] = jsontext.write(name("GoToState"))
    added = {state: jsontext.write(body) for state, body in states.items()}
    parts["States"] = jsontext.join(added | jsontext.members(parts["States"]))
    text = jsontext.join(parts)
    size = jsontext.size(jsontext.write(text))
    if size > MAX_DEFINITION_BYTES:
        raise DefinitionError(
            f"with GoToState added the definition takes {size} bytes of a request, over the {MAX_DEFINITION_BYTES} "
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
    source = Definition.parse(jsontext.join(parts))
    return close_container(source, definition.opened) if definition.opened else source


def _rejected() -> State:
    return {
        "Type": "Fail",
        "Comment": ": the input names no state that could be entered.",
        "Error": UNKNOWN_TARGET,
        "Cause": _CAUSE,
    }


def _jsonpath_states(source: Definition, target: str | None, name: Namer) -> dict[str, State]:
    """Write the router in JSONPath. docs/decisions.md has the evidence for each construct, by who goes through it.

    An input that automation wrote passes through GoToState, Backoff, Input and Enter; the states between fill in fields
    that a person omitted. The tests read the context object, as AWS refuses to apply a path to an input that is null.
    """
    start = source.document["StartAt"]
    backoff, given, enter, rejected, defaults = (
        name(f"GoToState {part}") for part in ("Backoff", "Input", "Enter", "Rejected", "Defaults")
    )
    names = source.variable_names
    # A person's input may lack variables too; then a Choice of its own finds out what to fill in.
    fill = name("GoToState Fill") if names else defaults
    resuming = "$$.Execution.Input.resuming"
    delay, variables = f"{resuming}.delaySeconds", f"{resuming}.variables"
    known = [{"Variable": f"{resuming}.state", "StringEquals": state} for state in source.enterable_states]
    well_formed = [
        _present(f"{resuming}.state"),
        {"Variable": f"{resuming}.state", "IsString": True},
        _present(f"{resuming}.input"),
        _any(known),
    ]
    delay_ok = [
        _present(delay),
        {"Variable": delay, "IsNumeric": True},
        {"Variable": delay, "NumericGreaterThanEquals": 0},
        {"Variable": delay, "NumericLessThanEquals": MAX_WAIT_SECONDS},
    ]
    # A Choice has no test for an object. A value with a member is one; the last test detects an array.
    no_scalar = [
        {"Not": {"Variable": variables, f"Is{kind}": True}} for kind in ("Null", "String", "Numeric", "Boolean")
    ]
    no_array = [{"Not": _present(f"{variables}[0]")}] if names else []
    optional = _any([{"Not": _present(variables)}, {"And": [_present(variables), *no_scalar, *no_array]}])
    complete = [_present(f"{variables}['{variable}']") for variable in names] or [optional]
    is_boolean = [_present(resuming), {"Variable": resuming, "IsBoolean": True}]
    states: dict[str, State] = {
        name("GoToState"): {
            "Type": "Choice",
            "Comment": ": starts at the beginning, or goes to a state that the input names.",
            "Choices": [
                {"Not": _present(resuming), "Next": start},
                {"And": [*is_boolean, {"Variable": resuming, "BooleanEquals": False}], "Next": start},
                {"And": [*is_boolean, {"Variable": resuming, "BooleanEquals": True}], "Next": target or rejected},
                {"And": [*well_formed, *delay_ok, *complete], "Next": backoff},
                {"And": [*well_formed, _any([{"Not": _present(delay)}, {"And": delay_ok}]), optional], "Next": fill},
            ],
            "Default": rejected,
        },
        defaults: {
            "Type": "Pass",
            "Comment": ": no delay, where the input does not say.",
            "Result": 0,
            "ResultPath": "$.resuming.delaySeconds",
            "Next": fill if names else backoff,
        },
        backoff: {
            "Type": "Wait",
            "Comment": ": waits as long as the input says and sets the variables.",
            "SecondsPath": "$.resuming.delaySeconds",
            "Next": given,
        },
        given: {
            "Type": "Pass",
            "Comment": ": takes the state's input out of the execution's input, as it is.",
            "InputPath": "$.resuming.input",
            "Next": enter,
        },
        enter: {
            "Type": "Choice",
            "Comment": ": enters the state that the input names.",
            "Choices": [rule | {"Next": rule["StringEquals"]} for rule in known],
            "Default": rejected,
        },
        rejected: _rejected(),
    }
    if names:
        states[backoff]["Assign"] = {f"{variable}.$": f"$.resuming.variables['{variable}']" for variable in names}
        states |= _filling(names, name, fill, defaults, backoff)
    return states


def _filling(names: tuple[str, ...], name: Namer, fill: str, defaults: str, backoff: str) -> dict[str, State]:
    """Write the states that set each variable that a person's input does not name to null; none copies the input."""
    unset, nulls, merge, take = (name(f"GoToState {part}") for part in ("Unset", "Nulls", "Merge", "Take"))
    variables = "$.resuming.variables"
    nothing = dict.fromkeys(names)
    complete = [_present(f"{variables}['{variable}']") for variable in names]
    return {
        fill: {
            "Type": "Choice",
            "Comment": ": finds out what the input does not say.",
            "Choices": [
                {"Not": _present("$.resuming.delaySeconds"), "Next": defaults},
                {"Not": _present(variables), "Next": unset},
                complete[0] | {"Next": backoff} if len(complete) == 1 else {"And": complete, "Next": backoff},
            ],
            "Default": nulls,
        },
        unset: {
            "Type": "Pass",
            "Comment": ": no variables, where the input does not say.",
            "Result": nothing,
            "ResultPath": variables,
            "Next": backoff,
        },
        nulls: {
            "Type": "Pass",
            "Comment": ": all variables as null, to be merged with those that the input names.",
            "Result": nothing,
            "ResultPath": "$.resuming.nulls",
            "Next": merge,
        },
        merge: {
            "Type": "Pass",
            "Comment": ": a variable that the input does not name is null.",
            "Parameters": {"variables.$": f"States.JsonMerge($.resuming.nulls, {variables}, false)"},
            "ResultPath": "$.resuming.merged",
            "Next": take,
        },
        take: {
            "Type": "Pass",
            "Comment": ": the merged variables are the variables.",
            "InputPath": "$.resuming.merged.variables",
            "ResultPath": variables,
            "Next": backoff,
        },
    }


def _present(path: str) -> State:
    return {"Variable": path, "IsPresent": True}


def _any(rules: list[State]) -> State:
    return rules[0] if len(rules) == 1 else {"Or": rules}


def _jsonata_states(source: Definition, target: str | None, name: Namer) -> dict[str, State]:
    start = source.document["StartAt"]
    backoff, enter, rejected = (name(f"GoToState {part}") for part in ("Backoff", "Enter", "Rejected"))
    resuming = "$states.input.resuming"
    # Without the type test, a path into the array [{"resuming": true}] would find the field of its item.
    is_object = "$type($states.input) = 'object'"
    has_resuming = f"{is_object} and 'resuming' in $keys($states.input)"
    names = "[" + ", ".join(jsonata_string(state) for state in source.enterable_states) + "]"
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
                {"Condition": when("true"), "Next": target or rejected},
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
                    "Condition": f"{{% {resuming}.state = {jsonata_string(state)} %}}",
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
        variables = f"{resuming}.variables"
        states[backoff]["Assign"] = {
            variable: f"{{% '{variable}' in $keys({variables}) ? $lookup({variables}, '{variable}') : null %}}"
            for variable in source.variable_names
        }
    return states
