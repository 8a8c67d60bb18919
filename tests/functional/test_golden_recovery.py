"""Whole recoveries as data: what is in the account, which execution failed, and what has to come of it."""

import json
from pathlib import Path

import pytest
from fake_account import Account, machine_arn
from gotostate import jsontext, machines, reading, recovery, resumption, router
from gotostate.definition import Definition
from gotostate.report import Report
from gotostate.settings import Settings

CASES = sorted((Path(__file__).parents[1] / "golden" / "recovery").glob("*.json"))
SETTINGS = Settings(max_attempts=3, backoff_seconds=0)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    case = json.loads(path.read_text())
    account = Account()
    for run in case["executions"]:
        # Each ran on a definition that may not be the machine's any more.
        account.add_machine(run["machine"], run["definition"], {})
        arn = account.add_failure(run["machine"], run["name"], run["events"], run["input"], run["status"])
        account.runs[arn].redrives = run["redriveCount"]
        account.runs[arn].why_not_redrivable = run.get("whyNotRedrivable")
        account.now += 100
    for name, machine in case["machines"].items():
        account.add_machine(name, machine["definition"], machine["tags"])
    expect = case["expect"]
    memory, report = account.memory(), Report.from_event(account.event(case["recover"]))
    outcome = recovery.recover(memory, report, SETTINGS)
    assert (outcome.outcome, outcome.state, outcome.reason) == (expect["result"], expect["state"], expect["reason"])
    if "machine" in expect:
        assert outcome.machine == expect["machine"]
    if expect["result"] != "resumed":
        assert not [change for change in account.changes if change.startswith("start")]
        return
    assert outcome.resumed
    started = account.runs[outcome.resumed]
    if "input" in expect:
        assert started.input == expect["input"]
        assert jsontext.parse(started.input)
    if "definition" in expect:
        assert router.remove_gotostate(Definition.parse(started.revision.definition)).document == expect["definition"]
    name = outcome.resumed.rpartition(":")[2]
    assert len(name) <= resumption.MAX_NAME
    assert outcome.machine
    assert len(outcome.machine.rpartition(":")[2]) <= resumption.MAX_NAME
    again = recovery.recover(memory, report, SETTINGS)
    assert again.resumed == outcome.resumed
    assert again.outcome == "already resumed"


def test_by_hand_a_machine_that_was_deleted_since_can_be_resumed() -> None:
    case = json.loads(next(path for path in CASES if path.stem == "context_not_read").read_text())
    account = Account()
    (run,) = case["executions"]
    account.add_machine(run["machine"], run["definition"], {})
    arn = account.add_failure(run["machine"], run["name"], run["events"], run["input"])
    del account.machines[machine_arn("orders")]
    memory = account.memory()
    failure = reading.read(memory, Report(arn), SETTINGS)
    assert machines.ensure(memory, failure) == machine_arn("orders-with-GoToState") + ":1"
