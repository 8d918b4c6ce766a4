"""The console's whole state: every event goes in here, and the changed sections come out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any

from dydx_console.domain import events as ev
from dydx_console.domain.chain import FeeTier
from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import Reward, Transfer
from dydx_console.domain.ids import PositionKey, StreamVersion, parent_of
from dydx_console.domain.journal import NO_JOURNAL, JournalMode
from dydx_console.domain.order import Order, display_status, is_done
from dydx_console.domain.position import ChildState
from dydx_console.domain.risk import DEFAULT_LIMITS
from dydx_console.domain.venue_pnl import HistoricalPnlRead, PnlRead, TradeHistoryRead
from dydx_console.state.accounting import Book, Booking, Ledger, booking
from dydx_console.state.books import Books
from dydx_console.state.epoch import EpochWatch
from dydx_console.state.fills import Fills
from dydx_console.state.freshness import Freshness
from dydx_console.state.funding import Funding
from dydx_console.state.holdings import Holdings
from dydx_console.state.journal import Coverage, Unwritten
from dydx_console.state.ledgers import Beginning, Ledgers, OpeningBooks
from dydx_console.state.leverage import Leverages
from dydx_console.state.limits import Limits
from dydx_console.state.lives import Life, funded
from dydx_console.state.margin import AccountMargin, account_margin
from dydx_console.state.markets import Markets
from dydx_console.state.node import NodeWatch
from dydx_console.state.nodeaccount import Figures, NodeAccount
from dydx_console.state.orders import Listing, Orders
from dydx_console.state.pnl_days import Booked, DayBook, NetMark, Span, SpanPnl, day_of
from dydx_console.state.reconcile import NO_DRIFT, Difference, Ours, Stated, reconcile
from dydx_console.state.tape import Candles, Tape
from dydx_console.state.transfers import Transfers

__all__ = ["MOST_ENDED", "MOST_FILLS", "Changes", "ConsoleState", "Problem", "Section", "Watched"]


class Section(StrEnum):
    """What a change touches; panes subscribe to these."""

    ACCOUNT = "account"
    ORDERS = "orders"
    FILLS = "fills"
    MARKETS = "markets"
    BOOKS = "books"
    TRADES = "trades"
    CANDLES = "candles"
    TRANSFERS = "transfers"
    FUNDING = "funding"
    STREAM = "stream"
    BLOCKS = "blocks"
    NODE = "node"


MOST_FILLS = 20_000
"""Fills that are held, the newest."""
MOST_ENDED = 5_000
"""Orders that are held though they have ended, the newest."""
MOST_REWARDS = 10_000
_MOST_WAITING = 100_000
_MOST_MARKS = 60


@dataclass(frozen=True, slots=True)
class Watched:
    """The account that is shown: an address and one of its parent subaccounts (0…127)."""

    address: str
    parent: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the venue said or sent that was refused or could not be used."""

    at: float
    source: str
    text: str
    sample: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A standing of the net PNL, and from when the figures held that it was made of."""

    net: NetMark
    since: datetime | None


@dataclass(slots=True)
class Changes:
    """What one event changed. `new_fills` are fills of the stream that were not known before.

    `befell` is what befell the stream, for telling a person.
    """

    sections: set[Section] = field(default_factory=set)
    new_fills: tuple[Fill, ...] = ()
    problems: tuple[Problem, ...] = ()
    befell: tuple[ev.StreamChanged, ...] = ()

    def add(self, other: "Changes") -> None:
        """Add another event's changes."""
        self.sections |= other.sections
        self.new_fills += other.new_fills
        self.problems += other.problems
        self.befell += other.befell


class ConsoleState:
    """Everything that is known. Single writer: the thread that applies events; readers take snapshots from it.

    Args:
        watched: the account to keep; None keeps market data alone.
        freshness: watches the stream; one of its own where none is given.
        zone: whose days PNL is added up by.
        most_fills: how many fills are held; older ones are in the books alone.
        most_ended: how many orders are held that have ended.
    """

    def __init__(
        self,
        watched: Watched | None,
        *,
        freshness: Freshness | None = None,
        zone: tzinfo = UTC,
        most_fills: int = MOST_FILLS,
        most_ended: int = MOST_ENDED,
    ) -> None:
        self.watched = watched
        self.holdings = Holdings()
        self.orders = Orders()
        self.fills = Fills()
        self.markets = Markets()
        self.books = Books()
        self.tape = Tape()
        self.candles = Candles()
        self._days = DayBook(zone)
        self.funding = Funding(self._days)
        self.freshness = Freshness() if freshness is None else freshness
        self.node = NodeWatch()
        self.node_account = NodeAccount()
        self.limits = Limits()
        self.transfers = Transfers()
        self.leverages = Leverages()
        self.fee_tier: FeeTier | None = None
        """What the owner pays for trades, None until a node has told it."""
        self.risk_limits = DEFAULT_LIMITS
        """From where on the account's risk is told."""
        self.drift = NO_DRIFT
        """The newest comparison with the Indexer's own figures."""
        self.rewards: dict[tuple[object, ...], Reward] = {}
        self.height: int | None = None
        self.block_time: datetime | None = None
        self.exists: bool | None = None
        self.refusals = 0
        self.funded_parents: int | None = None
        """How many parent subaccounts of the address were ever funded, None before that has been read."""
        self.epoch = EpochWatch()
        self.coverage = Coverage()
        self.journal = NO_JOURNAL
        self.unwritten: Unwritten | None = None
        """What the journal has not been given yet, None where nobody asks."""
        self.stated = Stated()
        """What the Indexer itself says of PNL, for comparison alone."""
        self._ledgers = Ledgers(self.fills, self._days)
        self._most_fills, self._most_ended = most_fills, most_ended
        self._orders_due = most_ended + _slack(most_ended)
        self._marks: dict[date, Mark] = {}
        self._booked: dict[Span, tuple[tuple[int, int, date], Booked]] = {}
        self._apply: dict[type, Callable[[Any], Changes]] = {
            ev.ConnectionOpened: self._opened,
            ev.ConnectionReady: self._ready,
            ev.ConnectionClosed: self._closed,
            ev.SubscribeSent: self._subscribe_sent,
            ev.Subscribed: self._subscribed,
            ev.Unsubscribed: self._unsubscribed,
            ev.ChannelDropped: self._dropped,
            ev.VenueRefusal: self._refused,
            ev.SubscriptionDenied: self._denied,
            ev.MessageRejected: self._rejected,
            ev.AccountSnapshot: self._account_snapshot,
            ev.AccountUpdate: self._account_update,
            ev.MarketsUpdate: self._markets_update,
            ev.OracleUpdate: self._oracle_update,
            ev.BookSnapshot: self._book_snapshot,
            ev.BookUpdate: self._book_update,
            ev.TradesUpdate: self._trades_update,
            ev.CandleUpdate: self._candle_update,
            ev.BlockHeight: self._block_height,
            ev.AccountRead: self._account_read,
            ev.AddressRead: self._address_read,
            ev.OrdersRead: self._orders_read,
            ev.FillsRead: self._fills_read,
            ev.TransfersRead: self._transfers_read,
            ev.FundingRead: self._funding_read,
            ev.RewardsRead: self._rewards_read,
            ev.MarketsRead: self._markets_read,
            ev.BookRead: self._book_read,
            ev.TradesRead: self._trades_read,
            ev.CandlesRead: self._candles_read,
            ev.HeightRead: self._height_read,
            ev.TimeRead: self._time_read,
            ev.ReadFailed: self._read_failed,
            ev.Resynced: self._resynced,
            ev.PollingChanged: self._polling_changed,
            ev.Polled: self._polled,
            ev.StreamChanged: self._stream_changed,
            ev.BudgetsTold: self._budgets_told,
            ev.BreakerChanged: self._breaker_changed,
            ev.FaultsCounted: self._faults_counted,
            ev.NodeHead: self._node_head,
            ev.NodeBlockRead: self._node_block_read,
            ev.NodeFailed: self._node_failed,
            ev.NodeChecked: self._node_checked,
            ev.NodeAccountRead: self._node_account_read,
            ev.NodeAccountFailed: self._node_account_failed,
            ev.NodeAccountLeft: self._node_account_left,
            ev.LeveragesRead: self._leverages_read,
            ev.FeeTierRead: self._fee_tier_read,
            ev.Recalled: self._recalled,
            ev.JournalTold: self._journal_told,
            TradeHistoryRead: self._trades_told,
            PnlRead: self._pnl_told,
            HistoricalPnlRead: self._ticks_told,
        }

    def apply(self, event: ev.Event) -> Changes:
        """Take one event; returns what it changed. A message that was taken before changes nothing."""
        if not isinstance(event, ev.Frame):
            return self._apply[type(event)](event)
        if event.message_id is not None:
            if not self.freshness.accept(event.connection, event.message_id, event.at):
                return Changes()
            self.freshness.counted(event.key, event.connection)
        if len(event.facts) == 1:
            return self._apply[type(event.facts[0])](event.facts[0])
        changes = Changes()
        for fact in event.facts:
            changes.add(self._apply[type(fact)](fact))
        return changes

    def ledger(self, key: PositionKey) -> Ledger:
        """Return the books of a subaccount and market."""
        return self._ledgers.of(key)

    def lives(self, key: PositionKey) -> tuple[Life, ...]:
        """Return the position lives of a subaccount and market with their funding, oldest first.

        Of those that began before the payments that are held, the funding is not known here; the journal has it.
        """
        lives = funded(self._ledgers.lives(key), self.funding.of(key), self.funding.held(key))
        floor = self.funding.floor(key)
        return tuple(replace(life, funding=None) if (life.opened_height or 0) <= floor else life for life in lives)

    def bookings(self, key: PositionKey) -> Iterator[Booking]:
        """Return what each held fill of a subaccount and market did, oldest first."""
        return self._ledgers.bookings(key)

    def closed_pnl(self, fill_id: str) -> Decimal | None:
        """Return what a fill realized, price PNL alone; None where that is not known or the fill is not held."""
        fill = self.fills.get(fill_id)
        return None if fill is None else self._ledgers.closed_pnl(fill)

    @property
    def days(self) -> DayBook:
        """What every day brought, of all fills and payments that were ever known."""
        self._ledgers.look()
        return self._days

    @property
    def since(self) -> datetime | None:
        """From when the PNL figures hold: the first known fill, None without one."""
        told = (self._ledgers.of(key).since for key in self._ledgers.traded())
        return min((since for since in told if since is not None), default=None)

    def mark(self, net: Decimal, at: datetime, since: datetime | None) -> None:
        """Note the account's net PNL at a moment, made of figures that held from `since` on."""
        day = day_of(at, self._days.zone)
        held = self._marks.get(day)
        if held is None or held.net.at <= at:
            self._marks[day] = Mark(NetMark(at, net), since)
        if len(self._marks) > _MOST_MARKS:
            del self._marks[min(self._marks)]

    def span(self, span: Span, now: datetime, net: Decimal | None) -> SpanPnl:
        """Return the PNL of a range of days that ends `now`, when the account's net PNL is `net`.

        A mark counts only where its net was made of the figures that hold today: from the same first fill on.
        """
        days, today = self.days, day_of(now, self._days.zone)
        name = (self._ledgers.revision, self.funding.revision, today)
        held = self._booked.get(span)
        if held is None or held[0] != name:
            held = self._booked[span] = (name, days.booked(span, now))
        since = self.since
        return days.worth(span, held[1], net, [mark.net for mark in self._marks.values() if mark.since == since])

    def began(self) -> dict[PositionKey, Beginning] | None:
        """Return the positions before the first known fills, by what the venue stated, flat ones left out.

        None before the account and its fills have been read.
        """
        return self._ledgers.began() if self.fills.is_known and self.exists else None

    @property
    def doubted(self) -> frozenset[PositionKey]:
        """Subaccounts and markets whose opening books may lack a fill."""
        return self._ledgers.doubted

    def open_books(self, books: OpeningBooks) -> None:
        """Go on from opening books, which have every fill up to their horizon; those held of these are dropped."""
        self.fills.begin_after(books.horizon, books.count, books.places)
        self._ledgers.open(books.books)

    def _whole_ledger(self, key: PositionKey) -> Ledger:
        """Return the books as a comparison may use them, which goes over all fills: not whole where some are gone."""
        ledger = self._ledgers.of(key)
        return replace(ledger, is_complete=False) if self._ledgers.is_cut(key) else ledger

    def _trim(self) -> None:
        """Hold no more than what is bounded; nothing goes that the journal waits for."""
        surplus = self.fills.held - self._most_fills
        if surplus > _slack(self._most_fills) and self._may_let_go(surplus):
            cut = self.fills.cut(self._most_fills)
            unwritten = self.unwritten.fills if self.unwritten is not None else set()
            waiting = (fill.height for fill_id in unwritten if (fill := self.fills.get(fill_id)) is not None)
            cut = None if cut is None else min((cut, *(height - 1 for height in waiting)))
            if cut is not None and cut > (self.fills.horizon or 0):
                self._ledgers.let_go(cut)
                self.orders.forget_executions(2 * self._most_fills)
        if len(self.orders) > self._orders_due:
            self.orders.let_go(self._most_ended, self._is_ended)
            self._orders_due = len(self.orders) + _slack(self._most_ended)

    def _may_let_go(self, surplus: int) -> bool:
        """Return whether fills may go: while a journal cannot be written, only when there are far too many of them.

        Then it has a hole, which the cursor of what was read must not claim.
        """
        if self.journal.mode not in (JournalMode.OFF, JournalMode.OPENING):
            return True
        is_too_much = surplus > _MOST_WAITING
        if is_too_much:
            self.coverage = Coverage()
        return is_too_much

    def _is_ended(self, order: Order) -> bool:
        is_waiting = self.unwritten is not None and order.id in self.unwritten.orders
        return not is_waiting and is_done(display_status(order, self.height, self.block_time))

    def differences(self, equities: Mapping[int, Decimal] | None = None) -> tuple[Difference, ...]:
        """Return every difference between the account's figures and those that the Indexer states.

        `equities` are the parent's unclamped equities by height, where they were taken. Costs a pass over all fills.
        """
        compared = self.comparison(equities)
        return () if compared is None else reconcile(*compared)

    def comparison(self, equities: Mapping[int, Decimal] | None = None) -> tuple[Ours, Stated] | None:
        """Return what `differences` compares, apart from this state, so that it can be done in another thread.

        None where there is no account.
        """
        if self.watched is None:
            return None
        keys = self.ledger_keys()
        ledgers = {key: self._whole_ledger(key) for key in keys}
        lives = {key: self._ledgers.lives(key) for key in keys}
        held = {key: self._ledgers.held(key) for key in keys}
        ours = Ours(
            address=self.watched.address,
            parent=self.watched.parent,
            positions=tuple(self.holdings.positions),
            keys=keys,
            ledger_of=ledgers.__getitem__,
            bookings_of=lambda key: _booked(*held[key]),
            lives_of=lives.__getitem__,
            payments=tuple(self.funding.payments),
            transfers=tuple(self.transfers.newest),
            fills_known=self.fills.is_known,
            subaccounts=tuple(self.holdings.subaccounts),
            equities={} if equities is None else equities,
            is_cut=self.fills.horizon is not None,
        )
        return ours, self.stated.copy()

    def ledger_keys(self) -> tuple[PositionKey, ...]:
        """Return every subaccount and market with a position, a fill or funding, sorted."""
        held = {PositionKey(position.subaccount, position.market) for position in self.holdings.positions}
        return tuple(sorted(held | self._ledgers.traded() | self.funding.keys()))

    def figures(self) -> Figures:
        """Return what the account holds: by the Indexer, or by a node while that stands in for it."""
        return self.node_account.figures(self.holdings, self.markets.all)

    def margin(self, figures: Figures | None = None) -> AccountMargin | None:
        """Return the account's margin figures, None until the venue has answered for it.

        Which subaccounts there are, the Indexer alone tells: as long as it knows of none, a node's figures leave the
        whole account's equity unknown.
        """
        if self.watched is None or (self.exists is None and not self.node_account.stands_in):
            return None
        held = self.figures() if figures is None else figures
        parent = self.watched.parent
        selected = self.leverages.selected(parent, held.markets)
        margin = account_margin(
            held.subaccounts, held.positions, held.balances, held.markets, parent, selected=selected
        )
        return margin if self.exists or not self.node_account.stands_in else replace(margin, equity=None)

    def note_unwritten(self) -> Unwritten:
        """Note from now on what the journal has not been given, and return where."""
        if self.unwritten is None:
            self.unwritten = Unwritten()
            self.fills.unwritten = self.unwritten.fills
        return self.unwritten

    def _touch(self, order_ids: Iterable[str], source: str) -> None:
        if self.unwritten is not None:
            self.unwritten.touch(order_ids, source)

    def _is_ours(self, address: str | None, subaccount: int | None) -> bool:
        watched = self.watched
        if watched is None or (address is not None and address != watched.address):
            return False
        return subaccount is None or parent_of(subaccount) == watched.parent

    def _opened(self, event: ev.ConnectionOpened) -> Changes:
        self.freshness.opened(event.connection, event.at, event.lane)
        self.epoch.part()
        return Changes({Section.STREAM})

    def _ready(self, event: ev.ConnectionReady) -> Changes:
        self.freshness.ready(event.connection, event.at)
        return Changes({Section.STREAM})

    def _closed(self, event: ev.ConnectionClosed) -> Changes:
        self.freshness.closed(event.connection, event.at)
        return Changes({Section.STREAM})

    def _subscribe_sent(self, event: ev.SubscribeSent) -> Changes:
        self.freshness.subscribing(event.key, event.connection, event.at, is_account=event.key.is_account)
        return Changes({Section.STREAM})

    def _subscribed(self, event: ev.Subscribed) -> Changes:
        self.freshness.subscribed(event.key, event.version.connection, event.at, is_account=event.key.is_account)
        return Changes({Section.STREAM})

    def _unsubscribed(self, event: ev.Unsubscribed) -> Changes:
        self.freshness.unsubscribed(event.key, event.version.connection)
        return Changes({Section.STREAM})

    def _dropped(self, event: ev.ChannelDropped) -> Changes:
        self.freshness.dropped(event.key, event.connection)
        return Changes({Section.STREAM})

    def _refused(self, event: ev.VenueRefusal) -> Changes:
        self.refusals += 1
        if event.message_id is not None:
            self.freshness.excused(event.connection, event.message_id, event.at)
        self.freshness.refused(event.key, event.connection)
        where = f"{event.key.channel} {event.key.id}".strip() if event.key else f"connection {event.connection}"
        return Changes({Section.STREAM}, problems=(Problem(event.at, where, event.text),))

    def _denied(self, event: ev.SubscriptionDenied) -> Changes:
        self.freshness.denied(event.key, event.connection)
        return Changes({Section.STREAM})

    def _polling_changed(self, event: ev.PollingChanged) -> Changes:
        self.freshness.polling(is_on=event.is_on)
        return Changes({Section.STREAM})

    def _polled(self, event: ev.Polled) -> Changes:
        self.freshness.polled(event.keys, event.block_time)
        return Changes({Section.STREAM})

    def _stream_changed(self, event: ev.StreamChanged) -> Changes:
        self.freshness.changed(event.what, event.lane, event.over)
        return Changes({Section.STREAM}, befell=(event,))

    def _rejected(self, event: ev.MessageRejected) -> Changes:
        self.freshness.rejected(event.key)
        return Changes({Section.STREAM}, problems=(Problem(event.at, event.source, event.reason, event.sample),))

    def _read_failed(self, event: ev.ReadFailed) -> Changes:
        return Changes({Section.STREAM}, problems=(Problem(event.at, event.path, event.text),))

    def _resynced(self, event: ev.Resynced) -> Changes:
        self.freshness.resynced(event.connection, event.at)
        return Changes({Section.STREAM})

    def _budgets_told(self, event: ev.BudgetsTold) -> Changes:
        self.limits.told(event.budgets, event.at)
        return Changes({Section.STREAM})

    def _breaker_changed(self, event: ev.BreakerChanged) -> Changes:
        self.limits.changed(event.status)
        text = f"breaker {event.before} to {event.status.state}"
        return Changes({Section.STREAM}, problems=(Problem(event.at, event.status.group, text, event.status.text),))

    def _faults_counted(self, event: ev.FaultsCounted) -> Changes:
        self.limits.counted(event.counts)
        return Changes({Section.STREAM})

    def _account_snapshot(self, event: ev.AccountSnapshot) -> Changes:
        number = event.parent if event.parent is not None else event.subaccount
        if not self._is_ours(event.address, number):
            return Changes()
        self.exists = event.exists or bool(self.exists)
        covered = set(self.holdings.subaccounts) if event.parent is not None else {event.subaccount or 0}
        taken = self.holdings.take_snapshot(event.children, covered, event.version)
        self._anchor(taken, event.block_height, event.version)
        ids = frozenset(patch.id for patch in event.orders)
        listing = Listing(event.version, event.parent, event.subaccount, ids, event.block_height, self.block_time)
        self._touch(self.orders.take_listing(listing, event.orders), "SNAPSHOT")
        return Changes({Section.ACCOUNT, Section.ORDERS, Section.STREAM})

    def _account_update(self, event: ev.AccountUpdate) -> Changes:
        if not self._is_ours(event.address, event.subaccount):
            return Changes()
        changes = Changes()
        rows, changed = self.holdings.take_update(event.positions, event.balances, event.version, event.block_height)
        if rows or changed:
            self.exists = True
            self.funding.take_rows(rows, event.version)
            changes.sections.add(Section.ACCOUNT)
        if told := self.orders.take_rows(event.orders, event.version):
            self._touch(told, "STREAM")
            changes.sections.add(Section.ORDERS)
        if event.fills:
            changes.new_fills = self._book_fills(event.fills, None)
            changes.sections |= {Section.FILLS, Section.ORDERS, Section.ACCOUNT}
        if event.transfers:
            self._take_transfers(event.transfers)
            changes.sections.add(Section.TRANSFERS)
        if event.reward is not None:
            self._take_reward(event.reward)
        self._trim()
        return changes

    def _take_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        new = self.transfers.take(transfers)
        if self.unwritten is not None:
            self.unwritten.transfers += new

    def _take_reward(self, reward: Reward) -> None:
        name = (reward.height, reward.amount)
        if self.unwritten is not None and name not in self.rewards:
            self.unwritten.rewards.append(reward)
        self.rewards[name] = reward
        if len(self.rewards) > MOST_REWARDS:
            del self.rewards[next(iter(self.rewards))]

    def _book_fills(self, fills: tuple[Fill, ...], offset: int | None) -> tuple[Fill, ...]:
        new, touched = self.fills.take(fills, offset=offset)
        self._count_executions(new, touched)
        return new

    def _count_executions(self, new: tuple[Fill, ...], touched: set[PositionKey]) -> None:
        for fill in new:
            if fill.order_id is not None and self.orders.take_execution(fill.order_id, fill.size, fill.price):
                self._touch((fill.order_id,), "FILL")
        self._ledgers.forget(touched)
        if self.fills.late:
            self._doubt()

    def _doubt(self) -> None:
        """Have the journal look at fills of which it is not known whether the books have them."""
        late, self.fills.late = self.fills.late, []
        for fill, _ in late:
            self._ledgers.doubt(PositionKey(fill.subaccount, fill.market))
        if self.unwritten is not None:
            self.unwritten.late += late

    def _anchor(self, children: tuple[ChildState, ...], height: int | None, mark: StreamVersion | None) -> None:
        for child in children:
            self.funding.rebase(child, mark)
            self._ledgers.anchor(child, height)

    def _account_read(self, event: ev.AccountRead) -> Changes:
        number = event.parent if event.parent is not None else event.subaccount
        if not self._is_ours(event.address, number):
            return Changes()
        self.exists = event.exists or bool(self.exists)
        taken = tuple(child for child in event.children if self.holdings.take_read(child))
        self._anchor(taken, self.height, None)
        return Changes({Section.ACCOUNT})

    def _address_read(self, event: ev.AddressRead) -> Changes:
        if not self._is_ours(event.address, None):
            return Changes()
        self.funded_parents = len({parent_of(number) for number in event.subaccounts})
        return Changes({Section.ACCOUNT})

    def _orders_read(self, event: ev.OrdersRead) -> Changes:
        if not self._is_ours(event.address, None):
            return Changes()
        ours = tuple(patch for patch in event.orders if self._is_ours(None, patch.subaccount))
        self._touch(self.orders.take_read(ours, event.connection), "REST")
        self._trim()
        return Changes({Section.ORDERS})

    def _fills_read(self, event: ev.FillsRead) -> Changes:
        if not self._is_ours(event.address, None):
            return Changes()
        ours = tuple(fill for fill in event.fills if self._is_ours(None, fill.subaccount))
        self.fills.is_known = True
        offset = (event.offset or 0) if event.in_chain_order else None
        self._book_fills(ours, offset)
        if offset is not None:
            self.coverage.page(offset, event.fills, event.total)
        self._trim()
        return Changes({Section.FILLS, Section.ORDERS, Section.ACCOUNT})

    def _transfers_read(self, event: ev.TransfersRead) -> Changes:
        if not self._is_ours(event.address, None):
            return Changes()
        self._take_transfers(event.transfers)
        return Changes({Section.TRANSFERS})

    def _funding_read(self, event: ev.FundingRead) -> Changes:
        if not self._is_ours(event.address, None):
            return Changes()
        ours = [payment for payment in event.payments if self._is_ours(None, payment.subaccount)]
        new = self.funding.take_payments(ours, event.subaccount)
        if self.unwritten is not None:
            self.unwritten.payments += new
        return Changes({Section.FUNDING, Section.ACCOUNT})

    def _rewards_read(self, event: ev.RewardsRead) -> Changes:
        if not self._is_ours(event.address, None):
            return Changes()
        for reward in event.rewards:
            self._take_reward(reward)
        return Changes({Section.FUNDING})

    def _markets_update(self, event: ev.MarketsUpdate) -> Changes:
        self.markets.take_rows(event.markets, event.version)
        return Changes({Section.MARKETS})

    def _oracle_update(self, event: ev.OracleUpdate) -> Changes:
        self.markets.take_oracle(event.prices, event.version)
        return Changes({Section.MARKETS})

    def _markets_read(self, event: ev.MarketsRead) -> Changes:
        self.markets.take_read(event.markets, self.freshness.newest_ended)
        return Changes({Section.MARKETS})

    def _book_snapshot(self, event: ev.BookSnapshot) -> Changes:
        self.books.take_snapshot(event.market, event.bids, event.asks, event.version)
        return Changes({Section.BOOKS})

    def _book_update(self, event: ev.BookUpdate) -> Changes:
        self.books.take_levels(event.market, event.bids, event.asks, event.version)
        return Changes({Section.BOOKS})

    def _book_read(self, event: ev.BookRead) -> Changes:
        key = ev.ChannelKey(ev.BOOK_CHANNEL, event.market)
        if event.asked_at is None or not self.freshness.book_read(key, event.asked_at):
            return Changes()
        self.books.take_read(event.market, event.bids, event.asks, event.asked_at)
        return Changes({Section.BOOKS, Section.STREAM})

    def _trades_update(self, event: ev.TradesUpdate) -> Changes:
        self.tape.take(event.market, event.trades)
        return Changes({Section.TRADES})

    def _trades_read(self, event: ev.TradesRead) -> Changes:
        self.tape.take(event.market, event.trades)
        return Changes({Section.TRADES})

    def _candle_update(self, event: ev.CandleUpdate) -> Changes:
        self.candles.take(event.market, event.resolution, event.candles, event.version)
        return Changes({Section.CANDLES})

    def _candles_read(self, event: ev.CandlesRead) -> Changes:
        self.candles.take(event.market, event.resolution, event.candles, None)
        return Changes({Section.CANDLES})

    def _block_height(self, event: ev.BlockHeight) -> Changes:
        self.freshness.block(event.version.connection, event.height, event.time, event.at)
        return self._committed(event.height, event.time)

    def _height_read(self, event: ev.HeightRead) -> Changes:
        self.freshness.block(None, event.height, event.time, event.at)
        return self._committed(event.height, event.time)

    def _committed(self, height: int, time: datetime) -> Changes:
        self.epoch.head(height, time)
        if self.height is not None and height <= self.height:
            return Changes()
        self.height, self.block_time = height, time
        return Changes({Section.BLOCKS})

    def _node_head(self, event: ev.NodeHead) -> Changes:
        self.node.head(event.head, event.at)
        self.freshness.node_block(event.head.time, event.at)
        return Changes({Section.NODE})

    def _node_block_read(self, event: ev.NodeBlockRead) -> Changes:
        self.epoch.block(event.head.height, event.head.time)
        return Changes({Section.NODE})

    def _node_failed(self, event: ev.NodeFailed) -> Changes:
        self.node.failed(event.text)
        return Changes({Section.NODE}, problems=(Problem(event.at, "node", event.text),))

    def _node_checked(self, event: ev.NodeChecked) -> Changes:
        self.node.checked(event.info, event.syncing, event.binding, event.contradiction)
        return Changes({Section.NODE})

    def _leverages_read(self, event: ev.LeveragesRead) -> Changes:
        if not self._is_ours(event.address, event.subaccount):
            return Changes()
        self.leverages.take(event.subaccount, event.chosen)
        return Changes({Section.ACCOUNT})

    def _fee_tier_read(self, event: ev.FeeTierRead) -> Changes:
        if not self._is_ours(event.address, None):
            return Changes()
        self.fee_tier = event.tier
        return Changes({Section.ACCOUNT})

    def _recalled(self, event: ev.Recalled) -> Changes:
        """Take what an earlier run knew, as of before this run's first connection; the venue has yet to be asked."""
        if not self._is_ours(event.address, None):
            return Changes()
        new, touched = self.fills.recall(event.fills)
        self._count_executions(new, touched)
        self._touch(self.orders.take_read(event.orders, 0), "JOURNAL")
        self._take_transfers(event.transfers)
        self.funding.recall(event.payments)
        return Changes({Section.FILLS, Section.ORDERS, Section.TRANSFERS, Section.FUNDING, Section.ACCOUNT})

    def _journal_told(self, event: ev.JournalTold) -> Changes:
        self.journal = event.view
        return Changes({Section.STREAM})

    def _node_account_read(self, event: ev.NodeAccountRead) -> Changes:
        if not self.node_account.take(event.told, event.age_s, event.at):
            return Changes()
        return Changes({Section.ACCOUNT, Section.NODE})

    def _node_account_failed(self, event: ev.NodeAccountFailed) -> Changes:
        self.node_account.failed()
        problems = (Problem(event.at, "the account by a node", event.text),) if event.is_first else ()
        return Changes({Section.NODE}, problems=problems)

    def _node_account_left(self, _event: ev.NodeAccountLeft) -> Changes:
        self.node_account.leave()
        return Changes({Section.ACCOUNT, Section.NODE})

    def _time_read(self, event: ev.TimeRead) -> Changes:
        self.freshness.clock(event.venue_time, event.asked_at, event.at)
        return Changes({Section.STREAM})

    def _trades_told(self, event: TradeHistoryRead) -> Changes:
        if self._is_ours(event.address, None):
            self.stated.take_trades(event.rows, event.total)
        return Changes()

    def _pnl_told(self, event: PnlRead) -> Changes:
        if self._is_ours(event.address, event.subaccount):
            self.stated.take_points(event.subaccount, event.points)
        return Changes()

    def _ticks_told(self, event: HistoricalPnlRead) -> Changes:
        if self._is_ours(event.address, event.subaccount):
            self.stated.take_ticks(event.subaccount, event.ticks)
        return Changes()


def _slack(most: int) -> int:
    """Return how far a bound is gone beyond, so that what it costs to keep is shared by many rows."""
    return max(most // 20, 1)


def _booked(before: Book, fills: Iterable[Fill]) -> Iterator[Booking]:
    """Return what each of `fills` did, from the book before the first of them."""
    book = before.copy()
    return (booking(book, fill) for fill in fills)
