"""The vocabulary: every field says what it means and what its disclosure costs, and no word is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from scanner import facts
from scanner.column import ColumnType, FieldInfo, fields_of
from scanner.facts import FACTS
from scanner.model import Fact, Sensitivity

GOLDEN = Path(__file__).with_name("sensitivity.json")
KINDS = {
    "user", "device", "directory", "account", "network_device", "segment", "access_path", "application", "data_store",
    "log_source",
}  # fmt: skip
FRAME = {"asset", "observed_at"}
PRODUCTS = {
    "windows", "entra", "azure", "aws", "cisco", "forti", "crowdstrike", "intune", "okta", "linux", "vmware", "google",
}  # fmt: skip


def structs() -> Iterator[type[msgspec.Struct]]:
    """Every fact, and every struct that stands in a list of one."""
    for fact in FACTS:
        yield fact
        yield from (info.struct for info in fields_of(fact).values() if info.struct is not None)


def own_fields(struct: type[msgspec.Struct]) -> Mapping[str, FieldInfo]:
    return {name: info for name, info in fields_of(struct).items() if name not in FRAME}


def every_field() -> Iterator[tuple[str, FieldInfo]]:
    for struct in structs():
        for name, info in own_fields(struct).items():
            yield f"{struct.__name__}.{name}", info


def test_sensitivities_are_those_that_were_decided_by_hand() -> None:
    decided = json.loads(GOLDEN.read_text(encoding="utf-8"))
    written = {
        struct.__name__: {name: info.sensitivity.value for name, info in own_fields(struct).items()}
        for struct in structs()
    }

    assert written == decided, "decide what disclosure of the field costs, then write it into sensitivity.json"


def test_every_field_says_in_one_sentence_what_it_means() -> None:
    unclear = [name for name, info in every_field() if not info.doc or not info.doc[0].isupper() or info.doc[-1] != "."]

    assert unclear == []


def test_every_field_states_its_sensitivity_itself() -> None:
    silent = []
    for struct in structs():
        info = msgspec.inspect.type_info(struct)
        assert isinstance(info, msgspec.inspect.StructType)
        for item in info.fields:
            stated = isinstance(item.type, msgspec.inspect.Metadata) and "sensitivity" in (item.type.extra or {})
            if item.name not in FRAME and not stated:
                silent.append(f"{struct.__name__}.{item.name}")

    assert silent == []


def test_every_fact_and_struct_has_words_of_its_own() -> None:
    assert [struct.__name__ for struct in structs() if not (struct.__dict__.get("__doc__") or "").strip()] == []


def test_the_list_of_facts_is_whole_and_has_no_name_twice() -> None:
    defined = {
        item
        for module in (
            facts.identity,
            facts.device,
            facts.device_rules,
            facts.network,
            facts.application,
            facts.data,
            facts.record,
        )
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Fact) and item is not Fact
    }

    assert set(FACTS) == defined
    assert len({fact.__name__ for fact in FACTS}) == len(FACTS)
    assert sorted(fact.__name__ for fact in FACTS) == sorted(set(facts.__all__) - {"FACTS"})


def test_facts_speak_of_known_kinds_of_assets() -> None:
    assert {fact.kind for fact in FACTS} - {"*"} <= KINDS
    assert {fact.kind for fact in FACTS if fact.population} == KINDS


def test_every_kind_of_asset_has_exactly_one_population() -> None:
    populations = [fact.kind for fact in FACTS if fact.population]

    assert len(populations) == len(set(populations))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_a_source_that_says_nothing_but_the_asset_is_understood_and_says_nothing(fact: type[Fact]) -> None:
    bare = fact(asset="kind:source:key", observed_at=datetime(2026, 11, 20, tzinfo=UTC))

    assert [name for name in own_fields(fact) if getattr(bare, name) is not None] == []
    assert msgspec.json.decode(msgspec.json.encode(bare), type=fact) == bare


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_a_naive_time_a_short_key_and_an_unknown_field_are_refused(fact: type[Fact]) -> None:
    sound = {"asset": "kind:source:key", "observed_at": "2026-11-20T01:00:00Z"}
    assert msgspec.convert(sound, fact).asset == "kind:source:key"
    for wrong in ({"observed_at": "2026-11-20T01:00:00"}, {"asset": "k"}, {"no_such_field": 1}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({**sound, **wrong}, fact)


def test_words_are_lower_case_and_one_word_each() -> None:
    odd = [
        f"{name}: {word}"
        for name, info in every_field()
        for word in info.words or ()
        if word != word.lower() or not word.replace("_", "").replace(".", "").isalnum()
    ]

    assert odd == []


def test_fact_names_belong_to_no_product() -> None:
    named = [
        item
        for struct in structs()
        for item in (struct.__name__, *own_fields(struct))
        if any(product in item.lower() for product in PRODUCTS)
    ]

    assert named == []


def test_what_names_a_person_is_text_or_a_time_and_so_fits_the_identity_file() -> None:
    kinds = {info.type for _, info in every_field() if info.sensitivity is Sensitivity.PERSONAL}

    assert kinds <= {ColumnType.TEXT, ColumnType.TEXT_LIST, ColumnType.TIME}


def test_structs_in_lists_hold_nothing_personal() -> None:
    """A personal field in a nested struct would lie in the facts file, outside the identity file."""
    personal = [
        f"{struct.__name__}.{name}"
        for struct in structs()
        if not issubclass(struct, Fact)
        for name, info in own_fields(struct).items()
        if info.sensitivity is Sensitivity.PERSONAL
    ]

    assert personal == []


def test_no_field_is_made_to_keep_a_secret() -> None:
    names = {"secret", "hash", "private_key", "token", "password_value", "recovery_key"}

    assert [name for name, _ in every_field() if name.split(".")[1] in names] == []


def test_authenticator_words_tell_carriers_apart() -> None:
    words = set(get_args(facts.identity.AuthenticatorKind))

    assert words >= {"fido2_bound", "fido2_synced", "otp_hardware", "totp_software", "sms"}
