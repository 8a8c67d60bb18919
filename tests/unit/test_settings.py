"""The stack's parameters and a machine's tags: what is read, what wins, and what is reported."""

import re
from pathlib import Path
from typing import Any

import pytest
from gotostate.settings import PREPARE_ERRORS, TAGS, Settings, for_machine, matches, settings_from
from template_file import RESOURCES, TEMPLATE

ROOT = Path(__file__).parents[2]
POLICY = (ROOT / "docs" / "policy.md").read_text()


@pytest.mark.parametrize(
    ("tag", "value", "field", "expected"),
    [
        ("max-attempts", "0", "max_attempts", 0),
        ("max-attempts", "100", "max_attempts", 100),
        ("backoff-seconds", "86400", "backoff_seconds", 86_400),
        ("prepare-errors", "A/B.C", "own_prepare_errors", ("A", "B.C")),
        ("resume-errors", "States.Runtime", "resume_errors", ("States.Runtime",)),
        ("not-idempotent", "Charge / Ship it", "not_idempotent", ("Charge", "Ship it")),
        ("resume-inside", "false", "resume_inside", False),
    ],
)
def test_a_tag_wins_over_the_stack(tag: str, value: str, field: str, expected: Any) -> None:
    found = for_machine({f"gotostate:{tag}": value, "gotostate:other": "x", "team": "shop"}, Settings())
    assert getattr(found, field) == expected
    assert found.source_of(field, "Parameter") == f"its tag gotostate:{tag}"
    assert found.problems == ()


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("max-attempts", "many"),
        ("max-attempts", "101"),
        ("max-attempts", "-1"),
        ("max-attempts", "\u0663"),
        ("max-attempts", ""),
        ("backoff-seconds", "1.5"),
        ("backoff-seconds", "86401"),
        ("prepare-errors", ""),
        ("prepare-errors", "A//B"),
        ("resume-inside", "True"),
    ],
)
def test_a_tag_that_cannot_be_read_leaves_the_stacks_value_and_is_reported(tag: str, value: str) -> None:
    stack = Settings(max_attempts=7)
    found = for_machine({f"gotostate:{tag}": value}, stack)
    assert (found.max_attempts, found.backoff_seconds, found.own_prepare_errors, found.resume_inside) == (
        7,
        60,
        (),
        True,
    )
    assert found.source_of("max_attempts", "MaxAttempts") == "the stack's MaxAttempts"
    (problem,) = found.problems
    assert f"gotostate:{tag} is {value!r}" in problem


@pytest.mark.parametrize(
    ("error", "patterns", "matched"),
    [
        ("States.Runtime", PREPARE_ERRORS, "States.Runtime"),
        ("States.Runtimes", PREPARE_ERRORS, None),
        ("DynamoDb.AccessDeniedException", PREPARE_ERRORS, "*AccessDenied*"),
        ("StatesXRuntime", ("States.Runtime",), None),
        ("A\nB", ("A*",), "A*"),
        ("anything", ("*",), "*"),
        ("", ("*",), "*"),
        ("Boom", (), None),
        ("a+b(", ("a+b(",), "a+b("),
    ],
)
def test_patterns_of_errors(error: str, patterns: tuple[str, ...], matched: str | None) -> None:
    assert matches(error, patterns) == matched


@pytest.mark.parametrize(
    ("text", "patterns"), [("", ()), ("A, B*,", ("A", "B*")), ("States.Runtime", ("States.Runtime",))]
)
def test_prepare_errors_of_the_stack(text: str, patterns: tuple[str, ...]) -> None:
    assert settings_from({"PREPARE_ERRORS": text}).prepare_errors == patterns


class Noted(dict[str, str]):
    """An environment in which nothing is set, and that notes what was looked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return default


@pytest.mark.parametrize("function", ["ResumerFunction", "WidgetFunction", "RequestFunction"])
def test_each_function_that_decides_has_what_the_code_reads_and_the_same_default(function: str) -> None:
    environment = Noted()
    settings_from(environment)
    variables = RESOURCES[function]["Properties"]["Environment"]["Variables"]
    assert environment.names - set(variables) == set()
    # By the name of the parameter: MAX_ATTEMPTS is MaxAttempts.
    names = environment.names - {"STACK_NAME"}
    parameters = {name: TEMPLATE["Parameters"][name.title().replace("_", "")] for name in names}
    assert settings_from({name: str(found["Default"]) for name, found in parameters.items()}) == Settings()


@pytest.mark.parametrize("tag", ["max-attempts", "backoff-seconds"])
def test_a_tag_takes_what_its_parameter_takes(tag: str) -> None:
    name, _, expected = TAGS[f"gotostate:{tag}"]
    most = TEMPLATE["Parameters"][name.title().replace("_", "")]["MaxValue"]
    assert expected == f"a whole number from 0 to {most}"
    assert not for_machine({f"gotostate:{tag}": str(most)}, Settings()).problems
    assert for_machine({f"gotostate:{tag}": str(most + 1)}, Settings()).problems


def test_every_tag_and_every_error_is_documented() -> None:
    for word in (*TAGS, *PREPARE_ERRORS):
        assert f"`{word}`" in POLICY, f"{word} is not in docs/policy.md"
    documented = set(re.findall(r"^\| `(gotostate:[a-z-]+)`", POLICY, re.MULTILINE))
    assert documented == set(TAGS)
