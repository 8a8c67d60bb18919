"""What who asked for a resume is told when it has succeeded."""

from dataclasses import replace

import pytest
from gotostate import message
from gotostate.outcome import Outcome, Result
from gotostate.resumption import Asked

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:orders:order-17"
RECOVERED = Outcome(
    Result.RECOVERED,
    "recovered",
    "resume 1 has succeeded",
    EXECUTION,
    original=EXECUTION,
    asked=Asked("arn:aws:iam::123456789012:user/ann", "the bank is back"),
)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked("ann", "the bank is back"), "requested by ann: the bank is back"),
        (Asked("ann"), "requested by ann"),
        (None, "requested by nobody"),
    ],
)
def test_a_recovery_says_who_asked_and_why(asked: Asked | None, said: str) -> None:
    outcome = replace(RECOVERED, asked=asked)
    assert message.subject(outcome) == "recovered: orders order-17"
    assert message.mail(outcome).splitlines()[:4] == [
        "orders: order-17 failed, and has succeeded since",
        "recovered: resume 1 has succeeded",
        said,
        "type: nothing",
    ]
    assert message.chat(outcome)["content"]["description"] == f"resume 1 has succeeded\n{said}".replace(":", "\\:")
    assert message.is_for_people(outcome) is (asked is not None)


def test_an_outcome_of_no_execution_is_told_too() -> None:
    outcome = replace(RECOVERED, outcome=Result.GAVE_UP, rule="unreadable", original=None, execution="no ARN")
    assert message.mail(outcome).splitlines()[0] == "an execution: no ARN failed in no state: unreadable"
    assert "nothing that calls something" in message.mail(outcome)
