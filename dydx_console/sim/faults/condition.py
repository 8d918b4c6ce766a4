"""What is wrong with the venue, or odd about it, for as long as it is so."""

from __future__ import annotations

from dataclasses import dataclass

NODE_VERSION = "9.6.0"


@dataclass(frozen=True, slots=True)
class Faults:
    """The default value is a venue in good health. A running venue goes by a new value from its next step on.

    `indexer_lag_blocks` blocks, and all that happened since them, are known to the node but not to the Indexer yet.
    `node_catching_up` is what the node says of itself; it answers all the same. `node_version` is the application
    version in the form of the chain's own build (protocol/Makefile: the tag without `protocol/v`).
    `clock_skew_ms` is how far the venue's clock, block times included, is ahead of the machine's.
    `transactions_refused` is the (codespace, code) that every broadcast is answered with, whatever it holds; its bytes
    count as seen. `transactions_lost` has the node answer 0 to what it would take, and forget it.
    """

    indexer_lag_blocks: int = 0
    node_catching_up: bool = False
    node_version: str = NODE_VERSION
    clock_skew_ms: int = 0
    transactions_refused: tuple[str, int] | None = None
    transactions_lost: bool = False
