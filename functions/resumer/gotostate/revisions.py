"""Determining which revision of a state machine an execution surely ran, from the times at which revisions were seen.

The rule is explained and proven in docs/decisions.md, "What is kept in a warm function".
"""

from dataclasses import dataclass, field, replace

from gotostate.definition import Machine
from gotostate.stepfunctions import Revision

# "Executions started within a few seconds may use the previous definition", says AWS of UpdateStateMachine, and
# DescribeStateMachine is eventually consistent
# (https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateStateMachine.html).
MARGIN_SECONDS = 4.0


@dataclass
class Seen:
    """A revision of a state machine, and the last time at which it was seen to be the current one."""

    revision: Revision
    until: float

    def surely_ran(self, started: float) -> bool:
        updated = self.revision.updated
        return updated is not None and updated + MARGIN_SECONDS <= started <= self.until - MARGIN_SECONDS

    def is_another_than(self, revision: Revision) -> bool:
        """Tell whether revisions with the same id differ; the two calls may round a revision's date differently."""
        later = abs((self.revision.updated or 0.0) - (revision.updated or 0.0)) > MARGIN_SECONDS / 2
        return later or self.revision.machine.definition.text != revision.machine.definition.text


@dataclass
class Revisions:
    """The revisions of one state machine.

    undated: the revision that a look ahead saw, and when, as long as its own date is not known. contradicted: AWS's
    answers do not fit together, so none is used. asked_at: when AWS was last asked which revision an execution ran.
    """

    seen: list[Seen] = field(default_factory=list)
    undated: tuple[Revision, float] | None = None
    contradicted: bool = False
    asked_at: float = float("-inf")

    def surely_ran(self, started: float) -> Machine | None:
        if self.contradicted:
            return None
        return next((seen.revision.machine for seen in self.seen if seen.surely_ran(started)), None)

    def may_be_current(self, started: float) -> bool:
        """Tell whether a revision that is known may be the one that an execution ran, and the current one."""
        newest = max(seen.until for seen in self.seen)
        return not self.contradicted and started > newest - MARGIN_SECONDS

    def add(self, revision: Revision, until: float) -> None:
        if revision.updated is None:
            return
        if self.undated and self.undated[0].id == revision.id:
            (current, looked_at), self.undated = self.undated, None
            self.add(replace(current, updated=revision.updated), looked_at)
        known = next((seen for seen in self.seen if seen.revision.id == revision.id), None)
        if known:
            known.until = max(known.until, until)
            self.contradicted = self.contradicted or known.is_another_than(revision)
        else:
            self.seen.append(known := Seen(revision, until))
        for other in self.seen:
            earlier, later = sorted((known, other), key=lambda seen: seen.revision.updated or 0.0)
            if earlier is not later and earlier.until > (later.revision.updated or 0.0) + MARGIN_SECONDS:
                self.contradicted = True
