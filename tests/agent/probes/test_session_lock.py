from __future__ import annotations

import plistlib
from datetime import timedelta

import pytest

from agent.host import Ran
from agent.probes import observe, session_lock
from agent.section import Section
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS, NOW, WINDOWS, RecordedHost
from tests.agent.recorded_macos import LOCK
from tests.agent.recorded_windows import INACTIVITY, OWN, POLICY, REG, saver

GNOME = "/usr/share/wayland-sessions/gnome-wayland.desktop"
DATABASE = "/etc/dconf/db/local"
SETTINGS, LOCKS = f"{DATABASE}.d/10-lock", f"{DATABASE}.d/locks/lock"
KDE = DEBIAN_LAPTOP.changed(files={GNOME: None, "/usr/share/wayland-sessions/plasma.desktop": ""})
RC = "/etc/xdg/kscreenlockerrc"
FIXED = "[Daemon][$i]\nAutolock=true\nTimeout=10\nLockGrace=5\n"


def seen(host: RecordedHost) -> Section:
    section = observe(session_lock.PROBE, host)
    assert section.status == "seen", section.detail
    return section


def test_locked_keys_of_dconf_are_a_rule_that_no_user_loosens() -> None:
    """By the "GNOME System Administration Guide", chapters on locking keys and on the time until the screen locks."""
    values = seen(DEBIAN_LAPTOP).values
    assert (values["desktop"], values["enforced"], values["idle_seconds"]) == ("gnome", True, 630)
    assert seen(DEBIAN_LAPTOP).missing["users"].status == "unsupported"


def test_keys_that_users_may_change_are_no_rule() -> None:
    loose = seen(DEBIAN_LAPTOP.changed(files={LOCKS: "/org/gnome/desktop/session/idle-delay\n"}))
    assert (loose.values["enforced"], loose.values["idle_seconds"]) == (False, 630)
    whole = seen(DEBIAN_LAPTOP.changed(files={LOCKS: "/org/gnome/desktop/\n"}))
    assert whole.values["enforced"] is True


@pytest.mark.parametrize("change", [("true", "false"), ("uint32 600", "uint32 0")])
def test_a_rule_that_never_locks_enforces_nothing(change: tuple[str, str]) -> None:
    text = str(DEBIAN_LAPTOP.files[SETTINGS]).replace(*change)
    values = seen(DEBIAN_LAPTOP.changed(files={SETTINGS: text})).values
    assert (values["enforced"], values["idle_seconds"]) == (False, 0)


def test_without_a_machine_wide_setting_the_time_is_not_made_up() -> None:
    bare = seen(DEBIAN_LAPTOP.changed(files={SETTINGS: None, LOCKS: None}))
    assert (bare.values["enforced"], bare.values["idle_seconds"]) == (False, None)
    assert bare.missing["idle_seconds"].status == "unsupported"
    no_profile = seen(DEBIAN_LAPTOP.changed(files={"/etc/dconf/profile/user": None}))
    assert no_profile.values["enforced"] is False


def test_settings_that_dconf_update_has_not_seen_are_not_in_force() -> None:
    newer = DEBIAN_LAPTOP.changed(written={DATABASE: NOW - timedelta(days=1)})
    assert seen(newer).values["enforced"] is None
    assert "dconf update" in seen(newer).missing["enforced"].detail
    assert seen(DEBIAN_LAPTOP.changed(files={DATABASE: None})).values["enforced"] is None


def test_the_first_database_of_the_profile_counts_most() -> None:
    files = {
        "/etc/dconf/profile/user": "user-db:user\nsystem-db:local\nsystem-db:site\n",
        "/etc/dconf/db/site": b"x",
        "/etc/dconf/db/site.d/00": "[org/gnome/desktop/session]\nidle-delay=uint32 60\n",
    }
    assert seen(DEBIAN_LAPTOP.changed(files=files)).values["idle_seconds"] == 630


def test_immutable_keys_of_kde_are_a_rule() -> None:
    """By "KDE System Administration/Configuration Files" on immutability, and the keys of kscreenlockerrc."""
    values = seen(KDE.changed(files={RC: FIXED})).values
    assert (values["desktop"], values["enforced"], values["idle_seconds"]) == ("kde", True, 605)
    assert values["required_on_wake"] is True
    for text in (f"[$i]\n{FIXED.replace('[$i]', '')}", FIXED.replace("[$i]", "").replace("=", "[$i]=")):
        assert seen(KDE.changed(files={RC: text})).values["enforced"] is True
    assert seen(KDE.changed(files={RC: FIXED.replace("[$i]", "")})).values["enforced"] is False
    assert seen(KDE.changed(files={RC: FIXED.replace("true", "false")})).values["enforced"] is False


def test_users_of_kde_are_told_without_their_names() -> None:
    own = "/home/wang/.config/kscreenlockerrc"
    section = seen(KDE.changed(files={own: "[Daemon]\nAutolock=false\n"}))
    assert section.values["users"] == [{"required": False, "idle_seconds": 0}]
    assert section.missing["idle_seconds"].status == "unsupported"
    assert "wang" not in str(section)
    closed = KDE.changed(files={own: ""}, hidden=frozenset({own}))
    assert (seen(closed).values["users"], seen(closed).missing["users"].status) == (None, "unsupported")


def test_no_desktop_and_unknown_ones_are_told_apart() -> None:
    bare = seen(DEBIAN_LAPTOP.changed(files={GNOME: None}))
    assert bare.values["desktop"] == "none"
    assert {why.status for why in bare.missing.values()} == {"unsupported"}
    assert seen(DEBIAN_LAPTOP.changed(files={"/usr/share/xsessions/plasma.desktop": ""})).values["desktop"] == "several"
    other = seen(DEBIAN_LAPTOP.changed(files={GNOME: None, "/usr/share/xsessions/xfce.desktop": ""}))
    assert (other.values["desktop"], other.values["enforced"]) == ("other", None)
    assert observe(session_lock.PROBE, CONTAINER).status == "unsupported"


def test_windows_has_a_limit_for_the_whole_machine() -> None:
    """By "Interactive logon: Machine inactivity limit" of the security policy settings reference."""
    values = seen(WINDOWS).values
    assert (values["enforced"], values["idle_seconds"]) == (True, 900)
    assert values["users"] == [{"required": True, "idle_seconds": 900}]


def test_without_that_limit_a_user_without_a_policy_disproves_the_rule() -> None:
    """By "Policy CSP - ADMX_ControlPanelDisplay" on ScreenSaveActive, ScreenSaverIsSecure and ScreenSaveTimeOut."""
    loose = seen(WINDOWS.changed(values={INACTIVITY: 0}))
    assert (loose.values["enforced"], loose.values["idle_seconds"]) == (False, 0)
    assert loose.values["users"] == [{"required": False, "idle_seconds": 0}]
    bound = WINDOWS.changed(values={INACTIVITY: None}, commands={(REG, "query", POLICY): saver(POLICY, 1, 1, 600)})
    assert seen(bound).values["users"] == [{"required": True, "idle_seconds": 600}]
    assert (seen(bound).values["enforced"], seen(bound).missing["enforced"].status) == (None, "unsupported")
    own = WINDOWS.changed(values={INACTIVITY: None}, commands={(REG, "query", OWN): saver(OWN, 1, 1, 300)})
    assert (seen(own).values["enforced"], seen(own).values["users"][0]["required"]) == (False, True)


def test_windows_with_nobody_signed_in_leaves_users_open() -> None:
    nobody = WINDOWS.changed(
        values={INACTIVITY: None}, commands={(REG, "query", "HKU"): Ran(0, "\nHKEY_USERS\\S-1-5-18\n", "")}
    )
    section = seen(nobody)
    assert (section.values["enforced"], section.values["users"]) == (None, None)
    assert {"enforced", "users"} <= set(section.missing)
    assert observe(session_lock.PROBE, WINDOWS.changed(root=False)).status == "denied"


def test_windows_says_whether_waking_demands_proof() -> None:
    """By "Policy CSP - Power", RequirePasswordWhenComputerWakes on battery and plugged in."""
    key = r"SOFTWARE\Policies\Microsoft\Power\PowerSettings\0e796bdb-100d-47d6-a2d5-f7d2daa51f51"
    both = {(key, "ACSettingIndex"): 1, (key, "DCSettingIndex"): 1}
    assert seen(WINDOWS.changed(values=both)).values["required_on_wake"] is True
    assert seen(WINDOWS.changed(values=both | {(key, "DCSettingIndex"): 0})).values["required_on_wake"] is False


def test_a_profile_of_a_mac_is_a_rule() -> None:
    """By "Screensaver" of Apple's device management reference: idleTime, askForPassword, askForPasswordDelay."""
    assert (seen(MACOS).values["enforced"], seen(MACOS).values["idle_seconds"]) == (True, 605)
    lax = MACOS.changed(files={LOCK: plistlib.dumps({"askForPassword": False, "idleTime": 600})})
    assert (seen(lax).values["enforced"], seen(lax).values["idle_seconds"]) == (False, 0)
    timeless = seen(MACOS.changed(files={LOCK: plistlib.dumps({"askForPassword": True})}))
    assert (timeless.values["enforced"], timeless.missing["idle_seconds"].status) == (None, "unsupported")
    none = seen(MACOS.changed(files={LOCK: None}))
    assert (none.values["enforced"], none.missing["enforced"].status) == (None, "unsupported")


NO_SESSION = {"/usr/share/wayland-sessions/gnome-wayland.desktop": None}


@pytest.mark.parametrize("path", ["/usr/bin/Xorg", "/usr/lib/xorg/Xorg", "/usr/bin/sway", "/usr/bin/startx"])
def test_a_desktop_that_no_session_lists_is_not_none(path: str) -> None:
    """Without a desktop nothing is asked for, so one that is started by hand must not count as none."""
    assert observe(session_lock.PROBE, DEBIAN_LAPTOP.changed(files=NO_SESSION)).values["desktop"] == "none"
    by_hand = DEBIAN_LAPTOP.changed(files=NO_SESSION | {path: b""})
    section = observe(session_lock.PROBE, by_hand)
    assert (section.values["desktop"], section.values["enforced"]) == ("other", None)
    elsewhere = {"/usr/local/share/xsessions/plasma.desktop": ""}
    assert observe(session_lock.PROBE, DEBIAN_LAPTOP.changed(files=NO_SESSION | elsewhere)).values["desktop"] == "kde"


@pytest.mark.parametrize(
    ("name", "desktop"),
    [("gnome-classic-xorg", "gnome"), ("ubuntu", "gnome"), ("ubuntu-sway", "other"), ("gnome-i3", "other")],
)
def test_a_session_is_one_of_gnome_only_by_a_name_that_gnome_gives(name: str, desktop: str) -> None:
    files = NO_SESSION | {f"/usr/share/xsessions/{name}.desktop": ""}
    assert observe(session_lock.PROBE, DEBIAN_LAPTOP.changed(files=files)).values["desktop"] == desktop
