"""Moto's server, with what AWS says otherwise of an account: the day of its credential report, rotation, the root user.

Moto dates every report 2 February 2015, leaves the root user out, and calls the rotation of passwords unsupported. Its
root users have neither a second factor nor keys; those of accounts named in the environment, as JSON, may.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse
from moto.server import main

from tests.collectors.aws.moto_snapshots import as_aws_has_them
from tests.collectors.aws.recorded import COLUMNS
from tests.lab.root_users import ROOT_USERS


def root_user(response: IamResponse) -> dict[str, Any]:
    """What is known of the root user of the account that is asked."""
    found: dict[str, Any] = json.loads(os.environ.get(ROOT_USERS, "{}")).get(response.current_account, {})
    return found


def report(response: IamResponse) -> ActionResult:
    """The answer to GetCredentialReport as AWS would give it for the same account."""
    backend: IAMBackend = response.backend
    header, *lines = backend.get_credential_report().splitlines()
    assert tuple(header.split(",")) == COLUMNS
    rotation = COLUMNS.index("password_next_rotation")
    rows = [line.split(",") for line in lines]
    owner: dict[str, Any] = dict.fromkeys(COLUMNS, "N/A") | {
        "user": "<root_account>",
        "arn": f"arn:aws:iam::{response.current_account}:root",
        "user_creation_time": "2020-01-01T00:00:00+00:00",
        "password_enabled": "not_supported",
        "password_next_rotation": "not_supported",
    }
    owner |= {name: "false" for name in COLUMNS if name.endswith("_active")}
    owner |= root_user(response).get("cells", {})
    for row in rows:
        row[rotation] = "N/A"
    text = "\n".join(",".join(row) for row in (list(COLUMNS), list(owner.values()), *rows))
    made_at = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return ActionResult({"Content": text, "ReportFormat": "text/csv", "GeneratedTime": made_at})


def summary(response: IamResponse) -> ActionResult:
    """The answer to GetAccountSummary, with what it says of the root user."""
    root = root_user(response)
    known = {
        "AccountMFAEnabled": int(root.get("mfa", "none") != "none"),
        "AccountAccessKeysPresent": int(root.get("access_keys", 0) > 0),
    }
    return ActionResult({"SummaryMap": response.backend.get_account_summary().summary_map | known})


if __name__ == "__main__":
    IamResponse.get_account_summary = summary  # type: ignore[assignment]
    IamResponse.get_credential_report = report  # type: ignore[assignment]
    as_aws_has_them()
    main(sys.argv[1:])
