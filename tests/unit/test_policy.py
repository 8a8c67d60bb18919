"""What is done about a failure, decided from facts alone."""

from dataclasses import replace
from typing import Any

import pytest
from facts import ARN, PLAIN, READS, failure, point
from gotostate import means, nesting, policy
from gotostate.failure import EarlierResume, Failure, Redrive
from gotostate.history import FailurePoint, Why
from gotostate.nesting import Parent, Pattern
from gotostate.policy import Action, Decision
from gotostate.resumption import Asked, Chain, ExecutionArn
from gotostate.settings import PREPARE_ERRORS, Mode, Settings, Strategy
from gotostate.visits import Ending
from hypothesis import given
from hypothesis import strategies as st

RESUME = Decision(Action.RESUME, "resume", "its tag gotostate is resume")
PREPARE = Decision(Action.PREPARE, "prepare", "its tag gotostate is prepare")


def decided(case: Failure, allowed: Decision = RESUME, **settings: Any) -> Decision:
    return policy.automatic(case, allowed, Settings(**settings))


@pytest.mark.parametrize(
    ("tags", "default", "action", "says"),
    [
        ({}, Mode.OFF, Action.SKIP, "has not opted in"),
        ({}, Mode.PREPARE, Action.PREPARE, "DefaultMode is prepare"),
        ({}, Mode.RESUME, Action.RESUME, "DefaultMode is resume"),
        ({"gotostate": "off"}, Mode.RESUME, Action.SKIP, "is off"),
        ({"gotostate": "resume"}, Mode.OFF, Action.RESUME, "tag gotostate is resume"),
        ({"gotostate": "prepare"}, Mode.RESUME, Action.PREPARE, "tag gotostate is prepare"),
        ({"gotostate": "Resume"}, Mode.RESUME, Action.SKIP, "'Resume'; set it to resume, prepare or off"),
        ({"gotostate": ""}, Mode.RESUME, Action.SKIP, "set it to"),
    ],
)
def test_opt_in(tags: dict[str, str], default: Mode, action: Action, says: str) -> None:
    decision = policy.opt_in(tags, Settings(default_mode=default))
    assert decision.action is action
    assert says in decision.reason


@pytest.mark.parametrize(
    ("attempt", "most", "action"),
    [(1, 3, Action.RESUME), (3, 3, Action.RESUME), (4, 3, Action.GIVE_UP), (1, 0, Action.GIVE_UP)],
)
def test_attempts_are_capped(attempt: int, most: int, action: Action) -> None:
    assert decided(failure(chain=Chain(ARN, attempt - 1, {})), max_attempts=most).action is action


@pytest.mark.parametrize(
    ("why", "action"),
    [
        (Why.ENDED_IN, Action.RESUME),
        (Why.FOLLOWED, Action.RESUME),
        (Why.START, Action.RESUME),
        (Why.AGAIN, Action.RESUME),
        (Why.CAUGHT, Action.PREPARE),
        (Why.WORKED, Action.PREPARE),
        (Why.FAIL_INSIDE, Action.PREPARE),
        (Why.DONE, Action.PREPARE),
    ],
)
def test_what_only_a_person_should_run_again_is_prepared(why: Why, action: Action) -> None:
    assert decided(failure(point(why))).action is action


@pytest.mark.parametrize(
    ("why", "action"),
    [(Why.NOTHING, Action.GIVE_UP), (Why.REJECTED, Action.GIVE_UP), (Why.FINISHED, Action.PREPARE)],
)
def test_where_no_state_can_be_entered_nothing_is_started(why: Why, action: Action) -> None:
    assert decided(failure(point(why, None))).action is action


def test_an_aborted_execution_is_left_to_people() -> None:
    assert decided(failure(point(status="ABORTED"))).action is Action.SKIP
    assert decided(failure(point(status="TIMED_OUT"))).action is Action.RESUME


def test_children_of_a_map_run_are_left_alone() -> None:
    decision = policy.by_arn(ExecutionArn.parse(ARN.replace("orders", "orders/label")))
    assert decision
    assert decision.action is Action.SKIP
    assert policy.by_arn(ExecutionArn.parse(ARN)) is None


@pytest.mark.parametrize(
    ("parent", "action", "force"),
    [
        (None, Action.RESUME, False),
        (Parent(ARN, Pattern.SYNC, recovers=True), Action.SKIP, True),
        (Parent(ARN, Pattern.SYNC), Action.PREPARE, True),
        (Parent(ARN, Pattern.FIRE_AND_FORGET), Action.RESUME, False),
        (Parent(ARN, Pattern.CALLBACK), Action.RESUME, False),
        (Parent(ARN, Pattern.UNKNOWN), Action.PREPARE, False),
    ],
)
def test_a_child_that_is_waited_for_is_left_to_its_parent(parent: Parent | None, action: Action, force: bool) -> None:
    case = failure(parent=parent)
    assert decided(case).action is action
    remarks = policy.remarks(case, Settings())
    assert bool(remarks) is (action is not Action.RESUME)
    assert any(remark.needs_force for remark in remarks) is force
    assert all(remark.look == ARN for remark in remarks)


@pytest.mark.parametrize(
    ("earlier", "action"),
    [
        (EarlierResume("r", "RUNNING", 1), Action.PREPARE),
        (EarlierResume("r", "SUCCEEDED", 1), Action.PREPARE),
        # Its own failure will be resumed, or was: the work would be done by two chains.
        (EarlierResume("r", "FAILED", 1), Action.PREPARE),
        (EarlierResume("r", "FAILED", 5), Action.RESUME),
        (EarlierResume("r", "ABORTED", 1), Action.RESUME),
    ],
)
def test_what_was_resumed_before_a_redrive_is_prepared(earlier: EarlierResume, action: Action) -> None:
    assert decided(failure(earlier=(earlier,))).action is action


@pytest.mark.parametrize(
    ("definition", "chain", "exact"),
    [
        (READS, Chain(ARN, 0, {"x": "1"}), True),
        (READS, Chain(ARN, 0, None), False),
        (READS, Chain(ARN, 0, {"resuming": "1"}), False),
        (READS, Chain(ARN, 1, {"x": "1"}), True),
        (PLAIN, Chain(ARN, 0, None), True),
    ],
)
def test_an_execution_input_that_cannot_be_given_again_is_for_people(
    definition: str, chain: Chain, exact: bool
) -> None:
    case = failure(definition=definition, chain=chain, redrive=Redrive("it failed 15 days ago"))
    assert decided(case).action is (Action.RESUME if exact else Action.PREPARE)


def test_an_original_that_was_redriven_meanwhile_is_for_people() -> None:
    assert decided(failure(original="RUNNING")).rule == "original-redriven"


def test_prepare_says_why_nothing_was_started() -> None:
    decision = decided(failure(), PREPARE)
    assert (
        decision.reason == "not started, because its tag gotostate is prepare; would enter 'B': the state it ended in"
    )


def failed_with(error: str | None, ending_id: int = 9) -> FailurePoint:
    return replace(point(), ending=Ending(ending_id, "FAILED", error, None))


@pytest.mark.parametrize(
    ("error", "settings", "rule", "says"),
    [
        ("Boom", {}, "resume", ""),
        (None, {}, "resume", ""),
        ("States.Timeout", {}, "resume", ""),
        ("States.TaskFailed", {}, "resume", ""),
        *((error, {}, "error", f"the stack's PrepareErrors names {error}") for error in PREPARE_ERRORS[:-1]),
        ("S3.AccessDeniedException", {}, "error", "names *AccessDenied*"),
        ("States.Runtime", {"prepare_errors": ()}, "resume", ""),
        ("States.Runtime", {"resume_errors": ("States.Runtime",)}, "resume", ""),
        ("Boom", {"prepare_errors": ("B*",)}, "error", "names B*"),
        (
            "Boom",
            {"own_prepare_errors": ("Boom",), "sources": {"own_prepare_errors": "its tag T"}},
            "error",
            "its tag T",
        ),
        ("Boom", {"own_prepare_errors": ("Boom",), "resume_errors": ("Boom",)}, "resume", ""),
    ],
)
def test_errors_that_the_same_input_meets_again_are_prepared(
    error: str | None, settings: dict[str, Any], rule: str, says: str
) -> None:
    decision = decided(failure(failed_with(error)), **settings)
    assert decision.rule == rule
    assert says in decision.reason


def test_what_a_new_execution_does_not_meet_again_is_resumed() -> None:
    assert decided(failure(failed_with("States.Runtime", ending_id=24_999))).rule == "error"
    assert decided(failure(failed_with("States.Runtime", ending_id=25_000))).rule == "resume"
    assert decided(failure(failed_with("States.Runtime"), failed_in_added=True)).rule == "resume"


@pytest.mark.parametrize(
    ("again", "named", "rule"),
    [
        ({"B"}, ("B",), "not-idempotent"),
        ({"In", "B"}, ("Ship", "In"), "not-idempotent"),
        ({"B"}, ("C",), "resume"),
        (set(), ("B",), "resume"),
    ],
)
def test_a_step_that_is_not_idempotent_is_not_entered_again_by_itself(
    again: set[str], named: tuple[str, ...], rule: str
) -> None:
    settings = Settings(not_idempotent=named, sources={"not_idempotent": "its tag gotostate:not-idempotent"})
    decision = policy.automatic(failure(), RESUME, settings, again)
    assert decision.rule == rule
    # By hand it is said, and nothing more.
    assert [remark.rule for remark in policy.remarks(failure(), settings, again)] == [rule] * (rule != "resume")


TAGGED: dict[str, Any] = {
    "sources": {"max_attempts": "its tag M", "strategy": "its tag S", "not_idempotent": "its tag N"}
}
ADA = Asked("ada")
DISTRIBUTED = (
    '{"StartAt":"B","States":{"B":{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED"},'
    '"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}}}}}'
)
INSIDE = '{"StartAt":"B","States":{"B":{"Type":"Parallel","Branches":[],"End":true}}}'
PATTERN = "usually occurs again with the same input"


@pytest.mark.parametrize(
    ("case", "settings", "expected"),
    [
        (failure(point(status="ABORTED")), {},
         Decision(Action.SKIP, "aborted", "it was aborted, so somebody stopped it; only a person resumes it")),
        (failure(), {"max_attempts": 0},
         Decision(Action.GIVE_UP, "max-attempts", "it was resumed 0 times already, the stack's MaxAttempts is 0; "
                  "fix the cause, then resume it by hand")),
        (failure(chain=Chain(ARN, 2, {}), redrives=1), {"max_attempts": 3, **TAGGED},
         Decision(Action.GIVE_UP, "max-attempts", "it was resumed 2 times and redriven 1 times already, its tag M is "
                  "3; fix the cause, then resume it by hand")),
        (failure(redrives=3), {"max_attempts": 3},
         Decision(Action.GIVE_UP, "max-attempts", "it was redriven 3 times already, the stack's MaxAttempts is 3; "
                  "fix the cause, then resume it by hand")),
        (failure(parent=Parent("p q", Pattern.UNKNOWN)), {},
         Decision(Action.PREPARE, "parent-unknown", "it is unknown whether its parent p q waits for it; "
                  "resume one of the two, not both", look="p q")),
        (failure(parent=Parent(nesting.UNNAMED, Pattern.UNKNOWN)), {},
         Decision(Action.PREPARE, "parent-unknown", "it is unknown whether its parent (its input names no execution) "
                  "waits for it; resume one of the two, not both")),
        (failure(parent=Parent("p q", Pattern.SYNC, recovers=True)), {},
         Decision(Action.SKIP, "left-to-parent", "its parent p q waits for it (.sync) and is recovered instead; "
                  "resume the parent", needs_force=True, look="p q")),
        (failure(parent=Parent("p q", Pattern.SYNC)), {},
         Decision(Action.PREPARE, "parent-not-opted-in", "its parent p q waits for it (.sync), but the parent's state "
                  "machine has not opted in, so nobody resumes either of them; resume the parent", needs_force=True,
                  look="p q")),
        (failure(point(Why.FINISHED, None)), {},
         Decision(Action.PREPARE, "finished", f"{Why.FINISHED}; its output is on record in 'B'")),
        (failure(point(Why.NOTHING, None)), {}, Decision(Action.GIVE_UP, "nothing-to-resume", Why.NOTHING)),
        (failure(earlier=(EarlierResume("r", "FAILED", 5), EarlierResume("e f", "RUNNING", 1))), {},
         Decision(Action.PREPARE, "resumed-before-redrive", "before its redrive it was resumed by e f, which is "
                  "RUNNING: resuming it again may do that work twice", needs_force=True, look="e f")),
        (failure(original="RUNNING", chain=Chain("o p", 1, {})), {},
         Decision(Action.PREPARE, "original-redriven", "the original execution o p was redriven meanwhile and is "
                  "RUNNING: resuming this one too may do its work twice", needs_force=True,
                  look="o p")),
        (failure(chain=Chain(ARN, 0, {}, is_rerun=True)), {},
         Decision(Action.PREPARE, "rerun", "a person ran a successful execution again, so only a person resumes it")),
        (failure(point(Why.CAUGHT)), {},
         Decision(Action.PREPARE, "fail-state", f"{Why.CAUGHT}; failing was deliberate, so resuming needs approval by "
                  "hand")),
        (failure(point(Why.DONE)), {},
         Decision(Action.PREPARE, "work-succeeded", f"{Why.DONE}; entering it again does the work again: correct the "
                  "definition, or give the next state its input")),
        (failure(point(Why.DONE), INSIDE), {},
         Decision(Action.PREPARE, "work-succeeded", f"{Why.DONE}; what had not finished inside it runs again: correct "
                  "the definition, or give the next state its input")),
        (failure(), {}, Decision(Action.RESUME, "resume", Why.ENDED_IN)),
        (failure(failed_with("Boom")), {"prepare_errors": ("B*",), **TAGGED},
         Decision(Action.PREPARE, "error", f"Boom {PATTERN} (the stack's PrepareErrors names B*): fix the cause, then "
                  "resume it")),
        (failure(failed_with("Boom")),
         {"own_prepare_errors": ("Boom",), "sources": {"own_prepare_errors": "its tag P"}},
         Decision(Action.PREPARE, "error", f"Boom {PATTERN} (its tag P names Boom): fix the cause, then resume it")),
    ],
)  # fmt: skip
def test_what_automation_decides_word_for_word(case: Failure, settings: dict[str, Any], expected: Decision) -> None:
    """Rules and sentences are read by programs and by people; docs/runbook.md explains each rule."""
    assert decided(case, **settings) == expected


def test_what_is_not_idempotent_is_named() -> None:
    decision = policy.automatic(failure(), RESUME, Settings(not_idempotent=("B", "A"), **TAGGED), {"B", "A", "C"})
    reason = (
        "'A', 'B' would be entered again, and its tag N says that it is not idempotent: check whether its work was "
        "done before you resume it"
    )
    assert decision == Decision(Action.PREPARE, "not-idempotent", reason)


def test_all_that_a_person_should_know_is_told() -> None:
    settings = Settings(not_idempotent=("B",), prepare_errors=("*",))
    found = policy.remarks(failure(failed_with("Boom")), settings, {"B"})
    assert [remark.rule for remark in found] == ["not-idempotent", "error"]


def test_what_is_not_exact_is_told_whatever_aws_could_redrive() -> None:
    """With another input or definition the native redrive is none of the means."""
    case = failure(definition=READS, chain=Chain(ARN, 0, None))
    assert policy.remarks(case, Settings()) == []
    (remark,) = policy.remarks(case, Settings(), is_redrivable=False)
    assert (remark.action, remark.rule) == (Action.PREPARE, "execution-input")
    assert policy.remarks(WITH_A_ROLE, Settings(strategy=Strategy.GOTOSTATE), is_redrivable=False) == []
    assert [found.rule for found in policy.remarks(WITH_A_ROLE, Settings(), is_redrivable=False)] == ["role"]


@pytest.mark.parametrize("strategy", [Strategy.GOTOSTATE, Strategy.AUTO])
def test_no_room_is_told_by_each_strategy(strategy: Strategy) -> None:
    case = failure(redrive=Redrive("it failed 15 days ago"))
    decision = policy.automatic(case, RESUME, Settings(strategy=strategy), no_room="it is too large")
    assert (decision.action, decision.rule) == (Action.PREPARE, "input-size")
    assert decision.reason.startswith("it is too large; ")
    inexact = policy.inexact(case, Settings(strategy=strategy), "it is too large")
    assert inexact
    assert inexact.rule == "input-size"


@pytest.mark.parametrize(
    ("tags", "default", "expected"),
    [
        ({"gotostate": "on"}, Mode.RESUME,
         Decision(Action.SKIP, "bad-tag", "the state machine's tag gotostate is 'on'; set it to resume, prepare or "
                  "off")),
        ({}, Mode.OFF, Decision(Action.SKIP, "not-opted-in", "the state machine has not opted in; tag it "
                                "gotostate=resume or gotostate=prepare")),
        ({"gotostate": "off"}, Mode.RESUME, Decision(Action.SKIP, "off", "the state machine's tag gotostate is off")),
        ({"gotostate": "resume"}, Mode.OFF, RESUME),
        ({}, Mode.PREPARE, Decision(Action.PREPARE, "prepare", "the stack's DefaultMode is prepare")),
    ],
)  # fmt: skip
def test_what_a_tag_says_word_for_word(tags: dict[str, str], default: Mode, expected: Decision) -> None:
    assert policy.opt_in(tags, Settings(default_mode=default)) == expected


def test_a_child_of_a_map_run_is_told_so() -> None:
    reason = "it is a child of a Map Run and belongs to its Map state's execution"
    child = policy.by_arn(ExecutionArn.parse(ARN.replace("orders", "orders/label")))
    assert child == Decision(Action.SKIP, "map-run-child", reason)


READING = failure(definition=READS, chain=Chain(ARN, 0, None))
WITH_A_ROLE = failure(definition=DISTRIBUTED)
CANNOT = Redrive("it failed 15 days ago")


def obstacle_of(case: Failure, no_room: str | None = None) -> means.Obstacle:
    found = means.obstacle(case, no_room)
    assert found
    return found


def test_the_native_redrive_is_the_means_where_a_resume_is_not_exact() -> None:
    for case, no_room in ((READING, None), (WITH_A_ROLE, None), (failure(), "too large")):
        redrive = Decision(Action.REDRIVE, "redrive", obstacle_of(case, no_room).reason)
        assert policy.automatic(case, RESUME, Settings(), (), no_room) == redrive
        assert policy.by_hand(case, Settings(), no_room) == redrive
        assert policy.requested(case, RESUME, Settings(), ADA, no_room) == redrive
        assert policy.wants_redrive(case, Settings(), no_room) is True
        prepared = policy.automatic(case, PREPARE, Settings(), (), no_room)
        said = f"not started, because its tag gotostate is prepare; would be redriven: {redrive.reason}"
        assert prepared == Decision(Action.PREPARE, "prepare", said)
    assert policy.wants_redrive(failure(), Settings()) is False
    assert policy.by_hand(failure(), Settings()) == policy.BY_HAND
    assert policy.remarks(READING, Settings()) == []


@pytest.mark.parametrize(
    ("why", "redrive", "cannot"),
    [
        (Why.ENDED_IN, CANNOT, "it failed 15 days ago"),
        (Why.CAUGHT, None, "a redriven Fail state fails again"),
        (Why.WORKED, Redrive(None), "a redriven Fail state fails again"),
    ],
)
def test_where_neither_means_is_right_it_is_for_people(why: Why, redrive: Redrive | None, cannot: str) -> None:
    case = replace(READING, point=point(why), redrive=redrive)
    found = obstacle_of(case)
    reason = f"{found.reason}; it is not redriven: {cannot}; {found.remedy}"
    prepared = Decision(Action.PREPARE, "execution-input", reason)
    assert policy.requested(case, RESUME, Settings(), ADA) == prepared
    assert policy.remarks(case, Settings())[-1] == prepared
    assert policy.by_hand(case, Settings()) == policy.BY_HAND
    assert policy.wants_redrive(case, Settings()) is False
    if why is Why.ENDED_IN:
        assert policy.automatic(case, RESUME, Settings()) == prepared
        # Nothing is said of a machine that is prepared but what holds for it.
        assert policy.automatic(case, PREPARE, Settings()) == prepared


def test_who_sets_the_strategy_to_gotostate_says_that_the_roles_allow_it() -> None:
    settings = Settings(strategy=Strategy.GOTOSTATE)
    assert decided(WITH_A_ROLE, strategy=Strategy.GOTOSTATE).rule == "resume"
    assert decided(failure(), strategy=Strategy.GOTOSTATE).rule == "resume"
    found = obstacle_of(READING)
    reason = f"{found.reason}; {found.remedy}"
    assert policy.automatic(READING, RESUME, settings) == Decision(Action.PREPARE, "execution-input", reason)
    assert policy.by_hand(READING, settings) == policy.BY_HAND


def test_who_sets_the_strategy_to_redrive_gets_one_or_is_told_why_not() -> None:
    settings = Settings(strategy=Strategy.REDRIVE)
    redrive = Decision(Action.REDRIVE, "redrive", "the stack's Strategy is redrive")
    assert policy.automatic(failure(), RESUME, settings) == redrive
    # Whatever else speaks for it.
    assert policy.automatic(READING, RESUME, settings) == redrive
    tagged = Settings(strategy=Strategy.REDRIVE, **TAGGED)
    assert policy.automatic(failure(), RESUME, tagged).reason == "its tag S is redrive"
    reason = "the stack's Strategy is redrive; it is not redriven: it failed 15 days ago; resume it by hand"
    cannot = failure(redrive=CANNOT)
    assert policy.automatic(cannot, RESUME, settings) == Decision(Action.PREPARE, "not-redrivable", reason)
    # A person who asks for a resume has what they asked for.
    assert policy.requested(cannot, RESUME, settings, ADA).rule == "requested"


@pytest.mark.parametrize(
    ("case", "rule"),
    [
        (failure(parent=Parent(ARN, Pattern.SYNC)), "parent-not-opted-in"),
        (failure(parent=Parent(ARN, Pattern.UNKNOWN)), "requested"),
        (failure(earlier=(EarlierResume("r", "RUNNING", 1),)), "resumed-before-redrive"),
        (failure(earlier=(EarlierResume("r", "FAILED", 5),)), "requested"),
        (failure(original="RUNNING"), "original-redriven"),
        (failure(point(Why.NOTHING, None)), "nothing-to-resume"),
        (failure(point(Why.CAUGHT)), "requested"),
        (failure(point(status="ABORTED")), "requested"),
        (failure(chain=Chain(ARN, 99, {})), "requested"),
    ],
)
def test_what_a_person_asks_for_is_refused_where_it_would_do_work_twice(case: Failure, rule: str) -> None:
    assert policy.requested(case, RESUME, Settings(), ADA).rule == rule
    assert policy.requested(case, PREPARE, Settings(), ADA).rule == rule
    off = Decision(Action.SKIP, "off", "it is off")
    assert policy.requested(case, off, Settings(), ADA) == off


def test_what_a_person_asks_for_is_told_with_their_words() -> None:
    asked = policy.requested(failure(), RESUME, Settings(), Asked("ada", "the bank is back"))
    assert asked == Decision(Action.RESUME, "requested", "requested by ada: the bank is back")
    assert policy.requested(failure(), RESUME, Settings(), ADA).reason == "requested by ada"


errors = st.none() | st.sampled_from([*PREPARE_ERRORS, "Boom", "States.Timeout"])


@given(errors, st.sampled_from(["off", "prepare", "resume", "x", None]), st.sampled_from(list(Why)), st.integers(0, 9))
def test_each_failure_has_one_decision_and_a_machine_that_is_off_none_but_skip(
    error: str | None, tag: str | None, why: Why, attempt: int
) -> None:
    tags = {} if tag is None else {"gotostate": tag}
    allowed = policy.opt_in(tags, Settings())
    state = None if why in (Why.NOTHING, Why.REJECTED, Why.FINISHED) else "B"
    case = failure(replace(point(why, state), ending=Ending(9, "FAILED", error, None)), chain=Chain(ARN, attempt, {}))
    decision = policy.automatic(case, allowed, Settings())
    assert decision.reason
    if tag not in ("prepare", "resume"):
        assert decision.action is Action.SKIP
    if tag == "prepare":
        assert decision.action is not Action.RESUME
