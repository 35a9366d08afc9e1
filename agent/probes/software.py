"""Which software is installed, as the package databases of the system have it.

``software`` in ``switched_off`` of agent.toml keeps all of it back. The Windows and macOS branches were never run on
Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from agent import plist, wire
from agent.confinement import container
from agent.host import Host
from agent.section import UNSUPPORTED, Missing, NotSupported, Probe, Seen, by_system

MOST_BYTES = wire.MAX_SECTION - 4 * 1024
"""Of the list as it is sent; the rest of the section needs less than what is left."""
_LONGEST = 128
"""Characters of one text."""
_TABS = r"\t".join
_DPKG = (
    "/usr/bin/dpkg-query",
    "-W",
    "-f",
    _TABS(
        [
            "${db:Status-Status}",
            "${Package}",
            "${Version}",
            "${source:Package}",
            "${source:Version}",
            "${Maintainer}",
        ]
    )
    + r"\n",
)
_NOT_THERE = ("not-installed", "config-files")
"""States of dpkg in which nothing that runs is left; in every other one the files of the package are there."""
_RPM = ("/usr/bin/rpm", "-qa", "--qf", _TABS(["%{NAME}", "%{EVR}", "%{SOURCERPM}", "%{VENDOR}"]) + r"\n")
_UNINSTALL = (
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
)
_APPLICATIONS = ("/Applications", "/Applications/Utilities", "/System/Applications", "/System/Applications/Utilities")
_RECEIPTS = "/var/db/receipts"
_ELSEWHERE = {"/var/lib/snapd/snaps": "snaps", "/var/lib/flatpak/app": "flatpaks"}

Row = tuple[str, str, str, str, str]
"""Name, version, the source it was built from and its version, publisher; a source as the package itself is empty."""
Builds = dict[tuple[str, str, str], dict[str, None]]
"""Names of packages by source, version of the source, and version of the packages."""


def look(host: Host) -> Seen:
    """``publishers``, and ``builds``: of each, in that order, lists of source, its version, that of packages, packages.

    A build is what was made of one version of a source. The third text is empty where its packages bear the version
    of the source, and so is the name of a package that is that of the source: some thousand packages would otherwise
    not fit. ``installed``: how many there are; ``cut``: not all of them are told. In a container they are the image's.
    """
    return _told(*by_system(host, "software is not looked at on", linux=_linux, windows=_windows, macos=_macos)(host))


def _told(rows: Iterable[Row], beside: str) -> Seen:
    """The rows by publisher and build; as many as fit."""
    found: dict[str, Builds] = {}
    installed = told = 0
    for row in rows:
        name, version, source, source_version, publisher = map(_plain, row)
        if max(map(len, row[:4])) > _LONGEST:
            # Left out, not shortened, since a part of a version is another version.
            installed += 1
            continue
        names = found.setdefault(publisher[:_LONGEST], {}).setdefault(
            (source or name, source_version or version, version if source_version else ""), {}
        )
        # One package for two architectures counts once.
        installed += name not in names
        names[name] = None
    if not installed:
        raise NotSupported("the system lists no software")
    publishers: list[str] = []
    builds: list[list[list[str]]] = []
    size = 0
    for publisher in sorted(found):
        kept = []
        size += _size(publisher) + _size([]) + 2
        for (source, *versions), names in sorted(found[publisher].items()):
            build = [source, *versions, *("" if name == source else name for name in names)]
            size += _size(build) + 1
            if size <= MOST_BYTES:
                kept.append(build)
                told += len(names)
        if kept:
            publishers.append(publisher)
            builds.append(kept)
    why = [f"{beside} is not listed"] if beside else []
    if told < installed:
        why.append(f"only {told} of {installed} fit")
    missing = {"builds": Missing(UNSUPPORTED, "; ".join(why))} if why else {}
    values = {"publishers": publishers, "builds": builds, "installed": installed, "cut": told < installed}
    return Seen(values, missing)


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _plain(text: str) -> str:
    return "".join(filter(str.isprintable, text)).strip()


def _linux(host: Host) -> tuple[Iterable[Row], str]:
    rows: Iterable[Row]
    if host.exists("/var/lib/dpkg/status"):
        rows = _dpkg(host)
    elif host.exists("/usr/bin/rpm"):
        rows = _rpm(host)
    else:
        raise NotSupported("neither dpkg nor rpm is there")
    beside = [what for path, what in _ELSEWHERE.items() if _known(host, path)]
    if sign := container(host):
        beside.append(f"what the host has below this container ({sign})")
    return rows, " and ".join(beside)


def _known(host: Host, path: str) -> bool:
    try:
        return host.exists(path)
    except PermissionError:
        return True


def _dpkg(host: Host) -> Iterator[Row]:
    for line in host.run_lines(_DPKG):
        cells = line.rstrip("\n").split("\t")
        if len(cells) != 6:
            raise NotSupported(f"dpkg-query told a package in {len(cells)} parts, not in 6")
        if cells[0] not in _NOT_THERE:
            _, name, version, source, source_version, maintainer = cells
            # Before the address, which may be a person's own.
            publisher = maintainer.split("<", 1)[0].strip(' "')
            yield name, version, source, "" if source_version == version else source_version, publisher


def _rpm(host: Host) -> Iterator[Row]:
    for line in host.run_lines(_RPM):
        cells = line.rstrip("\n").split("\t")
        if len(cells) != 4:
            raise NotSupported(f"rpm told a package in {len(cells)} parts, not in 4")
        if cells[0] != "gpg-pubkey":
            name, version, built_from, vendor = ("" if cell == "(none)" else cell for cell in cells)
            source, _, release = built_from.removesuffix(".rpm").rpartition(".")[0].rpartition("-")
            source, _, number = source.rpartition("-")
            # The name of the file bears no epoch; where the rest is the package's own version, so is the epoch.
            source_version = f"{number}-{release}"
            same = not source or version.partition(":")[2] == source_version or version == source_version
            yield name, version, source, "" if same else source_version, vendor


def _windows(host: Host) -> tuple[Iterable[Row], str]:
    return _programs(host), "what single users installed for themselves"


def _programs(host: Host) -> Iterator[Row]:
    """What the list of programs shows: entries with a name that are neither parts of Windows nor of another entry."""
    for base in _UNINSTALL:
        try:
            names = host.subkeys(base)
        except FileNotFoundError:
            continue
        for key in names:
            path = rf"{base}\{key}"
            name = _text(host, path, "DisplayName")
            if name and _text(host, path, "SystemComponent") != "1" and not _text(host, path, "ParentKeyName"):
                yield name, _text(host, path, "DisplayVersion"), "", "", _text(host, path, "Publisher")


def _text(host: Host, key: str, name: str) -> str:
    try:
        return str(host.registry(key, name))
    except FileNotFoundError:
        return ""


def _macos(host: Host) -> tuple[Iterable[Row], str]:
    return _bundles(host), "what lies outside the folders for applications"


def _bundles(host: Host) -> Iterator[Row]:
    """Bundles by their Info.plist, and receipts of the installer."""
    for folder in _APPLICATIONS:
        for name in _names(host, folder):
            if name.endswith(".app"):
                keys = _plist(host, f"{folder}/{name}/Contents/Info.plist")
                version = str(keys.get("CFBundleShortVersionString") or keys.get("CFBundleVersion") or "")
                yield name.removesuffix(".app"), version, "", "", _maker(str(keys.get("CFBundleIdentifier", "")))
    for name in _names(host, _RECEIPTS):
        if name.endswith(".plist"):
            keys = _plist(host, f"{_RECEIPTS}/{name}")
            identifier = str(keys.get("PackageIdentifier", "")) or name.removesuffix(".plist")
            yield identifier, str(keys.get("PackageVersion", "")), "", "", _maker(identifier)


def _names(host: Host, folder: str) -> list[str]:
    try:
        return host.listdir(folder)
    except FileNotFoundError:
        return []


def _maker(identifier: str) -> str:
    """The first two words of a reversed domain name, such as com.apple."""
    words = identifier.split(".")
    return ".".join(words[:2]) if len(words) > 2 else ""


def _plist(host: Host, path: str) -> dict[str, Any]:
    try:
        return plist.read(host, path)
    except (OSError, ValueError):
        # A bundle without a readable Info.plist is still installed.
        return {}


PROBE = Probe(
    name="software",
    schema_version=2,
    reads=(
        " ".join(_DPKG[:2]),
        " ".join(_RPM[:2]),
        "whether /var/lib/snapd/snaps and /var/lib/flatpak/app are there",
        *(rf"HKLM\{base}" for base in _UNINSTALL),
        *(f"{folder}/*.app/Contents/Info.plist" for folder in _APPLICATIONS),
        f"{_RECEIPTS}/*.plist",
    ),
    look=look,
)
