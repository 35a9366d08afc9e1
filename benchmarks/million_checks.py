"""Sixty checks over users for the benchmark, each beside the SQL that one would write by hand for the same answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scanner.column import Check, Claim, Column, Subject, check
from scanner.facts import Authenticators, Credentials, SignIn, User


@dataclass(frozen=True)
class Question:
    """A claim in our algebra, and the same claim in SQL over merged columns."""

    applies: Callable[[Any], Any]
    holds: Callable[[Any], Any]
    applies_sql: str
    holds_sql: str


def _every(inner: str, empty: str = "NULL") -> str:
    """SQL: true where the statement holds for every method, null where that cannot be told."""
    said = f"list_transform(methods, lambda m: {inner})"
    return (
        f"CASE WHEN len(methods) = 0 THEN {empty} WHEN NOT list_bool_and({said}) THEN false "
        f"WHEN list_count({said}) < len(methods) THEN NULL ELSE list_bool_and({said}) END"
    )


def _some(inner: str) -> str:
    """SQL: true where the statement holds for one method at least, null where that cannot be told."""
    said = f"list_transform(methods, lambda m: {inner})"
    return (
        f"CASE WHEN len(methods) = 0 THEN false WHEN list_bool_or({said}) THEN true "
        f"WHEN list_count({said}) < len(methods) THEN NULL ELSE list_bool_or({said}) END"
    )


def _enabled(user: Subject) -> Any:
    return user.enabled


def _people(user: Subject) -> Any:
    return _enabled(user) & (user.category != "service")


def _guests(user: Subject) -> Any:
    return _enabled(user) & user.external


def _holders(user: Subject) -> Any:
    return _enabled(user) & (user[Credentials].access_keys > 0)


ENABLED, PEOPLE = "enabled", "enabled AND category <> 'service'"
GUESTS, HOLDERS = "enabled AND external", "enabled AND access_keys > 0"
STRONG = ["fido2_bound", "smart_card"]
STRONG_SQL = "m.method IN ('fido2_bound', 'smart_card')"


def _old(user: Subject, days: int) -> Column:
    return user.clock.within(user[Credentials].oldest_access_key, days=days)


def _old_sql(days: int) -> str:
    return (
        f"oldest_access_key >= TIMESTAMP '2026-11-01' - to_days({days}) "
        "AND oldest_access_key <= TIMESTAMP '2026-11-01 00:10:00'"
    )


Q = Question
QUESTIONS: tuple[Question, ...] = (
    # sign-in
    Q(
        _people,
        lambda u: (u[SignIn].mfa == "enforced") & ~u[SignIn].excluded,
        PEOPLE,
        "mfa = 'enforced' AND NOT excluded",
    ),
    Q(_enabled, lambda u: u[SignIn].mfa != "not_required", ENABLED, "mfa <> 'not_required'"),
    Q(_guests, lambda u: u[SignIn].mfa == "enforced", GUESTS, "mfa = 'enforced'"),
    Q(_enabled, lambda u: u[SignIn].legacy_protocols == "blocked", ENABLED, "legacy_protocols = 'blocked'"),
    Q(_guests, lambda u: u[SignIn].legacy_protocols == "blocked", GUESTS, "legacy_protocols = 'blocked'"),
    Q(_people, lambda u: u[SignIn].remembered == "never", PEOPLE, "remembered = 'never'"),
    Q(
        _people,
        lambda u: (u[SignIn].remembered != "unlimited") & (u[SignIn].remembered_hours <= 24),
        PEOPLE,
        "remembered <> 'unlimited' AND remembered_hours <= 24",
    ),
    Q(_enabled, lambda u: u[SignIn].remembered_hours <= 8, ENABLED, "remembered_hours <= 8"),
    Q(_enabled, lambda u: u[SignIn].remembered_hours <= 12, ENABLED, "remembered_hours <= 12"),
    Q(_guests, lambda u: u[SignIn].remembered_hours <= 4, GUESTS, "remembered_hours <= 4"),
    Q(_people, lambda u: u[SignIn].conditions.has("location"), PEOPLE, "list_contains(conditions, 'location')"),
    Q(_people, lambda u: u[SignIn].conditions.has("risk"), PEOPLE, "list_contains(conditions, 'risk')"),
    Q(
        _people,
        lambda u: u[SignIn].conditions.has("device_health"),
        PEOPLE,
        "list_contains(conditions, 'device_health')",
    ),
    Q(
        _people,
        lambda u: u[SignIn].conditions.has_all(["location", "risk"]),
        PEOPLE,
        "list_has_all(conditions, ['location', 'risk'])",
    ),
    Q(
        _guests,
        lambda u: u[SignIn].conditions.has_any(["device_health", "risk"]),
        GUESTS,
        "list_has_any(conditions, ['device_health', 'risk'])",
    ),
    Q(_enabled, lambda u: u[SignIn].conditions.length() >= 2, ENABLED, "len(conditions) >= 2"),
    Q(_people, lambda u: ~u[SignIn].trusted_network_bypass, PEOPLE, "NOT trusted_network_bypass"),
    Q(_guests, lambda u: ~u[SignIn].trusted_network_bypass, GUESTS, "NOT trusted_network_bypass"),
    Q(_people, lambda u: u[SignIn].revocation == "continuous", PEOPLE, "revocation = 'continuous'"),
    Q(
        _people,
        lambda u: (
            (u[SignIn].revocation == "continuous")
            | ((u[SignIn].revocation == "timed") & (u[SignIn].revocation_minutes <= 60))
        ),
        PEOPLE,
        "revocation = 'continuous' OR (revocation = 'timed' AND revocation_minutes <= 60)",
    ),
    Q(_enabled, lambda u: u[SignIn].revocation_minutes <= 15, ENABLED, "revocation_minutes <= 15"),
    Q(_enabled, lambda u: u[SignIn].revocation_minutes <= 30, ENABLED, "revocation_minutes <= 30"),
    Q(_enabled, lambda u: u[SignIn].policy.starts_with("CA-1"), ENABLED, "starts_with(policy, 'CA-1')"),
    Q(
        _guests,
        lambda u: u[SignIn].policy.is_in(["CA-7", "CA-8", "CA-9"]),
        GUESTS,
        "policy IN ('CA-7', 'CA-8', 'CA-9')",
    ),
    # authenticators
    Q(
        _people,
        lambda u: u[Authenticators].methods.all(lambda m: ~m.usable | m.method.is_in(STRONG)),
        PEOPLE,
        _every(f"NOT m.usable OR {STRONG_SQL}"),
    ),
    Q(
        _guests,
        lambda u: u[Authenticators].methods.all(lambda m: ~m.usable | m.method.is_in(STRONG), empty=True),
        GUESTS,
        _every(f"NOT m.usable OR {STRONG_SQL}", "true"),
    ),
    Q(_people, lambda u: u[Authenticators].methods.any(lambda m: m.method.is_in(STRONG)), PEOPLE, _some(STRONG_SQL)),
    Q(
        _people,
        lambda u: u[Authenticators].methods.any(lambda m: m.usable & m.method.is_in(STRONG)),
        PEOPLE,
        _some(f"m.usable AND {STRONG_SQL}"),
    ),
    Q(
        _enabled,
        lambda u: u[Authenticators].methods.all(lambda m: m.method != "sms"),
        ENABLED,
        _every("m.method <> 'sms'"),
    ),
    Q(
        _enabled,
        lambda u: u[Authenticators].methods.all(lambda m: (m.method != "sms") | ~m.usable, empty=True),
        ENABLED,
        _every("m.method <> 'sms' OR NOT m.usable", "true"),
    ),
    Q(
        _people,
        lambda u: u[Authenticators].methods.all(lambda m: (m.method != "password") | ~m.usable),
        PEOPLE,
        _every("m.method <> 'password' OR NOT m.usable"),
    ),
    Q(
        _people,
        lambda u: u[Authenticators].methods.any(lambda m: (m.method == "push") & m.usable),
        PEOPLE,
        _some("m.method = 'push' AND m.usable"),
    ),
    Q(
        _guests,
        lambda u: u[Authenticators].methods.any(lambda m: m.method == "fido2_bound"),
        GUESTS,
        _some("m.method = 'fido2_bound'"),
    ),
    Q(_enabled, lambda u: u[Authenticators].methods.all(lambda m: m.usable), ENABLED, _every("m.usable")),
    Q(_enabled, lambda u: u[Authenticators].methods.any(lambda m: m.usable), ENABLED, _some("m.usable")),
    Q(_people, lambda u: u[Authenticators].methods.length() >= 2, PEOPLE, "len(methods) >= 2"),
    Q(_people, lambda u: u[Authenticators].methods.length() <= 2, PEOPLE, "len(methods) <= 2"),
    Q(
        _people,
        lambda u: u[Authenticators].methods.all(lambda m: m.method != "fido2_synced", empty=True),
        PEOPLE,
        _every("m.method <> 'fido2_synced'", "true"),
    ),
    # credentials
    Q(_people, lambda u: u[Credentials].password == "none", PEOPLE, "password = 'none'"),
    Q(_people, lambda u: u[Credentials].password != "never_expires", PEOPLE, "password <> 'never_expires'"),
    Q(_guests, lambda u: u[Credentials].password == "expires", GUESTS, "password = 'expires'"),
    Q(_enabled, lambda u: u[Credentials].access_keys == 0, ENABLED, "access_keys = 0"),
    Q(_enabled, lambda u: u[Credentials].access_keys <= 1, ENABLED, "access_keys <= 1"),
    Q(_people, lambda u: u[Credentials].access_keys == 0, PEOPLE, "access_keys = 0"),
    Q(_holders, lambda u: u[Credentials].access_keys_need_mfa, HOLDERS, "access_keys_need_mfa"),
    Q(_holders, lambda u: _old(u, 90), HOLDERS, _old_sql(90)),
    Q(_holders, lambda u: _old(u, 180), HOLDERS, _old_sql(180)),
    Q(_holders, lambda u: _old(u, 365), HOLDERS, _old_sql(365)),
    Q(_enabled, lambda u: _old(u, 30), ENABLED, _old_sql(30)),
    Q(
        _enabled,
        lambda u: u[Credentials].access_keys_need_mfa | (u[Credentials].access_keys == 0),
        ENABLED,
        "access_keys_need_mfa OR access_keys = 0",
    ),
    # several facts at once
    Q(
        _people,
        lambda u: (u[SignIn].mfa == "enforced") & (u[Credentials].access_keys == 0),
        PEOPLE,
        "mfa = 'enforced' AND access_keys = 0",
    ),
    Q(
        _people,
        lambda u: (u[SignIn].mfa == "enforced") & u[Authenticators].methods.any(lambda m: m.method.is_in(STRONG)),
        PEOPLE,
        f"mfa = 'enforced' AND {_some(STRONG_SQL)}",
    ),
    Q(
        _guests,
        lambda u: ~u[SignIn].excluded & (u[Credentials].password == "expires"),
        GUESTS,
        "NOT excluded AND password = 'expires'",
    ),
    Q(
        _people,
        lambda u: (u[Credentials].password == "none") | u[SignIn].conditions.has("risk"),
        PEOPLE,
        "password = 'none' OR list_contains(conditions, 'risk')",
    ),
    Q(
        _holders,
        lambda u: (u[SignIn].legacy_protocols == "blocked") & u[Credentials].access_keys_need_mfa,
        HOLDERS,
        "legacy_protocols = 'blocked' AND access_keys_need_mfa",
    ),
    Q(
        _holders,
        lambda u: (u[SignIn].revocation == "continuous") | (u[Credentials].access_keys <= 1),
        HOLDERS,
        "revocation = 'continuous' OR access_keys <= 1",
    ),
    Q(
        lambda u: u.category == "service",
        lambda u: (u[Credentials].password == "none") & (u[SignIn].mfa != "enforced"),
        "category = 'service'",
        "password = 'none' AND mfa <> 'enforced'",
    ),
    Q(lambda u: u.category == "break_glass", lambda u: u[SignIn].excluded, "category = 'break_glass'", "excluded"),
    Q(
        lambda u: u.category == "shared",
        lambda u: ~u.enabled | (u[SignIn].mfa == "enforced"),
        "category = 'shared'",
        "NOT enabled OR mfa = 'enforced'",
    ),
    Q(
        lambda u: u.category.is_in(["person", "shared"]),
        lambda u: u[Authenticators].methods.length() + u[Credentials].access_keys <= 3,
        "category IN ('person', 'shared')",
        "len(methods) + access_keys <= 3",
    ),
)


def checks() -> list[Check[User]]:
    """The sixty checks."""

    def made(number: int, question: Question) -> Check[User]:
        def claim(user: Subject) -> Claim:
            """The claim of this question."""
            return Claim(applies=question.applies(user), holds=question.holds(user))

        return check(over=User, id=f"benchmark.question_{number:02}")(claim)

    return [made(number, question) for number, question in enumerate(QUESTIONS)]
