"""A process of the agent's own for one task of a module that the resident process is not to hold: it ends, with all
that it loaded and opened, and is ended where it hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from agent.errors import Misconfigured

PATIENCE = 60
"""Seconds that one task may take."""


class Ended(Misconfigured):
    """The process gave no answer: it hung, or broke down without a word. What it did is not known."""


_START = """import sys
count = int(sys.argv[1])
sys.path[:0] = sys.argv[2 : 2 + count]
from {module} import main
sys.exit(main(sys.argv[2 + count :]))
"""
_OF_WINDOWS = ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "PROGRAMDATA", "ALLUSERSPROFILE")
"""By these its libraries find their own files."""


def ask(module: str, *task: str, given: bytes = b"", patience: float = PATIENCE) -> bytes:
    """What ``main`` of the module writes for a task, whose arguments every user may see, and for what is given to it on
    standard input; raises Misconfigured with its reason where it cannot."""
    # Without site, which takes longer than a signature, but with all places from which this process imports.
    paths = [str(Path(__file__).parents[1]), *(path for path in sys.path if os.path.isabs(path))]
    argv = [sys.executable, "-I", "-S", "-c", _START.format(module=module), str(len(paths)), *paths, *task]
    environment = {"LC_ALL": "C"}
    if sys.platform == "win32":
        environment |= {name: os.environ[name] for name in _OF_WINDOWS if name in os.environ}
    try:
        done = subprocess.run(argv, input=given, capture_output=True, timeout=patience, env=environment, cwd=os.sep)
    except subprocess.TimeoutExpired:
        raise Ended(f"the process that uses the key did not answer within {patience} s and was ended") from None
    except OSError as error:
        raise Misconfigured(f"the process that uses the key did not start: {error}") from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        if not lines:
            raise Ended(f"the process that uses the key broke down: {task[0]} ended with status {done.returncode}")
        raise Misconfigured(lines[-1][:1000])
    return done.stdout
