"""Why the agent could not do something, and what to do about it.

::

    AgentError
    ├── Misconfigured    settings, token or state cannot be used; a person must change something
    ├── Unreached        no answer came: network, TLS, proxy, or an answer that is none
    └── Refused          the server answered, but not with yes
"""

from __future__ import annotations


class AgentError(Exception):
    """Anything of this tree; its text is shown to people."""


class Misconfigured(AgentError):
    """Settings, token, rights or state cannot be used as they are."""


class Unreached(AgentError):
    """No usable answer came; the same bytes are sent again later."""


class Refused(AgentError):
    """The server answered with another status than 200; ``retry_after`` are the seconds that it asked for, and ``word``
    is its own for the reason."""

    def __init__(self, status: int, why: str, retry_after: int | None = None, word: str = "") -> None:
        super().__init__(why)
        self.status = status
        self.word = word
        self.retry_after = retry_after
