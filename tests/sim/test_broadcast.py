"""Transactions at the node: signatures, sequences, who may travel with whom, and what a block makes of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from node_help import (
    BUY,
    CONDITIONAL,
    FRIEND,
    IOC,
    LONG,
    OK,
    OWNER,
    POST_ONLY,
    QUIET,
    SELL,
    STRANGER,
    TICK,
    USDC,
    Trader,
    clob,
    sdk,
    trading,
)
from signing_help import USDC_DENOM, Key
from test_node import refused
from v4_proto.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from v4_proto.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from v4_proto.cosmos.base.v1beta1.coin_pb2 import Coin
from v4_proto.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from v4_proto.cosmos.tx.signing.v1beta1.signing_pb2 import SIGN_MODE_LEGACY_AMINO_JSON
from v4_proto.cosmos.tx.v1beta1.service_pb2 import (
    BROADCAST_MODE_ASYNC,
    BROADCAST_MODE_BLOCK,
    BroadcastTxRequest,
    GetTxRequest,
    SimulateRequest,
)
from v4_proto.dydxprotocol.clob.clob_pair_pb2 import ClobPair
from v4_proto.dydxprotocol.clob.query_pb2 import QueryGetClobPairRequest
from v4_proto.dydxprotocol.sending.transfer_pb2 import MsgDepositToSubaccount, MsgWithdrawFromSubaccount
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId as WireSubaccount

from dydx_console.sim.core.orders import SubaccountId
from dydx_console.sim.core.state import MarketStatus
from dydx_console.sim.faults import Faults
from dydx_console.sim.faults.kinds import Kind

CHILD = SubaccountId(OWNER.address, 128)
FEE = {"gas": 200_000, "fee": 5_000}


async def test_an_accepted_order_rests_and_its_hash_is_that_of_its_bytes() -> None:
    async with trading() as (me, _):
        order = me.order(BUY, 10, 60_000)
        raw = await me.bytes_of(order)
        answer = await me.broadcast(raw)
        assert (answer.code, answer.codespace, answer.raw_log) == (0, "", "[]")
        assert answer.txhash == hashlib.sha256(raw).hexdigest().upper()
        assert me.resting(order) == 10
        me.at.block()
        assert await me.result(answer.txhash) is None, "no block has a short-term transaction under its own hash"


WRONG: list[tuple[dict[str, Any], tuple[str, int]]] = [
    ({"chain_id": "dydx-mainnet-1"}, sdk(4)),
    ({"account_number": 99_999}, sdk(4)),
    ({"high_s": True}, sdk(4)),
    ({"mode": SIGN_MODE_LEGACY_AMINO_JSON}, sdk(4)),
    ({"public_key": STRANGER.public}, sdk(8)),
    ({"public_key": b""}, sdk(8)),
    ({"memo": "m" * 257}, sdk(12)),
    ({"memo": "é" * 129}, sdk(12)),
    ({"timeout_height": 1}, sdk(30)),
    ({"extension": True}, sdk(31)),
    ({"authenticators": (7,)}, ("accountplus", 1)),
    ({"authenticators": (7, 8)}, sdk(18)),
    ({"memo": "m" * 256}, OK),
    ({"sequence": 12_345}, OK),
    ({"fee": 1, "fee_denom": "adydx"}, OK),
]


@pytest.mark.parametrize(("changes", "answer"), WRONG, ids=str)
async def test_what_is_wrong_with_a_signature(changes: dict[str, Any], answer: tuple[str, int]) -> None:
    async with trading() as (me, _):
        order = me.order()
        assert await me.send(order, **changes) == answer
        assert bool(me.resting(order)) == (answer == OK)


async def test_a_strangers_key_and_a_strangers_account() -> None:
    async with trading() as (me, _):
        assert await replace(me, key=STRANGER).send(me.order()) == sdk(8)
        stranger = Trader(me.at, STRANGER, STRANGER.address)
        raw = await me.bytes_of(stranger.order(), account_number=0)
        assert (await me.broadcast(raw)).code == 9
        assert await me.send(me.order(), Trader(me.at, FRIEND, FRIEND.address).order()) == sdk(4), "two must sign"


async def test_bytes_that_are_no_transaction() -> None:
    async with trading() as (me, _):
        for raw in (b"\xff\xff", b"\x0a\x03abc", b"\x0a\x00"):
            answer = await me.broadcast(raw)
            assert (answer.codespace, answer.code) in (sdk(2), sdk(18))
        assert await me.send() == sdk(18)
        assert await me.send(AnyMessage(type_url="/cosmos.gov.v1.MsgVote", value=b"")) == sdk(2)
        assert await me.send(AnyMessage(type_url="/dydxprotocol.clob.MsgPlaceOrder", value=b"\xff")) == sdk(2)
        assert (await me.broadcast(b"\x00" * 1_048_577)).code == 21
        with refused(grpc.StatusCode.INVALID_ARGUMENT, "invalid empty tx"):
            await me.broadcast(b"")
        with refused(
            grpc.StatusCode.UNKNOWN, "unsupported return type BROADCAST_MODE_BLOCK; supported types: sync, async"
        ):
            await me.at.node.tx.BroadcastTx(BroadcastTxRequest(tx_bytes=b"x", mode=BROADCAST_MODE_BLOCK))


async def test_an_async_broadcast_says_nothing_but_the_hash() -> None:
    async with trading() as (me, _):
        raw = await me.bytes_of(me.order(good_til_block=1))
        request = BroadcastTxRequest(tx_bytes=raw, mode=BROADCAST_MODE_ASYNC)
        answer = (await me.at.node.tx.BroadcastTx(request)).tx_response
        assert (answer.code, answer.txhash) == (0, hashlib.sha256(raw).hexdigest().upper())
        assert (await me.broadcast(raw)).code == 19


@pytest.mark.parametrize("good", [True, False])
async def test_the_same_bytes_are_seen_once_whatever_became_of_them(good: bool) -> None:
    async with trading() as (me, _):
        order = me.order(BUY, 10, 60_000, good_til_block=me.height + (10 if good else 90))
        raw = await me.bytes_of(order)
        assert (await me.broadcast(raw)).code == (0 if good else 11)
        for _ in range(2):
            again = await me.broadcast(raw)
            assert (again.codespace, again.code, again.raw_log) == ("sdk", 19, "")
            assert again.txhash == hashlib.sha256(raw).hexdigest().upper()
            me.at.block()
        assert me.resting(order) == (10 if good else 0)


@pytest.mark.parametrize(("version", "window"), [("9.6.0", 40), ("9.5.0-rc1", 40), ("9.4.9", 20), ("8.0.0", 20)])
async def test_the_window_is_the_versions(version: str, window: int) -> None:
    async with trading(replace(QUIET, faults=Faults(node_version=version))) as (me, _):
        next_height = me.height + 1
        for ahead, answer in ((-1, clob(10)), (0, OK), (window, OK), (window + 1, clob(11))):
            order = me.order(good_til_block=next_height + ahead)
            assert await me.send(order) == answer
            assert await me.send(me.cancel(order)) == answer
        me.at.venue.faults = Faults(node_version="9.9.9")
        assert await me.send(me.order(good_til_block=next_height + 40)) == OK


async def test_sequences_are_exact_and_used_up_by_what_is_accepted() -> None:
    async with trading() as (me, _):
        answer = await me.respond(me.order(flags=LONG), sequence=1)
        assert (answer.codespace, answer.code) == sdk(32)
        assert "expected 0, got 1" in answer.raw_log
        assert await me.send(me.order(flags=LONG, time_in_force=IOC), sequence=0) == clob(3002)
        assert await me.send(me.order(flags=LONG), sequence=0) == OK
        assert (await me.account()).sequence == 0, "queries tell the last block"
        again = await me.respond(me.order(flags=LONG), sequence=0)
        assert (again.codespace, again.code) == sdk(32)
        assert "expected 1, got 0" in again.raw_log
        assert await me.send(me.order(flags=LONG), sequence=1) == OK
        me.at.block()
        assert (await me.account()).sequence == 2


async def test_a_block_tells_the_account_its_key() -> None:
    async with trading() as (me, _):
        assert not (await me.account()).HasField("pub_key")
        assert await me.send(me.order(flags=LONG)) == OK
        me.at.block()
        account: BaseAccount = await me.account()
        key = PubKey()
        assert account.pub_key.Unpack(key)
        assert (key.key, account.sequence) == (OWNER.public, 0), "a timestamp nonce leaves the sequence alone"
        assert await me.send(me.order(), public_key=b"") == OK, "known by now"


@pytest.mark.parametrize(("away_ms", "answer"), [(-30_001, sdk(32)), (-30_000, OK), (30_000, OK), (30_001, sdk(32))])
async def test_timestamp_nonces_are_within_half_a_minute_of_the_block(away_ms: int, answer: tuple[str, int]) -> None:
    async with trading() as (me, _):
        assert await me.send(me.order(flags=LONG), sequence=me.at.exchange.time_ms + away_ms) == answer


async def test_a_nonce_is_unique_and_twenty_at_once_are_fine() -> None:
    async with trading(replace(QUIET, account=STRANGER.address)) as (_, friend):
        now = friend.at.exchange.time_ms
        order = friend.order(flags=LONG)
        assert await friend.send(order, sequence=now) == OK
        assert await friend.send(friend.order(flags=LONG), sequence=now) == sdk(32)
        friend.at.block()
        assert await friend.send(friend.order(flags=LONG), sequence=now) == sdk(32)
        cancel = friend.cancel(order)
        answers = await asyncio.gather(*(friend.send(cancel, sequence=now + 100 + n) for n in range(20)))
        assert sorted(answers) == [OK, *[clob(32)] * 19], "a refused one is not used up"
        friend.at.block()


async def test_a_nonce_that_is_too_old_in_its_block_fails_there() -> None:
    async with trading() as (me, _):
        order = me.order(flags=LONG)
        answer = await me.respond(order, sequence=me.at.exchange.time_ms - 29_900)
        assert answer.code == 0
        me.at.exchange.halt(me.at.exchange.time_ms + 60_000)
        me.at.block()
        assert await me.result(answer.txhash) == sdk(32)
        assert await me.in_state(order) is None


async def test_the_life_of_a_long_term_order_in_state() -> None:
    async with trading() as (me, friend):
        order = me.order(BUY, 10, 60_000, flags=LONG, client_metadata=1)
        assert await me.settled(order) == (OK, OK)
        held = await me.in_state(order)
        assert held.order_placement.order == order.order
        assert held.order_placement.placement_index.block_height == me.height
        assert (held.fill_amount, held.triggered, me.resting(order)) == (0, False, 10)
        assert await friend.send(friend.order(SELL, 4, 60_000, time_in_force=IOC)) == OK
        assert (await me.in_state(order)).fill_amount == 0, "not before the block"
        me.at.block()
        assert (await me.in_state(order)).fill_amount == 4 * 1_000_000
        assert await me.settled(me.order(flags=LONG, client=order.order.order_id.client_id)) == (clob(3005), None)
        assert await me.settled(me.cancel(order)) == (OK, OK)
        assert await me.in_state(order) is None
        assert await me.send(me.cancel(order)) == clob(3006)


async def test_rules_for_cancels_of_stateful_orders() -> None:
    async with trading() as (me, _):
        order = me.order(flags=LONG)
        assert await me.settled(order) == (OK, OK)
        assert await me.send(me.cancel(order, later=-1)) == clob(29)
        assert await me.send(me.cancel(order, later=-100_000)) == clob(3003)
        assert await me.send(me.cancel(order, later=96 * 86_400)) == clob(3004)
        assert await me.send(me.cancel(order, later=5)) == OK
        assert await me.send(me.cancel(order, later=6)) == clob(32)
        client = order.order.order_id.client_id
        assert await me.send(me.order(flags=LONG, client=client)) == clob(3008)
        me.at.block()
        assert await me.settled(me.order(flags=LONG, client=client)) == (OK, OK), "the id is free again"


async def test_an_order_may_be_cancelled_before_its_block() -> None:
    async with trading() as (me, _):
        order = me.order(flags=CONDITIONAL)
        assert await me.send(order) == OK
        assert await me.settled(me.cancel(order)) == (OK, OK)
        assert await me.in_state(order) is None


async def test_several_in_one_transaction_stand_or_fall_together() -> None:
    async with trading() as (me, friend):
        near, far = me.order(BUY, 10, 60_000, flags=LONG), me.order(BUY, 10, 50_000, flags=LONG)
        assert await me.settled(near, far) == (OK, OK)
        assert await friend.send(friend.order(SELL, 10, 60_000, time_in_force=IOC)) == OK
        third = me.order(SELL, 1, 70_000, flags=LONG)
        accepted, became = await me.settled(me.cancel(far), me.cancel(near), third)
        assert (accepted, became) == (OK, clob(3010)), "the filled one brings the others down, after code 0"
        assert await me.in_state(far) is not None
        assert (me.resting(far), await me.in_state(third)) == (10, None)
        assert await me.settled(me.cancel(far)) == (OK, OK)
        assert me.resting(far) == 0


async def test_one_wrong_message_refuses_all_at_once() -> None:
    async with trading() as (me, _):
        good, bad = me.order(flags=LONG), me.order(flags=LONG)
        assert await me.send(good, me.cancel(bad)) == clob(3006)
        me.at.block()
        assert await me.in_state(good) is None


async def test_a_sequence_is_used_up_by_a_failure_in_the_block() -> None:
    async with trading() as (me, friend):
        near, far = me.order(BUY, 10, 60_000, flags=LONG), me.order(BUY, 10, 50_000, flags=LONG)
        assert await me.settled(near, far, sequence=0) == (OK, OK)
        assert await friend.send(friend.order(SELL, 10, 60_000, time_in_force=IOC)) == OK
        assert await me.settled(me.cancel(near), me.cancel(far), sequence=1) == (OK, clob(3010))
        assert (await me.account()).sequence == 2


async def test_who_may_travel_with_whom() -> None:
    async with trading() as (me, _):
        transfer = me.transfer(CHILD, 10)
        withdrawal = MsgWithdrawFromSubaccount(
            sender=WireSubaccount(owner=OWNER.address, number=0), recipient=OWNER.address, quantums=1
        )
        assert await me.send(me.order(), me.order()) == sdk(18)
        assert await me.send(me.order(), me.order(flags=LONG)) == sdk(18)
        assert await me.send(me.order(), transfer) == sdk(18)
        assert await me.send(me.order(flags=LONG), transfer, transfer) == sdk(18)
        assert await me.send(me.order(flags=LONG), withdrawal) == sdk(18)
        batch = me.batch(me.order(), good_til_block=me.height + 5)
        assert await me.send(batch, me.order(flags=LONG)) == sdk(18)
        assert await me.send(me.order(flags=LONG), transfer) == OK
        assert await me.send(me.order(good_til_block=me.height + 5), timeout_height=me.height + 4) == sdk(18)
        assert await me.send(me.order(good_til_block=me.height + 5), timeout_height=me.height + 5) == OK


async def test_money_and_the_order_that_needs_it_in_one_transaction() -> None:
    async with trading() as (me, _):
        order = me.order(BUY, 100, 32, pair=300, flags=LONG, subaccount=128)
        order.order.subticks = 3_000_000
        assert await me.send(order) == clob(10001), "no equity, no stateful orders"
        assert await me.settled(me.transfer(CHILD, 50), order) == (OK, OK)
        assert await me.in_state(order) is not None
        assert dict(me.at.exchange.truth().subaccounts)[CHILD].usdc_quantums == 50 * USDC
        poor = me.transfer(SubaccountId(OWNER.address, 256), 1_000_000)
        other = me.order(flags=LONG)
        assert await me.settled(poor, other) == (("subaccounts", 102), None)
        assert await me.in_state(other) is None


async def test_a_failed_transaction_moves_no_money() -> None:
    async with trading() as (me, friend):
        near = me.order(BUY, 10, 60_000, flags=LONG)
        assert await me.settled(near) == (OK, OK)
        assert await friend.send(friend.order(SELL, 10, 60_000, time_in_force=IOC)) == OK
        assert await me.settled(me.transfer(CHILD, 50), me.cancel(near)) == (OK, clob(3010))
        truth = dict(me.at.exchange.truth().subaccounts)
        assert CHILD not in truth
        accounts = me.at.exchange.state.accounts
        held = sum(account.usdc_quantums for account in accounts.all())
        assert held + accounts.collected_fees + accounts.funding_pool + accounts.insured == accounts.net_deposits


async def test_short_term_cancels_and_their_surprises() -> None:
    async with trading() as (me, _):
        order = me.order(BUY, 10, 60_000, good_til_block=me.height + 15)
        assert await me.send(order) == OK
        assert await me.send(me.cancel(order, later=-5)) == OK
        assert me.resting(order) == 10, "code 0, and the order lives"
        assert await me.send(me.cancel(order, later=-5)) == clob(9)
        assert await me.send(me.cancel(order, later=-6)) == clob(9)
        assert await me.send(me.cancel(order)) == OK
        assert me.resting(order) == 0
        client = order.order.order_id.client_id
        assert await me.send(me.order(client=client, good_til_block=me.height + 15, price=59_000)) == clob(7)
        assert await me.send(me.order(client=client, good_til_block=me.height + 16, price=59_000)) == OK
        assert await me.send(me.cancel(me.order(client=9_999))) == OK, "nobody asks whether it exists"


async def test_the_indexer_is_told_of_a_cancel_that_cancels_nothing() -> None:
    async with trading() as (me, friend):
        order = me.order(BUY, 10, 60_000)
        assert await me.send(order) == OK
        now = me.at.exchange.time_ms
        wire = me.at.venue.open(now)
        subscribe = {"type": "subscribe", "channel": "v4_subaccounts", "id": f"{OWNER.address}/0"}
        wire.say(json.dumps(subscribe), now)
        me.at.block()
        assert await me.send(me.cancel(order, later=-1)) == OK
        heard = "".join(str(arrival) for arrival in wire.hear(me.at.exchange.time_ms))
        assert '"status":"BEST_EFFORT_CANCELED"' in heard
        assert "ORDER_REMOVAL_REASON_USER_CANCELED" in heard
        assert await friend.send(friend.order(SELL, 10, 60_000, time_in_force=IOC)) == OK
        me.at.block()
        heard = "".join(str(arrival) for arrival in wire.hear(me.at.exchange.time_ms))
        assert '"status":"FILLED"' in heard, "it lived, and has filled"


async def test_failures_of_a_batch_are_invisible() -> None:
    async with trading() as (me, _):
        orders = [me.order(BUY, 10, 60_000 - n) for n in range(3)]
        for order in orders:
            assert await me.send(order) == OK
        unknown = me.order(pair=77)
        for wrong in (
            me.batch(*orders, good_til_block=me.height + 99),
            me.batch(*orders, good_til_block=1),
            me.batch(*orders, good_til_block=me.height + 9),
            me.batch(*orders, unknown, good_til_block=me.height + 20),
        ):
            assert await me.send(wrong) == OK
            assert [me.resting(order) for order in orders] == [10, 10, 10]
        assert await me.send(me.batch(*orders, me.order(), good_til_block=me.height + 20)) == OK
        assert [me.resting(order) for order in orders] == [0, 0, 0]


async def test_batches_that_cannot_be() -> None:
    async with trading() as (me, _):
        order = me.order()
        for orders in ([], [order, order], [me.order() for _ in range(101)]):
            assert await me.send(me.batch(*orders, good_til_block=me.height + 9)) == clob(45)
        twice = me.batch(me.order(), good_til_block=me.height + 9)
        twice.short_term_cancels.append(twice.short_term_cancels[0])
        assert await me.send(twice) == clob(45)
        assert await me.send(me.batch(*(me.order() for _ in range(100)), good_til_block=me.height + 9)) == OK


async def test_replacement() -> None:
    async with trading() as (me, friend):
        order = me.order(BUY, 10, 60_000)
        client, block = order.order.order_id.client_id, order.order.good_til_block
        assert await me.send(order) == OK

        async def replace_with(side: int = BUY, size: int = 10, **changes: Any) -> tuple[str, int]:
            return await me.send(me.order(side, size, 59_000, client=client, **changes))

        assert await replace_with(good_til_block=block - 1) == clob(20)
        assert await replace_with(SELL, good_til_block=block + 1) == clob(20)
        assert await replace_with(time_in_force=POST_ONLY, good_til_block=block + 1) == clob(20)
        assert await replace_with(size=5, good_til_block=block + 1) == OK
        assert me.resting(order) == 5
        assert await friend.send(friend.order(SELL, 2, 59_000, time_in_force=IOC)) == OK
        assert await replace_with(size=2, good_til_block=block + 2) == clob(24)
        assert await replace_with(size=3, good_til_block=block + 2) == OK
        assert me.resting(order) == 1, "what is filled counts"


async def test_an_ioc_order_is_filled_once_and_may_come_again_when_it_was_not() -> None:
    async with trading() as (me, friend):
        unfilled = me.order(BUY, 10, 60_000, time_in_force=IOC)
        assert await me.send(unfilled) == OK
        assert await me.send(unfilled, memo="again") == OK
        assert await friend.send(friend.order(SELL, 4, 60_000)) == OK
        assert await me.send(unfilled, memo="and now") == OK
        later = me.order(
            BUY, 10, 60_000, time_in_force=IOC, client=unfilled.order.order_id.client_id, good_til_block=me.height + 11
        )
        assert await me.send(later) == clob(2004)


async def test_post_only_self_trade_and_isolation() -> None:
    async with trading() as (me, friend):
        own, theirs = me.order(SELL, 10, 61_000), friend.order(SELL, 10, 62_000)
        assert await me.send(own) == OK
        assert await me.send(me.order(BUY, 1, 61_000, time_in_force=POST_ONLY)) == OK, "own orders just go"
        assert me.resting(own) == 0
        assert await friend.send(theirs) == OK
        assert await me.send(me.order(BUY, 1, 62_000, time_in_force=POST_ONLY)) == clob(2003)
        assert await me.send(me.order(BUY, 1, 62_000)) == OK
        isolated = friend.order(SELL, 1_000, 0, pair=300)
        isolated.order.subticks = 3_000_000
        assert await friend.send(isolated) == OK
        me.at.block()
        for message, answer in (
            (me.order(BUY, 1_000, 0, pair=300, flags=LONG), clob(2005)),
            (me.order(BUY, 1_000, 0, pair=300), clob(2005)),
        ):
            message.order.subticks = 3_000_000
            assert await me.send(message) == answer
        below = me.order(BUY, 1_000, 0, pair=300)
        below.order.subticks = 2_000_000
        assert await me.send(below) == OK, "resting is not asked"


async def test_limits_by_block_and_by_equity() -> None:
    async with trading() as (me, friend):
        for _ in range(2):
            assert await me.send(me.order(flags=CONDITIONAL)) == OK
        assert await me.send(me.order(flags=CONDITIONAL)) == clob(5001)
        assert await me.send(me.order(flags=LONG, subaccount=1)) == clob(5001), "by owner"
        assert await friend.send(friend.order(flags=LONG)) == OK
        poor = Trader(me.at, STRANGER, STRANGER.address)
        me.at.venue.fund(SubaccountId(STRANGER.address, 0), 25, me.at.exchange.time_ms)
        me.at.block()
        first, second = poor.order(BUY, 1, 50_000, flags=LONG), poor.order(BUY, 1, 50_000, flags=LONG)
        answer = await poor.respond(second)
        assert answer.code == 0
        assert await poor.settled(first) == (OK, clob(10001)), "one is allowed; the second is noticed in the block"
        assert await poor.result(answer.txhash) == OK
        assert await poor.send(poor.order(BUY, 1, 50_000, flags=LONG)) == clob(10001)


async def test_short_term_messages_are_counted_by_owner_and_batches_twice() -> None:
    async with trading() as (me, _):
        batch = me.batch(me.order(), good_til_block=me.height + 5)
        for n in range(200):
            assert await me.send(me.order(good_til_block=me.height + 90), memo=str(n)) == clob(11), "not counted"
            assert await me.send(batch, memo=str(n)) == OK
        assert await me.send(me.order(subaccount=3)) == clob(5001)
        me.at.block()
        assert await me.send(me.order()) == OK


async def test_markets_that_begin_or_end() -> None:
    async with trading() as (me, _):
        oracle = 64_000
        lasting, waiting = me.order(BUY, 1, 50_000, flags=LONG), me.order(SELL, 1, 50_000, flags=CONDITIONAL)
        assert await me.settled(lasting, waiting) == (OK, OK)

        async def become(status: MarketStatus) -> str:
            me.at.exchange.set_status("BTC-USD", status)
            me.at.block()
            told = me.at.venue.comlink.fetch("/v4/perpetualMarkets", 0).json()["markets"]["BTC-USD"]["status"]
            pair = (await me.at.node.clob.ClobPair(QueryGetClobPairRequest(id=0))).clob_pair
            assert ClobPair.Status.Name(pair.status) == f"STATUS_{told}"
            return str(told)

        assert await become(MarketStatus.INITIALIZING) == "INITIALIZING"
        assert await me.send(me.order(BUY, 1, oracle - 10)) == clob(34)
        assert await me.send(me.order(BUY, 1, oracle - 10, flags=LONG, time_in_force=POST_ONLY)) == clob(34)
        assert await me.send(me.order(BUY, 1, oracle + 10, time_in_force=POST_ONLY)) == clob(34)
        assert await me.send(me.order(SELL, 1, oracle - 10, time_in_force=POST_ONLY)) == clob(34)
        passive = me.order(BUY, 1, oracle - 10, time_in_force=POST_ONLY)
        assert await me.send(passive) == OK
        assert (me.resting(passive), me.resting(lasting)) == (1, 1)
        assert await become(MarketStatus.FINAL_SETTLEMENT) == "FINAL_SETTLEMENT"
        assert await me.send(me.order(BUY, 1, oracle - 20, time_in_force=POST_ONLY)) == clob(34)
        assert (me.resting(passive), me.resting(lasting)) == (0, 0), "a market that settles loses its orders"
        assert [await me.in_state(order) for order in (lasting, waiting)] == [None, None]
        assert await become(MarketStatus.ACTIVE) == "ACTIVE"
        assert await me.send(me.order()) == OK


async def test_a_stop_fires_on_a_trade_price_within_the_band() -> None:
    async with trading() as (me, friend):
        tick = TICK
        near = me.order(SELL, 5, 60_000, flags=CONDITIONAL, conditional_order_trigger_subticks=63_800 * tick)
        below_band = me.order(SELL, 5, 60_000, flags=CONDITIONAL, conditional_order_trigger_subticks=63_600 * tick)
        assert await me.settled(near) == (OK, OK)
        assert await me.settled(below_band) == (OK, OK)
        assert not (await me.in_state(near)).triggered
        assert await friend.send(friend.order(BUY, 1, 60_000)) == OK
        assert await me.send(me.order(SELL, 1, 60_000, time_in_force=IOC)) == OK
        me.at.block()
        assert (await me.in_state(near)).triggered, "the oracle stands at 64,000, but 60,000 was traded"
        assert not (await me.in_state(below_band)).triggered, "as far as 0.5 % from the oracle"


async def test_a_triggered_close_without_a_position_stays_in_state_off_the_book() -> None:
    async with trading() as (me, _):
        stop = me.order(
            SELL,
            5,
            60_000,
            flags=CONDITIONAL,
            time_in_force=IOC,
            reduce_only=True,
            conditional_order_trigger_subticks=70_000 * TICK,
        )
        assert await me.settled(stop) == (OK, OK)
        assert (await me.in_state(stop)).triggered
        assert me.resting(stop) == 0
        assert await me.settled(me.cancel(stop)) == (OK, OK)


async def test_transfers_alone_cost_a_fee_and_are_checked_in_their_block() -> None:
    async with trading() as (me, _):
        transfer = me.transfer(CHILD, 10)
        assert await me.send(transfer) == sdk(13)
        assert await me.send(transfer, gas=10, fee=5_000) == sdk(11)
        assert await me.send(transfer, gas=200_000, fee=2_000_000_000) == sdk(5)
        assert await me.send(transfer, gas=200_000, fee=5_000, fee_denom="adydx") == sdk(13)
        wallet = me.at.exchange.wallet_usdc(OWNER.address)
        assert await me.settled(transfer, **FEE) == (OK, OK)
        assert me.at.exchange.wallet_usdc(OWNER.address) == wallet - 5_000
        assert await me.settled(me.transfer(CHILD, 10_000_000), **FEE) == (OK, ("subaccounts", 102))
        assert me.at.exchange.wallet_usdc(OWNER.address) == wallet - 10_000, "failing costs too"
        assert await me.settled(transfer, gas=60_000, fee=5_000) == (OK, sdk(11))


async def test_deposits_withdrawals_and_payments() -> None:
    async with trading() as (me, _):
        mine, wire = SubaccountId(OWNER.address, 0), WireSubaccount(owner=OWNER.address, number=0)

        def usdc() -> tuple[int, int]:
            inside = dict(me.at.exchange.truth().subaccounts)[mine].usdc_quantums
            return inside // USDC, me.at.exchange.wallet_usdc(OWNER.address) // USDC

        assert usdc() == (250_000, 1_000)
        withdrawal = MsgWithdrawFromSubaccount(sender=wire, recipient=OWNER.address, quantums=100 * USDC)
        assert await me.settled(withdrawal, **FEE) == (OK, OK)
        assert usdc() == (249_900, 1_099)
        deposit = MsgDepositToSubaccount(sender=OWNER.address, recipient=wire, quantums=50 * USDC)
        assert await me.settled(deposit, **FEE) == (OK, OK)
        assert usdc() == (249_950, 1_049)
        deposit.quantums = 5_000 * USDC
        assert await me.settled(deposit, **FEE) == (OK, sdk(5))
        newcomer = Key("newcomer").address
        payment = MsgSend(
            from_address=OWNER.address, to_address=newcomer, amount=[Coin(denom=USDC_DENOM, amount=str(USDC))]
        )
        assert me.at.exchange.committed.account_number(newcomer) is None
        assert await me.settled(payment, **FEE) == (OK, OK)
        assert me.at.exchange.wallet_usdc(newcomer) == USDC
        assert me.at.exchange.committed.account_number(newcomer) is not None


TRANSFERS_THAT_CANNOT_BE: list[tuple[dict[str, Any], tuple[str, int]]] = [
    ({"amount": 0}, ("sending", 2)),
    ({"asset_id": 1}, ("sending", 1101)),
    ({"recipient": WireSubaccount(owner=OWNER.address, number=0)}, ("sending", 1)),
    ({"recipient": WireSubaccount(owner=OWNER.address, number=128_001)}, ("subaccounts", 200)),
    ({"recipient": WireSubaccount(owner="dydx1nobody", number=0)}, ("subaccounts", 201)),
]


@pytest.mark.parametrize(("changes", "answer"), TRANSFERS_THAT_CANNOT_BE, ids=str)
async def test_transfers_that_cannot_be(changes: dict[str, Any], answer: tuple[str, int]) -> None:
    async with trading() as (me, _):
        transfer = me.transfer(CHILD, 10)
        for name, value in changes.items():
            if name == "recipient":
                transfer.transfer.recipient.CopyFrom(value)
            else:
                setattr(transfer.transfer, name, value)
        assert await me.send(transfer, **FEE) == answer


async def test_simulation_tells_the_gas_and_changes_nothing() -> None:
    async with trading() as (me, _):
        raw = await me.bytes_of(me.transfer(CHILD, 10))
        before = me.at.exchange.truth()
        answer = await me.at.node.tx.Simulate(SimulateRequest(tx_bytes=raw))
        assert 50_000 < answer.gas_info.gas_used < 150_000
        orders = await me.bytes_of(me.order(flags=LONG), me.transfer(CHILD, 10))
        assert (await me.at.node.tx.Simulate(SimulateRequest(tx_bytes=orders))).gas_info.gas_used == 0
        too_much = await me.bytes_of(me.transfer(CHILD, 10_000_000))
        for wrong in (too_much, await me.bytes_of(me.order()), await me.bytes_of(me.order(flags=LONG), sequence=9)):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await me.at.node.tx.Simulate(SimulateRequest(tx_bytes=wrong))
            assert error.value.code() is grpc.StatusCode.UNKNOWN
            assert "with gas used: '" in str(error.value.details())
        assert me.at.exchange.truth() == before
        assert (await me.broadcast(raw)).code == 13, "simulating is not sending"


async def test_what_a_block_says_of_a_transaction() -> None:
    async with trading() as (me, _):
        raw = await me.bytes_of(me.transfer(CHILD, 10), memo="to the child", **FEE)
        answer = await me.broadcast(raw)
        me.at.block()
        found = await me.at.node.tx.GetTx(GetTxRequest(hash=answer.txhash.lower()))
        assert found.tx.SerializeToString() == raw
        assert (found.tx.body.memo, found.tx_response.height) == ("to the child", me.height)
        assert found.tx_response.timestamp.startswith("20")
        told = me.at.venue.comlink.fetch(
            "/v4/transfers", me.at.exchange.time_ms, {"address": OWNER.address, "subaccountNumber": "0"}
        ).json()["transfers"]
        assert told[0]["transactionHash"] == answer.txhash, "the Indexer knows it by the same name"
        with refused(grpc.StatusCode.NOT_FOUND, "tx not found: ABCD"):
            await me.at.node.tx.GetTx(GetTxRequest(hash="ABCD"))
        with refused(grpc.StatusCode.INVALID_ARGUMENT, "tx hash cannot be empty"):
            await me.at.node.tx.GetTx(GetTxRequest())


async def test_a_node_that_is_down_takes_nothing_and_a_slow_one_takes_it_at_once() -> None:
    async with trading() as (me, _):
        order = me.order(BUY, 10, 60_000)
        raw = await me.bytes_of(order)
        now = me.at.exchange.time_ms
        me.at.venue.inflict(Kind.NODE_SLOW, now, 10_000, 60_000)
        me.at.venue.advance(now)
        call = me.at.node.tx.BroadcastTx(BroadcastTxRequest(tx_bytes=raw, mode=2), timeout=0.5)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call
        assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert me.resting(order) == 10, "taken, though nobody heard of it"
        me.at.block(11)
        assert (await me.broadcast(raw)).code == 19
        later = me.order(BUY, 10, 59_000)
        raw = await me.bytes_of(later)
        now = me.at.exchange.time_ms
        me.at.venue.inflict(Kind.NODE_DOWN, now, 10_000)
        me.at.venue.advance(now)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await me.broadcast(raw)
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        assert me.resting(later) == 0


async def test_a_node_that_refuses_everything_and_one_that_forgets() -> None:
    async with trading() as (me, _):
        for answer in (sdk(32), ("accountplus", 104)):
            me.at.venue.faults = Faults(transactions_refused=answer)
            raw = await me.bytes_of(me.order())
            refused_with = await me.broadcast(raw)
            assert (refused_with.codespace, refused_with.code) == answer
            assert (await me.broadcast(raw)).code == 19
        me.at.venue.faults = Faults(transactions_lost=True)
        short, lasting = me.order(BUY, 10, 60_000), me.order(flags=LONG)
        assert await me.send(short) == OK
        assert await me.settled(lasting) == (OK, None), "no block ever has it"
        assert (me.resting(short), await me.in_state(lasting)) == (0, None)
        assert await me.send(me.order(), chain_id="dydx-mainnet-1") == sdk(4), "what it would not take it refuses"
        me.at.venue.faults = Faults()
        assert await me.settled(lasting) == (OK, OK)
