"""What an assessment depends on beside what the previous one did: scope, rule, registers, code, coverage; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from scanner.model import GapWhy, RegisterWhy
from scanner.result.assessment import Assessment
from scanner.result.basis import Basis, RuleBasis, SystemBasis
from scanner.result.change import ChangeCause, ChangeKind, ChangeRow, ChangeWhat
from scanner.result.register import RegisterRow

STANDING = {
    RegisterWhy.SELF_DECLARED.value: ChangeWhat.UNSIGNED,
    RegisterWhy.EXPIRED.value: ChangeWhat.EXPIRED,
    RegisterWhy.LAPSED.value: ChangeWhat.LAPSED,
    "revoked": ChangeWhat.REVOKED,
}
"""What is said of an entry that came to stand so."""

COUNTS = "counts"
"""How an entry stands that counts."""


def input_changes(was: Assessment, now: Assessment) -> list[ChangeRow]:
    """Every input that differs, in order of cause, kind and name; what an older assessment does not say is said so."""
    causes, kinds = list(ChangeCause), list(ChangeKind)
    rows = [*_scope(was, now), *_rule(was, now), *_registers(was, now), *_code(was, now), *_coverage(was, now)]
    return sorted(rows, key=lambda row: (causes.index(row.cause), kinds.index(row.kind), row.subject, row.what))


def standing(row: RegisterRow) -> str:
    """How an entry stands: ``counts``, or why not."""
    return COUNTS if row.counts else str(row.why)


def rule_differences(was: RuleBasis, now: RuleBasis) -> Iterator[tuple[ChangeWhat, str, str]]:
    """What differs between two rules of one requirement, with what it was and is; words and evidence aside."""
    if was.check != now.check:
        yield ChangeWhat.CHECK, was.check, now.check
    if was.need != now.need:
        yield ChangeWhat.NEED, _number(was.need), _number(now.need)
    if was.parameters != now.parameters:
        names = sorted({*was.parameters, *now.parameters})
        differing = [name for name in names if was.parameters.get(name) != now.parameters.get(name)]
        yield ChangeWhat.PARAMETERS, _listed(was.parameters, differing), _listed(now.parameters, differing)
    if was.max_age != now.max_age:
        yield ChangeWhat.MAX_AGE, _days(was.max_age), _days(now.max_age)
    if was.branches != now.branches:
        yield ChangeWhat.CHANGED, ", ".join(was.branches), ", ".join(now.branches)
    if was.item != now.item:
        yield ChangeWhat.ITEM, "", ""


def _number(need: float | None) -> str:
    return "" if need is None else f"{need:.6g}"


def _listed(parameters: Mapping[str, str], names: Iterable[str]) -> str:
    return ", ".join(f"{name} = {parameters[name]}" for name in names if name in parameters)


def _days(seconds: int) -> str:
    return f"{seconds / 86_400:.6g}d"


def _compared(
    cause: ChangeCause, kind: ChangeKind, was: Mapping[str, str], now: Mapping[str, str], *, shown: bool = False
) -> Iterator[ChangeRow]:
    """A row for every name that came, went or stands for something else; digests are not shown."""
    for name in sorted({*was, *now}):
        old, new = was.get(name), now.get(name)
        if old == new:
            continue
        what = ChangeWhat.ADDED if old is None else ChangeWhat.REMOVED if new is None else ChangeWhat.CHANGED
        told = ((old or "") if shown else "", (new or "") if shown else "")
        yield ChangeRow(cause=cause, kind=kind, subject=name, what=what, was=told[0], now=told[1])


def _unknown(cause: ChangeCause, kind: ChangeKind) -> ChangeRow:
    return ChangeRow(cause=cause, kind=kind, subject="", what=ChangeWhat.NOT_RECORDED)


def _scope(was: Assessment, now: Assessment) -> Iterator[ChangeRow]:
    cause = ChangeCause.SCOPE
    if was.estate_digest == now.estate_digest:
        return
    old, new = was.basis, now.basis
    if old is None or new is None:
        yield _unknown(cause, ChangeKind.ESTATE)
        return
    rows = [
        *_compared(cause, ChangeKind.SYSTEM, dict.fromkeys(old.systems, ""), dict.fromkeys(new.systems, "")),
        *_compared(cause, ChangeKind.SOURCE, _sources(old), _sources(new)),
        *_compared(
            cause,
            ChangeKind.TARGET,
            {name: f"{target.source} {target.digest}" for name, target in old.targets.items()},
            {name: f"{target.source} {target.digest}" for name, target in new.targets.items()},
        ),
        *_compared(cause, ChangeKind.POPULATION, _joined(old.populations), _joined(new.populations), shown=True),
        *_compared(cause, ChangeKind.PRECEDENCE, _joined(old.precedence), _joined(new.precedence), shown=True),
    ]
    for name in sorted(old.systems.keys() & new.systems.keys()):
        rows += _system(name, old.systems[name], new.systems[name])
    if not rows:  # titles, credentials, sites, the selection of systems
        rows.append(ChangeRow(cause=cause, kind=ChangeKind.ESTATE, subject="", what=ChangeWhat.WORDING))
    yield from rows


def _sources(basis: Basis) -> dict[str, str]:
    return {target.source: "" for target in basis.targets.values()}


def _joined(lists: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: ", ".join(values) for name, values in lists.items()}


def _system(name: str, was: SystemBasis, now: SystemBasis) -> Iterator[ChangeRow]:
    cause = ChangeCause.SCOPE
    scenes = [{f"{name}/{scene.value}": "" for scene in system.scenes} for system in (was, now)]
    yield from _compared(cause, ChangeKind.SCENE, scenes[0], scenes[1])
    if was.service_model is not now.service_model:
        models = was.service_model.value, now.service_model.value
        yield ChangeRow(
            cause=cause,
            kind=ChangeKind.SERVICE_MODEL,
            subject=name,
            what=ChangeWhat.CHANGED,
            was=models[0],
            now=models[1],
        )
    if was.target is not now.target:
        what = ChangeWhat.RAISED if now.target.rank > was.target.rank else ChangeWhat.LOWERED
        yield ChangeRow(
            cause=cause,
            kind=ChangeKind.TARGET_LEVEL,
            subject=name,
            what=what,
            was=was.target.value,
            now=now.target.value,
        )
    members = [{f"{name}: {place}": digest for place, digest in system.members.items()} for system in (was, now)]
    yield from _compared(cause, ChangeKind.MEMBERS, members[0], members[1])


def _rule(was: Assessment, now: Assessment) -> Iterator[ChangeRow]:
    cause = ChangeCause.RULE
    if was.baseline.digest == now.baseline.digest:
        return
    old, new = was.basis, now.basis
    if old is None or new is None:
        yield _unknown(cause, ChangeKind.BASELINE)
        return
    rows = list(_compared(cause, ChangeKind.REQUIREMENT, dict.fromkeys(old.rules, ""), dict.fromkeys(new.rules, "")))
    for address in sorted(old.rules.keys() & new.rules.keys()):
        rows += [
            ChangeRow(cause=cause, kind=ChangeKind.REQUIREMENT, subject=address, what=what, was=then, now=here)
            for what, then, here in rule_differences(old.rules[address], new.rules[address])
        ]
    if not rows:
        rows.append(ChangeRow(cause=cause, kind=ChangeKind.BASELINE, subject=now.baseline.id, what=ChangeWhat.WORDING))
    yield from rows


def _registers(was: Assessment, now: Assessment) -> Iterator[ChangeRow]:
    cause = ChangeCause.REGISTERS
    old, new = was.basis, now.basis
    if old is not None and new is not None:
        yield from _compared(cause, ChangeKind.APPROVER, old.approvers, new.approvers)
        if old.entries == new.entries:  # signatures and the chain; else the entries tell it
            yield from _compared(cause, ChangeKind.REGISTER_FILE, old.register_files, new.register_files)
    elif was.registers_digest != now.registers_digest:
        yield _unknown(cause, ChangeKind.REGISTER_FILE)
    before = {row.id: row for row in was.registers}
    for row in now.registers:
        if row.id not in before:
            yield _entry(row.id, ChangeWhat.ADDED, "", standing(row))
            continue
        then, here = standing(before[row.id]), standing(row)
        if old is not None and new is not None and old.entries.get(row.id) != new.entries.get(row.id):
            yield _entry(row.id, ChangeWhat.EDITED, then, here)
        if then != here:
            yield _entry(row.id, _turned(then, here), then, here)
    held = {row.id for row in now.registers}
    for name, row in before.items():
        if name not in held:
            yield _entry(name, ChangeWhat.REMOVED, standing(row), "")


def _turned(was: str, now: str) -> ChangeWhat:
    if now == COUNTS:
        return ChangeWhat.SIGNED if was == RegisterWhy.SELF_DECLARED else ChangeWhat.IN_FORCE
    return STANDING.get(now, ChangeWhat.CHANGED)


def _entry(name: str, what: ChangeWhat, was: str, now: str) -> ChangeRow:
    return ChangeRow(cause=ChangeCause.REGISTERS, kind=ChangeKind.ENTRY, subject=name, what=what, was=was, now=now)


def _code(was: Assessment, now: Assessment) -> Iterator[ChangeRow]:
    if was.code != now.code:
        yield ChangeRow(
            cause=ChangeCause.CODE,
            kind=ChangeKind.CODE,
            subject="",
            what=ChangeWhat.CHANGED,
            was=was.code,
            now=now.code,
        )


def _coverage(was: Assessment, now: Assessment) -> Iterator[ChangeRow]:
    """Targets that were never read, or gave nothing, and whole facts that a target could not give."""
    cause = ChangeCause.COVERAGE
    old, new = _speaking(was), _speaking(now)
    dark, seen = old - new, new - old
    known = None if now.basis is None else now.basis.targets.keys()
    for target in sorted(dark):
        if known is None or target in known:  # a target that the estate lacks is a change of scope
            yield ChangeRow(cause=cause, kind=ChangeKind.TARGET, subject=target, what=ChangeWhat.DARK)
    for target in sorted(seen):
        yield ChangeRow(cause=cause, kind=ChangeKind.TARGET, subject=target, what=ChangeWhat.SEEN)
    blind_then, blind_now = _blind(was), _blind(now)
    for target, fact in sorted(blind_now.keys() - blind_then.keys()):
        if target not in dark:
            why = ", ".join(sorted(blind_now[target, fact]))
            yield ChangeRow(
                cause=cause, kind=ChangeKind.LISTING, subject=f"{target}: {fact}", what=ChangeWhat.DARK, now=why
            )
    for target, fact in sorted(blind_then.keys() - blind_now.keys()):
        if target not in seen and (known is None or target in known):
            why = ", ".join(sorted(blind_then[target, fact]))
            yield ChangeRow(
                cause=cause, kind=ChangeKind.LISTING, subject=f"{target}: {fact}", what=ChangeWhat.SEEN, was=why
            )


def _speaking(assessment: Assessment) -> set[str]:
    """Targets that gave at least one fact, or a complete listing of none."""
    if assessment.basis is not None:
        return set(assessment.basis.said)
    return {ref.target for ref in assessment.collections if ref.facts}


def _blind(assessment: Assessment) -> dict[tuple[str, str], set[GapWhy]]:
    """Whole facts that a target could not give, with why."""
    found: dict[tuple[str, str], set[GapWhy]] = {}
    for gap in assessment.gaps:
        if gap.target and gap.field is None and gap.asset is None and gap.why is not GapWhy.UNSEEN:
            found.setdefault((gap.target, gap.fact), set()).add(gap.why)
    return found
