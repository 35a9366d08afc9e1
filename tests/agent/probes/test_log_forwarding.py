from __future__ import annotations

from typing import Any

import pytest

from agent.probes import log_forwarding, observe
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS, NOT_ROOT, WINDOWS, RecordedHost
from tests.agent.recorded_windows import MANAGERS

UPLOADS = "/run/systemd/units/invocation:systemd-journal-upload.service"


def rsyslog(text: str) -> RecordedHost:
    return DEBIAN_LAPTOP.changed(files={"/etc/rsyslog.conf": text})


def sent(host: RecordedHost) -> tuple[Any, Any]:
    section = observe(log_forwarding.PROBE, host)
    assert section.status == "seen", section.detail
    return section.values["destinations"], section.values["encrypted"]


def test_rsyslog_over_tls_is_told_from_plain_text() -> None:
    assert sent(DEBIAN_LAPTOP) == (["siem.bank.example:6514"], True)
    assert sent(rsyslog("*.* @@10.0.0.9:514\n")) == (["10.0.0.9:514"], False)
    assert sent(rsyslog("auth.* @[fd00::9]:5514\n# *.* @10.9.9.9\n")) == (["[fd00::9]:5514"], False)
    relp = '*.* action(type="omrelp" target="siem" port="2514" tls="on")\n'
    assert sent(rsyslog(relp)) == (["siem:2514"], True)
    assert sent(rsyslog(f"{relp}*.* @10.0.0.9\n")) == (["10.0.0.9:514", "siem:2514"], False)


def test_settings_in_the_folder_count_too() -> None:
    host = rsyslog("$ModLoad imuxsock\n").changed(files={"/etc/rsyslog.d/50-siem.conf": "*.* @@siem:514\n"})
    assert sent(host) == (["siem:514"], False)


@pytest.mark.parametrize(
    ("transport", "secure"), [('transport("tls") tls(peer-verify(yes))', True), ('transport("tcp")', False)]
)
def test_syslog_ng_destinations_are_read(transport: str, secure: bool) -> None:
    text = f'destination d_siem {{ network("siem.bank" port(6514) {transport}); }};\n'
    text += "log { source(s_src); destination(d_siem); };\n"
    host = DEBIAN_LAPTOP.changed(names=("syslog-ng",), files={"/etc/syslog-ng/syslog-ng.conf": text})
    assert sent(host) == (["siem.bank:6514"], secure)


def test_the_journal_is_uploaded_over_https() -> None:
    text = "[Upload]\nURL=https://logs.bank:19532\n"
    host = DEBIAN_LAPTOP.changed(
        names=("systemd-journald", "systemd-journal-upload"),
        files={"/etc/systemd/journal-upload.conf": text},
        links={UPLOADS: "0123456789abcdef0123456789abcdef"},
    )
    assert sent(host) == (["logs.bank:19532"], True)


def test_the_journal_itself_is_not_taken_for_its_upload() -> None:
    """Linux cuts both names to ``systemd-journal``, as a running systemd 252 showed."""
    text = "[Upload]\nURL=https://logs.bank:19532\n"
    for files in ({}, {"/etc/systemd/journal-upload.conf": text}):
        assert sent(DEBIAN_LAPTOP.changed(names=("systemd-journald",), files=files)) == ([], None)


def test_nowhere_is_said_only_where_every_known_shipper_is_out_of_the_way() -> None:
    section = observe(log_forwarding.PROBE, DEBIAN_LAPTOP.changed(names=("systemd",)))
    assert section.values["destinations"] == []
    assert section.values["encrypted"] is None
    assert section.values["known_list"]
    shipped = DEBIAN_LAPTOP.changed(names=("systemd", "filebeat"))
    assert observe(log_forwarding.PROBE, shipped).status == "unsupported"


def test_settings_that_are_not_understood_are_not_guessed() -> None:
    host = rsyslog('*.* action(type="omkafka" broker="k:9092")\n')
    assert observe(log_forwarding.PROBE, host).status == "unsupported"


def test_right_and_place_to_look_are_needed() -> None:
    assert observe(log_forwarding.PROBE, NOT_ROOT).status == "denied"
    assert observe(log_forwarding.PROBE, CONTAINER).status == "unsupported"


def test_a_destination_of_syslog_ng_that_no_path_names_gets_nothing() -> None:
    text = 'destination d_siem { network("siem.bank" port(6514) transport("tls")); };\n'
    for unused in (text, f"{text}# log {{ destination(d_siem); }};\n", f"{text}log {{ destination(d_siem2); }};\n"):
        host = DEBIAN_LAPTOP.changed(names=("syslog-ng",), files={"/etc/syslog-ng/syslog-ng.conf": unused})
        assert sent(host) == ([], None)


@pytest.mark.parametrize(
    "text",
    [
        '/*\n*.* action(type="omfwd" target="siem")\n*/\n',
        '# *.* action(type="omfwd"\n#   target="siem")\n',
        '*.* action(type="omfile" file="/x") # action(type="omfwd" target="siem")\n',
    ],
)
def test_what_is_commented_out_sends_nothing(text: str) -> None:
    assert sent(rsyslog(text)) == ([], None)
    quoted = 'template(name="t" type="string" string="a # b /* c") \n*.* @@siem:514\n'
    assert sent(rsyslog(quoted)) == (["siem:514"], False)


@pytest.mark.parametrize(
    "text", ["$IncludeConfig /srv/log/*.conf\n", 'include(file="/srv/log/a.conf" mode="optional")\n']
)
def test_settings_in_other_places_are_not_followed(text: str) -> None:
    assert observe(log_forwarding.PROBE, rsyslog(text)).status == "unsupported"
    assert sent(rsyslog("$IncludeConfig /etc/rsyslog.d/*.conf\n*.* @siem\n")) == (["siem:514"], False)


def test_windows_forwards_events_where_its_policy_says_and_its_service_runs() -> None:
    """By "Setting up a Source Initiated Subscription": Configure target Subscription Manager, and WinRM."""
    assert sent(WINDOWS) == (["wec.bank.example:5986"], True)
    plain = WINDOWS.changed(values={(MANAGERS, "2"): "Server=http://old.bank.example/wsman/SubscriptionManager/WEC"})
    assert sent(plain) == (["old.bank.example:5985", "wec.bank.example:5986"], False)
    assert sent(WINDOWS.changed(service_states={"winrm": False})) == ([], None)
    assert sent(WINDOWS.changed(values={(MANAGERS, "1"): None})) == ([], None)
    for odd in (
        WINDOWS.changed(values={(MANAGERS, "1"): "Refresh=60"}),
        WINDOWS.changed(service_states={"winrm": None}),
        WINDOWS.changed(service_states={"winlogbeat": True}),
    ):
        assert observe(log_forwarding.PROBE, odd).status == "unsupported"
    assert observe(log_forwarding.PROBE, WINDOWS.changed(root=False)).status == "denied"


def test_a_mac_sends_its_log_by_a_known_program_or_not_at_all() -> None:
    assert sent(MACOS) == ([], None)
    assert observe(log_forwarding.PROBE, MACOS.changed(names=("splunkd",))).status == "unsupported"
    forwarding = MACOS.changed(files={"/etc/syslog.conf": "*.notice\t\t@siem.bank\n"})
    assert observe(log_forwarding.PROBE, forwarding).status == "unsupported"
