"""What can go wrong, by name; each message says what is the matter and what to do about it."""


class GotoStateError(Exception):
    """Anything that gotostate reports to its user instead of a traceback."""


class ArnError(GotoStateError):
    """The ARN is not one of a Standard execution."""


class DefinitionError(GotoStateError):
    """The state machine definition cannot be read, or is not the one that the history tells of."""


class HistoryError(GotoStateError):
    """The execution history cannot be read, or a part of it that is needed is missing."""


class NotFailedError(GotoStateError):
    """The execution succeeded or still runs, so that there is nothing to resume."""


class NothingToResumeError(GotoStateError):
    """The execution failed, but no state of it can usefully be entered again."""


class UnknownStateError(GotoStateError):
    """The state that was asked for is not a top-level state of the definition."""


class InputError(GotoStateError):
    """The input for the resume is not JSON, is missing, or is larger than Step Functions takes."""


class NotFoundError(GotoStateError):
    """AWS knows no such execution or state machine."""


class ForeignMachineError(GotoStateError):
    """A state machine with the GoToState name exists that was not built from this source."""


class TransientError(Exception):
    """What AWS said just now will be otherwise in a moment: try again. No GotoStateError, as nothing is settled."""


class SettingsError(GotoStateError):
    """An environment variable of the function holds a value that it cannot take."""
