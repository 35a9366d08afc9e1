"""Keys in a TPM: what its own tools make of them, and what is said where they do not."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from agent import keys, tpm_keys
from agent.errors import Misconfigured
from agent.settings import HARDWARE
from agent.signing import KeyProcess
from agent.tpm_keys import Tpm
from tests.agent.fleet_double import Authority, spki_digest
from tests.agent.soft_tpm import SoftTpm

ECDSA = ec.ECDSA(hashes.SHA256())


@pytest.fixture(scope="module")
def tpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftTpm]:
    chip = SoftTpm(tmp_path_factory.mktemp("tpm") / "chip")
    yield chip
    chip.stop()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[SoftTpm]:
    """Another chip, for what changes one."""
    chip = SoftTpm(tmp_path / "other")
    yield chip
    chip.stop()


def made(folder: Path, tpm: SoftTpm) -> Path:
    return folder / f"{Tpm(tpm.tcti).make(folder)}.tpm"


def public(path: Path) -> ec.EllipticCurvePublicKey:
    found = load_der_public_key(Tpm("").public(path))
    assert isinstance(found, ec.EllipticCurvePublicKey)
    return found


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tools that ran, but for those that only make room in a simulator."""
    ran: list[str] = []
    real = subprocess.run

    def watched(argv: list[str], **named: Any) -> Any:
        name = argv[0].rpartition("/tpm2_")[2]
        if name != "flushcontext":
            ran.append(name)
        return real(argv, **named)

    monkeypatch.setattr(subprocess, "run", watched)
    return ran


def test_the_key_process_does_all_that_the_agent_asks_with_a_key_in_the_tpm(folder: Path, tpm: SoftTpm) -> None:
    process = KeyProcess(tpm.tcti)
    key_id = process.make(folder, HARDWARE)
    path = folder / f"{key_id}.tpm"
    request = x509.load_pem_x509_csr(process.request(path).encode())
    key = request.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert request.is_signature_valid and spki_digest(key) == key_id
    key.verify(process.sign(path, b"bytes \x00\xff"), b"bytes \x00\xff", ECDSA)
    authority, now = Authority(), datetime.now(UTC).replace(microsecond=0)
    certificate = authority.sign(key, now, now + timedelta(days=1)).public_bytes(Encoding.PEM).decode()
    assert process.read(path, certificate, authority.pem).not_after == now + timedelta(days=1)


def test_what_lies_on_disk_is_for_its_owner_alone_and_no_private_key(folder: Path, tpm: SoftTpm) -> None:
    path = made(folder, tpm)
    assert sorted(one.name for one in folder.iterdir()) == [f"{path.stem}.ctx", f"{path.stem}.tpm"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}
    with pytest.raises(ValueError, match="no P-256 key"):
        keys.sign(str(path), b"x")
    loaded = keys._InKeystore(path, tpm.tcti)
    for taken_out in (loaded.private_bytes, loaded.private_numbers):
        with pytest.raises(ValueError, match="cannot be taken out"):
            taken_out()


def test_many_signatures_hold_and_each_is_one_process(folder: Path, tpm: SoftTpm, tools: list[str]) -> None:
    path = made(folder, tpm)
    key = public(path)
    tools.clear()
    for number in range(12):  # some have an integer of 32 bytes and some of 33
        key.verify(Tpm(tpm.tcti).sign(path, b"%d" % number), b"%d" % number, ECDSA)
    assert tools == ["sign"] * 12
    with pytest.raises(InvalidSignature):
        key.verify(Tpm(tpm.tcti).sign(path, b"one"), b"other", ECDSA)


def test_after_a_start_of_the_system_the_key_is_loaded_once(folder: Path, tpm: SoftTpm, tools: list[str]) -> None:
    path = made(folder, tpm)
    tpm.start_again()
    tools.clear()
    public(path).verify(Tpm(tpm.tcti).sign(path, b"x"), b"x", ECDSA)
    assert tools == ["sign", "createprimary", "load", "sign"], "the first was with what was loaded before"
    tools.clear()
    Tpm(tpm.tcti).sign(path, b"x")
    assert tools == ["sign"]


@pytest.mark.parametrize("content", [b"", b"\x00" * 600, None])
def test_a_loaded_key_that_is_lost_or_damaged_is_loaded_again(
    folder: Path, tpm: SoftTpm, content: bytes | None
) -> None:
    path = made(folder, tpm)
    loaded = path.with_suffix(".ctx")
    if content is None:
        loaded.unlink()
    else:
        loaded.write_bytes(content)
    public(path).verify(Tpm(tpm.tcti).sign(path, b"x"), b"x", ECDSA)


def test_on_a_full_disk_it_still_signs(folder: Path, tpm: SoftTpm, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(folder, tpm)
    path.with_suffix(".ctx").unlink()

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tpm_keys, "write_whole", full)
    public(path).verify(Tpm(tpm.tcti).sign(path, b"x"), b"x", ECDSA)


def test_another_tpm_cannot_use_a_copied_key_nor_can_a_cleared_one(
    folder: Path, tpm: SoftTpm, other: SoftTpm, tmp_path: Path
) -> None:
    path = made(folder, tpm)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    unknown = "this TPM does not know the key: it was cleared .* another machine; enrol again: ztagent enroll --again"
    with pytest.raises(Misconfigured, match=unknown):
        Tpm(other.tcti).sign(copy / path.name, b"x")
    Tpm(tpm.tcti).sign(path, b"x")
    own = made(copy, other)
    other.tool("clear", "-c", "p")
    with pytest.raises(Misconfigured, match=unknown):
        Tpm(other.tcti).sign(own, b"x")


def test_a_password_of_the_owner_and_a_hierarchy_that_is_off_are_named(folder: Path, other: SoftTpm) -> None:
    other.tool("changeauth", "-c", "owner", "a-password")
    with pytest.raises(Misconfigured, match=r"owner hierarchy has a password.*tpm2_changeauth"):
        Tpm(other.tcti).make(folder)
    other.tool("hierarchycontrol", "-C", "p", "shEnable", "clear")
    with pytest.raises(Misconfigured, match="owner hierarchy is switched off"):
        Tpm(other.tcti).make(folder)
    other.stop()
    with pytest.raises(Misconfigured, match=r"the TPM does not answer: .*Failed to connect"):
        Tpm(other.tcti).make(folder)
    assert list(folder.iterdir()) == []


def test_without_a_tpm_its_tools_or_the_right_to_use_it_that_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Misconfigured, match="no TPM at /dev/no-such-tpm"):
        Tpm("device:/dev/no-such-tpm").make(folder)
    monkeypatch.setattr(tpm_keys, "TOOLS", str(tmp_path))
    with pytest.raises(Misconfigured, match="apt-get install tpm2-tools"):
        Tpm("device:/dev/null").make(folder)
    # What tpm2-tools 5.4 with tpm2-tss 3.2.1 print for a device that belongs to tss.
    tool = tmp_path / "tpm2_createprimary"
    tool.write_text(
        "#!/bin/sh\ncat >&2 <<'EOF'\n"
        "ERROR:tcti:src/tss2-tcti/tcti-device.c:452:Tss2_Tcti_Device_Init() Failed to open specified TCTI device file "
        "/dev/tpmrm0: Permission denied \n"
        'ERROR: Could not load tcti, got: "device:/dev/tpmrm0"\n'
        "EOF\nexit 1\n"
    )
    tool.chmod(0o755)
    with pytest.raises(Misconfigured, match="run the agent as root or as a member of the group tss"):
        Tpm("device:/dev/null").make(folder)
    tool.write_text(
        "#!/bin/sh\necho 'ERROR: Eys_CreatePrimary(0x101) - tpm:error(2.0): commands not accepted' >&2\nexit 1"
    )
    with pytest.raises(Misconfigured, match=r"createprimary failed: .*commands not accepted"):
        Tpm("device:/dev/null").make(folder)
    tool.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(tpm_keys, "PATIENCE", 0.05)
    with pytest.raises(Misconfigured, match=r"createprimary did not work: .*timed out"):
        Tpm("device:/dev/null").make(folder)


def test_a_key_file_that_others_may_use_or_that_is_damaged_is_refused(folder: Path, tpm: SoftTpm) -> None:
    path = made(folder, tpm)
    path.chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        Tpm(tpm.tcti).sign(path, b"x")
    path.chmod(0o600)
    content = path.read_bytes()
    for damaged in (b"", b"{}", b'{"public": 5}', content.replace(b'"private"', b'"other"'), b"\xff"):
        path.write_bytes(damaged)
        with pytest.raises(Misconfigured, match="is damaged; enrol again"):
            Tpm(tpm.tcti).sign(path, b"x")
    elsewhere = folder / f"{'0' * 64}.tpm"
    elsewhere.write_bytes(content)
    elsewhere.chmod(0o600)
    with pytest.raises(Misconfigured, match="another key than it is named for"):
        Tpm("").public(elsewhere)
    elsewhere.unlink()
    with pytest.raises(Misconfigured, match="cannot be read"):
        Tpm("").public(elsewhere)


def test_on_other_systems_no_tpm_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(Misconfigured, match="on Linux only"):
        Tpm("device:/dev/tpmrm0").make(folder)
