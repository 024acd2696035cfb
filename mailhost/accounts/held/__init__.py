"""Sign-ins that wait for their owner's word."""
