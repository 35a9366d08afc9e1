"""Writes new entries into the registers and their links into the chain, all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from scanner.commands.session import moment
from scanner.errors import ConfigurationError
from scanner.guideline.nouns import Baseline
from scanner.institution.estate import Estate
from scanner.institution.register_chain import CHAIN
from scanner.institution.register_entry import Entry, EntryKind
from scanner.institution.register_record import act_time, one_act, record, refuse_backdated
from scanner.institution.register_writer import add_entries, entry_text
from scanner.institution.registers import load_registers, parse_registers
from scanner.model import Scene

Fields = Mapping[str, Any]


def known_names(estate: Estate, baseline: Baseline) -> tuple[frozenset[str], dict[str, tuple[Scene, ...]]]:
    """Addresses of requirements and scenes of systems that entries may name."""
    addresses = frozenset(requirement.address for requirement in baseline.requirements())
    return addresses, {name: system.scenes for name, system in estate.systems.items()}


def enter(entries: list[tuple[EntryKind, Fields]], estate: Estate, baseline: Baseline) -> list[Path]:
    """Write new entries and their links; an entry without ``made_at`` is made now. Nothing is written if one is wrong.

    Returns the files written.
    """
    with one_act(estate.registers):
        before = load_registers(estate.registers)
        before.chain.must_hold(str(estate.registers / CHAIN))
        now = act_time(before.chain, moment(None), estate.registers)
        dated = [(kind, _dated(fields, now)) for kind, fields in entries]
        refuse_backdated(_parsed(dated), before.chain)
        paths = add_entries(dated, estate.registers, *known_names(estate, baseline))
        record(estate.registers, now, {fields["id"] for _, fields in dated})
    return paths


def _dated(fields: Fields, now: datetime) -> Fields:
    return {name: now if name == "made_at" and value is None else value for name, value in fields.items()}


def _parsed(entries: Iterable[tuple[EntryKind, Fields]]) -> tuple[Entry, ...]:
    """The entries as they will be read; none where one is wrong, which is told when they are to be written."""
    try:
        text = "\n".join(entry_text(kind, fields) for kind, fields in entries)
        return parse_registers({"new.toml": text.encode()}).entries
    except ConfigurationError:
        return ()
