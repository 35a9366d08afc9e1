"""An agent whose key lies in a TPM, and the fleet server of this house, over TLS on loopback."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import Misconfigured
from agent.posture import look
from agent.settings import HARDWARE, Settings
from agent.status import as_lines
from agent.tpm_keys import Tpm
from collectors.sections import facts_and_gaps
from scanner.facts.device import HardwareIdentity
from scanner.fleet import tokens
from tests.agent.machine import Host
from tests.agent.recorded import DEBIAN_LAPTOP
from tests.agent.soft_tpm import SoftTpm
from tests.agent.test_with_the_server import ROOT, ZTAGENT
from tests.scanner.fleet.lab import Running

NO_TPM = "device:/dev/no-such-tpm"


@pytest.fixture(scope="module")
def tpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftTpm]:
    chip = SoftTpm(tmp_path_factory.mktemp("tpm") / "chip")
    yield chip
    chip.stop()


@pytest.fixture
def host(running: Running, tpm: SoftTpm, tmp_path: Path) -> Host:
    return Host(running, tmp_path / "state", tpm.tcti)


def test_it_enrols_tells_and_renews_with_keys_that_stay_in_the_tpm(host: Host) -> None:
    first = host.enrol().identity()
    assert first is not None and host.cycle().attempts.last_error == ""
    assert host.known() == (host.known()[0] | {"key_kind": "tpm", "key_fallback": ""}, 2)
    assert host.key_files == [".ctx", ".tpm"]
    assert "key: in the TPM" in as_lines(host.told())
    host.running.clock.pass_days(45)
    agent = host.cycle()
    renewed = agent.identity()
    assert renewed is not None and agent.attempts.last_error == agent.attempts.renewal_error == ""
    assert renewed.key_id != first.key_id and host.state.key_place(renewed.key_id) == HARDWARE
    assert host.key_files == [".ctx", ".tpm"], "the old key is gone"
    host.running.clock.pass_days(-45)


def test_a_copied_folder_cannot_speak_without_the_tpm_that_made_its_key(host: Host, tmp_path: Path) -> None:
    host.enrol()
    chip = SoftTpm(tmp_path / "other")
    try:
        shutil.copytree(host.folder, tmp_path / "copy")
        copy = Host(host.running, tmp_path / "copy", chip.tcti)
        agent = copy.cycle()
        assert "the state folder comes from another machine; enrol again" in agent.attempts.last_error
        assert agent.standing().seq == 1 and host.known()[1] == 1, "it said nothing"
        assert not agent.attempts.copy_suspected
    finally:
        chip.stop()
    assert host.cycle().attempts.last_error == "" and host.known()[1] == 2, "and the true one is not suspected"


def test_while_the_tpm_is_gone_it_goes_on_looking_and_takes_no_other_key(host: Host, tmp_path: Path) -> None:
    before = host.enrol().identity()
    tcti, host.tcti = host.tcti, NO_TPM
    host.name = "renamed-while-away"
    agent = host.cycle()
    assert (
        agent.attempts.last_error
        == "there is no TPM at /dev/no-such-tpm; it may be off in the settings of the firmware"
    )
    assert agent.attempts.errors == {"telling: Misconfigured": 1}
    assert len(agent.spool.postures()) == 1
    assert agent.identity() == before and host.key_files == [".ctx", ".tpm"]
    host.tcti = tcti
    assert host.agent().tell() and host.known()[1] == 2, "then it tells what it saw"
    assert host.agent().spool.postures() == []


def test_no_renewal_takes_a_key_out_of_the_tpm(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    before = host.enrol().identity()

    def denied(tpm: Tpm, folder: Path) -> str:
        raise Misconfigured("the TPM may not be used")

    monkeypatch.setattr(Tpm, "make", denied)
    host.running.clock.pass_days(20)
    agent = host.cycle()
    host.running.clock.pass_days(-20)
    assert agent.identity() == before and host.key_files == [".ctx", ".tpm"]
    assert agent.attempts.renewal_error == "the TPM may not be used" and agent.attempts.errors == {"renewal: no key": 1}
    assert agent.attempts.last_error == "" and host.known()[1] == 2, "with the present key it is still heard"


def test_where_no_tpm_is_it_takes_a_file_if_that_is_allowed_and_says_so(host: Host) -> None:
    host.tcti = NO_TPM
    host.settings = Settings(key=HARDWARE)
    with pytest.raises(Misconfigured, match="no TPM at"):
        host.enrol()
    assert host.state.note("enrolment") is None and host.key_files == [], "no token is used, no key made"
    host.settings = Settings()
    host.enrol()
    why = "there is no TPM at /dev/no-such-tpm; it may be off in the settings of the firmware"
    assert host.known()[0]["key_kind"] == "file" and host.known()[0]["key_fallback"] == why
    assert f"key: in a file, not in hardware: {why}" in as_lines(host.told())
    assert host.told()["key_fallback"] == why


def test_a_key_in_a_file_moves_into_the_tpm_and_out_when_the_administrator_says_so(host: Host, tpm: SoftTpm) -> None:
    host.tcti = NO_TPM
    host.enrol()
    for days, place, tcti, kind in (
        (20, "auto", tpm.tcti, "file"),  # what is enrolled stays where it is
        (40, "hardware", NO_TPM, "file"),
        (40, "hardware", tpm.tcti, "tpm"),
        (60, "auto", tpm.tcti, "tpm"),
        (80, "file", tpm.tcti, "file"),
    ):
        host.settings, host.tcti = Settings(key=place), tcti
        host.running.clock.pass_days(days)
        assert host.cycle().attempts.last_error == ""
        host.running.clock.pass_days(-days)
        assert host.told()["key_kind"] == kind
        assert bool(host.agent().attempts.renewal_error) is (tcti == NO_TPM)
    assert host.told()["key_fallback"] is None


def test_tls_cannot_show_a_certificate_whose_key_is_in_the_tpm(host: Host, tmp_path: Path) -> None:
    host.enrol()
    host.settings = Settings(client_certificate=True)
    assert "client_certificate takes the key from a file, and it lies in the TPM" in host.cycle().attempts.last_error
    other = Host(host.running, tmp_path / "other", host.tcti, Settings(client_certificate=True))
    other.enrol()
    assert other.told()["key_kind"] == "file"
    assert other.told()["key_fallback"] == "client_certificate takes the key from a file"


def test_the_hosts_own_word_on_its_key_is_no_evidence() -> None:
    def facts(kind: str) -> list[object]:
        sections = look(DEBIAN_LAPTOP, frozenset(), key=(kind, ""))
        return list(facts_and_gaps({section.name: section for section in sections}, "device:fleet:one"))

    (identity,) = (fact for fact in facts("tpm") if isinstance(fact, HardwareIdentity))
    assert identity.anchor is None
    assert facts("tpm") == facts("file")


def test_the_commands_as_they_are_typed(host: Host, tpm: SoftTpm, tmp_path: Path) -> None:
    host.folder.mkdir(mode=0o700)
    (host.folder / "agent.toml").write_text(f'key = "hardware"\ntcti = "{tpm.tcti}"\n')
    with host.running.database() as database:
        url, now = f"https://127.0.0.1:{host.running.port}", host.running.ms
        token = tokens.mint(database, url=url, pin=host.running.pin(), now=now, life_s=86_400)

    def ztagent(*given: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        argv = [*ZTAGENT, *given, "--state", str(host.folder)]
        return subprocess.run(argv, capture_output=True, text=True, input=typed, cwd=ROOT, timeout=60)

    done = ztagent("enroll", "--token-file", "-", typed=token)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.endswith("\nkey: in the TPM\n")
    assert host.key_files == [".ctx", ".tpm"] and host.known()[1] == 1
    assert json.loads(ztagent("status", "--json").stdout)["key_kind"] == "tpm"
    (host.folder / "agent.toml").write_text(f'tcti = "{NO_TPM}"\n')
    done = ztagent("once", "--now")
    assert done.returncode == 1 and "there is no TPM at /dev/no-such-tpm" in done.stderr
