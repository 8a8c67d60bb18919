"""What somebody who should not tries, and what comes of it. docs/security.md names each of these tests."""

import json
from typing import Any

import pytest
import resumer
from fake_account import Account, RefusalError, Wired, execution_arn, failure_events, machine_arn
from gotostate import cli, recovery, router
from gotostate.definition import Definition
from gotostate.housekeeping import DELETING_TAG, Marks
from gotostate.message import message
from gotostate.outcome import Outcome, Result
from gotostate.report import Report, request
from gotostate.resumption import SOURCE_TAG, Asked, source_tag
from gotostate.settings import Settings, matches
from listed import Context

ORDERS = {
    "StartAt": "Validate",
    "States": {
        "Validate": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "Charge"},
        "Charge": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True},
    },
}
GOTO = "orders-with-GoToState"


@pytest.fixture
def account() -> Account:
    account = Account()
    account.add_machine("orders", ORDERS, {"gotostate": "resume"}, role="role/orders")
    account.add_failure("orders", "order-17", failure_events("Charge", '{"n": 1}'))
    return account


FAILED = execution_arn("orders", "order-17")


def recovered(account: Account, event: Any) -> Outcome:
    return recovery.recover(account.memory(), Report.from_event(event), Settings())


def forged(account: Account, **detail: Any) -> Any:
    return account.event(FAILED, **detail)


def publish(account: Account, name: str) -> str:
    asked = {"stateMachineArn": machine_arn(name), "publish": True, "versionDescription": ""}
    return str(account.answer("UpdateStateMachine", asked)["stateMachineVersionArn"])


# ---- Who may send to the queue -------------------------------------------------------------------


def test_a_forged_event_names_no_other_machines_definition_and_role(account: Account) -> None:
    """Else whoever may send to the queue would run another machine's work, with its role, on an input of their own."""
    payroll = {**ORDERS, "Comment": "payroll"}
    account.add_machine("payroll", payroll, {}, role="role/payroll")
    other = publish(account, "payroll")
    for version in (other, f"{machine_arn('orders')}:1:{other}", f"{machine_arn('orders-2')}:1", "x"):
        account.runs = {FAILED: account.runs[FAILED]}
        assert recovered(account, forged(account, stateMachineVersionArn=version)).outcome is Result.RESUMED
        built = account.machines[machine_arn(GOTO)]
        assert built.revision.settings == {"roleArn": "role/orders"}
        assert built.document["States"]["Charge"] == ORDERS["States"]["Charge"]  # type: ignore[index]
        assert "Comment" not in built.document


def test_an_event_gives_no_input_to_the_state(account: Account) -> None:
    """It comes from the history that AWS keeps, whatever the event says."""
    outcome = recovered(account, forged(account, input='{"n": 2}', output='{"n": 3}'))
    assert outcome.resumed
    assert json.loads(account.runs[outcome.resumed].input)["resuming"]["input"] == {"n": 1}


def test_a_request_overrides_no_opt_in(account: Account) -> None:
    account.add_machine("private", ORDERS, {})
    account.add_machine("off", ORDERS, {"gotostate": "off"})
    for name, rule in (("private", "not-opted-in"), ("off", "off")):
        arn = account.add_failure(name, "x", failure_events("Charge"))
        outcome = recovered(account, request(arn, Asked("the attacker")))
        assert (outcome.outcome, outcome.rule) == (Result.SKIPPED, rule)
    assert account.changes == []
    # And nothing but the tags was read of them.
    assert set(account.calls) == {"ListTagsForResource"}


def test_an_event_of_another_service_is_none(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = account.memory()
    monkeypatch.setattr(resumer, "_memory", lambda: memory)
    for source in ("aws.states.evil", "custom", None):
        answer = resumer.handler({**forged(account), "source": source}, Context())  # type: ignore[arg-type]
        assert (answer["outcome"], answer["rule"]) == ("skipped", "bad-event")
    assert not account.calls


@pytest.mark.parametrize("name", ["$(id)", "a;b", "a b", "a|b", "`id`", "<b>", 'a"b', "a\nb", "a\\u002fb", "*", "a?"])
def test_what_is_no_name_to_aws_is_asked_of_nobody(account: Account, name: str) -> None:
    with pytest.raises(Exception, match="is not the ARN of an execution"):
        recovered(account, request(execution_arn("orders", name), None))
    assert not account.calls


# ---- Who may tag ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag", [machine_arn("payroll"), machine_arn("orders") + " ", "=6f=", "sha256:0", "arn:aws:states:=zz=", "=110000="]
)
def test_a_source_tag_that_does_not_explain_the_machines_name_is_no_source(account: Account, tag: str) -> None:
    """Else a machine that is off, or another team's, would be governed by the tags of one that is not."""
    account.add_machine("payroll", ORDERS, {"gotostate": "resume"})
    account.add_machine(GOTO, ORDERS, {SOURCE_TAG: tag})
    arn = account.add_failure(GOTO, "x", failure_events("Charge"))
    assert recovered(account, account.event(arn)).rule == "not-opted-in"
    # Nor is it deleted as one of ours.
    assert Marks.of(machine_arn(GOTO), {SOURCE_TAG: tag}).source is None
    assert Marks.of(machine_arn(GOTO), {DELETING_TAG: f"1 {tag}"}).source is None


def test_a_machine_of_that_name_without_our_tag_is_not_overwritten(account: Account) -> None:
    account.add_machine(GOTO, {**ORDERS, "Comment": "somebody's own"}, {SOURCE_TAG: source_tag(machine_arn("other"))})
    outcome = recovered(account, forged(account))
    assert (outcome.outcome, outcome.rule) == (Result.GAVE_UP, "refused")
    assert account.machines[machine_arn(GOTO)].document["Comment"] == "somebody's own"
    assert account.changes == []


def test_a_tag_that_cannot_be_read_changes_nothing_and_is_told(account: Account) -> None:
    account.retag("orders", **{"gotostate:max-attempts": "1e9", "gotostate:strategy": "<b>", "gotostate": "RESUME"})
    assert recovered(account, forged(account)).rule == "bad-tag"
    account.retag("orders", gotostate="resume")
    outcome = recovered(account, forged(account))
    assert outcome.max_attempts == Settings().max_attempts
    assert "gotostate:strategy" in outcome.reason


# ---- Who may change a GoToState machine ----------------------------------------------------------


def test_a_definition_that_was_tampered_with_is_not_started(account: Account) -> None:
    """What is started is a version whose text and role are the source's, byte for byte, whoever made the machine."""
    good = json.loads(built(account))
    evil = json.loads(json.dumps(good).replace("lambda:invoke", "aws-sdk:iam:createUser"))
    tags = {"gotostate": "resume", SOURCE_TAG: source_tag(machine_arn("orders"))}
    for document, role in ((evil, "role/orders"), (good, "role/evil")):
        account.add_machine(GOTO, document, tags, role=role)
        publish(account, GOTO)
    outcome = recovered(account, forged(account))
    assert outcome.resumed
    started = account.runs[outcome.resumed]
    assert (started.document, started.revision.settings["roleArn"]) == (good, "role/orders")


def test_the_role_that_is_passed_is_the_one_that_ran(account: Account) -> None:
    """A role that was taken from the source since is not replaced by its better or worse successor."""
    account.add_machine("orders", ORDERS, {"gotostate": "resume"}, role="role/admin")
    outcome = recovered(account, forged(account))
    assert outcome.resumed
    assert account.runs[outcome.resumed].revision.settings == {"roleArn": "role/orders"}


def test_an_input_of_the_source_cannot_choose_the_state(account: Account) -> None:
    """Who may start the source, and no more, gains nothing by a 'resuming' of their own in its input."""
    given = json.dumps({"resuming": {"state": "Charge", "input": {}, "execution": FAILED, "attempt": 4, "by": "ada"}})
    arn = account.add_failure("orders", "x", failure_events("Validate", given, start=given), given)
    outcome = recovered(account, account.event(arn))
    assert (outcome.state, outcome.attempt, outcome.original, outcome.asked) == ("Validate", 1, arn, None)


@pytest.mark.parametrize(
    "original",
    [FAILED.replace("123456789012", "999999999999"), FAILED.replace("eu-west-1", "us-east-1"), "$(id)"],
)
def test_an_input_leads_to_no_other_account_or_region(account: Account, original: str) -> None:
    account.add_machine(GOTO, json.loads(built(account)), {SOURCE_TAG: source_tag(machine_arn("orders"))})
    given = json.dumps({"resuming": {"state": "Charge", "input": {}, "execution": original, "attempt": 1}})
    arn = account.add_failure(GOTO, "x", failure_events("Charge", "{}", start=given), given)
    asked = []
    account.gate = lambda operation, body: asked.append(json.dumps(body))
    assert recovered(account, account.event(arn)).original == arn
    assert not [body for body in asked if original in body]


def built(account: Account) -> str:
    return router.add_gotostate(Definition.parse(account.machines[machine_arn("orders")].revision.definition)).text


# ---- What takes for ever, or too much room -------------------------------------------------------


def test_a_pattern_is_matched_in_one_pass() -> None:
    """The dashboard's parameter stateMachine is a pattern of whoever may call the widget."""
    assert matches("a" * 256, ("*a" * 40 + "*b",)) is None
    assert matches("a" * 256, ("*a" * 40 + "*",))
    for pattern in ("a*a", "*aa*aa", "aa*a*a"):
        assert matches("aa", (pattern,)) == (pattern if pattern == "a*a" else None)


def test_a_comment_in_a_definition_is_read_once() -> None:
    """Else one machine's definition would keep the Resumer from the failures of all the others."""
    for text in (f"{{% $states{'/**/' * 5_000}x %}}", "$states.input/*" * 30_000, "$states.context.Foo/*" * 20_000):
        state = {"Type": "Pass", "Comment": text, "End": True}
        definition = Definition.parse(json.dumps({"StartAt": "A", "States": {"A": state}}))
        assert definition.reads_execution_input is (text[-1] == "}")


def test_a_definition_cannot_keep_its_failure_from_being_told(account: Account) -> None:
    """EventBridge and SNS refuse what is larger than 256 KiB."""
    states = {
        f"{number}": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "f" * 100_000},
            **({"End": True} if number == 7 else {"Next": f"{number + 1}"}),
        }
        for number in range(8)
    }
    account.add_machine("long", {"StartAt": "0", "States": states}, {"gotostate": "prepare"})
    arn = account.add_failure("long", "x", failure_events("0", error="e" * 256))
    outcome = recovered(account, account.event(arn))
    assert outcome.outcome is Result.PREPARED
    assert len(message(outcome)) < 65_536
    unread = Outcome(Result.GAVE_UP, "unreadable", "r" * 900_000, arn)
    assert len(message(unread)) < 65_536


# ---- Whose credentials ---------------------------------------------------------------------------


def test_the_command_does_nothing_that_its_person_may_not(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gotostate.cli.account.StepFunctions", lambda region: Wired(account, region))

    def deny(operation: str, body: Any) -> None:
        if operation == "CreateStateMachine":
            raise RefusalError("AccessDeniedException", "not authorized to perform: iam:PassRole on role/orders")

    account.gate = deny
    assert cli.main(["resume", FAILED]) == 1
    assert "iam:PassRole" in capsys.readouterr().err
    assert account.changes == []
