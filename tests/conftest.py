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
from hypothesis import settings

from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, open_database
from mailhost.storage.files import DiskFiles

settings.register_profile("mailhost", deadline=None)  # a busy machine is no failure
settings.load_profile("mailhost")

_TEMPLATE = "template_mailhost"

_COUNT_OBJECTS = """
select (select count(*) from pg_class where relnamespace = 'public'::regnamespace),
    (select count(*) from pg_proc where pronamespace = 'public'::regnamespace),
    (select count(*) from pg_trigger),
    (select count(*) from migration)
"""

_END_OTHERS = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
"""

_EMPTY_ALL_TABLES = """
do $$ declare filled regclass; begin
    for filled in select oid from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
        and relname <> 'migration' and pg_relation_size(oid) > 0
    loop execute format('truncate %s', filled); end loop;
end $$
"""


class PostgresServer:
    """One server on a socket of its own, without fsync, and its databases: made once, emptied after each test."""

    def __init__(self, programs: Path, root: Path) -> None:
        self._programs = programs
        self.root = root
        self._numbers = itertools.count(1)
        self._objects: tuple[int, ...] = ()
        self._free: list[str] = []
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

    async def new_database(self) -> str:
        """The URL of an empty, migrated database; give it back with `release`."""
        if self._free:
            return self.url(self._free.pop())
        if not self._objects:
            template = self.url(self._create(_TEMPLATE, "template0"))
            await (await open_database(template)).close()
            self._objects = self._count_objects(template)
        return self.url(self._create(f"test_{next(self._numbers)}", _TEMPLATE))

    def new_bare_database(self) -> str:
        """The URL of a database without a schema; `drop` it afterwards."""
        return self.url(self._create(f"test_{next(self._numbers)}", "template0"))

    def release(self, url: str) -> None:
        """Empty the database for the next test, or drop it when its schema is no longer the usual one."""
        if self._count_objects(url) == self._objects:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(_END_OTHERS)  # whose clients have hung up in the middle of something
                connection.execute(_EMPTY_ALL_TABLES)
            self._free.append(url.rpartition("/")[2])
        else:
            self.drop(url)

    def drop(self, url: str) -> None:
        """Remove the database."""
        self.execute(f"drop database {url.rpartition('/')[2]} with (force)")

    def _create(self, name: str, template: str) -> str:
        self.execute(f"create database {name} template {template} strategy file_copy")
        return name

    @staticmethod
    def _count_objects(url: str) -> tuple[int, ...]:
        with psycopg.connect(url) as connection:
            return connection.execute(_COUNT_OBJECTS).fetchone() or ()


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
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an empty store, once on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/mailhost.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = await server.new_database()
    yield url
    server.release(url)


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
