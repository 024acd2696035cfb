"""Where and with which program each credential has been right."""
