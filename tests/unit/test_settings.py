"""The stack's parameters and a machine's tags: what is read, what wins, and what is reported."""

import re
from pathlib import Path
from typing import Any

import pytest
from gotostate.settings import PREPARE_ERRORS, TAGS, Settings, for_machine, matches, settings_from

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


def test_the_template_has_the_default_that_the_code_has() -> None:
    template = (ROOT / "template.yaml").read_text()
    (default,) = re.findall(r"  PrepareErrors:\n    Type: String\n    Default: (\S+)\n", template)
    assert tuple(default.split(",")) == PREPARE_ERRORS


def test_every_tag_and_every_error_is_documented() -> None:
    for word in (*TAGS, *PREPARE_ERRORS):
        assert f"`{word}`" in POLICY, word
    documented = set(re.findall(r"^\| `(gotostate:[a-z-]+)`", POLICY, re.MULTILINE))
    assert documented == set(TAGS)
