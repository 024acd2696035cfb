"""What commands do once they are called. Importing it loads the service, so commands do that when they run."""
