// Sends changes of controls: a dragged slider changes many times, and only the newest value is sent.

import {ask} from "./server.js";

const PAUSE = 120;  // ms between two patches
let waiting = {}, busy = false;
const listeners = [];

// `listener` gets the sent names and the refusals by name after each patch; a text as refusals is why nothing was done.
export const onOutcome = listener => listeners.push(listener);

export function change(name, value) {
  waiting[name] = value;
  if (!busy) send();
}

async function send() {
  busy = true;
  while (Object.keys(waiting).length) {
    const changes = waiting;
    waiting = {};
    await outcome(changes, ask("PATCH", "/api/controls", changes));
    await new Promise(resolve => setTimeout(resolve, PAUSE));
  }
  busy = false;
}

async function outcome(changes, request) {
  let refused;
  try {
    const {json} = await request;
    refused = json.refused ? Object.fromEntries(json.refused.map(({name, reason}) => [name, reason])) : json.error;
  } catch {
    refused = "not done: the daemon does not answer";
  }
  listeners.forEach(listener => listener(Object.keys(changes), refused));
}

// Panic does not wait for a slider.
export const air = picture => outcome({air: picture}, ask("POST", "/api/air", {air: picture}));

export async function recall(name, seconds) {
  await outcome({presets: name}, ask("POST", `/api/presets/${encodeURIComponent(name)}/recall`, {seconds}));
}
