"""Databases for every test: a SQLite file, and a PostgreSQL server of our own that lives as long as the test run."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, open_database
from mailhost.storage.files import DiskFiles


class PostgresServer:
    """One server on a socket of its own, without fsync. `new_database` is a migrated, empty one."""

    def __init__(self, programs: Path, root: Path) -> None:
        self._programs = programs
        self.root = root
        self._numbers = itertools.count(1)
        self._has_template = False
        self._as_user: list[str] = []
        root.chmod(0o755)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(root, user.pw_uid, user.pw_gid)
            self._as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        self._run(
            "initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"
        )
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._programs / program), *arguments]
        subprocess.run(command, cwd=self.root, check=True, capture_output=True)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = [
            "listen_addresses=",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=200",
            "shared_buffers=32MB",
        ]
        command = [*self._as_user, str(self._programs / "postgres"), "-D", "data", "-k", str(self.root)]
        for setting in settings:
            command += ["-c", setting]
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.root, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        give_up = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                if time.monotonic() > give_up or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends all connections; SIGQUIT is a crash."""
        self._process.send_signal(how)
        self._process.wait(30)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@{quote(str(self.root), safe='')}/{database}"

    def execute(self, sql: str) -> None:
        with psycopg.connect(
            self.url("postgres"), autocommit=True, options="-c synchronous_commit=local"
        ) as connection:
            connection.execute(sql)

    async def new_database(self, is_bare: bool = False) -> str:
        """The URL of a fresh database, migrated or `is_bare`. Copying a migrated one takes less time than migrating."""
        if is_bare:
            return self._create("template0")
        if not self._has_template:
            self.execute("create database template_mailhost")
            await (await open_database(self.url("template_mailhost"))).close()
            self._has_template = True
        return self._create("template_mailhost")

    def _create(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        self.execute(f"create database {name} template {template} strategy file_copy")
        return self.url(name)


def _postgres_programs() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    if folders:
        return folders[0]
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    programs = _postgres_programs()
    if programs is None:
        reason = "PostgreSQL's server programs are not installed (apt-get install postgresql)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    root = Path(tempfile.mkdtemp(prefix="mailhost-pg-"))
    try:
        server = PostgresServer(programs, root)
        yield server
        server.stop()
    finally:
        shutil.rmtree(root)


@pytest.fixture(params=["sqlite", "postgres"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/mailhost.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return await server.new_database()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open, empty store, once on each engine."""
    database = await open_database(database_url, serving=True)
    yield database
    await database.close()


@pytest.fixture
def blob_files(tmp_path: Path) -> DiskFiles:
    return DiskFiles(tmp_path / "blobs")


@pytest.fixture
def blobs(database: Database, blob_files: DiskFiles) -> Blobs:
    return Blobs(database, blob_files)
