// Graphs of the last minutes, from two states a second. The page keeps the numbers: a reload begins anew.

import {at} from "./dom.js";

const SECONDS = 180;
const points = [];  // {at, fps, sent, latency, drops}
let before = null;

// `status` is the preview's, or null without a preview.
export function add(state, status) {
  const sink = state.sinks[0];
  const lost = Object.values(state.drops).reduce((sum, count) => sum + count, 0)
    + state.sinks.reduce((sum, each) => sum + each.dropped + each.late, 0);
  const now = {at: state.seconds, live: sink?.live ?? 0, sent: sink?.sent ?? 0, lost};
  if (before && now.at < before.at) points.length = 0;  // another run
  else if (before && now.at > before.at) {
    const rate = (left, right) => Math.max(0, right - left) / (now.at - before.at);
    const latency = status ? status.latency : sink?.latency.p50 ?? null;
    points.push({at: now.at, fps: rate(before.live, now.live), sent: rate(before.sent, now.sent), latency, drops: rate(before.lost, now.lost)});
  }
  before = now;
  while (points.length && now.at - points[0].at > SECONDS) points.shift();
  requestAnimationFrame(() => draw(status !== null));
}

function draw(measured) {
  const last = points.at(-1);
  if (!last) return;
  at("fps").textContent = `${last.fps.toFixed(1)} new, ${last.sent.toFixed(1)} sent`;
  at("latency").textContent = last.latency === null ? "no live picture" : `${Math.round(last.latency * 1000)} ms${measured ? "" : " (median of the run)"}`;
  at("drops").textContent = last.drops.toFixed(1);
  for (const canvas of document.querySelectorAll(".graph")) {
    const names = canvas.dataset.graph === "fps" ? ["sent", "fps"] : [canvas.dataset.graph];
    line(canvas, names);
  }
}

function line(canvas, names) {
  const scale = devicePixelRatio, width = canvas.clientWidth * scale, height = canvas.clientHeight * scale;
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const pen = canvas.getContext("2d"), style = getComputedStyle(canvas);
  const most = Math.max(...points.flatMap(point => names.map(name => point[name] ?? 0)), 1e-3) * 1.15;
  const end = points.at(-1).at;
  pen.clearRect(0, 0, width, height);
  pen.lineWidth = 1.5 * scale;
  names.forEach((name, index) => {
    pen.strokeStyle = style.getPropertyValue(index === names.length - 1 ? "--accent" : "--faint");
    pen.beginPath();
    let drawing = false;
    for (const point of points) {
      if (point[name] === null) { drawing = false; continue; }
      const x = width * (1 - (end - point.at) / SECONDS), y = height * (1 - point[name] / most);
      drawing ? pen.lineTo(x, y) : pen.moveTo(x, y);
      drawing = true;
    }
    pen.stroke();
  });
  pen.fillStyle = style.getPropertyValue("--muted");
  pen.font = `${10 * scale}px system-ui, sans-serif`;
  const top = most / 1.15;
  pen.fillText(names[0] === "latency" ? `${Math.round(top * 1000)} ms` : top.toFixed(1), 3 * scale, 11 * scale);
}
