// The person's settings: their defaults, where they are kept, and the `session.update` that asks for them.
import { NAMES } from "./features.js";

/**
 * @typedef {object} Settings
 * @property {string | null} strategy  Null, as in the next two: not chosen here, so the server's own holds.
 * @property {number | null} strength  0 to 1.5.
 * @property {string[] | null} features  Names of those that may move.
 * @property {string} userId            Empty: nobody in particular.
 * @property {"binary" | "base64"} audioFrames
 * @property {number} silenceMs         Silence that ends a turn.
 * @property {import("./audio-in.js").Processing} processing
 */

/** @type {Readonly<Settings>} */
export const DEFAULTS = Object.freeze({
  strategy: null,
  strength: null,
  features: null,
  userId: "",
  audioFrames: "binary",
  silenceMs: 500,
  processing: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
});

const KEY = "tandem.settings.2"; // in the first nobody could tell what the person had chosen

/** What each kept value must be; of `features` only the names that there are. @type {Record<keyof Settings, (value: any) => boolean>} */
const FITS = {
  strategy: (value) => typeof value === "string",
  strength: (value) => typeof value === "number" && value >= 0 && value <= 1.5,
  features: Array.isArray,
  userId: (value) => typeof value === "string",
  audioFrames: (value) => value === "binary" || value === "base64",
  silenceMs: (value) => typeof value === "number",
  processing: (value) => typeof value === "object" && value !== null,
};

/** @param {Storage} storage @returns {Settings} What was kept, as far as it still fits. */
export function load(storage) {
  try {
    return fitting(JSON.parse(storage.getItem(KEY) ?? "{}"));
  } catch {
    return { ...DEFAULTS };
  }
}

/** @param {Storage} storage @param {Settings} settings */
export function keep(storage, settings) {
  try {
    storage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // A private window may have no storage; the settings then last as long as the page.
  }
}

/** Defaults wherever a kept value does not fit. @param {any} kept @returns {Settings} */
function fitting(kept) {
  const entries = Object.entries(FITS).map(([name, fits]) => {
    const value = kept?.[name];
    return [name, fits(value) ? value : DEFAULTS[/** @type {keyof Settings} */ (name)]];
  });
  const settings = Object.fromEntries(entries);
  return { ...settings, features: settings.features && NAMES.filter((name) => settings.features.includes(name)) };
}

/** What was chosen; what was not is left out, and stays the server's. @param {Settings} settings */
export function sessionUpdate(settings) {
  const { strategy, strength, features } = settings;
  const chosen = Object.entries({ strategy, strength, features }).filter(([, value]) => value !== null);
  return {
    type: "session.update",
    session: {
      type: "realtime",
      tandem: {
        ...Object.fromEntries(chosen),
        user_id: settings.userId.trim() || null,
        audio_frames: settings.audioFrames,
      },
      audio: {
        input: {
          turn_detection: {
            type: "server_vad",
            silence_duration_ms: settings.silenceMs,
            create_response: true,
            interrupt_response: true,
          },
        },
      },
    },
  };
}
