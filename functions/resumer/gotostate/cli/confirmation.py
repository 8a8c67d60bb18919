"""Asking the person at the terminal before something is done."""

import sys

from gotostate.errors import UnconfirmedError
from gotostate.plain import printable


def confirm(question: str, *, given: bool) -> None:
    """Ask whether to continue, unless that was answered on the command line. Raises UnconfirmedError for a no.

    given: --yes. Where nobody can be asked, the answer is no.
    """
    if given:
        return
    if not can_ask():
        raise UnconfirmedError("nothing was changed; to do it without being asked add --yes")
    print(f"{printable(question)} [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UnconfirmedError("nothing was changed")


def can_ask() -> bool:
    """Tell whether input and output are a terminal: nobody answers a question that is written to a file."""
    return sys.stdin.isatty() and sys.stdout.isatty()
