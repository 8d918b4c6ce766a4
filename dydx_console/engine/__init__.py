"""The composition root: sources, state, mailbox, started and stopped together."""
