"""Subaccounts: USDC and perpetual positions in quantums, settled funding, margin.

Money law: the USDC of all subaccounts plus `collected_fees`, `funding_pool` and `insured` equals `net_deposits`, to the
quantum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from dydx_console.sim.core.events import PositionState, SubaccountUpdated
from dydx_console.sim.core.markets import ONE_MILLION, Market
from dydx_console.sim.core.orders import Side, SubaccountId
from dydx_console.sim.core.risk import Risk, may_become, position_figures


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


@dataclass(frozen=True, slots=True)
class Holdings:
    """Copies of subaccounts (None = there was none), and of the totals that payments change."""

    subaccounts: Mapping[SubaccountId, Subaccount | None]
    funding_pool: int
    net_deposits: int


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
        self.insured = 0
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

    def insure(self, subaccount: SubaccountId, quote_quantums: int) -> None:
        """Money goes from a subaccount to the insurance funds (negative: from those to it)."""
        self._open(subaccount).usdc_quantums -= quote_quantums
        self.insured += quote_quantums

    def endow(self, quote_quantums: int) -> None:
        """Money that the insurance funds have from the beginning."""
        self.insured += quote_quantums
        self.net_deposits += quote_quantums

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

    def position_risk(self, market: Market, quantums: int) -> Risk:
        """A position by itself at the oracle price."""
        return Risk(*position_figures(market, self._oracle[market.market_id], quantums))

    def risk(self, account: Subaccount) -> Risk:
        """An account at oracle prices, after unsettled funding."""
        return Risk(*self._figures(account))

    def liquidatable(self) -> list[Subaccount]:
        """The accounts under maintenance margin, in order of creation."""
        found = []
        for account in self._subaccounts.values():
            if account.positions:
                net, _, maintenance = self._figures(account)
                if 0 < maintenance > net:
                    found.append(account)
        return found

    def _figures(self, account: Subaccount) -> tuple[int, int, int]:
        net, initial, maintenance = account.usdc_quantums, 0, 0
        for perpetual, position in account.positions.items():
            market = self._markets[perpetual]
            figures = position_figures(market, self._oracle[market.market_id], position.quantums)
            net += figures[0]
            initial += figures[1]
            maintenance += figures[2]
            if position.funding_index != self.funding_indices[perpetual]:
                net -= self.unsettled_funding(position, perpetual)
        return net, initial, maintenance

    def hold(self, subaccounts: Iterable[SubaccountId]) -> Holdings:
        """What `restore` needs to undo payments between these subaccounts and with wallets."""
        kept: dict[SubaccountId, Subaccount | None] = {}
        for subaccount in subaccounts:
            account = self._subaccounts.get(subaccount)
            positions = {p: replace(position) for p, position in account.positions.items()} if account else {}
            kept[subaccount] = replace(account, positions=positions) if account else None
        return Holdings(kept, self.funding_pool, self.net_deposits)

    def restore(self, holdings: Holdings) -> None:
        """Undo what payments have changed since `hold`."""
        self.funding_pool, self.net_deposits = holdings.funding_pool, holdings.net_deposits
        for subaccount, account in holdings.subaccounts.items():
            if account is None:
                self._subaccounts.pop(subaccount, None)
            else:
                self._subaccounts[subaccount] = account

    def equity(self, account: Subaccount) -> int:
        """USDC plus positions at oracle, in micro-USDC, after unsettled funding."""
        return self._figures(account)[0]

    def can_pay(self, subaccount: SubaccountId, quote_quantums: int) -> bool:
        """Whether an account that takes money out keeps its initial margin."""
        account = self._subaccounts.get(subaccount)
        if account is None:
            return False
        risk = self.risk(account)
        return risk.net - quote_quantums >= risk.initial

    def can_trade(
        self, subaccount: SubaccountId, market: Market, side: Side, quantums: int, quote: int, *, fee: int = 0
    ) -> bool:
        """Whether a fill leaves enough initial margin, or an account that lacks it no worse off than it was."""
        account = self._open(subaccount)
        held = account.positions.get(market.perpetual_id)
        before = held.quantums if held else 0
        now = self._figures(account)
        sign, value = side.sign, self._oracle[market.market_id]
        old = position_figures(market, value, before)
        new = position_figures(market, value, before + sign * quantums)
        net = now[0] + new[0] - old[0] - sign * quote - fee
        initial = now[1] + new[1] - old[1]
        return net >= initial or may_become(Risk(*now), Risk(net, initial, now[2] + new[2] - old[2]))

    def breaks_isolation(self, subaccount: SubaccountId, market: Market) -> bool:
        """An isolated market needs a subaccount of its own, and its positions shut other markets out."""
        account = self._subaccounts.get(subaccount)
        held = account.positions if account else ()
        return any(p != market.perpetual_id and (market.isolated or self._markets[p].isolated) for p in held)

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
