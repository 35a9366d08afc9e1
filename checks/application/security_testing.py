"""4-4 Security testing: what runs is what was tested, and what was found is mended."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Application, SecurityTesting


@check(over=Application)
def deployed_build_was_tested(application: Subject, *, days: int) -> Claim:
    """The very build that runs was security-tested within the last days."""
    testing = application[SecurityTesting]
    recent = application.clock.within(testing.tested_at, days=days)
    return Claim(
        applies=True,
        holds=testing.ever_tested & (testing.tested_build == testing.deployed_build) & recent,
        shows={
            "ever_tested": testing.ever_tested,
            "tested_at": testing.tested_at,
            "tested_build": testing.tested_build,
            "deployed_build": testing.deployed_build,
        },
    )


@check(over=Application)
def no_high_finding_is_open_or_waived(application: Subject) -> Claim:
    """No high finding is left open, and none was waived instead of mended."""
    testing = application[SecurityTesting]
    return Claim(
        applies=True,
        holds=(testing.open_high == 0) & (testing.waived_high == 0),
        shows={"open_high": testing.open_high, "waived_high": testing.waived_high},
    )
