// Small pieces of the document. Texts of the daemon are set as text, never as HTML.

export const at = id => document.getElementById(id);

// Makes an element: properties, then children (elements or texts); `dataset` and `class` are understood.
export function make(tag, properties = {}, ...children) {
  const {dataset = {}, class: names = "", ...rest} = properties;
  const element = Object.assign(document.createElement(tag), rest);
  Object.assign(element.dataset, dataset);
  if (names) element.className = names;
  element.append(...children);
  return element;
}

export function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

export const duration = seconds => {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (h ? h + ":" + String(m).padStart(2, "0") : m) + ":" + String(s).padStart(2, "0");
};
