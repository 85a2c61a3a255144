// Puts the page together: the only file that knows all the others. State goes one way: events -> reduce -> draw.
import { Microphone } from "./audio-in.js";
import { Loudspeaker } from "./audio-out.js";
import { PitchChart } from "./charts.js";
import { SessionClock } from "./clock.js";
import { Connection, fetchJson } from "./connection.js";
import { EMPTY, exportable, reduce } from "./conversation.js";
import { KeptAudio } from "./kept.js";
import { encode, fromBase64, SAMPLE_RATE, toBase64, toMs } from "./frame.js";
import { renderMeasures } from "./measures.js";
import * as panels from "./panels.js";
import { keep, load, sessionUpdate } from "./settings.js";
import { $, renderConnection, renderLevel, renderMicrophone, renderProblems, renderVoice, Transcript } from "./view.js";

const TOKEN = "tandem.token";
const BACKLOG = 2 * SAMPLE_RATE * 2; // bytes: audio two seconds late is of no use to a conversation
const FRAME_MS = 1000 / 30;
const BACK_MS = 4000; // as long as it is news that the connection is there again
const opened = performance.now();
const startedAt = new Date().toISOString();
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let conversation = EMPTY;
let settings = load(localStorage);
let sequence = 0;
let dropped = 0;
let lastActive = 0;
let engines = /** @type {any} */ (null);

const clock = new SessionClock();
const kept = new KeptAudio();
const transcript = new Transcript();
const turns = new panels.Turns();
const pitch = new PitchChart($("pitch"));
const pageMs = () => performance.now() - opened;

// ---- state -------------------------------------------------------------------------------------------------------

let drawing = false;

/** @param {any} event */
function dispatch(event) {
  const next = reduce(conversation, event);
  if (next === conversation) return;
  conversation = next;
  lastActive = pageMs();
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
}

function draw() {
  drawing = false;
  transcript.render(conversation.items);
  turns.render(conversation.turns);
  renderVoice(conversation, hearing());
  renderProblems(conversation.problems, (id) => dispatch({ type: "page.dismissed", id }));
  panels.renderInForce(conversation.session?.tandem);
  renderMeasures(conversation.soFar);
  $("report").disabled = conversation.soFar === null;
  panels.renderLatency(conversation.turns.findLast(({ latency }) => latency)?.latency ?? null);
  drawPitch();
}

function drawPitch() {
  const now = microphone.running ? pageMs() : lastActive + 500;
  const width = Number($("window").value) * 1000;
  const step = calm.matches && width > 0 ? width / 4 : 1; // without motion: turn the page, do not scroll
  const end = Math.ceil(Math.max(now, width || 10_000) / step) * step;
  pitch.draw(conversation.items, width ? end - width : 0, end);
}

let lastFrame = 0;

/** The time axis moves while there is sound. @param {number} now */
function animate(now) {
  if (now - lastFrame >= FRAME_MS && (microphone.running || conversation.playing !== null)) {
    lastFrame = now;
    if (conversation.playing !== null) lastActive = pageMs();
    drawPitch();
  }
  requestAnimationFrame(animate);
}

// ---- sound -------------------------------------------------------------------------------------------------------

const loudspeaker = new Loudspeaker({
  onStarted: (item_id, item_ms, at) => dispatch({ type: "page.started", item_id, item_ms, page_ms: at - opened }),
  onPosition: (item_id, played_ms) => dispatch({ type: "page.position", item_id, played_ms }),
  onFinished: (item_id, played_ms) => dispatch({ type: "page.finished", item_id, played_ms }),
  onLevel: (level) => renderLevel("agent", level),
  onState: () => {
    $("notice-sound").hidden = !(loudspeaker.blocked && conversation.items.some(({ audioMs }) => audioMs > 0));
  },
});

const microphone = new Microphone({
  onFrame: (samples, timeMs, level) => {
    renderLevel("user", level);
    takeAudio(samples, timeMs);
  },
  onState: (state) => {
    clock.pause();
    renderMicrophone(state);
    panels.renderTrack(microphone.settings());
    if (!microphone.running) renderLevel("user", 0);
    renderVoice(conversation, hearing());
  },
});

/** What the microphone hears will reach the server, now or when the line is back. */
const hearing = () => microphone.state === "live" && (connection.open || connection.away);

/** @param {Int16Array} samples @param {number} timeMs */
function takeAudio(samples, timeMs) {
  const slow = connection.open && kept.empty && connection.backlog > BACKLOG;
  if (slow || (!connection.open && !connection.away)) {
    dropped += Number(slow);
    clock.pause();
    return;
  }
  const gone = kept.push({ samples, timeMs, pageMs: pageMs() });
  dropped += gone;
  if (gone > 0) clock.pause();
  sendKept();
}

let sending = 0;

/** What was captured while the connection was cut goes out as fast as the network takes it; else this is one frame. */
function sendKept() {
  clearTimeout(sending);
  while (connection.open && connection.backlog <= BACKLOG && !kept.empty) sendAudio(/** @type {any} */ (kept.shift()));
  if (connection.open && !kept.empty) sending = setTimeout(sendKept, 50);
}

/** @param {import("./kept.js").Captured} captured */
function sendAudio({ samples, timeMs, pageMs }) {
  clock.advance(toMs(samples.length), pageMs);
  if (settings.audioFrames === "binary") connection.sendAudio(encode({ kind: "input", sequence, timeMs, samples }));
  else connection.send({ type: "input_audio_buffer.append", audio: toBase64(samples) });
  sequence += 1;
}

/** @param {Int16Array} samples */
function receiveAudio(samples) {
  const item = conversation.output;
  if (item === null) return; // late: of a reply that was interrupted
  dispatch({ type: "page.audio", item_id: item, ms: toMs(samples.length) });
  loudspeaker.push(item, samples);
  if (loudspeaker.blocked) $("notice-sound").hidden = false;
}

/** Silence at once; then tell the server what was heard. @param {boolean} cancel The server does not know yet. */
async function interrupt(cancel) {
  const live = conversation.response;
  dispatch({ type: "page.flushing" });
  const heard = loudspeaker.flush();
  if (cancel && live !== null) connection.send({ type: "response.cancel", response_id: live });
  for (const { item, playedMs } of await heard) {
    dispatch({ type: "page.interrupted", item_id: item, played_ms: playedMs });
    const audio_end_ms = Math.round(playedMs);
    connection.send({ type: "conversation.item.truncate", item_id: item, content_index: 0, audio_end_ms });
  }
}

// ---- the server --------------------------------------------------------------------------------------------------

let begun = { response: "", item: "" };

/** Silence; what was heard of each reply is all that there will be of it. */
async function fallSilent() {
  for (const { item, playedMs } of await loudspeaker.flush()) {
    dispatch({ type: "page.interrupted", item_id: item, played_ms: playedMs });
  }
}

/** A conversation has begun, for the first time or after one that is over. */
function beginAnew() {
  clock.reset();
  void fallSilent();
  connection.send(sessionUpdate(settings));
}

/** Server events that are more than news. @type {Record<string, (event: any) => void>} */
const ACTIONS = {
  "session.created": () => {
    writeEntrainment();
    sendKept();
  },
  "session.updated": () => writeEntrainment(),
  "input_audio_buffer.speech_started": () => {
    if (conversation.session?.interrupts !== false) void interrupt(false);
  },
  "response.content_part.added": ({ response_id, item_id, part }) => {
    if (part?.type !== "audio") return;
    begun = { response: response_id, item: item_id };
    loudspeaker.begin(item_id);
  },
  "response.output_audio.delta": ({ item_id, delta }) => item_id === conversation.output && receiveAudio(fromBase64(delta)),
  "response.output_audio.done": ({ item_id }) => loudspeaker.end(item_id),
  "response.done": ({ response }) => {
    if (begun.response === response.id) loudspeaker.end(begun.item); // a reply that was broken off has no audio.done
  },
  "conversation.item.truncated": ({ item_id }) => connection.send({ type: "conversation.item.retrieve", item_id }),
};

/** The page's time of what an event tells, where it tells one. @param {any} event */
function onThePage(event) {
  const sessionMs = event.audio_start_ms ?? event.audio_end_ms ?? (event.type === "tandem.user.prosody" ? event.track.start_ms : null);
  return sessionMs === null || event.type === "conversation.item.truncated" ? event : { ...event, page_ms: clock.toPage(sessionMs) };
}

let settled = 0;

const connection = new Connection({
  onEvent: (event) => {
    if (event.type === "session.created" && event.session.id !== conversation.session?.id) beginAnew();
    dispatch(onThePage(event));
    ACTIONS[event.type]?.(event);
  },
  onAudio: receiveAudio,
  onState: (state, detail) => {
    if (state === "open") void loadEngines();
    if (state !== "open" && state !== "connecting" && state !== "away" && state !== "back") {
      clock.pause();
      kept.clear();
      void fallSilent();
      dispatch({ type: "page.disconnected" });
    }
    if (state === "token") sessionStorage.removeItem(TOKEN);
    renderConnection(state, detail);
    renderVoice(conversation, hearing());
    clearTimeout(settled);
    if (state === "back") settled = setTimeout(() => renderConnection("open", detail), BACK_MS);
  },
});

const token = () => sessionStorage.getItem(TOKEN) ?? "";

async function loadEngines() {
  try {
    const [named, listed] = await Promise.all([fetchJson("/v1/engines", token()), fetchJson("/v1/strategies", token())]);
    if (named.status === 200) panels.renderEngines((engines = named.body));
    if (listed.status === 200) panels.makeStrategies(listed.body.data);
    writeEntrainment();
  } catch {
    // The names are for information; the conversation works without them.
  }
}

// ---- the person --------------------------------------------------------------------------------------------------

let update = 0;

function writeEntrainment() {
  panels.writeEntrainment(settings, conversation.session?.tandem);
}

/** Typing and sliding settle before the server hears of it. @param {{target: any}} event */
function changeSettings({ target }) {
  const before = settings.processing;
  settings = panels.readSettings(settings, target);
  panels.writeSettings(settings);
  writeEntrainment();
  keep(localStorage, settings);
  clearTimeout(update);
  update = setTimeout(() => connection.send(sessionUpdate(settings)), 150);
  const changed = Object.entries(settings.processing).some(([name, on]) => before[/** @type {keyof before} */ (name)] !== on);
  if (changed && microphone.running) void microphone.start(settings.processing);
}

/** @param {string} text */
async function say(text) {
  loudspeaker.unlock();
  if (conversation.playing !== null || conversation.response !== null) await interrupt(true);
  const content = [{ type: "input_text", text }];
  connection.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
  connection.send({ type: "response.create" });
  dispatch({ type: "page.reply_asked" });
}

function download() {
  const about = { startedAt, savedAt: new Date().toISOString(), engines, settings, microphone: microphone.settings() };
  const blob = new Blob([JSON.stringify(exportable(conversation, about), null, 1)], { type: "application/json" });
  save(blob, `tandem-${about.savedAt.slice(0, 19).replaceAll(":", "")}.json`);
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The server's own, of the conversation as it was recorded. */
async function downloadReport() {
  const id = conversation.session?.id ?? "";
  const problem = (/** @type {string} */ message) => dispatch({ type: "page.problem", id: "report", message });
  try {
    const headers = token() ? { Authorization: `Bearer ${token()}` } : undefined;
    const answer = await fetch(`/v1/conversations/${encodeURIComponent(id)}/report`, { headers });
    if (!answer.ok) return problem(`The report could not be made: ${answer.status} ${answer.statusText}`);
    save(await answer.blob(), `tandem-${id}.html`);
  } catch {
    problem("The report could not be fetched: is the server still there?");
  }
}

function listen() {
  $("start").onclick = () => {
    loudspeaker.unlock();
    void microphone.start(settings.processing);
  };
  $("mute").onclick = () => microphone.toggleMute();
  $("stop").onclick = () => microphone.stop();
  $("interrupt").onclick = () => interrupt(true);
  $("unblock").onclick = () => loudspeaker.unlock();
  $("download").onclick = download;
  $("report").onclick = downloadReport;
  $("notice-connection").querySelector("button").onclick = () => connection.connect(token());
  $("window").onchange = drawPitch;
  $("settings").oninput = changeSettings;
  $("settings").onsubmit = (/** @type {Event} */ event) => event.preventDefault();
  $("audio-frames").onchange = $("silence").onchange = changeSettings;
  $("token-form").onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    sessionStorage.setItem(TOKEN, $("token").value.trim());
    $("token").value = "";
    connection.connect(token());
  };
  $("composer").onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const text = $("say").value.trim();
    if (text && connection.open) void say(text);
    if (connection.open) $("say").value = "";
  };
  for (const box of document.querySelectorAll(".processing input")) {
    /** @type {any} */ (box).onchange = (/** @type {any} */ event) => {
      if (event.target.name === "setup") panels.setProcessing(event.target.value === "speakers");
      changeSettings(event);
    };
  }
  for (const box of document.querySelectorAll("input[name=turn-view]")) {
    /** @type {any} */ (box).onchange = (/** @type {any} */ { target }) => {
      $("table").hidden = target.value !== "table";
      $("charts").hidden = target.value === "table";
    };
  }
  addEventListener("keydown", onKey);
  addEventListener("online", () => connection.connect(token()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    turns.redraw();
    pitch.redraw();
  });
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const field = /** @type {HTMLElement} */ (event.target).matches("input:not([type=radio], [type=checkbox], [type=range]), select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key.toLowerCase() === "m" && !field) microphone.toggleMute();
  if (event.key === "Escape" && !$("interrupt").disabled) void interrupt(true);
}

function renderPath() {
  const { queuedMs, prebufferMs, underruns, outputMs } = loudspeaker.stats;
  panels.renderPath([
    ["sent", `${(clock.sentMs / 1000).toFixed(1)} s`],
    ["dropped", `${dropped} frames`],
    ["to play", `${Math.round(queuedMs)} ms`],
    ["buffer", `${Math.round(prebufferMs)} ms`],
    ["underruns", `${underruns}`],
    ["output delay", `${Math.round(outputMs)} ms`],
  ]);
}

panels.makeStrategies();
panels.makeFeatures();
panels.writeSettings(settings);
writeEntrainment();
renderMicrophone(microphone.state);
listen();
draw();
renderPath();
setInterval(renderPath, 500);
requestAnimationFrame(animate);
connection.connect(token());
