"""Two stacks whose StateMachineNames overlap receive the same events; they have different parameters and memories."""

from typing import Any

import pytest
import resumer
from fake_account import Account, Wired, failure_events
from gotostate.memory import Memory
from listed import Context

ORDERS = {
    "StartAt": "Charge",
    "States": {"Charge": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}},
}
ORDER = '{"order": 17}'
FIRST = {"BACKOFF_SECONDS": "60", "MAX_ATTEMPTS": "5"}
SECOND = {"BACKOFF_SECONDS": "5", "MAX_ATTEMPTS": "2"}


@pytest.fixture
def account() -> Account:
    account = Account()
    account.add_machine("orders", ORDERS, {"gotostate": "resume"})
    return account


def hear(account: Account, execution: str, stack: dict[str, str], patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let the Resumer of a stack hear of an execution; return what it answers."""
    for name, value in stack.items():
        patch.setenv(name, value)
    memory = Memory(Wired(account), clock=lambda: account.now)
    patch.setattr(resumer, "_memory", lambda: memory)
    context: Any = Context()
    answer: dict[str, Any] = resumer.handler(account.event(execution), context)
    return answer


def test_they_resume_a_failure_once(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = account.add_failure("orders", "order-17", failure_events("Charge", ORDER, start=ORDER), ORDER)
    first = hear(account, failed, FIRST, monkeypatch)
    second = hear(account, failed, SECOND, monkeypatch)
    assert (first["outcome"], second["outcome"]) == ("resumed", "already resumed")
    assert first["resumed"] == second["resumed"]
    assert len([arn for arn in account.runs if "-with-GoToState:" in arn]) == 1


def test_both_tell_the_recovery(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = account.add_failure("orders", "order-17", failure_events("Charge", ORDER, start=ORDER), ORDER)
    resumed = hear(account, failed, FIRST, monkeypatch)["resumed"]
    account.end(resumed, "SUCCEEDED", [])
    told = [hear(account, resumed, stack, monkeypatch)["outcome"] for stack in (FIRST, SECOND)]
    assert told == ["recovered", "recovered"]
