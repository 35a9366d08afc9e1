"""Stacks by pam.conf(5) of Linux-PAM 1.5, in the form in which Debian and Red Hat write them."""

from __future__ import annotations

import pytest

from agent import pam
from agent.section import NotSupported
from tests.agent.recorded import RecordedHost


def host(**files: str) -> RecordedHost:
    return RecordedHost(files={f"/etc/pam.d/{name.replace('_', '-')}": text for name, text in files.items()})


def modules(steps: list[pam.Step]) -> list[str]:
    return [step.module for step in steps]


def test_included_files_stand_in_their_places() -> None:
    debian = host(
        login="auth optional a.so\n@include common-auth\nauth required z.so\n", common_auth="auth required m.so\n"
    )
    assert modules(pam.stack(debian, "login", "auth")) == ["a.so", "m.so", "z.so"]
    red_hat = host(
        login="#%PAM-1.0\nauth substack system-auth\naccount include system-auth\n",
        system_auth="auth required pam_env.so\naccount required pam_unix.so\n",
    )
    assert modules(pam.stack(red_hat, "login", "auth")) == ["pam_env.so"]
    assert modules(pam.stack(red_hat, "login", "account")) == ["pam_unix.so"]


def test_controls_paths_arguments_and_continued_lines_are_understood() -> None:
    text = "-auth [success=1 default=ignore] \\\n /lib/security/pam_faillock.so deny=3 silent # why\n"
    (step,) = pam.stack(host(login=text), "login", "auth")
    assert (step.control, step.module) == ("[success=1 default=ignore]", "pam_faillock.so")
    assert step.arguments == {"deny": "3", "silent": ""}
    assert step.binding


def test_an_optional_step_does_not_bind() -> None:
    (step,) = pam.stack(host(login="auth optional a.so\n"), "login", "auth")
    assert not step.binding


def test_files_of_the_distribution_count_where_the_administrator_has_none() -> None:
    shipped = RecordedHost(files={"/usr/lib/pam.d/login": "auth required a.so\n"})
    assert modules(pam.stack(shipped, "login", "auth")) == ["a.so"]
    assert pam.has(shipped, "login") and not pam.has(shipped, "sshd")


def test_no_file_and_endless_files_are_not_an_empty_stack() -> None:
    with pytest.raises(NotSupported, match="no file"):
        pam.stack(host(), "login", "auth")
    with pytest.raises(NotSupported, match="without end"):
        pam.stack(host(login="@include login\n"), "login", "auth")
