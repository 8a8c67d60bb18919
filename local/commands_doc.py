"""Writes into docs/commands.md and the README what comes from the command itself: its options, and what it prints.

    PYTHONPATH=functions/resumer:tests python local/commands_doc.py

The options stand between `<!-- options of VERB -->` and `<!-- end -->`. The output stands below each command of a block
that begins with `$ gotostate`; tests/scenes.py has the account that they run on. It also draws docs/story.svg.
tests/unit/test_command_line.py and tests/functional/test_commands_doc.py fail where the document differs.
"""

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from gotostate import cli

DOCS = Path(__file__).resolve().parents[1] / "docs"
COMMANDS, README = DOCS / "commands.md", DOCS.parent / "README.md"
OPTIONS = re.compile(r"(?<=<!-- options of )(\w+) -->\n.*?(?=<!-- end -->)", re.DOTALL)


def main() -> None:
    """Write the documents and the picture anew."""
    # Of the tests: only here is an account needed.
    import documented
    import scenes

    for page in (COMMANDS, README):
        text = with_options(page.read_text(encoding="utf-8"))
        page.write_text(with_output(text, documented.BLOCK, documented.written), encoding="utf-8")
    (DOCS / scenes.PICTURE).write_text(documented.drawn(), encoding="utf-8")


def with_options(text: str) -> str:
    """Return the document with the table of options of each verb that it marks."""
    tables = {name: "\n".join(table(parser)) for name, parser in parsers().items()}
    return OPTIONS.sub(lambda found: f"{found[1]} -->\n{tables[found[1]]}\n", text)


def with_output(text: str, block: re.Pattern[str], written: Callable[[str], str]) -> str:
    """Return the document with each block of commands as it is written after they ran."""
    return block.sub(lambda found: written(found[0]), text)


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each verb by its name, and that of the command itself as gotostate."""
    root = cli.command_line()
    found = {"gotostate": root}
    for action in root._actions:  # noqa: SLF001  argparse has no other way to ask
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  the same
            found |= action.choices
    return found


def arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield what a parser takes, but for --help and the verbs."""
    for action in parser._actions:  # noqa: SLF001  the same
        if not isinstance(action, (argparse._HelpAction, argparse._SubParsersAction)):  # noqa: SLF001  the same
            yield action


def table(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Write the lines of the table of what a parser takes, in Markdown."""
    yield "| option | |"
    yield "|---|---|"
    for action in arguments(parser):
        yield f"| `{_form(action)}` | {_plain(action.help or '')} |"


def _form(action: argparse.Action) -> str:
    value = "\\|".join(action.choices or ()) or str(action.metavar or "").replace("|", "\\|")
    if action.nargs == "+":
        value += "..."
    if not action.option_strings:
        return value
    return " ".join((", ".join(action.option_strings), *([value] if action.nargs != 0 else ())))


def _plain(text: str) -> str:
    """Write a text so that Markdown takes none of it for a mark."""
    return re.sub(r"([\\`*_|<\[])", r"\\\1", text)


if __name__ == "__main__":
    main()
