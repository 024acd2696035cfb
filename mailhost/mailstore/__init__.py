"""The mail model: mailboxes, messages, placements, changes, usage, sweep."""
