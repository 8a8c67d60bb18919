"""The message to people: a mail of five lines, and the same for chat applications.

All that comes from a machine (names, errors, causes) is written so that it stays on its line and is no markup.
"""

import hashlib
import re
from typing import Any

from gotostate import jsontext
from gotostate.notice import cause_of, console_link, id_of, short
from gotostate.outcome import Outcome, Result
from gotostate.plain import printable

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: ASCII, with no line breaks, less than 100 characters.
LONGEST_SUBJECT = 99
MOST_CALLS = 5

# Characters with a meaning in the Markdown of chat applications, or that would begin a mention or a link there.
_MARKUP = re.compile(r"([\\\\`*_{}\[\]()<>#+!|~&@:])")


def is_for_people(outcome: Outcome) -> bool:
    """Tell whether people are notified: if they have to act, or if a recovery that they requested has succeeded."""
    return outcome.outcome in (Result.PREPARED, Result.GAVE_UP) or (
        outcome.outcome is Result.RECOVERED and outcome.asked is not None
    )


def subject(outcome: Outcome) -> str:
    """Write the subject of a mail."""
    why = "" if outcome.outcome is Result.RECOVERED else f": {outcome.error or outcome.rule}"
    text = f"{_title(outcome)}{why}"
    return _line(text).encode("ascii", "replace").decode()[:LONGEST_SUBJECT].strip()


def mail(outcome: Outcome) -> str:
    """Write the five lines of a mail: what failed, what was done, what runs again, what to type, where to look."""
    machine, name = _names(outcome)
    failed, again = (
        f"failed in {outcome.state or 'no state'}: {_why(outcome)}",
        f"runs again from there: {_calls(outcome)}",
    )
    if outcome.outcome is Result.RECOVERED:
        failed, again = "failed, and has succeeded since", f"{_asked(outcome)}"
    lines = [
        f"{machine}: {name} {failed}",
        f"{outcome.outcome.value}: {short(outcome.reason)}",
        again,
        f"type: {printable(outcome.next or 'nothing')}",
        f"look: {console_link(outcome.execution)}",
    ]
    return "\n".join(map(_line, lines))


def chat(outcome: Outcome) -> dict[str, Any]:
    """Write the message that Amazon Q Developer shows in chat applications; one original execution is one thread.

    Its form: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
    """
    original = outcome.original or outcome.execution
    title = _title(outcome)
    described = [
        _plain(_why(outcome)),
        _plain(short(outcome.reason)),
        f"Runs again from there: {_plain(_calls(outcome))}",
    ]
    if outcome.outcome is Result.RECOVERED:
        described = [_plain(short(outcome.reason)), _plain(_asked(outcome))]
    return {
        "version": "1.0",
        "source": "custom",
        "id": id_of(outcome),
        "content": {
            "textType": "client-markdown",
            "title": _plain(title)[:250],
            "description": "\n".join(described),
            "nextSteps": [
                f"`{_line(printable(step)).replace('`', chr(39))}`" for step in (outcome.next or "").split("; ") if step
            ],
            "keywords": [outcome.outcome.value, outcome.rule],
        },
        "metadata": {
            "threadId": hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()[:32],
            "summary": _plain(title)[:250],
            "relatedResources": [outcome.execution],
            "additionalContext": {"execution": console_link(outcome.execution)},
        },
    }


def message(outcome: Outcome) -> str:
    """Write the message by protocol, as Publish takes it with MessageStructure json."""
    text = mail(outcome)
    return jsontext.write({"default": text, "email": text, "https": jsontext.write(chat(outcome))})


def _title(outcome: Outcome) -> str:
    machine, name = _names(outcome)
    failed = "" if outcome.outcome is Result.RECOVERED else f" failed in {outcome.state or 'no state'}"
    return f"{outcome.outcome.value}: {machine} {name}{failed}"


def _asked(outcome: Outcome) -> str:
    asked = outcome.asked
    why = f": {asked.reason}" if asked and asked.reason else ""
    return f"requested by {asked.by if asked else 'nobody'}{why}"


def _names(outcome: Outcome) -> tuple[str, str]:
    parts = (outcome.original or outcome.execution).split(":")
    return (parts[6], parts[7]) if len(parts) > 7 else ("an execution", outcome.execution)


def _why(outcome: Outcome) -> str:
    cause = cause_of(outcome)
    error = outcome.error or outcome.status or outcome.rule
    return f"{error}: {cause}" if cause else error


def _calls(outcome: Outcome) -> str:
    if not outcome.calls:
        return "nothing that calls something"
    more = len(outcome.calls) - MOST_CALLS
    return ", ".join(outcome.calls[:MOST_CALLS]) + (f" and {more} more" if more > 0 else "")


def _line(text: str) -> str:
    """Keep a text on its line: characters that end a line or change the text's direction become spaces."""
    return "".join(character if character.isprintable() else " " for character in text)


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", _line(text))
