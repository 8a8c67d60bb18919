"""The scenes in which the commands of docs/commands.md run, by the first command of a block."""

import json
from collections.abc import Callable
from typing import Any

import stories
from fake_account import ADA, BEGINNING, Account, Run, execution_arn, failure_events, machine_arn
from gotostate.cli.stack import Hold
from gotostate.nesting import STARTED_BY
from gotostate.resumption import execution_name
from stage import NOW, Scene
from stories import Timed

ORDER = execution_arn("orders", "order-17")
PICTURE = "story.svg"


def task(function: str, **more: Any) -> dict[str, Any]:
    """Write a task that invokes a Lambda function."""
    parameters = {"Parameters": {"FunctionName": function, "Payload.$": "$"}}
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", **parameters, **more}


ORDERS: dict[str, Any] = {
    "StartAt": "Reserve",
    "States": {"Reserve": task("reserve", Next="Charge"), "Charge": task("payments-charge", End=True)},
}
SHIPPED: dict[str, Any] = {
    "StartAt": "Reserve",
    "States": {
        "Reserve": task("reserve", Next="Charge"),
        "Charge": task("payments-charge", Next="Ship"),
        "Ship": task("ship", End=True),
    },
}


def _day() -> Scene:
    """A day of failures, one of each kind, and a storm."""
    scene = Scene()
    for name in ("orders", "payments"):
        scene.account.add_machine(name, ORDERS, {"gotostate": "resume"})
    scene.account.add_machine("refunds", ORDERS, {})
    scene.end(scene.resume(scene.fail("orders", "order-17", 7_200)), "SUCCEEDED", 60)
    scene.resume(scene.end(scene.resume(scene.fail("orders", "order-18", 3_600)), "FAILED"))
    scene.resume(scene.fail("orders", "order-19", 60), after=30)
    scene.fail("orders", "order-20", 600, error="States.Runtime")
    scene.fail("refunds", "refund-3", 1_800, state="Reserve", error="Down")
    _storm(scene.account, "payments", 250, 100, NOW - 310)
    scene.ends = lambda name: "RUNNING"
    return scene


def _storm(account: Account, machine: str, count: int, recovered: int, beginning: float) -> None:
    """Put many failures into the account, of which the oldest have recovered."""
    revision, events = account.machines[machine_arn(machine)].revision, failure_events("Charge", error="BankDown")
    account.add_machine(f"{machine}-with-GoToState", ORDERS, {"gotostate": "resume"})
    for number in range(count):
        name, started = f"{machine.removesuffix('s')}-{number}", beginning + number
        arn = execution_arn(machine, name)
        account.runs[arn] = Run(arn, "FAILED", "{}", revision, None, started, events, started + 1)
        if number < recovered:
            again = execution_arn(f"{machine}-with-GoToState", execution_name(name, arn, 3, 1))
            account.runs[again] = Run(again, "SUCCEEDED", "{}", revision, None, started + 2, events, started + 80)


def _one(tag: str = "prepare") -> Scene:
    """A failure that waits for a person."""
    scene = Scene()
    scene.account.add_machine("orders", SHIPPED, {"gotostate": tag})
    scene.fail("orders", "order-17", 600, given='{"order":17,"amount":"12 EUR"}', error="BadAmount")
    return scene


def _resumed() -> Scene:
    """A failure that was resumed already."""
    scene = _one("resume")
    scene.resume(ORDER)
    return scene


def _succeeded() -> Scene:
    """An execution that succeeded."""
    scene = _one()
    history = Timed(clock=NOW - 60)
    before = history.works("Charge", history.works("Reserve", 0))
    history.add("ExecutionSucceeded", history.works("Ship", before))
    stories.put(scene.account, "order-17", history, "SUCCEEDED")
    return scene


def _child() -> Scene:
    """A failure that a parent waits for, which has not opted in."""
    scene = Scene()
    call = task("x") | {"Resource": "arn:aws:states:::states:startExecution.sync:2"}
    call["Parameters"] = {"StateMachineArn": machine_arn("orders")}
    scene.account.add_machine("shop", {"StartAt": "Order", "States": {"Order": {**call, "End": True}}}, {})
    parent = scene.account.add_failure("shop", "visit-3", failure_events("Order"))
    scene.account.add_machine("orders", SHIPPED, {"gotostate": "resume"})
    child = scene.fail("orders", "order-18", 600)
    scene.account.runs[child].input = json.dumps({STARTED_BY: parent})
    return scene


def _files() -> Scene:
    """A history and a definition in files."""
    scene = Scene()
    scene.files = {
        "history.json": json.dumps({"events": failure_events("Charge", '{"order":17}', error="BankDown")}),
        "orders.asl.json": json.dumps(SHIPPED),
    }
    return scene


def _many() -> Scene:
    """Failures of several machines: some that automation resumes, some that it leaves, and one that is refused."""
    scene = Scene()
    account = scene.account
    tags = {"orders": {"gotostate": "resume"}, "invoices": {"gotostate": "prepare"}, "imports": {}}
    for name, given in {**tags, "refunds": {"gotostate": "resume"}}.items():
        account.add_machine(name, ORDERS, given)
    for number in range(12):
        scene.fail("orders", f"order-{number}", 3_600 - number)
    for number in range(4):
        scene.fail("invoices", f"invoice-{number}", 3_600 - number, error="LedgerLocked")
    for number in range(2):
        scene.fail("imports", f"import-{number}", 3_600 - number, state="Reserve", error="Down")
    call = task("x") | {"Resource": "arn:aws:states:::states:startExecution.sync:2"}
    call["Parameters"] = {"StateMachineArn": machine_arn("refunds")}
    document = {"StartAt": "Order", "States": {"Order": {**call, "End": True}}}
    account.add_machine("parent", document, {"gotostate": "resume"})
    account.now = NOW - 3_000
    parent = account.add_failure("parent", "p", failure_events("Order"))
    child = scene.fail("refunds", "refund-3", 3_600)
    account.runs[child].input = json.dumps({STARTED_BY: parent})
    return scene


def _outage() -> Scene:
    """Failures of one machine, which can be resumed."""
    scene = Scene()
    scene.account.add_machine("orders", ORDERS, {"gotostate": "resume"})
    for number in range(3):
        scene.fail("orders", f"order-{number}", 3_600 - number)
    return scene


def _still_down() -> Scene:
    """The same, where what they call is down still."""
    scene = _outage()
    scene.ends = lambda name: "FAILED"
    return scene


def story() -> Scene:
    """A chain of three executions, that goes on inside a Map."""
    scene = Scene()
    scene.account.now = BEGINNING
    stories.chain_of_three(scene.account)
    return scene


def _short_story() -> Scene:
    """A failure in the second state that nobody has resumed."""
    scene = Scene()
    scene.account.add_machine("orders", SHIPPED, {"gotostate": "prepare"})
    history = Timed('{"order":17}', clock=BEGINNING)
    started = history.add("TaskScheduled", history.enter("Task", "Charge", history.works("Reserve", 0, 2)))
    history.later(3)
    last = history.add("TaskFailed", started, taskFailedEventDetails=stories.DOWN)
    history.add("ExecutionFailed", last, executionFailedEventDetails=stories.DOWN)
    stories.put(scene.account, "order-17", history)
    return scene


def _unused() -> Scene:
    """GoToState machines: one that is not needed any more, and one that runs."""
    scene = Scene()
    for name in ("orders", "refunds"):
        scene.account.add_machine(name, ORDERS, {"gotostate": "resume"})
    month = 31 * 86_400
    recovered = scene.end(scene.resume(scene.fail("orders", "order-17", 4 * month)), "SUCCEEDED")
    del scene.account.runs[recovered], scene.account.runs[ORDER]
    scene.resume(scene.fail("refunds", "refund-3", 60))
    scene.ends = lambda name: "RUNNING"
    return scene


def _waiting() -> Scene:
    """A stack whose queue holds failures, and some that could not be processed."""
    scene = Scene()
    scene.waiting, scene.dead = 42, 3
    return scene


def _held() -> Scene:
    """The same, held."""
    scene = _waiting()
    scene.hold = Hold("2026-05-02T01:46:40Z", ADA, "the bank is down until noon")
    return scene


# By the first command of a block.
SCENES: dict[str, Callable[[], Scene]] = {
    "gotostate list --state-machine orders refunds": _day,
    "gotostate list --state-machine payments": _day,
    "gotostate list --state-machine payments orders --group": _day,
    "gotostate list --state-machine orders --unresolved --limit 1": _day,
    "gotostate list --state-machine refunds --json": _day,
    "gotostate list --state-machine refunds --group --json": _day,
    f"gotostate plan {ORDER}": _one,
    f"gotostate plan {execution_arn('orders', 'order-18')}": _child,
    f"gotostate plan {ORDER} --json": _one,
    "gotostate plan --history history.json --definition orders.asl.json": _files,
    f'gotostate resume {ORDER} --input \'{{"order":17,"amount":12}}\' --wait': _one,
    f"gotostate resume {ORDER}": _resumed,
    f"gotostate resume {ORDER} --strategy redrive": _one,
    f"gotostate resume {ORDER} --skip --output '{{\"paid\":true}}'": _one,
    f"gotostate resume {ORDER} --from-state Charge --yes": _succeeded,
    "gotostate resume --state-machine orders invoices imports refunds --since 2h --dry-run": _many,
    "gotostate resume --state-machine orders --since 2h --yes --wait": _outage,
    "gotostate resume --state-machine orders --since 2h --canary 1 --yes": _still_down,
    "gotostate resume --state-machine orders --since 2h --limit 1 --yes --json": _outage,
    f"gotostate build {ORDER}": _one,
    "gotostate build --definition orders.asl.json --state Charge | cut -c-120": _files,
    f"gotostate --failedExecutionArn {ORDER}": _one,
    f"gotostate show {ORDER}": story,
    f"gotostate show {ORDER} --svg {PICTURE}": story,
    f"gotostate show {ORDER} --mermaid": _short_story,
    f"gotostate show {ORDER} --json": _short_story,
    "gotostate clean --dry-run": _unused,
    "gotostate clean --yes": _unused,
    "gotostate clean --json": _unused,
    'gotostate hold --reason "the bank is down until noon"': _waiting,
    "gotostate status --json": _held,
    "gotostate completion bash | head -n 1": Scene,
}
