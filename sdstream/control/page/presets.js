// Presets: the first nine have the keys 1 to 9.

import {at, make} from "./dom.js";
import {recall} from "./patches.js";
import {ask} from "./server.js";

let names = [];
let fail = () => {};

export function start(told) {
  fail = told;
  at("save").onclick = () => save(at("presetname").value.trim() || free());
  at("presetname").onkeydown = event => { if (event.key === "Enter") at("save").click(); };
}

export async function refresh() {
  const {ok, json} = await ask("GET", "/api/presets");
  if (!ok || JSON.stringify(Object.keys(json)) === JSON.stringify(names)) return;
  names = Object.keys(json);
  at("presets").replaceChildren(...names.map((name, index) => {
    const key = index < 9 ? [make("kbd", {}, String(index + 1)), " "] : [];
    const remove = make("button", {class: "reset", onclick: () => forget(name)}, "×");
    remove.setAttribute("aria-label", `forget the preset ${name}`);
    return make("span", {class: "preset"}, make("button", {onclick: () => bring(name), dataset: {preset: name}}, ...key, name), remove);
  }));
}

// Returns whether the key was a preset's.
export function key(event) {
  const number = Number(/^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1]);
  if (!number || event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.shiftKey) save(names[number - 1] ?? free());
  else if (names[number - 1] !== undefined) bring(names[number - 1]);
  return true;
}

function free() {
  for (let number = names.length + 1; ; number++) if (!names.includes(`preset ${number}`)) return `preset ${number}`;
}

function bring(name) {
  const seconds = at("seconds").validity.valid ? Number(at("seconds").value) : 0;
  recall(name, seconds);
}

const save = name => done(ask("PUT", `/api/presets/${encodeURIComponent(name)}`, {}));

const forget = name => done(ask("DELETE", `/api/presets/${encodeURIComponent(name)}`));

async function done(request) {
  try {
    const {ok, json} = await request;
    fail(ok ? "" : json.error);
    if (ok) at("presetname").value = "";
    await refresh();
  } catch {
    fail("not done: the daemon does not answer");
  }
}
