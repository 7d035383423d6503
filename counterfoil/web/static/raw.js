// The raw event under a log line: Space on any of its links, a click beside them, or its triangle.
//
// What must hold: what is put on the page was escaped by the server, which shows hidden characters
// as boxes; nothing here makes markup out of text.  Without scripts the mark leads to the same.

const LINES = "li.line[data-entry]";

/** @param {Element} line */
const panelOf = (line) => line.querySelector(":scope > .raw-panel");

/** @param {Element} line */
async function open(line) {
  const button = line.querySelector(":scope > .raw-open");
  button.setAttribute("aria-expanded", "true");
  const waiting = document.createElement("div");
  waiting.className = "raw-panel";
  waiting.textContent = "…";
  line.append(waiting);
  try {
    // The mark knows the log of its line, and the moment.
    const address = new URL(line.querySelector(":scope > .mark").href);
    address.pathname += "/raw";
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
    const part = new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild;
    if (waiting.isConnected) waiting.replaceWith(part);
  } catch {
    waiting.textContent = "It could not be fetched. The number at the right opens the entry.";
  }
}

/** Open a line, or close it. @param {Element} line */
function toggle(line) {
  const panel = panelOf(line);
  if (!panel) return void open(line);
  if (panel.contains(document.activeElement)) line.querySelector(":scope > .raw-open").focus();
  panel.remove();
  line.querySelector(":scope > .raw-open").setAttribute("aria-expanded", "false");
}

/** Give each line its triangle; again after rows were put in place anew. */
function upgrade() {
  for (const line of document.querySelectorAll(LINES)) {
    if (line.querySelector(":scope > .raw-open")) continue;
    const button = document.createElement("button");
    button.className = "raw-open";
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-label", `Raw JSON of entry ${Number(line.getAttribute("data-entry")).toLocaleString("en")}`);
    line.querySelector(":scope > .mark").after(button);
  }
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : document.body;
  const line = target.closest(LINES);
  if (!line || target.closest("a, .raw-panel")) return;
  // A click that ends a selection is no wish to open.
  if (!target.closest(".raw-open") && !(window.getSelection()?.isCollapsed ?? true)) return;
  toggle(line);
});
document.addEventListener("keydown", (event) => {
  const target = event.target instanceof Element ? event.target : document.body;
  if (event.key !== " " || event.ctrlKey || event.metaKey || event.altKey) return;
  const line = target.closest(LINES);
  // On the triangle itself Space is a click; in the panel it scrolls.
  if (!line || target.closest(".raw-open, .raw-panel")) return;
  event.preventDefault();
  toggle(line);
});
upgrade();
document.addEventListener("counterfoil:refreshed", upgrade);
