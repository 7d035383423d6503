// What moves by itself, and the keys.  The stream itself is hx-sse: it resumes by Last-Event-ID.
//
// What must hold: a hint only says that the log grew; what is shown comes from the page itself,
// fetched again, so a lost hint loses nothing.  Nothing moves under the pointer or the focus.

const UNSEEN_MAX = 20;
const SETTLE_MS = 700;
const SUMMARY_MS = 60_000;

const source = document.getElementById("live");
let unseen = 0;
let timer = 0;
let paused = false;

/** @param {Element} region */
const inUse = (region) => region.matches(":hover") || region.contains(document.activeElement);

/** Put rows that are not on the page yet at the top of the feed.
 *  @param {Element} feed @param {Element} fetched */
function growFeed(feed, fetched) {
  const top = Number(feed.querySelector("[data-entry]")?.getAttribute("data-entry") ?? -1);
  const fresh = Array.from(fetched.querySelectorAll("[data-entry]"))
    .filter((row) => Number(row.getAttribute("data-entry")) > top);
  const button = document.getElementById("unseen");
  if (fresh.length === 0) return;
  if (!paused && !inUse(feed) && fresh.length <= UNSEEN_MAX) {
    fresh.forEach((row) => row.classList.add("fresh"));
    feed.querySelector(".empty")?.parentElement?.remove();
    feed.prepend(...fresh);
    while (feed.childElementCount > 60) feed.lastElementChild?.remove();
    if (button) button.hidden = true;
  } else if (button) {
    button.hidden = false;
    button.textContent = fresh.length >= fetched.querySelectorAll("[data-entry]").length
      ? `${fresh.length} or more further entries` : `${fresh.length} further entries`;
    button.onclick = () => {
      feed.replaceChildren(...fetched.cloneNode(true).childNodes);
      button.hidden = true;
    };
  }
}

/** Fetch this page again and put its moving parts in place. */
async function refresh() {
  timer = 0;
  const answer = await fetch(source.dataset.here, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const region of document.querySelectorAll("[data-live]")) {
    const fetched = page.getElementById(region.id);
    if (!fetched) continue;
    if (region.getAttribute("data-live") === "feed") growFeed(region, fetched);
    else if (!paused && !inUse(region) && !region.isEqualNode(fetched)) region.replaceWith(fetched);
  }
}

if (source) {
  source.addEventListener("htmx:sse:after:connection", () => {
    document.getElementById("live-state").hidden = true;
  });
  // The server names its messages "entry" (one line of the log); their id is the log position.
  source.addEventListener("entry", () => {
    unseen += 1;
    if (!timer) timer = window.setTimeout(() => refresh().catch(() => stopped()), SETTLE_MS);
  });
  source.addEventListener("htmx:sse:error", stopped);
  source.addEventListener("htmx:error", stopped);
  window.setInterval(() => {
    if (unseen) document.getElementById("summary").textContent = `${unseen} further entries were recorded.`;
    unseen = 0;
  }, SUMMARY_MS);
}

function stopped() {
  const at = new Date().toISOString().slice(11, 19);
  const since = document.getElementById("live-since");
  const banner = document.getElementById("live-state");
  if (banner.hidden) since.textContent = `${at} UTC`;
  banner.hidden = false;
}

const pause = document.getElementById("pause");
if (pause) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "go on" : "pause";
    if (!paused) refresh().catch(() => stopped());
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.getAttribute("data-copy")).textContent);
    button.textContent = "copied";
  });
}
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// The ruler: a click shows the moment under the pointer.
const ruler = document.querySelector(".ruler[data-entries]");
ruler?.addEventListener("click", (event) => {
  const entries = ruler.getAttribute("data-entries").split(" ");
  const box = ruler.getBoundingClientRect();
  const place = Math.floor(((event.clientX - box.left) / box.width) * entries.length);
  const target = new URL(window.location.href);
  target.searchParams.set("as_of", entries[Math.max(0, Math.min(place, entries.length - 1))]);
  window.location.assign(target);
});

// Keys: g + letter goes, [ and ] step, t opens the time form.  Never while typing.
let leader = false;
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = leader ? `g${event.key}` : event.key;
  leader = event.key === "g" && !leader;
  const target = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (target instanceof HTMLElement) {
    event.preventDefault();
    target.click();
  }
});
