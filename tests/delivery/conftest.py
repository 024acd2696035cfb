"""Deliveries are tested on both engines, in the house the doors are tested in."""

from tests.servers.conftest import certificate, house

__all__ = ["certificate", "house"]
