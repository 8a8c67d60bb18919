"""Failures as JSON: the form that `gotostate list --json` prints, for programs."""

from collections.abc import Iterable, Sequence
from typing import Any

from gotostate import jsontext
from gotostate.chains import Link, Listed
from gotostate.nextsteps import command
from gotostate.plain import timestamp
from gotostate.rows import Group, Row, Status, as_listed


def of_failures(looked_at: Iterable[Row], unread: Iterable[Listed], options: Sequence[str] = ()) -> str:
    """Write failures as a JSON list; times as AWS writes them, null where something is not known or does not apply.

    unread: those that follow and were not looked at, with the status that the listings give. options: what a command
    that is shown needs (Settings.command_options).
    """
    return jsontext.write([*map(_of_row, looked_at), *(_of_listed(listed, options) for listed in unread)])


def of_groups(groups: Iterable[Group]) -> str:
    """Write groups as a JSON list."""
    return jsontext.write([_of_group(group) for group in groups])


def _of_row(row: Row) -> dict[str, Any]:
    return {
        "execution": row.original,
        "machine": row.machine,
        "state": row.state,
        "error": row.error,
        "status": row.status.value,
        "reason": row.reason,
        "failedAt": timestamp(row.failed_at),
        "attempts": row.attempt,
        "maxAttempts": row.max_attempts,
        "newest": row.newest,
        "until": timestamp(row.until),
        "calls": list(row.calls),
        "next": row.next,
        "chain": [_of_link(link) for link in row.chain],
    }


def _of_listed(listed: Listed, options: Sequence[str]) -> dict[str, Any]:
    newest, status = listed.newest, as_listed(listed)
    return {
        "execution": listed.original,
        "machine": listed.machine,
        "state": None,
        "error": None,
        "status": status.value,
        "reason": None,
        "failedAt": timestamp(listed.failed_at),
        "attempts": newest.attempt + newest.redrives,
        "maxAttempts": None,
        "newest": newest.execution,
        "until": None,
        "calls": None,
        "next": command("plan", newest.execution, options) if status is Status.OPEN else None,
        "chain": [_of_link(link) for link in listed.chain],
    }


def _of_link(link: Link) -> dict[str, Any]:
    return {
        "execution": link.execution,
        "status": link.status,
        "attempt": link.attempt,
        "started": timestamp(link.started),
        "stopped": timestamp(link.stopped),
        "redriven": timestamp(link.redriven),
    }


def _of_group(group: Group) -> dict[str, Any]:
    return {
        "machine": group.machine,
        "state": group.state,
        "error": group.error,
        "count": group.count,
        "unresolved": group.unresolved,
        "first": timestamp(group.first),
        "last": timestamp(group.last),
    }
