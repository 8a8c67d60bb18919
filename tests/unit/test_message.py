"""What a person is told: on its lines, with no markup of a machine's own, and within what SNS takes."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from gotostate import message
from gotostate.outcome import Outcome, Result
from hypothesis import given
from hypothesis import strategies as st

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:orders:order-17"
LIMIT = "it was resumed 5 times already, the stack's MaxAttempts is 5; fix the cause, then resume it by hand"
GIVEN_UP = Outcome(
    Result.GAVE_UP,
    "max-attempts",
    LIMIT,
    EXECUTION,
    state="Charge",
    next=f"gotostate resume {EXECUTION}",
    original=EXECUTION,
    status="FAILED",
    error="BankDown",
    cause='{"errorMessage": "the bank does not answer"}',
    calls=("Charge: lambda:invoke payments-charge", "Ship: sqs:sendMessage parcels"),
)
HOSTILE = "a`b*c_[d](http://e)<f>\n\r\x1b[31m\u202eg @here"


def test_a_mail_says_it_in_five_lines_as_the_docs_show() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    assert f"```\n{message.mail(GIVEN_UP)}\n```" in docs
    assert message.subject(GIVEN_UP) == "gave up: orders order-17 failed in Charge: BankDown"


def test_a_chat_message_has_the_form_that_applications_take() -> None:
    told = message.chat(GIVEN_UP)
    assert (told["version"], told["source"], told["content"]["textType"]) == ("1.0", "custom", "client-markdown")
    assert told["content"]["nextSteps"] == [f"`gotostate resume {EXECUTION}`"]
    # One thread for each original execution, whichever of its resumes it is about.
    resumed = replace(GIVEN_UP, execution=EXECUTION.replace("orders:", "orders-with-GoToState:"))
    assert message.chat(resumed)["metadata"]["threadId"] == told["metadata"]["threadId"]
    other = replace(GIVEN_UP, original=EXECUTION + "8")
    assert message.chat(other)["metadata"]["threadId"] != told["metadata"]["threadId"]


def test_each_protocol_has_its_own() -> None:
    by_protocol = json.loads(message.message(GIVEN_UP))
    assert by_protocol["default"] == by_protocol["email"] == message.mail(GIVEN_UP)
    assert json.loads(by_protocol["https"]) == message.chat(GIVEN_UP)


@given(st.text(), st.none() | st.text(), st.none() | st.text(), st.text(min_size=1))
def test_whatever_a_machine_is_called_it_stays_on_its_line(
    name: str, state: str | None, error: str | None, reason: str
) -> None:
    outcome = replace(GIVEN_UP, original=f"{EXECUTION}{name}", state=state, error=error, cause=name, reason=reason)
    assert len(message.mail(outcome).splitlines()) == 5
    subject = message.subject(outcome)
    assert subject.isascii()
    assert subject.isprintable()
    assert 0 < len(subject) < 100


def test_what_comes_from_a_machine_is_no_markup() -> None:
    told = message.chat(
        replace(GIVEN_UP, state=HOSTILE, error=HOSTILE, cause=HOSTILE, next=f"gotostate plan {HOSTILE}")
    )
    for text in (told["content"]["title"], *told["content"]["description"].split("\n")):
        assert not re.search(r"(?<!\\)[`*_\[\]()<>@]", text), text
        assert text.isprintable()
    (step,) = told["content"]["nextSteps"]
    assert step.count("`") == 2


@pytest.mark.parametrize("result", list(Result))
def test_people_are_told_of_what_needs_them(result: Result) -> None:
    needed = result in (Result.PREPARED, Result.GAVE_UP)
    assert message.is_for_people(replace(GIVEN_UP, outcome=result)) is needed
