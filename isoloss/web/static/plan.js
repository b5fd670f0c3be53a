// The best size for a budget, for every draw, in the page: a scan along 6 N D = C and Newton's steps in each valley.
// It finds what `isoloss.plan(fit, flops=C)` finds; nothing here is rounded.

export const FLOP = 6; // per parameter and token, forward and backward
const STEPS = 96; // of the scan, as in the planner
const STENCIL = 2e-3; // of log N
const FINE = 2e-5; // of log N
const NEWTON = 12;
const CLOSE = 1e-11;

export const partner = (flops, size) => flops / (FLOP * size);

// The size of least output for each parameter set (1 + s): NaN where there is none.
export function bestSizes(model, flops, sets = model.sets.length) {
  const span = Math.log(partner(flops, 1));
  const best = new Float64Array(sets);
  if (!(span > 0)) return best.fill(NaN);
  const grid = Float64Array.from({ length: STEPS + 1 }, (_, i) => Math.exp((span * i) / STEPS));
  const value = new Float64Array(STEPS + 1);
  for (let t = 0; t < sets; t++) {
    for (let i = 0; i <= STEPS; i++) value[i] = model.at(t, grid[i], partner(flops, grid[i]));
    best[t] = lowest(model, t, flops, value, span);
  }
  return best;
}

function lowest(model, t, flops, value, span) {
  let size = NaN;
  let least = Infinity;
  const step = span / STEPS;
  const f = (u) => model.at(t, Math.exp(u), partner(flops, Math.exp(u)));
  const consider = (low, high, start) => {
    const u = unkinked(f, settle(f, low, high, start));
    const v = f(u);
    if (v < least) [least, size] = [v, Math.exp(u)];
  };
  if (value[0] < value[1] && slope(f, 0) < 0) consider(0, step, step / 2);
  for (let i = 1; i < STEPS; i++) {
    if (!(value[i] < value[i - 1] && value[i] <= value[i + 1])) continue;
    const bend = value[i - 1] - 2 * value[i] + value[i + 1];
    const shift = bend > 0 ? (value[i - 1] - value[i + 1]) / (2 * bend) : 0;
    consider((i - 1) * step, (i + 1) * step, (i + shift) * step);
  }
  if (value[STEPS] < value[STEPS - 1] && slope(f, span) > 0) consider(span - step, span, span - step / 2);
  return size;
}

const slope = (f, u) =>
  (8 * (f(u + STENCIL) - f(u - STENCIL)) - (f(u + 2 * STENCIL) - f(u - 2 * STENCIL))) / (12 * STENCIL);

// Where the slope is zero between two places: secant steps that keep the bracket, halving where they leave it.
function settle(f, low, high, start) {
  let u = Math.min(Math.max(start, low), high);
  let s = slope(f, u);
  let before = u - STENCIL;
  let sBefore = slope(f, before);
  for (let i = 0; i < NEWTON; i++) {
    if (s < 0) low = Math.max(low, u);
    else high = Math.min(high, u);
    const bend = (s - sBefore) / (u - before);
    let next = bend > 0 ? u - s / bend : NaN;
    if (!(next >= low && next <= high)) next = (low + high) / 2;
    if (Math.abs(next - u) < CLOSE) return next;
    [before, sBefore, u] = [u, s, next];
    s = slope(f, u);
  }
  return halved(f, low, high, u, s);
}

function halved(f, low, high, u, s) {
  while (high - low > CLOSE) {
    if (s < 0) low = u;
    else high = u;
    u = (low + high) / 2;
    s = slope(f, u);
    if (u === low || u === high) break;
  }
  return u;
}

// A law may have a kink at its best size, which the stencil smears: the slope is then taken on the side without it.
function unkinked(f, u) {
  const value = f(u);
  const bend = (f(u + STENCIL) - 2 * value + f(u - STENCIL)) / STENCIL ** 2;
  const near = (f(u + FINE) - f(u - FINE)) / (2 * FINE);
  if (Math.abs(near) <= 5e-7 * Math.abs(bend) + 1e-10 * Math.abs(value)) return u;
  let [low, high] = [u - 3 * STENCIL, u + 3 * STENCIL];
  while (high - low > 1e-10) {
    u = (low + high) / 2;
    if (slopeBeside(f, u) < 0) low = u;
    else high = u;
  }
  return (low + high) / 2;
}

// Of the slopes to the left and to the right, the one on which a stencil and half of it agree.
function slopeBeside(f, u) {
  const [left, right] = [-1, 1].map((side) => {
    const half = oneSided(f, u, (side * STENCIL) / 2);
    return { half, apart: Math.abs(half - oneSided(f, u, side * STENCIL)) };
  });
  return left.apart <= right.apart ? left.half : right.half;
}

const oneSided = (f, u, h) => (-25 * f(u) + 48 * f(u + h) - 36 * f(u + 2 * h) + 16 * f(u + 3 * h) - 3 * f(u + 4 * h)) / (12 * h);

// Linear between order statistics, as NumPy's; `sorted` holds no NaN.
export function quantile(sorted, q) {
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

// {mid, low, high} of set 0 and the draws.
export function estimate(mid, draws, level) {
  const kept = Float64Array.from(draws).filter((v) => !Number.isNaN(v)).sort();
  if (!kept.length) return { mid, low: NaN, high: NaN };
  return { mid, low: quantile(kept, (1 - level) / 2), high: quantile(kept, (1 + level) / 2) };
}

const fromSets = (values, level) => estimate(values[0], values.subarray ? values.subarray(1) : values.slice(1), level);

// The exponent of the best size in compute, at a budget.
export function exponent(model, flops, level) {
  const [lower, upper] = [bestSizes(model, flops / 1.01), bestSizes(model, flops * 1.01)];
  return fromSets(lower.map((size, t) => Math.log(upper[t] / size) / (2 * Math.log(1.01))), level);
}

// The answer for a budget: size, tokens, their ratio, and the loss of a new run there.
export function answer(model, flops, level) {
  const sizes = bestSizes(model, flops);
  const size = sizes[0];
  const tokens = partner(flops, size);
  return {
    flops,
    size: fromSets(sizes, level),
    tokens: fromSets(sizes.map((n) => partner(flops, n)), level),
    ratio: fromSets(sizes.map((n) => partner(flops, n) / n), level),
    loss: lossAt(model, size, tokens, level),
    lost: sizes.subarray(1).reduce((count, n) => count + Number.isNaN(n), 0),
  };
}

// The loss at a size and an amount of data; of one new run where its scatter is known, else of the curve.
export function lossAt(model, size, tokens, level, ofCurve = false) {
  const errors = ofCurve ? null : model.errors(size, tokens);
  const draws = new Float64Array(model.draws);
  for (let t = 1; t <= model.draws; t++) draws[t - 1] = model.at(t, size, tokens) * (errors ? Math.exp(errors[t - 1]) : 1);
  return estimate(model.at(0, size, tokens), draws, level);
}

export function logGrid(low, high, count) {
  const step = Math.log(high / low) / (count - 1);
  return Array.from({ length: count }, (_, i) => low * Math.exp(step * i));
}

// Loss against size at one budget: the curve and the band of all draws.
export function slice(model, flops, centre, level, count = 61) {
  const widest = Math.min(Math.log(partner(flops, 1)) / 2, Math.log(300));
  const sizes = logGrid(centre / Math.exp(widest), centre * Math.exp(widest), count);
  return { sizes, ...banded(sizes.map((n) => lossAt(model, n, partner(flops, n), level, true))) };
}

// The frontier: best size (with its band where `withSizes`) and loss against compute.
export function frontier(model, budgets, level) {
  const sizes = budgets.map((flops) => bestSizes(model, flops, 1)[0]);
  return { budgets, sizes, ...banded(budgets.map((c, i) => lossAt(model, sizes[i], partner(c, sizes[i]), level))) };
}

// The band of best sizes, budget by budget, giving the page time between them.
export async function sizeBand(model, budgets, level, isWanted) {
  const found = [];
  for (const flops of budgets) {
    found.push(fromSets(bestSizes(model, flops), level));
    await new Promise((resolve) => setTimeout(resolve));
    if (!isWanted()) return null;
  }
  return banded(found);
}

export function banded(estimates) {
  return { mid: estimates.map((e) => e.mid), low: estimates.map((e) => e.low), high: estimates.map((e) => e.high) };
}
