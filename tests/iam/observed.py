"""Functions that run here, before an account in memory: their calls are recorded and answered, and reach nobody."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore import handlers
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session
from fake_account import Account, Wired
from gotostate.stepfunctions import StepFunctions

# The services that the account in memory knows.
_IN_MEMORY = ("events", "logs", "resourcegroupstaggingapi", "stepfunctions")


class Aws(Wired):
    """The account in memory; what it does not know is answered by what `observe` was given.

    unrecorded: a handler of before-parameter-build that does not hear of the calls.
    """

    def __init__(self, account: Account, unrecorded: Callable[..., None] | None = None) -> None:
        super().__init__(account)
        self._unrecorded = unrecorded

    def connect(self, service: Any) -> Any:
        client = super().connect(service) if service in _IN_MEMORY else StepFunctions.connect(self, service)
        if self._unrecorded:
            client.meta.events.unregister("before-parameter-build", self._unrecorded)
        return client


def observe(patch: pytest.MonkeyPatch, record: Callable[..., None], answers: Mapping[str, str]) -> None:
    """Record the calls of all clients that are made from now on.

    record: a handler of before-parameter-build, as local_account.bootstrap.recorder makes it. answers: bodies by
    botocore's names of service and operation, as in sfn.StartExecution, for calls that no account in memory answers.
    """

    def answer(request: Any, event_name: str, **kwargs: Any) -> AWSResponse | None:
        body = answers.get(event_name.removeprefix("before-send."))
        if body is None:
            return None
        response = AWSResponse(request.url, 200, HTTPHeaders(), None)
        vars(response)["_content"] = body.encode()
        return response

    def refuse(session: object, request: Any) -> None:
        raise AssertionError(
            f"nobody answers {request.method} {request.url} {dict(request.headers)}: add it to ANSWERS"
        )

    added = [("before-parameter-build", record), ("before-send", answer)]
    patch.setattr(handlers, "BUILTIN_HANDLERS", [*handlers.BUILTIN_HANDLERS, *added])
    patch.setattr(URLLib3Session, "send", refuse)
    # A session has the handlers of the time at which it was made.
    patch.setattr(boto3, "DEFAULT_SESSION", None)


def forget(patch: pytest.MonkeyPatch, module: ModuleType, *names: str) -> None:
    """Let a module make its clients anew, and leave those that it has to other tests."""
    for name in names:
        patch.setattr(module, name, getattr(module, name).__wrapped__)
