"""An outage: many executions of five machines fail at the same time, and each recovers, once.

SFN_RESUME_SOAK sets how many executions (25 by default; 500 take minutes), and with -s the figures are shown.
"""

import json
import os
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from account import HOST, STATE
from stack import SUFFIX, Stack, wait_for

EXECUTIONS = int(os.environ.get("SFN_RESUME_SOAK", "25"))
MACHINES = 5
# Each waits for its end before the next one starts: the local account runs a process for each step at work.
STARTED_AT_ONCE = 3
PATIENCE_SECONDS = 600 + 3 * EXECUTIONS
LOOK_SECONDS = 2
MOST_PROCESSES, MOST_GIGABYTES = 80, 6.0


@dataclass
class Load:
    """The most that the local account had at one time."""

    processes: int = 0
    gigabytes: float = 0


def ps(*columns: str) -> list[list[str]]:
    """Return these columns of all processes of the machine; the last one may hold spaces."""
    arguments = [part for column in columns for part in ("-o", f"{column}=")]
    listing = subprocess.run(["ps", "-e", "-w", "-w", *arguments], capture_output=True, text=True, check=True).stdout
    return [line.split(None, len(columns) - 1) for line in listing.splitlines()]


def local_group() -> str | None:
    """Return the process group of the local account that is used; None where another account is used."""
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
    folder = STATE / str(endpoint.port)
    if endpoint.hostname != HOST or not folder.is_dir():
        return None
    leaders = [pid for pid, arguments in ps("pid", "args") if "localstack.runtime.main" in arguments]
    return next(pid for pid in leaders if os.path.realpath(f"/proc/{pid}/cwd") == str(folder.resolve()))


@contextmanager
def measured() -> Iterator[Load | None]:
    """Measure the local account while the block runs; yields None for another account."""
    group = local_group()
    if group is None:
        yield None
        return
    load, done = Load(), threading.Event()

    def measure() -> None:
        while not done.wait(LOOK_SECONDS):
            kilobytes = [int(resident) for pgid, resident in ps("pgid", "rss") if pgid == group]
            load.processes = max(load.processes, len(kilobytes))
            load.gigabytes = max(load.gigabytes, sum(kilobytes) / 2**20)

    watch = threading.Thread(target=measure, daemon=True)
    watch.start()
    try:
        yield load
    finally:
        done.set()
        watch.join()


def calls_of(stack: Stack) -> dict[str, dict[str, int]]:
    """Return how often each step of each run was called, by one scan."""
    client = boto3.resource("dynamodb").meta.client
    calls: dict[str, dict[str, int]] = {}
    for page in client.get_paginator("scan").paginate(TableName=stack.outputs["CallsTableName"]):
        for item in page["Items"]:
            calls.setdefault(str(item["run"]), {})[str(item["step"])] = int(item["calls"])
    return calls


def queue_is_empty(stack: Stack) -> bool:
    """Tell whether the Resumer has no failure left to deal with."""
    wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    queue = stack.outputs["RecoveryQueueUrl"]
    found = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=wanted)["Attributes"]
    return all(int(found[name]) == 0 for name in wanted)


def test_many_executions_that_fail_at_the_same_time_recover_and_each_once(
    stack: Stack, make_machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stack.PATIENCE_SECONDS", PATIENCE_SECONDS)
    definition = stack.states.describe_state_machine(stateMachineArn=stack.outputs["OrderMachineArn"])["definition"]
    machines = [make_machine(definition, {"gotostate": "resume"}) for _ in range(MACHINES)]
    names = [f"soak-{uuid.uuid4()}" for _ in range(EXECUTIONS)]

    def fail(number: int) -> dict[str, Any]:
        data = {"order": names[number], "outage": 1}
        return stack.ended(stack.start(machines[number % MACHINES], data, names[number]))

    def resumes() -> list[dict[str, Any]]:
        return [found for machine in machines for found in stack.executions(machine + SUFFIX)]

    def all_succeeded() -> bool | None:
        time.sleep(LOOK_SECONDS)
        return True if [found["status"] for found in resumes()].count("SUCCEEDED") >= EXECUTIONS else None

    began = time.monotonic()
    with measured() as load:
        with ThreadPoolExecutor(STARTED_AT_ONCE) as pool:
            failed = list(pool.map(fail, range(EXECUTIONS)))
        failed_seconds = time.monotonic() - began
        wait_for(all_succeeded, f"the recovery of {EXECUTIONS} executions")
        seconds = time.monotonic() - began
    # What comes late, or a second time, must resume nothing twice.
    wait_for(lambda: queue_is_empty(stack) or None, "the end of the recovery queue")

    figures = f"{EXECUTIONS} executions of {MACHINES} machines failed within {failed_seconds:.0f} s"
    figures += f" and recovered within {seconds:.0f} s"
    if load:
        figures += f"; the local account had at most {load.processes} processes and {load.gigabytes:.1f} GB"
    print(f"\nsoak: {figures}")
    assert {found["status"] for found in failed} == {"FAILED"}
    assert {found["status"] for found in resumes()} == {"SUCCEEDED"}
    described = [stack.states.describe_execution(executionArn=found["executionArn"]) for found in resumes()]
    resumed = Counter(json.loads(found["input"])["resuming"]["execution"] for found in described)
    assert resumed == Counter(found["executionArn"] for found in failed)
    calls = calls_of(stack)
    once = {"Reserve": 1, "Charge": 2, "Ship": 1}
    assert {name: calls[name] for name in names if calls[name] != once} == {}
    if load:
        assert load.processes <= MOST_PROCESSES, figures
        assert load.gigabytes <= MOST_GIGABYTES, figures
