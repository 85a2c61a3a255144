// What every script here does the same: read its arguments, speak, wait, and print what happened as JSON.

import { readFileSync } from "node:fs";

const PATIENCE_MS = 30_000;
/** A client may cancel a response that the server has just cancelled by itself. */
const HARMLESS = "response_cancel_not_active";
export const RATE = 24_000;
export const HEARD_MS = 1000;

/** node SCRIPT talk|tool URL KEY SPEECH: SPEECH is a file of pcm16 at 24 kHz. */
export function given() {
  const [task, url, key, file] = process.argv.slice(2);
  return { task, url, key, speech: readFileSync(file) };
}

export const silence = Buffer.alloc(2 * RATE);

/** ArrayBuffers of a tenth of a second, as a microphone gives them. */
export function chunks(pcm) {
  const step = RATE / 5;
  const starts = Array.from({ length: Math.ceil(pcm.length / step) }, (_, index) => index * step);
  return starts.map((start) => Uint8Array.from(pcm.subarray(start, start + step)).buffer);
}

/** The server's events in order, and the wait for one of them. */
export class Events {
  all = [];
  #seen = 0;
  #wake = () => {};

  push(event) {
    this.all.push(event);
    this.#wake();
  }

  /** The next event that passes, after those that were waited for before. An Error after half a minute, and at once if
   * the server complains. */
  async until(passes, what) {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      while (this.#seen < this.all.length) {
        const event = this.all[this.#seen++];
        if (passes(event)) return event;
        if (event.type === "error" && event.error.code !== HARMLESS)
          throw new Error(`no ${what}: ${event.error.message}`);
      }
      await new Promise((resolve, reject) => {
        this.#wake = resolve;
        const last = this.kinds().slice(-30).join(" ");
        deadline.onabort = () => reject(new Error(`no ${what} in time; the last events were ${last}`));
      });
    }
  }

  next(type) {
    return this.until((event) => event.type === type, type);
  }

  of(type) {
    return this.all.filter((event) => event.type === type);
  }

  kinds() {
    return this.all.map((event) => event.type);
  }

  errors() {
    return this.of("error").map((event) => event.error);
  }
}

/** The conversation that every client holds; `client` says how it speaks, stops and asks. */
export async function talk(client, speech) {
  const { events } = client;
  client.say(Buffer.concat([speech, silence]));
  const whole = (await events.next("response.done")).response;
  const bytes = client.played();

  client.say(Buffer.concat([speech, silence]));
  await events.until(() => client.played() >= bytes + (2 * RATE * HEARD_MS) / 1000, "second of audio");
  client.say(speech);
  const interrupted = (await events.next("response.done")).response;
  const item = interrupted.output[0];
  client.stop(item.id);
  // A client that stops by itself has done so before the response was over.
  const isIt = (event) => event.type === "conversation.item.truncated" && event.item_id === item.id;
  const truncated = events.all.find(isIt) ?? (await events.until(isIt, "truncated item"));
  client.retrieve(item.id);
  const retrieved = await events.until(
    (event) => event.type === "conversation.item.retrieved" && event.item.id === item.id,
    "retrieved item",
  );
  client.say(silence);
  const goesOn = (await events.next("response.created")).response;
  return { whole, bytes, interrupted, truncated, retrieved: retrieved.item, goes_on: goesOn.id };
}

/** A turn that the server answers with a call of the tool, and then speaks of its result. */
export async function useTool(client, speech) {
  client.say(Buffer.concat([speech, silence]));
  const call = (await client.events.next("response.done")).response;
  await client.giveResult?.(call.output[0]);
  const answer = (await client.events.next("response.done")).response;
  return { call, answer };
}

/** Hold the conversation that was asked for, and print it. */
export async function report(client, { task, speech }) {
  const result = await (task === "tool" ? useTool : talk)(client, speech);
  const { events } = client;
  console.log(JSON.stringify({ ...result, ...client.told(), kinds: events.kinds(), errors: events.errors() }));
  client.close();
}
