"""The domains that receive mail here, as rows."""

from mailhost.domains.model import Domain, DomainExists, NoSuchDomain
from mailhost.limits import Rules, read_rules
from mailhost.storage.database import Row, Tx
from mailhost.storage.sql import take_id


def add_domain(tx: Tx, name: str, now: int) -> Domain:
    """Make the domain ours. `name` went through normalise_domain. Raises DomainExists."""
    domain_id = take_id(tx, "domain")
    rows = tx.execute(
        """insert into domain (id, name, administrator_id, created_at) values (:id, :name, null, :now)
        on conflict (name) do nothing returning id""",
        id=domain_id,
        name=name,
        now=now,
    )
    if not rows:
        raise DomainExists(f"The domain {name} is here already.")
    return Domain(domain_id, name, None, now)


def find_domain(tx: Tx, name: str) -> Domain | None:
    """The domain of this normalised name, or None when it is not ours."""
    rows = tx.execute("select id, name, administrator_id, created_at, layout from domain where name = :name", name=name)
    return _domain(rows[0]) if rows else None


def get_domain(tx: Tx, domain_id: int) -> Domain:
    """The domain of this id. Raises NoSuchDomain."""
    rows = tx.execute("select id, name, administrator_id, created_at, layout from domain where id = :id", id=domain_id)
    if not rows:
        raise NoSuchDomain
    return _domain(rows[0])


def list_domains(tx: Tx, at_most: int = 100_000) -> list[Domain]:
    """Our domains, the oldest first."""
    rows = tx.execute(
        "select id, name, administrator_id, created_at, layout from domain order by id limit :at_most",
        at_most=at_most,
    )
    return [_domain(row) for row in rows]


def set_rules(tx: Tx, domain_id: int, rules: Rules) -> None:
    """Let the domain's accounts have rules of their own, for sign-ins from now on. Raises NoSuchDomain."""
    rows = tx.execute(
        "update domain set rules = :rules where id = :domain_id returning id",
        domain_id=domain_id,
        rules=rules.to_text(),
    )
    if not rows:
        raise NoSuchDomain


def rules_of_domain(tx: Tx, domain_id: int) -> Rules:
    """What the domain's own rules say. Raises NoSuchDomain."""
    rows = tx.execute("select rules from domain where id = :domain_id", domain_id=domain_id)
    if not rows:
        raise NoSuchDomain
    return read_rules(rows[0][0])


def set_administrator(tx: Tx, domain_id: int, account_id: int | None) -> None:
    """Name the account that gets the domain's postmaster and abuse mail. Raises NoSuchDomain."""
    rows = tx.execute(
        "update domain set administrator_id = :account_id where id = :domain_id returning id",
        account_id=account_id,
        domain_id=domain_id,
    )
    if not rows:
        raise NoSuchDomain


def set_layout(tx: Tx, domain_id: int, layout: str) -> None:
    """Say how new accounts of the domain show their mail; '' leaves it to the settings. Raises NoSuchDomain."""
    rows = tx.execute(
        "update domain set layout = :layout where id = :domain_id returning id", layout=layout, domain_id=domain_id
    )
    if not rows:
        raise NoSuchDomain


def _domain(row: Row) -> Domain:
    return Domain(*row)
