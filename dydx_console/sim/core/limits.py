"""Per-owner order limits of CheckTx: 400 short-term places and cancels a block, 2 stateful places a block and 20 per
100 blocks (the genesis values of dydxprotocol/v4-chain; codespace clob, code 5001). Failed attempts count; stateful
cancels do not."""

from __future__ import annotations

from dydx_console.sim.core.orders import BatchCancel, Cancel, Place, SubaccountId, Transfer, Tx, TxAnswer, clob_error

SHORT_TERM_PER_BLOCK = 400
STATEFUL_PER_BLOCK = 2
STATEFUL_PER_100_BLOCKS = 20
BATCH_COST = 2


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
        recent = [h for h in self._stateful.get(owner, ()) if h > height - 100]
        recent.append(height)
        self._stateful[owner] = recent
        if recent.count(height) > STATEFUL_PER_BLOCK or len(recent) > STATEFUL_PER_100_BLOCKS:
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
