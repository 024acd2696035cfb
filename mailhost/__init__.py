"""Mailhost: a mail service people run themselves."""

__version__ = "0.1.0"
