"""The official NodeClient places, cancels, batch-cancels, queries and permits against the simulator."""

from pathlib import Path
from typing import Any

import pytest
from signing_help import Key
from test_process import client_script, end, start

OWNER, TRADER = Key("official owner"), Key("official trader")
EXPECTED: dict[str, Any] = {
    "address": OWNER.address,
    "place": ["", 0],
    "cancel below": ["", 0],
    "cancel": ["", 0],
    "cancel again": ["sdk", 19],
    "batch cancel": ["", 0],
    "too far": ["clob", 11],
    "fill or kill": ["clob", 48],
    "wrong account number": ["sdk", 4],
    "foreign key": ["sdk", 8],
    "long-term": ["", 0],
    "second in the block": ["sdk", 32],
    "in its block": 0,
    "in state": True,
    "cancel with a nonce": ["", 0],
    "conditional": ["", 0],
    "packed cancels": ["clob", 3006],
    "transfer": ["", 0],
    "transfer in its block": 0,
    "withdraw": ["", 0],
    "deposit": ["", 0],
    "send": ["", 0],
    "register": ["", 0],
    "registered": ["AllOf"],
    "by permission": ["", 0],
    "cancel by permission": ["", 0],
    "another subaccount": ["accountplus", 104],
    "a stranger's key": ["accountplus", 104],
    "theft": ["accountplus", 104],
    "no such permission": ["accountplus", 1],
    "revoke": ["", 0],
    "after revoking": ["accountplus", 1],
}


@pytest.mark.nightly
def test_the_official_node_client_trades(tmp_path: Path) -> None:
    process, line = start("--account", OWNER.address, "--no-trader", "--block-ms", "700")
    try:
        found = client_script("official_orders.py", line, tmp_path, OWNER.secret.hex(), TRADER.secret.hex())
    finally:
        process.terminate()
        said = end(process)
    assert found == EXPECTED
    assert said == (0, "", "")
