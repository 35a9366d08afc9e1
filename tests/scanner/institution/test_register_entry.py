"""What one entry may say, by kind: everything wrong is told by line and key, and nothing is guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from scanner.errors import ConfigurationError
from scanner.institution.register_nouns import NEVER, Acceptance, Entry, EntryKind, ExceptionType, Plan, PlanStatus
from scanner.institution.register_writer import FILES
from scanner.institution.registers import parse_registers
from scanner.model import Level, Pillar, Scene

PLAN = """[[adoption]]
id = "PL-001"
system = "core"
scenes = ["remote_work"]
pillar = "identity"
current = "I"
target = "II"
due = 2026-11-20
status = "in_progress"
statement = "Every entrance decides by the state of the device."
owner = "wang"
approver = "chang"
made_at = 2026-10-01
"""
REVOCATION = """[[revocation]]
id = "RE-001"
revokes = "AT-001"
reason = "An entrance was found that the list does not name."
owner = "wang"
approver = "chang"
made_at = 2026-10-01
"""
REQUIREMENTS = frozenset({"1-1/mfa-enforced", "3-1/peers-restricted", "1-5/revocation-drill"})
SYSTEMS = {"core": (Scene.REMOTE_WORK, Scene.SYSTEM_OPERATIONS)}


def read(text: str) -> Entry:
    (entry,) = parse_registers({"entries.toml": text.encode()}, REQUIREMENTS, SYSTEMS).entries
    return entry


def told(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return [f"{each.line} {each.key}: {each.message}" for each in caught.value.problems]


def test_a_plan_says_from_which_level_to_which_by_when() -> None:
    entry = read(PLAN)
    assert entry.plan == Plan(Pillar.IDENTITY, Level.I, Level.II, date(2026, 11, 20), PlanStatus.IN_PROGRESS)
    assert (entry.kind, entry.requirement, entry.expires_at) == (EntryKind.ADOPTION, "", NEVER)
    assert entry.covers("core", Scene.REMOTE_WORK)
    assert not entry.covers("core", Scene.SYSTEM_OPERATIONS)


def test_a_plan_without_a_pillar_is_for_all_of_them() -> None:
    plan = read(PLAN.replace('pillar = "identity"\n', "")).plan
    assert plan is not None
    assert plan.pillar is None


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('scenes = ["remote_work"]\n', "", "1 adoption[0].scenes: a plan is for one scene"),
        ('"remote_work"', '"remote_work", "system_operations"', "4 adoption[0].scenes: a plan is for one scene"),
        ('"identity"', '"identiy"', "5 adoption[0].pillar: there is no word 'identiy'; did you mean 'identity'?"),
        ('target = "II"', 'target = "I"', "7 adoption[0].target: 'I' does not lie above current, 'I'"),
        ('target = "II"', 'target = "V"', "7 adoption[0].target: there is no word 'V'"),
        ('target = "II"\n', "", "1 adoption[0]: 'target' is missing"),
        ("due = 2026-11-20", 'due = "soon"', "8 adoption[0].due: expected a date or an RFC 3339 time with its zone"),
        ('"in_progress"', '"begun"', "9 adoption[0].status: there is no word 'begun'"),
        ('statement = "Every', 'statment = "Every', "1 adoption[0]: 'statement' is missing"),
    ],
)
def test_a_wrong_plan_is_told_by_line_and_key(old: str, new: str, problem: str) -> None:
    assert any(line.startswith(problem) for line in told(PLAN.replace(old, new))), told(PLAN.replace(old, new))


@pytest.mark.parametrize(
    ("status", "as_of", "overdue"),
    [
        (PlanStatus.PLANNED, datetime(2026, 11, 20, 23, 59, tzinfo=UTC), False),
        (PlanStatus.PLANNED, datetime(2026, 11, 21, tzinfo=UTC), True),
        (PlanStatus.LATE, datetime(2026, 11, 21, tzinfo=UTC), True),
        (PlanStatus.DONE, datetime(2026, 11, 21, tzinfo=UTC), False),
        (PlanStatus.DROPPED, datetime(2026, 11, 21, tzinfo=UTC), False),
    ],
)
def test_a_plan_is_overdue_after_its_last_day_unless_it_is_done_or_dropped(
    status: PlanStatus, as_of: datetime, overdue: bool
) -> None:
    plan = read(PLAN.replace("in_progress", status.value)).plan
    assert plan is not None
    assert plan.overdue(as_of) is overdue


def test_a_revocation_names_the_entry_that_it_takes_back_and_needs_no_system() -> None:
    entry = read(REVOCATION)
    assert (entry.revokes, entry.system, entry.requirement, entry.expires_at) == ("AT-001", "", "", NEVER)
    assert not entry.covers("core", Scene.REMOTE_WORK)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('revokes = "AT-001"\n', "", "1 revocation[0]: 'revokes' is missing"),
        ('"AT-001"', '"../x"', "3 revocation[0].revokes: '../x' is not a name"),
        ('"AT-001"', '"RE-001"', "3 revocation[0].revokes: is the entry itself"),
        ("An entrance was found that the list does not name.", "wrong", "4 revocation[0].reason: expected at least 30"),
        ('owner = "wang"\n', "", "1 revocation[0]: 'owner' is missing"),
        ("made_at = 2026-10-01\n", "", "1 revocation[0]: 'made_at' is missing"),
    ],
)
def test_a_wrong_revocation_is_told_by_line_and_key(old: str, new: str, problem: str) -> None:
    lines = told(REVOCATION.replace(old, new))
    assert any(line.startswith(problem) for line in lines), lines


def test_every_kind_has_a_file_of_its_own() -> None:
    assert sorted(FILES) == sorted(EntryKind)
    assert len(set(FILES.values())) == len(EntryKind)


EXCEPTION = """[[exception]]
id = "EX-001"
requirement = "1-1/mfa-enforced"
system = "core"
type = "compensating_control"
compensated_by = "3-1/peers-restricted"
reason = "A second lock stands before this console until it is replaced."
assets = ["user:corp:a", "user:corp:b"]
matched = 1
beyond = 4
owner = "wang"
approver = "chang"
made_at = 2026-10-01
expires_at = 2027-09-30
"""


def test_an_exception_says_what_holds_in_place_and_how_much_failed_when_it_was_approved() -> None:
    found = read(EXCEPTION).acceptance
    assert found == Acceptance(ExceptionType.COMPENSATING_CONTROL, "3-1/peers-restricted", 1, 4)
    plain = EXCEPTION.replace("compensating_control", "planned").replace("compensated_by", "#").replace("matched", "#")
    assert read(plain).acceptance == Acceptance(ExceptionType.PLANNED, "", None, 4)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('compensated_by = "3-1/peers-restricted"\n', "", "1 exception[0]: 'compensated_by' is missing"),
        ("3-1/peers-restricted", "3-1/peers", "6 exception[0].compensated_by: there is no requirement '3-1/peers'"),
        ("3-1/peers-restricted", "1-1/mfa-enforced", "6 exception[0].compensated_by: is the requirement that fails"),
        ('"compensating_control"', '"planned"', "6 exception[0].compensated_by: does not suit type 'planned'"),
        ("matched = 1", "matched = 3", "9 exception[0].matched: is 3, of 2 assets named"),
        ("matched = 1", "matched = -1", "9 exception[0].matched: expected a number from 0"),
        ("beyond = 4", "beyond = 0.5", "10 exception[0].beyond: expected an integer"),
    ],
)
def test_a_wrong_exception_is_told_by_line_and_key(old: str, new: str, problem: str) -> None:
    lines = told(EXCEPTION.replace(old, new))
    assert any(line.startswith(problem) for line in lines), lines


DRILL = """[[drill]]
id = "DR-001"
requirement = "1-5/revocation-drill"
system = "core"
statement = "A running session was ended."
trigger = "A token was reported stolen."
decision = "Revoke all sessions of the account."
action = "The session ended four minutes later."
occurred_at = 2026-09-30
owner = "wang"
approver = "chang"
made_at = 2026-10-01
expires_at = 2027-10-01
document = {name = "drill.pdf", sha256 = "DIGEST"}
""".replace("DIGEST", "a" * 64)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("document = ", "#", "1 drill[0]: 'document' is missing"),
        ("2026-09-30", "2026-10-02", "12 drill[0].made_at: lies before occurred_at"),
        ('trigger = "', '#"', "1 drill[0]: 'trigger' is missing"),
        ('action = "', '#"', "1 drill[0]: 'action' is missing"),
        ('decision = "', '#"', "1 drill[0]: 'decision' is missing"),
    ],
)
def test_a_drill_without_evidence_or_yet_to_come_is_refused(old: str, new: str, problem: str) -> None:
    assert read(DRILL).occurred_at == datetime(2026, 9, 30, tzinfo=UTC)
    lines = told(DRILL.replace(old, new))
    assert any(line.startswith(problem) for line in lines), lines


def test_a_scope_statement_may_name_what_left_the_estate_and_nothing_else_may() -> None:
    stated = (
        '[[scope_statement]]\nid = "SC-001"\nitem = "1-1"\npopulation = "User"\nsystem = "gone"\n'
        'scenes = ["cloud_access"]\nowner = "wang"\napprover = "chang"\nstatement = "It was switched off."\n'
        "made_at = 2026-10-01\nexpires_at = 2027-10-01\n"
    )
    assert read(stated).covers("gone", Scene.CLOUD_ACCESS)
    assert any("gone" in problem for problem in told(PLAN.replace('"core"', '"gone"')))


ATTESTATION = f"""[[attestation]]
id = "AT-001"
requirement = "1-1/mfa-enforced"
system = "core"
answer = "yes"
statement = "Every entrance asks for a second factor."
owner = "wang"
reviewer = "lin"
approver = "chang"
period_from = 2026-01-01
period_to = 2026-09-30
made_at = 2026-10-01
expires_at = 2027-09-30
document = {{ name = "minutes.pdf", sha256 = "{"0" * 64}" }}
"""


def test_an_attestation_may_say_who_read_it_and_of_which_period_it_speaks() -> None:
    entry = read(ATTESTATION)
    assert (entry.reviewer, entry.denies) == ("lin", False)
    assert entry.period == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 9, 30, tzinfo=UTC))


def test_neither_is_asked_for() -> None:
    lines = [line for line in ATTESTATION.splitlines() if not line.startswith(("reviewer", "period"))]
    entry = read("\n".join(lines))
    assert (entry.reviewer, entry.period) == ("", None)


@pytest.mark.parametrize("answer", ["no", "partly"])
def test_what_is_not_a_whole_yes_denies(answer: str) -> None:
    assert read(ATTESTATION.replace('"yes"', f'"{answer}"')).denies


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"lin"', '"WＡNG"', "8 attestation[0].reviewer: is its owner"),
        ("period_to = 2026-09-30\n", "", "1 attestation[0]: 'period_to' is missing"),
        ("2026-09-30\nmade", "2025-09-30\nmade", "11 attestation[0].period_to: lies before period_from"),
        ("2026-09-30\nmade", "2026-11-30\nmade", "12 attestation[0].made_at: lies before period_to"),
        ('"yes"', '"maybe"', "5 attestation[0].answer: there is no word 'maybe'"),
    ],
)
def test_a_wrong_attestation_is_told_by_line_and_key(old: str, new: str, problem: str) -> None:
    assert any(line.startswith(problem) for line in told(ATTESTATION.replace(old, new))), told(
        ATTESTATION.replace(old, new)
    )
