"""Every error of the server, and whose fault it is.

TandemError
├── ConfigurationError      the operator's: a setting, a model folder, a port; says what to do next
├── ClientError             the client's: an event or audio that cannot be accepted; the session stays open
│   └── ProtocolViolation   the client's, beyond repair: the socket closes with `close_code`
├── EngineError             ours: a recogniser, responder or voice failed
│   ├── EngineUnavailable   it cannot be made here: says what to install or to set
│   └── EngineTimeout       it did not answer in time
└── StoreError              ours: a turn could not be recorded, or a record not be read
    └── DamagedRowError     one row alone cannot be read: says which, and what to do
"""

from __future__ import annotations


class TandemError(Exception):
    """Base of all; never raised itself."""

    @property
    def plain(self) -> str:
        """Our own words about it, which may stand in a log; databases add rows of values in further lines."""
        return str(self).partition("\n")[0]


class ConfigurationError(TandemError):
    """The operator's fault; the message says what to set or to install."""


class ClientError(TandemError):
    """The client's fault; becomes an `error` event and changes nothing."""

    type = "invalid_request_error"

    def __init__(self, message: str, *, code: str = "invalid_value", param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.event_id: str | None = None
        """Of the client event at fault, when it has one"""


class ProtocolViolation(ClientError):
    """The client's fault, and the session cannot go on."""

    def __init__(self, message: str, *, code: str, close_code: int = 1008) -> None:
        super().__init__(message, code=code)
        self.close_code = close_code


class EngineError(TandemError):
    """Our fault: an engine failed. `stage` is asr, response, voice, vad or prosody; `quoted` is what somebody else's
    server said about it, who may repeat the conversation."""

    def __init__(self, message: str, *, stage: str, quoted: str = "") -> None:
        super().__init__(f"{message} ({quoted})" if quoted else message)
        self._plain = message
        self.stage = stage

    @property
    def plain(self) -> str:
        """Without the quotation."""
        return self._plain


class EngineUnavailable(EngineError):
    """The engine cannot be made here; the message says what to install or to set."""


class EngineTimeout(EngineError):
    """The engine did not answer in time."""


class StoreError(TandemError):
    """Our fault: a turn could not be recorded, or a record not be read."""


class DamagedRowError(StoreError):
    """One row cannot be read; the others can."""


def first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Why a task group ended: the first error, and a cancellation only if there is nothing else."""
    leaves = _leaves(group)
    return next((error for error in leaves if isinstance(error, Exception)), leaves[0])


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
