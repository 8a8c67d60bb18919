"""The settings for a failure: the stack's parameters, which the tags of the state machine override."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from gotostate.errors import SettingsError
from gotostate.resumption import OPT_IN_TAG

# Step Functions raises these because of the data or the definition, so they occur again with the same input; or because
# of permissions, which somebody has to grant
# (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html).
PREPARE_ERRORS = (
    "States.Runtime",
    "States.QueryEvaluationError",
    "States.DataLimitExceeded",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.ResultPathMatchFailure",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.Permissions",
    "*AccessDenied*",
)
# The name in samconfig.toml.
DEFAULT_STACK = "sfn-resume"
_MOST_ATTEMPTS = 100
_LONGEST_BACKOFF_SECONDS = 86_400


class Mode(StrEnum):
    """Values of the tag 'gotostate' on a state machine."""

    RESUME = "resume"
    PREPARE = "prepare"
    OFF = "off"


class Strategy(StrEnum):
    """The means by which failures are recovered.

    AUTO: a GoToState execution, and the native redrive where that cannot be exact or lacks the permission.
    """

    AUTO = "auto"
    GOTOSTATE = "gotostate"
    REDRIVE = "redrive"


@dataclass(frozen=True)
class Settings:
    """The stack's parameters, or those that hold for one state machine; times in seconds.

    prepare_errors, resume_errors: patterns of error names, * for any characters; the machine's own come first.
    not_idempotent: states that must not be entered again without a person.
    sources: by field, where its value comes from if that is a tag. problems: what is wrong with the tags.
    command_options: what a command that is shown needs in order to find the same stack: --stack NAME, --profile P.
    """

    max_attempts: int = 5
    default_mode: Mode = Mode.OFF
    backoff_seconds: int = 60
    backoff_rate: float = 4.0
    max_backoff_seconds: int = 86_400
    resume_inside: bool = True
    strategy: Strategy = Strategy.AUTO
    prepare_errors: tuple[str, ...] = PREPARE_ERRORS
    own_prepare_errors: tuple[str, ...] = ()
    resume_errors: tuple[str, ...] = ()
    not_idempotent: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    command_options: tuple[str, ...] = ()

    def source_of(self, name: str, parameter: str) -> str:
        """Say where the value of a field comes from."""
        return self.sources.get(name, f"the stack's {parameter}")


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings; unset ones get their default. Raises SettingsError that names variable and parameter."""
    default = Settings()
    mode = environment.get("DEFAULT_MODE", default.default_mode.value)
    if mode not in set(Mode):
        raise SettingsError(
            f"DEFAULT_MODE is {mode!r}; set the stack's parameter DefaultMode to resume, prepare or off"
        )
    inside = environment.get("RESUME_INSIDE", "true")
    if inside not in ("true", "false"):
        raise SettingsError(f"RESUME_INSIDE is {inside!r}; set the stack's parameter ResumeInside to true or false")
    strategy = environment.get("STRATEGY", default.strategy.value)
    if strategy not in set(Strategy):
        raise SettingsError(
            f"STRATEGY is {strategy!r}; set the stack's parameter Strategy to auto, gotostate or redrive"
        )
    return Settings(
        max_attempts=whole(environment, "MAX_ATTEMPTS", "MaxAttempts", default.max_attempts),
        default_mode=Mode(mode),
        backoff_seconds=whole(environment, "BACKOFF_SECONDS", "BackoffSeconds", default.backoff_seconds),
        backoff_rate=_rate(environment.get("BACKOFF_RATE", str(default.backoff_rate))),
        max_backoff_seconds=whole(environment, "MAX_BACKOFF_SECONDS", "MaxBackoffSeconds", default.max_backoff_seconds),
        resume_inside=inside == "true",
        strategy=Strategy(strategy),
        prepare_errors=_patterns(environment.get("PREPARE_ERRORS", ",".join(default.prepare_errors))),
        command_options=named(environment.get("STACK_NAME")),
    )


def named(stack: str | None, profile: str | None = None) -> tuple[str, ...]:
    """Return the options of a command that name the stack and the profile, if they are not the default ones."""
    words = ("--stack", stack) if stack and stack != DEFAULT_STACK else ()
    return (*words, "--profile", profile) if profile else words


def for_machine(tags: Mapping[str, str], settings: Settings) -> Settings:
    """Return the settings that hold for one state machine; a tag whose value cannot be read leaves the stack's.

    Tag values have neither commas nor asterisks, so lists are separated by / and name errors and states in full.
    """
    found: dict[str, Any] = {}
    sources: dict[str, str] = {}
    problems: list[str] = []
    for tag, (name, read, expected) in TAGS.items():
        if tag not in tags:
            continue
        try:
            found[name] = read(tags[tag])
        except ValueError:
            problems.append(f"its tag {tag} is {tags[tag]!r}, expected {expected}; the stack's value is used")
        else:
            sources[name] = f"its tag {tag}"
    return replace(settings, **found, sources=sources, problems=tuple(problems))


def matches(error: str, patterns: tuple[str, ...]) -> str | None:
    """Return the first pattern that an error's name matches; * stands for any characters."""
    return next((pattern for pattern in patterns if _is_like(error, pattern)), None)


def _is_like(text: str, pattern: str) -> bool:
    """Match piece by piece, each as early as possible: a regular expression takes far too long with many *."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    last = rest.pop()
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in rest:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10) or int(text) > most:
        raise ValueError
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    found = tuple(name.strip() for name in text.split("/"))
    if not all(found):
        raise ValueError
    return found


# By tag: the field of Settings, how the value is read, and what is expected.
TAGS: dict[str, tuple[str, Any, str]] = {
    f"{OPT_IN_TAG}:max-attempts": (
        "max_attempts",
        lambda text: _number(text, _MOST_ATTEMPTS),
        f"a whole number from 0 to {_MOST_ATTEMPTS}",
    ),
    f"{OPT_IN_TAG}:backoff-seconds": (
        "backoff_seconds",
        lambda text: _number(text, _LONGEST_BACKOFF_SECONDS),
        f"a whole number from 0 to {_LONGEST_BACKOFF_SECONDS}",
    ),
    f"{OPT_IN_TAG}:prepare-errors": ("own_prepare_errors", _names, "names of errors, separated by /"),
    f"{OPT_IN_TAG}:resume-errors": ("resume_errors", _names, "names of errors, separated by /"),
    f"{OPT_IN_TAG}:not-idempotent": ("not_idempotent", _names, "names of states, separated by /"),
    f"{OPT_IN_TAG}:resume-inside": ("resume_inside", _truth, "true or false"),
    f"{OPT_IN_TAG}:strategy": ("strategy", Strategy, "auto, gotostate or redrive"),
}


def whole(environment: Mapping[str, str], variable: str, parameter: str, default: int) -> int:
    """Read a whole number. Raises SettingsError that names variable and parameter."""
    text = environment.get(variable, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise SettingsError(f"{variable} is {text!r}; set the stack's parameter {parameter} to a whole number")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 1 <= rate <= 100:
        raise SettingsError(
            f"BACKOFF_RATE is {text!r}; set the stack's parameter BackoffRate to a number from 1 to 100"
        )
    return rate


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(pattern.strip() for pattern in text.split(",") if pattern.strip())
