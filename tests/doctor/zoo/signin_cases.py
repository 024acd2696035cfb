"""Refusals of sign-in and what goes wrong afterwards, in the words of real providers: leaves E and F."""

from __future__ import annotations

from mailhost.doctor.report import Report
from mailhost.doctor.signin import Credentials
from mailhost.doctor.targets import Protocol
from tests.doctor.zoo.cases import case
from tests.doctor.zoo.mail import challenge
from tests.doctor.zoo.world import ADDRESS, DOMAIN, SECRET, Zoo

GMAIL_REASON = '{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'


async def imap(zoo: Zoo, reply: str | bytes, verb: str = "AUTHENTICATE", **quirks: object) -> Report:
    """Sign in to an IMAP server that answers so."""
    zoo.healthy().mail("imap", 993, replies={verb: reply}, **quirks)
    return await zoo.ask(credentials=Credentials(ADDRESS, SECRET))


async def smtp(zoo: Zoo, reply: str | bytes, verb: str = "AUTH", provider: str = "auto") -> Report:
    """Sign in to a server for sending that answers so."""
    zoo.healthy().mail("smtp", 465, replies={verb: reply})
    return await zoo.ask(credentials=Credentials(ADDRESS, SECRET), provider=provider)


async def pop(zoo: Zoo, reply: str | bytes, verb: str = "AUTH") -> Report:
    """Sign in to a POP3 server that answers so."""
    zoo.healthy().mail("pop", 995, replies={verb: reply})
    return await zoo.ask(credentials=Credentials(ADDRESS, SECRET), protocols=(Protocol.POP,))


@case("E1")
async def wrong_password_imap(zoo: Zoo) -> Report:
    return await imap(zoo, "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)")


@case("E1")
async def wrong_password_smtp(zoo: Zoo) -> Report:
    return await smtp(
        zoo, "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8 x - gsmtp"
    )


@case("E1")
async def wrong_password_pop3(zoo: Zoo) -> Report:
    return await pop(zoo, "-ERR [AUTH] Username and password not accepted.")


@case("E2")
async def gmail_wants_an_app_password_imap(zoo: Zoo) -> Report:
    url = "https://support.google.com/accounts/answer/185833"
    return await imap(zoo, f"NO [ALERT] Application-specific password required: {url} (Failure)")


@case("E2")
async def gmail_wants_an_app_password_smtp(zoo: Zoo) -> Report:
    first = "534-5.7.9 Application-specific password required. For more information, go to"
    return await smtp(zoo, f"{first}\n534 5.7.9 https://support.google.com/mail/?p=InvalidSecondFactor x - gsmtp")


@case("E2")
async def gmail_wants_an_app_password_pop3(zoo: Zoo) -> Report:
    return await pop(zoo, "-ERR [AUTH] Application-specific password required: support.google.com/185833")


@case("E3")
async def gmail_wants_the_browser_imap(zoo: Zoo) -> Report:
    alert = "* NO [WEBALERT https://accounts.google.com/signin/continue?sarp=1] Web login required."
    return await imap(
        zoo, f"{alert}\nNO [ALERT] Please log in via your web browser: https://support.google.com (Failure)"
    )


@case("E3")
async def gmail_wants_the_browser_smtp(zoo: Zoo) -> Report:
    return await smtp(
        zoo, "534-5.7.14 <https://accounts.google.com/signin/continue?x>\n534 5.7.14 Please log in - gsmtp"
    )


@case("E3")
async def outlook_wants_the_browser(zoo: Zoo) -> Report:
    words = "Account is blocked. Login to your account via a web browser to verify your identity."
    return await imap(zoo, f"NO LOGIN failed. {words}")


@case("E4")
async def microsoft_takes_no_passwords_smtp(zoo: Zoo) -> Report:
    return await smtp(
        zoo, "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [x.prod.outlook.com]"
    )


@case("E4")
async def server_offers_oauth_alone(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 993, offers=("IMAP4rev1", "LOGINDISABLED", "AUTH=XOAUTH2"))
    return await zoo.ask()


@case("E5")
async def microsoft_tenant_closed_smtp(zoo: Zoo) -> Report:
    words = "SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled"
    return await smtp(zoo, f"535 5.7.139 Authentication unsuccessful, {words}")


@case("E6")
async def gmail_imap_switched_off(zoo: Zoo) -> Report:
    return await imap(
        zoo, "NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings. (Failure)"
    )


@case("E6")
async def workspace_administrator_closed_imap(zoo: Zoo) -> Report:
    return await imap(
        zoo, "NO [ALERT] IMAP access is disabled for your domain. Please contact your domain administrator"
    )


@case("E6")
async def gmail_pop3_switched_off(zoo: Zoo) -> Report:
    return await pop(
        zoo, "-ERR [SYS/PERM] Your account is not enabled for POP access. Please visit your Gmail settings."
    )


@case("E6")
async def qq_service_not_open(zoo: Zoo) -> Report:
    words = (
        "Account is abnormal, service is not open, password is incorrect, login frequency limited, or system is busy."
    )
    return await imap(zoo, f"NO Login fail. {words}")


@case("E7")
async def qq_wants_an_authorization_code(zoo: Zoo) -> Report:
    return await smtp(
        zoo, b"535 Login Fail. " + "请使用授权码登录。详情请看: http://service.mail.qq.com".encode("gb18030")
    )


@case("E7")
async def netease_wants_an_authorization_code(zoo: Zoo) -> Report:
    return await smtp(zoo, "535 Login Fail. Please enter your authorization code to login.")


@case("E8")
async def netease_unsafe_login(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 993, needs_id=True)
    return await zoo.ask(credentials=Credentials(ADDRESS, SECRET))


@case("E8")
async def netease_unsafe_login_for_good(zoo: Zoo) -> Report:
    return await imap(zoo, "NO EXAMINE Unsafe Login. Please contact kefu@188.com for help", "EXAMINE")


async def _with_token(zoo: Zoo, protocol: Protocol) -> Report:
    token = Credentials(ADDRESS, "ya29.zoo-token-that-ran-out", is_oauth=True)
    return await zoo.ask(credentials=token, protocols=(protocol,))


@case("E9")
async def token_refused_imap(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 993, replies={"AUTHENTICATE": f"+ {challenge(GMAIL_REASON)}\nNO Invalid SASL argument"})
    report = await _with_token(zoo, Protocol.IMAP)
    assert any('"status":"400"' in line for line in report.findings[0].finding.evidence)
    return report


@case("E9")
async def token_refused_smtp(zoo: Zoo) -> Report:
    zoo.healthy().mail("smtp", 465, replies={"AUTH": f"334 {challenge(GMAIL_REASON)}\n535 5.7.8 not accepted"})
    return await _with_token(zoo, Protocol.SMTP)


@case("E10")
async def refresh_token_revoked(zoo: Zoo) -> Report:
    message = '{"error": "invalid_grant", "error_description": "Token has been expired or revoked."}'
    return await zoo.healthy().ask(message=message)


@case("E11")
async def authenticated_but_not_connected(zoo: Zoo) -> Report:
    return await imap(zoo, "BAD User is authenticated but not connected.", "EXAMINE")


@case("E12")
async def password_without_encryption_imap(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(ADDRESS, f"imap=imap.{DOMAIN}:143/none")


@case("E12")
async def password_without_encryption_smtp(zoo: Zoo) -> Report:
    zoo.healthy().mail("smtp", 587, offers=("SIZE 10", "STARTTLS"))
    return await zoo.ask(ADDRESS, f"smtp=smtp.{DOMAIN}:587/none")


@case("E12")
async def starttls_demanded_in_the_message(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(message="530 5.7.0 Must issue a STARTTLS command first. x - gsmtp")


@case("E13")
async def only_cram_md5_offered(zoo: Zoo) -> Report:
    zoo.healthy().mail("smtp", 465, offers=("SIZE 10", "AUTH CRAM-MD5 NTLM"))
    return await zoo.ask()


@case("E13")
async def mechanism_refused(zoo: Zoo) -> Report:
    return await smtp(zoo, "504 5.7.4 Unrecognized authentication type")


@case("E14")
async def too_many_tries(zoo: Zoo) -> Report:
    return await smtp(zoo, "454 4.7.0 Too many login attempts, please try again later. x - gsmtp")


@case("E14")
async def server_has_a_trouble_of_its_own(zoo: Zoo) -> Report:
    return await imap(zoo, "NO [UNAVAILABLE] Temporary System Problem (Failure)")


@case("E15")
async def password_ran_out(zoo: Zoo) -> Report:
    return await imap(zoo, "NO [EXPIRED] The password must be changed")


@case("E15")
async def account_suspended(zoo: Zoo) -> Report:
    return await smtp(zoo, "535 5.7.0 The account has been suspended")


# F: afterwards


@case("F1")
async def too_many_connections_gmail(zoo: Zoo) -> Report:
    return await imap(zoo, "NO [ALERT] Too many simultaneous connections. (Failure)")


@case("F1")
async def too_many_connections_dovecot(zoo: Zoo) -> Report:
    words = "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=16)"
    return await imap(zoo, f"NO [UNAVAILABLE] {words}")


@case("F1")
async def maildrop_in_use(zoo: Zoo) -> Report:
    return await pop(zoo, "-ERR [IN-USE] Unable to lock maildrop: Mailbox is locked by POP server", "STAT")


@case("F2")
async def bandwidth_used_up(zoo: Zoo) -> Report:
    return await imap(zoo, "NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)")


@case("F3")
async def mailbox_full(zoo: Zoo) -> Report:
    return await smtp(zoo, "552 5.2.2 The mailbox is full", "RCPT")


@case("F3")
async def message_too_large(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(message="552 5.3.4 Your message exceeded Google's message size limits.")


@case("F4")
async def sender_not_allowed(zoo: Zoo) -> Report:
    return await smtp(zoo, "553 5.7.1 Sender address rejected: not owned by user anna", "MAIL")


@case("F4")
async def send_as_denied(zoo: Zoo) -> Report:
    return await smtp(zoo, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", "MAIL")


@case("F5")
async def receiver_wants_authentication(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(
        message="550-5.7.26 This mail has been blocked because the sender is unauthenticated."
    )


@case("F6")
async def no_folder_is_marked(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 993, folders=(("", "INBOX"), ("", "Sent Items")))
    return await zoo.ask(credentials=Credentials(ADDRESS, SECRET))


@case("F7")
async def idle_is_dropped(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 993, idle_seconds=0.1)
    return await zoo.ask(credentials=Credentials(ADDRESS, SECRET))


@case("F8")
async def folders_not_subscribed(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 993, folders=(("\\Sent \\Trash \\Drafts", "All"), ("", "Lists")), hidden=("Lists",))
    return await zoo.ask(credentials=Credentials(ADDRESS, SECRET))


# Messages that programs show, on a healthy server


@case("B1")
async def outlook_0x800ccc0e(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(message="Outlook: error 0x800CCC0E cannot connect to the server")


@case("E7")
async def foxmail_authorization_code(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(message="Foxmail: 授权码错误")


@case("E1")
async def thunderbird_cannot_log_in(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(
        message="Unable to log in at server. Probably wrong configuration, username or password."
    )


@case("C1")
async def python_wrong_version_number(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(
        message="ssl.SSLError: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"
    )


@case("D4")
async def android_cert_path_validator(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(message="java.security.cert.CertPathValidatorException: Trust anchor not found")
