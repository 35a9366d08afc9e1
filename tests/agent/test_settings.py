from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import Misconfigured
from agent.settings import Settings, load, parse

SECTIONS = frozenset({"boot", "listeners"})


def test_everything_can_be_set() -> None:
    found = parse(
        b'server = "https://fleet.example:8443/"\nproxy = "http://u:p@proxy:3128"\nca_file = "/etc/ca.pem"\n'
        b"client_certificate = true\nkey = 'file'\ntcti = 'device:/dev/tpmrm1'\n"
        b"shortest_interval = 120\nlongest_interval = 600\n"
        b'switched_off = ["user_names", "boot"]\n',
        "agent.toml",
        SECTIONS,
    )
    assert found == Settings(
        server="https://fleet.example:8443",
        proxy="http://u:p@proxy:3128",
        ca_file="/etc/ca.pem",
        client_certificate=True,
        key="file",
        tcti="device:/dev/tpmrm1",
        shortest_interval=120,
        longest_interval=600,
        switched_off=frozenset({"user_names", "boot"}),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sever = 'x'", "sever is no setting"),
        ("server = 'http://x'", "server must be https://"),
        ("server = 'https://u:p@x'", "server must be https://"),
        ("server = 'https://x/path'", "server must be https://"),
        ("server = 'https://x:99999'", "server is no URL"),
        ("server = 5", "server must be a text"),
        ("proxy = 'https://x'", "proxy must be http://"),
        ("ca_file = 'ca.pem'", "ca_file must be an absolute path"),
        ("shortest_interval = 1", "shortest_interval must be whole seconds from 5 to 86400"),
        ("client_certificate = 1", "client_certificate must be true or false"),
        ("key = 'hsm'", "key must be auto, hardware or file, not 'hsm'"),
        ("key = ['hardware']", "key must be auto, hardware or file"),
        ("key = 'hardware'\nclient_certificate = true", "client_certificate takes its key from a file"),
        ("tcti = 'cmd:/bin/sh'", "tcti must be device:PATH"),
        ("tcti = 'device:/dev/a b'", "tcti must be device:PATH"),
        ("tcti = 5", "tcti must be a text"),
        ("longest_interval = true", "longest_interval must be whole seconds"),
        ("shortest_interval = 600\nlongest_interval = 300", "shortest_interval is greater"),
        ("switched_off = 'boot'", "switched_off must be a list"),
        ("switched_off = ['bot']", "switched_off names 'bot'; known are boot, listeners, user_names"),
        ("server = ", "write it as TOML"),
        ("a = '\udcff'", "write it as TOML"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(text: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as error:
        parse(text.encode("utf-8", "surrogateescape"), "agent.toml", SECTIONS)
    assert str(error.value).startswith("agent.toml: ")


def test_a_wrong_proxy_is_named_without_its_password() -> None:
    with pytest.raises(Misconfigured) as error:
        parse(b"proxy = 'socks://user:geheim@x:1'", "agent.toml", SECTIONS)
    assert "geheim" not in str(error.value)


def test_the_state_folder_comes_before_the_system(tmp_path: Path) -> None:
    state, system = tmp_path / "state", tmp_path / "etc"
    state.mkdir()
    system.mkdir()
    assert load(state, SECTIONS, system) == Settings()
    (system / "agent.toml").write_text("shortest_interval = 90")
    assert load(state, SECTIONS, system).shortest_interval == 90
    (state / "agent.toml").write_text("shortest_interval = 100")
    assert load(state, SECTIONS, system).shortest_interval == 100


def test_a_password_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text("proxy = 'http://u:p@x:1'")
    path.chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        load(tmp_path, SECTIONS, tmp_path)
    path.chmod(0o600)
    assert load(tmp_path, SECTIONS, tmp_path).proxy
