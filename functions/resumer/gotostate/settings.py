"""The stack's parameters, as they stand in the function's environment."""

from collections.abc import Mapping

from gotostate.errors import SettingsError
from gotostate.policy import Mode, Settings


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings; what is not set has its default. Raises SettingsError that names variable and parameter."""
    default = Settings()
    mode = environment.get("DEFAULT_MODE", default.default_mode.value)
    if mode not in set(Mode):
        raise SettingsError(
            f"DEFAULT_MODE is {mode!r}; set the stack's parameter DefaultMode to resume, prepare or off"
        )
    inside = environment.get("RESUME_INSIDE", "true")
    if inside not in ("true", "false"):
        raise SettingsError(f"RESUME_INSIDE is {inside!r}; set the stack's parameter ResumeInside to true or false")
    return Settings(
        max_attempts=_whole(environment, "MAX_ATTEMPTS", "MaxAttempts", default.max_attempts),
        default_mode=Mode(mode),
        backoff_seconds=_whole(environment, "BACKOFF_SECONDS", "BackoffSeconds", default.backoff_seconds),
        backoff_rate=_rate(environment.get("BACKOFF_RATE", str(default.backoff_rate))),
        max_backoff_seconds=_whole(
            environment, "MAX_BACKOFF_SECONDS", "MaxBackoffSeconds", default.max_backoff_seconds
        ),
        resume_inside=inside == "true",
    )


def _whole(environment: Mapping[str, str], variable: str, parameter: str, default: int) -> int:
    text = environment.get(variable, str(default))
    if not (text.isascii() and text.isdecimal()):
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
