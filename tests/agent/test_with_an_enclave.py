"""An agent on a Mac whose key lies in what stands for its Secure Enclave, and the fleet server of this house."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.errors import Misconfigured
from agent.settings import AUTO, HARDWARE, Settings
from agent.status import as_lines
from tests.agent.machine import Host
from tests.agent.recorded import MACOS
from tests.agent.soft_enclave import STATUSES, SoftEnclave
from tests.scanner.fleet.lab import Running


@pytest.fixture
def mac(running: Running, enclave: SoftEnclave, tmp_path: Path) -> Host:
    return Host(running, tmp_path / "state", seen=MACOS)


def test_it_enrols_tells_and_renews_with_keys_that_stay_in_the_enclave(mac: Host) -> None:
    first = mac.enrol().identity()
    assert first is not None and mac.cycle().attempts.last_error == ""
    assert mac.known() == (mac.known()[0] | {"key_kind": "enclave", "key_fallback": ""}, 2)
    assert mac.key_files == [".enclave"]
    assert "key: in the Secure Enclave" in as_lines(mac.told())
    mac.running.clock.pass_days(45)
    agent = mac.cycle()
    mac.running.clock.pass_days(-45)
    renewed = agent.identity()
    assert renewed is not None and agent.attempts.last_error == agent.attempts.renewal_error == ""
    assert renewed.key_id != first.key_id and mac.key_files == [".enclave"], "the old key is gone"


def test_a_copied_folder_cannot_speak_without_the_enclave_that_made_its_key(
    mac: Host, enclave: SoftEnclave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac.enrol()
    shutil.copytree(mac.folder, tmp_path / "copy")
    SoftEnclave(tmp_path / "other").use(monkeypatch)
    agent = Host(mac.running, tmp_path / "copy", seen=MACOS).cycle()
    assert "the state folder comes from another machine; enrol again" in agent.attempts.last_error
    assert mac.known()[1] == 1, "it said nothing"
    enclave.use(monkeypatch)
    assert mac.cycle().attempts.last_error == "" and mac.known()[1] == 2, "and the true one is not suspected"


def test_where_no_enclave_is_it_takes_a_file_if_that_is_allowed_and_says_so(mac: Host, enclave: SoftEnclave) -> None:
    program = enclave.program.read_text()
    enclave.put(f"#!/bin/sh\nexit {STATUSES['noEnclave']}\n")
    mac.settings = Settings(key=HARDWARE)
    with pytest.raises(Misconfigured, match="this Mac has no Secure Enclave"):
        mac.enrol()
    assert mac.state.note("enrolment") is None and mac.key_files == [], "no token is used, no key made"
    mac.settings = Settings(key=AUTO)
    mac.enrol()
    assert mac.known()[0]["key_kind"] == "file"
    fallback = mac.known()[0]["key_fallback"]
    assert fallback.startswith("this Mac has no Secure Enclave that programs may use")
    assert f"key: in a file, not in hardware: {fallback}" in as_lines(mac.told())
    enclave.put(program)
    mac.settings = Settings(key=HARDWARE)
    mac.running.clock.pass_days(20)
    assert mac.cycle().attempts.last_error == ""
    mac.running.clock.pass_days(-20)
    assert mac.key_files == [".enclave"] and mac.told()["key_fallback"] is None, "it moves when it is told to"


def test_while_the_enclave_does_not_sign_it_goes_on_looking_and_takes_no_other_key(
    mac: Host, enclave: SoftEnclave
) -> None:
    before = mac.enrol().identity()
    program = enclave.program.read_text()
    enclave.put(f"#!/bin/sh\necho locked >&2\nexit {STATUSES['notSigned']}\n")
    agent = mac.cycle()
    assert "the Secure Enclave did not sign: locked" in agent.attempts.last_error
    assert agent.identity() == before and mac.key_files == [".enclave"]
    enclave.put(program)
    assert mac.cycle().attempts.last_error == "" and mac.known()[1] == 2
