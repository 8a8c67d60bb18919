"""JSONata for the local account, by jsonata-python."""

from typing import Any

from jsonata import Jsonata
from jsonata.utils import Utils
from localstack.services.stepfunctions.asl.jsonata.jsonata import JSONataException


def evaluate(expression: str) -> Any:
    """Evaluate one expression; an undefined result is None, as in the engine that this stands in for."""
    try:
        return _plain(Jsonata(expression).evaluate(None))
    except Exception as error:
        raise JSONataException("UNKNOWN", str(error)) from error


def _plain(value: Any) -> Any:
    """Turn the engine's own null and sequence types into plain JSON values."""
    if value is Utils.NULL_VALUE:
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | range):
        return [_plain(item) for item in value]
    return value
