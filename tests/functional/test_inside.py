"""Going on inside a Parallel or Map, in an account in memory: what is started, and what it falls back to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_account import Account, RefusalError, Wired, machine_arn
from gotostate import cli, reading, recovery
from gotostate.memory import Memory
from gotostate.outcome import Outcome, Result
from gotostate.report import Report
from gotostate.settings import Settings
from histories import History

SCOPE: dict[str, Any] = {
    "StartAt": "Reserve",
    "States": {"Reserve": {"Type": "Task", "Next": "Charge"}, "Charge": {"Type": "Task", "End": True}},
}
MAP: dict[str, Any] = {"Type": "Map", "ItemsPath": "$", "ItemProcessor": SCOPE, "Next": "Ship"}
ORDERS: dict[str, Any] = {"StartAt": "Each", "States": {"Each": MAP, "Ship": {"Type": "Task", "End": True}}}
GOTO = "orders-with-GoToState"


def one_failed(given: str = "[1,2,3]") -> History:
    """The first iteration finished, the second failed at Charge, the third had not begun."""
    story = History(given)
    before = story.map_starts(story.enter("Map", "Each", 0, given), 3)
    before = story.iterates("Each", 0, before)
    before = story.task("Charge", story.task("Reserve", before, "1", '"r1"'), '"r1"', "1.10")
    story.iterated("Each", 0, before)
    before = story.task("Reserve", story.iterates("Each", 1, before), "2", '"r2"')
    story.fails(story.task("Charge", before, '"r2"'), within="Map")
    return story


class Orders:
    """An account with the machine orders and one failed execution of it, and a function that is warm."""

    def __init__(self, document: Any = ORDERS, story: History | None = None, **tags: str) -> None:
        self.account = Account()
        self.account.add_machine("orders", document, {"gotostate": "resume", **tags})
        story = story or one_failed()
        self.failed = self.account.add_failure("orders", "order-17", story.newest_first[::-1], story.input)
        self.memory: Memory = self.account.memory()

    def recover(self, arn: str | None = None, **settings: Any) -> Outcome:
        report = Report.from_event(self.account.event(arn or self.failed))
        return recovery.recover(self.memory, report, Settings(**settings))

    def resuming(self, outcome: Outcome) -> dict[str, Any]:
        assert outcome.resumed
        found: dict[str, Any] = json.loads(self.account.runs[outcome.resumed].input)["resuming"]
        return found


ELEMENTS = [
    {"output": 1.1},
    {"state": "Charge", "input": "r2", "variables": {}, "inside": None},
    {},
]


def test_a_map_goes_on_inside() -> None:
    case = Orders()
    outcome = case.recover()
    assert (outcome.outcome, outcome.state) == (Result.RESUMED, "Each")
    assert outcome.inside == "Each: 1 of 3 finished, 1 goes on at Charge, 1 from its start"
    resuming = case.resuming(outcome)
    assert resuming["inside"] == ELEMENTS
    assert resuming["variables"] == {"gotostate0": [0, 1, 2]}
    assert outcome.resumed
    assert '{"output":1.10}' in case.account.runs[outcome.resumed].input
    assert "Goes on inside" in case.account.runs[outcome.resumed].revision.definition


def test_a_chain_keeps_what_it_did_not_get_to_and_then_leaves_the_map() -> None:
    case = Orders()
    resumed = case.recover().resumed
    assert resumed
    story = History(case.account.runs[resumed].input)
    before = story.backs_off("[0,1,2]")
    story.map_starts(story.enter("Map", "Each", before, "[1,2,3]"), 3)
    story.ends(0, "States.Timeout")
    case.account.end(resumed, "FAILED", story.newest_first[::-1])
    again = case.recover(resumed)
    # Nothing had begun in it, and nothing of the record is lost.
    assert case.resuming(again)["inside"] == ELEMENTS
    assert [change for change in case.account.changes if not change.startswith("start")] == [f"create {GOTO}"]
    assert again.resumed
    story = History(case.account.runs[again.resumed].input)
    before = story.backs_off("[0,1,2]")
    before = story.leave("Map", "Each", story.enter("Map", "Each", before, "[1,2,3]"), "[]", gotostate0="null")
    story.fails(story.task("Ship", before, "[]"))
    case.account.end(again.resumed, "FAILED", story.newest_first[::-1])
    later = case.recover(again.resumed)
    resuming = case.resuming(later)
    assert (resuming["state"], resuming["variables"]) == ("Ship", {})
    assert "inside" not in resuming
    assert later.inside is None
    # Two definitions in all: the source's, and the one with the Map opened.
    assert [change for change in case.account.changes if not change.startswith("start")] == [
        f"create {GOTO}",
        f"update {GOTO} and publish",
    ]


def stopped_in_backoff(case: Orders) -> str:
    """Resume a failure, and let the resumed execution end while it waits; return its ARN."""
    resumed = case.recover().resumed
    assert resumed
    story = History(case.account.runs[resumed].input)
    story.enter("Wait", "GoToState Backoff", 0)
    story.ends(0, "States.Timeout")
    case.account.end(resumed, "FAILED", story.newest_first[::-1])
    return resumed


def test_a_resume_that_was_stopped_while_it_waited_keeps_the_record() -> None:
    case = Orders()
    resumed = stopped_in_backoff(case)
    again = case.recover(resumed)
    assert again.inside == "Each: 1 of 3 finished, 1 goes on at Charge, 1 from its start"
    assert case.resuming(again)["inside"] == ELEMENTS
    assert case.resuming(again)["variables"] == {"gotostate0": [0, 1, 2]}


def test_a_definition_that_aws_refuses_runs_the_whole_map_again() -> None:
    case = Orders()

    asked = []

    def gate(operation: str, body: dict[str, Any]) -> None:
        if "Goes on inside" in str(body.get("definition")):
            asked.append(operation)
            raise RefusalError("InvalidDefinition", "SCHEMA_VALIDATION_FAILED: at /States/Each")

    case.account.gate = gate
    outcome = case.recover()
    assert outcome.outcome is Result.RESUMED
    assert outcome.inside
    assert "whole of 'Each' runs again" in outcome.inside
    assert "at /States/Each" in outcome.inside
    resuming = case.resuming(outcome)
    assert "inside" not in resuming
    assert resuming["variables"] == {}
    # It is asked once, and not for each failure of a storm.
    story = one_failed()
    other = case.account.add_failure("orders", "order-18", story.newest_first[::-1], story.input)
    assert case.recover(other).outcome is Result.RESUMED
    assert asked == ["CreateStateMachine"]


def stopped_in_added_state(case: Orders) -> str:
    """Resume a failure, and let the resumed execution fail in a state that was added; return its ARN."""
    resumed = case.recover().resumed
    assert resumed
    story = History(case.account.runs[resumed].input)
    before = story.backs_off("[0,1,2]")
    before = story.iterates("Each", 0, story.map_starts(story.enter("Map", "Each", before, "[1,2,3]"), 3))
    before = story.enter("Pass", "GoToState Take 1", story.step("GoToState Inside 1", before))
    story.ends(before, "States.Runtime")
    case.account.end(resumed, "FAILED", story.newest_first[::-1])
    return resumed


def test_a_resume_that_fails_in_an_added_state_runs_the_whole_map_next() -> None:
    case = Orders()
    resumed = stopped_in_added_state(case)
    again = case.recover(resumed)
    assert again.outcome is Result.RESUMED
    assert again.inside == (
        "the whole of 'Each' runs again: the resumed execution failed in a state that was added to it"
    )
    assert "inside" not in case.resuming(again)


def test_a_record_that_does_not_fit_runs_the_whole_map_again() -> None:
    output = json.dumps("x" * 200_000)
    story = History("[1,2]")
    before = story.map_starts(story.enter("Map", "Each", 0, json.dumps(["y" * 100_000, 2])), 2)
    for index in range(2):
        before = story.task("Reserve", story.iterates("Each", index, before), "1", output)
    story.ends(0)
    outcome = Orders(story=story).recover()
    assert outcome.outcome is Result.RESUMED
    assert outcome.inside
    assert "does not fit" in outcome.inside


@pytest.mark.parametrize(
    ("tags", "settings", "goes_on"),
    [
        ({}, {}, True),
        ({}, {"resume_inside": False}, False),
        ({"gotostate:resume-inside": "false"}, {}, False),
        ({"gotostate:resume-inside": "true"}, {"resume_inside": False}, True),
        ({"gotostate:resume-inside": "maybe"}, {}, True),
    ],
)
def test_resume_inside_is_a_parameter_and_a_tag(tags: Any, settings: Any, goes_on: bool) -> None:
    case = Orders(**tags)
    assert ("inside" in case.resuming(case.recover(**settings))) is goes_on


def test_a_retry_keeps_the_whole_map_and_says_so() -> None:
    retried = {**MAP, "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}]}
    outcome = Orders({**ORDERS, "States": {**ORDERS["States"], "Each": retried}}).recover()
    assert outcome.inside == (
        "the whole of 'Each' runs again: it has a Retry: its author chose the whole of it as the unit to repeat"
    )


def test_a_redriven_execution_runs_the_whole_map_again() -> None:
    story = one_failed()
    redriven = story.add("ExecutionRedriven", len(story.events), executionRedrivenEventDetails={"redriveCount": 1})
    story.ends(redriven)
    case = Orders(story=story)
    case.account.runs[case.failed].redrives = 1
    outcome = case.recover()
    assert outcome.inside
    assert "redriven" in outcome.inside


@pytest.mark.parametrize(("named", "result"), [("Charge", Result.PREPARED), ("Reserve", Result.RESUMED)])
def test_a_step_inside_that_is_not_idempotent(named: str, result: Result) -> None:
    """Reserve had finished or had not begun wherever it is entered; Charge had begun."""
    tags: dict[str, Any] = {"gotostate:not-idempotent": named}
    assert Orders(**tags).recover().outcome is result
    tags["gotostate:resume-inside"] = "false"
    assert Orders(**tags).recover().outcome is Result.PREPARED


def test_a_refused_definition_is_decided_anew_as_more_runs_again() -> None:
    """Charge had finished in the first iteration; as a whole it would run again, and it is not idempotent."""
    story = History("[1,2]")
    before = story.map_starts(story.enter("Map", "Each", 0, "[1,2]"), 2)
    before = story.task("Charge", story.task("Reserve", story.iterates("Each", 0, before), "1", "1"), "1", "1")
    story.fails(story.task("Reserve", story.iterates("Each", 1, before), "2"), within="Map")
    tags: dict[str, Any] = {"gotostate:not-idempotent": "Charge"}
    assert Orders(story=story, **tags).recover().outcome is Result.RESUMED
    case = Orders(story=story, **tags)

    def gate(operation: str, body: dict[str, Any]) -> None:
        if "Goes on inside" in str(body.get("definition")):
            raise RefusalError("InvalidDefinition", "no")

    case.account.gate = gate
    assert (case.recover().outcome, case.recover().rule) == (Result.PREPARED, "not-idempotent")


@pytest.mark.parametrize(
    ("cause", "error", "goes_on", "rule"),
    [
        ("the state 'GoToState Take 1'", "States.Runtime", False, "resume"),
        ("the state 'Each'", "States.Runtime", False, "resume"),
        ("the state 'Charge'", "States.Runtime", True, "error"),
        ("the bank", "States.Http.StatusCode.503", True, "resume"),
        ("the bank", "Down", True, "resume"),
    ],
)
def test_aws_says_whose_state_it_was_that_failed(cause: str, error: str, goes_on: bool, rule: str) -> None:
    """One iteration stands in an added state, another in one of the user's own."""
    case = Orders()
    resumed = case.recover().resumed
    assert resumed
    story = History(case.account.runs[resumed].input)
    before = story.backs_off("[0,1,2]")
    started = story.map_starts(story.enter("Map", "Each", before, "[1,2,3]"), 3)
    before = story.iterates("Each", 1, started)
    for part in ("Inside", "Take", "Which", "Fill", "Input", "Enter"):
        before = story.step(f"GoToState {part} 1", before)
    before = story.task("Charge", before, '"r2"')
    story.enter("Choice", "GoToState Inside 1", story.iterates("Each", 2, started))
    named = f"An error occurred while executing {cause} (entered at the event id #9)."
    story.ends(before, error, cause=named)
    case.account.end(resumed, "FAILED", story.newest_first[::-1])
    again = case.recover(resumed)
    assert again.rule == rule
    assert str(again.inside).startswith("Each: 1 of 3 finished") is goes_on


def in_the_map_again(case: Orders) -> tuple[str, History, int]:
    """Resume a failure up to the start of the Map; return the resumed execution, its story and the last event."""
    resumed = case.recover().resumed
    assert resumed
    story = History(case.account.runs[resumed].input)
    before = story.enter("Map", "Each", story.backs_off("[0,1,2]"), "[1,2,3]")
    return resumed, story, story.map_starts(before, 3)


def test_a_result_that_could_not_be_processed_keeps_what_had_finished() -> None:
    """All iterations were over, so it was not what was changed of the Map that failed."""
    case = Orders()
    resumed, story, before = in_the_map_again(case)
    for index in range(3):
        before = story.iterates("Each", index, before)
        for part in ("Inside", "Take", "Which"):
            before = story.step(f"GoToState {part} 1", before)
        before = story.step("GoToState Done 1", before, "{}", "1")
    story.add("MapStateSucceeded", before)
    named = "An error occurred while executing the state 'Each' (entered at the event id #4)."
    story.ends(before, "States.Runtime", cause=named)
    case.account.end(resumed, "FAILED", story.newest_first[::-1])
    outcome = case.recover(resumed)
    assert (outcome.rule, outcome.inside) == ("work-succeeded", "Each: 3 of 3 finished")


def test_a_state_that_a_childs_cause_names_is_the_childs() -> None:
    case = Orders()
    resumed, story, started = in_the_map_again(case)
    before = story.iterates("Each", 1, started)
    for part in ("Inside", "Take", "Which", "Fill", "Input", "Enter"):
        before = story.step(f"GoToState {part} 1", before)
    cause = (
        '{"Cause": "An error occurred while executing the state \'GoToState Take 1\' (entered at the event id #9)."}'
    )
    story.ends(story.task("Charge", before, '"r2"'), "States.TaskFailed", cause=cause)
    case.account.end(resumed, "FAILED", story.newest_first[::-1])
    assert str(case.recover(resumed).inside).startswith("Each: 1 of 3 finished")


def test_an_execution_that_was_started_by_hand_keeps_its_record() -> None:
    case = Orders()
    first = case.recover().resumed
    assert first
    by_hand = json.loads(case.account.runs[first].input)
    del by_hand["resuming"]["execution"], by_hand["resuming"]["attempt"]
    case.account.runs[first].input = json.dumps(by_hand)
    story = History(json.dumps(by_hand))
    before = story.backs_off("[0,1,2]")
    story.map_starts(story.enter("Map", "Each", before, "[1,2,3]"), 3)
    story.ends(0, "States.Timeout")
    case.account.end(first, "FAILED", story.newest_first[::-1])
    assert case.recover(first).inside == "Each: 1 of 3 finished, 1 goes on at Charge, 1 from its start"


def test_a_map_of_a_jsonata_machine_goes_on_inside_whatever_its_state_was_given() -> None:
    """Its items are an array always, which Items names."""
    each = {"Type": "Map", "Items": "{% $states.input.items %}", "ItemProcessor": SCOPE, "Next": "Ship"}
    document = {"QueryLanguage": "JSONata", **ORDERS, "States": {**ORDERS["States"], "Each": each}}
    outcome = Orders(document, one_failed('{"items":[1,2,3]}')).recover()
    assert outcome.inside == "Each: 1 of 3 finished, 1 goes on at Charge, 1 from its start"


def test_items_that_are_members_of_an_object_run_again_as_a_whole() -> None:
    story = History("{}")
    before = story.iterates("Each", 0, story.map_starts(story.enter("Map", "Each", 0, '{"a": 1}'), 1))
    story.fails(story.task("Reserve", before), within="Map")
    assert "members of an object" in str(Orders(story=story).recover().inside)


def test_a_step_that_is_not_idempotent_counts_after_a_resume_that_was_stopped_as_it_waited() -> None:
    case = Orders()
    resumed = stopped_in_backoff(case)
    case.account.machines[machine_arn("orders")].tags["gotostate:not-idempotent"] = "Charge"
    case.account.now += 100
    assert (case.recover(resumed).outcome, case.recover(resumed).rule) == (Result.PREPARED, "not-idempotent")


# ---- the command


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> Orders:
    case = Orders()
    monkeypatch.setattr("gotostate.cli.account.StepFunctions", lambda region: Wired(case.account, region))
    return case


def test_plan_says_what_goes_on(by_hand: Orders, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", by_hand.failed]) == 0
    assert "Inside       Each: 1 of 3 finished, 1 goes on at Charge, 1 from its start\n" in capsys.readouterr().out
    assert cli.main(["plan", by_hand.failed, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["inside"] == {
        "container": "Each", "total": 3, "finished": 1, "goesOn": {"Charge": 1}, "fromStart": 1, "whole": None,
    }  # fmt: skip
    assert by_hand.account.changes == []


def test_plan_says_what_a_redrive_runs_again(by_hand: Orders, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand.account.machines[machine_arn("orders")].tags["gotostate:strategy"] = "redrive"
    assert cli.main(["plan", by_hand.failed]) == 0
    assert "Inside       AWS runs again what had not succeeded inside 'Each'\n" in capsys.readouterr().out


def test_a_definition_that_aws_refuses_runs_the_whole_map_again_by_hand_too(
    by_hand: Orders, capsys: pytest.CaptureFixture[str]
) -> None:
    by_hand.account.gate = refusing_definitions("Goes on inside")
    assert cli.main(["resume", by_hand.failed]) == 0
    assert "Inside       the whole of 'Each' runs again: " in capsys.readouterr().out
    (run,) = by_hand.account.resumed(GOTO)
    assert "inside" not in json.loads(run.input)["resuming"]


@pytest.mark.parametrize("options", [[], ["--whole"]])
def test_a_definition_that_aws_refuses_in_any_form_starts_nothing(
    by_hand: Orders, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    by_hand.account.gate = refusing_definitions("")
    assert cli.main(["resume", by_hand.failed, *options]) == 1
    assert "at /States/Each" in capsys.readouterr().err
    assert by_hand.account.changes == []


def refusing_definitions(holding: str) -> Callable[[str, dict[str, Any]], None]:
    """Refuse each definition that holds a text."""

    def gate(operation: str, body: dict[str, Any]) -> None:
        if operation in ("CreateStateMachine", "UpdateStateMachine") and holding in str(body.get("definition")):
            raise RefusalError("InvalidDefinition", "SCHEMA_VALIDATION_FAILED: at /States/Each")

    return gate


@pytest.mark.parametrize(
    ("in_added", "says"),
    [
        (False, "Each: 1 of 3 finished, 1 goes on at Charge, 1 from its start"),
        (True, "the whole of 'Each' runs again: the resumed execution failed in a state that was added to it"),
    ],
)
def test_plan_of_files_says_what_goes_on_of_a_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], in_added: bool, says: str
) -> None:
    """The record is in the execution's input, which the history holds."""
    case = Orders()
    resumed = stopped_in_added_state(case) if in_added else stopped_in_backoff(case)
    (tmp_path / "history.json").write_text(json.dumps({"events": case.account.runs[resumed].events}))
    (tmp_path / "built.asl.json").write_text(case.account.machines[machine_arn(GOTO)].revision.definition)
    files = ["--history", f"{tmp_path}/history.json", "--definition", f"{tmp_path}/built.asl.json"]
    assert cli.main(["plan", *files]) == 0
    assert f"Inside       {says}\n" in capsys.readouterr().out


def test_plan_says_what_is_called(by_hand: Orders, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand.account.machines[machine_arn("orders")].tags["gotostate:not-idempotent"] = "Charge"
    assert cli.main(["plan", by_hand.failed]) == 0
    told = [line[13:] for line in capsys.readouterr().out.splitlines() if line.startswith("Calls")]
    assert told == ["Reserve", "Charge (again) NOT IDEMPOTENT", "Ship"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "Each: 1 of 3 finished"),
        (["--whole"], "the whole of 'Each' runs again: --whole was given"),
        (["--input", "[4]"], "the whole of 'Each' runs again: --input gives it other data"),
        (["--from-state", "Each"], "the whole of 'Each' runs again: --from-state chose it"),
    ],
)
def test_resume_by_hand(by_hand: Orders, options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["resume", by_hand.failed, *options]) == 0
    assert f"Inside       {says}" in capsys.readouterr().out
    (run,) = by_hand.account.resumed(GOTO)
    assert ("inside" in json.loads(run.input)["resuming"]) is (options == [])


OTHER_STATE = {**SCOPE, "States": {**SCOPE["States"], "Charge": {"Type": "Task", "Resource": "new", "End": True}}}


@pytest.mark.parametrize(
    ("mended", "says"),
    [
        ({"ItemProcessor": OTHER_STATE}, "1 of 3"),
        ({"ItemsPath": "$.others"}, "the corrected definition changes its ItemsPath"),
        ({"ItemProcessor": {"StartAt": "Pay", "States": {"Pay": {"Type": "Task", "End": True}}}}, "no state 'Charge'"),
    ],
    ids=["a state", "the items", "the states' names"],
)  # fmt: skip
def test_a_mended_definition(
    by_hand: Orders, mended: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document = {**ORDERS, "States": {**ORDERS["States"], "Each": {**MAP, **mended}}}
    by_hand.account.add_machine("orders", document, {"gotostate": "resume"})
    assert cli.main(["resume", by_hand.failed, "--definition", "current"]) == 0
    assert says in capsys.readouterr().out


def test_a_bad_tag_is_told(by_hand: Orders, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand.account.machines[machine_arn("orders")].tags["gotostate:resume-inside"] = "maybe"
    assert cli.main(["plan", by_hand.failed]) == 0
    assert "gotostate:resume-inside is 'maybe'" in capsys.readouterr().out


def test_a_thousand_iterations_cost_the_pages_of_the_map_alone() -> None:
    story = History("[]")
    before = story.enter("Task", "Before", 0)
    for _ in range(3_000):
        before = story.step("Before", before)
    document = {
        **ORDERS,
        "StartAt": "Before",
        "States": {"Before": {"Type": "Pass", "Next": "Each"}, **ORDERS["States"]},
    }
    entered = story.enter("Map", "Each", before, "[]")
    started = story.map_starts(entered, 1_000)
    for index in range(999):
        begun = story.iterates("Each", index, started)
        story.iterated("Each", index, story.task("Charge", story.task("Reserve", begun, "1", "2"), "2", "3"))
    story.fails(story.task("Reserve", story.iterates("Each", 999, started)), within="Map")
    case = Orders(document, story)
    pages: list[int] = []
    case.account.gate = lambda operation, body: (
        pages.append(body["maxResults"]) if operation == "GetExecutionHistory" else None
    )
    outcome = case.recover()
    assert outcome.inside == "Each: 999 of 1,000 finished, 1 goes on at Reserve"
    inside = len(story.events) - entered
    assert sum(pages[:-1]) < inside, "it read on behind the Map's own entry"


def test_reading_plans_nothing(by_hand: Orders) -> None:
    failure = reading.read(by_hand.memory, Report(by_hand.failed), Settings())
    assert failure.point.steps
    assert by_hand.account.changes == []
