"""Answers kept in memory, some of them taken away, and what may become of the evidence then."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from collectors.aws import AwsCollector
from collectors.aws.look import Asked
from collectors.aws.recording import file_name
from collectors.ports.aws import Answer, Operation
from scanner.errors import AccessDenied, ReadError, Unreachable
from scanner.model import Capture, Census, Fact, Gap, Record, Target
from tests.collectors.stage import StagedAccess


class Remembered:
    """Keeps each answer under the name of its file; what was never asked is unreachable."""

    def __init__(self, answers: Mapping[str, Answer | ReadError | None], folder: str = "") -> None:
        self.answers = {f"{folder}generate-credential-report.json": {"State": "COMPLETE"}, **answers}
        self.folder = folder

    @contextmanager
    def enter(self, role: str) -> Iterator[Remembered]:
        yield Remembered(self.answers, f"{role.split(':')[4]}/")

    def ask(self, operation: Operation, region: str = "", **parameters: Any) -> Answer | None:
        name = self.folder + file_name(operation, region, parameters)
        answer = self.answers.get(name, Unreachable(f"{name}: never asked before"))
        if isinstance(answer, ReadError):
            raise answer
        return None if answer == {"ztgrade_none": True} else answer


class Listening:
    """Passes questions on and keeps the answers."""

    def __init__(self, asked: Asked, heard: Listening | None = None, folder: str = "") -> None:
        self.asked = asked
        self.answers: dict[str, Answer | ReadError | None] = {} if heard is None else heard.answers
        self.permissions: set[str] = set() if heard is None else heard.permissions
        self.folder = folder

    @contextmanager
    def enter(self, role: str) -> Iterator[Listening]:
        with self.asked.enter(role) as asked:
            yield Listening(asked, self, f"{role.split(':')[4]}/")

    def ask(self, operation: Operation, region: str = "", **parameters: Any) -> Answer | None:
        name = self.folder + file_name(operation, region, parameters)
        self.permissions.add(operation.permission)
        try:
            answer = self.asked.ask(operation, region, **parameters)
        except ReadError as error:
            self.answers[name] = error
            raise
        self.answers[name] = answer
        return answer


class Without:
    """Answers of another, but for calls that take one of these rights, or go to one of these regions."""

    def __init__(
        self,
        asked: Asked,
        permissions: Collection[str] = (),
        *,
        regions: Collection[str] = (),
        error: ReadError | None = None,
    ) -> None:
        self.asked = asked
        self.permissions = permissions
        self.regions = regions
        self.error = error or AccessDenied("AccessDenied: not authorized to perform the action")

    @contextmanager
    def enter(self, role: str) -> Iterator[Without]:
        with self.asked.enter(role) as asked:
            yield Without(asked, self.permissions, regions=self.regions, error=self.error)

    def ask(self, operation: Operation, region: str = "", **parameters: Any) -> Answer | None:
        if operation.permission in self.permissions or region in self.regions:
            raise self.error
        return self.asked.ask(operation, region, **parameters)


def seen(asked: Asked, **options: Any) -> list[Record]:
    """Everything that the collector yields for these answers, but for captures."""
    given = {"category_tag": "category", "sensitive_tag": "sensitive", **options}
    target = Target(name="cloud", collector="aws", source="cloud", options=given)
    records = AwsCollector(lambda access: asked).read(StagedAccess(target))
    return [record for record in records if not isinstance(record, Capture)]


def rows(records: Iterable[Record]) -> dict[tuple[str, str], Fact]:
    """Facts by type and asset."""
    return {(type(one).__name__, one.asset): one for one in records if isinstance(one, Fact)}


@functools.cache
def _fields(kind: type[Fact]) -> tuple[str, ...]:
    names = (field.name for field in msgspec.structs.fields(kind))
    return tuple(name for name in names if name not in {"asset", "observed_at"})


def wrongs(before: Iterable[Record], after: Iterable[Record]) -> list[str]:
    """What the law forbids: values that changed, rows and fields lost without a gap, rows and whole listings gained."""
    old, new = rows(before), rows(after)
    gaps = [one for one in after if isinstance(one, Gap)]
    told = {(gap.fact, gap.asset, gap.field) for gap in gaps}

    def named(fact: str, asset: str, field: str | None) -> bool:
        wanted = {None, field}
        return any((fact, where, what) in told for where in (None, asset) for what in wanted)

    found = [f"{key} appeared" for key in new.keys() - old.keys()]
    for (fact, asset), row in old.items():
        if (fact, asset) not in new:
            if not named(fact, asset, None):
                found.append(f"{fact} of {asset} vanished")
            continue
        other = new[fact, asset]
        for field in _fields(type(row)):
            was, now = getattr(row, field), getattr(other, field)
            if now == was:
                continue
            if now is not None and not _lesser(was, now):
                found.append(f"{fact}.{field} of {asset} turned from {was!r} to {now!r}")
            elif not named(fact, asset, field):
                found.append(f"{fact}.{field} of {asset} was lost without a word")
    whole = {one.fact: one.digest for one in before if isinstance(one, Census)}
    for one in after:
        if isinstance(one, Census) and one.complete and one.digest != whole[one.fact]:
            found.append(f"the listing of {one.fact} is called whole, and is not")
    return found


def _lesser(was: Any, now: Any) -> bool:
    """Whether two lists of structs are the same but for fields that are no longer known."""
    if not isinstance(was, list) or not isinstance(now, list) or len(was) != len(now):
        return False
    pairs = [
        (getattr(one, name), getattr(other, name))
        for one, other in zip(was, now, strict=True)
        for name in (one.__struct_fields__ if isinstance(one, msgspec.Struct) else ())
    ]
    return bool(pairs) and all(then == there or there is None for then, there in pairs)


def names_loss(records: Iterable[Record], permission: str) -> bool:
    """Whether a gap speaks of the right."""
    return any(isinstance(one, Gap) and permission in one.detail for one in records)
