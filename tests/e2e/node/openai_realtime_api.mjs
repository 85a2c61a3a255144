// `openai-realtime-api`: the dialect of before GA. With a WebSocket of the platform's it asks for it by a subprotocol,
// as in a browser, and else by a header.

import { RealtimeClient } from "openai-realtime-api";

import { chunks, Events, given, HEARD_MS, RATE, report } from "./conversation.mjs";

const { task, url, key, speech } = given();
const events = new Events();
const asked = [];
const stops = [];
let played = 0;

const sessionConfig = { turn_detection: { type: "server_vad" } };
const client = new RealtimeClient({ url, apiKey: key, model: "tandem", sessionConfig });
client.realtime.on("server.*", (event) => events.push(event));
client.on("conversation.updated", ({ delta }) => (played += delta?.audio?.byteLength ?? 0));
client.on("conversation.interrupted", () => stops.push(played));
if (task === "tool") {
  const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  client.addTool({ name: "weather", description: "How is the weather there?", parameters }, ({ city }) => {
    asked.push(city);
    return `it rains in ${city}`;
  });
}
await client.connect();
await client.waitForSessionCreated();

const remembered = ({ type, role, formatted: { transcript, audio } }) => ({
  type,
  role,
  transcript,
  samples: audio.length,
});

await report(
  {
    events,
    say: (pcm) => chunks(pcm).forEach((chunk) => client.appendInputAudio(new Int16Array(chunk))),
    played: () => played,
    stop: (item) => client.cancelResponse(item, (RATE * HEARD_MS) / 1000),
    retrieve: (item) => client.realtime.send("conversation.item.retrieve", { item_id: item }),
    told: () => ({
      asked,
      stops,
      played,
      native: Boolean(globalThis.WebSocket),
      items: client.conversation.getItems().map(remembered),
    }),
    close: () => client.disconnect(),
  },
  { task, speech },
);
