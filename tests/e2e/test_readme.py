"""What the README shows of the demonstration is what it prints, played on the deployed stack."""

import re
from pathlib import Path

import demo
import pytest
from narration import print_table
from stack import Stack

README = Path(__file__).parents[2] / "README.md"
# Times, and the hash in the name of a resumed execution, differ from run to run.
CHANGING = (re.compile(r"\.* \d+\.\d+s$"), re.compile(r"(?<=-)[0-9a-f]{16}\b"))


def lines(text: str) -> list[str]:
    for pattern in CHANGING:
        text = re.sub(pattern.pattern, "", text, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_the_demonstrations_output(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "STACK", stack.name)
    print_table([*demo.dependency_was_down(stack), *demo.outage_of_many(stack)])
    shown = re.search(r"^```\n(\(a\) .*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    printed = iter(lines(capsys.readouterr().out))
    # In this order, some lines left out.
    assert [line for line in lines(shown[1]) if line not in printed] == []
