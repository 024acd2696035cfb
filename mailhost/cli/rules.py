"""`mailhost account rules` and `mailhost domain rules`: protocols and limits that differ from the settings."""

from __future__ import annotations

from pathlib import Path

import click

from mailhost.cli.options import data_option, plainly


@click.command(name="rules")
@click.argument("address")
@click.argument("changes", nargs=-1)
@data_option
@plainly
def account_rules(address: str, changes: tuple[str, ...], data: Path) -> None:
    """Show or change what one account may, such as imap=off imap_connections=20 imap_download=5000000000 unusual=alert.

    NAME=default leaves it to the domain again. Sessions heed it when they sign in next.
    """
    from mailhost import accounts
    from mailhost.cli.steps.rules import changed_rules, run_and_show
    from mailhost.limits import Rules
    from mailhost.login.enrol import account_at
    from mailhost.storage.database import Tx

    def work(tx: Tx) -> Rules:
        account = account_at(tx, address)
        rules = changed_rules(accounts.rules_of_account(tx, account.id), changes)
        if changes:
            accounts.set_rules(tx, account.id, rules)
        return rules

    run_and_show(work, data, "those of the domain hold, and the settings.")


@click.command(name="rules")
@click.argument("name")
@click.argument("changes", nargs=-1)
@data_option
@plainly
def domain_rules(name: str, changes: tuple[str, ...], data: Path) -> None:
    """Show or change what the accounts of a domain may; as `mailhost account rules`, whose rules go first."""
    from mailhost import domains
    from mailhost.cli.steps.rules import changed_rules, run_and_show
    from mailhost.limits import Rules
    from mailhost.login.enrol import domain_at
    from mailhost.storage.database import Tx

    def work(tx: Tx) -> Rules:
        domain = domain_at(tx, name)
        rules = changed_rules(domains.rules_of_domain(tx, domain.id), changes)
        if changes:
            domains.set_rules(tx, domain.id, rules)
        return rules

    run_and_show(work, data, "the settings hold.")
