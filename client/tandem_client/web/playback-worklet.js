// Audio thread: plays the jitter buffer and says what was played.
import { JitterBuffer } from "./jitter.js";

const REPORT = 0.04; // seconds between two reports of the position

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.buffer = new JitterBuffer();
    this.energy = 0;
    this.count = 0;
    this.reported = 0;
    this.port.onmessage = ({ data }) => this.#receive(data);
  }

  /** @param {any} message */
  #receive(message) {
    if (message.type === "open") this.buffer.open(message.item);
    else if (message.type === "close") this.buffer.close(message.item);
    else if (message.type === "push") this.buffer.push(message.item, message.samples);
    else if (message.type === "flush") this.port.postMessage({ type: "flushed", heard: this.buffer.flush() });
  }

  /** @param {Float32Array[][]} _inputs @param {Float32Array[][]} outputs */
  process(_inputs, outputs) {
    const out = outputs[0][0];
    for (const news of this.buffer.pull(out)) {
      this.port.postMessage({ ...news, time: currentTime + news.offset / sampleRate });
    }
    for (const sample of out) this.energy += sample * sample;
    this.count += out.length;
    if (currentTime - this.reported >= REPORT) this.#report();
    return true;
  }

  #report() {
    const [head] = this.buffer.items;
    this.port.postMessage({
      type: "position",
      item: head ? head.id : null,
      sample: head ? head.played : 0,
      queued: this.buffer.queued,
      prebuffer: this.buffer.prebuffer,
      underruns: this.buffer.underruns,
      level: Math.sqrt(this.energy / Math.max(1, this.count)),
    });
    this.energy = 0;
    this.count = 0;
    this.reported = currentTime;
  }
}

registerProcessor("tandem-playback", Playback);
