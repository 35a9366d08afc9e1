"""The library's models with nothing in them but the calls that may be made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3.session
import botocore.loaders
import botocore.session
import pytest

from collectors.aws.operations import ALLOWED
from collectors.ports.aws_models import cut_down, loader_of

CALLS = [(operation.service, operation.name) for operation in ALLOWED]
SERVICES = sorted({service for service, _ in CALLS})


def client(service: str, *, cut: bool) -> Any:
    library = botocore.session.Session()
    if cut:
        library.register_component("data_loader", loader_of(CALLS))
    session: Any = boto3.session.Session(aws_access_key_id="a", aws_secret_access_key="b", botocore_session=library)
    return session.client(service, region_name="us-east-1")


def described(shape: Any, known: set[str]) -> Iterator[tuple[Any, ...]]:
    """Everything of a shape by which requests are written and answers are read."""
    if shape is None or shape.name in known:
        return
    known.add(shape.name)
    members = getattr(shape, "members", {})
    yield shape.name, shape.type_name, dict(shape.serialization), dict(shape.metadata), tuple(members)
    for part in (*members.values(), *(getattr(shape, name, None) for name in ("member", "key", "value"))):
        yield from described(part, known)


@pytest.mark.parametrize("service", SERVICES)
def test_a_call_that_may_be_made_is_described_as_in_the_whole_model(service: str) -> None:
    cut, whole = (client(service, cut=mode).meta.service_model for mode in (True, False))
    names = {name for of, name in CALLS if of == service}

    assert names <= set(cut.operation_names) < set(whole.operation_names)
    for name in names:
        one, other = cut.operation_model(name), whole.operation_model(name)
        assert one.http == other.http
        for of in ("input_shape", "output_shape"):
            assert list(described(getattr(one, of), set())) == list(described(getattr(other, of), set()))


def test_a_call_of_the_library_itself_stays_known_so_that_it_can_be_refused_by_name() -> None:
    assert {"HeadBucket", "CreateSession"} <= set(client("s3", cut=True).meta.service_model.operation_names)
    assert not hasattr(client("s3", cut=True), "get_object")


def test_a_model_keeps_what_its_calls_reach_and_no_documentation() -> None:
    model = {
        "version": "2.0",
        "metadata": {"protocol": "query"},
        "documentation": "long",
        "operations": {
            "Wanted": {"name": "Wanted", "input": {"shape": "In"}, "documentation": "long"},
            "Other": {"name": "Other", "input": {"shape": "Far"}},
        },
        "shapes": {
            "In": {"type": "structure", "members": {"documentation": {"shape": "Text", "documentation": "long"}}},
            "Text": {"type": "string"},
            "Far": {"type": "string"},
        },
    }

    assert cut_down(json.dumps(model).encode(), ["Wanted", "Unheard"]) == {
        "version": "2.0",
        "metadata": {"protocol": "query"},
        "operations": {"Wanted": {"name": "Wanted", "input": {"shape": "In"}}},
        "shapes": {
            "In": {"type": "structure", "members": {"documentation": {"shape": "Text"}}},
            "Text": {"type": "string"},
        },
    }


def test_what_is_no_model_of_a_service_is_read_whole() -> None:
    assert loader_of([]).load_data("partitions") == botocore.loaders.Loader().load_data("partitions")
    assert loader_of([]).load_service_model("sts", "service-2") == json.loads(
        json.dumps(botocore.loaders.Loader().load_service_model("sts", "service-2"))
    )
