"""The shapes every user of the store sees: `Tx`, `Database`, `Watch`.

A transaction is a plain function `work(tx, …)`. It runs in a thread, perhaps twice, and touches nothing but `tx`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Value = int | str | bytes | float | None
"""What a column holds."""

Row = tuple[Any, ...]
"""One row of an answer, in the order of the select list."""

Column = Sequence[Any]
"""One value of each row, in the order of the rows."""

Engine = Literal["sqlite", "postgres"]
"""Which database stands behind a `Tx`; SQL that has to differ asks for it."""


class Tx(Protocol):
    """One running transaction. Valid only inside the `work` it was given to."""

    @property
    def engine(self) -> Engine:
        """Which database this is."""

    def execute(self, sql: str, /, **parameters: Value) -> list[Row]:
        """Run one statement with `:name` parameters; returns all its rows. What it raises must not be caught."""

    def change(self, sql: str, /, **parameters: Value) -> int:
        """Run one statement that changes rows and tells none; how many."""

    def execute_many(self, sql: str, /, rows: Iterable[Mapping[str, Value]]) -> None:
        """Run one statement once per row of parameters; answers of the statements are thrown away."""

    def wake(self, topic: str) -> None:
        """Wake all watchers of `topic` once this transaction is committed, and not at all when it is not."""


class Watch(Protocol):
    """A standing interest in a topic."""

    def close(self) -> None:
        """End the interest; the callback is not called again."""


class Database(Protocol):
    """The store of rows. Belongs to the event loop that opened it."""

    @property
    def engine(self) -> Engine:
        """Which database this is."""

    @property
    def unclean(self) -> bool:
        """Whether the store may have lost relaxed writes since it last served (no clean shutdown was recorded)."""

    @property
    def queries(self) -> int:
        """Statements run so far; for tests and benchmarks."""

    async def read(self, work: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` in a thread on one snapshot; it must not write."""

    async def point(self, work: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work`, which reads a handful of rows by key: SQLite runs it where it stands, PostgreSQL in a thread."""

    async def write(self, work: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` and commit; durable when this returns. Raises what `work` raises, after undoing it."""

    async def write_relaxed(self, work: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Like `write`, but only safe from kill -9 when this returns; safe from power loss within a second."""

    def watch(self, topic: str, callback: Callable[[], None]) -> Watch:
        """Call `callback` on the loop's thread after each commit that woke `topic`. A wake-up carries no news and
        may come for nothing."""

    async def close(self) -> None:
        """Finish what was asked for, record the clean shutdown, and let go of the store."""
