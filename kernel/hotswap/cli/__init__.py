"""The command line ``hotswap``: the only place that knows click and rich."""

from hotswap.cli.entry import main

__all__ = ["main"]
