"""Mail waiting to leave: attempts and back-off."""
