"""The report of record: one HTML file in one language that asks nothing of any network and works without a script."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from importlib import resources
from types import CodeType
from typing import Any

import jinja2
from jinja2.bccache import Bucket

from reports.cards import SEVERAL, STEPS, Scope, Verdict, slug
from reports.compact import alike_populations, compact_rows
from reports.entries import entry_groups, plans
from reports.glyphs import AIM_GLYPHS, GLYPHS, aim_of
from reports.outline import Outline, ScopeOutline, moment, outline
from reports.visible import Shown, code_lines, prose, visible
from reports.words import Words, load_words
from scanner.model import AlarmWord, GapWhy, ItemState, Level, Pillar, RegisterWhy, RequirementState, Scene, Text
from scanner.result.assessment import Assessment
from scanner.result.dossier import Dossier, ItemText
from scanner.result.register import AlarmRow

EXAMPLE_LIMIT = 500
"""Examples shown per requirement; how many more there are is said."""

ROW_LIMIT = 250
"""Rows of a table that grows with the institution; how many more there are is said."""

GROUP_LIMIT = 12
"""Groups of scopes in one state of one item that are told in full; how many more there are is said."""

PLACE_LIMIT = 12
"""Systems named in one place of a page with very many scopes; how many more there are is said."""

FIRST_CHANGES = 3
"""Changes of one cause shown on the first page; the chapter has the others."""

CHANGE_LIMIT = 500
"""Changes of one cause, and of requirements, shown in the chapter; how many more there are is said."""

SECTIONS = (
    *("identity", "headline", "regressions", "differences", "lift", "heat", "systems", "strict", "items", "gates"),
    *(
        "selection",
        "plan",
        "gaps",
        "excluded",
        "unassigned",
        "populations",
        "registers",
        "crosswalks",
        "method",
        "glossary",
    ),
)
"""Anchors of the sections, in page order."""

HTML_LANGUAGE = {"zh-TW": "zh-Hant-TW", "en": "en"}

_OUTCOME_GLYPHS = {"pass": "✓", "fail": "✕", "unknown": "?", "na": "–"}
_EXCLUSIONS = {
    "reason.matrix": r"the cloud matrix does not ask it of (?P<model>\w+)",
    "reason.statement": r"signed scope statement (?P<entry>[^;]+); (?P<population>\w+) is closed and empty",
}
_TAIPEI = timezone(timedelta(hours=8))


def render(dossier: Dossier, language: str) -> bytes:
    """The report as UTF-8 HTML in ``zh-TW`` or ``en``; the same bytes for the same dossier.

    Raises ValueError for another language, and for an assessment whose headline stands above its grades.
    """
    words = load_words(language)
    told = outline(dossier)
    css, script = _own_file("report.css"), _own_file("report.js")
    template = _environment(words, told).get_template("report.html.j2")
    page = template.render(
        o=told,
        d=dossier,
        a=dossier.assessment,
        plain_floor=dossier.assessment.headline.without_exceptions.floor,
        plain_ceiling=dossier.assessment.headline.without_exceptions.ceiling,
        lang=HTML_LANGUAGE[language],
        language=language,
        policy=policy(css, script),
        sections=[name for name in SECTIONS if name not in _absent(told)],
        first_scopes=_first_scopes(told),
        compact_rows=compact_rows(told, words, lambda name: _system_name(words, told, name)) if told.wide else (),
        populations=alike_populations(dossier.assessment.scopes, fold=told.wide),
        register_files=_register_files(dossier.assessment),
        plans=plans(dossier.assessment),
        entry_groups=entry_groups(dossier.assessment.registers),
        oldest=max((row.oldest for row in told.sources if row.oldest is not None), default=None),
        taipei=_taipei(told.as_of),
        verify_command=_verify_command(dossier),
        lift_command=Shown(f"ztgrade lift {_argument(dossier.assessment.path)} --top 0"),
        regrade_command=Shown(f"ztgrade regrade {_argument(dossier.assessment.path)}"),
    )
    return page.encode("utf-8", "replace")


def _first_scopes(told: Outline) -> Sequence[ScopeOutline]:
    """All scopes, or where there are very many those that stand lowest."""
    if not told.wide:
        return told.scopes
    return sorted(told.scopes, key=lambda row: (row.span.floor.rank, row.span.ceiling.rank, row.met))[:PLACE_LIMIT]


def _register_files(assessment: Assessment) -> list[tuple[str, str]]:
    """Names and digests, the registers before their signatures where there are too many to name."""
    held = {} if assessment.basis is None else assessment.basis.register_files
    files = sorted(held.items(), key=lambda pair: pair[0].lower())
    if len(files) <= ROW_LIMIT:
        return files
    return sorted(files, key=lambda pair: not pair[0].endswith((".toml", ".jsonl")))[:ROW_LIMIT]


def _absent(told: Outline) -> set[str]:
    """Sections about which this dossier has nothing to say."""
    there = {
        "strict": told.strict is not None,
        "differences": told.assessment.changes is not None,
        "lift": told.dossier.lift is not None,
        "selection": told.dossier.selection is not None,
        "crosswalks": bool(told.dossier.crosswalks),
        "plan": any(row.plan is not None for row in told.assessment.registers),
    }
    return {name for name, present in there.items() if not present}


def policy(css: str, script: str) -> str:
    """The content security policy: nothing may load, and only this very style and script may act."""
    return (
        f"default-src 'none'; style-src '{_source_hash(css)}'; script-src '{_source_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _source_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _own_file(name: str) -> str:
    return resources.files("reports").joinpath("templates", name).read_text("utf-8")


def _template(name: str) -> str:
    """A template's source; style and script go in letter for letter."""
    source = _own_file(name)
    return source if name.endswith(".j2") else "{% raw %}" + source + "{% endraw %}"


class _Compiled(jinja2.BytecodeCache):
    """Compiled templates for as long as the process lives, by the digest of their source: half the time of a page."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the code of this source, if there is any."""
        bucket.code = self._held.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Hold the code of this source."""
        if bucket.code is not None:
            self._held[bucket.key, bucket.checksum] = bucket.code


@cache
def _compiled() -> _Compiled:
    return _Compiled()


def _environment(words: Words, told: Outline) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        bytecode_cache=_compiled(),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.globals.update(_numbers(words))
    environment.globals.update(_names(words, told))
    environment.globals.update(
        t=words.say,
        term=words.term,
        text=lambda text: prose(text.in_language(words.language)),
        prose=prose,
        code=code_lines,
        slug=slug,
        span_text=lambda floor, ceiling: _span_text(words, floor, ceiling),
        joined=lambda values: words.say("page.separator").join(str(value) for value in values),
        distinct=_distinct,
        by_system=_by_system,
        places=lambda rows: [Scope(row[0], row[1]) for row in dict.fromkeys((row[0], row[1]) for row in rows)],
        aim=aim_of,
        range_of=_range,
        reason=lambda verdict: _reason(words, verdict),
        alarm=lambda row: _alarm(words, row),
        exclusion=lambda reason: _exclusion(words, reason),
        glyphs=GLYPHS,
        outcome_glyphs=_OUTCOME_GLYPHS,
        aim_glyphs=AIM_GLYPHS,
        states=list(GLYPHS),
        levels=list(STEPS),
        pillars=list(Pillar),
        whys=[*GapWhy, *RegisterWhy],
        example_limit=EXAMPLE_LIMIT,
        first_changes=FIRST_CHANGES,
        change_limit=CHANGE_LIMIT,
        row_limit=ROW_LIMIT,
        group_limit=GROUP_LIMIT,
        place_limit=PLACE_LIMIT,
        several=SEVERAL,
    )
    return environment


def _finalize(value: Any) -> Any:
    return value if isinstance(value, Shown) or hasattr(value, "__html__") else visible(str(value))


def _numbers(words: Words) -> dict[str, Callable[..., str]]:
    """How numbers and times are written."""

    def age(span: timedelta | None) -> str:
        if span is None:
            return words.say("age.unknown")
        minutes = int(span.total_seconds()) // 60
        if minutes < 0:
            return words.say("age.later")
        if minutes < 60:
            return words.say("age.minutes", minutes=minutes)
        if minutes < 48 * 60:
            return words.say("age.hours", hours=minutes // 60, minutes=minutes % 60)
        return words.say("age.days", days=minutes // 1440, hours=minutes % 1440 // 60)

    return {"n": _count, "age": age, "share": _share, "need": _need, "when": _when, "day": _day}


def _count(number: int) -> str:
    return f"{number:,}"


def _share(part: int, whole: int) -> str:
    """Whole percent, rounded down, so that 100 % means all."""
    return f"{part * 100 // whole}%" if whole else "—"


def _need(need: float | None) -> str:
    return "—" if need is None else "100%" if need == 1 else f"≥ {need * 100:.6g}%"


def _when(text: str | None) -> str:
    parsed = moment(text)
    return visible(text or "—") if parsed is None else f"{parsed.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def _day(text: str | None) -> str:
    parsed = moment(text)
    return visible(text or "—") if parsed is None else f"{parsed.astimezone(UTC):%Y-%m-%d}"


def _taipei(as_of: datetime | None) -> str | None:
    return None if as_of is None else f"{as_of.astimezone(_TAIPEI):%Y-%m-%d %H:%M}"


def _names(words: Words, told: Outline) -> dict[str, Any]:
    """How items, systems, assets and evidence are named and linked."""
    titles: dict[str, ItemText] = {card.id: card.text for card in told.items if card.text is not None}
    anchors = {card.id: card.anchor for card in (*told.items, *told.gates)}
    collections = {row.ref.digest: row.anchor for row in told.collections if row.anchor}

    def item_anchor(item: str) -> str:
        return anchors.get(item) or anchors.get(f"gate {item}") or "items"

    def item_title(item: str) -> str:
        if item in titles:
            return prose(titles[item].title.in_language(words.language))
        return words.say("gates.asks") if _gate_level(item) else ""

    def item_label(item: str) -> str:
        level = _gate_level(item)
        return words.say("gates.label", level=level) if level else visible(item)

    def system_name(name: str) -> str:
        return _system_name(words, told, name)

    def evidence(path: str) -> tuple[str | None, str, str]:
        digest, _, file = path.partition("/")
        target = collections.get(digest.strip())
        return (target, f"{digest.strip()[:12]}…", file.strip()) if target else (None, "", path)

    return {
        "item_anchor": item_anchor,
        "item_label": item_label,
        "level_size": lambda level: sum(card.level is level for card in told.items),
        "item_title": item_title,
        "system_name": system_name,
        "names": lambda systems: [system_name(name) for name in systems],
        "evidence": evidence,
    }


def _system_name(words: Words, told: Outline, name: str) -> str:
    title: Text | None = told.dossier.systems.get(name)
    return visible(name) if title is None else visible(title.in_language(words.language))


def _gate_level(item: str) -> str | None:
    """The level of a gate that is named where items are named."""
    level = item.removeprefix("gate ")
    return level if level in [step.value for step in STEPS] else None


def _reason(words: Words, verdict: Verdict) -> str:
    """Why a verdict is what it is: the requirements that decide it, or the written rule by which it does not apply."""
    if verdict.state is ItemState.MET:
        return ""
    if verdict.state is ItemState.NOT_APPLICABLE:
        return _exclusion(words, verdict.reason)
    disproved = [row.id for row in verdict.requirements if row.state is RequirementState.NOT_MET]
    names = disproved or [row.id for row in verdict.requirements if row.state is RequirementState.UNDETERMINED]
    listed = words.say("page.separator").join(slug(name) for name in names)
    return words.say(f"reason.{verdict.state}", names=listed) if names else visible(verdict.reason)


def _exclusion(words: Words, reason: str) -> str:
    """A reason for not applying, in the language of the report where it is one of the two that the rule knows."""
    for key, pattern in _EXCLUSIONS.items():
        match = re.fullmatch(pattern, reason)
        if match is not None:
            return words.say(key, **match.groupdict())
    return visible(reason)


def _alarm(words: Words, row: AlarmRow) -> str:
    """What happened to an exception since it was approved."""
    kind = "named" if row.word is AlarmWord.WIDENED and row.named else row.word.value
    before = words.say("alarms.not_noted") if row.before is None else _count(row.before)
    said = words.say(f"alarms.{kind}", before=before, now=_count(row.now), days=row.days)
    return said if not row.unknown else f"{said} " + words.say("alarms.unknown", n=_count(row.unknown))


def _span_text(words: Words, floor: Level, ceiling: Level) -> str:
    low, high = words.term("level", floor), words.term("level", ceiling)
    return low if floor is ceiling else f"{low}..{high}"


def _by_system(scopes: Iterable[Scope]) -> list[tuple[str, list[Scene]]]:
    systems: dict[str, list[Scene]] = {}
    for scope in scopes:
        systems.setdefault(scope.system, []).append(scope.scene)
    return list(systems.items())


def _distinct(rows: Sequence[Any], name: str) -> list[str]:
    values = (getattr(row, name) for row in rows)
    return list(dict.fromkeys(value for value in values if value))


def _range(scopes: Sequence[ScopeOutline]) -> str:
    """The lowest and the highest number of items met in one scope."""
    met = sorted({scope.met for scope in scopes})
    return "–".join(str(number) for number in (met if len(met) < 2 else (met[0], met[-1]))) or "—"


def _argument(path: str) -> str:
    return Shown(shlex.quote(visible(path)))


def _verify_command(dossier: Dossier) -> str:
    path, root = _argument(dossier.assessment.path), _argument(dossier.root)
    return Shown(f"ztgrade verify {path} --trust signer.pem --anchor {root}")
