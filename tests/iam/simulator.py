"""What a role's policies allow, judged by an IAM simulator that runs in Node.js (simulate.mjs)."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

_SCRIPT = Path(__file__).with_name("simulate.mjs")


class SimulatorError(Exception):
    """A request cannot be judged: AWS knows no such action, or not for such a resource, or a policy is malformed."""


class Grant(NamedTuple):
    """One action on one resource that a statement allows."""

    sid: str
    action: str
    resource: str


@dataclass(frozen=True)
class Request:
    """What IAM is asked: may this action be done on this resource; context: condition keys and their values."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Role:
    """A role. arn: of the role itself; policies: its inline policies by name, as JSON documents."""

    name: str
    arn: str
    policies: Mapping[str, Any] = field(hash=False)

    @property
    def grants(self) -> frozenset[Grant]:
        """All that its statements allow."""
        statements = [found for policy in self.policies.values() for found in listed(policy["Statement"])]
        return frozenset(
            Grant(statement["Sid"], action, resource)
            for statement in statements
            if statement["Effect"] == "Allow"
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        )


class Verdict(NamedTuple):
    """Whether a request is allowed, and by which grants; grants: also those whose Condition does not hold."""

    allowed: bool
    grants: frozenset[Grant]


class Simulator:
    """The simulator; a context manager, as it is a process."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["node", str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # It ends with its input.
        self._process.communicate()

    def judge(self, role: Role, requests: Sequence[Request]) -> list[Verdict]:
        """Judge requests of a role. Raises SimulatorError."""
        asked = {
            "principal": role.arn,
            "account": role.arn.split(":")[4],
            "policies": role.policies,
            "requests": [vars(request) for request in requests],
        }
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SimulatorError("the simulator ended; what it said is above (is it installed? make setup)")
        return [_verdict(request, answer) for request, answer in zip(requests, json.loads(line), strict=True)]

    def denied(self, role: Role, requests: Sequence[Request]) -> list[Request]:
        """Return those of the requests that a role does not allow. Raises SimulatorError."""
        verdicts = self.judge(role, requests)
        return [request for request, verdict in zip(requests, verdicts, strict=True) if not verdict.allowed]

    def allowed(self, role: Role, requests: Sequence[Request]) -> list[Request]:
        """Return those of the requests that a role allows. Raises SimulatorError."""
        verdicts = self.judge(role, requests)
        return [request for request, verdict in zip(requests, verdicts, strict=True) if verdict.allowed]

    def unused(self, role: Role, requests: Sequence[Request]) -> frozenset[Grant]:
        """Return what a role allows and none of the requests uses. Raises SimulatorError."""
        verdicts = self.judge(role, requests)
        return role.grants.difference(*(verdict.grants for verdict in verdicts))


def listed(value: Any) -> list[Any]:
    """Return a list as it is, and anything else as a list of one, as IAM and CloudFormation read them."""
    return value if isinstance(value, list) else [value]


def _verdict(request: Request, answer: dict[str, Any]) -> Verdict:
    if "problem" in answer:
        raise SimulatorError(f"{request} cannot be judged: {answer['problem']}")
    return Verdict(answer["allowed"], frozenset(Grant(*grant) for grant in answer["grants"]))
