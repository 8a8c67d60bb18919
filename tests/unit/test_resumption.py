"""Names, inputs and tags of a resume."""

import json
from typing import Any

import pytest
from gotostate import jsontext, resumption
from gotostate.errors import ArnError, InputError
from gotostate.resumption import Asked, Chain, ExecutionArn
from hypothesis import given
from hypothesis import strategies as st

ARN = "arn:aws:states:eu-west-1:123456789012:execution:orders:order-17"
# What Step Functions allows in names
# (https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html).
FORBIDDEN = set(' <>{}[]?*"#%\\^|~`$&,;:/\t\n')
names = st.text(
    st.characters(exclude_categories=["C", "Z"]).filter(lambda letter: letter not in FORBIDDEN), min_size=1, max_size=80
)


def test_an_arn_is_taken_apart() -> None:
    arn = ExecutionArn.parse(ARN)
    assert (arn.text, arn.region, arn.machine_name, arn.name) == (ARN, "eu-west-1", "orders", "order-17")
    assert arn.machine_arn == "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("order-17", "not the ARN of an execution"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:orders", "of the service 'lambda'"),
        ("arn:aws:states:eu-west-1:123456789012:stateMachine:orders", "not the ARN of an execution"),
        ("arn:aws:states:eu-west-1:123456789012:express:orders:order-17:uuid", "Express"),
        ("arn:aws:states:eu-west-1:123456789012:execution:orders:", "not the ARN of an execution"),
        ("arn:aws:states:eu-west-1:123456789012:execution:orders:a:b", "not the ARN of an execution"),
        ("", "not the ARN of an execution"),
        ("urn:aws:states:eu-west-1:123456789012:execution:orders:a", "not the ARN of an execution"),
        ("arn:aws", "not the ARN of an execution"),
        ("arn::states:eu-west-1:123456789012:execution:orders:a", "not the ARN of an execution"),
        ("arn:aws:states::123456789012:execution:orders:a", "not the ARN of an execution"),
        ("arn:aws:states:EU-WEST-1:123456789012:execution:orders:a", "not the ARN of an execution"),
        ("arn:aws:states:123456789012:eu-west-1:execution:orders:a", "not the ARN of an execution"),
        ("arn:aws:states:eu-west-1:12345:execution:orders:a", "not the ARN of an execution"),
        ("arn:aws:states:eu-west-1:123456789012:execution::a", "not the ARN of an execution"),
        ("arn:aws:states:eu-west-1:123456789012:execution:orders:a b", "not the ARN of an execution"),
        ("arn:aws:states:eu-west-1:123456789012:execution:orders:a\ud800", "not the ARN of an execution"),
    ],
)
def test_other_arns_are_named_for_what_they_are(text: str, says: str) -> None:
    with pytest.raises(ArnError) as raised:
        ExecutionArn.parse(text)
    assert str(raised.value).startswith(repr(text))
    assert says in str(raised.value)
    ending = "; expected arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME"
    express = "; only Standard executions can be resumed"
    assert str(raised.value).endswith(express if says == "Express" else ending)


def test_names_are_those_of_machines_and_executions_that_are_there_already() -> None:
    """They are in people's accounts: another name for the same failure would be started a second time."""
    assert resumption.machine_name("x" * 65) == "x" * 65 + "-with-GoToState"
    assert resumption.machine_name("x" * 66) == "x" * 56 + "-6eb879f1-with-GoToState"
    assert resumption.execution_name("order-17", ARN, 9, 2) == "order-17-resume-2-f7c35876a7ba85a1"
    assert resumption.execution_name("o" * 80, ARN, 9, 2) == "o" * 54 + "-resume-2-f7c35876a7ba85a1"
    assert resumption.resumed_mark(ARN, 2) == "-resume-2-f7c35876"
    assert resumption.redrive_token(ARN, 9) == "89df33fd1ad32e7f5efc18d116e9ca655fde642aea3970c836ec8a14bfe55502"
    assert resumption.mark_number("order-17") == 1_923_681_955
    # What is no name of AWS's has one all the same.
    assert resumption.machine_name("\ud800" * 66) == "\ud800" * 56 + "-6991b608-with-GoToState"


def test_a_tag_holds_an_arn_as_it_is_where_it_can() -> None:
    prefix = "arn:aws:states:eu-west-1:123456789012:stateMachine:"
    assert resumption.source_tag(f"{prefix}orders") == f"{prefix}orders"
    assert resumption.source_tag(f"{prefix}a(b)é\u20ac") == f"{prefix}a=28=b=29=é=20ac="
    longest = prefix + "x" * (256 - len(prefix))
    assert resumption.source_tag(longest) == longest
    assert (
        resumption.source_tag(longest + "x")
        == "sha256:1d632c443b0ef07d6538ba3d662ea73e3bb647f2725510379a0f8e13f9c46e9b"
    )
    assert resumption.source_of({}, f"{prefix}-with-GoToState") is None
    assert resumption.source_of({"gotostate:source": prefix}, f"{prefix}-with-GoToState") is None
    assert resumption.source_of({"gotostate:source": "=110000="}, f"{prefix}orders-with-GoToState") is None


def test_children_of_a_map_run_are_known_by_their_arn() -> None:
    assert ExecutionArn.parse(ARN.replace("orders", "orders/label")).is_map_run_child
    assert not ExecutionArn.parse(ARN).is_map_run_child


@given(names)
def test_machine_names_fit(name: str) -> None:
    built = resumption.machine_name(name)
    assert len(built) <= 80
    assert built.endswith("-with-GoToState")
    if len(name) <= 65:
        assert built == f"{name}-with-GoToState"


def test_long_names_do_not_share_a_machine() -> None:
    longs = ["x" * 66, "x" * 67, "x" * 80, "x" * 79 + "y", "x" * 65 + "é"]
    assert len({resumption.machine_name(name) for name in longs}) == len(longs)


@pytest.mark.parametrize(
    ("name", "is_resumes"),
    [
        (resumption.execution_name("order-17", ARN, 9, 1), True),
        (resumption.execution_name("o" * 80, ARN, 9, 12), True),
        ("by-hand", False),
        ("order-17-resume-1", False),
        ("order-17-resume-1-0123456789abcdef-again", False),
    ],
)
def test_what_a_person_started_is_told_from_a_resume_by_its_name(name: str, is_resumes: bool) -> None:
    assert resumption.is_resume_name(name) is is_resumes


@given(names, names, st.integers(0, 9), st.integers(1, 99))
def test_execution_names_fit_and_tell_failures_apart(original: str, other: str, ending: int, attempt: int) -> None:
    name = resumption.execution_name(original, f"{ARN}{other}", ending, attempt)
    assert len(name) <= 80
    assert not FORBIDDEN & set(name)
    assert name == resumption.execution_name(original, f"{ARN}{other}", ending, attempt)
    assert name != resumption.execution_name(original, f"{ARN}{other}", ending + 1, attempt)
    assert name != resumption.execution_name(original, f"{ARN}{other}", ending, attempt + 1)
    assert name != resumption.execution_name(original, f"{ARN}{other}2", ending, attempt)
    # Listings of a machine and of its GoToState machine are joined by it, with no look at the history.
    assert resumption.resumed_mark(f"{ARN}{other}", attempt) in name


@given(names)
def test_any_name_can_be_a_tag(name: str) -> None:
    arn = f"arn:aws:states:eu-west-1:123456789012:stateMachine:{name}"
    value = resumption.source_tag(arn)
    assert len(value) <= 256
    # https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#concepts-tagging
    assert all(letter.isalnum() or letter in "_.:/=+-@ " for letter in value)
    built = f"arn:aws:states:eu-west-1:123456789012:stateMachine:{resumption.machine_name(name)}"
    tags = {"gotostate:source": value}
    assert resumption.is_built_from(tags, built, arn)
    assert value.startswith("sha256:") or resumption.source_of(tags, built) == arn
    # It explains the name of no other machine.
    assert resumption.source_of(tags, arn) is None
    assert not resumption.is_built_from(tags, arn, arn)


def test_the_input_is_handed_on_digit_for_digit() -> None:
    text = resumption.resume_input(
        state="B",
        state_input=' {"f": 1.10, "big": 12345678901234567890123}\n',
        variables={"v": "1.0", "é": '"x"'},
        execution=ARN,
        failed=ARN,
        attempt=2,
        delay_seconds=0,
        original_input={"order": "1E+2", "resuming": "1"},
    )
    parts = jsontext.members(text)
    assert parts["order"] == "1E+2"
    resuming = jsontext.members(parts["resuming"])
    assert resuming["input"] == '{"f": 1.10, "big": 12345678901234567890123}'
    assert jsontext.members(resuming["variables"]) == {"v": "1.0", "é": '"x"'}
    assert json.loads(text)["resuming"] | {"input": 0, "variables": 0} == {
        "state": "B", "delaySeconds": 0, "execution": ARN, "attempt": 2, "input": 0, "variables": 0,
    }  # fmt: skip


def test_an_input_that_is_too_large_points_to_the_native_redrive() -> None:
    fits = {"state": "B", "variables": {}, "execution": "first", "failed": ARN, "attempt": 1, "delay_seconds": 0}
    overhead = len(resumption.resume_input(state_input="0", **fits)) - 1  # type: ignore[arg-type]
    room = resumption.MAX_INPUT_BYTES - overhead
    assert len(resumption.resume_input(state_input="1" * room, **fits)) == resumption.MAX_INPUT_BYTES  # type: ignore[arg-type]
    with pytest.raises(InputError, match=rf"262144.*redrive-execution --execution-arn {ARN}"):
        resumption.resume_input(state_input="1" * (room + 1), **fits)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="262145 bytes"):
        resumption.resume_input(state_input='"' + "x" * (room - 3) + 'é"', **fits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_input", "resumed", "chain"),
    [
        ('{"a": 1.0}', False, Chain(ARN, 0, {"a": "1.0"})),
        ("[1]", False, Chain(ARN, 0, None)),
        ('{"resuming": {"execution": "x", "attempt": 7}}', False,
         Chain(ARN, 0, {"resuming": '{"execution": "x", "attempt": 7}'})),
        ('{"a": 1, "resuming": {"execution": "'+ARN+'", "attempt": 2}}', True, Chain(ARN, 2, {"a": "1"})),
        ('{"resuming": {"execution": "by hand", "attempt": 1}}', True, Chain(ARN, 0, {})),
        ('{"a": 1, "resuming": true}', True, Chain(ARN, 0, {"a": "1"})),
        ('{"a": 1, "resuming": {"state": "B", "input": 1}}', True, Chain(ARN, 0, {"a": "1"})),
        ('{"resuming": {"execution": "first", "attempt": true}}', True, Chain(ARN, 0, {})),
        ('{"resuming": {"execution": "first", "attempt": -1}}', True, Chain(ARN, 0, {})),
        ("null", True, Chain(ARN, 0, None)),
        ('{"resuming": {"execution": "'+ARN+'", "attempt": 1, "inside": [1.0], "by": " ada ", "reason": " why ", '
         '"redrives": 1, "rerun": true}}', True, Chain(ARN, 1, {}, "[1.0]", Asked("ada", "why"), 1, is_rerun=True)),
        ('{"resuming": {"execution": "'+ARN+'", "attempt": 1, "by": "ada", "redrives": 0, "rerun": 1}}', True,
         Chain(ARN, 1, {}, None, Asked("ada"))),
        ('{"resuming": {"execution": "'+ARN+'", "attempt": 1, "reason": "why", "redrives": true}}', True,
         Chain(ARN, 1, {})),
        ('{"resuming": {"execution": "'+ARN+'", "attempt": 1000000, "redrives": 1000001}}', True,
         Chain(ARN, 1_000_000, {})),
        ('{"resuming": {"execution": "'+ARN+'", "attempt": 1000001, "inside": [], "by": "ada"}}', True,
         Chain(ARN, 0, {}, "[]", Asked("ada"))),
        ('{"resuming": {"execution": "'+ARN+'", "attempt": 0}}', True, Chain(ARN, 0, {})),
        ('{"resuming": {"execution": "'+ARN+'", "attempt": true}}', True, Chain(ARN, 0, {})),
        ('{"resuming": {"execution": "by hand", "attempt": 1, "inside": {}, "by": "ada"}}', True,
         Chain(ARN, 0, {}, "{}", Asked("ada"))),
        ('{"resuming": {"execution": "'+ARN.replace("eu-west-1", "eu-west-2")+'", "attempt": 1}}', True,
         Chain(ARN, 0, {})),
    ],
)  # fmt: skip
def test_place_in_the_chain(given_input: str, resumed: bool, chain: Chain) -> None:
    assert resumption.chain_of(ARN, given_input, resumed=resumed) == chain


def test_who_asked_is_cut_to_leave_room_for_the_input() -> None:
    assert Asked.of("a" * 300, " " + "b" * 300) == Asked("a" * 256, "b" * 256)
    assert Asked.of("ada", "  ") == Asked.of("ada", 7) == Asked("ada", None)
    assert Asked.of("  ", "why") is None
    assert Asked.of(7, "why") is None


def test_all_that_a_resume_is_given() -> None:
    given: dict[str, Any] = {
        "state": "B", "variables": {}, "execution": "first", "failed": ARN, "attempt": 1, "delay_seconds": 60,
        "state_input": "\r\n\t {}\t ",
    }  # fmt: skip
    plain = '"state":"B","delaySeconds":60,"execution":"first","attempt":1,"variables":{},"input":{}'
    assert resumption.resume_input(**given) == '{"resuming":{' + plain + "}}"
    text = resumption.resume_input(
        **given, inside=["1.0", '"x"'], asked=Asked("ada", "why"), redrives=2, is_rerun=True, original_input={"a": "1"}
    )
    more = '"redrives":2,"rerun":true,"by":"ada","reason":"why","inside":[1.0,"x"]'
    assert text == '{"a":1,"resuming":{' + plain + "," + more + "}}"
    assert resumption.resume_input(**given, asked=Asked("ada")).endswith('"input":{},"by":"ada"}}')
    # What is no JSON white space is left to be refused, and not taken away.
    assert resumption.resume_input(**{**given, "state_input": "\x0b1X"}).endswith('"input":\x0b1X}}')


def test_what_a_person_gives_as_input_is_json() -> None:
    assert resumption.checked_input(" 1.10 ") == " 1.10 "
    with pytest.raises(InputError) as raised:
        resumption.checked_input("{")
    assert str(raised.value).startswith("--input is not JSON (Expecting property name")
    assert str(raised.value).endswith("); quote strings and give one JSON value")


def test_an_input_is_shown_on_one_line_digit_for_digit() -> None:
    assert (
        jsontext.on_one_line('{\n    "Message": "a\u2028b",\n    "f": 1.10\n}')
        == '{ "Message": "a\u2028b", "f": 1.10 }'
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values), st.sampled_from([None, 2]))
def test_members_and_join_are_each_others_reverse(value: dict[str, object], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    parts = jsontext.members(text)
    assert {name: json.loads(part) for name, part in parts.items()} == value
    assert json.loads(jsontext.join(parts)) == value


@pytest.mark.parametrize("text", ["[]", "1", "{", '{"a": 1} x', '{"a": NaN}', "", '{"a": Infinity}'])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        jsontext.members(text)
