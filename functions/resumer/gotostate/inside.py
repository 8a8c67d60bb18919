"""An opened Parallel or Map: each of its branches and iterations can be entered in the middle or skipped.

One top-level container is opened, with those that are nested in it. Each scope gets a small router in front that
reads the progress of its branch or iteration from the execution's input: docs/inside.md has the contract.
Everything else in the definition stays byte for byte the same, and closing restores the source byte for byte.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gotostate import jsontext
from gotostate.containers import ADDED_COMMENT, Scope, assigned_in, can_open, is_added, scopes, variable
from gotostate.definition import Definition, free_names, jsonata_string
from gotostate.errors import DefinitionError

RECORD = "Execution.Input.resuming.inside"

# The states that are added to a scope, in this order and before its own. Deployed machines have them so.
_JSONPATH_MAP = ("Inside", "Take", "Which", "Fill", "Input", "Enter", "Done", "Begin")
_JSONPATH_PARALLEL = _JSONPATH_MAP[:-1]
_JSONATA = ("Inside", "Done")

# Stands for the name of the scope's own first state, whose text is put in as it was written.
_START = "\0start"

State = dict[str, Any]


def open_container(source: Definition, name: str) -> Definition:
    """Open a Parallel or Map at the top level of a source definition; containers.why_not has to allow it."""
    return Definition.parse(_Opening(source).run(name))


def close_container(opened: Definition, name: str) -> Definition:
    """Give back the source of a definition in which a container was opened, byte for byte.

    Raises DefinitionError where it is not as it was built.
    """
    try:
        text = _Closing(opened).run(name)
    except (LookupError, ValueError) as error:
        raise DefinitionError(
            f"what was added inside {name!r} was changed by hand, or the JSON was written anew, so that the source "
            "cannot be told; give the definition as AWS holds it, or build the machine anew"
        ) from error
    return Definition.parse(text)


class _Edits:
    """Changes to a definition's text, gathered while it is walked through."""

    def __init__(self, definition: Definition) -> None:
        self.text, self.jsonata = definition.text, definition.is_jsonata
        self._definition = definition
        self._edits: list[tuple[int, int, str]] = []

    def run(self, name: str) -> str:
        states_at = jsontext.member_spans(self.text)["States"][0]
        at = jsontext.member_spans(self.text, states_at)[name][0]
        self.container(at, self._definition.states[name], 0)
        parts, end = [], 0
        for start, stop, new in sorted(self._edits):
            parts += [self.text[end:start], new]
            end = stop
        return "".join([*parts, self.text[end:]])

    def replace(self, start: int, stop: int, new: str) -> None:
        self._edits.append((start, stop, new))

    def insert_first(self, at: int, members: str) -> None:
        """Insert members, each followed by a comma, before those of the object that begins at a position."""
        self.replace(at + 1, at + 1, members)

    def remove_first(self, at: int, members: str, *, after: int = 0) -> bool:
        """Remove members that insert_first inserted, `after` characters further on; False if they are not there."""
        start = at + 1 + after
        found = self.text.startswith(members, start)
        if found:
            self.replace(start, start + len(members), "")
        return found

    def container(self, at: int, state: Mapping[str, Any], depth: int) -> None:
        raise NotImplementedError

    def scope(self, at: int, scope: Scope, number: int | None, depth: int) -> None:
        raise NotImplementedError

    def inner(self, at: int, state: Mapping[str, Any], depth: int) -> None:
        """Process the scopes of a container."""
        places = jsontext.member_spans(self.text, at)
        if state["Type"] == "Map":
            self.scope(places[_processor_field(state)][0], scopes(state)[0], None, depth)
            return
        branches = jsontext.item_spans(self.text, places["Branches"][0])
        for number, ((start, _), branch) in enumerate(zip(branches, scopes(state), strict=True)):
            self.scope(start, branch, number, depth)

    def nested(self, states_at: int, scope: Scope, depth: int) -> None:
        """Process the nested containers in a scope that can be opened."""
        places = jsontext.member_spans(self.text, states_at)
        for name, state in scope["States"].items():
            if can_open(state, jsonata=self.jsonata):
                self.container(places[name][0], state, depth + 1)

    def assigning(self, at: int, state: Mapping[str, Any]) -> Iterator[tuple[int, int | None]]:
        """Yield where the state and each of its Catchers begin, and the Assign of each, if it has one."""
        owners = [at]
        if "Catch" in state:
            catch_at = jsontext.member_spans(self.text, at)["Catch"][0]
            owners += [start for start, _ in jsontext.item_spans(self.text, catch_at)]
        for owner in owners:
            place = jsontext.member_spans(self.text, owner).get("Assign")
            yield owner, place[0] if place else None


class _Opening(_Edits):
    def __init__(self, source: Definition) -> None:
        super().__init__(source)
        self._free = free_names(source)
        self._scopes = 0

    def container(self, at: int, state: Mapping[str, Any], depth: int) -> None:
        selector = ""
        if state["Type"] == "Map":
            place = jsontext.member_spans(self.text, at).get(_selector_field(state))
            if place:
                self.replace(*place, _selecting(self.text[slice(*place)], jsonata=self.jsonata))
            else:
                selector = f'"{_selector_field(state)}":{_selecting(None, jsonata=self.jsonata)},'
        # Leaving the container ends the use of the record: a loop that comes back starts it from its beginning.
        for owner, assign in self.assigning(at, state):
            more = selector if owner == at else ""
            if assign is None:
                self.insert_first(owner, _assign(depth) + more)
            else:
                self.insert_first(assign, _cleared(depth))
                if more:
                    self.insert_first(owner, more)
        self.inner(at, state, depth)

    def scope(self, at: int, scope: Scope, number: int | None, depth: int) -> None:
        self._scopes += 1
        places = jsontext.member_spans(self.text, at)
        start = self.text[slice(*places["StartAt"])]
        write = _jsonata_states if self.jsonata else _jsonpath_states
        parts = _parts(number, jsonata=self.jsonata)
        names = {part: self._free(f"GoToState {part} {self._scopes}") for part in parts}
        added = write(scope, number, depth, names)
        texts = {names[part]: jsontext.write({**added[part], "Comment": ADDED_COMMENT}) for part in parts}
        members = jsontext.join(texts).replace(jsontext.write(_START), start)
        self.replace(*places["StartAt"], jsontext.write(names["Inside"]))
        self.insert_first(places["States"][0], members[1:-1] + ",")
        self.nested(places["States"][0], scope, depth)


class _Closing(_Edits):
    def container(self, at: int, state: Mapping[str, Any], depth: int) -> None:
        after = 0
        for owner, assign in self.assigning(at, state):
            if self.remove_first(owner, _assign(depth)):
                after = len(_assign(depth)) if owner == at else after
            elif assign is not None:
                self.remove_first(assign, _cleared(depth))
        if state["Type"] == "Map":
            field = _selector_field(state)
            selector = f'"{field}":{_selecting(None, jsonata=self.jsonata)},'
            if not self.remove_first(at, selector, after=after):
                place = jsontext.member_spans(self.text, at)[field]
                original = jsontext.member_spans(self.text, place[0])["input"]
                self.replace(*place, self.text[slice(*original)])
        self.inner(at, state, depth)

    def scope(self, at: int, scope: Scope, number: int | None, depth: int) -> None:
        places = jsontext.member_spans(self.text, at)
        states_at = places["States"][0]
        spans = list(jsontext.member_spans(self.text, states_at).values())[: len(_parts(number, jsonata=self.jsonata))]
        start = self._start_of(spans, is_map=number is None)
        self.replace(*places["StartAt"], self.text[slice(*start)])
        # With the comma behind the last of them.
        self.replace(states_at + 1, spans[-1][1] + 1, "")
        own = {name: state for name, state in scope["States"].items() if not is_added(name, state)}
        self.nested(states_at, {**scope, "States": own}, depth)

    def _start_of(self, spans: list[tuple[int, int]], *, is_map: bool) -> tuple[int, int]:
        """Return the span of the name of the scope's own first state in the added states."""
        if is_map and not self.jsonata:
            return jsontext.member_spans(self.text, spans[-1][0])["Next"]
        rules = jsontext.item_spans(self.text, jsontext.member_spans(self.text, spans[0][0])["Choices"][0])
        return jsontext.member_spans(self.text, rules[-1 if self.jsonata else 0][0])["Next"]


def _parts(number: int | None, *, jsonata: bool) -> tuple[str, ...]:
    if jsonata:
        return _JSONATA
    return _JSONPATH_MAP if number is None else _JSONPATH_PARALLEL


def _processor_field(state: Mapping[str, Any]) -> str:
    return "ItemProcessor" if "ItemProcessor" in state else "Iterator"


def _selector_field(state: Mapping[str, Any]) -> str:
    """Name the field that a Map selects by; ItemSelector and Parameters came with ItemProcessor and Iterator."""
    if "ItemSelector" in state or ("Parameters" not in state and "ItemProcessor" in state):
        return "ItemSelector"
    return "Parameters"


def _selecting(original: str | None, *, jsonata: bool) -> str:
    """Select an iteration's number in addition; the order of members shows whether there was an original selection."""
    if jsonata:
        index = '"index":"{% $states.context.Map.Item.Index %}"'
        value = '"input":"{% $states.context.Map.Item.Value %}"'
    else:
        index, value = '"index.$":"$$.Map.Item.Index"', '"input.$":"$$.Map.Item.Value"'
    return f"{{{index},{value}}}" if original is None else f'{{"input":{original},{index}}}'


def _cleared(depth: int) -> str:
    return f'"{variable(depth)}":null,'


def _assign(depth: int) -> str:
    return f'"Assign":{{"{variable(depth)}":null}},'


def _jsonpath_states(scope: Scope, number: int | None, depth: int, names: Mapping[str, str]) -> dict[str, State]:
    """Write the router of a scope in JSONPath; no path is applied to an input that may be null."""
    outer, inner = variable(depth), variable(depth + 1)
    # A scope that is not reached by way of a record leaves the inner variable unset, so the outer ones come first.
    begin = names.get("Begin", _START)
    not_live: list[State] = [{"Not": {"Variable": f"$$.{RECORD}", "IsPresent": True}, "Next": begin}]
    not_live += [{"Variable": f"${variable(above)}", "IsNull": True, "Next": begin} for above in range(depth + 1)]
    is_map = number is None
    at = "$.index" if is_map else str(number)
    taken: State = {"element.$": f"States.ArrayGetItem($$.{RECORD}, States.ArrayGetItem(${outer}, {at}))"}
    variables = {f"{name}.$": f"$.element.variables['{name}']" for name in assigned_in(scope)}
    states: dict[str, State] = {
        "Inside": {"Type": "Choice", "Choices": not_live, "Default": names["Take"]},
        "Take": {"Type": "Pass", "Parameters": taken, "Next": names["Which"]},
        "Which": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.element.state", "IsPresent": True, "Next": names["Fill"]},
                {"Variable": "$.element.output", "IsPresent": True, "Next": names["Done"]},
            ],
            "Default": begin if is_map else names["Done"],
        },
        "Fill": {
            "Type": "Pass",
            "Assign": {f"{inner}.$": "$.element.inside", f"{inner}state.$": "$.element.state", **variables},
            "Next": names["Input"],
        },
        "Input": {"Type": "Pass", "InputPath": "$.element.input", "Next": names["Enter"]},
        "Enter": {
            "Type": "Choice",
            "Choices": [{"Variable": f"${inner}state", "StringEquals": name, "Next": name} for name in scope["States"]],
        },
        "Done": {"Type": "Pass", "InputPath": "$.element.output", "End": True},
    }
    if is_map:
        states["Take"]["Parameters"] = {**taken, "input.$": "$.input"}
        states["Begin"] = {"Type": "Pass", "InputPath": "$.input", "Assign": {inner: None}, "Next": _START}
    else:
        # A branch's input may be null, to which AWS applies no path; each element of a Parallel has its own.
        states["Take"]["InputPath"] = None
    return states


def _jsonata_states(scope: Scope, number: int | None, depth: int, names: Mapping[str, str]) -> dict[str, State]:
    """Write the router of a scope in JSONata."""
    outer, inner = variable(depth), variable(depth + 1)
    record = f"$states.context.{RECORD}"
    at = "$states.input.index" if number is None else str(number)
    element = f"{record}[${outer}[{at}]]"
    live = f"${outer} != null"
    if depth == 0:
        # Without a record nothing may have assigned the variable.
        live = f"($exists({record}) ? {live} : false)"

    def when(condition: str) -> str:
        return f"{{% {live} ? {condition} : false %}}"

    variables = {name: f"{{% $lookup({element}.variables, '{name}') %}}" for name in assigned_in(scope)}
    rules: list[State] = [
        {
            "Condition": when(f"'output' in $keys({element})"),
            "Output": f"{{% $lookup({element}, 'output') %}}",
            "Next": names["Done"],
        },
        *(
            {
                "Condition": when(f"{element}.state = {jsonata_string(name)}"),
                "Output": f"{{% $lookup({element}, 'input') %}}",
                "Assign": {inner: f"{{% {element}.inside %}}", **variables},
                "Next": name,
            }
            for name in scope["States"]
        ),
        # A rule and no Default, which could assign nothing.
        {
            "Condition": "{% true %}",
            **({"Output": "{% $states.input.input %}"} if number is None else {}),
            "Assign": {inner: None},
            "Next": _START,
        },
    ]
    return {"Inside": {"Type": "Choice", "Choices": rules}, "Done": {"Type": "Pass", "End": True}}
