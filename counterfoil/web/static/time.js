// The ruler as a slider: arrows one entry, Page keys one hour, Home and End; a click or a drag
// shows the moment under the pointer.  What it lands on is an address, so Back goes back.
//
// Without scripts the ruler is a picture, and "Go to" does the same.

const COMMIT_MS = 500;
const HOUR_MS = 3_600_000;

let wanted = null;
let timer = 0;

/** @param {string | null} moment entry number or time; null for now */
function go(moment) {
  const target = new URL(window.location.href);
  if (moment === null) target.searchParams.delete("as_of");
  else target.searchParams.set("as_of", moment);
  sessionStorage.setItem("counterfoil-ruler", "focus");
  window.location.assign(target);
}

/** Say an entry before going there. @param {HTMLElement} ruler @param {number} index */
function say(ruler, index) {
  wanted = Math.max(0, Math.min(index, Number(ruler.dataset.newest)));
  ruler.setAttribute("aria-valuenow", String(wanted));
  ruler.setAttribute("aria-valuetext", `entry ${wanted.toLocaleString("en")}`);
  document.getElementById("asof-words").textContent = `entry ${wanted.toLocaleString("en")}`;
}

/** @param {HTMLElement} ruler */
function commit(ruler) {
  window.clearTimeout(timer);
  if (wanted === null) return;
  go(wanted >= Number(ruler.dataset.newest) ? null : String(wanted));
}

/** @param {HTMLElement} ruler @param {KeyboardEvent} event */
function step(ruler, event) {
  const at = wanted ?? Number(ruler.dataset.index);
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
  if (event.key in steps) {
    say(ruler, at + steps[event.key]);
    window.clearTimeout(timer);
    timer = window.setTimeout(() => commit(ruler), COMMIT_MS);
  } else if (event.key === "PageUp" || event.key === "PageDown") {
    const time = Date.parse(ruler.dataset.time) + (event.key === "PageUp" ? HOUR_MS : -HOUR_MS);
    go(time >= Date.now() ? null : new Date(time).toISOString());
  } else if (event.key === "Home") go("0");
  else if (event.key === "End") go(null);
  else if (event.key === "Enter") commit(ruler);
  else return;
  event.preventDefault();
}

/** @param {HTMLElement} ruler @param {number} x where the pointer is */
function under(ruler, x) {
  const entries = ruler.dataset.entries.split(" ");
  const box = ruler.getBoundingClientRect();
  const place = Math.floor(((x - box.left) / box.width) * entries.length);
  say(ruler, Number(entries[Math.max(0, Math.min(place, entries.length - 1))]));
}

/** Make the picture a slider; again after the bar was put in place anew. */
function upgrade() {
  const ruler = document.getElementById("ruler");
  if (!ruler || ruler.hasAttribute("role")) return;
  const newest = Number(ruler.dataset.newest);
  for (const [name, value] of Object.entries({
    role: "slider", tabindex: "0", "aria-label": "The moment this page is as of",
    "aria-valuemin": "0", "aria-valuemax": String(Math.max(newest, 0)),
    "aria-valuenow": String(Math.max(Number(ruler.dataset.index), 0)), "aria-valuetext": ruler.dataset.value,
  })) ruler.setAttribute(name, value);
  ruler.firstElementChild.setAttribute("aria-hidden", "true");
  ruler.addEventListener("keydown", (event) => step(ruler, event));
  ruler.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    ruler.setPointerCapture(event.pointerId);
    under(ruler, event.clientX);
  });
  ruler.addEventListener("pointermove", (event) => {
    if (ruler.hasPointerCapture(event.pointerId)) under(ruler, event.clientX);
  });
  ruler.addEventListener("pointerup", () => commit(ruler));
}

upgrade();
document.addEventListener("counterfoil:refreshed", upgrade);
if (sessionStorage.getItem("counterfoil-ruler")) {
  sessionStorage.removeItem("counterfoil-ruler");
  document.getElementById("ruler")?.focus();
}
// Coming back by the Back button: what was being chosen is chosen no more.
window.addEventListener("pageshow", () => { wanted = null; });
for (const form of document.querySelectorAll(".go")) {
  form.addEventListener("toggle", () => { if (form.open) form.querySelector("input:not([type=hidden])")?.focus(); });
}
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.go[open], details.menu[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});
