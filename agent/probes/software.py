"""Which software is installed, as the package databases of the system have it.

``software`` in ``switched_off`` of agent.toml keeps all of it back. The Windows and macOS branches were never run on
Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from agent.confinement import container
from agent.host import Host
from agent.section import UNSUPPORTED, Missing, NotSupported, Probe, Seen, by_system

MOST_BYTES = 96 * 1024
"""Of the list as JSON; a section may have 128 KiB, and nonsense in names takes more room when it is escaped."""
_LONGEST = 128
"""Characters of one text."""
_TABS = r"\t".join
_DPKG = (
    "/usr/bin/dpkg-query",
    "-W",
    "-f",
    _TABS(["${db:Status-Status}", "${Package}", "${Version}", "${source:Package}", "${Maintainer}"]) + r"\n",
)
_RPM = ("/usr/bin/rpm", "-qa", "--qf", _TABS(["%{NAME}", "%{EVR}", "%{SOURCERPM}", "%{VENDOR}"]) + r"\n")
_UNINSTALL = (
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
)
_APPLICATIONS = ("/Applications", "/Applications/Utilities", "/System/Applications", "/System/Applications/Utilities")
_RECEIPTS = "/var/db/receipts"
_ELSEWHERE = {"/var/lib/snapd/snaps": "snaps", "/var/lib/flatpak/app": "flatpaks"}

Row = tuple[str, str, str, str]
"""Name, version, package of the source where it is another, publisher."""


def look(host: Host) -> Seen:
    """``publishers``: the name of each, and its packages as ``names``, ``versions`` and ``sources``, place by place.

    ``sources`` names the package of the source where it has another name, as advisories count them, and is else empty.
    Lists of texts, since some thousand packages would otherwise take more memory than all the rest of the agent's
    sections. ``installed``: how many there are; ``cut``: not all of them are told. In a container they are the image's.
    """
    return _listed(*by_system(host, "software is not looked at on", linux=_linux, windows=_windows, macos=_macos)(host))


def _listed(rows: Iterable[Row], beside: str) -> Seen:
    """The rows, which come in the order of their names, by publisher; as many as fit."""
    groups: dict[str, tuple[list[str], list[str], list[str]]] = {}
    size = installed = told = 0
    last: Row | None = None
    for row in rows:
        if row == last:
            # One package for two architectures.
            continue
        last = row
        installed += 1
        name, version, source, publisher = (_plain(text) for text in row)
        size += sum(len(json.dumps(text)) + 1 for text in (name, version, source))
        size += 0 if publisher in groups else len(json.dumps(publisher)) + 60
        if size <= MOST_BYTES:
            told += 1
            lists = groups.setdefault(publisher, ([], [], []))
            for texts, text in zip(lists, (name, version, source), strict=True):
                texts.append(text)
    if not installed:
        raise NotSupported("the system lists no software")
    why = [f"{beside} is not listed"] if beside else []
    if told < installed:
        why.append(f"only {told} of {installed} fit")
    publishers = [
        {"publisher": publisher or None} | dict(zip(("names", "versions", "sources"), groups[publisher], strict=True))
        for publisher in sorted(groups)
    ]
    missing = {"publishers": Missing(UNSUPPORTED, "; ".join(why))} if why else {}
    return Seen({"publishers": publishers, "installed": installed, "cut": told < installed}, missing)


def _plain(text: str) -> str:
    return "".join(filter(str.isprintable, text)).strip()[:_LONGEST]


def _linux(host: Host) -> tuple[Iterable[Row], str]:
    rows: Iterable[Row]
    if host.exists("/var/lib/dpkg/status"):
        # dpkg-query prints them in the order of their names.
        rows = _dpkg(host)
    elif host.exists("/usr/bin/rpm"):
        rows = sorted(set(_rpm(host)))
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
        if len(cells) == 5 and cells[0] == "installed":
            _, name, version, source, maintainer = cells
            # Before the address, which may be a person's own.
            yield name, version, source if source != name else "", maintainer.split("<", 1)[0].strip(' "')


def _rpm(host: Host) -> Iterator[Row]:
    for line in host.run_lines(_RPM):
        cells = line.rstrip("\n").split("\t")
        if len(cells) == 4 and cells[0] != "gpg-pubkey":
            name, version, source, vendor = ("" if cell == "(none)" else cell for cell in cells)
            stem = source.rsplit("-", 2)[0]
            yield name, version, stem if stem != name else "", vendor


def _windows(host: Host) -> tuple[Iterable[Row], str]:
    return sorted(set(_programs(host))), "what single users installed for themselves"


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
                yield name, _text(host, path, "DisplayVersion"), "", _text(host, path, "Publisher")


def _text(host: Host, key: str, name: str) -> str:
    try:
        return str(host.registry(key, name))
    except FileNotFoundError:
        return ""


def _macos(host: Host) -> tuple[Iterable[Row], str]:
    return sorted(set(_bundles(host))), "what lies outside the folders for applications"


def _bundles(host: Host) -> Iterator[Row]:
    """Bundles by their Info.plist, and receipts of the installer."""
    for folder in _APPLICATIONS:
        for name in _names(host, folder):
            if name.endswith(".app"):
                keys = _plist(host, f"{folder}/{name}/Contents/Info.plist")
                version = str(keys.get("CFBundleShortVersionString") or keys.get("CFBundleVersion") or "")
                yield name.removesuffix(".app"), version, "", _maker(str(keys.get("CFBundleIdentifier", "")))
    for name in _names(host, _RECEIPTS):
        if name.endswith(".plist"):
            keys = _plist(host, f"{_RECEIPTS}/{name}")
            identifier = str(keys.get("PackageIdentifier", "")) or name.removesuffix(".plist")
            yield identifier, str(keys.get("PackageVersion", "")), "", _maker(identifier)


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
    import plistlib

    try:
        found = plistlib.loads(host.read_file(path))
    except (OSError, ValueError):
        # A bundle without a readable Info.plist is still installed; plistlib's own error is a ValueError.
        return {}
    return found if isinstance(found, dict) else {}


PROBE = Probe(
    name="software",
    schema_version=1,
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
