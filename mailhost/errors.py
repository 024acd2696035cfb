"""The root of every error that is Mailhost's own word for what happened.

A model raises what happened; each door has one table from these types to its protocol's words.
"""


class MailhostError(Exception):
    """Something Mailhost refuses or cannot do, said in the model's own words."""
