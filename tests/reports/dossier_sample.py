"""A hand-made dossier: three systems, four scopes, five pillars, every state, and names that attack the reader."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from scanner.model import (
    AlarmWord,
    GapWhy,
    ItemState,
    Level,
    Origin,
    Outcome,
    Pillar,
    RegisterWhy,
    RequirementKind,
    RequirementState,
    Scene,
    Text,
)
from scanner.result.assessment import Assessment, BaselineRef, Headline, ScopeRow, Unassigned
from scanner.result.basis import Basis
from scanner.result.change import (
    ChangeCause,
    ChangeKind,
    ChangeRow,
    Changes,
    ChangeWhat,
    Regression,
    RequirementChange,
    Turn,
)
from scanner.result.collection import CollectionRef, GapRow
from scanner.result.crosswalk import CrosswalkRow, CrosswalkText
from scanner.result.dossier import Dossier, Example, ItemText, RequirementText
from scanner.result.grade import Blocking, GateResult, Grade, ItemResult, RequirementResult, ReviewCount, Span
from scanner.result.register import AlarmRow, PlanRow, RegisterRow
from scanner.result.selection import DecisionRow, ProposalRow, SelectionRow, SelectionText
from tests.reports.lift_sample import lift_sample

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202egnp.exe\x1b[31m\x00\ud800{{7*7}}'
"""Markup, a bidi override, a terminal escape, a NUL, a lone surrogate and a template expression."""

SCOPES = (
    ("core-banking", Scene.REMOTE_WORK),
    ("core-banking", Scene.SYSTEM_OPERATIONS),
    ("e-banking", Scene.CLOUD_ACCESS),
    ("hr", Scene.REMOTE_WORK),
)

LEVELS = {
    "I": ("1-1", "1-3", "1-4", "2-1", "2-3", "3-1", "3-4", "4-1", "5-1", "5-3", "5-4", "5-6"),
    "II": ("1-2", "1-5", "2-2", "2-4", "3-2", "3-3", "4-2", "4-4", "4-5", "5-5"),
    "III": ("1-6", "2-5", "2-6", "3-5", "3-6", "4-3", "4-6", "5-2", "5-7"),
    "IV": ("1-7", "2-7", "3-7", "4-7", "5-8"),
}
LEVEL_OF = {item: Level(level) for level, items in LEVELS.items() for item in items}
PILLARS = dict(zip("12345", Pillar, strict=True))
OVER = {
    Pillar.IDENTITY: "User",
    Pillar.DEVICE: "Device",
    Pillar.NETWORK: "Segment",
    Pillar.APPLICATION: "Application",
    Pillar.DATA: "DataStore",
}

TITLES = {
    "1-1": ("多因子身分驗證", "Multi-factor authentication"),
    "1-2": ("抗網路釣魚且綁定載具", "Phishing-resistant, bound to a carrier"),
    "1-3": ("外部使用者信賴等級", "Assurance of external users"),
    "1-4": ("身分鑑別機制互通", "Interoperable identity mechanisms"),
    "1-5": ("動態屬性授權", "Dynamic attributes in authorisation"),
    "1-6": ("身分事件可視性", "Visibility of identity events"),
    "1-7": ("帳號生命週期自動化", "Automated account lifecycle"),
    "2-1": ("設備盤點與唯一識別", "Device inventory and identity"),
    "2-2": ("設備合規與弱點管理", "Device compliance and vulnerabilities"),
    "2-3": ("外部設備", "External devices"),
    "2-4": ("設備狀態作為授權條件", "Device health as a condition"),
    "2-5": ("設備威脅偵測與回應", "Device detection and response"),
    "3-1": ("網路區隔", "Network segmentation"),
    "3-4": ("存取路徑加密", "Encrypted access path"),
    "4-1": ("角色區分與最小授權", "Separated roles, least privilege"),
    "5-1": ("敏感資料外洩防護", "Leak prevention for sensitive data"),
}

STATES = dict(
    re.findall(
        r"(\d-\d)=(\w+)",
        """
        1-1=mmum 1-2=nnnu 1-3=mmmm 1-4=amxm 1-5=paau 1-6=uuuu 1-7=oooo
        2-1=mmmm 2-2=mmpn 2-3=mmmm 2-4=uuau 2-5=mmmn 2-6=mmmu 2-7=aaaa
        3-1=mmmm 3-2=mmmu 3-3=mmmm 3-4=mmmm 3-5=aaaa 3-6=uuum 3-7=nnnn
        4-1=mmmm 4-2=nnpn 4-3=uuau 4-4=mmmm 4-5=mmxm 4-6=pppp 4-7=oooo
        5-1=mmuo 5-2=oooo 5-3=mmma 5-4=mmmm 5-5=nnnn 5-6=mmmm 5-7=oooo 5-8=aaxa
        """,
    )
)
"""One letter of LETTERS per scope of SCOPES."""
LETTERS = {
    "m": ItemState.MET,
    "p": ItemState.PARTIAL,
    "n": ItemState.NOT_MET,
    "a": ItemState.NEEDS_ATTESTATION,
    "u": ItemState.UNDETERMINED,
    "o": ItemState.NOT_ASSESSED,
    "x": ItemState.NOT_APPLICABLE,
}


def sha(text: str) -> str:
    """A stable digest for the sample."""
    return hashlib.sha256(text.encode()).hexdigest()


def dossier(*, examples: int = 3, strict: bool = True, hostile: bool = True) -> Dossier:
    """The sample, with so many examples for each requirement that failed somewhere."""
    words = [item_text(item) for item in sorted(LEVEL_OF)]
    return Dossier(
        assessment=assessment(SCOPES, STATES, hostile=hostile),
        items=words,
        gates=[gate_text(name) for name in ("II/protect-surface", "II/data-flows", "III/logs-carry-attributes")],
        examples=[row for text in words for row in examples_of(text, examples, hostile=hostile)],
        systems={
            "core-banking": Text(zh_tw="核心系統", en="Core banking"),
            "e-banking": Text(zh_tw="網路銀行", en="Internet banking"),
            "hr": Text(zh_tw="人事系統", en="Human resources"),
        },
        rule_version="1",
        root=sha("root"),
        key="ed25519:" + sha("key"),
        strict=assessment(SCOPES, {**STATES, "1-2": "nnnn", "2-5": "nmmn"}, strict=True) if strict else None,
        generated_by="ztgrade 0.1.0",
        selection=selection(hostile=hostile),
        lift=lift_sample(HOSTILE if hostile else "the policy is ready"),
        crosswalks=[
            CrosswalkText(
                id="other",
                title=Text(zh_tw="另一個框架", en="Another framework"),
                source="its publisher, 2023",
                proposed=True,
                rows=[
                    CrosswalkRow(
                        title=Text(zh_tw="鑑別", en="Authentication"), items=["1-1", "1-2"], stages=["initial"]
                    ),
                    CrosswalkRow(title=Text(zh_tw="風險", en="Risk"), items=[], stages=[]),
                ],
            )
        ],
    )


def selection(*, hostile: bool) -> SelectionText:
    """A funnel of two scenes, with a decision of a person and a name that attacks the reader."""
    name = HOSTILE if hostile else "archive"
    return SelectionText(
        systems=83,
        risk="any_of",
        impact="factors, threshold 8",
        readings={"separated_accounts": False, "vendor_beyond_reach": True, "external_by_any_path": False},
        funnel=[
            SelectionRow(scene=Scene.REMOTE_WORK, in_scene=83, high_risk=48, low_impact=4, undecided=2),
            SelectionRow(scene=Scene.CLOUD_ACCESS, in_scene=1, high_risk=1, low_impact=1, undecided=0),
        ],
        proposals=[ProposalRow(system=name, scene=Scene.REMOTE_WORK, risk="holds it", impact="score 6")],
        decisions=[
            DecisionRow(
                system="hr",
                scene=Scene.CROSS_INSTITUTION,
                holds=False,
                reason=name,
                decided_by="committee",
                decided_on="2026-10-01",
            )
        ],
        unseparated=[name],
    )


def wide(scopes: int) -> Dossier:
    """The sample with many systems, whose counts differ from scope to scope."""
    base = dossier(examples=1)
    places = [(f"system-{index // 6:02}", list(Scene)[index % 6]) for index in range(scopes)]
    states = {item: "".join(letters[index % 4] for index in range(scopes)) for item, letters in STATES.items()}
    many = assessment(places, states, hostile=False)
    return Dossier(
        assessment=many,
        items=base.items,
        gates=base.gates,
        examples=base.examples,
        systems={name: Text(zh_tw=f"系統 {name[-2:]}", en=f"System {name[-2:]}") for name, _ in places},
        rule_version="1",
        root=base.root,
        key=base.key,
    )


def assessment(
    scopes: Sequence[tuple[str, Scene]], states: dict[str, str], *, hostile: bool = True, strict: bool = False
) -> Assessment:
    """An assessment whose grades follow from its items by the ladder."""
    grades = [
        grade(system, scene, pillar, {item: LETTERS[letters[index]] for item, letters in states.items()}, index)
        for index, (system, scene) in enumerate(scopes)
        for pillar in Pillar
    ]
    plain = Span(floor=lowest(grades, "floor"), ceiling=lowest(grades, "ceiling"))
    accepted = Span(floor=lowest(grades, "floor_with_exceptions"), ceiling=lowest(grades, "ceiling_with_exceptions"))
    return Assessment(
        schema_version=1,
        assessment=sha("assessment" + str(strict)),
        path="/var/lib/ztgrade/assessments/" + sha("assessment")[:16],
        institution="lab-bank",
        as_of="2026-11-20T01:00:00Z",
        baseline=BaselineRef(id="fsc-2024-strict" if strict else "fsc-2024", version="2024.1", digest=sha("baseline")),
        estate_digest=sha("estate"),
        registers_digest=sha("registers"),
        code=sha("code"),
        previous=sha("previous"),
        changes=changes(hostile),
        basis=basis(hostile),
        collections=collections(hostile),
        headline=Headline(without_exceptions=plain, with_exceptions=accepted),
        grades=grades,
        gaps=gaps(hostile),
        registers=registers(hostile=hostile),
        alarms=alarms(),
        regressions=[
            regression("core-banking", Scene.REMOTE_WORK, "1-2", "met", "not_met", "2026-10-20T01:00:00Z"),
            regression(
                "core-banking", Scene.SYSTEM_OPERATIONS, "3-6", "not_met", "undetermined", "2026-10-20T01:00:00Z"
            ),
            regression("core-banking", Scene.REMOTE_WORK, "3-6", "not_met", "undetermined", "2026-10-20T01:00:00Z"),
            regression("hr", Scene.REMOTE_WORK, "2-2", "undetermined", "not_met", None),
        ],
        scopes=[
            ScopeRow(
                system=system,
                scene=scene,
                population=OVER[pillar],
                members=412 + index * 37,
                undetermined=3 * index,
                closed=index != 2,
                note="no selector" if index == 3 and pillar is Pillar.DATA else "",
            )
            for index, (system, scene) in enumerate(scopes)
            for pillar in Pillar
        ],
        unassigned=[
            Unassigned(population="Device", count=17, examples=["device:agents:9f3c", "device:mdm:" + HOSTILE]),
            Unassigned(population="User", count=4, examples=["user:corp:S-1-5-21-1-1190"]),
        ],
        errors=[] if strict else ["identity.event_logs.identity_events_arrive@1f0c22aa: engine ran out of memory"],
    )


def lowest(grades: Sequence[Grade], name: str) -> Level:
    """The lowest of one level over all grades."""
    levels: list[Level] = [getattr(grade, name) for grade in grades]
    return min(levels, key=lambda level: level.rank)


def grade(system: str, scene: Scene, pillar: Pillar, states: dict[str, ItemState], index: int) -> Grade:
    """One grade by the ladder, from the item states of its pillar."""
    items = [item_result(item, states[item], index) for item in sorted(LEVEL_OF) if PILLARS[item[0]] is pillar]
    gates = [gate(Level.II, RequirementState.MET), gate(Level.III, RequirementState.UNDETERMINED)]
    floor = ceiling = with_floor = with_ceiling = Level.NONE
    open_floor = open_ceiling = open_with_floor = open_with_ceiling = True
    blocking: list[Blocking] = []
    for level in (Level.I, Level.II, Level.III, Level.IV):
        here = [item for item in items if item.level is level and item.state is not ItemState.NOT_APPLICABLE]
        lacking = [item for item in here if item.state is not ItemState.MET]
        shut = [one for one in gates if one.level is level and one.state is not RequirementState.MET]
        disproved = [item for item in here if item.state in (ItemState.PARTIAL, ItemState.NOT_MET)]
        if open_floor and not lacking and not shut:
            floor = level
        elif open_floor:
            open_floor = False
            blocking = [
                *(Blocking(item=f"gate {level}", level=level, state=one.state, requirements=[]) for one in shut),
                *(
                    Blocking(
                        item=item.id,
                        level=level,
                        state=item.state,
                        requirements=[row.id for row in item.requirements if row.state is not RequirementState.MET],
                    )
                    for item in lacking
                ),
            ]
        open_ceiling = open_ceiling and not disproved
        ceiling = level if open_ceiling else ceiling
        excused = [item for item in lacking if item.id != "2-2"]
        open_with_floor = open_with_floor and not excused and not shut
        with_floor = level if open_with_floor else with_floor
        open_with_ceiling = open_with_ceiling and not [item for item in disproved if item.id != "2-2"]
        with_ceiling = level if open_with_ceiling else with_ceiling
    return Grade(
        system=system,
        scene=scene,
        pillar=pillar,
        floor=floor,
        ceiling=ceiling,
        floor_with_exceptions=with_floor,
        ceiling_with_exceptions=with_ceiling,
        target=Level.II if system != "hr" else Level.I,
        passed_over=[Level.IV] if pillar is Pillar.DATA and scene is Scene.CLOUD_ACCESS else [],
        gates=gates,
        blocking=blocking,
        items=items,
    )


def gate(level: Level, state: RequirementState) -> GateResult:
    """The gate of a level, attested or not."""
    met = state is RequirementState.MET
    names = {Level.II: ("II/protect-surface", "II/data-flows"), Level.III: ("III/logs-carry-attributes",)}[level]
    return GateResult(
        level=level,
        state=state,
        requirements=[
            RequirementResult(
                id=name,
                kind=RequirementKind.ATTESTATION,
                state=state,
                why=[] if met else ["self_declared"],
                entry="GT-001" if met else "GT-002",
            )
            for name in names
        ],
    )


def item_result(item: str, state: ItemState, index: int) -> ItemResult:
    """One item with a check and a document that add up to its state."""
    disproved = state in (ItemState.PARTIAL, ItemState.NOT_MET)
    n = 400 + 7 * index + 11 * int(item[2])
    failed = 23 + index if disproved else 0
    unknown = {ItemState.UNDETERMINED: 41 + index, ItemState.NOT_ASSESSED: n}.get(state, 0)
    proved = state in (ItemState.MET, ItemState.NEEDS_ATTESTATION)
    judged = RequirementState.MET if proved else RequirementState.UNDETERMINED
    check = RequirementResult(
        id=f"{item}/rule-holds",
        kind=RequirementKind.CHECK,
        state=RequirementState.NOT_MET if disproved else judged,
        origin=[[Origin.LIVE], [Origin.SUPPLIED], [Origin.CAPTURE], [Origin.LIVE, Origin.SUPPLIED]][index % 4],
        population=n,
        assessed=n - unknown,
        passed=n - failed - unknown,
        failed=failed,
        unknown=unknown,
        excepted=2 if item == "2-2" and disproved else 0,
        over=OVER[PILLARS[item[0]]],
        use=f"rule@{sha(item)[:8]}",
        closed=not (item == "1-6" and index == 2),
        need=0.95 if item == "2-2" else 1.0,
        state_with_exceptions=RequirementState.MET if item == "2-2" and disproved else None,
        why=["denied", "unseen"] if unknown else [],
    )
    document_met = state in (ItemState.MET, ItemState.PARTIAL)
    document = RequirementResult(
        id=f"{item}/written-rule",
        kind=RequirementKind.DRILL if item in ("1-5", "2-4", "2-5", "5-5") else RequirementKind.ATTESTATION,
        reviewed=ReviewCount(found=3, wanted=4, days=365) if item == "1-6" else None,
        state=RequirementState.MET if document_met else RequirementState.UNDETERMINED,
        why=[] if document_met else [("missing", "expired", "lapsed", "self_declared")[index % 4]],
        entry=f"AT-{item}" if document_met else None,
    )
    requirements = [check, document]
    if item == "1-7":
        branches = [check.__class__(id=f"{item}/either/keys", kind=RequirementKind.CHECK, state=check.state), document]
        requirements.append(
            RequirementResult(id=f"{item}/either", kind=RequirementKind.ANY_OF, state=check.state, branches=branches)
        )
    return ItemResult(
        id=item,
        level=LEVEL_OF[item],
        state=state,
        reason="the cloud matrix does not ask it of saas" if state is ItemState.NOT_APPLICABLE else "",
        last_proved="2026-10-20T01:00:00Z" if item == "3-6" and state is ItemState.UNDETERMINED else None,
        requirements=[] if state is ItemState.NOT_APPLICABLE else requirements,
    )


def item_text(item: str) -> ItemText:
    """Words of one item; wording of the sample only."""
    zh, en = TITLES.get(item, (f"實作原則 {item}", f"Principle {item}"))
    return ItemText(
        id=item,
        pillar=PILLARS[item[0]],
        level=LEVEL_OF[item],
        function=Text(zh_tw="身分認證", en="Authentication"),
        title=Text(zh_tw=zh, en=en),
        says=Text(
            zh_tw="採用一種以上的因子驗證身分，使被竊、被猜中或被側錄的密碼不足以登入。",
            en="Authenticate with more than one factor, so that a stolen, guessed or sniffed password is not enough.",
        ),
        fix=Text(
            zh_tw="把條件式存取由僅報告改為強制，並移除排除名單。",
            en="Move the policy from report-only to enforced; drop exclusions.",
        ),
        provenance="DECK",
        requirements=[
            RequirementText(
                id=f"{item}/rule-holds",
                kind=RequirementKind.CHECK,
                says=Text(zh_tw="登入政策實際強制多因子", en="Sign-in policy really enforces a second factor"),
                fix=Text(zh_tw="檢視下列帳號所屬政策。", en="Review the policy that holds for the accounts below."),
                check="identity.multi_factor.second_factor_is_enforced",
                doc="Sign-in really demands a second factor:\n    no report-only policy, no exclusion.",
                rule="applies: enabled & (category != 'service')\nholds:   SignIn.mfa in ['enforced']",
            ),
            RequirementText(
                id=f"{item}/written-rule",
                kind=RequirementKind.ATTESTATION,
                says=Text(zh_tw="已書面訂定涵蓋的入口", en="The entrances covered are written down"),
                fix=Text(zh_tw="由資安長核准並簽署。", en="Have it approved and signed by the security officer."),
            ),
        ],
    )


def gate_text(name: str) -> RequirementText:
    """Words of one gate requirement."""
    return RequirementText(
        id=name,
        kind=RequirementKind.ATTESTATION,
        says=Text(zh_tw=f"已界定防護表面（{name}）", en=f"The protect surface is defined ({name})"),
        fix=Text(zh_tw="盤點關鍵資料與交易流程後簽署。", en="List key data and flows, then sign."),
    )


def examples_of(text: ItemText, count: int, *, hostile: bool) -> list[Example]:
    """Examples for an item that failed somewhere, the first of them hostile."""
    if not set(STATES[text.id]) & set("pn"):
        return []
    return [
        Example(
            item=text.id,
            requirement=f"{text.id}/rule-holds",
            use=f"rule@{sha(text.id)[:8]}",
            asset=f"user:corp:{HOSTILE if hostile and not index else 'S-1-5-21-1-' + str(1100 + index)}",
            outcome=Outcome.FAIL if index % 3 else Outcome.UNKNOWN,
            sentence=Text(
                zh_tw=f"政策 {HOSTILE if hostile and not index else 'CA-01'}：僅報告",
                en=f"{HOSTILE if hostile and not index else 'CA-01'}: report-only",
            ),
            evidence=[f"{sha('ad')} / facts/SignIn.parquet", f"{sha('entra')} / facts/User.parquet"],
            systems=["core-banking", "hr"],
        )
        for index in range(count)
    ]


def collections(hostile: bool) -> list[CollectionRef]:
    """Collections of every origin, one of them incomplete and one hostile."""

    def one(target: str, source: str, origin: Origin, when: str, digest: str, **more: object) -> CollectionRef:
        fields = {"collector": "import", "complete": True, "facts": 4210, "gaps": 0, **more}
        return CollectionRef(
            target=target,
            source=source,
            origin=origin,
            collected_at=when,
            digest=sha(digest),
            **fields,  # type: ignore[arg-type]
        )

    return [
        one(
            "ad-corp",
            "ad",
            Origin.LIVE,
            "2026-11-19T22:10:00Z",
            "ad",
            identities=["domain SID S-1-5-21-1", "TLS " + sha("t")],
        ),
        one("entra", "entra", Origin.CAPTURE, "2026-11-18T01:00:00Z", "entra", identities=["tenant 7c1e"]),
        one("hr", "hr", Origin.SUPPLIED, "2026-11-01T01:00:00Z", "hr", facts=812),
        one("switches/tp-1", "switches", Origin.LIVE, "2026-11-20T00:20:00Z", "sw", complete=False, gaps=12),
        one(
            HOSTILE if hostile else "agents", "agents", Origin.LIVE, "2026-11-20T00:55:00Z", "agents", collector="local"
        ),
    ]


def gaps(hostile: bool) -> list[GapRow]:
    """Gaps of every reason."""
    rows = [
        GapRow(
            target="switches/tp-1",
            collector="import",
            fact="NetworkDevice",
            field=None,
            asset=None,
            why=why,
            detail=f"sample detail {why}",
            count=index + 1,
        )
        for index, why in enumerate(GapWhy)
    ]
    rows.append(
        GapRow(
            target="ad-corp",
            collector="directory",
            fact="SignIn",
            field="mfa",
            asset=f"user:corp:{HOSTILE if hostile else 'x'}",
            why=GapWhy.DENIED,
            detail=HOSTILE if hostile else "no right",
            count=41,
        )
    )
    return rows


def registers(*, hostile: bool) -> list[RegisterRow]:
    """Entries that count and entries that do not."""

    def one(name: str, kind: str, requirement: str, why: RegisterWhy | None, assets: int = 0) -> RegisterRow:
        return RegisterRow(
            id=name,
            kind=kind,
            requirement=requirement,
            system="core-banking",
            scenes=[Scene.REMOTE_WORK] if kind == "exception" else [],
            owner="Lin",
            approver="Chang",
            made_at="2026-06-01T00:00:00Z",
            expires_at="2027-05-31T00:00:00Z",
            document="mfa-policy.pdf",
            document_sha256=sha(name),
            counts=why is None,
            why=why,
            detail="signature does not verify" if why is RegisterWhy.SELF_DECLARED else "",
            assets=assets,
        )

    return [
        one("AT-1-1", "attestation", "1-1/written-rule", None),
        one("DR-001", "drill", "1-5/written-rule", RegisterWhy.EXPIRED),
        one("RV-001", "review", "1-6/log-review", RegisterWhy.LAPSED),
        one("EX-001", "exception", "2-2/rule-holds", None, assets=2),
        one("GT-002", "attestation", "III/logs-carry-attributes", RegisterWhy.SELF_DECLARED),
        planned("PL-001", "core-banking", Level.II, "2026-06-30", overdue=True),
        planned("PL-002", "hr", Level.I, "2027-03-31", pillar=Pillar.NETWORK),
        planned("PL-003", HOSTILE if hostile else "gone", Level.IV, "2026-01-31"),
    ]


def planned(
    name: str, system: str, target: Level, due: str, *, pillar: Pillar | None = None, overdue: bool = False
) -> RegisterRow:
    """One adoption plan."""
    return RegisterRow(
        id=name,
        kind="adoption",
        requirement="",
        system=system,
        scenes=[],
        owner="Lin",
        approver="Chang",
        made_at="2026-06-01T00:00:00Z",
        expires_at="2027-05-31T00:00:00Z",
        document="",
        counts=True,
        why=None,
        plan=PlanRow(pillar=pillar, current=Level.NONE, target=target, due=due, status="in_progress", overdue=overdue),
        statement="phishing-resistant factors for everybody",
    )


def alarms() -> list[AlarmRow]:
    """One alarm of each kind."""

    def one(word: AlarmWord, before: int | None, now: int, **more: Any) -> AlarmRow:
        return AlarmRow(
            entry="EX-001",
            word=word,
            requirement="2-2/rule-holds",
            system="core-banking",
            scene=None if word is AlarmWord.EXPIRING else Scene.REMOTE_WORK,
            before=before,
            now=now,
            **more,
        )

    return [
        one(AlarmWord.WIDENED, 3, 17, unknown=4),
        one(AlarmWord.WIDENED, None, 2, named=True),
        one(AlarmWord.STALE, 2, 0),
        one(AlarmWord.EXPIRING, None, 6, days=7),
        one(AlarmWord.COMPENSATION_LOST, 0, 5),
    ]


def changes(hostile: bool) -> Changes:
    """A change of every cause, two causes at once, and one that nobody can tell."""

    def row(cause: ChangeCause, kind: ChangeKind, subject: str, what: ChangeWhat, was: str = "", now: str = "") -> Any:
        return ChangeRow(cause=cause, kind=kind, subject=subject, what=what, was=was, now=now)

    name = HOSTILE if hostile else "branch"
    return Changes(
        inputs=[
            row(ChangeCause.COVERAGE, ChangeKind.LISTING, f"{name}: SignIn", ChangeWhat.DARK, now="denied"),
            *(row(ChangeCause.SCOPE, ChangeKind.TARGET, f"{name}-{n}", ChangeWhat.REMOVED) for n in range(5)),
            row(ChangeCause.RULE, ChangeKind.REQUIREMENT, "1-2/rule-holds", ChangeWhat.NEED, "1", "0.9"),
            row(ChangeCause.REGISTERS, ChangeKind.ENTRY, name, ChangeWhat.EXPIRED, "counts", "expired"),
            row(ChangeCause.CODE, ChangeKind.CODE, "", ChangeWhat.CHANGED, "ztgrade 1", f"ztgrade {name}"),
        ],
        requirements=[
            RequirementChange(
                system="hr",
                scene=Scene.REMOTE_WORK,
                item="1-3",
                requirement="1-3/rule-holds",
                was=RequirementState.NOT_MET,
                now=RequirementState.MET,
                last_proved=None,
                turn=Turn.BETTER,
                causes=[ChangeCause.FACTS, ChangeCause.RULE],
                not_recorded=[ChangeCause.SCOPE],
            ),
            RequirementChange(
                system="hr",
                scene=Scene.REMOTE_WORK,
                item="1-4",
                requirement="1-4/gone",
                was=RequirementState.NOT_MET,
                now=None,
                last_proved="2026-10-20T01:00:00Z",
                turn=Turn.GONE,
            ),
        ],
    )


def basis(hostile: bool) -> Basis:
    """What the sample rests on, as far as a report shows it."""
    return Basis(
        rules={},
        systems={},
        targets={},
        populations={},
        precedence={},
        entries={},
        approvers={},
        register_files={(HOSTILE.replace("\ud800", "") if hostile else "drills.toml"): sha("drills")},
        chain=sha("last link"),
        engine="",
        said={},
    )


def regression(system: str, scene: Scene, item: str, was: str, now: str, last: str | None) -> Regression:
    """One requirement that stands worse."""
    return Regression(
        system=system,
        scene=scene,
        item=item,
        requirement=f"{item}/rule-holds",
        was=RequirementState(was),
        now=RequirementState(now),
        last_proved=last,
        turn=Turn.DARK if was == "not_met" else Turn.WORSE,
        causes=[ChangeCause.COVERAGE, ChangeCause.SCOPE] if was == "not_met" else [ChangeCause.FACTS],
        lost={"target ad-branch": sha("target")} if was == "not_met" else {},
    )
