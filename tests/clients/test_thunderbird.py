"""Thunderbird sets accounts up from an address alone: with an app password, and with OAuth through our add-on."""

import asyncio
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailhost import oauth
from mailhost.cli.store import opened
from mailhost.config import Config, write_first
from mailhost.crypto import hash_password
from mailhost.login.enrol import enrol
from tests.clients.thunderbird import Internet, Thunderbird, thunderbird
from tests.running import Account, Server, running

DOMAIN = "example.test"
WEB = (DOMAIN, f"autoconfig.{DOMAIN}", f"autodiscover.{DOMAIN}")
SERVERS_OF = ("imap", "smtp", "mail")
PASSWORD = "an account password for the web"
HUB = """
const hub = () => document.querySelector("account-hub-container")?.shadowRoot?.querySelector("account-hub-email");
const step = () => hub()?.querySelector(".account-hub-step:not([hidden])");
const until = async (isDone) => {
  for (const end = Date.now() + 80_000; !isDone(); ) {
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
READ_SETTINGS = """
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
TLS, APP_PASSWORD, TOKEN = 3, 3, 10  # nsMsgSocketType.SSL, nsMsgAuthMethod.passwordCleartext and .OAuth2
CHOOSE_TOKENS = (
    HUB
    + """
await until(() => step()?.id == "emailConfigFoundSubview");
step().querySelector("#editConfiguration").click();
const footer = hub().querySelector("#emailFooter");
for (const side of ["incoming", "outgoing"]) {
  await until(() => step()?.id.toLowerCase() == `email${side}configsubview`);
  const choice = step().querySelector(`#${side}AuthMethod`);
  choice.value = "10";
  choice.dispatchEvent(new Event("change", { bubbles: true }));
  if (side == "outgoing") footer.querySelector("#custom").click(); // "Test"
  await until(() => !footer.querySelector("#forward").disabled);
  footer.querySelector("#forward").click();
}
"""
)
IN_BROWSER = """
const [titled, code, ...values] = arguments;
const frame = () => [...Services.wm.getEnumerator(null)]
  .find((each) => each.document.documentURI.endsWith("browserRequest.xhtml"))?.document.getElementById("requestFrame");
const script = `(() => {
  const { document } = content;
  const isThere = document.readyState == "complete" && document.title.includes(${JSON.stringify(titled)});
  if (isThere) ((document, values) => { ${code} })(document, ${JSON.stringify(values)});
  sendAsyncMessage("test:done", isThere);
})()`;
for (const end = Date.now() + 80_000; Date.now() < end; ) {
  const messages = frame()?.messageManager;
  if (messages) {
    const isDone = await new Promise((resolve) => {
      messages.addMessageListener("test:done", function done({ data }) {
        messages.removeMessageListener("test:done", done);
        resolve(data);
      });
      messages.loadFrameScript("data:application/javascript," + encodeURIComponent(script), false);
      setTimeout(() => resolve(false), 1000);
    });
    if (isDone) return;
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}
throw new Error("no page of this title: " + titled);
"""
SUBJECTS = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.accounts.map((each) => each.incomingServer).find((each) => each.type == "imap");
for (const end = Date.now() + 80_000; Date.now() < end; ) {
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


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is there for others, too, so that it goes by its names; Thunderbird is known to it."""
    folder = tmp_path_factory.mktemp("public") / "data"
    folder.mkdir(0o700)
    write_first(folder, Config(listen=("0.0.0.0",), demo=True))

    async def work() -> None:
        async with opened(folder) as store:
            now, ends_at = int(time.time()), ("http://localhost",)
            words = {"name": "Thunderbird", "kind": oauth.Kind.NATIVE, "now": now, "redirect_uris": ends_at}
            await store.database.write(oauth.make_client, store.key, **words)

    asyncio.run(work())
    with running(folder) as server:
        yield server


@pytest.fixture
def internet(public: Server) -> Iterator[Internet]:
    """The domain's names lead to our server: over https alone on the usual port, and on the ports that are open."""
    zone = {(host, 443): public.ports["https"] for host in WEB}
    zone |= {(f"{name}.{DOMAIN}", port): port for name in SERVERS_OF for port in public.ports.values()}
    internet = Internet(zone)
    yield internet
    internet.close()


def type_address(client: Thunderbird, address: str) -> None:
    client.run(FILL, "emailAutoConfigSubview", {"#realName": "Ann Example", "#email": address})


def use(client: Thunderbird, server: Server, address: str, sign_in: int) -> None:
    """The account is there as we told it; a message to oneself goes out and comes in."""
    client.run(HUB + 'await until(() => step()?.id == "emailAddedSuccessSubview")')
    assert client.run(READ_SETTINGS) == [
        [f"imap.{DOMAIN}", server.ports["imaps"], TLS, sign_in, address],
        [f"smtp.{DOMAIN}", server.ports["submissions"], TLS, sign_in, address],
    ]
    client.run(SEND, address, "Sent by Thunderbird")
    assert client.run(SUBJECTS, "Sent by Thunderbird") == ["Sent by Thunderbird"]


def test_address_and_app_password_are_enough(public: Server, internet: Internet, tmp_path: Path) -> None:
    account: Account = public.new_account()
    with thunderbird(public, internet, tmp_path) as client:
        type_address(client, account.address)
        client.run(FILL, "emailConfigFoundSubview", {})
        client.run(FILL, "emailPasswordSubview", {"#password": account.password})
        use(client, public, account.address, APP_PASSWORD)
    assert {(DOMAIN, 443), (f"autoconfig.{DOMAIN}", 443)} & set(internet.reached)


def test_with_our_add_on_it_signs_in_with_oauth(public: Server, internet: Internet, tmp_path: Path) -> None:
    address = f"token@{DOMAIN}"

    async def work() -> None:
        async with opened(public.folder) as store:
            hashed = hash_password(PASSWORD)
            await store.database.write(enrol, address, password_hash=hashed, now=int(time.time()))

    asyncio.run(work())
    add_on = tmp_path / "thunderbird.xpi"
    url = f"https://localhost:{public.ports['https']}/setup/thunderbird.xpi"
    with urllib.request.urlopen(url, context=public.tls()) as answer:
        add_on.write_bytes(answer.read())
    with thunderbird(public, internet, tmp_path) as client:
        client.install(add_on)
        type_address(client, address)
        client.run(CHOOSE_TOKENS)
        fill = """
            document.querySelector("[name=address]").value = values[0];
            document.querySelector("[name=password]").value = values[1];
            document.querySelector("main form").requestSubmit();
        """
        client.run(IN_BROWSER, "Sign in", fill, address, PASSWORD)
        client.run(IN_BROWSER, "Thunderbird", 'document.querySelector("button[value=allow]").click();')
        use(client, public, address, TOKEN)
