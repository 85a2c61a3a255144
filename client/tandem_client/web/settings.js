// The person's settings: their defaults, where they are kept, and the `session.update` that asks for them.
import { NAMES } from "./features.js";

/**
 * @typedef {object} Settings
 * @property {string} strategy
 * @property {number} strength          0 to 1.5.
 * @property {string[]} features        Names of those that may move.
 * @property {string} userId            Empty: nobody in particular.
 * @property {"binary" | "base64"} audioFrames
 * @property {number} silenceMs         Silence that ends a turn.
 * @property {import("./audio-in.js").Processing} processing
 */

/** @type {Readonly<Settings>} */
export const DEFAULTS = Object.freeze({
  strategy: "match",
  strength: 1,
  features: [...NAMES],
  userId: "",
  audioFrames: "binary",
  silenceMs: 500,
  processing: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
});

const KEY = "tandem.settings";

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

/** Defaults wherever a kept value has the wrong type. @param {any} kept @returns {Settings} */
function fitting(kept) {
  const entries = Object.entries(DEFAULTS).map(([name, usual]) => {
    const value = kept?.[name];
    return [name, typeof value === typeof usual && Array.isArray(value) === Array.isArray(usual) ? value : usual];
  });
  const settings = Object.fromEntries(entries);
  return { ...settings, features: NAMES.filter((name) => settings.features.includes(name)) };
}

/** @param {Settings} settings */
export function sessionUpdate(settings) {
  return {
    type: "session.update",
    session: {
      type: "realtime",
      tandem: {
        strategy: settings.strategy,
        strength: settings.strength,
        features: settings.features,
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
