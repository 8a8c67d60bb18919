"""The GoToState definition: what it adds, what it leaves alone, what it refuses."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gotostate import containers, jsontext, router
from gotostate.definition import ROUTER_MARK, Definition
from gotostate.errors import DefinitionError, UnknownStateError
from hypothesis import HealthCheck, given, settings
from machines import Plan, plans

ROOT = Path(__file__).parents[2]

SOURCE = """{
  "Comment": "kept", "TimeoutSeconds": 60,
  "StartAt": "A",
  "States": {
    "A": {"Type": "Pass", "Result": 1.10, "Assign": {"v": 1}, "Next": "B"},
    "B": {"Type":"Task", "Resource":"r", "Comment": "\\u00e9 \\ud83d", "TimeoutSeconds": 1E+2, "End":true}
  }
}"""


def definition_of(plan: Plan) -> Definition:
    return Definition.parse(json.dumps(plan.definition("worker", "run", faulty=True), ensure_ascii=False))


# By so much a source that is 2,000 bytes smaller than the limit is over it, with its router.
SIZE_OVER = 4_150
GOLDEN = sorted((ROOT / "tests" / "golden" / "router").glob("*.json"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    """All that is added, in its order: machines in people's accounts are built of it (docs/gotostate-definition.md)."""
    case = json.loads(path.read_text())
    built = router.add_gotostate(Definition.parse(json.dumps(case["source"])), case["target"])
    expected = {**case["source"], "StartAt": case["startAt"], "States": {**case["added"], **case["source"]["States"]}}
    assert built.document == expected
    assert list(built.states) == [*case["added"], *case["source"]["States"]]
    assert built.enterable_states == list(case["source"]["States"])


def openable(source: Definition) -> list[str]:
    return [
        name
        for name, state in source.states.items()
        if containers.is_container(state) and not containers.why_not(source, name)
    ]


def test_states_stand_in_it_byte_for_byte() -> None:
    built = router.add_gotostate(Definition.parse(SOURCE), "B")
    states = jsontext.members(jsontext.members(built.text)["States"])
    for name, text in jsontext.members(jsontext.members(SOURCE)["States"]).items():
        assert states[name] == text
    assert built.document["TimeoutSeconds"] == 60
    assert built.document["StartAt"] == "GoToState"
    assert built.route == ("A", "B")


@given(plans())
def test_any_machine_keeps_its_states_and_comes_back_whole(plan: Plan) -> None:
    source = definition_of(plan)
    before = copy.deepcopy(dict(source.document)), source.text
    target = next(iter(source.states))
    built = router.add_gotostate(source, target)
    assert (dict(source.document), source.text) == before
    theirs = jsontext.members(jsontext.members(source.text)["States"])
    ours = jsontext.members(jsontext.members(built.text)["States"])
    assert {name: ours[name] for name in theirs} == theirs
    assert set(ours) - set(theirs) == built.router_states
    assert router.remove_gotostate(built).document == source.document
    # A GoToState machine is never built from a GoToState machine.
    assert router.add_gotostate(built, target).document == built.document


def test_what_it_builds_is_valid_where_its_source_was(tmp_path: Path) -> None:
    """asl-validator, one run over many definitions: before and after GoToState is added, and each container opened."""
    drawn: list[tuple[Definition, Definition]] = []

    @settings(max_examples=40, database=None, suppress_health_check=list(HealthCheck))
    @given(plans())
    def draw(plan: Plan) -> None:
        source = definition_of(plan)
        drawn.append((source, source))
        drawn.append((source, router.add_gotostate(source, source.document["StartAt"])))
        drawn.extend((source, router.add_gotostate(source, None, name)) for name in openable(source))

    draw()
    arguments: list[str] = []
    for number, (_, definition) in enumerate(drawn):
        path = tmp_path / f"definition {number}.json"
        path.write_text(definition.text)
        arguments += ["--json-path", str(path)]
    run = subprocess.run(
        ["npm", "exec", "--no", "--", "asl-validator", "--no-arn-check", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    valid = [f'definition {number}.json" is valid' in run.stdout for number in range(len(drawn))]
    # The validator is stricter than AWS about arrays in an Assign, so a few sources are not valid to it.
    sound = {
        source.text for (source, built), is_valid in zip(drawn, valid, strict=True) if is_valid and built is source
    }
    assert len(sound) >= 10, run.stdout[-3000:] + run.stderr[-3000:]
    assert any(built.opened for source, built in drawn if source.text in sound)
    broken = [
        built.text
        for (source, built), is_valid in zip(drawn, valid, strict=True)
        if source.text in sound and not is_valid
    ]
    assert broken == []


def test_shipped_machines_are_valid_with_gotostate(tmp_path: Path) -> None:
    arguments = []
    for path in sorted((ROOT / "statemachines").glob("*.asl.json")):
        source = Definition.parse(path.read_text())
        built = tmp_path / path.name
        built.write_text(router.add_gotostate(source, source.document["StartAt"]).text)
        arguments += ["--json-path", str(built)]
    run = subprocess.run(
        ["npm", "exec", "--no", "--", "asl-validator", "--no-arn-check", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


def test_names_that_the_source_uses_are_left_to_it() -> None:
    source = Definition.parse(
        json.dumps(
            {
                "StartAt": "GoToState",
                "States": {
                    "GoToState": {"Type": "Parallel", "Branches": [nested("GoToState Enter")], "Next": "GoToState 2"},
                    "GoToState 2": {"Type": "Pass", "End": True},
                },
            }
        )
    )
    assert not source.is_gotostate
    built = router.add_gotostate(source, "GoToState 2")
    assert built.document["StartAt"] == "GoToState 3"
    assert "GoToState Enter 2" in built.router_states
    assert built.route == ("GoToState", "GoToState 2")
    assert router.remove_gotostate(built).document == source.document


def nested(name: str) -> dict[str, Any]:
    return {"StartAt": name, "States": {name: {"Type": "Pass", "End": True}}}


def test_only_the_target_of_true_depends_on_the_failed_state() -> None:
    source = Definition.parse(SOURCE)
    to_a, to_b, to_none = (router.add_gotostate(source, target) for target in ("A", "B", None))
    assert (to_a.route, to_b.route, to_none.route) == (("A", "A"), ("A", "B"), ("A", None))
    rules = [built.document["States"]["GoToState"]["Choices"].pop(2) for built in (to_a, to_b, to_none)]
    assert [rule["Next"] for rule in rules] == ["A", "B", "GoToState Rejected"]
    assert to_a.document == to_b.document == to_none.document


def test_query_language_of_the_router_is_that_of_the_machine() -> None:
    jsonpath = router.add_gotostate(Definition.parse(SOURCE), "B")
    assert not any("QueryLanguage" in jsonpath.states[name] for name in jsonpath.router_states)
    assert "{%" not in json.dumps({name: jsonpath.states[name] for name in jsonpath.router_states})
    jsonata_source = {"QueryLanguage": "JSONata", **nested("A")}
    jsonata = router.add_gotostate(Definition.parse(json.dumps(jsonata_source)), "A")
    assert "Variable" not in jsonata.states["GoToState"]["Choices"][0]


def test_a_percent_sign_in_a_name_cannot_end_an_expression() -> None:
    source = Definition.parse(json.dumps({"QueryLanguage": "JSONata", **nested('100%} "x"')}))
    condition = router.add_gotostate(source, '100%} "x"').states["GoToState Enter"]["Choices"][0]["Condition"]
    assert condition.count("%}") == 1
    assert '"100%" & "}' in condition


def test_refuses_a_state_that_is_not_at_the_top_level() -> None:
    with pytest.raises(UnknownStateError, match=r"'C' is not a top-level state.*it has: A, B"):
        router.add_gotostate(Definition.parse(SOURCE), "C")


def test_refuses_a_definition_that_would_be_too_large() -> None:
    source = Definition.parse(SOURCE.replace("kept", "x" * (router.MAX_DEFINITION_BYTES - 2_000)))
    with pytest.raises(DefinitionError) as raised:
        router.add_gotostate(source, "A")
    size = router.MAX_DEFINITION_BYTES + SIZE_OVER
    assert str(raised.value) == (
        f"with GoToState added the definition takes {size} bytes of a request, over the 983040 that Step Functions "
        "takes; use the native redrive for this machine"
    )


def test_takes_a_definition_of_just_the_limit() -> None:
    kept = router.MAX_DEFINITION_BYTES - 2_000
    over = Definition.parse(SOURCE.replace("kept", "x" * (kept - SIZE_OVER + 1)))
    with pytest.raises(DefinitionError, match="983041 bytes"):
        router.add_gotostate(over, "A")
    fits = Definition.parse(SOURCE.replace("kept", "x" * (kept - SIZE_OVER)))
    assert router.add_gotostate(fits, "A").router_states


def test_an_opened_container_is_named_where_the_machine_starts() -> None:
    inner = {"StartAt": "In", "States": {"In": {"Type": "Pass", "End": True}}}
    states = {'P "1"': {"Type": "Parallel", "Branches": [inner], "End": True}}
    source = Definition.parse(json.dumps({"StartAt": 'P "1"', "States": states}))
    built = router.add_gotostate(source, None, 'P "1"')
    assert built.opened == 'P "1"'
    assert built.states["GoToState"]["Comment"] == (
        "Added by sfn-resume: starts at the beginning, or goes to a state that the input names."
        ' Goes on inside "P \\"1\\"".'
    )
    assert router.remove_gotostate(built).document == source.document
    assert router.add_gotostate(built).opened is None


def test_takes_a_definition_near_the_limit() -> None:
    source = Definition.parse(SOURCE.replace("kept", "é" * ((router.MAX_DEFINITION_BYTES - 20_000) // 2)))
    assert router.add_gotostate(source, "A").router_states


def test_the_escapes_of_a_request_count_towards_the_limit() -> None:
    source = Definition.parse(SOURCE.replace("kept", r"\"" * (router.MAX_DEFINITION_BYTES // 4)))
    with pytest.raises(DefinitionError, match="of a request"):
        router.add_gotostate(source, "A")


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
def test_a_states_copied_out_of_a_gotostate_machine_is_the_sources_own(language: str) -> None:
    """Comment and all: ours are known by their place in the router, their name and their Comment."""
    copied = {"Type": "Wait", "Comment": "Added by sfn-resume: waits", "Seconds": 60, "Next": "Ship"}
    states: dict[str, Any] = {"Pay": {"Type": "Task", "Next": "GoToState Backoff"}, "GoToState Backoff": copied}
    states |= {"Backoff": {**copied, "Next": "GoToState Enter"}, "Ship": {"Type": "Task", "End": True}}
    states["GoToState Enter"] = {"Type": "Pass", "Comment": "Added by sfn-resume: enters", "Next": "Ship"}
    source = Definition.parse(json.dumps({"QueryLanguage": language, "StartAt": "Pay", "States": states}))
    assert not source.is_gotostate
    built = router.add_gotostate(source, "GoToState Backoff")
    assert router.remove_gotostate(built).document == source.document
    assert built.route == ("Pay", "GoToState Backoff")


def test_the_jsonpath_router_copies_no_input() -> None:
    """A hand-written input may have 256 KB; what holds it twice is over the limit of a state."""
    built = router.add_gotostate(Definition.parse(SOURCE), "B")
    for name in built.router_states:
        assert ".input" not in json.dumps(built.states[name].get("Parameters", {}))
        assert "$.resuming'" not in json.dumps(built.states[name])


def test_the_jsonpath_router_applies_no_path_to_an_input_that_may_be_null() -> None:
    """AWS refuses to apply a path to null; whoever starts the machine with null gets the source's own start."""
    start = router.add_gotostate(Definition.parse(SOURCE)).states["GoToState"]
    assert not {"InputPath", "OutputPath", "Parameters"} & set(start)
    assert '"Variable": "$.' not in json.dumps(start)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"StartAt": "A"}', '"States"'),
        ('{"StartAt": "B", "States": {"A": {}}}', '"StartAt"'),
        ('{"StartAt": "A", "States": {"A": 1}}', '"States"'),
        ('{"StartAt": "A", "States": {"A": {"x": NaN}}}', "NaN"),
        ("[" * 100_000, "nested too deeply"),
        ('{"StartAt": "A", "States": {"A": {"x": %s}}}' % ("[" * 200 + "]" * 200), "more than 200 levels deep"),
        ('{"StartAt": "A", "States": {"A": {"Next": 1}}}', "\"Next\" in the state 'A' is not a text"),
        ('{"StartAt": "A", "States": {"A": {"Catch": [{"Next": {}}]}}}', "\"Next\" in the state 'A' is not a text"),
    ],
)
def test_bad_definitions_are_named(text: str, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        Definition.parse(text)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("$$.Execution.Input", True),
        ("$$.Execution.Input.order", True),
        ("$$['Execution']['Input']", True),
        ("$$.Execution", True),
        ("$$", True),
        ("States.Format('{}', $$.Execution.Input.a)", True),
        ("{% $states.context.Execution.Input.a %}", True),
        ("{% $states.context %}", True),
        ("{% ($s := $states; $s.context.Execution.Input) %}", True),
        ("$$..Input", True),
        ("$$.Execution['Name','Input']", True),
        ("{% $states.`context`.Execution.Input.a %}", True),
        ('{% $states."context".Execution.Input.a %}', True),
        ("{% $states. context . Execution.Input %}", True),
        ("{% $states./* c */context.Execution.Input.a %}", True),
        ("{% $states.\ncontext.Execution.Input %}", True),
        ("{% $states.*.Execution.Input.a %}", True),
        ("{% $states.**.Input %}", True),
        ("{% $states[0].context.Execution.Input %}", True),
        ("{% $states.context.* %}", True),
        ("{% $lookup($states, 'context') %}", True),
        ("{% $states.input.x & $states.context.Task.Token %}", False),
        ("{% $statesOfAmerica.context.Execution.Input %}", False),
        ("$$.Execution.Id", False),
        ("$$.State.Name", False),
        ("{% $states.input.Execution.Input %}", False),
        ("{% $states.context.Execution.Name %}", False),
        ("$.a", False),
    ],
)
def test_mentions_of_the_executions_input(text: str, reads: bool) -> None:
    state = {"Type": "Pass", "Parameters": {"deep": [{"x.$": text}]}, "End": True}
    definition = Definition.parse(json.dumps({"StartAt": "A", "States": {"A": state}}))
    assert definition.reads_execution_input is reads


def test_mark_is_part_of_machines_that_are_deployed() -> None:
    # Machines in people's accounts carry it: this must never change.
    assert ROUTER_MARK == "Added by sfn-resume"
