"""A fleet's store as a collector sees it: every agent with its sections, each checked against what the agent signed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from agent import wire
from scanner.errors import AccessDenied, ConfigurationError, Malformed, StoreError, Unreachable
from scanner.fleet.reading import MISSED, AgentSeen, FleetReader, SectionSeen
from scanner.fleet.settings import FILE

INTERVAL_S = 300
"""Between two heartbeats, where a copy of the store lies alone and the target does not say."""


@dataclass(frozen=True)
class AgentTold:
    """One agent as the server knows it; moments in UTC and by the server's clock."""

    id: str
    state: str
    enrolled_at: datetime
    last_heard: datetime
    confirmed_at: datetime | None
    """When it last said that its posture is the one that is stored; None for never."""
    clone_suspected: datetime | None
    identity_collision: datetime | None
    clock_behind_seconds: int
    version: str
    host: Mapping[str, str]
    """What it said of its hardware when it enrolled: hostname, machine_id, smbios_uuid, serial, tpm_ek_sha256."""
    sections: tuple[SectionSeen, ...]
    whole: bool
    """The stored sections add up to the digest that the agent last confirmed."""
    downgraded: datetime | None = None
    """Since when it reports an older version than it may."""


class FleetPort(Protocol):
    """One look at the store of a fleet."""

    interval_s: int

    def latest(self) -> datetime | None:
        """When the server last took anything from any agent; None where there is none. Raises ReadError."""

    def agents(self) -> Iterator[AgentTold]:
        """Every agent there ever was, in the order of enrolment; raises ReadError."""

    def close(self) -> None:
        """Let go of it."""


class FleetStore:
    """The server's own store, opened for reading only."""

    def __init__(self, reader: FleetReader) -> None:
        self._reader = reader
        self.interval_s = reader.interval_s

    @classmethod
    def open(cls, place: Path, interval_s: int = INTERVAL_S) -> FleetStore:
        """Of the server's folder, or of a file that is a copy of its SQLite store; raises ReadError."""
        with _translated(place):
            if place.is_dir() and (place / FILE).exists():
                return cls(FleetReader.open(place))
            copy = place / "fleet.db" if place.is_dir() else place
            if not copy.exists():
                raise Unreachable(f"{copy} is not there; name the folder of the fleet server, or a copy of its store")
            return cls(FleetReader.of_file(copy, interval_s))

    def latest(self) -> datetime | None:
        """When the server last took anything from any agent."""
        with _translated():
            moments = (max(agent.enrolled, agent.last_seen, agent.confirmed) for agent in self._reader.agents())
            newest = max(moments, default=None)
        return None if newest is None else moment(newest)

    def agents(self) -> Iterator[AgentTold]:
        """Every agent there ever was, with what is stored of it now."""
        with _translated():
            for agent in self._reader.agents():
                yield self._told(agent)

    def close(self) -> None:
        """Let go of the store."""
        self._reader.close()

    def _told(self, agent: AgentSeen) -> AgentTold:
        sections = self._sections(agent)
        if not _whole(agent, sections) and (newer := self._reader.agent(agent.id)) is not None:
            # It spoke between the two queries.
            agent, sections = newer, self._sections(newer)
        return AgentTold(
            id=agent.id,
            state=agent.status,
            enrolled_at=moment(agent.enrolled),
            last_heard=moment(agent.last_seen),
            confirmed_at=moment(agent.confirmed) if agent.confirmed else None,
            clone_suspected=None if agent.clone_suspected is None else moment(agent.clone_suspected),
            identity_collision=None if agent.identity_collision is None else moment(agent.identity_collision),
            clock_behind_seconds=round(agent.clock_skew_ms / 1000),
            version=agent.version,
            host=agent.host,
            sections=tuple(sections),
            whole=_whole(agent, sections),
            downgraded=None if agent.downgraded is None else moment(agent.downgraded),
        )

    def _sections(self, agent: AgentSeen) -> list[SectionSeen]:
        """What is stored; a body that cannot be read costs its own agent alone, whose digest it then lacks."""
        try:
            return self._reader.sections(agent)
        except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError):
            return []


def allowed_silence(interval_s: int) -> int:
    """Seconds for which an agent may say nothing."""
    return MISSED * interval_s


def moment(ms: int) -> datetime:
    """A moment of the store, ms since 1970; raises Malformed where there is no such day."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Malformed(f"the store of the fleet holds a time that is none ({ms} ms since 1970)") from error


def _whole(agent: AgentSeen, sections: list[SectionSeen]) -> bool:
    """Whether the sections are those of the root that the server took last; others lie apart until all are there."""
    return wire.root_digest({section.name: section.digest for section in sections}) == agent.root


@contextmanager
def _translated(place: Path | None = None) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise AccessDenied(
            f"{place or error.filename}: {error.strerror}; let this user read the fleet's folder"
        ) from error
    except (ConfigurationError, StoreError) as error:
        raise Unreachable(str(error)) from error
    except OSError as error:
        raise Unreachable(f"{place or error.filename}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, LookupError) as error:
        raise Malformed(f"the store of the fleet is not in order: {type(error).__name__}: {error}") from error
