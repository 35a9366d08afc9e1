"""Snapshots as AWS lists them: moto's server names them all, whosever they are and whoever may restore them."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response


def snapshots(response: EC2Response) -> ActionResult:
    """The answer to DescribeSnapshots: the owner's, and where asked for, those that everybody may restore."""
    everybody = response._get_param("RestorableByUserIds", []) == ["all"]
    listed = response.ec2_backend.describe_snapshots(filters=response._filters_from_querystring())
    own = [one for one in listed if one.owner_id == response.current_account]
    return ActionResult(
        {"Snapshots": [one for one in own if not everybody or "all" in one.create_volume_permission_groups]}
    )


def as_aws_has_them() -> None:
    """Let this process answer so."""
    EC2Response.describe_snapshots = snapshots  # type: ignore[assignment]
