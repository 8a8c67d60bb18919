"""Random state machines for property tests: valid, runnable, and with one task that may fail."""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

LAMBDA = "arn:aws:states:::lambda:invoke"
KINDS = ("pass", "task", "choice", "parallel", "map", "wait")
VARIABLES = ("count", "label", "nested", "_late")

# Within a JSON number's exact range, so that JSONata and the emulator hand them on unchanged, and no
# quotes in texts: the emulator escapes those of a JSONPath Assign twice (AWS does not).
numbers = st.integers(-(2**53), 2**53)
texts = st.text("abcXYZ 0é☕_-", max_size=8)
# asl-validator takes neither an array nor a null in an array of an Assign.
items = st.booleans() | numbers | texts
objects = st.dictionaries(st.sampled_from("xyz"), st.none() | items | st.lists(items, max_size=2), max_size=2)
values = st.none() | items | objects | st.lists(items | objects, max_size=3)


@dataclass(frozen=True)
class Plan:
    """A machine to be: its query language, and for each top-level state what it is and does.

    failing: index of the state whose task fails once; its kind is task, parallel or map.
    """

    jsonata: bool
    states: tuple[dict[str, Any], ...]
    failing: int
    reads_execution_input: bool

    def definition(self, worker: str, run: str, failures: int) -> dict[str, Any]:
        """Write the definition.

        worker: name of the function that the tasks call; run: what their calls are counted under;
        failures: calls of the failing task that fail at first.
        """
        writer = _Writer(self, worker, run, failures)
        states = {"Init": writer.init()}
        for index, spec in enumerate(self.states):
            states[self.name(index)] = writer.state(index, spec)
        states["Last"] = writer.last()
        language = {"QueryLanguage": "JSONata"} if self.jsonata else {}
        return {**language, "StartAt": "Init", "States": states}

    def name(self, index: int) -> str:
        """Return a top-level state's name."""
        return f"{self.states[index]['kind']} {index}" if index < len(self.states) else "Last"


def _spec(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "kind": st.just(kind),
            "value": values,
            "assign": st.dictionaries(st.sampled_from(VARIABLES), values, max_size=2),
            "skip": st.booleans(),
            "mixed": st.booleans(),
            "inner": st.lists(st.sampled_from(("pass", "task")), min_size=1, max_size=2),
        }
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a machine of one to six top-level states beside its first and last one."""
    states = draw(st.lists(st.sampled_from(KINDS).flatmap(_spec), max_size=5))
    failing = draw(st.integers(0, len(states)))
    states.insert(failing, draw(st.sampled_from(("task", "parallel", "map")).flatmap(_spec)))
    if failing and states[failing - 1]["kind"] == "choice":
        # The failing state must be on the way.
        states[failing - 1]["skip"] = False
    return Plan(draw(st.booleans()), tuple(states), failing, draw(st.booleans()))


class _Writer:
    def __init__(self, plan: Plan, worker: str, run: str, failures: int) -> None:
        self.plan, self.worker, self.run, self.failures = plan, worker, run, failures

    def init(self) -> dict[str, Any]:
        assign = {"count": 0, "label": "start", "nested": {"a": [1, None]}}
        return {"Type": "Pass", "Assign": assign, "Next": self.plan.name(0)}

    def last(self) -> dict[str, Any]:
        if self.plan.jsonata:
            output = {"data": "{% $states.input %}", **{name: f"{{% ${name} %}}" for name in VARIABLES[:3]}}
            if self.plan.reads_execution_input:
                output["seed"] = "{% $states.context.Execution.Input.seed %}"
            return {"Type": "Pass", "Output": output, "End": True}
        parameters = {"data.$": "$", **{f"{name}.$": f"${name}" for name in VARIABLES[:3]}}
        if self.plan.reads_execution_input:
            parameters["seed.$"] = "$$.Execution.Input.seed"
        return {"Type": "Pass", "Parameters": parameters, "End": True}

    def state(self, index: int, spec: dict[str, Any]) -> dict[str, Any]:
        name, following = self.plan.name(index), self.plan.name(index + 1)
        # A JSONPath machine may hold JSONata states; the other way round AWS forbids it.
        jsonata = self.plan.jsonata or spec["mixed"]
        body = getattr(self, f"_{spec['kind']}")(name, spec, index, jsonata)
        if spec["mixed"] and not self.plan.jsonata:
            body["QueryLanguage"] = "JSONata"
        if spec["kind"] == "choice":
            body["Default"] = self.plan.name(index + 2) if spec["skip"] and index < len(self.plan.states) else following
            return {**body, "Choices": [{**self._never(jsonata), "Next": following}]}
        if spec["assign"]:
            body["Assign"] = spec["assign"]
        return {**body, "Next": following}

    def _never(self, jsonata: bool) -> dict[str, Any]:
        if jsonata:
            return {"Condition": "{% $exists($states.input.absent) %}"}
        return {"Variable": "$.absent", "IsPresent": True}

    def _pass(self, name: str, spec: dict[str, Any], index: int, jsonata: bool) -> dict[str, Any]:
        if jsonata:
            return {"Type": "Pass", "Output": self._merged(name, json.dumps(spec["value"], ensure_ascii=False))}
        return {"Type": "Pass", "Result": spec["value"], "ResultPath": f"$['{name}']"}

    def _wait(self, name: str, spec: dict[str, Any], index: int, jsonata: bool) -> dict[str, Any]:
        return {"Type": "Wait", "Seconds": 0}

    def _choice(self, name: str, spec: dict[str, Any], index: int, jsonata: bool) -> dict[str, Any]:
        return {"Type": "Choice"}

    def _task(self, name: str, spec: dict[str, Any], index: int, jsonata: bool) -> dict[str, Any]:
        payload = {"step": name, "run": self.run, "failures": self.failures if index == self.plan.failing else 0}
        call = {"FunctionName": self.worker, "Payload": payload}
        task = {"Type": "Task", "Resource": LAMBDA}
        if jsonata:
            return {**task, "Arguments": call, "Output": self._merged(name, "$states.result.Payload.done")}
        selector = {"done.$": "$.Payload.done"}
        return {**task, "Parameters": call, "ResultSelector": selector, "ResultPath": f"$['{name}']"}

    def _parallel(self, name: str, spec: dict[str, Any], index: int, jsonata: bool) -> dict[str, Any]:
        branches = [self._inside(f"{name} left", spec, index, jsonata)]
        branches.append(self._inside(f"{name} right", spec, -1, jsonata))
        return {"Type": "Parallel", "Branches": branches, **self._result(name, jsonata)}

    def _map(self, name: str, spec: dict[str, Any], index: int, jsonata: bool) -> dict[str, Any]:
        items = {"Items": "{% $states.input.items %}"} if jsonata else {"ItemsPath": "$.items"}
        processor = {"ProcessorConfig": {"Mode": "INLINE"}, **self._inside(f"{name} item", spec, index, jsonata)}
        # The items are numbers: a task inside must not merge its result into them.
        selector = {"ItemSelector": {"item": "each"}}
        return {
            "Type": "Map",
            "MaxConcurrency": 1,
            **items,
            **selector,
            "ItemProcessor": processor,
            **self._result(name, jsonata),
        }

    def _inside(self, name: str, spec: dict[str, Any], index: int, jsonata: bool) -> dict[str, Any]:
        kinds = ["task"] if index == self.plan.failing else spec["inner"]
        names = [f"{name} {number}" for number in range(len(kinds))]
        states = {}
        for number, kind in enumerate(kinds):
            body = getattr(self, f"_{kind}")(names[number], spec, index, jsonata)
            if jsonata and not self.plan.jsonata:
                body["QueryLanguage"] = "JSONata"
            ending = {"Next": names[number + 1]} if number + 1 < len(kinds) else {"End": True}
            states[names[number]] = {**body, **ending}
        return {"StartAt": names[0], "States": states}

    def _result(self, name: str, jsonata: bool) -> dict[str, Any]:
        return {"Output": self._merged(name, "$states.result")} if jsonata else {"ResultPath": f"$['{name}']"}

    def _merged(self, name: str, value: str) -> str:
        return f"{{% $merge([$states.input, {{'{name}': {value}}}]) %}}"
