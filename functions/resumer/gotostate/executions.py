"""What Step Functions says of an execution, as plain data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Execution:
    """What DescribeExecution says of an execution.

    input, output: JSON texts; output is None unless it succeeded. redrive_count: 0 if never redriven.
    started, stopped: seconds since the epoch. version: ARN of the version that was started, if one was.
    on_plain_arn: whether it was started without a version or alias.
    redriven: when it was redriven last, in seconds since the epoch. redrive: AWS's word on whether it can be redriven
    (REDRIVABLE, NOT_REDRIVABLE, REDRIVABLE_BY_MAP_RUN), why_not_redrivable: and why it cannot.
    """

    arn: str
    status: str
    input: str
    output: str | None
    redrive_count: int
    error: str | None = None
    cause: str | None = None
    started: float | None = None
    stopped: float | None = None
    version: str | None = None
    on_plain_arn: bool = False
    redriven: float | None = None
    redrive: str | None = None
    why_not_redrivable: str | None = None


@dataclass(frozen=True)
class ListedExecution:
    """What ListExecutions says of an execution, in the terms of Execution; it gives neither input nor error."""

    arn: str
    status: str
    started: float | None
    stopped: float | None = None
    redrive_count: int = 0
    redriven: float | None = None
    version: str | None = None
    on_plain_arn: bool = False
