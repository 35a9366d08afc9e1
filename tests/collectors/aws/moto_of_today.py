"""Moto's server, with three things in its credential report that AWS says otherwise: the day, the owner, the rotation.

Moto dates every report 2 February 2015, leaves the root user out, and calls the rotation of passwords unsupported.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse
from moto.server import main

from tests.collectors.aws.moto_snapshots import as_aws_has_them
from tests.collectors.aws.recorded import COLUMNS


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
    for row in rows:
        row[rotation] = "N/A"
    text = "\n".join(",".join(row) for row in (list(COLUMNS), list(owner.values()), *rows))
    made_at = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return ActionResult({"Content": text, "ReportFormat": "text/csv", "GeneratedTime": made_at})


if __name__ == "__main__":
    IamResponse.get_credential_report = report  # type: ignore[method-assign]
    as_aws_has_them()
    main(sys.argv[1:])
