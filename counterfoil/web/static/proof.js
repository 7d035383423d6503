// The proof of one entry, computed here from the bytes on the page; the server is not asked.
//
// What must hold: a step is shown as done only after this module computed it; the first step that
// does not hold ends the work, names what was expected and what was found, and turns the head red.
// A browser that cannot compute (no WebCrypto, no Ed25519) leaves the rings broken and says so.
//
// What computes is counterfoil/prooffile/core.js, the same as in a proof file.

import { base64, checkSignature, decode, hex, leafHash, Mismatch, readCheckpoint, readKey, readReceipt, rootOf } from "./core.js";

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
  const signature = await checkSignature(checkpoint, await readKey(evidence.vkey));
  done("signature", `${checkpoint.origin} · ${checkpoint.size} · ${base64(signature)}`);
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
