// The way to the control server: token, requests, and events that come again after the daemon was gone.

const meta = document.querySelector('meta[name="sdstream-token"]').content;
let token = meta || sessionStorage.getItem("sdstream-token") || "";
let asking = null;

export const headers = () => token ? {Authorization: "Bearer " + token} : {};

// Asks once; a refused token is renewed (each start of the daemon has another) or typed, and the request sent again.
export async function ask(method, path, body) {
  const sent = headers();
  let answer = await once(method, path, body);
  if (answer.status === 401 || answer.status === 403 && /token/.test(answer.json.error ?? "")) {
    if (await renew(sent)) answer = await once(method, path, body);
  }
  return answer;
}

async function once(method, path, body) {
  const kind = body === undefined ? {} : {"Content-Type": "application/json"};
  const answer = await fetch(path, {
    method, headers: {...headers(), ...kind}, cache: "no-store", signal: AbortSignal.timeout(6000),
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const json = await answer.json().catch(() => ({error: answer.statusText}));
  return {ok: answer.ok, status: answer.status, json};
}

// `sent`: the headers of the refused request; another token may have come meanwhile.
export async function renew(sent) {
  if (sent.Authorization !== headers().Authorization) return true;
  asking ??= find();
  try { return await asking; } finally { asking = null; }
}

async function find() {
  const page = new DOMParser().parseFromString(await (await fetch(location.pathname, {cache: "no-store"})).text(), "text/html");
  const fresh = page.querySelector('meta[name="sdstream-token"]')?.content ?? "";
  if (fresh) {
    const changed = fresh !== token;
    token = fresh;
    return changed;
  }
  token = await typed();
  sessionStorage.setItem("sdstream-token", token);
  return true;
}

function typed() {
  const dialog = document.getElementById("ask");
  dialog.showModal();
  return new Promise(resolve => {
    dialog.oncancel = event => event.preventDefault();
    dialog.onclose = () => {
      const box = document.getElementById("token");
      const given = box.value.trim();
      box.value = "";
      resolve(given);
    };
  });
}

const SILENT = 4000;  // ms without an event, although the state comes twice a second

// Calls on[event] for each event, `up` after a connection, and `down` when there is none.
export async function follow(on, up, down) {
  for (;;) {
    let reason = "the daemon does not answer; trying again each second";
    try {
      const first = await ask("GET", "/api/controls");
      if (first.ok) await listen(on, up);
      else reason = first.json.error;
    } catch { /* no server: the reason above */ }
    down(reason);
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}

function listen(on, up) {
  return new Promise(resolve => {
    const address = location.origin.replace(/^http/, "ws") + "/api/events";
    const socket = new WebSocket(address, token ? ["sdstream.token." + token] : []);
    let silence = setTimeout(end, SILENT);
    function end() {
      clearTimeout(silence);
      socket.onmessage = socket.onclose = null;
      socket.close();
      resolve();
    }
    socket.onopen = up;
    socket.onclose = end;
    socket.onmessage = message => {
      clearTimeout(silence);
      silence = setTimeout(end, SILENT);
      const event = JSON.parse(message.data);
      on[event.event]?.(event);
    };
  });
}
