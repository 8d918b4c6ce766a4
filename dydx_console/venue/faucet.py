"""A test network's faucet. Source: dydxprotocol/v4-clients v4-client-py-v2/dydx_v4_client/faucet_client.py."""

from decimal import Decimal
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
import msgspec

from dydx_console.domain.numbers import decimal_of
from dydx_console.domain.text import clean
from dydx_console.ports.faults import FaultKind, VenueError

__all__ = ["Faucet"]

TIMEOUT_S = 20.0
"""The faucet makes a transaction before it answers."""
MOST_TEXT = 300
_KINDS = {429: FaultKind.RATE_LIMITED, 403: FaultKind.GEO_BLOCKED}


class _Held(msgspec.Struct):
    equity: str


class _Found(msgspec.Struct):
    subaccount: _Held


_found = msgspec.json.Decoder(_Found)


class Faucet:
    """Asks a faucet, and looks at the Indexer whether the funds have come. To be used as `async with`.

    Args:
        faucet_url: the faucet, scheme and host.
        indexer_url: the Indexer, scheme and host; the API prefix `/v4` is added.
        user_agent: how requests introduce themselves.
        allow_proxy: honour the proxy variables of the environment.
    """

    def __init__(self, faucet_url: str, indexer_url: str, user_agent: str, *, allow_proxy: bool = False) -> None:
        self._faucet_url = faucet_url.rstrip("/")
        self._indexer_url = indexer_url.rstrip("/")
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S, headers={"User-Agent": user_agent}, follow_redirects=False, trust_env=allow_proxy
        )

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the sockets."""
        await self._client.aclose()

    async def fill(self, address: str, subaccount: int, usdc: int) -> None:
        """Ask for whole test USDC into a subaccount. Raises VenueError; that it returns proves no payment yet."""
        url = f"{self._faucet_url}/faucet/tokens"
        body = {"address": address, "subaccountNumber": subaccount, "amount": usdc}
        response = await self._asked("POST", url, body)
        if response.status_code == 429:
            raise VenueError(FaultKind.RATE_LIMITED, _host(url), "it pays an address only so often; try again later")
        if not response.is_success:
            raise _refusal(url, response)

    async def equity(self, address: str, subaccount: int) -> Decimal | None:
        """Return a subaccount's equity in USD by the Indexer, None where it was never funded. Raises VenueError."""
        url = f"{self._indexer_url}/v4/addresses/{address}/subaccountNumber/{subaccount}"
        response = await self._asked("GET", url, None)
        if response.status_code == 404:
            return None
        if not response.is_success:
            raise _refusal(url, response)
        try:
            return decimal_of(_found.decode(response.content).subaccount.equity)
        except ValueError:
            raise VenueError(FaultKind.BAD_ANSWER, _host(url), "its answer cannot be read") from None

    async def _asked(self, method: str, url: str, body: dict[str, object] | None) -> httpx.Response:
        try:
            return await self._client.request(method, url, json=body)
        except httpx.TimeoutException:
            raise VenueError(FaultKind.TIMEOUT, _host(url), f"no answer within {TIMEOUT_S:.0f} s") from None
        except httpx.HTTPError as error:
            raise VenueError(FaultKind.UNREACHABLE, _host(url), clean(str(error) or type(error).__name__)) from None


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _refusal(url: str, response: httpx.Response) -> VenueError:
    kind = _KINDS.get(response.status_code, FaultKind.REJECTED)
    if response.status_code >= 500:
        kind = FaultKind.SERVER
    return VenueError(kind, _host(url), f"HTTP {response.status_code} {_text(response)}")


def _text(response: httpx.Response) -> str:
    return clean(response.text[:MOST_TEXT], MOST_TEXT)
