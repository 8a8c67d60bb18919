"""Whatever fails and however a machine is tagged: one outcome a failure, and nothing of a machine that is off."""

import json
from typing import Any

import pytest
import resumer
from fake_account import Account, failure_events
from gotostate.settings import PREPARE_ERRORS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from listed import Context

TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
HTTP = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke"}
KINDS = {
    "plain": ({**TASK, "Next": "Ship"}, {**TASK, "End": True}),
    "reading": ({**TASK, "Parameters": {"x.$": "$$.Execution.Input[0]"}, "Next": "Ship"}, {**TASK, "End": True}),
    "naming": ({**TASK, "Next": "Ship"}, {**HTTP, "End": True}),
}
TAGS = {
    "gotostate": st.sampled_from(["resume", "resume", "prepare", "off", "Resume"]),
    "gotostate:strategy": st.sampled_from(["auto", "gotostate", "redrive", "both"]),
    "gotostate:max-attempts": st.sampled_from(["0", "1", "3", "many"]),
    "gotostate:backoff-seconds": st.sampled_from(["0", "30"]),
    "gotostate:prepare-errors": st.sampled_from(["Boom", "States.Timeout/Boom", "/"]),
    "gotostate:not-idempotent": st.sampled_from(["Charge", "Ship"]),
}
ACTED = ("resumed", "redriven")
SILENT = ("already resumed", "waiting", "already-redriven")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(list(KINDS)),
    tags=st.fixed_dictionaries({}, optional=TAGS),
    error=st.sampled_from(["Boom", "States.Timeout", *PREPARE_ERRORS]),
    size=st.sampled_from([2, 262_100]),
    why_not=st.sampled_from([None, "it failed 15 days ago"]),
    deliveries=st.integers(1, 3),
)
def test_one_outcome_for_each_failure(
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    tags: dict[str, str],
    error: str,
    size: int,
    why_not: str | None,
    deliveries: int,
) -> None:
    account, given, sent = Account(), json.dumps("x" * size), []
    memory = account.memory()
    queue = type("Queue", (), {"send": lambda self, url, event, delay: sent.append(event)})()
    monkeypatch.setenv("QUEUE_URL", "https://queue")
    monkeypatch.setattr(resumer, "_memory", lambda: memory)
    monkeypatch.setattr(resumer, "_queue", lambda memory: queue)
    charge, ship = KINDS[kind]
    account.add_machine("orders", {"StartAt": "Charge", "States": {"Charge": charge, "Ship": ship}}, tags)
    arn = account.add_failure("orders", "order-17", failure_events("Charge", given, start=given, error=error), given)
    account.runs[arn].why_not_redrivable = why_not
    account.now += 2
    event, answers = account.event(arn), []
    context: Any = Context()
    for _ in range(deliveries):
        answers.append(resumer.handler(event, context))
        while sent:
            answers.append(resumer.handler(sent.pop(), context))
    outcomes = [answer["outcome"] for answer in answers]
    assert all(answer["reason"] for answer in answers)
    if tags.get("gotostate") not in ("resume", "prepare"):
        assert set(outcomes) == {"skipped"}
        assert account.changes == []
        assert {detail["rule"] for detail in account.told} <= {"bad-tag"}
        return
    acts = [change for change in account.changes if change.startswith(("start", "redrive"))]
    assert len(acts) == sum(outcome in ACTED for outcome in outcomes) <= 1
    if tags["gotostate"] == "prepare":
        assert not acts
    told = [answer["outcome"] for answer in answers if not {answer["outcome"], answer["rule"]} & set(SILENT)]
    assert [detail["outcome"] for detail in account.told] == told
    # A second delivery finds what the first one did.
    assert len({detail["id"] for detail in account.told}) == 1
