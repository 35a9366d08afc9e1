"""Until when Microsoft repairs a version of Windows, from the list of dates beside this file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from importlib import resources
from typing import Any

_BUILD = re.compile(r"\((\d+)\)")


@dataclass(frozen=True)
class Lifecycle:
    """The list: products by patterns of their names, dates by build and edition."""

    as_of: date
    products: tuple[tuple[re.Pattern[str], Mapping[str, Mapping[str, date]]], ...]
    editions: tuple[tuple[re.Pattern[str], str], ...]

    def until(self, name: str, version: str | None) -> datetime | str:
        """The last moment of security fixes, or why it is not known.

        ``name`` as in ``operatingSystem``, ``version`` as in ``operatingSystemVersion``: ``10.0 (22631)``.
        """
        builds = next((builds for pattern, builds in self.products if pattern.search(name)), None)
        if builds is None:
            return f"{name} is not in the list of {self.as_of}"
        build = _BUILD.search(version or "")
        dates = builds.get(build.group(1)) if build else None
        if dates is None:
            return f"{name} {version or 'of unknown build'} is not in the list of {self.as_of}"
        edition = next((edition for pattern, edition in self.editions if pattern.search(name)), "any")
        end = dates.get("any") or dates.get(edition)
        if end is None:
            return f"the edition of {name} {version} is not in the list of {self.as_of}"
        return datetime.combine(end, time(23, 59, 59), UTC)


def known() -> Lifecycle:
    """The list that came with this version."""
    raw: dict[str, Any] = tomllib.loads((resources.files("collectors.ad") / "lifecycle.toml").read_text("utf-8"))
    return Lifecycle(
        as_of=raw["as_of"],
        products=tuple((re.compile(row["pattern"], re.IGNORECASE), row["builds"]) for row in raw["products"]),
        editions=tuple((re.compile(row["pattern"], re.IGNORECASE), row["name"]) for row in raw["editions"]),
    )
