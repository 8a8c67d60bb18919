"""The command line is one table: each verb says what it does, by example; options are told the same everywhere.

docs/commands.md holds that table; shells complete it.
"""

import argparse
import re
import shlex
import subprocess
import sys

import commands_doc
import pytest
from gotostate import cli

PARSERS = commands_doc.parsers()
VERBS = sorted(set(PARSERS) - {"gotostate"})
# What is the same wherever it is.
SHARED = (
    "--profile", "--region", "--stack", "--json", "--dry-run", "--yes", "--reason", "--state-machine", "--since",
    "--until", "--error",
)  # fmt: skip
# Verbs that call AWS. Those that take an execution's ARN have its region.
IN_A_REGION = {"list", "resume", "hold", "release", "status", "clean"}


def taken(name: str) -> dict[str, argparse.Action]:
    """Return what a verb takes, by its options or its name."""
    found: dict[str, argparse.Action] = {}
    for action in commands_doc.arguments(PARSERS[name]):
        found |= dict.fromkeys(action.option_strings or [action.dest], action)
    return found


def examples(name: str) -> list[str]:
    return re.findall(r"^(?:  |Example: )(gotostate .*)$", PARSERS[name].epilog or "", re.MULTILINE)


def test_there_is_a_file_for_each_verb() -> None:
    assert [verb.__name__ for verb in cli.VERBS] == [f"gotostate.cli.verbs.{name}" for name in PARSERS if name in VERBS]


@pytest.mark.parametrize("name", PARSERS)
def test_a_help_says_what_it_does_and_ends_with_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert PARSERS[name].description
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--help"] if name == "gotostate" else [name, "--help"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out.rstrip("\n").splitlines()[-1].endswith(examples(name)[-1])


@pytest.mark.parametrize("name", PARSERS)
def test_each_example_is_right(name: str) -> None:
    assert examples(name)
    for example in examples(name):
        program, *words = shlex.split(example)
        options = cli.command_line().parse_args(words)
        assert program == "gotostate"
        assert name in ("gotostate", words[0])
        assert options.check(options) is None


@pytest.mark.parametrize("name", PARSERS)
def test_all_that_a_verb_takes_has_a_help(name: str) -> None:
    for option, action in taken(name).items():
        assert action.help, option
        # Markers as %(default)s would stand in the document as they are.
        assert "%" not in action.help, option


def test_the_help_of_the_command_names_each_verb() -> None:
    text = PARSERS["gotostate"].format_help()
    for name in VERBS:
        assert re.search(rf"^    {name} +\w", text, re.MULTILINE), name


@pytest.mark.parametrize("option", SHARED)
def test_an_option_of_several_verbs_is_told_the_same(option: str) -> None:
    found = [taken(name)[option] for name in PARSERS if option in taken(name)]
    assert len(found) > 1
    # What holds without it, and where it is recorded, may differ.
    told = {(one.metavar, one.nargs, re.split("; (?:default|recorded)", str(one.help))[0]) for one in found}
    assert len(told) == 1


def test_profile_and_region_are_where_aws_users_look_for_them() -> None:
    assert {name for name in PARSERS if "--profile" not in taken(name)} == {"completion"}
    assert {name for name in PARSERS if "--region" in taken(name)} == IN_A_REGION
    assert {name for name in VERBS if "--stack" in taken(name)} == IN_A_REGION - {"clean"} | {"plan", "show", "build"}


@pytest.mark.parametrize(
    ("words", "profile"),
    [
        (["list"], None),
        (["list", "--profile", "night"], "night"),
        (["--profile", "day", "list"], "day"),
        (["--profile", "day", "list", "--profile", "night"], "night"),
    ],
)
def test_the_profile_may_stand_before_the_verb(words: list[str], profile: str | None) -> None:
    assert cli.command_line().parse_args(words).profile == profile


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "arn", "--profile", ""], ["show", "arn", "--profile", ""], ["build", "arn", "--stack", ""],
        ["hold", "--region", ""], ["--failedExecutionArn", "arn", "--profile", ""], ["list", "--stack", ""],
    ],
)  # fmt: skip
def test_an_empty_variable_of_the_shell_is_no_profile(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(words)
    assert exit_.value.code == 2
    assert re.search("error: --(profile|region|stack) is empty", capsys.readouterr().err)


def test_the_document_has_the_options_of_each_verb() -> None:
    text = commands_doc.COMMANDS.read_text(encoding="utf-8")
    assert sorted(found[1] for found in commands_doc.OPTIONS.finditer(text)) == sorted(PARSERS)
    assert commands_doc.with_options(text) == text, "run: make docs"


# ---- Completion -----------------------------------------------------------------------------------


def completed(*words: str) -> set[str]:
    """Return what bash offers for the last word, with the real script."""
    script = subprocess.run(
        [sys.executable, "-c", "import gotostate.cli as c; c.main(['completion', 'bash'])"],
        env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    asking = f"""
        {script}
        COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}
        function=$(complete -p gotostate | sed -E 's/.*-F ([^ ]+).*/\\1/')
        $function gotostate {shlex.quote(words[-1])} {shlex.quote(words[-2])}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    run = subprocess.run(["bash", "--norc"], input=asking, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return set(run.stdout.split())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["gotostate", "re"], {"resume", "release"}),
        (["gotostate", "--f"], {"--failedExecutionArn"}),
        (["gotostate", "resume", "--ca"], {"--canary"}),
        (["gotostate", "resume", "--strategy", "re"], {"redrive"}),
        (["gotostate", "list", "--state-machine", "orders", "--un"], {"--until", "--unresolved"}),
        (["gotostate", "completion", ""], {"bash", "zsh"}),
    ],
)
def test_bash_completes(words: list[str], offered: set[str]) -> None:
    assert completed(*words) == offered


def test_bash_completes_files_where_one_is_taken(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    with open("orders.asl.json", "w"):  # noqa: PTH123  where bash stands
        pass
    assert completed("gotostate", "build", "--definition", "ord") == {"orders.asl.json"}


def test_zsh_has_a_script_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out.startswith("#compdef gotostate\n")


def test_only_who_asks_for_completion_waits_for_it() -> None:
    command = "import sys, gotostate.cli as c; c.command_line(); print('shtab' in sys.modules)"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
