"""A trader with a key at the node's gRPC door, on an empty venue whose clock the test turns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import grpc
from signing_help import Key, Signing, signed_bytes
from test_node import Still, still
from v4_proto.cosmos.auth.v1beta1 import query_pb2 as auth
from v4_proto.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from v4_proto.cosmos.tx.v1beta1.service_pb2 import BROADCAST_MODE_SYNC, BroadcastTxRequest, GetTxRequest
from v4_proto.dydxprotocol.clob.order_pb2 import Order, OrderId
from v4_proto.dydxprotocol.clob.query_pb2 import QueryStatefulOrderRequest
from v4_proto.dydxprotocol.clob.tx_pb2 import MsgBatchCancel, MsgCancelOrder, MsgPlaceOrder, OrderBatch
from v4_proto.dydxprotocol.sending.transfer_pb2 import Transfer
from v4_proto.dydxprotocol.sending.tx_pb2 import MsgCreateTransfer
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId as WireSubaccount

from dydx_console.sim.core.orders import SubaccountId
from dydx_console.sim.venue import VenueOptions

OWNER, FRIEND, STRANGER = Key("owner"), Key("friend"), Key("stranger")
QUIET = VenueOptions(history_hours=0, block_ms=1_000, account=OWNER.address, trader=False, makers=False)
BUY, SELL = Order.SIDE_BUY, Order.SIDE_SELL
REST, IOC, POST_ONLY, FOK = (
    Order.TIME_IN_FORCE_UNSPECIFIED,
    Order.TIME_IN_FORCE_IOC,
    Order.TIME_IN_FORCE_POST_ONLY,
    Order.TIME_IN_FORCE_FILL_OR_KILL,
)
SHORT, CONDITIONAL, LONG, TWAP = 0, 32, 64, 128
STEP, TICK = 1_000_000, 100_000
"""Of BTC-USD: 0.0001 BTC, 1 USD."""
USDC = 1_000_000
Answer = tuple[str, int]
OK: Answer = ("", 0)


def clob(code: int) -> Answer:
    return ("clob", code)


def sdk(code: int) -> Answer:
    return ("sdk", code)


@dataclass
class Trader:
    """Signs for an owner's subaccounts; without a key of another's, with the owner's own."""

    at: Still
    key: Key
    owner: str
    authenticators: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.nonces = count()
        self.client_ids = count(1)

    @property
    def height(self) -> int:
        return int(self.at.exchange.height)

    @property
    def now_s(self) -> int:
        return int(self.at.exchange.time_ms) // 1_000

    async def account(self) -> BaseAccount:
        answer = await self.at.node.auth.Account(auth.QueryAccountRequest(address=self.owner))
        found = BaseAccount()
        assert answer.account.Unpack(found)
        return found

    async def signing(self, **changes: Any) -> Signing:
        number = (await self.account()).account_number
        nonce = self.at.exchange.time_ms + next(self.nonces)
        usual = Signing(self.at.venue.options.chain_id, number, nonce, authenticators=self.authenticators)
        return replace(usual, **changes)

    async def bytes_of(self, *messages: Any, **changes: Any) -> bytes:
        return signed_bytes(self.key, await self.signing(**changes), *messages)

    async def broadcast(self, raw: bytes) -> Any:
        request = BroadcastTxRequest(tx_bytes=raw, mode=BROADCAST_MODE_SYNC)
        return (await self.at.node.tx.BroadcastTx(request)).tx_response

    async def respond(self, *messages: Any, **changes: Any) -> Any:
        """The whole answer to a transaction with these messages."""
        return await self.broadcast(await self.bytes_of(*messages, **changes))

    async def send(self, *messages: Any, **changes: Any) -> Answer:
        """(codespace, code) of the answer."""
        answer = await self.respond(*messages, **changes)
        assert len(answer.txhash) == 64
        return answer.codespace, answer.code

    async def result(self, hash: str) -> Answer | None:
        """(codespace, code) that a block gave; None when no block has the transaction."""
        try:
            found = (await self.at.node.tx.GetTx(GetTxRequest(hash=hash))).tx_response
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return None
        assert found.txhash == hash
        return found.codespace, found.code

    async def settled(self, *messages: Any, **changes: Any) -> tuple[Answer, Answer | None]:
        """The answer to a broadcast, and after the next block what became of it."""
        answer = await self.respond(*messages, **changes)
        self.at.block()
        return (answer.codespace, answer.code), await self.result(answer.txhash)

    async def in_state(self, message: MsgPlaceOrder) -> Any:
        """What the chain's state says of an order; None when it does not have it."""
        request = QueryStatefulOrderRequest(order_id=message.order.order_id)
        try:
            return await self.at.node.clob.StatefulOrder(request)
        except grpc.aio.AioRpcError as error:
            if (error.code(), error.details()) != (grpc.StatusCode.NOT_FOUND, "not found"):
                raise
            return None

    def order(self, side: int = BUY, size: int = 10, price: int = 60_000, **changes: Any) -> MsgPlaceOrder:
        """An order of `size` steps at `price` ticks."""
        flags, number = changes.pop("flags", SHORT), changes.pop("subaccount", 0)
        pair, client = changes.pop("pair", 0), changes.pop("client", None)
        if flags == SHORT:
            changes.setdefault("good_til_block", self.height + 10)
        else:
            changes.setdefault("good_til_block_time", self.now_s + 600)
        if flags == CONDITIONAL:
            changes.setdefault("condition_type", Order.CONDITION_TYPE_STOP_LOSS)
            changes.setdefault("conditional_order_trigger_subticks", 40_000 * TICK)
        order_id = OrderId(
            subaccount_id=WireSubaccount(owner=self.owner, number=number),
            client_id=next(self.client_ids) if client is None else client,
            order_flags=flags,
            clob_pair_id=pair,
        )
        return MsgPlaceOrder(
            order=Order(order_id=order_id, side=side, quantums=size * STEP, subticks=price * TICK, **changes)
        )

    def cancel(self, message: MsgPlaceOrder, later: int = 0) -> MsgCancelOrder:
        """A cancel whose good-til is so much later than the order's (blocks or seconds)."""
        order = message.order
        if order.order_id.order_flags == SHORT:
            return MsgCancelOrder(order_id=order.order_id, good_til_block=order.good_til_block + later)
        return MsgCancelOrder(order_id=order.order_id, good_til_block_time=order.good_til_block_time + later)

    def batch(self, *messages: MsgPlaceOrder, good_til_block: int) -> MsgBatchCancel:
        """One cancel for many short-term orders of subaccount 0."""
        pairs: dict[int, list[int]] = {}
        for message in messages:
            order_id = message.order.order_id
            pairs.setdefault(order_id.clob_pair_id, []).append(order_id.client_id)
        return MsgBatchCancel(
            subaccount_id=WireSubaccount(owner=self.owner, number=0),
            short_term_cancels=[OrderBatch(clob_pair_id=pair, client_ids=ids) for pair, ids in pairs.items()],
            good_til_block=good_til_block,
        )

    def transfer(self, recipient: SubaccountId, usdc: int, number: int = 0) -> MsgCreateTransfer:
        return MsgCreateTransfer(
            transfer=Transfer(
                sender=WireSubaccount(owner=self.owner, number=number),
                recipient=WireSubaccount(owner=recipient.owner, number=recipient.number),
                asset_id=0,
                amount=usdc * USDC,
            )
        )

    def resting(self, message: MsgPlaceOrder) -> int:
        """Steps of an order that rest on its book."""
        wire = message.order.order_id
        books = self.at.exchange.state.books[wire.clob_pair_id]
        found = [r for r in books.resting() if r.order.id.client_id == wire.client_id]
        return sum(r.remaining_quantums for r in found if r.order.id.subaccount.owner == self.owner) // STEP


@asynccontextmanager
async def trading(options: VenueOptions = QUIET) -> AsyncIterator[tuple[Trader, Trader]]:
    """The owner with 250,000 USDC, and a friend with as much to trade with."""
    async with still(options) as at:
        at.venue.fund(SubaccountId(FRIEND.address, 0), 250_000, at.exchange.time_ms)
        at.block()
        yield Trader(at, OWNER, OWNER.address), Trader(at, FRIEND, FRIEND.address)
