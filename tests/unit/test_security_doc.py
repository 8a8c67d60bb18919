"""docs/security.md: each threat has a defence and a test that exists, and what it links to is there."""

import re
from functools import cache
from pathlib import Path

import pytest
from gotostate import means, policy

ROOT = Path(__file__).parents[2]
SECURITY = (ROOT / "docs" / "security.md").read_text()
PAGES = [ROOT / "SECURITY.md", ROOT / "docs" / "security.md", ROOT / "docs" / "roles.md"]


def threats() -> list[list[str]]:
    """Return the cells of the table of threats."""
    below = SECURITY.partition("\n## Threat model\n")[2]
    table = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert table
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[0].splitlines()]
    assert [cell.strip() for cell in head] == ["threat", "by whom", "defence", "test"]
    return rows


@cache
def written() -> frozenset[str]:
    return frozenset(
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    )


@pytest.mark.parametrize("row", threats(), ids=lambda row: row[0][:40])
def test_each_threat_has_a_defence_and_a_test_that_exists(row: list[str]) -> None:
    assert len(row) == 4
    assert all(row)
    named = re.findall(r"`(\w+)`", row[3])
    assert named
    assert set(named) <= written()


def test_each_test_of_a_threat_is_in_the_table() -> None:
    """A test that is written for a threat is of use to a reader only where the threat is named."""
    text = (ROOT / "tests" / "functional" / "test_threats.py").read_text()
    named = set(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE))
    assert named <= {name for row in threats() for name in re.findall(r"`(\w+)`", row[3])}


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_is_linked_is_there(path: Path) -> None:
    for target in re.findall(r"\]\((?!https://)([^)]+)\)", path.read_text()):
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.is_file(), target
        assert not anchor or anchor in anchors(linked), target


def test_what_a_request_does_not_override_is_a_rule() -> None:
    (said,) = [line for line in SECURITY.splitlines() if line.startswith("* **`sqs:SendMessage`")]
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", said))
    code = "".join(Path(str(module.__file__)).read_text() for module in (policy, means))
    assert {"not-idempotent", "left-to-parent", "input-size"} <= named
    assert [name for name in named if f'"{name}"' not in code] == []
