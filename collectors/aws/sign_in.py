"""How IAM users sign in by password: which rules the password keeps to, and whether a second factor is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors.aws.credential_report import ReportRow
from collectors.aws.look import Look
from collectors.aws.posture_operations import PASSWORD_POLICY
from collectors.ports.aws import Answer
from scanner.errors import Malformed, ReadError
from scanner.facts import PasswordPolicy, SignIn
from scanner.model import GapWhy, Record

_KINDS = (
    "RequireLowercaseCharacters",
    "RequireNumbers",
    "RequireSymbols",
    "RequireUppercaseCharacters",
)
_SEVERAL = 3


@dataclass(frozen=True)
class Rules:
    """The rules for passwords of an account; IAM has no others."""

    name: str
    min_length: int
    complexity: bool
    remembered: int
    max_age_days: int


AWS_DEFAULT = Rules("aws-default", min_length=8, complexity=True, remembered=0, max_age_days=0)
"""What AWS documents for an account without a policy of its own: eight characters, three of four kinds, no expiry."""


def rules_of(look: Look) -> Iterator[Record | Rules]:
    """The rules of the account as the last thing, if they could be had."""
    if not look.wants("PasswordPolicy"):
        return
    try:
        answer = look.find(PASSWORD_POLICY)
        yield AWS_DEFAULT if answer is None else _rules(answer)
    except ReadError as error:
        yield from look.lost(PASSWORD_POLICY, error)


def _rules(answer: Answer) -> Rules:
    given: Any = answer.get("PasswordPolicy")
    if not isinstance(given, dict):
        raise Malformed("the answer has no PasswordPolicy")
    kinds = [given.get(name) for name in _KINDS]
    expires: Any = given.get("ExpirePasswords")
    length: Any = given.get("MinimumPasswordLength")
    # AWS leaves these two out where they are not set.
    age, remembered = given.get("MaxPasswordAge", 0), given.get("PasswordReusePrevention", 0)
    if not all(isinstance(one, bool) for one in (*kinds, expires)):
        raise Malformed("the password policy does not say what it demands")
    if not all(type(one) is int for one in (length, age, remembered)) or expires is not (age > 0):
        raise Malformed("the password policy does not say for how long, or of how many")
    return Rules("account", length, kinds.count(True) >= _SEVERAL, remembered, age)


def read(look: Look, asset: str, row: ReportRow, made_at: datetime, rules: Rules | None) -> Iterator[Record]:
    """Sign-in of one user, and the rules for the password where there is one."""
    password, second = row.flag("password_enabled"), row.flag("mfa_active")
    mfa: Any = None
    if password is False:
        mfa = "no_password"
    elif password and second is not None:
        # Whoever has a second factor is asked for it at every sign-in by password.
        mfa = "enforced" if second else "not_required"
    if mfa is None:
        yield from look.gap("SignIn", GapWhy.MALFORMED, "the report does not say", asset=asset, field="mfa")
    yield from look.saw(SignIn(asset=asset, observed_at=made_at, mfa=mfa, excluded=False))
    if password is None:
        detail = "the report does not say whether there is a password"
        yield from look.gap("PasswordPolicy", GapWhy.MALFORMED, detail, asset=asset)
    if password and rules is not None:
        yield from look.saw(
            PasswordPolicy(
                asset=asset,
                observed_at=look.begun,
                name=rules.name,
                min_length=rules.min_length,
                complexity=rules.complexity,
                remembered=rules.remembered,
                lockout_attempts=0,  # IAM locks nobody out
                max_age_days=rules.max_age_days,
            )
        )
