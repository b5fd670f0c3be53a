// What the page shows, kept in its address: a view is a link, and a link is a view.

const DEFAULTS = {
  table: "ladder", law: "chinchilla", objective: "huber_log", size: "", flops: 0, level: 0.9, view: "loss",
  over: [], exclude: [], columns: {}, beside: null, unique: "", served: "", accelerator: "", count: "", price: "",
};
const WORDS = ["table", "law", "objective", "size", "view", "unique", "served", "accelerator", "count", "price"];

export const initial = () => structuredClone(DEFAULTS);

export function read(hash) {
  const state = initial();
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  for (const name of WORDS) if (query.has(name)) state[name] = query.get(name).slice(0, 200);
  if (query.has("flops")) state.flops = positive(query.get("flops"), 0);
  if (query.has("level")) state.level = Math.min(Math.max(positive(query.get("level"), 0.9), 0.5), 0.99);
  if (query.has("over")) state.over = query.get("over").split(",").filter(Boolean).slice(0, 8);
  if (query.has("without")) state.exclude = rows(query.get("without"));
  state.columns = object(query.get("columns")) ?? {};
  state.beside = object(query.get("beside"));
  return state;
}

export function write(state) {
  const query = new URLSearchParams();
  for (const name of WORDS) if (state[name] !== DEFAULTS[name]) query.set(name, state[name]);
  if (state.flops) query.set("flops", state.flops.toPrecision(6).replace("e+", "e"));
  if (state.level !== DEFAULTS.level) query.set("level", state.level);
  if (state.over.length) query.set("over", state.over.join(","));
  if (state.exclude.length) query.set("without", state.exclude.join(","));
  if (Object.keys(state.columns).length) query.set("columns", JSON.stringify(state.columns));
  if (state.beside) query.set("beside", JSON.stringify(state.beside));
  return `#${query}`;
}

// What the server needs to make the fit that a state shows.
export function request(state, symbol) {
  const inputs = state.size && symbol && state.law !== "auto" ? { [symbol]: state.size } : {};
  const { table, law, objective, columns, exclude } = state;
  return { table, law, objective, columns, exclude, inputs };
}

const positive = (text, otherwise) => (Number(text) > 0 && Number.isFinite(Number(text)) ? Number(text) : otherwise);
const rows = (text) => [...new Set(text.split(",").map(Number).filter((row) => Number.isInteger(row) && row >= 0))].slice(0, 2000);

function object(text) {
  try {
    const value = JSON.parse(text ?? "null");
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
