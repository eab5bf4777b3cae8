// The states of source, engine and sinks, with reasons, and what to type into OBS.

import {at, make, tell, duration} from "./dom.js";
import {ask} from "./server.js";

const GOOD = ["live", "held", "running", "sending"];
const BAD = ["slate", "away", "not connected", "black", "lost", "stalled"];
const rows = new Map();

export function update(state) {
  const seen = new Set();
  const show = (name, word, facts, address) => { seen.add(name); row(name, word, facts, address); };
  const {source, engine, show: is} = state;
  show("source", source.state, [is.source.kind, source.reason, source.buffer_reason && `delayed ${source.buffer.toFixed(1)} s: ${source.buffer_reason}`], is.source.type);
  show("engine", phase(engine.loading), [is.engine.model || is.engine.kind, state.on_air?.preparing && `preparing: ${state.on_air.preparing}`, engine.restarts && `${engine.restarts} restarts`]);
  for (const sink of state.sinks) {
    const tries = sink.tries ? `${sink.tries} tries` : "";
    show(sink.name, sink.showing, [sink.problem, tries, sink.restarts && `${sink.restarts} restarts`], is.sinks[sink.name]);
  }
  for (const [name, parts] of rows) if (!seen.has(name)) { parts.row.remove(); rows.delete(name); }
}

export const phase = loading => loading.phase + (loading.steps ? ` ${loading.step} of ${loading.steps}` : "");

function row(name, word, facts, address) {
  if (!rows.has(name)) rows.set(name, build(name));
  const parts = rows.get(name);
  tell(parts.word, word);
  parts.word.dataset.level = GOOD.includes(word) ? "good" : BAD.includes(word) ? "bad" : "middling";
  tell(parts.facts, facts.filter(Boolean).join(" · "));
  tell(parts.address, address ?? "");
  parts.copy.hidden = !address;
}

function build(name) {
  const [word, facts, address] = [make("span", {class: "badge"}), make("span", {class: "facts"}), make("code", {})];
  const copy = make("button", {class: "reset", onclick: () => copied(address)}, "copy");
  const restart = make("button", {class: "reset", title: "new process; the outputs go on", onclick: () => restarted(name)}, "restart");
  const row = make("li", {dataset: {part: name}}, make("b", {}, name), word, facts, restart, address, copy);
  at("parts").append(row);
  return {row, word, facts, address, copy};
}

// Without HTTPS or loopback a page may not write to the clipboard; the text is then selected for Ctrl-C.
async function copied(address) {
  try {
    await navigator.clipboard.writeText(address.textContent.replace(/^[\w ]+: (?=http)/, ""));
  } catch {
    getSelection().selectAllChildren(address);
  }
}

const restarted = name => ask("POST", `/api/parts/${encodeURIComponent(name)}/restart`).catch(() => {});  // `follow` tells why

export function cues(controls, state) {
  const list = controls.cues;
  at("cues").hidden = !list.length;
  if (!list.length) return;
  const loop = controls.cues_loop;
  const since = state.on_air?.cues_since;
  const elapsed = typeof since === "number" ? state.now - since : null;
  const place = elapsed === null ? null : loop ? elapsed % loop : elapsed;
  const next = place === null ? -1 : list.findIndex(cue => cue.at > place);
  const left = next >= 0 ? list[next].at - place : loop && place !== null ? loop - place : null;
  at("next").textContent = left === null ? "" : `next in ${duration(Math.ceil(left))}`;
  at("cues").querySelector("ol").replaceChildren(...list.map((cue, index) => {
    const item = make("li", {}, make("time", {}, duration(cue.at)), " ", readable(cue.prompt));
    if (index === next) item.setAttribute("aria-current", "true");
    return item;
  }));
}

const readable = prompt => typeof prompt === "string" ? prompt : prompt.map(part => `${part.text ?? part}:${part.weight ?? 1}`).join(" + ");
