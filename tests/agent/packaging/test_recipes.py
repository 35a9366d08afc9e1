"""The recipes for Windows and macOS, which can only be looked at here: their form, and what they promise."""

from __future__ import annotations

import os
import plistlib
import stat
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from agent.packaging.as_debian import RECIPE

WIX = "{http://wixtoolset.org/schemas/v4/wxs}"
PLIST = RECIPE / "macos" / "tw.ztgrade.ztagent.plist"
SHELL = [path for path in sorted(RECIPE.rglob("*")) if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh\n")]


@pytest.fixture(scope="module")
def wix() -> ElementTree.Element:
    return ElementTree.parse(RECIPE / "windows" / "ztagent.wxs").getroot()


def only(root: ElementTree.Element, name: str) -> ElementTree.Element:
    (found,) = root.iter(f"{WIX}{name}")
    return found


@pytest.mark.parametrize("path", SHELL, ids=lambda path: str(path.relative_to(RECIPE)))
def test_every_shell_script_can_be_read_and_stops_at_a_failure(path: Path) -> None:
    done = subprocess.run(["sh", "-n", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nset -e" in path.read_text() or path.name == "ztagent"


def test_what_was_never_run_there_says_so() -> None:
    for path in (*(RECIPE / "windows").iterdir(), *(RECIPE / "macos").iterdir()):
        if path.name != "ztagent":
            assert f"Never run on {'Windows' if path.parent.name == 'windows' else 'macOS'}." in path.read_text()


def test_the_installer_refuses_older_versions_and_names_what_it_refers_to(wix: ElementTree.Element) -> None:
    assert wix.tag == f"{WIX}Wix"
    assert "newer version" in only(wix, "MajorUpgrade").attrib["DowngradeErrorMessage"]
    assert "AllowDowngrades" not in only(wix, "MajorUpgrade").attrib
    made = {element.attrib["Id"] for element in wix.iter() if "Id" in element.attrib}
    refers = {element.attrib["Directory"] for element in wix.iter() if "Directory" in element.attrib}
    assert refers | {reference.attrib["Id"] for reference in wix.iter(f"{WIX}ComponentGroupRef")} <= made
    assert only(wix, "Custom").attrib["Action"] in made


def test_the_service_runs_the_bundled_agent_and_the_token_is_never_an_argument(wix: ElementTree.Element) -> None:
    service = only(wix, "ServiceInstall").attrib
    assert service["Name"] == only(wix, "ServiceControl").attrib["Name"] == "ztagent"
    assert service["Arguments"].endswith('-- "[INSTALLFOLDER]runtime\\python.exe" "[INSTALLFOLDER]ztagent.pyz" run')
    assert '--token-file "[ENROLTOKENFILE]"' in only(wix, "CustomAction").attrib["ExeCommand"]


def test_the_state_is_for_the_system_alone_and_outlives_removal(wix: ElementTree.Element) -> None:
    (state,) = (one for one in wix.iter(f"{WIX}Component") if one.attrib["Id"] == "StateAccess")
    assert state.attrib["Permanent"] == "yes"
    for access in state.iter(f"{WIX}PermissionEx"):
        assert access.attrib["Sddl"] == "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
    folders = {one.attrib["Directory"] for one in state.iter(f"{WIX}CreateFolder")}
    assert folders == {"DATAFOLDER", "STATEFOLDER"}


def test_launchd_keeps_the_agent_and_nobody_else_reads_what_it_writes() -> None:
    told = plistlib.loads(PLIST.read_bytes())
    assert told["Label"] == PLIST.stem
    assert told["ProgramArguments"] == ["/Library/ztagent/ztagent", "run"]
    assert told["KeepAlive"] == {"SuccessfulExit": False} and told["RunAtLoad"] is True
    assert told["Umask"] == 0o077


@pytest.mark.parametrize(
    ("installed", "allowed", "status"),
    [("", False, 0), ("1.1.9", False, 0), ("1.2.0", False, 0), ("1.10.0", False, 1), ("1.10.0", True, 0)],
)
def test_the_macos_package_refuses_to_go_back(tmp_path: Path, installed: str, allowed: bool, status: int) -> None:
    settings, script = tmp_path / "settings", tmp_path / "preinstall"
    settings.mkdir()
    if allowed:
        (settings / "allow-rollback").touch()
    text = (RECIPE / "macos" / "preinstall").read_text().replace("@VERSION@", "1.2.0")
    script.write_text(text.replace("/Library/Application Support/ztagent", str(settings)))
    for name, body in (("pkgutil", f"[ -z '{installed}' ] || echo 'version: {installed}'"), ("launchctl", ":")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, env=environment)
    assert done.returncode == status, done.stderr
    assert ("is older than 1.10.0" in done.stderr) is bool(status)


TOOLS_OF_XCODE = {
    "swiftc": 'while [ "$1" != -o ]; do shift; done; { echo "${2##*/} of:"; cat "$3"; } >"$2"',
    "lipo": '[ "$1" = -create ] && [ "$2" = -output ] && cat "$4" "$5" >"$3"',
    "codesign": 'echo "$*" >>signed',
    "pkgbuild": 'cp -Rp "$2" staged; cp -Rp "$4" scripts; shift 4; echo "$*" >built',
}


@pytest.mark.parametrize("identity", [[], ["Developer ID Application: Someone"]])
def test_the_macos_package_is_laid_out_with_the_program_of_the_enclave(tmp_path: Path, identity: list[str]) -> None:
    for name, body in TOOLS_OF_XCODE.items():
        (tmp_path / name).write_text(f"#!/bin/sh\nset -eu\n{body}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "runtime" / "bin").mkdir(parents=True)
    (tmp_path / "ztagent.pyz").touch()
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    argv = ["sh", str(RECIPE / "macos" / "build.sh"), "1.2.0", "ztagent.pyz", "runtime", *identity]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")

    installed = tmp_path / "staged" / "Library" / "ztagent"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in installed.iterdir() if path.is_file()}
    assert modes == {"enrol": 0o755, "ztagent": 0o755, "ztagent-enclave": 0o755, "ztagent.pyz": 0o644}
    source = (RECIPE / "macos" / "enclave.swift").read_text()
    assert (installed / "ztagent-enclave").read_text() == f"arm64 of:\n{source}x86_64 of:\n{source}"
    assert "--version 1.2.0 --ownership recommended" in (tmp_path / "built").read_text()
    assert '"1.2.0"' in (tmp_path / "scripts" / "preinstall").read_text()
    assert (tmp_path / "signed").exists() is bool(identity)
