// `openai` for node: its WebSocket helper, which speaks TLS whatever the address says.

import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

import { chunks, Events, given, HEARD_MS, report } from "./conversation.mjs";

const { task, url, key, speech } = given();
const events = new Events();
const mistakes = [];
let played = 0;

const baseURL = url.replace(/^wss:/, "https:").replace(/\/realtime$/, "");
const realtime = new OpenAIRealtimeWS({ model: "tandem" }, new OpenAI({ apiKey: key, baseURL }));
realtime.on("error", (error) => mistakes.push(error.message));
realtime.on("response.output_audio.delta", (event) => (played += Buffer.from(event.delta, "base64").length));
realtime.on("event", (event) => events.push(event));
await events.next("session.created");

const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = task === "tool" ? [{ type: "function", name: "weather", parameters }] : [];
realtime.send({ type: "session.update", session: { type: "realtime", instructions: "Talk with me.", tools } });
await events.next("session.updated");

const append = (chunk) =>
  realtime.send({ type: "input_audio_buffer.append", audio: Buffer.from(chunk).toString("base64") });

await report(
  {
    events,
    say: (pcm) => chunks(pcm).forEach(append),
    played: () => played,
    stop: (item) =>
      realtime.send({ type: "conversation.item.truncate", item_id: item, content_index: 0, audio_end_ms: HEARD_MS }),
    retrieve: (item) => realtime.send({ type: "conversation.item.retrieve", item_id: item }),
    giveResult: (call) => {
      const output = `it rains in ${JSON.parse(call.arguments).city}`;
      const item = { type: "function_call_output", call_id: call.call_id, output };
      realtime.send({ type: "conversation.item.create", item });
      realtime.send({ type: "response.create" });
    },
    told: () => ({ mistakes, played }),
    close: () => realtime.close(),
  },
  { task, speech },
);
