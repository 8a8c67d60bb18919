"""What the verbs print as JSON: the same value, and nothing in it that could act on a terminal."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from fake_account import Account, Wired, execution_arn, failure_events
from gotostate import cli
from gotostate.cli.terminal import show_json

Capture = pytest.CaptureFixture[str]
# C0, DEL, C1 (a CSI), bidi, zero width, line and paragraph ends, a tag beyond 16 bits, a lone surrogate; and harmless
# ones, which stay as they are.
STRANGE = "\x1b\x7f\x9b2J\u202e\u2066\u200b\u2028\u2029\U000e0041\ud83d \u00e9\U0001f600"
FAILED = execution_arn("orders", "order-17")
SINCE = ["--state-machine", "orders", "--since", "2026-01-01"]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": STRANGE}}
    account.add_machine("orders", {"StartAt": STRANGE, "States": {STRANGE: {**state, "End": True}}}, {})
    # As a user's machine may have written it: white space, numbers that a float does not hold, characters unescaped.
    given = '{"a":\t1.10,\r\n "b": [1e400, "' + STRANGE[1:-3] + '"]}'
    account.add_failure("orders", "order-17", failure_events(STRANGE, given, error=f"E{STRANGE}"), given=given)
    for module in ("account", "selection", "verbs.show"):
        monkeypatch.setattr(
            f"gotostate.cli.{module}.StepFunctions", lambda region: Wired(account, region), raising=False
        )
    return account


def printed(capsys: Capture, code: int, *words: str) -> str:
    """Return what a verb prints, which nothing in it may act on the terminal."""
    assert cli.main(list(words)) == code
    out = capsys.readouterr().out
    assert not [sign for sign in out.replace("\n", "") if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    return out


def test_list(account: Account, capsys: Capture) -> None:
    (row,) = json.loads(printed(capsys, 0, "list", *SINCE, "--json"))
    assert (row["state"], row["error"]) == (STRANGE, f"E{STRANGE}")
    (group,) = json.loads(printed(capsys, 0, "list", *SINCE, "--group", "--json"))
    assert group["state"] == STRANGE


def test_plan(account: Account, capsys: Capture) -> None:
    out = printed(capsys, 0, "plan", FAILED, "--json")
    assert out.count("\n") == 1
    told = json.loads(out, parse_float=str)
    assert told["resumeFrom"] == STRANGE
    assert told["input"] == {"a": "1.10", "b": ["1e400", STRANGE[1:-3]]}


def test_show(account: Account, capsys: Capture) -> None:
    (told,) = json.loads(printed(capsys, 0, "show", FAILED, "--json"))["executions"]
    assert (told["error"], told["states"][0]["name"]) == (f"E{STRANGE}", STRANGE)


def test_resume(account: Account, capsys: Capture) -> None:
    (failure,) = json.loads(printed(capsys, 3, "resume", *SINCE, "--json"))["failures"]
    assert (failure["state"], failure["error"]) == (STRANGE, f"E{STRANGE}")


def test_build(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "machine.asl.json"
    document: Any = {"StartAt": "A", "Comment": "\u202e\x9b", "States": {"A": {"Type": "Pass", "End": True}}}
    path.write_text(json.dumps(document, ensure_ascii=False, indent="\t").replace("\n", "\r\n"), encoding="utf-8")
    built = json.loads(printed(capsys, 0, "build", "--definition", str(path), "--state", "A"))
    assert built["Comment"] == document["Comment"]


@pytest.mark.parametrize("text", ['"plain \u00e9"', "[1.10,-0,1e400]", '{"a":"\\u202e"}'])
def test_what_is_harmless_stays_as_it_was_written(capsys: Capture, text: str) -> None:
    show_json(text)
    assert capsys.readouterr().out == f"{text}\n"
