"""What a history leaves open: an input that is not on record, and where a router's input says to go."""

import json
from typing import Any

import pytest
from gotostate import history
from gotostate.definition import Definition
from gotostate.errors import HistoryError
from gotostate.history import Why
from gotostate.router import add_gotostate

SOURCE = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Task", "Resource": "r", "Next": "B"},
        "B": {"Type": "Task", "Resource": "r", "End": True},
    },
}
GOTO = add_gotostate(Definition.parse(json.dumps(SOURCE)), "B")


def started(given: str) -> dict[str, Any]:
    details = {"input": given, "inputDetails": {"truncated": False}}
    return {"id": 1, "previousEventId": 0, "type": "ExecutionStarted", "executionStartedEventDetails": details}


def test_the_input_is_that_of_the_start_wherever_it_stands() -> None:
    succeeded = {"id": 2, "previousEventId": 1, "type": "ExecutionSucceeded"}
    assert history.input_of([succeeded, started('{"n": 1.10}')]) == '{"n": 1.10}'


def test_a_history_without_its_start_has_no_input() -> None:
    with pytest.raises(HistoryError, match="does not go back to ExecutionStarted; read the whole history"):
        history.input_of([{"id": 2, "previousEventId": 1, "type": "ExecutionSucceeded"}])


@pytest.mark.parametrize(
    ("given", "why", "state", "text"),
    [
        ("[1]", Why.START, "A", "[1]"),
        ('{"resuming": false}', Why.START, "A", '{"resuming": false}'),
        ('{"resuming": true, "n": 1.10}', Why.AGAIN, "B", '{"resuming": true, "n": 1.10}'),
        ('{"resuming": {"state": "B", "input": 1.10}}', Why.AGAIN, "B", "1.10"),
        ('{"resuming": {"state": "nowhere", "input": 1}}', Why.REJECTED, None, None),
        ('{"resuming": {"state": "B"}}', Why.REJECTED, None, None),
        ('{"resuming": {"state": "B", "input": 1, "variables": []}}', Why.REJECTED, None, None),
        ('{"resuming": "B"}', Why.REJECTED, None, None),
    ],
)
def test_an_execution_that_was_stopped_before_its_router_goes_where_its_input_says(
    given: str, why: Why, state: str | None, text: str | None
) -> None:
    aborted = {"id": 2, "previousEventId": 0, "type": "ExecutionAborted", "executionAbortedEventDetails": {}}
    point = history.locate([aborted, started(given)], GOTO)
    assert (point.why, point.resume_from, point.input) == (why, state, text)
