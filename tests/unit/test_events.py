"""How fields of history events are read: what AWS leaves out is no error, what it never sends is one that names it."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from gotostate import events
from gotostate.errors import HistoryError


def event(**fields: Any) -> dict[str, Any]:
    return {"id": 7, "type": "TaskStateExited", **fields}


@pytest.mark.parametrize("left_out", [{}, {"details": None}, {"details": {}}])
def test_details_that_aws_may_leave_out_are_empty(left_out: dict[str, Any]) -> None:
    assert events.optional_details(event(**left_out), "details") == {}


def exited(assigned: object) -> dict[str, Any]:
    return event(stateExitedEventDetails={"name": "A", "assignedVariables": assigned})


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (lambda: events.optional_details(event(details="text"), "details"), "has no object details"),
        (lambda: events.details_of(event(), "details"), "has no details; read the whole history again"),
        (lambda: events.number_of(event(), {"n": True}, "n", 0), "has no whole number n"),
        (lambda: events.text_of(event(), {"error": 1}, "error"), "has no text error"),
        (lambda: events.payload(event(), {}, "input"), "has no complete input"),
        (lambda: events.assigned_variables(exited({"x": 1})), "has no object assignedVariables of JSON texts"),
        (lambda: events.assigned_variables(exited("x")), "has no object assignedVariables of JSON texts"),
    ],
)
def test_what_aws_never_sends_is_named_with_its_event(read: Callable[[], object], what: str) -> None:
    with pytest.raises(HistoryError, match=f"event 7 .*{what}"):
        read()


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({"taskSucceededEventDetails": {"output": "1"}}, "1"),
        ({"taskSucceededEventDetails": {"output": "1", "outputDetails": {"truncated": True}}}, None),
        ({"taskSucceededEventDetails": {}}, None),
        ({"taskSucceededEventDetails": "text"}, None),
        ({"taskFailedEventDetails": {"output": "1"}}, None),
    ],
)
def test_an_output_that_is_not_whole_is_none(fields: Mapping[str, Any], output: str | None) -> None:
    assert events.succeeded_output(event(**fields)) == output


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000_000, 1_700_000_000.0),
        ("2023-11-14T22:13:20+00:00", 1_700_000_000.0),
        ("yesterday", None),
        ("", None),
        (None, None),
        (True, None),
        ([1], None),
    ],
)
def test_a_time_is_read_from_whatever_gives_it(value: object, seconds: float | None) -> None:
    assert events.seconds(value) == seconds
