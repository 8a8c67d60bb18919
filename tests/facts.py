"""The facts of a failure, as the modules are given them that decide from facts alone."""

from typing import Any

from gotostate.definition import Definition, Machine
from gotostate.failure import Failure
from gotostate.history import FailurePoint, Why
from gotostate.resumption import Chain, ExecutionArn
from gotostate.visits import Ending

ARN = "arn:aws:states:eu-west-1:123456789012:execution:orders:order-17"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"
PLAIN = '{"StartAt":"B","States":{"B":{"Type":"Task","End":true}}}'
READS = '{"StartAt":"B","States":{"B":{"Type":"Pass","Parameters":{"x.$":"$$.Execution.Input.x"},"End":true}}}'


def point(why: Why = Why.ENDED_IN, state: str | None = "B", status: str = "FAILED") -> FailurePoint:
    return FailurePoint(Ending(9, status, "Boom", None), "B", state, "{}" if state else None, {}, why)


def failure(
    at: FailurePoint | None = None, definition: str = PLAIN, chain: Chain | None = None, **more: Any
) -> Failure:
    source = Definition.parse(definition)
    arn = ExecutionArn.parse(ARN)
    chain = chain or Chain(ARN, 0, {})
    return Failure(arn, Machine(MACHINE, source, {}), source, MACHINE, {}, chain, at or point(), **more)
