"""The lines that the set-up page gives for mutt and NeoMutt, copied as they stand."""

import html
import imaplib
import re
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.running import Account, Server, needs, run


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_the_lines_of_the_page_send_mail(server: Server, account: Account, tmp_path: Path, program: str) -> None:
    path = needs(program, program)
    query = urllib.parse.urlencode({"address": account.address})
    with urllib.request.urlopen(f"http://localhost:{server.ports['http']}/setup?{query}") as answer:
        page = answer.read().decode()
    [lines] = re.findall(r'id="mutt".*?<pre data-copy><code>(.*?)</code></pre>', page, re.DOTALL)
    typed = f'set imap_pass = "{account.password}"\nset smtp_pass = "{account.password}"\n'
    (tmp_path / "muttrc").write_text(f'{html.unescape(lines)}{typed}set ssl_ca_certificates_file = "{server.ca}"\n')
    command = [path, "-n", "-F", tmp_path / "muttrc", "-s", f"By {program}", account.address]
    run(command, "As the page says.\n", HOME=str(tmp_path), TERM="dumb")
    with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls()) as box:
        box.login(account.address, account.password)
        assert box.select("INBOX", readonly=True)[1] == [b"1"]
        assert box.search(None, "SUBJECT", f'"By {program}"')[1] == [b"1"]
