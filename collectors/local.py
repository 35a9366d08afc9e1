"""Collector ``local``: the host on which ztgrade runs, or the recorded sections of one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from agent.host import Host, ThisHost
from agent.probes import PROBES, observe
from agent.section import Section
from collectors.capture_file import content_of
from collectors.sections import PROMISED, asset_key, facts_and_gaps, observed, redacted
from collectors.supplied_row import KNOWN
from scanner.errors import Malformed, ReadError, Unreachable
from scanner.model import (
    Access,
    Capture,
    Fact,
    Gap,
    Listing,
    Permission,
    PlannedCall,
    Record,
    SourceIdentity,
    Target,
    narrowed,
    promised_facts,
)
from scanner.sealed.canonical import canonical_json

CAPTURED = "sections.json"
LARGEST = 16 * 1024 * 1024
_NEEDS_ROOT = ("EndpointProtection", "HostFirewall", "LocalAdministrators", "LogForwarding")


class LocalCollector:
    """Looks at one host through the agent's probes; ``captures`` of the target replaces the host by a recording."""

    name = "local"
    version = "1"
    permissions: tuple[Permission, ...] = (
        Permission(
            name="root, or an elevated administrator",
            why="packet filter, sudo rules, log settings and every process are hidden from others",
            facts=_NEEDS_ROOT,
        ),
    )

    def __init__(self, host: Callable[[], Host] = ThisHost) -> None:
        self._host = host

    def promises(self, target: Target) -> frozenset[str]:
        """What the sections of a host can yield, or the target's own shorter list."""
        return narrowed(PROMISED, target)

    def plan(self, target: Target) -> Iterator[PlannedCall]:
        """One line per section: what its probe may read or run."""
        if target.captures is not None:
            yield PlannedCall(host="localhost", login="-", call=f"read {target.captures / CAPTURED}")
            return
        for probe in PROBES:
            yield PlannedCall(host="localhost", login="-", call=f"{probe.name}: {', '.join(probe.reads)}")

    def read(self, access: Access) -> Iterator[Record]:
        """The promised facts and gaps, then a closed census of this one device per fact yielded."""
        target = access.target
        promised = promised_facts(self.promises(target)) & PROMISED
        try:
            sections = self._recorded(access) if target.captures is not None else self._looked_at(access)
        except ReadError as error:
            for fact in sorted(promised):
                yield Gap(fact=fact, why=error.why, detail=str(error))
            return
        content = [redacted(section).to_dict() for section in sections.values()]
        raw = canonical_json({"schema_version": 1, "sections": content})
        yield Capture(name=CAPTURED, media_type="application/json", content=raw)
        asset, why, flaw = asset_key(sections, "local")
        if asset is None:
            for fact in sorted(promised):
                yield Gap(fact=fact, why=why, detail=f"this host cannot be named: {flaw}")
            return
        yield SourceIdentity(kind="machine_id", value=asset.rsplit(":", 1)[1])
        given = target.options.get("external")
        yielded: set[str] = set()
        for record in facts_and_gaps(sections, asset, external=given if isinstance(given, bool) else None):
            fact = type(record).__name__ if isinstance(record, Fact) else record.fact
            if fact in promised:
                if isinstance(record, Fact):
                    yielded.add(fact)
                yield record
        as_of = observed(sections) or access.now()
        for fact in sorted(yielded):
            listing = Listing(KNOWN[fact], query="this host alone")
            listing.add(asset)
            yield listing.census(as_of=as_of)

    def _looked_at(self, access: Access) -> dict[str, Section]:
        host = self._host()
        found = {}
        for probe in PROBES:
            section = access.call(lambda probe=probe: observe(probe, host))  # type: ignore[misc]
            found[section.name] = section
        return found

    def _recorded(self, access: Access) -> Mapping[str, Section]:
        captures = access.target.captures
        if captures is None:
            raise Unreachable("the target names no captures directory")
        path = captures / CAPTURED
        content = access.call(lambda: content_of(path, LARGEST))
        return parse_sections(content, str(path))


def parse_sections(content: bytes, name: str) -> dict[str, Section]:
    """Sections by name from what ``ztagent show --json`` printed; raises Malformed."""
    try:
        whole = json.loads(content)
        if not isinstance(whole, dict) or whole.get("schema_version") != 1 or not isinstance(whole["sections"], list):
            raise ValueError("expected schema_version 1 and a list of sections")
        sections = [Section.from_dict(plain) for plain in whole["sections"]]
        content.decode("utf-8")
        canonical_json([section.to_dict() for section in sections])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Malformed(f"{name}: {error}") from error
    found = {section.name: section for section in sections}
    if len(found) != len(sections):
        raise Malformed(f"{name}: a section stands there twice")
    return found


COLLECTOR = LocalCollector()
