"""Any tags: only those that opt a machine in let anything be changed, and none of them is more than a tag."""

from typing import Any

import pytest
import resumer
from fake_account import Account, failure_events, machine_arn
from fuzz.spoiled import LONE, Log, examples, memory_of, sent, texts
from fuzz.test_events import ARN, ORDERS, Context
from gotostate import policy, resumption, settings
from gotostate.errors import SettingsError
from gotostate.housekeeping import DELETING_TAG, Marks
from gotostate.policy import Action
from gotostate.resumption import OPT_IN_TAG, SOURCE_TAG
from gotostate.settings import Mode, Settings
from hypothesis import example, given
from hypothesis import strategies as st

values = texts | st.sampled_from(["resume", "prepare", "off", "RESUME", "0", "5", "101", "-1", "٣", "true", "redrive"])
lists = st.sampled_from(["A", "A/B", "/", "A//B", "*", "States.ALL", "B/"])
sources = st.sampled_from(["orders", "orders-with-GoToState", "=110000=", "=ffffffffffffff=", "=d800=", "=0="]).map(
    lambda name: machine_arn(name) if name[0] != "=" else name
)
keys = st.sampled_from([OPT_IN_TAG, SOURCE_TAG, DELETING_TAG, *settings.TAGS])
tags = st.dictionaries(keys, values | lists | sources | sources.map(lambda source: f"1777600000 {source}"), max_size=5)
SOURCE = machine_arn("orders")
BUILT = machine_arn("orders-with-GoToState")


@examples(200)
@given(tags, st.sampled_from(list(Mode)))
@example({SOURCE_TAG: "=110000="}, Mode.OFF)
@example({DELETING_TAG: "9" * 5_000}, Mode.OFF)
@example({"gotostate:max-attempts": "9" * 5_000}, Mode.OFF)
@example({"gotostate:strategy": LONE}, Mode.OFF)
def test_any_tags_are_read(given_tags: dict[str, str], default: Mode) -> None:
    stack = Settings(default_mode=default)
    found = settings.for_machine(given_tags, stack)
    assert 0 <= found.max_attempts <= 100
    assert 0 <= found.backoff_seconds <= 86_400
    allowed = policy.opt_in(given_tags, stack)
    asked = given_tags.get(OPT_IN_TAG, default.value)
    assert (allowed.action in (Action.RESUME, Action.PREPARE)) == (asked in ("resume", "prepare"))
    source = resumption.source_of(given_tags, BUILT)
    assert source is None or f"{source}-with-GoToState" == BUILT
    assert resumption.is_built_from(given_tags, BUILT, SOURCE) == (given_tags.get(SOURCE_TAG) == SOURCE)
    assert Marks.of(BUILT, given_tags).was_left(0.0) is False


environments = st.dictionaries(
    st.sampled_from([
        "BACKOFF_RATE", "BACKOFF_SECONDS", "DEFAULT_MODE", "MAX_ATTEMPTS", "MAX_BACKOFF_SECONDS", "PREPARE_ERRORS",
        "RESUME_INSIDE", "STRATEGY",
    ]),
    values | st.sampled_from(["9" * 5_000, "nan", "inf", "1e400", "²", ",", "*", "(", "1_0"]),
    max_size=3,
)  # fmt: skip


@examples(100)
@given(environments)
@example({"MAX_ATTEMPTS": "9" * 5_000})
@example({"PREPARE_ERRORS": "*" * 40})
def test_any_environment_is_read_or_refused(environment: dict[str, str]) -> None:
    try:
        found = settings.settings_from(environment)
    except SettingsError:
        return
    assert 1 <= found.backoff_rate <= 100
    settings.matches("States.Runtime" * 10, found.prepare_errors)


@examples(25)
@given(tags, tags)
def test_only_a_machine_that_opted_in_is_touched(of_source: dict[str, str], of_built: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        account = Account()
        account.add_machine("orders", ORDERS, of_source)
        account.add_machine("orders-with-GoToState", ORDERS, of_built)
        account.add_failure("orders", "order-17", failure_events("Charge"))
        account.now += 86_400
        memory, log = memory_of(account), Log(resumer.logger, patch)
        patch.setattr(resumer, "_memory", lambda: memory)
        context: Any = Context()
        answer = resumer.handler(account.event(ARN), context)
        sent(answer)
        assert log.lines()[-1]["outcome"] == answer["outcome"]
        if of_source.get(OPT_IN_TAG) not in ("resume", "prepare"):
            assert account.changes == []
        # Another's machine of that name is not touched, whatever it is tagged with.
        if of_built.get(SOURCE_TAG) != SOURCE:
            assert account.changes in ([], ["redrive orders:order-17"])
