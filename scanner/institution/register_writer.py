"""Writes entries into register files: checked as a whole first, then each file written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from scanner.errors import UsageError
from scanner.institution.register_entry import EntryKind
from scanner.institution.registers import load_registers, parse_registers
from scanner.model import Scene, iso
from scanner.sealed.disk import write_whole

FILES: Mapping[EntryKind, str] = {
    EntryKind.ATTESTATION: "attestations.toml",
    EntryKind.DRILL: "drills.toml",
    EntryKind.REVIEW: "reviews.toml",
    EntryKind.EXCEPTION: "exceptions.toml",
    EntryKind.SCOPE_STATEMENT: "scope-statements.toml",
    EntryKind.ADOPTION: "adoption-plan.toml",
    EntryKind.REVOCATION: "revocations.toml",
}
"""Where a new entry of a kind is written; entries may stand in any other file as well."""


def entry_text(kind: EntryKind, fields: Mapping[str, Any]) -> str:
    """One entry as TOML; fields that are None are left out."""
    lines = [f"[[{kind.value}]]"]
    lines += [f"{name} = {_value(value)}" for name, value in fields.items() if value is not None]
    return "\n".join(lines) + "\n"


def add_entries(
    entries: Iterable[tuple[EntryKind, Mapping[str, Any]]],
    directory: Path,
    requirements: frozenset[str],
    systems: Mapping[str, Collection[Scene]],
) -> list[Path]:
    """Write entries behind those that their files hold; returns the files.

    Raises ConfigurationError, and writes nothing, where the registers would be wrong with them.
    """
    before = load_registers(directory, requirements, systems)
    contents: dict[str, bytes] = {}
    for kind, fields in entries:
        name = FILES[kind]
        held = contents.get(name, before.files.get(name, b""))
        gap = b"" if not held else b"\n" if held.endswith(b"\n") else b"\n\n"
        contents[name] = held + gap + entry_text(kind, fields).encode()
    parse_registers({**before.files, **contents}, requirements, systems)
    for name, content in contents.items():
        write_whole(directory / name, content)
    return [directory / name for name in contents]


def document_of(path: Path) -> dict[str, str]:
    """Name and SHA-256 of a document, as an entry states them; of a file beside a workbook."""
    try:
        with path.open("rb") as stream:
            return {"name": path.name, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}
    except OSError as error:
        raise UsageError(f"--document {path}: {error.strerror or error}") from error


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return "{ " + ", ".join(f"{name} = {_value(inner)}" for name, inner in value.items()) + " }"
        case Sequence():
            return "[" + ", ".join(_value(inner) for inner in value) + "]"
    raise UsageError(f"{value!r} cannot stand in a register")
