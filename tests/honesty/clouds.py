"""Answers of two cloud accounts: one of moto's server, read over the network once, and one written by hand."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from collectors.aws import AwsCollector, connect
from collectors.aws.look import Asked
from collectors.ports.aws import Answer, Operation
from scanner.errors import ReadError
from scanner.model import Target
from tests.collectors.aws import recorded
from tests.collectors.aws.lab import ACCOUNT, LiveAccess, moto_server, seed
from tests.collectors.aws.losses import Listening, Remembered
from tests.collectors.stage import NOW
from tests.honesty.institution import moved

Answers = Mapping[str, Answer | ReadError | None]
ABROAD = "210987654321"


def rewritten(value: Any, change: Callable[[str], str]) -> Any:
    """The same answer with every text changed, those inside a credential report too."""
    match value:
        case str():
            with suppress(ValueError, binascii.Error):
                inside = base64.b64decode(value, validate=True).decode()
                if inside.startswith("user,arn,"):
                    return base64.b64encode(change(inside).encode()).decode()
            return change(value)
        case dict():
            return {change(key): rewritten(item, change) for key, item in value.items()}
        case list():
            return [rewritten(item, change) for item in value]
    return value


def abroad() -> Answers:
    """The account by hand, under a number of its own."""
    answers: Answers = rewritten(recorded.account(), lambda text: text.replace(ACCOUNT, ABROAD))
    return answers


def from_moto(target: Target) -> Answers:
    """What moto's server answers for a seeded account, as if it had been seeded just before the reading."""
    with moto_server() as address:
        seed(address)
        live = Target(
            name=target.name,
            collector=target.collector,
            source=target.source,
            address=address,
            credential="reader",
            options=target.options,
        )
        access = LiveAccess(live)
        listening = Listening(connect(access))
        for _ in AwsCollector(lambda _: listening).read(access):
            pass
        by = NOW - datetime.now(UTC)
        answers = rewritten(listening.answers, lambda text: str(moved(text, by)))
        for region in answers["describe-regions.json"]["Regions"]:
            if region["RegionName"] not in target.options["regions"]:
                region["OptInStatus"] = "not-opted-in"  # so that nothing is left out, and listings close
        return dict(answers)


@dataclass
class Interrupted:
    """Answers so many questions, then fails at every one."""

    asked: Asked
    after: int
    error: ReadError
    questions: int = field(default=0)

    def ask(self, operation: Operation, region: str = "", **parameters: Any) -> Answer | None:
        self.questions += 1
        if self.questions > self.after:
            raise self.error
        return self.asked.ask(operation, region, **parameters)


@dataclass
class Asking:
    """Answers, and notes which rights and which regions that took."""

    answers: Answers
    rights: set[str] = field(default_factory=set)
    regions: set[str] = field(default_factory=set)
    questions: int = 0

    def ask(self, operation: Operation, region: str = "", **parameters: Any) -> Answer | None:
        self.questions += 1
        self.rights.add(operation.permission)
        self.regions |= {region} - {""}
        return Remembered(self.answers).ask(operation, region, **parameters)

    def enter(self, role: str) -> AbstractContextManager[Asked]:
        return Remembered(self.answers).enter(role)
