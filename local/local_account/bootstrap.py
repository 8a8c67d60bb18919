"""The loop of a Lambda runtime: one JSON line in (an invocation), one JSON line out (its answer).

Runs in the function's folder with the function's environment; ends when its input ends, so that no
process outlives the account. What the handler prints goes to stderr, which is the function's log.
"""

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path


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


def main() -> None:
    answers = sys.stdout
    sys.stdout = sys.stderr
    # The folder of this file must not serve the function's imports.
    sys.path[0] = str(Path.cwd())
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
