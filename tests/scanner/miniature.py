"""A miniature institution in memory: a few sources, a few facts, one or two systems; for tests of the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from scanner.column import Check, Claim, Subject, check, fields_of
from scanner.facts import FACTS, Authenticators, SignIn, User
from scanner.grading.grade import Tally
from scanner.institution.nouns import Caps, Estate, Selector, System
from scanner.judging.evidence import Evidence, ReadTarget, sql_type
from scanner.judging.judge import Judged, Use, judge
from scanner.judging.population import Population
from scanner.judging.scope import Membership, Scope, listed_keys
from scanner.judging.tally import count
from scanner.model import (
    Census,
    Fact,
    Level,
    Outcome,
    Scene,
    ServiceModel,
    Text,
    keys_digest,
    promised_facts,
    promised_fields,
)
from tests.engine import session

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
FRESH = AS_OF - timedelta(days=1)
STALE = AS_OF - timedelta(days=30)
WEEK = timedelta(days=7)
VOCABULARY: Mapping[str, type[Fact]] = {fact.__name__: fact for fact in FACTS}


@check(over=User, id="miniature.mfa")
def mfa(user: Subject, *, modes: list[str]) -> Claim:
    """A second factor is enforced."""
    return Claim(
        applies=user.enabled,
        holds=user[SignIn].mfa.is_in(modes) & ~user[SignIn].excluded,
        shows={"mfa": user[SignIn].mfa, "excluded": user[SignIn].excluded},
    )


@check(over=User, id="miniature.strong")
def strong(user: Subject) -> Claim:
    """Every usable method is strong."""
    methods = user[Authenticators].methods
    return Claim(applies=user.enabled, holds=methods.all(lambda m: ~m.usable | (m.method == "fido2_bound")))


@check(over=User, id="miniature.strong_or_none")
def strong_or_none(user: Subject) -> Claim:
    """Every usable method is strong, or there is none."""
    methods = user[Authenticators].methods
    return Claim(applies=user.enabled, holds=methods.all(lambda m: ~m.usable | (m.method == "fido2_bound"), empty=True))


@check(over=User, id="miniature.any_strong")
def any_strong(user: Subject) -> Claim:
    """One method at least is strong."""
    methods = user[Authenticators].methods
    return Claim(applies=user.enabled, holds=methods.any(lambda m: m.method == "fido2_bound"))


def text(words: str) -> Text:
    """The same words in both languages."""
    return Text(zh_tw=words, en=words)


def user(key: str, *, observed_at: datetime = FRESH, **fields: Any) -> User:
    """A User fact, enabled unless said otherwise."""
    return User(asset=f"user:ad:{key}", observed_at=observed_at, **{"enabled": True, **fields})


def sign_in(key: str, *, observed_at: datetime = FRESH, **fields: Any) -> SignIn:
    """A SignIn fact that passes unless said otherwise."""
    return SignIn(asset=f"user:ad:{key}", observed_at=observed_at, **{"mfa": "enforced", "excluded": False, **fields})


@dataclass
class Said:
    """What one target said, and what it states about completeness; ``open`` names facts without a census."""

    facts: Sequence[Fact]
    promises: Iterable[str] = ()
    open: frozenset[str] = frozenset()
    censuses: Sequence[Census] | None = None
    source: str | None = None
    complete: bool = True
    listed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Keys that the census of a fact names instead of those of the rows."""

    def read(self, name: str, folder: Path) -> ReadTarget:
        """Write the facts as Parquet and state the censuses."""
        by_fact: dict[str, list[Fact]] = {}
        for fact in self.facts:
            by_fact.setdefault(type(fact).__name__, []).append(fact)
        said = frozenset(self.promises) or frozenset(by_fact)
        promises = promised_facts(said)
        for fact_name, rows in by_fact.items():
            write_parquet(VOCABULARY[fact_name], rows, folder / "facts" / f"{fact_name}.parquet")
        censuses = self.censuses
        if censuses is None:
            censuses = [
                census(fact_name, self.listed.get(fact_name, [row.asset for row in by_fact.get(fact_name, [])]))
                for fact_name in sorted(promises - self.open)
            ]
        return ReadTarget(
            target=name,
            source=self.source or name,
            collector="import",
            promises=promises,
            fields=promised_fields(said),
            folder=folder,
            root=keys_digest([name]),
            complete=self.complete,
            facts={fact_name: len(rows) for fact_name, rows in by_fact.items()},
            censuses=censuses,
        )


def census(fact: str, keys: Iterable[str], *, as_of: datetime = FRESH, complete: bool = True) -> Census:
    """A census that names its keys."""
    distinct = tuple(sorted(set(keys)))
    return Census(
        fact=fact,
        query="all",
        as_of=as_of,
        complete=complete,
        n=len(distinct),
        digest=keys_digest(distinct),
        keys=distinct,
    )


def write_parquet(fact: type[Fact], rows: Sequence[Fact], path: Path) -> None:
    """Rows of one fact type as the store lays them out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.with_suffix(".ndjson")
    lines.write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
    columns = ", ".join(f"'{name}': '{sql_type(info)}'" for name, info in fields_of(fact).items())
    with session() as connection:
        connection.execute(
            f"COPY (SELECT * FROM read_json('{lines}', format = 'newline_delimited', columns = {{{columns}}}) "
            f"ORDER BY asset) TO '{path}' (FORMAT parquet)"
        )


def estate(
    systems: Mapping[str, Mapping[str, Sequence[Selector]]] | None = None,
    *,
    populations: Mapping[str, tuple[str, ...]] | None = None,
    precedence: Mapping[str, tuple[str, ...]] | None = None,
) -> Estate:
    """An estate of systems in the remote_work scene; one system that holds every user unless said otherwise."""
    systems = systems if systems is not None else {"core": {"User": [Selector(everything=True)]}}
    return Estate(
        path=Path("estate.toml"),
        digest="0" * 64,
        files={},
        institution_id="mini",
        institution_name=text("Mini"),
        targets={},
        credentials={},
        populations=populations or {},
        precedence=precedence or {},
        systems={
            name: System(
                name,
                text(name),
                (Scene.REMOTE_WORK,),
                ServiceModel.ON_PREMISES,
                Level.II,
                {population: tuple(selectors) for population, selectors in members.items()},
                {},
            )
            for name, members in systems.items()
        },
        approvers={},
        registers=Path("registers"),
        caps=Caps(),
    )


@dataclass
class Verdict:
    """What judging and counting gave for one use."""

    judged: Judged
    tallies: Mapping[str, Tally]
    """By system."""
    membership: Membership

    @property
    def tally(self) -> Tally:
        """The tally of the only system."""
        (only,) = self.tallies.values()
        return only

    @property
    def outcomes(self) -> dict[str, str]:
        """Outcome by last part of the asset key."""
        (use,) = self.judged.uses
        rows = self.judged.population.evidence.connection.execute(
            f'SELECT asset, "{use.id}" FROM {self.judged.table}'
        ).fetchall()
        return {asset.rsplit(":", 1)[1]: list(Outcome)[code].value for asset, code in rows}


def verdict(
    folder: Path,
    said: Mapping[str, Said],
    use: Check[Any] = mfa,
    *,
    held: Estate | None = None,
    max_age: timedelta = WEEK,
    defined_by: tuple[str, ...] | None = None,
    **parameters: Any,
) -> Verdict:
    """Judge one use over what the sources said and count it per system."""
    if use is mfa and not parameters:
        parameters = {"modes": ["enforced"]}
    held = held or estate()
    targets = [one.read(name, folder / name) for name, one in said.items()]
    evidence = Evidence(session(), targets, VOCABULARY, AS_OF)
    population = Population(
        User,
        defined_by or tuple(held.populations.get("User") or evidence.promising("User")),
        evidence,
        listed_keys(held, "User", "user"),
    )
    wanted = Use(use, parameters, max_age)
    judged = judge(population, [wanted], AS_OF, held.precedence)
    membership = Membership(held, evidence, timedelta(days=30))
    membership.build(population)
    counts = count(judged, membership)
    scopes: Sequence[Scope] = membership.scopes
    return Verdict(judged, {scope.system: counts.of(wanted, scope) for scope in scopes}, membership)


def without(said: Mapping[str, Said], source: str, **changes: Any) -> dict[str, Said]:
    """The same sources with one of them changed."""
    return {name: replace(one, **changes) if name == source else one for name, one in said.items()}
