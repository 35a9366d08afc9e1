"""Reads requirements and proves each against the check that it uses."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from scanner.column import Built, Check, ClaimError
from scanner.errors import nearest
from scanner.guideline.nouns import NAME_IN_SENTENCE, Requirement
from scanner.institution.toml_lines import KeyPath
from scanner.institution.toml_source import Table
from scanner.model import Effort, Impact, RequirementKind, Text
from scanner.sampling.sample import LEAST_CONFIDENCE, MOST_CONFIDENCE

PROOF_AT = datetime(2024, 7, 15, tzinfo=UTC)
"""Any fixed moment does: a claim is built at it once, only to prove that it can be built."""

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_AGE = re.compile(r"([1-9]\d*)([dh])")


class _Replaced(Table):
    """A table some of whose keys are given by another one, of another file; problems are told where the key stands."""

    def __init__(self, below: Table, above: Table) -> None:
        super().__init__(below.source, below.path, {**below.data, **above.data}, below.problems)
        self._above = above
        self._below = below
        below.words()
        above.words()

    def problem(self, keys: str | int | KeyPath, message: str, hint: str = "") -> None:
        path = keys if isinstance(keys, tuple) else (keys,)
        owner = self._above if path and path[0] in self._above.data else self._below
        owner.problem(keys, message, hint)

    def _child(self, path: KeyPath, data: Mapping[str, Any]) -> Table:
        child = (self._above if path[0] in self._above.data else self._below)._child(path, data)
        self._children.append(child)
        return child


class RequirementReader:
    """Reads the requirements of one baseline.

    ``words`` are those a sentence may use; ``replaced`` holds, by address, tables whose keys win, the strongest last.
    ``addresses`` grows by every requirement read.
    """

    def __init__(
        self, checks: Mapping[str, Check[Any]], words: Mapping[str, Text], replaced: Mapping[str, Sequence[Table]]
    ) -> None:
        self.checks = checks
        self.words = words
        self.replaced = replaced
        self.addresses: set[str] = set()

    def read(self, table: Table, owner: str) -> tuple[Requirement, ...]:
        """The requirements of a table, in order; ``owner`` is the item or level that their addresses begin with."""
        rows = table.expect_tables("requires", required=False)
        return tuple(found for row in rows if (found := self._requirement(row, owner)))

    def _requirement(self, row: Table, owner: str) -> Requirement | None:
        slug = row.expect_str("slug")
        address = f"{owner}/{slug}"
        if slug and not _SLUG.fullmatch(slug):
            row.problem("slug", f"is {slug!r}", "expected lower-case words joined by hyphens")
        if slug and address in self.addresses:
            row.problem("slug", f"{address} stands there twice")
        self.addresses.add(address)
        table = row
        for layer in self.replaced.get(address, ()):
            table = _Replaced(table, layer)
        found = self._of_kind(table, owner, address, slug)
        if table is not row:
            table.expect_str("slug")
            table.close()
        return found

    def _of_kind(self, table: Table, owner: str, address: str, slug: str) -> Requirement | None:
        chosen = [kind for kind in RequirementKind if kind.value in table]
        if len(chosen) != 1:
            found = " and ".join(chosen) or "no kind of requirement"
            table.problem((), f"has {found}", f"expected exactly one of {', '.join(RequirementKind)}")
            table.words()
            return None
        (kind,) = chosen
        effort, impact = self._cost(table, kind)
        plain = Requirement(
            address,
            slug,
            kind,
            table.expect_text("says"),
            table.expect_text("fix"),
            effort=effort,
            impact=impact,
        )
        if kind is not RequirementKind.CHECK:
            plain = self._over_time(table, plain)
        if kind is RequirementKind.CHECK:
            return self._check(table, plain)
        if kind is RequirementKind.ANY_OF:
            rows = table.expect_tables("any_of")
            if len(rows) < 2:
                table.problem("any_of", f"has {len(rows)} branches", "expected two or more")
            branches = tuple(branch for row in rows if (branch := self._requirement(row, owner)))
            return dataclasses.replace(plain, branches=branches)
        if not table.expect_bool(kind.value):
            table.problem(kind.value, "is not true", "leave the key out or say true")
        return dataclasses.replace(self._by_sample(table, plain), asks=table.expect_text("asks"))

    @staticmethod
    def _by_sample(table: Table, plain: Requirement) -> Requirement:
        """The document with what a sample behind it must prove, where the baseline says so."""
        if plain.kind is RequirementKind.DRILL or not ("sample_need" in table or "sample_confidence" in table):
            return plain
        need = table.expect_float("sample_need", minimum=0.01, maximum=1.0)
        least, most = float(LEAST_CONFIDENCE), float(MOST_CONFIDENCE)
        confidence = table.expect_float("sample_confidence", minimum=least, maximum=most)
        return dataclasses.replace(plain, sample_need=need, sample_confidence=confidence)

    def _over_time(self, table: Table, plain: Requirement) -> Requirement:
        """The requirement with what it says of time: how recent a drill is, how many reviews lie within a period."""
        max_age, reviews, within = timedelta(0), 0, timedelta(0)
        if plain.kind is RequirementKind.DRILL and "max_age" in table:
            max_age = self._span(table, "max_age")
        if plain.kind is RequirementKind.REVIEW and ("reviews" in table or "within" in table):
            reviews, within = table.expect_int("reviews", minimum=1), self._span(table, "within")
            if within < timedelta(days=1) and "within" in table:
                table.problem("within", "expected one day at least", "expected a form like 365d")
        stated = {"reviews": reviews, "days": (max_age or within).days}
        filled = self._fill(table, plain, {name: value for name, value in stated.items() if value})
        return dataclasses.replace(filled, max_age=max_age, reviews=reviews, within=within)

    @staticmethod
    def _cost(table: Table, kind: RequirementKind) -> tuple[Effort | None, Impact | None]:
        """What meeting the requirement costs, where the baseline says so: both words or neither."""
        stated = [key for key in ("effort", "impact") if key in table]
        if not stated:
            return None, None
        effort, impact = table.expect_enum("effort", Effort), table.expect_enum("impact", Impact)
        if kind is RequirementKind.ANY_OF:
            table.problem(stated[0], "a choice costs what its branches cost", "state it for each branch")
        return effort, impact

    def _check(self, table: Table, plain: Requirement) -> Requirement | None:
        need = table.expect_float("need", 1.0, maximum=1.0)
        if need <= 0:
            table.problem("need", f"is {need}", "expected a share above 0 and up to 1")
        max_age = self._span(table, "max_age")
        because = text_or_none(table, "because")
        name = table.expect_word("check", self.checks, what="check")
        if name not in self.checks:
            table.words()
            return None
        known = self.checks[name]
        parameters = self._parameters(table, known)
        built = self._built(table, known, parameters) if len(parameters) == len(known.parameters) else None
        if built and because:
            self._sentence(table, because, built)
        return dataclasses.replace(
            self._fill(table, plain, {**parameters, "need": f"{need * 100:g}%"}),
            check=name,
            need=need,
            max_age=max_age,
            parameters=MappingProxyType(parameters),
            because=because,
        )

    @staticmethod
    def _fill(table: Table, plain: Requirement, values: Mapping[str, Any]) -> Requirement:
        """The requirement with ``{parameter}`` and ``{need}`` in its words replaced by what this baseline demands."""
        filled: dict[str, Any] = {}
        for key, text in (("says", plain.says), ("fix", plain.fix)):
            for language, sentence in (("zh-TW", text.zh_tw), ("en", text.en)):
                for name in NAME_IN_SENTENCE.findall(sentence):
                    if not isinstance(values.get(name), int | str):
                        numbers = [known for known, value in values.items() if isinstance(value, int | str)]
                        table.problem((key, language), f"no number {name!r} stands here{nearest(name, numbers)}")
            filled[key] = Text(
                zh_tw=NAME_IN_SENTENCE.sub(lambda found: str(values.get(found[1])), text.zh_tw),
                en=NAME_IN_SENTENCE.sub(lambda found: str(values.get(found[1])), text.en),
            )
        return dataclasses.replace(plain, **filled)

    @staticmethod
    def _span(table: Table, key: str) -> timedelta:
        value = table.expect_str(key)
        age = _AGE.fullmatch(value)
        if age is None:
            if value:
                table.problem(key, f"is {value!r}", "expected a form like 7d or 24h")
            return timedelta(0)
        return timedelta(days=int(age[1])) if age[2] == "d" else timedelta(hours=int(age[1]))

    @staticmethod
    def _parameters(table: Table, known: Check[Any]) -> dict[str, Any]:
        """The check's parameters as far as the table gives them rightly."""
        parameters: dict[str, Any] = {}
        for name, kind in known.parameters.items():
            value = table.expect_raw(name)
            if name not in table:
                table.problem((), f"{name!r} is missing", f"{known.id} needs it")
                continue
            try:
                parameters[name] = msgspec.convert(value, kind)
            except msgspec.ValidationError as error:
                table.problem(name, f"{value!r} does not suit {known.id}", str(error))
        return parameters

    @staticmethod
    def _built(table: Table, known: Check[Any], parameters: Mapping[str, Any]) -> Built | None:
        try:
            return known.build(PROOF_AT, parameters)
        except ClaimError as error:
            table.problem("check", f"{known.id} cannot be used so: {error}")
            return None

    def _sentence(self, table: Table, because: Text, built: Built) -> None:
        """Whether a sentence names only what the check shows, and every value that it may name has words."""
        for language, sentence in (("zh-TW", because.zh_tw), ("en", because.en)):
            place = ("because", language)
            rest = NAME_IN_SENTENCE.sub("", sentence)
            if "{" in rest or "}" in rest:
                table.problem(place, "a brace that encloses no name", "expected {name}")
            for name in NAME_IN_SENTENCE.findall(sentence):
                if name not in built.shows:
                    table.problem(place, f"the check shows no {name!r}{nearest(name, built.shows)}")
                    continue
                for word in sorted((built.shows[name].words or frozenset()) - set(self.words)):
                    table.problem(place, f"{{{name}}} may be {word!r}, which has no words", f"add words.{word}")


def text_or_none(table: Table, key: str) -> Text | None:
    """Words in every language, or None where the key does not stand there."""
    return table.expect_text(key) if key in table else None
