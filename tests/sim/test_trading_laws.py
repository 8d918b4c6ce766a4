"""Whatever is signed and sent, in whatever order: the node answers, money is kept, and its answers agree."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from node_help import CONDITIONAL, FRIEND, LONG, OWNER, QUIET, SHORT, STEP, TICK, USDC
from signing_help import Key, Signing, signed_bytes
from sim_help import NOW
from v4_proto.cosmos.tx.v1beta1.service_pb2 import BROADCAST_MODE_SYNC, BroadcastTxRequest, GetTxRequest
from v4_proto.dydxprotocol.clob.order_pb2 import Order, OrderId
from v4_proto.dydxprotocol.clob.tx_pb2 import MsgBatchCancel, MsgCancelOrder, MsgPlaceOrder, OrderBatch
from v4_proto.dydxprotocol.sending.transfer_pb2 import Transfer
from v4_proto.dydxprotocol.sending.tx_pb2 import MsgCreateTransfer
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId as WireSubaccount

from dydx_console.sim.core.orders import SubaccountId
from dydx_console.sim.node.tx_answers import broadcast, get_tx
from dydx_console.sim.venue import Venue

KEYS = (OWNER, FRIEND)
MESSAGE = st.fixed_dictionaries(
    {
        "what": st.sampled_from(["place", "place", "place", "cancel", "cancel", "batch", "transfer"]),
        "flags": st.sampled_from([SHORT, SHORT, CONDITIONAL, LONG]),
        "client": st.integers(1, 6),
        "side": st.integers(1, 2),
        "size": st.integers(0, 40),
        "price": st.integers(63_996, 64_004),
        "force": st.integers(0, 3),
        "reduce_only": st.booleans(),
        "trigger": st.integers(63_990, 64_010),
        "condition": st.integers(0, 2),
        "good_til": st.integers(-2, 45),
        "number": st.sampled_from([0, 0, 128]),
    }
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 1), st.lists(MESSAGE, min_size=1, max_size=3)),
        st.just("block"),
        st.just("again"),
    ),
    max_size=40,
)


class Bench:
    """A venue without sockets, and both traders' keys."""

    def __init__(self) -> None:
        self.venue = Venue(QUIET, NOW)
        self.venue.fund(SubaccountId(FRIEND.address, 0), 100_000, NOW)
        self.block()
        self.sent: list[bytes] = []
        self.accepted: list[str] = []
        self.nonce = 0

    def block(self) -> None:
        self.venue.advance(self.venue.exchange.next_block_ms)

    def send(self, key: Key, told: list[dict[str, Any]]) -> None:
        messages = [self.message(key, one) for one in told]
        number = self.venue.exchange.committed.account_number(key.address)
        assert number is not None
        self.nonce += 1
        signing = Signing(
            QUIET.chain_id, number, self.venue.exchange.time_ms + self.nonce % 20_000, gas=200_000, fee=5_000
        )
        raw = signed_bytes(key, signing, *messages)
        answer = self.broadcast(raw)
        assert (answer.code == 0) == (answer.codespace == "")
        if raw not in self.sent:
            assert (answer.codespace, answer.code) != ("sdk", 4), "the signature is right"
        if answer.code == 0 and not self.short_term(messages):
            self.accepted.append(answer.txhash)
        self.sent.append(raw)

    def broadcast(self, raw: bytes) -> Any:
        return broadcast(self.venue, BroadcastTxRequest(tx_bytes=raw, mode=BROADCAST_MODE_SYNC)).tx_response

    def short_term(self, messages: list[Any]) -> bool:
        first = messages[0]
        if isinstance(first, MsgBatchCancel):
            return True
        if isinstance(first, MsgPlaceOrder):
            return first.order.order_id.order_flags == SHORT
        return isinstance(first, MsgCancelOrder) and first.order_id.order_flags == SHORT

    def message(self, key: Key, told: dict[str, Any]) -> Any:
        owner = WireSubaccount(owner=key.address, number=told["number"])
        order_id = OrderId(subaccount_id=owner, client_id=told["client"], order_flags=told["flags"], clob_pair_id=0)
        blocks = {"good_til_block": max(0, self.venue.exchange.height + told["good_til"])}
        seconds = {"good_til_block_time": self.venue.exchange.time_ms // 1_000 + told["good_til"]}
        until = blocks if told["flags"] == SHORT else seconds
        match told["what"]:
            case "place":
                return MsgPlaceOrder(order=self.order(order_id, told, until))
            case "cancel":
                return MsgCancelOrder(order_id=order_id, **until)
            case "batch":
                some = [OrderBatch(clob_pair_id=0, client_ids=[told["client"], told["client"] % 6 + 1])]
                return MsgBatchCancel(subaccount_id=owner, short_term_cancels=some, **blocks)
        other = WireSubaccount(owner=key.address, number=128 - told["number"])
        return MsgCreateTransfer(transfer=Transfer(sender=owner, recipient=other, amount=told["size"] * 1_000 * USDC))

    @staticmethod
    def order(order_id: OrderId, told: dict[str, Any], until: dict[str, int]) -> Order:
        conditional = order_id.order_flags == CONDITIONAL
        return Order(
            order_id=order_id,
            side=told["side"],
            quantums=told["size"] * STEP,
            subticks=told["price"] * TICK,
            time_in_force=told["force"],
            reduce_only=told["reduce_only"],
            condition_type=told["condition"] if conditional else 0,
            conditional_order_trigger_subticks=told["trigger"] * TICK if conditional else 0,
            **until,
        )

    def check(self) -> None:
        exchange = self.venue.exchange
        accounts = exchange.state.accounts
        held = sum(account.usdc_quantums for account in accounts.all())
        assert held + accounts.collected_fees + accounts.funding_pool + accounts.insured == accounts.net_deposits
        assert accounts.net_deposits + sum(exchange.state.wallets.values()) + 5_000 * self.paid() == self.endowment
        for book in exchange.state.books.values():
            assert not book.crossed
        state = exchange.state
        memory = {*state.stateful, *state.untriggered, *state.leaving}
        assert memory == set(exchange.committed.placements), "queries know what the node knows to be committed"

    def paid(self) -> int:
        """Transactions that paid a fee."""
        results = [self.venue.exchange.ledger.result(name) for name in self.accepted]
        return sum(
            result is not None and result.signed.fee > 0 and result.answer.codespace != "sdk" for result in results
        )

    @property
    def endowment(self) -> int:
        """All money: what came from outside is what the bank owes."""
        return QUIET.wallet_usdc * USDC + self.venue.exchange.state.insurance.total


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_the_exchange_stays_sound(steps: list[Any]) -> None:
    bench = Bench()
    for step in steps:
        if step == "block":
            bench.block()
        elif step == "again":
            assert all(bench.broadcast(raw).code == 19 for raw in bench.sent)
        else:
            who, told = step
            bench.send(KEYS[who], told)
        bench.check()
    bench.block()
    bench.check()
    for name in bench.accepted:
        found = get_tx(bench.venue, GetTxRequest(hash=name))
        assert found.tx_response.height > 0, "what was accepted for a block is in one"
        assert found.tx_response.txhash == name
