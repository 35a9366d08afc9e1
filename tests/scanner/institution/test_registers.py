"""A register entry counts only in its time, and only when somebody else than its owner signed exactly it, here."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from scanner.demo.documents import write_chain
from scanner.errors import ConfigurationError, StoreError, UnknownName, UsageError
from scanner.institution.nouns import Approver
from scanner.institution.register_chain import CHAIN
from scanner.institution.register_record import Desk
from scanner.institution.registers import (
    ENTRY_TYPE,
    DocumentVerdict,
    EntryKind,
    JudgedRegisters,
    Registers,
    entry_payload,
    load_registers,
    parse_registers,
)
from scanner.model import RegisterWhy, RequirementState, Scene
from scanner.sealed.signature import FileSigner, seal_envelope

AS_OF = datetime(2026, 11, 20, tzinfo=UTC)
REMOTE, OPERATIONS = Scene.REMOTE_WORK, Scene.SYSTEM_OPERATIONS
MET, NOT_MET, OPEN = RequirementState.MET, RequirementState.NOT_MET, RequirementState.UNDETERMINED
COMMON = """
system = "core"
owner = "wang"
approver = "chang"
statement = "All entrances are covered."
made_at = 2026-10-01
expires_at = 2027-10-01
"""
DOCUMENT = f'document = {{name = "minutes.pdf", sha256 = "{"a" * 64}"}}\n'
ATTESTATION = (
    '[[attestation]]\nid = "AT-001"\nrequirement = "1-1/covered-entrances"\nanswer = "yes"\n' + COMMON + DOCUMENT
)
DRILL = (
    '[[drill]]\nid = "DR-001"\nrequirement = "1-5/revocation-drill"\ntrigger = "stolen token"\ndecision = "revoke"\n'
    'action = "session ended"\noccurred_at = 2026-09-30T10:00:00+08:00\n' + COMMON + DOCUMENT
)
REVIEW = (
    '[[review]]\nid = "RV-001"\nrequirement = "1-6/log-review"\nanswer = "yes"\nperiod_from = 2026-07-01\n'
    "period_to = 2026-09-30\ncount = 12\n" + COMMON + DOCUMENT
)
EXCEPTION = (
    '[[exception]]\nid = "EX-001"\nrequirement = "1-1/mfa-enforced"\ntype = "risk_accepted"\n'
    'reason = "A second lock stands before this console until it is replaced."\nassets = ["user:corp:a"]\n'
    + COMMON.replace("statement = ", "# ")
)
SCOPE_STATEMENT = '[[scope_statement]]\nid = "SC-001"\nitem = "1-4"\npopulation = "Application"\n' + COMMON
ALL = ATTESTATION + DRILL + REVIEW + EXCEPTION + SCOPE_STATEMENT
KINDS = {
    "attestation": ATTESTATION,
    "drill": DRILL,
    "review": REVIEW,
    "exception": EXCEPTION,
    "scope_statement": SCOPE_STATEMENT,
}


class Office:
    """A directory of registers, two approvers, and the pen."""

    def __init__(self, home: Path) -> None:
        self.directory = home / "registers"
        self.directory.mkdir()
        self.signers = {name: FileSigner.make(home / f"keys-{name}/{name}.pem") for name in ("chang", "li")}
        self.keys = {name: home / f"keys-{name}/{name}.pem" for name in self.signers}
        self.approvers = {
            name: Approver(name, person, self.signers[name].public_pem)
            for name, person in (("chang", "Chang San"), ("li", "Li Si"))
        }

    def write(self, text: str, name: str = "entries.toml") -> None:
        (self.directory / name).write_text(text)

    def sign(self, *ids: str, institution: str = "lab-bank", baseline: str = "fsc-2024", by: str = "chang") -> None:
        for entry in load_registers(self.directory).entries:
            if entry.id in ids:
                payload = entry_payload(entry, institution, baseline)
                envelope = seal_envelope(payload, ENTRY_TYPE, self.signers[by])
                (self.directory / entry.signature).write_bytes(envelope)

    def record(self) -> None:
        """Put every entry into the chain as it stands, each at the moment it says it was made."""
        write_chain(self.directory)

    def judged(self, as_of: datetime = AS_OF, baselines: frozenset[str] = frozenset({"fsc-2024"})) -> JudgedRegisters:
        self.record()
        return load_registers(self.directory).check(self.approvers, "lab-bank", baselines, as_of)

    def verdict(self, as_of: datetime = AS_OF) -> DocumentVerdict:
        return self.judged(as_of).document("attestation", "1-1/covered-entrances", "core", REMOTE)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_entries_of_every_kind_count_when_signed(office: Office) -> None:
    office.write(ALL)
    office.sign("AT-001", "DR-001", "RV-001", "EX-001", "SC-001")
    judged = office.judged()
    assert office.verdict() == DocumentVerdict(MET, None, "AT-001")
    assert judged.document("drill", "1-5/revocation-drill", "core", REMOTE).state is MET
    assert judged.document("review", "1-6/log-review", "core", OPERATIONS).state is MET
    assert [(each.id, each.assets) for each in judged.exceptions("1-1/mfa-enforced", "core", REMOTE)] == [
        ("EX-001", ("user:corp:a",))
    ]
    assert [(each.id, each.item, each.population) for each in judged.statements("core", REMOTE)] == [
        ("SC-001", "1-4", "Application")
    ]
    rows = {row.id: row for row in judged.rows()}
    assert sorted(rows) == ["AT-001", "DR-001", "EX-001", "RV-001", "SC-001"]
    assert all(row.counts and row.why is None for row in rows.values())
    assert (rows["SC-001"].requirement, rows["EX-001"].assets, rows["AT-001"].document) == ("1-4", 1, "minutes.pdf")
    assert rows["AT-001"].made_at == "2026-10-01T00:00:00Z"


def test_nothing_counts_unsigned(office: Office) -> None:
    office.write(ALL)
    judged = office.judged()
    assert office.verdict() == DocumentVerdict(OPEN, RegisterWhy.SELF_DECLARED, "AT-001")
    assert judged.exceptions("1-1/mfa-enforced", "core", REMOTE) == []
    assert judged.statements("core", REMOTE) == []
    assert {row.why for row in judged.rows()} == {RegisterWhy.SELF_DECLARED}
    assert "AT-001.dsse.json is missing" in judged.rows()[0].detail


@pytest.mark.parametrize(
    ("kind", "requirement", "system", "scene"),
    [
        ("drill", "1-1/covered-entrances", "core", REMOTE),
        ("attestation", "1-1/covered-entrance", "core", REMOTE),
        ("attestation", "1-1/covered-entrances", "crm", REMOTE),
        ("attestation", "1-1/covered-entrances", "core", OPERATIONS),
    ],
)
def test_an_entry_speaks_of_its_own_kind_requirement_system_and_scenes_only(
    office: Office, kind: str, requirement: str, system: str, scene: Scene
) -> None:
    office.write(ATTESTATION + 'scenes = ["remote_work"]\n')
    office.sign("AT-001")
    assert office.verdict().state is MET
    found = office.judged().document(kind, requirement, system, scene)
    assert found == DocumentVerdict(OPEN, RegisterWhy.MISSING, None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('answer = "yes"', 'answer = "no"'),
        ("All entrances are covered.", "All entrances are covered!"),
        ("2027-10-01", "2028-10-01"),
        ("a" * 64, "b" * 64),
        ("1-1/covered-entrances", "1-1/other"),
        ('system = "core"', 'system = "crm"'),
        ('owner = "wang"', 'owner = "wang "'),
        ("[[attestation]]", "[[review]]\nperiod_from = 2026-07-01\nperiod_to = 2026-09-30\ncount = 1"),
        ("made_at", 'scenes = ["remote_work"]\nmade_at'),
    ],
)
def test_any_edit_ends_a_signature(office: Office, old: str, new: str) -> None:
    office.write(ATTESTATION)
    office.sign("AT-001")
    office.write(ATTESTATION.replace(old, new))
    (row,) = office.judged().rows()
    assert (row.counts, row.why) == (False, RegisterWhy.SELF_DECLARED)
    assert "edited" in row.detail


def test_the_kind_of_an_entry_is_signed_too(office: Office) -> None:
    office.write(ATTESTATION)
    (held,) = load_registers(office.directory).entries
    payloads = {entry_payload(dataclasses.replace(held, kind=kind), "lab-bank", "fsc-2024") for kind in EntryKind}
    assert len(payloads) == len(EntryKind)


def test_spelling_that_means_the_same_keeps_a_signature(office: Office) -> None:
    office.write(ATTESTATION)
    office.sign("AT-001")
    office.write("# why\r\n" + ATTESTATION.replace("\n", "\r\n").replace("statement =", "statement   ="))
    assert office.verdict().state is MET


@pytest.mark.parametrize(
    "sign",
    [
        lambda office: office.sign("AT-001", institution="other-bank"),
        lambda office: office.sign("AT-001", baseline="cis"),
        lambda office: office.sign("AT-001", by="li"),
    ],
)
def test_a_signature_for_elsewhere_or_by_another_does_not_count(office: Office, sign: Callable[[Office], None]) -> None:
    office.write(ATTESTATION)
    sign(office)
    assert office.verdict() == DocumentVerdict(OPEN, RegisterWhy.SELF_DECLARED, "AT-001")


def test_an_entry_signed_for_the_extended_baseline_counts_for_the_one_that_extends_it(office: Office) -> None:
    office.write(ATTESTATION)
    office.sign("AT-001")
    strict = office.judged(baselines=frozenset({"fsc-2024", "fsc-2024-strict"}))
    assert strict.document("attestation", "1-1/covered-entrances", "core", REMOTE).state is MET
    alone = office.judged(baselines=frozenset({"fsc-2024-strict"}))
    assert alone.document("attestation", "1-1/covered-entrances", "core", REMOTE).state is OPEN


def altered(envelope: bytes, **change: Any) -> bytes:
    return json.dumps(json.loads(envelope) | change).encode()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda envelope, office: b"",
        lambda envelope, office: b"\xff{}",
        lambda envelope, office: b"null",
        lambda envelope, office: b"[" * 100_000,
        lambda envelope, office: altered(envelope, signatures=[]),
        lambda envelope, office: altered(envelope, signatures=None),
        lambda envelope, office: altered(envelope, signatures=["x"]),
        lambda envelope, office: altered(envelope, payload="e30="),
        lambda envelope, office: altered(envelope, payload="***"),
        lambda envelope, office: altered(envelope, payload=7),
        lambda envelope, office: altered(envelope, payloadType="text/plain"),
        lambda envelope, office: seal_envelope(b"{}", ENTRY_TYPE, office.signers["chang"]),
        lambda envelope, office: seal_envelope(
            entry_payload(load_registers(office.directory).entries[0], "lab-bank", "fsc-2024"),
            "application/vnd.ztgrade.census+json",
            office.signers["chang"],
        ),
    ],
)
def test_hostile_signature_files_do_not_count(office: Office, spoil: Callable[[bytes, Office], bytes]) -> None:
    office.write(ATTESTATION)
    office.sign("AT-001")
    place = office.directory / "AT-001.dsse.json"
    place.write_bytes(spoil(place.read_bytes(), office))
    assert office.verdict() == DocumentVerdict(OPEN, RegisterWhy.SELF_DECLARED, "AT-001")


@pytest.mark.parametrize("owner", ["chang", "Chang San", "CHANG  SAN", "ｃｈａｎｇ"])
def test_an_owner_does_not_approve_his_own_entry(office: Office, owner: str) -> None:
    office.write(ATTESTATION.replace('"wang"', f'"{owner}"'))
    office.sign("AT-001")
    assert office.verdict() == DocumentVerdict(OPEN, RegisterWhy.SELF_DECLARED, "AT-001")
    assert office.judged().rows()[0].detail == "its owner and its approver are one person"


def test_an_owner_does_not_approve_under_a_second_name(office: Office) -> None:
    office.approvers["li"] = Approver("li", "Chang San", office.approvers["li"].public_key)
    office.write(ATTESTATION.replace('"wang"', '"li"'))
    office.sign("AT-001")
    assert office.verdict().why is RegisterWhy.SELF_DECLARED


def test_an_approver_unknown_to_the_estate_does_not_count(office: Office) -> None:
    office.write(ATTESTATION)
    office.sign("AT-001")
    del office.approvers["chang"]
    assert office.verdict().why is RegisterWhy.SELF_DECLARED
    assert "no approver" in office.judged().rows()[0].detail


MADE, ENDS, TICK = datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 10, 1, tzinfo=UTC), timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("as_of", "state"),
    [(MADE - TICK, OPEN), (MADE, MET), (ENDS - TICK, MET), (ENDS, OPEN), (ENDS + timedelta(days=999), OPEN)],
)
@pytest.mark.parametrize("kind", ["attestation", "drill", "review"])
def test_an_entry_is_valid_from_its_first_instant_until_just_before_its_end(
    office: Office, kind: str, as_of: datetime, state: RequirementState
) -> None:
    office.write(KINDS[kind])
    (entry,) = load_registers(office.directory).entries
    office.sign(entry.id)
    found = office.judged(as_of).document(kind, entry.requirement, "core", REMOTE)
    assert found == DocumentVerdict(state, None if state is MET else RegisterWhy.EXPIRED, entry.id)


def test_an_entry_takes_effect_no_sooner_than_it_says(office: Office) -> None:
    office.write(ATTESTATION + "effective_from = 2026-11-20T08:00:00+08:00\n")
    office.sign("AT-001")
    assert office.verdict(AS_OF - TICK).why is RegisterWhy.EXPIRED
    assert office.verdict(AS_OF).state is MET


def test_a_moment_without_a_zone_is_refused(office: Office) -> None:
    with pytest.raises(ValueError, match="zone"):
        office.judged(datetime(2026, 11, 20))


def entry(id_: str, answer: str, made: str, expires: str = "2027-10-01") -> str:
    text = ATTESTATION.replace("AT-001", id_).replace('"yes"', f'"{answer}"')
    return text.replace("2026-10-01", made).replace("2027-10-01", expires)


@pytest.mark.parametrize(
    ("entries", "signed", "state", "why", "id_"),
    [
        ([("a", "no", "2026-10-01")], "a", NOT_MET, None, "a"),
        ([("a", "no", "2026-10-01")], "", OPEN, "self_declared", "a"),
        ([("a", "yes", "2026-10-01"), ("b", "no", "2026-10-02")], "ab", NOT_MET, None, "b"),
        ([("a", "no", "2026-10-01"), ("b", "yes", "2026-10-02")], "ab", MET, None, "b"),
        ([("a", "no", "2026-10-01"), ("b", "yes", "2026-10-02")], "a", NOT_MET, None, "a"),
        ([("a", "yes", "2026-10-01"), ("b", "no", "2026-10-01")], "ab", NOT_MET, None, "b"),
        ([("b", "yes", "2026-10-01"), ("a", "no", "2026-10-01")], "ab", NOT_MET, None, "a"),
        ([("a", "yes", "2026-10-01"), ("b", "no", "2026-10-02")], "a", MET, None, "a"),
        ([("a", "yes", "2026-10-01"), ("b", "yes", "2026-10-02", "2026-10-03")], "ab", MET, None, "a"),
        ([("a", "yes", "2026-10-01"), ("b", "no", "2026-10-02", "2026-10-03")], "ab", OPEN, "lapsed", "b"),
        ([("a", "no", "2026-10-01", "2026-10-03"), ("b", "yes", "2026-10-02")], "ab", MET, None, "b"),
        ([("a", "no", "2026-10-01", "2026-10-03")], "a", OPEN, "expired", "a"),
        ([("a", "yes", "2026-10-01", "2026-10-03"), ("b", "yes", "2026-10-02")], "a", OPEN, "self_declared", "b"),
        ([("a", "yes", "2026-10-01"), ("b", "no", "2026-12-02")], "ab", MET, None, "a"),
        ([("a", "yes", "2026-10-01"), ("b", "no", "2026-10-02", "2026-10-03")], "a", MET, None, "a"),
    ],
)
def test_the_newest_valid_word_decides_and_a_no_weighs_more(
    office: Office, entries: list[tuple[str, ...]], signed: str, state: Any, why: str | None, id_: str
) -> None:
    office.write("\n".join(entry(*each) for each in entries))
    office.sign(*signed)
    assert office.verdict() == DocumentVerdict(state, RegisterWhy(why) if why else None, id_)


def test_taking_away_a_positive_entry_never_makes_anything_met(office: Office) -> None:
    positive = {
        "a": entry("a", "yes", "2026-09-01"),
        "b": entry("b", "yes", "2026-10-05"),
        "c": entry("c", "yes", "2026-10-09", "2026-10-10"),
    }
    negative = [entry("x", "no", "2026-10-01"), entry("y", "no", "2026-10-03", "2026-10-07"), ""]
    for denial in negative:
        states = {}
        for size in range(len(positive) + 1):
            for kept in combinations(positive, size):
                office.write("\n".join([denial, *(positive[each] for each in kept)]))
                office.sign("a", "b", "c", "x", "y")
                states[kept] = office.verdict().state
        for kept, state in states.items():
            for lost in kept:
                fewer = tuple(each for each in kept if each != lost)
                assert not (states[fewer] is MET and state is not MET)
        assert MET in states.values()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ATTESTATION.replace('answer = "yes"', ""), "'answer' is missing"),
        (ATTESTATION.replace('"yes"', '"yess"'), "answer: there is no word 'yess'; did you mean 'yes'?"),
        (ATTESTATION.replace(DOCUMENT, ""), "'document' is missing"),
        (ATTESTATION.replace("a" * 64, "abc"), "document.sha256: expected 64 hex digits"),
        (ATTESTATION.replace("owner", "ownr"), "ownr: unknown key; did you mean 'owner'?"),
        (ATTESTATION.replace("[[attestation]]", "[[attestations]]"), "unknown key; did you mean 'attestation'?"),
        (ATTESTATION.replace("AT-001", "../AT"), "'../AT' is not a name"),
        (ATTESTATION.replace("1-1/covered-entrances", "1-1"), "'1-1' is not an address"),
        (ATTESTATION.replace("2027-10-01", "2026-10-01"), "expires_at: lies before it was made"),
        (ATTESTATION.replace("2027-10-01", "2027-10-01T00:00:00"), "expires_at: expected a date or an RFC 3339 time"),
        (ATTESTATION + 'scenes = ["remote"]', "scenes[0]: there is no scene 'remote'"),
        (ATTESTATION + 'signature = "../x.json"', "signature: '../x.json' is not a .json file inside"),
        (ATTESTATION + 'signature = "/x.json"', "signature: '/x.json' is not a .json file inside"),
        (ATTESTATION + 'signature = "entries.toml"', "signature: 'entries.toml' is not a .json file"),
        (ATTESTATION + 'trigger = "x"', "trigger: unknown key"),
        (ATTESTATION + 'kind = "x"', "kind: unknown key"),
        (ATTESTATION + ATTESTATION, "attestation[1].id: 'AT-001' stands at"),
        (ATTESTATION + DRILL.replace("DR-001", "AT-001"), "drill[0].id: 'AT-001' stands at"),
        (DRILL.replace("2026-09-30", "2026-10-30"), "made_at: lies before occurred_at"),
        (DRILL.replace('trigger = "stolen token"', 'trigger = ""'), "trigger: expected text, found an empty string"),
        (REVIEW.replace("2026-07-01", "2026-10-30"), "period_to: lies before period_from"),
        (REVIEW.replace("count = 12", "count = -1"), "count: expected a number from 0"),
        (EXCEPTION.replace("risk_accepted", "risk_acepted"), "did you mean 'risk_accepted'?"),
        (
            EXCEPTION.replace("A second lock stands before this console", "x" + " " * 40),
            "reason: expected at least 30 characters",
        ),
        (EXCEPTION.replace('"user:corp:a"', '"user:corp:*"'), "assets[0]: names exact assets, no patterns"),
        (EXCEPTION.replace('"user:corp:a"', '"a"'), "assets[0]: 'a' is not an asset key"),
        (EXCEPTION.replace('["user:corp:a"]', "[]"), "assets: expected at least one"),
        (EXCEPTION.replace("2027-10-01", "2027-10-02"), "an exception lasts at most 365 days"),
        (EXCEPTION + 'answer = "yes"', "answer: unknown key"),
        (SCOPE_STATEMENT.replace('"1-4"', '"1-4/x"'), "item: '1-4/x' is not an item"),
        (SCOPE_STATEMENT.replace('"1-4"', '"II"'), "item: 'II' is not an item"),
        (SCOPE_STATEMENT.replace("Application", "Applicaton"), "did you mean 'Application'?"),
        (SCOPE_STATEMENT + 'requirement = "1-4/x"', "requirement: unknown key"),
        ("a = 1\na = 2", "entries.toml:2: not TOML: the key is given twice"),
        ("[attestation]", "expected an array of tables, found a table"),
        ("attestation = [1]", "attestation[0]: expected a table, found an integer"),
    ],
)
def test_each_mistake_is_told_at_its_place(office: Office, text: str, expected: str) -> None:
    office.write(text)
    with pytest.raises(ConfigurationError) as caught:
        load_registers(office.directory)
    assert any(expected in str(problem) for problem in caught.value.problems), caught.value.problems
    assert all("entries.toml" in problem.file for problem in caught.value.problems)


def test_an_exception_may_last_just_a_year(office: Office) -> None:
    office.write(EXCEPTION)
    (held,) = load_registers(office.directory).entries
    assert held.expires_at - held.made_at == timedelta(days=365)


def test_names_are_held_to_the_baseline_and_the_estate_where_they_are_given(office: Office) -> None:
    office.write(ALL + EXCEPTION.replace("EX-001", "EX-002") + 'scenes = ["cloud_access"]\n')
    known = frozenset({"1-1/covered-entrance", "1-5/revocation-drill", "1-6/log-review", "1-1/mfa-enforced"})
    with pytest.raises(ConfigurationError) as caught:
        load_registers(office.directory, known, {"core": (REMOTE,)})
    assert [problem.message for problem in caught.value.problems] == [
        "there is no requirement '1-1/covered-entrances'; did you mean '1-1/covered-entrance'?",
        "there is no item '1-4'; did you mean '1-6'?",
        "'cloud_access' is not a scene of core; expected one of remote_work",
    ]
    with pytest.raises(ConfigurationError, match="there is no system 'core'; did you mean 'cor'"):
        load_registers(office.directory, None, {"cor": (REMOTE,)})


def test_mistakes_of_all_files_are_told_at_once(office: Office) -> None:
    office.write("x = ", "a.toml")
    office.write("\xff", "b.toml")
    (office.directory / "c.toml").write_bytes(b"\xff")
    (office.directory / "d.toml").mkdir()
    office.write("not read", ".draft.toml")
    office.write("not read", "README.md")
    with pytest.raises(ConfigurationError) as caught:
        load_registers(office.directory)
    assert [Path(problem.file).name for problem in caught.value.problems] == ["a.toml", "b.toml", "c.toml", "d.toml"]


def test_no_directory_is_no_entry(tmp_path: Path) -> None:
    registers = load_registers(tmp_path / "none")
    assert (registers.entries, dict(registers.files)) == ((), {})
    judged = registers.check({}, "lab-bank", frozenset({"fsc-2024"}), AS_OF)
    assert judged.document("drill", "1-5/x", "core", REMOTE) == DocumentVerdict(OPEN, RegisterWhy.MISSING, None)


def test_the_sealed_bytes_give_the_same_registers(office: Office) -> None:
    office.write(ATTESTATION + DRILL)
    office.write(EXCEPTION, "exceptions.toml")
    office.sign("AT-001")
    office.record()
    registers = load_registers(office.directory)
    assert sorted(registers.files) == ["AT-001.dsse.json", CHAIN, "entries.toml", "exceptions.toml"]
    again = parse_registers(registers.files)
    assert again.digest == registers.digest

    def rows(held: Registers) -> list[Any]:
        return held.check(office.approvers, "lab-bank", frozenset({"fsc-2024"}), AS_OF).rows()

    assert rows(again) == rows(registers)
    assert parse_registers(dict(sorted(registers.files.items(), reverse=True))).digest == registers.digest
    (office.directory / "AT-001.dsse.json").write_bytes(b"{}")
    assert load_registers(office.directory).digest != registers.digest


def signed(office: Office, reference: str, key: str = "chang") -> Path:
    return Desk(office.directory, office.approvers, "lab-bank", "fsc-2024").sign(reference, office.keys[key], AS_OF)


@pytest.mark.parametrize("form", ["AT-001", "{}/entries.toml#AT-001"])
def test_signing_makes_an_entry_count(office: Office, form: str) -> None:
    office.write(ATTESTATION)
    place = signed(office, form.format(office.directory))
    assert place == office.directory / "AT-001.dsse.json"
    assert sorted(path.name for path in office.directory.iterdir()) == ["AT-001.dsse.json", CHAIN, "entries.toml"]
    assert office.verdict().state is MET


def test_signing_again_replaces_the_signature(office: Office) -> None:
    office.write(ATTESTATION)
    signed(office, "AT-001")
    office.write(ATTESTATION.replace("2027-10-01", "2027-12-01"))
    assert office.verdict().state is OPEN
    signed(office, "AT-001")
    assert office.verdict().state is MET


def test_signing_refuses_what_could_never_count(office: Office) -> None:
    office.write(ATTESTATION + entry("own", "yes", "2026-10-01").replace('"wang"', '"Chang San"'))
    with pytest.raises(UsageError, match="not the key of its approver chang"):
        signed(office, "AT-001", "li")
    with pytest.raises(UsageError, match="one person"):
        signed(office, "own")
    with pytest.raises(UnknownName, match="did you mean 'AT-001'"):
        signed(office, "AT-01")
    with pytest.raises(UsageError, match="is no register file"):
        signed(office, "elsewhere/entries.toml#AT-001")
    office.keys["chang"].chmod(0o644)
    with pytest.raises(StoreError):
        signed(office, "AT-001")
    del office.approvers["chang"]
    with pytest.raises(UnknownName, match="no approver 'chang'"):
        signed(office, "AT-001")
    assert [path.name for path in office.directory.iterdir()] == ["entries.toml"]
