"""Each built function under the real Lambda runtime: the artefact that is deployed, not the source."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import invoke
import pytest
from runtime import BUILT, ROOT

ARN = "arn:aws:states:eu-west-1:123456789012:stateMachine:sfn-resume-ContinueAsNew"


@pytest.fixture(scope="module")
def built() -> Path:
    invoke.build()
    return BUILT


@pytest.fixture
def aws() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """An endpoint that says yes to all calls; yields its URL and the calls that it got."""
    calls: list[tuple[str, dict[str, Any]]] = []

    class Yes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            calls.append((self.headers["X-Amz-Target"].partition(".")[2], body))
            answer = json.dumps({"executionArn": "arn", "startDate": 0, "tags": []}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its base class's name
            pass

    with HTTPServer(("127.0.0.1", 0), Yes) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", calls
        server.shutdown()
        thread.join()


def sample(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return loaded


def test_iterator(built: Path) -> None:
    with invoke.read("IteratorFunction").running() as function:
        assert function.invoke(sample("iterator")) == {"index": 6, "step": 1, "count": 10, "continue": True}
        error = function.invoke({"iterator": {"index": "5"}})
    assert error["errorType"] == "ValueError"
    assert "iterator.index is '5'" in error["errorMessage"]


def test_the_iterators_artefact_is_a_few_kilobytes_with_no_dependency(built: Path) -> None:
    files = [path for path in (built / "IteratorFunction").rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["iterator.py"]
    assert sum(path.stat().st_size for path in files) < 4_096


def test_restart(built: Path, aws: tuple[str, list[tuple[str, dict[str, Any]]]]) -> None:
    url, calls = aws
    environment = {"AWS_ENDPOINT_URL": url, "STATE_MACHINE_ARN": ARN}
    with invoke.read("RestartFunction").running(environment) as function:
        assert function.invoke(sample("restart")) == {"execution": "nightly-continue-3", "started": True}
        error = function.invoke({"execution": "nightly", "input": {"restart": {"executionCount": 0}}})
    assert error["errorType"] == "ValueError"
    ((operation, body),) = calls
    assert (operation, body["stateMachineArn"], body["name"]) == ("StartExecution", ARN, "nightly-continue-3")


def test_callback(built: Path, aws: tuple[str, list[tuple[str, dict[str, Any]]]]) -> None:
    url, calls = aws
    with invoke.read("CallbackFunction").running({"AWS_ENDPOINT_URL": url}) as function:
        assert function.invoke(sample("callback")) == {"answered": True}
        assert function.invoke({})["errorType"] == "ValueError"
    assert calls == [
        ("SendTaskSuccess", {"taskToken": sample("callback")["TaskToken"], "output": '{"answered": true}'})
    ]


def test_worker(built: Path) -> None:
    with invoke.read("WorkerFunction").running() as function:
        assert function.invoke(sample("worker")) == {"step": "Charge", "done": True}
        error = function.invoke({"step": "A", "needs": {"Message": "string"}, "value": {"Message": True}})
    assert error["errorType"] == "BadDataError"


def test_resumer(built: Path, aws: tuple[str, list[tuple[str, dict[str, Any]]]]) -> None:
    url, calls = aws
    with invoke.read("ResumerFunction").running({"AWS_ENDPOINT_URL": url}) as function:
        left_alone = function.invoke(sample("resumer-failed"))
        skipped = function.invoke(sample("resumer-not-ours"))
    assert (left_alone["outcome"], "has not opted in" in left_alone["reason"]) == ("skipped", True)
    assert skipped["outcome"] == "skipped"
    assert [operation for operation, _ in calls] == ["ListTagsForResource"]
