// The microphone: permission, constraints, the capture worklet, and what can go wrong with each.
import { FRAME_SAMPLES, SAMPLE_RATE } from "./frame.js";
import { microphoneState } from "./states.js";

/**
 * @typedef {keyof typeof import("./states.js").MICROPHONE} MicrophoneState
 * @typedef {{echoCancellation: boolean, noiseSuppression: boolean, autoGainControl: boolean}} Processing
 *
 * @typedef {object} Listener
 * @property {(samples: Int16Array, timeMs: number, level: number) => void} onFrame  20 ms; time on the capture clock.
 * @property {(state: MicrophoneState) => void} onState
 */

export class Microphone {
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {AudioWorkletNode | null} */
  #node = null;
  #start = 0; // number of the latest start; an earlier one that is still waiting for permission gives up

  /** @type {MicrophoneState} */
  state = "idle";

  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    if (!globalThis.isSecureContext) this.state = "insecure";
    else if (!navigator.mediaDevices?.getUserMedia || !globalThis.AudioWorkletNode) this.state = "unsupported";
  }

  get running() {
    return this.state === "live" || this.state === "muted";
  }

  /** Asks for permission if need be; ends in state live, or in the state that says why not. @param {Processing} processing */
  async start(processing) {
    if (this.state === "insecure" || this.state === "unsupported") return;
    this.#release();
    const start = this.#start;
    this.#become("asking");
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, ...processing } });
      if (start !== this.#start) return stopTracks(stream);
      this.#stream = stream;
      await this.#open(stream);
      if (start === this.#start) this.#become("live");
    } catch (error) {
      if (start !== this.#start) return;
      this.#release();
      this.#become(microphoneState(error));
    }
  }

  stop() {
    this.#release();
    this.#become("idle");
  }

  /** Muted, the microphone still sends: silence, so that the server's clock goes on and an open turn can end. */
  toggleMute() {
    if (!this.running) return;
    this.#become(this.state === "live" ? "muted" : "live");
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = this.state === "live";
  }

  /** What the browser really does, which need not be what was asked for. */
  settings() {
    const track = this.#stream?.getAudioTracks()[0];
    if (!track || !this.#context) return null;
    const { echoCancellation, noiseSuppression, autoGainControl, sampleRate, channelCount } = track.getSettings();
    return {
      label: track.label,
      echoCancellation, noiseSuppression, autoGainControl, sampleRate, channelCount,
      graphRate: this.#context.sampleRate,
      resampled: this.#context.sampleRate !== SAMPLE_RATE,
    };
  }

  /** @param {MediaStream} stream */
  async #open(stream) {
    const start = this.#start;
    for (const track of stream.getAudioTracks()) {
      track.onended = () => {
        this.#release();
        this.#become("ended");
      };
    }
    const { context, source } = connect(stream);
    this.#context = context;
    await context.audioWorklet.addModule(new URL("./capture-worklet.js", import.meta.url));
    if (start !== this.#start) return;
    const node = new AudioWorkletNode(context, "tandem-capture", { channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = ({ data }) => {
      const muted = this.state === "muted";
      const samples = muted ? new Int16Array(FRAME_SAMPLES) : data.samples;
      this.listener.onFrame(samples, data.timeMs, muted ? 0 : data.level);
    };
    // A node that leads nowhere is not run by every browser; this one's output is silence.
    source.connect(node).connect(context.destination);
    this.#node = node;
    await context.resume();
  }

  #release() {
    this.#start += 1;
    this.#node?.port.postMessage("stop");
    if (this.#node) this.#node.port.onmessage = null;
    if (this.#stream) stopTracks(this.#stream);
    void this.#context?.close();
    this.#stream = this.#context = this.#node = null;
  }

  /** @param {MicrophoneState} state */
  #become(state) {
    this.state = state;
    this.listener.onState(state);
  }
}

/** Firefox refuses to connect a microphone to a context of another rate; the worklet resamples then. */
function connect(/** @type {MediaStream} */ stream) {
  const context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: "interactive" });
  try {
    return { context, source: context.createMediaStreamSource(stream) };
  } catch {
    void context.close();
    const native = new AudioContext({ latencyHint: "interactive" });
    return { context: native, source: native.createMediaStreamSource(stream) };
  }
}

function stopTracks(/** @type {MediaStream} */ stream) {
  for (const track of stream.getTracks()) {
    track.onended = null;
    track.stop();
  }
}
