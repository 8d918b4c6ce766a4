"""An engine tells of an Indexer that trails the node, as it is on its way from the exchange to the mailbox."""

import time

from venues import engine_on, exchange, network_of


def test_an_indexer_that_trails_the_node_is_told_by_the_engine() -> None:
    with exchange("--block-ms", "1000", "--indexer-lag-blocks", "40") as venue:
        engine = engine_on(network_of(venue), venue.account)
        engine.start()
        try:
            told: list[str] = []
            deadline = time.monotonic() + 20.0
            while not any("The Indexer trails the chain" in text for text in told):
                assert time.monotonic() < deadline, told
                assert engine.failure is None
                told += [notice.text for notice in engine.mailbox.take().notices]
                time.sleep(0.05)
        finally:
            assert engine.stop()
