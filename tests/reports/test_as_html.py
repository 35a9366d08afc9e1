"""The HTML report: sound, inert, self-contained, and every number that of the data."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache

import msgspec
import pytest

from reports import as_html
from reports.cards import checks_of
from reports.glyphs import GLYPHS
from reports.words import LANGUAGES
from scanner.model import ItemState, Level, Text
from scanner.result.grade import RequirementResult
from tests.reports.dossier_sample import HOSTILE, SCOPES, dossier, wide
from tests.reports.page import Page

COLOURS = [state.value for state in ItemState]


@cache
def content(language: str) -> bytes:
    """The sample as it is rendered."""
    return as_html.render(dossier(), language)


@cache
def page(language: str) -> Page:
    """The sample as a browser reads it."""
    return Page(content(language))


both = pytest.mark.parametrize("language", LANGUAGES)


@both
def test_tags_balance_and_ids_are_unique(language: str) -> None:
    assert page(language).faults == []
    assert len(page(language).ids) == len(set(page(language).ids))


@both
def test_every_link_leads_to_a_place_on_the_page(language: str) -> None:
    links = [attributes["href"] for tag, attributes in page(language).elements if tag == "a"]

    assert links
    assert {link for link in links if link[:1] != "#" or link[1:] not in page(language).ids} == set()


@both
def test_nothing_is_asked_of_any_network(language: str) -> None:
    for tag, attributes in page(language).elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "audio", "video", "source", "use"}
        assert not {"src", "srcset", "action", "formaction", "background", "data", "ping", "style"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(
        r"(https?:)?//[a-z]|url\(|@import", "".join(page(language).raw["style"] + page(language).raw["script"])
    )


@both
def test_the_policy_allows_nothing_but_this_style_and_this_script(language: str) -> None:
    (policy,) = [a["content"] for t, a in page(language).elements if a.get("http-equiv") == "Content-Security-Policy"]
    hashes = {
        tag: "'sha256-" + base64.b64encode(hashlib.sha256("".join(parts).encode()).digest()).decode() + "'"
        for tag, parts in page(language).raw.items()
    }

    assert [tag for tag, _ in page(language).elements].count("script") == 1
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src {hashes['style']}",
        f"script-src {hashes['script']}",
        "base-uri 'none'",
        "form-action 'none'",
    ]


@both
def test_hostile_text_is_shown_and_does_nothing(language: str) -> None:
    text = content(language).decode("utf-8")

    assert "<script>alert" not in text
    assert "<img" not in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text)
    assert '"><script>alert(1)</script>' in page(language).text
    assert "⟨U+202E⟩" in text
    assert "{{7*7}}" in text


def test_hostile_words_anywhere_are_inert() -> None:
    sample = dossier()
    assessment = sample.assessment
    bad = Text(zh_tw=HOSTILE, en=HOSTILE)
    hostile = msgspec.structs.replace(
        sample,
        systems=dict.fromkeys(sample.systems, bad),
        items=[msgspec.structs.replace(item, title=bad, says=bad, fix=bad, function=bad) for item in sample.items],
        key=HOSTILE,
        root=HOSTILE,
        generated_by=HOSTILE,
        assessment=msgspec.structs.replace(
            assessment, institution=HOSTILE, path=HOSTILE, as_of=HOSTILE, code=HOSTILE, errors=[HOSTILE]
        ),
    )

    told = Page(as_html.render(hostile, "en"))

    assert told.faults == []
    assert {tag for tag, _ in told.elements} == {tag for tag, _ in page("en").elements}


@both
def test_the_page_says_its_language(language: str) -> None:
    assert page(language).elements[0] == ("html", {"lang": {"zh-TW": "zh-Hant-TW", "en": "en"}[language]})


def test_both_languages_have_the_same_anchors_and_the_same_elements() -> None:
    assert page("zh-TW").ids == page("en").ids
    assert [tag for tag, _ in page("zh-TW").elements] == [tag for tag, _ in page("en").elements]
    assert not re.search(r"[\u4e00-\u9fff]", "".join(page("en").text))


def test_sections_come_in_reading_order() -> None:
    ids = page("en").ids
    places = [ids.index(name) for name in as_html.SECTIONS]

    assert places == sorted(places)


@both
def test_the_headline_is_that_of_the_assessment_and_below_every_grade(language: str) -> None:
    sample = dossier().assessment
    shown = page(language).by_id("headline-span")
    accepted = page(language).by_id("headline-with")
    cells = [attributes for _, attributes in page(language).elements if "data-target" in attributes]

    assert (shown["data-floor"], shown["data-ceiling"]) == (
        sample.headline.without_exceptions.floor,
        sample.headline.without_exceptions.ceiling,
    )
    assert accepted["data-floor"] == sample.headline.with_exceptions.floor
    assert [(c["data-floor"], c["data-ceiling"], c["data-target"]) for c in cells] == [
        (grade.floor, grade.ceiling, grade.target) for grade in sample.grades
    ]
    assert all(Level(shown["data-floor"]).rank <= Level(cell["data-floor"]).rank for cell in cells)
    assert all(Level(shown["data-ceiling"]).rank <= Level(cell["data-ceiling"]).rank for cell in cells)


@both
def test_each_count_of_each_requirement_is_the_assessments(language: str) -> None:
    shown: dict[str, list[dict[str, int]]] = {}
    for row in page(language).rows:
        if row.numbers():
            shown.setdefault(row.card, []).append(row.numbers())
    told: dict[str, list[RequirementResult]] = {}
    for grade in dossier().assessment.grades:
        for item in grade.items:
            told.setdefault(f"item-{item.id}", []).extend(checks_of(item.requirements))

    assert set(shown) == {card for card, leaves in told.items() if leaves}
    for card, leaves in told.items():
        counts = [
            {
                name: getattr(leaf, name)
                for name in ("population", "assessed", "passed", "failed", "unknown", "excepted")
            }
            for leaf in leaves
        ]
        assert all(numbers in counts for numbers in shown.get(card, []))
        assert all(numbers in shown[card] for numbers in counts)


@both
def test_the_numbers_at_the_top_are_the_assessments(language: str) -> None:
    sample = dossier().assessment
    leaves = [leaf for grade in sample.grades for item in grade.items for leaf in checks_of(item.requirements)]
    assessed, population = sum(leaf.assessed for leaf in leaves), sum(leaf.population for leaf in leaves)

    assert page(language).text_of("kpi-regressions") == str(len(sample.regressions))
    met = [
        sum(item.state is ItemState.MET for g in sample.grades if (g.system, g.scene) == scope for item in g.items)
        for scope in SCOPES
    ]
    assert page(language).text_of("kpi-met") == f"{min(met)}–{max(met)}"
    assert page(language).text_of("kpi-gaps") == str(sum(row.count for row in sample.gaps))
    assert page(language).text_of("kpi-collections") == str(len(sample.collections))
    assert page(language).text_of("kpi-coverage") == f"{assessed * 100 // population}%"
    assert f"{assessed:,} / {population:,}" in page(language).text


@both
def test_met_of_all_is_counted_in_each_scope(language: str) -> None:
    rows = [row for row in page(language).rows if row.table == "scopes"][1:]
    grades = dossier().assessment.grades

    assert len(rows) == len(SCOPES)
    for row, scope in zip(rows, SCOPES, strict=True):
        states = [item.state for grade in grades if (grade.system, grade.scene) == scope for item in grade.items]
        assert row.cell(3) == f"{states.count(ItemState.MET)}/36"
        assert [row.cell(place) for place in range(4, 10)] == [
            str(states.count(state)) for state in GLYPHS if state is not ItemState.MET
        ]


def test_a_part_is_never_rounded_up_to_the_whole() -> None:
    sample = dossier(strict=False)
    text = as_html.render(sample, "en").decode()
    nearly = [
        leaf for grade in sample.assessment.grades for item in grade.items for leaf in checks_of(item.requirements)
    ]

    assert sum(leaf.assessed for leaf in nearly) < sum(leaf.population for leaf in nearly)
    assert 'id="kpi-coverage">100%' not in text


def test_seven_states_have_seven_shapes_and_each_is_shown() -> None:
    assert set(GLYPHS) == set(ItemState)
    assert len(set(GLYPHS.values())) == 7
    text = content("en").decode("utf-8")
    for state, glyph in GLYPHS.items():
        assert f'class="st s-{state}"><span class="g" aria-hidden="true">{glyph}</span>' in text


@both
def test_proof_of_identity_is_complete(language: str) -> None:
    sample = dossier()
    a = sample.assessment
    told = page(language).text_of("identity")

    for value in (a.institution, a.as_of, a.baseline.id, a.baseline.version, a.baseline.digest, a.code, a.assessment):
        assert value in told
    for value in (sample.root, sample.key, a.estate_digest, a.registers_digest, a.previous or ""):
        assert value in told
    assert f"ztgrade verify {a.path} --trust" in told
    assert f"ztgrade regrade {a.path}" in told
    assert all(row.digest in told for row in a.collections)


@both
def test_whose_rule_it_is_is_said_at_head_and_in_the_method(language: str) -> None:
    phrase = {"zh-TW": "行政指導", "en": "administrative guidance"}[language]

    assert content(language).decode().count(phrase) >= 3
    assert phrase in page(language).text_of("rule")


@both
def test_tables_have_captions_headers_and_scopes(language: str) -> None:
    elements = page(language).elements
    tags = [tag for tag, _ in elements]

    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    assert all(attributes.get("scope") for tag, attributes in elements if tag == "th")
    assert {"main", "nav", "header", "footer"} <= set(tags)
    assert tags.count("h1") == 1
    assert elements[tags.index("body") + 1] == ("a", {"class": "skip", "href": "#content"})


def test_colours_can_be_read_in_light_and_dark() -> None:
    css = "".join(page("en").raw["style"])
    light, dark = css.split("prefers-color-scheme: dark", 1)
    for part in (light, dark):
        ink = dict(re.findall(r"--([a-z_-]+): (#[0-9a-f]{6})", part))
        pairs = [(name, f"{name}-bg") for name in COLOURS]
        pairs += [(name, ground) for name in ("ink", "soft", "link", "full") for ground in ("paper", "sheet")]
        pairs += [("ink", "faint"), ("met", "sheet"), ("not_met", "sheet"), ("undetermined", "sheet")]
        for front, back in pairs:
            assert contrast(ink[front], ink[back]) >= 4.5, (front, back)


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_same_dossier_gives_the_same_bytes() -> None:
    assert as_html.render(dossier(), "en") == content("en")


def test_two_thousand_hostile_examples_stay_below_five_megabytes() -> None:
    sample = dossier(examples=1)
    worst = msgspec.structs.replace(sample.examples[0], asset=HOSTILE * 20_000)
    many = [msgspec.structs.replace(worst, item=sample.items[index % 36].id) for index in range(2_000)]

    shown = as_html.render(msgspec.structs.replace(sample, examples=many), "zh-TW")

    assert len(shown) < 5_000_000
    assert Page(shown).faults == []


def test_examples_beyond_the_limit_are_counted_not_dropped_in_silence() -> None:
    sample = dossier(examples=1)
    one = sample.examples[0]
    many = [msgspec.structs.replace(one, asset=f"user:x:{index}") for index in range(as_html.EXAMPLE_LIMIT + 7)]

    text = Page(as_html.render(msgspec.structs.replace(sample, examples=many), "en")).text

    assert "7 more are not shown" in text


def test_thirty_six_scopes_fold_into_one_line_a_state() -> None:
    shown = as_html.render(wide(36), "en")
    told = Page(shown)

    assert told.faults == []
    assert len(shown) < 5_000_000
    scopes = [
        attributes for tag, attributes in told.elements if tag == "details" and attributes.get("class") == "scope"
    ]
    assert scopes
    assert [attributes for attributes in scopes if "open" in attributes] == []


def test_a_dossier_with_nothing_in_it_is_still_a_page() -> None:
    sample = dossier(strict=False)
    span = msgspec.structs.replace(sample.assessment.headline.without_exceptions, floor=Level.NONE, ceiling=Level.NONE)
    headline = msgspec.structs.replace(sample.assessment.headline, without_exceptions=span, with_exceptions=span)
    empty = msgspec.structs.replace(
        sample.assessment,
        **{name: [] for name in ("grades", "gaps", "collections", "registers", "regressions", "scopes", "unassigned")},
        previous=None,
        errors=[],
        headline=headline,
    )

    told = Page(
        as_html.render(
            msgspec.structs.replace(sample, assessment=empty, items=[], gates=[], examples=[], systems={}), "zh-TW"
        )
    )

    assert told.faults == []
    assert told.text_of("kpi-coverage") == "—"


@both
def test_the_funnel_the_readings_and_the_decisions_of_people_are_shown(language: str) -> None:
    text = " ".join("".join(page(language).text).split())

    assert "83" in text
    assert "factors, threshold 8" in text
    assert "committee" in text
    assert ("機構自行採用的解讀" if language == "zh-TW" else "a reading chosen by the institution") in text


@both
def test_a_crosswalk_links_items_and_names_what_the_guideline_does_not_cover(language: str) -> None:
    text = " ".join("".join(page(language).text).split())

    assert ("指引未涵蓋" if language == "zh-TW" else "not covered by the guideline") in text
    assert ("由本工具提出" if language == "zh-TW" else "proposed by us") in text


def test_chapters_with_nothing_to_say_are_left_out() -> None:
    bare = msgspec.structs.replace(dossier(), selection=None, crosswalks=[])
    shown = as_html.render(bare, "en").decode()

    assert 'id="selection"' not in shown
    assert 'href="#crosswalks"' not in shown


@both
def test_every_entry_is_shown_with_its_hash_its_people_and_why_it_does_not_count(language: str) -> None:
    told = page(language).text_of("registers")

    for row in dossier().assessment.registers:
        if row.plan is None:
            assert row.id in told and row.document_sha256 in told
            assert row.detail in told
    assert ("文件已過期" if language == "zh-TW" else "expired") in told
    assert "Lin" in told and "Chang" in told


@both
def test_alarms_of_exceptions_stand_before_the_entries(language: str) -> None:
    told = page(language).text_of("registers")

    wanted = {"zh-TW": "先前 3，現在 17。 另有 4 項", "en": "3 before, 17 now. Of 4 more"}[language]
    assert wanted in told
    assert told.index("EX-001") < told.index("AT-1-1")


@both
def test_too_few_reviews_are_told_with_their_number_and_the_period(language: str) -> None:
    told = page(language).text_of("items")

    assert {"zh-TW": "365 天內應審視 4 次，採計 3 次", "en": "3 of 4 reviews within 365 days"}[language] in told


@both
def test_plans_are_a_chapter_of_their_own_and_overdue_ones_are_marked(language: str) -> None:
    told = page(language).text_of("plan")
    rows = [attributes for tag, attributes in page(language).elements if tag == "tr" and "data-overdue" in attributes]

    assert len(rows) == 1
    assert ("3 筆計畫中有 1 筆已逾期" if language == "zh-TW" else "1 of 3 plans are overdue") in told
    assert ("進行中" if language == "zh-TW" else "in progress") in told
    assert '"><script>alert(1)</script>' in told


@both
def test_the_contents_name_every_chapter_that_is_there_and_no_other(language: str) -> None:
    elements = page(language).elements
    links = [attributes["href"][1:] for tag, attributes in elements if tag == "a" and "href" in attributes]
    chapters = [attributes["id"] for tag, attributes in elements if tag == "section"]

    assert {"selection", "plan", "registers", "crosswalks"} <= set(chapters)
    assert set(chapters) <= set(links)
    assert [name for name in as_html.SECTIONS if name not in page(language).ids] == []


def test_a_report_without_plans_has_no_chapter_for_them() -> None:
    sample = dossier()
    rows = [row for row in sample.assessment.registers if row.plan is None]
    bare = msgspec.structs.replace(sample, assessment=msgspec.structs.replace(sample.assessment, registers=rows))
    shown = as_html.render(bare, "en").decode()

    assert 'id="plan"' not in shown and 'href="#plan"' not in shown


def test_folded_chapters_are_open_on_paper() -> None:
    css = "".join(page("en").raw["style"])

    assert "details.crosswalk::details-content" in css.partition("@media print")[2]


@both
def test_the_first_page_says_what_changed_and_by_what(language: str) -> None:
    sample = dossier().assessment
    told = page(language)
    assert sample.basis is not None and sample.changes is not None
    assert told.ids.index("differences") > told.ids.index("regressions")
    assert [attributes["data-cause"] for _, attributes in told.elements if "data-cause" in attributes] == [
        *("facts", "coverage", "scope", "rule", "registers", "code")
    ]
    assert ("前次評估未記錄" if language == "zh-TW" else "not recorded") in told.text_of("headline")
    assert "target ad-branch" in told.text_of("differences")


@both
def test_the_first_page_has_the_digest_of_every_register_file_and_the_last_link(language: str) -> None:
    basis = dossier().assessment.basis
    assert basis is not None

    assert page(language).text_of("chain") == basis.chain
    assert all(digest in page(language).text_of("register-files") for digest in basis.register_files.values())
    counts = re.findall(r"\d+", page(language).text_of("standings"))
    assert sum(map(int, counts)) == len(dossier().assessment.registers)


def test_an_older_assessment_without_a_basis_says_so() -> None:
    sample = dossier()
    older = msgspec.structs.replace(sample.assessment, basis=None, changes=None)

    told = Page(as_html.render(msgspec.structs.replace(sample, assessment=older), "en"))

    assert told.text_of("chain") == "not recorded"
    assert not {"differences", "register-files"} & set(told.ids)


def test_changes_beyond_the_limit_are_counted_not_dropped_in_silence() -> None:
    sample = dossier()
    assert sample.assessment.changes is not None
    (row,) = [row for row in sample.assessment.changes.inputs if row.cause == "rule"]
    many = [msgspec.structs.replace(row, subject=f"1-2/rule-{index}") for index in range(as_html.CHANGE_LIMIT + 7)]
    changes = msgspec.structs.replace(sample.assessment.changes, inputs=many)
    changed = msgspec.structs.replace(sample.assessment, changes=changes)

    told = Page(as_html.render(msgspec.structs.replace(sample, assessment=changed), "en"))

    assert "7 more" in told.text_of("differences")
    assert f"{as_html.CHANGE_LIMIT + 7 - as_html.FIRST_CHANGES} more" in told.text_of("headline")


def test_a_page_of_very_many_scopes_folds_and_still_tells_of_each() -> None:
    sample = wide(120)
    shown = as_html.render(sample, "en")
    told = Page(shown)

    assert told.faults == []
    assert len(shown) < 2_000_000
    text = shown.decode()
    start = text.index('<table class="systems dense-systems">')
    table = text[start : text.index("</table>", start)]
    assert table.count("<tr>") == 1 + 120
    for name in sample.systems.values():
        assert f'<th scope="row">{name.en}</th>' in table
    grade = sample.assessment.grades[0]
    items = "".join(GLYPHS[item.state] for item in grade.items)
    assert f" {grade.target} {items}</td>" in table
