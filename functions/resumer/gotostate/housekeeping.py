"""Which GoToState machines and versions are not needed any more, decided from facts alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gotostate import resumption
from gotostate.events import GOING_ON
from gotostate.executions import ListedExecution
from gotostate.resumption import OPT_IN_TAG, SOURCE_TAG

# While a machine is being deleted it has this tag in place of its source tag: nobody publishes a version of a machine
# whose source is not known (machines.py), and without a version none is started.
DELETING_TAG = f"{OPT_IN_TAG}:deleting"
# A deletion takes no longer than this, Lambda's longest time-out.
DELETION_SECONDS = 900.0


@dataclass(frozen=True)
class Marks:
    """What the tags of a GoToState machine say.

    source: ARN of the machine that it was built from; None unless the tags explain its name. source_tag: the tag's
    value. deleting_since: when somebody began to delete it, in seconds since the epoch; None where nobody did.
    """

    source: str | None
    source_tag: str
    deleting_since: float | None

    @classmethod
    def of(cls, machine_arn: str, tags: Mapping[str, str]) -> "Marks":
        """Read the tags of a machine."""
        since, _, kept = tags.get(DELETING_TAG, "").partition(" ")
        tag = tags.get(SOURCE_TAG, kept)
        began = float(since) if since.isascii() and since.isdecimal() else None
        return cls(resumption.source_of({SOURCE_TAG: tag}, machine_arn), tag, began)

    def was_left(self, now: float) -> bool:
        """Tell whether the process that began to delete the machine cannot be running any more."""
        return self.deleting_since is not None and now - self.deleting_since >= DELETION_SECONDS


def deleting_tag(source_tag: str, now: float) -> str:
    """Write the value of the tag that a machine has while it is deleted."""
    return f"{int(now)} {source_tag}"


@dataclass
class Use:
    """How a machine and its versions were used, as far as AWS tells; times in seconds since the epoch.

    has_failed: whether AWS holds an execution of it that failed.
    """

    is_running: bool = False
    has_failed: bool = False
    latest: float = float("-inf")
    versions: dict[str, float] = field(default_factory=dict)

    def add(self, one: ListedExecution) -> None:
        """Count an execution."""
        running = one.stopped is None or one.status in GOING_ON
        times = [time for time in (one.started, one.stopped, one.redriven) if time is not None]
        last = float("inf") if running else max(times)
        self.is_running = self.is_running or running
        self.has_failed = self.has_failed or one.status not in ("SUCCEEDED", *GOING_ON)
        self.latest = max(self.latest, last)
        if one.version:
            self.versions[one.version] = max(self.versions.get(one.version, last), last)


@dataclass(frozen=True)
class Built:
    """A GoToState machine. has_router: whether its definition is one of ours. created: in seconds since the epoch.

    is_deleting: whether AWS is deleting it. source_has_failures: whether AWS holds a failure of its source; None where
    that was not asked.
    """

    marks: Marks
    has_router: bool
    is_deleting: bool
    created: float | None
    use: Use
    source_has_failures: bool | None = None


def is_foreign(built: Built) -> str | None:
    """Say why a machine is not known to be ours; None for one that is."""
    if built.marks.source is None:
        return f"its tag {SOURCE_TAG} does not match its name, so it may be somebody else's"
    if not built.has_router:
        return "its definition has no router, so somebody else has changed it"
    return None


def stays(built: Built, *, now: float, keep: float, everything: bool = False) -> str | None:
    """Say why a GoToState machine is not deleted; None where it may be.

    keep: for how many seconds an unused machine is kept. everything: for those who remove the stack: recent use and
    failures on record are ignored.
    """
    if reason := is_foreign(built):
        return reason
    if built.is_deleting:
        return "AWS is deleting it already"
    if built.marks.deleting_since is not None and not built.marks.was_left(now):
        return "somebody is deleting it already"
    if built.use.is_running:
        return "an execution of it runs or waits"
    return None if everything else _is_needed(built, now - keep)


def _is_needed(built: Built, before: float) -> str | None:
    if built.use.latest >= before:
        return "it ran recently"
    if built.created is None or built.created >= before:
        return "it was built recently"
    # AWS forgets the executions of a machine with it. Then a failure would look as though nothing had resumed it, and
    # a second resume would do its work again.
    if built.use.has_failed:
        return "AWS holds a failed execution of it, which can be resumed"
    if built.source_has_failures:
        return "AWS holds failures of its source, and this machine holds the record of how they were resumed"
    return None


def old_versions(
    versions: Sequence[tuple[str, float | None]], use: Use, *, now: float, keep: float, everything: bool = False
) -> Iterator[str]:
    """Yield the ARNs of the versions that have not been used for `keep` seconds, oldest first; never the newest one.

    versions: ARN and time of publication, the newest first.
    """
    for arn, published in reversed(versions[1:]):
        used = max(use.versions.get(arn, float("-inf")), float("inf") if published is None else published)
        if used < now - keep or (everything and used != float("inf")):
            yield arn
