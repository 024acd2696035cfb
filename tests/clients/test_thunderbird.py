"""Thunderbird sets an account up from an address and an app password alone, and reads and sends with it."""

from pathlib import Path

from tests.clients.thunderbird import Internet, Thunderbird, thunderbird
from tests.running import Account, Server

DOMAIN = "example.test"
WEB = (DOMAIN, f"autoconfig.{DOMAIN}", f"autodiscover.{DOMAIN}")
HUB = """
const hub = () => document.querySelector("account-hub-container")?.shadowRoot?.querySelector("account-hub-email");
const step = () => hub()?.querySelector(".account-hub-step:not([hidden])");
const until = async (isDone) => {
  for (const end = Date.now() + 30_000; !isDone(); ) {
    if (Date.now() > end) throw new Error("in vain at " + step()?.id + ": " + step()?.innerText);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
};
"""
FILL = (
    HUB
    + """
const [id, values] = arguments;
await until(() => step()?.id == id);
for (const [name, value] of Object.entries(values)) {
  const field = step().querySelector(name);
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
const forward = hub().querySelector("#emailFooter #forward");
await until(() => !forward.disabled);
forward.click();
"""
)
SERVERS = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const [account] = MailServices.accounts.accounts.filter((each) => each.incomingServer.type == "imap");
const incoming = account.incomingServer;
const sending = MailServices.outgoingServer.getServerByKey(account.defaultIdentity.smtpServerKey);
const outgoing = sending.QueryInterface(Ci.nsISmtpServer);
return [
  [incoming.hostname, incoming.port, incoming.socketType, incoming.authMethod, incoming.username],
  [outgoing.hostname, outgoing.port, outgoing.socketType, outgoing.authMethod, outgoing.username],
];
"""
TLS, PASSWORD = 3, 3  # nsMsgSocketType.SSL, nsMsgAuthMethod.passwordCleartext
SUBJECTS = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.accounts.map((each) => each.incomingServer).find((each) => each.type == "imap");
for (const end = Date.now() + 30_000; Date.now() < end; ) {
  const inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
  if (inbox) {
    inbox.updateFolder(null);
    const subjects = [...inbox.messages].map((each) => each.mime2DecodedSubject);
    if (subjects.includes(arguments[0])) return subjects;
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}
return [];
"""
SEND = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const account = MailServices.accounts.accounts.find((each) => each.incomingServer.type == "imap");
const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
[fields.to, fields.subject, fields.from, fields.body] = [arguments[0], arguments[1], arguments[0], "To myself."];
const parameters = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
parameters.composeFields = fields;
parameters.identity = account.defaultIdentity;
parameters.format = Ci.nsIMsgCompFormat.PlainText;
const message = MailServices.compose.initCompose(parameters);
await message.sendMsg(Ci.nsIMsgCompDeliverMode.Now, account.defaultIdentity, account.key, null, null);
"""


def internet_of(server: Server) -> Internet:
    """The domain's names lead to our server, over https alone, and "localhost" with the ports that are open does."""
    zone = {(host, 443): server.ports["https"] for host in WEB}
    return Internet(zone | {("localhost", port): port for port in server.ports.values()})


def set_up(client: Thunderbird, account: Account) -> None:
    """What a user does: name and address, "Continue", "Continue", the app password, "Continue"."""
    client.run(FILL, "emailAutoConfigSubview", {"#realName": "Ann Example", "#email": account.address})
    client.run(FILL, "emailConfigFoundSubview", {})
    client.run(FILL, "emailPasswordSubview", {"#password": account.password})
    client.run(HUB + 'await until(() => step()?.id == "emailAddedSuccessSubview")')


def test_address_and_app_password_are_enough(server: Server, account: Account, tmp_path: Path) -> None:
    internet = internet_of(server)
    with thunderbird(server, internet, tmp_path) as client:
        set_up(client, account)
        incoming, outgoing = client.run(SERVERS)
        assert incoming == ["localhost", server.ports["imaps"], TLS, PASSWORD, account.address]
        assert outgoing == ["localhost", server.ports["submissions"], TLS, PASSWORD, account.address]
        client.run(SEND, account.address, "Sent by Thunderbird")
        assert client.run(SUBJECTS, "Sent by Thunderbird") == ["Sent by Thunderbird"]
    internet.close()
    assert {(host, 443) for host in WEB if host != f"autodiscover.{DOMAIN}"} <= set(internet.reached)
