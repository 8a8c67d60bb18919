"""The account of a failed execution, as the command uses it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from gotostate import reading
from gotostate.errors import NotFoundError
from gotostate.failure import Failure
from gotostate.memory import Memory
from gotostate.report import Report
from gotostate.resumption import Asked, ExecutionArn
from gotostate.settings import Settings, for_machine
from gotostate.stepfunctions import StepFunctions


@dataclass(frozen=True)
class Account:
    """A failed execution and the account that it is in."""

    arn: ExecutionArn
    memory: Memory

    @classmethod
    def of(cls, execution_arn: str) -> "Account":
        """Connect to the account and region of an execution. Raises ArnError."""
        arn = ExecutionArn.parse(execution_arn)
        # The region of the ARN, so that the command is right whatever the shell's default region is.
        return cls(arn, Memory(StepFunctions(arn.region)))

    @cached_property
    def settings(self) -> Settings:
        """The parameters of a stack with its defaults, and the machine's tags: a person decides on the attempts."""
        return for_machine(self._tags, Settings())

    def asked(self, reason: str | None) -> Asked:
        """Tell who types, by the ARN that AWS knows them by."""
        try:
            by = self.memory.aws.connect("sts").get_caller_identity()["Arn"]
        except Exception:  # noqa: BLE001  where STS cannot be reached, the resume is worth more than the name
            by = "somebody"
        return Asked.of(by, reason) or Asked("somebody")

    @cached_property
    def _tags(self) -> Mapping[str, str]:
        try:
            return reading.governing_tags(self.memory, self.arn.machine_arn)
        except NotFoundError:
            return {}

    @cached_property
    def failure(self) -> Failure:
        """All that is known of the failure."""
        return reading.read(self.memory, Report(self.arn.text), self.settings)
