"""The calls that functions made, as the local account's bootstrap records them."""

import json
from collections.abc import Iterator
from pathlib import Path

from iam.authorization import Call, Place, requests_of
from iam.simulator import Request


def calls_in(file: Path) -> Iterator[Call]:
    """Yield the calls in a recording (local/local_account/bootstrap.py), in their order; none where it is missing."""
    if file.exists():
        with file.open() as lines:
            for line in lines:
                yield Call(**json.loads(line))


def distinct(calls: list[Call], place: Place) -> list[Request]:
    """Return the requests that IAM is asked about calls, each once. Raises UnknownCallError."""
    return list(dict.fromkeys(request for call in calls for request in requests_of(call, place)))
