"""docs/architecture.md is true: each module has its place there, none imports in a circle, the pure ones are pure."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
RESUMER = ROOT / "functions" / "resumer"
# What a pure module may not import. It may hold a time (datetime), and not ask for one.
IMPURE = {"boto3", "botocore", "os", "pathlib", "random", "subprocess", "sys", "time", "urllib.request", "uuid"}


def modules() -> dict[str, Path]:
    """Return the modules of the Resumer's folder by their dotted names."""
    found = {}
    for path in sorted(RESUMER.rglob("*.py")):
        name = ".".join(path.relative_to(RESUMER).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imported(name: str) -> set[str]:
    """Return what a module imports: dotted names, of our own modules as deep as they go."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & set(MODULES)) or {node.module}
    return found


IMPORTS = {name: imported(name) for name in MODULES}


def reached(name: str) -> set[str]:
    """Return all that a module imports, with what our own modules among these import."""
    seen: set[str] = set()
    ahead = [name]
    while ahead:
        new = IMPORTS.get(ahead.pop(), set()) - seen
        seen |= new
        ahead += new
    return seen


def pure() -> list[str]:
    listed = re.search(r"These modules are pure.*?\n\n(.*?)\n\n", PAGE, re.DOTALL)
    assert listed
    return [f"gotostate.{name.replace('/', '.')}" for name in re.findall(r"`([a-z/]+)`", listed[1])]


def test_nothing_imports_in_a_circle() -> None:
    ours = {name: IMPORTS[name] & set(MODULES) - {name} for name in MODULES}
    assert len(list(TopologicalSorter(ours).static_order())) == len(MODULES)


@pytest.mark.parametrize("name", pure())
def test_what_is_called_pure_is_pure(name: str) -> None:
    assert not {found.partition(".")[0] for found in reached(name)} & IMPURE


def test_what_is_pure_is_called_so() -> None:
    inside = [name for name in MODULES if re.fullmatch(r"gotostate\.[a-z]+", name) and name != "gotostate.cli"]
    found = {name for name in inside if not {each.partition(".")[0] for each in reached(name)} & IMPURE}
    assert found - set(pure()) <= {"gotostate.dashboard", "gotostate.errors"}


def test_step_functions_is_called_by_one_module() -> None:
    callers = [name for name, path in MODULES.items() if '"stepfunctions"' in path.read_text()]
    assert callers == ["gotostate.stepfunctions"]


def test_every_module_has_its_place_and_every_place_a_module() -> None:
    table = PAGE.partition("## To change X, go to Y")[2]
    named = {Path(name).name for name in re.findall(r"`([\w/]+\.py)`", table)}
    files = {path.name for path in (ROOT / "functions").rglob("*.py")} - {"__init__.py", "__main__.py"}
    # Of these the table names the folder.
    in_folders = {
        path.name for folder in ("cli/verbs", "dashboard") for path in (RESUMER / "gotostate" / folder).rglob("*.py")
    }
    assert files - in_folders - named == set()
    folders = ("functions", "tests", "local", "bench")
    assert named - {path.name for folder in folders for path in (ROOT / folder).rglob("*.py")} == set()
