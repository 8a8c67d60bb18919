"""A failure as it was reported, by an EventBridge event or by a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gotostate import jsontext
from gotostate.errors import ReportError
from gotostate.events import SUCCEEDED, is_time, seconds
from gotostate.resumption import Asked

STATUS_CHANGE = ("aws.states", "Step Functions Execution Status Change")
REQUEST = ("gotostate", "Recovery Requested")
# Source and detail-type of a redrive that has waited in the queue; the Resumer itself sends it.
REDRIVE_DUE = ("gotostate", "Redrive Due")
STATUSES = ("FAILED", "TIMED_OUT")
# The status of a resumed execution whose failure is recovered.


@dataclass(frozen=True)
class Report:
    """A reported failure, before AWS is asked about it; None where the report does not say.

    started, stopped: seconds since the epoch. version: ARN of the version that was started.
    on_plain_arn: whether the execution was started without a version or alias.
    is_event: whether AWS reported it; then a read that does not show it is behind. status: as AWS reported it.
    is_due: whether its redrive has waited. asked: the person who requested it; None where nobody did.
    """

    execution: str
    input: str | None = None
    redrives: int | None = None
    started: float | None = None
    stopped: float | None = None
    version: str | None = None
    on_plain_arn: bool = False
    is_event: bool = False
    status: str | None = None
    is_due: bool = False
    asked: Asked | None = None

    @classmethod
    def from_event(cls, event: object) -> "Report":
        """Read an EventBridge event. Raises ReportError that says what is wrong with it.

        Only executionArn and status are needed from the detail: redriveCount and stateMachineVersionArn were seen in
        it in practice, but are not documented.
        """
        if not isinstance(event, Mapping):
            raise ReportError("the event is not a JSON object")
        detail = event.get("detail")
        kind = event.get("source"), event.get("detail-type")
        if kind not in (STATUS_CHANGE, REQUEST, REDRIVE_DUE):
            raise ReportError(f"the event is not a {STATUS_CHANGE[1]!r} of {STATUS_CHANGE[0]!r}; check what sent it")
        arn = execution_of(event)
        if not isinstance(detail, Mapping) or not arn:
            raise ReportError("the event's detail has no executionArn")
        if kind == REQUEST:
            return cls(arn, redrives=_count(detail.get("redriveCount")), asked=_asked(detail))
        if kind == REDRIVE_DUE:
            return cls(arn, redrives=_count(detail.get("redriveCount")) or 0, is_due=True)
        if detail.get("status") not in (*STATUSES, SUCCEEDED):
            raise ReportError(
                f"the execution's status is {detail.get('status')!r}; only {' and '.join(STATUSES)} are resumed"
            )
        return cls._from_detail(arn, detail)

    @classmethod
    def _from_detail(cls, arn: str, detail: Mapping[str, Any]) -> "Report":
        given, redrives, version = (detail.get(name) for name in ("input", "redriveCount", "stateMachineVersionArn"))
        about = detail.get("inputDetails")
        left_out = isinstance(about, Mapping) and about.get("included") is False
        included = isinstance(given, str) and not left_out and jsontext.is_json(given)
        return cls(
            arn,
            given if included else None,
            _count(redrives),
            _time(detail.get("startDate")),
            _time(detail.get("stopDate")),
            version if isinstance(version, str) and _is_version_of_its_machine(version, arn) else None,
            "stateMachineVersionArn" in detail and not version and not detail.get("stateMachineAliasArn"),
            is_event=True,
            status=str(detail["status"]),
        )


def redrive_due(execution: str, redrives: int) -> dict[str, Any]:
    """Write the event for a redrive that waits; redrives: how often the execution had been redriven when it failed."""
    source, kind = REDRIVE_DUE
    return {"source": source, "detail-type": kind, "detail": {"executionArn": execution, "redriveCount": redrives}}


def request(execution: str, asked: Asked | None, redrives: int | None = None) -> dict[str, Any]:
    """Write the event that asks for a recovery through the queue.

    asked: the person who requests it; without one it is processed like a failure's own event. redrives: how often the
    execution had been redriven when it failed: the request is for the recovery of that failure, and not of a later one.
    """
    source, kind = REQUEST
    detail = {"executionArn": execution, "redriveCount": redrives, **(vars(asked) if asked else {})}
    return {"source": source, "detail-type": kind, "detail": detail}


def _is_version_of_its_machine(version: str, execution: str) -> bool:
    """Tell whether a version is one of the machine that an execution is of.

    Anyone who may send to the queue can write anything, but must not be able to name another machine's definition and
    role.
    """
    machine, _, number = version.rpartition(":")
    return number.isdecimal() and machine == ":".join(execution.split(":")[:7]).replace(":execution:", ":stateMachine:")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _asked(detail: Mapping[str, Any]) -> Asked | None:
    return Asked.of(detail.get("by"), detail.get("reason"))


def _time(value: object) -> float | None:
    """Return a time of an event in seconds: AWS gives milliseconds, an emulator was seen to give ISO 8601."""
    return value / 1_000 if is_time(value) else seconds(value)


def execution_of(event: object) -> str:
    """Return the execution's ARN that an event names, for the log; "" if it names none."""
    detail = event.get("detail") if isinstance(event, Mapping) else None
    arn = detail.get("executionArn") if isinstance(detail, Mapping) else None
    return arn if isinstance(arn, str) else ""
