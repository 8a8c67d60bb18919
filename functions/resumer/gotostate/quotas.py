"""How long calls take at AWS's quotas."""

from collections.abc import Mapping

# By operation: calls that AWS takes at once, and how many more each second; in its three largest regions, and in the
# others (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
_LARGE_REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
_LARGE = {"DescribeExecution": (300, 15), "GetExecutionHistory": (400, 20), "StartExecution": (1_300, 300)}
_SMALL = {"DescribeExecution": (250, 10), "GetExecutionHistory": (400, 20), "StartExecution": (800, 150)}


def seconds(calls: Mapping[str, int], region: str) -> float:
    """Return the least number of seconds that calls take if nothing else uses the quotas; calls: count by operation."""
    quotas = _LARGE if region in _LARGE_REGIONS else _SMALL
    waits = ((count - quotas[operation][0]) / quotas[operation][1] for operation, count in calls.items())
    return max(0.0, *waits)
