"""Waiting for the end of an execution that was resumed or redriven."""

from gotostate.errors import NotFoundError
from gotostate.events import GOING_ON
from gotostate.executions import Execution
from gotostate.stepfunctions import StepFunctions

POLL_SECONDS = 1.0
# Reads are eventually consistent: right after the start AWS may not know the execution yet.
BEHIND_SECONDS = 30.0


class Awaited:
    """An execution to wait for until it ends. redrives: how often it will have been redriven then."""

    def __init__(self, aws: StepFunctions, arn: str, redrives: int = 0) -> None:
        self.arn = arn
        self._aws = aws
        self._redrives = redrives
        self._behind_until = aws.pace.now() + BEHIND_SECONDS

    def look(self) -> Execution | None:
        """Return the execution if it has ended. Raises NotFoundError if AWS still does not know it after a while."""
        is_early = self._aws.pace.now() < self._behind_until
        try:
            execution = self._aws.execution(self.arn)
        except NotFoundError:
            if is_early:
                return None
            raise
        is_behind = is_early and execution.redrive_count < self._redrives
        return None if is_behind or execution.status in GOING_ON else execution

    def end(self) -> Execution:
        """Wait for the end and return the execution."""
        while not (execution := self.look()):
            self._aws.pace.pause(POLL_SECONDS)
        return execution
