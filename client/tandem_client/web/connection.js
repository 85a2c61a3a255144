// The WebSocket: opens it, keeps it open, and says why when it cannot.
import { decode } from "./frame.js";

const FIRST_DELAY = 500;
const LONGEST_DELAY = 8000;
const FULL_DELAY = 10_000;

/** @typedef {"connecting" | "open" | "waiting" | "full" | "token" | "refused" | "closed"} ConnectionState */

/** Milliseconds before try number `attempt` (from 0); the random part keeps pages from returning all at once. */
export function backoff(/** @type {number} */ attempt, random = Math.random()) {
  return Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempt) * (0.75 + 0.5 * random);
}

/**
 * What a closed socket means.
 * @param {number} code        The close code.
 * @param {boolean} welcomed   A session had been created.
 * @param {number | null} probe  HTTP status of the probe, where the socket was never accepted; null: no answer.
 * @returns {ConnectionState}
 */
export function afterClose(code, welcomed, probe) {
  if (welcomed) return code === 1000 || code === 1008 ? "closed" : code === 1013 ? "full" : "waiting";
  if (code === 1013 || probe === 503 || probe === 429) return "full";
  if (code === 1008 || probe === 401 || probe === 403) return "token";
  return probe !== null && probe < 500 && probe !== 426 ? "refused" : "waiting";
}

/** Where the server is, seen from the page. @param {Location | URL} page */
export function socketUrl(page) {
  const url = new URL("/v1/realtime", page.href);
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
    this.listener.onState("connecting", { retryMs: null, reason: "" });
    let socket;
    try {
      socket = new WebSocket(socketUrl(location), subprotocols(token));
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
      if (event.type === "session.created") {
        this.#welcomed = true;
        this.#attempt = 0;
        this.listener.onState("open", { retryMs: null, reason: "" });
      }
      this.listener.onEvent(event);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket === socket) void this.#closed(code, reason);
    };
    this.#socket = socket;
  }

  /** Sends an event; false while not connected. @param {object} event */
  send(event) {
    if (!this.open) return false;
    this.#socket?.send(JSON.stringify(event));
    return true;
  }

  /** @param {ArrayBuffer} frame */
  sendAudio(frame) {
    if (this.open) this.#socket?.send(frame);
  }

  /** @param {ArrayBuffer} data */
  #receiveAudio(data) {
    const frame = decode(data);
    if (frame.kind === "output") this.listener.onAudio(frame.samples);
  }

  /** @param {number} code @param {string} reason */
  async #closed(code, reason) {
    const welcomed = this.#welcomed;
    this.#socket = null;
    this.#welcomed = false;
    // A refused handshake looks like a lost network (1006) from here; an HTTP request says which it was.
    const probe = welcomed ? null : await this.#probe();
    if (this.#socket !== null) return; // someone pressed the button meanwhile
    const state = afterClose(code, welcomed, probe);
    let retryMs = null;
    if (state === "waiting") retryMs = backoff(this.#attempt);
    else if (state === "full") retryMs = FULL_DELAY * (0.75 + 0.5 * Math.random());
    this.#attempt += 1;
    if (retryMs !== null) this.#timer = setTimeout(() => this.connect(this.#token), retryMs);
    this.listener.onState(state, { retryMs, reason });
  }

  /** Why the socket was not accepted: browsers hide the answer, a plain request shows it. 426 would have been a yes. */
  /** @returns {Promise<number | null>} */
  async #probe() {
    try {
      return (await fetchJson("/v1/realtime", this.#token)).status;
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
