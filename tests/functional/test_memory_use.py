"""The function's memory with the largest payloads that Step Functions has."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MEGABYTES = 256

# In a process of its own, as the peak of this one is pytest's (ru_maxrss is inherited, VmHWM is not). The account in
# memory holds one payload; what crosses the wire is what counts, and the client parses it page by page.
BEGIN = """
import json, os, sys
os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "POWERTOOLS_LOG_LEVEL": "CRITICAL"}
import resumer
from fake_account import Account, failure_events

class Context:
    aws_request_id = "r"
    def get_remaining_time_in_millis(self):
        return 30_000
"""

LARGEST = """
payload = json.dumps("x" * 250_000)
small = json.dumps("x" * 120_000)
states = {
    "W": {"Type": "Task", "Assign": {"n": 1}, "Next": "C"},
    "C": {"Type": "Choice", "Choices": [], "Default": "W"},
}
called = {"resourceType": "l", "resource": "i"}
account = Account()
account.add_machine("orders", {"StartAt": "W", "States": states}, {"gotostate": "resume"})
events = failure_events("W", small)[:1]
for number in range(2, 1_500, 4):
    entered = {"name": "W", "input": small}
    left = {"name": "W", "output": payload, "assignedVariables": {"n": "1"}}
    kinds = (
        ("TaskStateEntered", {"stateEnteredEventDetails": entered}),
        ("TaskScheduled", {"taskScheduledEventDetails": {**called, "region": "r", "parameters": payload}}),
        ("TaskSucceeded", {"taskSucceededEventDetails": {**called, "output": payload}}),
        ("TaskStateExited", {"stateExitedEventDetails": left}),
    )
    events += [
        {"type": kind, "id": number + place, "previousEventId": number + place - 1, **details}
        for place, (kind, details) in enumerate(kinds)
    ]
events = [*events[:-3], {**failure_events("W")[-1], "id": len(events)}]
arn = account.add_failure("orders", "o", events)
"""

# A Map of a thousand iterations, of which one failed; nothing in it is equal to anything else.
MAP = """
def text(index, what):
    return json.dumps({"order": index, "what": what, "data": f"{index} {what} " + "x" * 5_000})

scope = {"StartAt": "A", "States": {"A": {"Type": "Task", "Next": "B"}, "B": {"Type": "Task", "End": True}}}
account = Account()
states = {"M": {"Type": "Map", "ItemProcessor": scope, "End": True}}
account.add_machine("orders", {"StartAt": "M", "States": states}, {"gotostate": "resume"})
from histories import History
story = History("[]")
started = story.map_starts(story.enter("Map", "M", 0, "[]"), 1_000)
for index in range(999):
    before = story.task("A", story.iterates("M", index, started), text(index, "a"), text(index, "b"))
    story.iterated("M", index, story.task("B", before, text(index, "b"), str(index)))
story.fails(story.task("A", story.iterates("M", 999, started), text(999, "a")), within="Map")
arn = account.add_failure("orders", "o", story.newest_first[::-1], "[]")
"""

RUN = """
memory = account.memory()
resumer._memory = lambda: memory
answer = resumer.handler(account.event(arn), Context())
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
megabytes = int(status["VmHWM"].split()[0]) // 1024
print(json.dumps({"outcome": answer["outcome"], "inside": answer["inside"], "megabytes": megabytes}))
"""


@pytest.mark.parametrize(
    ("history", "inside"),
    [(LARGEST, None), (MAP, "M: 999 of 1,000 finished, 1 goes on at A")],
    ids=["the largest payloads", "a thousand iterations"],
)
def test_a_recovery_fits_into_256_megabytes(history: str, inside: str | None) -> None:
    paths = [str(TESTS), str(TESTS.parent / "functions" / "resumer")]
    script = f"import sys; sys.path[:0] = {paths!r}\n{BEGIN}{history}{RUN}"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert (told["outcome"], told["inside"]) == ("resumed", inside)
    assert told["megabytes"] < MEGABYTES, told
