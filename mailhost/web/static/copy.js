// Puts a button that copies beside each value. Without it the page only lacks the buttons.
"use strict";
if (navigator.clipboard) {
  for (const area of document.querySelectorAll("[data-copy-words]")) {
    const [copy, copied] = area.dataset.copyWords.split("|");
    for (const value of area.querySelectorAll("[data-copy]")) {
      const text = value.textContent;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = copy;
      button.setAttribute("aria-label", value.localName === "code" ? `${copy}: ${text}` : copy);
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(text);
        button.textContent = copied;
        setTimeout(() => { button.textContent = copy; }, 1500);
      });
      value.after(button);
    }
  }
}
// A link to a program opens its steps.
const opened = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
if (opened && opened.localName === "details") opened.open = true;
