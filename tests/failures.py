"""Failures as the list knows them: one of each status, and one whose names are as nasty as names can be."""

from dataclasses import replace

from fake_account import BEGINNING, execution_arn, machine_arn
from gotostate.chains import Link
from gotostate.rows import Found, Row, Status

NOW = BEGINNING + 86_400
MINUTE, HOUR = 60.0, 3_600.0
CALLS = ("Charge: lambda:invoke payments-charge", "Ship: sqs:sendMessage parcels")
NASTY = (
    "a\"b'c<script>window.hit=1</script><img src=x onerror=window.hit=1>&amp;{{7*7}}{%x%}${y}"
    "\n</cwdb-action></td>\u202etxt.exe\u200f\u2067\u05e9\u05dc\u05d5\u05dd\U0001f9ea"
)


def resumes(machine: str, name: str, count: int, *, since: float, last: str = "FAILED") -> tuple[Link, ...]:
    """Write a chain: an original that failed, and resumes of it of which the last one has a status of its own."""
    links = [Link(execution_arn(machine, name), "FAILED", since - 12, since, 0)]
    for attempt in range(1, count + 1):
        started = since + 4**attempt * MINUTE - MINUTE
        status = last if attempt == count else "FAILED"
        stopped = None if status == "RUNNING" else started + 75
        arn = execution_arn(f"{machine}-with-GoToState", f"{name}-resume-{attempt}-f6816e03e880a15a")
        links.append(Link(arn, status, started, stopped, attempt))
    return tuple(links)


def failure(machine: str, name: str, status: Status, count: int = 0, *, ago: float, last: str = "FAILED") -> Row:
    """Write a row of a failure that happened some seconds ago."""
    chain = resumes(machine, name, count, since=NOW - ago, last=last)
    newest = chain[-1].execution
    command = None if status in (Status.WAITING, Status.RUNNING, Status.RECOVERED) else f"gotostate resume {newest}"
    return Row(
        machine=machine_arn(machine),
        original=chain[0].execution,
        newest=newest,
        chain=chain,
        failed_at=NOW - ago,
        status=status,
        state="Charge",
        error="BankDown",
        reason=None,
        attempt=count,
        max_attempts=5,
        until=None,
        calls=CALLS,
        next=command,
    )


GIVEN_UP = replace(
    failure("orders", "order-17", Status.GAVE_UP, 5, ago=20 * HOUR),
    reason="it was resumed 5 times already, the stack's MaxAttempts is 5; fix the cause, then resume it by hand",
)
OPEN = failure("orders", "order-41", Status.OPEN, ago=50)
WAITING = replace(
    failure("orders", "order-38", Status.WAITING, 2, ago=16 * MINUTE, last="RUNNING"), until=NOW + 4 * MINUTE
)
RUNNING = failure("orders", "order-36", Status.RUNNING, 1, ago=3 * MINUTE + 40, last="RUNNING")
RECOVERED = [
    failure("orders", f"order-{number}", Status.RECOVERED, 1, ago=2 * HOUR + number * MINUTE, last="SUCCEEDED")
    for number in (22, 23, 25)
]
PREPARED = replace(
    failure("invoices-monthly-close", "2026-05-eu", Status.PREPARED, ago=3 * HOUR + 5 * MINUTE),
    state="Post to ledger",
    error="States.DataLimitExceeded",
    reason=(
        "States.DataLimitExceeded usually occurs again with the same input (the stack's PrepareErrors names "
        "States.DataLimitExceeded): fix the cause, then resume it"
    ),
    calls=("Post to ledger: dynamodb:putItem ledger", "Notify: sns:publish finance"),
)
LEFT = replace(
    failure("shipments", "order-38-label", Status.LEFT_TO_PARENT, ago=17 * MINUTE),
    state="Print label",
    error="PrinterOffline",
    reason=f"its parent {execution_arn('orders', 'order-38')} waits for it (.sync) and is recovered itself",
)
OFF = replace(
    failure("imports", "b1f2f3c0-1f7e-4f0e-9a35-54c3f6a1d1aa", Status.OFF, ago=26 * HOUR),
    state="Load",
    error="States.TaskFailed",
    reason="the state machine's tag gotostate is off",
)
NOTHING_LEFT = replace(
    failure("imports", "nightly-2026-05-01", Status.GAVE_UP, ago=9 * HOUR),
    state=None,
    error="Rejected",
    reason="it ended in a Fail state, and no state before it did work",
    calls=(),
)
EVERY = (OPEN, WAITING, RUNNING, GIVEN_UP, PREPARED, LEFT, NOTHING_LEFT, OFF, *RECOVERED)
# In the order of the list.
FOUND = Found(tuple(sorted(EVERY, key=lambda row: (row.status.is_resolved, -row.failed_at))), 0)
# Names of machines and executions, as nasty as AWS takes them.
ODD = "o'dd(=!@+)\u202etxt.exe\u2067\u05e9\u05dc\u05d5\u05dd\U0001f9ea"
ODD_ROW = replace(
    failure(f"m-{ODD}", f"e-{ODD}", Status.OPEN, 1, ago=5 * MINUTE),
    state=f"s-{NASTY}",
    error=f"x-{NASTY}",
    reason=f"r-{NASTY}",
    calls=(f"c-{NASTY}",),
)
NASTY_ROW = replace(
    failure(f"m-{NASTY}", f"e-{NASTY}", Status.OPEN, 1, ago=5 * MINUTE),
    state=f"s-{NASTY}",
    error=f"x-{NASTY}",
    reason=f"r-{NASTY}",
    calls=(f"c-{NASTY}",),
    next=f"gotostate resume {NASTY}",
)
# As long as names are at most, with nothing in them where a line could be broken.
LONG_ROW = replace(
    failure("m" * 80, "e" * 80, Status.GAVE_UP, 1, ago=9 * MINUTE), state="s" * 80, error="x" * 256, reason="r" * 200
)
