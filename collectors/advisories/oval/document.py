"""What one OVAL document says, as plain records that point at one another by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from collectors.advisories.feed import release_of
from collectors.advisories.oval.element import Element, items
from collectors.advisories.severity import Severity, of_vector, of_word, worse
from scanner.errors import Malformed

_PLATFORM = re.compile(r"([A-Za-z][A-Za-z/ ]{1,40}?) ([0-9]{1,4}(?:\.[0-9]{1,4})?)(?: .{0,40})?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9:._-]{2,63}")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,10}")
_ADVISORY = re.compile(r"[A-Z]{2,8}-[0-9]{2,6}[:-][0-9]{1,8}(?:-[0-9]{1,4})?")
_OVAL_ID = re.compile(r"oval:[A-Za-z0-9_.-]{1,128}:def:[1-9][0-9]{0,63}")
_DAY = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:[ T].{0,32})?")
_NO_DEMANDS = frozenset({"behaviors", "notes", "Signature"})
_TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}


@dataclass(frozen=True, slots=True)
class Reference:
    """A test, or another definition, whose result counts; ``negate`` None where nobody knows what is meant."""

    to: str
    negate: bool | None
    definition: bool


@dataclass(frozen=True, slots=True)
class Criteria:
    """Parts under one operator."""

    operator: str
    negate: bool | None
    parts: tuple[Criteria | Reference | None, ...]
    """None for a part of a kind that is not known."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition: of what it speaks, and when it is true."""

    id: str
    kind: str
    flaw: str
    """The one CVE that it is about; else the advisory that it stands for."""
    severity: Severity | None
    published: datetime | None
    releases: tuple[str, ...]
    criteria: Criteria | None


@dataclass(frozen=True, slots=True)
class Test:
    """One test, as it stands."""

    kind: str
    check: str
    existence: str
    operator: str
    object: str
    states: tuple[str, ...]


class Entity(NamedTuple):
    """One demand of an object or a state: of which property, by which operation, and which value."""

    name: str
    operation: str
    text: str
    variable: str
    """A variable whose values stand in place of the text; empty where there is none."""
    check: str


class Item(NamedTuple):
    """An object or a state, as it stands."""

    kind: str
    operator: str
    entities: tuple[Entity, ...]


class Captured(NamedTuple):
    """A variable that is a literal, followed by what a pattern captures of a property of an object."""

    literal: str
    pattern: str
    object: str
    property: str


@dataclass
class Document:
    """A document, read to its end."""

    as_of: datetime
    definitions: list[Definition] = field(default_factory=list)
    tests: dict[str, Test] = field(default_factory=dict)
    objects: dict[str, Item] = field(default_factory=dict)
    states: dict[str, Item] = field(default_factory=dict)
    variables: dict[str, tuple[str, ...] | Captured] = field(default_factory=dict)
    """Those that are constant, or captured; others are left out."""


def read(pieces: Iterable[bytes], name: str) -> Document:
    """The document; raises Malformed, naming what is wrong."""
    as_of: datetime | None = None
    document = Document(datetime.fromtimestamp(0, UTC))
    named: dict[str, str] = {}
    for section, item in items(pieces, name):
        id = item.attributes.get("id", "")
        match section:
            case "generator" if item.name == "timestamp":
                as_of = _timestamp(item.text, name)
            case "definitions" if item.name == "definition":
                if item.attributes.get("deprecated") not in {"true", "1"}:
                    document.definitions.append(_definition(item, name, named))
            case "tests":
                document.tests[named.setdefault(id, id)] = _test(item, named)
            case "objects":
                document.objects[named.setdefault(id, id)] = _item(item, named)
            case "states":
                document.states[named.setdefault(id, id)] = _item(item, named)
            case "variables" if (variable := _variable(item, named)) is not None:
                document.variables[named.setdefault(id, id)] = variable
    if as_of is None:
        raise Malformed(f"{name}: its generator states no timestamp, so nobody knows how old it is; get the file anew")
    document.as_of = as_of
    return document


def _timestamp(text: str, name: str) -> datetime:
    """Ubuntu and Red Hat write the time in UTC and leave the zone out."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Malformed(f"{name}: timestamp {text[:40]!r} of its generator is no time; get the file anew") from error


def _definition(item: Element, name: str, named: dict[str, str]) -> Definition:
    id = item.attributes.get("id", "")
    if not _OVAL_ID.fullmatch(id):
        raise Malformed(f"{name}: a definition is called {id[:64]!r}, which is no name of OVAL; get the file anew")
    criteria = next((each for each in item.inside if each.name == "criteria"), None)
    return Definition(
        id=named.setdefault(id, id),
        kind=item.attributes.get("class", ""),
        flaw=_flaw(item, id),
        severity=_severity(item),
        published=_published(item),
        releases=tuple(sorted({release for each in item.all("platform") if (release := _release(each.text))})),
        criteria=None if criteria is None else _criteria(criteria, named),
    )


def _flaw(item: Element, id: str) -> str:
    named = [each.attributes.get("ref_id", "") for each in item.all("reference")]
    flaws = {each for each in named if _CVE.fullmatch(each)}
    if len(flaws) == 1:
        return flaws.pop()
    advisories = [each for each in named if _NAME.fullmatch(each) and not _CVE.fullmatch(each)]
    titled = (_ADVISORY.match(each.text) for each in item.all("title"))
    return next(iter(advisories), "") or next((found[0] for found in titled if found), id)


def _severity(item: Element) -> Severity | None:
    """The gravest that is said of it: by the advisory's word, and by word and vector of each flaw in it."""
    found: Severity | None = None
    for each in item.all("severity"):
        found = worse(found, of_word(each.text))
    for each in item.all("cve"):
        said = each.attributes
        vector = said.get("cvss_vector") or said.get("cvss3", "").partition("/")[2]
        found = worse(found, worse(of_vector(vector), of_word(said.get("priority", "") or said.get("impact", ""))))
    return found


def _published(item: Element) -> datetime | None:
    """The day of the advisory; of a definition without one, the day at which its flaw became known."""
    for day in (
        *(each.attributes.get("date", "") for each in item.all("issued")),
        *(each.text for each in item.all("public_date")),
        *(each.text for each in item.all("date")),
    ):
        if (found := _day(day)) is not None:
            return found
    known = [_day(each.attributes.get("public", "")) for each in item.all("cve")]
    return known[0] if len(known) == 1 else None


def _day(text: str) -> datetime | None:
    found = _DAY.fullmatch(text)
    try:
        return None if found is None else datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC)
    except ValueError:
        return None


def _release(platform: str) -> str | None:
    found = _PLATFORM.fullmatch(platform)
    return None if found is None else release_of(found[1], found[2])


def _criteria(item: Element, named: dict[str, str]) -> Criteria:
    parts: list[Criteria | Reference | None] = []
    for each in item.inside:
        match each.name:
            case "criteria":
                parts.append(_criteria(each, named))
            case "criterion":
                to = each.attributes.get("test_ref", "")
                parts.append(Reference(named.setdefault(to, to), _negate(each), definition=False))
            case "extend_definition":
                to = each.attributes.get("definition_ref", "")
                parts.append(Reference(named.setdefault(to, to), _negate(each), definition=True))
            case _:
                parts.append(None)
    return Criteria(item.attributes.get("operator", "AND"), _negate(item), tuple(parts))


def _negate(item: Element) -> bool | None:
    return _TRUTH.get(item.attributes.get("negate", ""))


def _test(item: Element, named: dict[str, str]) -> Test:
    def referred(what: str) -> tuple[str, ...]:
        ids = [each.attributes.get(f"{what}_ref", "") for each in item.inside if each.name == what]
        return tuple(named.setdefault(id, id) for id in ids)

    return Test(
        kind=item.name,
        check=item.attributes.get("check", ""),
        existence=item.attributes.get("check_existence", "at_least_one_exists"),
        operator=item.attributes.get("state_operator", "AND"),
        object=next(iter(referred("object")), ""),
        states=referred("state"),
    )


def _item(item: Element, named: dict[str, str]) -> Item:
    entities = []
    for each in item.inside:
        if each.name in _NO_DEMANDS:
            continue
        said = each.attributes
        variable = said.get("var_ref", "")
        operation = said.get("operation", "equals") if not each.inside else ""
        entities.append(
            Entity(each.name, operation, each.text, named.setdefault(variable, variable), said.get("var_check", ""))
        )
    return Item(item.name, item.attributes.get("operator", "AND"), tuple(entities))


def _variable(item: Element, named: dict[str, str]) -> tuple[str, ...] | Captured | None:
    match item:
        case Element(name="constant_variable"):
            texts = (each.text for each in item.inside if each.name == "value")
            return tuple(named.setdefault(text, text) for text in texts)
        case Element(
            name="local_variable",
            inside=[
                Element(
                    name="concat",
                    inside=[
                        Element(name="literal_component", text=literal),
                        Element(
                            name="regex_capture",
                            attributes={"pattern": pattern},
                            inside=[
                                Element(
                                    name="object_component", attributes={"object_ref": object, "item_field": property}
                                )
                            ],
                        ),
                    ],
                )
            ],
        ):
            return Captured(literal, pattern, object, property)
    return None
