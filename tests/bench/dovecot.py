"""Dovecot from Debian's packages, set up in a temporary folder: its defaults, sdbox, LMTP and IMAP on loopback."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.bench.processes import Account, free_ports, tree, wait_for_port
from tests.bench.works import DOVECOT, DOVECOT_INDEXED

PACKAGES = "dovecot-imapd dovecot-lmtpd dovecot-pop3d"
INDEXING_PACKAGE = "dovecot-fts-xapian"
PASSWORD = "bench-bench-bench"
# Limits raised so that thousands of sessions from one address fit; nothing that changes how the work is done.
CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
protocols = imap lmtp pop3
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no
mail_location = sdbox:~/sdbox
mail_max_userip_connections = 100000
mailbox_list_index = yes
first_valid_uid = 1
default_process_limit = 20000
default_client_limit = 60000
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/users/%u
}}
service anvil {{
  client_limit = 80000
}}
service auth {{
  client_limit = 80000
}}
service imap {{
  process_limit = 20000
  {reuse}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
  {login_reuse}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service lmtp {{
  user = {user}
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
protocol lmtp {{
  postmaster_address = postmaster@example.test
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""
# As its README says; `partial` is the shortest piece of a word that is indexed.
INDEXING = """
mail_plugins = fts fts_xapian
plugin {
  fts = xapian
  fts_xapian = partial=3 full=20
  fts_autoindex = yes
  fts_enforced = yes
}
service indexer-worker {
  vsz_limit = 2G
}
"""


def write_certificate(folder: Path) -> None:
    """A self-signed ECDSA P-256 certificate, the kind that Mailhost makes."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, none))


class Dovecot:
    """One Dovecot of our own. `reuse` lets login and imap processes serve many sessions, which is not its default."""

    def __init__(self, accounts: int, *, indexes: bool = False) -> None:
        if shutil.which("dovecot") is None or os.geteuid() != 0:
            raise SystemExit(f"The comparison needs root and Dovecot: apt-get install {PACKAGES}")
        if indexes and not list(Path("/usr/lib/dovecot/modules").glob("lib*_fts_xapian_plugin.so")):
            raise SystemExit(f"The lines about full text need Dovecot's plugin: apt-get install {INDEXING_PACKAGE}")
        self.name = DOVECOT_INDEXED if indexes else DOVECOT
        self.folder = Path(tempfile.mkdtemp(prefix="bench-dovecot-"))
        self.folder.chmod(0o755)
        self.accounts = [Account(f"u{number}@example.test", PASSWORD) for number in range(accounts)]
        self.ports = free_ports("imap", "imaps", "pop3", "pop3s", "lmtp")
        self.process: subprocess.Popen[bytes] | None = None
        owner = pwd.getpwnam("mail")
        users = self.folder / "users"
        users.mkdir()
        os.chown(users, owner.pw_uid, owner.pw_gid)
        write_certificate(self.folder)
        self.start()

    def start(self, reuse: bool = False) -> None:
        """Write the configuration and start; stops first when it runs."""
        self.stop()
        owner = pwd.getpwnam("mail")
        values = {
            "folder": self.folder, "uid": owner.pw_uid, "gid": owner.pw_gid, "user": "mail", "password": PASSWORD,
            "reuse": "service_count = 100000\n  process_min_avail = 8" if reuse else "",
            "login_reuse": "service_count = 0\n  process_min_avail = 2" if reuse else "",
        }  # fmt: skip
        file = self.folder / "dovecot.conf"
        indexing = INDEXING if self.name == DOVECOT_INDEXED else ""
        file.write_text(CONFIG.format(**values, **self.ports) + indexing, encoding="utf-8")
        self.process = subprocess.Popen(["dovecot", "-F", "-c", str(file)], stderr=subprocess.DEVNULL)
        wait_for_port(self.ports["imap"])

    def pids(self) -> list[int]:
        """The master and every process below it."""
        assert self.process is not None
        return tree(self.process.pid)

    def stop(self) -> None:
        """SIGTERM, and wait: its children end before it does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None
            time.sleep(0.2)

    def close(self) -> None:
        """Stop and remove everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
