"""Adapters of the port ``storage``, one module each; importing one pays for its technology."""
