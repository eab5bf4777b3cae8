// The controls as sliders, numbers, choices and switches, made from the JSON schema: the docstrings are the help.

import {make} from "./dom.js";
import {change} from "./patches.js";

const ELSEWHERE = ["air", "prompt", "cues", "transition"];  // these have places of their own on the page
const SLIDES_TO = 100;  // a wider range is typed, because a finger could not hit a value
const QUIET = 1500;     // ms after a touch during which the show does not move the control below the finger
const fields = new Map();

export function build(section, schema, show) {
  fields.clear();
  section.querySelectorAll("fieldset").forEach(group => group.remove());
  const plain = make("fieldset", {}, make("legend", {}, "picture"));
  section.append(plain);
  for (const [name, raw] of Object.entries(schema.properties)) {
    if (ELSEWHERE.includes(name)) continue;
    const inner = groupOf(raw, schema);
    const taken = {loras: show.loras, controlnets: show.controlnets}[name];
    if (inner) add(group(section, name, raw.description), name + ".", inner.properties, schema);
    else if (taken) addNames(section, name, raw, taken);
    else addField(plain, name, raw, schema);
  }
}

function add(fieldset, prefix, properties, schema) {
  for (const [name, raw] of Object.entries(properties)) addField(fieldset, prefix + name, raw, schema);
}

function addNames(section, name, raw, names) {
  if (!names.length) return;
  const fieldset = group(section, name, raw.description);
  const missing = name === "controlnets" ? 1 : 0;
  for (const part of names) addField(fieldset, `${name}.${part}`, {...raw.additionalProperties, default: missing}, {});
}

function group(section, name, help) {
  const fieldset = make("fieldset", {}, make("legend", {title: help ?? ""}, words(name)));
  section.append(fieldset);
  return fieldset;
}

const words = name => name.replaceAll("_", " ");
const resolve = (raw, schema) => raw.$ref ? schema.$defs[raw.$ref.split("/").pop()] : raw;
const options = (raw, schema) => (raw.anyOf ?? [raw]).map(option => resolve(option, schema));
const groupOf = (raw, schema) => options(raw, schema).find(option => option.properties);

function addField(fieldset, name, raw, schema) {
  const kinds = options(raw, schema);
  const number = kinds.find(kind => kind.type === "number" || kind.type === "integer");
  const names = kinds.find(kind => kind.enum);
  const others = kinds.some(kind => kind.type === "array");
  const field = {name, touched: -Infinity, standard: raw.default, refusal: make("p", {class: "refusal", hidden: true})};
  const parts = [];
  if (kinds.some(kind => kind.type === "boolean")) parts.push(toggle(field));
  else if (number && !others) parts.push(...(names ? [choice(field, names.enum, true)] : []), ...numeric(field, number, kinds));
  else if (names) parts.push(choice(field, names.enum, false));
  else parts.push(typed(field, others));
  const id = "c-" + name;
  parts[0].id = id;
  const reset = make("button", {class: "reset", title: "back to the default", onclick: () => { field.touched = -Infinity; change(name, null); }}, "↺");
  reset.setAttribute("aria-label", `${name}: back to the default`);
  const help = raw.description?.replaceAll("`", "") ?? "";
  const label = make("label", {htmlFor: id, title: help}, words(name.split(".").pop()));
  const row = make("div", {class: "field", dataset: {control: name}}, label, ...parts, reset, field.refusal);
  if (help) row.append(make("details", {class: "help"}, make("summary", {title: help}, "?"), help));
  fieldset.append(row);
  fields.set(name, field);
}

function send(field, value) {
  field.touched = performance.now();
  change(field.name, value);
}

function toggle(field) {
  const box = make("input", {type: "checkbox", onchange: () => send(field, box.checked)});
  field.show = value => { box.checked = value; };
  return box;
}

// A choice of words; where the control takes a number too, the slider beside takes over.
function choice(field, names, beside) {
  const list = make("select", {onchange: () => list.value && send(field, list.value)});
  list.append(...(beside ? [make("option", {value: ""}, "by number")] : []), ...names.map(name => make("option", {}, name)));
  field.show = value => { list.value = names.includes(value) ? value : ""; };
  return list;
}

function numeric(field, {type, minimum, maximum, exclusiveMaximum}, kinds) {
  const most = maximum ?? exclusiveMaximum;
  const step = type === "integer" ? 1 : fine(most - minimum);
  const empty = kinds.some(kind => kind.type === "null");
  const before = field.show ?? (() => {});
  const bounds = {min: minimum ?? "", max: most === exclusiveMaximum ? "" : most ?? ""};
  const box = make("input", {type: "number", ...bounds, step: "any", class: "number", placeholder: empty ? "default" : ""});
  box.onchange = () => box.value === "" ? empty && send(field, null) : box.validity.valid && send(field, Number(box.value));
  if (!(most - minimum <= SLIDES_TO) || empty) {
    field.show = value => { before(value); box.value = typeof value === "number" ? value : ""; };
    return [box];
  }
  const top = exclusiveMaximum === undefined ? most : most - step;
  const slider = make("input", {type: "range", min: minimum, max: top, step});
  slider.setAttribute("aria-label", field.name);
  slider.oninput = () => { box.value = slider.value; before(Number(slider.value)); send(field, Number(slider.value)); };
  field.show = value => {
    before(value);
    slider.value = typeof value === "number" ? value : minimum;
    box.value = typeof value === "number" ? Math.round(value * 1000) / 1000 : "";
  };
  return [slider, box];
}

const fine = span => span <= 2 ? 0.01 : span <= 10 ? 0.05 : 0.1;

// Text; `json`: numbers and lists, as in the file.
function typed(field, json) {
  const box = make("input", {type: "text", spellcheck: !json, onchange: () => {
    try {
      send(field, json ? JSON.parse(/^[\d.\s]+,/.test(box.value) ? `[${box.value}]` : box.value) : box.value);
    } catch {
      told([field.name], {[field.name]: "expected a number, or numbers with commas between"});
    }
  }});
  field.show = value => { box.value = json && typeof value !== "number" ? listed(value) : value; };
  return box;
}

const listed = value => value.every(part => typeof part === "number") ? value.join(", ") : JSON.stringify(value);

// Shows the controls in force.
export function update(controls) {
  const now = performance.now();
  for (const field of fields.values()) {
    const [section, ...rest] = field.name.split(".");
    const value = rest.length ? controls[section]?.[rest.join(".")] : controls[section];
    if (now - field.touched > QUIET) field.show(value ?? field.standard ?? null);
  }
}

// Shows why a name was refused, at the name.
export function told(names, refused) {
  for (const name of names) {
    const field = fields.get(name);
    if (!field) continue;
    const why = typeof refused === "string" ? refused : refused?.[name] ?? "";
    field.refusal.textContent = why;
    field.refusal.hidden = !why;
  }
}
