"""References to secrets resolve only where nobody else can read the secret, and no error ever shows one."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from types import ModuleType

import pytest

from scanner.errors import SecretUnavailable
from scanner.institution.nouns import Credential
from scanner.institution.secret import MAX_SECRET_BYTES, credential_name, reference_fault, resolve


def secret_file(folder: Path, content: bytes = b"hunter2\n", mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZT_SECRET", " hunter2 ")
    assert resolve("env:ZT_SECRET", tmp_path) == " hunter2 "


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_unset_or_empty_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None
) -> None:
    monkeypatch.delenv("ZT_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("ZT_SECRET", value)
    with pytest.raises(SecretUnavailable, match="ZT_SECRET"):
        resolve("env:ZT_SECRET", tmp_path)


@pytest.mark.parametrize(
    ("content", "held"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"two\nlines\n\n", "two\nlines\n"),
    ],
)
def test_a_file_is_read_relative_to_the_base_without_one_line_end(tmp_path: Path, content: bytes, held: str) -> None:
    secret_file(tmp_path, content)
    assert resolve("file:secret", tmp_path) == held
    assert resolve(f"file:{tmp_path}/secret", Path("/nowhere")) == held


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644])
def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    secret_file(tmp_path, mode=mode)
    with pytest.raises(SecretUnavailable, match="chmod 600") as caught:
        resolve("file:secret", tmp_path)
    assert "hunter2" not in str(caught.value)


def test_a_link_is_judged_by_what_it_points_to(tmp_path: Path) -> None:
    secret_file(tmp_path, mode=0o644)
    (tmp_path / "link").symlink_to("secret")
    with pytest.raises(SecretUnavailable):
        resolve("file:link", tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * (MAX_SECRET_BYTES + 1)])
def test_a_file_without_a_usable_secret_is_unavailable(tmp_path: Path, content: bytes) -> None:
    secret_file(tmp_path, content)
    with pytest.raises(SecretUnavailable):
        resolve("file:secret", tmp_path)


def test_what_is_no_regular_file_is_unavailable_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("pipe", "folder", "missing"):
        with pytest.raises(SecretUnavailable):
            resolve(f"file:{name}", tmp_path)


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = secret_file(tmp_path)
    if os.geteuid() == 0:
        os.chown(path, 12_345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(SecretUnavailable, match="must belong"):
        resolve("file:secret", tmp_path)


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return secret_file(folder, mode=0o400).rename(folder / "ad-reader")


def test_a_credential_of_a_service_is_read(credentials: Path) -> None:
    assert resolve("systemd:ad-reader", Path("/nowhere")) == "hunter2"


@pytest.mark.parametrize("folder", [None, "", "relative"])
def test_outside_a_service_there_is_no_credential(monkeypatch: pytest.MonkeyPatch, folder: str | None) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    if folder is not None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", folder)
    with pytest.raises(SecretUnavailable, match="ztgrade schedule systemd"):
        resolve("systemd:ad-reader", Path())


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "../ad-reader", "a/b", "/etc/passwd", "a b", "a\n", "a:b"])
def test_a_credential_cannot_lie_outside_its_folder(credentials: Path, name: str) -> None:
    (credentials.parent / "outside").write_text("hunter2")
    assert reference_fault(f"systemd:{name}")
    with pytest.raises(SecretUnavailable, match="no path"):
        resolve(f"systemd:{name}", Path("/"))


def test_a_credential_is_no_link(credentials: Path) -> None:
    (credentials.parent / "link").symlink_to("ad-reader")
    with pytest.raises(SecretUnavailable, match="ELOOP"):
        resolve("systemd:link", Path())


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o420, 0o600 | 0o020])
def test_a_credential_that_others_can_reach_is_refused(credentials: Path, mode: int) -> None:
    credentials.chmod(mode)
    with pytest.raises(SecretUnavailable, match="group or others") as caught:
        resolve("systemd:ad-reader", Path())
    assert "hunter2" not in str(caught.value)


def test_a_folder_of_credentials_that_others_can_write_to_is_refused(credentials: Path) -> None:
    credentials.parent.chmod(0o770)
    with pytest.raises(SecretUnavailable, match="could put a credential there"):
        resolve("systemd:ad-reader", Path())


def acl(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF
GRANTED = ((0x01, 4, NOBODY), (0x02, 4, os.geteuid()), (0x04, 0, NOBODY), (0x10, 4, NOBODY), (0x20, 0, NOBODY))


@pytest.mark.parametrize(
    ("held", "readable"),
    [
        (acl(*GRANTED), True),
        (acl(*GRANTED, (0x02, 4, 12_345)), False),
        (acl(*GRANTED, (0x08, 4, 12_345)), False),
        (acl(*GRANTED[:2], (0x04, 4, NOBODY), *GRANTED[3:]), False),
        (b"", False),
        (acl(*GRANTED)[:-1], False),
    ],
)
def test_group_bits_that_are_the_mask_of_an_acl_for_this_user_alone_are_fine(
    credentials: Path, monkeypatch: pytest.MonkeyPatch, held: bytes, readable: bool
) -> None:
    credentials.chmod(0o440)
    monkeypatch.setattr(os, "getxattr", lambda place, name: held)
    if readable:
        assert resolve("systemd:ad-reader", Path()) == "hunter2"
    else:
        with pytest.raises(SecretUnavailable, match="group or others"):
            resolve("systemd:ad-reader", Path())


class KeyringError(Exception):
    pass


class NoKeyringError(KeyringError, RuntimeError):
    pass


def keyring(monkeypatch: pytest.MonkeyPatch, answer: str | Exception | None) -> list[tuple[str, str]]:
    """Puts a package ``keyring`` in place that answers so; returns what it is asked."""
    asked: list[tuple[str, str]] = []

    def get_password(service: str, user: str) -> str | None:
        asked.append((service, user))
        if isinstance(answer, Exception):
            raise answer
        return answer

    package, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    vars(package).update(get_password=get_password, errors=errors)
    vars(errors).update(KeyringError=KeyringError, NoKeyringError=NoKeyringError)
    monkeypatch.setitem(sys.modules, "keyring", package)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return asked


def test_an_entry_of_a_keyring_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = keyring(monkeypatch, "hunter2")
    assert resolve("keyring:ldaps://dc1/svc", Path()) == "hunter2"
    assert asked == [("ldaps://dc1", "svc")]


@pytest.mark.parametrize("rest", ["", "service", "service/", "/user", " / "])
def test_a_keyring_needs_a_service_and_a_user(rest: str) -> None:
    assert "SERVICE/USER" in str(reference_fault(f"keyring:{rest}"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NoKeyringError("hunter2"), "no backend is available"),
        (KeyringError("hunter2"), r"refused \(KeyringError\)"),
        (OSError("hunter2"), r"refused \(OSError\)"),
        (None, "no entry for 'user'"),
        ("", "no entry for 'user'"),
    ],
)
def test_a_keyring_that_cannot_answer_says_why(
    monkeypatch: pytest.MonkeyPatch, answer: str | Exception | None, said: str
) -> None:
    keyring(monkeypatch, answer)
    with pytest.raises(SecretUnavailable, match=said) as caught:
        resolve("keyring:service/user", Path())
    assert "hunter2" not in str(caught.value)


def test_without_the_package_a_keyring_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SecretUnavailable, match="extra keyring"):
        resolve("keyring:service/user", Path())


def test_a_program_is_asked(tmp_path: Path) -> None:
    program = tmp_path / "ask"
    program.write_text("#!/bin/sh\necho hunter2\n")
    program.chmod(0o700)
    assert resolve(f"exec:{program}", Path("/nowhere")) == "hunter2"


@pytest.mark.parametrize(
    ("reference", "name"),
    [("systemd:ad-reader", "ad-reader"), ("systemd:../x", None), ("env:NAME", None), ("file:systemd", None)],
)
def test_the_name_of_a_credential_is_told(reference: str, name: str | None) -> None:
    assert credential_name(reference) == name


@pytest.mark.parametrize(
    "pasted", ["hunter2", "p:hunter2", "http://hunter2", "", "ENV:hunter2", "env:hunter2 x", "env:"]
)
def test_a_pasted_secret_is_refused_and_never_repeated(tmp_path: Path, pasted: str) -> None:
    assert reference_fault(pasted)
    with pytest.raises(SecretUnavailable) as caught:
        resolve(pasted, tmp_path)
    assert "hunter2" not in str(caught.value)


def test_a_credential_does_not_show_its_reference() -> None:
    credential = Credential("ad-reader", "svc", "file:/run/hunter2")
    assert "hunter2" not in repr(credential) + str(credential)
