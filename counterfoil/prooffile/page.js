// The page of a proof file: check the data, then show what was checked, and nothing else.
//
// What must hold: every word about evidence is made here from data that `checkFile` went over;
// text from outside is text, never markup, bounded, its hidden characters shown as boxes; a file
// that does not hold shows why and none of its contents; no address is ever asked.
import { sides } from "./core.js";
import { checkFile, readFile } from "./file.js";

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/u;
const TEXT_MAX = 300;
const CONTENT_MAX = 20000;
const KINDS = { user: "person", app_user: "person", agent: "agent", unauthenticated: "nobody" };

function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child !== ""));
  return made;
}

function icon(name, tone = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  made.setAttribute("class", `i ${tone}`);
  made.setAttribute("viewBox", "0 0 16 16");
  made.setAttribute("aria-hidden", "true");
  made.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
  made.firstChild.setAttribute("href", `#i-${name}`);
  return made;
}

const box = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

/** Outside text as runs: [text, whether it is a hidden character]. */
function runs(text, limit, lines) {
  const all = Array.from(text.slice(0, limit * 2));
  const cut = all.length > limit || text.length > limit * 2 ? [...all.slice(0, limit - 1), "…"] : all;
  const found = [];
  for (const character of cut) {
    const hidden = HIDDEN.test(character) && !(lines && character === "\n");
    if (!hidden && found.length && !found.at(-1)[1]) found.at(-1)[0] += character;
    else found.push([hidden ? box(character) : character, hidden]);
  }
  return found;
}

const outside = (text, limit = TEXT_MAX, lines = false) =>
  el("bdi", { class: "outside" }, runs(text, limit, lines).map(([run, hidden]) => (hidden ? el("span", { class: "box" }, run) : run)));
const plain = (text, limit = TEXT_MAX) => runs(text, limit, false).map(([run, hidden]) => (hidden ? `[${run}]` : run)).join("");
const code = (...children) => el("code", {}, ...children);
const number = (value) => value.toLocaleString("en-US");
const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** A stored time as [day, clock] in UTC; null when it cannot be read. */
function moment(time) {
  const at = new Date(time);
  if (!/^\d{4}-\d\d-\d\d[Tt]/.test(time) || Number.isNaN(at.getTime())) return null;
  const [, day, month, year] = at.toUTCString().match(/(\d\d) (\w{3}) (\d{4})/);
  return [`${at.toUTCString().slice(0, 3)} ${Number(day)} ${month} ${year}`, at.toISOString().slice(11, 19)];
}
const full = (time) => (moment(time) ? `${moment(time).join(", ")} UTC` : "at a time that cannot be read");

function titleOf(subject) {
  const [kind, ...rest] = subject.split(":");
  const id = rest.join(":");
  if (kind === "entry") return `Entry ${number(Number(id))}`;
  const named = `${kind[0].toUpperCase()}${kind.slice(1)} ${id}`;
  return kind === "release" ? `${named}, from commit to production` : named;
}

/** Who did it, by the entry itself; the name only where it was opened. */
function who(one) {
  const pseudonym = one.entry.refs.filter((named) => named.role === "actor").at(-1)?.ref;
  const name = one.values.get("authid");
  const authtype = one.values.get("body")?.authtype ?? "user";
  if (pseudonym === undefined) return [icon("nobody"), " nobody named"];
  const kind = icon(KINDS[authtype] ?? "service");
  if (typeof name !== "string") return [kind, " ", code(outside(pseudonym.replace("actor:", "").slice(0, 8)))];
  const proven = name === one.entry.recordedby;
  return [kind, " ", el("b", {}, outside(name, 120)), " ", el("span", { class: `how ${proven ? "proven" : "claimed"}` }, proven ? "proven" : "claimed by the sender")];
}

function fact(name, ...value) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, ...value));
}

/** A JSON value as text: a line for each member of the outer two levels, the rest in one line. */
function layout(value, depth = 0) {
  if (depth > 1 || value === null || typeof value !== "object" || Array.isArray(value)) return JSON.stringify(value);
  const inner = Object.entries(value).map(([name, each]) => `${" ".repeat(depth + 1)}${JSON.stringify(name)}: ${layout(each, depth + 1)}`);
  return inner.length ? `{\n${inner.join(",\n")}\n${" ".repeat(depth)}}` : "{}";
}

/** One entry of the part behind the perforation: what it says, what was opened, its hashes. */
function evidence(one, proof, size) {
  const { entry, values } = one;
  const closed = Object.keys(entry.commit).filter((name) => !values.has(name));
  const facts = [
    fact("Type", code(outside(entry.type))),
    entry.subject ? fact("About", code(outside(entry.subject))) : "",
    fact("Happened", full(entry.time)),
    fact("Recorded", `${full(entry.recordedtime)}, by `, outside(entry.via), " under ", code(outside(entry.recordedby))),
    fact("From", code(outside(entry.source)), " as ", code(outside(entry.id))),
    entry.refs.length ? fact("Names", entry.refs.map((named) => el("span", { class: "ref" }, outside(named.role), " ", code(outside(named.ref))))) : "",
  ];
  for (const [name, value] of values) {
    facts.push(fact(name === "body" ? "Body" : outside(name), el("pre", { tabindex: "0" }, outside(layout(value), CONTENT_MAX, true))));
  }
  if (closed.length) facts.push(fact("Not opened", "committed to, not in this file: ", code(outside(closed.join(", ")))));
  if (one.leaf) {
    const turns = sides(one.index, size, proof.path.length);
    facts.push(fact("Leaf", code(one.leaf)), fact("Path", proof.path.map((hash, at) => [el("code", { class: "hash" }, `${turns[at]} ${hash}`), " "]).flat()));
  }
  return el("details", { id: `entry-${one.index}` }, el("summary", {}, `Entry ${number(one.index)}: `, outside(entry.type, 120)), el("dl", { class: "evidence" }, facts));
}

function gapRow(gap, ordinal) {
  const rests = gap.entries.length ? ` ${gap.entries.length === 1 ? "Entry" : "Entries"} ${gap.entries.map(number).join(", ")}.` : "";
  return el("tr", { class: "gap" }, el("td", { colspan: "5" }, icon("gap", "fail"), " ", el("b", { class: "fail" }, `Gap ${ordinal}.`), " ", outside(gap.what, 600), " ", outside(gap.why, 600), el("span", { class: "dim" }, rests)));
}

/** One row of the table; `before` is the day of the row above. */
function stepRow(step, one, before, state) {
  const [day, clock] = moment(one.entry.time) ?? ["", "unknown"];
  const [name, tone, spoken] = state === "verified" ? ["pass", "pass", "recomputed"] : ["pending", "", "not checked"];
  const bad = ["failed", "error"].includes(step.outcome) ? "fail" : "";
  const outcome = step.outcome && !step.what.includes(step.outcome) ? [" ", el("span", { class: `outcome ${bad}` }, outside(step.outcome, 40))] : "";
  return el("tr", {},
    el("td", { class: "at" }, clock, day === before ? "" : el("span", { class: "sub" }, day)),
    el("td", {}, who(one)),
    el("td", {}, outside(step.what), outcome, step.ended === null ? "" : el("span", { class: "sub" }, "ended in entry ", to(step.ended))),
    el("td", { class: "num" }, to(step.entry)),
    el("td", { class: "num" }, icon(name, tone), el("span", { class: "sr" }, spoken)));
}

/** A link to an entry behind the perforation. */
function to(index) {
  const made = el("a", { href: `#entry-${index}` }, number(index));
  made.addEventListener("click", () => { document.getElementById(`entry-${index}`).open = true; });
  return made;
}

/** The table of steps; gaps stand behind the last entry they rest on, or before everything. */
function table(data, opened, state) {
  const said = data.statement;
  const byIndex = new Map(opened.map((one) => [one.index, one]));
  const places = said.gaps.map((gap) => said.steps.findLastIndex((step) => gap.entries.includes(step.entry)));
  const body = el("tbody", {});
  const gapsAt = (place) => said.gaps.forEach((gap, at) => places[at] === place && body.append(gapRow(gap, at + 1)));
  gapsAt(-1);
  said.steps.forEach((step, at) => {
    const before = at ? moment(byIndex.get(said.steps[at - 1].entry).entry.time)?.[0] : "";
    body.append(stepRow(step, byIndex.get(step.entry), before, state));
    gapsAt(at);
  });
  const heads = ["When, UTC", "Who, and how we know", "What, in the writer\u2019s words", "Entry", "Check"];
  const nameless = said.steps.some((step) => !byIndex.get(step.entry).values.has("authid"));
  return [
    el("div", { class: "wide" }, el("table", {}, el("thead", {}, el("tr", {}, heads.map((head, at) => el("th", at > 2 ? { scope: "col", class: "num" } : { scope: "col" }, head)))), body)),
    nameless ? el("p", { class: "dim small" }, "Names of people are not in this file: eight letters stand for whoever they are, the same for the same person.") : "",
  ];
}

function verdictCard(data, state, error, held, spent) {
  const [name, tone, heading] = {
    verified: ["pass", "pass", "Verified on this computer"],
    failed: ["fail", "fail", "Does not hold"],
    "cannot-check": ["unknown", "", "Not checked here"],
  }[state];
  const openings = held?.opened.reduce((sum, one) => sum + one.values.size, 0);
  const sentence = {
    verified: () => `${count(data.entries.length, "entry", "entries")}, 1 checkpoint signature and ${count(openings, "opening")} were recomputed here. Taken on trust: one public key, named below.`,
    failed: () => `${plain(error.message, 600)}. Keep the file and ask for another one.`,
    "cannot-check": () => `This browser cannot compute it (${plain(String(error), 200)}). What stands below is unchecked; use the command at the end.`,
  }[state]();
  const checks = `${held ? number(held.done) : 0} checks`;
  const top = el("div", { class: "top-half" }, icon(name, `big ${tone}`), el("div", { class: "grow" }, el("h2", { class: tone, id: "heading" }, heading), el("p", { id: "reason" }, sentence)),
    el("p", { class: "facts" }, state === "verified" ? [el("span", {}, `${checks}, all hold`), el("span", {}, `${spent} ms`)] : "", el("span", {}, moment(new Date().toISOString())[0])));
  if (!data || state === "failed") return el("section", { class: `verdict ${tone}` }, top);
  const origin = held ? held.checkpoint.origin : data.checkpoint.split("\n")[0];
  const last = data.entries.find((one) => one.index === data.statement.as_of);
  const known = JSON.parse(last.entry).recordedtime;
  return el("section", { class: `verdict ${tone}` }, top, el("div", { class: "perf" }), el("dl", { class: "bottom-half" },
    fact("As known at", el("span", { id: "known" }, `entry ${number(data.statement.as_of)}, recorded ${full(String(known))}. Later entries are not in this file.`)),
    fact("Log", code(outside(origin)), held ? [`, checkpoint of size ${number(held.checkpoint.size)}, root `, code(data.checkpoint.split("\n")[2])] : ""),
    fact("Key", held ? [code(held.key.fingerprint), " is the fingerprint of the key this file carries (id ", code(held.key.id), ")."] : "not checked",
      " The page checked itself with that key: whose key it is, you must know from elsewhere."),
    fact("Written", full(data.written), ", by the clock of the ledger, project ", outside(data.project, 63))));
}

const bullet = (name, tone, words) => el("li", {}, icon(name, tone), el("span", {}, words));

function limits(data) {
  const said = data.statement;
  const proves = ["Each entry stands in the log at its place, in a tree the key signed.", "What is opened of an entry is what was committed to when it was recorded.", "Nothing later than the moment above is in it."];
  const not = [
    "That a line was true when it was written.",
    "That something nobody reported did not happen.",
    "The words under “What” and the gaps: the ledger concluded them, nothing in this file signs them.",
    "That nobody is shown another log: no witness is checked by this page.",
  ];
  if (said.left_out) not.push(`${count(said.left_out, "further entry", "further entries")} the statement rests on did not fit into this file.`);
  if (said.cut) not.push("The chain was followed up to a limit; it may be longer than what is shown.");
  return el("div", { class: "two" },
    el("section", {}, el("h2", {}, "What this file proves"), el("ul", {}, proves.map((words) => bullet("pass", "pass", words)))),
    el("section", {}, el("h2", {}, "What it does not prove"), el("ul", {}, not.map((words) => bullet("unknown", "second", words)))));
}

function fileName() {
  try {
    return decodeURIComponent(location.pathname.split("/").at(-1)) || "proof.html";
  } catch {
    return "proof.html";
  }
}

function withoutThisPage() {
  return el("section", { id: "without" }, el("h2", {}, "Check it without this page"),
    el("p", {}, "A page can say anything. The same data are judged by a program you already have, against a policy you chose, and no code of this page is run: ", code("counterfoil verify ", outside(fileName(), 120), " --trust POLICY"), ". Each entry with the checkpoint makes a C2SP tlog-proof that any such tool reads; docs/proof-file.md says how."));
}

/** Everything behind the perforation: each entry as the log holds it, and the signed checkpoint. */
function annex(data, opened, size) {
  return el("section", { class: "annex" }, el("p", { class: "detach" }, icon("ticket"), el("span", {}, "detach here: the entries and their hashes follow")),
    opened.map((one, at) => evidence(one, data.entries[at], size)),
    el("h2", {}, "The checkpoint, as it was signed"), el("pre", { tabindex: "0" }, outside(data.checkpoint, 4000, true)),
    el("p", { class: "dim small" }, "Leaves in hexadecimal; path and root in base64, with the side each neighbour stands on."));
}

/** Put subject, moment, digest and page number on every printed sheet. */
function sheets(data, line) {
  const quoted = (text) => `"${Array.from(text, (each) => (/[A-Za-z0-9 .,:@_-]/.test(each) ? each : `\\${each.codePointAt(0).toString(16)} `)).join("")}"`;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`@page { @bottom-left { content: ${quoted(line)}; } @bottom-right { content: ${quoted(`data SHA-256 ${data.digest.slice(0, 16)} · page `)} counter(page) " of " counter(pages); } }`);
  document.adoptedStyleSheets = [sheet];
}

/** What the data say, unchecked: for a browser that cannot compute. */
function unchecked(data) {
  return data.entries.map((one) => ({
    index: one.index,
    entry: JSON.parse(one.entry),
    values: new Map(one.shown.map((shown) => [shown.name, JSON.parse(shown.content)])),
  }));
}

function show(data, state, error, held, spent) {
  const main = document.getElementById("main");
  if (!data || state === "failed") {
    main.replaceChildren(el("h1", {}, "Proof file"), verdictCard(data, state, error, held, spent), withoutThisPage());
    return;
  }
  const opened = held ? held.opened : unchecked(data);
  const title = titleOf(data.subject);
  const gaps = data.statement.gaps.length;
  const moment = `as known at entry ${number(data.statement.as_of)}`;
  const isEntry = data.subject.startsWith("entry:");
  const say = isEntry ? "" : gaps ? `${gaps === 1 ? "One thing is" : `${number(gaps)} things are`} missing, ${moment}.` : `By the rules of its ledger nothing is missing between what is recorded, ${moment}.`;
  document.title = `${plain(title, 120)}: proof file`;
  sheets(data, `${plain(data.subject, 70)} ${moment}`);
  main.replaceChildren(
    el("p", { class: "crumb" }, outside(data.project, 63), " / ", outside(data.subject.split(":")[0], 32)),
    el("h1", {}, outside(title, 200)),
    say ? el("p", { class: `say ${gaps ? "fail" : ""}` }, gaps ? [icon("gap"), " "] : "", say) : "",
    verdictCard(data, state, error, held, spent),
    el("h2", {}, isEntry ? "What is recorded" : "What happened, in order"),
    ...table(data, opened, state).filter(Boolean),
    limits(data),
    withoutThisPage(),
    annex(data, opened, held?.checkpoint.size),
    el("footer", {}, el("span", {}, outside(data.subject, 120), ` ${moment}`), el("span", { class: "digest" }, `data SHA-256 ${data.digest}`)));
}

async function run() {
  const root = document.documentElement;
  const started = performance.now();
  const blocks = document.querySelectorAll('script[type="application/json"]');
  const whole = document.getElementById("end") !== null && blocks.length === 1;
  let data = null;
  let held = null;
  let done = 0;
  let state = "verified";
  let reason = null;
  try {
    data = readFile(whole ? blocks[0].textContent : "");
    held = await checkFile(data, () => { done += 1; });
    held.done = done;
  } catch (error) {
    held = null;
    reason = error;
    state = error?.name === "Mismatch" ? "failed" : "cannot-check";
  }
  show(data, state, reason, held, Math.max(1, Math.round(performance.now() - started)));
  document.getElementById("opened").textContent = location.protocol === "file:" ? "opened from disk · no network used" : "no network used";
  const print = document.getElementById("print");
  print.hidden = false;
  print.addEventListener("click", () => window.print());
  // On paper nothing can be unfolded, so everything is.
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
  root.setAttribute("data-verdict", state);
  root.setAttribute("data-checked", "");
}

run();
