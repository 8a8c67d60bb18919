"""All that is known of a failed execution, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from gotostate import resumption
from gotostate.definition import Definition, Machine
from gotostate.history import FailurePoint
from gotostate.nesting import Parent
from gotostate.resumption import Chain, ExecutionArn


@dataclass(frozen=True)
class EarlierResume:
    """The newest resume of an earlier end of the same execution, from before it was redriven."""

    execution: str
    status: str
    attempt: int


@dataclass(frozen=True)
class Redrive:
    """What AWS says about a native redrive; why_not: its reason, or None where it is possible."""

    why_not: str | None


@dataclass(frozen=True)
class Failure:
    """A failed execution: where it failed, and what it ran.

    ran: the machine as it ran, router and all if it was a GoToState machine.
    source: its definition without a router. source_arn: the machine that people wrote.
    tags: of the machine that it ran on.
    original: status of the original execution, if somebody redrove it after this resume of it had begun.
    failed_in_added: whether it failed in a state that was added to the machine, as far as can be told.
    redrives: how often it had been redriven when it failed. redrive: None where AWS was not asked.
    has_succeeded: it is no failure, and a person runs it again (rerun.py).
    """

    arn: ExecutionArn
    ran: Machine
    source: Definition
    source_arn: str
    tags: Mapping[str, str]
    chain: Chain
    point: FailurePoint
    parent: Parent | None = None
    earlier: tuple[EarlierResume, ...] = ()
    original: str | None = None
    failed_in_added: bool = False
    redrives: int = 0
    redrive: Redrive | None = None
    has_succeeded: bool = False

    @property
    def failed_in(self) -> str | None:
        """The state in which it failed, as a list shows it: for one that a router added, the state that it led to."""
        is_added = self.point.ended_in in self.ran.definition.router_states
        return self.point.resume_from if is_added else self.point.ended_in

    @property
    def is_resumed(self) -> bool:
        """Tell whether the execution ran in a GoToState machine already."""
        return self.ran.definition.is_gotostate

    @cached_property
    def machine_arn(self) -> str:
        """ARN that the GoToState machine has, or will have when it is built."""
        if self.is_resumed:
            return self.arn.machine_arn
        return f"{self.arn.prefix}:stateMachine:{resumption.machine_name(self.arn.machine_name)}"

    @property
    def machine_name(self) -> str:
        """Name of the GoToState machine."""
        return self.machine_arn.rpartition(":")[2]

    @property
    def tries(self) -> int:
        """How many resumes and redrives its chain had before this failure."""
        return self.chain.attempt + self.chain.redrives + self.redrives

    @property
    def attempt(self) -> int:
        """Number that the next resume has in the chain, 1 for the first."""
        return self.chain.attempt + 1

    @cached_property
    def resumed_name(self) -> str:
        """Name of the execution that resumes this failure, the same whoever asks."""
        return self.resumed_name_of(self.point.ending.id)

    def resumed_name_of(self, ending_id: int) -> str:
        """Name of the execution that resumes one end of this execution."""
        original = ExecutionArn.parse(self.chain.original).name
        return resumption.execution_name(original, self.arn.text, ending_id, self.attempt)

    @property
    def resumed_arn(self) -> str:
        """ARN of the execution that resumes this failure."""
        return self.resumed_arn_of(self.point.ending.id)

    def resumed_arn_of(self, ending_id: int) -> str:
        """ARN of the execution that resumes one end of this execution."""
        return f"{self.machine_arn.replace(':stateMachine:', ':execution:')}:{self.resumed_name_of(ending_id)}"
