"""Everything that can be taken away from the cloud accounts: rights, pairs of them, answers, regions, the session."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from collectors.aws.operations import SOURCES
from scanner.errors import (
    AccessDenied,
    LoginRefused,
    Malformed,
    ReadError,
    Throttled,
    Truncated,
    Unreachable,
    Unsupported,
)
from scanner.model import GapWhy
from tests.collectors.aws.losses import Remembered, Without
from tests.honesty.clouds import Answers, Interrupted
from tests.honesty.law import Loss

RIGHTS = tuple(sorted({source.call.permission for source in SOURCES}))
PAIRS, SEED = 200, 20241120
FAILURES: tuple[tuple[str, ReadError], ...] = (
    ("throttled for good", Throttled("Throttling: Rate exceeded")),
    ("no answer in time", Unreachable("ReadTimeoutError: no answer")),
    ("connection reset", Unreachable("ConnectionClosedError: the connection was closed")),
    ("HTTP 500 in HTML", Malformed("an answer that cannot be parsed: 500 Internal Server Error")),
    ("page cut off", Truncated("page 1 says that there are more, and not where they begin")),
    ("call not known", Unsupported("the server does not know the call")),
)
"""What a server does beside refusing; refusals stand right by right."""


@dataclass(frozen=True)
class Clouds:
    """Answers by target; one policy denies in all of them."""

    answers: dict[str, Answers]

    def _lacking(
        self, rights: Collection[str] = (), *, regions: Collection[str] = (), error: ReadError | None = None
    ) -> dict[str, Callable[[], Without]]:
        def source(answers: Answers) -> Callable[[], Without]:
            return lambda: Without(Remembered(answers), rights, regions=regions, error=error)

        return {target: source(answers) for target, answers in self.answers.items()}

    def rights(self) -> Iterator[Loss]:
        """Each right denied."""
        for right in RIGHTS:
            yield Loss(right, self._lacking({right}), (right,), why=GapWhy.DENIED)

    def pairs(self) -> Iterator[Loss]:
        """Pairs of rights denied, drawn with a seed."""
        every = [(one, other) for one in RIGHTS for other in RIGHTS if one < other]
        for pair in random.Random(SEED).sample(every, min(PAIRS, len(every))):
            yield Loss(" and ".join(pair), self._lacking(pair), pair, "pairs of rights", GapWhy.DENIED)

    def failures(self) -> Iterator[Loss]:
        """Each way to fail, at each call."""
        for name, error in FAILURES:
            for right in RIGHTS:
                yield Loss(f"{right}: {name}", self._lacking({right}, error=error), (right,), name, error.why)

    def regions(self, names: Collection[str]) -> Iterator[Loss]:
        """Each region refused."""
        for region in sorted(names):
            yield Loss(f"region {region}", self._lacking(regions={region}), (region,), why=GapWhy.DENIED)

    def answers_lost(self) -> Iterator[Loss]:
        """Each single answer of the account by hand refused, such as that of one bucket, key or trail."""
        refused = AccessDenied("AccessDenied: a policy of the resource refuses")
        answers = self.answers["abroad"]
        for name in sorted(answers):
            source = {"abroad": lambda left={**answers, name: refused}: Remembered(left)}
            yield Loss(name, source, (str(refused),), "one answer refused")

    def sessions_lost(self, questions: dict[str, int], steps: int = 6) -> Iterator[Loss]:
        """The credential ends in mid-reading, at a number of places, and nothing is answered afterwards."""
        over = LoginRefused("ExpiredToken: the credential expired during reading")
        for target, answers in self.answers.items():
            for step in range(steps):
                after = questions[target] * step // steps
                source = lambda answers=answers, after=after: Interrupted(Remembered(answers), after, over)  # noqa: E731
                yield Loss(
                    f"{target} after {after}", {target: source}, (str(over),), "credential expires in mid-reading"
                )
