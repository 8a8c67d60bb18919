"""An account in memory that answers as AWS Step Functions does, at the HTTP layer, for tests of a whole recovery.

The real client speaks to it, so each call is made, counted and read as on AWS. Unlike moto it knows versions,
revisions, the definition that an execution ran with, names that were used, redrives and histories page by page.
What it does where AWS is peculiar is in AWS's API reference, or measured on AWS (docs/decisions.md).
"""

import copy
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from botocore import xform_name
from botocore.awsrequest import AWSResponse
from gotostate.events import HistoryEvent
from gotostate.memory import Memory
from gotostate.pace import Pace
from gotostate.stepfunctions import StepFunctions

PREFIX = "arn:aws:states:eu-west-1:123456789012"
ADA = "arn:aws:iam::123456789012:user/ada"
BEGINNING = 1_777_600_000.0
LOG_SECONDS = 10.0
DELETING_SECONDS = 60.0
SETTINGS = ("roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")
Body = dict[str, Any]


def machine_arn(name: str) -> str:
    return f"{PREFIX}:stateMachine:{name}"


def execution_arn(machine: str, name: str) -> str:
    return f"{PREFIX}:execution:{machine}:{name}"


class RefusalError(Exception):
    """What AWS answers instead of doing as it was asked."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(message or code)
        self.code, self.status = code, status


@dataclass
class Revision:
    definition: str
    settings: Body
    id: str | None
    updated: float


@dataclass
class Version:
    arn: str
    revision: Revision
    description: str
    created: float = BEGINNING


@dataclass
class Machine:
    arn: str
    tags: dict[str, str]
    created: float
    revision: Revision
    versions: list[Version] = field(default_factory=list)
    published: int = 0
    deleting: float | None = None

    @property
    def document(self) -> Any:
        return json.loads(self.revision.definition)


@dataclass
class Run:
    """An execution: what it ran, and its events, oldest first."""

    arn: str
    status: str
    input: str
    revision: Revision
    version: str | None
    started: float
    events: list[HistoryEvent] = field(default_factory=list)
    stopped: float | None = None
    output: str | None = None
    redrives: int = 0
    redriven: float | None = None
    tokens: list[str] = field(default_factory=list)
    why_not_redrivable: str | None = None

    @property
    def document(self) -> Any:
        return json.loads(self.revision.definition)

    @property
    def redrivable(self) -> str:
        """AWS's word on whether it can be redriven: not once it succeeded, nor while it runs."""
        return (
            "REDRIVABLE"
            if self.stopped and self.status != "SUCCEEDED" and not self.why_not_redrivable
            else "NOT_REDRIVABLE"
        )


@dataclass
class Account:
    """What is in the account, and the calls that were made, in order.

    gate: asked before each call is carried out; it may raise RefusalError or any other exception.
    """

    machines: dict[str, Machine] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    told: list[Body] = field(default_factory=list)
    now: float = BEGINNING
    gate: Callable[[str, Body], None] = lambda operation, body: None
    # Of log groups: when a line was written, and the line. Executions that a deletion ended.
    logs: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    ended_by_deletion: list[str] = field(default_factory=list)

    # ---- What a test puts into it ---------------------------------------------------------------

    def add_machine(self, name: str, document: Mapping[str, Any], tags: Mapping[str, str], role: str = "role/a") -> str:
        """Create a machine, or update one and set its tags."""
        arn, definition = machine_arn(name), json.dumps(document)
        if arn in self.machines:
            self._update(self.machines[arn], definition, {"roleArn": role})
            self.machines[arn].tags = dict(tags)
        else:
            revision = Revision(definition, {"roleArn": role}, None, self.now)
            self.machines[arn] = Machine(arn, dict(tags), self.now, revision)
        return arn

    def add_failure(
        self, machine: str, name: str, events: list[HistoryEvent], given: str = "{}", status: str = "FAILED"
    ) -> str:
        """Add an execution that ended, with its events oldest first."""
        arn = execution_arn(machine, name)
        revision = self.machines[machine_arn(machine)].revision
        self.runs[arn] = Run(arn, status, given, revision, None, self.now, events, self.now + 1)
        return arn

    def end(self, arn: str, status: str, events: list[HistoryEvent] | None = None) -> None:
        """End an execution that was started, with the events of a history, oldest first."""
        run = self.runs[arn]
        run.status, run.output = status, "{}" if status == "SUCCEEDED" else None
        run.stopped = None if status == "RUNNING" else self.now
        if events is not None:
            run.events = events

    def redrive(self, arn: str, *after: HistoryEvent) -> None:
        """Redrive an execution; with events it ends again, else it runs."""
        run = self.runs[arn]
        run.redrives, run.redriven = run.redrives + 1, self.now
        last = run.events[-1]["id"]
        details = {"redriveCount": run.redrives}
        redriven = {"type": "ExecutionRedriven", "id": last + 1, "previousEventId": last}
        run.events = [*run.events, {**redriven, "executionRedrivenEventDetails": details}]
        for event in after:
            run.events.append({**event, "id": run.events[-1]["id"] + 1})
        run.status, run.stopped = ("FAILED", self.now) if after else ("RUNNING", None)

    def retag(self, name: str, **tags: str) -> None:
        self.machines[machine_arn(name)].tags.update(tags)

    # ---- What a test asks of it -----------------------------------------------------------------

    def memory(self) -> Memory:
        """What a new container of the function has: nothing but a client."""
        return Memory(Wired(self), clock=lambda: self.now)

    def resumed(self, machine: str) -> list[Run]:
        """Return the executions of a GoToState machine, in the order of their starts."""
        return [run for arn, run in self.runs.items() if arn.startswith(execution_arn(machine, ""))]

    def event(self, arn: str, **detail: Any) -> Body:
        """Write the event that AWS sends when an execution ended."""
        run = self.runs[arn]
        parts = arn.split(":")
        return {
            "version": "0",
            "id": "315c1398-40ff-a850-213b-158f73e60175",
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "detail": {
                "executionArn": arn,
                "stateMachineArn": machine_arn(parts[6]),
                "name": parts[7],
                "status": run.status,
                "startDate": round(run.started * 1000),
                "stopDate": round((run.stopped or self.now) * 1000),
                "input": run.input,
                "inputDetails": {"included": True},
                "stateMachineVersionArn": run.version,
                "stateMachineAliasArn": None,
                "redriveCount": run.redrives,
                **detail,
            },
        }

    # ---- What AWS does --------------------------------------------------------------------------

    def answer(self, operation: str, body: Body) -> Body:
        """Carry out one call. Raises RefusalError."""
        self.calls[operation] += 1
        self.gate(operation, body)
        self.now += 0.001
        self._finish_deletions()
        answer: Body = getattr(self, f"_{xform_name(operation)}")(body)
        return answer

    def _put_events(self, body: Body) -> Body:
        self.told += [json.loads(entry["Detail"]) for entry in body["Entries"]]
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in body["Entries"]]}

    def _filter_log_events(self, body: Body) -> Body:
        lines = [
            {"timestamp": round(time * 1_000), "message": line}
            for time, line in self.logs.get(body["logGroupName"], [])
            # A line is to be found some seconds after it was written.
            if body["startTime"] / 1_000 <= time <= self.now - LOG_SECONDS
        ]
        page, more = _page(lines, {"maxResults": 50, **body}, 10_000)
        return {"events": page, **more}

    def _finish_deletions(self) -> None:
        """Forget machines that are deleted and have nothing running, and their executions with them."""
        for arn in [arn for arn, machine in self.machines.items() if machine.deleting]:
            runs = {run.arn for run in self.resumed(arn.split(":")[6])}
            is_over = self.now - (self.machines[arn].deleting or 0) >= DELETING_SECONDS
            if is_over and all(self.runs[run].stopped for run in runs):
                del self.machines[arn]
                self.runs = {run: found for run, found in self.runs.items() if run not in runs}

    def _machine_of(self, arn: str) -> Machine:
        if arn not in self.machines:
            raise RefusalError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return self.machines[arn]

    def _revision_of(self, arn: str) -> tuple[Machine, Revision, str | None]:
        plain, version = split_version(arn)
        machine = self._machine_of(plain)
        if version is None:
            return machine, machine.revision, None
        for found in machine.versions:
            if found.arn == arn:
                return machine, found.revision, arn
        raise RefusalError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")

    def _run_of(self, arn: str) -> Run:
        if arn not in self.runs:
            raise RefusalError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return self.runs[arn]

    def _list_tags_for_resource(self, body: Body) -> Body:
        arn = body["resourceArn"]
        if arn not in self.machines:
            raise RefusalError("ResourceNotFound", f"Resource not found: '{arn}'")
        return {"tags": [{"key": key, "value": value} for key, value in self.machines[arn].tags.items()]}

    def _get_resources(self, body: Body) -> Body:
        wanted = {found["Key"] for found in body["TagFilters"]}
        found = [
            {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in machine.tags.items()]}
            for arn, machine in self.machines.items()
            if wanted <= set(machine.tags)
        ]
        first = int(body.get("PaginationToken") or "0")
        page = found[first : first + body["ResourcesPerPage"]]
        more = str(first + len(page)) if first + len(page) < len(found) else ""
        return {"ResourceTagMappingList": page, "PaginationToken": more}

    def _describe_execution(self, body: Body) -> Body:
        run = self._run_of(body["executionArn"])
        answer = {
            "executionArn": run.arn, "stateMachineArn": machine_arn(run.arn.split(":")[6]), "status": run.status,
            "input": run.input, "startDate": run.started, "redriveCount": run.redrives,
        }  # fmt: skip
        ending = run.events[-1].get("executionFailedEventDetails", {}) if run.events else {}
        optional = {
            "stopDate": run.stopped, "redriveDate": run.redriven, "output": run.output,
            "stateMachineVersionArn": run.version,
            "redriveStatus": run.redrivable, "redriveStatusReason": run.why_not_redrivable,
            **{name: ending.get(name) for name in ("error", "cause")},
        }  # fmt: skip
        return answer | {name: value for name, value in optional.items() if value is not None}

    def _describe_state_machine_for_execution(self, body: Body) -> Body:
        run = self._run_of(body["executionArn"])
        name = run.arn.split(":")[6]
        shared = {"name": name, "stateMachineArn": run.version or machine_arn(name), "updateDate": run.revision.updated}
        return shared | _described(run.revision)

    def _get_execution_history(self, body: Body) -> Body:
        run = self._run_of(body["executionArn"])
        # Where a test gives no times, all happened at the execution's end.
        events = [{"timestamp": run.stopped or run.started, **event} for event in run.events]
        ordered = events[::-1] if body.get("reverseOrder") else events
        first = int(body.get("nextToken", "0"))
        page = ordered[first : first + body.get("maxResults", 100)]
        more = {"nextToken": str(first + len(page))} if first + len(page) < len(ordered) else {}
        return {"events": page, **more}

    def _describe_state_machine(self, body: Body) -> Body:
        machine, revision, version = self._revision_of(body["stateMachineArn"])
        shared = {
            "stateMachineArn": version or machine.arn, "name": machine.arn.split(":")[6], "type": "STANDARD",
            "status": "DELETING" if machine.deleting else "ACTIVE", "creationDate": machine.created,
        }  # fmt: skip
        descriptions = {found.arn: found.description for found in machine.versions if found.description}
        described = {"description": descriptions[version]} if version in descriptions else {}
        return shared | _described(revision) | described

    def _list_state_machine_versions(self, body: Body) -> Body:
        machine = self._machine_of(body["stateMachineArn"])
        first = int(body.get("nextToken", "0"))
        newest = machine.versions[::-1]
        page = newest[first : first + body.get("maxResults", 100)]
        more = {"nextToken": str(first + len(page))} if first + len(page) < len(newest) else {}
        found = [{"stateMachineVersionArn": version.arn, "creationDate": version.created} for version in page]
        return {"stateMachineVersions": found, **more}

    def _delete_state_machine_version(self, body: Body) -> Body:
        arn = body["stateMachineVersionArn"]
        self.changes.append(f"delete {short(arn)}")
        machine = self._machine_of(split_version(arn)[0])
        machine.versions = [version for version in machine.versions if version.arn != arn]
        return {}

    def _delete_state_machine(self, body: Body) -> Body:
        if machine := self.machines.get(body["stateMachineArn"]):
            self.changes.append(f"delete {short(machine.arn)}")
            machine.deleting = machine.deleting or self.now
            machine.versions = []
            # AWS's documents: they are terminated at their next state transition.
            self.ended_by_deletion += [run.arn for run in self.resumed(machine.arn.split(":")[6]) if not run.stopped]
        return {}

    def _tag_resource(self, body: Body) -> Body:
        self.changes.append(f"tag {short(body['resourceArn'])}")
        self._tagged(body).update({tag["key"]: tag["value"] for tag in body["tags"]})
        return {}

    def _untag_resource(self, body: Body) -> Body:
        self.changes.append(f"untag {short(body['resourceArn'])}")
        tags = self._tagged(body)
        for key in body["tagKeys"]:
            tags.pop(key, None)
        return {}

    def _tagged(self, body: Body) -> dict[str, str]:
        if body["resourceArn"] not in self.machines:
            raise RefusalError("ResourceNotFound", f"Resource not found: '{body['resourceArn']}'")
        return self.machines[body["resourceArn"]].tags

    def _list_executions(self, body: Body) -> Body:
        plain, version = split_version(body["stateMachineArn"])
        self._machine_of(plain)
        executions = execution_arn(plain.split(":")[6], "")
        runs = [
            run
            for arn, run in self.runs.items()
            if arn.startswith(executions)
            and (version is None or run.version == body["stateMachineArn"])
            and run.status == body.get("statusFilter", run.status)
        ]
        # By the start, whatever the filter is.
        runs.sort(key=lambda run: run.started, reverse=True)
        page, more = _page(runs, body, 1_000)
        return {"executions": [self._listed(run) for run in page], **more}

    def _listed(self, run: Run) -> Body:
        name = run.arn.split(":")[6]
        item = {
            "executionArn": run.arn, "stateMachineArn": machine_arn(name), "name": run.arn.split(":")[7],
            "status": run.status, "startDate": run.started, "redriveCount": run.redrives,
        }  # fmt: skip
        optional = {"stopDate": run.stopped, "redriveDate": run.redriven, "stateMachineVersionArn": run.version}
        return item | {name: value for name, value in optional.items() if value is not None}

    def _list_state_machines(self, body: Body) -> Body:
        page, more = _page(list(self.machines.values()), body, 1_000)
        found = [
            {
                "stateMachineArn": machine.arn, "name": machine.arn.split(":")[6], "type": "STANDARD",
                "creationDate": machine.created,
            }
            for machine in page
        ]  # fmt: skip
        return {"stateMachines": found, **more}

    def _create_state_machine(self, body: Body) -> Body:
        arn = machine_arn(body["name"])
        if machine := self.machines.get(arn):
            _refuse_deleting(machine)
            first = machine.versions[0] if machine.versions else None
            same = machine.revision.definition == body["definition"]
            # Measured on AWS: what equals the current definition is answered with the first version.
            if not same or not first or first.description != body.get("versionDescription", ""):
                raise RefusalError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
            return {"stateMachineArn": arn, "creationDate": machine.created, "stateMachineVersionArn": first.arn}
        self.changes.append(f"create {body['name']}")
        revision = Revision(body["definition"], _settings(body), None, self.now)
        tags = {tag["key"]: tag["value"] for tag in body.get("tags", [])}
        machine = self.machines[arn] = Machine(arn, tags, self.now, revision)
        answer = {"stateMachineArn": arn, "creationDate": self.now}
        if body.get("publish"):
            answer["stateMachineVersionArn"] = self._publish(machine, body.get("versionDescription", ""))
        return answer

    def _update_state_machine(self, body: Body) -> Body:
        machine = self._machine_of(body["stateMachineArn"])
        _refuse_deleting(machine)
        if body.get("publish") and len(machine.versions) >= 1_000:
            raise RefusalError("ServiceQuotaExceededException", "1000 versions")
        publish = " and publish" if body.get("publish") else ""
        self.changes.append(f"update {short(machine.arn)}{publish}")
        settings = machine.revision.settings | _settings(body)
        self._update(machine, body.get("definition", machine.revision.definition), settings)
        answer = {"updateDate": machine.revision.updated, "revisionId": machine.revision.id}
        if body.get("publish"):
            answer["stateMachineVersionArn"] = self._publish(machine, body.get("versionDescription", ""))
        return answer

    def _update(self, machine: Machine, definition: str, settings: Body) -> None:
        if (definition, settings) != (machine.revision.definition, machine.revision.settings):
            self.now += 0.001
            machine.revision = Revision(definition, settings, f"revision-{self.now:.3f}", self.now)

    def _publish(self, machine: Machine, description: str) -> str:
        if machine.versions and machine.versions[-1].revision is machine.revision:
            return machine.versions[-1].arn
        machine.published += 1
        version = Version(f"{machine.arn}:{machine.published}", machine.revision, description, self.now)
        machine.versions.append(version)
        return version.arn

    def _redrive_execution(self, body: Body) -> Body:
        run = self._run_of(body["executionArn"])
        # The last ten tokens are remembered for 15 minutes; no test lasts longer.
        if body["clientToken"] not in run.tokens[-10:]:
            if run.redrivable != "REDRIVABLE":
                reason = run.why_not_redrivable or f"Execution is {run.status} and cannot be redriven"
                raise RefusalError("ExecutionNotRedrivable", reason)
            self.changes.append(f"redrive {run.arn.rpartition(':execution:')[2]}")
            run.tokens.append(body["clientToken"])
            self.redrive(run.arn)
        return {"redriveDate": run.redriven}

    def _start_execution(self, body: Body) -> Body:
        _refuse_deleting(self._machine_of(split_version(body["stateMachineArn"])[0]))
        machine, revision, version = self._revision_of(body["stateMachineArn"])
        arn = execution_arn(machine.arn.split(":")[6], body["name"])
        if run := self.runs.get(arn):
            if run.status != "RUNNING" or run.input != body["input"]:
                raise RefusalError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
            return {"executionArn": arn, "startDate": run.started}
        self.changes.append(f"start {short(body['stateMachineArn'])}")
        self.runs[arn] = Run(arn, "RUNNING", body["input"], copy.copy(revision), version, self.now)
        return {"executionArn": arn, "startDate": self.now}


class Wired(StepFunctions):
    """The real client, whose requests are answered by an account in memory; time passes only as it waits."""

    def __init__(self, account: Account, region: str = "eu-west-1") -> None:
        self.account = account
        super().__init__(region, Pace(clock=lambda: self.account.now, sleep=self._sleep))

    def connect(self, service: Any) -> Any:
        client = super().connect(service)
        client.meta.events.register("before-send.*.*", self._send)
        return client

    def _sleep(self, seconds: float) -> None:
        self.account.now += seconds

    def _send(self, request: Any, **kwargs: Any) -> AWSResponse:
        if "sts." in request.url:
            return self._identity()
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).partition(".")[2]
        try:
            return self._response(200, self.account.answer(operation, json.loads(request.body)))
        except RefusalError as refusal:
            return self._response(refusal.status, {"__type": refusal.code, "message": str(refusal)})

    def _identity(self) -> AWSResponse:
        response = AWSResponse("https://sts", 200, {"content-type": "text/xml"}, None)  # type: ignore[arg-type]
        arn = f"<GetCallerIdentityResult><Arn>{ADA}</Arn></GetCallerIdentityResult>"
        vars(response)["_content"] = f"<GetCallerIdentityResponse>{arn}</GetCallerIdentityResponse>".encode()
        return response

    def _response(self, status: int, answer: Body) -> AWSResponse:
        data = json.dumps(answer).encode()
        headers: Any = {
            "content-type": "application/x-amz-json-1.0",
            "content-length": str(len(data)),
            "date": formatdate(self.account.now, usegmt=True),
        }
        response = AWSResponse("https://states", status, headers, None)
        vars(response)["_content"] = data
        return response


def split_version(arn: str) -> tuple[str, str | None]:
    """Split a version's ARN into its machine's and its number."""
    parts = arn.split(":")
    return ":".join(parts[:7]), parts[7] if len(parts) > 7 else None


def short(arn: str) -> str:
    """Return the part of an ARN that is its own."""
    return arn.removeprefix(f"{PREFIX}:stateMachine:")


def _refuse_deleting(machine: Machine) -> None:
    if machine.deleting:
        raise RefusalError("StateMachineDeleting", f"State Machine is being deleted: '{machine.arn}'")


def _page[Item](found: list[Item], body: Body, most: int) -> tuple[list[Item], Body]:
    """Return the page that is asked for, and what the answer says of the next one; 100 items where nothing is said."""
    if body.get("maxResults", 100) > most:
        raise RefusalError("ValidationException", f"maxResults: at most {most}")
    first = int(body.get("nextToken", "0"))
    page = found[first : first + body.get("maxResults", 100)]
    return page, {"nextToken": str(first + len(page))} if first + len(page) < len(found) else {}


def _settings(body: Body) -> Body:
    return {name: body[name] for name in SETTINGS if name in body}


def _described(revision: Revision) -> Body:
    answer = {"definition": revision.definition, **revision.settings}
    return answer | ({"revisionId": revision.id} if revision.id else {})


def failure_events(
    state: str, given: str = "{}", kind: str = "Task", start: str = "{}", error: str = "Boom"
) -> list[HistoryEvent]:
    """Return the history of an execution that enters one state and fails there, oldest first."""
    return [
        {"type": "ExecutionStarted", "id": 1, "previousEventId": 0, "executionStartedEventDetails": {"input": start}},
        {
            "type": f"{kind}StateEntered",
            "id": 2,
            "previousEventId": 0,
            "stateEnteredEventDetails": {"name": state, "input": given},
        },
        {
            "type": "ExecutionFailed",
            "id": 3,
            "previousEventId": 2,
            "executionFailedEventDetails": {"error": error, "cause": '{"errorMessage": "it broke"}'},
        },
    ]
