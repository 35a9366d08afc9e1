"""What lifts the institution of the hand-made dossier: every word of it, and a reason that may attack the reader."""

from __future__ import annotations

from scanner.model import Effort, Impact, ItemState, Level, Pillar, Scene, Text
from scanner.result.lift import LiftBundle, LiftCost, LiftNeed, LiftPillar, LiftScope, LiftSingle, LiftText


def lift_sample(reason: str) -> LiftText:
    """Two scopes of three below their targets, with more requirements than are listed."""
    stated = LiftCost(effort=Effort.SETTING, impact=Impact.NONE, reason=reason)
    plain = LiftCost(effort=Effort.PROGRAMME, impact=Impact.HIGH)
    unstated = LiftCost(effort=None, impact=None)
    needs = [
        need("1-1/mfa-enforced", ItemState.NOT_MET, stated, population=412, failing=12, unknown=3),
        need("II/protect-surface", ItemState.NEEDS_ATTESTATION, plain, item="gate II"),
        need("1-1/keys-need-mfa", ItemState.UNDETERMINED, unstated, step="1-1/keys-refused", look_first=True),
    ]
    return LiftText(
        pillars=20,
        below=7,
        scopes_below=3,
        singles=[
            LiftSingle(requirement="1-1/mfa-enforced", item="1-1", cost=stated, pillars=4, scopes=4, lifts=1),
            LiftSingle(requirement="II/protect-surface", item="gate II", cost=unstated, pillars=5, scopes=1, lifts=0),
        ],
        singles_total=9,
        bundles=[
            bundle("1-1/mfa-enforced", pillars=1, exact=True),
            bundle("1-1/mfa-enforced", "II/protect-surface", pillars=6, exact=False),
        ],
        steps=[bundle("1-1/mfa-enforced", pillars=1, exact=False)],
        scopes=[
            LiftScope(
                system="core-banking",
                scene=Scene.REMOTE_WORK,
                pillars=[
                    LiftPillar(pillar=Pillar.IDENTITY, floor=Level.NONE, aim=Level.II, needs=3),
                    LiftPillar(pillar=Pillar.DEVICE, floor=Level.I, aim=Level.II, needs=1),
                ],
                needs=needs,
                total=11,
            ),
            LiftScope(
                system="hr",
                scene=Scene.REMOTE_WORK,
                pillars=[LiftPillar(pillar=Pillar.IDENTITY, floor=Level.NONE, aim=Level.I, needs=1)],
                needs=needs[:1],
                total=1,
            ),
        ],
        fixes={step: Text(zh_tw=f"改善 {step}", en=f"Mend {step}") for step in {each.step for each in needs}},
    )


def need(
    requirement: str,
    why: ItemState,
    cost: LiftCost,
    *,
    item: str = "1-1",
    step: str = "",
    population: int = 0,
    failing: int = 0,
    unknown: int = 0,
    look_first: bool = False,
) -> LiftNeed:
    """One row of a scope."""
    return LiftNeed(
        requirement=requirement,
        item=item,
        level=Level.II,
        why=why,
        population=population,
        failing=failing,
        unknown=unknown,
        pillars=[Pillar.IDENTITY, Pillar.DEVICE],
        step=step or requirement,
        cost=cost,
        others=["1-1/keys-none"] if step else [],
        look_first=look_first,
    )


def bundle(*requirements: str, pillars: int, exact: bool) -> LiftBundle:
    """Requirements that lift so many pillars to II."""
    return LiftBundle(requirements=list(requirements), pillars=pillars, scopes=0, levels=[Level.II], exact=exact)
