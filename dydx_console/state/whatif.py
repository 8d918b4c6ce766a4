"""What an account would look like after a trade or a transfer, and after a move of prices. Nothing is sent anywhere.

Sources: dydxprotocol/v4-web src/bonsai/calculators/accountActions.ts and src/bonsai/forms/trade/summary.ts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from dydx_console.domain.enums import PositionStatus, Side
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import ONE, Market
from dydx_console.domain.numbers import MATH, ZERO, divide
from dydx_console.domain.position import Balance, Position
from dydx_console.state.margin import COLLATERAL, NONE_SELECTED, AccountMargin, account_margin
from dydx_console.state.snapshot import Snapshot

__all__ = [
    "MOVES",
    "AccountPicture",
    "Effect",
    "Stress",
    "Trade",
    "Transfer",
    "after_emptying",
    "after_trade",
    "after_transfer",
    "liquidation_table",
    "picture_of",
    "whatif",
]

MOVES: tuple[Decimal, ...] = tuple(
    sorted(sign * Decimal(step).scaleb(-2) for step in (1, 2, 5, 10, 20, 30, 50) for sign in (-1, 1))
)
"""The moves of a liquidation table, as fractions."""


@dataclass(frozen=True, slots=True)
class AccountPicture:
    """What an account holds: all that a what-if starts from."""

    parent: int
    subaccounts: tuple[int, ...]
    positions: tuple[Position, ...]
    balances: tuple[Balance, ...]

    def position(self, subaccount: int, market: str) -> Position | None:
        """Return an open position that is not empty."""
        found = (p for p in self.positions if p.subaccount == subaccount and p.market == market and p.net_size)
        return next(found, None)

    def usdc(self, subaccount: int) -> Decimal:
        """Return the collateral of a subaccount, below zero where it owes."""
        found = (b.amount for b in self.balances if b.subaccount == subaccount and b.asset == COLLATERAL)
        return next(found, ZERO)

    def margin(self, markets: Mapping[str, Market], selected: Mapping[PositionKey, Decimal]) -> AccountMargin:
        """Return the figures of this picture at the markets' oracle prices."""
        return account_margin(self.subaccounts, self.positions, self.balances, markets, self.parent, selected=selected)


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade as if it had happened: `size` above zero in base units, average `price` in USD, `fee` in USDC."""

    subaccount: int
    market: str
    side: Side
    size: Decimal
    price: Decimal
    fee: Decimal = ZERO
    reduce_only: bool = False

    @property
    def signed_size(self) -> Decimal:
        """The size, negative for a sale."""
        return self.size if self.side == Side.BUY else -self.size


@dataclass(frozen=True, slots=True)
class Transfer:
    """USDC moved between two subaccounts."""

    sender: int
    recipient: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Effect:
    """An account before and after. `traded` is the size that a reduce-only trade really takes."""

    before: AccountMargin
    after: AccountMargin
    held: AccountPicture
    left: AccountPicture
    traded: Decimal


@dataclass(frozen=True, slots=True)
class Stress:
    """The account after a move of prices: `move` is a fraction, `liquidatable` are the subaccounts that would fall."""

    move: Decimal
    margin: AccountMargin

    @property
    def liquidatable(self) -> tuple[int, ...]:
        """Subaccounts whose equity would be below their maintenance margin."""
        return self.margin.liquidatable


def picture_of(snapshot: Snapshot) -> AccountPicture | None:
    """Return what a snapshot's account holds, None where the venue has not answered for it."""
    if snapshot.watched is None or snapshot.margin is None:
        return None
    return AccountPicture(
        parent=snapshot.watched.parent,
        subaccounts=tuple(child.number for child in snapshot.margin.children),
        positions=tuple(view.position for view in snapshot.positions),
        balances=snapshot.balances,
    )


def whatif(
    account: AccountPicture,
    markets: Mapping[str, Market],
    trade: Trade | None,
    *,
    transfer: Transfer | None = None,
    reclaims: bool = False,
    selected: Mapping[PositionKey, Decimal] = NONE_SELECTED,
) -> Effect:
    """Return the account before and after a transfer, then a trade.

    `reclaims` moves what is left of a child without positions back to the parent afterwards.
    """
    left = account
    if transfer is not None:
        left = after_transfer(left, transfer)
    traded = ZERO
    if trade is not None:
        traded = _taken(left.position(trade.subaccount, trade.market), trade)
        left = after_trade(left, trade)
        if reclaims and trade.subaccount != account.parent:
            left = after_emptying(left, trade.subaccount, account.parent)
    return Effect(account.margin(markets, selected), left.margin(markets, selected), account, left, traded)


def after_trade(account: AccountPicture, trade: Trade) -> AccountPicture:
    """Return the account after a trade.

    A trade in the position's direction moves its entry price to the average by size; one against it closes it first,
    and what is left over opens another at the trade's price. The fee is charged once on the whole. Reduce-only trades
    never open: one that cannot reduce changes nothing, and costs nothing.
    """
    held = account.position(trade.subaccount, trade.market)
    with localcontext(MATH):
        taken = _taken(held, trade)
        if not taken:
            return account
        made = replace(trade, size=taken)
        cash = -made.signed_size * made.price - made.fee
        position = _opened(made) if held is None else _changed(held, made)
        kept = tuple(p for p in account.positions if (p.subaccount, p.market) != (trade.subaccount, trade.market))
        positions = kept if position is None else (*kept, position)
        return _with_cash(replace(account, positions=positions), trade.subaccount, cash)


def after_transfer(account: AccountPicture, transfer: Transfer) -> AccountPicture:
    """Return the account after a transfer of USDC, whether or not the sender can afford it."""
    sent = _with_cash(account, transfer.sender, -transfer.amount)
    return _with_cash(sent, transfer.recipient, transfer.amount)


def after_emptying(account: AccountPicture, sender: int, recipient: int) -> AccountPicture:
    """Return the account after all USDC of a subaccount has moved; it stays where it has a position or owes."""
    amount = account.usdc(sender)
    if amount <= ZERO or any(p.subaccount == sender and p.net_size for p in account.positions):
        return account
    return after_transfer(account, Transfer(sender, recipient, amount))


def liquidation_table(
    account: AccountPicture,
    markets: Mapping[str, Market],
    *,
    market: str | None = None,
    moves: Iterable[Decimal] = MOVES,
    selected: Mapping[PositionKey, Decimal] = NONE_SELECTED,
) -> tuple[Stress, ...]:
    """Return the account at other oracle prices: of one market, or of all of them by the same fraction.

    Open interest stands, so that the effective initial margin fraction moves with the price.
    """
    return tuple(Stress(move, account.margin(_moved(markets, market, move), selected)) for move in moves)


def _moved(markets: Mapping[str, Market], only: str | None, move: Decimal) -> dict[str, Market]:
    return {
        ticker: market
        if market.oracle_price is None or (only is not None and ticker != only)
        else replace(market, oracle_price=MATH.multiply(market.oracle_price, ONE + move))
        for ticker, market in markets.items()
    }


def _taken(held: Position | None, trade: Trade) -> Decimal:
    """Return how much of a trade's size happens."""
    if not trade.reduce_only:
        return trade.size
    if held is None or (held.net_size > ZERO) == (trade.side == Side.BUY):
        return ZERO
    return min(trade.size, abs(held.net_size))


def _opened(trade: Trade) -> Position:
    return Position(
        subaccount=trade.subaccount,
        market=trade.market,
        net_size=trade.signed_size,
        status=PositionStatus.OPEN,
        height=None,
        max_size=trade.signed_size,
        entry_price=trade.price,
        sum_open=trade.size,
        sum_close=ZERO,
        net_funding=ZERO,
        venue_realized_pnl=ZERO,
    )


def _changed(held: Position, trade: Trade) -> Position | None:
    """Return a position after a trade that moves it, None where it is closed."""
    if (held.net_size > ZERO) == (trade.side == Side.BUY):
        return _increased(held, trade)
    closed = min(trade.size, abs(held.net_size))
    if closed < trade.size:
        return _opened(replace(trade, size=trade.size - closed))
    net_size = held.net_size + trade.signed_size
    if not net_size:
        return None
    gained = None if held.entry_price is None else -trade.signed_size * (trade.price - held.entry_price)
    return replace(
        held,
        net_size=net_size,
        sum_close=_plus(held.sum_close, closed),
        venue_realized_pnl=_plus(held.venue_realized_pnl, gained),
    )


def _increased(held: Position, trade: Trade) -> Position:
    net_size = held.net_size + trade.signed_size
    entry: Decimal | None = None
    if held.entry_price is not None:
        entry = divide(held.net_size * held.entry_price + trade.signed_size * trade.price, net_size)
    furthest = None if held.max_size is None else max(held.max_size, net_size, key=abs)
    return replace(
        held, net_size=net_size, entry_price=entry, max_size=furthest, sum_open=_plus(held.sum_open, trade.size)
    )


def _plus(first: Decimal | None, second: Decimal | None) -> Decimal | None:
    return None if first is None or second is None else first + second


def _with_cash(account: AccountPicture, subaccount: int, amount: Decimal) -> AccountPicture:
    """Return the account with USDC added to a subaccount, which comes into being where it was not there."""
    kept = tuple(b for b in account.balances if (b.subaccount, b.asset) != (subaccount, COLLATERAL))
    balance = Balance(subaccount, COLLATERAL, MATH.add(account.usdc(subaccount), amount), None)
    subaccounts = tuple(sorted({*account.subaccounts, subaccount}))
    return replace(account, balances=(*kept, balance), subaccounts=subaccounts)
