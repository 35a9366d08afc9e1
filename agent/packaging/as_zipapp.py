"""The agent as one file, ``ztagent.pyz``: pure Python, run by the host's own Python with its psutil and cryptography.

Compiled modules cannot be imported from a zip file, and unpacking them into a folder that others may write to is how
such files are taken over; so the distribution's own psutil and cryptography are asked for.
"""

from __future__ import annotations

import io
import zipfile

from agent.packaging.payload import zip_time

SHEBANG = b"#!/usr/bin/python3 -I\n"
START = b'''"""Starts the agent from one file."""

import sys

try:
    import psutil
except ModuleNotFoundError:
    sys.exit("ztagent: psutil is missing; install python3-psutil and python3-cryptography of your distribution")

from agent.cli import main

sys.exit(main())
'''


def as_zipapp(files: dict[str, bytes], seconds: int) -> bytes:
    """The bytes of the file, the same for the same payload and time. Nothing is compressed: it starts sooner, and every
    version of zlib gives the same bytes."""
    whole = io.BytesIO(SHEBANG)
    whole.seek(0, io.SEEK_END)
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {**files, "__main__.py": START}.items():
            entry = zipfile.ZipInfo(name, zip_time(seconds))
            entry.create_system = 3  # Unix, whatever this runs on
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return whole.getvalue()
