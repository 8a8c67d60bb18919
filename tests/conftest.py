"""No test but the end-to-end ones may reach an account, real or local; those of one account run one after the other."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import pytest
from account import endpoints
from gotostate.errors import NoStackError
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# No test is timed: a machine may be busy with something else.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# These share a deployed stack, or the folder of what was built, so one process runs them.
_DEPLOYED = ("tests/e2e/", "tests/functional/test_local_invoke.py::", "tests/functional/test_runtime.py::")
# Where there are two accounts, these have the second; about as long as the others, and with no build.
_SECOND = ("continue_as_new", "equivalence", "inside", "readme", "resume", "router", "soak")


class _Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives the tests of each account to one process, and the others, one by one, to whoever is free.

    (`--dist loadgroup` does not group with pytest 9.2.)
    """

    def _split_scope(self, nodeid: str) -> str:
        if not nodeid.startswith(_DEPLOYED):
            return nodeid
        name = PurePosixPath(nodeid.partition("::")[0]).stem.removeprefix("test_")
        return "second" if len(endpoints()) > 1 and (name in _SECOND or nodeid.endswith("[second]")) else "first"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduler:
    """Schedule the tests of `pytest -n`."""
    return _Scheduler(config, log)


@pytest.fixture(autouse=True)
def no_account(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "e2e" in request.path.parts:
        return
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setattr("gotostate.cli.account.environment_of", _no_stack)


def _no_stack(name: str, region: str | None, profile: str | None, *, is_hasty: bool = True) -> Mapping[str, str]:
    """Answer for an account that no stack was deployed to; who needs one patches it again."""
    raise NoStackError(f"there is no stack {name} in {region}; give its name with --stack")
