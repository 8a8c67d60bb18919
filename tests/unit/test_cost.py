"""The sums in docs/cost.md, done again, and its quantities, counted in the template."""

import json
import re
from decimal import Decimal

import measures
import pytest
from gotostate.definition import Definition
from gotostate.router import add_gotostate
from template_file import RESOURCES, ROOT, TEMPLATE

TEXT = (ROOT / "docs" / "cost.md").read_text()
CENT = Decimal("0.0001")
HOURS = 30 * 24


def number(cell: str) -> Decimal:
    return Decimal(cell.strip("* ").replace(",", ""))


def table(heading: str) -> dict[str, list[str]]:
    """Return the cells of the table below a heading, by the first."""
    below = TEXT.split(f"## {heading}\n", 1)[1]
    found = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert found
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[0].splitlines()[2:]]
    return {cells[0]: cells[1:] for cells in lines}


IDLE, RECOVERIES, BESIDE = (table(name) for name in ("Idle, a month", "Per thousand recoveries", "Beside these"))


@pytest.mark.parametrize("rows", [IDLE, RECOVERIES, BESIDE], ids=["idle", "recoveries", "beside"])
def test_each_row_and_the_sum_are_right(rows: dict[str, list[str]]) -> None:
    total = Decimal(0)
    for name, (quantity, price, per, cost) in rows.items():
        if name == "**sum**":
            assert number(cost) == total
        else:
            assert number(cost) == (number(quantity) * number(price) / number(per)).quantize(CENT), name
            total += number(cost)


def quantity(rows: dict[str, list[str]], name: str) -> Decimal:
    return number(next(cells[0] for row, cells in rows.items() if row.startswith(name)))


def test_the_quantities_are_those_of_the_template() -> None:
    kinds = [found["Type"] for found in RESOURCES.values() if "Condition" not in found]
    assert quantity(IDLE, "alarms") == kinds.count("AWS::CloudWatch::Alarm")
    assert quantity(IDLE, "dashboard") == kinds.count("AWS::CloudWatch::Dashboard")
    assert TEMPLATE["Parameters"]["SweepRate"]["Default"] == "rate(1 hour)"
    assert quantity(IDLE, "sweep: Lambda requests") == quantity(IDLE, "sweep: EventBridge") == HOURS
    counted = (*measures.OUTCOMES.values(), measures.FAILURES, measures.SECONDS_TO_RECOVERY)
    assert quantity(BESIDE, "metrics") == len([*counted, measures.THROTTLED, measures.SWEPT])
    assert TEMPLATE["Parameters"]["Architecture"]["Default"] == "arm64"


def test_the_durations_are_those_that_are_assumed() -> None:
    gigabytes = Decimal(TEMPLATE["Globals"]["Function"]["MemorySize"]) / 1024
    for name in ("ResumerFunction", "SweeperFunction"):
        assert "MemorySize" not in RESOURCES[name]["Properties"]
    assert "assumed to take 5 seconds with 0.5 GB" in TEXT
    assert quantity(IDLE, "sweep: Lambda GB-seconds") == HOURS * 5 * gigabytes
    assert "assumed to take 0.5 seconds with 0.5 GB" in TEXT
    assert quantity(RECOVERIES, "Lambda GB-seconds") == 2_000 * Decimal("0.5") * gigabytes
    # Five pollers that each ask every 20 seconds.
    assert quantity(IDLE, "SQS requests") == 5 * HOURS * 3_600 / 20


def test_the_transitions_are_those_of_the_router() -> None:
    source = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    routed = add_gotostate(Definition.parse(json.dumps(source))).document
    # The states that automation passes (docs/gotostate-definition.md).
    path = ["GoToState", "GoToState Backoff", "GoToState Input", "GoToState Enter"]
    assert routed["StartAt"] == path[0]
    assert set(path) <= set(routed["States"])
    assert quantity(RECOVERIES, "state transitions") == 1_000 * len(path)
