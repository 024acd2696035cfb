// Passkeys need a script; everything else on these pages works without. A form with data-passkey ("create" or "get") and
// data-options (what WebAuthn asks, as JSON) is shown where the browser can do it, in the place of the note that follows it.
"use strict";

const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

function readOptions(json) {
  const options = JSON.parse(json);
  const asked = options.publicKey;
  asked.challenge = toBytes(asked.challenge);
  if (asked.user) asked.user.id = toBytes(asked.user.id);
  for (const known of [...(asked.excludeCredentials ?? []), ...(asked.allowCredentials ?? [])]) known.id = toBytes(known.id);
  return options;
}

function writeAnswer(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  const { id, type } = credential;
  return JSON.stringify({ id, rawId: toText(credential.rawId), type, response, clientExtensionResults: {} });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.nextElementSibling.hidden = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const trouble = form.querySelector("[role=alert]");
    trouble.hidden = true;
    try {
      form.elements.passkey.value = writeAnswer(
        await navigator.credentials[form.dataset.passkey](readOptions(form.dataset.options)),
      );
      form.submit();
    } catch {
      trouble.hidden = false; // cancelled, timed out, or a key that is known already
    }
  });
}
