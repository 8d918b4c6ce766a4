"""The tables, as numbered migrations.

A migration that has been released is never changed: what it made is on people's disks. Amounts are TEXT, exactly as
the decimal was written; times are INTEGER microseconds since 1970 UTC; `key` and `at` columns give pages their order.
"""

from typing import NamedTuple

__all__ = ["APPLICATION_ID", "MIGRATIONS", "OLDEST_SQLITE", "Migration"]

APPLICATION_ID = 0x44594458
"""Marks a file as a journal of this console in its header: the letters DYDX."""

OLDEST_SQLITE = (3, 27, 0)
"""The first SQLite with upserts and `VACUUM INTO`."""


class Migration(NamedTuple):
    """The statements that lead from schema `number` − 1 to schema `number`."""

    number: int
    statements: tuple[str, ...]


_FIRST = Migration(
    1,
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE fills (
            id TEXT NOT NULL PRIMARY KEY,
            subaccount INTEGER NOT NULL,
            market TEXT NOT NULL,
            side TEXT NOT NULL,
            liquidity TEXT NOT NULL,
            type TEXT NOT NULL,
            price TEXT NOT NULL,
            size TEXT NOT NULL,
            fee TEXT NOT NULL,
            height INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            order_id TEXT,
            builder_fee TEXT,
            client_metadata TEXT,
            event_id TEXT,
            transaction_hash TEXT,
            position_size_before TEXT,
            entry_price_before TEXT,
            position_side_before TEXT,
            place INTEGER
        )""",
        "CREATE INDEX fills_by_time ON fills (created_at, id)",
        "CREATE INDEX fills_by_market ON fills (market, created_at, id)",
        "CREATE INDEX fills_by_order ON fills (order_id, created_at, id) WHERE order_id IS NOT NULL",
        """CREATE TABLE orders (
            id TEXT NOT NULL PRIMARY KEY,
            subaccount INTEGER,
            client_id TEXT,
            clob_pair_id TEXT,
            market TEXT,
            side TEXT,
            type TEXT,
            time_in_force TEXT,
            post_only INTEGER,
            reduce_only INTEGER,
            flags TEXT,
            price TEXT,
            trigger_price TEXT,
            size TEXT,
            total_filled TEXT,
            status TEXT,
            removal_reason TEXT,
            good_til_block INTEGER,
            good_til_time INTEGER,
            client_metadata TEXT,
            created_at INTEGER,
            created_at_height INTEGER,
            updated_at INTEGER,
            updated_at_height INTEGER,
            filled TEXT NOT NULL,
            average_fill_price TEXT,
            reason_source TEXT,
            shown TEXT,
            shown_type TEXT,
            placed_at INTEGER NOT NULL,
            noted_at INTEGER NOT NULL,
            revision INTEGER NOT NULL
        )""",
        "CREATE INDEX orders_by_time ON orders (placed_at, id)",
        "CREATE INDEX orders_by_status ON orders (shown, placed_at, id)",
        "CREATE INDEX orders_by_market ON orders (market, placed_at, id)",
        """CREATE TABLE order_hops (
            order_id TEXT NOT NULL REFERENCES orders (id),
            standing TEXT NOT NULL,
            revision INTEGER NOT NULL,
            at INTEGER NOT NULL,
            height INTEGER,
            source TEXT NOT NULL,
            shown TEXT,
            status TEXT,
            removal_reason TEXT,
            reason_source TEXT,
            filled TEXT NOT NULL,
            size TEXT,
            price TEXT,
            good_til_block INTEGER,
            good_til_time INTEGER,
            updated_at_height INTEGER,
            PRIMARY KEY (order_id, standing)
        ) WITHOUT ROWID""",
        """CREATE TABLE positions (
            subaccount INTEGER NOT NULL,
            market TEXT NOT NULL,
            net_size TEXT NOT NULL,
            status TEXT NOT NULL,
            height INTEGER,
            position_id TEXT,
            max_size TEXT,
            entry_price TEXT,
            exit_price TEXT,
            sum_open TEXT,
            sum_close TEXT,
            net_funding TEXT,
            venue_realized_pnl TEXT,
            opened_at INTEGER,
            opened_at_height INTEGER,
            average_cost TEXT,
            realized TEXT,
            fees TEXT,
            funding TEXT,
            life_opened_at INTEGER,
            noted_at INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            PRIMARY KEY (subaccount, market)
        )""",
        """CREATE TABLE lives (
            key TEXT NOT NULL PRIMARY KEY,
            subaccount INTEGER NOT NULL,
            market TEXT NOT NULL,
            opened_by TEXT,
            side TEXT NOT NULL,
            opened_at INTEGER NOT NULL,
            opened_height INTEGER,
            closed_at INTEGER,
            closed_height INTEGER,
            max_size TEXT NOT NULL,
            entry_price TEXT,
            exit_price TEXT,
            realized TEXT NOT NULL,
            fees TEXT NOT NULL,
            funding TEXT,
            fills INTEGER NOT NULL,
            is_complete INTEGER NOT NULL
        )""",
        "CREATE INDEX lives_by_time ON lives (opened_at, key)",
        "CREATE INDEX lives_by_position ON lives (subaccount, market)",
        """CREATE TABLE transfers (
            key TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            id TEXT,
            type TEXT NOT NULL,
            size TEXT NOT NULL,
            asset TEXT NOT NULL,
            sender TEXT NOT NULL,
            sender_subaccount INTEGER,
            recipient TEXT NOT NULL,
            recipient_subaccount INTEGER,
            created_at INTEGER NOT NULL,
            height INTEGER NOT NULL,
            transaction_hash TEXT,
            is_shown INTEGER NOT NULL
        )""",
        "CREATE INDEX transfers_by_time ON transfers (created_at, key)",
        "CREATE INDEX transfers_by_name ON transfers (name)",
        """CREATE TABLE funding (
            key TEXT NOT NULL PRIMARY KEY,
            subaccount INTEGER NOT NULL,
            market TEXT NOT NULL,
            payment TEXT NOT NULL,
            rate TEXT NOT NULL,
            net_size TEXT NOT NULL,
            oracle_price TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            height INTEGER NOT NULL
        )""",
        "CREATE INDEX funding_by_time ON funding (created_at, key)",
        """CREATE TABLE rewards (
            key TEXT NOT NULL PRIMARY KEY,
            amount TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            height INTEGER NOT NULL
        )""",
        "CREATE INDEX rewards_by_time ON rewards (created_at, key)",
        """CREATE TABLE equity (
            key TEXT NOT NULL PRIMARY KEY,
            parent INTEGER NOT NULL,
            at INTEGER NOT NULL,
            height INTEGER,
            equity TEXT,
            free_collateral TEXT,
            net_pnl TEXT
        )""",
        "CREATE INDEX equity_by_time ON equity (at, key)",
        """CREATE TABLE intents (
            id TEXT NOT NULL PRIMARY KEY,
            created_at INTEGER NOT NULL,
            kind TEXT NOT NULL,
            payload TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'WRITTEN',
            last_step INTEGER NOT NULL DEFAULT 0,
            settled_at INTEGER
        )""",
        "CREATE INDEX intents_open ON intents (created_at, id) WHERE settled_at IS NULL",
        """CREATE TABLE intent_steps (
            intent_id TEXT NOT NULL REFERENCES intents (id),
            number INTEGER NOT NULL,
            state TEXT NOT NULL,
            at INTEGER NOT NULL,
            height INTEGER,
            source TEXT,
            bytes_hash TEXT,
            code INTEGER,
            text TEXT,
            PRIMARY KEY (intent_id, number)
        ) WITHOUT ROWID""",
        """CREATE TABLE error_metrics (
            run INTEGER NOT NULL,
            kind TEXT NOT NULL,
            source TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            count INTEGER NOT NULL,
            last_at INTEGER NOT NULL,
            last_text TEXT NOT NULL,
            first_at INTEGER,
            PRIMARY KEY (run, kind, source, endpoint)
        )""",
        "CREATE INDEX error_metrics_by_time ON error_metrics (last_at)",
        """CREATE TABLE cursors (
            source TEXT NOT NULL PRIMARY KEY,
            at INTEGER NOT NULL,
            read INTEGER,
            total INTEGER,
            newest_id TEXT,
            newest_at INTEGER,
            newest_height INTEGER,
            oldest_at INTEGER,
            oldest_height INTEGER,
            is_complete INTEGER NOT NULL
        )""",
    ),
)

_SECOND = Migration(
    2,
    (
        "ALTER TABLE fills ADD COLUMN closed_pnl TEXT",
        "ALTER TABLE fills ADD COLUMN net_size TEXT",
        "ALTER TABLE fills ADD COLUMN average_cost TEXT",
        "ALTER TABLE fills ADD COLUMN is_booked INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX fills_unbooked ON fills (created_at, id) WHERE is_booked = 0",
        "ALTER TABLE funding ADD COLUMN is_booked INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX funding_unbooked ON funding (subaccount, market, height) WHERE is_booked = 0",
        "CREATE INDEX funding_by_position ON funding (subaccount, market, height)",
        "ALTER TABLE equity ADD COLUMN since INTEGER",
        """CREATE TABLE books (
            subaccount INTEGER NOT NULL,
            market TEXT NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (subaccount, market)
        ) WITHOUT ROWID""",
    ),
)

MIGRATIONS = (_FIRST, _SECOND)
