"""Tampering with the registers: each way is refused with its reason, and none makes anything better."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scanner.errors import UsageError
from scanner.institution.nouns import Approver
from scanner.institution.register_chain import CHAIN, read_chain, witness
from scanner.institution.register_record import Desk, record, refuse_backdated
from scanner.institution.registers import DocumentVerdict, JudgedRegisters, load_registers
from scanner.model import RegisterWhy, RequirementState, Scene
from tests.scanner.institution.test_registers import ATTESTATION, DRILL, Office
from tests.scanner.institution.test_ssh_signature import made, needs_ssh, signed

T0 = datetime(2026, 10, 1, 9, tzinfo=UTC)
AS_OF = datetime(2026, 11, 20, tzinfo=UTC)
MET, NOT_MET, OPEN = RequirementState.MET, RequirementState.NOT_MET, RequirementState.UNDETERMINED
REVOCATION = (
    '[[revocation]]\nid = "RE-{id}"\nrevokes = "{id}"\nreason = "An entrance was found that the list does not name."\n'
    'owner = "wang"\napprover = "chang"\nmade_at = 2026-11-01\n'
)


class Bank(Office):
    """Registers that are kept day by day, each act at its own time."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.clock = T0
        self.texts: list[str] = []

    @property
    def desk(self) -> Desk:
        return Desk(self.directory, self.approvers, "lab-bank", "fsc-2024")

    @property
    def chain(self) -> Path:
        return self.directory / CHAIN

    def lines(self) -> list[bytes]:
        return self.chain.read_bytes().splitlines(keepends=True)

    def add(self, text: str) -> None:
        """Write an entry and record it, a day after what was done before."""
        self.texts.append(text)
        self.write("\n".join(self.texts))
        self.clock += timedelta(days=1)
        record(self.directory, self.clock)

    def approve(self, id_: str) -> None:
        self.clock += timedelta(hours=1)
        self.desk.sign(id_, self.keys["chang"], self.clock)

    def answer(self, id_: str, answer: str = "yes", **changes: str) -> None:
        """An attestation that is entered and signed."""
        text = ATTESTATION.replace("AT-001", id_).replace('"yes"', f'"{answer}"')
        day = changes.get("made_at", (self.clock + timedelta(days=1)).strftime("%Y-%m-%d"))
        self.add(text.replace("2026-10-01", day).replace("2027-10-01", changes.get("expires_at", "2027-10-01")))
        self.approve(id_)

    def standing(self, previous: bytes = b"") -> JudgedRegisters:
        registers = load_registers(self.directory)
        return registers.check(self.approvers, "lab-bank", {"fsc-2024"}, AS_OF, previous)

    def says(self, previous: bytes = b"") -> DocumentVerdict:
        return self.standing(previous).document("attestation", "1-1/covered-entrances", "core", Scene.REMOTE_WORK)

    def detail(self, id_: str, previous: bytes = b"") -> str:
        (row,) = [row for row in self.standing(previous).rows() if row.id == id_]
        return row.detail


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    """A no of long ago, a yes after it, and a drill."""
    held = Bank(tmp_path)
    held.answer("OLD", "no")
    held.answer("NEW", "yes")
    held.add(DRILL.replace("2026-10-01", "2026-10-05"))
    held.approve("DR-001")
    return held


@pytest.fixture
def denied(tmp_path: Path) -> Bank:
    """A yes of long ago, and a no after it."""
    held = Bank(tmp_path)
    held.answer("OLD", "yes")
    held.answer("NEW", "no")
    return held


def test_what_is_entered_and_signed_in_order_counts(bank: Bank) -> None:
    assert bank.says() == DocumentVerdict(MET, None, "NEW")
    links = read_chain(bank.chain.read_bytes()).links
    assert [(link.seq, link.event.value, link.id) for link in links] == [
        (1, "added", "OLD"),
        (2, "signed", "OLD"),
        (3, "added", "NEW"),
        (4, "signed", "NEW"),
        (5, "added", "DR-001"),
        (6, "signed", "DR-001"),
    ]
    assert all(standing.counts for standing in bank.standing().standings)


def test_recording_again_writes_nothing(bank: Bank) -> None:
    before = bank.chain.read_bytes()
    assert record(bank.directory, bank.clock + timedelta(days=9)) == []
    assert bank.chain.read_bytes() == before


def test_an_entry_written_by_hand_counts_once_it_is_recorded(bank: Bank) -> None:
    bank.texts.append(ATTESTATION.replace("AT-001", "HAND").replace("2026-10-01", "2026-10-09"))
    bank.write("\n".join(bank.texts))
    bank.sign("HAND")
    assert bank.detail("HAND") == "is not in the chain; take it in with: ztgrade registers record"
    assert [link.event.value for link in record(bank.directory, bank.clock)] == ["added", "signed"]
    assert bank.says().entry == "HAND"


# An edited entry, signature, line


def test_an_edited_entry_is_refused(bank: Bank) -> None:
    bank.write("\n".join(bank.texts).replace("All entrances", "Nearly all entrances"))
    assert bank.detail("NEW") == "was signed otherwise: the entry was edited since"
    assert bank.says().state is OPEN


def test_an_entry_that_was_edited_and_signed_anew_past_the_chain_is_refused(bank: Bank) -> None:
    bank.write("\n".join(bank.texts).replace("All entrances", "Nearly all entrances"))
    bank.sign("NEW")
    assert bank.detail("NEW").startswith("differs from line 4 of the chain: it was edited since")
    assert bank.says().state is OPEN


def test_an_exchanged_signature_is_refused(bank: Bank) -> None:
    place = bank.directory / "NEW.dsse.json"
    place.write_bytes(place.read_bytes() + b"\n")
    assert bank.detail("NEW").startswith("its signature differs from that of line 4 of the chain")
    place.write_bytes(place.read_bytes().replace(b'"sig":"', b'"sig":"00'))
    assert bank.detail("NEW") == "the signature in NEW.dsse.json is not that of chang"


def test_the_signature_of_another_entry_is_refused(bank: Bank) -> None:
    bank.add(ATTESTATION.replace("AT-001", "COPY").replace("2026-10-01", "2026-10-09"))
    (bank.directory / "COPY.dsse.json").write_bytes((bank.directory / "NEW.dsse.json").read_bytes())
    record(bank.directory, bank.clock)
    assert bank.detail("COPY") == "was signed otherwise: it is the signature of another entry, NEW"


@pytest.mark.parametrize(
    ("institution", "baseline", "said"),
    [
        ("other-bank", "fsc-2024", "for another institution, other-bank"),
        ("lab-bank", "cis", "for another baseline, cis"),
    ],
)
def test_an_entry_of_another_institution_or_baseline_is_refused(
    bank: Bank, institution: str, baseline: str, said: str
) -> None:
    bank.add(ATTESTATION.replace("AT-001", "ALIEN").replace("2026-10-01", "2026-10-09"))
    Desk(bank.directory, bank.approvers, institution, baseline).sign("ALIEN", bank.keys["chang"], bank.clock)
    assert bank.detail("ALIEN") == f"was signed otherwise: {said}"


@pytest.mark.parametrize("owner", ["chang", "ＣＨＡＮＧ", "Chang-San", "chang  san", "Cha\u200bng San", "C H A N G"])
def test_the_requester_signs_nothing_under_any_spelling(bank: Bank, owner: str) -> None:
    bank.add(ATTESTATION.replace("AT-001", "OWN").replace('"wang"', f'"{owner}"').replace("2026-10-01", "2026-10-09"))
    with pytest.raises(UsageError, match="its owner and its approver are one person"):
        bank.approve("OWN")
    bank.sign("OWN")
    record(bank.directory, bank.clock)
    assert bank.detail("OWN") == "its owner and its approver are one person"


def test_a_key_that_is_not_the_approvers_is_refused(bank: Bank) -> None:
    bank.add(ATTESTATION.replace("AT-001", "LI").replace("2026-10-01", "2026-10-09"))
    bank.sign("LI", by="li")
    record(bank.directory, bank.clock)
    assert bank.detail("LI") == "the signature in LI.dsse.json is not that of chang"


def test_what_is_expired_is_refused(bank: Bank) -> None:
    bank.answer("ENDED", expires_at="2026-11-01")
    assert bank.detail("ENDED") == "expired at 2026-11-01T00:00:00Z"


# A date before the place in the chain


def test_an_entry_that_is_dated_back_is_refused(denied: Bank) -> None:
    denied.answer("BACK", made_at="2026-10-01")
    assert denied.says().state is NOT_MET
    assert denied.detail("BACK") == (
        "made_at 2026-10-01T00:00:00Z lies before 2026-10-03T11:00:00Z, when the chain, which first names it in "
        "line 5, held nothing of it; an older paper is entered with effective_from, occurred_at or period, "
        "not with made_at"
    )


def test_moving_the_date_back_later_is_refused_too(denied: Bank) -> None:
    denied.answer("BACK", made_at="2026-10-04")
    assert denied.says() == DocumentVerdict(MET, None, "BACK")
    denied.texts[-1] = denied.texts[-1].replace("2026-10-04", "2026-09-30").replace("made_at", "made_at")
    denied.add("")
    denied.approve("BACK")
    assert "lies before" in denied.detail("BACK")
    assert denied.says().state is NOT_MET


def test_older_papers_are_entered_by_when_they_take_effect(bank: Bank) -> None:
    day = (bank.clock + timedelta(days=1)).strftime("%Y-%m-%d")
    text = ATTESTATION.replace("AT-001", "PAPER").replace("2026-10-01", day)
    bank.add(text + "effective_from = 2020-01-01\n")
    bank.approve("PAPER")
    assert bank.says().entry == "PAPER"


def test_what_would_be_dated_back_is_not_even_written(bank: Bank) -> None:
    registers = load_registers(bank.directory)
    with pytest.raises(UsageError, match=r"OLD: made_at .* lies before the end of the chain"):
        refuse_backdated([entry for entry in registers.entries if entry.id == "OLD"], registers.chain)


# The chain itself


def edited(bank: Bank) -> None:
    bank.chain.write_bytes(bank.chain.read_bytes().replace(b'"denies":true', b'"denies":false', 1))


def cut(bank: Bank) -> None:
    lines = bank.lines()
    bank.chain.write_bytes(b"".join(lines[:1] + lines[2:]))


def reordered(bank: Bank) -> None:
    lines = bank.lines()
    bank.chain.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))


def duplicated(bank: Bank) -> None:
    lines = bank.lines()
    bank.chain.write_bytes(b"".join(lines[:2] + lines[1:]))


def torn(bank: Bank) -> None:
    bank.chain.write_bytes(bank.chain.read_bytes()[:-20])


def respelled(bank: Bank) -> None:
    lines = bank.lines()
    bank.chain.write_bytes(b"".join([json.dumps(json.loads(lines[0])).encode() + b"\n", *lines[1:]]))


BREAKS: list[tuple[Callable[[Bank], object], str]] = [
    (edited, "line 2: does not follow from line 1: one of the two was edited"),
    (cut, "line 2: bears number 3: a line was cut out, moved, repeated or put in"),
    (reordered, "line 2: bears number 3: a line was cut out, moved, repeated or put in"),
    (duplicated, "line 3: bears number 2: a line was cut out, moved, repeated or put in"),
    (torn, "line 6: is cut off"),
    (respelled, "line 1: is not written as a link is"),
    (lambda bank: bank.chain.write_bytes(b"{}\n"), "line 1: is no link"),
    (lambda bank: bank.chain.write_bytes(b"[" * 100_000 + b"\n"), "line 1: is no link"),
    (lambda bank: bank.chain.write_bytes(b"\xff\n"), "line 1: is no link"),
]


@pytest.mark.parametrize(("tamper", "said"), BREAKS)
def test_a_broken_chain_lets_nothing_positive_count(bank: Bank, tamper: Callable[[Bank], object], said: str) -> None:
    tamper(bank)
    judged = bank.standing()
    for id_ in ("NEW", "DR-001"):
        told = f"{CHAIN} {said}; nothing positive counts until it is restored from a copy"
        assert bank.detail(id_) == told
    assert {each.entry.id for each in judged.standings if each.counts} == {"OLD"}
    assert bank.says() == DocumentVerdict(NOT_MET, None, "OLD"), "a signed no goes on denying"
    before = bank.chain.read_bytes()
    with pytest.raises(UsageError, match="restore it from a copy"):
        record(bank.directory, bank.clock)
    assert bank.chain.read_bytes() == before


def gone(bank: Bank) -> None:
    bank.chain.unlink()


def shortened(bank: Bank) -> None:
    bank.chain.write_bytes(b"".join(bank.lines()[:2]))


def without_no(bank: Bank) -> None:
    """The no, its signature and its lines are taken away, and the chain is written anew."""
    bank.texts = [text for text in bank.texts if '"no"' not in text]
    bank.write("\n".join(bank.texts))
    (bank.directory / "NEW.dsse.json").unlink()
    bank.record()


LOSSES = [gone, shortened, cut, edited, torn]


@pytest.mark.parametrize("lose", LOSSES)
def test_losing_the_chain_or_a_line_of_it_makes_nothing_better(denied: Bank, lose: Callable[[Bank], None]) -> None:
    sealed = denied.chain.read_bytes()
    assert denied.says(sealed).state is NOT_MET
    lose(denied)
    assert denied.says().state is NOT_MET
    assert denied.says(sealed).state is NOT_MET


@pytest.mark.parametrize("lose", [gone, shortened])
def test_a_yes_falls_with_its_lines(bank: Bank, lose: Callable[[Bank], None]) -> None:
    lose(bank)
    assert bank.says().state is NOT_MET, "the older no stands"
    assert bank.detail("NEW") == "is not in the chain; take it in with: ztgrade registers record"


@pytest.mark.parametrize("end", range(1, 4))
def test_any_line_that_is_lost_makes_nothing_better(denied: Bank, end: int) -> None:
    lines = denied.lines()
    denied.chain.write_bytes(b"".join(lines[:end] + lines[end + 1 :]))
    assert denied.says().state is NOT_MET


@pytest.mark.parametrize(
    "take",
    [
        lambda bank: (bank.directory / "NEW.dsse.json").unlink(),
        lambda bank: (bank.directory / "NEW.dsse.json").write_bytes(b"{}"),
        lambda bank: bank.write(bank.texts[0]),
        lambda bank: bank.write("\n".join(bank.texts).replace('"no"', '"yes"')),
        lambda bank: bank.write("\n".join(bank.texts).replace("2026-10-03", "2026-10-02")),
    ],
)
def test_a_signed_no_that_is_taken_away_leaves_it_open_and_not_met_by_an_older_yes(
    denied: Bank, take: Callable[[Bank], None]
) -> None:
    take(denied)
    assert denied.says() == DocumentVerdict(OPEN, RegisterWhy.UNCHAINED, "NEW")
    record(denied.directory, denied.clock)
    assert denied.says().state is OPEN, "and recording it does not help"


def test_an_entry_that_is_gone_stays_in_the_table_and_a_draft_does_not(bank: Bank) -> None:
    bank.add(ATTESTATION.replace("AT-001", "DRAFT").replace("2026-10-01", "2026-10-09"))
    bank.write("\n".join(bank.texts[:2]))
    rows = {row.id: row for row in bank.standing().rows()}
    assert sorted(rows) == ["DR-001", "NEW", "OLD"]
    assert (rows["DR-001"].counts, rows["DR-001"].why) == (False, RegisterWhy.UNCHAINED)
    assert "the registers no longer hold it" in rows["DR-001"].detail


# Against the previous assessment


def test_a_chain_that_goes_on_is_the_same_chain(bank: Bank) -> None:
    sealed = bank.chain.read_bytes()
    bank.answer("MORE")
    assert bank.says(sealed) == DocumentVerdict(MET, None, "MORE")
    assert witness(sealed, bank.chain.read_bytes()) == bank.chain.read_bytes()


def test_a_chain_that_was_written_anew_shows_against_the_previous_assessment(denied: Bank) -> None:
    sealed = denied.chain.read_bytes()
    without_no(denied)
    assert denied.says().state is MET, "the folder alone cannot tell"
    assert denied.says(sealed) == DocumentVerdict(OPEN, RegisterWhy.UNCHAINED, "OLD")
    assert denied.detail("OLD", sealed) == (
        "the chain was rewritten from line 1 on since the previous assessment; "
        "restore chain.jsonl from the copy that is sealed there"
    )
    rows = {row.id: row.detail for row in denied.standing(sealed).rows()}
    assert "the registers no longer hold it" in rows["NEW"]
    assert witness(sealed, denied.chain.read_bytes()) == sealed, "and it is told until the chain is restored"


def test_entries_before_the_line_that_was_rewritten_still_count(bank: Bank) -> None:
    sealed = bank.chain.read_bytes()
    bank.chain.write_bytes(b"".join(bank.lines()[:4]))
    record(bank.directory, bank.clock + timedelta(days=3))
    assert bank.says(sealed) == DocumentVerdict(MET, None, "NEW")
    assert bank.detail("DR-001") == ""
    assert bank.detail("DR-001", sealed).startswith("the chain was rewritten from line 5 on")
    bank.chain.write_bytes(sealed)
    assert bank.detail("DR-001", sealed) == ""


# Taking back


def revoke(bank: Bank, id_: str, *, signed: bool) -> None:
    bank.add(REVOCATION.replace("{id}", id_))
    if signed:
        bank.approve(f"RE-{id_}")


def test_a_yes_falls_as_soon_as_it_is_revoked(bank: Bank) -> None:
    bank.clock = datetime(2026, 11, 1, tzinfo=UTC)
    revoke(bank, "NEW", signed=False)
    assert bank.detail("NEW").startswith("revoked, not signed: RE-NEW does not count: is not signed")
    assert bank.says() == DocumentVerdict(NOT_MET, None, "OLD")
    bank.approve("RE-NEW")
    assert bank.detail("NEW") == "revoked by RE-NEW"
    assert bank.says() == DocumentVerdict(NOT_MET, None, "OLD")


def test_a_revocation_that_is_taken_away_goes_on_revoking(bank: Bank) -> None:
    bank.clock = datetime(2026, 11, 1, tzinfo=UTC)
    revoke(bank, "NEW", signed=True)
    bank.write("\n".join(bank.texts[:-1]))
    (bank.directory / "RE-NEW.dsse.json").unlink()
    assert bank.detail("NEW") == "revoked by RE-NEW, which is gone from the registers"
    assert bank.says().state is NOT_MET


def test_a_no_falls_only_by_a_signed_revocation_and_then_no_older_yes_meets_it(denied: Bank) -> None:
    denied.clock = datetime(2026, 11, 1, tzinfo=UTC)
    revoke(denied, "NEW", signed=False)
    assert denied.says() == DocumentVerdict(NOT_MET, None, "NEW")
    assert denied.detail("NEW").startswith("not revoked: RE-NEW does not count: is not signed")
    denied.approve("RE-NEW")
    assert denied.says() == DocumentVerdict(OPEN, RegisterWhy.LAPSED, "NEW")
    denied.answer("NEWER")
    assert denied.says() == DocumentVerdict(MET, None, "NEWER")
    gone(denied)
    assert denied.says() == DocumentVerdict(NOT_MET, None, "NEW"), "without the chain the revocation does not count"


def test_revoking_a_revocation_does_not_bring_back_what_it_took(bank: Bank) -> None:
    bank.clock = datetime(2026, 11, 1, tzinfo=UTC)
    revoke(bank, "NEW", signed=True)
    revoke(bank, "RE-NEW", signed=True)
    assert bank.says().state is NOT_MET


def test_a_no_that_nobody_can_check_any_more_leaves_it_open(denied: Bank) -> None:
    denied.approvers["chang"] = Approver("chang", "Chang San", denied.signers["li"].public_pem)
    denied.add(ATTESTATION.replace("AT-001", "LATER").replace("2026-10-01", "2026-10-09"))
    denied.desk.sign("LATER", denied.keys["li"], denied.clock)
    assert denied.says() == DocumentVerdict(OPEN, RegisterWhy.UNCHAINED, "NEW")


# Keys of SSH


@needs_ssh
def test_a_signature_of_ssh_counts_like_any_other(bank: Bank, tmp_path: Path) -> None:
    key, other = made(tmp_path), made(tmp_path, "ecdsa", 256)
    bank.approvers["li"] = Approver("li", "Li Si", b"", key.with_name(key.name + ".pub").read_text())
    bank.add(ATTESTATION.replace("AT-001", "SSH").replace("2026-10-01", "2026-10-09").replace('"chang"', '"li"'))
    bank.sign("SSH", by="li")
    assert bank.detail("SSH") == "the signature in SSH.dsse.json is an envelope, and li has a key of SSH"
    place = tmp_path / "SSH.sig"
    for wrong, said in (
        (signed(other, bank.desk.payload("SSH")), "another key than the approver's"),
        (signed(key, bank.desk.payload("SSH"), "file"), "was made for 'file'"),
        (signed(key, bank.desk.payload("NEW")), "does not hold"),
        (signed(key, bank.desk.payload("SSH") + b"\n"), "does not hold"),
        (b"nothing", "is not the file that ssh-keygen -Y sign makes"),
    ):
        place.write_bytes(wrong)
        with pytest.raises(UsageError, match=said):
            bank.desk.take_ssh("SSH", place, bank.clock)
    assert not (bank.directory / "SSH.sshsig").exists()
    place.write_bytes(signed(key, bank.desk.payload("SSH")))
    assert bank.desk.take_ssh("SSH", place, bank.clock) == bank.directory / "SSH.sshsig"
    assert bank.says() == DocumentVerdict(MET, None, "SSH")
    assert not (bank.directory / "SSH.dsse.json").exists()
    (tmp_path / "allowed").write_text(f"li {key.with_name(key.name + '.pub').read_text()}")
    verify = ["ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "li", "-n", "ztgrade-register"]
    verify += ["-s", str(bank.directory / "SSH.sshsig")]
    again = subprocess.run(verify, input=bank.desk.payload("SSH"), capture_output=True)
    assert again.returncode == 0, "an auditor proves the same with ssh-keygen alone"


@needs_ssh
def test_a_signature_of_ssh_needs_an_approver_with_a_key_of_ssh(bank: Bank, tmp_path: Path) -> None:
    place = tmp_path / "NEW.sig"
    place.write_bytes(signed(made(tmp_path), bank.desk.payload("NEW")))
    with pytest.raises(UsageError, match="chang has no ssh_key in the estate"):
        bank.desk.take_ssh("NEW", place, bank.clock)


# The clock


def test_a_clock_that_lies_behind_the_chain_writes_nothing(bank: Bank) -> None:
    bank.texts.append(ATTESTATION.replace("AT-001", "LATE").replace("2026-10-01", "2026-10-09"))
    bank.write("\n".join(bank.texts))
    with pytest.raises(UsageError, match="set the clock right"):
        record(bank.directory, bank.clock - timedelta(days=1))
    links = record(bank.directory, bank.clock - timedelta(seconds=2))
    assert [link.at for link in links] == [bank.clock], "a little behind is taken for the same moment"
