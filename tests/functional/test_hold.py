"""Holding and releasing the Resumer, on moto: mappings, tags, queues and a stack's outputs.

moto switches a mapping at once and knows no Enabling or Disabling, so mappings that change are stubbed answers of AWS.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from gotostate import cli
from gotostate.cli import stack
from gotostate.cli.stack import HELD_BECAUSE, HELD_BY, HELD_SINCE, Stack, tag_value
from moto import mock_aws

NAME = "resumes"
ME = "arn:aws:sts::123456789012:user/moto"
SINCE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
OUTPUTS = {
    "ResumerFunctionName": "ResumerFunction",
    "RecoveryMappingId": "ResumerFunctionRecovery",
    "RecoveryQueueUrl": "RecoveryQueue",
    "DeadLetterQueueUrl": "DeadLetterQueue",
}
TEMPLATE = {
    "Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
        "RecoveryQueue": {"Type": "AWS::SQS::Queue"},
        "DeadLetterQueue": {"Type": "AWS::SQS::Queue"},
        "ResumerFunction": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": "handler = print"},
            },
        },
        "ResumerFunctionRecovery": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": {"Fn::GetAtt": ["RecoveryQueue", "Arn"]},
                "FunctionName": {"Ref": "ResumerFunction"},
            },
        },
    },
    "Outputs": {output: {"Value": {"Ref": resource}} for output, resource in OUTPUTS.items()},
}
Capture = pytest.CaptureFixture[str]


class Deployed:
    """A stack on moto, and what a person could do to it without gotostate."""

    def __init__(self) -> None:
        boto3.client("cloudformation").create_stack(StackName=NAME, TemplateBody=json.dumps(TEMPLATE))
        (described,) = boto3.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        self.functions: Any = boto3.client("lambda")
        self.queues: Any = boto3.client("sqs")

    @property
    def mapping(self) -> dict[str, Any]:
        found: dict[str, Any] = self.functions.get_event_source_mapping(UUID=self.outputs["RecoveryMappingId"])
        return found

    @property
    def tags(self) -> dict[str, str]:
        tags: dict[str, str] = self.functions.list_tags(Resource=self.mapping["FunctionArn"])["Tags"]
        return {key: value for key, value in tags.items() if key.startswith("gotostate:")}

    def switch(self, enabled: bool) -> None:
        self.functions.update_event_source_mapping(UUID=self.outputs["RecoveryMappingId"], Enabled=enabled)

    def send(self, output: str, count: int = 1) -> None:
        for _ in range(count):
            self.queues.send_message(QueueUrl=self.outputs[output], MessageBody="{}")

    def arn(self, output: str) -> str:
        found = self.queues.get_queue_attributes(QueueUrl=self.outputs[output], AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])


@pytest.fixture
def deployed() -> Iterator[Deployed]:
    with mock_aws():
        yield Deployed()


@pytest.fixture
def run(deployed: Deployed, capsys: Capture) -> Callable[..., str]:
    """Run a verb on the stack; return what it printed."""

    def call(verb: str, *options: str) -> str:
        assert cli.main([verb, "--stack", NAME, *options]) == 0
        return capsys.readouterr().out

    return call


def test_hold_disables_the_mapping_and_says_who_when_and_why(deployed: Deployed, run: Callable[..., str]) -> None:
    printed = run("hold", "--reason", "the bank is down")
    assert deployed.mapping["State"] == "Disabled"
    assert re.fullmatch(SINCE, deployed.tags[HELD_SINCE])
    assert (deployed.tags[HELD_BY], deployed.tags[HELD_BECAUSE]) == (ME, "the bank is down")
    assert printed == (
        f"Stack        {NAME}\n"
        f"Resumer      held since {deployed.tags[HELD_SINCE]} by {ME} because the bank is down\n"
        "Note         failures wait in the queue for up to 14 days; what was begun is finished\n"
        f"Next         gotostate status --stack {NAME}\n"
        f"Next         gotostate release --stack {NAME}\n"
    )


def test_release_enables_it_and_leaves_no_trace(deployed: Deployed, run: Callable[..., str]) -> None:
    run("hold", "--reason", "the bank is down")
    since = deployed.tags[HELD_SINCE]
    printed = run("release")
    assert deployed.mapping["State"] == "Enabled"
    assert deployed.tags == {}
    assert printed == (
        f"Stack        {NAME}\n"
        "Resumer      running\n"
        f"Note         it was held since {since} by {ME} because the bank is down\n"
        f"Next         gotostate status --stack {NAME}\n"
    )


def test_other_tags_of_the_function_stay(deployed: Deployed, run: Callable[..., str]) -> None:
    arn = deployed.mapping["FunctionArn"]
    deployed.functions.tag_resource(Resource=arn, Tags={"team": "orders"})
    run("hold")
    run("release")
    assert deployed.functions.list_tags(Resource=arn)["Tags"]["team"] == "orders"


def test_a_second_hold_keeps_the_first_holder(deployed: Deployed, run: Callable[..., str]) -> None:
    run("hold", "--reason", "first")
    others = {HELD_SINCE: "2026-01-31T09:30:00Z", HELD_BY: "arn:aws:iam::123456789012:user/ada"}
    deployed.functions.tag_resource(Resource=deployed.mapping["FunctionArn"], Tags=others)
    printed = run("hold", "--reason", "second")
    assert deployed.tags == {**others, HELD_BECAUSE: "first"}
    assert "held since 2026-01-31T09:30:00Z by arn:aws:iam::123456789012:user/ada because first\n" in printed
    assert "it was held already; nothing was changed" in printed


def test_a_release_of_what_is_not_held_changes_nothing(deployed: Deployed, run: Callable[..., str]) -> None:
    assert "it was not held; nothing was changed" in run("release")
    assert deployed.mapping["State"] == "Enabled"


def test_a_hold_without_a_reason_does_not_show_an_earlier_one(deployed: Deployed, run: Callable[..., str]) -> None:
    run("hold", "--reason", "the bank is down")
    deployed.switch(True)
    printed = run("hold")
    assert deployed.mapping["State"] == "Disabled"
    assert "because" not in printed
    assert json.loads(run("status", "--json"))["heldBecause"] is None


def test_who_disables_it_by_other_means_is_not_taken_for_a_holder(deployed: Deployed, run: Callable[..., str]) -> None:
    deployed.switch(False)
    printed = run("status")
    assert "Resumer      disabled by somebody without a hold: nothing is resumed\n" in printed
    assert f"Next         gotostate release --stack {NAME}\n" in printed
    assert json.loads(run("status", "--json"))["resumer"] == "disabled"
    assert "it was disabled by somebody without a hold; it is enabled now" in run("release")
    assert deployed.mapping["State"] == "Enabled"


def test_a_hold_of_what_somebody_disabled_goes_on_record(deployed: Deployed, run: Callable[..., str]) -> None:
    deployed.switch(False)
    assert "somebody had disabled it without a hold; now the hold is on record" in run("hold")
    assert deployed.tags[HELD_BY] == ME
    assert json.loads(run("status", "--json"))["resumer"] == "held"


def test_who_enables_it_by_other_means_is_told_of_the_hold_on_record(
    deployed: Deployed, run: Callable[..., str]
) -> None:
    run("hold")
    deployed.switch(True)
    printed = run("status")
    assert re.search(rf"running \(not held since {SINCE} by \S+: somebody enabled it without a release\)", printed)
    assert f"Next         gotostate release --stack {NAME}\n" in printed
    status = json.loads(run("status", "--json"))
    assert (status["resumer"], status["heldSince"], status["heldBy"]) == ("running", None, None)
    assert "somebody had enabled it; the hold is off the record" in run("release")
    assert deployed.tags == {}


def test_status_of_a_stack_where_all_is_well(deployed: Deployed, run: Callable[..., str]) -> None:
    assert run("status") == (f"Stack        {NAME}\nResumer      running\nWaiting      0\nDead letters 0\n")
    assert json.loads(run("status", "--json")) == {
        "stack": NAME, "resumer": "running", "heldSince": None, "heldBy": None, "heldBecause": None,
        "waiting": 0, "inFlight": 0, "deadLetters": 0,
    }  # fmt: skip


def test_status_counts_and_says_what_to_type(deployed: Deployed, run: Callable[..., str]) -> None:
    run("hold", "--reason", "the bank is down")
    deployed.send("RecoveryQueueUrl", 3)
    deployed.queues.receive_message(QueueUrl=deployed.outputs["RecoveryQueueUrl"], MaxNumberOfMessages=1)
    late = deployed.outputs["RecoveryQueueUrl"]
    deployed.queues.send_message(QueueUrl=late, MessageBody="{}", DelaySeconds=60)
    deployed.send("DeadLetterQueueUrl", 2)
    recovery, dead = (deployed.arn(f"{name}QueueUrl") for name in ("Recovery", "DeadLetter"))
    since = deployed.tags[HELD_SINCE]
    assert run("status") == (
        f"Stack        {NAME}\n"
        f"Resumer      held since {since} by {ME} because the bank is down\n"
        "Waiting      4 (1 in flight)\n"
        "Dead letters 2\n"
        f"Next         gotostate release --stack {NAME}\n"
        f"Next         aws sqs start-message-move-task --source-arn {dead} --destination-arn {recovery}\n"
    )
    assert json.loads(run("status", "--json")) == {
        "stack": NAME, "resumer": "held", "heldSince": since, "heldBy": ME, "heldBecause": "the bank is down",
        "waiting": 4, "inFlight": 1, "deadLetters": 2,
    }  # fmt: skip


def test_what_to_type_names_region_and_profile_where_they_were_given(
    deployed: Deployed, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    keys = "aws_access_key_id = testing\naws_secret_access_key = testing\n"
    (tmp_path / "config").write_text(f'[profile "day shift"]\n{keys}')
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    deployed.send("DeadLetterQueueUrl")
    where = ("--region", "eu-west-1", "--profile", "day shift")
    assert f"gotostate release --stack {NAME} --region eu-west-1 --profile 'day shift'\n" in run("hold", *where)
    moves = [line for line in run("status", *where).splitlines() if "start-message-move-task" in line]
    assert [line.endswith(" --region eu-west-1 --profile 'day shift'") for line in moves] == [True]


@pytest.mark.parametrize("verb", ["hold", "release", "status"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--stack", "none"], "there is no stack none in eu-west-1; give its name with --stack"),
        ([], "there is no stack sfn-resume in eu-west-1"),
        (["--stack", "foreign"], "the stack foreign has no output RecoveryMappingId, so it is none of sfn-resume"),
        (["--stack", "bare"], "the stack bare has no output RecoveryMappingId"),
        (["--stack", NAME, "--region", "eu-west-2"], f"there is no stack {NAME} in eu-west-2"),
        (["--stack", NAME, "--profile", "none"], "AWS: The config profile (none) could not be found"),
    ],
)
def test_what_is_not_there_is_named(
    deployed: Deployed, verb: str, options: list[str], says: str, capsys: Capture
) -> None:
    queue = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    outputs = {"Outputs": {"Url": {"Value": {"Ref": "Queue"}}}}
    stacks = boto3.client("cloudformation")
    stacks.create_stack(StackName="bare", TemplateBody=json.dumps(queue))
    stacks.create_stack(StackName="foreign", TemplateBody=json.dumps(queue | outputs))
    assert cli.main([verb, *options]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"gotostate: {says}")
    assert captured.out == ""
    assert deployed.mapping["State"] == "Enabled"


@pytest.mark.parametrize("verb", ["hold", "release", "status"])
def test_a_mapping_that_was_deleted_is_named(deployed: Deployed, verb: str, capsys: Capture) -> None:
    mapping = deployed.outputs["RecoveryMappingId"]
    deployed.functions.delete_event_source_mapping(UUID=mapping)
    assert cli.main([verb, "--stack", NAME]) == 1
    assert f"the event source mapping {mapping} of the stack {NAME} was deleted" in capsys.readouterr().err


def test_a_queue_that_was_deleted_is_named(deployed: Deployed, capsys: Capture) -> None:
    deployed.queues.delete_queue(QueueUrl=deployed.outputs["DeadLetterQueueUrl"])
    assert cli.main(["status", "--stack", NAME]) == 1
    assert "DeadLetterQueue" in (error := capsys.readouterr().err)
    assert "was deleted" in error


@pytest.mark.parametrize("region", [None, ""])
def test_no_region_is_told(capsys: Capture, monkeypatch: pytest.MonkeyPatch, region: str | None) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    if region is not None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    assert cli.main(["hold"]) == 1
    assert capsys.readouterr().err == "gotostate: no AWS region is set; give one with --region\n"


def test_a_refusal_of_aws_is_told_without_a_traceback(
    deployed: Deployed, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(of: Stack, service: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "DescribeStacks")

    monkeypatch.setattr(Stack, "_client", refuse)
    assert cli.main(["hold", "--stack", NAME]) == 1
    assert capsys.readouterr().err == (
        "gotostate: AWS: An error occurred (AccessDenied) when calling the DescribeStacks operation: not you\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["hold", "--stack", ""], "--stack needs the name"),
        (["hold", "--stack"], "--stack"),
        (["release", "--reason", "x"], "--reason"),
        (["status", "extra"], "extra"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], says: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["hold", "release", "status"])
def test_the_help_ends_with_an_example(verb: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    assert f"\nExample: gotostate {verb} --stack sfn-resume" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("the bank is down; see #8", "the bank is down_ see _8"),
        ("  Fällt  aus\tbis\n12:30, (ja)  ", "Fällt aus bis 12:30_ _ja_"),
        ("\x1b[31m\u202e", "__31m_"),
        ("arn:aws:sts::123456789012:assumed-role/Admin+Ops=1/ada.l@example.org",) * 2,
        ("a,b", "a_b"),
        ("AWS: all down", "_AWS: all down"),
        ("x" * 300, "x" * 256),
        ("x" * 255 + " y", "x" * 255),
        (" ", ""),
    ],
)
def test_what_a_tag_can_hold(text: str, value: str) -> None:
    assert tag_value(text) == value


def test_a_tag_that_somebody_wrote_cannot_act_on_the_terminal(deployed: Deployed, run: Callable[..., str]) -> None:
    run("hold")
    tags = {HELD_BY: "\x1b]0;owned\x07", HELD_BECAUSE: "a\nResumer      running"}
    deployed.functions.tag_resource(Resource=deployed.mapping["FunctionArn"], Tags=tags)
    printed = run("status")
    assert "by \\u001b]0;owned\\u0007 because a\\u000aResumer      running\n" in printed
    assert "\x1b" not in run("status", "--json")


class Mapping:
    """Answers as AWS gives them about a mapping that takes its time: each look sees the next state."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, deployed: Deployed, states: list[str]) -> None:
        self.states = states
        self.calls: list[str] = []
        self.deployed = deployed
        monkeypatch.setattr(stack, "POLL_SECONDS", 0)
        real = Stack._client

        def client(of: Stack, service: str) -> Any:
            return self if service == "lambda" else real(of, service)

        monkeypatch.setattr(Stack, "_client", client)

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            if operation in ("update_event_source_mapping", "tag_resource", "untag_resource"):
                self.calls.append(operation)
            answer = getattr(self.deployed.functions, operation)(**arguments)
            if operation == "get_event_source_mapping":
                answer["State"] = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return answer

        return self.__dict__.get(operation) or (
            self.deployed.functions.exceptions if operation == "exceptions" else call
        )


def test_the_tags_are_there_as_long_as_it_is_disabled(
    deployed: Deployed, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = Mapping(monkeypatch, deployed, ["Enabled", "Enabled", "Enabled", "Disabling", "Disabled"])
    assert "held since" in run("hold")
    assert mapping.calls == ["tag_resource", "update_event_source_mapping"]
    mapping.calls.clear()
    mapping.states = ["Disabled", "Disabled", "Enabling", "Enabled"]
    assert "Resumer      running\n" in run("release")
    assert mapping.calls == ["update_event_source_mapping", "untag_resource"]


def test_a_mapping_that_changes_is_waited_for_before_it_is_switched(
    deployed: Deployed, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # AWS refuses to switch it until then (ResourceInUseException).
    mapping = Mapping(monkeypatch, deployed, ["Enabling", "Updating", "Enabled", "Enabled", "Disabled"])
    assert "held since" in run("hold")
    assert mapping.calls == ["tag_resource", "update_event_source_mapping"]


def test_a_mapping_that_goes_on_changing_is_told(
    deployed: Deployed, run: Callable[..., str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "PATIENCE_SECONDS", 0.0)
    mapping = Mapping(monkeypatch, deployed, ["Enabled", "Enabled", "Disabling"])
    printed = run("hold", "--reason", "noon")
    assert re.search(rf"changing: Disabling \(held since {SINCE} by \S+ because noon\)", printed)
    status = json.loads(run("status", "--json"))
    assert (status["resumer"], status["heldBecause"]) == ("changing", "noon")
    assert f"Next         gotostate status --stack {NAME}\n" in run("status")
    mapping.calls.clear()
    for verb in ("hold", "release"):
        assert cli.main([verb, "--stack", NAME]) == 1
        assert "is Disabling for 0 seconds; nothing was changed" in capsys.readouterr().err
    assert mapping.calls == []
    mapping.states = ["Disabled", "Disabled", "Enabling"]
    assert re.search(r"changing: Enabling \(held since", run("release"))
    assert mapping.calls == ["update_event_source_mapping"]
