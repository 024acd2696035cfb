"""Sockets: streams with deadlines and TLS, listeners, certificates."""
