"""Restart: start the next execution of a chain that continues as new."""

import hashlib
import json
import os
from functools import cache
from typing import Any

MAX_NAME = 80
# 2^53 - 1: the largest whole number that Step Functions, which counts in doubles, tells from the next.
MAX_COUNT = 9_007_199_254_740_991
# What an execution adds to its own data, and the next one sets up anew.
OWN_DATA = ("iterator",)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Start the next execution, with executionCount one less; once, however often it is asked to.

    event: execution (the running execution's name) and input (its data:
    {"restart": {"executionCount": int, "StateMachineArn": ARN, optional}, ...}; all other data goes along).
    Answers {"execution": name of the next one, "started": false where it was started before}.
    Raises ValueError that names the field which is wrong.
    """
    data, running = event.get("input"), event.get("execution")
    if not isinstance(data, dict) or not isinstance(data.get("restart"), dict):
        raise ValueError("the input has no object 'restart'")  # noqa: TRY004  one error for all bad input
    if not isinstance(running, str) or not running:
        raise ValueError(f"execution is {running!r}; it must be the name of the running execution")
    restart, machine_arn = data["restart"], os.environ["STATE_MACHINE_ARN"]
    count = restart.get("executionCount")
    # JSON knows no difference between 4 and 4.0; true is no number.
    if isinstance(count, bool) or not isinstance(count, int | float) or count != count // 1 or count < 2:
        raise ValueError(f"restart.executionCount is {count!r}; it must be a whole number, 2 or more, to start another")
    if count > MAX_COUNT:
        raise ValueError(f"restart.executionCount is {count!r}; it must be {MAX_COUNT} or less, as in 1000000")
    if restart.get("StateMachineArn", machine_arn) != machine_arn:
        raise ValueError(
            f"restart.StateMachineArn is {restart['StateMachineArn']!r}; this function starts {machine_arn}"
        )
    remaining = int(count) - 1
    first = restart.get("firstExecution", running)
    if not isinstance(first, str) or not first:
        raise ValueError(f"restart.firstExecution is {first!r}; it must be the name of the chain's first execution")
    following = {name: value for name, value in data.items() if name not in OWN_DATA}
    following["restart"] = {**restart, "executionCount": remaining, "firstExecution": first}
    name = next_name(first, remaining)
    return {"execution": name, "started": _start(machine_arn, name, json.dumps(following, ensure_ascii=False))}


def next_name(first: str, remaining: int) -> str:
    """Name an execution of a chain after its first one, so that a second Restart asks for the same name.

    A name that would be over 80 characters is cut and given a hash of the whole of it.
    """
    ending = f"-continue-{remaining}"
    if len(first) + len(ending) > MAX_NAME:
        ending = f"-{hashlib.sha256(first.encode()).hexdigest()[:16]}{ending}"
    return first[: MAX_NAME - len(ending)] + ending


def _start(machine_arn: str, name: str, text: str) -> bool:
    client = _client()
    try:
        client.start_execution(stateMachineArn=machine_arn, name=name, input=text)
    except client.exceptions.ExecutionAlreadyExists:
        return False
    return True


@cache
def _client() -> Any:
    import boto3  # when first used: bad input is answered without it

    return boto3.client("stepfunctions")
