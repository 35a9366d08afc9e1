"""The store of a fleet server, filled by hand, and read at a moment of one's choice."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent import wire
from agent.probes import observe_all
from agent.section import Section
from scanner.fleet.database import Sqlite
from scanner.fleet.migration import prepare
from scanner.model import Collector, Record, Target
from tests.agent.recorded import DEBIAN_LAPTOP
from tests.collectors.stage import NOW, StagedAccess

NOW_MS = int(NOW.timestamp() * 1000)
SERIAL = "PF3ABCDE"


@dataclass
class TimedAccess(StagedAccess):
    """Access at another moment than the stage's."""

    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment


def read_at(collector: Collector, target: Target, moment: datetime) -> list[Record]:
    """Everything that the collector yields at that moment."""
    return list(collector.read(TimedAccess(target, moment=moment)))


def agent_id(number: int) -> str:
    return f"01930000-0000-7000-8000-{number:012}"


class Written:
    """A store to which agents are added one by one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "fleet.db"
        self._database = Sqlite(self.path)
        prepare(self._database, NOW_MS)
        self._number = 0

    def add(
        self,
        sections: Iterable[Section] = (),
        *,
        status: str = "active",
        seen: int = NOW_MS - 60_000,
        confirmed: int | None = None,
        clone: int | None = None,
        collision: int | None = None,
        **host: str,
    ) -> str:
        """One agent; its asset key in the source ``fleet``."""
        self._number += 1
        number, told = self._number, [section.to_dict() for section in sections]
        index = {section["name"]: wire.section_digest(section) for section in told}
        self._insert(
            "agent",
            number=number,
            id=agent_id(number),
            status=status,
            key_id=f"{number:064x}",
            enrolled=NOW_MS - 86_400_000,
            host=json.dumps({"hostname": f"host-{number}"} | host),
            clone_suspected=clone,
            identity_collision=collision,
        )
        self._insert(
            "agent_state",
            agent=number,
            seq=1,
            root=wire.root_digest(index),
            last_seen=seen,
            confirmed=(seen if told else 0) if confirmed is None else confirmed,
            skew=1500,
            version="1.0.0",
        )
        for section in told:
            body = wire.section_bytes(section)
            digest = hashlib.sha256(body).digest()
            self._database.run("INSERT OR IGNORE INTO section VALUES (?, ?)", (digest, zlib.compress(body)))
            self._database.run(
                "INSERT INTO agent_section VALUES (?, ?, ?, ?, ?, NULL)",
                (number, section["name"], digest, section["observed_at"], seen),
            )
        return f"device:fleet:{agent_id(number)}"

    def _insert(self, table: str, **values: Any) -> None:
        """One row; columns that are not named are empty."""
        rows = self._database.rows(f"SELECT name, type, [notnull] FROM pragma_table_info('{table}')")
        empty = {name: (0 if kind == "INTEGER" else "") if needed else None for name, kind, needed in rows}
        row = empty | values
        marks = ", ".join("?" * len(row))
        self._database.run(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))

    def run(self, sql: str) -> None:
        self._database.run(sql)

    def close(self) -> Path:
        """Let go of it; its path."""
        self._database.run("PRAGMA journal_mode=DELETE")
        self._database.close()
        return self.path


def laptop(*without: str) -> list[Section]:
    """What the agent of a sound laptop tells, less some sections."""
    return [section for section in observe_all(DEBIAN_LAPTOP) if section.name not in without]


def fleet_target(place: Path, **options: Any) -> Target:
    return Target(name="fleet", collector="endpoint", source="fleet", address=str(place), options=options)


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
