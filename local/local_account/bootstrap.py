"""The loop of a Lambda runtime: one JSON line in (an invocation), one JSON line out (its answer).

Runs in the function's folder with the function's environment; ends when its input ends, so that no
process outlives the account. What the handler prints goes to stderr, which is the function's log.
The calls that the function makes to AWS go to the file that an argument names.
"""

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# File in the account's folder that tells what functions called, for the tests of their roles.
CALLS = "calls.jsonl"
# Enough for every ARN and name; definitions and inputs are longer.
MOST_CHARACTERS = 512


class LambdaContext:
    """The part of Lambda's context object that handlers and Powertools read."""

    def __init__(self, invocation: dict[str, str]) -> None:
        self.aws_request_id = invocation["invoke-id"]
        self.invoked_function_arn = invocation["invoked-function-arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = time.monotonic() + float(os.environ["AWS_LAMBDA_FUNCTION_TIMEOUT"])

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def recorder(path: str, function: str) -> Callable[..., None]:
    """Return a handler of botocore's event before-parameter-build that appends each call to a file.

    A line is {"function": its name, "service": botocore's name of it, "operation": as in CreateStateMachine,
    "parameters": {...}}; longer texts are cut to MOST_CHARACTERS.
    """

    def record(params: dict[str, Any], model: Any, **kwargs: Any) -> None:
        call = {"function": function, "service": model.service_model.service_name, "operation": model.name}
        line = json.dumps({**call, "parameters": _cut(params)}) + "\n"
        # One write at the file's end, as many processes write to it.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    return record


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(item) for item in value]
    return value if isinstance(value, bool | int | float | None) else str(value)[:MOST_CHARACTERS]


def record_calls(path: str) -> None:
    """Record the calls of this process from now on; must come before the first client is made."""
    # Not above: the function's own botocore is the one to use, where it brings one.
    from botocore import handlers

    record = recorder(path, os.environ["AWS_LAMBDA_FUNCTION_NAME"])
    handlers.BUILTIN_HANDLERS.append(("before-parameter-build", record))


def main() -> None:
    answers = sys.stdout
    sys.stdout = sys.stderr
    # The folder of this file must not serve the function's imports.
    sys.path[0] = str(Path.cwd())
    for path in sys.argv[1:]:
        record_calls(path)
    handler = None
    for line in sys.stdin:
        invocation = json.loads(line)
        try:
            if handler is None:
                module, _, function = os.environ["_HANDLER"].rpartition(".")
                handler = getattr(importlib.import_module(module.replace("/", ".")), function)
            payload = json.dumps(handler(json.loads(invocation["payload"]), LambdaContext(invocation)))
            answer = {"payload": payload, "isError": False}
        except Exception as error:  # noqa: BLE001  a handler's error is the answer, as in the real runtime
            traceback.print_exc()
            # Without the frame of this file: on AWS, too, a trace begins in the handler.
            trace = error.__traceback__ and error.__traceback__.tb_next
            described = {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "requestId": invocation["invoke-id"],
                "stackTrace": traceback.format_tb(trace),
            }
            answer = {"payload": json.dumps(described), "isError": True}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
