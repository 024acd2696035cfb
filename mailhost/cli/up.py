"""`mailhost up`: start the server in the foreground; the first start sets everything up."""

from pathlib import Path
from typing import Final

import click

from mailhost.cli.options import data_option, plainly

DEFAULT_DOMAIN: Final = "example.test"


@click.command()
@data_option
@click.option("--domain", default=DEFAULT_DOMAIN, show_default=True, help="The first domain, at the first start.")
@click.option("--demo", is_flag=True, help="Add a second account and realistic mail; relax the limits for good.")
@click.option("--ports", type=click.Choice(["auto"]), help="auto: take free ports instead of the set ones.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON once every port accepts.")
@plainly
def up(data: Path, domain: str, demo: bool, ports: str | None, as_json: bool) -> None:
    """Start the server, in the foreground until SIGTERM or Ctrl-C.

    The first start makes the data folder with mailhost.toml, an authority and a certificate, the first domain and the
    first account, whose app password is shown once. Later starts ask nothing.
    """
    from mailhost.cli.starting import start_up  # loads the whole server, which help does not wait for

    start_up(data, domain, demo=demo, any_ports=ports == "auto", as_json=as_json)
