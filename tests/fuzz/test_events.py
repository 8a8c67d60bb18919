"""Spoiled events and queue messages: the Resumer answers each, and only the failure's own event changes anything."""

import json
from pathlib import Path
from typing import Any

import pytest
import resumer
from fake_account import Account, RefusalError, execution_arn, failure_events
from fuzz.spoiled import LONE, Log, examples, memory_of, nested, sent, spoiled, spoiled_texts, written
from gotostate.errors import TransientError
from hypothesis import example, given
from hypothesis import strategies as st

EVENTS = Path(__file__).parents[2] / "events"
ARN = execution_arn("orders", "order-17")
ORDERS = {"StartAt": "Charge", "States": {"Charge": {"Type": "Task", "End": True}}}
OUTCOMES = {
    "already resumed", "gave up", "prepared", "recovered", "redriven", "resumed", "skipped", "waiting",
}  # fmt: skip


def sample(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


FAILED = sample("resumer-failed")
REQUEST = {
    "source": "gotostate",
    "detail-type": "Recovery Requested",
    "detail": {"executionArn": ARN, "redriveCount": 0, "by": "ada", "reason": "the bank is back"},
}
DUE = {"source": "gotostate", "detail-type": "Redrive Due", "detail": {"executionArn": ARN, "redriveCount": 0}}
BATCH = sample("resumer-batch")
SAMPLES = [FAILED, sample("resumer-timed-out"), sample("resumer-large-input"), REQUEST, DUE]
events = st.sampled_from(SAMPLES).flatmap(spoiled)


class Context:
    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class Setting:
    """An account with one failure, and the Resumer in it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.account = Account()
        self.account.add_machine("orders", ORDERS, {"gotostate": "resume"})
        card = '{"card": "4111"}'
        self.account.add_failure("orders", "order-17", failure_events("Charge", card, start=card), card)
        self.account.now += 86_400
        memory = memory_of(self.account)
        patch.setattr(resumer, "_memory", lambda: memory)
        self.log = Log(resumer.logger, patch)

    def handle(self, event: Any) -> dict[str, Any]:
        context: Any = Context()
        answer = resumer.handler(event, context)
        sent(answer)
        return answer

    def check(self, *events: Any) -> None:
        """Nothing was changed, unless one of the events names the failure as an event has to."""
        changes = self.account.changes
        assert [change.partition(" ")[0] for change in changes] in ([], ["create", "start"])
        assert not changes or any(names_the_failure(event) for event in events)


def names_the_failure(event: Any) -> bool:
    if not isinstance(event, dict) or not isinstance(event.get("detail"), dict):
        return False
    kind, detail = (event.get("source"), event.get("detail-type")), event["detail"]
    is_status = kind == ("aws.states", "Step Functions Execution Status Change")
    is_due = is_status and detail.get("status") in ("FAILED", "TIMED_OUT")
    return detail.get("executionArn") == ARN and (is_due or kind[0] == "gotostate")


@examples(80)
@given(events)
@example({**FAILED, "detail": {**FAILED["detail"], "executionArn": LONE}})
@example({**FAILED, "detail": {**FAILED["detail"], "executionArn": ARN + LONE}})
@example({**FAILED, "detail": {**FAILED["detail"], "status": [LONE]}})
@example({**FAILED, "detail": {**FAILED["detail"], "stopDate": 10**400}})
@example({**FAILED, "source": ["aws.states"]})
@example({**FAILED, "source": {}})
@example({**FAILED, "detail": nested(400)})
@example({"Records": 7})
def test_each_event_has_an_answer(event: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        setting = Setting(patch)
        try:
            answer = setting.handle(event)
        except TransientError:
            # A redrive that AWS does not show (yet).
            assert names_the_failure(event)
            return
        if answer.keys() != {"batchItemFailures"}:
            assert answer["outcome"] in OUTCOMES
            assert answer["reason"]
            assert setting.log.lines()[-1]["outcome"] == answer["outcome"]
        setting.check(event)


def batch(bodies: list[str]) -> dict[str, Any]:
    (record,) = BATCH["Records"]
    return {"Records": [{**record, "messageId": f"m{at}", "body": body} for at, body in enumerate(bodies)]}


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@examples(30)
@given(st.lists(st.sampled_from(SAMPLES).flatmap(spoiled_texts), min_size=1, max_size=4))
@example(["[" * 100_000])
@example(['{"detail":' * 100_000])
@example(["1" * 5_000])
@example([written({**FAILED, "detail": {**FAILED["detail"], "executionArn": LONE}})])
def test_no_message_that_can_never_be_dealt_with_comes_back(bodies: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        setting = Setting(patch)
        answer = setting.handle(batch(bodies))
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        assert failed <= {f"m{at}" for at, body in enumerate(bodies) if names_the_failure(parsed(body))}
        assert len([line for line in setting.log.lines() if line.get("outcome")]) == len(bodies)
        setting.check(*map(parsed, bodies))


@examples(30)
@given(spoiled(BATCH))
@example({"Records": []})
@example({"Records": [None]})
@example({"Records": [{}]})
@example({"Records": [{**BATCH["Records"][0], "body": 7}]})
@example({"Records": [{**BATCH["Records"][0], "body": None}]})
def test_a_batch_that_sqs_does_not_send_is_answered(event: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        setting = Setting(patch)
        answer = setting.handle(event)
        assert {"outcome", "batchItemFailures"} & answer.keys()
        assert event != {"Records": []} or answer == {"batchItemFailures": []}
        setting.check(FAILED)


@examples(30)
@given(st.lists(st.sampled_from(SAMPLES).flatmap(spoiled_texts), min_size=1, max_size=3), st.data())
def test_what_aws_refuses_comes_back_message_by_message(bodies: list[str], data: st.DataObject) -> None:
    def refuse(operation: str, body: Any) -> None:
        code = data.draw(
            st.sampled_from([None, None, "AccessDeniedException", "InternalServerError", "ValidationException"])
        )
        if code:
            raise RefusalError(code, status=500 if code.startswith("Internal") else 400)

    with pytest.MonkeyPatch.context() as patch:
        setting = Setting(patch)
        setting.account.gate = refuse
        answer = setting.handle(batch(bodies))
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        assert failed <= {f"m{at}" for at, body in enumerate(bodies) if names_the_failure(parsed(body))}


def test_the_harness_would_see_a_change() -> None:
    for event in SAMPLES:
        with pytest.MonkeyPatch.context() as patch:
            setting = Setting(patch)
            assert setting.handle(event)["outcome"] in ("resumed", "redriven")
            assert setting.account.changes
            setting.check(event)
