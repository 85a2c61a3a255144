// The WebSocket: opens it, opens it again when it is cut, and says why when it cannot. A conversation that the server
// still keeps goes on where it was; while the page is away, what it has to say to the server waits.
import { decode } from "./frame.js";
import { Position } from "./position.js";

const DIAL = 10_000; // ms for a session to be opened: a network that swallows everything never says no
const FIRST_DELAY = 500;
const LONGEST_DELAY = 8000;
const FULL_DELAY = 10_000;

/** @typedef {"connecting" | "open" | "away" | "back" | "waiting" | "full" | "token" | "refused" | "closed"} ConnectionState */

/** Milliseconds before try number `attempt` (from 0); the random part keeps pages from returning all at once. */
export function backoff(/** @type {number} */ attempt, random = Math.random()) {
  return Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempt) * (0.75 + 0.5 * random);
}

/**
 * What a closed socket means.
 * @param {number} code        The close code.
 * @param {boolean} welcomed   A session had been created.
 * @param {number | null} probe  HTTP status of the probe, where the socket was never accepted; null: no answer.
 * @param {boolean} resuming  It was to go on with a conversation.
 * @returns {ConnectionState | "over"}  Over: the server does not go on with the conversation.
 */
export function afterClose(code, welcomed, probe, resuming) {
  if (welcomed) return code === 1000 || code === 1008 ? "closed" : "away";
  if (resuming && (probe === 404 || probe === 410)) return "over";
  if (resuming && (probe === 503 || code === 1013)) return "away";
  if (code === 1013 || probe === 503 || probe === 429) return "full";
  if (code === 1008 || probe === 401 || probe === 403) return "token";
  return probe !== null && probe < 500 && probe !== 426 ? "refused" : "waiting";
}

/** Where the server is, seen from the page. @param {Location | URL} page @param {string} [query] From "?" on. */
export function socketUrl(page, query = "") {
  const url = new URL(`/v1/realtime${query}`, page.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** The token goes as a subprotocol: a browser can set no header, and an address ends up in logs. @param {string} token */
export function subprotocols(token) {
  return token ? ["realtime", `openai-insecure-api-key.${token}`] : ["realtime"];
}

/**
 * @typedef {object} Listener
 * @property {(event: any) => void} onEvent
 * @property {(samples: Int16Array) => void} onAudio
 * @property {(state: ConnectionState, detail: {retryMs: number | null, reason: string}) => void} onState
 */

export class Connection {
  /** @type {WebSocket | null} */
  #socket = null;
  #token = "";
  #welcomed = false;
  #attempt = 0;
  #timer = 0;
  #dialling = 0;
  #position = new Position();
  /** @type {object[]} */
  #unsent = [];

  /** The connection was lost and is being made again. */
  away = false;

  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
  }

  get open() {
    return this.#welcomed && this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Bytes that wait for the network. */
  get backlog() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** (Re)connects now. @param {string} token Empty where none is needed. */
  connect(token) {
    this.#token = token;
    clearTimeout(this.#timer);
    if (this.#socket && this.#socket.readyState <= WebSocket.OPEN) return;
    this.listener.onState(this.away ? "away" : "connecting", { retryMs: null, reason: "" });
    let socket;
    try {
      socket = new WebSocket(socketUrl(location, this.#position.query), subprotocols(token));
    } catch {
      this.listener.onState("token", { retryMs: null, reason: "The token has a character that cannot be sent." });
      return;
    }
    this.#welcomed = false;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return;
      if (typeof data !== "string") return this.#receiveAudio(data);
      const event = JSON.parse(data);
      if (event.type === "session.created") this.#welcome(event.session?.id ?? "");
      this.#position.saw(event);
      this.listener.onEvent(event);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket === socket) void this.#closed(code, reason);
    };
    this.#socket = socket;
    this.#dialling = setTimeout(() => socket.close(), DIAL);
  }

  /** Sends an event, now or when the conversation goes on; false while there is none. @param {object} event */
  send(event) {
    if (this.away) this.#unsent.push(event);
    else if (this.open) this.#socket?.send(JSON.stringify(event));
    return this.away || this.open;
  }

  /** @param {ArrayBuffer} frame */
  sendAudio(frame) {
    if (this.open) this.#socket?.send(frame);
  }

  /** @param {ArrayBuffer} data */
  #receiveAudio(data) {
    const frame = decode(data);
    this.#position.heard(frame.sequence);
    if (frame.kind === "output") this.listener.onAudio(frame.samples);
  }

  /** @param {string} session */
  #welcome(session) {
    const back = this.away && session === this.#position.session;
    const unsent = back ? this.#unsent : []; // in a new conversation nobody would know what they are about
    clearTimeout(this.#dialling);
    this.#welcomed = true;
    this.#attempt = 0;
    this.#unsent = [];
    this.away = false;
    for (const event of unsent) this.send(event);
    this.listener.onState(back ? "back" : "open", { retryMs: null, reason: "" });
  }

  /** @param {number} code @param {string} reason */
  async #closed(code, reason) {
    const welcomed = this.#welcomed;
    const resuming = this.#position.session !== "";
    clearTimeout(this.#dialling);
    this.#socket = null;
    this.#welcomed = false;
    // A refused handshake looks like a lost network (1006) from here; an HTTP request says which it was.
    const probe = welcomed ? null : await this.#probe();
    if (this.#socket !== null) return; // someone pressed the button meanwhile
    const found = afterClose(code, welcomed, probe, resuming);
    if (found === "over" || found === "closed") this.#position = new Position();
    if (found === "over") return this.connect(this.#token); // another conversation
    const state = found === "waiting" && this.away ? "away" : found;
    this.away = state === "away";
    if (!this.away) this.#unsent = [];
    let retryMs = null;
    if (state === "waiting" || state === "away") retryMs = backoff(this.#attempt);
    else if (state === "full") retryMs = FULL_DELAY * (0.75 + 0.5 * Math.random());
    this.#attempt += 1;
    if (retryMs !== null) this.#timer = setTimeout(() => this.connect(this.#token), retryMs);
    this.listener.onState(state, { retryMs, reason });
  }

  /** Why the socket was not accepted: browsers hide the answer, a plain request shows it. 426 would have been a yes. */
  /** @returns {Promise<number | null>} */
  async #probe() {
    try {
      return (await fetchJson(`/v1/realtime${this.#position.query}`, this.#token)).status;
    } catch {
      return null;
    }
  }
}

/** GET with the token. @param {string} path @param {string} token @returns {Promise<{status: number, body: any}>} */
export async function fetchJson(path, token) {
  /** @type {Record<string, string>} */
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(path, { headers, cache: "no-store" });
  const body = await response.json().catch(() => null);
  return { status: response.status, body };
}
