"""The storm's results: as JSON, as a table, as a chart."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.storm import BEFORE, FAILING_SECONDS, ORIGINAL, SCENARIOS, CallSequence, Delivery, Storm

# The chart's colours, in light and in dark.
COLOURS = {"now": ("#0b6e4f", "#4cd9a0"), "before": ("#b45309", "#fbbf24"), "original": ("#b91c1c", "#f87171")}
LABELS = {
    "now": "now: all resumed",
    "before": "before the queue: {resumed:,} resumed, then dead letters",
    "original": "the original script's calls: {resumed:,} resumed",
}
WIDTH, HEIGHT, LEFT, RIGHT, TOP = 720, 300, 64, 28, 24
CHART_SECONDS = 720


def report(sizes: tuple[int, ...], only: str, *, as_json: bool, chart: str | None) -> None:
    """Run the storms and print what came of them."""
    if chart:
        Path(chart).write_text(_chart(10_000))
        print(f"wrote {chart}")
        return
    found = []
    for scenario in SCENARIOS:
        for failures in sizes if only in scenario.name else ():
            storm = Storm(scenario, failures, Delivery.from_template())
            storm.run()
            found.append(storm.result())
            if not as_json:
                _print_row(found[-1], heading=len(found) == 1)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for name, calls in (("before the queue", BEFORE), ("the original script", ORIGINAL)):
        for failures in sizes:
            sequence = CallSequence(name, calls, failures)
            sequence.run()
            _print_row(sequence.result(), heading=False)


def _print_row(result: dict[str, Any], *, heading: bool) -> None:
    columns = (
        ("scenario", "<36"),
        ("failures", ">8,"),
        ("resumed", ">8,"),
        ("twice", ">6"),
        ("lost", ">5"),
        ("deadLetters", ">12,"),
        ("seconds", ">8.0f"),
        ("ratio", ">6.2f"),
        ("callsPerFailure", ">16.2f"),
    )
    if heading:
        print(" ".join(format(name, form.rstrip(",f").partition(".")[0]) for name, form in columns))
    print(" ".join(format(result[name], form) for name, form in columns), flush=True)


def _chart(failures: int) -> str:
    """Draw how many failures were resumed after how many seconds, by the three ways."""
    now = Storm(SCENARIOS[0], failures, Delivery.from_template())
    now.run()
    before, original = CallSequence("before", BEFORE, failures), CallSequence("original", ORIGINAL, failures)
    before.run()
    original.run(until=CHART_SECONDS)
    series = {"now": now.resumed_at(), "before": sorted(before.done_at), "original": sorted(original.done_at)}
    paths, marks = [], []
    for name, times in series.items():
        paths.append(f'<path class="{name}" d="{_path(times, failures)}"/>')
    places = {"now": (WIDTH - 300, TOP + 26), "before": (WIDTH - RIGHT, 268), "original": (WIDTH - RIGHT, 292)}
    for name, times in series.items():
        x, y = places[name]
        text = LABELS[name].format(resumed=len(times))
        marks.append(f'<text class="{name}" x="{x}" y="{y}" text-anchor="end">{text}</text>')
    light = "".join(f"path.{name}{{stroke:{one}}}text.{name}{{fill:{one}}}" for name, (one, _) in COLOURS.items())
    dark = "".join(f"path.{name}{{stroke:{two}}}text.{name}{{fill:{two}}}" for name, (_, two) in COLOURS.items())
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 60}" role="img"
 aria-label="Failures resumed over time: with the queue all {failures:,} in {round(max(series["now"]))} seconds">
<style>
text{{font:13px system-ui,sans-serif;fill:#374151}} .grid{{stroke:#d1d5db}} path{{fill:none;stroke-width:2.5}} {light}
@media (prefers-color-scheme: dark) {{ text{{fill:#d1d5db}} .grid{{stroke:#4b5563}} {dark} }}
</style>
{_grid(failures)}
{chr(10).join([*paths, *marks])}
</svg>
"""


def _path(times: Sequence[float], failures: int) -> str:
    points = [(0.0, 0)]
    step = max(len(times) // 120, 1)
    points += [(times[number], number + 1) for number in range(0, len(times), step)]
    points += [(times[-1], len(times))] if times else []
    points.append((CHART_SECONDS, len(times)))
    return "M" + " L".join(f"{_x(seconds):.1f} {_y(count / failures):.1f}" for seconds, count in points)


def _grid(failures: int) -> str:
    lines = [f'<text x="{LEFT}" y="{TOP - 8}">failures resumed, of {failures:,} in {FAILING_SECONDS} seconds</text>']
    for part in (0, 0.25, 0.5, 0.75, 1):
        y = _y(part)
        lines.append(f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{round(part * failures):,}</text>')
    y = TOP + HEIGHT + 18
    lines += [
        f'<text x="{_x(seconds)}" y="{y}" text-anchor="middle">{seconds // 60} min</text>'
        for seconds in range(0, CHART_SECONDS + 1, 120)
    ]
    return "\n".join(lines)


def _x(seconds: float) -> float:
    return LEFT + (WIDTH - RIGHT - LEFT) * seconds / CHART_SECONDS


def _y(part: float) -> float:
    return TOP + HEIGHT * (1 - part)
