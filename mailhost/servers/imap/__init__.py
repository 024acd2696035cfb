"""The IMAP door."""
