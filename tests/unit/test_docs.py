"""The tables of the documents hold what the code and the template hold, and nothing else."""

import ast
import re
from pathlib import Path

import measures
import yaml
from gotostate import means

ROOT = Path(__file__).parents[2]
DEPLOY, RUNBOOK = ((ROOT / "docs" / name).read_text() for name in ("deploy.md", "runbook.md"))
CODE = ROOT / "functions" / "resumer"


class Template(yaml.SafeLoader):
    """Reads a template; what stands behind CloudFormation's own tags is of no interest here."""


Template.add_multi_constructor("!", lambda loader, tag, node: tag)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Template)  # noqa: S506  it is a SafeLoader


def rows(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, its head left out."""
    below = re.split(rf"^#+ {re.escape(heading)}$", text, maxsplit=1, flags=re.MULTILINE)[1]
    table = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert table, heading
    lines = table[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def names(found: list[list[str]]) -> list[str]:
    return [name for row in found for name in re.findall(r"`([^`]+)`", row[0])]


def test_every_parameter_is_in_the_table_with_its_default() -> None:
    table = {name: row[1] for row in rows(DEPLOY, "Parameters") for name in names([row])}
    assert list(table) == list(dict.fromkeys(table))
    parameters = TEMPLATE["Parameters"]
    assert set(table) == set(parameters)
    for name, default in table.items():
        real = str(parameters[name]["Default"])
        # A list of errors stands in a document of its own.
        assert default.strip("`") in (real or "none", "`none`") or default.startswith("["), name


def rules() -> set[str]:
    """Return the codes that outcomes may have, from the code."""
    found = set()
    for path in (*CODE.glob("*.py"), *(CODE / "gotostate").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            # Pairs of an error and its rule.
            if isinstance(node, ast.Tuple) and node.elts and ast.unparse(node.elts[0]).endswith("Error"):
                found |= {one.value for one in node.elts if isinstance(one, ast.Constant)}
            if isinstance(node, ast.Call):
                given = {"Decision": node.args[1:2], "Obstacle": node.args[:1], "Outcome": node.args[1:2]}
                made = ast.unparse(node.func).rpartition(".")[2]
                found |= {arg.value for arg in given.get(made, []) if isinstance(arg, ast.Constant)}
    # Those that are named; and those that have the tag's own word.
    return {str(rule) for rule in found} | {means.ROLE, means.NOT_REDRIVABLE, "resume", "prepare"}


def test_every_rule_is_in_the_runbook() -> None:
    documented = names(rows(RUNBOOK, "Outcomes by rule"))
    assert len(documented) == len(set(documented))
    # By hand no outcome is told.
    assert set(documented) == rules() - {"by-hand"}


def test_every_metric_is_in_the_runbook() -> None:
    counted = {
        *measures.OUTCOMES.values(),
        measures.FAILURES,
        measures.SECONDS_TO_RECOVERY,
        measures.THROTTLED,
        measures.SWEPT,
    }
    assert set(names(rows(RUNBOOK, "Metrics"))) == counted


def test_every_alarm_has_an_entry_in_the_runbook() -> None:
    alarms = {name for name, found in TEMPLATE["Resources"].items() if found["Type"] == "AWS::CloudWatch::Alarm"}
    documented = re.findall(r"^### Alarm: .*\n+`(\w+)`", RUNBOOK, re.MULTILINE)
    assert set(documented) == alarms


def test_every_make_target_is_in_the_table() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    documented = [name.removeprefix("make ") for name in re.findall(r"`(make [a-z-]+)`", table_of_targets())]
    assert sorted(documented) == sorted(targets)


def table_of_targets() -> str:
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("## Make targets")[2].partition("\n## ")[0]
    return "".join(line.partition("|")[2].partition("|")[0] for line in table.splitlines())
