"""Valid samples, spoiled: what a fuzz test sends, and what must hold of all that comes back."""

import copy
import json
import logging
import os
from collections.abc import Iterator
from functools import cache
from io import BytesIO, TextIOWrapper
from typing import Any

import pytest
from fake_account import Account, Wired
from gotostate.memory import Memory
from gotostate.pace import Pace
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# A nightly run multiplies the examples and draws others each time; what fails is printed as @reproduce_failure.
# In CI they are the same each time: a gate must not turn red for a change that has nothing to do with it.
TIMES = int(os.environ.get("SFN_RESUME_EXAMPLES", "0"))

DEEP = 2_000
LONE = "\ud800"
texts = st.sampled_from(
    [
        "",
        " ",
        "NaN",
        "null",
        "{}",
        LONE,
        f"a{LONE}b",
        "\x00",
        "\n",
        "\u202e",
        "é☕",
        "x" * 5_000,
        "%s",
        "1e999",
        "0" * 5_000,
    ]
) | st.text(max_size=6)
numbers = st.sampled_from([0, -1, 2**31, 2**63, 10**30, 10**400, -(10**400), 0.5, 1e308, float("nan"), float("inf")])
scalars = st.none() | st.booleans() | numbers | texts
junk = (
    scalars
    | st.lists(scalars, max_size=2)
    | st.dictionaries(texts, scalars, max_size=2)
    | st.sampled_from([40, 400]).flatmap(lambda depth: st.builds(nested, st.just(depth)))
)


def examples(number: int) -> settings:
    """Say how many examples are drawn."""
    return settings(
        max_examples=number * max(TIMES, 1),
        derandomize=not TIMES,
        print_blob=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def nested(depth: int) -> Any:
    value: Any = 0
    for number in range(depth):
        value = [value] if number % 2 else {"x": value}
    return value


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all values within a JSON value."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield (*above, key)
        yield from places(inner, (*above, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


@st.composite
def spoiled(draw: st.DrawFn, sample: Any, most: int = 3) -> Any:
    """Draw a JSON value with a few things in it dropped, replaced, swapped, repeated or added."""
    value = copy.deepcopy(sample)
    for _ in range(draw(st.integers(1, most))):
        value = draw(_once(value))
    return value


@st.composite
def _once(draw: st.DrawFn, value: Any) -> Any:
    found = list(places(value))
    if not found or draw(st.integers(0, 30)) == 0:
        return draw(junk)
    path = draw(st.sampled_from(found))
    holder, key = at(value, path[:-1]), path[-1]
    match draw(st.sampled_from(["drop", "replace", "replace", "swap", "repeat", "text"])):
        case "drop":
            del holder[key]
        case "replace":
            holder[key] = draw(junk)
        case "swap":
            # A copy, so that nothing comes to hold itself.
            holder[key] = copy.deepcopy(at(value, draw(st.sampled_from(found))))
        case "repeat" if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        case "repeat":
            holder[draw(texts)] = copy.deepcopy(holder[key])
        case _:
            holder[key] = written(holder[key])
    return value


def written(value: Any) -> str:
    """Write a JSON value as text; what is no JSON, as NaN and a lone surrogate, is written all the same."""
    return json.dumps(value, ensure_ascii=False)


@st.composite
def spoiled_texts(draw: st.DrawFn, sample: Any, most: int = 3) -> str:
    """Draw the text of a spoiled JSON value, now and then spoiled as a text too."""
    text = written(draw(spoiled(sample, most)))
    match draw(st.sampled_from(["whole", "whole", "whole", "cut", "insert", "twice", "deep"])):
        case "cut":
            return text[: draw(st.integers(0, len(text)))]
        case "insert":
            place = draw(st.integers(0, len(text)))
            return text[:place] + draw(st.sampled_from([",", "{", "]", '"', "\\", "\x00", "NaN", LONE])) + text[place:]
        case "twice":
            return text[:-1] + "," + text[1:] if text.startswith("{") and len(text) > 2 else text + text
        case "deep":
            return text[:-1] + ',"deep":' + "[" * DEEP + "]" * DEEP + "}" if len(text) > 2 else "[" * DEEP
    return text


class Client(Wired):
    """The real clients, made once for all examples, as each takes as long as an example does."""

    def __init__(self) -> None:
        super().__init__(Account())
        self._made: dict[str, Any] = {}

    def connect(self, service: Any) -> Any:
        if service not in self._made:
            self._made[service] = super().connect(service)
        return self._made[service]


@cache
def _client() -> Client:
    return Client()


def client_of(account: Account) -> Client:
    """Return the clients, which speak to an account from now on."""
    client = _client()
    client.account = account
    client.pace = Pace(clock=lambda: account.now, sleep=client._sleep)
    return client


def memory_of(account: Account) -> Memory:
    """What a new container of a function has."""
    return Memory(client_of(account), clock=lambda: account.now)


class Log:
    """What a function logs, kept as Lambda does: as UTF-8, a line of JSON each."""

    def __init__(self, logger: Any, patch: pytest.MonkeyPatch) -> None:
        self._bytes = BytesIO()
        handler = logger.registered_handler
        patch.setattr(handler, "stream", TextIOWrapper(self._bytes, "utf-8", write_through=True))
        patch.setattr(handler, "handleError", _raise)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._bytes.getvalue().decode().splitlines()]


def _raise(record: logging.LogRecord) -> None:
    raise AssertionError(f"a line of the log was lost: {record.getMessage()!r}")


def sent(answer: Any) -> bytes:
    """Return what Lambda's runtime sends of an answer; it cannot send a lone surrogate."""
    return json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
