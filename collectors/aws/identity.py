"""IAM users and their power, from one listing of everything and the credential report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from collectors.aws import role_trusts, sign_in
from collectors.aws.credential_report import TRACKED_SINCE, CredentialReport, ReportRow, parse
from collectors.aws.look import Look, instant, items, tags_of, text
from collectors.aws.operations import (
    DETAILS,
    ORGANIZATION,
    REPORT,
    REPORT_START,
    SERVICE_CREDENTIALS,
    USER_DEVICES,
)
from collectors.aws.placement import placed
from collectors.aws.policies import Power, Statement, power, statements, trusted
from collectors.aws.source import OF_USER
from collectors.ports.aws import Answer
from scanner.errors import Malformed, ReadError
from scanner.facts import (
    AccountAdministration,
    Activity,
    Authenticators,
    Credentials,
    Privilege,
    User,
)
from scanner.facts.identity import Authenticator, AuthenticatorKind
from scanner.model import GapWhy, Record

CATEGORIES = ("person", "service", "shared", "break_glass")
_ADMINISTRATOR = ":aws:policy/AdministratorAccess"


@dataclass
class Principals:
    """Policies by their ARN, and groups by their name; None where a document could not be read."""

    policies: dict[str, tuple[Statement, ...] | None] = field(default_factory=dict)
    groups: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    let_in: set[str] | None = field(default_factory=set)
    """Whom roles let in; None where a trust policy could not be read."""

    def power(self, holder: Mapping[str, Any], inline: str) -> Power:
        """What a user or a role may do, by its own policies and those of its groups."""
        held: list[Statement] = []
        whole = True
        holders = [(holder, inline)]
        try:
            for name in items(holder, "GroupList", str) if inline == "UserPolicyList" else ():
                if name in self.groups:
                    holders.append((self.groups[name], "GroupPolicyList"))
                else:
                    whole = False
        except Malformed:
            whole = False
        for one, key in holders:
            try:
                own = items(one, key, optional=key == "UserPolicyList")
                attached = items(one, "AttachedManagedPolicies")
            except Malformed:
                whole = False
                continue
            for policy in own:
                try:
                    held += statements(policy.get("PolicyDocument"))
                except Malformed:
                    whole = False
            for policy in attached:
                known = self.policies.get(str(policy.get("PolicyArn")))
                whole = whole and known is not None
                held += known or ()
        return power(held, whole=whole)


def report_of(look: Look) -> Iterator[Record | CredentialReport]:
    """The credential report as the last thing, if it could be had."""
    source = REPORT_START
    try:
        look.ask(REPORT_START)
        source = REPORT
        yield parse(look.ask(REPORT))
    except ReadError as error:
        yield from look.lost(source, error)


def read(look: Look, report: CredentialReport | None) -> Iterator[Record]:
    """Users, what they can do and with what they sign in, and who can do everything."""
    if not look.wants(*OF_USER, "AccountAdministration", "RoleTrusts", "Placement"):
        return
    try:
        details = look.ask(DETAILS)
        principals = _principals(details)
    except ReadError as error:
        yield from look.lost(DETAILS, error)
        return
    others: frozenset[str] | None = None
    try:
        listed = look.ask(SERVICE_CREDENTIALS)["ServiceSpecificCredentials"]
        others = frozenset(text(item, "UserName") for item in listed if item.get("Status") != "Inactive")
    except ReadError as error:
        yield from look.lost(SERVICE_CREDENTIALS, error)
    alone: bool | None = None
    organization: str | None = None
    try:
        answer = look.find(ORGANIZATION)
        alone, organization = answer is None, role_trusts.organization_of(answer)
        if not alone:
            detail = "policies of the organization bind users too, and were not read"
            yield from look.gap("Credentials", GapWhy.UNSUPPORTED, detail, field="access_keys_need_mfa")
    except ReadError as error:
        yield from look.lost(ORGANIZATION, error)
    yield from look.unsaid("User", "external", "IAM does not say to whom the holder of a user belongs")
    rules: sign_in.Rules | None = None
    for found in sign_in.rules_of(look):
        if isinstance(found, sign_in.Rules):
            rules = found
        else:
            yield found
    for holder in details["UserDetailList"]:
        try:
            name, arn, user_id = text(holder, "UserName"), text(holder, "Arn"), text(holder, "UserId")
            made_at, tags = instant(holder.get("CreateDate")), tags_of(holder.get("Tags"))
            groups = items(holder, "GroupList", str)
        except Malformed as error:
            yield from look.lost(DETAILS, error)
            continue
        asset = look.key("user", user_id)
        row = report.rows.get(arn) if report is not None else None
        if report is not None and row is None:
            for fact in ("Credentials", "Activity", "Authenticators", "SignIn", "PasswordPolicy"):
                yield from look.gap(fact, GapWhy.UNSEEN, "the credential report does not name the user", asset=asset)
            yield from look.gap("User", GapWhy.UNSEEN, "not in the credential report", asset=asset, field="enabled")
        told_at = look.begun if report is None or row is None else min(look.begun, report.made_at)
        yield from _user(look, asset, told_at, name, tags, row, others)
        yield from look.saw(placed(look, asset, tags, groups=groups))
        can = principals.power(holder, "UserPolicyList")
        yield from _privilege(look, asset, arn, can, principals)
        if row is not None and report is not None:
            yield from _credentials(look, asset, row, report.made_at, can, alone)
            yield from _activity(look, asset, row, report.made_at, made_at)
            yield from _authenticators(look, asset, name, row, report.made_at)
            yield from sign_in.read(look, asset, row, report.made_at, rules)
    yield from _administration(look, details, principals)
    yield from role_trusts.read(look, details, organization)


def _principals(details: Answer) -> Principals:
    found = Principals()
    for policy in details["Policies"]:
        arn = text(policy, "Arn")
        try:
            versions = items(policy, "PolicyVersionList")
            current = [one for one in versions if one.get("IsDefaultVersion") is True]
            found.policies[arn] = statements(current[0].get("Document")) if current else None
        except Malformed:
            found.policies[arn] = None
        if found.policies[arn] is None and arn.endswith(_ADMINISTRATOR):
            found.policies.pop(arn)
    everything = Statement(True, ("*",), False, ("*",), False, {})
    for holder in (*details["UserDetailList"], *details["GroupDetailList"], *details["RoleDetailList"]):
        listed = holder.get("AttachedManagedPolicies")
        for attached in listed if isinstance(listed, list) else ():
            arn = str(attached.get("PolicyArn")) if isinstance(attached, Mapping) else ""
            if arn.endswith(_ADMINISTRATOR):
                found.policies.setdefault(arn, (everything,))
    found.groups = {text(group, "GroupName"): group for group in details["GroupDetailList"]}
    for role in details["RoleDetailList"]:
        try:
            if found.let_in is not None:
                found.let_in.update(trusted(role.get("AssumeRolePolicyDocument")))
        except Malformed:
            found.let_in = None
    return found


def _user(
    look: Look,
    asset: str,
    told_at: datetime,
    name: str,
    tags: Mapping[str, str],
    row: ReportRow | None,
    others: frozenset[str] | None,
) -> Iterator[Record]:
    given = tags.get(look.settings.category_tag or "")
    category: Any = given if given in CATEGORIES else None
    if category is None:
        tag = look.settings.category_tag
        why = (
            f"tag {tag!r} gives none of {', '.join(CATEGORIES)}" if tag else "no option category_tag names a tag for it"
        )
        detail = f"IAM does not say whom a user serves; {why}"
        yield from look.gap("User", GapWhy.UNSUPPORTED, detail, asset=asset, field="category")
    enabled = row.usable if row is not None else None
    if enabled is False:
        # The report leaves out keys of single services.
        enabled = None if others is None else name in others
    elif row is not None and enabled is None:
        yield from look.gap("User", GapWhy.MALFORMED, "the report does not say", asset=asset, field="enabled")
    yield from look.saw(User(asset=asset, observed_at=told_at, enabled=enabled, category=category, login=name))


def _privilege(look: Look, asset: str, arn: str, can: Power, principals: Principals) -> Iterator[Record]:
    privileged, standing = can.privileged, can.standing
    if privileged is False and (principals.let_in is None or principals.let_in & {arn, "*"}):
        privileged = standing = None
    for name, value in (("privileged", privileged), ("standing", standing)):
        if value is None:
            detail = "the policies neither give it plainly nor rule it out, or one of them could not be read"
            yield from look.gap("Privilege", GapWhy.UNSEEN, detail, asset=asset, field=name)
    yield from look.saw(
        Privilege(
            asset=asset,
            observed_at=look.begun,
            privileged=privileged,
            standing=standing,
            residual=False,  # IAM keeps no mark of what was once held
        )
    )


def _credentials(
    look: Look, asset: str, row: ReportRow, made_at: datetime, can: Power, alone: bool | None
) -> Iterator[Record]:
    password: Any = None
    if row.flag("password_enabled") is False:
        password = "none"
    elif row.flag("password_enabled"):
        cell = row.cells.get("password_next_rotation", "")
        try:
            password = (
                "never_expires" if cell == "N/A" else ("expires" if row.moment("password_next_rotation") else None)
            )
        except Malformed:
            password = None
    keys = row.active_keys
    try:
        oldest = row.oldest_key
    except Malformed:
        oldest = None
    changed: datetime | None = None
    try:
        changed = row.moment("password_last_changed") if password != "none" else None
    except Malformed:
        changed = None
    need = can.keys_need_second_factor or (can.keys_need_second_factor if alone else None)
    for name, value in (("password", password), ("access_keys", keys)):
        if value is None:
            yield from look.gap("Credentials", GapWhy.MALFORMED, "the report does not say", asset=asset, field=name)
    if password != "none" and changed is None:
        detail = "the report gives no date"
        yield from look.gap("Credentials", GapWhy.MALFORMED, detail, asset=asset, field="password_changed_at")
    if keys != 0 and oldest is None:
        detail = "the report gives no date"
        yield from look.gap("Credentials", GapWhy.MALFORMED, detail, asset=asset, field="oldest_access_key")
    if need is None and alone:
        detail = "a policy could not be read"
        yield from look.gap("Credentials", GapWhy.UNSEEN, detail, asset=asset, field="access_keys_need_mfa")
    yield from look.saw(
        Credentials(
            asset=asset,
            observed_at=made_at,
            password=password,
            access_keys=keys,
            access_keys_need_mfa=need,
            oldest_access_key=oldest,
            password_required=True,  # IAM takes no empty password
            password_managed=False,
            password_changed_at=changed,
        )
    )


def _activity(look: Look, asset: str, row: ReportRow, made_at: datetime, created: datetime) -> Iterator[Record]:
    try:
        last = row.last_used
    except Malformed as error:
        yield from look.lost(REPORT, error, asset=asset, only="user")
        return
    ever: bool | None = True
    idle: datetime | None = last
    if last is None:
        # Only credentials that still exist are in the report; before that day nothing was noted.
        told = created >= TRACKED_SINCE
        ever, idle = (False, created) if told else (None, None)
        if not told:
            detail = f"no use is noted, and the user is older than the notes ({TRACKED_SINCE.date()})"
            for name in ("ever_signed_in", "last_sign_in", "idle_since"):
                yield from look.gap("Activity", GapWhy.UNSEEN, detail, asset=asset, field=name)
    yield from look.saw(
        Activity(asset=asset, observed_at=made_at, ever_signed_in=ever, last_sign_in=last, idle_since=idle)
    )


def _authenticators(look: Look, asset: str, name: str, row: ReportRow, made_at: datetime) -> Iterator[Record]:
    if not look.wants("Authenticators"):
        return
    password, second = row.flag("password_enabled"), row.flag("mfa_active")
    if password is None or second is None:
        yield from look.gap("Authenticators", GapWhy.MALFORMED, "the report does not say", asset=asset)
        return
    methods = [Authenticator(method="password", usable=not second)] if password else []
    if second:
        try:
            devices = look.ask(USER_DEVICES, UserName=name)["MFADevices"]
            if not devices:
                raise Malformed("the report speaks of a second factor, and none is listed")
            kinds = [kind_of(text(device, "SerialNumber")) for device in devices]
        except ReadError as error:
            yield from look.lost(USER_DEVICES, error, asset=asset)
            return
        methods += [Authenticator(method=kind, usable=True) for kind in sorted(kinds)]
        if "fido2_synced" in kinds:
            detail = "AWS does not tell a security key from a synced passkey; the weaker of the two is taken"
            yield from look.gap("Authenticators", GapWhy.UNSUPPORTED, detail, asset=asset, field="methods")
    yield from look.saw(Authenticators(asset=asset, observed_at=made_at, methods=methods))


def kind_of(serial: str) -> AuthenticatorKind:
    """What a second factor is, by its serial number; raises Malformed."""
    if not serial.startswith("arn:"):
        return "otp_hardware"
    kind = serial.split(":", 5)[-1].partition("/")[0]
    known: dict[str, AuthenticatorKind] = {"mfa": "totp_software", "u2f": "fido2_synced", "sms-mfa": "sms"}
    if kind not in known:
        raise Malformed(f"a second factor of an unknown kind {kind[:20]!r}")
    return known[kind]


def _administration(look: Look, details: Answer, principals: Principals) -> Iterator[Record]:
    """Users and roles with every action on every resource; the root user is left to RootUser."""
    powers = [principals.power(user, "UserPolicyList") for user in details["UserDetailList"]]
    powers += [principals.power(role, "RolePolicyList") for role in details["RoleDetailList"]]
    full = None if any(one.full is None for one in powers) else sum(one.full is True for one in powers)
    loose = (
        None if any(one.unconditional is None for one in powers) else sum(one.unconditional is True for one in powers)
    )
    for name, value in (("full_administrators", full), ("unconditional_grants", loose)):
        if value is None:
            detail = "a policy of a user, a group or a role could not be read"
            yield from look.gap("AccountAdministration", GapWhy.UNSEEN, detail, asset=look.home, field=name)
    yield from look.saw(
        AccountAdministration(
            asset=look.home, observed_at=look.begun, full_administrators=full, unconditional_grants=loose
        )
    )
