"""The outcomes of failures in the functions' own logs: the only file that calls CloudWatch Logs."""

import json
from functools import cached_property, partial
from typing import Any

from gotostate.stepfunctions import StepFunctions

# The outcomes that the Resumer logs for a message that it will receive again.
_NOT_SETTLED = ("error", "throttled")
# The outcome that it logs for an earlier failure of an execution that has failed again since.
_OF_EARLIER = ("already-redriven",)


class Logs:
    """CloudWatch Logs; made once, connects when first used."""

    def __init__(self, aws: StepFunctions) -> None:
        self._aws = aws

    @cached_property
    def client(self) -> Any:
        """The boto3 client."""
        return self._aws.connect("logs")

    def outcomes(self, group: str, since: float) -> dict[str, dict[str, float]]:
        """Return, by execution and outcome, when each outcome was last logged in a log group since a time.

        Times in seconds since the epoch. Only log lines of functions/resumer that have an execution and an outcome
        count, and not those for messages that return to the queue.
        """
        found: dict[str, dict[str, float]] = {}
        # An emulator may ignore the pattern, so each line is looked at all the same.
        arguments: dict[str, Any] = {
            "logGroupName": group,
            "startTime": int(since * 1_000),
            "filterPattern": '{ $.outcome = "*" }',
        }
        while True:
            page = self._aws.pace.call("filter_log_events", partial(self.client.filter_log_events, **arguments))
            for event in page["events"]:
                line = _line(event["message"])
                execution, outcome = line.get("execution"), line.get("outcome")
                if isinstance(execution, str) and isinstance(outcome, str) and _settles(line):
                    times = found.setdefault(execution, {})
                    times[outcome] = max(times.get(outcome, 0.0), event["timestamp"] / 1_000)
            if not page.get("nextToken"):
                return found
            # A page may be empty and yet not be the last
            # (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html).
            arguments["nextToken"] = page["nextToken"]


def _settles(line: dict[str, Any]) -> bool:
    return line["outcome"] not in _NOT_SETTLED and line.get("rule") not in _OF_EARLIER


def _line(message: str) -> dict[str, Any]:
    try:
        line = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}
