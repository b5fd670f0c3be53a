// A law in the page: its own derived JavaScript, evaluated at the best parameters and at every draw.
// Set 0 is the best estimate, sets 1 to s are the draws.

export async function load(view) {
  const { formula } = await import(view.module);
  return new Model(view, formula);
}

export class Model {
  constructor(view, formula) {
    const { names, inputs, output } = view.law;
    this.view = view;
    this.formula = formula;
    this.sets = [view.theta];
    for (let i = 0; i < view.draws.length; i += names.length) this.sets.push(view.draws.slice(i, i + names.length));
    this.thetas = this.sets.map((set) => Object.fromEntries(names.map((name, j) => [name, set[j]])));
    this.size = inputs.find((input) => input.role === "size");
    // The other inputs of a surface are the tokens, and distinct tokens where every token is new.
    this.data = inputs.filter((input) => input.role === "data").map((input) => input.symbol);
    this.output = output;
    this.x = Object.fromEntries(inputs.map((input) => [input.symbol, NaN]));
  }

  get draws() {
    return this.sets.length - 1;
  }

  get plans() {
    return Boolean(this.view.law.plans && this.size);
  }

  // The law's value for parameter set t at a size and an amount of data.
  at(t, size, tokens) {
    const { x } = this;
    x[this.size.symbol] = size;
    for (const symbol of this.data) x[symbol] = tokens;
    return this.formula(x, this.thetas[t]);
  }

  // The law's value for set t where its only free input is `value`.
  along(t, value) {
    const symbol = this.view.law.inputs[0].symbol;
    this.x[symbol] = value;
    return this.formula(this.x, this.thetas[t]);
  }

  // Log errors of a new run about the curve, one a draw: what isoloss adds for one run; null where it is not known.
  errors(size, tokens) {
    const scatter = this.view.scatter;
    if (!scatter) return null;
    const values = { [this.size?.quantity]: size, tokens, unique_tokens: tokens, flops: 6 * size * tokens };
    values.body_flops = values.flops;
    const product = (columns) => columns.reduce((all, name) => all * values[name], 1);
    const { beyond, noise } = scatter;
    if (beyond) {
      const reach = product(beyond.columns);
      const decades = beyond.grows ? Math.log10(Math.max(reach, beyond.at) / beyond.at) : 0;
      if (decades > 0 || !beyond.grows) return beyond.normals.map((z) => z * beyond.drift * (decades + 1));
    }
    const factor = noise.columns.length ? (product(noise.columns) / noise.at) ** noise.exponent : 1;
    return factor === 1 ? scatter.errors : scatter.errors.map((e) => e * factor);
  }
}
