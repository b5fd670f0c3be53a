// The table of runs: what each column was taken for, which can be mended, and every row, which can be left out.

import { h, put } from "./dom.js";
import { plain, short } from "./numbers.js";

const ROWS = 100;

// `mend(column, choice)` says what is to become of a column; null takes the correction back.
export function columns(table, choices, quantities, mend) {
  const head = ["column in the file", "read as", "times", "range", "missing", "because"];
  const rows = table.columns.map((column) => {
    const chosen = column.dropped ? "drop" : column.quantity || "label";
    const select = h("select", { "aria-label": `What ${column.name} is`, onchange: (e) => mend(column.name, choice(e.target.value, choices[column.name]), e.target) },
      option("label", "a label", chosen), option("drop", "(leave out)", chosen), quantities.map((q) => option(q.name, q.name, chosen)));
    const times = h("input", { type: "text", value: plain(column.times), "aria-label": `What ${column.name} is multiplied by`, disabled: !column.quantity, onchange: (e) => {
      const value = Number(e.target.value);
      if (value > 0) mend(column.name, { ...choices[column.name], quantity: column.quantity, times: value }, e.target);
      else e.target.value = plain(column.times);
    } });
    const back = choices[column.name] && h("button", { type: "button", onclick: () => mend(column.name, null) }, "undo");
    const range = column.low === null ? "" : `${short(column.low)} to ${short(column.high)} ${column.unit === "1" ? "" : column.unit}`;
    return h("tr", {}, h("th", { scope: "row" }, column.name), h("td", { className: "words" }, select), h("td", {}, times), h("td", {}, range),
      h("td", {}, String(column.missing || "")), h("td", { className: "words" }, column.meaning ? `${column.how}: ${column.meaning}` : column.how, " ", back));
  });
  const known = table.columns.filter((c) => c.quantity).length;
  put("columns",
    h("p", {}, `${table.name}: ${table.rows} runs; ${known} of ${table.columns.length} columns are understood as quantities.`),
    h("details", { open: Boolean(table.error) || Object.keys(choices).length > 0, id: "mend" }, h("summary", {}, "How each column was understood"),
      h("div", { className: "scroll tall", tabindex: "0", role: "region", "aria-label": "Columns" },
        h("table", {}, h("thead", {}, h("tr", {}, head.map((t, i) => h("th", { scope: "col", className: i === 1 || i === 5 ? "words" : null }, t)))), h("tbody", {}, rows))),
      table.notes.length > 0 && h("ul", { className: "plain hint" }, table.notes.map((n) => h("li", {}, n)))));
}

function choice(value, before) {
  if (value === "drop") return { drop: true };
  if (value === "label") return { label: true };
  return before?.times ? { quantity: value, times: before.times } : { quantity: value };
}

const option = (value, words, chosen) => h("option", { value, selected: value === chosen }, words);

// `toggle(row)` leaves a row out or takes it back.
export function rows(table, excluded, toggle, shown = ROWS) {
  const left = new Set(excluded);
  const held = new Set(table.held_out);
  const first = ["params", "body_params", "matmul_params", "tokens", "flops", "loss"];
  const order = [...table.columns].filter((c) => !c.dropped).sort((a, b) => rank(first, a) - rank(first, b));
  const count = Math.min(Math.max(shown, ...excluded.map((row) => row + 1)), table.rows);
  const body = Array.from({ length: count }, (_, i) => {
    const use = h("input", { type: "checkbox", checked: !left.has(i), disabled: held.has(i), "aria-label": `Fit row ${i + 1}`, onchange: () => toggle(i) });
    return h("tr", { className: left.has(i) ? "excluded" : held.has(i) ? "held" : null }, h("td", {}, use), h("th", { scope: "row" }, String(i + 1)),
      h("td", {}, held.has(i) ? "held out" : left.has(i) ? "left out" : "fitted"), order.map((c) => h("td", {}, cell(c.cells[i]))));
  });
  const more = count < table.rows && h("button", { type: "button", onclick: () => rows(table, excluded, toggle, shown * 4) }, `Show more of ${table.rows} rows`);
  put("rows", h("details", { id: "runs", open: left.size > 0 }, h("summary", {}, "Every run"),
    h("div", { className: "scroll tall", tabindex: "0", role: "region", "aria-label": "Runs" },
      h("table", {}, h("thead", {}, h("tr", {}, ["fit", "row", "use", ...order.map((c) => c.name)].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, body))), more));
}

const rank = (first, column) => (first.includes(column.quantity) ? first.indexOf(column.quantity) : 99);

function cell(text) {
  const number = Number(text);
  return text !== null && text !== "" && Number.isFinite(number) && Math.abs(number) >= 1e4 ? short(number, 4) : (text ?? "").slice(0, 24);
}
