"""What AWS authorizes the tasks of a state machine as: the requests that IAM is asked about the machine's role.

An integration that is not here is an error, so that a new task cannot go unjudged. The actions are those of
https://docs.aws.amazon.com/step-functions/latest/dg/service-integration-iam-templates.html .
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from iam.authorization import Place, UnknownCallError
from iam.simulator import Request

# The rule by which AWS tells .sync tasks that an execution has ended
# (https://docs.aws.amazon.com/step-functions/latest/dg/stepfunctions-iam.html).
SYNC_RULE = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
_ARN = re.compile(r"arn:aws[\w-]*:[\w-]+:[\w-]*:\d*:[^'\" ]+")


def requests_of(definition: Mapping[str, Any], place: Place) -> Iterator[Request]:
    """Yield what IAM is asked when the tasks of a state machine run. Raises UnknownCallError."""
    for name, state in definition["States"].items():
        for inner in (*state.get("Branches", ()), state.get("ItemProcessor"), state.get("Iterator")):
            if inner and inner.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
                raise UnknownCallError(f"{name!r} is a Distributed Map: teach tests/iam/integrations.py what it needs")
            if inner:
                yield from requests_of(inner, place)
        if state["Type"] == "Task":
            yield from _requests_of_task(name, state, place)


def _requests_of_task(name: str, state: Mapping[str, Any], place: Place) -> Iterator[Request]:
    integration, _, pattern = state["Resource"].partition(":states:::")[2].partition(".")
    arguments = state.get("Parameters") or state.get("Arguments") or {}
    match integration, pattern:
        case "lambda:invoke", "" | "waitForTaskToken":
            for arn in _named(name, arguments.get("FunctionName")):
                yield Request("lambda:InvokeFunction", arn)
        case ("states:startExecution", "" | "waitForTaskToken") | ("aws-sdk:sfn:startExecution", ""):
            for arn in _named(name, arguments.get("StateMachineArn")):
                yield Request("states:StartExecution", arn)
        case "states:startExecution", "sync" | "sync:2":
            for arn in _named(name, arguments.get("StateMachineArn")):
                yield Request("states:StartExecution", arn)
                execution = arn.replace(":stateMachine:", ":execution:") + ":run"
                yield Request("states:DescribeExecution", execution)
                yield Request("states:StopExecution", execution)
            for action in ("DescribeRule", "PutRule", "PutTargets"):
                yield Request(f"events:{action}", place.arn("events", SYNC_RULE))
        case _:
            raise UnknownCallError(
                f"the task {name!r} uses {state['Resource']}, and tests/iam/integrations.py does not say what AWS "
                "authorizes that as: add a case"
            )


def _named(name: str, argument: object) -> list[str]:
    """Return the ARNs that an argument names; an expression may name several, of which a run uses one."""
    found: list[str] = _ARN.findall(str(argument))
    if not found:
        raise UnknownCallError(f"the task {name!r} names its target at run time ({argument}), so it cannot be judged")
    return found
