from __future__ import annotations

from typing import Any

import pytest

from agent.confinement import container, refuse_foreign_namespaces
from agent.section import NotSupported
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, NOT_ROOT, WINDOWS


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"/.dockerenv": ""}},
        {"files": {"/run/.containerenv": ""}},
        {"files": {"/run/systemd/container": "lxc"}},
        {"files": {"/proc/1/cgroup": "0::/kubepods/pod1\n"}},
        {"files": {"/proc/1/environ": b"PATH=/\0container=podman\0"}},
        {"files": {"/proc/1/comm": "gunicorn\n"}},
        {"files": {"/proc/sys/kernel/osrelease": "5.15.153.1-microsoft-standard-WSL2\n"}},
        {"links": {"/proc/self/ns/pid": "pid:[4026532201]"}},
        {"links": {"/proc/self/ns/user": "user:[4026532202]"}},
    ],
)
def test_every_sign_of_a_container_is_enough(changes: dict[str, Any]) -> None:
    assert container(DEBIAN_LAPTOP.changed(**changes))


def test_hosts_are_not_taken_for_containers() -> None:
    assert container(DEBIAN_LAPTOP) == ""
    assert container(NOT_ROOT) == ""
    assert container(WINDOWS) == ""
    assert container(CONTAINER) == "/.dockerenv"


def test_namespaces_other_than_those_of_process_1_are_refused() -> None:
    refuse_foreign_namespaces(DEBIAN_LAPTOP, "sockets", ("net",))
    with pytest.raises(NotSupported, match="net namespace"):
        refuse_foreign_namespaces(DEBIAN_LAPTOP.changed(links={"/proc/self/ns/net": "net:[1]"}), "sockets", ("net",))


def test_a_changed_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(DEBIAN_LAPTOP), "same_file", lambda *_: False)
    with pytest.raises(NotSupported, match="changed root"):
        refuse_foreign_namespaces(DEBIAN_LAPTOP, "volumes", ())
