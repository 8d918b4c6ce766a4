"""Permissions for other keys: what can be registered, what they cover, and what revoking them does."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from node_help import BUY, IOC, LONG, OK, OWNER, QUIET, SELL, STRANGER, Answer, Trader, sdk, trading
from signing_help import Key
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus
from v4_proto.dydxprotocol.accountplus.tx_pb2 import MsgAddAuthenticator, MsgRemoveAuthenticator

from dydx_console.sim.core.authenticators import Authenticator, Authenticators, Claim, authenticate
from dydx_console.sim.core.orders import SubaccountId, Transfer

KEEPER = Key("keeper of a permission")
ORDERS = "/dydxprotocol.clob.MsgPlaceOrder,/dydxprotocol.clob.MsgCancelOrder,/dydxprotocol.clob.MsgBatchCancel"
FEE = {"gas": 300_000, "fee": 7_500}
Tree = tuple[str, Any]
SIGNED: Tree = ("SignatureVerification", KEEPER.public)
MESSAGES: Tree = ("MessageFilter", ORDERS.encode())
ZERO: Tree = ("SubaccountFilter", b"0")
BTC: Tree = ("ClobPairIdFilter", b"0,5")


def all_of(*parts: Tree) -> Tree:
    return "AllOf", parts


def any_of(*parts: Tree) -> Tree:
    return "AnyOf", parts


def config(tree: Tree) -> bytes:
    """A tree as it is registered: composites are JSON with their parts in base64."""
    _, held = tree
    if isinstance(held, bytes):
        return held
    parts = [{"type": part[0], "config": base64.b64encode(config(part)).decode()} for part in held]
    return json.dumps(parts).encode()


def adding(tree: Tree) -> MsgAddAuthenticator:
    return MsgAddAuthenticator(sender=OWNER.address, authenticator_type=tree[0], data=config(tree))


async def permit(me: Trader, tree: Tree) -> Trader:
    """The keeper, with a fresh permission of the owner's."""
    assert await me.settled(adding(tree), **FEE) == (OK, OK)
    held = await me.at.node.accountplus.GetAuthenticators(accountplus.GetAuthenticatorsRequest(account=OWNER.address))
    newest = held.account_authenticators[-1]
    assert (newest.type, newest.config) == (tree[0], config(tree))
    return Trader(me.at, KEEPER, OWNER.address, authenticators=(newest.id,))


def accountplus_code(code: int) -> Answer:
    return ("accountplus", code)


async def test_a_trading_key_trades_and_does_nothing_else() -> None:
    async with trading() as (me, _):
        keeper = await permit(me, all_of(SIGNED, MESSAGES, ZERO, BTC))
        order = keeper.order(BUY, 10, 60_000)
        assert await keeper.send(order) == OK
        assert await keeper.send(keeper.cancel(order)) == OK
        assert await keeper.send(keeper.batch(order, good_til_block=keeper.height + 5)) == OK
        lasting = keeper.order(flags=LONG)
        assert await keeper.settled(lasting) == (OK, OK)
        both = replace(keeper, authenticators=keeper.authenticators * 2)
        assert await both.settled(keeper.cancel(lasting), keeper.order(flags=LONG)) == (OK, OK)
        assert await keeper.send(keeper.cancel(lasting), keeper.order(flags=LONG)) == sdk(18), "one for each message"
        for refused in (
            keeper.order(subaccount=1),
            keeper.order(pair=1),
            keeper.transfer(SubaccountId(OWNER.address, 128), 1),
            keeper.transfer(SubaccountId(KEEPER.address, 0), 1),
            adding(SIGNED),
            MsgRemoveAuthenticator(sender=OWNER.address, id=keeper.authenticators[0]),
        ):
            assert await keeper.send(refused, **FEE) == accountplus_code(104)
        assert await replace(keeper, key=STRANGER).send(keeper.order()) == accountplus_code(104)
        assert await replace(keeper, key=OWNER).send(keeper.order()) == accountplus_code(104), "not even the owner's"
        assert await keeper.send(keeper.order(), chain_id="dydx-mainnet-1") == accountplus_code(104)


async def test_a_key_without_a_message_filter_can_steal() -> None:
    async with trading() as (me, _):
        thief = await permit(me, all_of(SIGNED, ZERO))
        loot = SubaccountId(KEEPER.address, 0)
        assert await thief.settled(thief.transfer(loot, 1_000), **FEE) == (OK, OK)
        assert dict(me.at.exchange.truth().subaccounts)[loot].usdc_quantums == 1_000_000_000


TREES: list[tuple[Tree, dict[str, Any], Answer]] = [
    (SIGNED, {}, OK),
    (any_of(SIGNED, all_of(SIGNED, MESSAGES)), {}, OK),
    (any_of(all_of(SIGNED, ZERO), all_of(SIGNED, BTC)), {"subaccount": 1}, OK),
    (
        any_of(all_of(SIGNED, ZERO), all_of(SIGNED, ("ClobPairIdFilter", b"5"))),
        {"subaccount": 1},
        accountplus_code(105),
    ),
    (all_of(SIGNED, ("MessageFilter", b"/dydxprotocol.clob.MsgCancelOrder")), {}, accountplus_code(104)),
    (all_of(SIGNED, ("SubaccountFilter", b"0,x")), {}, ("undefined", 1)),
]


@pytest.mark.parametrize(("tree", "changes", "answer"), TREES, ids=lambda value: str(value)[:40])
async def test_trees(tree: Tree, changes: dict[str, Any], answer: Answer) -> None:
    async with trading() as (me, _):
        keeper = await permit(me, tree)
        assert await keeper.send(keeper.order(**changes)) == answer


UNSAFE: list[tuple[Tree, Answer]] = [
    (MESSAGES, ("undefined", 1)),
    (all_of(MESSAGES, ZERO), ("undefined", 1)),
    (any_of(SIGNED, MESSAGES), ("undefined", 1)),
    (("SignatureVerification", b"short"), ("undefined", 1)),
    (("Anything", b""), ("undefined", 1)),
    (("AllOf", b"not json"), ("undefined", 1)),
    (("AllOf", b'[{"type":"SignatureVerification"}]'), ("undefined", 1)),
    (all_of(SIGNED), sdk(18)),
    (all_of(SIGNED, ("Anything", b"")), sdk(18)),
]


@pytest.mark.parametrize(("tree", "answer"), UNSAFE, ids=lambda value: str(value)[:40])
async def test_what_cannot_be_registered_fails_in_its_block(tree: Tree, answer: Answer) -> None:
    async with trading() as (me, _):
        assert await me.settled(adding(tree), **FEE) == (OK, answer)
        held = await me.at.node.accountplus.GetAuthenticators(
            accountplus.GetAuthenticatorsRequest(account=OWNER.address)
        )
        assert not held.account_authenticators


async def test_what_is_too_long_is_refused_at_once() -> None:
    async with trading() as (me, _):
        assert await me.send(adding(("MessageFilter", b"m" * 1_025)), **FEE) == accountplus_code(3)
        assert await me.settled(MsgRemoveAuthenticator(sender=OWNER.address, id=9), **FEE) == (OK, accountplus_code(1))


async def test_after_revoking_short_term_orders_go_when_they_would_match_and_others_stay() -> None:
    async with trading() as (me, friend):
        keeper = await permit(me, SIGNED)
        short, lasting = keeper.order(BUY, 10, 60_000), keeper.order(BUY, 10, 59_000, flags=LONG)
        assert await keeper.send(short) == OK
        assert await keeper.settled(lasting) == (OK, OK)
        revoking = MsgRemoveAuthenticator(sender=OWNER.address, id=keeper.authenticators[0])
        assert await me.settled(revoking, **FEE) == (OK, OK)
        assert await keeper.send(keeper.order()) == accountplus_code(1)
        assert (me.resting(short), me.resting(lasting)) == (10, 10), "nobody has looked yet"
        assert await friend.send(friend.order(SELL, 5, 59_000, time_in_force=IOC)) == OK
        assert (me.resting(short), me.resting(lasting)) == (0, 5)


async def test_the_indexer_hears_of_a_revoked_order_as_expired() -> None:
    async with trading(QUIET) as (me, friend):
        keeper = await permit(me, SIGNED)
        order = keeper.order(BUY, 10, 60_000)
        assert await keeper.send(order) == OK
        wire = me.at.venue.open(me.at.exchange.time_ms)
        subscribe = {"type": "subscribe", "channel": "v4_subaccounts", "id": f"{OWNER.address}/0"}
        wire.say(json.dumps(subscribe), me.at.exchange.time_ms)
        assert await me.settled(MsgRemoveAuthenticator(sender=OWNER.address, id=0), **FEE) == (OK, OK)
        assert await friend.send(friend.order(SELL, 5, 60_000, time_in_force=IOC)) == OK
        heard = "".join(str(arrival) for arrival in wire.hear(me.at.exchange.time_ms))
        assert "ORDER_REMOVAL_REASON_EXPIRED" in heard
        assert "BEST_EFFORT_CANCELED" in heard


NAMES = st.sampled_from(["SignatureVerification", "MessageFilter", "SubaccountFilter", "ClobPairIdFilter", "Else"])
LEAVES = st.tuples(
    NAMES, st.sampled_from([KEEPER.public, STRANGER.public, b"0", b"1,2", b"/cosmos.bank.v1beta1.MsgSend"])
)
TREES_OF_ANY_SHAPE = st.recursive(
    LEAVES,
    lambda inner: st.tuples(st.sampled_from(["AllOf", "AnyOf"]), st.lists(inner, min_size=1, max_size=3).map(tuple)),
    max_leaves=6,
)


@given(TREES_OF_ANY_SHAPE)
def test_nothing_is_covered_without_the_signature_of_a_registered_key(tree: Tree) -> None:
    registry = Authenticators()
    if not registry.add(OWNER.address, tree[0], config(tree)).ok:
        assert registry.of(OWNER.address) == ()
        return
    held: Authenticator = registry.of(OWNER.address)[0]
    data, other = b"signed bytes", Key("nobody in the tree")
    message = Transfer(OWNER.address, STRANGER.address, 1)
    claim = Claim(message, "/cosmos.bank.v1beta1.MsgSend", data, other.sign(data))
    assert not authenticate(held, claim).ok
