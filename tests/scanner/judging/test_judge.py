"""The same findings, digests and tallies come out however a population is cut for judging and counting."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import scanner.judging.evidence
import scanner.judging.judge
import scanner.judging.tally
from scanner.facts import Authenticators
from scanner.facts.identity import Authenticator
from scanner.institution.estate import Selector
from scanner.judging.evidence import Evidence, connect
from scanner.judging.judge import findings_digest
from scanner.model import Fact
from tests.scanner.laws import LAWS, Law
from tests.scanner.miniature import (
    AS_OF,
    FRESH,
    STALE,
    VOCABULARY,
    Said,
    Verdict,
    any_strong,
    estate,
    mfa,
    sign_in,
    user,
    verdict,
)

KEYS = [f"{number:02}" for number in range(23)]


def _cut(patch: pytest.MonkeyPatch, size: int) -> None:
    patch.setattr(scanner.judging.judge, "SLICE", size)
    patch.setattr(scanner.judging.judge, "ROWS", size)
    patch.setattr(scanner.judging.evidence, "ROWS", size)
    patch.setattr(scanner.judging.tally, "PLACES", 1 + size % 3)


def _methods(key: str, *methods: str) -> Authenticators:
    return Authenticators(
        asset=f"user:ad:{key}",
        observed_at=FRESH,
        methods=[Authenticator(method=method, usable=True) for method in methods],  # type: ignore[arg-type]
    )


def _said() -> dict[str, Said]:
    ad: list[Fact] = [user(key, enabled=key != "05") for key in KEYS]
    idp: list[Fact] = [
        sign_in(key, observed_at=STALE if key == "07" else FRESH, excluded=int(key) % 3 == 0) for key in KEYS[:-2]
    ]
    idp += [_methods(key, *(["fido2_bound"] if int(key) % 2 else ["sms"] * (int(key) % 4))) for key in KEYS]
    return {"ad": Said(ad), "idp": Said(idp)}


def _judged(folder: Path, use: object) -> Verdict:
    systems = {
        f"system-{number}": {"User": [Selector(listed=tuple(f"user:ad:{key}" for key in KEYS[number::3]))]}
        for number in range(5)
    }
    return verdict(folder, _said(), use, held=estate(systems))  # type: ignore[arg-type]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_every_law_holds_where_each_asset_is_judged_by_itself(
    law: Law, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _cut(monkeypatch, 1)

    assert law(tmp_path) is None


@pytest.mark.parametrize("use", [mfa, any_strong], ids=lambda use: use.id)
@pytest.mark.parametrize("size", [1, 2, 7, 23])
def test_cutting_changes_nothing(size: int, use: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = _judged(tmp_path / "whole", use)
    _cut(monkeypatch, size)
    cut = _judged(tmp_path / "cut", use)

    assert set(whole.outcomes.values()) > {"pass", "fail"}
    assert cut.outcomes == whole.outcomes
    assert cut.tallies == whole.tallies
    assert findings_digest(cut.judged) == findings_digest(whole.judged)


@pytest.mark.parametrize("order", [KEYS, KEYS[::-1], [*KEYS, "03"]], ids=["sorted", "reversed", "doubled"])
@pytest.mark.parametrize("size", [1, 5, 100])
def test_keys_are_counted_and_digested_whatever_the_order_of_rows(
    order: list[str], size: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = Said([user(key) for key in KEYS]).read("ad", tmp_path)
    path = tmp_path / "facts" / "User.parquet"
    with connect() as connection:
        names = ", ".join(f"('user:ad:{key}', {place})" for place, key in enumerate(order))
        connection.execute(
            f"COPY (SELECT said.* FROM read_parquet('{path}') AS said "
            f"JOIN (VALUES {names}) AS keys (asset, place) USING (asset) ORDER BY place) "
            f"TO '{tmp_path / 'other.parquet'}' (FORMAT parquet)"
        )
    (tmp_path / "other.parquet").replace(path)
    monkeypatch.setattr(scanner.judging.evidence, "ROWS", size)
    evidence = Evidence(connect(), [target], VOCABULARY, AS_OF)

    (census,) = target.censuses
    assert evidence.keys_digest(target, "User") == (census.n, census.digest)
    assert evidence.closed("ad", "User", timedelta(days=7))
    assert evidence.rows("ad", "User") is not None
    assert bool(evidence.duplicated) == (len(order) > len(KEYS))
