"""The account itself: its name and its root user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collectors.aws.credential_report import TRACKED_SINCE, CredentialReport
from collectors.aws.look import Look, text
from collectors.aws.operations import ALIASES, REPORT, SUMMARY, VIRTUAL_DEVICES
from collectors.aws.placement import placed
from scanner.errors import Malformed, ReadError
from scanner.facts import Account, RootUser
from scanner.model import GapWhy, Record


def read(look: Look, report: CredentialReport | None) -> Iterator[Record]:
    """One account, and the root user by the account's summary and the credential report."""
    if look.wants("Account"):
        name: str | None = None
        try:
            aliases = look.ask(ALIASES)["AccountAliases"]
            name = str(aliases[0]) if aliases else None
        except ReadError as error:
            yield from look.lost(ALIASES, error, asset=look.home)
        yield from look.saw(Account(asset=look.home, observed_at=look.begun, name=name, provider="aws"))
    yield from look.saw(placed(look, look.home, None))
    detail = "tags of an account stand with its organization, which is not read"
    yield from look.gap("Placement", GapWhy.UNSUPPORTED, detail, asset=look.home, field="tags")
    if look.wants("RootUser"):
        yield from _root(look, report)


def _root(look: Look, report: CredentialReport | None) -> Iterator[Record]:
    row = report.root if report is not None else None
    if report is not None and row is None:
        for name in ("ever_used", "last_used"):
            detail = "the credential report does not name it"
            yield from look.gap("RootUser", GapWhy.UNSEEN, detail, asset=look.home, field=name)
    mfa: Any = None
    keys: int | None = None
    try:
        summary: Any = look.ask(SUMMARY).get("SummaryMap")
        second, present = (summary.get(name) for name in ("AccountMFAEnabled", "AccountAccessKeysPresent"))
        if second not in {0, 1} or present not in {0, 1}:
            raise Malformed("the summary does not speak of the root user")
        listed = row.active_keys if row is not None else None
        if report is not None and row is None:
            yield from look.gap(
                "RootUser",
                GapWhy.UNSEEN,
                "the credential report does not name it",
                asset=look.home,
                field="access_keys",
            )
        elif listed is not None and (listed > 0) is not (present == 1):
            detail = "the account summary and the credential report differ on the keys of the root user"
            yield from look.gap("RootUser", GapWhy.CONFLICT, detail, asset=look.home, field="access_keys")
        else:
            keys = listed
        if row is not None and listed is None:
            yield from look.gap(
                "RootUser", GapWhy.MALFORMED, "the report does not say", asset=look.home, field="access_keys"
            )
        mfa = "none" if second == 0 else None
    except (AttributeError, TypeError):
        yield from look.lost(SUMMARY, Malformed("the summary is no table"), asset=look.home)
        second = None
    except ReadError as error:
        yield from look.lost(SUMMARY, error, asset=look.home)
        second = None
    if second == 1:
        try:
            devices = look.ask(VIRTUAL_DEVICES)["VirtualMFADevices"]
            mfa = "virtual" if any(_of_root(look, device) for device in devices) else "hardware"
        except ReadError as error:
            yield from look.lost(VIRTUAL_DEVICES, error, asset=look.home)
    if row is not None and second is not None and row.flag("mfa_active") is not (second == 1):
        detail = "the account summary and the credential report differ on the second factor"
        yield from look.gap("RootUser", GapWhy.CONFLICT, detail, asset=look.home, field="mfa")
        mfa = None
    ever, last = None, None
    if row is not None:
        try:
            ever, last = row.ever_used
            if ever is None:
                detail = f"no use is noted, and the account is older than the notes ({TRACKED_SINCE.date()})"
                yield from look.gap("RootUser", GapWhy.UNSEEN, detail, asset=look.home, field="ever_used")
                yield from look.gap("RootUser", GapWhy.UNSEEN, detail, asset=look.home, field="last_used")
        except Malformed as error:
            yield from look.lost(REPORT, error, asset=look.home, only="account")
    told_at = look.begun if row is None or report is None else min(look.begun, report.made_at)
    yield from look.saw(
        RootUser(asset=look.home, observed_at=told_at, mfa=mfa, access_keys=keys, ever_used=ever, last_used=last)
    )


def _of_root(look: Look, device: Any) -> bool:
    user = device.get("User") if isinstance(device, dict) else None
    if not isinstance(user, dict):
        raise Malformed("an assigned device without a user")
    return text(user, "Arn").endswith(f":iam::{look.account}:root") or text(device, "SerialNumber").endswith(
        ":mfa/root-account-mfa-device"
    )
