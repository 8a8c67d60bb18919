"""A step of work for the demonstration machines: counts its calls and fails as its machine says."""

import os
from functools import cache
from typing import Any


class DependencyDownError(Exception):
    """What the step depends on does not answer."""


class BadDataError(Exception):
    """The step's input lacks a field, or holds one of another type."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Do one step.

    event: step (its name); needs (field name to JSON type, optional) of value (the step's input);
    run (the key that calls are counted under, optional) and failures (how many calls fail at first, or a list of
    the numbers of those that fail), or an outage in value, {"run", "step", "calls"}, that says the same of one step
    of a loop.
    Answers the same however many calls it took, so that a resumed run's output equals a smooth one's.
    """
    if "run" in event:
        calls = _count_call(event["run"], event["step"])
        if _fails(event, calls):
            raise DependencyDownError(f"{event['step']}: the dependency is down (call {calls})")
    for field, kind in event.get("needs", {}).items():
        _check(event["step"], event.get("value", {}), field, kind)
    return {"step": event["step"], "done": True}


def _fails(event: dict[str, Any], call: int) -> bool:
    failures = event.get("failures", 0)
    if isinstance(failures, list):
        return call in failures
    outage = event.get("value", {}).get("outage")
    if isinstance(outage, dict) and (outage.get("run"), outage.get("step")) == (event["run"], event["step"]):
        failures = outage["calls"]
    return call <= int(failures)


def _check(step: str, value: dict[str, Any], field: str, kind: str) -> None:
    if field not in value:
        raise BadDataError(f"{step}: the input has no field {field!r}")
    if kind == "string" and not isinstance(value[field], str):
        raise BadDataError(f"{step}: the field {field!r} is {value[field]!r}, not a string")


def _count_call(run: str, step: str) -> int:
    response = _table().update_item(
        Key={"run": run, "step": step},
        UpdateExpression="ADD calls :one",
        ExpressionAttributeValues={":one": 1},
        ReturnValues="UPDATED_NEW",
    )
    return int(response["Attributes"]["calls"])


@cache
def _table() -> Any:
    import boto3  # not at import time: machines that count nothing need no client

    return boto3.resource("dynamodb").Table(os.environ["CALLS_TABLE"])
