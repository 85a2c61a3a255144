// The loudspeaker: hands the agent's audio to the playback worklet, and knows when each sample sounded.
import { SAMPLE_RATE, toMs } from "./frame.js";

/**
 * @typedef {object} Listener
 * @property {(item: string, itemMs: number, pageMs: number) => void} onStarted  Sounds from here on without a gap.
 * @property {(item: string, playedMs: number) => void} onPosition
 * @property {(item: string, playedMs: number) => void} onFinished
 * @property {(level: number) => void} onLevel  RMS, 0 to 1.
 * @property {() => void} onState  `blocked` may have changed.
 *
 * @typedef {{item: string, playedMs: number}} Heard
 */

export class Loudspeaker {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {Promise<AudioWorkletNode> | null} */
  #node = null;
  /** @type {((heard: Heard[]) => void)[]} */
  #flushes = [];

  stats = { queuedMs: 0, prebufferMs: 0, underruns: 0, outputMs: 0 };

  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
  }

  /** There is audio, and the browser wants a click before it plays any. */
  get blocked() {
    return this.#context !== null && this.#context.state === "suspended";
  }

  /** Call from a click or a key: browsers play nothing before one. */
  unlock() {
    void this.#open();
    void this.#context?.resume();
  }

  /** Announces an item, whose audio comes next. @param {string} item */
  begin(item) {
    void this.#post({ type: "open", item });
  }

  /** @param {string} item @param {Int16Array} pcm */
  push(item, pcm) {
    const samples = Float32Array.from(pcm, (sample) => sample / 32768);
    void this.#post({ type: "push", item, samples }, [samples.buffer]);
  }

  /** All of the item's audio is here. @param {string} item */
  end(item) {
    void this.#post({ type: "close", item });
  }

  /** Stops at once. @returns {Promise<Heard[]>} What was heard of each item that was not over. */
  flush() {
    if (this.#node === null) return Promise.resolve([]);
    return new Promise((resolve) => {
      this.#flushes.push(resolve);
      void this.#post({ type: "flush" });
    });
  }

  /** @param {any} message @param {Transferable[]} [transfer] */
  async #post(message, transfer = []) {
    const node = await this.#open();
    node.port.postMessage(message, transfer);
  }

  #open() {
    this.#node ??= this.#make();
    return this.#node;
  }

  async #make() {
    const context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: "interactive" });
    this.#context = context;
    context.onstatechange = () => this.listener.onState();
    await context.audioWorklet.addModule(new URL("./playback-worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "tandem-playback", { numberOfInputs: 0, outputChannelCount: [1] });
    node.port.onmessage = ({ data }) => this.#receive(data);
    node.connect(context.destination);
    this.listener.onState();
    return node;
  }

  /** @param {any} news */
  #receive(news) {
    if (news.type === "started") this.listener.onStarted(news.item, toMs(news.sample), this.#sounded(news.time));
    else if (news.type === "finished") this.listener.onFinished(news.item, toMs(news.sample));
    else if (news.type === "position") this.#position(news);
    else if (news.type === "flushed") {
      const heard = news.heard.map((/** @type {any} */ one) => ({ item: one.item, playedMs: toMs(one.played) }));
      this.#flushes.shift()?.(heard);
    }
  }

  /** @param {any} news */
  #position(news) {
    this.stats = {
      queuedMs: toMs(news.queued),
      prebufferMs: toMs(news.prebuffer),
      underruns: news.underruns,
      outputMs: this.#delayMs(),
    };
    this.listener.onLevel(news.level);
    if (news.item !== null) this.listener.onPosition(news.item, toMs(news.sample));
  }

  /** From the worklet to the air, as far as the browser knows. */
  #delayMs() {
    const context = this.#context;
    return context ? (context.outputLatency || context.baseLatency || 0) * 1000 : 0;
  }

  /** When the sample of this context time sounds, in `performance.now()`. @param {number} time */
  #sounded(time) {
    const context = this.#context;
    if (!context) return performance.now();
    const stamp = context.getOutputTimestamp?.();
    if (stamp?.performanceTime && stamp.contextTime) return stamp.performanceTime + (time - stamp.contextTime) * 1000;
    return performance.now() + (time - context.currentTime) * 1000 + this.#delayMs();
  }
}
