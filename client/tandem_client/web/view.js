// The talking side of the page: transcript, voice state, meters and notices. Reads state, writes the DOM, decides nothing.
import { voiceState } from "./conversation.js";
import { CONNECTION, MICROPHONE, plain } from "./states.js";

/** @param {string} id @returns {any} */
export const $ = (id) => document.getElementById(id);

/**
 * @param {string} tag @param {Record<string, any>} [properties] @param {...(Node | string)} children
 * @returns {any}
 */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Writes only what differs: a live region speaks whenever it is touched. @param {HTMLElement} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const VOICE = Object.freeze({
  idle: "Not listening",
  listening: "Listening",
  user: "You are speaking",
  thinking: "Thinking",
  agent: "Agent is speaking",
});
const WHO = Object.freeze({ user: "You", assistant: "Agent", note: "" });
const FLOOR_DB = -60;

/** @typedef {import("./conversation.js").Item} Item */

export class Transcript {
  /** @type {Map<string, {node: any, item: Item}>} */
  #shown = new Map();
  #atEnd = true;

  constructor() {
    const log = $("log");
    log.onscroll = () => {
      this.#atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    };
    new ResizeObserver(() => this.#follow()).observe(log);
  }

  /** @param {readonly Item[]} items */
  render(items) {
    const log = $("log");
    $("log-empty").hidden = items.length > 0;
    for (const item of items) this.#renderItem(log, item);
    const known = new Set(items.map(({ id }) => id));
    for (const [id, { node }] of this.#shown) {
      if (known.has(id)) continue;
      node.remove();
      this.#shown.delete(id);
    }
    this.#follow();
  }

  /** Stays with the newest words, unless the person has scrolled back. */
  #follow() {
    if (this.#atEnd) $("log").scrollTop = $("log").scrollHeight;
  }

  /** @param {HTMLElement} log @param {Item} item */
  #renderItem(log, item) {
    const shown = this.#shown.get(item.id);
    if (shown && same(shown.item, item)) return;
    const node = shown?.node ?? log.appendChild(element("article", { className: `item ${item.role}` }));
    node.setAttribute("aria-busy", String(!item.final && item.heardMs === null));
    node.replaceChildren(...(item.role === "note" ? [element("p", {}, item.text)] : [heading(item), said(item)]));
    this.#shown.set(item.id, { node, item });
  }
}

/** Nothing that is shown differs. @param {Item} a @param {Item} b */
const same = (a, b) =>
  a === b || (a.text === b.text && a.final === b.final && a.heardMs === b.heardMs && a.heardText === b.heardText
    && a.turn === b.turn && a.typed === b.typed);

/** @param {Item} item */
function heading(item) {
  const about = [item.typed ? "typed" : null, item.turn === null ? null : `turn ${item.turn}`].filter(Boolean);
  return element("h3", {}, WHO[item.role], element("small", {}, about.join(" · ")));
}

/** @param {Item} item */
function said(item) {
  if (item.heardMs === null) return element("p", {}, item.text || (item.final ? "(nothing understood)" : "…"));
  const heard = item.heardText ?? "";
  const rest = item.text.startsWith(heard) ? item.text.slice(heard.length) : "";
  const cut = element("span", { className: "cut" }, `interrupted after ${(item.heardMs / 1000).toFixed(1)} s`);
  const unheard = rest.trim() ? [element("del", { title: "Not heard" }, rest)] : [];
  return element("p", {}, heard, " ", cut, ...unheard);
}

/**
 * @param {import("./conversation.js").Conversation} conversation
 * @param {boolean} hearing Somebody hears the microphone.
 */
export function renderVoice(conversation, hearing) {
  const voice = voiceState(conversation, hearing);
  $("voice").dataset.state = voice;
  setText($("voice-text"), VOICE[voice]);
  $("interrupt").disabled = voice !== "agent" && conversation.response === null;
}

/** @param {import("./audio-in.js").MicrophoneState} state */
export function renderMicrophone(state) {
  const on = state === "live" || state === "muted";
  const notice = MICROPHONE[state];
  $("recording").hidden = !on;
  $("recording").dataset.state = state;
  setText($("recording-text"), state === "muted" ? "Muted" : "Recording");
  $("start").hidden = on || notice.action === null;
  setText($("start"), notice.action ?? "");
  $("mute").disabled = !on;
  $("mute").setAttribute("aria-pressed", String(state === "muted"));
  $("stop").disabled = !on && state !== "asking";
  showNotice($("notice-microphone"), state === "live" ? null : notice, "");
  $("notice-microphone").dataset.state = state;
  document.title = on ? `${state === "muted" ? "Muted" : "Recording"} – Tandem` : "Tandem";
}

/**
 * @param {import("./connection.js").ConnectionState} state
 * @param {{retryMs: number | null, reason: string}} detail
 */
export function renderConnection(state, { retryMs, reason }) {
  const notice = CONNECTION[state];
  $("connection").dataset.state = state;
  setText($("connection-text"), notice.title);
  const again = retryMs === null ? "" : `Next try in ${Math.max(1, Math.round(retryMs / 1000))} s.`;
  const quiet = state === "open" || state === "connecting";
  showNotice($("notice-connection"), quiet ? null : notice, [reason && plain({ code: null, message: reason }), again].join(" "));
  $("token-form").hidden = state !== "token";
  $("notice-connection").dataset.state = state;
  for (const control of $("composer").elements) control.disabled = state !== "open" && state !== "back";
}

/** @param {HTMLElement} box @param {import("./states.js").Notice | null} notice @param {string} extra */
function showNotice(box, notice, extra) {
  box.hidden = notice === null;
  if (notice === null) return;
  const [title, text] = /** @type {any} */ (box.querySelectorAll("strong, span"));
  setText(title, notice.title.endsWith("…") ? notice.title : `${notice.title}.`);
  setText(text, `${notice.text} ${extra}`.trim());
  const button = box.querySelector("button");
  if (!button) return;
  button.hidden = notice.action === null;
  setText(button, notice.action ?? "");
}

/** @param {import("./conversation.js").Conversation["problems"]} problems @param {(id: string) => void} onDismiss */
export function renderProblems(problems, onDismiss) {
  const box = $("problems");
  const key = problems.map(({ id }) => id).join();
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(...problems.map((problem) => element(
    "div", { className: "notice problem" },
    element("p", {}, plain(problem)),
    element("button", { type: "button", onclick: () => onDismiss(problem.id) }, "Dismiss"),
  )));
}

/** @param {"user" | "agent"} who @param {number} rms 0 to 1 */
export function renderLevel(who, rms) {
  const db = Math.max(FLOOR_DB, Math.min(0, 20 * Math.log10(Math.max(rms, 1e-6))));
  const meter = $(`level-${who}`);
  meter.firstElementChild.style.transform = `scaleX(${1 - db / FLOOR_DB})`;
  const rounded = String(Math.round(db / 6) * 6); // not every flicker is worth an announcement
  if (meter.getAttribute("aria-valuenow") !== rounded) meter.setAttribute("aria-valuenow", rounded);
}
