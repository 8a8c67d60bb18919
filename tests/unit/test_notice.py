"""The event of an outcome: it validates, says what was done, and holds no payload."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from gotostate import notice
from gotostate.outcome import Outcome, Result
from gotostate.resumption import Asked
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "events.schema.json").read_text())
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:orders:order-17"
RESUMED = "arn:aws:states:eu-west-1:123456789012:execution:orders-with-GoToState:order-17-resume-1-ab"
TOLD = Outcome(Result.RESUMED, "resume", "the state it ended in", EXECUTION, resumed=RESUMED)
told = st.sampled_from([result for result in Result if result not in (Result.ALREADY_RESUMED, Result.WAITING)])
texts = st.none() | st.text()
counts = st.none() | st.integers(1, 10**6)


def invalid(outcome: Outcome) -> list[str]:
    detail = json.loads(json.dumps(notice.detail_of(outcome)))
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(detail)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@given(
    st.builds(
        Outcome,
        outcome=told,
        rule=st.sampled_from(["resume", "work-succeeded"]),
        reason=st.text(min_size=1),
        execution=st.just(EXECUTION) | st.text(min_size=1),
        state=texts,
        resumed=st.none() | st.just(RESUMED),
        attempt=counts,
        max_attempts=counts,
        delay_seconds=counts,
        next=texts,
        inside=texts,
        original=st.none() | st.just(EXECUTION),
        status=st.sampled_from(["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED", None]),
        error=texts,
        cause=texts,
        failed_at=st.none() | st.floats(0, 4e9),
        input_bytes=counts,
        calls=st.lists(st.text()).map(tuple),
        seconds=st.none() | st.integers(),
        asked=st.none() | st.builds(Asked.of, st.text().map("ada".__add__), texts),
    )
)
def test_every_event_validates(outcome: Outcome) -> None:
    assert invalid(outcome) == []


def test_the_members_are_documented() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", (DOCS / "events.md").read_text().partition("## The detail")[2], re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}
    links = {f"links.{name}" for name in SCHEMA["properties"]["links"]["required"]}
    assert documented == (set(SCHEMA["required"]) - {"links"}) | links
    assert set(notice.detail_of(TOLD)) == set(SCHEMA["required"]) == set(SCHEMA["properties"])


@pytest.mark.parametrize(
    ("error", "cause", "said"),
    [
        ("Boom", "it broke", "it broke"),
        ("Boom", '{"errorMessage": "it broke", "stackTrace": ["secret"]}', "it broke"),
        ("Boom", '{"order": {"card": 4242}}', None),
        ("Boom", "x" * 1_001, "x" * 999 + "…"),
        # Step Functions quotes the input in the causes of its own errors.
        ("States.Runtime", "The path could not be found in the input '{\"card\": 4242}'", None),
        (None, "stopped by ada", "stopped by ada"),
        ("Boom", None, None),
    ],
)
def test_a_cause_is_told_only_where_a_task_said_it(error: str | None, cause: str | None, said: str | None) -> None:
    assert notice.detail_of(replace(TOLD, error=error, cause=cause))["cause"] == said


def test_the_id_is_the_same_for_the_same_outcome_alone() -> None:
    ids = {
        notice.detail_of(outcome)["id"]
        for outcome in (TOLD, replace(TOLD, reason="in other words"), replace(TOLD, rule="error"))
    }
    assert len(ids) == 2
    assert notice.detail_of(TOLD)["id"] == notice.detail_of(replace(TOLD))["id"]


@pytest.mark.parametrize(
    ("arn", "link"),
    [
        (
            EXECUTION,
            "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn%3Aaws",
        ),
        ("arn:aws-cn:states:cn-north-1:1:execution:m:n", "https://cn-north-1.console.amazonaws.cn/states/home"),
        ("arn:aws-us-gov:states:us-gov-west-1:1:execution:m:n", "https://us-gov-west-1.console.amazonaws-us-gov.com/"),
    ],
)
def test_console_links(arn: str, link: str) -> None:
    assert notice.console_link(arn).startswith(link)


@pytest.mark.parametrize(
    ("result", "rule", "is_told"),
    [
        (Result.RESUMED, "resume", True),
        (Result.PREPARED, "prepare", True),
        (Result.GAVE_UP, "max-attempts", True),
        (Result.RECOVERED, "recovered", True),
        (Result.REDRIVEN, "redrive", True),
        (Result.WAITING, "redrive", False),
        (Result.SKIPPED, "left-to-parent", True),
        (Result.SKIPPED, "bad-tag", True),
        (Result.SKIPPED, "not-opted-in", False),
        (Result.SKIPPED, "off", False),
        (Result.SKIPPED, "not-a-resume", False),
        (Result.ALREADY_RESUMED, "already-resumed", False),
    ],
)
def test_what_is_told(result: Result, rule: str, is_told: bool) -> None:
    assert notice.is_told(replace(TOLD, outcome=result, rule=rule)) is is_told
