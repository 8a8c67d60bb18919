"""How a verb is added to the command line, and the options that several verbs take, each declared once.

The resulting parser is the one table of commands and options: help, completion and the tables of
docs/commands.md are made from it.
"""

import argparse
import textwrap
from collections.abc import Sequence
from typing import Any

from gotostate.settings import DEFAULT_STACK

# The execution that the examples name.
EXAMPLE_ARN = "arn:aws:states:eu-west-1:123456789012:execution:orders:order-17"
_COLUMNS = 79
_SHARED = ("profile", "region", "stack")


def add_verb(
    commands: Any, name: str, summary: str, *, description: str, examples: Sequence[str]
) -> argparse.ArgumentParser:
    """Add a verb to the command line.

    summary: a line for the help of the command. description: what the verb's own help begins with.
    examples: command lines, which the verb's help ends with.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        allow_abbrev=False,
        help=summary,
        description=textwrap.fill(description, _COLUMNS),
        epilog=told(examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def told(examples: Sequence[str]) -> str:
    """Write the examples that a help ends with."""
    if len(examples) == 1:
        return f"Example: {examples[0]}"
    return "\n  ".join(("Examples:", *examples))


def add_profile(parser: argparse.ArgumentParser) -> None:
    """Add --profile to a verb, which may also stand before the verb."""
    # Suppressed, as a default of the verb's own would replace what was given before it.
    parser.add_argument("--profile", metavar="P", default=argparse.SUPPRESS, help=PROFILE_HELP)


PROFILE_HELP = "the AWS profile; default as in the AWS CLI"


def add_region(parser: argparse.ArgumentParser) -> None:
    """Add --region, for verbs that take no ARN of an execution, which names its region."""
    parser.add_argument("--region", metavar="R", help="the AWS region; default as in the AWS CLI")


def add_stack(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Add --stack. default: None where the verb does without a stack if nobody named one."""
    parser.add_argument("--stack", metavar="NAME", default=default, help=f"the deployed stack; default {DEFAULT_STACK}")


def add_json(parser: Any) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Add --dry-run."""
    parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add --yes."""
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation; required without a terminal")


def add_reason(parser: argparse.ArgumentParser, where: str) -> None:
    """Add --reason. where: what it is recorded in, in words."""
    parser.add_argument("--reason", metavar="TEXT", help=f"why; recorded in {where}")


def check_forms(arn: str | None, first: str | None, second: str | None, names: str) -> str | None:
    """Say what is wrong unless there is either an ARN (asks AWS) or the two options that need no AWS."""
    with_aws = arn and not first and not second
    without_aws = first and second and not arn
    return None if with_aws or without_aws else f"give either ARN or both {names}"


def check_shared(options: argparse.Namespace) -> str | None:
    """Say which of the options that name an account or a stack is empty, for example from an unset shell variable."""
    for name in _SHARED:
        if getattr(options, name, None) == "":
            return f"--{name} is empty; give a value or leave it out"
    return None
