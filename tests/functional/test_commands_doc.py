"""What docs/commands.md and the README show of the command is what it prints: each block, literally, and the picture.

`make docs` writes the real output into the document.
"""

import re
import xml.etree.ElementTree as ET

import commands_doc
import documented
import pytest
import scenes

TEXT = commands_doc.COMMANDS.read_text(encoding="utf-8")
BLOCKS = documented.BLOCK.findall(TEXT)
README = documented.BLOCK.findall(commands_doc.README.read_text(encoding="utf-8"))
# What prints in more than one form, and its forms.
FORMS = {
    "list": {"", "--group", "--json", "--group --json"},
    "plan": {"", "--json", "--history"},
    "show": {"", "--mermaid", "--svg", "--json"},
    "resume": {"", "--wait", "--strategy", "--skip", "--from-state", "--dry-run", "--canary", "--json"},
    "build": {"", "--definition"},
    "hold": {""},
    "release": {""},
    "status": {"", "--json"},
    "clean": {"--dry-run", "--yes", "--json"},
    "completion": {""},
    "--failedExecutionArn": {""},
}


def commands() -> list[str]:
    return [line.removeprefix("$ ") for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.partition("\n")[0].removeprefix("$ gotostate "))
def test_what_the_document_shows_is_what_the_command_prints(block: str) -> None:
    assert documented.written(block) == block, "run: make docs"


@pytest.mark.parametrize("block", README, ids=lambda block: block.partition("\n")[0].removeprefix("$ gotostate "))
def test_what_the_readme_shows_is_what_the_command_prints(block: str) -> None:
    assert documented.written(block) == block, "run: make docs"


def test_each_block_is_compared_and_each_scene_is_shown() -> None:
    assert len(BLOCKS) == len(re.findall(r"^```console$", TEXT, re.MULTILINE))
    assert [block.partition("\n")[0].removeprefix("$ ") for block in BLOCKS] == list(
        dict.fromkeys(block.partition("\n")[0].removeprefix("$ ") for block in BLOCKS)
    )
    assert {block.partition("\n")[0].removeprefix("$ ") for block in BLOCKS} == set(scenes.SCENES)


def test_each_verb_is_shown_in_each_of_its_forms() -> None:
    assert set(FORMS) == set(commands_doc.parsers()) - {"gotostate"} | {"--failedExecutionArn"}
    for verb, forms in FORMS.items():
        shown = [line.partition(" | ")[0].split()[2:] for line in commands() if line.split()[1] == verb]
        for form in forms:
            wanted = set(form.split())
            assert any(wanted <= set(words) for words in shown), (verb, form)
        # One with nothing chosen but what is meant.
        if "" in forms:
            assert any(not {*words} & {"--json", "--group", "--mermaid", "--svg"} for words in shown), verb


def test_the_picture_is_what_the_command_draws() -> None:
    path = commands_doc.DOCS / scenes.PICTURE
    assert path.read_text(encoding="utf-8") == documented.drawn(), "run: make docs"
    assert f"]({scenes.PICTURE})" in TEXT
    ET.parse(path)  # noqa: S314  our own
