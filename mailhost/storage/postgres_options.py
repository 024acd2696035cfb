"""What can be tuned on PostgreSQL, without its driver, which stores in a file never load."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """What can be tuned."""

    readers: int = 4
    writers: int = 8
    queue_limit: int = 20_000  # waiting works of a kind; more are refused
    deadline_seconds: float = 30.0  # for one transaction; and how long a lost server is waited for
