"""An agent on Windows whose key lies in what stands for its keystores, and the fleet server of this house."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.errors import Misconfigured
from agent.settings import HARDWARE, IN_FILE, Settings
from agent.status import as_lines
from tests.agent.machine import Host
from tests.agent.recorded import WINDOWS
from tests.agent.soft_cng import SOFTWARE, TPM, SoftCng
from tests.scanner.fleet.lab import Running

NO_TPM = "there is no TPM that Windows can use; a TPM may be off in the settings of the firmware"


@pytest.fixture
def host(running: Running, windows: SoftCng, tmp_path: Path) -> Host:
    return Host(running, tmp_path / "state", seen=WINDOWS)


def kept(windows: SoftCng) -> list[str]:
    """Whose keys Windows keeps."""
    assert windows.open == 0, "every handle was freed"
    return [provider for provider, _ in windows.keys]


def test_it_enrols_tells_and_renews_with_keys_that_stay_in_the_tpm(host: Host, windows: SoftCng) -> None:
    first = host.enrol().identity()
    assert first is not None and host.cycle().attempts.last_error == ""
    assert host.known() == (host.known()[0] | {"key_kind": "tpm", "key_fallback": ""}, 2)
    assert host.key_files == [".cng"] and kept(windows) == [TPM]
    assert "key: in the TPM" in as_lines(host.told())
    host.running.clock.pass_days(45)
    agent = host.cycle()
    host.running.clock.pass_days(-45)
    renewed = agent.identity()
    assert renewed is not None and agent.attempts.last_error == agent.attempts.renewal_error == ""
    assert renewed.key_id != first.key_id and host.key_files == [".cng"]
    assert kept(windows) == [TPM], "the old key is gone from the TPM's keystore, too"


def test_a_copied_folder_cannot_speak_without_the_windows_that_made_its_key(
    host: Host, windows: SoftCng, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.enrol()
    shutil.copytree(host.folder, tmp_path / "copy")
    SoftCng().use(monkeypatch)
    agent = Host(host.running, tmp_path / "copy", seen=WINDOWS).cycle()
    assert "the state folder comes from another machine; enrol again" in agent.attempts.last_error
    assert host.known()[1] == 1, "it said nothing"
    windows.use(monkeypatch)
    assert host.cycle().attempts.last_error == "" and host.known()[1] == 2, "and the true one is not suspected"


def test_without_a_tpm_it_takes_the_keystore_in_software_and_says_so_and_a_file_last(
    host: Host, windows: SoftCng, tmp_path: Path
) -> None:
    windows.providers = (SOFTWARE,)
    host.settings = Settings(key=HARDWARE)
    with pytest.raises(Misconfigured, match=NO_TPM):
        host.enrol()
    assert host.state.note("enrolment") is None and host.key_files == [], "no token is used, no key made"
    host.settings = Settings()
    host.enrol()
    told = host.known()[0]
    assert told["key_kind"] == "keystore" and told["key_fallback"].startswith(NO_TPM)
    assert host.key_files == [".ksp"] and kept(windows) == [SOFTWARE]
    line = f"key: in the keystore of Windows, in software, not in hardware: {told['key_fallback']}"
    assert line in as_lines(host.told())
    windows.providers = ()
    other = Host(host.running, tmp_path / "other", seen=WINDOWS)
    other.enrol()
    told = other.known()[0]
    assert told["key_kind"] == "file" and other.key_files == [".pem"]
    assert (
        told["key_fallback"].startswith(NO_TPM) and "there is no keystore that Windows can use" in told["key_fallback"]
    )


def test_a_key_moves_when_the_administrator_says_so_and_never_by_itself(host: Host, windows: SoftCng) -> None:
    windows.providers = (SOFTWARE,)
    host.enrol()
    for days, place, providers, kind, held in (
        (20, "auto", (TPM, SOFTWARE), "keystore", [SOFTWARE]),  # what is enrolled stays where it is
        (40, "hardware", (SOFTWARE,), "keystore", [SOFTWARE]),
        (40, "hardware", (TPM, SOFTWARE), "tpm", [TPM]),
        (60, "auto", (TPM, SOFTWARE), "tpm", [TPM]),
        (80, "file", (TPM, SOFTWARE), "file", []),
    ):
        host.settings, windows.providers = Settings(key=place), providers
        host.running.clock.pass_days(days)
        assert host.cycle().attempts.last_error == ""
        host.running.clock.pass_days(-days)
        assert host.told()["key_kind"] == kind and kept(windows) == held
        fails = place == HARDWARE and TPM not in providers
        assert bool(host.agent().attempts.renewal_error) is fails
        assert bool(host.told()["key_fallback"]) is (kind == "keystore")


def test_while_the_tpm_does_not_sign_or_make_keys_it_goes_on_and_takes_no_other_key(
    host: Host, windows: SoftCng
) -> None:
    before = host.enrol().identity()
    windows.fails["NCryptSignHash"] = 0x80280921
    agent = host.cycle()
    assert "the TPM is locked because wrong passwords were tried on it" in agent.attempts.last_error
    assert agent.identity() == before and host.key_files == [".cng"]
    windows.fails = {"NCryptFinalizeKey": 0x80090030}
    host.running.clock.pass_days(20)
    agent = host.cycle()
    host.running.clock.pass_days(-20)
    assert agent.identity() == before and host.key_files == [".cng"] and kept(windows) == [TPM]
    assert agent.attempts.renewal_error.startswith("the TPM is not ready for use; see Get-Tpm")
    assert agent.attempts.last_error == "" and host.known()[1] == 2, "with the present key it is still heard"


def test_a_renewal_that_was_ended_while_its_key_was_made_leaves_none_behind(host: Host, windows: SoftCng) -> None:
    before = host.enrol().identity()
    windows.dies_in = "NCryptFinalizeKey"
    host.running.clock.pass_days(20)
    assert host.cycle().identity() == before and len(host.key_files) == len(kept(windows)) == 2
    windows.dies_in = ""
    assert host.cycle().identity() != before
    host.running.clock.pass_days(-20)
    assert host.key_files == [".cng"] and kept(windows) == [TPM]


def test_tls_cannot_show_a_certificate_whose_key_windows_keeps(host: Host, windows: SoftCng, tmp_path: Path) -> None:
    host.enrol()
    host.settings = Settings(client_certificate=True)
    assert "client_certificate takes the key from a file, and it lies in the TPM" in host.cycle().attempts.last_error
    other = Host(host.running, tmp_path / "other", settings=Settings(client_certificate=True), seen=WINDOWS)
    other.enrol()
    assert other.told()["key_kind"] == IN_FILE and len(windows.keys) == 1
    assert other.told()["key_fallback"] == "client_certificate takes the key from a file"
