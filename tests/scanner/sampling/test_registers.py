"""What the registers make of a signed entry that rests on a sample, by what the baseline asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from scanner.institution.nouns import Approver
from scanner.institution.register_entry import EntryKind, entry_payload
from scanner.institution.register_judging import ENTRY_TYPE
from scanner.institution.register_record import record
from scanner.institution.register_standing import JudgedRegisters
from scanner.institution.register_writer import entry_text
from scanner.institution.registers import load_registers
from scanner.model import RegisterWhy
from scanner.sampling.claim import Need, bound_of_sample, statement_of
from scanner.sampling.sample import Frame, Sample
from scanner.sealed.signature import FileSigner, seal_envelope

SAMPLE = Sample(Frame.CLOSED, "a" * 64, 500, 54, "seed of the test", 0, 0, "0.95", "0.95")
ADDRESS = "1-1/covered-entrances"
HIGHER = Need(Fraction("0.99"), Fraction("0.95"))
SURER = Need(Fraction("0.9"), Fraction("0.99"))


def judged(home: Path, sample: Sample, asked: Need | None, answer: str, statement: str | None) -> JudgedRegisters:
    fields = {
        "id": "AT-1",
        "requirement": ADDRESS,
        "system": "core",
        "owner": "wang",
        "approver": "chang",
        "made_at": datetime(2026, 10, 1, tzinfo=UTC),
        "expires_at": datetime(2027, 10, 1, tzinfo=UTC),
        "document": {"name": "paper.xlsx", "sha256": "b" * 64},
        "statement": statement or statement_of(sample, bound_of_sample(sample)),
        "answer": answer,
        "sample": sample.fields(),
    }
    signer = FileSigner.make(home / "keys/chang.pem")
    registers = home / "registers"
    registers.mkdir()
    (registers / "entries.toml").write_bytes(entry_text(EntryKind.ATTESTATION, fields).encode())
    (entry,) = load_registers(registers).entries
    payload = entry_payload(entry, "small", "fsc-2024")
    (registers / entry.signature).write_bytes(seal_envelope(payload, ENTRY_TYPE, signer))
    record(registers, datetime(2026, 10, 1, 1, tzinfo=UTC))
    return load_registers(registers).check(
        {"chang": Approver("chang", "Chang San", signer.public_pem)},
        "small",
        {"fsc-2024"},
        datetime(2026, 11, 20, tzinfo=UTC),
        samples={} if asked is None else {ADDRESS: asked},
    )


@pytest.mark.parametrize(
    ("sample", "asked", "answer", "statement", "why", "detail"),
    [
        (SAMPLE, None, "yes", None, None, ""),
        (SAMPLE, Need(Fraction("0.95"), Fraction("0.95")), "yes", None, None, ""),
        (SAMPLE, HIGHER, "yes", None, RegisterWhy.UNPROVED, "99 % is needed"),
        (SAMPLE, SURER, "yes", None, RegisterWhy.UNPROVED, "99 % is asked for"),
        (replace(SAMPLE, failures=1), None, "yes", None, RegisterWhy.UNPROVED, "at least 92 % pass"),
        (replace(SAMPLE, frame=Frame.OPEN), None, "yes", None, RegisterWhy.UNPROVED, "open frame"),
        (SAMPLE, None, "yes", "All entrances are covered.", RegisterWhy.UNPROVED, "statement"),
        (replace(SAMPLE, failures=9), HIGHER, "no", "Nine of them fail.", None, ""),
    ],
)
def test_a_yes_counts_as_far_as_its_sample_goes_and_a_no_always(
    tmp_path: Path,
    sample: Sample,
    asked: Need | None,
    answer: str,
    statement: str | None,
    why: RegisterWhy | None,
    detail: str,
) -> None:
    (standing,) = judged(tmp_path, sample, asked, answer, statement).standings
    assert (standing.why, detail in standing.detail) == (why, True), standing.detail
