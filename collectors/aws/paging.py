"""Calls that list: each service of AWS has one way of its own to give a listing page by page."""

from __future__ import annotations

from typing import Any

from collectors.ports.aws import Operation


def ec2_listing(name: str, listed: str, **given: Any) -> Operation:
    """What EC2 lists under one key; it gives pages only where MaxResults is among the parameters ``given``."""
    return Operation("ec2", name, lists=(listed,), page_in="NextToken", page_out="NextToken", given=given)


def iam_listing(name: str, *listed: str, **given: Any) -> Operation:
    """What IAM lists under one key or several."""
    return Operation("iam", name, lists=listed, page_in="Marker", page_out="Marker", more="IsTruncated", given=given)


def kms_listing(name: str, listed: str) -> Operation:
    """What KMS lists under one key."""
    return Operation("kms", name, lists=(listed,), page_in="Marker", page_out="NextMarker", more="Truncated")
