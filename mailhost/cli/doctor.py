"""`mailhost doctor`: why mail does not work, at any provider, for a domain, on our own server, and while it happens."""

from __future__ import annotations

from pathlib import Path

import click

from mailhost.cli.doctor_own import server, watch
from mailhost.cli.options import Group, data_option, diagnosis_options, plainly


@click.group(cls=Group)
def doctor() -> None:
    """Find out why mail does not work.

    Exit codes: 0 nothing is wrong, 3 there is a warning, 4 a cause was found.
    """


doctor.add_command(server)
doctor.add_command(watch)


@doctor.command()
@click.argument("address")
@click.option("--provider", default="auto", show_default=True, metavar="NAME", help="Take this provider's settings.")
@click.option("--protocol", "protocols", default="imap,smtp", show_default=True)
@click.option(
    "--server",
    "servers",
    multiple=True,
    metavar="PROTOCOL=HOST[:PORT][/tls|/starttls|/none]",
    help="What the mail program is set to. Can be given several times.",
)
@click.option("--from-message", "message", default="", metavar="TEXT", help="What the mail program says.")
@click.option("--password-stdin", is_flag=True, help="Sign in, with the password on standard input.")
@click.option("--oauth", is_flag=True, help="Sign in, with an OAuth access token on standard input.")
@diagnosis_options
@data_option
@plainly
def client(
    address: str,
    provider: str,
    protocols: str,
    servers: tuple[str, ...],
    message: str,
    password_stdin: bool,
    oauth: bool,
    as_json: bool,
    language: str,
    resolver: str | None,
    ca: Path | None,
    data: Path,
) -> None:
    """Find out why a mail program of ADDRESS does not connect, here or at any provider."""
    from mailhost.cli.steps.doctor import chosen_protocols, chosen_servers, finish, read_secret
    from mailhost.doctor.client import Question, diagnose
    from mailhost.doctor.providers import known_providers
    from mailhost.doctor.signin import Credentials

    if password_stdin and oauth:
        raise click.UsageError("Give either --password-stdin or --oauth.")
    asked = chosen_protocols(protocols), provider, chosen_servers(servers), message
    credentials = Credentials(address, read_secret(), oauth) if password_stdin or oauth else None
    question = Question(address, *asked, credentials)
    providers = known_providers(data)
    finish(
        lambda world, progress: diagnose(question, world, providers, progress),
        as_json=as_json,
        language=language,
        resolver=resolver,
        ca=ca,
    )


@doctor.command()
@click.argument("name")
@diagnosis_options
@plainly
def domain(name: str, as_json: bool, language: str, resolver: str | None, ca: Path | None) -> None:
    """Check what the world looks up about the mail domain NAME, and its mail exchangers."""
    from mailhost.cli.steps.doctor import finish
    from mailhost.doctor.domain import diagnose_domain

    finish(
        lambda world, progress: diagnose_domain(name, world, progress),
        as_json=as_json,
        language=language,
        resolver=resolver,
        ca=ca,
    )


@doctor.command(name="import-providers")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@data_option
@plainly
def import_providers(folder: Path, data: Path) -> None:
    """Take in a copy of Mozilla's autoconfig database (XML files in FOLDER); `doctor client` uses it from then on."""
    from mailhost.doctor.isp_database import import_folder

    taken, skipped = import_folder(folder, data)
    click.echo(f"{taken} providers are known from {folder}; {skipped} files hold none.")
