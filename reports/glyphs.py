"""The shapes that states are told by beside their colours; pure."""

from __future__ import annotations

from scanner.model import ItemState
from scanner.result.grade import Grade

GLYPHS = {
    ItemState.MET: "✓",
    ItemState.PARTIAL: "◐",
    ItemState.NOT_MET: "✕",
    ItemState.NEEDS_ATTESTATION: "✎",
    ItemState.UNDETERMINED: "?",
    ItemState.NOT_ASSESSED: "○",
    ItemState.NOT_APPLICABLE: "–",
}
"""One shape per state, so that a state can be told without its colour."""

AIM_GLYPHS = {"reached": "✓", "unproven": "?", "missed": "✕"}
"""One shape per answer of ``aim_of``."""


def aim_of(grade: Grade) -> str:
    """How a grade stands to its target: reached, unproven or missed."""
    if grade.floor.rank >= grade.target.rank:
        return "reached"
    return "unproven" if grade.ceiling.rank >= grade.target.rank else "missed"
