"""The version of hotswap, as manifests are held against it. ``pyproject.toml`` reads it from here."""

__version__ = "0.1.0"
