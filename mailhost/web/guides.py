"""Step by step through the mail programs people use: what to press, and what to type where.

Names in braces stand for the reader's own values: address, imap_host, imap_port, smtp_host, smtp_port.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailhost.language import N_


@dataclass(frozen=True, slots=True)
class Guide:
    """One program. `id` is where a link to it leads; `extra` what the page shows below the steps."""

    id: str
    name: str
    steps: tuple[str, ...]
    extra: str = ""


GUIDES: Final = (
    Guide(
        "thunderbird",
        "Thunderbird",
        (
            N_("Open the menu ☰ and choose “New Account”, then “Email”."),
            N_("Type your name and {address}, and press “Continue”: Thunderbird finds the settings by itself."),
            N_("Leave “IMAP” chosen, press “Continue”, and type the app password."),
        ),
        extra="add-on",
    ),
    Guide(
        "outlook-new",
        N_("Outlook (new)"),
        (
            N_("Open “Settings”, then “Accounts”, and choose “Add account”."),
            N_("Type {address} and press “Continue”. If Outlook asks for the kind of account, choose “IMAP”."),
            N_("Type the app password and open “Show more”. The user name is {address} in both places."),
            N_("Incoming: {imap_host}, port {imap_port}, SSL/TLS. Outgoing: {smtp_host}, port {smtp_port}, SSL/TLS."),
            N_("Microsoft's servers fetch the mail for this Outlook, so its sign-ins come from Microsoft's addresses."),
        ),
    ),
    Guide(
        "outlook-classic",
        N_("Outlook (classic)"),
        (
            N_("Open “File”, “Account Settings”, “Manage Profiles”, then “Email Accounts” and “New”."),
            N_("Choose “Manual setup or additional server types”, then “POP or IMAP”."),
            N_("Account type IMAP; incoming server {imap_host}, outgoing server {smtp_host}, user name {address}."),
            N_("Type the app password, and leave “Secure Password Authentication (SPA)” off."),
            N_("Under “More Settings”, “Outgoing Server”: tick “My outgoing server (SMTP) requires authentication”."),
            N_("Under “Advanced”: incoming {imap_port} with SSL/TLS, outgoing {smtp_port} with SSL/TLS."),
        ),
    ),
    Guide(
        "apple-mail",
        N_("Apple Mail (Mac)"),
        (
            N_("Open the profile below, then System Settings, “General”, “Device Management”, and install it there."),
            N_("Or by hand: in Mail choose “Add Account”, “Other Mail Account”; type {address} and the app password."),
            N_("If Mail asks for servers: user name {address}, incoming {imap_host}, outgoing {smtp_host}."),
            N_("If sending fails: Mail's settings, “Accounts”, “Server Settings”, port {smtp_port} with TLS/SSL."),
        ),
        extra="profile",
    ),
    Guide(
        "ios",
        N_("iPhone and iPad"),
        (
            N_("Open the profile below in Safari on the device, and allow the download."),
            N_("Open Settings, tap “Profile Downloaded”, then “Install”, and type the app password when asked."),
            N_("Or by hand: Settings, “Apps”, “Mail”, “Mail Accounts”, “Add Account”, “Other”, “Add Mail Account”."),
            N_("Incoming: {imap_host}, port {imap_port}, SSL/TLS. Outgoing: {smtp_host}, port {smtp_port}, SSL/TLS."),
        ),
        extra="profile",
    ),
    Guide(
        "thunderbird-android",
        N_("Thunderbird for Android, K-9"),
        (
            N_("In Thunderbird choose “Import settings”, then “Scan QR code”, and hold the camera to the code below."),
            N_("Type the app password when asked."),
            N_("Without the code: type {address}; both programs find the settings by themselves."),
        ),
        extra="code",
    ),
    Guide(
        "gmail-app",
        N_("Gmail app (Android)"),
        (
            N_("Tap your picture, “Add another account”, then “Other”."),
            N_("Type {address}, choose “Personal (IMAP)”, and type the app password."),
            N_("Incoming: {imap_host}, port {imap_port}, SSL/TLS. Outgoing: {smtp_host}, port {smtp_port}, SSL/TLS."),
            N_("The user name is {address} in both places; leave “Require sign-in” on."),
        ),
    ),
    Guide(
        "foxmail",
        "Foxmail",
        (
            N_("Open the menu, “Account Management”, “New”, choose “Other mailbox”, then “Manual setup”."),
            N_("Receiving server type IMAP, mail account {address}, password: the app password."),
            N_("IMAP server {imap_host}, port {imap_port}; SMTP server {smtp_host}, port {smtp_port}; SSL for both."),
        ),
    ),
    Guide(
        "em-client",
        "eM Client",
        (
            N_("Open the menu, “Accounts”, and press “Add Account”."),
            N_("Type {address} under “Automatic Setup” and press “Start Now”: the settings are found."),
            N_("Type the app password."),
        ),
    ),
    Guide(
        "mutt",
        "mutt, NeoMutt",
        (N_("Put these lines into ~/.muttrc; mutt asks for the app password."),),
        extra="mutt",
    ),
)

TOKENS: Final = (
    Guide(
        "oauth-mutt",
        "mutt, NeoMutt",
        (N_("Add this to the table in mutt_oauth2.py, then let mutt fetch tokens."),),
        extra="mutt-token",
    ),
    Guide(
        "oauth-python",
        "Python",
        (N_("With google-auth-oauthlib, which works with every issuer:"),),
        extra="python-token",
    ),
    Guide(
        "oauth-java",
        "Java (Jakarta Mail)",
        (N_("Give the token as the password:"),),
        extra="java-token",
    ),
)
"""Programs that sign in with OAuth."""
