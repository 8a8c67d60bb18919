"""`sam local invoke` as it is configured, up to the container; and `make invoke`, which needs none."""

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import invoke
import pytest
from invoke import Function, InvokeError
from moto import mock_aws
from runtime import BUILT, ROOT, RunningFunction

NO_IMAGE = b'{"message": "no image"}'
LOCAL_INVOKE = (ROOT / "docs" / "local-invoke.md").read_text()


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    invoke.build()


# ---- sam local invoke -------------------------------------------------------------------------------


@pytest.fixture
def engine() -> Iterator[tuple[str, list[str]]]:
    """A container engine that cannot make an image; yields its URL and the platforms that images were wanted for."""
    asked: list[str] = []

    class Engine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200 if self.path.endswith("/_ping") else 404)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.extend(parse_qs(urlsplit(self.path).query).get("platform", []))
            self._answer(404)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(NO_IMAGE)))
            self.end_headers()
            self.wfile.write(NO_IMAGE)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"tcp://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def commands(line: str) -> list[list[str]]:
    """Return the arguments of the commands in the document that begin so."""
    return [shlex.split(found, comments=True) for found in re.findall(rf"^\$ {line} (.*)$", LOCAL_INVOKE, re.MULTILINE)]


@pytest.mark.parametrize(
    ("more", "platform"), [([], "linux/amd64"), (["--parameter-overrides", "Architecture=arm64"], "linux/arm64")]
)
def test_sam_local_invoke_wants_an_image_that_runs_on_x86_and_on_apple_silicon(
    engine: tuple[str, list[str]], more: list[str], platform: str
) -> None:
    url, asked = engine
    command = [os.environ["SAM"], "local", "invoke", *commands("sam local invoke")[0], *more]
    environment = {**os.environ, "DOCKER_HOST": url, "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert asked == [platform], done.stderr


def test_what_is_built_runs_on_every_processor() -> None:
    assert [path for path in BUILT.rglob("*") if path.suffix in (".so", ".pyd", ".dylib")] == []


# ---- make invoke ------------------------------------------------------------------------------------


def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the command with no credentials but those that are given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    home = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return subprocess.run(
        [sys.executable, "local/invoke.py", *arguments],
        cwd=ROOT,
        env={**kept, **home, "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "eu-west-1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_answer_is_on_stdout_and_the_log_on_stderr() -> None:
    done = run("--function", "IteratorFunction", "--event", "events/iterator.json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"index": 6, "step": 1, "count": 10, "continue": True})
    assert "calls AWS in eu-west-1" in done.stderr
    assert "there are no AWS credentials" in done.stderr
    assert "REPORT RequestId" in done.stderr
    assert "(rapid)" not in done.stderr


def test_a_function_that_raises_gives_1_and_what_the_template_alone_cannot_tell_is_said(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"execution": "nightly", "input": {"restart": {"executionCount": 4}}}))
    done = run("--function", "RestartFunction", "--event", str(event))
    assert (done.returncode, json.loads(done.stdout)["errorType"]) == (1, "KeyError")
    assert "STATE_MACHINE_ARN; STACK=NAME" in done.stderr
    assert "KeyError: 'STATE_MACHINE_ARN'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--event", "events/iterator.json"], "FUNCTION is not given; give one of ResumerFunction, "),
        (["--function", "Foo", "--event", "events/iterator.json"], "FUNCTION is 'Foo', which the template does not"),
        (["--function", "IteratorFunction"], "EVENT is not given; a sample is one of events/callback.json, "),
        (["--function", "IteratorFunction", "--event", "events"], "EVENT is 'events', which cannot be read: Is a dir"),
        (["--function", "IteratorFunction", "--event", "Makefile"], "EVENT is 'Makefile', which is no JSON: "),
    ],
)
def test_what_cannot_be_invoked_gives_2_and_says_why(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["invoke.py", *arguments])
    monkeypatch.setattr(invoke, "build", lambda: None)
    assert invoke.main() == 2
    assert capsys.readouterr().err.startswith(f"invoke: {told}")


def test_it_is_built_when_something_was_changed_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, built = tmp_path / "functions" / "f" / "f.py", tmp_path / "build" / "template.yaml"
    template, cache = tmp_path / "template.yaml", tmp_path / "functions" / "f" / "__pycache__" / "f.pyc"
    for path in (code, template, cache, built):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr(invoke, "ROOT", tmp_path)
    monkeypatch.setattr(invoke, "BUILT", built.parent)

    def at(path: Path, seconds: float) -> None:
        os.utime(path, (seconds, seconds))

    for path in (code, code.parent, template):
        at(path, 100)
    at(built, 200)
    at(cache, 300)
    assert invoke.is_built()
    # The folder, as a file of it was deleted.
    for path in (code, code.parent, template):
        at(path, 201)
        assert not invoke.is_built()
        at(path, 100)
    built.unlink()
    assert not invoke.is_built()


def test_an_answer_that_is_no_error_is_none() -> None:
    assert invoke.has_raised({"errorMessage": "m", "errorType": "t", "stackTrace": []})
    answers: tuple[Any, ...] = ({"outcome": "skipped"}, {"errorType": "t"}, None, [], "errorType errorMessage")
    for answer in answers:
        assert not invoke.has_raised(answer)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("Expecting value"), "Broken gave no answer: its 3 seconds were used up; its log:"),
        (urllib.error.URLError("refused"), "Broken gave no answer: <urlopen error refused>; its log:"),
        (TimeoutError("timed out"), "Broken gave no answer: timed out; its log:"),
    ],
)
def test_a_function_that_gives_no_answer(
    error: Exception,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(self: RunningFunction, event: Any) -> None:
        raise error

    monkeypatch.setattr(RunningFunction, "invoke", fail)
    assert invoke.invoke(Function("Broken", tmp_path, "broken.handler", {}, (), 3, 128), {}, {}) == 1
    assert told in capsys.readouterr().err


# ---- What a function is given -----------------------------------------------------------------------


def test_a_function_has_the_templates_settings_with_the_parameters_defaults() -> None:
    resumer = invoke.read("ResumerFunction")
    assert (resumer.handler, resumer.seconds, resumer.memory) == ("resumer.handler", 30, 512)
    assert (resumer.environment["MAX_ATTEMPTS"], resumer.environment["POWERTOOLS_LOG_LEVEL"]) == ("5", "INFO")
    assert resumer.of_stack == ("QUEUE_URL", "TOPIC_ARN", "STACK_NAME")
    sweeper = invoke.read("SweeperFunction")
    assert (sweeper.environment["SWEEP_RATE"], sweeper.seconds) == ("rate(1 hour)", 900)


@pytest.mark.parametrize(("rate", "resolved"), [("off", "rate(1 hour)"), ("rate(1 day)", "rate(1 day)")])
def test_conditions(rate: str, resolved: str) -> None:
    template = {
        "Parameters": {"SweepRate": {"Default": rate}},
        "Conditions": {"HasSweep": {"Fn::Not": [{"Fn::Equals": [{"Ref": "SweepRate"}, "off"]}]}},
    }
    assert invoke.resolve({"Fn::If": ["HasSweep", {"Ref": "SweepRate"}, "rate(1 hour)"]}, template) == resolved
    with pytest.raises(InvokeError, match=r"Fn::Or.*give STACK=NAME"):
        invoke.holds({"Fn::Or": []}, template)


def test_the_sweeper_has_too_little_time_for_a_deletion(tmp_path: Path) -> None:
    (tmp_path / "clock.py").write_text("def handler(event, context): return context.get_remaining_time_in_millis()")
    function = Function("Clock", tmp_path, "clock.handler", {}, (), 900, 128)
    with function.running() as running:
        assert 0 < running.invoke({}) <= 60_000


@mock_aws
def test_a_stack_that_is_not_there() -> None:
    session = boto3.session.Session()
    with pytest.raises(InvokeError, match=r"STACK is 'x', of which F cannot be read: .*describe-stacks"):
        invoke.as_deployed(Function("F", BUILT, "f.handler", {}, (), 3, 128), session, "x")


def test_the_caller_is_asked_for_as_any_command_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in invoke.WAYS:
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_SESSION_TOKEN": "token", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SQS": "http://q",
        "HTTPS_PROXY": "http://p", "SECRET_OF_SOMETHING_ELSE": "s",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert invoke.caller(boto3.session.Session()) == {
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SQS": "http://q", "HTTPS_PROXY": "http://p",
    }  # fmt: skip


# ---- What the document says -------------------------------------------------------------------------


def test_each_sample_is_told_with_what_it_needs_and_with_the_function_that_takes_it() -> None:
    rows = re.findall(r"^\| `events/([\w-]+\.json)` \| `(\w+)` \| (.+) \|$", LOCAL_INVOKE, re.MULTILINE)
    assert [row[0] for row in rows] == sorted(path.name for path in (ROOT / "events").iterdir())
    for function in {row[1] for row in rows}:
        invoke.read(function)
