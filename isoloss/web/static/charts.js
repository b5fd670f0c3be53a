// The pictures, drawn by Plotly in the page's own colours.

import { $, h, put } from "./dom.js";
import { known, short } from "./numbers.js";
import { logGrid, partner } from "./plan.js";

const BUDGETS = 41;
const CONTOURS = 9;
const CONFIG = { responsive: true, displaylogo: false, displayModeBar: false, doubleClick: "reset" };
const DASHES = ["dot", "dash", "dashdot", "longdash"];

let ink = {};

export function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "faint", "grid", "law", "law-band", "run", "held", "best", "left", "beside", "card"]) {
    ink[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

const axis = (title, more = {}) => ({
  title: { text: title, standoff: 8 }, type: "log", gridcolor: ink.grid, zeroline: false, linecolor: ink.grid, ticks: "outside",
  tickcolor: ink.grid, ...more,
});

function layout(x, y, more = {}) {
  return {
    xaxis: x, yaxis: y, showlegend: false, margin: { l: 58, r: 14, t: 10, b: 48 }, paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink.ink, size: 12.5, family: "system-ui, DejaVu Sans, sans-serif" },
    hoverlabel: { font: { size: 12.5 } }, dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    hovermode: "closest", ...more,
  };
}

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const raised = (power) => String(power).replace("-", "⁻").replace(/\d/g, (d) => RAISED[d]);

// Whole powers of ten in plain text: Plotly's own would need inline styles, which the page's policy forbids.
function powers(low, high) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  if (!(last - first < 40)) return {};
  const step = Math.ceil((last - first + 1) / 9);
  const ticks = Array.from({ length: Math.max(0, Math.floor((last - first) / step) + 1) }, (_, i) => first + i * step);
  return { tickvals: ticks.map((p) => 10 ** p), ticktext: ticks.map((p) => `10${raised(p)}`) };
}

// A log axis over so narrow a range that powers of ten are too far apart gets ticks of its own.
function narrow(values) {
  const seen = values.filter((v) => v > 0 && Number.isFinite(v));
  const [low, high] = [Math.min(...seen), Math.max(...seen)];
  if (!(high / low < 40)) return powers(low / 3, high * 3);
  const steps = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];
  let ticks = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.log10(high); p++) ticks.push(...steps.map((s) => s * 10 ** p));
  ticks = ticks.filter((t) => t >= low * 0.9 && t <= high * 1.1);
  if (ticks.length > 9) ticks = ticks.filter((t) => [1, 1.5, 2, 3, 4, 6].includes(Number((t / 10 ** Math.floor(Math.log10(t) + 1e-9)).toPrecision(3))));
  return ticks.length > 1 ? { tickvals: ticks, ticktext: ticks.map((t) => String(Number(t.toPrecision(3)))) } : {};
}

const MARKS = {
  fitted: { color: "run", symbol: "circle", size: 7, name: "runs fitted" },
  "held out": { color: "held", symbol: "star", size: 11, name: "held-out runs" },
  excluded: { color: "left", symbol: "x-thin-open", size: 9, name: "left out by you" },
};

function runs(points, xName, yName) {
  return Object.entries(MARKS).flatMap(([use, mark]) => {
    const rows = points.use.flatMap((u, i) => (u === use ? [i] : []));
    if (!rows.length) return [];
    const column = (name) => rows.map((i) => points.columns[name]?.[i] ?? null);
    return [{
      type: "scatter", mode: "markers", name: mark.name, x: column(xName), y: column(yName), customdata: rows,
      text: rows.map((i) => hover(points, i)), hoverinfo: "text",
      marker: { color: ink[mark.color], symbol: mark.symbol, size: mark.size, opacity: use === "fitted" ? 0.75 : 1, line: { width: 2, color: ink[mark.color] } },
    }];
  });
}

function hover(points, i) {
  const told = Object.entries(points.columns).map(([name, values]) => `${name.replace("_counted", " (6ND)")}: ${short(values[i], 4)}`);
  return [escaped(points.names[i]), ...told].join("<br>");
}

const escaped = (text) => String(text).replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);

function line(name, x, y, colour, dash = "solid", width = 2.5) {
  return { type: "scatter", mode: "lines", name, x, y, line: { color: colour, width, dash }, hoverinfo: "skip" };
}

function band(name, x, low, high, colour) {
  if (!low.some(Number.isFinite)) return [];
  return [{
    type: "scatter", mode: "lines", name, x: [...x, ...[...x].reverse()], y: [...high, ...[...low].reverse()], fill: "toself",
    fillcolor: colour, line: { width: 0 }, hoverinfo: "skip",
  }];
}

function bars(name, x, y, colour, errors = {}, symbol = "diamond") {
  return { type: "scatter", mode: "markers", name, x: [x], y: [y], marker: { color: colour, size: 12, symbol, line: { color: ink.card, width: 1.5 } }, hoverinfo: "skip", ...errors };
}

const whisker = (e, colour) => (known(e) ? { type: "data", symmetric: false, array: [e.high - e.mid], arrayminus: [e.mid - e.low], color: colour, thickness: 2.5, width: 7 } : undefined);

// Budgets that a picture spans, and where the fitted data end.
export function spans(points, flops) {
  const counted = points.columns.flops_counted ?? [];
  const seen = counted.filter((v, i) => v > 0 && points.use[i] !== "excluded");
  const fitted = counted.filter((v, i) => v > 0 && points.use[i] === "fitted");
  const [low, high, most] = [Math.min(...seen), Math.max(...fitted), Math.max(...seen)];
  return { low, high, most, budgets: logGrid(low, Math.max(most * 30, flops * 3), BUDGETS) };
}

// What does not move with the budget: runs, frontier, overlays. `parts` come from main.
export function still(view, parts) {
  const { points, output } = parts;
  if (view === "loss") {
    return [
      ...band(`${parts.percent} interval of one run`, parts.front.budgets, parts.front.low, parts.front.high, ink["law-band"]),
      ...split(parts.front.budgets, parts.front.mid, parts.edge, ink.law),
      ...parts.others.map((o, i) => line(o.name, o.front.budgets, o.front.mid, o.beside ? ink.beside : ink.faint, o.beside ? "solid" : DASHES[i % 4], 2)),
      ...runs(points, "flops_counted", output.quantity),
    ];
  }
  if (view === "size") {
    return [
      ...(parts.sizeBand ? band(`${parts.percent} interval of the best size`, parts.sizeBand.budgets, parts.sizeBand.low, parts.sizeBand.high, ink["law-band"]) : []),
      ...split(parts.front.budgets, parts.front.sizes, parts.edge, ink.law),
      ...parts.others.map((o, i) => line(o.name, o.front.budgets, o.front.sizes, o.beside ? ink.beside : ink.faint, o.beside ? "solid" : DASHES[i % 4], 2)),
      ...runs(points, "flops_counted", parts.sizeName),
    ];
  }
  return [
    ...contours(parts),
    ...split(parts.front.sizes, parts.front.budgets.map((c, i) => partner(c, parts.front.sizes[i])), null, ink.law),
    ...parts.others.map((o, i) => line(o.name, o.front.sizes, o.front.budgets.map((c, j) => partner(c, o.front.sizes[j])), o.beside ? ink.beside : ink.faint, o.beside ? "solid" : DASHES[i % 4], 2)),
    ...runs(points, parts.sizeName, "tokens"),
  ];
}

function split(x, y, edge, colour) {
  const name = "the law's best for each budget";
  if (!edge) return [line(name, x, y, colour)];
  const at = x.findIndex((v) => v > edge);
  if (at < 1) return [line(name, x, y, colour)];
  return [line(name, x.slice(0, at), y.slice(0, at), colour), line("the same, beyond the data", x.slice(at - 1), y.slice(at - 1), colour, "dash")];
}

function contours({ model, points, sizeName, front, output }) {
  const span = (values) => {
    const seen = values.filter((v) => v > 0 && Number.isFinite(v));
    return [Math.min(...seen) / 2, Math.max(...seen) * 2];
  };
  const tokens = front.budgets.map((c, i) => partner(c, front.sizes[i]));
  const x = logGrid(...span([...points.columns[sizeName], ...front.sizes]), 48);
  const y = logGrid(...span([...points.columns.tokens, ...tokens]), 48);
  const z = y.map((d) => x.map((n) => model.at(0, n, d)));
  const levels = z.flat().filter(Number.isFinite).sort((a, b) => a - b);
  const [low, high] = [levels[Math.floor(levels.length * 0.01)], levels[Math.floor(levels.length * 0.97)]];
  return [{
    type: "contour", x, y, z, name: `${output.quantity} of the law`, showscale: false, hoverinfo: "skip", line: { width: 1, color: ink.faint },
    contours: { coloring: "lines", showlabels: true, start: low, end: high, size: (high - low) / CONTOURS, labelfont: { size: 10.5, color: ink.faint } },
    colorscale: [[0, ink.faint], [1, ink.faint]],
  }];
}

// What moves with the budget: the marker of the plan.
export function moving(view, parts, now) {
  const { size, tokens, loss, flops } = now;
  const name = `the plan for ${short(flops)} FLOP`;
  if (view === "loss") return [bars(name, flops, loss.mid, ink.best, { error_y: whisker(loss, ink.best) })];
  if (view === "size") return [bars(name, flops, size.mid, ink.best, { error_y: whisker(size, ink.best) })];
  const [low, high] = [Math.min(...parts.front.sizes.filter(Number.isFinite)) / 30, Math.max(...parts.front.sizes.filter(Number.isFinite)) * 30];
  const cost = line(`6 N D = ${short(flops)} FLOP`, [low, high], [partner(flops, low), partner(flops, high)], ink.best, "dot", 1.5);
  const sure = known(size) ? [line(`${parts.percent} interval of the best`, [size.low, size.high], [partner(flops, size.low), partner(flops, size.high)], ink.best, "solid", 5)] : [];
  return [cost, ...sure, bars(name, size.mid, tokens.mid, ink.best)];
}

const TITLES = (parts) => ({
  loss: ["training compute C = 6 N D (FLOP)", `${parts.output.quantity} (${parts.output.unit})`],
  size: ["training compute C = 6 N D (FLOP)", `model size N (${parts.sizeName})`],
  map: [`model size N (${parts.sizeName})`, "training tokens D"],
});

export function main(view, parts, fixedTraces, now) {
  const [x, y] = TITLES(parts)[view];
  const losses = view === "loss" ? [...parts.points.columns[parts.output.quantity], ...parts.front.mid, ...parts.front.low] : [];
  const ranges = view === "map" ? mapRanges(parts) : [{}, {}];
  const shapes = view === "map" || !Number.isFinite(parts.edge) ? [] : [{ type: "line", x0: parts.edge, x1: parts.edge, y0: 0, y1: 1, yref: "paper", line: { color: ink.faint, width: 1, dash: "dot" } }];
  const notes = shapes.length ? [{ x: Math.log10(parts.edge), xanchor: "left", y: 1, yref: "paper", yanchor: "top", text: " beyond the runs", showarrow: false, font: { color: ink.faint, size: 11.5 } }] : [];
  const traces = [...fixedTraces, ...moving(view, parts, now)];
  const across = view === "map" ? {} : powers(parts.front.budgets[0] / 2, Math.max(parts.front.budgets.at(-1), now.flops) * 2);
  const up = view === "size" ? powers(...reach([...parts.front.sizes, ...(parts.points.columns[parts.sizeName] ?? []), now.size.low, now.size.high])) : narrow(losses);
  return draw("chart", traces, layout(axis(x, { ...across, ...ranges[0] }), axis(y, { ...up, ...ranges[1] }), { shapes, annotations: notes, uirevision: view }));
}

function reach(values) {
  const seen = values.filter((v) => v > 0 && Number.isFinite(v));
  return [Math.min(...seen) / 1.6, Math.max(...seen) * 1.6];
}

function mapRanges(parts) {
  const span = (values) => {
    const [low, high] = reach(values);
    return { range: [Math.log10(low), Math.log10(high)], ...powers(low, high) };
  };
  const { front, points, sizeName } = parts;
  return [span([...points.columns[sizeName], ...front.sizes]), span([...points.columns.tokens, ...front.budgets.map((c, i) => partner(c, front.sizes[i]))])];
}

export function drawSlice(parts, now, curve, others) {
  const near = parts.points.columns.flops_counted.map((c, i) => (c && Math.abs(Math.log(c / now.flops)) < Math.log(1.6) ? i : -1)).filter((i) => i >= 0);
  const kept = { ...parts.points, use: parts.points.use.map((u, i) => (near.includes(i) ? u : "")) };
  const traces = [
    ...band(`${parts.percent} band of the curve, all draws`, curve.sizes, curve.low, curve.high, ink["law-band"]),
    line("the law at this budget", curve.sizes, curve.mid, ink.law),
    ...others.map((o, i) => line(o.name, o.sizes, o.mid, o.beside ? ink.beside : ink.faint, o.beside ? "solid" : DASHES[i % 4], 2)),
    ...runs(kept, parts.sizeName, parts.output.quantity),
    bars("the best size", now.size.mid, curve.mid[Math.floor(curve.mid.length / 2)], ink.best, { error_x: whisker(now.size, ink.best) }),
  ];
  const seen = [...curve.mid, ...curve.low, ...curve.high].filter((v) => v > 0 && Number.isFinite(v));
  const least = Math.min(...curve.low.filter(Number.isFinite), ...curve.mid);
  const top = Math.min(Math.max(...seen), least * 2.2);
  const y = axis(`${parts.output.quantity}`, { ...narrow([least, top]), range: [Math.log10(least * 0.98), Math.log10(top * 1.02)] });
  const x = axis(`model size N (${parts.sizeName})`, { ...powers(curve.sizes[0], curve.sizes.at(-1)), range: [Math.log10(curve.sizes[0]), Math.log10(curve.sizes.at(-1))] });
  return draw("slice", traces, layout(x, y, { margin: { l: 58, r: 14, t: 8, b: 46 } }));
}

// A law of one input: the runs and the curve.
export function alone(model, points, level, estimateAt) {
  const input = model.view.law.inputs[0];
  const seen = points.columns[input.quantity].filter((v) => v > 0);
  const x = logGrid(Math.min(...seen), Math.max(...seen) * 30, 60);
  const told = x.map((v) => estimateAt(v));
  const traces = [
    ...band(`${Math.round(100 * level)}% interval of the curve`, x, told.map((e) => e.low), told.map((e) => e.high), ink["law-band"]),
    ...split(x, told.map((e) => e.mid), Math.max(...seen), ink.law),
    ...runs(points, input.quantity, model.output.quantity),
  ];
  const y = [...told.map((e) => e.mid), ...points.columns[model.output.quantity]];
  legend(traces);
  return draw("chart", traces, layout(axis(`${input.quantity} (${input.unit})`, powers(x[0] / 2, x.at(-1) * 2)), axis(`${model.output.quantity} (${model.output.unit})`, narrow(y)), { uirevision: "alone" }));
}

function draw(id, traces, arranged) {
  return globalThis.Plotly.react($(id), traces, arranged, CONFIG);
}

const PATHS = { circle: "M14 3a4 4 0 1 0 .01 0Z", star: "M14 1.5l1.6 3.8 4.1.3-3.1 2.7 1 4-3.6-2.2-3.6 2.2 1-4-3.1-2.7 4.1-.3Z", diamond: "M14 2l5 5-5 5-5-5Z", "x-thin-open": "M10 3l8 8M18 3l-8 8" };

export function legend(traces) {
  const shown = new Map();
  for (const trace of traces) if (trace.name && !shown.has(trace.name)) shown.set(trace.name, trace);
  put("legend", [...shown.values()].map((trace) => h("li", {}, swatch(trace), trace.name)));
}

function swatch(trace) {
  const make = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const svg = make("svg", { width: 28, height: 14, "aria-hidden": "true" });
  if (trace.fill) svg.append(make("path", { d: "M2 2h24v10H2Z", fill: trace.fillcolor }));
  else if (trace.mode !== "markers") {
    const dash = trace.line.dash && trace.line.dash !== "solid" ? "5 4" : "none";
    svg.append(make("path", { d: "M1 7h26", stroke: trace.line.color, "stroke-width": 2.5, "stroke-dasharray": dash, fill: "none" }));
  } else {
    const open = trace.marker.symbol.endsWith("open");
    svg.append(make("path", { d: PATHS[trace.marker.symbol] ?? PATHS.circle, fill: open ? "none" : trace.marker.color, stroke: open ? trace.marker.color : "none", "stroke-width": 2 }));
  }
  return svg;
}

export async function picture(format) {
  const wide = { width: 1100, height: 700, format };
  const url = await globalThis.Plotly.toImage($("chart"), format === "png" ? { ...wide, scale: 2 } : wide);
  return url;
}

