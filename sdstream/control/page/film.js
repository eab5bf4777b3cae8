// Draws MJPEG into a canvas. An <img> could not send the token, and would not come back after the daemon was gone.

import {headers, renew} from "./server.js";

const HEAD_END = [13, 10, 13, 10];

// `told` gets "" with each picture, and the reason while there is none. Nothing is fetched for a hidden page.
export async function film(canvas, view, told) {
  for (;;) {
    if (document.hidden) await new Promise(resolve => document.addEventListener("visibilitychange", resolve, {once: true}));
    const leave = new AbortController();
    const hide = () => document.hidden && leave.abort();
    document.addEventListener("visibilitychange", hide);
    const sent = headers();
    try {
      const answer = await fetch(`/${view}.mjpeg`, {headers: sent, cache: "no-store", signal: leave.signal});
      if (answer.ok) await play(answer.body.getReader(), canvas, told);
      else if (answer.status === 401) await renew(sent);
      else told((await answer.json()).error);
    } catch (error) {
      if (!leave.signal.aborted) told("no picture: the daemon does not answer");
    }
    document.removeEventListener("visibilitychange", hide);
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}

async function play(reader, canvas, told) {
  let waiting = new Uint8Array(0);
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return told("no picture: the preview has ended");
    waiting = joined(waiting, value);
    let newest = null;
    for (let part; (part = cut(waiting)); waiting = part.rest) newest = part.jpeg;
    if (newest) {
      await draw(canvas, newest);
      told("");
    }
  }
}

function joined(left, right) {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}

// Returns the first whole picture and what follows, or null.
function cut(bytes) {
  const end = bytes.findIndex((_, at) => HEAD_END.every((byte, offset) => bytes[at + offset] === byte));
  if (end < 0) return null;
  const length = Number(/content-length: (\d+)/i.exec(new TextDecoder("latin1").decode(bytes.subarray(0, end)))?.[1]);
  const from = end + HEAD_END.length;
  if (!(bytes.length >= from + length)) return null;
  return {jpeg: bytes.slice(from, from + length), rest: bytes.slice(from + length)};
}

async function draw(canvas, jpeg) {
  const picture = await createImageBitmap(new Blob([jpeg], {type: "image/jpeg"}));
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
  canvas.dataset.pictures = Number(canvas.dataset.pictures ?? 0) + 1;
}
