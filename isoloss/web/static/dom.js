// Builds elements; every word becomes text, never markup.

export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key === "className" ? "class" : key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const $ = (id) => document.getElementById(id);

export function put(id, ...children) {
  $(id).replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

// The server's MathML, and of it only that.
export function math(markup) {
  const parsed = new DOMParser().parseFromString(markup, "text/html").querySelector("math");
  return parsed ? document.importNode(parsed, true) : null;
}

export function save(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  saveFrom(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

export function saveFrom(url, name) {
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}
