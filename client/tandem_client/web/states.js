// What the page says in each state of microphone and connection: a title, what it means, and what to do about it.

/** @typedef {{title: string, text: string, action: string | null}} Notice */

/** @type {Readonly<Record<string, Notice>>} */
export const MICROPHONE = Object.freeze({
  idle: {
    title: "Microphone off",
    text: "When you start it, your browser asks for permission. Your sound goes to this server and no further, and is not "
      + "kept. Your words are recorded there, and go to the response engine named above. You can also just type.",
    action: "Start microphone",
  },
  asking: {
    title: "Waiting for your permission",
    text: "Your browser is asking whether this page may use the microphone. Choose Allow.",
    action: null,
  },
  live: { title: "Recording", text: "The microphone is on and its sound goes to the server.", action: null },
  muted: { title: "Muted", text: "The microphone is on, but only silence is sent. Press M to speak again.", action: null },
  denied: {
    title: "Microphone not allowed",
    text: "Allow the microphone for this page in the browser's site settings (beside the address), then try again. "
      + "Typing works meanwhile.",
    action: "Try the microphone again",
  },
  missing: {
    title: "No microphone found",
    text: "Plug one in, or switch it on in the system's sound settings, then try again. Typing works meanwhile.",
    action: "Try the microphone again",
  },
  busy: {
    title: "The microphone is in use",
    text: "Another program holds it, or the system refused it. Close that program, then try again. Typing works meanwhile.",
    action: "Try the microphone again",
  },
  ended: {
    title: "The microphone went away",
    text: "It was unplugged or switched off. Plug it in again, or choose another one, and start it again.",
    action: "Start the microphone again",
  },
  insecure: {
    title: "The microphone needs a secure page",
    text: "Browsers give the microphone only to pages from https:// or from this machine (localhost). "
      + "Ask for an https address, or type instead.",
    action: null,
  },
  unsupported: {
    title: "This browser cannot record",
    text: "It has no AudioWorklet or no microphone access. A current Firefox, Chrome, Edge or Safari has; or type instead.",
    action: null,
  },
  failed: { title: "The microphone could not be opened", text: "Try again, or type instead.", action: "Try the microphone again" },
});

/** @type {Readonly<Record<string, Notice>>} */
export const CONNECTION = Object.freeze({
  connecting: { title: "Connecting", text: "", action: null },
  open: { title: "Connected", text: "", action: null },
  away: {
    title: "Connection lost – reconnecting …",
    text: "What you say is kept, up to ten seconds of it, and sent as soon as the server can be reached.",
    action: "Reconnect now",
  },
  back: { title: "Back", text: "The connection is there again and the conversation goes on.", action: null },
  waiting: {
    title: "Not connected",
    text: "The server cannot be reached. Nothing you say is sent or kept meanwhile.",
    action: "Connect now",
  },
  full: { title: "Server full", text: "Every place is taken. The page tries again by itself.", action: "Try now" },
  token: {
    title: "Token needed",
    text: "This server is for people with a token. It is kept for this tab only.",
    action: null,
  },
  refused: {
    title: "The server refused the connection",
    text: "It answers, but does not accept this page. Open it under the address that the server prints when it starts.",
    action: "Try again",
  },
  closed: { title: "Session over", text: "The server ended the session.", action: "New session" },
});

/** The state that follows from an error of getUserMedia. @param {unknown} error @returns {keyof typeof MICROPHONE} */
export function microphoneState(error) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "failed";
}

/** Codes whose message was not written for the person at the page. */
const PLAIN = Object.freeze({
  conversation_already_has_active_response: "The agent is still answering. Wait for it, or interrupt it first.",
  unknown_event_type: "This page and the server do not speak the same version. Reload the page.",
  invalid_audio_frame: "The server could not read the sound from this page. Reload the page.",
});

/**
 * @param {{code: string | null, message: string}} problem
 * @returns {string} A sentence for a person.
 */
export function plain({ code, message }) {
  if (code !== null && Object.hasOwn(PLAIN, code)) return PLAIN[/** @type {keyof typeof PLAIN} */ (code)];
  const text = message.trim();
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
