"""What a person is told to type: first to look where something speaks against a resume, on the stack that they use."""

import pytest
from gotostate.nextsteps import command, first_step, steps
from gotostate.policy import Action, Decision
from gotostate.settings import named

LOOK, RESUME = "gotostate plan a", "gotostate resume a"


@pytest.mark.parametrize(
    ("action", "rule", "all_steps", "first"),
    [
        (Action.SKIP, "not-opted-in", (RESUME,), RESUME),
        (Action.SKIP, "aborted", (RESUME,), RESUME),
        (Action.SKIP, "off", (), None),
        (Action.SKIP, "map-run-child", (), None),
        (Action.GIVE_UP, "max-attempts", (RESUME,), RESUME),
        (Action.GIVE_UP, "nothing-to-resume", (LOOK,), LOOK),
        (Action.PREPARE, "prepare", (LOOK, RESUME), RESUME),
        (Action.PREPARE, "error", (LOOK, RESUME), LOOK),
        (Action.PREPARE, "finished", (LOOK,), LOOK),
        (Action.RESUME, "resume", (RESUME,), RESUME),
        (Action.REDRIVE, "redrive", (RESUME,), RESUME),
    ],
)
def test_what_to_type_by_the_rule(action: Action, rule: str, all_steps: tuple[str, ...], first: str | None) -> None:
    decision = Decision(action, rule, "")
    assert steps(decision, "a") == all_steps
    assert first_step(decision, "a", is_enterable=True) == first
    # What cannot be entered is looked at.
    assert first_step(decision, "a", is_enterable=False) == (LOOK if first else None)


@pytest.mark.parametrize(
    "decision",
    [
        Decision(Action.PREPARE, "error", ""),
        Decision(Action.PREPARE, "prepare", ""),
        Decision(Action.GIVE_UP, "max-attempts", ""),
        Decision(Action.SKIP, "left-to-parent", "", look="the parent"),
    ],
)
@pytest.mark.parametrize("is_enterable", [True, False])
def test_each_command_names_the_stack(decision: Decision, is_enterable: bool) -> None:
    options = ("--stack", "dev")
    shown = first_step(decision, "a", options, is_enterable=is_enterable)
    assert all(step.endswith(" --stack dev") for step in (*steps(decision, "a", options), str(shown)))


@pytest.mark.parametrize("action", [Action.SKIP, Action.PREPARE])
def test_another_execution_is_looked_at_instead(action: Action) -> None:
    decision = Decision(action, "left-to-parent", "", look="the parent")
    assert steps(decision, "a") == ("gotostate plan 'the parent'",)
    assert first_step(decision, "a", is_enterable=False) == "gotostate plan 'the parent'"


@pytest.mark.parametrize(
    ("stack", "profile", "more"),
    [
        (None, None, ""),
        ("sfn-resume", None, ""),
        ("dev resume", None, " --stack 'dev resume'"),
        ("dev", "me", " --stack dev --profile me"),
        (None, "me", " --profile me"),
    ],
)
def test_a_command_names_the_stack_and_the_profile_where_they_are_not_the_usual_ones(
    stack: str | None, profile: str | None, more: str
) -> None:
    assert command("plan", "a", named(stack, profile)) == f"gotostate plan a{more}"
