"""What ends a conversation of the desktop client early, and the exit code that says so to a script.

TandemError
├── ConfigurationError      exit 2: an option, a file, an audio device; says what to do next (shared with the server)
│   └── AudioUnusable       the file cannot be read, or the device cannot be opened
└── CannotTalk              the conversation did not come about, or broke off
    ├── ServerUnreachable   exit 3: nobody answers at that address
    ├── TokenRefused        exit 4: the server wants another token
    ├── ConnectionLost      exit 5: the connection ended in the middle, and could not be made again
    │   ├── CutOff              it ended without a goodbye, or with one that asks to come again
    │   └── ConversationOver    the server is there and does not go on with the conversation
    ├── NoAnswer            exit 6: the server is there, and no reply came in time
    ├── ReplyFailed         exit 7: the server began a reply and could not finish it
    └── SettingsRefused     exit 8: the server does not take these settings
"""

from __future__ import annotations

from tandem_server.errors import ConfigurationError, TandemError


class AudioUnusable(ConfigurationError):
    """The message names the file or device and what to do."""


class CannotTalk(TandemError):
    """Base of what ends a conversation; never raised itself."""

    exit_code = 1


class ServerUnreachable(CannotTalk):
    """Nobody answers at that address, or somebody who is not a Tandem server."""

    exit_code = 3


class TokenRefused(CannotTalk):
    """The server wants another token."""

    exit_code = 4


class ConnectionLost(CannotTalk):
    """The connection ended in the middle."""

    exit_code = 5


class CutOff(ConnectionLost):
    """The connection ended in the middle, and may be made again."""


class ConversationOver(ConnectionLost):
    """The server does not go on with the conversation."""


class NoAnswer(CannotTalk):
    """No reply came in time."""

    exit_code = 6


class ReplyFailed(CannotTalk):
    """A reply was begun and could not be finished."""

    exit_code = 7


class SettingsRefused(CannotTalk):
    """The server does not take these settings."""

    exit_code = 8
