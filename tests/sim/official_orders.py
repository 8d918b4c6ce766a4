"""The official NodeClient trades; prints {what was done: [codespace, code]}. Arguments: the simulator's line, a key."""

import asyncio
import json
import sys
import time
from typing import Any

from dydx_v4_client.key_pair import KeyPair
from dydx_v4_client.network import make_local
from dydx_v4_client.node.authenticators import Authenticator, AuthenticatorType
from dydx_v4_client.node.builder import TxOptions
from dydx_v4_client.node.client import NodeClient
from dydx_v4_client.node.message import cancel_order, order, order_id, subaccount
from dydx_v4_client.node.message import transfer as transfer_message
from dydx_v4_client.wallet import Wallet
from google.protobuf.any_pb2 import Any as AnyMessage
from v4_proto.cosmos.tx.v1beta1.service_pb2 import GetTxRequest
from v4_proto.cosmos.tx.v1beta1.service_pb2_grpc import ServiceStub
from v4_proto.dydxprotocol.clob.order_pb2 import Order
from v4_proto.dydxprotocol.clob.query_pb2 import QueryStatefulOrderRequest
from v4_proto.dydxprotocol.clob.query_pb2_grpc import QueryStub
from v4_proto.dydxprotocol.clob.tx_pb2 import OrderBatch

LINE, OWNER_HEX, TRADER_HEX = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
ME = LINE["account"]
SHORT, CONDITIONAL, LONG = 0, 32, 64
USDC = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"
FOUND: dict[str, Any] = {}


def note(name: str, answer: Any) -> Any:
    response = answer.tx_response
    FOUND[name] = [response.codespace, response.code]
    return response


class Session:
    """One client and the wallets that it signs with."""

    def __init__(self, client: NodeClient, account_number: int) -> None:
        self.client = client
        self.owner = Wallet(KeyPair.from_hex(OWNER_HEX), account_number, 0)
        self.trader = Wallet(KeyPair.from_hex(TRADER_HEX), account_number, 0)
        self.ids = iter(range(1, 10_000))
        self.kept = client.sequence_manager

    def order(self, flags: int = SHORT, **changes: Any) -> Order:
        number = changes.pop("number", 0)
        fields: dict[str, Any] = {
            "side": Order.SIDE_BUY,
            "quantums": 10_000_000,
            "subticks": 3_000_000_000,
            "time_in_force": Order.TIME_IN_FORCE_UNSPECIFIED,
            "reduce_only": False,
            **changes,
        }
        return order(order_id(ME, number, next(self.ids), 0, flags), **fields)

    async def height(self) -> int:
        return int(await self.client.latest_block_height())

    async def next_blocks(self, count: int) -> None:
        until = await self.height() + count
        while await self.height() < until:  # noqa: ASYNC110 - blocks come by themselves
            await asyncio.sleep(0.02)


async def short_term(session: Session) -> None:
    client, me = session.client, session.owner
    height = await session.height()
    first = session.order(good_til_block=height + 15)
    note("place", await client.place_order(me, first))
    note("cancel below", await client.cancel_order(me, first.order_id, good_til_block=height + 14))
    note("cancel", await client.cancel_order(me, first.order_id, good_til_block=height + 15))
    note("cancel again", await client.cancel_order(me, first.order_id, good_til_block=height + 15))
    height = await session.height()
    orders = [session.order(good_til_block=height + 15) for _ in range(2)]
    for placed in orders:
        note("place", await client.place_order(me, placed))
    batch = [OrderBatch(clob_pair_id=0, client_ids=[placed.order_id.client_id for placed in orders])]
    note("batch cancel", await client.batch_cancel_orders(me, subaccount(ME, 0), batch, height + 20))
    note("too far", await client.place_order(me, session.order(good_til_block=height + 99)))
    fok = session.order(good_til_block=height + 15, time_in_force=Order.TIME_IN_FORCE_FILL_OR_KILL)
    note("fill or kill", await client.place_order(me, fok))
    wrong = Wallet(me.key, me.account_number + 1, 0)
    client.sequence_manager = None
    note("wrong account number", await client.place_order(wrong, session.order(good_til_block=height + 15)))
    note("foreign key", await client.place_order(session.trader, session.order(good_til_block=height + 15)))
    client.sequence_manager = session.kept


async def stateful(session: Session) -> None:
    client, me = session.client, session.owner
    soon = int(time.time()) + 600
    await session.next_blocks(1)
    first = session.order(LONG, good_til_block_time=soon)
    placed = note("long-term", await client.place_order(me, first))
    note("second in the block", await client.place_order(me, session.order(LONG, good_til_block_time=soon)))
    await session.next_blocks(2)
    FOUND["in its block"] = ServiceStub(client.channel).GetTx(GetTxRequest(hash=placed.txhash)).tx_response.code
    held = QueryStub(client.channel).StatefulOrder(QueryStatefulOrderRequest(order_id=first.order_id))
    FOUND["in state"] = held.order_placement.order == first
    client.sequence_manager = None
    me.sequence = int(time.time() * 1_000)
    note("cancel with a nonce", await client.cancel_order(me, first.order_id, good_til_block_time=soon))
    stop = session.order(
        CONDITIONAL,
        good_til_block_time=soon,
        condition_type=Order.CONDITION_TYPE_STOP_LOSS,
        conditional_order_trigger_subticks=9_000_000_000,
    )
    me.sequence += 1
    note("conditional", await client.place_order(me, stop))
    await session.next_blocks(2)
    gone = [
        cancel_order(stop.order_id, good_til_block_time=soon),
        cancel_order(first.order_id, good_til_block_time=soon),
    ]
    me.sequence += 1
    tx = client.builder.build_transaction(me, [packed(message) for message in gone], client.builder.fee(1_000_000))
    note("packed cancels", await client.broadcast(tx))
    client.sequence_manager = session.kept


def packed(message: Any) -> AnyMessage:
    found = AnyMessage()
    found.Pack(message, type_url_prefix="/")
    return found


async def money(session: Session) -> None:
    client, me = session.client, session.owner
    await session.next_blocks(2)
    moved = note("transfer", await client.transfer(me, subaccount(ME, 0), subaccount(ME, 128), 0, 5_000_000))
    await session.next_blocks(2)
    FOUND["transfer in its block"] = ServiceStub(client.channel).GetTx(GetTxRequest(hash=moved.txhash)).tx_response.code
    note("withdraw", await client.withdraw(me, subaccount(ME, 0), ME, 0, 7_000_000))
    await session.next_blocks(2)
    note("deposit", await client.deposit(me, ME, subaccount(ME, 0), 0, 1_000_000))
    await session.next_blocks(2)
    note("send", await client.send_token(me, ME, session.trader.address, 1_000, USDC))
    await session.next_blocks(2)


async def permissions(session: Session) -> None:
    client, me, trader = session.client, session.owner, session.trader
    signature = Authenticator.signature_verification(trader.public_key.key)
    orders = "/dydxprotocol.clob.MsgPlaceOrder,/dydxprotocol.clob.MsgCancelOrder,/dydxprotocol.clob.MsgBatchCancel"
    safe = Authenticator.compose(
        AuthenticatorType.AllOf,
        [signature, Authenticator.message_filter(orders), Authenticator.subaccount_filter([0])],
    )
    note("register", await client.add_authenticator(me, safe))
    await session.next_blocks(2)
    held = (await client.get_authenticators(ME)).account_authenticators
    FOUND["registered"] = [one.type for one in held]
    options = TxOptions([held[0].id], int(time.time() * 1_000), me.account_number)
    height = await session.height()
    mine = session.order(good_til_block=height + 15)
    note("by permission", await client.place_order(trader, mine, tx_options=options))
    answer = await client.cancel_order(trader, mine.order_id, good_til_block=height + 15, tx_options=options)
    note("cancel by permission", answer)
    other = session.order(good_til_block=height + 15, number=1)
    note("another subaccount", await client.place_order(trader, other, tx_options=options))
    note(
        "a stranger's key", await client.place_order(me, session.order(good_til_block=height + 15), tx_options=options)
    )
    theft = transfer_message(subaccount(ME, 0), subaccount(trader.address, 0), 0, 1_000_000)
    fee = client.builder.calculate_fee(200_000)
    tx = client.builder.build_transaction(trader, [packed(theft)], fee, options)
    note("theft", await client.broadcast(tx))
    none = TxOptions([4_711], options.sequence, me.account_number)
    note(
        "no such permission",
        await client.place_order(trader, session.order(good_til_block=height + 15), tx_options=none),
    )
    note("revoke", await client.remove_authenticator(me, held[0].id))
    await session.next_blocks(2)
    again = session.order(good_til_block=await session.height() + 15)
    note("after revoking", await client.place_order(trader, again, tx_options=options))


async def main() -> None:
    config = make_local(node_url=LINE["grpc"].removeprefix("http://")).node
    config.chain_id = LINE["chain_id"]
    client = await NodeClient.connect(config)
    session = Session(client, (await client.get_account(ME)).account_number)
    FOUND["address"] = session.owner.address
    await short_term(session)
    await stateful(session)
    await money(session)
    await permissions(session)
    print(json.dumps(FOUND))


asyncio.run(main())
