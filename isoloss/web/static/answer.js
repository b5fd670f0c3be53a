// What stands first on the page: the answer in large, what speaks against it, what moved.

import { $, h, put } from "./dom.js";
import { interval, middle, short, signed } from "./numbers.js";

export function tiles(now, model, percent) {
  const words = (e, unit) => [h("span", { className: "mid" }, middle(e), unit && h("small", {}, ` ${unit}`))];
  const tile = (title, e, unit) =>
    h("dl", { className: "tile" }, h("dt", {}, title), h("dd", {}, words(e, unit)), h("dd", { className: "range" }, interval(e) ? `${percent}: ${interval(e)}` : "no interval is known"));
  put("tiles",
    tile("model size N", now.size, "parameters"), tile("training tokens D", now.tokens, "tokens"),
    tile(model.view.scatter ? `${model.output.meaning} of one run` : model.output.meaning, now.loss, model.output.unit),
    tile("tokens per parameter", now.ratio, ""));
}

export function headline(now, model, edge) {
  if (!Number.isFinite(now.size.mid)) {
    $("headline").textContent = `This fit has no best size for ${short(now.flops)} FLOP`;
    $("standing").textContent = "Along 6 N D = C its loss has no lowest point. Look at its findings.";
    return;
  }
  $("headline").textContent =
    `For ${short(now.flops)} FLOP, train ${middle(now.size)} parameters on ${middle(now.tokens)} tokens, and expect a ${model.output.quantity.replaceAll("_", " ")} of ${middle(now.loss)}`;
  const beyond = now.flops / edge;
  const reach = beyond > 1 ? `This budget is ${short(beyond, 2)} times beyond them.` : "This budget lies within them.";
  $("standing").classList.toggle("far", beyond > 10);
  const lost = now.lost ? ` ${now.lost} of ${model.draws} draws have no best size and are left out of the intervals.` : "";
  $("standing").textContent = `The law '${model.view.law.name}' fitted to ${model.view.n} runs, the largest of ${short(edge)} FLOP (6 N D). ${reach}${lost}`;
}

export function findings(list, target = "findings") {
  const words = { red: "Red", amber: "Amber", note: "Note" };
  const shown = list.map((f) =>
    h("div", { className: `finding ${f.severity}` }, h("b", {}, `${words[f.severity]} ${f.code}`), ` ${f.sentence}`, f.fix && h("p", { className: "fix" }, f.fix)));
  put(target, shown.length ? shown : h("p", { className: "hint" }, "Nothing was found that speaks against this fit."));
}

// Two answers and their parameters side by side.
export function moved(before, after, titles, percent) {
  const row = (name, was, is) => {
    const change = signed(is.mid / was.mid - 1);
    return h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, middle(was)), h("td", {}, interval(was)), h("td", {}, middle(is)), h("td", {}, interval(is)), h("td", {}, change));
  };
  const rows = [
    row("best size N", before.now.size, after.now.size), row("tokens D", before.now.tokens, after.now.tokens),
    row("loss there", before.now.loss, after.now.loss), row("exponent of N in C", before.exponent, after.exponent),
  ];
  for (const [name, is] of Object.entries(after.parameters)) if (before.parameters[name]) rows.push(row(name, before.parameters[name], is));
  const head = ["", titles[0], percent, titles[1], percent, "change"];
  put("moved-body", h("div", { className: "scroll", tabindex: "0", role: "region", "aria-label": "What moved" },
    h("table", {}, h("caption", {}, `At ${short(after.now.flops)} FLOP, with ${percent} intervals`), h("thead", {}, h("tr", {}, head.map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, rows))));
  $("moved").hidden = false;
}

// Any plan of the planner: its options and what they rest on.
export function planCard(plan) {
  const hidden = new Set(["label"]);
  const names = [...new Set(plan.options.flatMap(Object.keys))].filter((name) => !hidden.has(name));
  const labelled = plan.options.length > 1 || plan.options.some((o) => o.label);
  const head = h("tr", {}, h("th", { scope: "col" }, ""), plan.options.map((o, i) => h("th", { scope: "col" }, o.label ?? (labelled ? `option ${i + 1}` : "estimate"))));
  const cell = (e) => (e ? [middle(e), interval(e) && h("span", { className: "range" }, ` (${interval(e)})`)] : "–");
  const body = names.map((name) => h("tr", {}, h("th", { scope: "row" }, name.replaceAll("_", " ")), plan.options.map((o) => h("td", {}, cell(nanned(o[name]))))));
  return h("div", {}, h("h3", {}, plan.goal),
    h("div", { className: "scroll", tabindex: "0", role: "region", "aria-label": plan.goal }, h("table", {}, h("thead", {}, head), h("tbody", {}, body))),
    h("details", {}, h("summary", {}, "What this rests on"), h("ul", { className: "plain" }, plan.assumptions.map((a) => h("li", {}, a)), plan.findings.map((f) => h("li", {}, `${f.severity} ${f.code}: ${f.sentence}`)))));
}

const nanned = (e) => e && { mid: e.mid ?? NaN, low: e.low ?? NaN, high: e.high ?? NaN };

export function trouble(error, close) {
  const line = [error.exists, error.do].filter(Boolean).map((words) => h("p", {}, words));
  return h("div", { className: `alert${close ? "" : " inside"}` }, close && h("button", { type: "button", onclick: close }, "Close"), h("b", {}, error.given ?? String(error.message)), line);
}
