"""Writes the first estate file and register of an institution: valid as they stand, and explained line by line."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from scanner.errors import UsageError


def initial_files() -> Mapping[str, bytes]:
    """Relative path to content of every file that a new institution starts with."""
    templates = resources.files("scanner") / "templates"
    return {
        "estate.toml": (templates / "estate.toml").read_bytes(),
        "registers/documents.toml": (templates / "documents.toml").read_bytes(),
    }


def write_initial(directory: Path) -> list[Path]:
    """Write the first files into a directory, made where it is missing; returns their paths.

    Raises UsageError, before writing anything, where one of them exists, and where they cannot be written.
    """
    files = initial_files()
    for name in files:
        if (directory / name).exists() or (directory / name).is_symlink():
            raise UsageError(f"{directory / name} exists and is left as it is; choose another directory")
    written = []
    try:
        for name, content in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as stream:
                stream.write(content)
            written.append(path)
    except OSError as error:
        raise UsageError(f"{directory}: cannot be written ({error.strerror}); choose another directory") from None
    return written
