"""Writes the registers of the lab bank: a file per system, an envelope for every signed entry, and the chain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from scanner.demo.description import Description
from scanner.demo.keys import OUTSIDER, demo_signer
from scanner.institution.register_chain import CHAIN, line_of, missing_links, read_chain
from scanner.institution.registers import ENTRY_TYPE, Entry, entry_payload, load_registers
from scanner.sealed.signature import seal_envelope

Fields = dict[str, Any]


def write_registers(description: Description, directory: Path) -> None:
    """Write every entry of the bank and sign those that are signed; ``directory`` is made if it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    by_system: dict[str, list[str]] = {}
    signed: dict[str, str] = {}
    for kind, fields, by in entries(description):
        by_system.setdefault(fields["system"], []).append(_table(kind, fields))
        signed[fields["id"]] = by
    for system, tables in by_system.items():
        (directory / f"{system}.toml").write_text("\n".join(tables), "utf-8")
    institution = description.institution["id"]
    for entry in load_registers(directory).entries:
        by = signed[entry.id]
        if by == "nobody":
            continue
        holder = OUTSIDER if by == "outsider" else entry.approver
        payload = entry_payload(_before(entry, by), institution, description.baseline)
        envelope = seal_envelope(payload, ENTRY_TYPE, demo_signer(holder))
        (directory / f"{entry.id}.dsse.json").write_bytes(envelope)
    write_chain(directory)


def write_chain(directory: Path) -> None:
    """Write the chain of the registers as if each entry had been entered, and signed, in the moment it was made."""
    registers = load_registers(directory)
    content = b""
    entries = sorted(registers.entries, key=lambda entry: (entry.made_at, entry.id))
    for at, held in groupby(entries, key=lambda entry: entry.made_at):
        links = missing_links(read_chain(content), held, registers.files, at)
        content += b"".join(line_of(link) + b"\n" for link in links)
    (directory / CHAIN).write_bytes(content)


def _before(entry: Entry, by: str) -> Entry:
    """The entry as it was when it was signed."""
    if by != "altered":
        return entry
    return replace(entry, fields={**entry.fields, "statement": "an earlier wording"})


def entries(description: Description) -> Iterator[tuple[str, Fields, str]]:
    """Every entry as (kind, fields, who signed it: approver, nobody, outsider or altered)."""
    documents = description.documents
    approvers = sorted(documents["approvers"])
    own = {(entry["system"], entry["requirement"]): entry for entry in documents["entry"]}
    for system in documents["complete"]:
        for number, (requirement, (kind, statement)) in enumerate(documents["documents"].items()):
            if requirement in documents["missing"].get(system, ()) or (system, requirement) in own:
                continue
            approver = approvers[number % len(approvers)]
            yield kind, _document(documents, kind, system, requirement, statement, approver), "approver"
    for entry in documents["entry"]:
        kind = entry["kind"]
        statement = entry.get("statement") or documents["documents"][entry["requirement"]][1]
        fields = _document(documents, kind, entry["system"], entry["requirement"], statement, approvers[0])
        yield kind, {**fields, "id": entry["id"], **entry.get("set", {})}, entry.get("signed", "approver")
    for kind in ("exception", "scope_statement", "adoption"):
        for entry in documents[kind]:
            yield kind, {key: value for key, value in entry.items() if key != "why"}, "approver"


def _document(
    documents: Mapping[str, Any], kind: str, system: str, requirement: str, statement: str, approver: str
) -> Fields:
    id_ = f"{system}-{requirement.replace('/', '-').lower()}"
    name = f"{id_}.pdf"
    answer = {} if kind == "drill" else {"answer": "yes"}
    return {
        "id": id_,
        "requirement": requirement,
        "system": system,
        "statement": statement,
        "owner": documents["owner"],
        "approver": approver,
        **documents[kind],
        **answer,
        "document": {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest()},
    }


def _table(kind: str, fields: Mapping[str, Any]) -> str:
    lines = [f"[[{kind}]]"]
    for key, value in fields.items():
        lines.append(f"{key} = {_value(value)}")
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
