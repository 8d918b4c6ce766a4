"""The one error of this room."""

__all__ = ["ConfigError"]


class ConfigError(Exception):
    """A configuration that cannot be used; each line names file and line, variable or option, and what is allowed."""
