"""Keys in a Secure Enclave: what a program that stands for the enclave makes of them, and what is said where it fails.

The true program, packaging/macos/enclave.swift, was never run; its words are compared with those that are spoken here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from agent import enclave_keys, keys, keystores, sealed_key
from agent.errors import Misconfigured
from agent.packaging.as_debian import RECIPE
from agent.settings import HARDWARE
from agent.signing import KeyProcess
from tests.agent.fleet_double import Authority, spki_digest
from tests.agent.soft_enclave import FIELDS, SOURCE, STATUSES, SoftEnclave

ECDSA = ec.ECDSA(hashes.SHA256())


def made(folder: Path) -> Path:
    return folder / f"{enclave_keys.make(folder)}.enclave"


def test_the_agent_does_all_that_it_must_with_a_key_in_the_enclave(
    folder: Path, enclave: SoftEnclave, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    process = KeyProcess()
    path = keystores.file_of(folder, process.make(folder, HARDWARE))
    assert path.suffix == ".enclave" and keystores.kind(path) == "enclave"
    assert keys.main(["request", str(path), ""]) == 0
    request = x509.load_pem_x509_csr(capsysbinary.readouterr().out)
    key = request.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert request.is_signature_valid and spki_digest(key) == path.stem
    key.verify(process.sign(path, b"bytes \x00\xff"), b"bytes \x00\xff", ECDSA)
    authority, now = Authority(), datetime.now(UTC).replace(microsecond=0)
    certificate = authority.sign(key, now, now + timedelta(days=1)).public_bytes(Encoding.PEM).decode()
    enclave.program.unlink()
    assert process.read(path, certificate, authority.pem).not_after == now + timedelta(days=1), "asks no enclave"


def test_what_lies_on_disk_is_for_its_owner_alone_and_no_private_key(folder: Path, enclave: SoftEnclave) -> None:
    path = made(folder)
    assert [one.name for one in folder.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_bytes())) == {"plain", "wrapped"}
    with pytest.raises(ValueError, match="no P-256 key"):
        keys.sign(str(path), b"x")


def test_another_enclave_cannot_use_a_copied_key(
    folder: Path, enclave: SoftEnclave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(folder)
    shutil.copytree(folder, tmp_path / "copy")
    SoftEnclave(tmp_path / "other").use(monkeypatch)
    unknown = (
        r"this Secure Enclave does not open the key \(Error Domain=CryptoTokenKit Code=-3  \[31m\): it was reset, or "
        "the state folder comes from another machine; enrol again: ztagent enroll --again --token-file FILE"
    )
    with pytest.raises(Misconfigured, match=unknown):
        enclave_keys.sign(tmp_path / "copy" / path.name, b"x")
    enclave.use(monkeypatch)
    assert enclave_keys.sign(path, b"x")


def test_each_step_is_one_process_that_sees_nothing_of_the_agents(
    folder: Path, enclave: SoftEnclave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    true, log = tmp_path / "true", tmp_path / "log"
    shutil.move(enclave.program, true)
    enclave.put(f'#!/bin/sh\n{{ echo "argv: $*"; pwd; env; }} >>{log}\nexec {true} "$@"\n')
    path = made(folder)
    enclave_keys.sign(path, b"content")
    lines = log.read_text().splitlines()
    assert [line for line in lines if line.startswith("argv:")] == ["argv: make", "argv: sign", "argv: sign"]
    names = {line.split("=")[0] for line in lines if "=" in line}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"LC_ALL", "PATH"} and lines.count("/") == 3


def test_a_program_that_is_missing_or_that_others_may_change_is_not_run(
    folder: Path, enclave: SoftEnclave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    enclave.put(f"#!/bin/sh\ntouch {ran}\n")
    may = "others than root may change {}, so it is not run; install ztagent.pkg again"
    for path, mode in ((enclave.program, 0o775), (enclave.program, 0o757), (enclave.program.parent, 0o777)):
        path.chmod(mode)
        with pytest.raises(Misconfigured, match=re.escape(may.format(path))):
            enclave_keys.make(folder)
        path.chmod(0o755)
    monkeypatch.setattr(enclave_keys, "OWNER", os.geteuid() + 1)
    with pytest.raises(Misconfigured, match="so it is not run"):
        enclave_keys.make(folder)
    monkeypatch.setattr(enclave_keys, "OWNER", os.geteuid())
    elsewhere = enclave.program.rename(tmp_path / "elsewhere")
    enclave.program.symlink_to(elsewhere)
    with pytest.raises(Misconfigured, match="so it is not run"):
        enclave_keys.make(folder)
    enclave.program.unlink()
    missing = 'is missing, by which the Secure Enclave is used; install ztagent.pkg again, or set key = "file"'
    with pytest.raises(Misconfigured, match=missing):
        enclave_keys.make(folder)
    monkeypatch.setattr(enclave_keys, "PROGRAM", str(tmp_path / "no" / "folder"))
    with pytest.raises(Misconfigured, match=missing):
        enclave_keys.make(folder)
    assert not ran.exists() and list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("noEnclave", 'no Secure Enclave .* Apple silicon or a T2 chip have one; elsewhere set key = "file" and enrol'),
        ("notMade", r'made no key: Code=-9 locked; start the Mac again, or set key = "file" and enrol'),
        ("notOpened", r"does not open the key \(Code=-9 locked\)"),
        ("notSigned", "did not sign: Code=-9 locked; if it goes on so, start the Mac again, then enrol again"),
        ("wrongUse", r"ztagent-enclave failed: Code=-9 locked, status 2; install ztagent.pkg again"),
    ],
)
def test_where_the_enclave_fails_it_is_said_what_to_do(
    folder: Path, enclave: SoftEnclave, status: str, said: str
) -> None:
    enclave.put(f"#!/bin/sh\nprintf '\\nCode=-9\\tlocked\\nmore\\n' >&2\nexit {STATUSES[status]}\n")
    with pytest.raises(Misconfigured, match=said):
        enclave_keys.make(folder)
    assert list(folder.iterdir()) == []


def test_a_program_that_ends_or_hangs_without_a_word_is_told(
    folder: Path, enclave: SoftEnclave, monkeypatch: pytest.MonkeyPatch
) -> None:
    enclave.put("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(Misconfigured, match="ztagent-enclave failed: nothing was said, status -9"):
        enclave_keys.make(folder)
    enclave.put("no program")
    with pytest.raises(Misconfigured, match=r"ztagent-enclave did not work: .*Exec format error"):
        enclave_keys.make(folder)
    enclave.put("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(enclave_keys, "PATIENCE", 0.05)
    with pytest.raises(Misconfigured, match=r"ztagent-enclave did not work: .*timed out"):
        enclave_keys.make(folder)


@pytest.mark.parametrize(
    "answer",
    ["", "[]", "{}", '{"plain": 5, "wrapped": ""}', '{"plain": "", "wrapped": "?"}', "[" * 9000, " " * 20_000 + "{}"],
)
def test_an_answer_that_is_none_is_refused(folder: Path, enclave: SoftEnclave, answer: str) -> None:
    enclave.put(f"#!/bin/sh\ncat <<'EOF'\n{answer}\nEOF\n")
    with pytest.raises(Misconfigured, match=r"answered nothing of its own; install ztagent.pkg again"):
        enclave_keys.make(folder)


def test_a_key_is_kept_only_where_it_is_on_p256_and_signs_itself(
    folder: Path, enclave: SoftEnclave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = enclave.program.rename(tmp_path / "true")

    def signing(answer: str) -> None:
        enclave.put(f'#!/bin/sh\n[ "$1" = sign ] || exec {true} make\ncat >/dev/null\n{answer}\n')

    signing(f"echo locked >&2; exit {STATUSES['notSigned']}")
    with pytest.raises(Misconfigured, match="did not sign: locked"):
        enclave_keys.make(folder)
    signing("""echo '{"plain": "", "signature": ""}'""")
    with pytest.raises(Misconfigured, match="signed with another key, or in another form"):
        enclave_keys.make(folder)
    monkeypatch.setattr(enclave_keys, "_signature", lambda key, content: b"")
    enclave.put("""#!/bin/sh\necho '{"plain": "AAAA", "wrapped": "AAAA"}'\n""")
    with pytest.raises(Misconfigured, match="the Secure Enclave made a key that is not on P-256"):
        enclave_keys.make(folder)
    assert list(folder.iterdir()) == []


def test_a_signature_is_taken_only_by_the_key_that_is_asked_for_and_in_its_form(
    folder: Path, enclave: SoftEnclave
) -> None:
    path, other = made(folder), made(folder)
    mixed = {name: json.loads(one.read_bytes())[name] for name, one in (("plain", path), ("wrapped", other))}
    plain = mixed["plain"]
    path.write_text(json.dumps(mixed))
    with pytest.raises(Misconfigured, match="signed with another key, or in another form"):
        enclave_keys.sign(path, b"x")
    enclave.put(f"""#!/bin/sh\necho '{{"plain": "{plain}", "signature": "MAYCAQECAQ=="}}'\n""")
    with pytest.raises(Misconfigured, match="signed with another key, or in another form"):
        enclave_keys.sign(path, b"x")


def test_a_key_file_that_others_may_use_or_that_is_damaged_is_refused(folder: Path, enclave: SoftEnclave) -> None:
    path = made(folder)
    path.chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        enclave_keys.sign(path, b"x")
    path.chmod(0o600)
    content = path.read_bytes()
    for damaged in (b"", b"{}", b'{"plain": 5}', content.replace(b'"wrapped"', b'"other"'), b"\xff"):
        path.write_bytes(damaged)
        with pytest.raises(Misconfigured, match="is damaged; enrol again"):
            enclave_keys.sign(path, b"x")
    elsewhere = folder / f"{'0' * 64}.enclave"
    elsewhere.write_bytes(content)
    elsewhere.chmod(0o600)
    with pytest.raises(Misconfigured, match="another key than it is named for"):
        enclave_keys.public(elsewhere)
    elsewhere.unlink()
    with pytest.raises(Misconfigured, match="cannot be read"):
        enclave_keys.public(elsewhere)


def test_on_a_full_disk_no_key_is_made(folder: Path, enclave: SoftEnclave, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, value: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sealed_key, "write_json", full)
    with pytest.raises(Misconfigured, match=r"\.enclave cannot be written: No space left on device"):
        enclave_keys.make(folder)


def test_the_public_key_is_read_without_the_program(folder: Path, enclave: SoftEnclave) -> None:
    path = made(folder)
    signature = enclave_keys.sign(path, b"x")
    enclave.program.unlink()
    key = load_der_public_key(enclave_keys.public(path))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(signature, b"x", ECDSA)


def test_the_program_for_macos_speaks_the_same_words() -> None:
    assert STATUSES == {
        "wrongUse": enclave_keys.WRONG_USE,
        "noEnclave": enclave_keys.NO_ENCLAVE,
        "notMade": enclave_keys.NOT_MADE,
        "notOpened": enclave_keys.NOT_OPENED,
        "notSigned": enclave_keys.NOT_SIGNED,
    }
    assert FIELDS == {
        "Asked": ["content", "wrapped"],
        "Made": ["plain", "wrapped"],
        "Signed": ["plain", "signature"],
    }
    assert set(re.findall(r'task == "(\w+)"', SOURCE)) == {"make", "sign"}
    assert set(re.findall(r"fail\(\.(\w+)", SOURCE)) == set(STATUSES), "each status is used"
    assert re.findall(r"^import (\w+)$", SOURCE, re.MULTILINE) == ["CryptoKit", "Foundation", "Security"]


def test_a_key_is_for_this_mac_alone_and_asks_no_person() -> None:
    assert "kSecAttrAccessibleAlwaysThisDeviceOnly" in SOURCE and "[.privateKeyUsage]" in SOURCE
    asking = ("userPresence", "biometry", "devicePasscode", "LAContext", "SecItem", "kSecAttrTokenID")
    assert not [word for word in asking if word in SOURCE]


def test_the_package_puts_the_program_where_the_agent_looks() -> None:
    build = (RECIPE / "macos" / "build.sh").read_text("utf-8")
    assert f'"$stage{enclave_keys.PROGRAM}"' in build and '"$here/enclave.swift"' in build
