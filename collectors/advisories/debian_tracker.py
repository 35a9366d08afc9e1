"""The JSON of the Debian security tracker (security-tracker.debian.org/tracker/data/json)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec

from collectors.advisories.feed import Feed, Flaw, Stretch
from collectors.advisories.severity import of_word
from scanner.errors import Malformed

RELEASES: Mapping[str, str] = MappingProxyType(
    {"buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14"}
)
"""Numbers of releases by the names under which the tracker knows them."""


class _State(msgspec.Struct):
    status: str
    fixed_version: str = ""
    urgency: str = ""


class _Entry(msgspec.Struct):
    releases: dict[str, _State] = {}


def read(content: bytes, name: str, fetched: datetime) -> Feed:
    """The feed; the file bears no date, so it knows what was known when it was fetched. Raises Malformed."""
    try:
        whole = msgspec.json.decode(content, type=dict[str, dict[str, _Entry]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"{name}: {error}; expected the JSON of the Debian security tracker") from error
    if not whole:
        raise Malformed(f"{name}: it names no package; get the file anew")
    feed = Feed(f"debian-tracker:{name}", fetched)
    for package, entries in whole.items():
        for flaw_id, entry in entries.items():
            for codename, state in entry.releases.items():
                number = RELEASES.get(codename)
                if number is None:
                    continue
                flaw = _flaw(flaw_id, state, f"{name}: {package}: {flaw_id}: {codename}")
                if flaw is not None:
                    feed.add(f"debian:{number}", package, flaw)
                else:
                    feed.flaws.setdefault(f"debian:{number}", {})
    return feed


def _flaw(flaw_id: str, state: _State, place: str) -> Flaw | None:
    """None where no version of the release has it, which the tracker writes as fixed in version 0."""
    severity = of_word(state.urgency)
    match state.status:
        case "resolved":
            if not state.fixed_version:
                raise Malformed(f"{place}: resolved without fixed_version; get the file anew")
            if state.fixed_version == "0":
                return None
            return Flaw(flaw_id, (Stretch(fixed=state.fixed_version),), severity)
        case "open":
            return Flaw(flaw_id, (Stretch(),), severity)
        case "undetermined":
            return Flaw(flaw_id, (Stretch(),), severity, decided=False)
        case other:
            raise Malformed(f"{place}: status {other[:40]!r}; expected resolved, open or undetermined")
