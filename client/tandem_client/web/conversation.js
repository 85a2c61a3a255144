// The conversation as the page shows it: reduce(state, event) -> state. Pure: no DOM, no socket, no clock.
// Events are the server's, and the page's own, whose types begin with "page."; times on the page's axis are in
// `page_ms`, which the caller adds. Late news is ignored by rule: audio belongs to `output`, or to nobody.
import { NAMES } from "./features.js";

/**
 * @typedef {import("./tracks.js").Piece} Piece
 * @typedef {import("./tracks.js").Placement} Placement
 * @typedef {Record<string, number | null>} Values  Feature name -> value; null is missing.
 *
 * @typedef {object} Item
 * @property {string} id
 * @property {"user" | "assistant" | "note"} role
 * @property {string} text
 * @property {boolean} final        The text will not change any more.
 * @property {boolean} typed        Came from the keyboard.
 * @property {number | null} heardMs    Audio heard before the reply was interrupted; null when it was not.
 * @property {string | null} heardText  What of `text` that was.
 * @property {number} audioMs       Audio received.
 * @property {number} playedMs      Audio played.
 * @property {Placement[]} placements  When it was played.
 * @property {{startMs: number, hopMs: number, pitch: (number | null)[]} | null} track  Agent: on the item's clock.
 * @property {(Piece & {startMs: number})[]} pieces  User: pitch so far.
 * @property {{fromMs: number, toMs: number | null} | null} span  User: when they spoke, on the page's axis.
 * @property {number | null} turn   Number of the row of `turns` that it belongs to.
 *
 * @typedef {object} Turn  One exchange: what the user did, what the agent aimed at, what it did.
 * @property {number} number
 * @property {string | null} userItem
 * @property {string | null} agentItem
 * @property {string | null} response
 * @property {string | null} strategy
 * @property {{features: Values, z: Values, level: Values, flags: string[]} | null} user
 * @property {{features: Values, z: Values} | null} target
 * @property {{features: Values, z: Values, limits: string[]} | null} realised
 * @property {Record<string, {user: ?number, target: ?number, realised: ?number, distance: ?number}> | null} measures
 * @property {Record<string, number> | null} latency
 *
 * @typedef {object} Conversation
 * @property {{id: string, tandem: any, interrupts: boolean} | null} session
 * @property {Item[]} items
 * @property {string | null} speaking   Item of the user turn that is open.
 * @property {boolean} pending          A reply is due and none has begun.
 * @property {string | null} response   The reply that is live on the server.
 * @property {string | null} output     Item that arriving audio belongs to.
 * @property {string | null} playing    Item that is being played.
 * @property {Turn[]} turns
 * @property {import("./measures.js").SoFar | null} soFar  Measures of the whole conversation.
 * @property {{id: string, code: string | null, message: string}[]} problems
 */

/** @type {Conversation} */
export const EMPTY = Object.freeze({
  session: null,
  items: [],
  speaking: null,
  pending: false,
  response: null,
  output: null,
  playing: null,
  turns: [],
  soFar: null,
  problems: [],
});

const NEW_CONVERSATION = "A new conversation began: the agent does not know what is above.";

/** Codes of errors that only say that the other side was faster. */
const HARMLESS = new Set(["response_cancel_not_active"]);

/**
 * @param {Conversation} state
 * @param {any} event  A server event, or one of the page's.
 * @returns {Conversation} The same object when nothing changed.
 */
export function reduce(state, event) {
  const handler = Object.hasOwn(HANDLERS, event.type) ? HANDLERS[event.type] : undefined;
  return handler ? handler(state, event) : state;
}

/** @type {Record<string, (state: Conversation, event: any) => Conversation>} */
const HANDLERS = {
  "session.created": (state, { session }) => {
    if (state.session?.id === session.id) return { ...state, session: asSession(session) }; // the same one goes on
    const fresh = { ...state, session: asSession(session), speaking: null, pending: false, response: null, output: null, soFar: null };
    return state.session === null ? fresh : addNote(fresh, session.id, NEW_CONVERSATION);
  },
  "session.updated": (state, { session }) => ({ ...state, session: asSession(session, state.session?.id) }),
  "input_audio_buffer.speech_started": (state, event) => {
    const interrupts = state.session?.interrupts !== false;
    const next = patch(state, event.item_id, { span: spanFrom(event.page_ms) }, "user");
    return { ...next, speaking: event.item_id, pending: false, output: interrupts ? null : state.output };
  },
  "input_audio_buffer.speech_stopped": (state, event) => {
    const next = patch(state, event.item_id, ({ span }) => ({ span: span && { ...span, toMs: event.page_ms ?? null } }));
    return { ...next, speaking: null, pending: true };
  },
  "conversation.item.added": (state, { item }) => fromServer(state, item),
  "conversation.item.done": (state, { item }) => fromServer(state, item),
  "conversation.item.retrieved": (state, { item }) =>
    patch(state, item.id, (known) => (known.heardMs === null ? {} : { heardText: textOf(item) })),
  "conversation.item.deleted": (state, event) => ({
    ...state,
    items: state.items.filter((item) => item.id !== event.item_id),
  }),
  "conversation.item.input_audio_transcription.delta": (state, event) =>
    patch(state, event.item_id, (item) => ({ text: item.text + (event.delta ?? "") }), "user"),
  "conversation.item.input_audio_transcription.completed": (state, event) => {
    const next = patch(state, event.item_id, { text: event.transcript, final: true }, "user");
    return event.transcript.trim() === "" && state.response === null ? { ...next, pending: false } : next;
  },
  "conversation.item.input_audio_transcription.failed": (state, event) =>
    ({ ...patch(state, event.item_id, { final: true }, "user"), pending: false }),
  "response.created": (state, { response }) => ({ ...state, response: response.id, pending: false }),
  "response.done": (state, { response }) => {
    const next = { ...state, response: state.response === response.id ? null : state.response, pending: false };
    const message = response.status_details?.error?.message ?? "The reply failed";
    return response.status === "failed" ? addProblem(next, response.id, "response_failed", message) : next;
  },
  "response.content_part.added": (state, { item_id }) => ({ ...patch(state, item_id, {}, "assistant"), output: item_id }),
  "response.output_audio_transcript.delta": (state, event) => addText(state, event),
  "response.output_text.delta": (state, event) => addText(state, event),
  "response.output_audio_transcript.done": (state, event) => setText(state, event.item_id, event.transcript),
  "response.output_text.done": (state, event) => setText(state, event.item_id, event.text),
  "tandem.user.prosody": (state, event) => {
    const next = patch(state, event.item_id, (item) => ({ pieces: mergePiece(item.pieces, event) }), "user");
    return event.final ? openTurn(next, event) : next;
  },
  "tandem.agent.target": (state, event) => {
    const target = { features: event.features, z: event.z };
    const known = state.turns.at(-1);
    const base = known && known.response === null ? state : addTurn(state, {});
    return patchLastTurn(base, {
      target, strategy: event.strategy, response: event.response_id, agentItem: event.item_id,
    }, event.item_id);
  },
  "tandem.agent.realised": (state, event) => {
    const track = { startMs: event.track.start_ms, hopMs: event.track.hop_ms, pitch: event.track.pitch };
    const realised = { features: event.features, z: event.z, limits: event.limits };
    const turns = state.turns.map((turn) => (turn.response === event.response_id ? { ...turn, realised } : turn));
    return { ...patch(state, event.item_id, { track }), turns };
  },
  "tandem.entrainment": (state, event) => ({
    ...patchLastTurn(state, { measures: event.features, strategy: event.strategy }),
    soFar: { needed: event.needed, measures: event.measures ?? [] },
  }),
  "tandem.latency": (state, event) => ({
    ...state,
    turns: state.turns.map((turn) => (turn.response === event.response_id ? { ...turn, latency: event.stages_ms } : turn)),
  }),
  error: (state, event) =>
    HARMLESS.has(event.error.code)
      ? state
      : { ...addProblem(state, event.event_id, event.error.code ?? null, event.error.message), pending: false },

  "page.reply_asked": (state) => ({ ...state, pending: true }),
  "page.audio": (state, event) => patch(state, event.item_id, ({ audioMs }) => ({ audioMs: audioMs + event.ms })),
  "page.started": (state, event) => {
    const placement = { itemMs: event.item_ms, pageMs: event.page_ms };
    const next = patch(state, event.item_id, ({ placements }) => ({ placements: [...placements, placement] }));
    return { ...next, playing: event.item_id };
  },
  "page.position": (state, event) => patch(state, event.item_id, { playedMs: event.played_ms }),
  "page.finished": (state, event) => ({
    ...patch(state, event.item_id, { playedMs: event.played_ms }),
    playing: state.playing === event.item_id ? null : state.playing,
  }),
  "page.flushing": (state) => ({ ...state, output: null }),
  "page.interrupted": (state, event) => ({
    ...patch(state, event.item_id, (item) => ({
      playedMs: event.played_ms,
      heardMs: event.played_ms,
      heardText: cutText(item.text, item.audioMs > 0 ? event.played_ms / item.audioMs : 0),
    })),
    playing: null,
  }),
  "page.disconnected": (state) => ({ ...state, speaking: null, pending: false, response: null, output: null }),
  "page.dismissed": (state, event) => ({ ...state, problems: state.problems.filter(({ id }) => id !== event.id) }),
};

/** What the page says that the agent is doing. @param {Conversation} state @param {boolean} hearing Somebody hears the microphone. */
export function voiceState(state, hearing) {
  if (state.speaking !== null) return "user";
  if (state.playing !== null) return "agent";
  if (state.pending || state.response !== null) return "thinking";
  return hearing ? "listening" : "idle";
}

/**
 * One feature, turn by turn, in z: the user's level, the agent's target, what the agent did; null is missing.
 * @param {Turn} turn @param {string} feature
 */
export function measure(turn, feature) {
  const known = turn.measures?.[feature];
  const user = known?.user ?? turn.user?.level?.[feature] ?? null;
  const realised = known?.realised ?? turn.realised?.z[feature] ?? null;
  const distance = known?.distance ?? (user === null || realised === null ? null : Math.abs(user - realised));
  return { user, target: known?.target ?? turn.target?.z[feature] ?? null, realised, distance };
}

/** The text heard by the time that `share` of the audio was: whole words only. @param {string} text @param {number} share */
export function cutText(text, share) {
  if (share >= 1) return text;
  const until = Math.round(text.length * Math.max(0, share));
  if (until >= text.length || /\s/.test(text.charAt(until))) return text.slice(0, until).trimEnd();
  return text.slice(0, until).replace(/\S*$/, "").trimEnd();
}

/** The conversation as seen, for a file. @param {Conversation} state @param {object} about Engines, settings, times. */
export function exportable(state, about) {
  const { session, items, turns, soFar } = state;
  const rows = turns.map((turn) => ({
    ...turn,
    z: Object.fromEntries(NAMES.map((name) => [name, measure(turn, name)])),
  }));
  return { format: "tandem-page-1", ...about, session, items, turns: rows, soFar };
}

// ---- pieces of the handlers --------------------------------------------------------------------------------------

/** @param {any} session @param {string} [known] */
function asSession(session, known) {
  const detection = session.audio?.input?.turn_detection;
  return {
    id: session.id ?? known ?? "",
    tandem: session.tandem ?? null,
    interrupts: !detection || detection.interrupt_response !== false,
  };
}

/** @param {string} id @param {"user" | "assistant" | "note"} role @returns {Item} */
const newItem = (id, role) => ({
  id, role, text: "", final: false, typed: false, heardMs: null, heardText: null, audioMs: 0, playedMs: 0,
  placements: [], track: null, pieces: [], span: null, turn: null,
});

/**
 * Changes one item; an unknown one is made if a role is given, and ignored otherwise.
 * @param {Conversation} state @param {string} id
 * @param {Partial<Item> | ((item: Item) => Partial<Item>)} change
 * @param {"user" | "assistant" | "note"} [role]
 * @returns {Conversation}
 */
function patch(state, id, change, role) {
  const at = state.items.findLastIndex((item) => item.id === id);
  if (at < 0 && role === undefined) return state;
  const item = at < 0 ? newItem(id, /** @type {any} */ (role)) : state.items[at];
  const changed = { ...item, ...(typeof change === "function" ? change(item) : change) };
  const items = at < 0 ? [...state.items, changed] : state.items.with(at, changed);
  return { ...state, items };
}

/** @param {any} item @returns {string} */
const textOf = (item) =>
  (item.content ?? []).map((/** @type {any} */ part) => part.transcript ?? part.text ?? "").join("");

/** An item as the server has it; function calls and the like are not shown. @param {Conversation} state @param {any} item */
function fromServer(state, item) {
  if (item.type !== "message" || (item.role !== "user" && item.role !== "assistant")) return state;
  const typed = (item.content ?? []).some((/** @type {any} */ part) => part.type === "input_text");
  const over = item.status === "completed" || item.status === "incomplete";
  const text = textOf(item);
  return patch(state, item.id, (known) => ({
    typed,
    text: text.length > known.text.length && !known.final ? text : known.text,
    final: known.final || typed || (item.role === "assistant" && over),
  }), item.role);
}

/** @param {Conversation} state @param {any} event */
function addText(state, event) {
  return patch(state, event.item_id, (item) => (item.heardMs === null ? { text: item.text + event.delta } : {}));
}

/** @param {Conversation} state @param {string} id @param {string} text */
function setText(state, id, text) {
  return patch(state, id, (item) => (item.heardMs === null ? { text, final: true } : { final: true }));
}

/** @param {Conversation} state @param {string} id @param {string} text */
const addNote = (state, id, text) => patch(state, `note-${id}`, { text, final: true }, "note");

/** @param {Conversation} state @param {string} id @param {string | null} code @param {string} message */
function addProblem(state, id, code, message) {
  const others = state.problems.filter((problem) => problem.message !== message);
  return { ...state, problems: [...others, { id, code, message }].slice(-3) };
}

/** @param {number | null | undefined} pageMs */
const spanFrom = (pageMs) => (pageMs === null || pageMs === undefined ? null : { fromMs: pageMs, toMs: null });

/**
 * A new piece replaces what was there from its start on: pitch so far is appended, a whole track replaces it.
 * @param {(Piece & {startMs: number})[]} pieces @param {any} event
 */
function mergePiece(pieces, event) {
  const { start_ms: startMs, hop_ms: hopMs, pitch } = event.track;
  if (pitch.length === 0) return pieces;
  const before = pieces.filter((piece) => piece.startMs < startMs).map((piece) => ({
    ...piece,
    pitch: piece.pitch.slice(0, Math.ceil((startMs - piece.startMs) / piece.hopMs)),
  }));
  return [...before, { startMs, pageMs: event.page_ms ?? startMs, hopMs, pitch }];
}

/** @param {Conversation} state @param {Partial<Turn>} values @returns {Conversation} */
function addTurn(state, values) {
  const number = (state.turns.at(-1)?.number ?? 0) + 1;
  const turn = {
    number, userItem: null, agentItem: null, response: null, strategy: null,
    user: null, target: null, realised: null, measures: null, latency: null, ...values,
  };
  return { ...state, turns: [...state.turns, turn] };
}

/** @param {Conversation} state @param {any} event The final `tandem.user.prosody`. */
function openTurn(state, event) {
  const user = { features: event.features ?? {}, z: event.z ?? {}, level: event.level ?? {}, flags: event.flags ?? [] };
  const last = state.turns.at(-1);
  const again = last !== undefined && last.response === null && last.userItem !== null;
  const next = again
    ? patchLastTurn(state, { user, userItem: event.item_id })
    : addTurn(state, { user, userItem: event.item_id });
  return patch(next, event.item_id, { turn: next.turns.at(-1)?.number ?? null });
}

/** @param {Conversation} state @param {Partial<Turn>} change @param {string} [itemId] An item that belongs to the turn. */
function patchLastTurn(state, change, itemId) {
  const last = state.turns.at(-1);
  if (!last) return state;
  const next = { ...state, turns: state.turns.with(-1, { ...last, ...change }) };
  return itemId === undefined ? next : patch(next, itemId, { turn: last.number });
}
