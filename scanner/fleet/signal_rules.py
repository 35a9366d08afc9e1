"""Rules of the posture signal: data that say what a device must be, and three-valued reading of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from scanner.errors import ConfigurationError, Problem

Scalar = str | int | bool
LANGUAGES = ("zh-TW", "en")
DEFAULT = "signal_rules.toml"
SCHEMA_VERSIONS: Mapping[str, int] = {"software": 2}
"""The version of a section that is understood; 1 of every other."""
AHEAD = timedelta(days=1)
"""A moment that lies further in the future than clocks of hosts may, and should be past, is not believed."""
_FIELD = re.compile(r"([a-z][a-z0-9_]{0,47})\.([a-z][a-z0-9_]{0,63})(?:\[\]\.([a-z][a-z0-9_]{0,63}))?")


class Condition(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Something that is so, is not so, or is not known."""

    field: Annotated[str, msgspec.Meta(pattern=rf"^{_FIELD.pattern}$(?!\n)")]
    """SECTION.VALUE, or SECTION.LIST[].KEY for a value in each entry of a list."""
    operator: Literal["is", "is_not", "one_of", "at_least", "at_most", "within_days", "not_past"]
    value: Scalar | tuple[Scalar, ...] | None = None
    counts: Literal["every", "any"] = "every"
    """Of the entries of a list: each of them, and there must be one; or one of them."""
    where: dict[str, Scalar] = {}
    """Which entries of a list count: those whose keys have these values."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Section, value, and key or an empty text."""
        section, value, key = _FIELD.fullmatch(self.field).groups("")  # type: ignore[union-attr]
        return section, value, key

    def wrong(self) -> str:
        """What is wrong with it; empty where nothing is."""
        kind, value = self.operator, self.value
        fits = {
            "is": isinstance(value, Scalar),
            "is_not": isinstance(value, Scalar),
            "one_of": isinstance(value, tuple) and bool(value),
            "at_least": type(value) is int,
            "at_most": type(value) is int,
            "within_days": type(value) is int and 1 <= value <= 3650,
            "not_past": value is None,
        }
        if not fits[kind]:
            wanted = {
                "one_of": "a list with at least one value",
                "at_least": "a whole number",
                "at_most": "a whole number",
                "within_days": "a whole number of days from 1 to 3650",
                "not_past": "no value",
            }
            return f"operator {kind} takes {wanted.get(kind, 'a text, a whole number, true or false')}"
        if not self.place[2] and (self.where or self.counts != "every"):
            return "where and counts are for entries of lists: SECTION.LIST[].KEY"
        return ""


class Rule(Condition, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One thing that a device must be."""

    says: dict[str, Annotated[str, msgspec.Meta(min_length=1, max_length=300)]]
    """What is demanded, in zh-TW and in English."""
    when: Condition | None = None
    """For which devices; where that is not known, neither is the rule."""


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    version: Literal[1]
    rules: Annotated[
        dict[Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,63}$(?!\n)")], Rule],
        msgspec.Meta(min_length=1, max_length=64),
    ]


@dataclass(frozen=True)
class Rules:
    """All rules of one file, and the SHA-256 of its bytes in hex."""

    digest: str
    rules: Mapping[str, Rule]


@dataclass(frozen=True)
class Reading:
    """Whether a condition holds; None where that is not known, with a word for why.

    ``until`` is when time alone would change it, in ms since 1970.
    """

    holds: bool | None
    why: str = ""
    until: int | None = None


def load_rules(path: Path | None) -> Rules:
    """The rules of a file, or those that come with this version; raises ConfigurationError."""
    name = str(path or DEFAULT)
    try:
        content = path.read_bytes() if path else files("scanner.fleet").joinpath(DEFAULT).read_bytes()
    except OSError as error:
        raise _wrong(name, "", f"{error.strerror or error}", "correct signal.rules in fleet.toml") from error
    try:
        found = msgspec.toml.decode(content, type=_File)
    except msgspec.ValidationError as error:
        raise _wrong(name, "", str(error), "correct that key; see the guide to the signal") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise _wrong(name, "", f"it is no TOML: {error}", "correct that line") from error
    for rule_name, rule in found.rules.items():
        for key, condition in ((rule_name, rule), (f"{rule_name}.when", rule.when)):
            if condition is not None and (message := condition.wrong()):
                raise _wrong(name, f"rules.{key}", message, "correct that rule")
        if set(rule.says) != set(LANGUAGES):
            raise _wrong(name, f"rules.{rule_name}.says", "it is needed in zh-TW and en, and in nothing else", "add it")
    return Rules(hashlib.sha256(content).hexdigest(), found.rules)


def read(condition: Condition, sections: Mapping[str, Mapping[str, Any]], now: datetime) -> Reading:
    """Whether a condition holds of a posture: sections by name, as the server keeps them."""
    name, value, key = condition.place
    section = sections.get(name)
    if section is None:
        return Reading(None, "absent")
    if section["status"] != "seen":
        return Reading(None, str(section["status"]))
    if section["schema_version"] != SCHEMA_VERSIONS.get(name, 1):
        return Reading(None, "version")
    found = section["values"].get(value)
    if found is None:
        return Reading(None, _why(section, value))
    if not key:
        return _compared(condition, found, now)
    if not isinstance(found, Sequence) or not all(isinstance(entry, Mapping) for entry in found):
        return Reading(None, "unreadable")
    # A list is named as missing either for nulls in its entries, which stand for themselves, or for lack of entries.
    partial = value in section["missing"] and not any(None in entry.values() for entry in found)
    readings = [_entry(condition, entry, key, now) for entry in found]
    counting = [reading for reading in readings if reading is not None]
    if condition.counts == "any":
        return _any(counting, partial=partial)
    return _every(counting, partial=partial)


def _entry(condition: Condition, entry: Mapping[str, Any], key: str, now: datetime) -> Reading | None:
    """Of one entry; None where it does not count."""
    same = [_same(entry.get(name), value) for name, value in condition.where.items()]
    if False in same:
        return None
    reading = Reading(None, "missing") if entry.get(key) is None else _compared(condition, entry[key], now)
    if None in same and not (reading.holds and condition.counts == "every"):
        return Reading(None, "missing")
    return reading


def _every(readings: Sequence[Reading], *, partial: bool) -> Reading:
    for reading in readings:
        if reading.holds is False:
            return reading
    unknown = [reading for reading in readings if reading.holds is None]
    if unknown:
        return unknown[0]
    if partial:
        return Reading(None, "missing")
    if not readings:
        return Reading(None, "nothing")
    ends = [reading.until for reading in readings if reading.until is not None]
    return Reading(True, "", min(ends, default=None))


def _any(readings: Sequence[Reading], *, partial: bool) -> Reading:
    held = [reading for reading in readings if reading.holds]
    if held:
        forever = any(reading.until is None for reading in held)
        return Reading(True, "", None if forever else max(reading.until or 0 for reading in held))
    unknown = [reading for reading in readings if reading.holds is None]
    if unknown:
        return unknown[0]
    return Reading(None, "missing") if partial else Reading(False)


def _compared(condition: Condition, found: Any, now: datetime) -> Reading:
    wanted = condition.value
    match condition.operator:
        case "is":
            return _reading(_same(found, wanted))
        case "is_not":
            same = _same(found, wanted)
            return _reading(None if same is None else not same)
        case "one_of" if isinstance(wanted, tuple):
            same_as = [_same(found, each) for each in wanted]
            return _reading(True if True in same_as else None if all(each is None for each in same_as) else False)
        case "at_least" | "at_most" if type(found) is int and isinstance(wanted, int):
            return Reading(found >= wanted if condition.operator == "at_least" else found <= wanted)
        case "within_days" if isinstance(wanted, int) and (moment := _moment(found)):
            end = moment + timedelta(days=wanted)
            return Reading(None, "unreadable") if moment > now + AHEAD else Reading(now <= end, "", _ms(end))
        case "not_past" if moment := _moment(found):
            return Reading(now <= moment, "", _ms(moment))
    return Reading(None, "unreadable")


def _reading(holds: bool | None) -> Reading:
    return Reading(holds, "unreadable" if holds is None else "")


def _same(found: Any, wanted: Any) -> bool | None:
    """Whether two values are equal; None where they are not of one kind, or nothing was seen."""
    return bool(found == wanted) if type(found) is type(wanted) else None


def _moment(found: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(found) if isinstance(found, str) else None
        # Far years have no timestamp, and nothing can be added to the last of them.
        return moment if moment and moment.tzinfo and 1970 < moment.year < 9000 else None
    except ValueError:
        return None


def _why(section: Mapping[str, Any], value: str) -> str:
    why = section["missing"].get(value)
    return str(why["status"]) if why else "missing"


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _wrong(file: str, key: str, message: str, hint: str) -> ConfigurationError:
    return ConfigurationError([Problem(file, None, key, message, hint)])
