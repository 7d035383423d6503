// The proof of one entry, computed here from the bytes on the page; the server is not asked.
//
// What must hold: a step is shown as done only after this module computed it; the first step that
// does not hold ends the work, names what was expected and what was found, and turns the head red.
// A browser that cannot compute (no WebCrypto, no Ed25519) leaves the rings broken and says so.
//
// Sources: RFC 9162 2.1 (leaf, node, path), C2SP tlog-proof, signed-note, tlog-checkpoint.

const text = new TextEncoder();
const PROOF_HEAD = "c2sp.org/tlog-proof@v1";
const ED25519 = 1;

/** A step that does not hold: what was expected, what was found. */
export class Mismatch extends Error {
  /** @param {string} what @param {string} expected @param {string} found */
  constructor(what, expected, found) {
    super(`${what}: expected ${expected}, found ${found}`);
    this.name = "Mismatch";
  }
}

/** @param {Uint8Array[]} parts @returns {Promise<Uint8Array>} */
async function sha256(...parts) {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined));
}

/** Strict base64: what it decodes must encode to the same text. @param {string} encoded */
export function decode(encoded) {
  let raw;
  try {
    raw = atob(encoded);
  } catch {
    throw new Mismatch("base64", "padded standard base64", encoded.slice(0, 60));
  }
  if (btoa(raw) !== encoded) throw new Mismatch("base64", btoa(raw), encoded);
  return Uint8Array.from(raw, (character) => character.charCodeAt(0));
}

/** @param {Uint8Array} bytes */
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param {Uint8Array} bytes */
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

/** A decimal without sign, leading zero or fraction, within 2^53. @param {string} digits */
function integer(digits) {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(digits) || !Number.isSafeInteger(Number(digits))) {
    throw new Mismatch("number", "a decimal without leading zeros", digits.slice(0, 40));
  }
  return Number(digits);
}

/** Read a tlog-proof: {index, path, note}. @param {string} receipt */
export function readReceipt(receipt) {
  const split = receipt.indexOf("\n\n");
  const lines = receipt.slice(0, split).split("\n");
  if (split < 0 || lines[0] !== PROOF_HEAD) throw new Mismatch("receipt", PROOF_HEAD, lines[0].slice(0, 60));
  const rest = lines[1]?.startsWith("extra ") ? lines.slice(2) : lines.slice(1);
  if (!rest[0]?.startsWith("index ")) throw new Mismatch("receipt", "an index line", String(rest[0]).slice(0, 60));
  const path = rest.slice(1).map(decode);
  for (const hash of path) if (hash.length !== 32) throw new Mismatch("receipt", "hashes of 32 bytes", `${hash.length}`);
  return { index: integer(rest[0].slice(6)), path, note: receipt.slice(split + 2) };
}

/** Read a checkpoint note: {text, origin, size, root, signatures}. @param {string} note */
export function readCheckpoint(note) {
  const split = note.lastIndexOf("\n\n");
  if (split < 0) throw new Mismatch("checkpoint", "an empty line before the signatures", "none");
  const body = note.slice(0, split + 1);
  const [origin, size, root] = body.split("\n");
  const signatures = note.slice(split + 2).split("\n").slice(0, -1).map((line) => {
    const [dash, name, encoded, ...more] = line.split(" ");
    if (dash !== "\u2014" || !encoded || more.length) throw new Mismatch("checkpoint", "a signature line", line.slice(0, 60));
    const raw = decode(encoded);
    return { name, id: hex(raw.slice(0, 4)), signature: raw.slice(4) };
  });
  const hash = decode(root ?? "");
  if (hash.length !== 32) throw new Mismatch("checkpoint", "a root of 32 bytes", `${hash.length} bytes`);
  return { text: body, origin, size: integer(size ?? ""), root: hash, signatures };
}

/** Read a verifier key and check that its id is its own: {name, id, key}. @param {string} vkey */
export async function readKey(vkey) {
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey);
  if (!match) throw new Mismatch("key", "name+id+base64", vkey.slice(0, 60));
  const raw = decode(match[3]);
  if (raw[0] !== ED25519 || raw.length !== 33) throw new Mismatch("key", "an Ed25519 key", `type ${raw[0]}, ${raw.length} bytes`);
  const id = hex((await sha256(text.encode(`${match[1]}\n`), raw)).slice(0, 4));
  if (id !== match[2]) throw new Mismatch("key id", match[2], id);
  return { name: match[1], id, key: raw.slice(1) };
}

/** The leaf: SHA-256 of 00 and the bytes of the entry. @param {Uint8Array} entry */
export const leafHash = (entry) => sha256(Uint8Array.of(0), entry);

/** The root that a leaf and its neighbours make in a tree of `size`.
 *  @param {Uint8Array} leaf @param {number} index @param {number} size @param {Uint8Array[]} path */
export async function rootOf(leaf, index, size, path) {
  if (!(index < size)) throw new Mismatch("index", `below the size ${size}`, `${index}`);
  let node = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0) throw new Mismatch("path", "fewer neighbours", `${path.length}`);
    // Not `& 1` and `>> 1`: those cut a number to 32 bits.
    if (node % 2 === 1 || node === last) {
      hash = await sha256(Uint8Array.of(1), sibling, hash);
      while (node > 0 && node % 2 === 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      hash = await sha256(Uint8Array.of(1), hash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) throw new Mismatch("path", "more neighbours", `${path.length}`);
  return hash;
}

/** Compute every step; `done(name, value)` is called after each one that holds.
 *  @param {{entry: Uint8Array, index: number, receipt: string, vkey: string, leaf: string}} evidence
 *  @param {(step: string, value: string) => void} done */
export async function check(evidence, done) {
  const receipt = readReceipt(evidence.receipt);
  const checkpoint = readCheckpoint(receipt.note);
  const leaf = await leafHash(evidence.entry);
  if (hex(leaf) !== evidence.leaf) throw new Mismatch("leaf", evidence.leaf, hex(leaf));
  if (receipt.index !== evidence.index) throw new Mismatch("place", `${evidence.index}`, `${receipt.index}`);
  done("leaf", hex(leaf));
  const root = await rootOf(leaf, receipt.index, checkpoint.size, receipt.path);
  if (hex(root) !== hex(checkpoint.root)) throw new Mismatch("root", hex(checkpoint.root), hex(root));
  done("root", hex(root));
  const key = await readKey(evidence.vkey);
  if (checkpoint.origin !== key.name) throw new Mismatch("origin", key.name, checkpoint.origin);
  const own = checkpoint.signatures.filter((line) => line.name === key.name && line.id === key.id);
  if (own.length === 0) throw new Mismatch("signature", `one by ${key.name}, key ${key.id}`, "none");
  const imported = await crypto.subtle.importKey("raw", key.key, { name: "Ed25519" }, false, ["verify"]);
  for (const line of own) {
    const good = await crypto.subtle.verify({ name: "Ed25519" }, imported, line.signature, text.encode(checkpoint.text));
    if (!good) throw new Mismatch("signature", "one that the key made over this checkpoint", base64(line.signature));
  }
  done("signature", `${checkpoint.origin} · ${checkpoint.size} · ${base64(own[0].signature)}`);
}

/** @param {Element} step @param {string} state @param {string} icon @param {string} value */
function show(step, state, icon, value) {
  step.setAttribute("data-state", state);
  step.querySelector("use")?.setAttribute("href", `#i-${icon}`);
  const words = step.querySelector(".spoken");
  if (words) words.textContent = state === "verified" ? "recomputed" : "does not hold";
  const shown = step.querySelector(".value");
  if (shown) shown.textContent = value;
}

/** @param {string} tone @param {string} icon @param {string} words */
function head(tone, icon, words) {
  const pill = document.getElementById("verdict");
  if (!pill) return;
  pill.className = `pill ${tone}`;
  pill.querySelector("use")?.setAttribute("href", `#i-${icon}`);
  const shown = pill.querySelector(".words");
  if (shown) shown.textContent = words;
}

/** Run over the entry page. @param {HTMLElement} page */
async function run(page) {
  const steps = Array.from(page.querySelectorAll("[data-step]"));
  const say = document.getElementById("proof-said");
  const drawing = page.querySelector(".path");
  const started = performance.now();
  let held = 0;
  try {
    const evidence = {
      entry: decode(page.dataset.entry ?? ""),
      index: Number(page.dataset.index),
      receipt: new TextDecoder("utf-8", { fatal: true }).decode(decode(page.dataset.receipt ?? "")),
      vkey: page.dataset.vkey ?? "",
      leaf: page.dataset.leaf ?? "",
    };
    await check(evidence, (name, value) => {
      const step = steps.find((each) => each.getAttribute("data-step") === name);
      if (step) show(step, "verified", "pass", value);
      held += 1;
    });
    const spent = Math.max(1, Math.round(performance.now() - started));
    if (say) say.textContent = `${held} of ${steps.length} recomputed in this browser · ${spent} ms`;
    head("pass", "pass", "recomputed in this browser");
    drawing?.classList.add("verified");
    const halves = document.getElementById("halves");
    if (halves) halves.textContent = "The two halves match.";
    halves?.classList.add("pass");
    page.dataset.verdict = "verified";
  } catch (error) {
    const unable = !(error instanceof Mismatch);
    if (unable) {
      if (say) say.textContent = `This browser cannot compute it (${error}); use the command below.`;
      head("none", "unknown", "not recomputed here");
      page.dataset.verdict = "cannot-check";
      return;
    }
    const step = steps[held];
    if (step) show(step, "failed", "fail", error.message);
    if (say) say.textContent = `${held} of ${steps.length} recomputed; the next one does not hold.`;
    head("fail", "fail", "does not match its proof");
    drawing?.classList.add("failed");
    const halves = document.getElementById("halves");
    if (halves) halves.textContent = "The two halves do not match.";
    halves?.classList.add("fail");
    const alarm = document.getElementById("alarm");
    const reason = document.getElementById("alarm-reason");
    if (reason) reason.textContent = error.message;
    if (alarm) alarm.hidden = false;
    page.dataset.verdict = "failed";
  }
}

const page = typeof document === "undefined" ? null : document.getElementById("proof");
if (page) run(page);
