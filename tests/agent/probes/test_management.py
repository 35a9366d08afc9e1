from __future__ import annotations

import pytest

from agent.host import Ran
from agent.probes import management, observe
from agent.section import Section
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS, NOT_ROOT, WINDOWS, RecordedHost
from tests.agent.recorded_macos import DSCONFIGAD, PROFILES
from tests.agent.recorded_windows import ACCOUNT, DSREGCMD, ENROLMENT, ENTRA_DEVICE, device_state

SSSD = "/etc/sssd/sssd.conf"
BARE = DEBIAN_LAPTOP.changed(files={SSSD: None, "/etc/krb5.keytab": None, "/opt/puppetlabs/puppet/bin/puppet": None})


def seen(host: RecordedHost) -> Section:
    section = observe(management.PROBE, host)
    assert section.status == "seen", section.detail
    return section


def joined(host: RecordedHost) -> tuple[str | None, str | None]:
    values = seen(host).values
    return values["directory"], values["domain"]


def test_a_host_that_sssd_serves_from_active_directory_has_joined_it() -> None:
    assert joined(DEBIAN_LAPTOP) == ("active_directory", "bank.example")
    assert joined(DEBIAN_LAPTOP.changed(files={"/etc/krb5.keytab": None}))[0] == "none"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, ("none", None)),
        ({SSSD: "[sssd]\ndomains = d\n[domain/d]\nid_provider = ldap\n"}, ("ldap", "d")),
        (
            {SSSD: "[domain/d]\nenabled = true\nid_provider = ipa\nipa_domain = I.Example\n", "/etc/krb5.keytab": b"x"},
            ("ipa", "i.example"),
        ),
        ({SSSD: "[sssd]\ndomains =\n[domain/d]\nid_provider = ldap\n"}, ("none", None)),
        (
            {"/etc/sssd/conf.d/bank.conf": "[sssd]\ndomains = x\n[domain/x]\nid_provider = ldap\n"},
            ("ldap", "x"),
        ),
        (
            {
                "/etc/samba/smb.conf": "[global]\n  Security = ADS\n  realm = BANK.EXAMPLE\n",
                "/var/lib/samba/private/secrets.tdb": b"",
            },
            ("active_directory", "bank.example"),
        ),
        ({"/etc/samba/smb.conf": "[global]\nsecurity = user\n"}, ("none", None)),
        ({"/etc/himmelblau/himmelblau.conf": "[global]\ndomains = bank.example\n"}, ("entra", "bank.example")),
    ],
)
def test_each_way_to_join_is_told_by_the_files_it_leaves(
    files: dict[str, bytes | str], expected: tuple[str, str | None]
) -> None:
    """By sssd.conf(5), smb.conf(5) and himmelblau.conf(5)."""
    assert joined(BARE.changed(files=files)) == expected


def test_settings_out_of_sight_are_not_no_directory() -> None:
    section = seen(NOT_ROOT)
    assert section.values["directory"] is section.values["managers"] is None
    assert {section.missing[name].status for name in ("directory", "domain", "managers")} == {"denied"}
    assert observe(management.PROBE, CONTAINER).status == "unsupported"


def test_managers_are_those_of_the_known_list() -> None:
    assert seen(DEBIAN_LAPTOP).values["managers"] == [{"product": "Puppet", "running": False}]
    assert seen(BARE).values["managers"] == []
    running = BARE.changed(names=("salt-minion", "landscape-clien"))
    assert [one["product"] for one in seen(running).values["managers"]] == ["Canonical Landscape", "Salt"]
    assert seen(BARE).missing["enrolled"].status == "unsupported"


@pytest.mark.parametrize(
    ("entra", "domain", "name", "expected"),
    [
        ("YES", "YES", "BANK", ("hybrid", "bank")),
        ("YES", "NO", "", ("entra", "example bank")),
        ("NO", "YES", "BANK", ("active_directory", "bank")),
    ],
)
def test_windows_states_its_join(entra: str, domain: str, name: str, expected: tuple[str, str]) -> None:
    """By "Troubleshoot devices by using the dsregcmd command", section "Device state"."""
    assert joined(WINDOWS.changed(commands={DSREGCMD: device_state(entra, domain, name)})) == expected


def test_windows_tells_the_keys_that_its_directories_gave_it() -> None:
    """By "Troubleshoot devices by using the dsregcmd command", section "Device details"; [MS-LSAD] 2.2.4.21."""
    values = seen(WINDOWS).values
    assert (values["machine_account"], values["entra_device"]) == (ACCOUNT, ENTRA_DEVICE)
    left = seen(WINDOWS.changed(commands={DSREGCMD: device_state("NO", "NO")}))
    assert left.values["machine_account"] is left.values["entra_device"] is None, "an account of the past is none"
    assert {left.missing[name].status for name in ("machine_account", "entra_device")} == {"unsupported"}
    assert {seen(host).missing["machine_account"].status for host in (DEBIAN_LAPTOP, MACOS)} == {"unsupported"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [("", "unsupported"), (PermissionError("no"), "denied"), (OSError("no"), "error"), (ValueError("no"), "error")],
)
def test_an_account_that_is_not_told_is_not_none(answer: str | Exception, status: str) -> None:
    section = seen(WINDOWS.changed(account=answer))
    assert (section.values["machine_account"], section.missing["machine_account"].status) == (None, status)
    assert section.values["directory"] == "hybrid"


def test_a_tenant_with_a_server_is_no_enrolment_of_the_device() -> None:
    """By "Troubleshoot devices by using the dsregcmd command": MdmUrl is printed for devices that are not managed."""
    assert (seen(WINDOWS).values["enrolled"], seen(WINDOWS).values["server"]) == (True, "enrollment.manage.example")
    for change in ({(ENROLMENT, "EnrollmentState"): 3}, {(ENROLMENT, "ProviderID"): "WMI_Bridge_Server"}):
        section = seen(WINDOWS.changed(values=change))
        assert (section.values["enrolled"], section.values["server"]) == (False, None)
        assert section.missing["server"].status == "unsupported"


def test_windows_in_another_form_is_not_read() -> None:
    for answer in (Ran(0, "", ""), device_state("JA", "NEIN")):
        assert observe(management.PROBE, WINDOWS.changed(commands={DSREGCMD: answer})).status == "unsupported"


def test_windows_finds_its_managers_among_the_services() -> None:
    managed = WINDOWS.changed(service_states={"ccmexec": True, "intunemanagementextension": False})
    assert seen(managed).values["managers"] == [
        {"product": "Microsoft Intune", "running": False},
        {"product": "Microsoft Configuration Manager", "running": True},
    ]


def test_a_mac_states_its_enrolment_and_its_binding() -> None:
    """By profiles(1), "status -type enrollment", and dsconfigad(8), "-show"."""
    values = seen(MACOS).values
    assert (values["directory"], values["enrolled"], values["server"]) == ("none", True, "mdm.bank.example")
    bound = Ran(
        0, "Active Directory Forest          = bank.example\nActive Directory Domain          = Bank.Example\n", ""
    )
    assert joined(MACOS.changed(commands={DSCONFIGAD: bound})) == ("active_directory", "bank.example")
    alone = Ran(0, "Enrolled via DEP: No\nMDM enrollment: No\n", "")
    assert seen(MACOS.changed(commands={PROFILES: alone})).values["enrolled"] is False


def test_a_mac_that_does_not_answer_is_not_unmanaged() -> None:
    silent = seen(MACOS.changed(commands={PROFILES: Ran(1, "", "no"), DSCONFIGAD: Ran(1, "", "no")}))
    assert silent.values["enrolled"] is silent.values["directory"] is None
    assert {"enrolled", "directory", "domain", "server"} <= set(silent.missing)
