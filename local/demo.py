"""The demonstration: deploy the real template, let real machines fail, and watch them go on.

Exit code 0 only if all that it promises came true. With --built `sam build` has just run.
"""

import json
import sys
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import boto3
import widget_picture
from gotostate.dashboard.widgetcontext import Wanted
from gotostate.memory import Memory
from gotostate.settings import Settings
from gotostate.stepfunctions import StepFunctions
from inbox import subscribed
from narration import PromiseBrokenError, Row, gotostate, print_table, promise, step, title
from stack import ROOT, SUFFIX, Stack, StackError, deploy, execution_arn, wait_for

STACK = "sfn-resume-demo"
ORDERS = 20
ORDERS_AT_ONCE = 3
INVOICES = 50


def main() -> int:
    try:
        with step("sam deploy of template.yaml"):
            stack = deploy(STACK, is_built="--built" in sys.argv)
        rows = dependency_was_down(stack)
        machine_arn = invoices(stack)
        with ThreadPoolExecutor(1) as pool:
            # They fail while the others are shown.
            failed = pool.submit(fail_invoices, stack, machine_arn)
            rows += [
                *outage_of_many(stack),
                *bad_data(stack),
                *console_form(stack),
                *continue_as_new(stack),
                *both_together(stack),
                *many_at_once(stack, machine_arn, failed),
            ]
        what_happened(stack)
    except (StackError, PromiseBrokenError) as error:
        print(f"\nDEMO FAILED: {error}", file=sys.stderr)
        return 1
    print_table(rows)
    draw_widget(stack)
    print("All checks passed.")
    return 0


# Where the dashboard's list is drawn, as the stack's dashboard shows it.
PICTURE = ROOT / "demo-recoveries"


def draw_widget(stack: Stack) -> None:
    """Draw the dashboard's list of what failed, from the deployed account."""
    now = time.time()
    wanted = Wanted(now - 3_600, now)
    found = widget_picture.failures_of(Memory(StepFunctions()), wanted, Settings(max_attempts=3), now=now)
    promise(len(found.rows) + found.more >= ORDERS, "the dashboard's list shows every failure")
    print(f"The dashboard's list of these failures: {widget_picture.picture(found, wanted, PICTURE, now=now)}")


def dependency_was_down(stack: Stack) -> list[Row]:
    """(a) A machine whose dependency was down recovers with nobody's help."""
    title("(a) OrderMachine: Reserve, Charge, Ship. Charge's dependency is down for two calls. No command is typed.")
    order = {"order": "order-17", "outage": 2}
    failed = stack.start(stack.outputs["OrderMachineArn"], order, "order-17")
    with step("order-17 runs and fails"):
        first = stack.ended(failed)
    promise(first["status"] == "FAILED", "order-17 fails at first")
    with step("the Resumer resumes it from Charge until it works"):
        last = stack.recovered(failed)
    calls = stack.calls("order-17")
    promise(calls == {"Reserve": 1, "Charge": 3, "Ship": 1}, f"finished steps run once (calls: {calls})")
    print(f"  output      {last['output']}")
    print(f"  calls       Reserve {calls['Reserve']}, Charge {calls['Charge']} (two failed), Ship {calls['Ship']}")
    return [row(first, "")] + [row(resumed, state_of(resumed)) for resumed in stack.resumed(failed)]


def outage_of_many(stack: Stack) -> list[Row]:
    """(b) A dependency goes down, many executions fail, and all recover with nobody's help."""
    title(f"(b) OrderMachine: an outage. {ORDERS} orders fail while Charge's dependency is down. No command is typed.")
    machine_arn = stack.outputs["OrderMachineArn"]

    def fail(name: str) -> dict[str, Any]:
        return stack.ended(stack.start(machine_arn, {"order": name, "outage": 1}, name))

    with step(f"{ORDERS} orders run and fail"), ThreadPoolExecutor(ORDERS_AT_ONCE) as pool:
        failed = list(pool.map(fail, [f"outage-{number}" for number in range(1, ORDERS + 1)]))
    promise([order["status"] for order in failed] == ["FAILED"] * ORDERS, "every order of the outage fails at first")

    def all_recovered() -> list[dict[str, Any]] | None:
        found = [each for each in stack.executions(machine_arn + SUFFIX) if each["name"].startswith("outage-")]
        return found if [each["status"] for each in found].count("SUCCEEDED") >= ORDERS else None

    with step("the Resumer resumes each of them from Charge until it works"):
        resumes = wait_for(all_recovered, "the recovery of all orders")
    resumed = [stack.states.describe_execution(executionArn=each["executionArn"]) for each in resumes]
    recovered = Counter(
        json.loads(each["input"])["resuming"]["execution"] for each in resumed if each["status"] == "SUCCEEDED"
    )
    promise(recovered == Counter(order["executionArn"] for order in failed), "every order recovers, and recovers once")
    promise({state_of(each) for each in resumed} == {"Charge"}, "every order goes on from Charge")
    calls = [stack.calls(order["name"]) for order in failed]
    promise(all(set(found) == {"Reserve", "Charge", "Ship"} for found in calls), "every order goes through its steps")
    promise(all(found["Reserve"] == found["Ship"] == 1 for found in calls), f"finished steps run once (calls: {calls})")
    promise(all(found["Charge"] >= 2 for found in calls), f"the failed step runs again (calls: {calls})")
    total = sum((Counter(found) for found in calls), Counter[str]())
    print(f"  orders      {len(failed)} failed, {len(recovered)} recovered")
    print(f"  calls       Reserve {total['Reserve']}, Charge {total['Charge']}, Ship {total['Ship']}")
    print("  each order  Reserve once, Charge twice or more, Ship once")
    return [("OrderMachine", f"{ORDERS} orders in an outage", f"{ORDERS} FAILED, {len(recovered)} recovered", "Charge")]


def bad_data(stack: Stack) -> list[Row]:
    """(c) A machine that failed on bad data is prepared; a person resumes it with better data."""
    title('(c) TestMachine: FirstMatchState wants Message to be a string. The input is {"foo": 1, "Message": true}.')
    with subscribed(stack.outputs["RecoveryTopicArn"]) as inbox:
        failed = stack.start(stack.outputs["TestMachineArn"], {"foo": 1, "Message": True}, "bad-data")
        with step("bad-data runs and fails"):
            first = stack.ended(failed)
        promise(first["status"] == "FAILED", "bad-data fails")
        with step("the Resumer prepares TestMachine-with-GoToState, starts nothing, and tells people"):
            notice = inbox.mail("prepared: ", failed)
    print(f"  mail        {notice['Subject']}")
    for line in notice["Message"].splitlines():
        print(f"    {line}")
    gotostate("plan", failed, "--stack", stack.name)
    gotostate("resume", failed, "--input", '{"foo":1,"Message":"Hello!"}', "--wait", "--stack", stack.name)
    resumed = stack.resumed(failed)
    promise([found["status"] for found in resumed] == ["SUCCEEDED"], "one resume, which succeeds")
    return [row(first, ""), row(resumed[0], state_of(resumed[0]))]


def console_form(stack: Stack) -> list[Row]:
    """(d) The form for people at a console: resuming is true, and the rest is the state's input."""
    title("(d) ParallelStateMachine: Parallel 2 fails unless the input has foo. Resumed as at a console.")
    failed = stack.start(stack.outputs["ParallelStateMachineArn"], {"Message": "Your message here"}, "no-foo")
    with step("no-foo runs and fails"):
        first = stack.ended(failed)
    promise(first["status"] == "FAILED", "no-foo fails")
    with step("the Resumer prepares ParallelStateMachine-with-GoToState"):
        machine_arn = wait_for_machine(stack, stack.outputs["ParallelStateMachineArn"])
    data = {"foo": 1, "output": [{"Message": "Your message here"}, {"Message": "Your message here"}], "resuming": True}
    print(f"  start       {machine_arn.rpartition(':')[2]} with {json.dumps(data)}")
    with step("it goes on from Parallel 2"):
        last = stack.ended(stack.start(machine_arn, data, "by-hand"))
    promise(last["status"] == "SUCCEEDED", "the console form succeeds")
    entered = stack.states_entered(last["executionArn"])
    promise("Parallel" not in entered and "Parallel 2" in entered, "Parallel is not run again")
    return [row(first, ""), row(last, "Parallel 2")]


def continue_as_new(stack: Stack) -> list[Row]:
    """(e) Endless work in executions that each start the next."""
    title('(e) ContinueAsNew: {"restart": {"executionCount": 4}} gives four executions.')
    machine_arn = stack.outputs["ContinueAsNewArn"]
    stack.start(machine_arn, {"restart": {"StateMachineArn": machine_arn, "executionCount": 4}}, "nightly")
    with step("four executions, each started by the one before it"):
        runs = stack.chain(machine_arn, "nightly", 4)
    promise([run["status"] for run in runs] == ["SUCCEEDED"] * 4, "four executions, all SUCCEEDED")
    calls = [stack.calls(run["name"]) for run in runs]
    promise(all(set(found.values()) == {1} for found in calls), "each iteration is done once")
    print(f"  iterations  {' + '.join(str(len(found)) for found in calls)}, each done once")
    return [row(run, "") for run in runs]


def both_together(stack: Stack) -> list[Row]:
    """(f) A chain whose work fails midway is resumed and goes on to its last execution."""
    title("(f) ContinueAsNew: the work of the second of three executions fails once. No command is typed.")
    outage = {"run": "weekly-continue-2", "step": "iteration 1", "calls": 1}
    stack.start(stack.outputs["ContinueAsNewArn"], {"restart": {"executionCount": 3}, "outage": outage}, "weekly")
    with step("it fails, is resumed from ExampleWork, and goes on to its last execution"):
        runs = stack.chain(stack.outputs["ContinueAsNewArn"], "weekly", 3)
        resumed = stack.recovered(runs[1]["executionArn"])
    promise([run["status"] for run in runs] == ["SUCCEEDED", "FAILED", "SUCCEEDED"], "the second one alone fails")
    promise(state_of(resumed) == "ExampleWork", "it is resumed from ExampleWork")
    calls = [stack.calls(run["name"]) for run in runs]
    promise(calls[1].pop("iteration 1") == 2, "the iteration that failed is tried twice")
    promise(all(set(found.values()) == {1} for found in calls), "each other iteration is done once")
    print("  iterations  each done once; the failed one was tried twice")
    return [row(runs[0], ""), row(runs[1], ""), row(resumed, "ExampleWork"), row(runs[2], "")]


def fail_invoices(stack: Stack, machine_arn: str) -> list[str]:
    """Start all runs of Invoices; return their names."""
    names = [f"invoice-{number}" for number in range(1, INVOICES + 1)]
    for name in names:
        stack.start(machine_arn, {"invoice": name}, name)
    return names


def many_at_once(stack: Stack, machine_arn: str, started: Future[list[str]]) -> list[Row]:
    """(g) Failures that wait for a person, who resumes all of them by one command."""
    title(f"(g) Invoices, tagged gotostate=prepare: {INVOICES} fail while the bank is closed. One command resumes all.")
    with step(f"{INVOICES} runs have failed meanwhile, and the Resumer prepares Invoices-with-GoToState"):
        names = started.result()
        failed = [stack.ended(execution_arn(machine_arn, name)) for name in names]
        promise({found["status"] for found in failed} == {"FAILED"}, "every run fails at first")
        wait_for_machine(stack, machine_arn)
    promise(not stack.executions(machine_arn + SUFFIX), "the Resumer starts nothing")
    calls_table(stack).put_item(Item={"run": "bank", "step": "Charge", "is_open": True})
    machine = machine_arn.rpartition(":")[2]
    one_hour = ("--state-machine", machine, "--since", "1h", "--stack", STACK)
    gotostate("resume", *one_hour, "--reason", "the bank is open again", "--yes", "--wait", has_bar=True)
    ended = Counter(found["status"] for found in stack.executions(machine_arn + SUFFIX))
    promise(ended == {"SUCCEEDED": INVOICES}, f"each of them is resumed once and succeeds ({dict(ended)})")
    calls = Counter(str(item["step"]) for item in calls_table(stack).scan()["Items"] if item["run"] in names)
    promise(calls == {"Reserve": INVOICES, "Ship": INVOICES}, f"every step is done ({dict(calls)})")
    once = {int(item["calls"]) for item in calls_table(stack).scan()["Items"] if item["run"] in names}
    promise(once == {1}, "finished steps run once")
    status = f"{INVOICES} FAILED, {ended['SUCCEEDED']} recovered"
    return [("Invoices", f"{INVOICES} runs, resumed by hand", status, "Charge")]


def invoices(stack: Stack) -> str:
    """Create a state machine that calls DynamoDB and no Lambda; its second step fails until the bank is open."""

    def step_of(run: str, name: str, **more: Any) -> dict[str, Any]:
        one = {"ExpressionAttributeValues": {":one": {"N": "1"}}, "UpdateExpression": "ADD calls :one"}
        key = {"run": {"S.$" if run.startswith("$") else "S": run}, "step": {"S": name}}
        parameters = {"TableName": stack.outputs["CallsTableName"], "Key": key, **one} | more.pop("Parameters", {})
        task = {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "ResultPath": None}
        return {**task, "Parameters": parameters, **more}

    is_open = {"ConditionExpression": "attribute_exists(is_open)"}
    states = {
        "Reserve": step_of("$.invoice", "Reserve", Next="Charge"),
        "Charge": step_of("bank", "Charge", Parameters=is_open, Next="Ship"),
        "Ship": step_of("$.invoice", "Ship", End=True),
    }
    order = stack.states.describe_state_machine(stateMachineArn=stack.outputs["OrderMachineArn"])
    created = stack.states.create_state_machine(
        name=f"{STACK}-Invoices",
        definition=json.dumps({"StartAt": "Reserve", "States": states}),
        roleArn=order["roleArn"],
        tags=[{"key": "gotostate", "value": "prepare"}],
    )
    return str(created["stateMachineArn"])


def calls_table(stack: Stack) -> Any:
    """Return the table in which the demonstration's steps count their calls."""
    return boto3.resource("dynamodb").Table(stack.outputs["CallsTableName"])


def what_happened(stack: Stack) -> None:
    """(h) What an engineer on call sees of it afterwards."""
    title("(h) What happened: all failures by machine, state and error, and the story of one.")
    gotostate("list", "--stack", STACK, "--group")
    gotostate("show", execution_arn(stack.outputs["OrderMachineArn"], "order-17"))


def wait_for_machine(stack: Stack, machine_arn: str) -> str:
    """Wait until a machine's GoToState machine is built, for the failed state; return its ARN."""
    arn = machine_arn + SUFFIX

    def look() -> str | None:
        try:
            stack.states.describe_state_machine(stateMachineArn=arn)
        except stack.states.exceptions.StateMachineDoesNotExist:
            return None
        return arn

    return wait_for(look, arn)


def row(execution: dict[str, Any], from_state: str) -> Row:
    machine = execution["stateMachineArn"].rpartition(":")[2].removeprefix(f"{STACK}-")
    return machine, execution["name"], execution["status"], from_state or "the start"


def state_of(execution: dict[str, Any]) -> str:
    return str(json.loads(execution["input"])["resuming"]["state"])


if __name__ == "__main__":
    sys.exit(main())
