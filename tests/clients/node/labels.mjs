// What imapflow makes of an account that shows labels; one line of JSON for the test.
import { ImapFlow } from "imapflow";

const client = new ImapFlow({
  host: "localhost",
  port: Number(process.env.IMAP_PORT),
  secure: true,
  auth: { user: process.env.IMAP_USER, pass: process.env.IMAP_PASSWORD },
  logger: false,
});
await client.connect();
const found = {};
found.uses = Object.fromEntries(
  (await client.list()).filter((box) => box.specialUse).map((box) => [box.specialUse, box.path]),
);
const lock = await client.getMailboxLock("INBOX");
try {
  await client.messageFlagsAdd("1", ["\\Starred", "work"], { uid: true, useLabels: true });
  const messages = [];
  for await (const message of client.fetch("1:*", { uid: true, labels: true, flags: true, threadId: true }, { uid: true })) {
    messages.push(message);
  }
  found.labels = Object.fromEntries(messages.map((each) => [each.uid, [...each.labels].sort()]));
  found.flagged = messages.filter((each) => each.flags.has("\\Flagged")).map((each) => each.uid);
  found.ids = messages.map((each) => each.emailId);
  found.threads = messages.map((each) => each.threadId);
  found.raw = await client.search({ gmraw: "subject:two" }, { uid: true });
  await client.messageMove("2", "[Gmail]/Trash", { uid: true });
  await client.messageDelete("3", { uid: true });
  found.left = await client.search({ all: true }, { uid: true });
} finally {
  lock.release();
}
await client.logout();
console.log(JSON.stringify(found));
