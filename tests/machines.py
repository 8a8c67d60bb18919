"""Random state machines for property tests: valid, runnable, and with tasks that fail at random calls.

Scopes are nested: the top level, the branches of a Parallel, the item processor of a Map. Each begins with a state
that sets its variables and ends with one that puts them into its output, so that a variable that was lost and a
state that was passed twice show in what the machine gives.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

LAMBDA = "arn:aws:states:::lambda:invoke"
LEAVES = ("pass", "task", "task", "wait", "choice")
CONTAINERS = ("parallel", "map", "catch")
DEEPEST = 3

# Within a JSON number's exact range, so that JSONata and the emulator hand them on unchanged, and no
# quotes in texts: the emulator escapes those of a JSONPath Assign twice (AWS does not).
numbers = st.integers(-(2**53), 2**53)
texts = st.text("abcXYZ 0é☕_-", max_size=8)
# asl-validator takes neither an array nor a null in an array of an Assign.
items = st.booleans() | numbers | texts
objects = st.dictionaries(st.sampled_from("xyz"), st.none() | items | st.lists(items, max_size=2), max_size=2)
values = st.none() | items | objects | st.lists(items | objects, max_size=3)

States = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One step of a scope: a state, or a loop of steps.

    kind: of it; a catch is a container whose first run fails by design and is caught. scopes: of a container, or the
    one of a loop. mixed: a JSONata state in a JSONPath machine. skips: a Choice that passes the next step.
    retries: a Task that is tried again, a container that has a Retry for an error that never comes.
    """

    kind: str
    value: Any
    assigns: bool
    mixed: bool
    skips: bool
    retries: bool
    selects: bool
    legacy: bool
    discards: bool
    concurrency: int
    scopes: tuple[tuple["Step", ...], ...] = ()


@dataclass(frozen=True)
class Plan:
    """A machine to be: its query language, its steps, and which calls of its tasks fail.

    faults: pairs of a task (any number; it counts round) and the number of the call that fails.
    """

    jsonata: bool
    steps: tuple[Step, ...]
    faults: tuple[tuple[int, int], ...]
    reads_execution_input: bool

    def definition(self, worker: str, run: str, *, faulty: bool) -> dict[str, Any]:
        """Write the definition.

        worker: name of the function that the tasks call; run: what their calls are counted under.
        """
        return self._written(worker, run, faulty=faulty)[0]

    def faults_by_step(self) -> dict[str, list[int]]:
        """Return which calls of which tasks fail."""
        tasks = self._written("worker", "run", faulty=False)[1]
        found: dict[str, list[int]] = {}
        for task, call in self.faults if tasks else ():
            found.setdefault(tasks[task % len(tasks)], []).append(call)
        return found

    def _written(self, worker: str, run: str, *, faulty: bool) -> tuple[dict[str, Any], list[str]]:
        writer = _Writer(self, worker, run, self.faults_by_step() if faulty else {})
        language = {"QueryLanguage": "JSONata"} if self.jsonata else {}
        return {**language, **writer.scope(self.steps, ())}, writer.tasks


def data() -> dict[str, Any]:
    """Return an input whose items have items of their own, as deep as machines are nested."""

    def item(number: int, depth: int) -> dict[str, Any]:
        return {"n": number, "items": [item(inner, depth - 1) for inner in (1, 2)] if depth else []}

    return {"seed": {"n": [1, "é"]}, "items": [item(1, DEEPEST), item(2, DEEPEST)]}


def _step(depth: int) -> st.SearchStrategy[Step]:
    def of(kind: str) -> st.SearchStrategy[Step]:
        inner = _steps(depth + 1) if kind in (*CONTAINERS, "loop") else st.just(())
        # A catch has one branch: others would be aborted at a point that differs from run to run.
        count = st.integers(1, 3) if kind == "parallel" else st.just(1)
        nested = count.flatmap(lambda number: st.tuples(*[inner] * number))
        return st.builds(
            Step,
            kind=st.just(kind),
            value=values,
            assigns=st.booleans(),
            mixed=st.integers(0, 5).map(lambda number: number == 5),
            skips=st.booleans(),
            retries=st.integers(0, 7).map(lambda number: number == 7),
            selects=st.booleans(),
            legacy=st.booleans(),
            discards=st.booleans(),
            concurrency=st.sampled_from((0, 1)),
            scopes=nested if kind in (*CONTAINERS, "loop") else st.just(()),
        )

    kinds = LEAVES if depth >= DEEPEST else (*LEAVES, *CONTAINERS, "loop") if depth else (*CONTAINERS, "loop", *LEAVES)
    return st.sampled_from(kinds).flatmap(of)


def _steps(depth: int) -> st.SearchStrategy[tuple[Step, ...]]:
    return st.lists(_step(depth), min_size=1, max_size=3 if depth == 0 else 2).map(tuple)


def plans() -> st.SearchStrategy[Plan]:
    """Draw a machine of one to three steps at its top level, some of them containers, up to three deep."""
    fault = st.tuples(st.integers(0, 20), st.integers(1, 3))
    return st.builds(
        Plan,
        jsonata=st.booleans(),
        steps=_steps(0),
        faults=st.lists(fault, min_size=1, max_size=3).map(tuple),
        reads_execution_input=st.booleans(),
    )


def unbounded_tasks(definition: Mapping[str, Any]) -> set[str]:
    """Name the tasks inside containers that are not opened, as those have a Retry or another query language."""
    return {
        name
        for state in definition["States"].values()
        for scope in _scopes(state)
        for name in (_tasks(scope) if "Retry" in state or "QueryLanguage" in state else unbounded_tasks(scope))
    }


def _tasks(scope: Mapping[str, Any]) -> Iterator[str]:
    for name, state in scope["States"].items():
        if state["Type"] == "Task":
            yield name
        for inner in _scopes(state):
            yield from _tasks(inner)


def _scopes(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    processor = state.get("ItemProcessor", state.get("Iterator"))
    return [*state.get("Branches", []), *([processor] if processor else [])]


class _Writer:
    """Write the states of a plan; tasks: their names, in the order in which they were written."""

    def __init__(self, plan: Plan, worker: str, run: str, faults: Mapping[str, list[int]]) -> None:
        self.plan, self.worker, self.run, self.faults = plan, worker, run, faults
        self.tasks: list[str] = []
        self._number = 0

    def scope(self, steps: tuple[Step, ...], above: tuple[str, ...], *, fails_first: str = "") -> dict[str, Any]:
        """Write the states of a scope. fails_first: a variable; a task fails while it has no field 'ok'."""
        number = self._next()
        mine = f"a{number}"
        first, last = f"first {number}", f"last {number}"
        initial: dict[str, Any] = {mine: 0, f"b{number}": {"a": [1, None]}}
        states: States = {}
        names = [self._name(step) for step in steps]
        if fails_first:
            check = f"check {number}"
            states[check] = self._check(check, fails_first, (*names, last)[0])
        for place, (name, step) in enumerate(zip(names, steps, strict=True)):
            following = [*names[place + 1 :], last, last]
            states |= self._states(name, step, (following[0], following[1]), (mine, f"b{number}"), above, initial)
        start = next(iter(states))
        first_state = {"Type": "Pass", "Assign": initial, "Next": start}
        return {"StartAt": first, "States": {first: first_state, **states, last: self._last((mine, *above), above)}}

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _name(self, step: Step) -> str:
        return f"{step.kind} {self._next()}"

    def _states(
        self,
        name: str,
        step: Step,
        after: tuple[str, str],
        mine: tuple[str, str],
        above: tuple[str, ...],
        initial: dict[str, Any],
    ) -> States:
        """Write a step. after: the state that follows it, and the one after that."""
        following = after[0]
        if step.kind == "loop":
            return self._loop(name, step, following, mine, above, initial)
        # A JSONPath machine may hold JSONata states; the other way round AWS forbids it.
        jsonata = self.plan.jsonata or step.mixed
        states: States = {}
        if step.kind == "catch":
            trial = f"c{name.split()[1]}"
            initial[trial] = {}
            mend = f"mend {trial}"
            body = self._container(name, step, jsonata, (*mine[:1], trial, *above), fails_first=trial)
            body["Catch"] = [{"ErrorEquals": ["BadDataError"], "Next": mend}]
            # The error's text holds the number of the call.
            body["Catch"][0] |= {"Output": "{% $states.input %}"} if jsonata else {"ResultPath": None}
            states[mend] = {"Type": "Pass", "Assign": {trial: {"ok": "yes"}}, "Next": name}
        elif step.kind in CONTAINERS:
            body = self._container(name, step, jsonata, (*mine[:1], *above))
        else:
            body = getattr(self, f"_{step.kind}")(name, step, jsonata)
        if jsonata and not self.plan.jsonata:
            body["QueryLanguage"] = "JSONata"
        if step.kind == "choice":
            return {
                name: {**body, "Choices": [{**self._never(jsonata), "Next": following}], "Default": after[step.skips]}
            }
        if step.assigns:
            body["Assign"] = {**self._plus_one(mine[0], jsonata), mine[1]: step.value}
        return {name: {**body, "Next": following}, **states}

    def _loop(
        self, name: str, step: Step, following: str, mine: tuple[str, str], above: tuple[str, ...], initial: Any
    ) -> States:
        """Run steps of the same scope twice."""
        counter = f"l{name.split()[1]}"
        initial[counter] = 0
        states: States = {}
        names = [self._name(inner) for inner in step.scopes[0]]
        for place, (inner_name, inner) in enumerate(zip(names, step.scopes[0], strict=True)):
            following_names = [*names[place + 1 :], name, name]
            after = (following_names[0], following_names[1])
            states |= self._states(inner_name, inner, after, mine, above, initial)
        count = {"Type": "Pass", "Assign": self._plus_one(counter, self.plan.jsonata), "Next": f"again {counter}"}
        rule = (
            {"Condition": f"{{% ${counter} < 2 %}}"}
            if self.plan.jsonata
            else {"Variable": f"${counter}", "NumericLessThan": 2}
        )
        again = {"Type": "Choice", "Choices": [{**rule, "Next": next(iter(states))}], "Default": following}
        return {**states, name: count, f"again {counter}": again}

    def _plus_one(self, variable: str, jsonata: bool) -> dict[str, str]:
        if jsonata:
            return {variable: f"{{% ${variable} + 1 %}}"}
        return {f"{variable}.$": f"States.MathAdd(${variable}, 1)"}

    def _last(self, variables: tuple[str, ...], above: tuple[str, ...]) -> dict[str, Any]:
        seed = self.plan.reads_execution_input and not above
        if self.plan.jsonata:
            output = {"data": "{% $states.input %}", **{name: f"{{% ${name} %}}" for name in variables}}
            if seed:
                output["seed"] = "{% $states.context.Execution.Input.seed %}"
            return {"Type": "Pass", "Output": output, "End": True}
        parameters = {"data.$": "$", **{f"{name}.$": f"${name}" for name in variables}}
        if seed:
            parameters["seed.$"] = "$$.Execution.Input.seed"
        return {"Type": "Pass", "Parameters": parameters, "End": True}

    def _never(self, jsonata: bool) -> dict[str, Any]:
        if jsonata:
            return {"Condition": "{% $exists($states.input.absent) %}"}
        return {"Variable": "$.absent", "IsPresent": True}

    def _pass(self, name: str, step: Step, jsonata: bool) -> dict[str, Any]:
        if jsonata:
            return {"Type": "Pass", "Output": self._merged(name, json.dumps(step.value, ensure_ascii=False))}
        return {"Type": "Pass", "Result": step.value, "ResultPath": f"$['{name}']"}

    def _wait(self, name: str, step: Step, jsonata: bool) -> dict[str, Any]:
        return {"Type": "Wait", "Seconds": 0}

    def _choice(self, name: str, step: Step, jsonata: bool) -> dict[str, Any]:
        return {"Type": "Choice"}

    def _task(self, name: str, step: Step, jsonata: bool) -> dict[str, Any]:
        self.tasks.append(name)
        payload = {"step": name, "run": self.run, "failures": self.faults.get(name, [])}
        call = {"FunctionName": self.worker, "Payload": payload}
        task: dict[str, Any] = {"Type": "Task", "Resource": LAMBDA}
        if step.retries:
            task["Retry"] = [{"ErrorEquals": ["DependencyDownError"], "IntervalSeconds": 1, "MaxAttempts": 1}]
        if jsonata:
            return {**task, "Arguments": call, "Output": self._merged(name, "$states.result.Payload.done")}
        selector = {"done.$": "$.Payload.done"}
        return {**task, "Parameters": call, "ResultSelector": selector, "ResultPath": f"$['{name}']"}

    def _check(self, name: str, variable: str, following: str) -> dict[str, Any]:
        """Fail, as a person's own rule does, while a variable has no field 'ok'."""
        jsonata = self.plan.jsonata
        payload: dict[str, Any] = {"step": name, "run": self.run, "needs": {"ok": "string"}}
        payload |= {"value": f"{{% ${variable} %}}"} if jsonata else {"value.$": f"${variable}"}
        call = {"FunctionName": self.worker, "Payload": payload}
        task = {"Type": "Task", "Resource": LAMBDA, "Next": following}
        if jsonata:
            return {**task, "Arguments": call, "Output": "{% $states.input %}"}
        return {**task, "Parameters": call, "ResultPath": None}

    def _container(
        self, name: str, step: Step, jsonata: bool, above: tuple[str, ...], *, fails_first: str = ""
    ) -> dict[str, Any]:
        retry = [{"ErrorEquals": ["NeverError"], "IntervalSeconds": 1}]
        body: dict[str, Any] = {"Retry": retry} if step.retries else {}
        is_map = step.kind == "map" or (step.kind == "catch" and step.concurrency == 1)
        if is_map:
            body |= self._map(step, jsonata, self.scope(step.scopes[0], above, fails_first=fails_first))
        else:
            branches = [self.scope(scope, above, fails_first=fails_first) for scope in step.scopes]
            body |= {"Type": "Parallel", "Branches": branches}
        if jsonata:
            result = "$count($states.result)" if step.discards else "$states.result"
            return {**body, "Output": self._merged(name, result)}
        if step.discards:
            body["ResultSelector"] = {"count.$": "States.ArrayLength($)"}
        return {**body, "ResultPath": f"$['{name}']"}

    def _map(self, step: Step, jsonata: bool, scope: dict[str, Any]) -> dict[str, Any]:
        legacy = step.legacy and not jsonata
        selector, processor = ("Parameters", "Iterator") if legacy else ("ItemSelector", "ItemProcessor")
        if not legacy:
            scope = {"ProcessorConfig": {"Mode": "INLINE"}, **scope}
        body: dict[str, Any] = {"Type": "Map", "MaxConcurrency": step.concurrency, processor: scope}
        body |= {"Items": "{% $states.input.items %}"} if jsonata else {"ItemsPath": "$.items"}
        if step.selects and jsonata:
            item = "$states.context.Map.Item"
            chosen = {"n": f"{{% {item}.Index %}}", "items": f"{{% {item}.Value.items %}}", "extra": step.value}
            body[selector] = chosen
        elif step.selects:
            body[selector] = {"n.$": "$$.Map.Item.Index", "items.$": "$$.Map.Item.Value.items", "extra": step.value}
        return body

    def _merged(self, name: str, value: str) -> str:
        return f"{{% $merge([$states.input, {{'{name}': {value}}}]) %}}"
