"""The faucet's client against hosts on loopback."""

from decimal import Decimal

import pytest
from venue.hosts import http, raw

from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.venue.faucet import Faucet

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"


async def fault_of(status: int, body: str = "", *headers: str) -> VenueError:
    async with (
        raw(http(status, body, *headers)) as host,
        Faucet(f"http://{host.at}/", "http://127.0.0.1:9", "t/1") as one,
    ):
        with pytest.raises(VenueError) as caught:
            await one.fill(ADDRESS, 0, 1_000)
    assert caught.value.endpoint == host.at
    return caught.value


async def test_it_asks_for_whole_usdc_as_the_official_client_does() -> None:
    async with raw(http(200, "{}")) as host, Faucet(f"http://{host.at}/", "http://127.0.0.1:9", "test/1") as faucet:
        await faucet.fill(ADDRESS, 5, 300)
    assert len(host.asked) == 1
    head, body = host.asked[0].split("\r\n\r\n")
    assert head.startswith("POST /faucet/tokens HTTP/1.1")
    assert "User-Agent: test/1" in head
    assert body.replace(" ", "") == f'{{"address":"{ADDRESS}","subaccountNumber":5,"amount":300}}'


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, FaultKind.RATE_LIMITED),
        (400, FaultKind.REJECTED),
        (403, FaultKind.GEO_BLOCKED),
        (404, FaultKind.REJECTED),
        (500, FaultKind.SERVER),
        (503, FaultKind.SERVER),
    ],
)
async def test_each_refusal_has_its_kind(status: int, kind: FaultKind) -> None:
    assert (await fault_of(status)).kind is kind


async def test_a_redirect_is_not_followed() -> None:
    async with raw(http(200, "{}")) as elsewhere:
        error = await fault_of(302, "", f"Location: http://{elsewhere.at}/faucet/tokens")
    assert error.kind is FaultKind.REJECTED
    assert elsewhere.asked == []


async def test_what_it_says_is_cleaned_and_cut() -> None:
    error = await fault_of(400, "no\x1b]0;owned\x07\u202e" + "x" * 5_000)
    assert "no" in error.text
    assert len(error.text) < 400
    assert error.text.isprintable()


async def test_nobody_there_is_unreachable() -> None:
    async with Faucet("http://127.0.0.1:9", "http://127.0.0.1:9", "test/1") as faucet:
        with pytest.raises(VenueError) as caught:
            await faucet.fill(ADDRESS, 0, 1)
    assert caught.value.kind is FaultKind.UNREACHABLE


@pytest.mark.parametrize(
    ("status", "body", "equity"),
    [
        (200, '{"subaccount":{"equity":"1000.5","x":1}}', Decimal("1000.5")),
        (200, '{"subaccount":{"equity":"-3"}}', Decimal(-3)),
        (404, '{"errors":[{"msg":"No subaccount found"}]}', None),
    ],
)
async def test_the_equity_is_the_indexers_and_none_where_it_was_never_funded(
    status: int, body: str, equity: Decimal | None
) -> None:
    async with raw(http(status, body)) as host, Faucet("http://127.0.0.1:9", f"http://{host.at}", "test/1") as faucet:
        assert await faucet.equity(ADDRESS, 3) == equity
    assert host.asked[0].startswith(f"GET /v4/addresses/{ADDRESS}/subaccountNumber/3 HTTP/1.1")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "<html>", FaultKind.BAD_ANSWER),
        (200, '{"subaccount":{}}', FaultKind.BAD_ANSWER),
        (200, '{"subaccount":{"equity":"NaN"}}', FaultKind.BAD_ANSWER),
        (200, '{"subaccount":{"equity":12}}', FaultKind.BAD_ANSWER),
        (429, "", FaultKind.RATE_LIMITED),
        (403, "", FaultKind.GEO_BLOCKED),
        (500, "", FaultKind.SERVER),
    ],
)
async def test_an_answer_that_cannot_be_read_is_no_equity(status: int, body: str, kind: FaultKind) -> None:
    async with raw(http(status, body)) as host, Faucet("http://127.0.0.1:9", f"http://{host.at}", "test/1") as faucet:
        with pytest.raises(VenueError) as caught:
            await faucet.equity(ADDRESS, 0)
    assert caught.value.kind is kind
