"""The journal: the console's own history of one address on one chain, in SQLite. docs/journal.md says what is kept."""
