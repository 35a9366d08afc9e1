"""Debian package lists: order of versions, and which installed packages a security archive has repaired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

_PARTS = re.compile(r"(\D*)(\d*)")


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def _key(text: str) -> list[tuple[list[int], int]]:
    # The closing 0 lets the end of a part sort after "~" and before everything else.
    return [
        ([*map(_weight, words), 0], int(digits or 0)) for words, digits in _PARTS.findall(text) if words or digits
    ] or [([0], 0)]


def older(one: str, other: str) -> bool:
    """Whether version ``one`` comes before ``other``: Debian policy 5.6.12, as ``dpkg --compare-versions`` has it."""
    return _whole(one) < _whole(other)


def _whole(version: str) -> tuple[int, list[tuple[list[int], int]], list[tuple[list[int], int]]]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    end = ([0], 0)
    return int(epoch), [*_key(upstream), end], [*_key(revision), end]


def stanzas(lines: Iterable[str], wanted: frozenset[str]) -> Iterator[dict[str, str]]:
    """The wanted fields of each paragraph of a control file; continued lines are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            if fields:
                yield fields
            fields = {}
        elif line[0] not in " \t":
            name, _, value = line.partition(":")
            if name in wanted:
                fields[name] = value.strip()
    if fields:
        yield fields


def installed(status: Iterable[str]) -> dict[str, str]:
    """Versions by ``name:architecture`` from the lines of /var/lib/dpkg/status, of packages whose files are there."""
    wanted = frozenset({"Package", "Status", "Version", "Architecture"})
    return {
        f"{one['Package']}:{one.get('Architecture', '')}": one["Version"]
        for one in stanzas(status, wanted)
        if not one.get("Status", "").endswith((" not-installed", " config-files")) and "Version" in one
    }


def repaired(archive: Iterable[str], present: Mapping[str, str]) -> set[str]:
    """Packages of ``present`` for which the lines of a Packages file offer a newer version."""
    wanted = frozenset({"Package", "Version", "Architecture"})
    by_name: dict[str, list[str]] = {}
    for key in present:
        by_name.setdefault(key.partition(":")[0], []).append(key)
    found = set()
    for one in stanzas(archive, wanted):
        version = one.get("Version")
        for key in by_name.get(one.get("Package", ""), ()):
            # A package may turn from one for each architecture into one for all, and back.
            architectures = {key.partition(":")[2], one.get("Architecture", "")}
            same = len(architectures) == 1 or "all" in architectures
            if same and version and older(present[key], version):
                found.add(key)
    return found
