"""A child subaccount's update as the parent channel carries it
(dydxprotocol/v4-chain indexer/services/socks/src/helpers/from-kafka-helpers.ts)."""

from __future__ import annotations

from dydx_console.sim.indexer.rows import Message


def parent_contents(message: Message, parent: int) -> dict[str, object]:
    """A child's contents for the parent channel: a transfer between two children of it is taken out."""
    transfer = message.contents.get("transfers")
    if not isinstance(transfer, dict):
        return message.contents
    ends = (transfer["sender"], transfer["recipient"])
    inside = all(
        isinstance(end, dict)
        and end["address"] == message.address
        and isinstance(end.get("subaccountNumber"), int)
        and end["subaccountNumber"] % 128 == parent
        for end in ends
    )
    return {key: value for key, value in message.contents.items() if not (inside and key == "transfers")}
