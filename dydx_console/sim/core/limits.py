"""What a node takes from one owner or subaccount: limits by block (codespace clob, code 5001) and by equity (10001).

Values: dydxprotocol/v4-chain protocol/scripts/genesis/sample_pregenesis.json. By block and owner failed attempts count,
stateful cancels do not.
"""

from __future__ import annotations

from dydx_console.sim.core.orders import BatchCancel, Cancel, Place, SubaccountId, Transfer, Tx, TxAnswer, clob_error

SHORT_TERM_PER_BLOCK = 400
STATEFUL_LIMITS = ((1, 2), (100, 20))
"""(blocks, places within so many blocks)"""
BATCH_COST = 2
USD = 1_000_000
STATEFUL_EQUITY_TIERS = (
    (0, 0),
    (20 * USD, 1),
    (100 * USD, 5),
    (1_000 * USD, 10),
    (10_000 * USD, 100),
    (100_000 * USD, 200),
)
"""(micro-USDC of equity from which on, open stateful orders of a subaccount)"""
SHORT_TERM_EQUITY_TIERS = (*STATEFUL_EQUITY_TIERS[:-1], (100_000 * USD, 1_000))
"""Configured on the chain too, but not enforced there nor here."""


def stateful_orders_allowed(equity: int) -> int:
    """How many open stateful orders a subaccount with so much micro-USDC of equity may have."""
    return max((limit for required, limit in STATEFUL_EQUITY_TIERS if equity >= required), default=0)


class RateLimits:
    """Counts by owner address; `unlimited` owners (makers, load generators) are never refused."""

    def __init__(self, unlimited: frozenset[str]) -> None:
        self._unlimited = unlimited
        self._short_term: dict[str, int] = {}
        self._short_term_height = -1
        self._stateful: dict[str, list[int]] = {}

    def check(self, tx: Tx, height: int) -> TxAnswer | None:
        """None when the transaction is within the limits, else the refusal."""
        owner = _owner(tx)
        if owner is None or owner in self._unlimited:
            return None
        stateful = not _short_term(tx)
        if stateful:
            return self._check_stateful(owner, height) if isinstance(tx, Place) else None
        if height != self._short_term_height:
            self._short_term.clear()
            self._short_term_height = height
        count = self._short_term.get(owner, 0) + (BATCH_COST if isinstance(tx, BatchCancel) else 1)
        self._short_term[owner] = count
        return _exceeded("short-term orders and cancels") if count > SHORT_TERM_PER_BLOCK else None

    def _check_stateful(self, owner: str, height: int) -> TxAnswer | None:
        longest = max(blocks for blocks, _ in STATEFUL_LIMITS)
        recent = [h for h in self._stateful.get(owner, ()) if h > height - longest]
        recent.append(height)
        self._stateful[owner] = recent
        for blocks, limit in STATEFUL_LIMITS:
            if sum(h > height - blocks for h in recent) > limit:
                return _exceeded("stateful orders")
        return None


def _exceeded(what: str) -> TxAnswer:
    return clob_error(5001, f"block rate limit exceeded for {what}")


def _owner(tx: Tx) -> str | None:
    match tx:
        case Place(order):
            return order.id.subaccount.owner
        case Cancel(order_id):
            return order_id.subaccount.owner
        case BatchCancel(subaccount):
            return subaccount.owner
        case Transfer(SubaccountId(owner)):
            return owner
    return None


def _short_term(tx: Tx) -> bool:
    match tx:
        case Place(order):
            return order.id.short_term
        case Cancel(order_id):
            return order_id.short_term
        case BatchCancel():
            return True
    return False
