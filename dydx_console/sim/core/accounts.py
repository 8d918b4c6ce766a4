"""Subaccounts: USDC and perpetual positions in quantums, settled funding, margin.

Money law: the USDC of all subaccounts plus `collected_fees` plus `funding_pool` equals `net_deposits`, to the quantum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dydx_console.sim.core.events import PositionState, SubaccountUpdated
from dydx_console.sim.core.markets import ONE_MILLION, Market
from dydx_console.sim.core.orders import Side, SubaccountId


@dataclass(slots=True)
class Position:
    """Signed quantums and the funding index that the account has settled up to."""

    quantums: int
    funding_index: int


@dataclass(slots=True)
class Subaccount:
    """One subaccount's holdings; `usdc_quantums` may be negative while positions carry it."""

    id: SubaccountId
    usdc_quantums: int = 0
    positions: dict[int, Position] = field(default_factory=dict)


class Accounts:
    """All subaccounts, with the prices and funding indices that value them."""

    def __init__(self, markets: Mapping[int, Market], oracle_values: dict[int, int]) -> None:
        self._markets = markets
        self._oracle = oracle_values
        self._subaccounts: dict[SubaccountId, Subaccount] = {}
        self.funding_indices: dict[int, int] = dict.fromkeys(markets, 0)
        self.open_interest: dict[int, int] = dict.fromkeys(markets, 0)
        self.collected_fees = 0
        self.funding_pool = 0
        self.net_deposits = 0

    def get(self, subaccount: SubaccountId) -> Subaccount | None:
        """A subaccount that has ever held anything."""
        return self._subaccounts.get(subaccount)

    def all(self) -> tuple[Subaccount, ...]:
        """Every subaccount, in order of creation."""
        return tuple(self._subaccounts.values())

    def position_quantums(self, subaccount: SubaccountId, perpetual_id: int) -> int:
        """Signed size of a position, 0 when there is none."""
        account = self._subaccounts.get(subaccount)
        position = account.positions.get(perpetual_id) if account else None
        return position.quantums if position else 0

    def credit(self, subaccount: SubaccountId, quote_quantums: int) -> None:
        """Money arrives from outside."""
        self._open(subaccount).usdc_quantums += quote_quantums
        self.net_deposits += quote_quantums

    def debit(self, subaccount: SubaccountId, quote_quantums: int) -> None:
        """Money leaves to the outside."""
        self._open(subaccount).usdc_quantums -= quote_quantums
        self.net_deposits -= quote_quantums

    def trade(
        self, subaccount: SubaccountId, market: Market, side: Side, *, quantums: int, quote: int, fee: int
    ) -> None:
        """Apply one side of a match: position, quote amount and fee (both micro-USDC)."""
        account = self._open(subaccount)
        perpetual = market.perpetual_id
        held = account.positions.get(perpetual)
        before = held.quantums if held else 0
        after = before + side.sign * quantums
        account.usdc_quantums -= side.sign * quote + fee
        self.collected_fees += fee
        self.open_interest[perpetual] += max(after, 0) - max(before, 0)
        if after == 0:
            account.positions.pop(perpetual, None)
        elif held is None:
            account.positions[perpetual] = Position(after, self.funding_indices[perpetual])
        else:
            held.quantums = after

    def settle_funding(self, subaccount: SubaccountId) -> dict[int, int]:
        """Pay what funding is due up to now; returns micro-USDC paid by the account per perpetual.

        What an account owes is rounded up and what it is owed rounded down (perpetuals/lib/lib.go): the dust stays in
        the pool.
        """
        paid: dict[int, int] = {}
        account = self._open(subaccount)
        for perpetual, position in account.positions.items():
            owed = self.unsettled_funding(position, perpetual)
            position.funding_index = self.funding_indices[perpetual]
            if owed:
                paid[perpetual] = owed
                account.usdc_quantums -= owed
                self.funding_pool += owed
        return paid

    def unsettled_funding(self, position: Position, perpetual: int) -> int:
        """Micro-USDC that a position would pay now (negative = receive)."""
        delta = self.funding_indices[perpetual] - position.funding_index
        return -(-position.quantums * delta // ONE_MILLION)

    def equity(self, account: Subaccount) -> int:
        """USDC plus positions at oracle, in micro-USDC, after unsettled funding."""
        value = account.usdc_quantums
        for perpetual, position in account.positions.items():
            market = self._markets[perpetual]
            value += market.notional_quote_quantums(self._oracle[market.market_id], position.quantums)
            value -= self.unsettled_funding(position, perpetual)
        return value

    def initial_margin(self, account: Subaccount) -> int:
        """Base initial margin of all positions, in micro-USDC."""
        total = 0
        for perpetual, position in account.positions.items():
            market = self._markets[perpetual]
            notional = market.notional_quote_quantums(self._oracle[market.market_id], abs(position.quantums))
            total += -(-notional * market.initial_margin_ppm // ONE_MILLION)
        return total

    def can_trade(self, subaccount: SubaccountId, market: Market, side: Side, quantums: int, quote: int) -> bool:
        """Whether a fill leaves enough initial margin, or only lessens the position.

        Fees are left out. The chain's own rule also lets an undercollateralised account through that improves its
        ratio; reducing without changing side is the part of it that matters here.
        """
        account = self._open(subaccount)
        held = account.positions.get(market.perpetual_id)
        before = held.quantums if held else 0
        after = before + side.sign * quantums
        if abs(after) < abs(before) and after * before >= 0:
            return True
        oracle = self._oracle[market.market_id]
        equity = self.equity(account) - side.sign * quote
        equity += market.notional_quote_quantums(oracle, after) - market.notional_quote_quantums(oracle, before)
        margin = self.initial_margin(account)
        change = market.notional_quote_quantums(oracle, abs(after)) - market.notional_quote_quantums(
            oracle, abs(before)
        )
        return equity >= margin + change * market.initial_margin_ppm // ONE_MILLION

    def breaks_isolation(self, subaccount: SubaccountId, market: Market) -> bool:
        """An isolated market needs a subaccount of its own, and its positions shut other markets out."""
        account = self._subaccounts.get(subaccount)
        others = [p for p in (account.positions if account else ()) if p != market.perpetual_id]
        return bool(others) and (market.isolated or any(self._markets[p].isolated for p in others))

    def snapshot(self, subaccount: SubaccountId, paid: Mapping[int, int], touched: int | None) -> SubaccountUpdated:
        """The event that tells the Indexer a subaccount's state; positions that changed or paid funding."""
        account = self._open(subaccount)
        perpetuals = dict.fromkeys([*paid, *(() if touched is None else (touched,))])
        states = tuple(
            PositionState(p, account.positions[p].quantums if p in account.positions else 0, paid.get(p, 0))
            for p in perpetuals
        )
        return SubaccountUpdated(subaccount, account.usdc_quantums, states)

    def _open(self, subaccount: SubaccountId) -> Subaccount:
        account = self._subaccounts.get(subaccount)
        if account is None:
            account = self._subaccounts[subaccount] = Subaccount(subaccount)
        return account
