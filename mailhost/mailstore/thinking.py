"""Threads for what takes long to think about: looking through text, sorting, indexing."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

AT_ONCE: Final = 2
"""More would not be faster: Python thinks one thought at a time. Searches beyond take turns, piece by piece."""

_threads: Final = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="search")


async def think(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` apart from the threads that read contents, so that no search keeps a FETCH waiting."""
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: work(*args, **kwargs))
