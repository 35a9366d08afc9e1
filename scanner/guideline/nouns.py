"""The nouns of a guideline: requirements, items, levels, scenes, and the baseline that holds them; no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from scanner.errors import UnknownName
from scanner.model import Effort, Impact, Level, Pillar, RequirementKind, Scene, ServiceModel, Text, utc

NOT_SEEN = Text(zh_tw="（未取得）", en="(not seen)")
"""What a sentence says for null."""
NAME_IN_SENTENCE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A name of what a check shows, as a sentence refers to it."""


@dataclass(frozen=True)
class Requirement:
    """One thing that must be so. ``address`` is ``1-1/mfa-enforced``, or ``II/protect-surface`` for a gate."""

    address: str
    slug: str
    kind: RequirementKind
    says: Text
    fix: Text
    check: str | None = None
    """Id of the check; None for documents and for a choice of branches."""
    need: float = 1.0
    """Share of the population that must pass, above 0 and up to 1."""
    max_age: timedelta = timedelta(0)
    """How old evidence may be at the moment of assessment, or the event of a drill; zero where nothing is stated."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    because: Text | None = None
    """Sentence about one asset with ``{name}`` for what the check shows."""
    asks: Text | None = None
    """What the document must state; None for checks."""
    branches: tuple[Requirement, ...] = ()
    reviews: int = 0
    """How many reviews must lie within the period; zero where the baseline states none and one entry decides."""
    within: timedelta = timedelta(0)
    """The period, ending at the moment of assessment, in which they are counted."""
    sample_need: float = 0.0
    """Share that a sample behind the document must prove; zero where the baseline states none and the entry does."""
    sample_confidence: float = 0.0
    """With which confidence; zero where the baseline states none."""
    effort: Effort | None = None
    """What it takes to meet it; None where the baseline does not say. No verdict depends on it."""
    impact: Impact | None = None
    """What users and operations notice when it is met; stated together with the effort."""

    def walk(self) -> Iterator[Requirement]:
        """This requirement, then its branches."""
        yield self
        for branch in self.branches:
            yield from branch.walk()


@dataclass(frozen=True)
class Item:
    """One item of the guideline and what it asks for here."""

    id: str
    pillar: Pillar
    level: Level
    function: Text
    title: Text
    says: Text
    fix: Text
    provenance: str
    listed: Mapping[ServiceModel, bool] | None
    """What the cloud matrix states for each service model; None where it does not name the item."""
    exercised: bool
    """It promises an action, so configuration alone never meets it."""
    requires: tuple[Requirement, ...]
    note: Text | None = None

    def applicable(self, scene: Scene, service_model: ServiceModel) -> bool:
        """Whether the item concerns such a system; only the matrix of the cloud scene can say no."""
        if scene is not Scene.CLOUD_ACCESS or self.listed is None:
            return True
        return self.listed.get(service_model, True)


@dataclass(frozen=True)
class LevelText:
    """What a level is about."""

    title: Text
    says: Text
    provenance: str


@dataclass(frozen=True)
class SceneText:
    """When a system belongs to a scene; ``worked`` are cases with their verdict."""

    title: Text
    rule: Text
    provenance: str
    worked: tuple[Text, ...] = ()
    note: Text | None = None


@dataclass(frozen=True)
class Baseline:
    """A guideline as data, proved against the checks that it uses."""

    id: str
    version: str
    digest: str
    """SHA-256 over the names and digests of ``files``."""
    files: Mapping[str, bytes]
    """Every file it was read from; those of the baseline it extends stand under ``extends/``."""
    title: Text
    source: Text
    items: Mapping[str, Item]
    gates: Mapping[Level, tuple[Requirement, ...]]
    rule_version: str
    words: Mapping[str, Text]
    """Words for values that a sentence may name."""
    extends: str | None
    guideline: str
    """Id of the baseline at the end of the chain of ``extends``; documents are signed for it."""
    pillars: Mapping[Pillar, Text]
    levels: Mapping[Level, LevelText]
    scenes: Mapping[Scene, SceneText]
    provenance: Mapping[str, Text]
    rule: Text
    """How levels follow from items, and whose rule that is."""
    matrix: Text
    """What the cloud matrix means and how unlisted items are treated."""

    def requirements(self) -> Iterator[Requirement]:
        """Every requirement of every item, then of every gate, branches included."""
        for item in self.items.values():
            for requirement in item.requires:
                yield from requirement.walk()
        for gate in self.gates.values():
            for requirement in gate:
                yield from requirement.walk()

    def requirement(self, address: str) -> Requirement:
        """The requirement at an address, branches included; raises UnknownName."""
        known = {requirement.address: requirement for requirement in self.requirements()}
        if address not in known:
            raise UnknownName("requirement", address, known)
        return known[address]

    def say(self, value: object) -> Text:
        """A value in words: null as not seen, words of enums and Booleans from the baseline, times in UTC."""
        match value:
            case None:
                return NOT_SEEN
            case bool():
                return self.words.get(str(value).lower(), Text(zh_tw=str(value), en=str(value)))
            case list() | tuple():
                parts = [self.say(part) for part in value]
                if not parts:
                    return self.words.get("empty", Text(zh_tw="[]", en="[]"))
                return Text(zh_tw="、".join(part.zh_tw for part in parts), en=", ".join(part.en for part in parts))
            case datetime():
                moment = (utc(value) if value.tzinfo else value).strftime("%Y-%m-%d %H:%M UTC")
                return Text(zh_tw=moment, en=moment)
            case str():
                return self.words.get(value, Text(zh_tw=value, en=value))
            case _:
                return Text(zh_tw=str(value), en=str(value))

    def sentence(self, requirement: Requirement, shown: Mapping[str, object]) -> Text | None:
        """Why one asset stands as it does, from what its check shows; None where the requirement has no sentence."""
        if requirement.because is None:
            return None
        said = {name: self.say(value) for name, value in shown.items()}
        return Text(
            zh_tw=NAME_IN_SENTENCE.sub(lambda found: said.get(found[1], NOT_SEEN).zh_tw, requirement.because.zh_tw),
            en=NAME_IN_SENTENCE.sub(lambda found: said.get(found[1], NOT_SEEN).en, requirement.because.en),
        )
