"""The words in which a story is told, the same whatever form it is shown in. All of them are printable."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from gotostate.cli.stories.story import ExecutionStory, StateOutcome, StateStory, Story, Turn
from gotostate.cli.terminal import short_cause
from gotostate.plain import duration, printable


def date(time: float | None) -> str:
    """Write the day of a time, in UTC."""
    return f"{_utc(time):%Y-%m-%d}" if time is not None else "----------"


def clock_for(story: Story) -> Callable[[float | None], str]:
    """Return a function that writes a story's times, in UTC: the time of day, with the day if it took more than one."""
    times = [time for told in story.executions for time in _times(told) if time is not None]
    form, unknown = "%H:%M:%S", "--:--:--"
    if len({date(time) for time in times}) > 1:
        form, unknown = "%m-%d %H:%M:%S", "----- --:--:--"
    return lambda time: f"{_utc(time):{form}}" if time is not None else unknown


def summary(story: Story) -> str:
    """Say in one line how it ended, after how many resumes and how long."""
    first, last = story.executions[0], story.last
    resumes = sum(1 for told in story.executions if told.chain.attempt)
    after = f" after {resumes} resume{'' if resumes == 1 else 's'}" if resumes else ""
    took = ""
    if last.stopped is not None and first.started is not None:
        took = f" in {duration(last.stopped - first.started)}"
    return f"{printable(story.original.rpartition(':')[2])} {last.status}{after}{took}"


def title(told: ExecutionStory, before: ExecutionStory | None) -> str:
    """Name an execution by its place in the chain. before: the one that is told before it."""
    if not told.chain.attempt:
        return printable(told.name)
    if told.resumes is None:
        return f"resume {told.chain.attempt} of an unknown execution"
    of_which = "" if before and before.arn == told.resumes else f" of {told.resumes.rpartition(':')[2]}"
    return printable(f"resume {told.chain.attempt}{of_which}")


def beginning(told: ExecutionStory) -> str:
    """Say how an execution began: for a resume, how long it waited."""
    if not told.delay_seconds:
        return "started"
    waited = ("was to wait" if told.ended else "waits") if told.is_waiting else "waited"
    return f"started, {waited} {duration(told.delay_seconds)}"


def work(state: StateStory) -> str:
    """Say what a state is and how much of it was done: 'Map 998 of 1,000, again, 990 finished before'."""
    kind = printable(state.type)
    facts = [kind + (f" x {state.times:,}" if state.times > 1 else "")]
    if state.total is not None:
        finished = f"{state.finished:,} " if state.finished is not None else ""
        counts = f"{finished}of {state.total:,}"
        facts = [*facts, counts] if state.times > 1 else [f"{kind} {counts}"]
    if state.attempts > state.times:
        facts.append(f"{state.attempts:,} attempts")
    if state.again:
        facts.append("again")
    if state.kept:
        facts.append(f"{state.kept:,} finished before")
    return ", ".join(facts)


def reason(state: StateStory) -> str | None:
    """Say why a state failed, or what was caught; None if it did not fail, or nothing is on record."""
    why = _reason(state.error, state.cause, state.failed_in)
    return f"caught {why}" if why and state.outcome is StateOutcome.CAUGHT else why


def reason_of_turn(told: ExecutionStory, turn: Turn) -> str | None:
    """Say why an execution ended badly, unless the state that it failed in says it."""
    said = turn is told.ended and any(state.outcome is StateOutcome.FAILED for state in told.states)
    return None if said else _reason(turn.error, turn.cause, None)


def in_order(told: ExecutionStory) -> Sequence[StateStory | Turn]:
    """Return the states and turns of an execution in the order in which they came."""
    return sorted([*told.states, *told.turns], key=lambda one: one.id)


def _reason(error: str | None, cause: str | None, failed_in: str | None) -> str | None:
    what = error or ("an error" if failed_in else "")
    said = [f"{what} in {failed_in}" if failed_in else what, short_cause(cause) if cause else ""]
    return printable(": ".join(filter(None, said))) or None


def _times(told: ExecutionStory) -> Iterator[float | None]:
    yield told.started
    yield told.stopped
    yield from (state.entered for state in told.states)
    yield from (turn.time for turn in told.turns)


def _utc(time: float) -> datetime:
    return datetime.fromtimestamp(time, UTC)
