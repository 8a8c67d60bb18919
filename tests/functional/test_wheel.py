"""The command as `pipx install` puts it on a machine: from a wheel, in an environment of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*command: str | Path) -> str:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_the_command_runs_from_a_built_wheel(tmp_path: Path) -> None:
    uv = ROOT / ".make" / "uv" / "bin" / "uv"
    # From a copy, as a build leaves its traces beside its sources.
    for part in ("pyproject.toml", "README.md", "functions/resumer/gotostate"):
        target = tmp_path / "source" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        run("cp", "-R", ROOT / part, target)
    here = ("--python", sys.executable)
    run(uv, "build", "--quiet", "--wheel", *here, "--no-build-isolation", "--out-dir", tmp_path, tmp_path / "source")
    (wheel,) = tmp_path.glob("*.whl")
    run(uv, "venv", "--quiet", tmp_path / "installed")
    # boto3 comes from the package index; this verb does without it.
    run(uv, "pip", "install", "--quiet", "--no-deps", "--python", tmp_path / "installed", wheel)
    gotostate = tmp_path / "installed" / "bin" / "gotostate"
    definition = tmp_path / "order.asl.json"
    definition.write_text('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}}')
    assert '"GoToState"' in run(gotostate, "build", "--definition", definition, "--state", "B")
    assert "resume" in run(gotostate, "--help")
