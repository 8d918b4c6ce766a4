"""The read half of the node client: every question with a deadline, and other nodes where one fails."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio
from v4_proto.cosmos.auth.v1beta1 import query_pb2 as auth_query
from v4_proto.cosmos.base.query.v1beta1 import pagination_pb2
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as chain_query
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus_query
from v4_proto.dydxprotocol.clob import query_pb2 as clob_query
from v4_proto.dydxprotocol.feetiers import query_pb2 as feetiers_query
from v4_proto.dydxprotocol.perpetuals import query_pb2 as perpetuals_query
from v4_proto.dydxprotocol.prices import query_pb2 as prices_query
from v4_proto.dydxprotocol.subaccounts import query_pb2 as subaccounts_query

from dydx_console.domain.chain import (
    Authenticator,
    BlockHead,
    BlockRateLimits,
    ChosenLeverage,
    EquityTierLimits,
    FeeTier,
    NodeAccount,
    NodeInfo,
    NodeSubaccount,
    OraclePrice,
)
from dydx_console.domain.nodeaccount import Perpetual
from dydx_console.domain.text import clean
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import FaultKind, FaultSource, VenueError
from dydx_console.venue.node import answers
from dydx_console.venue.node.channels import MAX_ANSWER_BYTES, Channels, ClosedError
from dydx_console.venue.node.endpoints import parse_endpoint
from dydx_console.venue.node.failover import DEMOTED_FOR_S, EndpointOrder
from dydx_console.venue.node.leverage import QueryLeverageRequest
from dydx_console.venue.node.statuses import NO_SUCH_HEIGHT, Fault, fault_of
from dydx_console.venue.resilience.counters import FaultCounters

__all__ = ["NodeClient", "NodeOptions"]

_CHAIN = "/cosmos.base.tendermint.v1beta1.Service"
_ACCOUNT = "/cosmos.auth.v1beta1.Query/Account"
_SUBACCOUNT = "/dydxprotocol.subaccounts.Query/Subaccount"
_PRICES = "/dydxprotocol.prices.Query/AllMarketPrices"
_PERPETUALS = "/dydxprotocol.perpetuals.Query/AllPerpetuals"
_CLOB = "/dydxprotocol.clob.Query"
_FEES = "/dydxprotocol.feetiers.Query/UserFeeTier"
_AUTHENTICATORS = "/dydxprotocol.accountplus.Query/GetAuthenticators"

_PAGE = 1000
_MOST_PAGES = 50
_SHORTEST_WAIT_S = 0.05
"""With less than this left of a call's time no further node is asked."""
_LONGEST_RETRY_AFTER_S = 300.0
_MAX_HEIGHT = 2**63 - 1

T = TypeVar("T")
_Ask = Callable[[str, Any], Awaitable[bytes]]
"""Sends one request (path, message) to the node of this attempt and returns the bytes of its answer."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """One node's part in a call: until when it may take, and which words of it mean "no such thing"."""

    label: str
    ends_at: float
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """How nodes are asked.

    `call_timeout_s` bounds one request to one node, `total_timeout_s` a whole call with all the nodes that it asks;
    `demoted_for_s` is how long a node that failed is asked last. `allow_proxy` honours the proxy variables of the
    environment; `roots` are certificates in PEM to trust instead of those that come with the gRPC library.
    """

    call_timeout_s: float = 3.0
    total_timeout_s: float = 8.0
    demoted_for_s: float = DEMOTED_FOR_S
    allow_proxy: bool = False
    roots: bytes | None = None
    max_answer_bytes: int = MAX_ANSWER_BYTES


class NodeClient:
    """Reads the nodes of one network (`ports.node.NodePort`). To be used in one event loop, and closed in it.

    The preferred endpoint is asked first, the next one where it fails in a way that another need not. What a node
    answers about the question itself (not found, refused) is final.

    Args:
        endpoints: `host:port` or `https://host:port`, which are TLS, or `http://host:port` on this machine; the
            preferred one first.
        clock: measures the whole of a call, and how long a node that failed is asked last.
        user_agent: what we call ourselves.
        options: deadlines, proxy, trust.
        counters: counts every failed attempt, by node and method; without it nobody counts.

    Raises ValueError for no endpoint at all, and for one that may not be used, with the reason.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        clock: Clock,
        user_agent: str,
        options: NodeOptions | None = None,
        counters: FaultCounters | None = None,
    ) -> None:
        parsed = [parse_endpoint(text) for text in endpoints]
        if not parsed:
            raise ValueError("a node client needs at least one endpoint")
        self._clock = clock
        self._options = options if options is not None else NodeOptions()
        self._counters = FaultCounters(clock) if counters is None else counters
        self._order = EndpointOrder((endpoint.label for endpoint in parsed), clock)
        self._channels = Channels(
            parsed,
            user_agent,
            allow_proxy=self._options.allow_proxy,
            roots=self._options.roots,
            max_answer_bytes=self._options.max_answer_bytes,
        )

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The network's endpoints as `host:port`, the preferred one first."""
        return self._order.labels

    async def info(self, endpoint: str | None = None) -> NodeInfo:
        """Return the chain id and version that the node reports, asked anew each time; an unstated version is ""."""
        return await self._read(f"{_CHAIN}/GetNodeInfo", chain_query.GetNodeInfoRequest(), answers.info_of, endpoint)

    async def syncing(self, endpoint: str | None = None) -> bool:
        """Return whether the node is still catching up."""
        return await self._read(f"{_CHAIN}/GetSyncing", chain_query.GetSyncingRequest(), answers.syncing_of, endpoint)

    async def latest_block(self, endpoint: str | None = None) -> BlockHead:
        """Return the newest committed block."""
        request = chain_query.GetLatestBlockRequest()
        return await self._read(f"{_CHAIN}/GetLatestBlock", request, answers.block_of, endpoint)

    async def block(self, height: int, endpoint: str | None = None) -> BlockHead:
        """Return the block at a height; NOT_FOUND where it is pruned or not there yet, and no other node is asked."""
        if not 1 <= height <= _MAX_HEIGHT:
            raise VenueError(FaultKind.NOT_FOUND, endpoint or self.endpoints[0], f"there is no block {height}")
        request = chain_query.GetBlockByHeightRequest(height=height)
        read = answers.block_at(height)
        return await self._read(f"{_CHAIN}/GetBlockByHeight", request, read, endpoint, absent=NO_SUCH_HEIGHT)

    async def account(self, address: str) -> NodeAccount:
        """Return an account's number and sequence; NOT_FOUND for an address that the chain never saw.

        BAD_ANSWER also for a module's or a vesting account, which is told in words.
        """
        request = auth_query.QueryAccountRequest(address=address)
        return await self._read(_ACCOUNT, request, answers.account_of(address))

    async def subaccount(self, address: str, number: int) -> NodeSubaccount:
        """Return a subaccount as committed. `number` is at most 2^32 − 1."""
        request = subaccounts_query.QueryGetSubaccountRequest(owner=address, number=number)
        return await self._read(_SUBACCOUNT, request, answers.subaccount_of(address, number))

    async def oracle_prices(self) -> tuple[OraclePrice, ...]:
        """Return every oracle price, all pages from one node; a market without a price yet is left out."""
        return await self._asked(_all_prices, _PRICES)

    async def perpetuals(self) -> tuple[Perpetual, ...]:
        """Return every perpetual, all pages from one node."""
        return await self._asked(_all_perpetuals, _PERPETUALS)

    async def block_rate_limits(self) -> BlockRateLimits:
        """Return how many orders are taken by block."""
        request = clob_query.QueryBlockRateLimitConfigurationRequest()
        return await self._read(f"{_CLOB}/BlockRateLimitConfiguration", request, answers.block_rate_limits_of)

    async def equity_tier_limits(self) -> EquityTierLimits:
        """Return how many open orders are allowed by equity."""
        request = clob_query.QueryEquityTierLimitConfigurationRequest()
        return await self._read(f"{_CLOB}/EquityTierLimitConfiguration", request, answers.equity_tier_limits_of)

    async def fee_tier(self, address: str) -> FeeTier:
        """Return an address's trading fees."""
        return await self._read(_FEES, feetiers_query.QueryUserFeeTierRequest(user=address), answers.fee_tier_of)

    async def leverages(self, address: str, number: int) -> tuple[ChosenLeverage, ...]:
        """Return the leverages chosen for a subaccount, by market; REJECTED where no node knows the question."""
        request = QueryLeverageRequest(owner=address, number=number)
        return await self._read(f"{_CLOB}/Leverage", request, answers.leverages_of)

    async def authenticators(self, address: str) -> tuple[Authenticator, ...]:
        """Return the permissions that an account gave to other keys."""
        request = accountplus_query.GetAuthenticatorsRequest(account=address)
        return await self._read(_AUTHENTICATORS, request, answers.authenticators_of)

    async def close(self) -> None:
        """Close the connections; calls under way, and later ones, fail with UNREACHABLE."""
        await self._channels.close()

    async def _read(
        self,
        path: str,
        request: Any,
        read: Callable[[bytes, str], T],
        only: str | None = None,
        absent: tuple[str, ...] = (),
    ) -> T:
        async def attempt(ask: _Ask, label: str) -> T:
            return read(await ask(path, request), label)

        return await self._asked(attempt, path, only, absent)

    async def _asked(
        self,
        attempt: Callable[[_Ask, str], Awaitable[T]],
        path: str,
        only: str | None = None,
        absent: tuple[str, ...] = (),
    ) -> T:
        """Return what the first node that can tell tells. Raises VenueError, naming every node that was asked."""
        ends_at = self._clock.monotonic() + self._options.total_timeout_s
        failed: list[tuple[str, Fault]] = []
        for label in self._candidates(only):
            if failed and ends_at - self._clock.monotonic() < _SHORTEST_WAIT_S:
                break
            try:
                value = await attempt(partial(self._ask, _Turn(label, ends_at, absent)), label)
            except _FaultError as error:
                fault = error.fault
            except answers.UnreadableAnswerError as error:
                elsewhere = not isinstance(error, answers.UnusableAccountError)
                fault = Fault(FaultKind.BAD_ANSWER, str(error), elsewhere)
            else:
                self._order.restore(label)
                return value
            failed.append((label, fault))
            self._note(label, path, fault)
            if not fault.elsewhere:
                _raise([failed[-1]])
        _raise(failed)

    def _note(self, label: str, path: str, fault: Fault) -> None:
        """Count a node's failure, and ask that node last for a while where it is not worth asking."""
        if fault is not _CLOSED:
            self._counters.count(fault.kind, FaultSource.GRPC, f"{label}/{path.rpartition('/')[2]}", fault.text)
        if fault.demotes:
            self._order.demote(label, max(self._options.demoted_for_s, fault.retry_after_s or 0.0))

    def _candidates(self, only: str | None) -> tuple[str, ...]:
        if only is None:
            return self._order.now()
        if only not in self._order.labels:
            raise ValueError(f"{only!r} is not among the endpoints: {', '.join(self._order.labels)}")
        return (only,)

    async def _ask(self, turn: _Turn, path: str, request: Any) -> bytes:
        timeout_s = min(self._options.call_timeout_s, turn.ends_at - self._clock.monotonic())
        if timeout_s <= 0:
            # only the pages of one answer come here: the total is over before the last of them
            raise _FaultError(Fault(FaultKind.TIMEOUT, "no complete answer in time", demotes=True))
        try:
            async with self._channels.to(turn.label) as channel:
                return await self._sent(channel, turn, timeout_s, path, request)
        except (ClosedError, grpc.aio.UsageError):
            raise _FaultError(_CLOSED) from None
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            # nobody cancelled this task: closing the channel ended the call
            raise _FaultError(_CLOSED) from None

    async def _sent(self, channel: grpc.aio.Channel, turn: _Turn, timeout_s: float, path: str, request: Any) -> bytes:
        try:
            # decoded by us: the library would log what it cannot read to standard error
            return bytes(await channel.unary_unary(path)(request.SerializeToString(), timeout=timeout_s))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                # the node may be well and only the connection dead, which the library would notice after a minute
                self._channels.retire(turn.label, channel)
            wait_s = _retry_after_s(error)
            fault = fault_of(error.code().name, error.details() or "", timeout_s, wait_s, turn.absent)
            raise _FaultError(fault) from None


_CLOSED = Fault(FaultKind.UNREACHABLE, "the connections were closed", elsewhere=False)


class _FaultError(Exception):
    """One attempt failed."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _all_pages(
    path: str, request: Callable[..., Any], read: Callable[[bytes], tuple[tuple[T, ...], bytes]]
) -> Callable[[_Ask, str], Awaitable[tuple[T, ...]]]:
    """Return an attempt that reads a whole list, page by page."""

    async def attempt(ask: _Ask, _label: str) -> tuple[T, ...]:
        rows: list[T] = []
        key = b""
        for _ in range(_MOST_PAGES):
            page = pagination_pb2.PageRequest(key=key, limit=_PAGE)
            more, key = read(await ask(path, request(pagination=page)))
            rows += more
            if not key:
                return tuple(rows)
        raise answers.UnreadableAnswerError(f"the pages of {path.rpartition('/')[2]} have no end")

    return attempt


_all_prices = _all_pages(_PRICES, prices_query.QueryAllMarketPricesRequest, answers.oracle_page_of)
_all_perpetuals = _all_pages(_PERPETUALS, perpetuals_query.QueryAllPerpetualsRequest, answers.perpetual_page_of)


def _retry_after_s(error: grpc.aio.AioRpcError) -> float | None:
    """Return how long the node asks to wait, where it says so in whole seconds."""
    for metadata in (error.initial_metadata(), error.trailing_metadata()):
        for name, value in metadata or ():
            if name == "retry-after" and isinstance(value, str) and value.isascii() and value.isdecimal():
                return min(float(value[:9]), _LONGEST_RETRY_AFTER_S)
    return None


def _raise(failed: Iterable[tuple[str, Fault]]) -> NoReturn:
    """Raise the first fault, with what the other nodes said behind it."""
    (label, first), *others = failed
    text = "; ".join([first.text, *(f"{other}: {fault.text}" for other, fault in others)])
    raise VenueError(first.kind, label, clean(text, 400), first.retry_after_s)
