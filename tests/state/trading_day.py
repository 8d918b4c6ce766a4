"""Trading days of the embedded exchange, made from a seed and followed by the console's state as a client would."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from random import Random
from urllib.parse import urlencode

from sim.sim_help import ALICE, BOB, BUY, SELL, USDC, Desk

from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.exchange import ChainOptions
from dydx_console.sim.core.orders import Place, SubaccountId, TimeInForce, Transfer
from dydx_console.sim.indexer.session import Text
from dydx_console.state.accounting import SUMS
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.venue.indexer.answers import Answer, facts_of_answer
from dydx_console.venue.indexer.protocol import IndexerProtocol

CAROL = SubaccountId(address_of("carol"), 0)
CHILD = SubaccountId(CAROL.owner, 128)
LONE = SubaccountId(CAROL.owner, 256)
BANK = address_of("bank")
ZERO = Decimal(0)
WHOLE = ("tradeHistory", "pnl", "historical-pnl")


@dataclass(frozen=True)
class Standing:
    """What an account is worth and has made, by the console's state: all in USDC, to the last digit."""

    made: Decimal
    worth: Decimal
    transferred: Decimal


class TradingDay:
    """Three traders, of whom the console watches one that has three subaccounts and little money.

    Args:
        seed: of everything that happens.
        shocks: whether oracle prices may fall or rise by a third, so that the watched account is liquidated.
    """

    def __init__(self, seed: int, *, shocks: bool = False) -> None:
        self.random = Random(seed)
        self.shocks = shocks
        owners = frozenset(who.owner for who in (ALICE, BOB, CAROL))
        self.desk = Desk(ChainOptions(funding_speedup=600, unlimited_owners=owners))
        self.starts = dict(self.desk.exchange.state.oracle_values)
        for who, amount in ((CAROL, 4_000), (CHILD, 2_000), (LONE, 1_000)):
            self.desk.send(Transfer(BANK, who, amount * USDC))
        self.desk.block()
        self.state = ConsoleState(Watched(CAROL.owner))
        self._protocol = IndexerProtocol(1)
        self._session = self.desk.socks.connect(self.desk.now)
        self._moment = 0.0
        self._subscribe("v4_parent_subaccounts", f"{CAROL.owner}/0")
        self._subscribe("v4_markets", None)
        self.read_account()
        self.read("/v4/fundingPayments/parentSubaccount", limit="1000")

    def run(self, steps: int) -> None:
        """Let things happen."""
        for _ in range(steps):
            self.random.choice((self._trade, self._trade, self._trade, self._trade, self._block, self._transfer))()
        self.settle()

    def settle(self) -> None:
        """Make blocks until nothing is under way, and read the account again."""
        for _ in range(3):
            self._block()
        self.read_account()

    def read_account(self) -> None:
        """Read what REST says of the account: the whole of it, its fills and transfers."""
        self.read(f"/v4/addresses/{CAROL.owner}/parentSubaccountNumber/0")
        self.read("/v4/fills/parentSubaccountNumber", limit="1000", page="1")
        self.read("/v4/transfers/parentSubaccountNumber", limit="1000")

    def read_words(self) -> None:
        """Read what the Indexer itself says of PNL."""
        for path in WHOLE:
            self.read(f"/v4/{path}/parentSubaccountNumber", limit="1000")

    def read(self, path: str, **query: str) -> None:
        """GET a path and give the state what it tells."""
        asked = {} if "addresses" in path else {"address": CAROL.owner, "parentSubaccountNumber": "0"}
        asked.update(query)
        answer = self.desk.request(path, **asked)
        assert answer.status == 200, (path, answer)
        at = self._tick()
        for fact in facts_of_answer(Answer(f"{path}?{urlencode(asked)}", 200, answer.body, at, at, 1)):
            self.state.apply(fact)

    def standing(self) -> Standing:
        """Return what the account has made and is worth now; call it when the account has just been read."""
        state = self.state
        made = worth = transferred = ZERO
        with localcontext(SUMS):
            for key in state.ledger_keys():
                ledger, funding = state.ledger(key), state.funding.total(key)
                assert funding is not None
                price = self._price(key.market)
                made += ledger.realized - ledger.fees + funding
                made += ledger.net_size * price - (ledger.cost or ZERO)
            worth += sum((row.amount for row in state.holdings.balances if row.asset == "USDC"), start=ZERO)
            worth += sum((row.net_size * self._price(row.market) for row in state.holdings.positions), start=ZERO)
            for row in state.transfers.newest:
                into, out = row.recipient == CAROL.owner, row.sender == CAROL.owner
                transferred += row.size * (into - out)
        return Standing(made, worth, transferred)

    def insured(self) -> Decimal:
        """Return what the account paid to the insurance funds, less what these paid for it, in USDC."""
        exchange = self.desk.exchange
        # a liquidation is matched after a block and stands in the next one
        flows = (flow for flow in exchange.truth().insurance_flows if flow.height <= exchange.height)
        paid = sum(flow.quote_quantums for flow in flows if flow.subaccount.owner == CAROL.owner)
        return Decimal(paid).scaleb(-6)

    def fill_types(self) -> set[str]:
        """Return the types of the account's fills."""
        return {fill.type for fill in self.state.fills}

    def _price(self, market: str) -> Decimal:
        known = self.state.markets.get(market)
        assert known is not None
        assert known.oracle_price is not None
        return known.oracle_price

    def _subscribe(self, channel: str, name: str | None) -> None:
        message = {"type": "subscribe", "channel": channel} | ({} if name is None else {"id": name})
        text = json.dumps(message)
        self._protocol.sent(text, self._tick())
        self.desk.socks.receive(self._session, text, self.desk.now)
        self.desk.socks.advance(self.desk.now + 10)
        self._hear()

    def _hear(self) -> None:
        for text in self._said():
            self.state.apply(self._protocol.receive(text, self._tick()))

    def _said(self) -> Iterator[str]:
        return (frame.text for frame in self._session.take() if isinstance(frame, Text))

    def _tick(self) -> float:
        self._moment += 0.001
        return self._moment

    def _block(self) -> None:
        for market, start in self.starts.items():
            low, high = (650, 1_350) if self.shocks and self.random.random() < 0.1 else (990, 1_010)
            self.desk.exchange.set_oracle(market, start * self.random.randint(low, high) // 1_000)
        self.desk.block()
        self._hear()

    def _trade(self) -> None:
        """One trader offers, another takes; now and then both are the watched account's."""
        market = self.random.choice((self.desk.btc, self.desk.eth, self.desk.isolated))
        watched = LONE if market is self.desk.isolated else self.random.choice((CAROL, CAROL, CHILD))
        other = self.random.choice((ALICE, BOB))
        maker, taker = self.random.choice(((watched, other), (other, watched)))
        oracle = self.desk.exchange.state.oracle_values[market.market_id]
        start = market.subticks(market.start_price) // market.subticks_per_tick
        price = start * oracle // self.starts[market.market_id] * self.random.randint(995, 1_005) // 1_000
        side = self.random.choice((BUY, SELL))
        size = self.random.randint(1, 1_000)
        for who, way, part, tif in (
            (maker, side, size, TimeInForce.UNSPECIFIED),
            (taker, SELL if side is BUY else BUY, self.random.randint(1, size), TimeInForce.IOC),
        ):
            self.desk.send(Place(self.desk.order(who, way, part, max(price, 1), market=market, tif=tif)))

    def _transfer(self) -> None:
        ends = self.random.sample((CAROL, CHILD, LONE, BANK), 2)
        self.desk.send(Transfer(ends[0], ends[1], self.random.randint(1, 50) * USDC + self.random.randint(0, 999)))
