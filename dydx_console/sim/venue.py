"""The whole venue in memory: exchange, actors, Indexer and its two protocols under one clock that the caller turns.

`Venue.advance(now_ms)` does everything that is due, in order of time, so the outcome does not depend on how often it
is called. Times are Unix milliseconds.

A client needs no socket. Its doors are the same that the listeners use, faults included:

    venue.advance(now_ms)                       # up to venue.next_due_ms, or any other moment
    met = venue.handshake(now_ms)               # None, or Refused, or Unanswered (ask again later)
    wire = venue.open(now_ms)                   # wire.id is the connection's id
    wire.say('{"type":"subscribe",...}', now_ms)
    for arrival in wire.hear(now_ms): ...       # Text, Ping (answer with wire.pong()), Close, Reset
    wire.leave()                                # the client goes
    venue.respond(Request("GET", path), now_ms) # Answer, or Unanswered, or Reset
    venue.node_trouble                          # what a call to the node meets; the calls are in `node.queries`
    venue.exchange.truth()                      # what is so

`venue.next_due_ms` counts frames that are on their way, so jumping from one such moment to the next misses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from dydx_console.sim.actors.makers import Flood, Maker, flood_owner, maker_owner
from dydx_console.sim.actors.party import USDC, deposit
from dydx_console.sim.actors.prices import Oracle
from dydx_console.sim.actors.shocks import Shock, Shocks
from dydx_console.sim.actors.takers import Takers, taker_owners
from dydx_console.sim.actors.trader import DemoTrader
from dydx_console.sim.core.addresses import DEMO_ADDRESS
from dydx_console.sim.core.exchange import FIRST_HEIGHT, ChainOptions, Exchange
from dydx_console.sim.core.fees import TIER_6, TIER_9, FeeTier
from dydx_console.sim.core.insurance import InsuranceFlow
from dydx_console.sim.core.markets import MARKETS
from dydx_console.sim.core.orders import SubaccountId, Tx, TxAnswer
from dydx_console.sim.core.state import short_block_window
from dydx_console.sim.core.transactions import Bundle
from dydx_console.sim.faults import Faults
from dydx_console.sim.faults.director import Director, Note
from dydx_console.sim.faults.kinds import Fault, Kind
from dydx_console.sim.faults.outcomes import NodeTrouble, Refused, Reset, Unanswered
from dydx_console.sim.faults.schedules import VALUES, Dealer, FaultPlan
from dydx_console.sim.faults.wire import Wire
from dydx_console.sim.indexer.backlog import Backlog
from dydx_console.sim.indexer.comlink import Answer, Comlink, Request
from dydx_console.sim.indexer.history import lay_history
from dydx_console.sim.indexer.service import Indexer
from dydx_console.sim.indexer.socks import Socks, SocksOptions

CHAIN_ID = "dydx-sim-1"
SLOTS = 4
TRADER_SLOT = 2
FLOOD_STEP_MS = 5
LIVE_LEAD_BLOCKS = 5


@dataclass(frozen=True, slots=True)
class VenueOptions:
    """What the venue is like. `rate` scales public activity, `flood` is extra BTC book updates per second.

    `faults` is what it begins with, `fault_plan` what comes and goes later; its seed is `seed` too. `shocks` count from
    the start; `risky` has the demo account hold positions that a shock liquidates. `leverages` are what it chose for
    markets; the node tells of them, and nothing else rests on them. `wallet_usdc` is what the demo account has outside
    of its subaccounts: it pays the fees of what is not about orders.
    """

    seed: int = 7
    block_ms: int = 1_000
    funding_speedup: int = 1
    account: str = DEMO_ADDRESS
    trader: bool = True
    makers: bool = True
    rate: int = 1
    flood: int = 0
    history_hours: int = 24
    rate_limits: bool = True
    snapshot_delay_ms: tuple[int, int] = (5, 20)
    registration_delay_ms: tuple[int, int] = (15, 60)
    chain_id: str = CHAIN_ID
    faults: Faults = field(default_factory=Faults)
    fault_plan: FaultPlan = field(default_factory=FaultPlan)
    shocks: tuple[Shock, ...] = ()
    risky: bool = False
    leverages: tuple[tuple[str, int], ...] = ()
    wallet_usdc: int = 1_000


class Venue:
    """A venue that has its history behind it and stands at `now_ms`. `faults` may be set at any time."""

    def __init__(self, options: VenueOptions, now_ms: int) -> None:
        self.options = options
        random = Random(options.seed)
        self._random = random
        tiers: dict[str, FeeTier] = {maker_owner(market): TIER_9 for market in MARKETS}
        tiers[options.account] = TIER_6
        unlimited = frozenset([*tiers, *taker_owners(), flood_owner()]) - {options.account}
        chain = ChainOptions(
            block_ms=options.block_ms,
            funding_speedup=options.funding_speedup,
            fee_tiers=tiers,
            unlimited_owners=unlimited,
            wallets={options.account: options.wallet_usdc * USDC},
        )
        genesis = now_ms - options.history_hours * 3_600_000 - LIVE_LEAD_BLOCKS * options.block_ms
        self.exchange = Exchange(chain, genesis)
        self.faults = options.faults
        self.indexer = Indexer(MARKETS, FIRST_HEIGHT, genesis, options.funding_speedup, brief=unlimited)
        self._oracle = Oracle(self.exchange, Random(random.getrandbits(64)))
        self._shocks = Shocks(self.exchange, self._oracle)
        self._makers = [Maker(self.exchange, m, Random(random.getrandbits(64))) for m in MARKETS]
        self._takers = Takers(self.exchange, Random(random.getrandbits(64)))
        self._trader = DemoTrader(self.exchange, self._takers, Random(random.getrandbits(64)), options.account)
        self._flood = Flood(self.exchange, self.exchange.market("BTC-USD"), options.flood) if options.flood else None
        self.comlink = Comlink(self.indexer.store, limited=options.rate_limits)
        self.socks = Socks(
            self.comlink,
            Random(random.getrandbits(64)),
            SocksOptions(options.snapshot_delay_ms, options.registration_delay_ms),
        )
        self.director = Director(Dealer(options.fault_plan, options.seed, now_ms), self.exchange, self.socks)
        self._backlog = Backlog()
        self._next_flood_ms = now_ms
        self._slot = 0
        self._begin(now_ms)
        self._shocks.add(options.shocks, now_ms)
        self.indexer.outlet.watched = self.socks.watched
        self.indexer.outlet.sink = self.socks.publish
        self._now_ms = now_ms

    @property
    def faults(self) -> Faults:
        """What is wrong with the venue for as long as it is so."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self.exchange.state.short_block_window = short_block_window(faults.node_version)

    @property
    def trader(self) -> DemoTrader:
        """The demo account's trader."""
        return self._trader

    @property
    def next_due_ms(self) -> int:
        """When `advance` next has something to do, if nothing arrives from outside."""
        due = self._next_actor_ms()
        if self._flood is not None:
            due = min(due, self._next_flood_ms)
        others = (self.socks.next_due_ms, self.director.next_due_ms)
        return min([due, *(other for other in others if other is not None)])

    def advance(self, now_ms: int) -> None:
        """Do all that is due by `now_ms`; frames wait in the sessions' outboxes."""
        while (due := self.next_due_ms) <= now_ms:
            self._step(due)
        self._now_ms = max(self._now_ms, now_ms)

    def submit(self, tx: Tx, now_ms: int) -> TxAnswer:
        """An outside transaction at `now_ms`: the node's answer. What follows from it is published at once."""
        self.advance(now_ms)
        answer = self.exchange.submit(tx, now_ms)
        self._publish(now_ms)
        return answer

    def take(self, bundle: Bundle) -> TxAnswer:
        """A signed transaction, checked so far, at the moment up to which the venue has been advanced."""
        answer = self.exchange.take(bundle, self._now_ms)
        self._publish(self._now_ms)
        return answer

    def answer(self, request: Request, now_ms: int) -> Answer:
        """An HTTP request at `now_ms`, past the faults."""
        self.advance(now_ms)
        return self.comlink.answer(request, now_ms)

    def respond(self, request: Request, now_ms: int) -> Answer | Unanswered | Reset:
        """An HTTP request at `now_ms` as the faults let it be answered."""
        self.advance(now_ms)
        met = self.director.rest(request.path, now_ms)
        return self.comlink.answer(request, now_ms) if met is None else met

    def handshake(self, now_ms: int) -> Refused | Unanswered | None:
        """What a new WebSocket connection meets at `now_ms`; None when it may be opened."""
        self.advance(now_ms)
        return self.director.handshake(now_ms)

    def open(self, now_ms: int) -> Wire:
        """A WebSocket connection that opens at `now_ms`."""
        self.advance(now_ms)
        return self.director.open(now_ms)

    @property
    def node_trouble(self) -> NodeTrouble | None:
        """What a query of the node meets now."""
        return self.director.node()

    @property
    def fault_log(self) -> tuple[Note, ...]:
        """What began and ended, in order; only the last ones of a long run."""
        return tuple(self.director.log)

    @property
    def faults_over(self) -> bool:
        """Whether no fault of plan or request is active or to come."""
        return self.director.over

    def inflict(self, kind: Kind, at_ms: int, for_ms: int = 0, value: int | None = None) -> Fault:
        """Have a fault besides the plan's, now at the earliest; `value` None = the first of what the schedules use."""
        chosen = VALUES.get(kind, (0,))[0] if value is None else value
        begin_ms = max(at_ms, self._now_ms)
        fault = Fault(kind, begin_ms, begin_ms + for_ms, chosen)
        self.director.ask(fault)
        return fault

    def shock(self, shock: Shock, now_ms: int) -> None:
        """Have a shock besides those of the options, counted from `now_ms`."""
        self._shocks.add((shock,), now_ms)

    @property
    def insurance_flows(self) -> tuple[InsuranceFlow, ...]:
        """What liquidations moved into and out of the insurance funds, oldest first."""
        return self.exchange.insurance_flows()

    def skip_to(self, now_ms: int) -> None:
        """Let time jump without blocks in between (the machine slept)."""
        if now_ms > self.exchange.next_block_ms:
            self.exchange.make_block(now_ms)
            self._slot = 0
            self._publish(now_ms)

    def fund(self, subaccount: SubaccountId, usdc: int, now_ms: int) -> None:
        """Deposit whole USDC from outside, effective with the next block."""
        self.advance(now_ms)
        deposit(self.exchange, subaccount, usdc, now_ms)

    def _step(self, due: int) -> None:
        if self.director.next_due_ms == due:
            self.director.advance(due)
        if self.socks.next_due_ms == due:
            self.socks.advance(due)
        if self._flood is not None and self._next_flood_ms == due:
            self._flood.run(due)
            self._next_flood_ms = due + FLOOD_STEP_MS
        if self._next_actor_ms() == due:
            self._act(due)
        self._publish(due)
        self.director.carry(due)

    def _next_actor_ms(self) -> int:
        if self._slot < SLOTS:
            return self.exchange.time_ms + self.exchange.block_ms * (2 * self._slot + 1) // (2 * SLOTS)
        return self.exchange.next_block_ms

    def _act(self, now_ms: int) -> None:
        if self._slot >= SLOTS:
            self.exchange.make_block(now_ms)
            self._slot = 0
            return
        self._play_slot(self._slot, now_ms, self.exchange.block_ms)
        self._slot += 1

    def _play_slot(self, slot: int, now_ms: int, elapsed_ms: int) -> None:
        if slot == 0:
            self._shocks.step(now_ms)
        if slot == 0 and self.options.makers:
            self._oracle.step(elapsed_ms)
            for maker in self._makers:
                value = self._oracle.processes[maker.market.market_id].value
                maker.step(now_ms, value, resized=2 * self.options.rate)
            return
        if self.options.makers:
            self._takers.step(now_ms, self.options.rate)
        if slot == TRADER_SLOT and self.options.trader:
            self._trader.turn(now_ms)

    def _publish(self, now_ms: int) -> None:
        lag = max(self.faults.indexer_lag_blocks, self.director.lag_blocks)
        events = self._backlog.delay(self.exchange.drain(), self.exchange.height, lag)
        self.indexer.consume(events, now_ms)

    def _begin(self, now_ms: int) -> None:
        """Fund everybody, then live through the past in blocks that get shorter towards the present."""
        start = self.exchange.time_ms
        for maker in self._makers:
            maker.fund(start)
        self._takers.fund(start)
        self._trader.fund(start)
        if self.options.flood:
            deposit(self.exchange, SubaccountId(flood_owner(), 0), 1_000_000, start)
        lay_history(self.indexer, start, Random(self._random.getrandbits(64)))
        self._history_block(start + 1)
        for interval, until in self._stages(now_ms):
            while self.exchange.time_ms + interval <= until:
                self._past(interval)
        self._trader.restart(risky=self.options.risky)
        self._past(max(1, now_ms - self.exchange.time_ms))
        self.exchange.block_ms = self.options.block_ms

    def _stages(self, now_ms: int) -> tuple[tuple[int, int], ...]:
        block = self.options.block_ms
        return (
            (1_800_000, now_ms - 2 * 3_600_000),
            (120_000, now_ms - 60 * block),
            (block, now_ms - block),
        )

    def _past(self, interval_ms: int) -> None:
        start = self.exchange.time_ms
        self.exchange.block_ms = interval_ms
        for slot in range(SLOTS):
            self._play_slot(slot, start + interval_ms * (2 * slot + 1) // (2 * SLOTS), interval_ms)
        self._history_block(start + interval_ms)

    def _history_block(self, time_ms: int) -> None:
        self.exchange.make_block(time_ms)
        self._publish(time_ms)
