"""gotostate completion: print the script for completing verbs and options in a shell; works without AWS."""

import argparse
from typing import Any

from gotostate.cli.options import add_verb
from gotostate.cli.terminal import Exit

SHELLS = ("bash", "zsh")


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        commands,
        "completion",
        "print the script for completing verbs and options in bash or zsh",
        description="Print the script for completing verbs and options in a shell. In bash, source it; in zsh, put it "
        "into a file _gotostate in a folder of $fpath.",
        examples=["gotostate completion bash", "gotostate completion zsh"],
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell")
    parser.set_defaults(run=_run, check=_check, parser=parser)


def _check(options: argparse.Namespace) -> str | None:
    return None


def _run(options: argparse.Namespace) -> Exit:
    # Here and not above, so that only this verb has to wait for the import.
    import shtab

    _complete_files(options.command_line)
    print(shtab.complete(options.command_line, options.shell))
    return Exit.DONE


def _complete_files(parser: argparse.ArgumentParser) -> None:
    """Let file names be completed after the options that take one."""
    import shtab

    for action in parser._actions:  # noqa: SLF001  argparse has no other way to ask, shtab does the same
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  the same
            for verb in action.choices.values():
                _complete_files(verb)
        elif "FILE" in str(action.metavar):
            vars(action)["complete"] = shtab.FILE
