"""The workflows of GitHub Actions: they run the gate, with few permissions, on actions that nobody can exchange."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FILES = sorted(path for path in GITHUB.rglob("*.y*ml") if path.name != "real-account-role.yaml")
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", [*FILES, ROOT / ".pre-commit-config.yaml"], ids=lambda path: path.name)
def test_it_is_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_is_pinned_by_its_commit_and_says_its_version(path: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if re.search(r"\buses:", line)]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_it_may_read_and_ends_some_time(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 360
        assert set(job.get("permissions", {})) <= {"contents", "id-token"}


def test_only_the_real_account_asks_for_a_token() -> None:
    assert [path.stem for path in WORKFLOWS if "id-token" in path.read_text()] == ["real-account"]


def test_an_action_has_one_version_everywhere() -> None:
    used = re.findall(r"uses: ([\w./-]+)@(\w+)", "\n".join(path.read_text() for path in WORKFLOWS))
    assert len({action for action, _ in used}) == len(set(used))


def test_the_gate_is_the_same_everywhere() -> None:
    gate = yaml.safe_load((GITHUB / "workflows" / "gate.yml").read_text())
    assert [step["run"] for step in steps(gate) if "run" in step] == [".ci/run"]


def test_what_is_removed_is_what_was_deployed_also_after_a_failure() -> None:
    workflow = yaml.safe_load((GITHUB / "workflows" / "real-account.yml").read_text())
    last = steps(workflow)[-1]
    assert last["if"].startswith("always()")
    assert last["run"] == '.venv/bin/python tests/real_account.py "$SFN_RESUME_STACK"'
    assert workflow["jobs"]["e2e"]["env"]["SFN_RESUME_STACK"].endswith("-e2e")
    role = (GITHUB / "real-account-role.yaml").read_text()
    assert f"Default: {workflow['jobs']['e2e']['env']['SFN_RESUME_STACK']}\n" in role


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "docs" / "releasing.md"], ids=lambda path: path.stem)
def test_make_knows_the_targets(path: Path) -> None:
    assert set(re.findall(r"(?:^|[ `])make ([a-z-]+)", path.read_text(), re.MULTILINE)) <= TARGETS
