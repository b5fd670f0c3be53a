// Reads numbers as people write them and writes them as people read them, as isoloss does everywhere.

const SCALES = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
const PREFIX = { "": 1, k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12, p: 1e15 };

// "7.4B", "5.76e23".
export function short(value, digits = 3) {
  if (!Number.isFinite(value)) return Number.isNaN(value) || value == null ? "–" : value > 0 ? "∞" : "−∞";
  const rounded = Number(value.toExponential(digits - 1));
  const size = Math.abs(rounded);
  if (size >= 1e15 || (size > 0 && size < 1e-3)) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return `${trimmed(mantissa)}e${Number(exponent)}`;
  }
  for (const [scale, prefix] of SCALES) if (size >= scale) return digitsOf(rounded / scale, digits) + prefix;
  return digitsOf(rounded, digits);
}

function digitsOf(value, digits) {
  const places = value ? Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value)) + 1e-12)) : 0;
  return trimmed((value + 0).toFixed(Math.min(places, 20)));
}

const trimmed = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);

// As many places as a spread of that size deserves.
export function fixed(value, spread, digits = 2) {
  if (!Number.isFinite(value)) return "–";
  if (!(Number.isFinite(spread) && spread > 0)) return trimmed(value.toPrecision(4));
  if (Math.abs(value) >= 1e4 || spread >= 1e3) return short(value);
  return value.toFixed(Math.min(Math.max(0, digits - 1 - Math.floor(Math.log10(spread))), 10));
}

export const known = (e) => e != null && Number.isFinite(e.low) && Number.isFinite(e.high);
const exact = (e) => e.high - e.low <= 1e-9 * Math.abs(e.mid);

// The middle of an estimate, and its interval in words ("" where there is none).
export function middle(e) {
  if (!known(e) || exact(e)) return short(e.mid, 4);
  return Math.abs(e.mid) >= 1e3 ? short(e.mid) : fixed(e.mid, e.high - e.low);
}

export function interval(e) {
  if (!known(e) || exact(e)) return "";
  if (Math.abs(e.mid) >= 1e3) return `${short(e.low)} to ${short(e.high)}`;
  return `${fixed(e.low, e.high - e.low)} to ${fixed(e.high, e.high - e.low)}`;
}

// "7B", "1e21", "2,000,000"; NaN for anything else.
export function parse(text) {
  const match = /^\s*\$?\s*([+-]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([kmbgtp]?)\s*[a-z-]*\s*$/i.exec(String(text));
  return match ? Number(match[1].replace(/[,_]/g, "")) * PREFIX[match[2].toLowerCase()] : NaN;
}

// The fewest digits that are read back as this number to six figures: for addresses and code.
export function plain(value) {
  const rounded = Number(value.toPrecision(6));
  return (rounded >= 1e7 ? rounded.toExponential() : String(rounded)).replace("e+", "e");
}

export function signed(share) {
  if (!Number.isFinite(share)) return "–";
  const percent = 100 * share;
  return `${percent >= 0 ? "+" : "−"}${Math.abs(percent).toFixed(Math.abs(percent) < 10 ? 2 : 0)}%`;
}
