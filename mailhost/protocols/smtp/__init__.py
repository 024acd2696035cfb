"""SMTP and LMTP, server and client side (RFC 5321, RFC 2033, RFC 6409)."""
