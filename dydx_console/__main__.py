"""Entry point of `dydx-console` and of `python -m dydx_console`."""

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    from dydx_console.cli.app import app

    app()


if __name__ == "__main__":
    main()
