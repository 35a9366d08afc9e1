"""Writes the lab bank to disk: captures with signed statements, estate, registers and public keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from scanner.demo.description import Description, read_description
from scanner.demo.documents import write_registers
from scanner.demo.expansion import Lines, assets_of
from scanner.demo.form import Form, raw_form, renamed, supplied_form
from scanner.demo.keys import SUPPLIER, demo_signer
from scanner.model import keys_digest
from scanner.sealed.canonical import canonical_json
from scanner.sealed.signature import seal_envelope

CENSUS_TYPE = "application/vnd.ztgrade.census+json"
"""Payload type of the signed statement beside a supplied file."""


def write(directory: Path, *, raw: bool = False, as_of: datetime | None = None) -> Path:
    """Write the lab bank into a directory, made if it is missing; returns the path of its estate file.

    ``raw`` writes directories as LDIF and cloud accounts as answers of AWS, for their own collectors; otherwise every
    source is rows that somebody supplied. The same bytes on every machine; judge it at ``Description.as_of``, or at
    ``as_of``, to which every moment of the bank is then moved.
    """
    description = read_description(as_of)
    return write_form(directory, description, raw_form(description) if raw else supplied_form(description))


def write_form(directory: Path, description: Description, form: Form) -> Path:
    """Write the bank in a form; returns the path of its estate file."""
    directory.mkdir(parents=True, exist_ok=True)
    for target, lines in form.lines.items():
        _write_target(description, directory / "captures" / target, target, lines, form)
    for target, files in form.captures.items():
        folder = directory / "captures" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    keys = directory / "keys"
    keys.mkdir(exist_ok=True)
    for holder in (SUPPLIER, *description.documents["approvers"]):
        (keys / f"{holder}.pem").write_bytes(demo_signer(holder).public_pem)
    stores = sorted(asset.key for asset in assets_of(description) if asset.key.startswith("data_store:cmdb:arc-"))
    (directory / "archive-stores.csv").write_text("asset,note\n" + "".join(f"{key},\n" for key in stores), "utf-8")
    documents = replace(description, documents=renamed(dict(description.documents), form.names))
    write_registers(documents, directory / "registers")
    estate = directory / "estate.toml"
    estate.write_text(estate_text(description, form), "utf-8")
    return estate


def _write_target(description: Description, folder: Path, target: str, lines: Lines, form: Form) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = lines.content()
    name = f"{target}.ndjson"
    (folder / name).write_bytes(content)
    statement = canonical_json(_statement(description, target, lines, content, form))
    if description.targets.get(target, {}).get("statement") == "plain":
        (folder / f"{name}.census.json").write_bytes(statement)
        return
    envelope = seal_envelope(statement, CENSUS_TYPE, demo_signer(SUPPLIER))
    (folder / f"{name}.census.dsse.json").write_bytes(envelope)


def _statement(description: Description, target: str, lines: Lines, content: bytes, form: Form) -> dict[str, object]:
    """What the supplier states of one file: how many assets each listing has, and which bytes it speaks of."""
    censuses = []
    for fact in dict.fromkeys(promise.partition(".")[0] for promise in form.targets[target]["promises"]):
        unseen = [
            form.names.get(key, key)
            for listing in description.listings
            if listing["target"] == target and listing["fact"] == fact
            for key in listing.get("unseen", ())
        ]
        keys = sorted([*lines.keys(fact), *unseen])
        query = f"every {fact} that {target} holds"
        censuses.append({"fact": fact, "query": query, "n": len(keys), "digest": keys_digest(keys), "keys": keys})
    return {
        "schema_version": 1,
        "supplied_by": "lab bank, demo supplier",
        "population_source": f"{target}, full listing",
        "period": {"from": f"{description.observed_at[:8]}01", "to": description.observed_at[:10]},
        "as_of": description.observed_at,
        "censuses": censuses,
        "rows": content.count(b"\n"),
        "file_sha256": hashlib.sha256(content).hexdigest(),
        "signer": {"name": "demo supplier", "key_id": demo_signer(SUPPLIER).key_id},
    }


def estate_text(description: Description, form: Form) -> str:
    """The estate file of the bank as TOML."""
    institution = description.institution
    lines = [
        "# The lab bank, a synthetic institution: written by ztgrade, the same on every machine.",
        "schema_version = 1",
        "",
        "[institution]",
        f"id = {_text(institution['id'])}",
        f"name.zh-TW = {_text(institution['name']['zh-TW'])}",
        f"name.en = {_text(institution['name']['en'])}",
    ]
    for name, credential in form.credentials.items():
        lines += ["", f"[credentials.{name}]", *(f"{key} = {_text(value)}" for key, value in credential.items())]
    for name, target in form.targets.items():
        lines += ["", f"[targets.{name}]"]
        for key, value in target.items():
            inner = {f"options.{name}": option for name, option in value.items()} if key == "options" else {key: value}
            lines += [f"{key} = {_text(value)}" for key, value in inner.items()]
    for name, sources in form.populations.items():
        lines += ["", f"[populations.{name}]", f"defined_by = {_text(sources)}"]
    for name, approver in description.documents["approvers"].items():
        lines += ["", f"[approvers.{name}]", f"name = {_text(approver['name'])}", f'public_key = "keys/{name}.pem"']
    lines += ["", "[registers]", 'directory = "registers"', "", ""]
    return "\n".join(lines) + _systems(description, form.names)


def _systems(description: Description, names: Mapping[str, str]) -> str:
    text = description.systems
    for key, name in names.items():
        text = text.replace(_text(key), _text(name))
    return text


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
