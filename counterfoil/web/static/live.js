// What moves by itself.  The stream is hx-sse: it goes on by Last-Event-ID, rests while the page
// is hidden, and comes back by itself.
//
// What must hold: a message only says how far the log has come; what is shown comes from the page
// itself, fetched again, so a lost message loses nothing and ten thousand entries are one refresh.
// The page is read again until it knows every entry it was told of.  Nothing moves under the
// pointer or the focus.

const UNSEEN_MAX = 20;
const FEED_MAX = 60;
const REFRESH_EVERY_MS = 1000;
const SETTLE_MS = 150;
const SILENCE_MS = 40_000;
const SUMMARY_MS = 60_000;

const source = document.getElementById("live");
let told = Number(source?.dataset.newest ?? -1);
let known = told;
let summarised = told;
let behind = source?.hasAttribute("data-behind") ?? false;
let timer = 0;
let busy = false;
let began = 0;
let cost = 0;
let paused = false;
let heard = performance.now();
let connection = null;

/** @param {Element} region */
const inUse = (region) => region.matches(":hover") || region.contains(document.activeElement)
  || region.querySelector("details.go[open], .raw-panel") !== null;

/** @param {Element | null} list */
const topOf = (list) => Number(list?.querySelector("[data-entry]")?.getAttribute("data-entry") ?? -1);

/** Put rows that are not on the page yet at the top of the feed.
 *  @param {Element} feed @param {Element} fetched */
function growFeed(feed, fetched) {
  const top = topOf(feed);
  const missing = topOf(fetched) - top;
  const button = document.getElementById("unseen");
  if (missing <= 0) return;
  const fresh = Array.from(fetched.querySelectorAll("[data-entry]"))
    .filter((row) => Number(row.getAttribute("data-entry")) > top);
  if (!paused && !inUse(feed) && missing <= UNSEEN_MAX && fresh.length === missing) {
    fresh.forEach((row) => row.classList.add("fresh"));
    feed.prepend(...fresh);
    while (feed.childElementCount > FEED_MAX) feed.lastElementChild?.remove();
    button.hidden = true;
  } else {
    button.hidden = false;
    button.textContent = missing === 1 ? "1 new entry" : `${missing.toLocaleString("en")} new entries`;
    button.onclick = () => {
      feed.replaceChildren(...fetched.cloneNode(true).childNodes);
      button.hidden = true;
      document.dispatchEvent(new CustomEvent("counterfoil:refreshed"));
    };
  }
}

/** Put the moving parts of a page fetched again in place; what is in use waits.
 *  @param {Document} page */
function place(page) {
  for (const region of document.querySelectorAll("[data-live]")) {
    const fetched = page.getElementById(region.id);
    if (!fetched || region.isEqualNode(fetched)) continue;
    if (region.getAttribute("data-live") === "feed" && topOf(region) >= 0) growFeed(region, fetched);
    else if (!paused && !inUse(region)) region.replaceWith(fetched);
    else for (const end of ["pointerleave", "focusout"]) {
      region.addEventListener(end, () => { behind = true; schedule(); }, { once: true });
    }
  }
  for (const link of document.querySelectorAll(".side a")) {
    const count = page.querySelector(`.side a[href="${CSS.escape(link.getAttribute("href"))}"] .count`);
    link.querySelector(".count")?.remove();
    if (count) link.append(count);
  }
  // What every sheet of paper says at its edge.
  document.documentElement.dataset.known = page.documentElement.dataset.known;
  document.dispatchEvent(new CustomEvent("counterfoil:refreshed"));
}

/** Fetch this page again; say whether it is one. */
async function refresh() {
  const answer = await fetch(source.dataset.here, { headers: { Accept: "text/html" } });
  // Sent elsewhere: the session is over.
  if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const state = page.getElementById("live");
  known = Number(state?.dataset.newest ?? known);
  behind = state?.hasAttribute("data-behind") ?? false;
  place(page);
  source.dataset.refreshes = String(Number(source.dataset.refreshes ?? 0) + 1);
  source.dataset.newest = String(known);
}

/** Refresh once, soon: never two at a time, and never for more than a quarter of the time. */
function schedule() {
  if (timer || busy || document.hidden) return;
  const wait = began + Math.max(REFRESH_EVERY_MS, 4 * cost) - performance.now();
  timer = window.setTimeout(async () => {
    timer = 0;
    busy = true;
    began = performance.now();
    try {
      await refresh();
      cost = performance.now() - began;
    } catch {
      stopped();
    }
    busy = false;
    if (told > known || behind) schedule();
  }, Math.max(SETTLE_MS, wait));
}

function stopped() {
  const banner = document.getElementById("live-state");
  if (banner.hidden) {
    document.getElementById("live-since").textContent = `${new Date().toISOString().slice(11, 19)} UTC`;
  }
  banner.hidden = false;
}

if (source) {
  source.addEventListener("htmx:sse:before:connection", (event) => {
    const { attempt, config } = event.detail.connection;
    if (!attempt) return;
    const wait = Math.min(config.reconnectDelay * 2 ** (attempt - 1), config.reconnectMaxDelay);
    document.getElementById("live-next").textContent = wait < 1000
      ? "Trying again." : `Trying again in ${Math.round(wait / 1000)} s.`;
  });
  source.addEventListener("htmx:sse:after:connection", (event) => {
    connection = event.detail.connection;
    heard = performance.now();
    document.getElementById("live-state").hidden = true;
    if (told > known || behind) schedule();
  });
  source.addEventListener("size", (event) => {
    heard = performance.now();
    told = Math.max(told, JSON.parse(event.detail.data).size - 1);
    if (told > known) schedule();
  });
  source.addEventListener("pulse", () => { heard = performance.now(); });
  source.addEventListener("htmx:sse:error", stopped);
  source.addEventListener("htmx:error", stopped);
  // The server speaks every 15 s: a line that is silent for longer is dead, whatever TCP thinks.
  window.setInterval(() => {
    if (!document.hidden && performance.now() - heard > SILENCE_MS) {
      heard = performance.now();
      stopped();
      connection?.reader?.cancel();
    }
  }, 5000);
  window.setInterval(() => {
    const more = told - summarised;
    if (more > 0) document.getElementById("summary").textContent = `${more} further entries were recorded.`;
    summarised = told;
  }, SUMMARY_MS);
  document.addEventListener("visibilitychange", () => {
    heard = performance.now();
    if (told > known || behind) schedule();
  });
  if (behind) schedule();
}

const pause = document.getElementById("pause");
if (pause) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "go on" : "pause";
    behind = true;
    if (!paused) schedule();
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
