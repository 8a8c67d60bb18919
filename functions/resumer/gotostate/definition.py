"""A state machine definition: its text as AWS keeps it, and queries on it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gotostate import jsontext
from gotostate.errors import DefinitionError, UnknownStateError
from gotostate.executioninput import reads_execution_input

Namer = Callable[[str], str]

# Each state that router.py adds carries this comment. Deployed machines carry it: never change it.
ROUTER_MARK = "Added by sfn-resume"

# The places of the rules in the router's first Choice; fixed for the same reason.
ROUTE_START = 0
ROUTE_TARGET = 2
ROUTE_ON = 3

# How the first state's comment names a container that was opened; fixed for the same reason.
OPENED_COMMENT = " Goes on inside {}."
_OPENED = re.compile(r' Goes on inside (".*")\.$', re.DOTALL)

_ROUTER_START = re.compile(r"GoToState( \d+)?")
_ROUTER_STATE = re.compile(r"GoToState( [A-Z][a-z]+)?( \d+)?")

# Definitions are read recursively, and Python's recursion limit is a thousand calls.
DEEPEST = 200


@dataclass(frozen=True)
class Definition:
    """A parsed Amazon States Language document that keeps its text.

    text: the JSON as written; states are copied from it, never from the parsed form.
    document: the same, parsed; read only.
    """

    text: str
    document: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "Definition":
        """Read an ASL text. Raises DefinitionError that names the field which is wrong."""
        try:
            document = jsontext.parse(text)
        except ValueError as error:
            raise DefinitionError(
                f"the definition is not JSON ({error}); give an Amazon States Language file"
            ) from error
        if not isinstance(document, dict):
            raise DefinitionError("the definition is not a JSON object; give an Amazon States Language file")
        states = document.get("States")
        if not isinstance(states, dict) or not states or not all(isinstance(state, dict) for state in states.values()):
            raise DefinitionError('the definition has no "States" object; give an Amazon States Language file')
        if _is_deep(document):
            raise DefinitionError(f"the definition is nested more than {DEEPEST} levels deep; give one that AWS takes")
        for name, state in states_within(document):
            _require_shape(name, state)
        if not isinstance(document.get("StartAt"), str) or document["StartAt"] not in states:
            raise DefinitionError('"StartAt" of the definition names none of its states; correct it')
        return cls(text, document)

    @property
    def states(self) -> Mapping[str, Any]:
        """All top-level states, including those of a router."""
        states: Mapping[str, Any] = self.document["States"]
        return states

    @property
    def is_jsonata(self) -> bool:
        """Tell whether the machine's own query language is JSONata (JSONPath is the default)."""
        return self.document.get("QueryLanguage") == "JSONata"

    @property
    def timeout_seconds(self) -> int | None:
        """How long an execution may take; None where the definition does not say."""
        seconds = self.document.get("TimeoutSeconds")
        return seconds if isinstance(seconds, int) and not isinstance(seconds, bool) else None

    @cached_property
    def all_states(self) -> Mapping[str, Mapping[str, Any]]:
        """All states by name, those inside containers too; AWS demands that names are unique in a machine."""
        return dict(states_within(self.document))

    @cached_property
    def router_states(self) -> frozenset[str]:
        """Names of the states that gotostate added; empty for a definition that is not a GoToState one.

        They are found by following the router from its start, and each has to have a router state's name and Comment:
        a state that people copied out of another GoToState machine, Comment and all, is their own.
        """
        start = self.document["StartAt"]
        state = self.states[start]
        rules = state.get("Choices", [])
        if not self._is_added(start) or not _ROUTER_START.fullmatch(start) or len(rules) <= ROUTE_ON:
            return frozenset()
        if not all("Next" in rule for rule in rules):
            return frozenset()
        found = {start}
        waiting = [state.get("Default"), *(rule.get("Next") for rule in rules[ROUTE_ON:] if isinstance(rule, dict))]
        while waiting:
            name = waiting.pop()
            if name not in found and self._is_added(name):
                found.add(name)
                state = self.states[name]
                # The rules of the last Choice lead to the source's own states.
                is_last = name.startswith("GoToState Enter")
                waiting += [state.get("Default")] if is_last else followers(state, by_catch=False)
        return frozenset(found)

    def _is_added(self, name: object) -> bool:
        if not isinstance(name, str) or not _ROUTER_STATE.fullmatch(name):
            return False
        return str(self.states.get(name, {}).get("Comment", "")).startswith(ROUTER_MARK)

    @property
    def is_gotostate(self) -> bool:
        """Tell whether this is the definition of a GoToState machine."""
        return bool(self.router_states)

    @property
    def route(self) -> tuple[str, str | None]:
        """Return a GoToState definition's source StartAt and the state that `true` goes to, if any."""
        rules = self.document["States"][self.document["StartAt"]]["Choices"]
        target = rules[ROUTE_TARGET]["Next"]
        return rules[ROUTE_START]["Next"], None if target in self.router_states else target

    @property
    def opened(self) -> str | None:
        """Name of the Parallel or Map that was opened in a GoToState definition (inside.py), if one was."""
        found = _OPENED.search(self.states[self.document["StartAt"]].get("Comment", "")) if self.is_gotostate else None
        if found is None or not jsontext.is_json(found[1]):
            return None
        name = str(jsontext.parse(found[1]))
        return name if name in self.states else None

    @property
    def enterable_states(self) -> list[str]:
        """Names of the source's own top-level states, in their order."""
        return [name for name in self.states if name not in self.router_states]

    def require(self, state: str) -> None:
        """Raise UnknownStateError, naming the states there are, unless state can be entered."""
        names = self.enterable_states
        if state not in names:
            raise UnknownStateError(
                f"{state!r} is not a top-level state of the definition; it has: {', '.join(names)}. "
                "A state inside a Parallel or Map cannot be entered by itself: name the Parallel or Map."
            )

    def type_of(self, state: str) -> str:
        """Return the Type of a top-level state."""
        return str(self.states[state].get("Type", ""))

    def reachable(self, state: str, *, by_catch: bool) -> list[str]:
        """Return the top-level states that may be entered after a state, itself only where a loop leads back.

        by_catch: follow Catch as well.
        """
        found: list[str] = []
        waiting = list(followers(self.states[state], by_catch=by_catch))
        while waiting:
            name = waiting.pop(0)
            if name in self.states and name not in found:
                found.append(name)
                waiting += followers(self.states[name], by_catch=by_catch)
        return found

    @cached_property
    def variable_names(self) -> tuple[str, ...]:
        """Names of all variables that top-level states assign, sorted.

        Map and Parallel have scopes of their own for what is assigned inside them, so only their own
        Assign counts (https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html).
        """
        return tuple(sorted({name for state in self.states.values() for name in assigned_by(state)}))

    @cached_property
    def reads_execution_input(self) -> bool:
        """Tell whether any state may read the execution's input from the context object; in doubt it does."""
        return reads_execution_input(self.document["States"])


@dataclass(frozen=True)
class Machine:
    """A state machine or a version of it, or the one that an execution ran with.

    configuration: role, logging, tracing and encryption, as CreateStateMachine takes them.
    """

    arn: str
    definition: Definition
    configuration: Mapping[str, Any] = field(hash=False)


def free_names(definition: Definition) -> Namer:
    """Return a function that turns the name of a state into one that the definition does not use."""

    def free(wanted: str) -> str:
        name, number = wanted, 2
        while name in definition.all_states:
            name, number = f"{wanted} {number}", number + 1
        return name

    return free


def jsonata_string(text: str) -> str:
    """Write a JSONata string; %} would end the expression, so it is cut in two."""
    literal = jsontext.write(text)
    return literal if "%}" not in literal else "(" + literal.replace("%}", '%" & "}') + ")"


def with_inner(name: str, state: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and body of a state, and of each state inside it."""
    return states_within({"States": {name: state}})


def states_within(container: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and body of each state of a definition, branch or item processor, and of those inside them."""
    states = container.get("States")
    for name, state in states.items() if isinstance(states, dict) else ():
        if isinstance(state, dict):
            yield name, state
            for nested in (*state.get("Branches", []), state.get("ItemProcessor"), state.get("Iterator")):
                if isinstance(nested, dict):
                    yield from states_within(nested)


def _require_shape(name: str, state: Mapping[str, Any]) -> None:
    """Raise DefinitionError unless the fields of a state that we read have the types that AWS demands."""
    for listed in ("Catch", "Choices", "Branches"):
        found = state.get(listed, [])
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise DefinitionError(f'"{listed}" of the state {name!r} is not a list of objects; correct the definition')
    for rule in (state, *state.get("Catch", []), *state.get("Choices", [])):
        for text in ("Type", "Next", "Default"):
            if not isinstance(rule.get(text, ""), str):
                raise DefinitionError(f'"{text}" in the state {name!r} is not a text; correct the definition')


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def followers(state: Mapping[str, Any], *, by_catch: bool) -> Iterator[str]:
    """Yield the names of the states that may come right after a state."""
    rules: Iterable[Any] = [state, *state.get("Choices", []), *(state.get("Catch", []) if by_catch else [])]
    for rule in rules:
        if isinstance(rule, dict) and isinstance(rule.get("Next"), str):
            yield rule["Next"]
    if isinstance(state.get("Default"), str):
        yield state["Default"]


def assigned_by(state: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the variables that a state, a rule or a Catch of it assigns; not those inside it."""
    rules = [state, *state.get("Catch", []), *state.get("Choices", [])]
    for rule in rules:
        if isinstance(rule, dict) and isinstance(rule.get("Assign"), dict):
            yield from (name.removesuffix(".$") for name in rule["Assign"])
