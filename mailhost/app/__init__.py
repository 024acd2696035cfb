"""The server put together: `services` is what it stands on, `doors` what it opens, `server` how it runs and ends."""
