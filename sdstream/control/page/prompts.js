// The prompt: texts with weights, and the looks that the model knows. A text goes on air when told, a weight at once.

import {at, make, tell} from "./dom.js";
import {change} from "./patches.js";
import {ask} from "./server.js";

let dirty = false, last = null, shown = "";

const rows = () => [...at("prompts").children];

export function start() {
  at("set").onclick = set;
  at("more").onclick = () => { add("", 1); rows().at(-1).querySelector("textarea").focus(); edited(); };
  at("transition").onchange = event => event.target.validity.valid && event.target.value !== "" && change("transition", Number(event.target.value));
}

function add(text, weight) {
  const box = make("textarea", {value: text, rows: 1, maxLength: 10000, oninput: edited, onfocus: () => { last = row; }});
  box.setAttribute("aria-label", "prompt");
  box.onkeydown = event => {
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); set(); }
  };
  const slider = make("input", {type: "range", min: 0, max: 2, step: 0.05, value: weight, class: "weight"});
  slider.setAttribute("aria-label", "weight");
  const number = make("output", {}, String(weight));
  slider.oninput = () => { number.textContent = slider.value; dirty ? edited() : set(); };
  const remove = make("button", {class: "reset", onclick: () => { row.remove(); edited(); }}, "×");
  remove.setAttribute("aria-label", "remove this prompt");
  const row = make("div", {class: "prompt"}, box, slider, number, remove);
  row.weight = weight;
  at("prompts").append(row);
  single();
}

// A single prompt needs no weight.
function single() {
  at("prompts").classList.toggle("single", rows().length < 2);
}

function edited() {
  dirty = true;
  single();
  at("dirty").hidden = false;
}

function value() {
  const parts = rows().map(row => ({text: row.querySelector("textarea").value, weight: Number(row.querySelector(".weight").value)}));
  return parts.length === 1 ? parts[0].text : parts;
}

function set() {
  if (!rows().length) add("", 1);
  dirty = false;
  at("dirty").hidden = true;
  shown = JSON.stringify(value());
  change("prompt", value());
}

export function update(controls) {
  const now = JSON.stringify(controls.prompt);
  if (document.activeElement !== at("transition")) at("transition").value = controls.transition;
  if (now === shown || dirty || document.activeElement?.classList.contains("weight")) return;
  shown = now;
  at("prompts").replaceChildren();
  const parts = typeof controls.prompt === "string" ? [{text: controls.prompt, weight: 1}] : controls.prompt;
  parts.forEach(part => typeof part === "string" ? add(part, 1) : add(part.text, part.weight));
}

export function onAir(state) {
  const restyles = state.show.engine.restyles;
  at("onair").textContent = state.on_air?.prompt ?? "";
  at("onair").parentElement.hidden = !restyles;
  const fading = state.on_air?.fading;
  at("fade").hidden = fading === null || fading === undefined;
  at("fade").value = fading ?? 0;
}

let model = null;

export async function looks(state) {
  if (model === state.show.engine.model) return;
  const {ok, json} = await ask("GET", "/api/looks");
  if (!ok || json.model !== state.show.engine.model) return;
  model = json.model;
  at("looks").hidden = !json.looks.length;
  tell(at("model"), json.model);
  at("names").replaceChildren(...json.looks.map(look => {
    return make("button", {title: look.words.join(", "), onclick: () => use(look.name)}, look.name);
  }));
  at("sheet").hidden = !json.sheet;
  at("sheet").ontoggle = () => {
    if (!at("sheet").querySelector("img")) at("sheet").append(make("img", {src: json.sheet, alt: "a thumbnail of each look"}));
  };
}

function use(name) {
  const row = last?.isConnected ? last : rows()[0];
  if (!row) add(name, 1);
  else row.querySelector("textarea").value = name;
  set();
}
