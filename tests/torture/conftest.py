"""One server that everything in this folder is thrown at."""

from collections.abc import Iterator

import pytest

from tests.running import Account, Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the relaxed limits of `--demo`; it must still stop in good order at the end."""
    with running(tmp_path_factory.mktemp("torture") / "data", "--demo") as server:
        yield server


@pytest.fixture(scope="session")
def account(server: Server) -> Account:
    """The account that the tests sign in to when they must."""
    return server.new_account()
