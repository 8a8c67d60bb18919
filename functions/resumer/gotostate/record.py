"""The record of a container, given to the resumed execution so that no finished branch or iteration runs again.

It is one list of elements; docs/inside.md has the form. It contains payloads as the texts that AWS recorded.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gotostate import jsontext
from gotostate.containers import Scope, assigned_in, can_open, is_container, items_are_members, scopes, variable
from gotostate.definition import Definition, with_inner
from gotostate.errors import UnclearError
from gotostate.progress import Container, Lane

# With more elements the states that read the record would use up too much of the 25,000 events.
MAX_ELEMENTS = 1_000


@dataclass(frozen=True)
class Record:
    """The progress of the branches or iterations of a container at the top level.

    numbers: JSON text of the list of its own elements; elements: the JSON text of each, nested ones behind.
    total: branches or iterations; finished: those that do not run again; goes_on: in how many a state is entered;
    from_start: those that begin at their beginning. again: names of the states that had begun, as far as is known, and
    run again.
    """

    container: str
    numbers: str
    elements: tuple[str, ...]
    total: int
    finished: int
    goes_on: Mapping[str, int]
    from_start: int
    again: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Say it as people read it: 'Map: 998 of 1,000 finished, 1 goes on at Charge, 1 from its start'."""
        said = [f"{self.finished:,} of {self.total:,} finished"]
        said += [f"{count:,} {'goes' if count == 1 else 'go'} on at {state}" for state, count in self.goes_on.items()]
        if self.from_start:
            said.append(f"{self.from_start:,} from {'its' if self.from_start == 1 else 'their'} start")
        return f"{self.container}: {', '.join(said)}"


@dataclass(frozen=True)
class Earlier:
    """The record that the execution itself was given.

    elements: its JSON texts. numbers: the elements that applied when the container was entered, if any.
    """

    numbers: Sequence[int] = ()
    elements: Sequence[str] = ()

    @classmethod
    def read(cls, numbers: str | None, elements: str | None) -> "Earlier":
        """Read it from a variable's text and from the input's; there is none where either is missing or null."""
        held = cls.numbers_in(numbers)
        if not held or elements is None:
            return cls()
        try:
            return cls(held, jsontext.items(elements))
        except ValueError:
            raise UnclearError("the record that it was given is not a list") from None

    @staticmethod
    def numbers_in(text: str | None) -> Sequence[int]:
        """Read a list of numbers of elements; none where the text is missing, null or no such list."""
        try:
            found = jsontext.parse(text or "null")
        except ValueError:
            found = None
        is_list = isinstance(found, list) and all(type(one) is int and one >= 0 for one in found)
        return found if is_list else ()


def record_of(progress: Container, source: Definition, earlier: Earlier) -> Record:
    """Write the record of a container that containers.why_not allows to open.

    source: the definition to be resumed on. earlier: the record that the execution was given; elements that it did not
    reach are copied from it.
    Raises UnclearError where the container has to run again as a whole.
    """
    if not progress.lanes and not earlier.numbers:
        raise UnclearError("none of its branches or iterations had begun")
    writing = _Writing(earlier.elements, jsonata=source.is_jsonata)
    try:
        numbers = writing.container(progress, source.states[progress.name], earlier.numbers)
    except (ValueError, IndexError, TypeError) as error:
        # A person may have started the execution, with a record of their own.
        raise UnclearError("the record that it was given is not whole") from error
    own = writing.elements[: progress.length or len(earlier.numbers)]
    return Record(
        progress.name,
        numbers,
        tuple(element.text for element in writing.elements),
        len(own),
        sum(element.finished for element in own),
        dict(Counter(element.state for element in own if element.state).most_common()),
        sum(not element.finished and not element.state for element in own),
        frozenset(name for element in writing.elements for name in element.again),
    )


def require_list(name: str, state: Mapping[str, Any], given: str | None, variables: Mapping[str, str]) -> None:
    """Raise UnclearError where a Map's items are an object's members: it is not known what an iteration is given."""
    if items_are_members(state, given, variables):
        raise UnclearError(f"the items of {name!r} are the members of an object, which no number tells apart")


@dataclass(frozen=True)
class _Element:
    """text: its JSON. state: the one that it continues at; None where it is finished or starts from its beginning.

    again: names of the states that had begun and run again.
    """

    text: str
    state: str | None = None
    finished: bool = False
    again: frozenset[str] = frozenset()


# An iteration that begins at its beginning.
_FRESH = _Element("{}")


class _Writing:
    def __init__(self, old: Sequence[str], *, jsonata: bool) -> None:
        self.elements: list[_Element] = []
        self._old = old
        self._jsonata = jsonata

    def container(self, progress: Container, state: Mapping[str, Any], old: Sequence[int]) -> str:
        """Add the elements of a container; return the list of their numbers."""
        length = progress.length or len(old)
        first = self._reserve(length)
        branches = scopes(state)
        for number in range(length):
            scope = branches[number if state["Type"] == "Parallel" else 0]
            lane = progress.lanes.get(number)
            if lane is None or lane.state is None or lane.is_added:
                before = old[number] if number < len(old) else None
                passed = lane is not None and lane.is_left and bool(lane.body.get("End"))
                element = _finished(lane.output) if lane and passed else self._untouched(before, scope, progress, state)
            else:
                element = self._reached(lane, scope)
            self.elements[first + number] = element
        return jsontext.write(list(range(first, first + length)))

    def _reserve(self, length: int) -> int:
        first = len(self.elements)
        if first + length > MAX_ELEMENTS:
            raise UnclearError(f"it has more than {MAX_ELEMENTS:,} branches and iterations")
        self.elements += [_FRESH] * length
        return first

    def _reached(self, lane: Lane, scope: Scope) -> _Element:
        """Tell how a branch or iteration that had reached a state of its own continues."""
        name, body, given, variables = str(lane.state), lane.body, lane.input, lane.variables
        if body.get("Type") == "Fail":
            raise UnclearError(f"it had come to the Fail state {name!r}")
        nested = "null"
        # After a caught error or a Choice, the next state is not on record: the state is entered again.
        if lane.is_left and not lane.caught and body.get("Type") != "Choice":
            if name not in scope["States"]:
                raise UnclearError(f"the definition has no state {name!r} in the place where it was")
            if "Next" not in body:
                return _finished(lane.output)
            text = _going_on(scope, body["Next"], lane.output, {**variables, **lane.assigned})
            return _Element(text, body["Next"])
        if lane.container and self._opens(scope, name):
            held = Earlier.numbers_in(variables.get(variable(lane.depth)))
            if not self._jsonata:
                require_list(name, scope["States"][name], given, variables)
            if lane.container.lanes or held:
                nested = self.container(lane.container, scope["States"][name], held)
        return _Element(_going_on(scope, name, given, variables, nested), name, again=_begun(scope, name, nested))

    def _opens(self, scope: Scope, name: str) -> bool:
        return can_open(scope["States"].get(name, {}), jsonata=self._jsonata)

    def _untouched(self, before: int | None, scope: Scope, progress: Container, state: Mapping[str, Any]) -> _Element:
        """Tell how a branch or iteration that the run did not reach continues: as it was given, or from its start."""
        if before is not None:
            return self._kept(before, scope)
        if state["Type"] == "Parallel":
            return _Element(_going_on(scope, scope["StartAt"], progress.input, {}))
        return _FRESH

    def _kept(self, number: int, scope: Scope) -> _Element:
        """Take over an element of the record that the run itself was given."""
        if number >= len(self._old):
            raise UnclearError("the record that it was given is not whole")
        parts = jsontext.members(self._old[number])
        if "output" in parts:
            return _finished(parts["output"])
        if "state" not in parts:
            return _FRESH
        name = str(jsontext.parse(parts["state"]))
        inside = Earlier.numbers_in(parts.get("inside"))
        nested = "null"
        # A container that is not opened any more would never clear the variable, and the next one would find it.
        if inside and self._opens(scope, name):
            nested_state = scope["States"].get(name, {})
            branches = scopes(nested_state)
            first = self._reserve(len(inside))
            for place, one in enumerate(inside):
                inner = branches[place if nested_state["Type"] == "Parallel" else 0]
                self.elements[first + place] = self._kept(one, inner)
            nested = jsontext.write(list(range(first, first + len(inside))))
        variables = jsontext.members(parts.get("variables", "{}"))
        text = _going_on(scope, name, parts.get("input"), variables, nested)
        # It may have begun in an execution before this one.
        return _Element(text, name, again=_begun(scope, name, nested))


def _begun(scope: Scope, name: str, nested: str) -> frozenset[str]:
    """Name the states that run again with a state: in a container that is entered as a whole, all of them."""
    state = scope["States"].get(name, {})
    if is_container(state) and nested == "null":
        return frozenset(inner for inner, _ in with_inner(name, state))
    return frozenset((name,))


def _finished(output: str | None) -> _Element:
    if output is None:
        raise UnclearError("an output is cut off in its history")
    return _Element(jsontext.join({"output": output}), finished=True)


def _going_on(scope: Scope, state: str, given: str | None, variables: Mapping[str, str], inside: str = "null") -> str:
    if state not in scope["States"]:
        raise UnclearError(f"the definition has no state {state!r} in the place where it was")
    if given is None:
        raise UnclearError(f"the input of {state!r} is cut off in its history")
    # A variable that was not assigned yet is null, as at the top level.
    known = {name: variables.get(name, "null") for name in assigned_in(scope)}
    return jsontext.join(
        {"state": jsontext.write(state), "input": given, "variables": jsontext.join(known), "inside": inside}
    )
