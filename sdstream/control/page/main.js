// Joins the parts of the page with the events of the daemon.

import * as controls from "./controls.js";
import {at, duration, make, tell} from "./dom.js";
import {film} from "./film.js";
import * as graphs from "./graphs.js";
import * as parts from "./parts.js";
import {air, onOutcome} from "./patches.js";
import * as presets from "./presets.js";
import * as prompts from "./prompts.js";
import {ask, follow} from "./server.js";

const now = {controls: null, state: null, status: null, picture: "no picture yet", lost: "", failed: "", built: "", moving: false};

at("cut").oninput = event => at("stage").style.setProperty("--cut", event.target.value + "%");
film(at("show"), "show", reason => { now.picture = reason; what(); });
film(at("camera"), "camera", () => {});
prompts.start();
presets.start(told);
onOutcome((names, refused) => {
  controls.told(names, refused);
  const prompt = typeof refused === "string" ? refused : refused?.prompt ?? refused?.[Object.keys(refused ?? {}).find(name => name.startsWith("prompt"))] ?? "";
  if (names.includes("prompt")) tell(document.querySelector('[data-refusal="prompt"]'), prompt);
  told(typeof refused === "string" ? refused : Object.entries(refused ?? {}).map(([name, why]) => `${name}: ${why}`).join("; "));
});

function told(text) {
  now.failed = text;
  problems();
}

// What the picture is; a picture that no model has touched is never called restyled.
function what() {
  const status = now.status, state = now.state;
  const sink = state?.sinks.find(each => each.kind === "preview") ?? state?.sinks[0];
  const showing = status?.showing ?? sink?.showing ?? "";
  const words = {camera: "camera, untouched", bypass: "camera, untouched", frozen: "frozen", black: "black", away: "output away"};
  let text = words[showing] ?? showing;
  if (showing === "live" || showing === "held") {
    const kind = state?.show.engine.restyles ? "restyled" : "camera, passed through";
    // An engine slower than the canvas has held pictures between the new pictures: still a moving show.
    text = showing === "held" && !now.moving ? `${kind}, held: no new picture` : kind;
  }
  if (showing === "slate") text = state && state.engine.loading.phase !== "running" ? "slate: engine loading" : "slate";
  if (now.lost) text = `${text || "picture"} of before: the daemon is gone`;
  else if (now.picture) text = now.picture;
  const seen = Number(at("camera").dataset.pictures ?? 0) > 0;
  at("before").textContent = !seen ? "no camera picture yet" : now.lost || state?.source.state !== "live" ? "camera, last picture" : "camera";
  at("what").textContent = text;
  at("what").title = text;
}

function badge() {
  const {state} = now;
  if (!state) return;
  const sink = state.sinks[0];
  tell(at("showing"), now.lost ? "" : sink?.showing ?? "no output");
  at("showing").dataset.level = ["live", "held"].includes(sink?.showing) ? "good" : ["camera", "bypass", "frozen"].includes(sink?.showing) ? "middling" : "bad";
  at("uptime").textContent = now.lost ? "" : duration(state.seconds);
  const loading = state.engine.loading;
  tell(at("loading"), loading.phase === "running" || now.lost ? "" : `Engine with ${state.show.engine.model || state.show.engine.kind}: ${parts.phase(loading)}`);
}

function problems() {
  const {state} = now, list = [];
  if (now.lost) list.push(now.lost);
  if (now.failed) list.push(now.failed);
  if (state && !now.lost) {
    if (state.source.reason) list.push(`source: ${state.source.reason}`);
    for (const sink of state.sinks) if (sink.problem) list.push(`${sink.name}: ${sink.problem}`);
    for (const refused of state.controls.refused) list.push(`${refused.name} (by ${refused.by}): ${refused.reason}`);
  }
  const texts = [...new Set(list)];
  const box = at("problems");
  box.hidden = !texts.length;
  if (box.textContent !== texts.join("")) box.querySelector("ul").replaceChildren(...texts.map(text => make("li", {}, text)));
}

const on = {
  controls(event) {
    now.controls = event.controls;
    prompts.update(event.controls);
    controls.update(event.controls);
    document.body.dataset.air = event.controls.air;
    for (const button of document.querySelectorAll("[data-air]")) {
      if (button.tagName === "BUTTON") button.setAttribute("aria-pressed", String(button.dataset.air === event.controls.air));
    }
    at("bypass").firstChild.textContent = event.controls.air === "live" ? "Camera only" : "Back to live";
  },
  async state({state}) {
    if (!state.show) return;  // the run has just begun
    const live = run => run?.sinks.reduce((sum, sink) => sum + sink.live, 0) ?? 0;
    now.moving = live(state) > live(now.state);
    now.state = state;
    badge();
    problems();
    parts.update(state);
    prompts.onAir(state);
    tell(at("remarks"), state.controls.remarks.map(({text}) => text).join("; "));
    what();
    graphs.add(state, now.status);
    if (now.controls) {
      parts.cues(now.controls, state);
      controls.update(now.controls);  // what a finger held up at the event
    }
    try {
      await Promise.all([sliders(state.show.engine), prompts.looks(state)]);
    } catch { /* the next state tries again; `follow` tells of a daemon that is gone */ }
  },
};

async function sliders(engine) {
  const parts = JSON.stringify([engine.loras, engine.controlnets]);
  if (now.built === parts) return;
  const schema = await ask("GET", "/api/controls/schema");
  if (!schema.ok || now.built === parts) return;
  now.built = parts;
  controls.build(at("controls"), schema.json, engine);
  if (now.controls) controls.update(now.controls);
}

async function look() {
  try {
    const {ok, json} = await ask("GET", "/status");
    now.status = ok && !document.hidden ? json : null;
  } catch {
    now.status = null;
  }
  setTimeout(look, 1000);
}

function up() {
  now.lost = "";
  tell(at("link"), "connected");
  at("link").dataset.level = "good";
  document.body.classList.remove("gone");
  presets.refresh().catch(() => {});  // `follow` tells of a daemon that is gone
}

function down(reason) {
  now.lost = reason;
  now.status = null;
  tell(at("link"), "daemon gone");
  at("link").dataset.level = "bad";
  document.body.classList.add("gone");
  problems();
  badge();
  what();
}

at("bypass").onclick = () => air(document.body.dataset.air === "live" ? "bypass" : "live");
for (const button of document.querySelectorAll("button[data-air]")) {
  button.onclick = () => air(document.body.dataset.air === button.dataset.air ? "live" : button.dataset.air);
}
document.onkeydown = event => {
  if (event.key === "Escape" && !at("ask").open) {
    event.preventDefault();
    at("bypass").click();
  } else if (!typing(event.target) && presets.key(event)) event.preventDefault();
};

const typing = element => element.matches("textarea, select, input:not([type=range], [type=checkbox])");

setInterval(() => { if (!now.lost && !document.hidden) presets.refresh().catch(() => {}); }, 10000);
look();
follow(on, up, down);
