"""What is known of the validator node in use: its head, its chain, and whether the Indexer is on the same one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the banner imports this before the first screen is painted
    from datetime import datetime

    from dydx_console.domain.chain import BlockHead, NodeInfo

__all__ = ["NO_NODE", "NodeView", "NodeWatch"]


@dataclass(frozen=True, slots=True)
class NodeView:
    """The node at a moment; None is not known.

    `age_s` is how long ago its head was heard. `lag_blocks` is how far the Indexer trails it (negative: the node
    trails). `binding` is BOUND, MISMATCH or UNKNOWN, with the reason; `contradiction` says what of the evidence
    contradicts the configuration, `failure` why the last question to it failed.
    """

    height: int | None = None
    time: datetime | None = None
    endpoint: str | None = None
    chain_id: str | None = None
    version: str | None = None
    syncing: bool | None = None
    binding: str | None = None
    binding_reason: str | None = None
    contradiction: str | None = None
    failure: str | None = None
    age_s: float | None = None
    lag_blocks: int | None = None


NO_NODE = NodeView()
"""Nothing is known of a node."""


class NodeWatch:
    """Keeps the newest answers of the node in use."""

    def __init__(self) -> None:
        self._head: BlockHead | None = None
        self._heard_at = 0.0
        self._info: NodeInfo | None = None
        self._syncing: bool | None = None
        self._binding: tuple[str, str] | None = None
        self._contradiction: str | None = None
        self._failure: str | None = None

    def head(self, head: BlockHead, at: float) -> None:
        """Note the newest block of the node in use."""
        self._head, self._heard_at, self._failure = head, at, None

    def failed(self, text: str) -> None:
        """Note that no node answered; what was heard stays, and its age grows."""
        self._failure = text

    def checked(
        self, info: NodeInfo | None, syncing: bool | None, binding: tuple[str, str], contradiction: str | None
    ) -> None:
        """Note what the node says of itself, and how it compared with the Indexer."""
        self._info, self._syncing, self._binding, self._contradiction = info, syncing, binding, contradiction

    def view(self, at: float, indexer_height: int | None) -> NodeView:
        """Return what is known at a moment."""
        head, info = self._head, self._info
        state, reason = self._binding or (None, None)
        told_chain = None if info is None else info.chain_id
        return NodeView(
            height=None if head is None else head.height,
            time=None if head is None else head.time,
            endpoint=None if head is None else head.source,
            chain_id=told_chain if head is None or head.chain_id is None else head.chain_id,
            version=None if info is None else info.version,
            syncing=self._syncing,
            binding=state,
            binding_reason=reason,
            contradiction=self._contradiction,
            failure=self._failure,
            age_s=None if head is None else max(at - self._heard_at, 0.0),
            lag_blocks=None if head is None or indexer_height is None else head.height - indexer_height,
        )
