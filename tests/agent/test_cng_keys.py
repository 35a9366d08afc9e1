"""Keys that Windows keeps: what is asked of its library, what is made of its answers, what is said where it fails."""

from __future__ import annotations

import ctypes
import hashlib
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from agent import cng, keys, own_process, sealed_key
from agent.cng_keys import Cng
from agent.cng_status import why
from agent.errors import Misconfigured
from agent.own_process import Ended
from agent.settings import HARDWARE
from agent.signing import KeyProcess
from agent.state import StateFolder
from tests.agent.soft_cng import NTE_NOT_SUPPORTED, PERSIST, SOFTWARE, TPM, SoftCng

ECDSA = ec.ECDSA(hashes.SHA256())
IN_TPM, IN_SOFTWARE = Cng(".cng"), Cng(".ksp")
PROVIDER = {".cng": TPM, ".ksp": SOFTWARE}
UNKNOWN = (
    "does not know the key: it was cleared or replaced, or the state folder comes from another machine; enrol again"
)


def made(folder: Path, store: Cng = IN_TPM) -> Path:
    return folder / f"{store.make(folder)}{store.ending}"


def public(path: Path) -> ec.EllipticCurvePublicKey:
    found = load_der_public_key(Cng(path.suffix).public(path))
    assert isinstance(found, ec.EllipticCurvePublicKey)
    return found


@pytest.mark.parametrize("store", [IN_TPM, IN_SOFTWARE], ids=["tpm", "software"])
def test_a_key_is_made_signs_and_asks_for_a_certificate(folder: Path, windows: SoftCng, store: Cng) -> None:
    path = made(folder, store)
    der = public(path).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert hashlib.sha256(der).hexdigest() == path.stem
    for number in range(30):  # some have an integer of 31 bytes and some of 33
        public(path).verify(store.sign(path, b"%d" % number), b"%d" % number, ECDSA)
    with pytest.raises(InvalidSignature):
        public(path).verify(store.sign(path, b"one"), b"other", ECDSA)
    request = x509.load_pem_x509_csr(keys.request(str(path)))
    assert request.is_signature_valid and request.public_key() == public(path)
    (key,) = windows.keys.values()
    assert key.provider == PROVIDER[store.ending] and windows.open == 0


def test_a_key_belongs_to_the_machine_signs_alone_and_is_for_the_system_and_administrators(
    folder: Path, windows: SoftCng
) -> None:
    made(folder, IN_SOFTWARE)
    (key,) = windows.keys.values()
    descriptor = key.properties.pop("Security Descr")
    assert key.properties == {"Export Policy": bytes(4), "Key Usage": struct.pack("<I", 2)}
    # As ConvertStringSecurityDescriptorToSecurityDescriptor writes D:P(A;;GA;;;SY)(A;;GA;;;BA).
    entries = ("0000140000000010010100000000000512000000", "000018000000001001020000000000052000000020020000")
    assert descriptor.hex() == "01000490" + "00000000" * 3 + "14000000" + "0200340002000000" + "".join(entries)


def test_what_lies_on_disk_names_a_key_and_signs_nothing(folder: Path, windows: SoftCng) -> None:
    path = made(folder)
    assert [one.name for one in folder.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (key,) = windows.keys.values()
    number = key.private.private_numbers().private_value.to_bytes(32, "big")
    assert number not in path.read_bytes() and number.hex() not in path.read_text()
    with pytest.raises(ValueError, match="no P-256 key"):
        keys.sign(str(path), b"x")


def test_a_copied_folder_cannot_sign_on_another_windows(
    folder: Path, windows: SoftCng, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [made(folder, IN_TPM), made(folder, IN_SOFTWARE)]
    SoftCng().use(monkeypatch)
    for path, store in zip(paths, ("this TPM", "the keystore of Windows"), strict=True):
        with pytest.raises(Misconfigured, match=f"{store} {UNKNOWN}: ztagent enroll --again"):
            Cng(path.suffix).sign(path, b"x")
    windows.use(monkeypatch)
    assert all(Cng(path.suffix).sign(path, b"x") for path in paths)


def test_another_key_of_the_same_name_does_not_sign(folder: Path, windows: SoftCng) -> None:
    path = made(folder)
    (key,) = windows.keys.values()
    key.private = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(Misconfigured, match="has another key of that name; enrol again"):
        IN_TPM.sign(path, b"x")
    assert windows.open == 0


@pytest.mark.parametrize(
    ("number", "der"),
    [
        (0x01, "020101"),
        (0x7F, "02017f"),
        (0x80, "02020080"),
        (0xFF00, "020300ff00"),
        (2**255, "0221008" + "0" * 63),
        (2**248 - 1, "022000" + "f" * 62),
        (2**247 - 1, "021f7f" + "f" * 60),
    ],
)
def test_numbers_of_a_signature_are_written_as_der_has_them(
    folder: Path, windows: SoftCng, number: int, der: str
) -> None:
    path = made(folder)
    windows.tells["NCryptSignHash"] = lambda _: number.to_bytes(32, "big") + (5).to_bytes(32, "big")
    whole = der + "020105"
    assert IN_TPM.sign(path, b"x").hex() == f"30{len(whole) // 2:02x}{whole}"


@pytest.mark.parametrize("function", ["NCryptExportKey", "NCryptSignHash", "NCryptGetProperty"])
@pytest.mark.parametrize("odd", [lambda _: b"", lambda whole: whole[:-1], lambda whole: whole * 200])
def test_an_answer_of_another_size_is_none(
    folder: Path, windows: SoftCng, function: str, odd: Callable[[bytes], bytes]
) -> None:
    windows.tells[function] = odd
    with pytest.raises(Misconfigured):
        IN_TPM.make(folder)
    assert windows.keys == {} and windows.open == 0 and list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("<II", 0x33534345, 32),  # P-384
        struct.pack("<II", 0x314B4345, 32),  # ECDH
        struct.pack("<II", 0x31534345, 48),
        struct.pack(">II", 0x31534345, 32),
    ],
)
def test_a_key_of_another_kind_is_refused_and_not_kept(folder: Path, windows: SoftCng, head: bytes) -> None:
    windows.tells["NCryptExportKey"] = lambda blob: head + blob[8:]
    with pytest.raises(Misconfigured, match="has a key that is not on P-256"):
        IN_TPM.make(folder)
    assert windows.keys == {} and windows.open == 0 and list(folder.iterdir()) == []


def test_a_size_that_changes_between_two_calls_is_an_error_and_never_read_past_the_buffer(
    folder: Path, windows: SoftCng
) -> None:
    path, sizes = made(folder), iter([64, 128])
    windows.tells["NCryptSignHash"] = lambda _: bytes(next(sizes))
    with pytest.raises(Misconfigured, match=r"NCryptSignHash failed with 0x80090028"):
        IN_TPM.sign(path, b"x")
    assert windows.open == 0


def test_a_key_that_could_be_taken_out_is_refused_and_not_kept(folder: Path, windows: SoftCng) -> None:
    windows.policy = 1
    with pytest.raises(Misconfigured, match="made a key that could be taken out"):
        IN_TPM.make(folder)
    assert windows.keys == {} and windows.open == 0


def test_a_provider_that_takes_no_properties_counts_by_what_the_finished_key_says(
    folder: Path, windows: SoftCng
) -> None:
    windows.fails = {f"NCryptSetProperty {name}": NTE_NOT_SUPPORTED for name in ("Export Policy", "Key Usage")}
    windows.keeps_rights = False
    public(made(folder))
    windows.keeps_rights = True
    windows.fails["NCryptSetProperty Security Descr"] = NTE_NOT_SUPPORTED
    with pytest.raises(Misconfigured):
        IN_TPM.make(folder)
    assert len(windows.keys) == 1 and windows.open == 0, "who may use it must hold where it can be said"


def statuses() -> list[tuple[int, str]]:
    return [
        (0x80090016, f"this TPM {UNKNOWN}: ztagent enroll --again --token-file FILE"),
        (0x80280_1DF, f"this TPM {UNKNOWN}"),
        (
            0x80090010,
            "this TPM may not be used; run the agent as its service does .LocalSystem. or as an administrator",
        ),
        (0x80070005, "may not be used"),
        (0x8028400F, "there is no TPM that Windows can use; a TPM may be off in the settings of the firmware"),
        (0xC0000225, "there is no TPM that Windows can use"),
        (0x80090030, "the TPM is not ready for use; see Get-Tpm"),
        (0x80290401, "the TPM is not ready for use"),
        (0x80280921, r"the TPM is locked .*; wait as long as Get-Tpm says \(LockoutHealTime\)"),
        (0x80280803, "the TPM is locked"),
        (0x80280922, "the TPM is busy; the agent asks again"),
        (0x80280007, 'is switched off; .* or set key = "file" and enrol: ztagent enroll --again'),
        (0x80090029, 'this TPM makes no keys on P-256, which no TPM 1.2 does; set key = "file" and enrol'),
        (0x80090022, "wants to ask a person before it uses a key"),
        (0x80090020, "Microsoft Platform Crypto Provider: {function} failed with 0x80090020"),
    ]


@pytest.mark.parametrize(("status", "said"), statuses(), ids=[f"{status:08X}" for status, _ in statuses()])
def test_a_status_is_told_in_words_with_what_to_do(folder: Path, windows: SoftCng, status: int, said: str) -> None:
    path = made(folder)
    windows.fails["NCryptSignHash"] = status
    with pytest.raises(Misconfigured, match=said.format(function="NCryptSignHash")) as caught:
        IN_TPM.sign(path, b"x")
    assert f"0x{status:08X}" in str(caught.value) and windows.open == 0


def test_what_is_said_of_the_keystore_in_software_does_not_blame_a_tpm() -> None:
    assert why(SOFTWARE, "NCryptOpenKey", 0x80090016).startswith(f"the keystore of Windows {UNKNOWN}")
    assert why(SOFTWARE, "NCryptOpenStorageProvider", 0xC0000225).startswith(
        "there is no keystore that Windows can use"
    )


@pytest.mark.parametrize(
    "function",
    [
        "NCryptOpenStorageProvider",
        "NCryptCreatePersistedKey",
        "NCryptFinalizeKey",
        "NCryptGetProperty",
        "NCryptExportKey",
        "NCryptSignHash",
    ],
)
def test_where_a_step_fails_no_handle_no_key_and_no_file_is_left(folder: Path, windows: SoftCng, function: str) -> None:
    windows.fails[function] = 0x80090020
    with pytest.raises(Misconfigured, match=f"{function} failed with 0x80090020"):
        IN_TPM.make(folder)
    assert windows.open == 0 and windows.keys == {} and list(folder.iterdir()) == []
    windows.fails.clear()
    path = made(folder)
    windows.fails[function] = 0x80090020
    if function in ("NCryptOpenStorageProvider", "NCryptExportKey", "NCryptSignHash"):
        with pytest.raises(Misconfigured, match=f"{function} failed"):
            IN_TPM.sign(path, b"x")
    assert windows.open == 0 and len(windows.keys) == 1


@pytest.mark.parametrize("function", ["NCryptCreatePersistedKey", "NCryptFinalizeKey", "NCryptFreeObject"])
def test_a_key_whose_maker_was_killed_is_deleted_before_the_next_is_made(
    folder: Path, windows: SoftCng, function: str
) -> None:
    windows.dies_in = function
    with pytest.raises(Ended):
        IN_TPM.make(folder)
    (half,) = folder.iterdir()
    assert half.suffix == ".cng" and len(half.stem) < 64, "its name is known, whether it is finished or not"
    assert len(windows.keys) == int(function != "NCryptCreatePersistedKey")
    windows.dies_in = ""
    path = made(folder)
    assert list(folder.iterdir()) == [path] and len(windows.keys) == 1
    IN_TPM.sign(path, b"x")


def test_what_was_half_made_stays_known_while_it_cannot_be_deleted(folder: Path, windows: SoftCng) -> None:
    windows.dies_in = "NCryptFinalizeKey"
    with pytest.raises(Ended):
        IN_TPM.make(folder)
    windows.dies_in, windows.fails["NCryptDeleteKey"] = "", 0x80090010
    for _ in range(3):
        with pytest.raises(Misconfigured, match="may not be used"):
            IN_TPM.make(folder)
    assert len(list(folder.iterdir())) == 1 and len(windows.keys) == 1


def test_a_disk_that_is_full_keeps_the_name_of_the_key_that_was_made(
    folder: Path, windows: SoftCng, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, value: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("agent.sealed_key.write_json", full)
        with pytest.raises(Misconfigured, match="cannot be written: No space left"):
            IN_TPM.make(folder)
    assert len(windows.keys) == len(list(folder.iterdir())) == 1
    made(folder)
    assert len(windows.keys) == len(list(folder.iterdir())) == 1
    with monkeypatch.context() as patched:
        patched.setattr("agent.cng_keys.write_json", full)
        with pytest.raises(Misconfigured, match="cannot be written: No space left"):
            IN_TPM.make(folder)
    assert len(windows.keys) == 1, "without a name on disk none is made"


def test_forgetting_a_key_deletes_it_and_a_file_whose_key_stays_stays(tmp_path: Path, windows: SoftCng) -> None:
    state = StateFolder(tmp_path / "state")
    process = KeyProcess()
    kept, old, older = (process.make(state.keys, HARDWARE) for _ in range(3))
    name = sealed_key.held(state.key_file(older), "name")["name"].decode()
    del windows.keys[TPM, name]  # by somebody else
    windows.fails["NCryptDeleteKey"] = 0x80280921
    state.forget_keys(kept, process.forget)
    assert {path.stem for path in state.keys.iterdir()} == {kept, old} and windows.open == 0
    windows.fails.clear()
    state.forget_keys(kept, process.forget)
    assert [path.stem for path in state.keys.iterdir()] == [kept]
    assert len(windows.keys) == 1 and windows.open == 0
    process.sign(state.key_file(kept), b"x")


def test_a_key_that_a_cleared_tpm_cannot_load_any_more_is_forgotten(folder: Path, windows: SoftCng) -> None:
    path = made(folder)
    for gone in (0x80090016, 0x802801DF):
        windows.fails["NCryptOpenKey"] = gone
        IN_TPM.forget(path)
    windows.fails["NCryptOpenKey"] = 0x80090010
    with pytest.raises(Misconfigured, match="may not be used"):
        IN_TPM.forget(path)


@pytest.mark.parametrize("name", ["", "Administrators key", "ztagent-1", "tsDZ0123456789abcdef0123456789abcdef0"])
def test_no_key_of_another_name_is_ever_used_or_deleted(folder: Path, windows: SoftCng, name: str) -> None:
    path = made(folder)
    content = sealed_key.held(path, "name")
    path.unlink()
    sealed_key.keep(folder, ".cng", "keystore", content | {"name": name.encode()})
    for use in (IN_TPM.forget, lambda path: IN_TPM.sign(path, b"x")):
        with pytest.raises(Misconfigured, match="is damaged; enrol again"):
            use(path)
    assert len(windows.keys) == 1


def test_the_library_is_told_the_types_of_what_it_is_given(folder: Path, windows: SoftCng) -> None:
    made(folder)
    types = dict(cng._FUNCTIONS)
    assert set(types) == set(windows.called) | {"NCryptOpenKey", "NCryptDeleteKey"}
    for function, given in windows._thunks.items():
        assert given.argtypes == types[function] and given.restype is ctypes.c_int32
    assert ctypes.sizeof(cng._HANDLE) == ctypes.sizeof(ctypes.c_void_p) and cng._PERSIST == PERSIST


def test_elsewhere_the_process_says_that_it_is_for_windows(folder: Path) -> None:
    with pytest.raises(Misconfigured, match="made on Windows only"):
        IN_TPM.make(folder)
    assert list(folder.iterdir()) == []
    with pytest.raises(Misconfigured, match="unknown task"):
        own_process.ask("agent.cng", "export", ".cng", "ztagent-0")
    with pytest.raises(Misconfigured, match=r"\.tpm"):
        own_process.ask("agent.cng", "make", ".tpm", "ztagent-0")


def test_a_process_that_hangs_is_ended_and_one_that_breaks_down_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hanging.py").write_text("import time\n\ndef main(argv):\n    time.sleep(60)\n")
    (tmp_path / "breaking.py").write_text("import os\n\ndef main(argv):\n    os._exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Ended, match="broke down: sign ended with status 3"):
        own_process.ask("breaking", "sign")
    with pytest.raises(Ended, match=r"did not answer within 0\.2 s and was ended"):
        own_process.ask("hanging", "sign", patience=0.2)
