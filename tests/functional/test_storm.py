"""A storm at a small size, in simulated time: the real handler against AWS's quotas, SQS and the mapping."""

from dataclasses import replace

import pytest

from bench.storm import SCENARIOS, Delivery, Scenario, Storm


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_in_a_storm_nothing_is_lost_and_nothing_runs_twice(scenario: Scenario) -> None:
    few = replace(scenario, machines=min(scenario.machines, 30), strangers=min(scenario.strangers, 100))
    storm = Storm(few, 300, Delivery.from_template())
    storm.run()
    result = storm.result()
    told = {name: result[name] for name in ("resumed", "twice", "wrong", "lost", "deadLetters")}
    assert told == {"resumed": 300, "twice": 0, "wrong": 0, "lost": 0, "deadLetters": 0}
