"""Adapters of the port ``ai``, one module each; importing one pays for its technology."""
