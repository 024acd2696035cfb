"""The domains we are responsible for."""
