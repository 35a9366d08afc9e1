"""A program that is asked for a secret runs without a shell, cannot be swapped by others, and is never quoted."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from scanner.errors import SecretUnavailable
from scanner.institution import secret_program
from scanner.institution.secret_program import first_line, words_of

LIMIT = 4096


def program(folder: Path, body: str, mode: int = 0o700) -> str:
    path = folder / "ask"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(mode)
    return str(path)


def refusal(words: tuple[str, ...]) -> str:
    with pytest.raises(SecretUnavailable) as caught:
        first_line(words, LIMIT)
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


def test_only_the_first_line_counts_and_stderr_does_not(tmp_path: Path) -> None:
    asked = program(tmp_path, "echo wrong >&2; printf ' hunter2 \\r\\n'; echo user: svc")
    assert first_line((asked,), LIMIT) == " hunter2 "


def test_arguments_reach_it_as_they_are_and_no_shell_reads_them(tmp_path: Path) -> None:
    words, fault = words_of(program(tmp_path, 'printf "<%s>" "$@"') + " 'a b' $HOME ; *")
    assert fault is None
    assert first_line(words, LIMIT) == "<a b><$HOME><;><*>"


def test_its_environment_holds_next_to_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZT_SECRET", "hunter2")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    line = first_line((program(tmp_path, "env | sort | tr '\\n' ' '"),), LIMIT)
    assert {word.partition("=")[0] for word in line.split()} <= {
        "HOME",
        "LC_ALL",
        "PATH",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    }
    assert "PATH=/usr/bin:/bin " in line and "PWD=/ " in line


def test_it_has_no_terminal_to_ask_on(tmp_path: Path) -> None:
    assert first_line((program(tmp_path, "read answer; echo none$answer"),), LIMIT) == "none"
    assert "exit code" in refusal((program(tmp_path, "echo hunter2; exec 3</dev/tty || exit 1"),))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo hunter2; echo hunter2 >&2; exit 3", "ended with exit code 3"),
        ("echo hunter2; kill -9 $$", "ended with signal 9"),
        ("yes hunter2", "printed more than 4096 bytes"),
        ("echo; echo hunter2", "first line that it printed is empty"),
        ("exit 0", "first line that it printed is empty"),
        ("printf '\\377hunter2'", "no UTF-8"),
    ],
)
def test_what_fails_is_told_without_what_was_printed(tmp_path: Path, body: str, said: str) -> None:
    assert said in refusal((program(tmp_path, body),))


@pytest.mark.parametrize("body", ["echo hunter2; sleep 60", "echo hunter2; exec >&-; sleep 60", "sleep 60 & wait"])
def test_one_that_does_not_end_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(secret_program, "SECONDS", 0.3)
    began = time.monotonic()
    assert "not ended after 0.3 seconds" in refusal((program(tmp_path, body),))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_program_that_others_may_change_is_refused(tmp_path: Path, mode: int) -> None:
    assert "may write to it" in refusal((program(tmp_path, "echo hunter2", mode),))


def test_a_program_in_a_folder_that_others_may_change_is_refused_even_behind_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    asked = program(folder, "echo hunter2")
    (tmp_path / "link").symlink_to(asked)
    assert first_line((str(tmp_path / "link"),), LIMIT) == "hunter2"
    folder.chmod(0o777)
    assert "shared: group or others" in refusal((asked,))
    assert "shared: group or others" in refusal((str(tmp_path / "link"),))
    folder.chmod(0o1777)
    assert first_line((asked,), LIMIT) == "hunter2"


def test_a_program_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = program(tmp_path, "echo hunter2")
    if os.geteuid() == 0:
        os.chown(asked, 12_345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert "owned by user" in refusal((asked,))


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    asked = program(tmp_path, "echo hunter2", 0o600)
    for place, said in [(asked, "not a program"), (str(tmp_path), "not a program"), ("/no/where", "ENOENT")]:
        assert said in refusal((place,))
    assert "cannot be found" in refusal((str(tmp_path / "loop"),))
    Path(asked).write_bytes(b"\x00")
    Path(asked).chmod(0o700)
    assert "ENOEXEC" in refusal((asked,))


@pytest.mark.parametrize("command", ["", " ", "ls", "bin/ls", "./ls", "~/ls", "'/bin/ls", "/bin/ls\n-l", "/bin/ls\0"])
def test_a_command_needs_an_absolute_path_on_one_line(command: str) -> None:
    words, fault = words_of(command)
    assert words == () and fault is not None and fault.startswith("exec: ")
