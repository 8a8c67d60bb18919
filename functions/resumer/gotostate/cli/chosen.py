"""The plan for a person's choice with the options of resume: another state, input or definition, or a skip."""

import argparse
from dataclasses import dataclass, replace

from gotostate import containers, history, planning, policy, reading, recovery, resumption, router
from gotostate.cli import skipping
from gotostate.cli.files import read_text
from gotostate.cli.skipping import TasksSince
from gotostate.definition import Definition, Machine
from gotostate.errors import (
    DefinitionError,
    InputError,
    NothingToResumeError,
    NotRedrivableError,
    RefusedError,
)
from gotostate.events import SUCCEEDED, details_of, state_name
from gotostate.failure import Failure
from gotostate.history import FailurePoint
from gotostate.memory import Memory
from gotostate.planning import Plan
from gotostate.policy import BY_HAND
from gotostate.settings import Settings

CURRENT = "current"
# A GoToState execution can do these, and a redrive cannot.
CHANGING = ("--input", "--from-state", "--definition", "--whole", "--skip")


@dataclass(frozen=True)
class Wish:
    """The choices of a person; without any, the execution continues as it was.

    input: JSON text in place of the recorded one. state: the one to enter. definition: a corrected one, or CURRENT.
    whole: a Parallel or Map runs again as a whole. skip: the failed state is skipped, as though it had given output,
    JSON text, or its own input where that is None.
    """

    input: str | None = None
    state: str | None = None
    definition: Definition | str | None = None
    whole: bool = False
    skip: bool = False
    output: str | None = None

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Wish":
        """Read the options, and the files that they name. Raises InputError and DefinitionError."""
        definition: Definition | str | None = options.definition
        if options.definition and options.definition != CURRENT:
            definition = Definition.parse(read_text(options.definition, DefinitionError))
        return cls(
            _json("--input", options.input),
            options.from_state,
            definition,
            options.whole,
            options.skip,
            _json("--output", options.output),
        )

    @property
    def is_plain(self) -> bool:
        """Tell whether the execution is to continue as it was, which a redrive can do as well."""
        return self == Wish()


@dataclass(frozen=True)
class Chosen:
    """A plan that a person chose, the tasks that are known to run again in it, and remarks about it."""

    plan: Plan
    again: frozenset[str]
    remarks: tuple[str, ...] = ()


class Chooser:
    """Makes the plans for failures from one wish; asks AWS once for each state machine that it needs."""

    def __init__(self, memory: Memory, wish: Wish) -> None:
        self._memory = memory
        self._wish = wish
        self._current: dict[str, Machine | None] = {}

    def plan(self, failure: Failure, settings: Settings) -> Chosen:
        """Make the plan that was chosen.

        Raises InputError, UnknownStateError, NotSkippableError, NothingToResumeError, DefinitionError.
        """
        wish, ran = self._wish, failure.source
        if wish.definition:
            failure = self._corrected(failure, wish.definition)
        chosen = self._skipped(failure) if wish.skip else self._entered(failure, settings, ran)
        return replace(chosen, remarks=(*chosen.remarks, *self._not_in_file(failure, ran)))

    def _entered(self, failure: Failure, settings: Settings, ran: Definition) -> Chosen:
        point, since = self._point(failure)
        plan = Plan(replace(failure, point=point), BY_HAND, point.resume_from, point.input, point.variables)
        if point is failure.point and not self._wish.whole:
            plan = planning.with_inside(plan, settings, ran=ran)
        elif containers.is_container(failure.source.states.get(str(plan.state), {})):
            plan = plan.as_whole(self._why_whole())
        return Chosen(plan, plan.again | (since & {call.state for call in plan.calls}))

    def _skipped(self, failure: Failure) -> Chosen:
        skipped = skipping.skipped(failure.point)
        point = skipping.after(failure.point, failure.source, self._wish.output)
        plan = Plan(replace(failure, point=point), BY_HAND, point.resume_from, point.input, point.variables)
        names = skipping.not_assigned(failure.source, skipped)
        remarks = (f"the Assign of {skipped!r} is not run: {', '.join(names)} stay as they were",) if names else ()
        return Chosen(plan, plan.again, remarks)

    def _point(self, failure: Failure) -> tuple[FailurePoint, frozenset[str]]:
        """Return the state to enter, its input and its variables, and the tasks that ran since it was entered."""
        wish, point, since = self._wish, failure.point, frozenset[str]()
        if wish.state:
            point, since = self._point_of(failure, wish.state)
        if point.resume_from is None:
            raise NothingToResumeError(f"{point.why}; to enter a state of your choice: --from-state S --input JSON")
        return (replace(point, input=wish.input) if wish.input is not None else point), since

    def _point_of(self, failure: Failure, state: str) -> tuple[FailurePoint, frozenset[str]]:
        failure.source.require(state)
        aws, ran, succeeded = self._memory.aws, failure.ran.definition, failure.point.ending.status == SUCCEEDED
        events = TasksSince(aws.events(failure.arn.text), ran, state)
        if visit := history.last_visit(events, ran, state, may_have_succeeded=succeeded):
            return visit, frozenset(events.names)
        if self._wish.input is None:
            raise InputError(
                f"the execution never entered {state!r}, so there is no input of it on record; give --input"
            )
        variables = history.last_variables(aws.events(failure.arn.text), ran, may_have_succeeded=succeeded)
        return replace(failure.point, resume_from=state, variables=variables), frozenset(events.names)

    def _why_whole(self) -> str:
        """Name the option by which a person chose that a Parallel or Map runs again as a whole."""
        if self._wish.whole:
            return "--whole was given"
        return "--input gives it other data" if self._wish.input else "--from-state chose it"

    def _corrected(self, failure: Failure, definition: Definition | str) -> Failure:
        """Put another definition in the place of the one that ran."""
        if isinstance(definition, Definition):
            return replace(failure, source=router.remove_gotostate(definition))
        if failure.source_arn not in self._current:
            self._current[failure.source_arn] = self._memory.aws.machine(failure.source_arn)
        current = self._current[failure.source_arn]
        if current is None:
            raise DefinitionError(f"{failure.source_arn} does not exist any more; give --definition FILE")
        # Under the plain ARN: no version is known to have this configuration, not even the one that ran.
        ran = Machine(failure.machine_arn, failure.ran.definition, current.configuration)
        return replace(failure, source=router.remove_gotostate(current.definition), ran=ran)

    def _not_in_file(self, failure: Failure, ran: Definition) -> tuple[str, ...]:
        """Name states that the execution went through but a given file lacks: the file may be another machine's.

        The whole history is read only where such states are in the definition that ran.
        """
        gone = ran.states.keys() - failure.source.states.keys()
        if not gone or not isinstance(self._wish.definition, Definition):
            return ()
        entered = [
            state_name(event, details_of(event, "stateEnteredEventDetails"))
            for event in self._memory.aws.events(failure.arn.text)
            if event["type"].endswith("StateEntered")
        ]
        # The history is read backwards.
        names = [name for name in dict.fromkeys(reversed(entered)) if name in gone]
        if not names:
            return ()
        through = ", ".join(map(repr, names))
        return (f"it went through {through}, which --definition does not have: see that it is not another machine's",)


def with_means(memory: Memory, plan: Plan, settings: Settings, *, insists: bool) -> Plan:
    """Decide between a GoToState execution and the native redrive.

    insists: a person requested the redrive. Then raises NotRedrivableError where AWS cannot redrive.
    """
    plan = planning.with_room(plan)
    failure = plan.failure
    if not policy.wants_redrive(failure, settings, plan.no_room):
        return plan
    failure = replace(failure, redrive=reading.redrive_of(memory, failure))
    if insists and failure.redrive and failure.redrive.why_not:
        raise NotRedrivableError(f"AWS cannot redrive it: {failure.redrive.why_not}; nothing was started")
    return replace(plan, failure=failure, decision=policy.by_hand(failure, settings, plan.no_room))


def started(memory: Memory, plan: Plan) -> tuple[Plan, bool]:
    """Start the execution; if AWS refuses the opened Parallel or Map, start it with the whole container."""
    try:
        return plan, recovery.start(memory, plan)
    except RefusedError as error:
        if not plan.record:
            raise
        plan = plan.as_whole(str(error))
    return plan, recovery.start(memory, plan)


def _json(option: str, value: str | None) -> str | None:
    if value is None:
        return None
    text = read_text(value[1:], InputError) if value.startswith("@") else value
    try:
        return resumption.checked_input(text)
    except InputError as error:
        raise InputError(str(error).replace("--input", option, 1)) from error
