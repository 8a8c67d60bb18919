"""gotostate show: the story that it tells of a chain, in each of its forms, and that it changes nothing."""

import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import stories
from botocore.exceptions import EndpointConnectionError
from fake_account import Account, RefusalError, Wired, execution_arn, failure_events
from gotostate import cli
from gotostate.cli import layout
from gotostate.cli.stories.timeline import Screen, lines
from gotostate.nesting import STARTED_BY
from gotostate.plain import duration
from stories import LAMBDA, ORDERS, Timed

Capture = pytest.CaptureFixture[str]
ORIGINAL = execution_arn("orders", "order-17")
READING = {"DescribeExecution", "DescribeStateMachineForExecution", "GetExecutionHistory"}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    monkeypatch.setattr("gotostate.cli.account.StepFunctions", lambda region: Wired(account, region))
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    return account


def shown(account: Account, capsys: Capture, arn: str, *options: str) -> str:
    """Run the verb, which has to succeed and must not change anything; return what it printed."""
    changes = list(account.changes)
    account.calls.clear()
    assert cli.main(["show", arn, *options]) == 0
    assert account.changes == changes
    assert set(account.calls) <= READING
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def failed(account: Account, name: str = "order-17", given: str = "{}", machine: str = "orders") -> str:
    """Put an execution into the account that fails in its second state."""
    account.add_machine(machine, two(), {"gotostate": "resume"})
    history = Timed(given)
    started = history.add("TaskScheduled", history.enter("Task", "B", history.works("A", 0, 2)))
    history.later(3)
    last = history.add("TaskFailed", started, taskFailedEventDetails=stories.DOWN)
    history.add("ExecutionFailed", last, executionFailedEventDetails=stories.DOWN)
    return stories.put(account, name, history, machine=machine)


def two(**fields: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {**LAMBDA, "Next": "B"}, "B": {**LAMBDA, "End": True}}, **fields}


def test_a_chain_is_one_story_whatever_execution_is_named(account: Account, capsys: Capture) -> None:
    arns = stories.chain_of_three(account)
    for arn in arns:
        assert shown(account, capsys, arn) == (
            "order-17 SUCCEEDED after 2 resumes in 3 min 38 s (times are UTC)\n"
            "\n"
            "order-17, 2026-05-01\n"
            f"  {arns[0]}\n"
            "  01:46:40   started\n"
            "  01:46:40 ✓ Reserve   3 s  Task, 2 attempts\n"
            "  01:46:43 ✗ Charges  10 s  Map 998 of 1,000\n"
            "             BankDown in Charge: the bank does not answer\n"
            "  01:46:53   FAILED\n"
            "\n"
            "resume 1, 2026-05-01\n"
            f"  {arns[1]}\n"
            "  01:46:55   started, waited 39 s\n"
            "  01:47:34 ✗ Charges  10 s  Map 999 of 1,000, again, 998 finished before\n"
            "             BankDown in Charge: the bank does not answer\n"
            "  01:47:44   FAILED\n"
            "\n"
            "resume 2, 2026-05-01\n"
            f"  {arns[2]}\n"
            "  01:47:46   started, waited 2 min 20 s\n"
            "  01:50:06 ✓ Charges  10 s  Map 1,000 of 1,000, again, 999 finished before\n"
            "  01:50:16 ✓ Ship      2 s  Task\n"
            "  01:50:18   SUCCEEDED\n"
        )
    assert arns[0] == ORIGINAL
    assert len({*arns}) == 3


def test_the_story_as_json(account: Account, capsys: Capture) -> None:
    arns = stories.chain_of_three(account, 12)
    told = json.loads(shown(account, capsys, arns[1], "--json"))
    assert (told["original"], told["parent"], told["remarks"]) == (ORIGINAL, None, [])
    assert [(one["execution"], one["status"], one["attempt"], one["resumes"]) for one in told["executions"]] == [
        (arns[0], "FAILED", 0, None),
        (arns[1], "FAILED", 1, arns[0]),
        (arns[2], "SUCCEEDED", 2, arns[1]),
    ]
    first, second, third = told["executions"]
    assert (first["started"], first["stopped"]) == ("2026-05-01T01:46:40.000Z", "2026-05-01T01:46:53.000Z")
    assert {"error": first["error"], "cause": first["cause"]} == stories.DOWN
    assert [one["delaySeconds"] for one in told["executions"]] == [None, *(stories.delay(account, a) for a in arns[1:])]
    assert first["states"][1] == {
        "name": "Charges", "type": "Map", "status": "failed", "times": 1, "attempts": 1,
        "entered": "2026-05-01T01:46:43.000Z", "left": None, "finished": 10, "total": 12, "finishedBefore": 0,
        **stories.DOWN, "failedIn": "Charge", "again": False, "children": [],
    }  # fmt: skip
    assert [one["states"][0]["finishedBefore"] for one in (second, third)] == [10, 11]
    assert (third["error"], third["cause"]) == (None, None)
    assert third["states"][1]["left"] == third["stopped"]


def test_the_story_as_a_flowchart(account: Account, capsys: Capture) -> None:
    arn = failed(account)
    resumed = stories.resumed(account, arn, 5)
    assert shown(account, capsys, arn, "--mermaid").splitlines()[:-4] == [
        "flowchart TD",
        '    subgraph e0["order-17, 2026-05-01"]',
        '        e0n0(["started 01:46:40"])',
        '        e0n0 --> e0n1["A<br>Task<br>01:46:40, 2 s"]:::succeeded',
        '        e0n1 --> e0n2["B<br>Task<br>01:46:42, 3 s<br>BankDown#58; the bank does not answer"]:::failed',
        '        e0n2 --> e0last(["FAILED 01:46:45"]):::failed',
        "    end",
        '    subgraph e1["resume 1, 2026-05-01"]',
        '        e1n0(["started 01:46:50"])',
        '        e1n0 --> e1last(["RUNNING"]):::open',
        "    end",
        '    e0last -->|"resume 1"| e1n0',
    ]
    assert account.runs[resumed].status == "RUNNING"


def test_the_story_as_a_picture(account: Account, capsys: Capture, tmp_path: Path) -> None:
    arns = stories.chain_of_three(account, 12)
    path = tmp_path / "incident.svg"
    assert shown(account, capsys, arns[0], "--svg", str(path)) == f"Drawn        {path}\n"
    root = ET.parse(path).getroot()  # noqa: S314  our own
    said = ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]
    for words in (
        "Charges",
        "Map 10 of 12",
        "BankDown in Charge: the bank does not answer",
        f"started, waited {duration(stories.delay(account, arns[1]))}",
        "Map 12 of 12, again, 11 finished before",
        *arns,
    ):
        assert words in said, words
    assert said[0].startswith("order-17 SUCCEEDED after 2 resumes in ")
    text = path.read_text()
    assert "@media (prefers-color-scheme: dark)" in text
    assert "<script" not in text
    # Where there is no CSS, each shape and text has the colour for light.
    for shape in root.iter():
        if shape.tag.removeprefix(SVG) in ("text", "rect", "circle"):
            assert re.fullmatch("#[0-9a-f]{6}", shape.attrib["fill"])
    # Nothing is drawn outside of it.
    width, height = (int(root.attrib[name]) for name in ("width", "height"))
    places = [(int(one.attrib["x"]), int(one.attrib["y"])) for one in root.iter(f"{SVG}text")]
    assert all(0 < x < width and 0 < y < height for x, y in places)


HOSTILE = (
    '"><script>alert(1)</script>',
    "a\nb\r\x1b[2J\u202ec\u2028",
    "end",
    "1. `x` #quot; $$y$$ fa:fa-car \\n",
    "<!-- & ]]> -->",
    "\u05e9\u05dc\u05d5\u05dd \u200f😀 日本語",
    "\ufffe\uffff\ud800",
    "W" * 80,
    "日" * 80,
)


def hostile(account: Account) -> str:
    names = {name: {**LAMBDA, "Next": following} for name, following in pairwise(HOSTILE)}
    account.add_machine("orders", {"StartAt": HOSTILE[0], "States": {**names, HOSTILE[-1]: LAMBDA}}, {})
    history, before = Timed(), 0
    for name in HOSTILE[:-1]:
        before = history.works(name, before)
    history.enter("Task", HOSTILE[-1], before)
    details = {"error": '"<E>&\x1b[2J', "cause": "c\n\u202e<b>&\"'" * 100}
    history.add("ExecutionFailed", before, executionFailedEventDetails=details)
    return stories.put(account, "order-17", history)


CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200f\u2028-\u202f\ud800-\udfff]")


def test_hostile_names_do_no_harm_on_a_terminal(account: Account, capsys: Capture) -> None:
    printed = shown(account, capsys, hostile(account))
    assert not CONTROL.search(printed)
    assert r"a\u000ab\u000d\u001b[2J\u202ec\u2028" in printed
    # A line for each state, however long its name is, and one more for those that leave no room beside them.
    assert sum("Task" in line for line in printed.splitlines()) == len(HOSTILE)
    for line in printed.splitlines():
        assert layout.columns(line) <= 80 or "W" * 80 in line or "日" * 80 in line or "arn:" in line


def test_hostile_names_do_no_harm_in_a_flowchart(account: Account, capsys: Capture) -> None:
    printed = shown(account, capsys, hostile(account), "--mermaid")
    assert not CONTROL.search(printed)
    for line in printed.splitlines():
        # Two quotes around each text and no mark of Mermaid's within.
        texts = re.findall(r'"([^"]*)"', line)
        assert line.count('"') == 2 * len(texts)
        assert not re.search(r"[<>`$&\\*_{}\[\]]|(?<!&)#(?!\d+;)", "".join(texts).replace("<br>", ""))
    assert "#34;#62;#60;script#62;alert#40;1#41;#60;#47;script#62;" in printed
    # A space without width parts what Mermaid would make a formula, an icon or a line break of.
    assert "#36;\u200b#36;y#36;\u200b#36; fa#58;\u200bfa-car #92;\u200bn" in printed


def test_hostile_names_do_no_harm_in_a_picture(account: Account, capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "incident.svg"
    shown(account, capsys, hostile(account), "--svg", str(path))
    root = ET.parse(path).getroot()  # noqa: S314  our own
    assert not CONTROL.search(path.read_text(encoding="utf-8"))
    said = ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]
    for name in (HOSTILE[0], r"a\u000ab\u000d\u001b[2J\u202ec\u2028", HOSTILE[4], r"\ufffe\uffff\ud800"):
        assert name in said
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {
        "svg", "title", "style", "rect", "text", "circle", "path", "g",
    }  # fmt: skip
    # What is cut is whole in its title.
    assert [one.text for one in root.iter(f"{SVG}title")][1:3] == ["W" * 80, "日" * 80]


def test_hostile_names_do_no_harm_in_json(account: Account, capsys: Capture) -> None:
    told = json.loads(shown(account, capsys, hostile(account), "--json"))
    assert [one["name"] for one in told["executions"][0]["states"]][:6] == list(HOSTILE[:6])


class Terminal:
    """What a stream tells of itself."""

    def __init__(self, encoding: str | None, is_terminal: bool) -> None:
        self.encoding = encoding
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("encoding", "is_terminal", "environment", "expected"),
    [
        ("utf-8", True, {}, Screen(has_symbols=True, has_colour=True)),
        ("utf-8", True, {"NO_COLOR": ""}, Screen(has_symbols=True, has_colour=True)),
        ("utf-8", True, {"NO_COLOR": "1"}, Screen(has_symbols=True, has_colour=False)),
        ("utf-8", True, {"TERM": "dumb"}, Screen(has_symbols=True, has_colour=False)),
        ("utf-8", False, {}, Screen(has_symbols=True, has_colour=False)),
        ("ascii", True, {}, Screen(has_symbols=False, has_colour=True)),
        ("cp1252", False, {}, Screen(has_symbols=False, has_colour=False)),
        (None, False, {}, Screen(has_symbols=False, has_colour=False)),
        ("no such", False, {}, Screen(has_symbols=False, has_colour=False)),
    ],
)
def test_what_a_terminal_gets(
    encoding: str | None, is_terminal: bool, environment: dict[str, str], expected: Screen
) -> None:
    stream: Any = Terminal(encoding, is_terminal)
    assert Screen.of(stream, environment) == expected


def test_colour_is_for_a_terminal_that_wants_it(
    account: Account, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = failed(account)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\x1b[31m✗\x1b[0m B" in shown(account, capsys, arn)
    monkeypatch.setitem(os.environ, "NO_COLOR", "1")
    assert "\x1b" not in shown(account, capsys, arn)


def test_symbols_are_ascii_where_there_are_no_others(account: Account) -> None:
    arn = failed(account)
    from gotostate.cli.verbs.show import gather

    printed = "\n".join(lines(gather(Wired(account), arn), Screen(has_symbols=False)))
    assert printed.isascii()
    assert "  01:46:40 + A  2 s  Task\n  01:46:42 x B  3 s  Task\n" in printed


def test_the_newest_of_a_chain_may_wait(account: Account, capsys: Capture) -> None:
    arn = failed(account)
    resumed = stories.resumed(account, arn, 5)
    history = stories.began(account, resumed)
    history.enter("Wait", "GoToState Backoff", history.step("GoToState", 0))
    account.end(resumed, "RUNNING", history.newest_first[::-1])
    waits = duration(stories.delay(account, resumed))
    assert shown(account, capsys, arn).endswith(
        f"resume 1, 2026-05-01\n  {resumed}\n  01:46:50   started, waits {waits}\n             RUNNING\n"
    )
    assert shown(account, capsys, arn).startswith("order-17 RUNNING after 1 resume (times are UTC)\n")


def test_what_to_type_next_stands_under_a_failure(account: Account, capsys: Capture) -> None:
    arn = failed(account)
    assert shown(account, capsys, arn).endswith(f"  01:46:45   FAILED\n\nnext: gotostate plan {arn}\n")


def test_an_execution_that_succeeded_has_a_story(account: Account, capsys: Capture) -> None:
    account.add_machine("orders", ORDERS, {})
    history = Timed()
    history.add("ExecutionSucceeded", history.works("Reserve", 0, 90))
    arn = stories.put(account, "order-17", history, "SUCCEEDED")
    assert shown(account, capsys, arn) == (
        "order-17 SUCCEEDED in 1 min 30 s (times are UTC)\n"
        "\n"
        "order-17, 2026-05-01\n"
        f"  {arn}\n"
        "  01:46:40   started\n"
        "  01:46:40 ✓ Reserve  1 min 30 s  Task\n"
        "  01:48:10   SUCCEEDED\n"
    )


def test_a_story_of_more_than_one_day_has_the_day_on_each_line(
    account: Account, capsys: Capture, tmp_path: Path
) -> None:
    arn = failed(account)
    stories.resumed(account, arn, 86_400)
    printed = shown(account, capsys, arn)
    assert "  05-01 01:46:42 ✗ B  3 s  Task\n" in printed
    assert "  05-02 01:46:45   started\n" in printed
    shown(account, capsys, arn, "--svg", str(tmp_path / "a.svg"))
    assert ">05-02 01:46:45<" in (tmp_path / "a.svg").read_text()


def test_parents_and_children_are_linked(account: Account, capsys: Capture, tmp_path: Path) -> None:
    parent = execution_arn("parents", "parent-1")
    children = [execution_arn("children", f"child-{number}") for number in range(7)]
    account.add_machine("orders", two(), {})
    history = Timed(json.dumps({STARTED_BY: parent}))
    before = history.enter("Task", "A", 0)
    for child in children:
        details = {"resource": "startExecution", "output": json.dumps({"ExecutionArn": child})}
        history.add("TaskSucceeded", before, taskSucceededEventDetails=details)
    arn = stories.put(account, "order-17", history, "RUNNING")
    account.runs[arn].stopped = None
    printed = shown(account, capsys, arn)
    assert printed.splitlines()[1] == f"started by {parent}"
    assert f"             → {children[4]}\n             → 2 more; --json names them\n" in printed
    told = json.loads(shown(account, capsys, arn, "--json"))
    assert (told["parent"], told["executions"][0]["states"][0]["children"]) == (parent, children)
    chart = shown(account, capsys, arn, "--mermaid")
    assert 'parent["started by parents#58;parent-1"] -.-> e0n0' in chart
    assert 'e0n1 -.-> e0n1c0["children#58;child-0"]' in chart
    assert 'e0n1 -.-> e0n1c["4 more"]' in chart
    shown(account, capsys, arn, "--svg", str(tmp_path / "a.svg"))
    assert parent in (tmp_path / "a.svg").read_text()


def test_a_resume_from_before_a_redrive_is_a_part_of_the_story(account: Account, capsys: Capture) -> None:
    arn = failed(account)
    before = stories.resumed(account, arn, 2)
    history = stories.began(account, before)
    history.add("ExecutionAborted", 0, executionAbortedEventDetails={})
    account.end(before, "ABORTED", history.newest_first[::-1])
    account.now += 60
    account.redrive(arn, failure_events("B", error="Again")[-1])
    account.runs[arn].events[-1] = {**account.runs[arn].events[-1], "timestamp": account.now}
    account.now += 60
    assert cli.main(["resume", arn]) == 0
    capsys.readouterr()
    after = next(resumed for resumed in account.runs if resumed not in (arn, before))
    printed = shown(account, capsys, arn)
    assert [line for line in printed.splitlines() if "arn:" in line] == [f"  {arn}", f"  {before}", f"  {after}"]
    assert f"resume 1 of order-17, 2026-05-01\n  {after}\n" in printed
    assert "  01:46:45   FAILED\n             BankDown: the bank does not answer\n" in printed
    assert "redriven\n" in printed
    assert '(["FAILED 01:46:45<br>BankDown#58; the bank' in shown(account, capsys, arn, "--mermaid")
    assert "             Again: it broke\n" in printed
    told = json.loads(shown(account, capsys, after, "--json"))
    assert len(told["executions"][0]["redriven"]) == 1


def test_a_run_that_succeeded_and_its_rerun_are_one_story(account: Account, capsys: Capture) -> None:
    account.add_machine("orders", two(), {"gotostate": "resume"})
    history = Timed("{}")
    last = history.works("B", history.works("A", 0))
    history.add("ExecutionSucceeded", last)
    original = stories.put(account, "order-17", history, machine="orders", status="SUCCEEDED")
    assert cli.main(["resume", original, "--from-state", "B", "--yes"]) == 0
    rerun = next(arn for arn in account.runs if "with-GoToState" in arn)
    capsys.readouterr()
    for arn in (original, rerun):
        told = shown(account, capsys, arn)
        assert (original in told, rerun in told, "unknown" in told) == (True, True, False)


def test_an_execution_that_does_not_exist(account: Account, capsys: Capture) -> None:
    assert cli.main(["show", execution_arn("orders", "none\u202e")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("gotostate: the execution arn:")
    assert "does not exist" in captured.err
    assert "\u202e" not in captured.err


def test_an_original_that_is_gone_is_told_in_one_line(account: Account, capsys: Capture) -> None:
    arns = stories.chain_of_three(account, 12)
    del account.runs[arns[0]]
    printed = shown(account, capsys, arns[1]).splitlines()
    assert printed[1] == f"the original {arns[0]} is gone, so its resumes cannot be followed from there"
    assert printed[3] == "resume 1 of an unknown execution, 2026-05-01"
    # From there on the chain is followed.
    assert printed[-1].endswith("SUCCEEDED")
    told = json.loads(shown(account, capsys, arns[2], "--json"))
    assert (told["original"], len(told["executions"]), len(told["remarks"])) == (arns[0], 1, 1)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_an_original_that_may_not_be_read_is_told_in_one_line(account: Account, capsys: Capture, code: str) -> None:
    arns = stories.chain_of_three(account, 12)

    def gate(operation: str, body: dict[str, Any]) -> None:
        if body.get("executionArn") == arns[0]:
            raise RefusalError(code)

    account.gate = gate
    assert f"\nthe original {arns[0]} cannot be read ({code})\n" in shown(account, capsys, arns[2])


def test_other_errors_of_aws_are_told_as_such(account: Account, capsys: Capture) -> None:
    arns = stories.chain_of_three(account, 12)

    def gate(operation: str, body: dict[str, Any]) -> None:
        if body.get("executionArn") == arns[0]:
            raise EndpointConnectionError(endpoint_url="https://states")

    account.gate = gate
    assert cli.main(["show", arns[2]]) == 1
    assert "gotostate: AWS: Could not connect" in capsys.readouterr().err


def test_an_original_that_a_person_wrote_cannot_act_on_the_terminal(account: Account, capsys: Capture) -> None:
    arns = stories.chain_of_three(account, 12)
    run = account.runs[arns[2]]
    run.input = run.input.replace("order-17", r"order\u202e")
    printed = shown(account, capsys, arns[2])
    assert r"order\u202e is gone" in printed
    assert not CONTROL.search(printed)


def test_an_original_whose_resumes_do_not_lead_to_the_execution(account: Account, capsys: Capture) -> None:
    """A person named another execution by hand."""
    arns = stories.chain_of_three(account, 12)
    other = failed(account, "other")
    run = account.runs[arns[2]]
    run.input = run.input.replace(arns[0], other)
    printed = shown(account, capsys, arns[2])
    assert f"\nthe resumes of {other} that are on record do not lead to {arns[2]}\n" in printed
    assert f"  {other}\n" in printed
    assert f"  {arns[2]}\n" in printed


def test_a_definition_that_is_gone_is_told_in_one_line(account: Account, capsys: Capture, tmp_path: Path) -> None:
    arn = failed(account)

    def gate(operation: str, body: dict[str, Any]) -> None:
        if operation == "DescribeStateMachineForExecution":
            raise RefusalError("StateMachineDoesNotExist")

    resumed = stories.resumed(account, arn, 2)
    account.gate = gate
    printed = shown(account, capsys, arn)
    assert "its states cannot be told: the definition that it ran with is gone\n" in printed
    # It leads on to its resumes all the same.
    assert resumed in printed
    assert "BankDown: the bank does not answer" in printed
    told = json.loads(shown(account, capsys, arn, "--json"))
    assert [one["states"] for one in told["executions"]] == [[], []]
    for form in (["--mermaid"], ["--svg", str(tmp_path / "a.svg")]):
        shown(account, capsys, arn, *form)


def test_a_damaged_history_is_told_in_one_line(account: Account, capsys: Capture) -> None:
    arn = failed(account)
    account.runs[arn].events[1] = {"type": "TaskStateEntered", "id": 2, "stateEnteredEventDetails": {}}
    printed = shown(account, capsys, arn)
    assert "its states cannot be told: event 2 (TaskStateEntered) has no name\n" in printed
    assert "  FAILED 01:46:45\n" in printed


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "required: ARN"),
        ([ORIGINAL, "--svg", ""], "--svg needs the name of a file"),
        ([ORIGINAL, "--svg", "a.svg", "--json"], "not allowed with"),
        ([ORIGINAL, "--mermaid", "--json"], "not allowed with"),
    ],
)
def test_wrong_usage_exits_with_2(options: list[str], says: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["show", *options])
    assert exit_.value.code == 2
    assert says in capsys.readouterr().err


def test_a_picture_that_cannot_be_written(account: Account, capsys: Capture, tmp_path: Path) -> None:
    assert cli.main(["show", failed(account), "--svg", str(tmp_path)]) == 1
    assert f"{tmp_path} cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, ""), (-0.2, "0 s"), (0, "0 s"), (0.04, "0 s"), (0.25, "0.2 s"), (9.4, "9.4 s"), (9.6, "10 s"),
        (59.4, "59 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3_599.6, "1 h"), (15_540, "4 h 19 min"),
        (90_000, "1 d 1 h"), (31_536_000, "365 d"),
    ],
)  # fmt: skip
def test_lengths_of_time(seconds: float | None, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("text", "width", "most", "expected"),
    [
        ("", 5, None, [""]),
        ("ab cd", 5, None, ["ab cd"]),
        ("ab cde", 5, None, ["ab", "cde"]),
        ("abcdefg", 5, None, ["abcde", "fg"]),
        ("日本語", 5, None, ["日本", "語"]),
        ("e\u0301" * 5, 5, None, ["e\u0301" * 5]),
        ("ab cd ef ghi", 5, 2, ["ab cd", "ef..."]),
        ("日", 1, None, ["日"]),
    ],
)
def test_lines_are_broken_by_the_columns_that_they_take(
    text: str, width: int, most: int | None, expected: list[str]
) -> None:
    assert layout.wrapped(text, width, most) == expected
