"""The credential report of IAM: one row for the root user and for each user, without any secret."""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from collectors.aws.look import instant
from collectors.ports.aws import Answer
from scanner.errors import Malformed

ROOT = "<root_account>"
TRACKED_SINCE = datetime(2015, 4, 22, tzinfo=UTC)
"""From this day on AWS notes the last use of passwords and of keys."""
_NO_DATE = frozenset({"N/A", "no_information", "not_supported", ""})


@dataclass(frozen=True)
class ReportRow:
    """One line, by column name."""

    cells: Mapping[str, str]

    def flag(self, column: str) -> bool | None:
        """True or false; None where the report does not say."""
        return {"true": True, "false": False}.get(self.cells.get(column, "").lower())

    def moment(self, column: str) -> datetime | None:
        """A time; None where the report has none; raises Malformed."""
        cell = self.cells.get(column, "")
        return None if cell in _NO_DATE else instant(cell)

    @property
    def key_flags(self) -> tuple[bool | None, bool | None]:
        """Whether the first and the second key are active."""
        return self.flag("access_key_1_active"), self.flag("access_key_2_active")

    @property
    def active_keys(self) -> int | None:
        """Number of active keys; None where the report does not say of both, or says that it leaves some out."""
        flags = self.key_flags
        if None in flags or self.cells.get("additional_credentials_info", "N/A") not in _NO_DATE:
            return None
        return sum(flag is True for flag in flags)

    @property
    def oldest_key(self) -> datetime | None:
        """When the oldest active key was made or last changed; None where one of them has no date."""
        dates = [
            self.moment(f"access_key_{number}_last_rotated")
            for number, active in enumerate(self.key_flags, start=1)
            if active
        ]
        return None if not dates or None in dates else min(date for date in dates if date is not None)

    @property
    def last_used(self) -> datetime | None:
        """The latest use of the password or of a key."""
        columns = ("password_last_used", "access_key_1_last_used_date", "access_key_2_last_used_date")
        dates = [date for date in map(self.moment, columns) if date is not None]
        return max(dates, default=None)

    @property
    def ever_used(self) -> tuple[bool | None, datetime | None]:
        """Whether and when it was last used; None where nothing is noted of an account older than the notes.

        Raises Malformed where the report does not speak of its use.
        """
        if self.cells.get("password_last_used") in {None, "", "not_supported"}:
            raise Malformed("the report does not speak of the use of the password")
        last = self.last_used
        if last is not None:
            return True, last
        made_at = self.moment("user_creation_time")
        return (False, None) if made_at is not None and made_at >= TRACKED_SINCE else (None, None)

    @property
    def usable(self) -> bool | None:
        """Whether the password, a key or a certificate lets the user in; None where the report does not say of one."""
        columns = ("password_enabled", "access_key_1_active", "access_key_2_active", "cert_1_active", "cert_2_active")
        flags = [self.flag(column) for column in columns]
        if True in flags:
            return True
        return None if None in flags or self.active_keys is None else False


@dataclass(frozen=True)
class CredentialReport:
    """The whole report, by ARN of the user, and when AWS wrote it."""

    rows: Mapping[str, ReportRow]
    root: ReportRow | None
    made_at: datetime


def parse(answer: Answer) -> CredentialReport:
    """The report of an answer to GetCredentialReport; raises Malformed."""
    made_at = instant(answer.get("GeneratedTime"))
    try:
        content = base64.b64decode(str(answer.get("Content")), validate=True).decode("utf-8")
        lines = list(csv.DictReader(io.StringIO(content), strict=True))
    except (binascii.Error, ValueError, csv.Error) as error:
        raise Malformed(f"the report is no CSV in Base64: {error}") from None
    rows, root = {}, None
    for line in lines:
        if None in line or None in line.values() or not line.get("arn") or not line.get("user"):
            raise Malformed("the report has a line with too few or too many cells")
        row = ReportRow({str(name): str(cell) for name, cell in line.items()})
        if row.cells["user"] == ROOT:
            root = row
        elif row.cells["arn"] in rows:
            raise Malformed("the report names a user twice")
        else:
            rows[row.cells["arn"]] = row
    return CredentialReport(rows, root, made_at)
