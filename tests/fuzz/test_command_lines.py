"""Any command line and any files: an exit code from 0 to 3, no traceback, nothing changed that was not asked for."""

import json
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fake_account import Account, execution_arn, failure_events
from fuzz.spoiled import client_of, examples, spoiled_texts
from fuzz.test_histories import CASES
from gotostate import cli
from hypothesis import example, given
from hypothesis import strategies as st

# A byte that is no UTF-8, as Python hands it on.
BYTE = "\udcff"
ORDERS = {"StartAt": "A", "States": {"A": {"Type": "Task", "Next": "B"}, "B": {"Type": "Task", "End": True}}}
FAILED = execution_arn("orders", "order-17")
ARNS = (
    FAILED,
    execution_arn("orders", "gone"),
    FAILED.replace("order-17", ""),
    "arn:aws:s3:::x",
    "order-17",
    FAILED + BYTE,
)
VERBS = ("plan", "list", "show", "build", "resume", "hold", "release", "status", "clean", "completion")
FLAGS = (
    "--json", "--group", "--unresolved", "--skip", "--whole", "--dry-run", "--force", "--all", "--mermaid", "--help",
    "--wait", "--failedExecutionArn",
)  # fmt: skip
OPTIONS = (
    "--input", "--from-state", "--definition", "--history", "--output", "--strategy", "--reason", "--state-machine",
    "--since", "--until", "--error", "--state", "--limit", "--canary", "--days", "--region", "--stack", "--svg",
)  # fmt: skip
VALUES = (
    "2h", "30m", "0h", "-1d", "99999999999d", "2026-05-01", "2026-05-01T00:00:00+99:99", "0001-01-01", "9999-12-31",
    "0", "-1", "1e9", "٣", "orders", "*", "o*s", "A", "B", "{}", "{", "[" * 100_000, "NaN", "@", "@/", "@-",
    "@/nowhere", "/nowhere", "/", "current", "gotostate", "redrive", "auto", "eu-west-1", "no region", "%", "",
)  # fmt: skip
# Of the verbs that change something, with what makes them do it.
CHANGING = ("build", "resume", "--failedExecutionArn", "clean", "hold", "release")

# No command line holds a NUL.
words = st.sampled_from(VALUES) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
options = st.one_of(
    st.sampled_from(FLAGS).map(lambda flag: [flag]),
    st.tuples(st.sampled_from(OPTIONS), words).map(list),
    st.sampled_from(ARNS).map(lambda arn: [arn]),
    words.map(lambda word: [word]),
)
lines = st.tuples(st.sampled_from(VERBS), st.lists(options, max_size=4)).map(
    lambda drawn: [drawn[0], *(word for option in drawn[1] for word in option)]
) | st.lists(options, max_size=3).map(lambda drawn: [word for option in drawn for word in option])


class Streams:
    """The standard output and error as a terminal of UTF-8 has them."""

    def __init__(self) -> None:
        self.out, self.error = (TextIOWrapper(BytesIO(), "utf-8", write_through=True) for _ in range(2))

    def text(self) -> str:
        return "".join(stream.buffer.getvalue().decode() for stream in (self.out, self.error))


def run(arguments: list[str], account: Account | None = None) -> tuple[int, str]:
    """Run the command as a terminal does; return its exit code and all that it printed."""
    streams = Streams()
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.chdir(folder)
        patch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"no\n"), "utf-8"))
        made = account or Account()
        for place in ("gotostate.cli.account.StepFunctions", "gotostate.cli.deployment.StepFunctions"):
            patch.setattr(place, lambda region=None: client_of(made), raising=False)
        with redirect_stdout(streams.out), redirect_stderr(streams.error):
            try:
                code = cli.main(arguments)
            except SystemExit as end:
                code = end.code  # type: ignore[assignment]
    return code, streams.text()


def check(code: int, printed: str) -> None:
    assert code in (0, 1, 2, 3)
    assert "Traceback" not in printed
    if code in (1, 2):
        assert printed.strip()


@examples(80)
@given(lines)
@example(["clean", "--days", "9" * 5_000])
@example(["plan", FAILED + BYTE])
@example(["resume", FAILED, "--input", "[" * 100_000])
@example(["resume", FAILED, "--input", f"@{BYTE}"])
@example(["plan", "--history", BYTE, "--definition", BYTE])
@example(["resume", FAILED, "--reason", BYTE, "--dry-run"])
@example(["list", "--since", "99999999999d"])
@example(["list", "--since", "9" * 5_000 + "d"])
@example(["list", "--limit", "9" * 5_000])
@example(["show", FAILED, "--svg", f"/nowhere/{BYTE}"])
def test_any_command_line_ends_with_an_exit_code(arguments: list[str]) -> None:
    account = Account()
    account.add_machine("orders", ORDERS, {"gotostate": "resume"})
    account.add_failure("orders", "order-17", failure_events("B", '{"n": 1.10}'), "{}")
    code, printed = run(arguments, account)
    check(code, printed)
    if not set(arguments) & set(CHANGING) or FAILED not in arguments or "--dry-run" in arguments:
        assert account.changes == []
    if code in (2, 3):
        assert account.changes == []


@examples(60)
@given(
    st.sampled_from(CASES).flatmap(
        lambda case: st.tuples(
            spoiled_texts(case["history"]) | st.just(json.dumps(case["history"])),
            spoiled_texts(case["definition"]) | st.just(json.dumps(case["definition"])),
        )
    ),
    st.sampled_from([[], ["--json"]]),
)
def test_any_files_are_planned_or_refused(drawn: tuple[str, str], more: list[str]) -> None:
    with TemporaryDirectory() as folder:
        history, definition = Path(folder, "history.json"), Path(folder, "definition.json")
        for path, text in zip((history, definition), drawn, strict=True):
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
        code, printed = run(["plan", "--history", str(history), "--definition", str(definition), *more])
        check(code, printed)
        if code == 0 and more:
            json.loads(printed)
        code, printed = run(["build", "--definition", str(definition), "--state", "A"])
        check(code, printed)
        if code == 0:
            json.loads(printed)


def test_the_harness_would_see_a_change() -> None:
    account = Account()
    account.add_machine("orders", ORDERS, {"gotostate": "resume"})
    account.add_failure("orders", "order-17", failure_events("B", '{"n": 1.10}'), "{}")
    assert run(["resume", FAILED], account)[0] == 0
    assert [change.partition(" ")[0] for change in account.changes] == ["create", "start"]
