"""What hosts say their hardware is: equal answers of two agents are a finding, and never make them one."""

from __future__ import annotations

import re

from scanner.fleet.database import Database
from scanner.fleet.messages import Attributes

KINDS = ("machine_id", "smbios_uuid", "serial", "tpm_ek_sha256")
_MEANINGLESS = re.compile(
    r"(0[x0-]*|f[f-]*|x+|none|n/?a|null|default string|not (specified|available|applicable|present|settable)"
    r"|to be filled by o\.?e\.?m\.?|system serial number|unknown|invalid|empty|chassis serial number"
    r"|0?123456789[a-f0-9]*"
    r"|03000200-0400-0500-0006-000700080009|12345678-1234-5678-90ab-cddeefaabbcc)"
)
"""Written by makers into every machine of a series; in lower case."""


def identifiers(host: Attributes) -> list[tuple[str, str]]:
    """Kind and value of what should be found on one machine only."""
    found = [(kind, getattr(host, kind).strip().lower()) for kind in KINDS]
    return [(kind, value) for kind, value in found if len(value) > 3 and not _MEANINGLESS.fullmatch(value)]


def collisions(database: Database, host: Attributes) -> list[tuple[int, str, str]]:
    """Number, id and status of every agent, evicted ones left out, that gave one of these identifiers."""
    sql = (
        "SELECT agent.number, agent.id, agent.status FROM hardware JOIN agent ON agent.number = hardware.agent"
        " WHERE hardware.kind = ? AND hardware.value = ? AND agent.status <> 'evicted'"
    )
    found = {row for pair in identifiers(host) for row in database.rows(sql, pair)}
    return sorted(found)


def remember(database: Database, agent: int, host: Attributes) -> None:
    """Keep what an agent said when it enrolled."""
    database.run_many(
        "INSERT INTO hardware (kind, value, agent) VALUES (?, ?, ?)",
        [(kind, value, agent) for kind, value in identifiers(host)],
    )
