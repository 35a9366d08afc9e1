"""What could not be seen: gaps that collecting sealed, targets never read, and listings that stay open; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from scanner.evidence import Evidence, ReadTarget
from scanner.model import GapWhy
from scanner.result import GapRow


def collected_gaps(targets: Iterable[ReadTarget]) -> Iterator[GapRow]:
    """Gaps that collecting sealed, and one per promised fact of a target that was never read."""
    for target in targets:
        if target.folder is None:
            for fact in sorted(target.promises):
                yield GapRow(
                    target=target.target,
                    collector=target.collector,
                    fact=fact,
                    field=None,
                    asset=None,
                    why=GapWhy.UNSEEN,
                    detail="this target was never collected within its maximum age",
                    count=1,
                )
        for gap in target.gaps:
            yield GapRow(
                target=target.target,
                collector=target.collector,
                fact=gap.fact,
                field=gap.field,
                asset=gap.asset,
                why=gap.why,
                detail=gap.detail,
                count=gap.count,
            )
        for fact in sorted(set(target.facts) - target.promises):
            yield GapRow(
                target=target.target,
                collector=target.collector,
                fact=fact,
                field=None,
                asset=None,
                why=GapWhy.UNSUPPORTED,
                detail="the target does not promise this fact, so its rows do not count; add it to promises",
                count=target.facts[fact],
            )


def listing_gaps(evidence: Evidence, max_age: timedelta) -> Iterator[GapRow]:
    """Listings that stay open: no census, an incomplete or stale one, or one that does not match the rows seen."""
    for target in evidence.targets:
        if target.folder is None:
            continue
        for fact in sorted(target.promises & set(evidence.facts)):
            if evidence.target_closed(target, fact, max_age):
                continue
            n, _ = evidence.keys_digest(target, fact)
            counted = [census for census in target.censuses if census.fact == fact]
            why, detail, lost = GapWhy.UNSEEN, "no census says that the listing is complete", 1
            if counted and all(census.complete for census in counted) and target.complete:
                if evidence.census_is_stale(target.source, fact, max_age):
                    why, detail = GapWhy.STALE, "the census is older than its maximum age"
                else:
                    listed = max(census.n for census in counted)
                    lost = max(1, abs(listed - n))
                    detail = f"the census lists {listed} assets, rows were seen of {n}, or of others"
            elif counted:
                why, detail = GapWhy.TRUNCATED, "the listing did not run to its end"
            yield GapRow(
                target=target.target,
                collector=target.collector,
                fact=fact,
                field=None,
                asset=None,
                why=why,
                detail=detail,
                count=lost,
            )
    for source, fact in sorted(evidence.duplicated):
        yield GapRow(
            target=source,
            collector="",
            fact=fact,
            field=None,
            asset=None,
            why=GapWhy.CONFLICT,
            detail="the source gives some assets more than once; fields on which the rows differ are not known",
            count=1,
        )
    for kind in sorted(evidence.same.ambiguous):
        yield GapRow(
            target="",
            collector="",
            fact="Same",
            field="same_as",
            asset=None,
            why=GapWhy.CONFLICT,
            detail=f"which keys name one {kind} is ambiguous; its population stays open",
            count=1,
        )


def whys_told(targets: Iterable[ReadTarget]) -> dict[tuple[str, str], set[GapWhy]]:
    """Whys of the gaps that collecting sealed, by source and fact."""
    told: dict[tuple[str, str], set[GapWhy]] = {}
    for target in targets:
        for gap in target.gaps:
            told.setdefault((target.source, gap.fact), set()).add(gap.why)
    return told
