"""POP3 as the server sees it (RFC 1939 and extensions)."""
