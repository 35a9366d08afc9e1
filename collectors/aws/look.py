"""One reading of one account: what may be asked, what was seen, what was lost, and which listings are whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from collectors.aws.recording import recorded
from collectors.aws.source import Source
from collectors.ports.aws import Answer, Operation
from scanner.errors import Malformed, ReadError
from scanner.facts import FACTS
from scanner.model import Capture, Census, Fact, Gap, GapWhy, Listing, Record, Target

KNOWN = {fact.__name__: fact for fact in FACTS}


class Asked(Protocol):
    """What answers: AWS itself, or a recording of it."""

    def ask(self, operation: Operation, region: str = "", **parameters: Any) -> Answer | None:
        """The whole answer, or None where there is none of the kind; raises ReadError."""

    def enter(self, role: str) -> AbstractContextManager[Asked]:
        """What answers with the rights of a role, by its ARN; that it refuses is told by the first call."""


@dataclass(frozen=True)
class Settings:
    """What the estate says of the target beyond its name."""

    home_region: str = "us-east-1"
    regions: tuple[str, ...] | None = None
    category_tag: str | None = None
    zone_tag: str | None = None
    sensitive_tag: str | None = None
    other_stores: str | None = None
    """``none``: the institution says that no service but S3 and EBS holds data."""
    other_logs: str | None = None
    """``none``: the institution says that no service but CloudTrail keeps logs."""
    organization_role: str | None = None
    """Name of the role by which every account of the organization is read; empty where the option is of no use."""

    @staticmethod
    def of(target: Target) -> Settings:
        """Settings from the options of a target; an option of the wrong type counts as not given."""

        def text(name: str) -> str | None:
            given = target.options.get(name)
            return given if isinstance(given, str) and given else None

        regions = target.options.get("regions")
        named = tuple(str(region) for region in regions) if isinstance(regions, (list, tuple)) else None
        role = text("organization_role")
        if role is None and "organization_role" in target.options:
            role = ""
        return Settings(
            home_region=text("home_region") or "us-east-1",
            regions=named,
            category_tag=text("category_tag"),
            zone_tag=text("zone_tag"),
            sensitive_tag=text("sensitive_tag"),
            other_stores=text("other_stores"),
            other_logs=text("other_logs"),
            organization_role=role,
        )


@dataclass
class Listings:
    """What was listed over all accounts, which listings are not whole, and what was said of all of them."""

    rows: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    open: set[str] = field(default_factory=set)
    said: set[Gap] = field(default_factory=set)


class Look:
    """Asks one account, keeps what was answered as captures, and remembers which listings are whole."""

    def __init__(
        self,
        asked: Asked,
        *,
        promised: frozenset[str],
        settings: Settings,
        now: Callable[[], datetime],
        listings: Listings | None = None,
        member: str = "",
    ) -> None:
        """``member`` is the number of the account where it is not the one that answers for the target itself."""
        self.settings = settings
        self.now = now
        self.begun = now()
        self.account = ""
        self.partition = "aws"
        self.regions: tuple[str, ...] = ()
        self.member = member
        self._asked = asked
        self._promised = promised
        self._listings = Listings() if listings is None else listings
        self._taken: list[Capture] = []

    @contextmanager
    def inside(self, member: str, role: str) -> Iterator[Look]:
        """The same look at another account, with a role of it by its ARN."""
        with self._asked.enter(role) as asked:
            yield Look(
                asked,
                promised=self._promised,
                settings=self.settings,
                now=self.now,
                listings=self._listings,
                member=member,
            )

    @property
    def home(self) -> str:
        """Key of the account."""
        return f"account:aws:{self.account}"

    def key(self, kind: str, name: str) -> str:
        """Key of an asset of the account."""
        return f"{kind}:aws-{self.account}:{name}"

    @property
    def promised(self) -> tuple[str, ...]:
        """Names of the promised fact types, sorted."""
        return tuple(sorted(self._promised))

    def wants(self, *facts: str) -> bool:
        """Whether any of the fact types was promised; nothing else is asked for."""
        return not self._promised.isdisjoint(facts)

    def ask(self, source: Source, region: str = "", **parameters: Any) -> Answer:
        """The answer; raises ReadError, Malformed where AWS says "none" of a thing that must be there."""
        answer = self.find(source, region, **parameters)
        if answer is None:
            raise Malformed("there is no answer, where there must be one")
        return answer

    def find(self, source: Source, region: str = "", **parameters: Any) -> Answer | None:
        """The answer, or None where AWS says that there is none; kept as a capture either way."""
        answer: Answer | ReadError | None
        try:
            answer = self._asked.ask(source.call, region, **parameters)
            if answer is not None:
                _sound(answer, source.call.lists)
        except ReadError as error:
            self._keep(recorded(source.call, region, parameters, error))
            raise
        self._keep(recorded(source.call, region, parameters, answer))
        return answer

    def _keep(self, capture: Capture) -> None:
        if self.member:
            capture = msgspec.structs.replace(capture, name=f"{self.member}/{capture.name}")
        self._taken.append(capture)

    def taken(self) -> Iterator[Capture]:
        """Captures since the last time; each is given once."""
        taken, self._taken = self._taken, []
        yield from taken

    def saw(self, *facts: Fact) -> Iterator[Record]:
        """The promised ones of these facts, noted in their listings."""
        for fact in facts:
            name = type(fact).__name__
            if name in self._promised:
                self._listings.rows[name].add(fact.asset)
                yield fact

    def lost(
        self, source: Source, error: ReadError, *, asset: str | None = None, region: str = "", only: str = ""
    ) -> Iterator[Gap]:
        """A gap, with the right that it takes, for everything that a failed call would have fed.

        ``only`` keeps to facts of that asset kind or of any.
        """
        where = f" in {region}" if region else ""
        whose = f"account {self.member}: " if self.member else ""
        detail = f"{whose}{source.call.permission}{where}: {error}"
        for fed in source.feeds:
            fact, _, field = fed.partition(".")
            if only and KNOWN[fact].kind not in {"*", only}:
                continue
            yield from self.gap(fact, error.why, detail, asset=asset, field=field or None)

    def gap(
        self, fact: str, why: GapWhy, detail: str, *, asset: str | None = None, field: str | None = None
    ) -> Iterator[Gap]:
        """One gap of a promised fact; without a field the row is missing and the listing stays open.

        What is said of no asset is said once, not again by every account of an organization.
        """
        if fact in self._promised:
            if field is None:
                self._listings.open.add(fact)
            gap = Gap(fact=fact, why=why, detail=detail, asset=asset, field=field)
            if asset is None:
                if gap in self._listings.said:
                    return
                self._listings.said.add(gap)
            yield gap

    def unsaid(self, fact: str, field: str, detail: str) -> Iterator[Gap]:
        """A field that this source never fills."""
        yield from self.gap(fact, GapWhy.UNSUPPORTED, detail, field=field)

    def censuses(self, queries: Mapping[str, str]) -> Iterator[Census]:
        """One census for each promised fact; complete where nothing of it was lost."""
        for name in sorted(self._promised):
            listing = Listing(KNOWN[name], queries.get(name, "rows of the account"))
            for key in self._listings.rows[name]:
                listing.add(key)
            yield listing.census(as_of=self.begun, complete=name not in self._listings.open)


def _sound(answer: Answer, lists: tuple[str, ...]) -> None:
    """Raise Malformed unless each of the lists is there and holds objects; aliases of the account are texts."""
    for name in lists:
        items = answer.get(name)
        kind = str if name == "AccountAliases" else Mapping
        if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
            raise Malformed(f"the answer has no sound list {name}")


def tags_of(given: object) -> dict[str, str]:
    """Tags by name from AWS's list of Key and Value; raises Malformed."""
    if given is None:
        return {}
    if not isinstance(given, list):
        raise Malformed("tags are no list")
    found = {}
    for tag in given:
        if not isinstance(tag, Mapping) or not isinstance(tag.get("Key"), str):
            raise Malformed("a tag has no Key")
        found[tag["Key"]] = text(tag, "Value") if tag.get("Value") != "" else ""
    return found


def tag_list(tags: Mapping[str, str]) -> list[str]:
    """Tags as facts write them: sorted ``name=value``."""
    return sorted(f"{name}={value}" for name, value in tags.items())


def instant(given: object) -> datetime:
    """A moment from RFC 3339 text; a time without a zone is UTC, as AWS has it; raises Malformed."""
    if not isinstance(given, str):
        raise Malformed(f"a time is missing, where one must stand ({given!r})")
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise Malformed(f"{given[:40]!r} is no time") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)


def items(holder: Mapping[str, Any], name: str, kind: type = Mapping, *, optional: bool = False) -> list[Any]:
    """A list of an answer, of objects unless another kind is named; an optional one may be left out.

    Raises Malformed for anything else: a list that is not there is not an empty one.
    """
    given = holder.get(name)
    if given is None and optional and name not in holder:
        return []
    if not isinstance(given, list) or not all(isinstance(item, kind) for item in given):
        raise Malformed(f"the answer has no sound list {name}")
    return given


def text(holder: Mapping[str, Any], name: str) -> str:
    """A non-empty text of an answer; raises Malformed."""
    given = holder.get(name) if isinstance(holder, Mapping) else None
    if not isinstance(given, str) or not given:
        raise Malformed(f"the answer has no {name}")
    return given
