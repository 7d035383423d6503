// Passkeys in a browser: asks the server what to ask the authenticator, and brings it the answer.
//
// A button says all there is to say: `data-passkey` is "get" or "create", `data-ask` and
// `data-answer` are calls of this server.  What stands in the fields of its form goes along.
//
// What must hold: nothing here decides anything; the server checks every answer.  A button stays
// hidden where the browser cannot do it, and the page says what to do instead.

const FAILED = {
  NotAllowedError: "No passkey was used: it was cancelled, or took too long. Try again.",
  InvalidStateError: "This device holds a passkey of yours already. Use another device.",
  SecurityError: "Passkeys do not work at this address. Open the page by its own name.",
  NotSupportedError: "This device makes no passkey that verifies who holds it. Use another one.",
  AbortError: "No passkey was used: something else asked for one. Try again.",
};

/** What the fields of a form say. @param {HTMLElement} button @returns {Record<string, string>} */
function fieldsOf(button) {
  const form = button.closest("form");
  if (!form) return {};
  const entries = [...new FormData(form)].filter((entry) => typeof entry[1] === "string");
  return Object.fromEntries(/** @type {[string, string][]} */ (entries));
}

/**
 * Call the server. @param {string} path @param {string} csrf @param {unknown} body
 * @returns {Promise<any>}
 */
async function call(path, csrf, body) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  if (csrf) headers["X-Counterfoil-CSRF"] = csrf;
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.detail || `The server answered ${answer.status}. Try again.`);
  return said;
}

/** @param {HTMLElement} button */
async function run(button) {
  const { passkey = "", ask = "", answer = "" } = button.dataset;
  const { csrf = "", ...fields } = fieldsOf(button);
  const options = await call(ask, csrf, fields);
  const credential =
    passkey === "create"
      ? await navigator.credentials.create({
          publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
        })
      : await navigator.credentials.get({
          publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
        });
  const shown = /** @type {PublicKeyCredential} */ (credential).toJSON();
  const { next } = await call(answer, csrf, { ...fields, credential: shown });
  window.location.assign(next);
}

/** @param {HTMLButtonElement} button */
function upgrade(button) {
  const form = button.closest("form") ?? button;
  const status = form.parentElement.querySelector("[data-passkey-status]");
  const say = (/** @type {string} */ words) => {
    status.textContent = words;
    status.hidden = !words;
  };
  const start = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    say("");
    try {
      await run(button);
    } catch (error) {
      say(FAILED[error.name] ?? error.message);
      button.disabled = false;
    }
  };
  button.hidden = false;
  if (form === button) button.addEventListener("click", start);
  else form.addEventListener("submit", start);
  for (const part of document.querySelectorAll("[data-passkey-missing]")) part.hidden = true;
}

if (window.PublicKeyCredential?.parseCreationOptionsFromJSON && window.isSecureContext) {
  for (const button of document.querySelectorAll("button[data-passkey]")) upgrade(button);
}
