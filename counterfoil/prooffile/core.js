// What every proof is made of, computed with WebCrypto: leaf, path, signature, commitment.
//
// The entry page and the proof file hold these same functions.  What must hold: a function
// returns only for what it computed itself; anything that does not fit is a `Mismatch` that names
// what was expected and what was found.  Any other error means this browser cannot compute it.
//
// Sources: RFC 9162 2.1 (leaf, node, path), C2SP tlog-proof, signed-note, tlog-checkpoint,
// RFC 8785 (canonical JSON), docs/adr/0003 (commitments).

const text = new TextEncoder();
const PROOF_HEAD = "c2sp.org/tlog-proof@v1";
const ED25519 = 1;
const MLDSA44 = 6;

/** A step that does not hold: what was expected, what was found. */
export class Mismatch extends Error {
  /** @param {string} what @param {string} expected @param {string} found */
  constructor(what, expected, found) {
    super(`${what}: expected ${expected}, found ${found}`);
    this.name = "Mismatch";
  }
}

/** @param {Uint8Array[]} parts @returns {Promise<Uint8Array>} */
export async function sha256(...parts) {
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
export const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

/** A decimal without sign, leading zero or fraction, within 2^53. @param {string} digits */
function integer(digits) {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(digits) || !Number.isSafeInteger(Number(digits))) {
    throw new Mismatch("number", "a decimal without leading zeros", digits.slice(0, 40));
  }
  return Number(digits);
}

/** A hash of 32 bytes. @param {string} encoded */
export function hash(encoded) {
  const raw = decode(encoded);
  if (raw.length !== 32) throw new Mismatch("hash", "32 bytes", `${raw.length} bytes`);
  return raw;
}

/** Read a tlog-proof: {index, path, note}. @param {string} receipt */
export function readReceipt(receipt) {
  const split = receipt.indexOf("\n\n");
  const lines = receipt.slice(0, split).split("\n");
  if (split < 0 || lines[0] !== PROOF_HEAD) throw new Mismatch("receipt", PROOF_HEAD, lines[0].slice(0, 60));
  const rest = lines[1]?.startsWith("extra ") ? lines.slice(2) : lines.slice(1);
  if (!rest[0]?.startsWith("index ")) throw new Mismatch("receipt", "an index line", String(rest[0]).slice(0, 60));
  return { index: integer(rest[0].slice(6)), path: rest.slice(1).map(hash), note: receipt.slice(split + 2) };
}

/** Read a checkpoint note: {text, origin, size, root, signatures}. @param {string} note */
export function readCheckpoint(note) {
  const split = note.lastIndexOf("\n\n");
  if (split < 0) throw new Mismatch("checkpoint", "an empty line before the signatures", "none");
  // Other than a newline no control character, and none missing at the end.
  if (!note.endsWith("\n") || /[\0-\x09\x0b-\x1f]/.test(note)) throw new Mismatch("checkpoint", "whole lines of text", "others");
  const body = note.slice(0, split + 1);
  const lines = body.slice(0, -1).split("\n");
  if (lines.length < 3 || lines.includes("")) throw new Mismatch("checkpoint", "origin, size and root", `${lines.length} lines`);
  const signatures = note.slice(split + 2).split("\n").slice(0, -1).map((line) => {
    const [dash, name, encoded, ...more] = line.split(" ");
    if (dash !== "\u2014" || !encoded || more.length) throw new Mismatch("checkpoint", "a signature line", line.slice(0, 60));
    const raw = decode(encoded);
    if (raw.length <= 4) throw new Mismatch("signature", "more than a key id", `${raw.length} bytes`);
    return { name, id: hex(raw.slice(0, 4)), signature: raw.slice(4) };
  });
  return { text: body, origin: lines[0], size: integer(lines[1]), root: hash(lines[2]), signatures };
}

/** Read a verifier key and check that its id is its own: {name, id, key, fingerprint}.
 *  @param {string} vkey */
export async function readKey(vkey) {
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey);
  if (!match) throw new Mismatch("key", "name+id+base64", vkey.slice(0, 60));
  const raw = decode(match[3]);
  const id = hex((await sha256(text.encode(`${match[1]}\n`), raw)).slice(0, 4));
  if (id !== match[2]) throw new Mismatch("key id", match[2], id);
  if (raw[0] === MLDSA44) throw new Error("no browser computes ML-DSA-44 yet");
  if (raw[0] !== ED25519 || raw.length !== 33) throw new Mismatch("key", "an Ed25519 key", `type ${raw[0]}, ${raw.length} bytes`);
  return { name: match[1], id, key: raw.slice(1), fingerprint: hex(await sha256(raw)) };
}

/** The leaf: SHA-256 of 00 and the bytes of the entry. @param {Uint8Array} entry */
export const leafHash = (entry) => sha256(Uint8Array.of(0), entry);

/** On which side of the way up each neighbour stands, "L" or "R"; throws for a path that is too
 *  long or too short for the place. @param {number} index @param {number} size @param {number} count */
export function sides(index, size, count) {
  if (!(index < size)) throw new Mismatch("index", `below the size ${size}`, `${index}`);
  let node = index;
  let last = size - 1;
  const found = [];
  for (let at = 0; at < count; at += 1) {
    if (last === 0) throw new Mismatch("path", "fewer neighbours", `${count}`);
    // Not `& 1` and `>> 1`: those cut a number to 32 bits.
    if (node % 2 === 1 || node === last) {
      found.push("L");
      while (node > 0 && node % 2 === 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      found.push("R");
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) throw new Mismatch("path", "more neighbours", `${count}`);
  return found;
}

/** The root that a leaf and its neighbours make in a tree of `size`.
 *  @param {Uint8Array} leaf @param {number} index @param {number} size @param {Uint8Array[]} path */
export async function rootOf(leaf, index, size, path) {
  let made = leaf;
  for (const [at, side] of sides(index, size, path.length).entries()) {
    made = await (side === "L" ? sha256(Uint8Array.of(1), path[at], made) : sha256(Uint8Array.of(1), made, path[at]));
  }
  return made;
}

/** Check that a key signed a checkpoint as the log it names; returns the signature.
 *  @param {ReturnType<typeof readCheckpoint>} checkpoint
 *  @param {Awaited<ReturnType<typeof readKey>>} key */
export async function checkSignature(checkpoint, key) {
  if (checkpoint.origin !== key.name) throw new Mismatch("origin", key.name, checkpoint.origin);
  const own = checkpoint.signatures.filter((line) => line.name === key.name && line.id === key.id);
  if (own.length === 0) throw new Mismatch("signature", `one by ${key.name}, key ${key.id}`, "none");
  const imported = await crypto.subtle.importKey("raw", key.key, { name: "Ed25519" }, false, ["verify"]);
  for (const line of own) {
    const good = await crypto.subtle.verify({ name: "Ed25519" }, imported, line.signature, text.encode(checkpoint.text));
    if (!good) throw new Mismatch("signature", "one that the key made over this checkpoint", base64(line.signature));
  }
  return own[0].signature;
}

/** The commitment to a content under an opening: HMAC-SHA-256.
 *  @param {Uint8Array} opening @param {Uint8Array} content */
export async function commitment(opening, content) {
  const key = await crypto.subtle.importKey("raw", opening, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const head = text.encode("counterfoil.commit.v1\0");
  const message = new Uint8Array(head.length + content.length);
  message.set(head);
  message.set(content, head.length);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message));
}

/** The RFC 8785 form of a JSON value. @param {unknown} value @returns {string} */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  // By UTF-16 code units, as the RFC asks: what sort() does without a function.
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}
