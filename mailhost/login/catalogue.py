"""The catalogue of causes: what the owner reads for each, what to do about it, and the help page that tells more.

Sentences hold names in braces, which `explain` fills in from the diary's row: `client`, `peer`, `network`, `protocol`,
`port`, `tls`, `mechanism`, `asked` (the name that was tried), `attempts`, and whatever facts the cause has.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mailhost.accounts.audit.model import Cause, Facts, Occurrence, SignIn
from mailhost.language import N_, Translations
from mailhost.login.names import browser_of
from mailhost.network.atlas import NOWHERE, Atlas

PROTOCOLS: Final = {"imap": "IMAP", "pop3": "POP3", "smtp": "SMTP", "http": "HTTP", "lmtp": "LMTP", "web": "HTTPS"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One cause for people: in the catalogue a pattern in English. `topic` is a page of the help, or empty."""

    sentence: str
    remedy: str
    topic: str


def explain(sign_in: SignIn, occurrence: Occurrence, language: Translations, atlas: Atlas = NOWHERE) -> Entry:
    """The row in words, with the names of places that the atlas knows. What a client says of itself was made printable
    when it was written; pages escape it."""
    entry = CATALOGUE[sign_in.cause]
    values: defaultdict[str, str] = defaultdict(lambda: "?")
    values.update(
        client=shown_client(sign_in) or language.gettext(N_("a program that does not tell its name")),
        peer=shown_place(sign_in.peer, language, atlas),
        network=shown_place(sign_in.network, language, atlas),
        protocol=PROTOCOLS.get(sign_in.protocol, sign_in.protocol),
        port=str(sign_in.port),
        tls=sign_in.tls_version or language.gettext(N_("no encryption")),
        mechanism=sign_in.mechanism,
        asked=sign_in.address or "?",
        attempts=str(occurrence.attempts),
    )
    values.update(_shown(occurrence.facts, language))
    sentence = language.gettext(entry.sentence).format_map(values)
    return Entry(
        sentence if sign_in.client_id else sentence[:1].upper() + sentence[1:],
        language.gettext(entry.remedy).format_map(values),
        entry.topic,
    )


def shown_client(sign_in: SignIn) -> str:
    """What a program calls itself, browsers in short; empty when it said nothing."""
    return browser_of(sign_in.client_id) if sign_in.protocol == "web" else sign_in.client_id


def shown_place(address: str, language: Translations, atlas: Atlas) -> str:
    """An address or network, with the names of its place where they are known."""
    spot = atlas.spot_of(address)
    city, country = spot.names(language.language) if spot is not None else ("", "")
    if city and country:
        return language.gettext(N_("{address} ({city}, {country})")).format(address=address, city=city, country=country)
    return f"{address} ({city or country})" if city or country else address


def _shown(facts: Facts, language: Translations) -> dict[str, str]:
    shown = {name: shown_time(int(fact)) if name.endswith("_at") else str(fact) for name, fact in facts.items()}
    if "why" in shown:
        shown["why"] = explain_signs(shown["why"], language)
    return shown


def explain_signs(why: str, language: Translations) -> str:
    """Keys of SIGNS with commas between, in words."""
    return language.gettext(N_(", ")).join(language.gettext(SIGNS.get(sign, sign)) for sign in why.split(","))


def shown_time(moment: int) -> str:
    """A Unix time as sentences and answers tell it, in UTC to the second."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


SIGNS: Final[dict[str, str]] = {
    "network": N_("a new network"),
    "far": N_("in another part of the Internet than before"),
    "program": N_("a new program"),
    "failures": N_("many failed sign-ins to this account lately"),
    "stranger": N_("the network tried many names lately"),
    "hopping": N_("used from many networks within an hour, as from data centres"),
    "impossible": N_("farther from the last place than anybody travels in that time"),
}
"""What makes a sign-in unusual, in words."""

_TYPE_IT_ANEW: Final = N_("Make a new app password, type it into the program, and remove the old one there.")
_ASK_ADMINISTRATOR: Final = N_("Ask the administrator of this server.")

CATALOGUE: Final[dict[Cause, Entry]] = {
    Cause.SIGNED_IN: Entry(N_("{client} signed in over {protocol} from {peer}."), N_("Nothing needs to be done."), ""),
    Cause.SIGNED_IN_UNUSUALLY: Entry(
        N_("{client} signed in over {protocol} from {peer}, which is not usual for this password: {why}."),
        N_("If it was not you, revoke this password and choose a new account password."),
        "unusual",
    ),
    Cause.ACCOUNT_PASSWORD_USED: Entry(
        N_(
            "Your account password was right, but it was used in a mail program over {protocol}; it opens the web only."
        ),
        N_("Make an app password for this program and type it there instead."),
        "app-passwords",
    ),
    Cause.TWO_STEP_MISSING: Entry(
        N_("Your account password was used in a mail program over {protocol}, and two-step verification is off."),
        N_("Switch two-step verification on; then make an app password for this program."),
        "two-step",
    ),
    Cause.WRONG_PASSWORD: Entry(
        N_("A wrong password was given over {protocol} from {peer}; it is no app password, which has 16 letters."),
        N_("Make an app password for this program and type it there."),
        "bad-credentials",
    ),
    Cause.WRONG_PASSWORD_REPEATED: Entry(
        N_("{client} at {peer} keeps trying the same wrong password: {times} times so far."),
        N_("Find the program that still has an old password, and type a new app password there or remove the account."),
        "bad-credentials",
    ),
    Cause.WRONG_APP_PASSWORD: Entry(
        N_("What was given over {protocol} from {peer} looks like an app password, but never was one of yours."),
        N_("Check it for slips of the finger, or make a new app password; each is shown only once."),
        "bad-credentials",
    ),
    Cause.WRONG_PASSWORD_IN_WEB: Entry(
        N_("A wrong account password was typed on the sign-in page, from {peer}, with {client}."),
        N_("If it was not you, nothing needs to be done: after some wrong ones each further try has to wait."),
        "web",
    ),
    Cause.APP_PASSWORD_IN_WEB: Entry(
        N_("The app password “{password}” was typed on the sign-in page, from {peer}; it opens mail programs only."),
        N_("Sign in with the account password. If it was not you, revoke this app password: somebody else has it."),
        "web",
    ),
    Cause.SECOND_STEP_AWAITED: Entry(
        N_("The right account password was typed on the sign-in page, from {peer}, and the second step was asked for."),
        N_("If it was not you, somebody knows your account password: change it."),
        "web",
    ),
    Cause.SECOND_STEP_WRONG: Entry(
        N_("The right account password was typed on the sign-in page, from {peer}, but the second step was wrong."),
        N_("If it was not you, somebody knows your account password: change it."),
        "web",
    ),
    Cause.REVOKED_APP_PASSWORD: Entry(
        N_("The app password “{password}” was used over {protocol}; it was revoked on {since_at}."),
        _TYPE_IT_ANEW,
        "revoked",
    ),
    Cause.ENDED_WITH_PASSWORD: Entry(
        N_("The app password “{password}” ended on {since_at}, when the account password was changed."),
        _TYPE_IT_ANEW,
        "revoked",
    ),
    Cause.ENDED_WITH_TWO_STEP: Entry(
        N_("The app password “{password}” ended on {since_at}, when two-step verification was switched off."),
        N_("Switch two-step verification on again, and make a new app password."),
        "two-step",
    ),
    Cause.REPLACED_APP_PASSWORD: Entry(
        N_("The app password “{password}” was replaced by a new one on {since_at}; a program still uses the old one."),
        N_("Type the new app password into this program, or remove the account from the old device."),
        "revoked",
    ),
    Cause.EXPIRED_APP_PASSWORD: Entry(
        N_("The app password “{password}” was used over {protocol}; it expired on {since_at}."),
        _TYPE_IT_ANEW,
        "revoked",
    ),
    Cause.APP_PASSWORD_OF_ANOTHER: Entry(
        N_("The app password given over {protocol} belongs to another account: user name or password is mixed up."),
        N_("Check that the user name in the program is the address for which the app password was made."),
        "bad-credentials",
    ),
    Cause.PROTOCOL_NOT_ALLOWED: Entry(
        N_("The app password “{password}” is right, but it does not open {protocol}."),
        N_("Make an app password that opens {protocol}."),
        "protocols",
    ),
    Cause.SEND_ONLY: Entry(
        N_("The app password “{password}” may only send; a program tried to read mail with it over {protocol}."),
        N_("Make an app password that opens {protocol}, or set this program up for sending alone."),
        "protocols",
    ),
    Cause.READ_ONLY: Entry(
        N_("The app password “{password}” may only read; a program tried to send with it."),
        N_("Make an app password that may send, too."),
        "protocols",
    ),
    Cause.ADDRESS_NOT_ALLOWED: Entry(
        N_("The app password “{password}” was used from {peer}, and may be used only from {allowed}."),
        N_("If it was you, make an app password for use anywhere. If it was not, revoke this one."),
        "address-not-allowed",
    ),
    Cause.NAME_WITHOUT_DOMAIN: Entry(
        N_("Somebody signed in with a user name without a domain, and the server name does not tell which is meant."),
        N_("The user name is the whole address, with the @ and what follows it."),
        "user-name",
    ),
    Cause.UNKNOWN_USER: Entry(
        N_("Nobody here is called {asked}; it was tried from {peer}."),
        N_("If somebody mistyped an address, tell them the right one."),
        "user-name",
    ),
    Cause.UNKNOWN_DOMAIN: Entry(
        N_("Somebody at {peer} signed in with an address of a domain that is not served here."),
        N_("Perhaps the program is set to the wrong server, or the domain is still to be added."),
        "user-name",
    ),
    Cause.TOKEN_EXPIRED: Entry(
        N_("The access of “{app}” ran out on {since_at}, and it did not fetch a new token."),
        N_("Open the program; if it does not help, sign in there again."),
        "oauth",
    ),
    Cause.TOKEN_REVOKED: Entry(
        N_("The access of “{app}” was withdrawn on {since_at}."), N_("To use it again, sign in there again."), "oauth"
    ),
    Cause.TOKEN_COPIED: Entry(
        N_("An old token of “{app}” came again from {peer}: somebody may have copied it. Its access was withdrawn."),
        N_("Sign in there again. If you did not copy the program's data yourself, see who else uses the device."),
        "oauth",
    ),
    Cause.TOKEN_UNKNOWN: Entry(
        N_("A program gave a token over {protocol} that is none of ours; perhaps it is another provider's."),
        N_("Sign in again in the program, and choose this server there."),
        "oauth",
    ),
    Cause.TOKEN_SCOPE: Entry(
        N_("“{app}” tried {protocol}, but you allowed it only this: {scope}."),
        N_("Sign in there again, and allow what it asks for."),
        "oauth",
    ),
    Cause.TOKEN_OF_ANOTHER: Entry(
        N_("The token that “{app}” gave over {protocol} belongs to another account than the user name."),
        N_("Sign in there again with the address that is set up in the program."),
        "oauth",
    ),
    Cause.SUSPENDED: Entry(
        N_("The password was right, but the account is suspended."), _ASK_ADMINISTRATOR, "suspended"
    ),
    Cause.PROTOCOL_OFF: Entry(
        N_("The password was right, but {protocol} is switched off for this account."),
        N_("Switch {protocol} on in the settings, or ask the administrator of this server."),
        "protocol-off",
    ),
    Cause.PROTOCOL_OFF_FOR_DOMAIN: Entry(
        N_("The password was right, but {protocol} is switched off for the whole domain."),
        _ASK_ADMINISTRATOR,
        "protocol-off",
    ),
    Cause.HELD: Entry(
        N_("A sign-in over {protocol} from {peer} was held, because it was unusual: {why}."),
        N_("Tell on the page of unusual sign-ins whether it was you. If it was not, the password will be revoked."),
        "unusual",
    ),
    Cause.TOO_MANY_CONNECTIONS: Entry(
        N_("{client} found no place: {limit} connections are the most, and all are at work: {devices}."),
        N_("Close a program that is not needed, or have programs use fewer connections each."),
        "connections",
    ),
    Cause.CONNECTION_GAVE_WAY: Entry(
        N_("The oldest idle connection ({device}) was ended, as a new one came and {limit} are the most."),
        N_("Nothing needs to be done, unless it happens often: then have programs use fewer connections each."),
        "connections",
    ),
    Cause.OVER_DOWNLOAD: Entry(
        N_("More than {limit} were fetched over {protocol} today; it opens again at {until_at}."),
        N_("Wait until then. Programs that fetch everything again and again should keep what they have."),
        "bandwidth",
    ),
    Cause.OVER_UPLOAD: Entry(
        N_("More than {limit} were stored over {protocol} today; it opens again at {until_at}."),
        N_("Wait until then, and move large folders a part each day."),
        "bandwidth",
    ),
    Cause.OVER_COMMANDS: Entry(
        N_("{client} gave more than {limit} commands within a minute, and was asked to rest until {until_at}."),
        N_("Have the program look for mail less often."),
        "bandwidth",
    ),
    Cause.STORAGE_FULL: Entry(
        N_("{client} could not store a message: the account is full."),
        N_("Delete mail that is not needed and empty the Trash, or ask the administrator for more room."),
        "storage",
    ),
    Cause.MAILDROP_IN_USE: Entry(
        N_("{client} could not open the mailbox over POP3, as another program has it open."),
        N_("Only one program at a time can use POP3; use IMAP for several."),
        "in-use",
    ),
    Cause.THROTTLED: Entry(
        N_("After too many different wrong passwords from {network}, sign-ins there wait until {until_at}."),
        N_("Wait until then and type the right password. Programs with a right app password are not held up."),
        "throttled",
    ),
    Cause.THROTTLED_ACCOUNT: Entry(
        N_("From many networks wrong passwords come for this account; those of strangers wait until {until_at}."),
        N_(
            "Where you signed in within a day nothing waits. If your account password is an easy one, choose a new one."
        ),
        "throttled",
    ),
    Cause.THROTTLED_NETWORK: Entry(
        N_("From {network} too many wrong passwords came for many accounts; wrong ones wait there until {until_at}."),
        N_("If it is a gateway for many people, have it send PROXY headers, so that each is counted alone."),
        "throttled",
    ),
    Cause.TOO_BUSY: Entry(
        N_("So many wrong passwords came at once, from anywhere, that nobody could look at this one."),
        N_("Try again in a minute."),
        "throttled",
    ),
    Cause.STORE_AWAY: Entry(
        N_("The server could not look: its store did not answer."), N_("Try again in a minute."), "temporary"
    ),
    Cause.TLS_TOO_OLD: Entry(
        N_("A program at {peer} is too old: it offers {offered} at most, and TLS 1.2 is the least."),
        N_("Update the program or the device; nothing can be done on the server."),
        "tls-too-old",
    ),
    Cause.TLS_NOTHING_IN_COMMON: Entry(
        N_("A program at {peer} and this server have no way of encryption in common."),
        N_("Update the program or the device."),
        "tls-too-old",
    ),
    Cause.CERTIFICATE_DISTRUSTED: Entry(
        N_("A program at {peer} did not trust the certificate of this server, and hung up."),
        N_("Check that the server name in the program is right; with a private authority, install its certificate."),
        "certificate",
    ),
    Cause.TLS_UNFINISHED: Entry(
        N_("A program at {peer} began encryption on port {port} and never finished it."),
        N_("A firewall or a virus scanner in between may be the reason; try without it."),
        "tls-broken",
    ),
    Cause.TLS_BROKEN: Entry(
        N_("Encryption with a program at {peer} failed: {reason}."),
        N_("Check encryption and port in the program; a virus scanner in between may be the reason, too."),
        "tls-broken",
    ),
    Cause.PLAIN_ON_TLS_PORT: Entry(
        N_("A program at {peer} spoke without encryption to port {port}, which begins with TLS."),
        N_("In the program choose SSL/TLS for this port."),
        "encryption",
    ),
    Cause.SILENT_ON_TLS_PORT: Entry(
        N_("A program at {peer} waited in silence on port {port}: it expects a greeting, and the port expects TLS."),
        N_("In the program choose SSL/TLS for this port, not STARTTLS."),
        "encryption",
    ),
    Cause.TLS_ON_PLAIN_PORT: Entry(
        N_("A program at {peer} began TLS at once on port {port}, which begins without."),
        N_("In the program choose STARTTLS for this port, or use the port for SSL/TLS."),
        "encryption",
    ),
    Cause.WRONG_PROTOCOL: Entry(
        N_("A program at {peer} spoke {spoken} to port {port}, which is for {protocol}."),
        N_("Check server name and port in the program: incoming and outgoing mail may be mixed up."),
        "wrong-port",
    ),
    Cause.PLAIN_TEXT_REFUSED: Entry(
        N_("A program at {peer} wanted to sign in over {protocol} without encryption, which is not allowed."),
        N_("In the program choose STARTTLS or SSL/TLS. If the password went over an open network, change it."),
        "encryption",
    ),
    Cause.MECHANISM_UNKNOWN: Entry(
        N_("A program at {peer} wants to sign in by {mechanism}, which is not known here."),
        N_("In the program choose “normal password” or OAuth as the way of signing in."),
        "sign-in-method",
    ),
    Cause.SIGN_IN_MALFORMED: Entry(
        N_("A program at {peer} began to sign in over {protocol} and did not do it by the rules, or broke it off."),
        N_("Update the program, or choose another way of signing in there."),
        "sign-in-method",
    ),
    Cause.SENDING_ON_WRONG_PORT: Entry(
        N_("A program at {peer} wanted to sign in on port 25, which is for mail between servers."),
        N_("For sending choose port 465 with SSL/TLS or port 587 with STARTTLS."),
        "ports",
    ),
    Cause.SENDING_WITHOUT_SIGN_IN: Entry(
        N_("A program at {peer} wanted to send without signing in."),
        N_("Switch authentication on for outgoing mail, with the same user name and app password."),
        "authentication",
    ),
    Cause.TOO_MANY_FROM_ADDRESS: Entry(
        N_("Too many connections at a time came from {peer}; {limit} are the most."),
        N_("Close some. If it is a gateway for many people, have it send PROXY headers, or raise the limit."),
        "connections",
    ),
    Cause.SERVER_FULL: Entry(
        N_("The server had no place for a connection from {peer}."),
        N_("Try again in a minute; the administrator can raise the limit."),
        "connections",
    ),
    Cause.PROXY_UNREADABLE: Entry(
        N_("{peer} is named as a proxy and did not begin with a PROXY header."),
        N_("Switch PROXY protocol on in the proxy, or take it out of the setting proxies."),
        "proxy",
    ),
}
