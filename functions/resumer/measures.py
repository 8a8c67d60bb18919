"""Metrics of outcomes, in the embedded metric format: CloudWatch reads them from the function's log."""

import os

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit
from gotostate.notice import is_told
from gotostate.outcome import Outcome, Result

NAMESPACE = "sfn-resume"
# Of machines that opted in. One dimension, the stack: more would make a metric for each machine.
OUTCOMES = {
    Result.RESUMED: "Resumed",
    Result.REDRIVEN: "Redriven",
    Result.PREPARED: "Prepared",
    Result.SKIPPED: "Skipped",
    Result.GAVE_UP: "GaveUp",
    Result.RECOVERED: "Recovered",
}
FAILURES = "Failures"
SECONDS_TO_RECOVERY = "SecondsToRecovery"
THROTTLED = "Throttled"
SWEPT = "Swept"


def count(outcome: Outcome) -> None:
    """Count an outcome that is announced; a failure that arrives twice counts once."""
    if not is_told(outcome):
        return
    metrics = _metrics()
    metrics.add_metric(OUTCOMES[outcome.outcome], MetricUnit.Count, 1)
    if outcome.outcome is not Result.RECOVERED:
        metrics.add_metric(FAILURES, MetricUnit.Count, 1)
    elif outcome.seconds is not None:
        metrics.add_metric(SECONDS_TO_RECOVERY, MetricUnit.Seconds, outcome.seconds)
    metrics.flush_metrics()


def count_throttled() -> None:
    """Count a message that returns to the queue because AWS throttles."""
    _count_alone(THROTTLED, 1)


def count_swept(failures: int) -> None:
    """Count failures that the sweep found and for which no event had arrived."""
    _count_alone(SWEPT, failures)


def _count_alone(name: str, count: int) -> None:
    metrics = _metrics()
    metrics.add_metric(name, MetricUnit.Count, count)
    metrics.flush_metrics()


def _metrics() -> Metrics:
    return Metrics(namespace=NAMESPACE, service=os.environ.get("STACK_NAME", NAMESPACE))
