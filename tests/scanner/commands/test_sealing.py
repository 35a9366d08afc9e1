"""``verify``, ``key`` and ``sign``: what is whole, by whom, and who answers for an entry."""

from __future__ import annotations

import json
import shutil
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.scanner.commands.stage import Institution, now, parsed, requirement, stamp, ztgrade


@pytest.fixture(scope="module")
def public(scanned: Institution, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public key of the scanned store, as it was exported."""
    result = ztgrade("key", "export", "--store", scanned.store)
    assert (result.exit_code, result.stderr) == (0, "")
    load_pem_public_key(result.stdout.encode())
    place = tmp_path_factory.mktemp("key") / "store.pem"
    place.write_text(result.stdout)
    return place


@pytest.fixture
def copy(scanned: Institution, tmp_path: Path) -> Path:
    """A copy of the scanned store to tamper with."""
    return Path(shutil.copytree(scanned.store, tmp_path / "copy"))


def test_a_whole_store_signed_by_the_trusted_key_verifies(scanned: Institution, public: Path) -> None:
    result = ztgrade("verify", scanned.store, "--trust", public, "--json")
    assert result.exit_code == 0, result.stdout
    row = json.loads(result.stdout)
    assert (row["whole"], row["signer_known"], row["problems"]) == (True, True, [])
    assert row["folders"] == 3 and len(row["root"]) == 64 and len(row["seal"]) == 64


def test_without_trust_the_signer_is_unknown_and_that_is_no_success(scanned: Institution) -> None:
    result = ztgrade("verify", scanned.store)
    assert result.exit_code == 3
    assert "unknown" in result.stdout


def test_every_sealed_folder_verifies_by_itself_wherever_it_lies(copy: Path, public: Path, tmp_path: Path) -> None:
    for kind in ("collections", "assessments"):
        (folder,) = (copy / kind).iterdir()
        elsewhere = tmp_path / kind
        shutil.move(folder, elsewhere)
        assert ztgrade("verify", elsewhere, "--trust", public).exit_code == 0


@pytest.mark.parametrize("pattern", ["assessments/*/assessment.json", "collections/*/facts/User.parquet"])
def test_an_altered_file_is_named(copy: Path, public: Path, pattern: str) -> None:
    (place,) = copy.glob(pattern)
    place.chmod(0o600)
    place.write_bytes(place.read_bytes() + b" ")
    result = ztgrade("verify", copy, "--trust", public)
    assert result.exit_code == 3 and place.name in result.stdout


def test_the_key_of_another_store_is_not_taken(copy: Path, tmp_path: Path) -> None:
    other = Institution(tmp_path / "other")
    other.supply([])
    other.run("collect", "--quiet")
    foreign = tmp_path / "foreign.pem"
    foreign.write_text(ztgrade("key", "export", "--store", other.store).stdout)
    assert ztgrade("verify", copy, "--trust", foreign).exit_code == 3


def test_an_anchor_noted_elsewhere_is_looked_for(scanned: Institution, public: Path) -> None:
    seal = json.loads(ztgrade("verify", scanned.store, "--trust", public, "--json").stdout)["seal"]
    assert ztgrade("verify", scanned.store, "--trust", public, "--anchor", seal).exit_code == 0
    assert ztgrade("verify", scanned.store, "--trust", public, "--anchor", "0" * 64).exit_code == 3


def test_verify_of_nothing_is_no_success(tmp_path: Path, public: Path) -> None:
    assert ztgrade("verify", tmp_path / "nothing", "--trust", public).exit_code in {2, 3}
    missing = ztgrade("verify", tmp_path, "--trust", tmp_path / "no.pem")
    assert missing.exit_code == 2 and "key export" in missing.stderr


def test_the_private_key_never_leaves_the_store(scanned: Institution, public: Path) -> None:
    assert "PRIVATE" not in public.read_text()
    keys = [place for place in (scanned.store / "keys").iterdir() if "PRIVATE" in place.read_text()]
    assert keys and {stat.S_IMODE(place.stat().st_mode) for place in keys} == {0o600}


def test_key_export_needs_a_store_and_makes_none(tmp_path: Path) -> None:
    assert ztgrade("key", "export", "--store", tmp_path / "none").exit_code == 2
    assert not (tmp_path / "none").exists()


# signing entries


def attest(institution: Institution, **changes: str) -> None:
    yesterday = stamp(now() - timedelta(days=1))
    fields = {
        "id": '"AT-1"',
        "requirement": '"1-1/covered-entrances"',
        "system": '"core"',
        "statement": '"every entrance is covered"',
        "owner": '"lee"',
        "approver": '"chang"',
        "made_at": yesterday,
        "effective_from": yesterday,
        "expires_at": stamp(now() + timedelta(days=90)),
        "document": f'{{ name = "AT-1.pdf", sha256 = "{"0" * 64}" }}',
        "answer": '"yes"',
    } | changes
    lines = ["[[attestation]]", *(f"{key} = {value}" for key, value in fields.items())]
    (institution.folder / "registers/documents.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def sign(institution: Institution, entry: str = "AT-1", key: Path | None = None) -> int:
    key = key or institution.approver_key
    return ztgrade("sign", entry, "--key", key, "--estate", institution.estate).exit_code


def test_an_entry_counts_once_its_approver_signed_it(institution: Institution) -> None:
    attest(institution)
    institution.run("collect", "--quiet")
    before = requirement(parsed(institution.run("assess", "--json")), "1-1", "covered-entrances")
    assert (before["state"], before["why"]) == ("undetermined", ["self_declared"])
    assert sign(institution, f"{institution.folder}/registers/documents.toml#AT-1") == 0
    after = requirement(parsed(institution.run("assess", "--json")), "1-1", "covered-entrances")
    assert (after["state"], after["entry"]) == ("met", "AT-1")


def test_a_signature_does_not_survive_a_change_of_what_was_signed(institution: Institution) -> None:
    attest(institution)
    assert sign(institution) == 0
    place = institution.folder / "registers/documents.toml"
    place.write_text(place.read_text("utf-8").replace("every entrance", "each entrance"), "utf-8")
    institution.run("collect", "--quiet")
    result = requirement(parsed(institution.run("assess", "--json")), "1-1", "covered-entrances")
    assert (result["state"], result["why"]) == ("undetermined", ["self_declared"])


def test_entries_and_keys_that_do_not_fit_are_refused(institution: Institution, tmp_path: Path) -> None:
    attest(institution)
    assert sign(institution, "AT-2") == 2
    assert sign(institution, key=tmp_path / "no.pem") == 2
    institution.run("collect", "--quiet")
    (private,) = (p for p in (institution.store / "keys").iterdir() if "PRIVATE" in p.read_text())
    assert sign(institution, key=private) == 2, "the key of somebody else"
    assert not list((institution.folder / "registers").glob("*.dsse.json"))


def test_registers_that_are_wrong_are_told_with_their_line_before_anything_is_read(institution: Institution) -> None:
    attest(institution, requirement='"1-1/covered-entrance"')
    result = institution.run("scan", "--json")
    assert result.exit_code == 2 and result.stdout == ""
    assert "documents.toml:3: attestation[0].requirement" in result.stderr and "1-1/covered-entrances" in result.stderr
    assert not institution.store.exists()
