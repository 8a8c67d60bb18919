"""The errors, by name; each message says what is wrong and what to do about it."""


class GotoStateError(Exception):
    """Anything that gotostate reports to its user instead of a traceback."""


class ArnError(GotoStateError):
    """The ARN is not one of a Standard execution."""


class ReportError(GotoStateError):
    """The event is not one that can start a recovery."""


class DefinitionError(GotoStateError):
    """The state machine definition cannot be read, or is not the one that the history tells of."""


class HistoryError(GotoStateError):
    """The execution history cannot be read, or a part of it that is needed is missing."""


class UnclearError(GotoStateError):
    """The progress inside a container cannot be determined or passed on, so the whole container runs again."""


class RefusedError(GotoStateError):
    """AWS refuses a state machine definition."""


class NotRedrivableError(GotoStateError):
    """AWS does not redrive an execution."""


class NotFailedError(GotoStateError):
    """The execution succeeded or still runs, so that there is nothing to resume."""


class StillRunningError(NotFailedError):
    """The history does not show the end that was reported: the execution runs, or the read is behind."""


class RedrivenError(NotFailedError):
    """The execution was redriven since it failed, and runs again."""


class NothingToResumeError(GotoStateError):
    """The execution failed, but no state of it can usefully be entered again."""


class NotSkippableError(GotoStateError):
    """The execution cannot continue after the state in which it failed."""


class UnconfirmedError(GotoStateError):
    """Nobody confirmed the request, so that nothing was done."""


class NeedsForceError(GotoStateError):
    """The request may run work twice, so it needs --force."""


class UnknownStateError(GotoStateError):
    """The requested state is not a top-level state of the definition."""


class InputError(GotoStateError):
    """The input for the resume is not JSON, is missing, or is larger than Step Functions takes."""


class NotFoundError(GotoStateError):
    """AWS knows no such execution or state machine."""


class ForeignMachineError(GotoStateError):
    """A state machine with the GoToState name exists that was not built from this source."""


class SettingsError(GotoStateError):
    """An environment variable of the function holds a value that it cannot take."""


class StackError(GotoStateError):
    """The stack is not there, is not one of this project's, or cannot be changed now."""


class NoStackError(StackError):
    """There is no stack of that name."""


class TransientError(Exception):
    """A stale, eventually consistent read, or a lost race: retry. No GotoStateError, as nothing is settled."""


class ThrottledError(TransientError):
    """AWS throttles a call, and there is no time left to wait for it."""
