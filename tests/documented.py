"""What docs/commands.md shows of the command, run anew.

A block of the document is found by its first command: scenes.py has one scene for each, and all commands of a block run
in it, one after the other. `local/commands_doc.py` writes the output into the document, and
tests/functional/test_commands_doc.py compares it.
"""

import contextlib
import io
import re
import shlex
import subprocess

from gotostate import cli
from scenes import ORDER, PICTURE, SCENES, story
from stage import played

BLOCK = re.compile(r"(?<=```console\n)\$ gotostate.*?(?=```)", re.DOTALL)
_COMMAND = re.compile(r"^\$ (.*)\n", re.MULTILINE)


def written(block: str) -> str:
    """Run the commands of a block of the document, which begin with "$ "; return it with their real output."""
    commands = _COMMAND.findall(block)
    with played(SCENES[commands[0]]):
        return "".join(f"$ {command}\n{ran(command)}" for command in commands)


def ran(line: str) -> str:
    """Return what a command line prints, on both streams; it may end in a pipe, as `| cut -c-80`."""
    command, _, rest = line.partition(" | ")
    name, *arguments = shlex.split(command)
    assert name == "gotostate", line
    printed = io.BytesIO()
    stream = io.TextIOWrapper(printed, encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        cli.main(arguments)
    output = printed.getvalue()
    if rest:
        output = subprocess.run(["bash", "-c", rest], input=output, stdout=subprocess.PIPE, check=True).stdout
    return output.decode()


def drawn() -> str:
    """Return the picture that `gotostate show --svg` writes of the story in the document."""
    with played(story) as folder:
        ran(f"gotostate show {ORDER} --svg {PICTURE}")
        return (folder / PICTURE).read_text(encoding="utf-8")
