// The data of a proof file: read strictly, and checked step by step.
//
// The same rules as counterfoil/verifier/proof_file.py, in the same order; a test changes every
// embedded member once and asks both.  Source: docs/proof-file.md, version 1.
import { canonical, checkSignature, commitment, decode, hash, hex, leafHash, Mismatch, readCheckpoint, readKey, rootOf, base64, sha256 } from "./core.js";

const bytes = new TextEncoder();
const TEXT = (value) => typeof value === "string";
const COUNT = (value) => Number.isSafeInteger(value) && value >= 0;
const FLAG = (value) => typeof value === "boolean";
const optional = (kind) => (value) => value === null || kind(value);
const SHAPE = {
  format: (value) => value === "counterfoil-proof-file",
  version: (value) => value === 1,
  subject: TEXT,
  project: TEXT,
  written: TEXT,
  vkey: TEXT,
  checkpoint: TEXT,
  digest: TEXT,
  entries: [{ index: COUNT, entry: TEXT, path: [TEXT], shown: [{ name: TEXT, opening: TEXT, content: TEXT }] }],
  statement: {
    as_of: COUNT,
    steps: [{ entry: COUNT, ended: optional(COUNT), lane: TEXT, what: TEXT, outcome: optional(TEXT) }],
    gaps: [{ rule: TEXT, what: TEXT, why: TEXT, entries: [COUNT] }],
    left_out: COUNT,
    cut: FLAG,
  },
};

/** Whether `value` has exactly the members and kinds of `shape`. */
function fits(value, shape) {
  if (typeof shape === "function") return shape(value);
  if (Array.isArray(shape)) return Array.isArray(value) && value.every((each) => fits(each, shape[0]));
  if (value === null || typeof value !== "object" || Array.isArray(value)) return false;
  const names = Object.keys(value);
  return names.length === Object.keys(shape).length && names.every((name) => Object.hasOwn(shape, name) && fits(value[name], shape[name]));
}

/** Read JSON that stands in its one spelling. @param {string} what @param {string} written */
function readCanonical(what, written, spell = (form) => form) {
  let value;
  try {
    value = JSON.parse(written);
  } catch {
    throw new Mismatch(what, "whole JSON", "text that is cut off or altered");
  }
  if (spell(canonical(value)) !== written) throw new Mismatch(what, "its one canonical spelling", "another");
  return value;
}

/** Read the data element. @param {string} written */
export function readFile(written) {
  const data = readCanonical("the data", written, (form) => form.replaceAll("<", "\\u003c"));
  if (!fits(data, SHAPE)) throw new Mismatch("the data", "counterfoil-proof-file version 1", "another form");
  return data;
}

/** Open what is shown of one entry: its values by name. */
async function openShown(one, entry) {
  const values = new Map();
  for (const shown of one.shown) {
    const opening = decode(shown.opening);
    if (!Object.hasOwn(entry.commit, shown.name) || values.has(shown.name) || opening.length !== 32) {
      throw new Mismatch(`entry ${one.index}`, "an opening of 32 bytes for each commitment it has", shown.name.slice(0, 60));
    }
    const made = base64(await commitment(opening, bytes.encode(shown.content)));
    if (made !== entry.commit[shown.name]) throw new Mismatch(`${shown.name} of entry ${one.index}`, entry.commit[shown.name], made);
    values.set(shown.name, readCanonical(`${shown.name} of entry ${one.index}`, shown.content));
  }
  return values;
}

/** Whether an entry names the subject of the file. */
const isAbout = (subject, index, entry) =>
  subject.startsWith("entry:") ? subject === `entry:${index}` : subject === entry.subject || entry.refs.some((named) => named.ref === subject);

/** The statement may not rest on, or be about, what is not in the file. */
function checkTies(data, opened) {
  const there = new Set(data.entries.map((one) => one.index));
  if (!data.entries.every((one, at) => at === 0 || data.entries[at - 1].index < one.index)) {
    throw new Mismatch("the entries", "each once, in order", "another order");
  }
  const said = data.statement;
  const named = [said.as_of, ...said.gaps.flatMap((gap) => gap.entries), ...said.steps.flatMap((step) => (step.ended === null ? [step.entry] : [step.entry, step.ended]))];
  for (const index of named) if (!there.has(index)) throw new Mismatch("the statement", `entry ${index} in this file`, "none");
  const last = data.entries.at(-1).index;
  if (last > said.as_of) throw new Mismatch("the entries", `none after ${said.as_of}`, `${last}`);
  if (!opened.some((one) => isAbout(data.subject, one.index, one.entry))) throw new Mismatch("the subject", "an entry that names it", data.subject.slice(0, 80));
}

/** Check everything; `done(what, index)` is called after each step that holds.
 *  Returns the key, the checkpoint, and every entry with its opened values and its leaf. */
export async function checkFile(data, done) {
  const { digest, ...rest } = data;
  const made = hex(await sha256(bytes.encode(canonical(rest))));
  if (made !== digest) throw new Mismatch("the data", digest.slice(0, 64), made);
  done("digest", -1);
  const key = await readKey(data.vkey);
  const checkpoint = readCheckpoint(data.checkpoint);
  await checkSignature(checkpoint, key);
  done("signature", -1);
  const opened = [];
  for (const one of data.entries) {
    const leaf = await leafHash(bytes.encode(one.entry));
    const root = await rootOf(leaf, one.index, checkpoint.size, one.path.map(hash));
    if (hex(root) !== hex(checkpoint.root)) throw new Mismatch(`root of entry ${one.index}`, hex(checkpoint.root), hex(root));
    const entry = readCanonical(`entry ${one.index}`, one.entry);
    if (entry?.v !== 1 || typeof entry.commit !== "object" || !Array.isArray(entry.refs)) throw new Mismatch(`entry ${one.index}`, "format 1", "another");
    done("entry", one.index);
    const values = await openShown(one, entry);
    for (const name of values.keys()) done(name, one.index);
    opened.push({ index: one.index, entry, values, leaf: hex(leaf) });
  }
  checkTies(data, opened);
  done("statement", -1);
  return { key, checkpoint, opened };
}
