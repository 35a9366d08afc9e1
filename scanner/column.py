"""The strict column algebra that checks are written in: only operators that carry null through."""

from __future__ import annotations

import builtins
import hashlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, Generic, TypeVar, overload

import msgspec
import narwhals as nw

from scanner.model import Fact, Sensitivity, utc

PopulationT = TypeVar("PopulationT", bound=Fact)
SEPARATOR = "__"
"""Between fact and field in column names; a dot would be struct access to Spark."""
CLOCK_TOLERANCE = timedelta(minutes=10)
"""A source's clock may run ahead by this much; a later time lies in the future and is not recent."""


class ColumnType(Enum):
    """What a column holds."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    TEXT = "text"
    TIME = "time"
    TEXT_LIST = "text_list"
    STRUCT_LIST = "struct_list"


class ClaimError(TypeError):
    """A check is written in a way that could swallow null or name what is not there."""


@dataclass(frozen=True)
class FieldInfo:
    """One field of a fact as checks see it."""

    name: str
    type: ColumnType
    words: frozenset[str] | None
    doc: str
    sensitivity: Sensitivity
    struct: builtins.type[msgspec.Struct] | None = None


def _field_info(name: str, kind: msgspec.inspect.Type) -> FieldInfo:
    extra: Mapping[str, Any] = {}
    doc = ""
    if isinstance(kind, msgspec.inspect.Metadata):
        extra = kind.extra or {}
        doc = (kind.extra_json_schema or {}).get("description", "")
        kind = kind.type
    if isinstance(kind, msgspec.inspect.UnionType):
        (kind,) = (part for part in kind.types if not isinstance(part, msgspec.inspect.NoneType))
    if isinstance(kind, msgspec.inspect.Metadata):
        kind = kind.type
    sensitivity = Sensitivity(extra.get("sensitivity", Sensitivity.INTERNAL))
    words: frozenset[str] | None = None
    struct: type[msgspec.Struct] | None = None
    match kind:
        case msgspec.inspect.BoolType():
            column = ColumnType.BOOLEAN
        case msgspec.inspect.IntType():
            column = ColumnType.INTEGER
        case msgspec.inspect.StrType():
            column = ColumnType.TEXT
        case msgspec.inspect.LiteralType(values=values):
            column, words = ColumnType.TEXT, frozenset(str(value) for value in values)
        case msgspec.inspect.DateTimeType():
            column = ColumnType.TIME
        case msgspec.inspect.ListType(item_type=msgspec.inspect.StructType(cls=cls)):
            column, struct = ColumnType.STRUCT_LIST, cls
        case msgspec.inspect.ListType(item_type=msgspec.inspect.StrType()):
            column = ColumnType.TEXT_LIST
        case _:
            raise ClaimError(f"field {name}: a fact field cannot be {kind}")
    return FieldInfo(name, column, words, doc, sensitivity, struct)


@cache
def fields_of(struct: type[msgspec.Struct]) -> Mapping[str, FieldInfo]:
    """Fields of a fact or of a struct within a fact, in order of definition."""
    info = msgspec.inspect.type_info(struct)
    if not isinstance(info, msgspec.inspect.StructType):
        raise ClaimError(f"{struct.__name__} is not a struct")
    return types.MappingProxyType({item.name: _field_info(item.name, item.type) for item in info.fields})


def column_name(fact: str, name: str) -> str:
    """Name under which a field of a fact stands in the joined table."""
    return f"{fact}{SEPARATOR}{name}"


@dataclass(frozen=True)
class Quantified:
    """A statement over every element of a list of structs, computed as one group-by over its exploded child table."""

    name: str
    fact: str
    field: str
    inner: nw.Expr
    every: bool
    empty: bool | None


@dataclass(frozen=True)
class Touched:
    """What an expression reads: fact fields, and statements over lists of structs."""

    fields: frozenset[tuple[type[Fact], str]] = frozenset()
    quantified: tuple[Quantified, ...] = ()

    def __or__(self, other: Touched) -> Touched:
        merged = {item.name: item for item in (*self.quantified, *other.quantified)}
        return Touched(self.fields | other.fields, tuple(merged[name] for name in sorted(merged)))


class Column:
    """A value per asset, null where it was not seen; supports only operators that carry null through."""

    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("expr", "text", "touched", "type", "words")

    def __init__(
        self, expr: nw.Expr, kind: ColumnType, touched: Touched, words: frozenset[str] | None = None, text: str = ""
    ) -> None:
        self.expr = expr
        self.type = kind
        self.touched = touched
        self.words = words
        self.text = text

    def __bool__(self) -> bool:
        raise ClaimError("a column has no truth value of its own; use & | ~ instead of and, or, not, if")

    def __iter__(self) -> typing.NoReturn:
        raise ClaimError("a column cannot be iterated; use .has, .all or .any")

    def __repr__(self) -> str:
        return self.text

    def _other(self, other: object) -> Column:
        column = wrap(other)
        if column.type is not self.type:
            raise ClaimError(f"cannot compare {self.text} ({self.type.value}) with {column.text} ({column.type.value})")
        if self.words is not None and column.words is None and isinstance(other, str) and other not in self.words:
            raise ClaimError(f"{self.text} is never {other!r}; it is one of {', '.join(sorted(self.words))}")
        return column

    def _compare(self, sign: str, other: object, allowed: frozenset[ColumnType]) -> Column:
        if self.type not in allowed:
            raise ClaimError(f"{self.text} ({self.type.value}) cannot be used with {sign}")
        column = self._other(other)
        left, right = self.expr, column.expr
        match sign:
            case "==":
                expr = left == right
            case "!=":
                expr = left != right
            case "<":
                expr = left < right
            case "<=":
                expr = left <= right
            case ">":
                expr = left > right
            case _:
                expr = left >= right
        return Column(
            expr, ColumnType.BOOLEAN, self.touched | column.touched, text=f"({self.text} {sign} {column.text})"
        )

    def __eq__(self, other: object) -> Column:  # type: ignore[override]
        return self._compare("==", other, _EQUATABLE)

    def __ne__(self, other: object) -> Column:  # type: ignore[override]
        return self._compare("!=", other, _EQUATABLE)

    def __lt__(self, other: object) -> Column:
        return self._compare("<", other, _ORDERED)

    def __le__(self, other: object) -> Column:
        return self._compare("<=", other, _ORDERED)

    def __gt__(self, other: object) -> Column:
        return self._compare(">", other, _ORDERED)

    def __ge__(self, other: object) -> Column:
        return self._compare(">=", other, _ORDERED)

    def _logic(self, sign: str, other: object) -> Column:
        column = wrap(other)
        for side in (self, column):
            if side.type is not ColumnType.BOOLEAN:
                raise ClaimError(f"{side.text} ({side.type.value}) cannot be used with {sign}")
        expr = self.expr & column.expr if sign == "&" else self.expr | column.expr
        return Column(
            expr, ColumnType.BOOLEAN, self.touched | column.touched, text=f"({self.text} {sign} {column.text})"
        )

    def __and__(self, other: object) -> Column:
        return self._logic("&", other)

    __rand__ = __and__

    def __or__(self, other: object) -> Column:
        return self._logic("|", other)

    __ror__ = __or__

    def __invert__(self) -> Column:
        if self.type is not ColumnType.BOOLEAN:
            raise ClaimError(f"{self.text} ({self.type.value}) cannot be used with ~")
        return Column(~self.expr, ColumnType.BOOLEAN, self.touched, text=f"~{self.text}")

    def _arithmetic(self, sign: str, other: object) -> Column:
        column = wrap(other)
        if self.type is not ColumnType.INTEGER or column.type is not ColumnType.INTEGER:
            raise ClaimError(f"{self.text} {sign} {column.text}: only integers can be added and subtracted")
        expr = self.expr + column.expr if sign == "+" else self.expr - column.expr
        return Column(
            expr, ColumnType.INTEGER, self.touched | column.touched, text=f"({self.text} {sign} {column.text})"
        )

    def __add__(self, other: object) -> Column:
        return self._arithmetic("+", other)

    def __sub__(self, other: object) -> Column:
        return self._arithmetic("-", other)

    def is_in(self, values: Sequence[str | int]) -> Column:
        """Whether the value is one of a non-empty list of literals."""
        if self.type not in {ColumnType.TEXT, ColumnType.INTEGER}:
            raise ClaimError(f"{self.text} ({self.type.value}) cannot be used with is_in")
        if isinstance(values, str) or not values:
            raise ClaimError(f"{self.text}: is_in needs a non-empty list")
        for value in values:
            self._other(value)
        return Column(
            self.expr.is_in(list(values)), ColumnType.BOOLEAN, self.touched, text=f"{self.text} in {sorted(values)}"
        )

    def starts_with(self, prefix: str) -> Column:
        """Whether the text begins so."""
        self._needs(ColumnType.TEXT, "starts_with")
        return Column(
            self.expr.str.starts_with(prefix), ColumnType.BOOLEAN, self.touched, text=f"{self.text} ^= {prefix!r}"
        )

    def ends_with(self, suffix: str) -> Column:
        """Whether the text ends so."""
        self._needs(ColumnType.TEXT, "ends_with")
        return Column(
            self.expr.str.ends_with(suffix), ColumnType.BOOLEAN, self.touched, text=f"{self.text} $= {suffix!r}"
        )

    def has(self, value: str) -> Column:
        """Whether the list of texts holds the value; stored lists have no null elements."""
        self._needs(ColumnType.TEXT_LIST, "has")
        return Column(
            self.expr.list.contains(value), ColumnType.BOOLEAN, self.touched, text=f"{value!r} in {self.text}"
        )

    def has_all(self, values: Sequence[str]) -> Column:
        """Whether the list of texts holds every one of a non-empty list of literals."""
        if isinstance(values, str) or not values:
            raise ClaimError(f"{self.text}: has_all needs a non-empty list")
        first, *rest = [self.has(value) for value in values]
        for column in rest:
            first = first & column
        return first

    def has_any(self, values: Sequence[str]) -> Column:
        """Whether the list of texts holds at least one of a non-empty list of literals."""
        if isinstance(values, str) or not values:
            raise ClaimError(f"{self.text}: has_any needs a non-empty list")
        first, *rest = [self.has(value) for value in values]
        for column in rest:
            first = first | column
        return first

    def length(self) -> Column:
        """Number of elements of a list."""
        if self.type not in {ColumnType.TEXT_LIST, ColumnType.STRUCT_LIST}:
            raise ClaimError(f"{self.text} ({self.type.value}) has no length")
        return Column(
            self.expr.list.len().cast(nw.Int64()), ColumnType.INTEGER, self.touched, text=f"length({self.text})"
        )

    def later(self, *, hours: int = 0, days: int = 0) -> Column:
        """The moment that lies so much later."""
        self._needs(ColumnType.TIME, "later")
        span = timedelta(hours=hours, days=days)
        return Column(self.expr + nw.lit(span), ColumnType.TIME, self.touched, text=f"({self.text} + {span})")

    def _needs(self, kind: ColumnType, name: str) -> None:
        if self.type is not kind:
            raise ClaimError(f"{self.text} ({self.type.value}) cannot be used with {name}")


_EQUATABLE = frozenset({ColumnType.BOOLEAN, ColumnType.INTEGER, ColumnType.TEXT, ColumnType.TIME})
_ORDERED = frozenset({ColumnType.INTEGER, ColumnType.TIME})


def wrap(value: object) -> Column:
    """A column from a plain literal; a Python bool becomes a Boolean column, so that ``~`` means not."""
    match value:
        case Column():
            return value
        case bool():
            return Column(nw.lit(value), ColumnType.BOOLEAN, Touched(), text=str(value).lower())
        case int():
            return Column(nw.lit(value), ColumnType.INTEGER, Touched(), text=str(value))
        case str():
            return Column(nw.lit(value), ColumnType.TEXT, Touched(), text=repr(value))
        case datetime():
            naive = utc(value).replace(tzinfo=None)
            return Column(nw.lit(naive), ColumnType.TIME, Touched(), text=naive.isoformat() + "Z")
    raise ClaimError(f"{value!r} cannot stand in a claim")


@dataclass(frozen=True)
class Recency:
    """Moments against the one moment ``as_of`` at which the assessment is made."""

    as_of: datetime

    def within(self, moment: Column, *, hours: int = 0, days: int = 0) -> Column:
        """Whether the moment lies at most so long ago, and not in the future."""
        oldest = wrap(self.as_of - timedelta(hours=hours, days=days))
        return (moment >= oldest) & (moment <= wrap(self.as_of + CLOCK_TOLERANCE))

    def past(self, moment: Column) -> Column:
        """Whether the moment lies before the assessment."""
        return moment < wrap(self.as_of)


class Element:
    """One element of a list of structs, inside ``all`` or ``any``."""

    def __init__(self, struct: type[msgspec.Struct], as_of: datetime) -> None:
        self._fields = fields_of(struct)
        self._name = struct.__name__
        self.clock = Recency(as_of)

    def __getattr__(self, name: str) -> Column:
        try:
            info = self._fields[name]
        except KeyError:
            raise ClaimError(f"{self._name} has no field {name}; it has {', '.join(self._fields)}") from None
        return Column(nw.col(name), info.type, Touched(), info.words, f"{self._name}.{name}")


class StructListColumn(Column):
    """A list of structs; statements over its elements are the only way in."""

    __slots__ = ("_as_of", "_fact", "_info")

    def __init__(self, fact: type[Fact], info: FieldInfo, as_of: datetime) -> None:
        name = column_name(fact.__name__, info.name)
        super().__init__(
            nw.col(name), info.type, Touched(frozenset({(fact, info.name)})), text=f"{fact.__name__}.{info.name}"
        )
        self._fact = fact
        self._info = info
        self._as_of = as_of

    def _quantify(self, claim: Callable[[Element], Column], *, every: bool, empty: bool | None) -> Column:
        if self._info.struct is None:
            raise ClaimError(f"{self.text} is not a list of structs")
        inner = claim(Element(self._info.struct, self._as_of))
        if not isinstance(inner, Column) or inner.type is not ColumnType.BOOLEAN:
            raise ClaimError(f"{self.text}: the statement over each element must be Boolean")
        if inner.touched.fields or inner.touched.quantified:
            raise ClaimError(f"{self.text}: the statement over each element may only read the element")
        word = "all" if every else "any"
        text = f"{word}({self.text}: {inner.text}; empty={empty})"
        name = f"{word}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        touched = Touched(
            self.touched.fields,
            (Quantified(name, self._fact.__name__, self._info.name, inner.expr, every, empty),),
        )
        return Column(nw.col(name), ColumnType.BOOLEAN, touched, text=text)

    def all(self, claim: Callable[[Any], Column], *, empty: bool | None = None) -> Column:
        """Whether the statement holds for every element; null over an empty list unless ``empty`` says otherwise."""
        return self._quantify(claim, every=True, empty=empty)

    def any(self, claim: Callable[[Any], Column], *, empty: bool | None = False) -> Column:
        """Whether the statement holds for at least one element; false over an empty list unless ``empty`` differs."""
        return self._quantify(claim, every=False, empty=empty)


class Joined:
    """The columns of one fact about the assets under judgement."""

    def __init__(self, fact: type[Fact], as_of: datetime) -> None:
        self._fact = fact
        self._as_of = as_of

    def __getattr__(self, name: str) -> Any:
        fields = fields_of(self._fact)
        if name in {"asset", "observed_at"} or name not in fields:
            usable = ", ".join(word for word in fields if word not in {"asset", "observed_at"})
            raise ClaimError(f"{self._fact.__name__} has no field {name} to judge; it has {usable}")
        info = fields[name]
        if info.sensitivity is Sensitivity.PERSONAL:
            raise ClaimError(f"{self._fact.__name__}.{name} names a person; a verdict never depends on that")
        if info.type is ColumnType.STRUCT_LIST:
            return StructListColumn(self._fact, info, self._as_of)
        expr = nw.col(column_name(self._fact.__name__, name))
        touched = Touched(frozenset({(self._fact, name)}))
        return Column(expr, info.type, touched, info.words, f"{self._fact.__name__}.{name}")


class Subject(Joined):
    """The assets under judgement: own columns as attributes, other facts about the same asset by ``[Fact]``."""

    def __init__(self, fact: type[Fact], as_of: datetime) -> None:
        super().__init__(fact, as_of)
        self.clock = Recency(as_of)

    def __getitem__(self, fact: type[Fact]) -> Joined:
        if fact.kind not in {"*", self._fact.kind}:
            raise ClaimError(f"{fact.__name__} speaks of a {fact.kind}, not of a {self._fact.kind}")
        return Joined(fact, self._as_of)


@dataclass(frozen=True)
class Claim:
    """What a check says: whom it concerns, what is true of them, and what a sentence about it may name."""

    applies: Column | bool
    holds: Column | bool
    shows: Mapping[str, Column] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """A claim with its parameters filled in: two Boolean columns and the named values to show."""

    applies: Column
    holds: Column
    shows: Mapping[str, Column]
    touched: Touched


@dataclass(frozen=True)
class Check(Generic[PopulationT]):
    """One truth about every asset of a population; ``id`` is module path and function name below ``checks``."""

    id: str
    over: type[PopulationT]
    doc: str
    function: Callable[..., Claim]
    parameters: Mapping[str, Any]
    """Keyword-only thresholds and their annotated types; a baseline must give each, there are no defaults."""

    def build(self, as_of: datetime, parameters: Mapping[str, Any]) -> Built:
        """The claim with these parameters at this moment; raises ClaimError where it is not well formed."""
        claim = self.function(Subject(self.over, as_of), **parameters)
        if not isinstance(claim, Claim):
            raise ClaimError(f"{self.id} must return a Claim")
        applies, holds = wrap(claim.applies), wrap(claim.holds)
        for part, column in (("applies", applies), ("holds", holds)):
            if column.type is not ColumnType.BOOLEAN:
                raise ClaimError(f"{self.id}: {part} must be Boolean, not {column.type.value}")
        if not holds.touched.fields:
            raise ClaimError(f"{self.id}: a claim that reads nothing cannot fail")
        for name, column in claim.shows.items():
            if not isinstance(column, Column):
                raise ClaimError(f"{self.id}: shows {name!r} must be a column")
        return Built(applies, holds, dict(claim.shows), applies.touched | holds.touched)


@overload
def check(*, over: type[PopulationT]) -> Callable[[Callable[..., Claim]], Check[PopulationT]]: ...
@overload
def check(*, over: type[PopulationT], id: str) -> Callable[[Callable[..., Claim]], Check[PopulationT]]: ...
def check(*, over: type[PopulationT], id: str = "") -> Callable[[Callable[..., Claim]], Check[PopulationT]]:
    """Make a function a check over a population; its id is where it stands."""
    if not over.population:
        raise ClaimError(f"{over.__name__} is not a population")

    def decorate(function: Callable[..., Claim]) -> Check[PopulationT]:
        name = id or f"{function.__module__.removeprefix('checks.')}.{function.__name__}"
        _, *rest = inspect.signature(function).parameters.values()
        hints = typing.get_type_hints(function)
        parameters: dict[str, Any] = {}
        for parameter in rest:
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or parameter.default is not inspect.Parameter.empty:
                raise ClaimError(f"{name}: {parameter.name} must be keyword-only and have no default")
            if parameter.name not in hints:
                raise ClaimError(f"{name}: {parameter.name} needs a type")
            parameters[parameter.name] = hints[parameter.name]
        return Check(name, over, inspect.getdoc(function) or "", function, parameters)

    return decorate
