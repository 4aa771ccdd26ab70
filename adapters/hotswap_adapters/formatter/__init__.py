"""Adapters of the port ``formatter``."""
