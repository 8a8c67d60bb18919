"""What each role may do, against what its function or its state machine does: all of that, and nothing else.

The template's policies are filled in for a stack that resumes one machine, `orders`, so that each resource of each
statement has to be used by itself. An IAM simulator judges them, as the emulators do not enforce IAM.

A new action in a function's role needs a row in SCENARIOS, which makes the function call it. What roles must not allow
is in test_denied.py.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import callback
import pytest
import request
import restart
import resumer
import sweeper
import widget
import worker
from fake_account import Account, RefusalError, failure_events, machine_arn
from gotostate import machines
from gotostate.memory import TAG_SECONDS, Memory
from gotostate.report import redrive_due
from iam import integrations
from iam.authorization import Place
from iam.observed import Aws, forget, observe
from iam.recording import calls_in, distinct
from iam.simulator import Request, Simulator
from iam.template import ROOT, StateMachine, Template
from local_account.bootstrap import recorder

PLACE = Place("123456789012", "eu-west-1")
ORDERS_ROLE = "arn:aws:iam::123456789012:role/orders"
KEY = PLACE.arn("kms", "key/orders")
STACK_KEY = PLACE.arn("kms", "key/stack")
EXACT = Template(
    PLACE,
    {
        "StateMachineNames": "orders",
        "StateMachineRoles": "orders",
        "StateMachineKeyArns": KEY,
        "KmsKeyArn": STACK_KEY,
    },
)
WIDE = Template(PLACE)
ORDERS = {
    "StartAt": "Charge",
    "States": {"Charge": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}},
}
ORDER = '{"order": 17}'


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


# ---- What functions do --------------------------------------------------------------------------------------------


class Context:
    aws_request_id = "request"
    function_name = "function"
    invoked_function_arn = PLACE.arn("lambda", "function:function")

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class LongContext(Context):
    def get_remaining_time_in_millis(self) -> int:
        return 900_000


CONTEXT: Any = Context()
LONG: Any = LongContext()


@dataclass
class Resumer:
    """The Resumer before an account in memory, with a state machine that opted in."""

    account: Account

    def update(self, comment: str = "updated", mode: str = "resume") -> None:
        self.account.now += 100
        self.account.add_machine("orders", {**ORDERS, "Comment": comment}, {"gotostate": mode}, role=ORDERS_ROLE)
        self.account.now += 100

    def fails(self, name: str = "order-17", version: str | None = None, **detail: Any) -> dict[str, Any]:
        """Let an execution fail; return what the Resumer answers to the event."""
        arn = self.account.add_failure("orders", name, failure_events("Charge", ORDER, start=ORDER), ORDER)
        self.account.runs[arn].version = version
        return self.hears_of(arn, **detail)

    def shows(self) -> str:
        """Return what the widget shows of the last hour."""
        now = self.account.now
        shown = {"start": (now - 3_600) * 1_000, "end": (now + 60) * 1_000}
        return widget.handler({"widgetContext": {"timeRange": shown}}, CONTEXT)

    def hears_of(self, execution: str, **detail: Any) -> dict[str, Any]:
        answer: dict[str, Any] = resumer.handler(self.account.event(execution, **detail), CONTEXT)
        return answer


def resumes(function: Resumer) -> None:
    assert function.fails()["outcome"] == "resumed"


def resumes_again(function: Resumer) -> None:
    resumed = function.fails()["resumed"]
    function.account.end(resumed, "FAILED", failure_events("Charge", ORDER, start=function.account.runs[resumed].input))
    answer = function.hears_of(resumed, input=None, inputDetails={"included": False}, stateMachineVersionArn=None)
    assert (answer["outcome"], answer["attempt"]) == ("resumed", 2)


def resumes_again_though_the_version_was_deleted(function: Resumer) -> None:
    resumed = function.fails()["resumed"]
    function.account.end(resumed, "FAILED", failure_events("Charge", ORDER, start=function.account.runs[resumed].input))
    function.account.machines[machine_arn("orders-with-GoToState")].versions.clear()
    assert function.hears_of(resumed)["outcome"] == "resumed"


def redrives_after_a_wait(function: Resumer) -> None:
    function.account.retag("orders", **{"gotostate:strategy": "redrive"})
    answer = function.fails()
    assert answer["outcome"] == "waiting"
    assert resumer.handler(redrive_due(answer["execution"], 0), CONTEXT)["outcome"] == "redriven"


def redrives_a_resume(function: Resumer) -> None:
    resumed = function.fails()["resumed"]
    function.account.retag("orders", **{"gotostate:strategy": "redrive", "gotostate:backoff-seconds": "0"})
    function.account.now += TAG_SECONDS + 1
    function.account.end(resumed, "FAILED", failure_events("Charge", ORDER, start=function.account.runs[resumed].input))
    assert function.hears_of(resumed)["outcome"] == "redriven"


def tells_a_recovery(function: Resumer) -> None:
    resumed = function.fails()["resumed"]
    function.account.end(resumed, "SUCCEEDED", [])
    assert function.hears_of(resumed)["outcome"] == "recovered"


def resumes_without_the_input_in_the_event(function: Resumer) -> None:
    assert function.fails(input=None, inputDetails={"included": False})["outcome"] == "resumed"


def resumes_what_ran_on_a_version(function: Resumer) -> None:
    machine = function.account.machines[machine_arn("orders")]
    version = function.account._publish(machine, "")
    assert function.fails(version=version)["outcome"] == "resumed"


def resumes_on_many_versions(function: Resumer) -> None:
    for number in range(machines._MANY_VERSIONS):
        function.update(str(number))
        resumed = function.fails(f"order-{number}")["resumed"]
        function.account.end(resumed, "SUCCEEDED")
    assert len(function.account.machines[machine_arn("orders-with-GoToState")].versions) < machines._MANY_VERSIONS


def prepares(function: Resumer) -> None:
    function.update(mode="prepare")
    assert function.fails()["outcome"] == "prepared"


def resumes_while_tags_are_throttled(function: Resumer) -> None:
    def throttle(operation: str, body: dict[str, Any]) -> None:
        if operation == "ListTagsForResource":
            raise RefusalError("ThrottlingException")

    function.account.gate = throttle
    with pytest.raises(Exception, match="there is no time left"):
        function.fails()
    assert function.fails("order-18")["outcome"] == "resumed"


def shows_what_failed(function: Resumer) -> None:
    version = function.account._publish(function.account.machines[machine_arn("orders")], "")
    function.fails(version=version)
    function.fails("order-18")
    assert "order-17" in function.shows()


def shows_what_failed_again(function: Resumer) -> None:
    for number, name in enumerate(("order-17", "order-18")):
        resumed = function.fails(name)["resumed"]
        run = function.account.runs[resumed]
        function.account.end(resumed, "FAILED", failure_events("Charge", ORDER, start=run.input))
        run.version = None if number else run.version
    assert "order-17" in function.shows()


def shows_machines_without_a_tag(function: Resumer) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEFAULT_MODE", "resume")
        resumed = function.fails()["resumed"]
        run = function.account.runs[resumed]
        function.account.end(resumed, "FAILED", failure_events("Charge", ORDER, start=run.input))
        assert "order-17" in function.shows()


def is_asked_to_resume(function: Resumer) -> None:
    function.update(mode="prepare")
    version = function.account._publish(function.account.machines[machine_arn("orders")], "")
    for name, run in (("order-17", None), ("order-18", version)):
        failed = function.fails(name, version=run)["execution"]
        assert "is resumed from" in request.handler({"execution": failed}, CONTEXT)


def is_asked_to_resume_again(function: Resumer) -> None:
    function.account.retag("orders", **{"gotostate:prepare-errors": "Again"})
    for number, name in enumerate(("order-17", "order-18")):
        resumed = function.fails(name)["resumed"]
        run = function.account.runs[resumed]
        function.account.end(resumed, "FAILED", failure_events("Charge", ORDER, start=run.input, error="Again"))
        run.version = None if number else run.version
        assert "is resumed from" in request.handler({"execution": resumed}, CONTEXT)


def sweeps(function: Resumer) -> None:
    """Sweep what no event brought, and for a day, so that each machine has its turn; all that was done is long ago."""
    account = function.account
    resumes(function)
    account.runs.clear()
    account.now += 100 * 86_400
    account.add_failure("orders", "order-18", failure_events("Charge", ORDER, start=ORDER), ORDER)
    account.now += 600
    assert sweeper.handler({}, LONG)["swept"] == 1
    account.runs.clear()
    done = [sweeper.handler({}, LONG)["deletedMachines"] for account.now in hours(account.now)]
    assert sum(done) == 1


def hours(now: float) -> Iterator[float]:
    return (now + hour * 3_600 for hour in range(24))


def sweeps_machines_without_a_tag(function: Resumer) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEFAULT_MODE", "resume")
        assert sweeper.handler({}, LONG)["machines"] == 1


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return loaded


# What makes a function call AWS, by the function's name in the template. All that its role allows must be used here.
SCENARIOS: dict[str, list[Callable[[Resumer], object]]] = {
    "CallbackFunction": [lambda _: callback.handler(event("callback"), CONTEXT)],
    "IteratorFunction": [],
    "RestartFunction": [lambda _: restart.handler(event("restart"), CONTEXT)],
    "ResumerFunction": [
        resumes,
        resumes_again,
        resumes_again_though_the_version_was_deleted,
        redrives_after_a_wait,
        redrives_a_resume,
        tells_a_recovery,
        resumes_without_the_input_in_the_event,
        resumes_what_ran_on_a_version,
        resumes_on_many_versions,
        prepares,
        resumes_while_tags_are_throttled,
    ],
    "RequestFunction": [is_asked_to_resume, is_asked_to_resume_again],
    "SweeperFunction": [sweeps, sweeps_machines_without_a_tag],
    "WidgetFunction": [shows_what_failed, shows_what_failed_again, shows_machines_without_a_tag],
    "WorkerFunction": [lambda _: worker.handler({"run": "order-17", "step": "Charge"}, CONTEXT)],
}

# What AWS answers to a function where the account in memory does not.
ANSWERS = {
    "CallbackFunction": {"sfn.SendTaskSuccess": "{}"},
    "RequestFunction": {"sqs.SendMessage": '{"MessageId": "m"}'},
    "RestartFunction": {"sfn.StartExecution": '{"executionArn": "arn", "startDate": 0}'},
    "ResumerFunction": {
        "sns.Publish": "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>",
        "sqs.SendMessage": '{"MessageId": "m"}',
    },
    "SweeperFunction": {"sqs.SendMessage": '{"MessageId": "m"}'},
    "WorkerFunction": {"dynamodb.UpdateItem": '{"Attributes": {"calls": {"N": "1"}}}'},
}


# How functions use the stack's key: through which service, and for what.
SEND = ("Decrypt", "GenerateDataKey")
STACK_KEY_USES: dict[str, dict[str, tuple[str, ...]]] = {
    "RequestFunction": {"sqs": SEND},
    "ResumerFunction": {"sqs": SEND, "sns": SEND},
    "SweeperFunction": {"sqs": SEND, "logs": ("Decrypt",)},
}


def lent(name: str) -> list[Request]:
    """What AWS does with a function's role, without a call of the function."""
    function = EXACT.functions[name]
    # Lambda writes the log (https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html).
    stream = f"{function.log_group}:log-stream:2026/01/01/[$LATEST]0"
    requests = [Request("logs:CreateLogStream", stream), Request("logs:PutLogEvents", stream)]
    # SQS, SNS and CloudWatch Logs use the key of an encrypted queue, topic or log group for whoever sends, receives,
    # publishes or reads (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html).
    for service, actions in STACK_KEY_USES.get(name, {}).items():
        through = {"kms:ViaService": f"{service}.{PLACE.region}.amazonaws.com"}
        requests += [Request(f"kms:{action}", STACK_KEY, through) for action in actions]
    if name in ("RequestFunction", "SweeperFunction", "WidgetFunction"):
        requests.append(Request("kms:Decrypt", KEY, {"kms:ViaService": f"states.{PLACE.region}.amazonaws.com"}))
    if name == "ResumerFunction":
        # The event source mapping receives (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html).
        receiving = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
        requests += [Request(action, EXACT.arn("RecoveryQueue")) for action in receiving]
        # Step Functions uses the key of an encrypted machine for whoever reads or creates one
        # (https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html).
        through = {"kms:ViaService": f"states.{PLACE.region}.amazonaws.com"}
        requests += [Request(f"kms:{action}", KEY, through) for action in ("Decrypt", "DescribeKey", "GenerateDataKey")]
    return requests


@pytest.mark.parametrize("name", EXACT.functions)
def test_a_function_may_do_what_it_does_and_nothing_else(
    name: str, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    function = EXACT.functions[name]
    assert name in SCENARIOS, f"add {name} to SCENARIOS of tests/functional/test_roles.py: what makes it call AWS"
    recording = tmp_path / "calls.jsonl"
    with monkeypatch.context() as patch:
        record = recorder(str(recording), name)
        observe(patch, record, ANSWERS.get(name, {}))
        forget(patch, callback, "_client")
        forget(patch, restart, "_client")
        forget(patch, worker, "_table")
        for variable, value in function.environment.items():
            patch.setenv(variable, value)
        for scenario in SCENARIOS[name]:
            run(scenario, patch, record if name in ("RequestFunction", "SweeperFunction", "WidgetFunction") else None)
    requests = [*distinct(list(calls_in(recording)), PLACE), *lent(name)]
    denied = simulator.denied(function.role, requests)
    assert not denied, f"{function.role.name} does not allow what {name} does:\n" + lines(denied)
    unused = simulator.unused(function.role, requests)
    assert not unused, (
        f"{function.role.name} allows what no row of SCENARIOS makes {name} do: add a row that does it, or, where AWS "
        "does it and not the function, a line in lent() with the reason; or take it out of the role:\n" + lines(unused)
    )
    assert simulator.allowed(function.role, elsewhere(requests)) == []


def run(
    scenario: Callable[[Resumer], object], patch: pytest.MonkeyPatch, unrecorded: Callable[..., None] | None
) -> None:
    """Run a scenario; unrecorded: the recorder, where the Resumer's calls are not what is looked at."""
    account = Account()
    account.add_machine("orders", ORDERS, {"gotostate": "resume"}, role=ORDERS_ROLE)
    memory = Memory(Aws(account, unrecorded), clock=lambda: account.now)
    patch.setattr(resumer, "_memory", lambda: memory)
    patch.setattr(widget, "_now", lambda: account.now)
    patch.setattr(sweeper, "_now", lambda: account.now)
    patch.setattr(sweeper, "_aws", lambda: Aws(account))
    for module in (widget, request):
        patch.setattr(module, "_memory", lambda: Memory(Aws(account), clock=lambda: account.now))
    # To make a hundred versions takes seconds.
    patch.setattr(machines, "_MANY_VERSIONS", 8)
    scenario(Resumer(account))


def lines(found: Iterable[object]) -> str:
    return "\n".join(sorted(map(str, found)))


def elsewhere(requests: Iterable[Request]) -> list[Request]:
    """Return the same requests in another account, and in another region; no role allows any of them."""
    return [
        replace(request, resource=request.resource.replace(f":{here}:", f":{there}:"))
        for request in requests
        for here, there in ((PLACE.account, "999999999999"), (PLACE.region, "us-east-1"))
        if f":{here}:" in request.resource
    ]


# ---- What state machines do ---------------------------------------------------------------------------------------

MACHINES_OF: dict[str, list[StateMachine]] = {}
for machine in WIDE.machines.values():
    MACHINES_OF.setdefault(machine.role, []).append(machine)


@pytest.mark.parametrize("name", MACHINES_OF)
def test_a_state_machine_may_do_what_its_tasks_do_and_nothing_else(name: str, simulator: Simulator) -> None:
    role, sharing = WIDE.roles[name], MACHINES_OF[name]
    requests = list(
        dict.fromkeys(found for each in sharing for found in integrations.requests_of(each.definition, PLACE))
    )
    denied = simulator.denied(role, requests)
    assert not denied, f"{name} does not allow what a task of its state machines does:\n" + lines(denied)
    unused = simulator.unused(role, requests)
    assert not unused, f"{name} allows what no task of its state machines does; take it out:\n" + lines(unused)
    assert simulator.allowed(role, elsewhere(requests)) == []
