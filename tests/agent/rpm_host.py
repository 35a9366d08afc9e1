"""A host with real rpm, dnf and zypper: packages, a repository with advisories, and what the probes see of them.

Run as root, as ``python -m tests.agent.rpm_host FOLDER``: in a mount namespace of its own, the databases, caches, logs
and settings that these programs use are laid over those of the machine, which are not touched. Prints what was seen, as
JSON; ends with `NOT_ALLOWED` where nothing may be mounted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.host import ThisHost
from agent.probes import observe, operating_system, patching, software
from agent.recall import Inquiry, Moment
from tests.agent.own_mounts import NOT_ALLOWED, enter, run

_OVER = ("/etc", "/run", "/var/cache", "/var/lib", "/var/log")
_SPEC = """\
Name: {name}
Version: {version}
Release: {release}
{epoch}Summary: lab
License: none
Vendor: Lab, Inc.
BuildArch: noarch
%description
lab
{rest}"""
_PACKAGES: tuple[dict[str, str], ...] = (
    {"name": "glibc", "version": "2.34", "release": "1.lab", "epoch": "", "rest": "%files\n"},
    {"name": "glibc", "version": "2.34", "release": "2.lab", "epoch": "", "rest": "%files\n"},
    {"name": "openssl", "version": "3.0.7", "release": "1.lab", "epoch": "Epoch: 1\n", "rest": ""},
    {"name": "openssl", "version": "3.0.8", "release": "1.lab", "epoch": "Epoch: 1\n", "rest": ""},
    {"name": "htop", "version": "3.2", "release": "1.lab", "epoch": "", "rest": "%files\n"},
)
_LIBS = "%package libs\nSummary: lab\n%description libs\nlab\n%files libs\n"
"""openssl-libs, so that a package is built from a source of another name."""
_OLD = ("glibc-2.34-1.lab.noarch.rpm", "openssl-libs-3.0.7-1.lab.noarch.rpm", "htop-3.2-1.lab.noarch.rpm")
_NEW = ("glibc-2.34-2.lab.noarch.rpm", "openssl-libs-3.0.8-1.lab.noarch.rpm")
_ADVISORY = """\
<update from="lab@lab.example" status="final" type="{kind}" version="1"><id>LAB-{number}</id><title>x</title>{severity}\
<issued date="2026-11-09 04:47:08"/><updated date="2026-11-09 04:47:08"/><description>x</description><references/>\
<pkglist><collection short="lab"><name>lab</name>\
<package name="{name}" version="{version}" release="{release}" epoch="{epoch}" arch="noarch" src="x">\
<filename>{name}-{version}-{release}.noarch.rpm</filename>{flag}</package></collection></pkglist></update>"""
_ADVISORIES: tuple[dict[str, Any], ...] = (
    {
        "number": 1,
        "kind": "security",
        "severity": "<severity>Important</severity>",
        "name": "glibc",
        "epoch": 0,
        "version": "2.34",
        "release": "2.lab",
        "flag": "<restart_suggested>True</restart_suggested>",
    },
    {
        "number": 2,
        "kind": "security",
        "severity": "",
        "name": "openssl-libs",
        "epoch": 1,
        "version": "3.0.8",
        "release": "1.lab",
        "flag": "<reboot_suggested>True</reboot_suggested>",
    },
    {
        "number": 3,
        "kind": "bugfix",
        "severity": "",
        "name": "htop",
        "epoch": 0,
        "version": "3.3",
        "release": "1.lab",
        "flag": "",
    },
)
"""The first of them concerns the package manager itself: zypper then lists the others as blocked."""
_REPOSITORY = "[{name}]\nname={name}\nbaseurl=file://{place}\nenabled=1\ngpgcheck=0\n"
_DNF = "/etc/dnf/dnf.conf", "[main]\ngpgcheck=0\nplugins=0\n"
_RELEASE = 'NAME="Lab Linux"\nID=lab\nVERSION_ID="9"\nSUPPORT_END=2032-05-31\n'


def _write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def _build(folder: Path) -> Path:
    """The repository."""
    for number, package in enumerate(_PACKAGES):
        rest = package["rest"] or _LIBS
        _write(f"{folder}/{number}.spec", _SPEC.format(**package | {"rest": rest}))
    specs = [str(folder / f"{number}.spec") for number in range(len(_PACKAGES))]
    run("rpmbuild", "--quiet", "--define", f"_topdir {folder}/build", "-bb", *specs)
    repository = folder / "build/RPMS/noarch"
    text = "".join(_ADVISORY.format(**row) for row in _ADVISORIES)
    _write(f"{folder}/updateinfo.xml", f'<?xml version="1.0" encoding="UTF-8"?>\n<updates>{text}</updates>\n')
    run("createrepo_c", "-q", str(repository))
    run("modifyrepo_c", f"{folder}/updateinfo.xml", f"{repository}/repodata")
    return repository


def _known(name: str, place: Path, more: str = "") -> None:
    for folder in ("/etc/yum.repos.d", "/etc/zypp/repos.d"):
        _write(f"{folder}/{name}.repo", _REPOSITORY.format(name=name, place=place) + more)


def _forget(name: str) -> None:
    for folder in ("/etc/yum.repos.d", "/etc/zypp/repos.d"):
        os.unlink(f"{folder}/{name}.repo")


def _installed(repository: Path, names: Sequence[str], how: str, *before: str) -> None:
    # Only into the database: what a package brings would come into this machine's folders.
    run(*before, "rpm", how, "--justdb", "--nodeps", "--noscripts", *(str(repository / name) for name in names))


def _age(pattern: str, days: int) -> None:
    for path in Path("/var/cache").glob(pattern):
        when = path.stat().st_mtime - days * 86_400
        os.utime(path, (when, when))


def _seen(probe: Any) -> dict[str, Any]:
    return observe(probe, ThisHost()).to_dict()


def _waits() -> int | str:
    """How many security updates wait, or why that is not known."""
    section = _seen(patching.PROBE)
    pending = section["values"].get("pending_security")
    return section["missing"]["pending_security"]["detail"] if pending is None else int(pending)


def story(folder: Path) -> dict[str, Any]:
    """What the probes say, step by step."""
    told: dict[str, Any] = {}
    _write("/etc/rpm/macros", "%_dbpath /var/lib/rpm\n")
    _write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    _write("/etc/group", "root:x:0:\n")
    _write("/etc/os-release", _RELEASE)
    _write(*_DNF)
    repository = _build(folder)
    _known("lab", repository)
    _installed(repository, _OLD, "-i", "faketime", "-30 days")
    told["system"], told["software"], told["first"] = map(
        _seen, (operating_system.PROBE, software.PROBE, patching.PROBE)
    )

    run("dnf", "-q", "makecache")
    told["dnf"] = _waits()
    _write(_DNF[0], f"{_DNF[1]}excludepkgs=openssl*\n")
    told["dnf, excluded"] = _waits()
    _write(*_DNF)
    _known("gone", folder / "gone", "skip_if_unavailable=1\n")
    told["dnf, a repository is not known"] = _waits()
    _forget("gone")
    _age("dnf/*/repodata/*", 10)
    told["dnf, old"] = _waits()
    run("dnf", "-q", "makecache", "--refresh")
    told["dnf, asked again"] = _waits()
    for place in ("/etc", "/var/lib", "/var/log"):
        run("mount", "-o", "remount,ro", place)
    told["dnf, as the service may write"] = _waits()
    for place in ("/etc", "/var/lib", "/var/log"):
        run("mount", "-o", "remount,rw", place)
    inquiry = Inquiry(Moment(ThisHost()))
    patching.look(inquiry)
    answers = inquiry.answers
    if not answers:
        raise ValueError("nothing proves what the look rests on")
    told["proved again"] = Moment(ThisHost()).confirms(answers)

    run("mv", "/var/cache/dnf", "/var/cache/kept")
    run("zypper", "-q", "--non-interactive", "refresh")
    told["zypper"] = _waits()
    run("zypper", "-q", "--non-interactive", "addlock", "-t", "patch", "LAB-2")
    told["zypper, locked"] = _waits()
    _known("gone", folder / "gone", "autorefresh=0\ntype=rpm-md\n")
    told["zypper, a repository is not known"] = _waits()
    _forget("gone")
    _age("zypp/raw/*/repodata/*", 10)
    told["zypper, old"] = _waits()
    run("zypper", "-q", "--non-interactive", "refresh")

    _installed(repository, _NEW, "-U")
    told["proved after an update"] = Moment(ThisHost()).confirms(answers)
    told["zypper, updated"] = _waits()
    run("rm", "-r", "/var/cache/zypp")
    run("mv", "/var/cache/kept", "/var/cache/dnf")
    told["dnf, updated"] = _waits()
    told["last"] = _seen(patching.PROBE)
    return told


def main(folder: Path) -> int:
    """Make the host, look, print; gives the exit code."""
    try:
        enter()
        for place in _OVER:
            run("mount", "-t", "tmpfs", "tmpfs", place)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return NOT_ALLOWED
    json.dump(story(folder), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
