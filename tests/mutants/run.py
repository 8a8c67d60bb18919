"""Mutation testing of the pure core: change one thing at a time, and see whether a unit test of the module notices.

`python tests/mutants/run.py [MODULE ...]` (by `make mutants`, in .venv-mutation) prints the figures of each module and
each mutant that survives, and exits with 1 where less than 90 % of a module's mutants were killed, or where one
survived that nobody has looked at (equivalent.txt).

mutmut changes what stands in functions and methods, not constants of a module and not properties. It finds a module's
mutants by its path, so each is worked on in a copy of the sources, .mutants/MODULE/src/gotostate.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STAGES = ROOT / ".mutants"
MODULES = ("history", "router", "policy", "backoff", "nextsteps", "resumption")
LEAST = 0.90
# How mutmut records that no test failed, that none reaches a mutant, and that one ran into a limit of time.
SURVIVED = (0, 5, 33)
TIMED_OUT = (24, 36, 152, 255, -24)

CONFIGURATION = """
[tool.pytest.ini_options]
pythonpath = ["src", "tests"]
addopts = ["--import-mode=importlib", "--strict-markers"]

[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/gotostate/{module}.py"]
# asl-validator takes two seconds to start, which is too long for each mutant.
pytest_add_cli_args = ["-k", "not valid", "-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = ["tests/unit/test_{module}.py"]
use_git_change_detection = false
"""

# Few examples, always the same, and no search for a smaller one: it is enough to know that a mutant fails.
CONFTEST = """
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutants",
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutants")
"""


def stage(module: str) -> None:
    """Lay out the sources and the tests as mutmut wants them."""
    here = STAGES / module
    shutil.rmtree(here, ignore_errors=True)
    cached = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "functions/resumer/gotostate", here / "src/gotostate", ignore=cached)
    shutil.copytree(ROOT / "tests/golden", here / "tests/golden")
    (here / "tests/unit").mkdir()
    for path in (*(ROOT / "tests").glob("*.py"), ROOT / f"tests/unit/test_{module}.py"):
        shutil.copy(path, here / path.relative_to(ROOT))
    (here / "tests/conftest.py").write_text(CONFTEST)
    (here / "pyproject.toml").write_text(CONFIGURATION.format(module=module))


def run(module: str) -> None:
    """Try all mutants of a module, one after the other: each is a fork of a process that has loaded the tests."""
    stage(module)
    log = STAGES / f"{module}.log"
    with log.open("w") as output:
        command = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", "1"]
        done = subprocess.run(command, cwd=STAGES / module, check=False, stdout=output, stderr=output)
    if done.returncode:
        raise SystemExit(f"mutmut failed on {module}; see {log.relative_to(ROOT)}")


def results(module: str) -> dict[str, int | None]:
    """Return the exit code of the tests by mutant; None where a mutant was not tried."""
    path = STAGES / module / f"mutants/src/gotostate/{module}.py.meta"
    found: dict[str, int | None] = json.loads(path.read_text())["exit_code_by_key"]
    return found


def change(module: str, mutant: str) -> str:
    """Return the function that a mutant is of, and what it changes, on one line."""
    command = [str(Path(sys.executable).parent / "mutmut"), "show", mutant]
    shown = subprocess.run(command, cwd=STAGES / module, check=True, capture_output=True, text=True).stdout
    lines = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    function = mutant.removeprefix("gotostate.").partition("__mutmut_")[0].replace(".x_", ".").replace(".xǁ", ".")
    return f"{function.replace('ǁ', '.')}: {' => '.join(' '.join(line[1:].split()) for line in lines)}"


def is_good(module: str, known: set[str]) -> bool:
    """Print the figures of a module; tell whether they are as they have to be."""
    codes = results(module)
    survivors = [change(module, name) for name, code in codes.items() if code in SURVIVED]
    untried = sum(code is None for code in codes.values())
    unknown = [survivor for survivor in survivors if survivor not in known]
    killed = len(codes) - len(survivors) - untried
    late = sum(code in TIMED_OUT for code in codes.values())
    print(
        f"{module}: {len(codes)} mutants, {killed} killed ({late} by a limit of time), {len(survivors)} survived, "
        f"{len(unknown)} of them not looked at: {killed / len(codes):.1%} killed"
    )
    for line in unknown:
        print(f"  {line}")
    return killed / len(codes) >= LEAST and not unknown and not untried


def main(modules: list[str]) -> int:
    known = {line for line in (HERE / "equivalent.txt").read_text().splitlines() if line and line[0] != "#"}
    good = []
    for module in modules or MODULES:
        run(module)
        good.append(is_good(module, known))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
