from __future__ import annotations

from typing import Any

import pytest

from agent.host import Ran
from agent.probes import observe, password_policy
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS, NOT_ROOT, WINDOWS, RecordedHost
from tests.agent.recorded_macos import PWPOLICY, policies
from tests.agent.recorded_windows import ACCOUNTS, NET

COMMON = "/etc/pam.d/common-password"
AUTH = "/etc/pam.d/common-auth"
COUNTING = "auth [default=die] pam_faillock.so authfail\n"
UNIX = "password [success=1 default=ignore] pam_unix.so obscure yescrypt\n"


def values(host: RecordedHost) -> Any:
    section = observe(password_policy.PROBE, host)
    assert section.status == "seen", section.detail
    return section.values


def test_modules_and_their_files_say_what_applies() -> None:
    found = values(DEBIAN_LAPTOP)
    assert (found["min_length"], found["complexity"], found["remembered"]) == (14, True, 12)
    assert (found["lockout_attempts"], found["lockout_minutes"]) == (5, 15)


def test_the_defaults_of_debian_are_told_as_they_are() -> None:
    files = {COMMON: UNIX, AUTH: "auth [success=1 default=ignore] pam_unix.so nullok\n"}
    section = observe(password_policy.PROBE, DEBIAN_LAPTOP.changed(files=files))
    assert {name: section.values[name] for name in ("min_length", "complexity", "remembered", "lockout_attempts")} == {
        "min_length": 6,
        "complexity": False,
        "remembered": 0,
        "lockout_attempts": 0,
    }
    assert section.missing["lockout_minutes"].detail == "no account is ever locked"


@pytest.mark.parametrize(
    ("line", "length", "complexity"),
    [
        ("requisite pam_pwquality.so minlen=9 minclass=1", 9, False),
        ("requisite pam_pwquality.so minlen=10 dcredit=-1 ucredit=-1 minclass=0", 10, True),
        ("requisite pam_pwquality.so minlen=10 dcredit=2 ocredit=1", 7, True),
        ("requisite pam_pwquality.so enforcing=0", 6, False),
        ("optional pam_pwquality.so", 6, False),
        ("requisite pam_cracklib.so minlen=11", 11, False),
        ("sufficient pam_pwquality.so minlen=14", 6, False),
        ("[success=ok default=ignore] pam_pwquality.so minlen=14", 6, False),
        ("[success=1 default=ignore] pam_pwquality.so minlen=14 minclass=1\npassword requisite pam_deny.so", 14, False),
    ],
)
def test_arguments_stand_above_the_file_and_credits_shorten(line: str, length: int, complexity: bool) -> None:
    found = values(DEBIAN_LAPTOP.changed(files={COMMON: f"password {line}\n{UNIX}"}))
    assert (found["min_length"], found["complexity"]) == (length, complexity)


def test_passwdqc_is_not_guessed_at() -> None:
    section = observe(
        password_policy.PROBE, DEBIAN_LAPTOP.changed(files={COMMON: "password requisite pam_passwdqc.so\n"})
    )
    assert section.values["min_length"] is section.values["complexity"] is None
    assert section.missing["min_length"].status == "unsupported"


def test_one_way_in_that_never_locks_is_the_rule() -> None:
    sshd = DEBIAN_LAPTOP.changed(files={"/etc/pam.d/sshd": "auth required pam_unix.so\n"})
    assert values(sshd)["lockout_attempts"] == 0


@pytest.mark.parametrize(
    ("line", "attempts", "minutes"),
    [
        ("auth required pam_faillock.so preauth deny=7 unlock_time=never", 7, 0),
        ("auth required pam_faillock.so preauth unlock_time=61", 5, 2),
        ("auth required pam_tally2.so deny=4 unlock_time=1200", 4, 20),
        ("auth required pam_tally2.so", 0, None),
        ("auth required pam_faillock.so deny=0 preauth", 0, None),
    ],
)
def test_locks_are_read_from_their_module(line: str, attempts: int, minutes: int | None) -> None:
    found = values(DEBIAN_LAPTOP.changed(files={AUTH: f"{line}\n{COUNTING}"}))
    assert (found["lockout_attempts"], found["lockout_minutes"]) == (attempts, minutes)


def test_an_account_whose_password_never_ages_outlives_the_rule_for_new_ones() -> None:
    assert values(DEBIAN_LAPTOP)["max_age_days"] == 0
    aged = {"/etc/shadow": "root:!:19000:0:99999:7:::\nwang:$y$j9T$x:19000:0:60:7:::\n"}
    assert values(DEBIAN_LAPTOP.changed(files=aged))["max_age_days"] == 90
    unset = aged | {"/etc/login.defs": "#PASS_MAX_DAYS 90\n"}
    assert values(DEBIAN_LAPTOP.changed(files=unset))["max_age_days"] == 0


def test_ages_are_for_root_to_read() -> None:
    section = observe(password_policy.PROBE, NOT_ROOT)
    assert section.values["min_length"] == 14
    assert section.missing["max_age_days"].status == "denied"


def test_a_container_has_no_rules_of_the_host() -> None:
    assert observe(password_policy.PROBE, CONTAINER).status == "unsupported"
    assert observe(password_policy.PROBE, RecordedHost()).status == "unsupported"


def test_nothing_of_a_password_is_told() -> None:
    assert "$y$" not in str(observe(password_policy.PROBE, DEBIAN_LAPTOP))


def test_windows_states_its_rules_in_the_order_of_net_accounts() -> None:
    """By "Net Accounts" of the Windows commands reference; the words before the values are those of the language."""
    english = values(WINDOWS)
    assert english == {
        "min_length": 14,
        "complexity": None,
        "remembered": 24,
        "lockout_attempts": 5,
        "lockout_minutes": 30,
        "max_age_days": 42,
    }
    lines = [line.split() for line in ACCOUNTS.splitlines() if line]
    other = "\n".join(f"\ufffd\ufffd\ufffd: {words[-1]}" for words in lines)
    assert values(WINDOWS.changed(commands={NET: Ran(0, other, "")})) == english


def test_windows_without_limits_says_never() -> None:
    text = ACCOUNTS.replace(" 42\n", " Unlimited\n").replace(" 24\n", " None\n").replace(" 5\n", " Never\n")
    section = observe(password_policy.PROBE, WINDOWS.changed(commands={NET: Ran(0, text, "")}))
    assert [section.values[name] for name in ("max_age_days", "remembered", "lockout_attempts")] == [0, 0, 0]
    assert section.missing["lockout_minutes"].status == "unsupported"


@pytest.mark.parametrize("answer", [Ran(0, "", ""), Ran(2, ACCOUNTS, ""), Ran(0, "a\n" * 10, "")])
def test_windows_in_another_form_is_not_read(answer: Ran) -> None:
    assert observe(password_policy.PROBE, WINDOWS.changed(commands={NET: answer})).status == "unsupported"


def test_a_mac_states_its_rules_as_a_property_list() -> None:
    """By pwpolicy(8), "Account Policies" and its example dictionary."""
    assert values(MACOS) == {
        "min_length": 12,
        "complexity": True,
        "remembered": 10,
        "lockout_attempts": 5,
        "lockout_minutes": 15,
        "max_age_days": 90,
    }


def test_a_mac_without_rules_has_none_and_one_with_odd_rules_is_not_guessed_at() -> None:
    none = values(MACOS.changed(commands={PWPOLICY: Ran(0, "Getting account policies for database /Local\n", "")}))
    assert (none["min_length"], none["lockout_attempts"]) == (0, 0)
    odd = policies(policyCategoryPasswordContent=[{"policyContent": "policyAttributePassword matches '^[a-z]{9}$'"}])
    section = observe(password_policy.PROBE, MACOS.changed(commands={PWPOLICY: odd}))
    assert section.missing["min_length"].status == "unsupported"
    assert observe(password_policy.PROBE, MACOS.changed(commands={PWPOLICY: Ran(1, "", "no")})).status == "unsupported"


@pytest.mark.parametrize(
    "stack",
    [
        "auth required pam_faillock.so preauth\nauth required pam_unix.so\n",
        "auth required pam_unix.so\nauth [default=die] pam_faillock.so authfail\n",
        "auth sufficient pam_faillock.so preauth\nauth [default=die] pam_faillock.so authfail\n",
        "auth [default=ignore] pam_faillock.so preauth\nauth [default=die] pam_faillock.so authfail\n",
    ],
)
def test_a_lock_that_never_counts_or_never_refuses_is_none(stack: str) -> None:
    """By pam_faillock(8): preauth refuses, authfail counts, and each does nothing without the other."""
    assert values(DEBIAN_LAPTOP.changed(files={AUTH: stack}))["lockout_attempts"] == 0


def test_an_account_without_a_password_leaves_no_length() -> None:
    """By shadow(5), an empty field, and pam_unix(8), nullok."""
    shadow = {"/etc/shadow": "root:!:19000:0:90:7:::\nkiosk::19000:0:90:7:::\n"}
    assert values(DEBIAN_LAPTOP.changed(files=shadow))["min_length"] == 0
    strict = {AUTH: "auth required pam_unix.so\n"}
    assert values(DEBIAN_LAPTOP.changed(files=shadow | strict))["min_length"] == 14
    assert values(NOT_ROOT)["min_length"] == 14
