"""The OAuth 2.0 authorization server without HTTP: programs, consent, codes and tokens."""

from mailhost.oauth.clients import NewClient, client_file, make_client
from mailhost.oauth.model import SCOPES, Client, Grant, Kind, NoSuchGrant, People, access_of
from mailhost.oauth.server import House, Request, Response
from mailhost.oauth.sql import (
    delete_client,
    find_for_sign_in,
    forget_account,
    forget_dead,
    has_clients,
    is_good,
    list_clients,
    list_grants,
    revoke_all_grants,
    revoke_grant,
)

__all__ = [
    "SCOPES",
    "Client",
    "Grant",
    "House",
    "Kind",
    "NewClient",
    "NoSuchGrant",
    "People",
    "Request",
    "Response",
    "access_of",
    "client_file",
    "delete_client",
    "find_for_sign_in",
    "forget_account",
    "forget_dead",
    "has_clients",
    "is_good",
    "list_clients",
    "list_grants",
    "make_client",
    "revoke_all_grants",
    "revoke_grant",
]
