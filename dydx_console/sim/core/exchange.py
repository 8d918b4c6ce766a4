"""The exchange: takes transactions, makes blocks, tells the Indexer. `advance(now_ms)` is the only flow of time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dydx_console.sim.core import checktx
from dydx_console.sim.core.accounts import Accounts
from dydx_console.sim.core.book import Book
from dydx_console.sim.core.committed import Committed, CommittedSubaccount
from dydx_console.sim.core.delivery import BlockOrders, deliver
from dydx_console.sim.core.events import (
    Block,
    BlockEvent,
    ChainEvent,
    ConditionalTriggered,
    Event,
    FundingEstimated,
    FundingUpdated,
    OracleUpdated,
    OrderRemoved,
    Rewarded,
    StatefulPlaced,
    StatefulRemoved,
)
from dydx_console.sim.core.fees import FeeSchedule, FeeTier
from dydx_console.sim.core.funding import HOUR_MS, PremiumMeter, index_delta
from dydx_console.sim.core.insurance import CROSS_FUND, InsuranceFlow, InsuranceFunds
from dydx_console.sim.core.limits import RateLimits
from dydx_console.sim.core.liquidation import liquidate
from dydx_console.sim.core.markets import MARKETS, Market
from dydx_console.sim.core.matching import match
from dydx_console.sim.core.orders import (
    LONG_TERM,
    Order,
    OrderId,
    Place,
    RemovalReason,
    Side,
    SubaccountId,
    Tx,
    TxAnswer,
)
from dydx_console.sim.core.signers import Signers
from dydx_console.sim.core.state import LiquidationRules, MarketStatus, NodeState
from dydx_console.sim.core.statuses import change_status
from dydx_console.sim.core.transactions import (
    AddAuthenticator,
    Bundle,
    Ledger,
    Message,
    RemoveAuthenticator,
    Result,
    Signed,
    sdk_error,
)
from dydx_console.sim.core.triggers import triggered

FIRST_HEIGHT = 1_000_000
KEPT_BLOCK_TIMES = 20_000
INSURANCE_QUANTUMS = 1_000_000_000_000


@dataclass(frozen=True, slots=True)
class SubaccountTruth:
    """A subaccount as of the last block: micro-USDC without unsettled funding, signed quantums per ticker."""

    usdc_quantums: int
    positions: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """Plain facts for tests. Order sizes are quantums; `working` = resting or waiting for a trigger.

    `insurance_flows` are those of this block and of the ones before it, as far back as they are kept.
    """

    height: int
    time_ms: int
    subaccounts: tuple[tuple[SubaccountId, SubaccountTruth], ...]
    working: tuple[tuple[Order, int], ...]
    insurance_flows: tuple[InsuranceFlow, ...] = ()


@dataclass(frozen=True, slots=True)
class ChainOptions:
    """`block_ms` between blocks; `funding_speedup` hours of funding happen in one hour of time.

    `insurance` is what the insurance funds begin with, by name, and `wallets` what addresses hold outside of their
    subaccounts, in micro-USDC.
    """

    markets: Sequence[Market] = MARKETS
    block_ms: int = 1_000
    funding_speedup: int = 1
    first_height: int = FIRST_HEIGHT
    fee_tiers: Mapping[str, FeeTier] = field(default_factory=dict)
    unlimited_owners: frozenset[str] = frozenset()
    insurance: Mapping[str, int] = field(default_factory=lambda: {CROSS_FUND: INSURANCE_QUANTUMS})
    liquidations: LiquidationRules = field(default_factory=LiquidationRules)
    wallets: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Delivered:
    """The events of one transaction of a block, and its hash where somebody signed it."""

    events: list[ChainEvent]
    hash: str | None = None


class Exchange:
    """One chain with one node. Everything is driven by the caller's clock (Unix milliseconds, never backwards)."""

    def __init__(self, options: ChainOptions, genesis_ms: int) -> None:
        markets = {market.clob_pair_id: market for market in options.markets}
        by_perpetual = {market.perpetual_id: market for market in options.markets}
        oracle = {market.market_id: market.start_oracle_value for market in options.markets}
        self.options = options
        self.block_ms = options.block_ms
        self.state = NodeState(
            markets=markets,
            oracle_values=oracle,
            accounts=Accounts(by_perpetual, oracle),
            fees=FeeSchedule(options.fee_tiers),
            books={pair: Book() for pair in markets},
            height=options.first_height,
            time_ms=genesis_ms,
            insurance=InsuranceFunds(options.insurance),
            rules=options.liquidations,
            perpetuals=by_perpetual,
            wallets=dict(options.wallets),
        )
        self.state.accounts.endow(self.state.insurance.total)
        self.block_times_ms: dict[int, int] = {options.first_height: genesis_ms}
        self._limits = RateLimits(options.unlimited_owners)
        self._premiums = PremiumMeter()
        self._funding_ms = HOUR_MS // options.funding_speedup
        self._next_funding_ms = (genesis_ms // self._funding_ms + 1) * self._funding_ms
        self._oracle_waiting: dict[int, int] = {}
        self._statuses_waiting: dict[int, MarketStatus] = {}
        self._halted_until_ms = genesis_ms
        self.committed = Committed(options.wallets)
        self.signers = Signers()
        self.ledger = Ledger()
        self._tickers = {market.perpetual_id: market.ticker for market in options.markets}

    @property
    def height(self) -> int:
        """Height of the last block."""
        return self.state.height

    @property
    def time_ms(self) -> int:
        """Time of the last block."""
        return self.state.time_ms

    @property
    def next_block_ms(self) -> int:
        """When the next block is due."""
        return max(self.state.time_ms + self.block_ms, self._halted_until_ms)

    @property
    def lowest_height(self) -> int:
        """The oldest block whose time is still known."""
        return max(self.options.first_height, self.height - KEPT_BLOCK_TIMES + 1)

    def market(self, ticker: str) -> Market:
        """A market by its ticker; KeyError when there is none."""
        for market in self.options.markets:
            if market.ticker == ticker:
                return market
        raise KeyError(ticker)

    def oracle_value(self, market: Market) -> int:
        """The committed oracle price."""
        return self.state.oracle_values[market.market_id]

    def advance(self, now_ms: int) -> None:
        """Make every block that is due by `now_ms`, each at its own time."""
        while self.next_block_ms <= now_ms:
            self.make_block(self.next_block_ms)

    def submit(self, tx: Tx, now_ms: int) -> TxAnswer:
        """One node's answer (CheckTx) to a broadcast at `now_ms`; blocks that are due come first."""
        self.advance(now_ms)
        refusal = self._limits.check(tx, self.state.height)
        return refusal if refusal is not None else checktx.check(self.state, tx)

    def take(self, bundle: Bundle, now_ms: int) -> TxAnswer:
        """One node's answer to a signed transaction whose signature and sequence are right; nothing is used up by a no.

        Limits count the attempts that fail, too, but for short-term ones out of their window.
        """
        self.advance(now_ms)
        for message in bundle.messages:
            refusal = self._limited(message)
            if refusal is not None:
                return refusal
        answer = checktx.check_bundle(self.state, bundle)
        if answer.ok and bundle.signed is not None:
            self._accept(bundle.messages[0], bundle.signed)
        return answer

    def _limited(self, message: Message) -> TxAnswer | None:
        if isinstance(message, AddAuthenticator | RemoveAuthenticator) or checktx.out_of_window(self.state, message):
            return None
        return self._limits.check(message, self.state.height)

    def _accept(self, first: Message, signed: Signed) -> None:
        if not checktx.is_short_term(first):
            self.signers.accept(signed.signer, signed.sequence, self.state.time_ms)
        elif isinstance(first, Place):
            self.state.permit(first.order.id, signed.authenticators)

    def spendable(self, address: str) -> int:
        """Micro-USDC in a wallet, less the fees of what waits for the next block."""
        waiting = (bundle.signed for bundle in self.state.waiting if bundle.signed is not None)
        fees = sum(signed.fee for signed in waiting if signed.signer == address)
        return self.wallet_usdc(address) - fees

    def wallet_usdc(self, address: str) -> int:
        """Micro-USDC in a wallet as of the last block."""
        return max(0, self.state.wallets.get(address, 0))

    def set_status(self, ticker: str, status: MarketStatus) -> None:
        """Let a market initialise, settle or trade again with the next block."""
        self._statuses_waiting[self.market(ticker).clob_pair_id] = status

    def halt(self, until_ms: int) -> None:
        """Make no block before `until_ms`; transactions are still taken into the node's memory."""
        self._halted_until_ms = max(self._halted_until_ms, until_ms)

    def set_oracle(self, market_id: int, oracle_value: int) -> None:
        """The price that the next block will bring."""
        self._oracle_waiting[market_id] = oracle_value

    def drain(self) -> list[Event]:
        """Everything that happened since the last call, in order."""
        events, self.state.outbox = self.state.outbox, []
        return events

    def best(self, market: Market, side: Side) -> int | None:
        """Best price of a book side in subticks."""
        return self.state.books[market.clob_pair_id].side(side).best

    def resting_quantums(self, order_id: OrderId) -> int:
        """What of an order rests on its book."""
        resting = self.state.books[order_id.clob_pair_id].get(order_id)
        return 0 if resting is None else resting.remaining_quantums

    def position_quantums(self, subaccount: SubaccountId, market: Market) -> int:
        """Signed position, matches of the coming block included."""
        return self.state.accounts.position_quantums(subaccount, market.perpetual_id)

    def truth(self) -> Truth:
        """What is so as of the last block, independent of what any Indexer says."""
        accounts = tuple(
            (subaccount, SubaccountTruth(held.usdc_quantums, self._by_ticker(held)))
            for subaccount, held in self.committed.subaccounts.items()
        )
        working = [(r.order, r.remaining_quantums) for book in self.state.books.values() for r in book.resting()]
        working += [(order, order.quantums) for order in self.state.untriggered.values()]
        return Truth(self.height, self.time_ms, accounts, tuple(working), self.insurance_flows())

    def insurance_flows(self) -> tuple[InsuranceFlow, ...]:
        """What liquidations moved into and out of the insurance funds up to the last block, oldest first."""
        return tuple(flow for flow in self.state.insurance.flows if flow.height <= self.height)

    def make_block(self, time_ms: int) -> Block:
        """Commit a block at `time_ms`, then prepare the node's memory for the next one."""
        state = self.state
        settled = dict(state.accounts.funding_indices)
        state.height += 1
        state.time_ms = time_ms
        self.block_times_ms[state.height] = time_ms
        self.block_times_ms.pop(state.height - KEPT_BLOCK_TIMES, None)
        state.matched.clear()
        transactions = self._deliver()
        end, met = self._end_block()
        block = Block(state.height, time_ms, self._numbered([*transactions, _Delivered(end)]))
        self.committed.take(block, settled, state.newcomers)
        state.newcomers = []
        self.signers.end_block()
        state.emit(block)
        self._expire_short_term()
        for order in [*_placed(transactions), *met]:
            if order.id in state.stateful:
                self._to_book(order)
        liquidate(state)
        return block

    def _to_book(self, order: Order) -> None:
        """Match what has come into state. One whose position is gone stays there, and on no book, until it expires."""
        if checktx.check_reduce_only(self.state, order).ok:
            match(self.state, order)
        else:
            self.state.emit(OrderRemoved(order.id, order, RemovalReason.REDUCE_ONLY_RESIZE, 0, final=False))

    def _deliver(self) -> list[_Delivered]:
        state = self.state
        transactions = [_Delivered(state.pending_operations)]
        orders = BlockOrders(state.leaving)
        state.pending_operations, state.leaving = [], {}
        waiting, state.waiting = state.waiting, []
        for bundle in waiting:
            signed = bundle.signed
            events, answer = self._deliver_one(bundle, orders)
            transactions.append(_Delivered(events, None if signed is None else signed.hash))
            if signed is not None:
                self.ledger.keep(Result(signed, answer, state.height, state.time_ms))
        transactions.append(_Delivered(self._deliver_decreed()))
        return transactions

    def _deliver_one(self, bundle: Bundle, orders: BlockOrders) -> tuple[list[ChainEvent], TxAnswer]:
        """Sequence and fee are used up first; they are gone too when the messages fail."""
        signed = bundle.signed
        if signed is not None:
            if signed.fee > self.wallet_usdc(signed.signer):
                return [], sdk_error(5, "spendable balance is smaller than the fee: insufficient funds")
            answer = self.signers.deliver(signed.signer, signed.sequence, self.state.time_ms, signed.public_key)
            if not answer.ok:
                return [], answer
            if signed.fee:
                self.state.pay(signed.signer, -signed.fee)
            if signed.gas_used > signed.gas_wanted > 0:
                log = f"out of gas in location: WriteFlat; gasWanted: {signed.gas_wanted}, gasUsed: {signed.gas_used}"
                return [], sdk_error(11, f"{log}: out of gas")
        return deliver(self.state, bundle, orders)

    def _removed(self, order: Order, reason: RemovalReason) -> StatefulRemoved:
        self.state.take_off_book(order.id)
        return StatefulRemoved(order, reason, self.state.filled.get(order.id, 0))

    def _deliver_decreed(self) -> list[ChainEvent]:
        events: list[ChainEvent] = []
        for market_id, value in self._oracle_waiting.items():
            if self.state.oracle_values[market_id] != value:
                self.state.oracle_values[market_id] = value
                events.append(OracleUpdated(market_id, value))
        self._oracle_waiting.clear()
        for clob_pair_id, status in self._statuses_waiting.items():
            events += change_status(self.state, clob_pair_id, status)
        self._statuses_waiting.clear()
        return events

    def _end_block(self) -> tuple[list[ChainEvent], list[Order]]:
        events: list[ChainEvent] = [*self._funding(), *self._expire_stateful()]
        met = self._trigger()
        events += [ConditionalTriggered(order) for order in met]
        if self.state.rewards:
            events.append(Rewarded(tuple(self.state.rewards.items())))
            self.state.rewards = {}
        self.state.traded_subticks.clear()
        return events, met

    def _funding(self) -> list[ChainEvent]:
        state = self.state
        for market in state.markets.values():
            oracle = market.oracle_subticks(self.oracle_value(market))
            self._premiums.sample(market.perpetual_id, state.books[market.clob_pair_id].mid_subticks(), oracle)
        if state.time_ms < self._next_funding_ms:
            return [self._estimate(m) for m in state.markets.values()] if state.height % 30 == 0 else []
        self._next_funding_ms = (state.time_ms // self._funding_ms + 1) * self._funding_ms
        events: list[ChainEvent] = []
        for market in state.markets.values():
            rate = self._premiums.rate_e9(market.perpetual_id)
            value = self.oracle_value(market)
            state.accounts.funding_indices[market.perpetual_id] += index_delta(market, rate, value)
            index = state.accounts.funding_indices[market.perpetual_id]
            events.append(FundingUpdated(market.perpetual_id, rate, index, value))
        return events

    def _estimate(self, market: Market) -> FundingEstimated:
        return FundingEstimated(market.perpetual_id, self._premiums.rate_e9(market.perpetual_id))

    def _expire_stateful(self) -> list[ChainEvent]:
        now_s = self.state.time_ms // 1000
        events: list[ChainEvent] = []
        for orders in (self.state.stateful, self.state.untriggered):
            for order in [o for o in orders.values() if (o.good_til_block_time_s or 0) <= now_s]:
                del orders[order.id]
                events.append(self._removed(order, RemovalReason.EXPIRED))
        return events

    def _trigger(self) -> list[Order]:
        met = [order for order in self.state.untriggered.values() if triggered(self.state, order)]
        for order in met:
            del self.state.untriggered[order.id]
            self.state.stateful[order.id] = order
        return met

    def _expire_short_term(self) -> None:
        state = self.state
        for order_id in state.expiring.pop(state.height, ()):
            if state.cancels.get(order_id) == state.height:
                del state.cancels[order_id]
            order = state.short_term.get(order_id)
            if order is None or order.good_til_block != state.height:
                continue
            if state.books[order_id.clob_pair_id].get(order_id) is not None:
                state.remove(order_id, order, RemovalReason.EXPIRED, final=True)
            del state.short_term[order_id]
            state.filled.pop(order_id, None)
            state.permitted.pop(order_id, None)

    def _numbered(self, transactions: list[_Delivered]) -> tuple[BlockEvent, ...]:
        numbered: list[BlockEvent] = []
        for index, transaction in enumerate(transactions):
            if not transaction.events:
                continue
            made_up = hashlib.sha256(f"{self.state.height}/{index}".encode()).hexdigest().upper()
            digest = transaction.hash or made_up
            numbered += [BlockEvent(index, place, digest, event) for place, event in enumerate(transaction.events)]
        return tuple(numbered)

    def _by_ticker(self, held: CommittedSubaccount) -> tuple[tuple[str, int], ...]:
        return tuple(sorted((self._tickers[p], position.quantums) for p, position in held.positions.items()))


def _placed(transactions: list[_Delivered]) -> list[Order]:
    """The long-term orders that a block placed; conditional ones wait for their trigger."""
    events = (event for transaction in transactions for event in transaction.events)
    return [e.order for e in events if isinstance(e, StatefulPlaced) and e.order.id.flags == LONG_TERM]
