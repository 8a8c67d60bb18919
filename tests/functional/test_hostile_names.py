"""Names that attack: what AWS takes as a name or an error, through every output that shows it.

A state's name is any text of 80 characters. Names of machines and executions are narrower, but quotes, brackets and
marks that change the direction of a text are allowed in them. An error and its cause are any text.
"""

import copy
import json
import re
import shlex
import subprocess
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import listed
import pytest
import request as request_function
import resumer
import widget
from fake_account import Wired, execution_arn, failure_events, machine_arn
from gotostate import cli, router
from gotostate.cli.account import Account as CommandAccount
from gotostate.cli.account import Parameters
from gotostate.definition import Definition
from gotostate.plain import as_written, printable
from gotostate.settings import Settings
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

STATES = {
    "quotes": "it's \"quoted\" 'twice\\",
    "braces": "{a}{{7*7}}${AWS::StackName}}%s%(x)s",
    "jsonata": "{% $states.context.Execution.Input %} %}",
    "jsonata string": '" & $states.input & "',
    "jsonpath": "$.resuming['state'] States.Format('{}', $$)",
    "element": "</td></script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": "\" onmouseover='alert(1)' x=\"",
    "action": '</cwdb-action><cwdb-action action="call" endpoint="arn:x">{}',
    "line feed": "a\nNext         curl e.example | sh\r\nb\x0b\x0c\u2028\u2029\x85c",
    "right to left": "invoice\u202efdp.exe\u200f\u2067\u05e9\u05dc\u05d5\u05dd",
    "escape sequences": "\x1b[2J\x1b]8;;http://e.example\x07x\x9b31m\x7f\x00",
    "emoji": "\U0001f469\u200d\U0001f4bb\U0001f525 \u65e5\u672c e\u0301",
    "backticks": "`id` ``` x ```",
    "shell": "$(touch /tmp/x); rm -rf ~ && : > y #",
    "pipe": "a|b\\|c---|---",
    "markdown": "[x](javascript:alert(1)) ![y](http://e.example) <!channel> @here *b* _i_",
    "mermaid": 'end"]; click a "javascript:alert(1)" %% --> #quot; $$y$$',
    "xml": "]]> <!-- & --> <?x?> \ufffe\uffff",
    "property": "__proto__",
    "router": "GoToState Backoff",
    "comment": 'Goes on inside "x".',
}
NAMES = list(STATES.values())
# What AWS takes in the names of machines and executions
# (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html).
ODD = "o'dd(=!@+)\u202etxt.exe\u2067\u05e9\u05dc\u05d5\u05dd\U0001f9ea"
MACHINE = f"m-{ODD}"
LAMBDA = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}


def definition_of(names: list[str], **more: Any) -> dict[str, Any]:
    """Write a machine of tasks that have these names, and a Map whose inner state has a name like the first one's."""
    tasks: dict[str, Any] = {name: {**LAMBDA, "Next": after} for name, after in pairwise([*names, "Each"])}
    # Names are unique in a machine.
    inner: dict[str, Any] = {
        f"{name[:70]} inner": {**LAMBDA, "Next": f"{after[:70]} inner"} for name, after in pairwise(names)
    }
    inner[f"{names[-1][:70]} inner"] = {**LAMBDA, "End": True}
    each = {"Type": "Map", "ItemProcessor": {"StartAt": next(iter(inner)), "States": inner}, "End": True}
    return {**more, "StartAt": names[0], "States": {**tasks, "Each": each}}


def failing(name: str) -> list[Any]:
    """Write the history of an execution that fails in a state, with an error and a cause of the same kind."""
    events = copy.deepcopy(failure_events(name, json.dumps({"n": name}), error=name))
    events[-1]["executionFailedEventDetails"]["cause"] = f"{name} {name}"
    return events


def add(account: listed.Account, names: list[str], execution: str, tags: dict[str, str] | None = None) -> list[str]:
    """Put a machine into an account, and an execution for each state, which failed there; return their ARNs."""
    account.add_machine(MACHINE, definition_of(names), tags or {"gotostate": "resume"})
    found = []
    for number, name in enumerate(names):
        account.now += 60
        found.append(account.add_failure(MACHINE, f"{execution}{number}", failing(name)))
    return found


@pytest.fixture
def account(monkeypatch: Patch) -> listed.Account:
    """An account on which the command and the functions work; one client for all, as to make one takes long."""
    account = listed.Account()
    wired = Wired(account)
    for place in ("account", "selection"):
        monkeypatch.setattr(f"gotostate.cli.{place}.StepFunctions", lambda region=None: wired)
    settings = Parameters(Settings(), None, "the stack's defaults")
    monkeypatch.setattr(CommandAccount, "parameters", settings)
    for place in ("verbs.list", "bulk.planned"):
        monkeypatch.setattr(f"gotostate.cli.{place}.parameters", lambda *_, **__: settings)
    memory = account.memory()
    for function in (resumer, widget, request_function):
        monkeypatch.setattr(function, "_memory", lambda: memory)
    for place in ("gotostate.cli.verbs.list", "gotostate.cli.bulk.verb", "widget", "gotostate.cli.verbs.clean"):
        monkeypatch.setattr(f"{place}._now", lambda: account.now, raising=False)
    monkeypatch.setenv("QUEUE_URL", listed.QUEUE)
    monkeypatch.setenv("REQUEST_FUNCTION_ARN", listed.REQUEST)
    monkeypatch.setenv("COLUMNS", "400")
    return account


@pytest.fixture
def arns(account: listed.Account) -> list[str]:
    return add(account, NAMES, f"e-{ODD}")


def printed(capsys: Capture, *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert cli.main(arguments) == code
    captured = capsys.readouterr()
    assert_calm(captured.err)
    return captured.out


def assert_calm(text: str) -> None:
    """A terminal shows this text as it is, and each of its lines is one of ours."""
    acts = [one for one in text if one != "\n" and unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert acts == []
    assert not [line for line in text.splitlines() if line.startswith("Next         curl")]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


# ---- The router's definition ---------------------------------------------------------------------


@pytest.mark.parametrize("inside", [None, "Each"])
def test_a_router_in_jsonpath_enters_the_state_that_is_named(inside: str | None) -> None:
    """A Choice compares texts: nothing in a name is a path, a pattern or an intrinsic function to it."""
    source = Definition.parse(json.dumps(definition_of(NAMES)))
    built = router.add_gotostate(source, inside=inside)
    states = built.document["States"]
    (enter,) = [body for name, body in states.items() if name.startswith("GoToState Enter")]
    for rule in enter["Choices"]:
        assert set(rule) == {"Variable", "StringEquals", "Next"}
    assert {rule["StringEquals"]: rule["Next"] for rule in enter["Choices"]} == {name: name for name in source.states}
    assert all(states[name] == source.states[name] for name in NAMES)
    assert built.opened == inside
    assert router.remove_gotostate(built).document == source.document


@pytest.mark.parametrize("inside", [None, "Each"])
def test_a_router_in_jsonata_enters_the_state_that_is_named(inside: str | None) -> None:
    """By the JSONata that the local account has: each condition holds for its own state's name, and for no other."""
    source = Definition.parse(json.dumps(definition_of(NAMES, QueryLanguage="JSONata")))
    built = router.add_gotostate(source, inside=inside)
    (enter,) = [body for name, body in built.states.items() if name.startswith("GoToState Enter")]
    rules = [(rule["Condition"], rule["Next"], "$states.input") for rule in enter["Choices"]]
    scope = built.states["Each"]["ItemProcessor"]
    if inside:
        rules += [
            (rule["Condition"], rule["Next"], "inner")
            for rule in scope["States"][scope["StartAt"]]["Choices"]
            if ".state = " in rule["Condition"]
        ]
        assert len(rules) == 2 * len(NAMES) + 1
    asked = []
    for condition, name, place in rules:
        body = re.fullmatch(r"\{%(.*)%\}", condition, re.DOTALL)
        assert body
        # What stands between them ends neither the expression nor begins another one.
        assert "%}" not in body[1]
        record = {"state": name, "input": 1}
        given = {"input": {"resuming": record, "index": 0}}
        context = {"Execution": {"Input": {"resuming": {"inside": [record]}}}}
        asked += [{"expression": body[1], "states": given | {"context": context}, "place": place}]
        other = json.loads(json.dumps(asked[-1]["states"]).replace(json.dumps(name), json.dumps(f"{name} ")))
        asked.append({**asked[-1], "states": other})
    program = (
        "import json, sys; from jsonata import Jsonata\n"
        "def holds(one):\n"
        "    expression = Jsonata(one['expression'])\n"
        "    for name, value in (('states', one['states']), ('gotostate0', [0])):\n"
        "        expression.assign(name, value)\n"
        "    return expression.evaluate(None)\n"
        "print(json.dumps([holds(one) for one in json.load(sys.stdin)]))"
    )
    run = subprocess.run(
        [ROOT / ".venv-local/bin/python", "-c", program],
        input=json.dumps(asked), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(run.stdout) == [True, False] * len(rules)
    assert router.remove_gotostate(built).document == source.document


def test_a_router_with_hostile_names_is_valid(tmp_path: Path) -> None:
    # The validator takes no line's end in a name, which AWS does not rule out.
    names = [name for name in NAMES if len(name.splitlines()) == 1]
    assert len(names) == len(NAMES) - 1
    arguments = []
    for language in ("JSONPath", "JSONata"):
        source = Definition.parse(json.dumps(definition_of(names, QueryLanguage=language)))
        for inside in (None, "Each"):
            path = tmp_path / f"{language} {inside}.json"
            path.write_text(router.add_gotostate(source, names[0], inside=inside).text)
            arguments += ["--json-path", str(path)]
    run = subprocess.run(
        ["npm", "exec", "--no", "--", "asl-validator", "--no-arn-check", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.stdout.count('.json" is valid') == 4, run.stdout[-3000:] + run.stderr[-3000:]


# ---- The command ---------------------------------------------------------------------------------


def test_plan(account: listed.Account, arns: list[str], capsys: Capture) -> None:
    for arn, name in zip(arns, NAMES, strict=True):
        lines = printed(capsys, "plan", arn).splitlines()
        assert_calm("\n".join(lines))
        assert f"Resume from  {printable(name)}".rstrip() in lines
        assert len([line for line in lines if line.startswith("Next ")]) == 1
        said = printed(capsys, "plan", arn, "--json")
        assert_calm(said)
        told = json.loads(said)
        assert (told["resumeFrom"], told["error"], told["input"]) == (name, name, {"n": name})


@pytest.mark.parametrize("options", [[], ["--group"]])
def test_list(account: listed.Account, arns: list[str], capsys: Capture, options: list[str]) -> None:
    said = printed(capsys, "list", *options)
    assert_calm(said)
    for name in NAMES:
        assert printable(name) in said
    told = printed(capsys, "list", "--json", *options)
    assert_calm(told)
    assert {one["state"] for one in json.loads(told)} == set(NAMES)


def test_show(account: listed.Account, arns: list[str], capsys: Capture, tmp_path: Path) -> None:
    for number, (arn, name) in enumerate(zip(arns, NAMES, strict=True)):
        assert_calm(printed(capsys, "show", arn))
        said = printed(capsys, "show", arn, "--json")
        assert_calm(said)
        assert json.loads(said)["executions"][0]["states"][0]["name"] == name
        drawn = printed(capsys, "show", arn, "--mermaid").replace("\u200b", "")
        assert_calm(drawn)
        for line in drawn.splitlines():
            texts = re.findall(r'"([^"]*)"', line)
            assert line.count('"') == 2 * len(texts)
            assert not re.search(r"[<>`$&\\*_{}\[\]|]|#(?!\d+;)", "".join(texts).replace("<br>", ""))
        path = tmp_path / f"{number}.svg"
        printed(capsys, "show", arn, "--svg", str(path))
        assert_calm(path.read_text(encoding="utf-8"))
        root = ET.parse(path).getroot()  # noqa: S314  our own
        assert {one.tag.rpartition("}")[2] for one in root.iter()} <= {
            "svg", "title", "style", "rect", "text", "circle", "path", "g",
        }  # fmt: skip
        assert not [attribute for one in root.iter() for attribute in one.attrib if attribute.startswith("on")]


def test_resume(account: listed.Account, arns: list[str], capsys: Capture) -> None:
    for arn, name in zip(arns, NAMES, strict=True):
        said = printed(capsys, "resume", arn)
        assert_calm(said)
        assert f"From state   {printable(name)}".rstrip() in said.splitlines()
        # A second time nothing is started; the message that says so names the same things.
        printed(capsys, "resume", arn, "--reason", name, code=1)
    started = account.resumed(f"{MACHINE}-with-GoToState")
    assert [json.loads(run.input)["resuming"]["state"] for run in started] == NAMES
    assert [json.loads(run.input)["resuming"]["input"] for run in started] == [{"n": name} for name in NAMES]


def test_the_preview_of_many(account: listed.Account, arns: list[str], capsys: Capture) -> None:
    said = printed(capsys, "resume", "--state-machine", machine_arn(MACHINE), "--since", "1d", "--dry-run")
    assert_calm(said)
    for name in NAMES:
        assert printable(name) in said
    told = printed(capsys, "resume", "--state-machine", machine_arn(MACHINE), "--since", "1d", "--dry-run", "--json")
    assert_calm(told)
    assert {one["state"] for one in json.loads(told)["groups"]} == set(NAMES)


def test_clean(account: listed.Account, arns: list[str], capsys: Capture) -> None:
    printed(capsys, "resume", arns[0])
    assert_calm(printed(capsys, "clean", "--dry-run"))
    told = printed(capsys, "clean", "--dry-run", "--json")
    assert_calm(told)
    assert json.loads(told)["machines"][0]["machine"] == machine_arn(f"{MACHINE}-with-GoToState")


def test_build(account: listed.Account, arns: list[str], capsys: Capture) -> None:
    assert_calm(printed(capsys, "build", arns[0]))
    said = printed(capsys, "--failedExecutionArn", arns[1])
    assert_calm(said)
    command = said.splitlines()[-1].removeprefix("Start it with").strip()
    assert argv(command) == ["gotostate", "resume", arns[1]]


# ---- Commands to copy ----------------------------------------------------------------------------


def argv(command: str) -> list[str]:
    """Split a command as a shell does, and read an ARN as the command itself reads it."""
    return [as_written(word) if word.startswith("arn:") else word for word in shlex.split(command)]


def test_each_next_line_is_the_command_that_was_meant(
    account: listed.Account, arns: list[str], capsys: Capture
) -> None:
    (line,) = [line for line in printed(capsys, "plan", arns[0]).splitlines() if line.startswith("Next ")]
    command = line.removeprefix("Next").strip()
    assert argv(command) == ["gotostate", "resume", arns[0]]
    # The command that was copied from the screen finds the execution.
    assert f'"execution":"{arns[0]}"' in as_written(printed(capsys, "plan", shlex.split(command)[2], "--json"))
    (line,) = [line for line in printed(capsys, "show", arns[0]).splitlines() if line.startswith("next: ")]
    assert argv(line.removeprefix("next:")) == ["gotostate", "plan", arns[0]]
    nexts = [one["next"] for one in json.loads(printed(capsys, "list", "--json"))]
    assert sorted(map(argv, nexts)) == sorted([*(["gotostate", "resume", arn] for arn in arns)])


def test_no_name_ends_a_quoted_word() -> None:
    """What a command that is copied names is an ARN, and no ARN of an execution holds what a shell could run."""
    for mark in ';|&$`\\<> \n"#*?':
        with pytest.raises(ValueError, match="is not the ARN"):
            raise_as_value_error(execution_arn("orders", f"a{mark}b"))


def raise_as_value_error(arn: str) -> None:
    try:
        CommandAccount.of(arn)
    except Exception as error:
        raise ValueError(str(error)) from error


# ---- What people and programs are told -----------------------------------------------------------


class Topic:
    """The topic: what was published."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []

    def publish(self, arn: str, subject: str, message: str) -> None:
        self.said.append((subject, json.loads(message)))


def handled(account: listed.Account, arn: str) -> dict[str, Any]:
    answer: dict[str, Any] = resumer.handler(account.event(arn), listed.Context())  # type: ignore[arg-type]
    return answer


@pytest.fixture
def topic(monkeypatch: Patch) -> Topic:
    topic = Topic()
    monkeypatch.setattr(resumer, "_topic", lambda memory: topic)
    monkeypatch.setenv("TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:recovery")
    return topic


@pytest.fixture
def log(monkeypatch: Patch) -> StringIO:
    stream = StringIO()
    for function in (resumer, widget, request_function):
        monkeypatch.setattr(function.logger.registered_handler, "stream", stream)
    return stream


def test_an_outcome_as_event_mail_chat_log_and_metric(
    account: listed.Account, topic: Topic, log: StringIO, capsys: Capture
) -> None:
    schema = Draft202012Validator(json.loads((ROOT / "docs" / "events.schema.json").read_text()))
    arns = add(account, NAMES, f"e-{ODD}", {"gotostate": "prepare"})
    for arn, name in zip(arns, NAMES, strict=True):
        log.truncate(log.seek(0))
        capsys.readouterr()
        assert handled(account, arn)["outcome"] == "prepared"
        detail = account.told[-1]
        schema.validate(detail)
        assert (detail["state"], detail["error"], detail["cause"]) == (name, name, f"{name} {name}")
        assert argv(detail["next"].partition("; ")[2]) == ["gotostate", "resume", arn]
        assert_mail(topic, arn)
        assert_chat(topic.said[-1][1]["https"])
        assert_calm(log.getvalue())
        (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
        assert (line["state"], line["execution"], line["outcome"]) == (name, arn, "prepared")
        # A metric has the stack's name and no other.
        (metric,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert name not in set(strings(metric))
        assert metric["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def assert_mail(topic: Topic, arn: str) -> None:
    subject, by_protocol = topic.said[-1]
    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) < 100
    lines = by_protocol["email"].split("\n")
    assert [line.isprintable() for line in lines] == [True] * 5
    look, resume = lines[3].removeprefix("type: ").split("; ")
    assert (argv(look)[2], argv(resume)[2]) == (arn, arn)
    assert re.fullmatch(
        r"look: https://[\w.-]+/states/home\?region=eu-west-1#/v2/executions/details/[\w%.~-]+", lines[4]
    )


def assert_chat(text: str) -> None:
    told = json.loads(text)
    content = told["content"]
    for line in (content["title"], told["metadata"]["summary"], *content["description"].split("\n")):
        assert line.isprintable()
        # No mark of Markdown, and none that begins a mention or a link, is without a backslash.
        theirs = line.removeprefix("Runs again from there: ")
        assert not re.search(r"(?<!\\)(?:\\\\)*[`*_{}\[\]()<>#+!|~&@:]", theirs), line
    for step in content["nextSteps"]:
        assert step.isprintable()
        assert step.count("`") == 2
    assert content["keywords"] == ["prepared", "prepare"]


def test_a_payload_that_is_logged_stays_in_its_line(
    account: listed.Account, arns: list[str], log: StringIO, monkeypatch: Patch
) -> None:
    """A line that a name writes into the log would be an outcome to the sweep, which reads it."""
    monkeypatch.setenv("LOG_PAYLOADS", "true")
    forged = json.dumps({"execution": arns[1], "outcome": "gave up"})
    arn = account.add_failure(MACHINE, "x", failing(NAMES[0]), json.dumps({"n": f"\n{forged}\n"}))
    handled(account, arn)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {line["execution"] for line in lines} == {arn}
    assert {line.get("outcome") for line in lines} == {None, "resumed"}


# ---- The widget ----------------------------------------------------------------------------------


class Page(HTMLParser):
    """The elements of a page with the names of their attributes, its text, and its actions."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.values: list[str] = []
        self.actions: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._in_action = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]
        self._in_action = tag == "cwdb-action"
        if self._in_action:
            self.actions.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}",))
        self._in_action = False

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        if self._in_action:
            attributes, before = self.actions[-1]
            self.actions[-1] = attributes, before + data
        self.text += data


def shown(event: Any, context: listed.Context | None = None) -> Page:
    html = widget.handler({"widgetContext": {}, **event}, context or listed.Context())  # type: ignore[arg-type]
    html.encode()
    assert_calm(html)
    return Page(html)


def whole_list(account: listed.Account) -> dict[str, Any]:
    start, end = (account.now - 86_400) * 1_000, (account.now + 60) * 1_000
    return {"widgetContext": listed.widget_context(timeRange={"start": start, "end": end}), "limit": 100}


def plain_account(account: listed.Account) -> list[str]:
    """Put the same failures into an account under names that attack nobody."""
    return add(account, [f"plain {number}" for number in range(len(NAMES))], "plain")


def test_the_widgets_list(account: listed.Account, monkeypatch: Patch) -> None:
    plain_account(account)
    expected = shown(whole_list(account))
    account.runs.clear()
    add(account, NAMES, f"e-{ODD}")
    page = shown(whole_list(account))
    assert sorted(page.elements) == sorted(expected.elements)
    for name in NAMES:
        assert printable(name) in page.text
    links = [value for value in page.values if value.startswith(("http", "javascript"))]
    assert len(links) == len(NAMES)
    assert all(re.fullmatch(r"https://[\w.-]+/states/home\?region=eu-west-1#/v2/[\w/%.~-]+", link) for link in links)


def test_the_widgets_button_and_its_confirmation(account: listed.Account, arns: list[str]) -> None:
    actions = shown(whole_list(account)).actions
    asked = [(attributes, json.loads(body)) for attributes, body in actions if attributes.get("confirmation")]
    assert {event["state"] for _, event in asked} == set(NAMES)
    assert {attributes["endpoint"] for attributes, _ in asked} == {listed.REQUEST}
    for attributes, event in asked:
        confirmation = attributes["confirmation"] or ""
        assert_calm(confirmation)
        assert "\n" not in confirmation
        # AWS does not say whether it is shown as text or as HTML: in both it is the same text.
        assert Page(confirmation).elements == []
        assert Page(confirmation).text == confirmation
        html = request_function.handler(event, listed.Context(listed.REQUEST))  # type: ignore[arg-type]
        assert_calm(html)
        assert f"is resumed from {printable(event['state'])}" in Page(html).text
    assert sorted(sent["detail"]["executionArn"] for sent in account.sent) == sorted(arns)


def test_the_widgets_chain(account: listed.Account) -> None:
    def chains(found: list[str]) -> list[Page]:
        return [shown({"chain": arn, "failedAt": account.runs[arn].stopped}) for arn in found]

    plain = {tuple(page.elements) for page in chains(plain_account(account))}
    account.runs.clear()
    for page, name in zip(chains(add(account, NAMES, f"e-{ODD}")), NAMES, strict=True):
        assert tuple(page.elements) in plain
        assert printable(name) in page.text
