// `@openai/agents-realtime`: a session with its own defaults, over its WebSocket transport.

import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import { z } from "zod";

import { chunks, Events, given, report } from "./conversation.mjs";

const { task, url, key, speech } = given();
const events = new Events();
const understood = new Map();
const mistakes = [];
const stops = [];
const asked = [];
let played = 0;

const weather = tool({
  name: "weather",
  description: "How is the weather there?",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    asked.push(city);
    return `it rains in ${city}`;
  },
});
const tools = task === "tool" ? [weather] : [];
const agent = new RealtimeAgent({ name: "companion", instructions: "Talk with me.", tools });
const session = new RealtimeSession(agent, { transport: "websocket", model: "tandem" });
session.on("audio", (event) => (played += event.data.byteLength));
session.on("audio_interrupted", () => stops.push(played));
session.on("error", ({ error }) => mistakes.push(String(error?.message ?? JSON.stringify(error))));

// Every event comes under "*", but under its own name only one that passes the package's schemas.
session.transport.on("*", (event) => {
  const { type } = event;
  if (type !== "error" && !understood.has(type)) {
    understood.set(type, 0);
    session.transport.on(type, () => understood.set(type, understood.get(type) + 1));
  }
  events.push(event);
});

const misunderstood = () => [...understood].filter(([type, count]) => events.of(type).length > count);
const remembered = ({ type, role, name, output }) => ({ type, role, name, output });

await session.connect({ apiKey: key, url: `${url}?model=tandem` });
await report(
  {
    events,
    say: (pcm) => chunks(pcm).forEach((chunk) => session.sendAudio(chunk)),
    played: () => played,
    stop: () => {}, // it has done so itself
    retrieve: (item) => session.transport.sendEvent({ type: "conversation.item.retrieve", item_id: item }),
    told: () => ({
      asked,
      mistakes,
      stops,
      played,
      history: session.history.map(remembered),
      misunderstood: misunderstood().map(([type]) => type),
    }),
    close: () => session.close(),
  },
  { task, speech },
);
