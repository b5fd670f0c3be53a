// The page as a table of contents: state in the address, a fit from the server, everything else computed here.

import * as answer from "./answer.js";
import * as api from "./api.js";
import * as charts from "./charts.js";
import * as controls from "./controls.js";
import * as data from "./data.js";
import { $, h, math, put, save, saveFrom } from "./dom.js";
import { load } from "./law.js";
import { interval, middle, parse, plain, short } from "./numbers.js";
import * as plan from "./plan.js";
import * as address from "./state.js";

let state = address.initial();
let told = null; // what the server said at the start
let table = null; // the table as it is understood
let fit = null; // {view, model, parameters}: the fit that is shown
let before = null; // the fit that it is compared with
let overlays = new Map();
let parts = null; // what pictures are drawn from
let traces = [];
let working = null; // AbortController of the fit in progress
let asking = null; // of questions to the planner
let plans = [];
let drawn = 0; // counts redrawings, so that late ones are dropped

const percent = () => `${Math.round(100 * state.level)}%`;

start();

async function start() {
  charts.readColours();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { charts.readColours(); redraw(); });
  try {
    told = await api.hello();
  } catch (error) {
    alarm(error);
    return;
  }
  state = address.read(location.hash);
  controls.fill(told, state);
  wire();
  await open();
}

// --- from the address to a view

async function open() {
  $("alert").replaceChildren();
  try {
    table = await api.table(state.table, state.columns);
  } catch (error) {
    const gone = state.table;
    alarm(error);
    if (error.status !== 404 && error.status !== 422) return;
    clear("The table of this link is not here", "It was uploaded to a session that has ended, or to another's. Open the file again, and the view returns; or choose the embedded ladder above.");
    controls.missing(gone);
    return;
  }
  controls.tables(told.tables, table, state.table);
  showData();
  if (table.error) {
    const opened = $("mend");
    alarm(table.error);
    clear("This table needs a word from you", "The columns below are as they were understood. Mend them, and the fit follows.");
    opened.open = true;
    return;
  }
  await refit();
}

async function refit() {
  working?.abort();
  const mine = (working = new AbortController());
  busy("Fitting …");
  try {
    controls.ofTable(table, told, state);
    changed();
    const wanted = address.request(state, controls.boundSymbol(told, state.law));
    const reference = compared(wanted);
    const [made, other] = await Promise.all([ready(wanted, mine.signal), reference ? ready(reference.request, mine.signal) : null]);
    if (mine !== working) return;
    [fit, before] = [made, other && { ...other, title: reference.title }];
    await Promise.all(state.over.map(overlay));
    idle();
    showFit();
  } catch (error) {
    if (mine !== working) return;
    idle();
    if (error.name === "AbortError") {
      say("Stopped.");
      clear("The fit was stopped", "Choose a law or an objective, and it begins anew.");
    } else {
      alarm(error);
      clear("There is no such fit", "The reply above says why. Choose another law, another count or other runs.");
    }
  }
}

// Nothing of another view stays: numbers that do not belong to what is chosen would be believed.
function clear(headline, standing) {
  [fit, before, parts] = [null, null, null];
  asking?.abort();
  $("headline").textContent = headline;
  $("standing").textContent = standing;
  $("standing").classList.remove("far");
  document.body.dataset.empty = "yes";
}

// What a fit is compared with: the one that was kept, or the same without anything left out.
function compared(wanted) {
  if (state.beside) return { request: { ...wanted, exclude: [], inputs: {}, ...state.beside, table: state.table, columns: state.columns }, title: "kept" };
  if (state.exclude.length) return { request: { ...wanted, exclude: [] }, title: "all runs" };
  return null;
}

async function ready(request, signal) {
  const job = await api.fit(request, progress, signal);
  const model = await load(job.result);
  const parameters = Object.fromEntries(job.result.law.names.map((name, j) => [name, plan.estimate(model.sets[0][j], model.sets.slice(1).map((s) => s[j]), state.level)]));
  return { view: job.result, model, parameters };
}

async function overlay(key) {
  if (overlays.has(key)) return;
  try {
    overlays.set(key, await load(await api.published(key)));
  } catch (error) {
    state.over = state.over.filter((other) => other !== key);
    alarm(error);
  }
}

// --- from a fit to the page

function showFit() {
  delete document.body.dataset.empty;
  answer.findings(fit.view.findings);
  showLaw();
  put("assumptions", fit.view.assumptions.map((a) => h("li", {}, a)));
  controls.overlays(state, told, (key) => { state.over = state.over.filter((o) => o !== key); changed(); redraw(); });
  controls.kept(state, () => { state.beside = null; changed(); refit(); });
  if (!fit.model.plans) {
    showAlone();
    return;
  }
  for (const id of ["tiles", "slice"]) $(id).hidden = false;
  document.querySelector(".tabs").hidden = false;
  $("budget").disabled = $("flops").disabled = false;
  const span = charts.spans(fit.view.points, 0);
  if (!state.flops) state.flops = Number((10 * span.most).toPrecision(3));
  controls.budget(span, state.flops);
  redraw();
  further();
  say($("headline").textContent);
  document.body.dataset.ready = String(Number(document.body.dataset.ready ?? 0) + 1);
}

// A law that tells no best size: its curve, its parameters, its findings.
function showAlone() {
  const { model, view } = fit;
  $("headline").textContent = `The law '${view.law.name}' tells no best size for a budget`;
  $("standing").textContent = `${view.law.summary} It was fitted to ${view.n} runs; choose a law of size and data for a plan.`;
  for (const id of ["tiles", "moved", "further"]) $(id).hidden = true;
  document.querySelector(".tabs").hidden = true;
  $("budget").disabled = $("flops").disabled = true;
  put("slice-says", "A law of one resource has no other sizes to show.");
  globalThis.Plotly.purge($("slice"));
  if (view.law.inputs.length === 1) {
    charts.alone(model, view.points, state.level, (x) => plan.estimate(model.along(0, x), model.sets.slice(1).map((_, i) => model.along(i + 1, x)), state.level)).then(watchClicks);
  } else {
    globalThis.Plotly.purge($("chart"));
    put("legend", h("li", {}, `This law has ${view.law.inputs.length} inputs (${view.law.inputs.map((i) => i.quantity).join(", ")}); its parameters are below.`));
  }
  showRepeat();
  document.body.dataset.ready = String(Number(document.body.dataset.ready ?? 0) + 1);
}

// Everything that pictures need and the budget does not change.
function redraw() {
  if (!fit?.model.plans) return;
  const { model, view } = fit;
  const span = charts.spans(view.points, state.flops);
  const others = [
    ...(before?.model.plans ? [{ name: before.title === "kept" ? "the fit kept beside" : "with all runs", model: before.model, beside: true }] : []),
    ...state.over.filter((key) => overlays.has(key)).map((key) => ({ name: key, model: overlays.get(key) })),
  ].map((other) => ({ ...other, front: plan.frontier(other.model, span.budgets, state.level) }));
  parts = {
    model, points: view.points, output: model.output, sizeName: model.size.quantity, edge: span.high, percent: percent(), others,
    front: plan.frontier(model, span.budgets, state.level), sizeBand: null,
  };
  traces = charts.still(state.view, parts);
  controls.view(state.view);
  move();
  settle();
  if (state.view === "size") widen(span.budgets, ++drawn);
}

async function widen(budgets, number) {
  const few = budgets.filter((_, i) => i % 2 === 0);
  const found = await plan.sizeBand(fit.model, few, state.level, () => number === drawn);
  if (!found) return;
  parts.sizeBand = { budgets: few, ...found };
  traces = charts.still("size", parts);
  await charts.main("size", parts, traces, parts.now);
  charts.legend([...traces, ...charts.moving("size", parts, parts.now)]);
}

// What a drag of the budget does, from input to picture; nothing is asked of the server.
async function move(begun = performance.now()) {
  const { model } = fit;
  const now = plan.answer(model, state.flops, state.level);
  parts.now = now;
  answer.headline(now, model, parts.edge);
  answer.tiles(now, model, percent());
  if (!Number.isFinite(now.size.mid)) return;
  const curve = plan.slice(model, state.flops, now.size.mid, state.level);
  const others = parts.others.map((o) => ({ ...o, sizes: curve.sizes, mid: curve.sizes.map((n) => o.model.at(0, n, plan.partner(state.flops, n))) }));
  await Promise.all([charts.main(state.view, parts, traces, now), charts.drawSlice(parts, now, curve, others)]);
  performance.measure("redraw", { start: begun, end: performance.now() });
  watchClicks();
}

// What waits until the budget rests: the comparison, the code, the words for those who do not see the picture.
function settle() {
  const { now } = parts;
  charts.legend([...traces, ...charts.moving(state.view, parts, now)]);
  put("slice-says", `The band is that of the curve over ${fit.model.draws} draws; runs shown are within a factor of 1.6 of this budget.`);
  if (before?.model.plans) {
    const seen = (one) => ({ now: one === fit ? now : plan.answer(one.model, state.flops, state.level), exponent: plan.exponent(one.model, state.flops, state.level), parameters: one.parameters });
    answer.moved(seen(before), seen(fit), [before.title, before.title === "kept" ? "this fit" : `without ${state.exclude.length}`], percent());
  } else $("moved").hidden = true;
  showRepeat();
}

function showLaw() {
  const { view, parameters } = fit;
  put("formula", view.law.mathml ? math(view.law.mathml) : h("code", {}, view.law.name));
  const rows = Object.entries(parameters).slice(0, 40).map(([name, e]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, middle(e)), h("td", {}, interval(e))));
  put("parameters",
    h("p", {}, h("b", {}, `Status: ${view.status}`), `: ${view.status_meaning}. ${view.objective.name ? `Objective ${view.objective.name} = ${view.objective.value?.toPrecision(6)}.` : ""}`),
    h("div", { className: "scroll tall", tabindex: "0", role: "region", "aria-label": "Parameters" }, h("table", {}, h("caption", {}, `Parameters of '${view.law.name}', from ${fit.model.draws} draws`),
      h("thead", {}, h("tr", {}, ["parameter", "estimate", `${percent()} interval`].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, rows))));
}

async function showExplanation(signal) {
  const { now } = parts;
  const told = await api.explain(fit.view.id, Object.fromEntries(fit.view.law.inputs.map((i) => [i.quantity, plain(i.role === "size" ? now.size.mid : now.tokens.mid)])), signal);
  const bar = (share) => { const span = h("span", { className: "share-bar" }); span.style.width = `${Math.max(0, Math.min(1, share)) * 8}rem`; return span; };
  put("explained", h("h3", {}, "How the loss of the plan comes about"), h("pre", { tabindex: "0", role: "region", "aria-label": "The formula with its numbers" }, `${told.output} = ${told.numeric}\n${" ".repeat(told.output.length)} = ${told.value.toPrecision(6)} ${told.unit}`),
    h("table", {}, h("caption", {}, told.within ? `Terms of the bracket ${told.within}` : "Terms, and their shares"), h("tbody", {}, told.terms.slice(0, 12).map((t) =>
      h("tr", {}, h("th", { scope: "row" }, t.text), h("td", {}, t.value.toPrecision(5)), h("td", { className: "words" }, `${(100 * t.share).toFixed(1)}%`, bar(t.share)))))),
    h("p", { className: "hint" }, told.doublings.map((d) => `Twice the ${d.input}: ${d.value.toPrecision(5)} (${(100 * d.change).toFixed(2)}%).`).join(" ")));
}

function showRepeat() {
  const flops = plain(state.flops);
  $("python").textContent = fit.view.repeat.python.replaceAll("{flops}", flops);
  $("shell").textContent = fit.view.repeat.shell.replaceAll("{flops}", flops);
}

function showData() {
  data.columns(table, state.columns, told.quantities, mend);
  data.rows(table, state.exclude, toggle);
}

// --- questions that only the planner answers

async function further() {
  asking?.abort();
  const mine = (asking = new AbortController());
  const { now } = parts;
  const flops = plain(state.flops);
  const asked = [];
  if (state.unique) asked.push({ flops, unique_tokens: state.unique });
  if (state.served) asked.push({ loss: plain(fit.model.at(0, now.size.mid, now.tokens.mid)), served: state.served });
  if (state.accelerator) asked.push({ flops, accelerator: state.accelerator, ...(state.count && { count: state.count }), ...(state.price && { price: state.price }) });
  $("further").hidden = !asked.length;
  const answered = (question) => api.plan(fit.view.id, question, state.level, mine.signal).then((p) => { plans.push(p); return answer.planCard(p); }, (e) => { if (e.name === "AbortError") throw e; return answer.trouble(e); });
  plans = [];
  try {
    await showExplanation(mine.signal).catch((e) => { if (e.name === "AbortError") throw e; put("explained", answer.trouble(e)); });
    const cards = await Promise.all(asked.map(answered));
    if (mine === asking) put("plans", cards);
  } catch (error) {
    if (error.name !== "AbortError") alarm(error);
  }
}

// --- what visitors do

function wire() {
  addEventListener("hashchange", () => { if (location.hash !== address.write(state)) { state = address.read(location.hash); controls.fill(told, state); open(); } });
  controls.wire(state, { changed, refit: () => { changed(); refit(); }, redraw: () => { changed(); levelled(); }, further: () => { changed(); if (parts) further(); }, get: () => state });
  $("table").addEventListener("change", (e) => { state = { ...address.initial(), table: e.target.value, level: state.level, view: state.view }; changed(); controls.fill(told, state); open(); });
  $("open").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", (e) => { if (e.target.files[0]) take(e.target.files[0]); e.target.value = ""; });
  wireDrop();
  wireBudget();
  for (const tab of document.querySelectorAll("[role=tab]")) tab.addEventListener("click", () => { state.view = tab.dataset.view; changed(); redraw(); });
  document.querySelector("[role=tablist]").addEventListener("keydown", arrows);
  $("over").addEventListener("change", async (e) => { const key = e.target.value; e.target.value = ""; if (!key || state.over.includes(key)) return; await overlay(key); state.over = [...state.over, key]; changed(); controls.overlays(state, told, (k) => { state.over = state.over.filter((o) => o !== k); changed(); redraw(); controls.overlays(state, told, () => {}); }); redraw(); say(`${key} is drawn over the runs.`); });
  $("keep").addEventListener("click", () => { const { law, objective, inputs, exclude } = fit.view.request; state.beside = { law, objective, inputs, exclude }; changed(); refit(); });
  $("stop").addEventListener("click", () => working?.abort());
  $("copy").addEventListener("click", copy);
  $("controls").addEventListener("submit", (e) => e.preventDefault());
  wireExports();
}

function wireBudget() {
  const slide = (flops) => {
    if (!parts) return;
    const begun = performance.now();
    state.flops = flops;
    controls.typed(flops);
    move(begun);
  };
  const rest = debounced(() => { changed(); settle(); further(); say($("headline").textContent); });
  $("budget").addEventListener("input", (e) => slide(controls.flopsAt(Number(e.target.value))));
  $("budget").addEventListener("change", rest);
  $("flops").addEventListener("change", (e) => {
    const flops = parse(e.target.value);
    if (!(flops > 6) || !Number.isFinite(flops)) { alarm({ given: `'${e.target.value}' is no budget.`, exists: "Budgets may be written 1e18, 3e21, 500T.", do: "Give the budget in FLOP." }); controls.typed(state.flops); return; }
    state.flops = flops;
    if (fit?.model.plans) { controls.budget(charts.spans(fit.view.points, 0), flops); redraw(); rest(); }
  });
}

function wireDrop() {
  let depth = 0;
  addEventListener("dragenter", (e) => { if (e.dataTransfer?.types.includes("Files")) { depth++; $("drop").hidden = false; } });
  addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); if (!depth) $("drop").hidden = true; });
  addEventListener("dragover", (e) => e.preventDefault());
  addEventListener("drop", (e) => { e.preventDefault(); depth = 0; $("drop").hidden = true; if (e.dataTransfer.files[0]) take(e.dataTransfer.files[0]); });
}

async function take(file) {
  $("alert").replaceChildren();
  if (file.size > told.limits.upload) {
    alarm({ given: `${file.name} has ${(file.size / 2 ** 20).toFixed(1)} MB.`, exists: `At most ${told.limits.upload / 2 ** 20} MB are taken.`, do: "Keep one row for each run, and the columns that matter." });
    return;
  }
  busy(`Reading ${file.name} …`);
  try {
    const opened = await api.upload(file);
    told.tables = [{ id: opened.id, name: opened.name }, ...told.tables];
    const returns = document.body.dataset.gone && state;
    state = returns ? { ...state, table: opened.id } : { ...address.initial(), table: opened.id, level: state.level, view: state.view };
    delete document.body.dataset.gone;
    changed();
    controls.fill(told, state);
    idle();
    await open();
  } catch (error) {
    idle();
    alarm(error);
  }
}

async function mend(column, choice) {
  const columns = { ...state.columns };
  if (choice) columns[column] = choice;
  else delete columns[column];
  state.columns = columns;
  changed();
  await open();
  $("mend").open = true;
}

function toggle(row) {
  state.exclude = state.exclude.includes(row) ? state.exclude.filter((r) => r !== row) : [...state.exclude, row].sort((a, b) => a - b);
  changed();
  data.rows(table, state.exclude, toggle);
  refit();
}

function watchClicks() {
  const chart = $("chart");
  if (chart.dataset.watched || !chart.on) return;
  chart.dataset.watched = "yes";
  chart.on("plotly_click", (event) => {
    const row = event.points.map((p) => p.customdata).find(Number.isInteger);
    if (row !== undefined && !table.held_out.includes(row)) toggle(row);
  });
}

function arrows(event) {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
  next.focus();
  next.click();
}

function wireExports() {
  $("json").addEventListener("click", () => fit && saveFrom(`/api/fits/${fit.view.id}/fit.json`, "isoloss-fit.json"));
  $("plan-json").addEventListener("click", async () => {
    if (!fit) return;
    try {
      const asked = await api.plan(fit.view.id, { flops: plain(state.flops) }, state.level);
      save("isoloss-plan.json", JSON.stringify([asked, ...plans], null, 1), "application/json");
    } catch (error) { alarm(error); }
  });
  for (const format of ["svg", "png"]) $(format).addEventListener("click", async () => saveFrom(await charts.picture(format), `isoloss-${state.view}.${format}`));
  $("report").addEventListener("click", async () => {
    const mine = (working = new AbortController());
    busy("Writing the report …");
    try {
      const job = await api.report({ fit: fit.view.id, flops: plain(state.flops), level: state.level }, () => {}, mine.signal);
      saveFrom(`/api/reports/${job.id}/report.html`, "isoloss-report.html");
      say("The report was saved.");
    } catch (error) { if (error.name !== "AbortError") alarm(error); }
    idle();
  });
}

async function copy() {
  try {
    await navigator.clipboard.writeText(location.href);
    say(state.table === "ladder" ? "The link is copied." : "The link is copied. It opens the uploaded table in this browser, while its session lives.");
  } catch {
    alarm({ given: "The browser does not let the page copy.", do: `Copy the address by hand: ${location.href}` });
  }
}

// --- small things

function levelled() {
  for (const one of [fit, before]) if (one) one.parameters = Object.fromEntries(one.view.law.names.map((name, j) => [name, plan.estimate(one.model.sets[0][j], one.model.sets.slice(1).map((s) => s[j]), state.level)]));
  if (fit) showFit();
}

function changed() {
  history.replaceState(null, "", address.write(state));
}

function alarm(error) {
  put("alert", answer.trouble(error, () => $("alert").replaceChildren()));
}

function say(words) {
  $("status").textContent = words;
}

function busy(words) {
  $("doing").textContent = words;
  $("bar").removeAttribute("value");
  $("progress").hidden = false;
}

function idle() {
  $("progress").hidden = true;
}

function progress(job) {
  if (job.status === "waiting" && job.ahead) $("doing").textContent = `Waiting; ${job.ahead} before this …`;
  else if (job.total) { $("bar").max = job.total; $("bar").value = job.done; $("doing").textContent = `Fitting: ${job.done} of ${job.total} …`; }
}

function debounced(work, wait = 250) {
  let timer = 0;
  return () => { clearTimeout(timer); timer = setTimeout(work, wait); };
}

// For looking at what the page computed: what is shown, and the functions that made it.
globalThis.isoloss = { get state() { return state; }, get fit() { return fit; }, get now() { return parts?.now; }, plan, short };
