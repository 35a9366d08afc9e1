"""References to secrets resolve only where nobody else can read the secret, and no error ever shows one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scanner.errors import SecretUnavailable
from scanner.institution import Credential
from scanner.secret import MAX_SECRET_BYTES, reference_fault, resolve


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


@pytest.mark.parametrize("scheme", ["systemd", "keyring", "exec"])
def test_schemes_of_later_say_what_is_supported(tmp_path: Path, scheme: str) -> None:
    with pytest.raises(SecretUnavailable, match=r"not supported yet; use env:NAME or file:PATH"):
        resolve(f"{scheme}:thing", tmp_path)


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
