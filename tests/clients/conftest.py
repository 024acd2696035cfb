"""One running Mailhost for all real clients of a worker, and an empty account for each test."""

from collections.abc import Iterator

import pytest

from mailhost.mailstore import Layout
from tests.running import Account, Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`mailhost up --demo`, stopped by SIGTERM at the end."""
    with running(tmp_path_factory.mktemp("mailhost") / "data", "--demo") as server:
        yield server


@pytest.fixture
def account(server: Server) -> Account:
    """An account that nobody else uses."""
    return server.new_account()


@pytest.fixture
def labelled(server: Server) -> Account:
    """An account that shows labels, as Gmail does."""
    return server.new_account(Layout.GMAIL)


@pytest.fixture
def friend(server: Server) -> Account:
    """A second one, to write to."""
    return server.new_account()
