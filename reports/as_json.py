"""The assessment as JSON: the Assessment struct field for field, and the rest of the dossier under ``dossier``."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from reports.words import LANGUAGES
from scanner.result.dossier import Dossier

BESIDE = "dossier"
"""Key under which the dossier's own fields stand; no field of Assessment has this name."""

# Inside JSON text these can only stand in strings: controls and bidi marks that would deceive a terminal or an editor,
# and the three characters that would let the text break out of an HTML page.
_ESCAPED = re.compile(
    "[<>&\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def render(dossier: Dossier, language: str) -> bytes:
    """Indented JSON with sorted keys, UTF-8, one line feed at the end; the same bytes for the same dossier.

    Both languages stand in it, so the bytes do not depend on ``language``; ValueError for a language that reports
    are not written in. A lone surrogate becomes U+FFFD; every other string decodes to itself.
    """
    if language not in LANGUAGES:
        raise ValueError(f"reports are written in {' or '.join(LANGUAGES)}, not {language!r}")
    whole: dict[str, Any] = msgspec.to_builtins(dossier)
    assessment: dict[str, Any] = whole.pop("assessment")
    if BESIDE not in assessment:
        assessment[BESIDE] = whole
    text = json.dumps(_well_formed(assessment), ensure_ascii=False, allow_nan=False, sort_keys=True, indent=2)
    return (_ESCAPED.sub(_escape, text) + "\n").encode("utf-8")


def _escape(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be")
    return "".join(f"\\u{units[place] << 8 | units[place + 1]:04x}" for place in range(0, len(units), 2))


def _well_formed(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_well_formed(inner) for inner in value]
    return value
