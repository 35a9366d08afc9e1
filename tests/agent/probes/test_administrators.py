from __future__ import annotations

from typing import Any

import pytest

from agent.host import Ran
from agent.probes import administrators, observe
from tests.agent.recorded import DEBIAN_LAPTOP, MACOS, NOT_ROOT, WINDOWS, RecordedHost
from tests.agent.recorded_macos import listed, record
from tests.agent.recorded_windows import objects


def members(host: RecordedHost) -> dict[str, tuple[Any, Any]]:
    section = observe(administrators.PROBE, host)
    assert section.status == "seen", section.detail
    pairs = zip(section.values["names"], section.values["members"], strict=True)
    return {name: (one["category"], one["enabled"]) for name, one in pairs}


def test_root_is_built_in_and_whom_others_serve_is_not_told() -> None:
    assert members(DEBIAN_LAPTOP) == {"root": ("built_in", False), "wang": (None, True)}
    assert observe(administrators.PROBE, DEBIAN_LAPTOP).missing["members"].status == "unsupported"


def test_a_key_lets_an_account_without_password_sign_in() -> None:
    host = DEBIAN_LAPTOP.changed(files={"/root/.ssh/authorized_keys": "ssh-ed25519 AAAA wang\n"})
    assert members(host)["root"] == ("built_in", True)


def test_an_ended_account_and_one_without_a_shell_cannot_sign_in() -> None:
    ended = DEBIAN_LAPTOP.changed(files={"/etc/shadow": "root:!:1::::::\nwang:$y$x:1:0:9:7::19000:\n"})
    assert members(ended)["wang"] == (None, False)
    passwd = "root:x:0:0::/root:/bin/bash\nbackup:x:34:34::/var:/usr/sbin/nologin\n"
    groups = {"/etc/passwd": passwd, "/etc/group": "sudo:x:27:backup\n", "/etc/shadow": "root:*:1\nbackup:*:1\n"}
    assert members(DEBIAN_LAPTOP.changed(files=groups))["backup"] == ("service", False)


def test_sudo_rules_name_users_and_groups() -> None:
    rules = (
        "%linux-admins ALL=(ALL) NOPASSWD: ALL\n"
        "chen, lin ALL = ALL  # both\n"
        "op ALL=(root) /usr/bin/systemctl\n"
        "ho ALL=(root) NOPASSWD: /usr/bin/ls, (ALL) ALL\n"
        "# eve ALL=(ALL) ALL\n"
    )
    host = DEBIAN_LAPTOP.changed(files={"/etc/sudoers.d/bank": rules, "/etc/sudoers.d/old.bak": "eve ALL=(ALL) ALL\n"})
    found = members(host)
    assert found["%linux-admins"] == ("group", True)
    assert {"chen", "lin", "ho"} <= set(found)
    assert not {"op", "eve"} & set(found)


def test_the_primary_group_counts_as_membership() -> None:
    passwd = "root:x:0:0::/root:/bin/bash\nkuo:x:1001:27::/home/kuo:/bin/bash\n"
    host = DEBIAN_LAPTOP.changed(files={"/etc/passwd": passwd, "/etc/shadow": "root:*:1\nkuo:$y$:1\n"})
    assert "kuo" in members(host)


def test_who_may_start_containers_may_do_everything() -> None:
    host = DEBIAN_LAPTOP.changed(files={"/etc/group": "root:x:0:\nsudo:x:27:\ndocker:x:998:wang\n"})
    assert "wang" in members(host)


def test_rules_out_of_sight_make_the_whole_list_unsupported() -> None:
    remote = DEBIAN_LAPTOP.changed(files={"/etc/nsswitch.conf": "passwd: files sss\nsudoers: files sss\n"})
    assert observe(administrators.PROBE, remote).status == "unsupported"
    aliased = DEBIAN_LAPTOP.changed(files={"/etc/sudoers.d/a": "User_Alias ADM = wang\nADM ALL=(ALL) ALL\n"})
    assert observe(administrators.PROBE, aliased).status == "unsupported"
    other = DEBIAN_LAPTOP.changed(files={"/etc/sudoers.d/a": "@include /srv/sudo/more\n"})
    assert observe(administrators.PROBE, other).status == "unsupported"
    doas = DEBIAN_LAPTOP.changed(files={"/etc/doas.conf": "permit wang as root\n"})
    assert observe(administrators.PROBE, doas).status == "unsupported"


@pytest.mark.parametrize(
    "commands",
    ["CWD=/srv ALL", "ALL : OTHER = (root) /usr/bin/ls", "TIMEOUT=5m NOPASSWD: ALL", "(ALL : ALL) ALL"],
)
def test_options_and_further_hosts_hide_no_rule_for_everything(commands: str) -> None:
    """By sudoers(5): Option_Spec, Tag_Spec, and several hosts after a colon."""
    assert "eve" in members(DEBIAN_LAPTOP.changed(files={"/etc/sudoers.d/a": f"eve ALL = {commands}\n"}))
    narrow = "eve ALL = (ALL : ALL) /usr/bin/ls, (ALL) NOPASSWD: /usr/bin/id\n"
    assert "eve" not in members(DEBIAN_LAPTOP.changed(files={"/etc/sudoers.d/a": narrow}))


def test_windows_tells_local_administrators_by_their_numbers() -> None:
    """By "Get-LocalGroupMember" and "Get-LocalUser", and "Security identifiers": 500, 512."""
    assert members(WINDOWS) == {
        r"WS-17\Administrator": ("built_in", False),
        r"WS-17\wang": (None, True),
        r"BANK\Domain Admins": ("group", True),
    }
    person = {"Name": r"BANK\lin", "Sid": "S-1-5-21-3623811015-3361044348-30300820-1604", "Enabled": None}
    lin = WINDOWS.changed(commands={administrators.MEMBERS: objects(person)})
    assert members(lin) == {r"BANK\lin": (None, None)}
    assert observe(administrators.PROBE, lin).missing["members"].status == "unsupported"


@pytest.mark.parametrize("answer", [None, Ran(1, "", "Failed to compare two elements in the array."), objects()])
def test_windows_that_cannot_list_its_administrators_has_not_said_that_there_are_none(answer: Ran | None) -> None:
    host = WINDOWS.changed(commands={administrators.MEMBERS: answer})
    assert observe(administrators.PROBE, host).status in {"unsupported", "error"}
    assert observe(administrators.PROBE, WINDOWS.changed(root=False)).status == "denied"


def test_a_mac_tells_its_group_admin_and_whom_sudo_rules_name() -> None:
    """By dscl(1); root has no way to prove itself until somebody enables it."""
    assert members(MACOS) == {
        "_mbsetupuser": ("service", False),
        "lin": (None, False),
        "root": ("built_in", False),
        "wang": (None, True),
    }
    ruled = MACOS.changed(files={"/etc/sudoers.d/x": "chen ALL=(ALL) ALL\n%ops ALL=(ALL) ALL\n"})
    assert members(ruled)["chen"] == (None, True)
    assert members(ruled)["%ops"] == ("group", True)
    nested = listed(record(GroupMembership=["root"], NestedGroups=["ABCDEFAB-CDEF-ABCD-EFAB-CDEF00000050"]))
    assert members(MACOS.changed(commands={administrators.GROUP: nested})) == {
        "%ABCDEFAB-CDEF-ABCD-EFAB-CDEF00000050": ("group", True),
        "root": ("built_in", False),
    }


@pytest.mark.parametrize(
    "answer", [None, Ran(56, "", "eDSRecordNotFound"), Ran(0, "", ""), Ran(0, "<?xml version='1.0'?>", "")]
)
@pytest.mark.parametrize("command", [administrators.GROUP, administrators.USERS])
def test_a_mac_that_does_not_list_its_accounts_has_not_said_that_none_administers_it(
    command: tuple[str, ...], answer: Ran | None
) -> None:
    assert observe(administrators.PROBE, MACOS.changed(commands={command: answer})).status in {"unsupported", "error"}
    assert observe(administrators.PROBE, MACOS.changed(root=False)).status == "denied"


def test_sudoers_of_another_place_are_not_followed_on_a_mac() -> None:
    other = MACOS.changed(files={"/etc/sudoers": "#includedir /private/etc/other\n"})
    assert observe(administrators.PROBE, other).status == "unsupported"


def test_others_than_root_are_denied() -> None:
    assert observe(administrators.PROBE, NOT_ROOT).status == "denied"
