// The bars of a search as a range slider: drag over them, or move its two ends with the keys and
// press Enter.  What is chosen becomes `since:` and `until:` of the search, in an address.
//
// Without scripts each bar is a link, and so is each line of the table below.

const DRAG_PX = 4;
const PAGE = 10;
const ENDS = ["first", "last"];

/** @typedef {{first: number, last: number}} Range  places of edges, `last` beyond the stretch */

const svg = document.querySelector("svg.hist[data-start]");
/** @type {Range} */
let shown = { first: 0, last: 0 };
let anchor = null;
let dragged = false;

const number = (name) => Number(svg.dataset[name]);
const momentAt = (edge) => new Date(Date.parse(svg.dataset.start) + edge * number("bucket") * 1000);
const spoken = (edge) => momentAt(edge).toLocaleString("en-GB", {
  weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC",
});
const placeOf = (edge) => number("left") + (edge * (number("width") - number("left"))) / number("count");

/** What stands before anything is chosen. @returns {Range} */
const unchosen = () => ({ first: number("first"), last: number("last") });
/** How far an end may go. @param {"first" | "last"} end */
const bounds = (end) => (end === "first" ? [0, shown.last - 1] : [shown.first + 1, number("count")]);

/** Draw what is chosen, and say it. @param {Range} range */
function show(range) {
  shown = range;
  const band = svg.querySelector(".chosen");
  band.setAttribute("x", String(placeOf(range.first)));
  const all = range.last - range.first === number("count");
  band.setAttribute("width", all ? "0" : String(placeOf(range.last) - placeOf(range.first)));
  for (const end of ENDS) {
    const thumb = svg.querySelector(`[data-end="${end}"]`);
    thumb.setAttribute("transform", `translate(${placeOf(range[end])} 0)`);
    thumb.setAttribute("aria-valuenow", String(range[end]));
    const [low, high] = bounds(end);
    thumb.setAttribute("aria-valuemin", String(low));
    thumb.setAttribute("aria-valuemax", String(high));
    thumb.setAttribute("aria-valuetext", spoken(range[end]));
  }
  const asked = range.first !== number("first") || range.last !== number("last");
  document.getElementById("range-choice").hidden = !asked;
  document.getElementById("range-words").textContent = asked ? `${spoken(range.first)} to ${spoken(range.last)} UTC` : "";
}

/** Search that stretch; an end that stands where the log does, and was not asked for, is left out. */
function go() {
  const words = [svg.dataset.rest];
  if (shown.first > 0 || svg.dataset.since) words.push(`since:${momentAt(shown.first).toISOString()}`);
  // `until:` includes the moment it names.
  if (shown.last < number("count") || svg.dataset.until) {
    words.push(`until:${new Date(momentAt(shown.last).getTime() - 1).toISOString()}`);
  }
  const target = new URL(window.location.href);
  target.searchParams.delete("cursor");
  target.searchParams.set("q", words.filter(Boolean).join(" "));
  window.location.assign(target);
}

/** @param {KeyboardEvent} event @param {"first" | "last"} end */
function step(event, end) {
  const [low, high] = bounds(end);
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -PAGE, PageUp: PAGE };
  let place = shown[end];
  if (event.key in steps) place += steps[event.key];
  else if (event.key === "Home") place = low;
  else if (event.key === "End") place = high;
  else if (event.key === "Escape") return show(unchosen());
  else if (event.key === "Enter") return void (event.preventDefault(), go());
  else return undefined;
  event.preventDefault();
  return show({ ...shown, [end]: Math.max(low, Math.min(place, high)) });
}

/** The edge nearest to the pointer. @param {number} x */
function edgeAt(x) {
  const box = svg.querySelector(".ground").getBoundingClientRect();
  return Math.max(0, Math.min(Math.round(((x - box.left) / box.width) * number("count")), number("count")));
}

/** @param {PointerEvent} event */
function drag(event) {
  if (anchor === null) return;
  if (!svg.hasPointerCapture(event.pointerId)) {
    if (Math.abs(event.clientX - anchor.x) < DRAG_PX) return;
    svg.setPointerCapture(event.pointerId);
  }
  const here = edgeAt(event.clientX);
  if (anchor.end) {
    const [low, high] = bounds(anchor.end);
    show({ ...shown, [anchor.end]: Math.max(low, Math.min(here, high)) });
  } else {
    const first = Math.min(anchor.edge, here, number("count") - 1);
    show({ first, last: Math.max(anchor.edge, here, first + 1) });
  }
}

/** Make the picture a slider. */
function upgrade() {
  for (const thumb of svg.querySelectorAll("[data-end]")) {
    thumb.removeAttribute("hidden");
    for (const [name, value] of Object.entries({
      role: "slider", tabindex: "0", "aria-label": thumb.dataset.end === "first" ? "From" : "To",
    })) thumb.setAttribute(name, value);
    thumb.addEventListener("keydown", (event) => step(event, thumb.dataset.end));
  }
  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    dragged = false;
    const end = event.target.closest("[data-end]")?.dataset.end ?? null;
    anchor = { x: event.clientX, edge: edgeAt(event.clientX), end };
  });
  svg.addEventListener("pointermove", drag);
  svg.addEventListener("pointerup", (event) => {
    dragged = anchor !== null && svg.hasPointerCapture(event.pointerId);
    anchor = null;
    if (dragged) go();
  });
  svg.addEventListener("pointercancel", () => { anchor = null; });
  // A drag that ends on a bar is no click on its link.
  svg.addEventListener("click", (event) => {
    if (dragged) event.preventDefault();
  }, true);
  show(unchosen());
}

// One bar alone has no stretch to choose.
if (svg && number("count") > 1) {
  upgrade();
  document.getElementById("range-go").addEventListener("click", go);
  // Coming back by the Back button: what was being chosen is chosen no more.
  window.addEventListener("pageshow", () => { dragged = false; show(unchosen()); });
}
