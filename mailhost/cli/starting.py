"""The start of the server, and what it tells: a table for people, or a line of JSON for programs."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mailhost import domains, observe
from mailhost.app.services import Services, data_folder
from mailhost.app.serving import serve
from mailhost.cli.first_start import Welcome, people, settings
from mailhost.web.setup import Facts


def start_up(data: Path, domain: str, *, demo: bool, any_ports: bool, as_json: bool) -> None:
    """Serve until SIGTERM or Ctrl-C, as `mailhost up` was told. Raises MailhostError in the operator's words."""
    domain = domains.normalise_domain(domain)
    with data_folder(data):
        config = settings(data, domain, demo=demo)
        observe.configure(config.log_level.value)
        welcomes: list[Welcome] = []

        async def prepare(services: Services) -> None:
            welcomes.extend(await people(services, domain, demo=demo))

        def announce(facts: Facts) -> None:
            if as_json:
                _print_json(facts, welcomes)
            else:
                _print_table(facts, welcomes, data)

        serve(config, data, prepare, announce, any_ports=any_ports)


def _print_json(facts: Facts, welcomes: Sequence[Welcome]) -> None:
    line = {
        "host": facts.host,
        "ports": facts.ports,
        "ca": str(facts.authority) if facts.authority else None,
        "pid": os.getpid(),
        "accounts": [
            {"address": each.address, "app_password": each.app_password, "password": each.password} for each in welcomes
        ],
    }
    print(json.dumps(line), flush=True)


def _print_table(facts: Facts, welcomes: Sequence[Welcome], data: Path) -> None:
    console = Console(soft_wrap=True, highlight=False)
    table = Table("service", "host name", "port", "encryption", "sign-in", title="Mailhost is running")
    for row in facts.rows(for_servers=True):
        table.add_row(row.service, row.host, str(row.port), row.encryption, row.sign_in)
    console.print(table)
    for each in welcomes:
        if each.app_password is not None:
            console.print(f"\n{each.address}\n  app password, for mail programs:  {each.app_password}")
            console.print(f"  account password, for the web:    {each.password}")
            console.print("  Both are shown only now; mailhost app-password add makes new ones.")
    if welcomes:
        console.print("\nFetch the newest message:\n")
        console.print(_curl(facts, welcomes[0]) + "\n", markup=False)
    console.print(f"Set up a mail program: {facts.base_url}/setup", markup=False)
    console.print(f"Your account in the browser: {facts.base_url}/account", markup=False)
    console.print(f"Settings: {data / 'mailhost.toml'}. Ctrl-C stops.")
    sys.stdout.flush()


def _curl(facts: Facts, welcome: Welcome) -> str:
    """A line to paste; without a password in it curl asks for one."""
    user = welcome.address if welcome.app_password is None else f"{welcome.address}:{welcome.app_password}"
    words = ["curl", "--silent", "--show-error"]
    if facts.authority is not None:
        words += ["--cacert", str(facts.authority)]
    words += ["--user", user, f"imaps://{facts.host}:{facts.ports['imaps']}/INBOX;MAILINDEX=*"]
    return " ".join(shlex.quote(word) for word in words)
