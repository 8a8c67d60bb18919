"""The account of a failed execution, as the command uses it, and the parameters that apply there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import unquote

from gotostate import policy, reading
from gotostate.cli.stack import Stack
from gotostate.errors import GotoStateError, NoStackError, NotFoundError, NothingToResumeError, StackError
from gotostate.failure import Failure
from gotostate.memory import Memory
from gotostate.plain import as_written
from gotostate.report import Report
from gotostate.resumption import Asked, ExecutionArn
from gotostate.settings import DEFAULT_STACK, Settings, for_machine, named, settings_from
from gotostate.stepfunctions import StepFunctions


@dataclass(frozen=True)
class Parameters:
    """The parameters of the deployed stack, or their defaults.

    stack: the name of the stack; None where they are the defaults. why: why they are the defaults. is_known: whether it
    is known that there is, or is not, such a stack. names: which state machines its Resumer may read, with * for any
    characters.
    """

    settings: Settings
    stack: str | None
    why: str | None = None
    is_known: bool = True
    names: str = "*"

    @property
    def source(self) -> str:
        """Where they come from, for people."""
        return f"the stack {self.stack}" if self.stack else f"the stack's defaults, as {self.why}"


@dataclass(frozen=True)
class Account:
    """A failed execution and the account that it is in.

    stack: name of the stack whose parameters hold; None: the usual one, and the defaults where there is none.
    """

    arn: ExecutionArn
    memory: Memory
    stack: str | None = None
    profile: str | None = None

    @classmethod
    def of(cls, execution_arn: str, stack: str | None = None, profile: str | None = None) -> "Account":
        """Connect to the account and region of an execution. Raises ArnError."""
        arn = ExecutionArn.parse(_arn_in(as_written(execution_arn)))
        use_profile(profile)
        # The region of the ARN, so that the command is right whatever the shell's default region is.
        return cls(arn, Memory(StepFunctions(arn.region)), stack, profile)

    @cached_property
    def parameters(self) -> Parameters:
        """The parameters of the deployed stack."""
        return parameters(self.stack, self.arn.region, self.profile)

    @cached_property
    def settings(self) -> Settings:
        """The parameters of the deployed stack, and the machine's tags."""
        # The tags first, as they are needed in any case: if AWS cannot be reached, no time is spent on the stack.
        tags = self._tags
        return for_machine(tags, self.parameters.settings)

    def asked(self, reason: str | None) -> Asked:
        """Identify the person at the terminal, by their ARN."""
        return asked(self.memory.aws, reason)

    @cached_property
    def _tags(self) -> Mapping[str, str]:
        try:
            return reading.governing_tags(self.memory, self.arn.machine_arn)
        except NotFoundError:
            return {}

    def require_resumable(self) -> None:
        """Raise NothingToResumeError for an execution that can be resumed only by resuming another one."""
        if decision := policy.by_arn(self.arn):
            raise NothingToResumeError(f"{decision.reason}; resume that one")

    @cached_property
    def failure(self) -> Failure:
        """All that is known of the failure."""
        return reading.read(self.memory, Report(self.arn.text), self.settings)


def _arn_in(text: str) -> str:
    """Return the ARN in the console's URL of an execution, as notices link it; any other text as it is."""
    _, found, arn = text.partition("/executions/details/")
    return unquote(arn.partition("?")[0]) if found and text.startswith("https://") else text


def use_profile(profile: str | None) -> None:
    """Let all calls use a profile of the AWS CLI; None: as it is."""
    if profile:
        import boto3  # not for those who need no AWS: it takes a third of a second

        boto3.setup_default_session(profile_name=profile)


def asked(aws: StepFunctions, reason: str | None) -> Asked:
    """Identify the person at the terminal, by their ARN."""
    try:
        by = aws.connect("sts").get_caller_identity()["Arn"]
    except Exception:  # noqa: BLE001  where STS cannot be reached, the resume is worth more than the name
        by = "somebody"
    return Asked.of(by, reason) or Asked("somebody")


def parameters(
    stack: str | None, region: str | None, profile: str | None, *, is_needed: bool | None = None
) -> Parameters:
    """Read the parameters of the deployed stack; where it is not there or cannot be read, their defaults.

    stack: its name as a person gave it; None: the default one. is_needed: whether to raise StackError when it is not
    known whether the stack exists; None: do not wait long for AWS either. Raises StackError also when a stack that was
    named is not there or is not one of this project's, SettingsError when one of its parameters cannot be read.
    """
    name = stack or DEFAULT_STACK
    default = Settings(command_options=named(stack, profile))
    try:
        environment = environment_of(name, region, profile, is_hasty=is_needed is None)
    except StackError as error:
        if stack:
            raise
        why = str(error).partition(";")[0]
        if isinstance(error, NoStackError):
            return Parameters(default, None, why)
        return _unknown(default, why, error, is_needed=is_needed)
    except GotoStateError:
        raise
    except Exception as error:
        # Whether AWS answers with an error or not at all: a plan by the defaults is better than none.
        if not type(error).__module__.startswith(("botocore", "boto3")):
            raise
        return _unknown(default, f"the stack {name} cannot be read: {error}", error, is_needed=is_needed)
    settings = replace(settings_from(environment), command_options=named(name, profile))
    return Parameters(settings, name, names=environment.get("STATE_MACHINE_NAMES", "*"))


def environment_of(name: str, region: str | None, profile: str | None, *, is_hasty: bool = True) -> Mapping[str, str]:
    """Return the environment of a deployed stack's function. Raises StackError, and what AWS raises."""
    return Stack(name, region, profile, is_hasty=is_hasty).environment()


def _unknown(default: Settings, why: str, error: Exception, *, is_needed: bool | None) -> Parameters:
    if is_needed:
        message = f"it is not known whether the Resumer is to be asked, so nothing was started: {why}"
        raise StackError(message) from error
    return Parameters(default, None, why, is_known=False)
