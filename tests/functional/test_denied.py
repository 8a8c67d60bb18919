"""What roles must not allow, a row for each; the policies are judged as in test_roles.py.

A new role needs a row in DENIED.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from iam import integrations
from iam.authorization import Place
from iam.simulator import Request, Simulator
from iam.template import Template

PLACE = Place("123456789012", "eu-west-1")
KEY = PLACE.arn("kms", "key/orders")
WIDE = Template(PLACE)
STACK_KEY = PLACE.arn("kms", "key/stack")
KEYED = Template(PLACE, {"StateMachineKeyArns": KEY, "KmsKeyArn": STACK_KEY})
PROD = Template(PLACE, {"StateMachineNames": "prod-*", "StateMachineRoles": "prod-*"})


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


def machine_of(name: str) -> str:
    return PLACE.arn("states", f"stateMachine:{name}")


def execution_of(name: str) -> str:
    return PLACE.arn("states", f"execution:{name}:run")


def role_of(name: str) -> str:
    return f"arn:aws:iam::{PLACE.account}:role/{name}"


class Row(NamedTuple):
    """A request that a role must not allow, and beside it the nearest one that it does allow.

    So a row fails when the role allows too much, and when it does not test what it seems to.
    """

    role: str
    allowed: Request
    denied: Request
    template: Template = WIDE


GOTO = "orders-with-GoToState"
BUS = PLACE.arn("events", "event-bus/default")
OURS, PASSED = {"events:source": "gotostate"}, {"iam:PassedToService": "states.amazonaws.com"}
THROUGH = {"kms:ViaService": f"states.{PLACE.region}.amazonaws.com"}
THROUGH_SQS = {"kms:ViaService": f"sqs.{PLACE.region}.amazonaws.com"}
CHANGES = (
    "CreateStateMachine",
    "DeleteStateMachineVersion",
    "PublishStateMachineVersion",
    "StartExecution",
    "TagResource",
    "UpdateStateMachine",
)
ON_EXECUTIONS = ("DescribeExecution", "DescribeStateMachineForExecution", "GetExecutionHistory", "RedriveExecution")

DENIED = {
    **{
        f"{action} on a machine that people wrote": Row(
            "ResumerRole",
            Request(f"states:{action}", machine_of(GOTO)),
            Request(f"states:{action}", machine_of("orders")),
        )
        for action in CHANGES
    },
    **{
        f"{action} on a machine that StateMachineNames leaves out": Row(
            "ResumerRole",
            Request(f"states:{action}", machine_of(f"prod-{GOTO}")),
            Request(f"states:{action}", machine_of(GOTO)),
            PROD,
        )
        for action in (*CHANGES, "DescribeStateMachine", "ListTagsForResource")
    },
    **{
        f"{action} of a machine that StateMachineNames leaves out": Row(
            "ResumerRole",
            Request(f"states:{action}", execution_of("prod-orders")),
            Request(f"states:{action}", execution_of("orders")),
            PROD,
        )
        for action in ON_EXECUTIONS
    },
    **{
        f"{action} of a GoToState machine": Row(
            "ResumerRole",
            Request("states:UpdateStateMachine", machine_of(GOTO)),
            Request(f"states:{action}", machine_of(GOTO)),
        )
        for action in ("CreateStateMachineAlias", "DeleteStateMachine", "UntagResource")
    },
    "stopping an execution": Row(
        "ResumerRole",
        Request("states:DescribeExecution", execution_of(GOTO)),
        Request("states:StopExecution", execution_of(GOTO)),
    ),
    "passing a role that StateMachineRoles leaves out": Row(
        "ResumerRole",
        Request("iam:PassRole", role_of("prod-orders"), PASSED),
        Request("iam:PassRole", role_of("orders"), PASSED),
        PROD,
    ),
    "passing a role to another service": Row(
        "ResumerRole",
        Request("iam:PassRole", role_of("orders"), PASSED),
        Request("iam:PassRole", role_of("orders"), {"iam:PassedToService": "lambda.amazonaws.com"}),
    ),
    "telling outcomes as another source": Row(
        "ResumerRole",
        Request("events:PutEvents", BUS, OURS),
        Request("events:PutEvents", BUS, {"events:source": "orders"}),
    ),
    "telling outcomes as no source": Row(
        "ResumerRole", Request("events:PutEvents", BUS, OURS), Request("events:PutEvents", BUS)
    ),
    "telling outcomes on another bus": Row(
        "ResumerRole",
        Request("events:PutEvents", BUS, OURS),
        Request("events:PutEvents", PLACE.arn("events", "event-bus/orders"), OURS),
    ),
    "publishing to another topic": Row(
        "ResumerRole",
        Request("sns:Publish", WIDE.arn("RecoveryTopic")),
        Request("sns:Publish", PLACE.arn("sns", "orders")),
    ),
    "sending to the dead-letter queue": Row(
        "ResumerRole",
        Request("sqs:SendMessage", WIDE.arn("RecoveryQueue")),
        Request("sqs:SendMessage", WIDE.arn("DeadLetterQueue")),
    ),
    "emptying the queue": Row(
        "ResumerRole",
        Request("sqs:DeleteMessage", WIDE.arn("RecoveryQueue")),
        Request("sqs:PurgeQueue", WIDE.arn("RecoveryQueue")),
    ),
    "receiving from the dead-letter queue": Row(
        "ResumerRole",
        Request("sqs:ReceiveMessage", WIDE.arn("RecoveryQueue")),
        Request("sqs:ReceiveMessage", WIDE.arn("DeadLetterQueue")),
    ),
    "using another key": Row(
        "ResumerRole",
        Request("kms:Decrypt", KEY, THROUGH),
        Request("kms:Decrypt", PLACE.arn("kms", "key/payments"), THROUGH),
        KEYED,
    ),
    "using the key with no service between": Row(
        "ResumerRole", Request("kms:Decrypt", KEY, THROUGH), Request("kms:Decrypt", KEY), KEYED
    ),
    **{
        f"using the stack's key through another service: {role}": Row(
            role,
            Request("kms:Decrypt", STACK_KEY, THROUGH_SQS),
            Request("kms:Decrypt", STACK_KEY, {"kms:ViaService": f"dynamodb.{PLACE.region}.amazonaws.com"}),
            KEYED,
        )
        for role in ("RequestRole", "ResumerRole", "SweeperRole")
    },
    "using the stack's key for state machines": Row(
        "ResumerRole", Request("kms:Decrypt", KEY, THROUGH), Request("kms:Decrypt", STACK_KEY, THROUGH), KEYED
    ),
    "the widget, using the stack's key": Row(
        "WidgetRole",
        Request("kms:Decrypt", KEY, THROUGH),
        Request("kms:Decrypt", STACK_KEY, THROUGH_SQS),
        KEYED,
    ),
    "calling a function": Row(
        "ResumerRole",
        Request("states:StartExecution", machine_of(GOTO)),
        Request("lambda:InvokeFunction", WIDE.arn("WorkerFunction")),
    ),
    "Restart, starting another machine": Row(
        "RestartRole",
        Request("states:StartExecution", WIDE.arn("ContinueAsNew")),
        Request("states:StartExecution", WIDE.arn("ContinueAsNewApi")),
    ),
    "Callback, failing a task": Row(
        "CallbackRole", Request("states:SendTaskSuccess"), Request("states:SendTaskFailure")
    ),
    "Worker, another table": Row(
        "WorkerRole",
        Request("dynamodb:UpdateItem", WIDE.arn("CallsTable")),
        Request("dynamodb:UpdateItem", PLACE.arn("dynamodb", "table/orders")),
    ),
    "Worker, deleting a count": Row(
        "WorkerRole",
        Request("dynamodb:UpdateItem", WIDE.arn("CallsTable")),
        Request("dynamodb:DeleteItem", WIDE.arn("CallsTable")),
    ),
    "Iterator, the log of another function": Row(
        "IteratorRole",
        Request("logs:PutLogEvents", f"{WIDE.functions['IteratorFunction'].log_group}:log-stream:1"),
        Request("logs:PutLogEvents", f"{WIDE.functions['ResumerFunction'].log_group}:log-stream:1"),
    ),
    "demonstrations, calling the Resumer": Row(
        "DemonstrationRole",
        Request("lambda:InvokeFunction", WIDE.arn("WorkerFunction")),
        Request("lambda:InvokeFunction", WIDE.arn("ResumerFunction")),
    ),
    "ContinueAsNew, starting itself without Restart": Row(
        "ContinueAsNewRole",
        Request("lambda:InvokeFunction", WIDE.arn("RestartFunction")),
        Request("states:StartExecution", WIDE.arn("ContinueAsNew")),
    ),
    "ContinueAsNewApi, starting another machine": Row(
        "ContinueAsNewApiRole",
        Request("states:StartExecution", WIDE.arn("ContinueAsNewApi")),
        Request("states:StartExecution", WIDE.arn("OrderMachine")),
    ),
    "the parent, starting another machine": Row(
        "ParentRole",
        Request("states:StartExecution", WIDE.arn("ChildStateMachine")),
        Request("states:StartExecution", WIDE.arn("OrderMachine")),
    ),
    "nesting, stopping another machine's execution": Row(
        "NestingRole",
        Request("states:StopExecution", execution_of("sfn-resume-ChildStateMachine")),
        Request("states:StopExecution", execution_of("sfn-resume-OrderMachine")),
    ),
    "nesting, changing another rule": Row(
        "NestingRole",
        Request("events:PutRule", PLACE.arn("events", integrations.SYNC_RULE)),
        Request("events:PutRule", WIDE.arn("FailureRule")),
    ),
    "the widget, starting what a person wrote": Row(
        "WidgetRole",
        Request("states:ListExecutions", machine_of("orders")),
        Request("states:StartExecution", machine_of("orders")),
    ),
    "the widget, starting a GoToState machine": Row(
        "WidgetRole",
        Request("states:ListExecutions", machine_of(GOTO)),
        Request("states:StartExecution", machine_of(GOTO)),
    ),
    "the widget, asking the Resumer": Row(
        "WidgetRole",
        Request("states:DescribeExecution", execution_of("orders")),
        Request("sqs:SendMessage", WIDE.arn("RecoveryQueue")),
    ),
    "the widget, reading outside its names": Row(
        "WidgetRole",
        Request("states:GetExecutionHistory", execution_of("prod-orders")),
        Request("states:GetExecutionHistory", execution_of("orders")),
        PROD,
    ),
    "the button, starting a GoToState machine": Row(
        "RequestRole",
        Request("states:DescribeStateMachine", machine_of(GOTO)),
        Request("states:StartExecution", machine_of(GOTO)),
    ),
    "the button, redriving": Row(
        "RequestRole",
        Request("states:DescribeExecution", execution_of("orders")),
        Request("states:RedriveExecution", execution_of("orders")),
    ),
    "the button, sending to another queue": Row(
        "RequestRole",
        Request("sqs:SendMessage", WIDE.arn("RecoveryQueue")),
        Request("sqs:SendMessage", WIDE.arn("DeadLetterQueue")),
    ),
    "the sweep, resuming by itself": Row(
        "SweeperRole",
        Request("sqs:SendMessage", WIDE.arn("RecoveryQueue")),
        Request("states:StartExecution", machine_of(GOTO)),
    ),
    "the sweep, deleting what a person wrote": Row(
        "SweeperRole",
        Request("states:DeleteStateMachine", machine_of(GOTO)),
        Request("states:DeleteStateMachine", machine_of("orders")),
    ),
    "the sweep, deleting outside its names": Row(
        "SweeperRole",
        Request("states:DeleteStateMachine", machine_of("prod-orders-with-GoToState")),
        Request("states:DeleteStateMachine", machine_of(GOTO)),
        PROD,
    ),
    "the sweep, tagging what a person wrote": Row(
        "SweeperRole",
        Request("states:TagResource", machine_of(GOTO)),
        Request("states:TagResource", machine_of("orders")),
    ),
    "the sweep, reading a history": Row(
        "SweeperRole",
        Request("states:ListExecutions", machine_of("orders")),
        Request("states:GetExecutionHistory", execution_of("orders")),
    ),
    "the sweep, reading another log": Row(
        "SweeperRole",
        Request("logs:FilterLogEvents", f"{WIDE.functions['ResumerFunction'].log_group}:log-stream:"),
        Request("logs:FilterLogEvents", f"{WIDE.functions['WorkerFunction'].log_group}:log-stream:"),
    ),
    "the child, calling another function": Row(
        "ChildRole",
        Request("lambda:InvokeFunction", WIDE.arn("CallbackFunction")),
        Request("lambda:InvokeFunction", WIDE.arn("WorkerFunction")),
    ),
}


@pytest.mark.parametrize("row", DENIED.values(), ids=DENIED)
def test_a_role_does_not_allow(row: Row, simulator: Simulator) -> None:
    near, far = simulator.judge(row.template.roles[row.role], [row.allowed, row.denied])
    assert near.allowed
    assert not far.allowed


def test_every_role_is_judged() -> None:
    used = {function.role.name for function in WIDE.functions.values()}
    used |= {machine.role for machine in WIDE.machines.values()}
    assert used == set(WIDE.roles), "a role of nobody's: test_roles.py does not know who uses it"
    assert set(WIDE.roles) == {row.role for row in DENIED.values()}, "add a row to DENIED for each role"
