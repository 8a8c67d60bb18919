"""No test but the end-to-end ones may reach an account, real or local."""

from collections.abc import Mapping

import pytest
from gotostate.errors import StackError


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
    raise StackError(f"there is no stack {name} in {region}; give its name with --stack")
