"""What could not be seen: gaps that collecting sealed, targets never read, and listings that stay open; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from scanner.judging.evidence import Evidence, ReadTarget
from scanner.model import GapWhy
from scanner.result.collection import GapRow


def gap(
    fact: str,
    why: GapWhy,
    detail: str,
    *,
    target: str = "",
    collector: str = "",
    field: str | None = None,
    asset: str | None = None,
    count: int = 1,
) -> GapRow:
    """One row of what could not be seen; a whole source of a fact unless a field or an asset is named."""
    return GapRow(
        target=target, collector=collector, fact=fact, field=field, asset=asset, why=why, detail=detail, count=count
    )


def collected_gaps(targets: Iterable[ReadTarget]) -> Iterator[GapRow]:
    """Gaps that collecting sealed, promised facts of targets never read, and rows that nobody promised."""
    for target in targets:
        if target.folder is None:
            detail = "this target was never collected"
            for fact in sorted(target.promises):
                yield gap(fact, GapWhy.UNSEEN, detail, target=target.target, collector=target.collector)
        for told in target.gaps:
            yield gap(
                told.fact,
                told.why,
                told.detail,
                target=target.target,
                collector=target.collector,
                field=told.field,
                asset=told.asset,
                count=told.count,
            )
        for fact in sorted(set(target.facts) - target.promises):
            detail = "the target does not promise this fact, so its rows do not count; add it to promises"
            rows = target.facts[fact]
            yield gap(fact, GapWhy.UNSUPPORTED, detail, target=target.target, collector=target.collector, count=rows)


def listing_gaps(evidence: Evidence, max_age: timedelta) -> Iterator[GapRow]:
    """Listings that stay open, sources that repeat themselves, and keys that do not tell who is who."""
    for target in evidence.targets:
        if target.folder is None:
            continue
        for fact in sorted(target.promises & set(evidence.facts)):
            if not evidence.target_closed(target, fact, max_age):
                why, detail, count = _why_open(evidence, target, fact, max_age)
                yield gap(fact, why, detail, target=target.target, collector=target.collector, count=count)
    for source, fact in sorted(evidence.duplicated):
        detail = "the source gives some assets more than once; fields on which the rows differ are not known"
        yield gap(fact, GapWhy.CONFLICT, detail, target=source)
    for kind in sorted(evidence.same.ambiguous):
        detail = f"which keys name one {kind} is ambiguous; its population stays open"
        yield gap("Same", GapWhy.CONFLICT, detail, field="same_as")


def _why_open(evidence: Evidence, target: ReadTarget, fact: str, max_age: timedelta) -> tuple[GapWhy, str, int]:
    counted = [census for census in target.censuses if census.fact == fact]
    if not counted:
        return GapWhy.UNSEEN, "no census says that the listing is complete", 1
    if not target.complete or not all(census.complete for census in counted):
        return GapWhy.TRUNCATED, "the listing did not run to its end", 1
    if evidence.census_is_stale(target.source, fact, max_age):
        return GapWhy.STALE, "the census is older than its maximum age", 1
    n, _ = evidence.keys_digest(target, fact)
    listed = max(census.n for census in counted)
    detail = f"the census lists {listed} assets, rows were seen of {n}, or of others"
    return GapWhy.UNSEEN, detail, max(1, abs(listed - n))


def whys_told(targets: Iterable[ReadTarget]) -> dict[tuple[str, str], set[GapWhy]]:
    """Whys of the gaps that collecting sealed, by source and fact."""
    told: dict[tuple[str, str], set[GapWhy]] = {}
    for target in targets:
        for found in target.gaps:
            told.setdefault((target.source, found.fact), set()).add(found.why)
    return told
