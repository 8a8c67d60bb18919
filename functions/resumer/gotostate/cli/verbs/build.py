"""gotostate build: create the GoToState machine of a failure, or print its definition."""

import argparse
from typing import Any

from gotostate import jsontext, machines, recovery, router
from gotostate.cli.account import Account
from gotostate.cli.files import read_text
from gotostate.cli.options import EXAMPLE_ARN, add_profile, add_stack, add_verb, check_forms
from gotostate.cli.terminal import Exit, show_json
from gotostate.definition import Definition
from gotostate.errors import DefinitionError
from gotostate.nextsteps import command
from gotostate.plain import printable
from gotostate.planning import Plan
from gotostate.policy import Action, Decision

_BY_HAND = Decision(Action.PREPARE, "by-hand", "built by hand")


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        commands,
        "build",
        "create the GoToState machine of a failure, or print its definition",
        description="Create the GoToState machine of a failure and print its ARN; nothing is started. With "
        "--definition and --state it prints the definition instead and works without AWS.",
        examples=[
            f"gotostate build {EXAMPLE_ARN}",
            "gotostate build --definition orders.asl.json --state Charge",
        ],
    )
    parser.add_argument("arn", nargs="?", metavar="ARN", help="the failed execution")
    parser.add_argument("--definition", metavar="FILE", help="the ASL file whose GoToState definition is printed")
    parser.add_argument("--state", metavar="S", help='the state that the input {"resuming": true} goes to')
    add_stack(parser)
    add_profile(parser)
    parser.set_defaults(run=_run, check=_check, parser=parser)


def _check(options: argparse.Namespace) -> str | None:
    return check_forms(options.arn, options.definition, options.state, "--definition FILE and --state S")


def _run(options: argparse.Namespace) -> Exit:
    if options.definition:
        source = Definition.parse(read_text(options.definition, DefinitionError))
        for line in _lines(router.add_gotostate(source, options.state)).split("\n"):
            show_json(line)
        return Exit.DONE
    print(printable(_built(Account.of(options.arn, options.stack, options.profile)).failure.machine_arn))
    return Exit.DONE


def show_built(account: Account) -> Exit:
    """Build the machine and print all that is needed to start it."""
    plan = _built(account)
    print(f"GoToState machine  {printable(plan.failure.machine_arn)}")
    print(f"Failed state       {printable(str(plan.state))}")
    print(f"Input              {printable(jsontext.on_one_line(str(plan.input)))}")
    following = command("resume", plan.failure.arn.text, account.settings.command_options)
    print(f"Start it with      {printable(following)}")
    return Exit.DONE


def _built(account: Account) -> Plan:
    account.require_resumable()
    failure = account.failure
    plan = Plan(failure, _BY_HAND, failure.point.resume_from, failure.point.input, failure.point.variables)
    # An input that is too large must leave nothing half built.
    plan.resume_input()
    assert plan.state is not None
    if not machines.prepare(account.memory, plan.failure, plan.state):
        raise recovery.not_bound(plan)
    return plan


def _lines(definition: Definition) -> str:
    """Write a definition with a line for each state, the states as they were written."""
    parts = jsontext.members(definition.text)
    states = [f"    {jsontext.write(name)}: {text}" for name, text in jsontext.members(parts.pop("States")).items()]
    lines = [f"  {jsontext.write(name)}: {text}" for name, text in parts.items()]
    return "{\n" + ",\n".join([*lines, '  "States": {\n' + ",\n".join(states) + "\n  }"]) + "\n}"
