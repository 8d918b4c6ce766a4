"""Pure decisions about networks and permissions."""
