"""Roles of other accounts at the border: refused, expired, renewed, and what that says of the credential."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collectors.aws import COLLECTOR
from collectors.aws.operations import ALLOWED, DETAILS, KEYS
from collectors.ports.aws import AwsPort
from scanner.collecting.collect import collect
from scanner.errors import AccessDenied, LoginRefused, Malformed, Throttled, Unreachable
from scanner.institution.estate import load_estate
from scanner.sealed.collection import gaps
from scanner.sealed.store import Store
from tests.collectors.aws.lab import LiveAccess
from tests.collectors.aws.recorded import member
from tests.collectors.aws.test_border import (
    CALLER,
    HTML,
    Canned,
    Reply,
    json_error,
    port_to,
    query_error,
    reset,
    sent,
    server,
)
from tests.collectors.aws.test_collecting import ESTATE, KEY, SECRET

__all__ = ["server"]
OWN, SECOND, THIRD, FOURTH = "123456789012", "222222222222", "333333333333", "444444444444"
ROLE = f"arn:aws:iam::{SECOND}:role/reader"
NO_KEYS = sent(200, b'{"Keys": []}', "application/json")
EXPIRED = json_error("ExpiredTokenException")


def assumed(key: str, call: str = "AssumeRole") -> Reply:
    """What STS gives for a role."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = f"""<{call}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{call}Result><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>hidden-{key}</SecretAccessKey><SessionToken>token-{key}</SessionToken>
<Expiration>{until}</Expiration></Credentials></{call}Result></{call}Response>"""
    return sent(200, body.encode())


def caller(number: str) -> Reply:
    return sent(200, CALLER.replace(OWN.encode(), number.encode()))


def aliases(name: str) -> Reply:
    body = f"""<ListAccountAliasesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListAccountAliasesResult>
<IsTruncated>false</IsTruncated><AccountAliases><member>{name}</member></AccountAliases>
</ListAccountAliasesResult></ListAccountAliasesResponse>"""
    return sent(200, body.encode())


def listed(*numbers: str) -> Reply:
    accounts = [member(number) for number in numbers]
    return sent(200, json.dumps({"Accounts": accounts}).encode(), "application/x-amz-json-1.1")


def test_a_role_is_assumed_once_and_asks_for_itself(server: Canned) -> None:
    port, access = port_to(server)
    server.replies = [assumed("ASIAONE"), NO_KEYS, NO_KEYS]
    with port.enter(ROLE) as inside:
        assert server.asked == []
        inside.ask(KEYS.call, "us-east-1")
        inside.ask(KEYS.call, "us-east-1")

    assert ["Action=AssumeRole" in one for one in server.asked] == [True, False, False]
    assert "RoleSessionName=ztgrade" in server.asked[0]
    assert ["ASIAONE" in one for one in server.asked] == [False, True, True]
    assert port.sent["sts:AssumeRole"] == 1
    assert access.logins == 1


def test_the_external_id_goes_with_every_role(server: Canned) -> None:
    port, _ = port_to(server, external_id="agreed")
    server.replies = [assumed("ASIAONE"), NO_KEYS]
    with port.enter(ROLE) as inside:
        inside.ask(KEYS.call, "us-east-1")

    assert "ExternalId=agreed" in server.asked[0]


def test_a_credential_of_a_role_is_renewed_each_time_that_it_expires(server: Canned) -> None:
    port, _ = port_to(server)
    server.replies = [assumed("ASIAONE"), NO_KEYS]
    for number in range(3):
        server.replies += [EXPIRED, assumed(f"ASIANEW{number}"), NO_KEYS]
    with port.enter(ROLE) as inside:
        for _ in range(4):
            assert inside.ask(KEYS.call, "us-east-1") == {"Keys": []}

    assert port.sent["sts:AssumeRole"] == 4
    assert "ASIANEW2" in server.asked[-1]


def test_a_role_whose_fresh_credential_is_over_is_not_assumed_for_ever(server: Canned) -> None:
    port, _ = port_to(server)
    server.replies = [assumed("ASIAONE"), NO_KEYS, EXPIRED, assumed("ASIATWO"), EXPIRED]
    with port.enter(ROLE) as inside:
        inside.ask(KEYS.call, "us-east-1")
        for _ in range(2):
            with pytest.raises(AccessDenied, match="expired"):
                inside.ask(KEYS.call, "us-east-1")

    assert port.sent["sts:AssumeRole"] == 2


def test_a_role_that_is_withdrawn_during_reading_loses_the_rest_and_is_asked_once(server: Canned) -> None:
    port, _ = port_to(server)
    server.replies = [assumed("ASIAONE"), NO_KEYS, EXPIRED, query_error("AccessDenied", 403)]
    with port.enter(ROLE) as inside:
        inside.ask(KEYS.call, "us-east-1")
        for _ in range(3):
            with pytest.raises(AccessDenied, match=f"sts:AssumeRole of {ROLE}"):
                inside.ask(KEYS.call, "us-east-1")

    assert port.sent["sts:AssumeRole"] == 2


def test_the_way_in_is_renewed_as_well_where_both_are_over(server: Canned) -> None:
    port, access = port_to(server)
    access.hidden = json.dumps({"AccessKeyId": "ASIAFRESH", "SecretAccessKey": "s", "SessionToken": "t"})
    over = query_error("ExpiredToken", 403)
    server.replies = [assumed("ASIAONE"), NO_KEYS, EXPIRED, over, assumed("ASIATWO"), NO_KEYS]
    with port.enter(ROLE) as inside:
        inside.ask(KEYS.call, "us-east-1")
        assert inside.ask(KEYS.call, "us-east-1") == {"Keys": []}

    assert "Action=AssumeRole" in server.asked[-2]
    assert "ASIAFRESH" in server.asked[-2]
    assert "ASIATWO" in server.asked[-1]


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "AuthFailure"])
def test_a_service_that_does_not_take_a_role_says_nothing_against_the_credential(server: Canned, code: str) -> None:
    port, _ = port_to(server)
    server.replies = [assumed("ASIAONE"), query_error(code, 403)]
    with port.enter(ROLE) as inside, pytest.raises(AccessDenied, match="not accepted"):
        inside.ask(DETAILS.call)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (query_error("AccessDenied", 403), AccessDenied),
        (query_error("RegionDisabledException", 403), AccessDenied),
        (query_error("Throttling"), Throttled),
        (query_error("ValidationError"), Malformed),
        (sent(500, HTML, "text/html"), Malformed),
        (reset, Unreachable),
        (sent(200, b"<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>"), Malformed),
        (query_error("InvalidClientTokenId", 403), LoginRefused),
    ],
)
def test_why_a_role_could_not_be_assumed_is_told_as_what_it_is(
    server: Canned, reply: Reply, expected: type[Exception]
) -> None:
    port, _ = port_to(server)
    server.replies = [reply]
    with port.enter(ROLE) as inside, pytest.raises(expected, match=f"sts:AssumeRole of {ROLE}"):
        inside.ask(KEYS.call, "us-east-1")


def test_accounts_that_refuse_the_role_are_lost_and_stop_no_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four refusals, one more than a credential may have, and the last account is still read."""
    monkeypatch.setenv("ZTGRADE_TEST_AWS", SECRET)
    numbers = ["222222222221", "222222222222", "222222222223", "222222222224", THIRD]
    server = Canned()
    server.replies = [caller(OWN), aliases("own"), listed(OWN, *numbers)]
    server.replies += [query_error("AccessDenied", 403)] * 4
    server.replies += [assumed("ASIATHIRD"), caller(THIRD), aliases("third")]
    estate = ESTATE.format(address=server.address, key=KEY)
    estate = estate.replace(
        "options.regions", 'promises = ["Account"]\noptions.organization_role = "r"\noptions.regions'
    )
    (tmp_path / "estate.toml").write_text(estate, encoding="utf-8")
    try:
        with Store.open(tmp_path / "store", create=True) as store:
            (found,) = collect(load_estate(tmp_path / "estate.toml"), store, collectors={"aws": COLLECTOR})
            told = list(gaps(found))
    finally:
        server.close()

    assert found.meta.facts == {"Account": 6}
    for number in numbers[:4]:
        assert any(f"sts:AssumeRole of arn:aws:iam::{number}:role/r: AccessDenied" in gap.detail for gap in told)
    assert not any(THIRD in gap.detail for gap in told)
    assert len(server.asked) == 10


def test_a_port_without_a_credential_of_its_own_takes_that_of_its_surroundings(
    server: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAAMBIENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ambient-secret")
    target = port_to(server)[1].target
    object.__setattr__(target, "credential", None)
    server.replies = [assumed("ASIAONE"), NO_KEYS]
    with AwsPort(LiveAccess(target), ALLOWED, home_region="us-east-1").enter(ROLE) as inside:
        inside.ask(KEYS.call, "us-east-1")

    assert "AKIAAMBIENT" in server.asked[0]


@pytest.mark.parametrize("ambient", [True, False])
def test_a_token_of_the_surroundings_is_a_login_where_the_target_names_no_credential(
    server: Canned, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ambient: bool
) -> None:
    (tmp_path / "token").write_text("token-of-a-pod")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.address)
    access = LiveAccess(port_to(server)[1].target)
    server.replies = [NO_KEYS]
    if ambient:
        object.__setattr__(access.target, "credential", None)
        server.replies.insert(0, assumed("ASIAPOD", "AssumeRoleWithWebIdentity"))
    AwsPort(access, ALLOWED, home_region="us-east-1").ask(KEYS.call, "us-east-1")

    assert ("Action=AssumeRoleWithWebIdentity" in server.asked[0]) is ambient
    assert ("ASIAPOD" in server.asked[-1]) is ambient
