"""Where an asset of an account stands, by which systems select it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collectors.aws.look import Look, tag_list
from scanner.facts import Placement


def placed(
    look: Look,
    asset: str,
    tags: Mapping[str, str] | None,
    *,
    groups: Iterable[str] = (),
    addresses: Iterable[str] | None = (),
) -> Placement:
    """In the account, and in no directory, which alone has units and host names.

    What is given is all there is, and None is what was not read: an empty list says that there is none.
    """
    return Placement(
        asset=asset,
        observed_at=look.begun,
        directory="none",
        groups=sorted(groups),
        organizational_unit="none",
        account=look.home,
        tags=None if tags is None else tag_list(tags),
        addresses=None if addresses is None else list(addresses),
        host_name="none",
    )
