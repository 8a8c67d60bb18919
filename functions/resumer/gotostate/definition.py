"""A state machine definition: its text as AWS holds it, and the few questions we ask of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gotostate import jsontext
from gotostate.errors import DefinitionError, UnknownStateError

# Each state that router.py adds carries this comment; it is how a GoToState machine is known from
# its definition alone, in a file as on AWS. Machines that are deployed carry it: never change it.
ROUTER_MARK = "Added by sfn-resume"

# The places of two rules in the router's first Choice; fixed for the same reason.
ROUTE_START = 0
ROUTE_TARGET = 2

# A root of the context object, and the fields that are taken from it.
_CONTEXT_READ = re.compile(r"(?:\$\$|\$states\.context)((?:\.\w+|\[['\"]\w+['\"]\])*)|\$states(?![\w.])")
_FIELD = re.compile(r"\w+")
_EXECUTION_INPUT = ["Execution", "Input"]


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
        for name, state in states.items():
            for listed in ("Catch", "Choices", "Branches"):
                if not isinstance(state.get(listed, []), list):
                    raise DefinitionError(f'"{listed}" of the state {name!r} is not a list; correct the definition')
        if not isinstance(document.get("StartAt"), str) or document["StartAt"] not in states:
            raise DefinitionError('"StartAt" of the definition names none of its states; correct it')
        return cls(text, document)

    @property
    def states(self) -> Mapping[str, Any]:
        """All top-level states, those of a router among them."""
        states: Mapping[str, Any] = self.document["States"]
        return states

    @property
    def is_jsonata(self) -> bool:
        """Tell whether the machine's own query language is JSONata (JSONPath is the default)."""
        return self.document.get("QueryLanguage") == "JSONata"

    @cached_property
    def router_states(self) -> frozenset[str]:
        """Names of the states that gotostate added; empty for a definition that is not a GoToState one."""
        return frozenset(
            name for name, state in self.states.items() if str(state.get("Comment", "")).startswith(ROUTER_MARK)
        )

    @property
    def is_gotostate(self) -> bool:
        """Tell whether this is the definition of a GoToState machine."""
        return self.document["StartAt"] in self.router_states

    @property
    def route(self) -> tuple[str, str]:
        """Return, of a GoToState definition, the source's StartAt and the state that `true` stands for."""
        rules = self.document["States"][self.document["StartAt"]]["Choices"]
        return rules[ROUTE_START]["Next"], rules[ROUTE_TARGET]["Next"]

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

    @cached_property
    def variable_names(self) -> tuple[str, ...]:
        """Names of all variables that top-level states assign, sorted.

        Map and Parallel have scopes of their own for what is assigned inside them, so only their own
        Assign counts (https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html).
        """
        return tuple(sorted({name for state in self.states.values() for name in _assigned_by(state)}))

    @cached_property
    def reads_execution_input(self) -> bool:
        """Tell whether any state may read the execution's input from the context object."""
        return any(_reads_execution_input(text) for text in _strings(self.document["States"]))


def _assigned_by(state: Mapping[str, Any]) -> Iterator[str]:
    rules = [state, *state.get("Catch", []), *state.get("Choices", [])]
    for rule in rules:
        if isinstance(rule, dict) and isinstance(rule.get("Assign"), dict):
            yield from (name.removesuffix(".$") for name in rule["Assign"])


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _reads_execution_input(text: str) -> bool:
    for match in _CONTEXT_READ.finditer(text):
        path = _FIELD.findall(match[1] or "")[:2]
        # A shorter path, as $$ or $$.Execution, hands on an object that holds the input.
        if path == _EXECUTION_INPUT[: len(path)]:
            return True
    return False
