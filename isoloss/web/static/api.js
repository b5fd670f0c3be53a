// Talks to the server that the page came from, and to nobody else.

let token = "";

export class Reply extends Error {
  constructor(status, body) {
    super(body.given ?? "The server did not answer.");
    this.status = status;
    this.given = body.given ?? this.message;
    this.exists = body.exists ?? "";
    this.do = body.do ?? "";
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...options.headers, "X-Isoloss-Token": token } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Reply(0, { given: "The server does not answer.", do: "Is `isoloss serve` still running? Start it, and reload." });
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Reply(response.status, body);
  return body;
}

const post = (path, body, signal) =>
  ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal });

export async function hello() {
  const told = await ask("/api/hello");
  token = told.token;
  return told;
}

export const upload = (file) =>
  ask(`/api/tables?name=${encodeURIComponent(file.name.slice(0, 200) || "upload")}`, {
    method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" },
  });

export const table = (id, columns) => post(`/api/tables/${encodeURIComponent(id)}/view`, { columns });
export const plan = (fit, asked, level, signal) => post("/api/plans", { fit, asked, level }, signal);
export const explain = (fit, at, signal) => post("/api/explanations", { fit, at }, signal);
export const published = (key) => ask(`/api/published/${encodeURIComponent(key)}`);

// Asks for a fit and waits for it; `tell` hears of progress, aborting `signal` stops the work on the server too.
export const fit = (request, tell, signal) => job("/api/fits", request, tell, signal);
export const report = (request, tell, signal) => job("/api/reports", request, tell, signal);

async function job(path, request, tell, signal) {
  let now = await post(path, request, signal);
  const stop = () => ask(`/api/fits/${now.id}`, { method: "DELETE" }).catch(() => {});
  signal.addEventListener("abort", stop);
  try {
    while (now.status === "waiting" || now.status === "running") {
      tell(now);
      now = await ask(`${path}/${now.id}?wait=0.25`, { signal });
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
  if (now.status === "failed") throw new Reply(422, now.error);
  if (now.status === "cancelled") throw new DOMException("stopped", "AbortError");
  return now;
}
