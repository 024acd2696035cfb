"""IMAP4rev1 as the server sees it (RFC 3501, RFC 9051 and extensions)."""
