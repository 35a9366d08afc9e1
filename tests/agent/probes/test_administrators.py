from __future__ import annotations

from typing import Any

from agent.probes import administrators, observe
from tests.agent.recorded import DEBIAN_LAPTOP, NOT_ROOT, WINDOWS, RecordedHost


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


def test_rules_out_of_sight_make_the_whole_list_unsupported() -> None:
    remote = DEBIAN_LAPTOP.changed(files={"/etc/nsswitch.conf": "passwd: files sss\nsudoers: files sss\n"})
    assert observe(administrators.PROBE, remote).status == "unsupported"
    aliased = DEBIAN_LAPTOP.changed(files={"/etc/sudoers.d/a": "User_Alias ADM = wang\nADM ALL=(ALL) ALL\n"})
    assert observe(administrators.PROBE, aliased).status == "unsupported"
    other = DEBIAN_LAPTOP.changed(files={"/etc/sudoers.d/a": "@include /srv/sudo/more\n"})
    assert observe(administrators.PROBE, other).status == "unsupported"
    assert observe(administrators.PROBE, WINDOWS).status == "unsupported"


def test_others_than_root_are_denied() -> None:
    assert observe(administrators.PROBE, NOT_ROOT).status == "denied"
