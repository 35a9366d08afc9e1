"""What may go wrong in a cycle; none of it ends the agent."""

from __future__ import annotations

import http.client
import subprocess

from agent.errors import AgentError

TROUBLE = (
    AgentError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    AssertionError,
    MemoryError,
    EOFError,
    http.client.HTTPException,
    subprocess.SubprocessError,
)
