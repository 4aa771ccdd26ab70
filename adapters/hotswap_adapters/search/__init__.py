"""Adapters of the port ``search``, one module each; importing one pays for its technology."""
