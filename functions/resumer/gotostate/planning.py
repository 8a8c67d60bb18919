"""The plan for a failure: the state to enter, its input, and the parts of a Parallel or Map that need not run again.

The Lambda and the command make the same plan, show it and carry it out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gotostate import backoff, containers, policy, resumption
from gotostate.calls import Call, calls_ahead
from gotostate.containers import variable
from gotostate.definition import Definition, with_inner
from gotostate.errors import InputError, NothingToResumeError, UnclearError
from gotostate.failure import Failure
from gotostate.history import PROCESSING_ERRORS, FailurePoint, Why
from gotostate.policy import LAST_EVENT, Action, Decision
from gotostate.progress import Container, open_lanes, read_progress
from gotostate.record import Earlier, Record, record_of, require_list
from gotostate.resumption import Asked
from gotostate.settings import Settings

REDRIVEN = "the execution was redriven, and its history does not say what the redrive entered again"
_OF_PROCESSING = (*PROCESSING_ERRORS, "States.NoChoiceMatched")
# If one of these rules chose the state to enter, it had not begun.
_NOT_BEGUN = (Why.FOLLOWED, Why.START)


@dataclass(frozen=True)
class Plan:
    """What is to be done about a failure; the Lambda and the command carry out the same.

    state: the state to enter; None where nothing can be entered. input, variables: its JSON texts.
    record: what need not run again inside it, where it is a Parallel or Map. whole: why all of it runs again.
    delay_seconds: until the state is entered, or the execution redriven.
    no_room: why its input would be too large for a resumed execution; None where it is not.
    asked: the person who requested it.
    """

    failure: Failure
    decision: Decision
    state: str | None
    input: str | None
    variables: Mapping[str, str]
    delay_seconds: int = 0
    record: Record | None = None
    whole: str | None = None
    no_room: str | None = None
    asked: Asked | None = None

    @property
    def opened(self) -> str | None:
        """The Parallel or Map that the resume continues inside."""
        return self.record.container if self.record else None

    @property
    def inside(self) -> str | None:
        """Say how a Parallel or Map is entered; None for any other state."""
        if self.decision.action is Action.REDRIVE and (self.record or self.whole):
            return f"AWS runs again what had not succeeded inside {self.state!r}"
        if self.record:
            return str(self.record)
        return f"the whole of {self.state!r} runs again: {self.whole}" if self.whole else None

    @property
    def calls(self) -> list[Call]:
        """What the tasks from the state on call; none where nothing is entered."""
        if self.state is None or self.state not in self.failure.source.states:
            return []
        return calls_ahead(self.failure.source, self.state)

    @property
    def again(self) -> frozenset[str]:
        """Tasks that had begun, as far as is known, and run again."""
        states = self.failure.source.states
        if self.state is None or self.state not in states or self.failure.point.why in _NOT_BEGUN:
            return frozenset()
        inner = with_inner(self.state, states[self.state])
        tasks = frozenset(name for name, body in inner if body.get("Type") == "Task")
        return tasks & self.record.again if self.record else tasks

    def as_whole(self, why: str) -> "Plan":
        """Return the same plan with the whole of the container running again."""
        return replace(self, record=None, whole=why)

    def resume_input(self) -> str:
        """Write the input of the resumed execution. Raises NothingToResumeError and InputError (too large)."""
        failure = self.failure
        if self.state is None or self.input is None:
            raise NothingToResumeError(failure.point.why)
        failure.source.require(self.state)
        variables = dict.fromkeys(failure.source.variable_names, "null") | dict(self.variables)
        if self.record:
            variables[variable(0)] = self.record.numbers
        return resumption.resume_input(
            state=self.state,
            state_input=self.input,
            variables=variables,
            execution=failure.chain.original,
            failed=failure.arn.text,
            attempt=failure.attempt,
            delay_seconds=self.delay_seconds,
            original_input=failure.chain.original_input if failure.source.reads_execution_input else None,
            inside=self.record.elements if self.record else None,
            asked=self.asked or failure.chain.asked,
            redrives=failure.chain.redrives + failure.redrives,
            is_rerun=failure.has_succeeded or failure.chain.is_rerun,
        )


def planned(
    failure: Failure, allowed: Decision, settings: Settings, *, whole: str | None = None, asked: Asked | None = None
) -> Plan:
    """Make the plan for a failure: automation's, or the one for a person who requested it.

    allowed: what policy.opt_in decided. whole: why a Parallel or Map runs again as a whole, where that is known.
    """
    point = failure.point
    plan = Plan(failure, allowed, point.resume_from, point.input, point.variables, asked=asked)
    plan = plan.as_whole(whole) if whole else with_inside(plan, settings)
    plan = with_room(replace(plan, delay_seconds=backoff.delay_seconds(failure, settings)))
    if asked:
        decision = policy.requested(failure, allowed, settings, asked, plan.no_room)
    else:
        decision = policy.automatic(failure, allowed, settings, plan.again, plan.no_room)
    delays = {Action.RESUME: plan.delay_seconds, Action.REDRIVE: backoff.redrive_delay_seconds(failure, settings)}
    return replace(plan, decision=decision, delay_seconds=delays.get(decision.action, 0))


def with_room(plan: Plan) -> Plan:
    """Add to a plan whether its input fits into a resumed execution."""
    if plan.state is None or plan.state not in plan.failure.source.states:
        return plan
    try:
        plan.resume_input()
    except InputError as error:
        # The rest of the message advises the other means.
        return replace(plan, no_room=str(error).partition("; ")[0])
    return plan


def with_inside(plan: Plan, settings: Settings, *, ran: Definition | None = None) -> Plan:
    """Add the record of finished work inside the state to a plan that enters the state where the execution ended.

    ran: the source definition that ran, where the failure's source was corrected since.
    """
    failure = plan.failure
    if plan.state is None or failure.point.why in _NOT_BEGUN:
        return plan
    if not containers.is_container(failure.source.states.get(plan.state, {})):
        return plan
    try:
        if not settings.resume_inside:
            raise UnclearError(f"{settings.source_of('resume_inside', 'ResumeInside')} is false")
        if ran and failure.source is not ran:
            _require_same(plan.state, ran, failure.source)
        if failure.failed_in_added:
            raise UnclearError("the resumed execution failed in a state that was added to it")
        given = failure.chain.record
        found = replace(plan, record=told_record(failure.point, failure.ran.definition, failure.source, given))
        found.resume_input()
    except UnclearError as error:
        return plan.as_whole(str(error))
    except InputError:
        return plan.as_whole("what its branches or iterations had done does not fit into the resumed execution's input")
    return found


def told_record(point: FailurePoint, ran: Definition, source: Definition, given: str | None) -> Record:
    """Tell what was done inside the container that a failure resumes from.

    ran: the definition that ran, with what was added to it; source: the one to resume on, without. given: JSON text
    of the record that the execution was given itself. Raises UnclearError with the reason why it runs again as a whole.
    """
    assert point.resume_from
    if point.why not in (Why.ENDED_IN, Why.DONE, Why.AGAIN):
        raise UnclearError(f"{point.why}")
    if point.ending.earlier:
        raise UnclearError(REDRIVEN)
    if why_not := containers.why_not(source, point.resume_from):
        raise UnclearError(why_not)
    if not source.is_jsonata:
        require_list(point.resume_from, source.states[point.resume_from], point.input, point.variables)
    return record_of(_progress(point, point.resume_from, ran), source, Earlier.read(point.held, given))


def _require_same(name: str, ran: Definition, corrected: Definition) -> None:
    if name not in ran.states:
        raise UnclearError("the definition that ran has no such state")
    if changed := containers.changed_field(ran.states[name], corrected.states[name]):
        raise UnclearError(f"the corrected definition changes its {changed}, which its iterations are made of")


def _progress(point: FailurePoint, name: str, ran: Definition) -> Container:
    if point.why is Why.AGAIN:
        # It ended in the router, so the record that it was given still holds.
        return Container(name)
    if point.steps is None:
        raise UnclearError("it had been left")
    return read_progress(point.steps, ran, name)


def failed_in_added(point: FailurePoint, ran: Definition) -> bool:
    """Tell whether an execution failed because of states added inside a container, so that the next one omits them.

    AWS usually names the state that failed. The container itself counts, as its selector and Assign were changed.
    """
    error = point.ending.error or ""
    if ran.opened is None or point.steps is None or point.ended_in != ran.opened:
        return False
    if not error.startswith("States.") or point.ending.id >= LAST_EVENT:
        return False
    if name := point.failed_state:
        state = ran.all_states.get(name, {})
        if containers.is_container(state) and point.why is Why.DONE:
            # Its branches or iterations were over, so the changed parts of it cannot have failed.
            return False
        within = with_inner(name, state)
        return any(containers.is_added(inner, body) for inner, body in within)
    try:
        lanes = list(open_lanes(read_progress(point.steps, ran, ran.opened)))
    except UnclearError:
        return False
    return error in _OF_PROCESSING and bool(lanes) and all(lane.is_added for lane in lanes)
