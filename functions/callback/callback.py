"""Callback: answer the task token of a parent that waits for it."""

import json
from functools import cache
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Report success to the holder of a task token.

    event: {"TaskToken": the token, "Output": what the waiting task gives, optional}.
    Raises ValueError where there is no token; errors of AWS (a token that timed out) go through.
    """
    token = event.get("TaskToken")
    if not isinstance(token, str) or not token:
        raise ValueError("the input has no TaskToken; start this machine with .waitForTaskToken and pass $$.Task.Token")
    _client().send_task_success(taskToken=token, output=json.dumps(event.get("Output", {"answered": True})))
    return {"answered": True}


@cache
def _client() -> Any:
    import boto3  # when first used: bad input is answered without it

    return boto3.client("stepfunctions")
