"""gotostate show: show the timeline of a failure and of all its resumes; changes nothing."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gotostate import jsontext, nesting
from gotostate.awserrors import error_code, is_denied
from gotostate.cli.account import Account
from gotostate.cli.options import EXAMPLE_ARN, add_json, add_profile, add_stack, add_verb
from gotostate.cli.stories import drawing, flowchart, timeline
from gotostate.cli.stories.story import ExecutionStory, StateStory, Story, chain_of, execution_story, story_of
from gotostate.cli.stories.timeline import Screen
from gotostate.cli.terminal import Exit, show, show_json
from gotostate.definition import Definition
from gotostate.errors import GotoStateError, NotFoundError
from gotostate.executions import Execution
from gotostate.plain import timestamp
from gotostate.settings import named
from gotostate.stepfunctions import StepFunctions


def add_to(commands: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        commands,
        "show",
        "show the timeline of a failure and of all its resumes; changes nothing",
        description="Show the timeline of a failure: the states in order, where it failed and why, each resume after "
        "it, and how it ended. Whichever execution of a chain is named, the whole chain is shown. Changes nothing.",
        examples=[f"gotostate show {EXAMPLE_ARN}", f"gotostate show {EXAMPLE_ARN} --svg incident.svg"],
    )
    parser.add_argument("arn", metavar="ARN", help="any execution of the chain, failed or not")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--mermaid", action="store_true", help="print a flowchart that GitHub renders")
    forms.add_argument("--svg", metavar="FILE", help="write a picture, to attach to an incident")
    add_json(forms)
    add_stack(parser)
    add_profile(parser)
    parser.set_defaults(run=_run, check=_check, parser=parser)


def _check(options: argparse.Namespace) -> str | None:
    return "--svg needs the name of a file" if options.svg == "" else None


def _run(options: argparse.Namespace) -> Exit:
    account = Account.of(options.arn, profile=options.profile)
    story = gather(account.memory.aws, account.arn.text)
    if options.json:
        show_json(_json(story))
    elif options.mermaid:
        print("\n".join(flowchart.lines(story)))
    elif options.svg:
        _write(options.svg, drawing.svg(story))
        show("Drawn", options.svg)
    else:
        print(
            "\n".join(timeline.lines(story, Screen.of(sys.stdout, os.environ), named(options.stack, options.profile)))
        )
    return Exit.DONE


def gather(aws: StepFunctions, arn: str) -> Story:
    """Read all executions of the chain that an execution belongs to. Raises NotFoundError if it does not exist."""
    chain = _Chain(aws)
    named = aws.execution(arn)
    original = chain_of(arn, named.input, chain.definition(arn)).original
    if original != arn:
        chain.follow(chain.described(original))
    if arn not in chain.told:
        if original in chain.told:
            chain.remarks.append(f"the resumes of {original} that are on record do not lead to {arn}")
        chain.follow(named)
    return story_of(original, chain.told.values(), chain.parent, chain.remarks)


class _Chain:
    """The executions of a chain that were found, by ARN; parent: of the first of them."""

    def __init__(self, aws: StepFunctions) -> None:
        self.told: dict[str, ExecutionStory] = {}
        self.remarks: list[str] = []
        self.parent: str | None = None
        self._aws = aws
        self._definitions: dict[str, Definition | None] = {}

    def follow(self, first: Execution | None) -> None:
        """Add an execution and all that resumed it, one for each time that it failed."""
        waiting = [(first, "")] if first else []
        while waiting:
            execution, resumes = waiting.pop()
            self.parent = self.parent or nesting.parent_of(execution.input)
            told = self.told[execution.arn] = self._tell(execution, resumes or None)
            unseen = (arn for arn in told.next_arns if arn not in self.told)
            waiting += [(found, execution.arn) for arn in unseen if (found := self._described_if_any(arn))]

    def described(self, arn: str) -> Execution | None:
        """Describe an execution that an input names; add a remark if that fails."""
        try:
            return self._aws.execution(arn)
        except NotFoundError:
            self.remarks.append(f"the original {arn} is gone, so its resumes cannot be followed from there")
        except Exception as error:
            # A person may have written any ARN there.
            if not is_denied(error) and error_code(error) != "ValidationException":
                raise
            self.remarks.append(f"the original {arn} cannot be read ({error_code(error)})")
        return None

    def definition(self, arn: str) -> Definition | None:
        """Return the definition that an execution ran with; None where it is gone or cannot be read."""
        if arn not in self._definitions:
            try:
                self._definitions[arn] = self._aws.revision_of(arn).machine.definition
            except GotoStateError:
                self._definitions[arn] = None
        return self._definitions[arn]

    def _described_if_any(self, arn: str) -> Execution | None:
        try:
            return self._aws.execution(arn)
        except NotFoundError:
            return None

    def _tell(self, found: Execution, resumes: str | None) -> ExecutionStory:
        definition = self.definition(found.arn)
        try:
            events = self._aws.events(found.arn)
            told = execution_story(found.arn, found.status, found.input, definition, events)
        except GotoStateError as error:
            chain = chain_of(found.arn, found.input, definition)
            told = ExecutionStory(found.arn, found.status, chain, untold=str(error))
        return replace(told, started=found.started, stopped=found.stopped, resumes=resumes)


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise GotoStateError(f"{name} cannot be written: {error}") from error


def _json(story: Story) -> str:
    """Write the story as JSON; times as AWS writes them, null where something is not known or does not apply."""
    return jsontext.write(
        {
            "original": story.original,
            "executions": [_execution(told) for told in story.executions],
            "parent": story.parent,
            "remarks": list(story.remarks),
        }
    )


def _execution(told: ExecutionStory) -> dict[str, Any]:
    ended = told.ended
    return {
        "execution": told.arn,
        "status": told.status,
        "attempt": told.chain.attempt,
        "resumes": told.resumes,
        "started": timestamp(told.started),
        "stopped": timestamp(told.stopped),
        "delaySeconds": told.delay_seconds,
        "error": ended.error if ended else None,
        "cause": ended.cause if ended else None,
        "redriven": [timestamp(turn.time) for turn in told.redrives],
        "states": [_state(state) for state in told.states],
        "untold": told.untold,
    }


def _state(state: StateStory) -> dict[str, Any]:
    return {
        "name": state.name,
        "type": state.type,
        "entered": timestamp(state.entered),
        "left": timestamp(state.left),
        "status": state.outcome.value,
        "times": state.times,
        "attempts": state.attempts,
        "finished": state.finished,
        "total": state.total,
        "finishedBefore": state.kept,
        "error": state.error,
        "cause": state.cause,
        "failedIn": state.failed_in,
        "again": state.again,
        "children": list(state.children),
    }
