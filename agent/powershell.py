"""One question to Windows PowerShell, answered as JSON: numbers and fixed names, whatever language Windows speaks."""

from __future__ import annotations

import json
from typing import Any

from agent.host import Host
from agent.section import NotSupported

PROGRAM = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"


def question(script: str) -> tuple[str, ...]:
    """The command that runs ``script``, a fixed text of the agent, and prints what it yields as JSON.

    An error ends it with a status that is not 0: PowerShell would else go on and print what is left, or nothing.
    """
    script = f"$ErrorActionPreference='Stop';{script} | ConvertTo-Json -Compress"
    return (PROGRAM, "-NoProfile", "-NonInteractive", "-Command", script)


def answers(host: Host, command: tuple[str, ...], what: str) -> list[dict[str, Any]]:
    """The objects that a `question` yields, none where it printed nothing; NotSupported where it failed."""
    ran = host.run(command)
    if ran.status != 0:
        raise NotSupported(f"Windows does not tell {what}: PowerShell ended with status {ran.status}")
    if not ran.output.strip():
        return []
    parsed = json.loads(ran.output)
    rows = parsed if isinstance(parsed, list) else [parsed]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"PowerShell printed no objects for {what}")
    return rows
