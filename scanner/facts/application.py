"""Facts about applications and how they are built and run."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from scanner.facts.field import internal
from scanner.model import Fact, Instant


class Application(Fact, frozen=True, kw_only=True):
    """One application."""

    kind: ClassVar[str] = "application"
    population: ClassVar[bool] = True

    name: Annotated[str | None, internal("Its name.")] = None
    maker: Annotated[Literal["in_house", "vendor", "saas"] | None, internal("Who builds it.")] = None


class ApplicationSignIn(Fact, frozen=True, kw_only=True):
    """How people sign in to it."""

    kind: ClassVar[str] = "application"

    method: Annotated[
        Literal["federated", "local", "both"] | None, internal("Both means that a local password remains.")
    ] = None
    checks_assurance: Annotated[bool | None, internal("It checks the assurance claimed in the token (acr or amr).")] = (
        None
    )


class Role(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One role inside an application."""

    name: Annotated[str | None, internal("Its name.")] = None
    privileged: Annotated[bool | None, internal("It may change rights or settings, or reach data in bulk.")] = None
    holders: Annotated[int | None, internal("Accounts that hold it.")] = None
    also_ordinary: Annotated[int | None, internal("Of these, accounts that hold an ordinary role too.")] = None
    approved_apart: Annotated[bool | None, internal("Privileged operations are authorised independently.")] = None


class Entitlements(Fact, frozen=True, kw_only=True):
    """Roles as the application itself exports them."""

    kind: ClassVar[str] = "application"

    exported_by: Annotated[
        Literal["application", "directory"] | None, internal("Whose word it is; a directory cannot see inner roles.")
    ] = None
    roles: Annotated[list[Role] | None, internal("Roles; empty means none.")] = None


class SecurityTesting(Fact, frozen=True, kw_only=True):
    """Security tests of what is deployed."""

    kind: ClassVar[str] = "application"

    ever_tested: Annotated[bool | None, internal("False means never.")] = None
    tested_at: Annotated[Instant | None, internal("When it was last tested.")] = None
    tested_build: Annotated[str | None, internal("Digest or commit that was tested.")] = None
    deployed_build: Annotated[str | None, internal("Digest or commit that runs.")] = None
    open_high: Annotated[int | None, internal("High findings neither fixed nor waived.")] = None
    waived_high: Annotated[int | None, internal("High findings waived.")] = None


class Delivery(Fact, frozen=True, kw_only=True):
    """How changes reach production."""

    kind: ClassVar[str] = "application"

    pipeline: Annotated[bool | None, internal("A pipeline builds and deploys it.")] = None
    review: Annotated[Literal["none", "optional", "required"] | None, internal("Review before merging.")] = None
    manual_changes: Annotated[int | None, internal("Changes by hand in production in the period.")] = None
    developers_hold_production: Annotated[bool | None, internal("Developers can write to production.")] = None


class WebProtection(Fact, frozen=True, kw_only=True):
    """Filtering of requests."""

    kind: ClassVar[str] = "application"

    mode: Annotated[Literal["none", "count", "block"] | None, internal("What it does to a bad request.")] = None
    entries: Annotated[int | None, internal("Entry points.")] = None
    protected_entries: Annotated[int | None, internal("Entry points behind the filter.")] = None


class ThreatResponse(Fact, frozen=True, kw_only=True):
    """What abnormal operation leads to."""

    kind: ClassVar[str] = "application"

    on_abnormal: Annotated[
        Literal["nothing", "alert", "revoke"] | None, internal("What detection does to the session.")
    ] = None


class Retirement(Fact, frozen=True, kw_only=True):
    """Whether a retired application is really gone."""

    kind: ClassVar[str] = "application"

    state: Annotated[Literal["in_service", "retired"] | None, internal("Its state in the register.")] = None
    still_resolves: Annotated[bool | None, internal("Its name still resolves.")] = None
    live_accounts: Annotated[int | None, internal("Accounts and secrets that still work.")] = None
    dependency_gate: Annotated[
        Literal["none", "skippable", "enforced"] | None, internal("Gate on components and their licences and flaws.")
    ] = None
