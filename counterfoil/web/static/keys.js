// The keys: g + letter goes, / searches, j k walk the rows, [ ] step, t opens the time form,
// ? shows them all; arrows walk the lanes of a drawing.  Never a single letter while typing, and
// they can be switched off (WCAG 2.2, 2.1.4).

const SWITCH = "counterfoil-keys";
const TYPING = "input, textarea, select, [contenteditable], dialog";
const ROWS = "main .rows > li, main tbody tr, main .gap";

const isOn = () => localStorage.getItem(SWITCH) !== "off";

/** Do what a control does. @param {Element | null} control @returns {boolean} */
function use(control) {
  if (!(control instanceof HTMLElement)) return false;
  if (control.matches("input, textarea")) control.focus();
  else control.click();
  return true;
}

/** The link a row opens. @param {Element} row */
const opens = (row) => row.querySelector(".title a[href], .grow > a[href]") ?? row.querySelector("a[href]");

/** Move to the next row with something to open. @param {number} by 1 or -1 */
function walk(by) {
  const rows = Array.from(document.querySelectorAll(ROWS)).filter((row) => opens(row)?.checkVisibility());
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const next = here < 0 ? (by > 0 ? 0 : rows.length - 1) : here + by;
  const link = rows[next] && opens(rows[next]);
  link?.focus();
  return Boolean(link);
}

/** Move in a drawing: along a lane, and to the nearest mark of another one.
 *  @param {Element} from @param {string} key */
function walkLanes(from, key) {
  const lanes = Array.from(from.closest("svg").querySelectorAll("[data-lane]"))
    .map((lane) => Array.from(lane.querySelectorAll("a[href]"))).filter((lane) => lane.length);
  const at = lanes.findIndex((lane) => lane.includes(from));
  if (at < 0) return false;
  const middle = (link) => { const box = link.getBoundingClientRect(); return box.left + box.width / 2; };
  const inOrder = lanes[at].toSorted((a, b) => middle(a) - middle(b));
  let next = null;
  if (key === "ArrowLeft" || key === "ArrowRight") next = inOrder[inOrder.indexOf(from) + (key === "ArrowRight" ? 1 : -1)];
  else {
    const lane = lanes[at + (key === "ArrowDown" ? 1 : -1)] ?? [];
    next = lane.toSorted((a, b) => Math.abs(middle(a) - middle(from)) - Math.abs(middle(b) - middle(from)))[0];
  }
  next?.focus();
  return true;
}

let leader = false;
document.addEventListener("keydown", (event) => {
  const target = event.target instanceof Element ? event.target : document.body;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.startsWith("Arrow") && target.closest("svg.lanes a")) {
    if (walkLanes(target.closest("a"), event.key)) event.preventDefault();
    return;
  }
  if (target.closest(TYPING) || !isOn()) return;
  const key = leader ? `g${event.key}` : event.key;
  leader = event.key === "g" && !leader;
  const done = key === "j" || key === "k" ? walk(key === "j" ? 1 : -1)
    : use(document.querySelector(`[data-key="${CSS.escape(key)}"]`));
  if (done) event.preventDefault();
});

const help = document.getElementById("help");
const button = document.getElementById("help-button");
if (help instanceof HTMLDialogElement && button) {
  button.hidden = false;
  button.addEventListener("click", () => help.showModal());
  const box = document.getElementById("keys-on");
  box.checked = isOn();
  box.addEventListener("change", () => localStorage.setItem(SWITCH, box.checked ? "on" : "off"));
}
