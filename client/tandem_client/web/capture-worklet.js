// Audio thread: the microphone's blocks -> 20 ms frames, each posted as it is complete.
import { Framer } from "./framer.js";

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.framer = new Framer(sampleRate);
    this.live = true;
    this.port.onmessage = () => {
      this.live = false;
    };
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    for (const { samples, level } of this.framer.push(inputs[0] ?? [])) {
      this.port.postMessage({ samples, level, timeMs: currentTime * 1000 }, [samples.buffer]);
    }
    return this.live;
  }
}

registerProcessor("tandem-capture", Capture);
