// The controls: filled from what the server told and from the state, and what they do to the state.

import { $, h, put } from "./dom.js";
import { plain, short } from "./numbers.js";

const SIZES = ["params", "body_params", "matmul_params", "active_params"];
const ANYTHING = "x"; // the quantity of an input that is named when a law is bound
const STEPS = 1000;
let range = { low: 1e12, high: 1e18 };

export function fill(told, state) {
  put("objective", told.objectives.map((name) => option(name, name.replaceAll("_", " "), state.objective)));
  put("accelerator", option("", "none", state.accelerator), told.accelerators.map((a) => option(a.key, a.name, state.accelerator)));
  put("over", option("", "add one …", ""), told.published.map((p) => option(p.key, `${p.key} (${p.year})`, "")));
  $("level").value = String(state.level);
  for (const name of ["unique", "served", "count", "price"]) $(name).value = state[name];
  laws(told.laws, new Set(), state.law);
}

// Laws whose inputs the table has come first.
function laws(all, known, chosen) {
  const free = (law) => law.inputs.length === 1 && law.inputs[0].quantity === ANYTHING;
  const fits = (law) => free(law) || law.inputs.every((i) => known.has(i.quantity) || (SIZES.includes(i.quantity) && SIZES.some((s) => known.has(s))));
  const here = known.size ? all.filter((law) => fits(law) && known.has(law.output)) : all;
  const group = (title, list) => list.length > 0 && h("optgroup", { label: title }, list.map((law) => option(law.name, law.name.replaceAll("_", " "), chosen)));
  put("law", option("auto", "auto: a calibrated blend", chosen), group("size and data", here.filter((l) => l.plans)), group("other laws", here.filter((l) => !l.plans)),
    group("columns are lacking", all.filter((law) => !here.includes(law))));
}

// Which column an argument of the law stands for: its size, or for a law of anything, whatever is chosen.
export function ofTable(table, told, state) {
  const known = table.columns.map((c) => c.quantity).filter(Boolean);
  laws(told.laws, new Set(known), state.law);
  says(told, state);
  const free = freeSymbol(told, state.law);
  const choices = free ? known.filter((name) => name !== output(told, state.law)) : SIZES.filter((name) => known.includes(name));
  if (free && !choices.includes(state.size)) state.size = ["flops", "tokens", ...SIZES].find((name) => choices.includes(name)) ?? "";
  const meaning = (name) => told.quantities.find((q) => q.name === name)?.meaning ?? "";
  $("size").labels[0].textContent = free ? `Take as ${free}` : "Count as N";
  put("size", !free && option("", "as the law says", state.size), choices.map((name) => option(name, name, state.size)));
  $("size").disabled = state.law === "auto" || !boundSymbol(told, state.law);
  put("size-says", state.size ? meaning(state.size) : "");
}

function says(told, state) {
  const law = told.laws.find((l) => l.name === state.law);
  put("law-says", law ? law.summary : "Hides the larger runs at several cuts, and weighs laws by what they made of them. Takes longer.");
}

const inputs = (told, name) => told.laws.find((law) => law.name === name)?.inputs ?? [];
const output = (told, name) => told.laws.find((law) => law.name === name)?.output;

// The letter of an input that is no quantity of its own.
function freeSymbol(told, name) {
  const of = inputs(told, name);
  return of.length === 1 && of[0].quantity === ANYTHING ? of[0].symbol : "";
}

// The letter that the choice of a column is about: the law's model size, or its only input.
export function boundSymbol(told, name) {
  return freeSymbol(told, name) || (inputs(told, name).find((i) => SIZES.includes(i.quantity))?.symbol ?? "");
}

export function tables(known, table, chosen) {
  const listed = known.some((t) => t.id === table.id) || table.id === "ladder" ? known : [{ id: table.id, name: table.name }, ...known];
  put("table", option("ladder", "the embedded ladder", chosen), listed.map((t) => option(t.id, t.name, chosen)));
  delete document.body.dataset.gone;
}

export function missing(id) {
  put("table", option(id, "a table that is gone", id), option("ladder", "the embedded ladder", id));
  document.body.dataset.gone = id;
}

export function wire(_, on) {
  const state = () => on.get();
  const set = (id, name, then) => $(id).addEventListener("change", (e) => { state()[name] = e.target.value.trim(); then(); });
  $("law").addEventListener("change", (e) => { const now = state(); now.law = e.target.value; now.size = ""; on.refit(); });
  set("objective", "objective", on.refit);
  set("size", "size", on.refit);
  $("level").addEventListener("change", (e) => { state().level = Number(e.target.value); on.redraw(); });
  for (const id of ["unique", "served", "accelerator", "count", "price"]) set(id, id, on.further);
}

export function budget(span, flops) {
  range = { low: Math.min(span.low, flops), high: Math.max(span.high * 1e4, flops) };
  $("budget").value = String(Math.round((STEPS * Math.log(flops / range.low)) / Math.log(range.high / range.low)));
  typed(flops);
}

export const flopsAt = (step) => Number((range.low * (range.high / range.low) ** (step / STEPS)).toPrecision(4));

export function typed(flops) {
  $("flops").value = plain(flops);
  $("budget").setAttribute("aria-valuetext", `${short(flops)} FLOP`);
}

export function view(name) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const chosen = tab.dataset.view === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen) $("chart").setAttribute("aria-labelledby", tab.id);
  }
}

export function overlays(state, told, remove) {
  const title = (key) => told.published.find((p) => p.key === key)?.title ?? key;
  put("overlays", state.over.map((key) => h("li", {}, h("button", { type: "button", title: title(key), "aria-label": `Take ${key} away`, onclick: () => { remove(key); overlays(state, told, remove); } }, `${key} ×`))));
}

export function kept(state, forget) {
  put("kept", state.beside && [`Beside: ${state.beside.law}, ${state.beside.objective}${state.beside.exclude?.length ? `, without ${state.beside.exclude.length} runs` : ""}. `, h("button", { type: "button", onclick: forget }, "Take it away")]);
}

const option = (value, words, chosen) => h("option", { value, selected: value === chosen }, words);
