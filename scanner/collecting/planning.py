"""Says what reading the targets would do, and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scanner import registry
from scanner.collecting.collect import promised
from scanner.collecting.redaction import printable
from scanner.collecting.selection import chosen_targets, origin_of
from scanner.institution.nouns import Estate
from scanner.model import Collector, Origin


@dataclass(frozen=True)
class PlannedRow:
    """One thing that reading one target would do.

    ``credential`` is a name of the estate, never a secret; ``timeout_seconds`` is the longest that the target may take;
    ``promises`` are the fact types that become gaps where they are not seen.
    """

    target: str
    source: str
    collector: str
    origin: Origin
    site: str
    credential: str | None
    host: str
    login: str
    call: str
    timeout_seconds: int
    promises: tuple[str, ...]


def plan(estate: Estate, collectors: Mapping[str, Collector], targets: Sequence[str] | None = None) -> list[PlannedRow]:
    """Every call that ``collect`` would make, in the order of the estate; resolves no secret.

    A target whose collector names no call still gets one row, so that the plan holds every target. Raises UnknownName
    for a target or collector that does not exist.
    """
    rows: list[PlannedRow] = []
    for target in chosen_targets(estate, targets):
        collector = registry.find("collector", target.collector, collectors)
        calls = [(call.host, call.login, call.call) for call in collector.plan(target)]
        rows.extend(
            PlannedRow(
                target=target.name,
                source=target.source,
                collector=target.collector,
                origin=origin_of(target),
                site=target.site,
                credential=target.credential,
                host=printable(host),
                login=printable(login),
                call=printable(call),
                timeout_seconds=target.timeout_seconds,
                promises=tuple(sorted(promised(target, collector))),
            )
            for host, login, call in calls or [(target.address, "", "")]
        )
    return rows
