"""What may go wrong in a look and in a cycle; none of it ends the agent."""

from __future__ import annotations

import http.client
import struct
import subprocess

from agent.errors import AgentError

STUMBLES = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    EOFError,
    MemoryError,
    AssertionError,
    struct.error,
)
"""Over what code may fall that reads words of others."""
TROUBLE = (*STUMBLES, AgentError, http.client.HTTPException, subprocess.SubprocessError)
"""The same of a whole cycle, with the network and the commands in it."""
