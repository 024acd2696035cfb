"""What the doctor measured, in the reader's language: sentences of ours are known again by their shape.

Evidence is written where it is found, as one line of English with what was measured inside; what servers said stays as
it was. So evidence can be kept, compared and sent, and still be read in another language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from mailhost.doctor.catalogue import Language
from mailhost.language import N_, Translations, translations

_TAGS: Final = {Language.ENGLISH: "en", Language.CHINESE: "zh-CN"}
_HOLE: Final = re.compile(r"\{([a-z]+)\}")
_DEPTH: Final = 3  # sentences within sentences
SENTENCES: Final = (
    N_("asking DNS about {domain}"),
    N_("asking for settings as mail programs do"),
    N_("looking up {hosts}"),
    N_("no server to look at"),
    N_("probing {server}"),
    N_("signing in: {servers}"),
    N_("knocking at every port"),
    N_("comparing the records of our domains"),
    N_("comparing records, asking for settings, knocking at the mail exchangers"),
    N_("this device"),
    N_("every program"),
    N_("{protocol} port {port}, from {peer}"),
    N_("no name server answers: there is no network, as it seems"),
    N_("the name server of this network does not know even {domain}: no way to the internet"),
    N_("MX 0 . says that the domain takes no mail"),
    N_("did you mean {domain}?"),
    N_("the right setting is {server}"),
    N_("the right server is {server}"),
    N_("this works from here: {server}"),
    N_("none of the usual names is there, and {domain} itself serves no mail programs"),
    N_("no source of settings, and none of the usual names exists"),
    N_("no A record, only AAAA"),
    N_("{host} has no address"),
    N_("{host} is an alias (CNAME)"),
    N_("{host} is an alias (CNAME) of {target}"),
    N_("DNS {name}: the name exists, but not with this record"),
    N_("DNS {name}: NXDOMAIN: the name does not exist"),
    N_("DNS {name}: SERVFAIL: its name servers fail"),
    N_("DNS {name}: SERVFAIL: its signatures (DNSSEC) do not hold"),
    N_("DNS {name}: no name server answers"),
    N_("connect to port {port}: {problem}"),
    N_("Connection refused"),
    N_("Network is unreachable"),
    N_("No route to host"),
    N_("no answer within {seconds} s"),
    N_("no answer: {problem}"),
    N_("the connection was reset as soon as it stood"),
    N_("the connection was reset ({problem})"),
    N_("the connection broke while sending: {problem}"),
    N_("the server closed the connection"),
    N_("another port of this address answers"),
    N_("before the greeting: {problem}"),
    N_("after the greeting: {problem}"),
    N_("closed before any byte: {problem}"),
    N_("{address} is no public address, and this doctor looks at no other"),
    N_("port {port} is not one of mail, and this doctor looks at no other"),
    N_("the server's first bytes are TLS"),
    N_("the server speaks {protocol}: {words}"),
    N_("the server answered TLS with {words}"),
    N_("greeting: {words}"),
    N_("the greeting is {words}"),
    N_("no greeting within {seconds} s, but a ClientHello is answered"),
    N_("no greeting, and the answer to a ClientHello is {protocol}: {words}"),
    N_("no greeting within {seconds} s ({problem}), and a ClientHello is not answered"),
    N_("the greeting came only after more than {seconds} s"),
    N_("no answer to a ClientHello within {seconds} s"),
    N_("neither STARTTLS nor AUTH is offered"),
    N_("offered: nothing"),
    N_("offered: {words}"),
    N_("EHLO offers {words} in the place of STARTTLS"),
    N_("verification: {problem}"),
    N_("the certificate is for {names}"),
    N_("issued by {issuer}, ends {date} ({days} days ago)"),
    N_("issued by {issuer}, ends {date} (in {days} days)"),
    N_("{number} certificate sent"),
    N_("{number} certificates sent"),
    N_("valid from {date}; this device says it is {now}"),
    N_("the missing one is at {address}"),
    N_("asked for {host}"),
    N_("in the handshake: {problem}"),
    N_("inside TLS: {problem}"),
    N_("the server speaks {versions}; needed is TLS 1.2 or newer"),
    N_("signed by our own authority, tls/ca.pem in the data folder"),
    N_("it takes no passwords at all, so none was sent"),
    N_("the message says: {words}"),
    N_("the server's reason: {words}"),
    N_("the conversation ended: {problem}"),
    N_("no folder is marked {names}"),
    N_("not subscribed: {names}"),
    N_("{used} of {most} KiB are used"),
    N_("IDLE lasted less than {seconds} s: {problem}"),
    N_("the password begins or ends with a blank"),
    N_("the user name has no @: try the whole address"),
    N_("{provider} takes an authorization code"),
    N_("{provider} takes an app password"),
    N_("with ID it works"),
    N_("with ID it is refused, too"),
    N_("{address} works"),
    N_("certificate has expired"),
    N_("certificate is not yet valid"),
    N_("self-signed certificate"),
    N_("self-signed certificate in certificate chain"),
    N_("unable to get local issuer certificate"),
    N_("Hostname mismatch, certificate is not valid for {name}."),
    N_("IP address mismatch, certificate is not valid for {name}."),
    N_("the server takes nothing"),
    N_("nothing came in time"),
    N_("user name: {name}"),
    N_("the diary says: {cause}"),
    N_("connection {id}: {how}"),
    N_("it asked for {host}"),
    N_("Content-Type: none"),
    N_("a page of HTML"),
    N_("it is no XML: {problem}"),
    N_("{url}: NXDOMAIN: the name does not exist"),
    N_("{url}: no answer within {seconds} s"),
    N_("401: it asks for a user name and a password"),
    N_("no usable {kind}"),
    N_("emailProvider id={id} is no host name"),
    N_("{server}: no valid <hostname>"),
    N_("{server}: no <port>"),
    N_("{server}: socketType plain, without encryption"),
    N_("{server}: no <username>"),
    N_("{server}: no known <authentication>"),
    N_("{service} leads to port {port}, which is another service's; {usual} is usual"),
    N_("DNS says {digest}"),
    N_("the document has {digest}"),
    N_("none of them is {host}"),
    N_("more than one SPF record"),
    N_("more than one DMARC record"),
    N_("no TXT record of {domain} begins with v=spf1"),
    N_("it lets everybody send"),
    N_("it has no policy (p=)"),
    N_("no address: {names}"),
    N_("missing: {names}"),
    N_("tried {times} times; next at {time}"),
    N_("message {message}"),
    N_("{reason} (message {message}, since {time})"),
    N_("and {number} more"),
    N_("{free} MB of {total} MB are free in {folder}"),
    N_("at most {number} messages are missing, in accounts: {accounts}"),
    N_("it cannot be reached: {problem}"),
    N_("it has no address"),
)
"""More particular ones first where two have the same shape. A name in braces is what was measured."""


@cache
def _shapes() -> tuple[tuple[re.Pattern[str], str], ...]:
    def shape(sentence: str) -> re.Pattern[str]:
        pieces = _HOLE.split(sentence)
        made = [f"(?P<{piece}>.+)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces)]
        return re.compile("".join(made), re.DOTALL)

    return tuple((shape(sentence), sentence) for sentence in SENTENCES)


def said(line: str, language: Language) -> str:
    """A line of evidence for readers of a language; what is no sentence of ours stays as it is."""
    return line if language is Language.ENGLISH else _translated(line, translations(_TAGS[language]), _DEPTH)


def all_said(lines: Iterable[str], language: Language) -> list[str]:
    """Every line."""
    return [said(line, language) for line in lines]


def _translated(line: str, words: Translations, depth: int) -> str:
    for shape, sentence in _shapes():
        if (found := shape.fullmatch(line)) is not None:
            measured = found.groupdict()
            if depth:
                measured = {name: _translated(value, words, depth - 1) for name, value in measured.items()}
            return words.gettext(sentence).format(**measured)
    return line
