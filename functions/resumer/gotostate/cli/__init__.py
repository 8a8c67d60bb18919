"""The gotostate command: see where an execution failed, build its GoToState machine, resume it."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from gotostate.cli.account import Account
from gotostate.cli.options import EXAMPLE_ARN, PROFILE_HELP, check_shared, told
from gotostate.cli.terminal import Exit, prepare_streams
from gotostate.cli.verbs import build, clean, completion, hold, plan, release, resume, show, status
from gotostate.cli.verbs import list as listed
from gotostate.errors import GotoStateError, TransientError, UnconfirmedError
from gotostate.plain import printable

# In this module `list` is the verb's module and not the builtin, as importing a submodule binds its name here.
VERBS = (plan, listed, show, build, resume, hold, release, status, clean, completion)

_EXIT_CODES = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not confirmed."
_EXAMPLES = ("gotostate list --since 2h", f"gotostate plan {EXAMPLE_ARN}", f"gotostate resume {EXAMPLE_ARN}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code, see terminal.Exit."""
    prepare_streams()
    parser = command_line()
    options = parser.parse_args(arguments)
    if options.failedExecutionArn and options.run is not _seed:
        parser.error("give either --failedExecutionArn ARN or a command")
    if message := options.check(options) or check_shared(options):
        options.parser.error(message)
    run: Callable[[argparse.Namespace], Exit] = options.run
    try:
        code = run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has closed the pipe (| head). Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILURE
    except UnconfirmedError as error:
        _complain(str(error))
        return Exit.UNCONFIRMED
    except (GotoStateError, TransientError) as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return _complain("interrupted; a started execution keeps running")
    except Exception as error:
        if not type(error).__module__.startswith(("botocore", "boto3")):
            raise
        return _complain(f"AWS: {error}")
    return code


def _complain(message: str) -> int:
    print(f"gotostate: {printable(message)}", file=sys.stderr)
    return Exit.FAILURE


def command_line() -> argparse.ArgumentParser:
    """Return the parser: the table of commands and options that help, completion and docs/commands.md come from."""
    parser = argparse.ArgumentParser(
        prog="gotostate",
        # An option that is spelled in part may be another one in the next release.
        allow_abbrev=False,
        description="Resume a failed Step Functions execution from the state in which it ended.",
        epilog=f"{_EXIT_CODES}\n\n{told(_EXAMPLES)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--failedExecutionArn",
        metavar="ARN",
        help="build the GoToState machine and print its ARN, the state and the input",
    )
    # Before or after the verb, as in the AWS CLI.
    parser.add_argument("--profile", metavar="P", help=PROFILE_HELP)
    parser.set_defaults(run=_seed, check=_check_seed, parser=parser, command_line=parser)
    commands = parser.add_subparsers(title="commands", metavar=f"{{{','.join(_names())}}}")
    for verb in VERBS:
        verb.add_to(commands)
    return parser


def _names() -> tuple[str, ...]:
    return tuple(verb.__name__.rpartition(".")[2] for verb in VERBS)


def _check_seed(options: argparse.Namespace) -> str | None:
    return None if options.failedExecutionArn else f"give --failedExecutionArn ARN or a command: {', '.join(_names())}"


def _seed(options: argparse.Namespace) -> Exit:
    return build.show_built(Account.of(options.failedExecutionArn, profile=options.profile))
