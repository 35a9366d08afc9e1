"""Collector ``endpoint``: the hosts of a fleet of agents, read from the store of their server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Literal

from agent.section import Section
from collectors import sections as posture
from collectors.advisories.matching import Matching, Named, lost, named, read_feed
from collectors.ports.fleet import AgentTold, FleetPort, FleetStore, allowed_silence
from collectors.sections import facts_and_gaps, redacted
from collectors.supplied_row import KNOWN
from scanner.column import fields_of
from scanner.errors import Malformed, ReadError
from scanner.facts import Device, EndpointAgent, HardwareIdentity, Same
from scanner.model import (
    Access,
    Capture,
    Fact,
    Gap,
    GapWhy,
    Listing,
    Permission,
    PlannedCall,
    Record,
    SourceIdentity,
    Target,
    iso,
    narrowed,
    promised_facts,
)
from scanner.sealed.canonical import canonical_json

POSTURE = posture.PROMISED
_OWN = ("EndpointAgent", "Same", "Advisories")
_KEPT = ("asset", "observed_at", "anchor")
_IN_PART = (
    *(f"HardwareIdentity.{name}" for name in fields_of(HardwareIdentity) if name not in _KEPT),
    "Device.category",
    "Device.host_name",
)
"""Of these facts agents never say the rest: nothing attests where a key is kept, and no host knows whose it is."""
_ATTRIBUTES = ("machine_id", "smbios_uuid", "serial", "tpm_ek_sha256")
"""Told once, at enrolment."""
_IN_DIRECTORY = ("machine_account", "entra_device")
"""Keys that a directory gave the host; the section management tells them as they are now."""
PAGE = 200
"""Agents that are read between two looks at the clock, and that share one capture."""
_AGENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Settings:
    """What the options of a target say."""

    external: bool | None
    """Whether every device of this fleet belongs to others; None: that is for another source to say."""
    same: tuple[str, str] | None
    """Source, and the attribute by which it names the same devices."""
    interval_s: int
    feeds: tuple[Named, ...] = ()
    """Feeds of published flaws, against which installed software is held."""

    @classmethod
    def of(cls, target: Target) -> Settings:
        """From the options; raises Malformed."""
        external = target.options.get("external")
        if external is not None and not isinstance(external, bool):
            raise Malformed("options.external must be true or false")
        interval = target.options.get("interval_seconds", 300)
        if type(interval) is not int or not 1 <= interval <= 86_400:
            raise Malformed("options.interval_seconds must be a whole number from 1 to 86400")
        feeds = named(target.options.get("advisories", []))
        given = target.options.get("same")
        if given is None:
            return cls(external, None, interval, feeds)
        known = (*_ATTRIBUTES, *_IN_DIRECTORY)
        if not isinstance(given, Mapping) or set(given) != {"source", "by"} or given["by"] not in known:
            raise Malformed(f"options.same must be {{ source = SOURCE, by = one of {', '.join(known)} }}")
        if not isinstance(given["source"], str) or not re.fullmatch(r"[^:\s\x00-\x1f\x7f]+", given["source"]):
            raise Malformed("options.same.source must name a source of the estate")
        return cls(external, (given["source"], given["by"]), interval, feeds)


class EndpointCollector:
    """Reads the store of a fleet server; ``captures`` of the target names a copy of it instead."""

    name = "endpoint"
    version = "1"
    permissions: tuple[Permission, ...] = (
        Permission(
            name="read the folder of the fleet server, or its database by a role that may only SELECT",
            why="what agents reported lies there; nothing else is asked of server or agents",
            facts=("Device", "EndpointAgent", *sorted(POSTURE - {"Device"})),
        ),
    )

    def promises(self, target: Target) -> frozenset[str]:
        """What agents report, less what they cannot know; ``Same`` and ``Device.external`` where the options say."""
        own = {*POSTURE, "EndpointAgent"} - promised_facts(_IN_PART) | {*_IN_PART}
        if isinstance(target.options.get("external"), bool):
            own.add("Device.external")
        if target.options.get("same") is not None:
            own.add("Same")
        if target.options.get("advisories"):
            own.add("Advisories")
        return narrowed(own, target)

    def plan(self, target: Target) -> Iterator[PlannedCall]:
        """One line: which store is read."""
        yield PlannedCall(host="localhost", login="-", call=f"read {target.captures or target.address} (read only)")

    def read(self, access: Access) -> Iterator[Record]:
        """Facts and gaps agent by agent, then a census of each fact; closed over the enrolled agents alone."""
        promised = promised_facts(self.promises(access.target)) & {*POSTURE, *_OWN}
        try:
            settings = Settings.of(access.target)
            place = access.target.captures or Path(access.target.address or ".")
            store = access.call(lambda: FleetStore.open(place, settings.interval_s))
        except ReadError as error:
            for fact in sorted(promised):
                yield Gap(fact=fact, why=error.why, detail=str(error))
            return
        try:
            yield from _Reading(access, store, settings, promised).records()
        except ReadError as error:
            for fact in sorted(promised):
                yield Gap(fact=fact, why=error.why, detail=str(error))
        finally:
            store.close()


class _Reading:
    """One run over the agents of a store."""

    def __init__(self, access: Access, store: FleetPort, settings: Settings, promised: frozenset[str]) -> None:
        self._access, self._store, self._settings, self._promised = access, store, settings, promised
        self._source = access.target.source
        self._matching = Matching()
        self._silence = timedelta(seconds=allowed_silence(store.interval_s))
        self._members = Listing(Device, query="agents that are active or banned")
        self._seen: dict[str, set[str]] = {fact: set() for fact in promised}

    def records(self) -> Iterator[Record]:
        """Everything, in the order of enrolment."""
        now = self._access.now()
        latest = self._access.call(self._store.latest)
        # What the store knows ends with the last thing that anybody told it, however late it is read.
        as_of = now if latest is None else min(now, latest)
        yield SourceIdentity(kind="fleet_store", value=self._access.target.address or self._source)
        asleep = now - as_of > self._silence
        if asleep and "EndpointAgent" in self._promised:
            yield Gap(
                fact="EndpointAgent",
                field="silent",
                why=GapWhy.STALE,
                detail=f"the store has taken nothing from any agent since {iso(as_of)}: whether the server or its"
                " agents are silent cannot be told",
            )
        yield from self._feeds()
        members: set[str] = set()
        agents, part = self._store.agents(), 0
        while page := self._access.call(lambda: list(islice(agents, PAGE))):
            part += 1
            yield Capture(name=f"agents-{part:05}.json", media_type="application/json", content=_raw(page))
            for agent in page:
                asset = f"device:{self._source}:{agent.id}"
                if not _AGENT_ID.fullmatch(agent.id):
                    raise Malformed(f"the store names an agent {agent.id[:64]!r}, which is no UUID")
                for record in self._of(agent, asset, as_of, asleep):
                    name = type(record).__name__ if isinstance(record, Fact) else record.fact
                    if name in self._promised:
                        if isinstance(record, Fact):
                            self._seen[name].add(asset)
                        yield record
                if agent.state in {"active", "banned"}:
                    members.add(asset)
        yield from self._closing(members, as_of)

    def _feeds(self) -> Iterator[Record]:
        """Read the feeds; each is kept by name and digest, for they are large and published."""
        for place, each in enumerate(self._settings.feeds, start=1):
            try:
                feed, kept = self._access.call(lambda each=each: read_feed(each))  # type: ignore[misc]
            except ReadError as error:
                self._matching.lost.append(lost(error))
                continue
            self._matching.feeds.append(feed)
            yield Capture(name=f"feed-{place:02}.json", media_type="application/json", content=kept)

    def _closing(self, members: set[str], as_of: datetime) -> Iterator[Record]:
        """A census of each fact; complete only where every enrolled agent yielded it."""
        for fact in sorted(self._promised):
            seen = self._seen[fact]
            listing = Listing(KNOWN[fact], query="agents in the store that are enrolled")
            for asset in seen | members:
                listing.add(asset)
            yield listing.census(as_of=as_of, complete=members <= seen)

    def _of(self, agent: AgentTold, asset: str, as_of: datetime, asleep: bool) -> Iterator[Fact | Gap]:
        yield self._trust(agent, asset, as_of, asleep)
        if agent.state not in {"active", "banned"}:
            return
        believed, why, detail = _believed(agent)
        if self._settings.same is not None:
            source, by = self._settings.same
            value = _named_by(agent, by) if believed or agent.confirmed_at is None else ""
            known = f"device:{source}:{value}" if value and value.isprintable() else None
            yield Same(asset=asset, observed_at=as_of, same_as=known, by=by)
        if believed and agent.confirmed_at is not None:
            yield from self._posture(agent, asset, agent.confirmed_at)
            return
        yield Device(asset=asset, observed_at=as_of, external=self._settings.external)
        for field in ("category", "host_name"):
            yield Gap(fact="Device", why=why, detail=detail, asset=asset, field=field)
        for fact in sorted({*POSTURE, "Advisories"} - {"Device"}):
            yield Gap(fact=fact, why=why, detail=detail, asset=asset)

    def _posture(self, agent: AgentTold, asset: str, confirmed_at: datetime) -> Iterator[Fact | Gap]:
        """What the sections say, as of the moment at which the agent last confirmed them."""
        found: dict[str, Section] = {}
        for stored in agent.sections:
            try:
                section = Section.from_dict({**stored.content, "observed_at": iso(confirmed_at)})
            except (ValueError, TypeError) as error:
                section = Section(stored.name, 1, "error", f"the stored section: {error}"[:500], iso(confirmed_at))
            found[section.name] = section
        device = False
        for record in facts_and_gaps(found, asset, external=self._settings.external):
            if isinstance(record, Gap) and f"{record.fact}.{record.field}" in _UNTOLD:
                continue
            device |= isinstance(record, Device)
            yield record
        if self._settings.feeds:
            yield from self._matching.of(found, asset, confirmed_at)
        if not device:  # It is enrolled all the same, and a listing without it would be none.
            yield Device(asset=asset, observed_at=confirmed_at, external=self._settings.external)

    def _trust(self, agent: AgentTold, asset: str, as_of: datetime, asleep: bool) -> EndpointAgent:
        late = as_of - agent.last_heard > self._silence
        return EndpointAgent(
            asset=asset,
            observed_at=as_of,
            state=_STATES.get(agent.state),
            clone_suspected=agent.clone_suspected is not None,
            identity_collision=agent.identity_collision is not None,
            silent=None if asleep and not late else late,
            last_heard=agent.last_heard,
            ever_reported=agent.confirmed_at is not None,
            enrolled_at=agent.enrolled_at,
            clock_behind_seconds=agent.clock_behind_seconds,
            version=agent.version or None,
        )


_STATES: Mapping[str, Literal["pending", "enrolled", "evicted", "banned"]] = {
    "pending": "pending",
    "active": "enrolled",
    "evicted": "evicted",
    "banned": "banned",
}
_UNTOLD = {"Device.external", "HardwareIdentity.anchor"}


def _named_by(agent: AgentTold, by: str) -> str:
    """The key by which another source names the host; empty where the agent does not tell it."""
    if by in _ATTRIBUTES:
        return agent.host.get(by, "").strip()
    content = next((each.content for each in agent.sections if each.name == "management"), {})
    values = content.get("values")
    value = values.get(by) if isinstance(values, Mapping) else None
    return value.strip() if isinstance(value, str) else ""


def _believed(agent: AgentTold) -> tuple[bool, GapWhy, str]:
    """Whether what it says of its host counts; else why not."""
    if agent.state == "banned":
        return False, GapWhy.UNSEEN, "the agent is banned: nothing that it said counts"
    if agent.clone_suspected is not None:
        detail = f"clone suspected since {iso(agent.clone_suspected)}: two hosts speak with one key"
        return False, GapWhy.CONFLICT, f"{detail}, and which of them tells the truth is not known"
    if agent.identity_collision is not None:
        detail = f"identity collision since {iso(agent.identity_collision)}: another agent gives the same hardware"
        return False, GapWhy.CONFLICT, f"{detail}, and nobody has told them apart"
    if agent.downgraded is not None:
        detail = f"downgraded since {iso(agent.downgraded)}: version {agent.version} is older than it may be"
        return False, GapWhy.CONFLICT, f"{detail}, and no operator allowed it"
    if agent.confirmed_at is None:
        return False, GapWhy.UNSEEN, "the agent enrolled and has never told its state"
    if not agent.whole:
        return False, GapWhy.CONFLICT, "the stored sections do not add up to the digest that the agent signed"
    return True, GapWhy.UNSEEN, ""


def _raw(page: list[AgentTold]) -> bytes:
    """Agents as the store has them, persons and serial numbers left out."""
    return canonical_json(
        [
            {
                "agent": agent.id,
                "state": agent.state,
                "enrolled_at": iso(agent.enrolled_at),
                "last_heard": iso(agent.last_heard),
                "confirmed_at": None if agent.confirmed_at is None else iso(agent.confirmed_at),
                "clone_suspected": None if agent.clone_suspected is None else iso(agent.clone_suspected),
                "identity_collision": None if agent.identity_collision is None else iso(agent.identity_collision),
                "clock_behind_seconds": agent.clock_behind_seconds,
                "version": agent.version,
                "sections": [_redacted(stored.content, stored.observed_at) for stored in agent.sections],
            }
            for agent in page
        ]
    )


def _redacted(content: Mapping[str, object], observed_at: str) -> object:
    try:
        section = Section.from_dict({**content, "observed_at": observed_at})
    except (ValueError, TypeError):
        return {"name": str(content.get("name"))[:64], "malformed": True}
    return redacted(replace(section, values=dict(section.values))).to_dict()


COLLECTOR = EndpointCollector()
