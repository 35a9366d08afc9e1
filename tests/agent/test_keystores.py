"""Where a key lies, by the ending of its file, and which keystore understands it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent import keystores
from agent.cng_keys import Cng
from agent.errors import Misconfigured
from agent.keystores import KEYSTORE
from agent.settings import HARDWARE, IN_FILE
from agent.state import StateFolder
from agent.status import key_line
from agent.tpm_keys import Tpm


def test_the_ending_of_its_file_tells_where_a_key_lies(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    found = {}
    for ending in (".tpm", ".cng", ".ksp", ".enclave", ".pem"):
        (state.keys / f"key{ending}").touch(mode=0o600)
        path = state.key_file("key")
        found[path.suffix] = (state.key_place("key"), keystores.kind(path))
        path.unlink()
    assert found == {
        ".tpm": (HARDWARE, "tpm"),
        ".cng": (HARDWARE, "tpm"),
        ".ksp": (KEYSTORE, "keystore"),
        ".enclave": (HARDWARE, "enclave"),
        ".pem": (IN_FILE, "file"),
    }
    assert state.key_file("no-key").suffix == ".pem"
    assert keystores.place(Path("release.key")) == IN_FILE, "that of who signs releases"


def test_what_is_told_to_people_names_the_place() -> None:
    assert key_line("tpm", "") == "key: in the TPM"
    assert key_line("enclave", "") == "key: in the Secure Enclave"
    assert key_line("keystore", "why") == "key: in the keystore of Windows, in software, not in hardware: why"
    assert key_line("file", "") == "key: in a file"
    assert key_line("file", "why not") == "key: in a file, not in hardware: why not"


def test_tls_takes_a_key_from_a_file_alone(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    assert state.client_files("key")[1].endswith("key.pem")
    for ending, words in (
        (".tpm", "in the TPM"),
        (".ksp", "in the keystore of Windows"),
        (".enclave", "in the Secure Enclave"),
    ):
        (state.keys / f"key{ending}").touch(mode=0o600)
        with pytest.raises(Misconfigured, match=f"it lies {words}.*; set client_certificate = false"):
            state.client_files("key")
        (state.keys / f"key{ending}").unlink()


def test_each_system_has_its_own_keystores(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for system in ("linux", "win32", "darwin", "sunos5"):
        monkeypatch.setattr(sys, "platform", system)
        found[system] = keystores.places()
    assert found["win32"] == (HARDWARE, KEYSTORE), "the best first"
    assert {found["linux"], found["darwin"], found["sunos5"]} == {(HARDWARE,)}
    monkeypatch.setattr(sys, "platform", "linux")
    assert keystores.at(HARDWARE, "tabrmd") == Tpm("tabrmd") == keystores.of(".tpm", "tabrmd")
    with pytest.raises(Misconfigured, match="no keystore in which the agent could keep a key"):
        keystores.at(KEYSTORE)
    monkeypatch.setattr(sys, "platform", "win32")
    assert (keystores.at(HARDWARE), keystores.at(KEYSTORE)) == (Cng(".cng"), Cng(".ksp"))
    monkeypatch.setattr(sys, "platform", "sunos5")
    with pytest.raises(Misconfigured, match="no hardware in which the agent could keep a key"):
        keystores.at(HARDWARE)
    with pytest.raises(Misconfigured, match=r"no keystore for keys in files that end in \.other"):
        keystores.of(".other")
