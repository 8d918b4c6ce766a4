"""A node for tests: the real services of v4-proto on a loopback port, over a small chain, and wrong on request."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.timestamp_pb2 import Timestamp
from v4_proto.cosmos.auth.v1beta1 import auth_pb2
from v4_proto.cosmos.auth.v1beta1 import query_pb2 as auth_query
from v4_proto.cosmos.auth.v1beta1 import query_pb2_grpc as auth_grpc
from v4_proto.cosmos.base.query.v1beta1 import pagination_pb2
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as chain_query
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2_grpc as chain_grpc
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus_query
from v4_proto.dydxprotocol.accountplus import query_pb2_grpc as accountplus_grpc
from v4_proto.dydxprotocol.clob import query_pb2 as clob_query
from v4_proto.dydxprotocol.clob import query_pb2_grpc as clob_grpc
from v4_proto.dydxprotocol.feetiers import query_pb2 as feetiers_query
from v4_proto.dydxprotocol.feetiers import query_pb2_grpc as feetiers_grpc
from v4_proto.dydxprotocol.perpetuals import query_pb2 as perpetuals_query
from v4_proto.dydxprotocol.perpetuals import query_pb2_grpc as perpetuals_grpc
from v4_proto.dydxprotocol.prices import query_pb2 as prices_query
from v4_proto.dydxprotocol.prices import query_pb2_grpc as prices_grpc
from v4_proto.dydxprotocol.subaccounts import query_pb2 as subaccounts_query
from v4_proto.dydxprotocol.subaccounts import query_pb2_grpc as subaccounts_grpc

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
CHAIN_ID = "dydx-testnet-4"
GENESIS = datetime(2026, 1, 1, tzinfo=UTC)


def encoded_int(value: int) -> bytes:
    """Encode as the chain encodes amounts."""
    magnitude = abs(value)
    return bytes([3 if value < 0 else 2]) + magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big")


def block_time(height: int) -> datetime:
    """Return the header time of a block of the fake chain; it has microseconds."""
    return GENESIS + timedelta(seconds=height, microseconds=123_456)


def fill_block(block: Any, chain_id: str, height: int) -> None:
    """Write a header; its time has nanoseconds beyond the microseconds."""
    stamp = Timestamp()
    stamp.FromDatetime(block_time(height))
    stamp.nanos += 789
    block.header.chain_id = chain_id
    block.header.height = height
    block.header.time.CopyFrom(stamp)


@dataclass(slots=True)
class Failure:
    """How a method fails."""

    code: grpc.StatusCode
    details: str = ""
    trailing: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class FakeNode:
    """What the node says, and by method name how it misbehaves ("*" is every method)."""

    chain_id: str = CHAIN_ID
    version: str = "9.6.1"
    height: int = 100
    lowest_height: int = 50
    catching_up: bool = False
    markets: int = 3
    page_limit: int = 1000
    knows_leverage: bool = True
    answers: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    peers: set[str] = field(default_factory=set)
    user_agents: set[str] = field(default_factory=set)
    cancelled: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def label(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.label}"

    def of(self, table: Any, method: str) -> Any:
        return table.get(method, table.get("*"))


class _Faults(grpc.aio.ServerInterceptor):
    """Notes every call and lets it fail as asked."""

    def __init__(self, node: FakeNode) -> None:
        self._node = node

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if handler is None:
            return None
        node, method = self._node, details.method.rpartition("/")[2]

        async def behave(request: Any, context: Any) -> Any:
            node.asked.append(method)
            node.peers.add(context.peer())
            node.user_agents.update(value for name, value in context.invocation_metadata() if name == "user-agent")
            if method in node.hanging or "*" in node.hanging:
                await _hang(node, method)
            failure = node.of(node.failures, method)
            if failure is not None:
                await context.abort(failure.code, failure.details, failure.trailing)
            answer = node.of(node.answers, method)
            return answer if answer is not None else await handler.unary_unary(request, context)

        def written(answer: Any) -> bytes:
            return answer if isinstance(answer, bytes) else answer.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(behave, handler.request_deserializer, written)


async def _hang(node: FakeNode, method: str) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        node.cancelled.append(method)
        raise


class _Chain(chain_grpc.ServiceServicer):
    def __init__(self, node: FakeNode) -> None:
        self._node = node

    async def GetNodeInfo(self, request: Any, context: Any) -> Any:
        answer = chain_query.GetNodeInfoResponse()
        answer.default_node_info.network = self._node.chain_id
        answer.application_version.version = self._node.version
        return answer

    async def GetSyncing(self, request: Any, context: Any) -> Any:
        return chain_query.GetSyncingResponse(syncing=self._node.catching_up)

    async def GetLatestBlock(self, request: Any, context: Any) -> Any:
        answer = chain_query.GetLatestBlockResponse()
        for block in (answer.block, answer.sdk_block):
            fill_block(block, self._node.chain_id, self._node.height)
        return answer

    async def GetBlockByHeight(self, request: Any, context: Any) -> Any:
        if request.height > self._node.height:
            text = "requested block height is bigger then the chain length"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
        if request.height < self._node.lowest_height:
            text = f"height {request.height} is not available, lowest height is {self._node.lowest_height}"
            await context.abort(grpc.StatusCode.UNKNOWN, text)
        answer = chain_query.GetBlockByHeightResponse()
        fill_block(answer.block, self._node.chain_id, request.height)
        return answer


class _Auth(auth_grpc.QueryServicer):
    async def Account(self, request: Any, context: Any) -> Any:
        if request.address != ADDRESS:
            text = f"rpc error: code = NotFound desc = account {request.address} not found: key not found"
            await context.abort(grpc.StatusCode.NOT_FOUND, text)
        return account_answer(auth_pb2.BaseAccount(address=ADDRESS, account_number=17, sequence=4))


def account_answer(account: Any) -> Any:
    """Pack an account of any kind as the chain does."""
    packed = AnyMessage(type_url=f"/{account.DESCRIPTOR.full_name}", value=account.SerializeToString())
    return auth_query.QueryAccountResponse(account=packed)


class _Subaccounts(subaccounts_grpc.QueryServicer):
    async def Subaccount(self, request: Any, context: Any) -> Any:
        answer = subaccounts_query.QuerySubaccountResponse()
        answer.subaccount.id.owner = request.owner
        answer.subaccount.id.number = request.number
        if request.number == 0:
            answer.subaccount.asset_positions.add(asset_id=0, quantums=encoded_int(1_234_567_890))
            answer.subaccount.perpetual_positions.add(
                perpetual_id=1,
                quantums=encoded_int(-25_000_000),
                funding_index=encoded_int(-7),
                quote_balance=encoded_int(0),
            )
        return answer


class _Prices(prices_grpc.QueryServicer):
    def __init__(self, node: FakeNode) -> None:
        self._node = node

    async def AllMarketPrices(self, request: Any, context: Any) -> Any:
        first = int(request.pagination.key or b"0")
        last = min(first + min(request.pagination.limit, self._node.page_limit), self._node.markets)
        answer = prices_query.QueryAllMarketPricesResponse()
        for number in range(first, last):
            answer.market_prices.add(id=number, exponent=-5, price=10_000_000_000 + number)
        if last < self._node.markets:
            answer.pagination.CopyFrom(pagination_pb2.PageResponse(next_key=str(last).encode()))
        return answer


class _Perpetuals(perpetuals_grpc.QueryServicer):
    def __init__(self, node: FakeNode) -> None:
        self._node = node

    async def AllPerpetuals(self, request: Any, context: Any) -> Any:
        first = int(request.pagination.key or b"0")
        last = min(first + min(request.pagination.limit, self._node.page_limit), self._node.markets)
        answer = perpetuals_query.QueryAllPerpetualsResponse()
        for number in range(first, last):
            row = answer.perpetual.add(funding_index=encoded_int(-number), open_interest=encoded_int(0))
            row.params.id, row.params.market_id, row.params.ticker = number, 1000 + number, f"M{number}-USD"
            row.params.atomic_resolution = -9
        if last < self._node.markets:
            answer.pagination.CopyFrom(pagination_pb2.PageResponse(next_key=str(last).encode()))
        return answer


class _Clob(clob_grpc.QueryServicer):
    async def BlockRateLimitConfiguration(self, request: Any, context: Any) -> Any:
        answer = clob_query.QueryBlockRateLimitConfigurationResponse()
        config = answer.block_rate_limit_config
        config.max_short_term_orders_and_cancels_per_n_blocks.add(num_blocks=5, limit=4000)
        config.max_stateful_orders_per_n_blocks.add(num_blocks=1, limit=2)
        config.max_stateful_orders_per_n_blocks.add(num_blocks=100, limit=20)
        return answer

    async def EquityTierLimitConfiguration(self, request: Any, context: Any) -> Any:
        answer = clob_query.QueryEquityTierLimitConfigurationResponse()
        for usd, limit in ((0, 0), (20, 1), (100, 5)):
            answer.equity_tier_limit_config.stateful_order_equity_tiers.add(
                usd_tnc_required=encoded_int(usd * 1_000_000), limit=limit
            )
        return answer


class _Fees(feetiers_grpc.QueryServicer):
    async def UserFeeTier(self, request: Any, context: Any) -> Any:
        answer = feetiers_query.QueryUserFeeTierResponse(index=2)
        answer.tier.name = "3"
        answer.tier.maker_fee_ppm = -110
        answer.tier.taker_fee_ppm = 400
        return answer


class _Accountplus(accountplus_grpc.QueryServicer):
    async def GetAuthenticators(self, request: Any, context: Any) -> Any:
        answer = accountplus_query.GetAuthenticatorsResponse()
        answer.account_authenticators.add(id=3, type="AllOf", config=b"[]")
        return answer


async def _leverage(request: bytes, context: Any) -> bytes:
    """Answer as nodes do since version 9, byte by byte: ETH (pair 1) 10 times, pair 300 nothing chosen."""
    asked = b"\x0a" + bytes([len(ADDRESS)]) + ADDRESS.encode()
    if request == asked:
        return b"\x0a\x06\x08\x01\x10\xa0\x8d\x06" + b"\x0a\x03\x08\xac\x02"
    return b"" if request.startswith(asked) else await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "whose?")


def _serve(server: Any, node: FakeNode) -> None:
    if node.knows_leverage:
        handler = grpc.unary_unary_rpc_method_handler(_leverage)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("dydxprotocol.clob.Query", {"Leverage": handler}),)
        )
    chain_grpc.add_ServiceServicer_to_server(_Chain(node), server)
    auth_grpc.add_QueryServicer_to_server(_Auth(), server)
    subaccounts_grpc.add_QueryServicer_to_server(_Subaccounts(), server)
    prices_grpc.add_QueryServicer_to_server(_Prices(node), server)
    perpetuals_grpc.add_QueryServicer_to_server(_Perpetuals(node), server)
    clob_grpc.add_QueryServicer_to_server(_Clob(), server)
    feetiers_grpc.add_QueryServicer_to_server(_Fees(), server)
    accountplus_grpc.add_QueryServicer_to_server(_Accountplus(), server)


@asynccontextmanager
async def running(*nodes: FakeNode, tls: tuple[bytes, bytes] | None = None) -> AsyncIterator[None]:
    """Serve each node, on its own port; `tls` is key and certificate."""
    servers = []
    try:
        for node in nodes:
            server = grpc.aio.server(interceptors=(_Faults(node),))
            _serve(server, node)
            address = f"127.0.0.1:{node.port}"
            if tls is None:
                node.port = server.add_insecure_port(address)
            else:
                node.port = server.add_secure_port(address, grpc.ssl_server_credentials([tls]))
            await server.start()
            servers.append(server)
        yield
    finally:
        for server in servers:
            await server.stop(None)


@contextmanager
def listening(count: int = 1) -> Iterator[tuple[int, ...]]:
    """Listen on ports that take connections and never say a word."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        yield tuple(each.getsockname()[1] for each in sockets)
    finally:
        for each in sockets:
            each.close()


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
HEADERS = 1
END_OF_ALL = 0x05


@asynccontextmanager
async def http_only(status: int) -> AsyncIterator[int]:
    """Serve HTTP/2 that answers every request with a status and nothing of gRPC; yields the port."""
    # a header field by its index in HPACK's table (8 is :status), with its value as it is
    block = b"\x08\x03" + str(status).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(24)
            writer.write(SETTINGS)
            while True:
                head = await reader.readexactly(9)
                await reader.readexactly(int.from_bytes(head[:3], "big"))
                if head[3] == HEADERS:
                    writer.write(len(block).to_bytes(3, "big") + bytes([HEADERS, END_OF_ALL]) + head[5:9] + block)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async with served(serve) as port:
        yield port


@asynccontextmanager
async def http_1() -> AsyncIterator[int]:
    """Serve HTTP/1.1, which no node speaks; yields the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with served(serve) as port:
        yield port


@asynccontextmanager
async def served(serve: Any) -> AsyncIterator[int]:
    """Serve a TCP conversation on loopback; yields the port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


def certificate(hosts: Sequence[str] = ("localhost",), days: tuple[int, int] = (-1, 1)) -> tuple[bytes, bytes]:
    """Return key and self-signed certificate in PEM, valid for `hosts` from and until so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, signed.public_bytes(serialization.Encoding.PEM)
