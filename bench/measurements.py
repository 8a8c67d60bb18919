"""What is measured on this machine: ratios, side by side in one run, as machines differ."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from gotostate import router
from gotostate.definition import Definition
from gotostate.history import locate
from gotostate.planning import told_record
from runtime import BUILT, ROOT, running
from stack import deploy, sam

ROUNDS = 40
EMPTY = "def handler(event, context):\n    return {}\n"
ITERATOR_EVENT = {"iterator": {"count": 10, "index": 5, "step": 1}}
# The least that a function which calls Step Functions can be.
BARE = """import boto3

def handler(event, context):
    return boto3.client("stepfunctions").list_tags_for_resource(resourceArn=event["detail"]["stateMachineArn"])["tags"]
"""
EVENTS = 25_000
CHAINS = 6
ITERATIONS = 1_000


def measure() -> None:
    """Measure everything and print a line for each."""
    iterator_start()
    resumer_start()
    locating()
    recording()
    routing()
    continuing()


def iterator_start() -> None:
    """Start of the Iterator against that of an empty handler, under the Lambda runtime."""
    sam("build")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "empty.py").write_text(EMPTY)
        empty, iterator = [], []
        for _ in range(ROUNDS):
            empty.append(_start(Path(folder), "empty.handler"))
            iterator.append(_start(BUILT / "IteratorFunction", "iterator.handler"))
    ratio = statistics.median(iterator) / statistics.median(empty)
    _show("start of Iterator / of an empty handler", ratio, f"medians of {ROUNDS}, promised: at most 1.2")


def resumer_start() -> None:
    """The Resumer's first answer against that of a handler which makes the same one call and nothing else."""
    event = json.loads((ROOT / "events" / "resumer-failed.json").read_text())
    with tempfile.TemporaryDirectory() as folder, _no_tags() as url:
        Path(folder, "bare.py").write_text(BARE)
        bare, resumer = [], []
        for _ in range(ROUNDS):
            bare.append(_first_answer(Path(folder), "bare.handler", event, url))
            resumer.append(_first_answer(BUILT / "ResumerFunction", "resumer.handler", event, url))
    ratio = statistics.median(resumer) / statistics.median(bare)
    _show("first answer of Resumer / of a bare client", ratio, f"medians of {ROUNDS}, promised: at most 1.2")


def _first_answer(folder: Path, handler: str, event: Any, url: str) -> float:
    with running(folder, handler, {"AWS_ENDPOINT_URL": url}) as function:
        began = time.perf_counter()
        function.invoke(event)
        return time.perf_counter() - began


@contextmanager
def _no_tags() -> Iterator[str]:
    """An endpoint that answers every call with no tags; yields its URL."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "11")
            self.end_headers()
            self.wfile.write(b'{"tags":[]}')

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its base class's name
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _start(folder: Path, handler: str) -> float:
    with running(folder, handler) as function:
        function.invoke(ITERATOR_EVENT)
        return function.init_ms


def locating() -> None:
    """Locate a failure at the end of 25,000 events, against reading all of them."""
    plain = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}}
    assigning = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Assign": {"v": 1}, "Next": "A"}}}
    near, all_of_it = (Definition.parse(json.dumps(document)) for document in (plain, assigning))
    ratio = _time(lambda: locate(_events(), all_of_it)) / _time(lambda: locate(_events(), near))
    _show("locate with variables / without, 25,000 events", ratio, "without variables it stops at the failed state")


def _events() -> Iterator[dict[str, Any]]:
    yield {"type": "ExecutionFailed", "id": EVENTS, "executionFailedEventDetails": {}}
    for number in range(EVENTS - 1, 1, -2):
        yield {"type": "PassStateEntered", "id": number, "stateEnteredEventDetails": {"name": "A", "input": "{}"}}
        details = {"name": "A", "output": "{}", "assignedVariables": {"v": "1"}}
        yield {"type": "PassStateExited", "id": number - 1, "stateExitedEventDetails": details}
    yield {"type": "ExecutionStarted", "id": 1, "executionStartedEventDetails": {"input": "{}"}}


def recording() -> None:
    """Record 1,000 iterations of which one failed, against locating the failure alone."""
    scope = {"StartAt": "A", "States": {"A": {"Type": "Task", "Next": "B"}, "B": {"Type": "Task", "End": True}}}
    states = {"M": {"Type": "Map", "ItemProcessor": scope, "End": True}}
    definition = Definition.parse(json.dumps({"StartAt": "M", "States": states}))
    events = list(_iterations())

    def record() -> None:
        told = told_record(locate(events, definition), definition, definition, None)
        assert told.finished == ITERATIONS - 1

    taken = _time(record)
    ratio = taken / _time(lambda: locate(events, definition))
    _show("record 1,000 iterations / locate alone", ratio, f"{len(events):,} events, {taken:.2f} seconds")


def _iterations() -> Iterator[dict[str, Any]]:
    """Yield, newest first, the events of a Map of which the last iteration fails."""
    started = {"type": "ExecutionStarted", "executionStartedEventDetails": {"input": "[]"}}
    entered = {"type": "MapStateEntered", "stateEnteredEventDetails": {"name": "M", "input": "[]"}}
    length = {"type": "MapStateStarted", "mapStateStartedEventDetails": {"length": ITERATIONS}}
    found: list[dict[str, Any]] = [started, entered, length]
    for index in range(ITERATIONS):
        told = {"name": "M", "index": index}
        found.append({"type": "MapIterationStarted", "previousEventId": 3, "mapIterationStartedEventDetails": told})
        for name in "AB" if index < ITERATIONS - 1 else "A":
            details = {"name": name, "input": f'{{"order":{index}}}'}
            found.append({"type": "TaskStateEntered", "stateEnteredEventDetails": details})
            found += [{"type": "TaskScheduled"}, {"type": "TaskStarted"}, {"type": "TaskSucceeded"}]
            done = {"name": name, "output": f'{{"done":{index}}}'}
            found.append({"type": "TaskStateExited", "stateExitedEventDetails": done})
    found[-1] = {"type": "ExecutionFailed", "executionFailedEventDetails": {"error": "Down"}}
    for number, event in reversed(list(enumerate(found))):
        yield {"previousEventId": number, **event, "id": number + 1}


def routing() -> None:
    """Add GoToState to 1,000 states, against parsing their definition."""
    names = [f"State {number}" for number in range(1_000)]
    states: dict[str, Any] = {name: {"Type": "Pass", "Comment": "x" * 500, "End": True} for name in names}
    text = json.dumps({"StartAt": names[0], "States": states})
    source = Definition.parse(text)
    ratio = _time(lambda: router.add_gotostate(source, names[0])) / _time(lambda: Definition.parse(text))
    _show("add GoToState / parse, 1,000 states", ratio, "")


def continuing() -> None:
    """A chain of four executions through Lambda against one through the API, on the account that is given."""
    stack = deploy("sfn-resume-bench")
    times: dict[str, list[float]] = {"ContinueAsNewArn": [], "ContinueAsNewApiArn": []}
    for turn in range(CHAINS):
        for output, taken in times.items():
            name = f"bench-{turn}"
            stack.start(stack.outputs[output], {"restart": {"executionCount": 4}}, name)
            runs = stack.chain(stack.outputs[output], name, 4)
            taken.append((runs[-1]["stopDate"] - runs[0]["startDate"]).total_seconds())
    through_lambda, through_api = (statistics.median(taken[1:]) for taken in times.values())
    remark = f"medians of {CHAINS - 1}, functions warm; the account is the local one unless you gave another"
    _show("a chain of 4 through Lambda / through the API", through_lambda / through_api, remark)


def _time(run: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def _show(what: str, ratio: float, remark: str) -> None:
    print(f"{what:<48} {ratio:8.2f}  {remark}".rstrip())
