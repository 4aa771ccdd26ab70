"""Adapters of the port ``scraper``: ``http`` reads the web, ``file`` reads files and folders."""
