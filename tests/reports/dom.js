// Just enough of a browser for the gallery's script: elements that hold children, texts, listeners and a canvas.
// No layout and no styles; what is painted is kept as the last ImageData put on each canvas.

class Style {
  constructor() { this.set = {}; }
  setProperty(name, value) { this.set[name] = value; }
}

class Element {
  constructor(tag) {
    this.tagName = tag.toUpperCase();
    Object.assign(this, { children: [], style: new Style(), listeners: {}, attributes: {}, own: "", hidden: false });
  }
  get textContent() { return this.own + this.children.map((one) => one.textContent).join(""); }
  set textContent(text) { this.own = String(text); this.children = []; }
  append(...children) {
    for (const child of children) {
      this.children.push(typeof child === "string" ? Object.assign(new Element("#text"), { own: child }) : child);
    }
  }
  replaceChildren(...children) { this.own = ""; this.children = []; this.append(...children); }
  get options() { return this.children; }
  get value() { return this.given !== undefined || this.tagName !== "SELECT" ? (this.given ?? "") : this.first(); }
  set value(value) { this.given = value; }
  first() { return this.children.length ? this.children[0].value : ""; }
  setAttribute(name, value) { this.attributes[name] = value; }
  addEventListener(kind, act) { (this.listeners[kind] ||= []).push(act); }
  fire(kind, more = {}) { (this.listeners[kind] || []).forEach((act) => act({ target: this, preventDefault() {}, ...more })); }
  all(test) { return this.children.flatMap((child) => [...(test(child) ? [child] : []), ...child.all(test)]); }
  showModal() { this.open = true; }
  close() { this.open = false; this.fire("close"); }
  focus() { document.activeElement = this; }
  contains(other) { return this === other || this.all((one) => one === other).length > 0; }
  scrollIntoView() {}
  getContext() {
    const canvas = this;
    return new Proxy({
      createImageData: (width, height) => ({ width, height, data: new Uint8ClampedArray(4 * width * height) }),
      putImageData: (picture) => { canvas.picture = picture; },
      clearRect: () => { canvas.picture = null; },
      drawImage: (from) => { canvas.drawn = from; },
    }, { get: (known, name) => known[name] || (() => {}), set: () => true });
  }
}

// The page's elements with an id, the options it is written with, and its data blocks.
function documentOf(html) {
  const known = new Map();
  for (const [, tag, rest] of html.split("<script type")[0].matchAll(/<([a-z0-9]+)((?:\s[^<>]*)?)>/g)) {
    const id = / id="([^"]*)"/.exec(rest);
    if (id) known.set(id[1], new Element(tag));
  }
  for (const [, id, text] of html.matchAll(/<script type="application\/json" id="([^"]*)">([^<]*)<\/script>/g)) {
    known.set(id, Object.assign(new Element("script"), { own: text }));
  }
  for (const [, id, inner] of html.matchAll(/<select id="([^"]*)">([\s\S]*?)<\/select>/g)) {
    for (const [, marks, title] of inner.matchAll(/<option([^>]*)>([^<]*)/g)) {
      const value = (/value="([^"]*)"/.exec(marks) || [null, title])[1];
      known.get(id).append(Object.assign(new Element("option"), { own: title, given: value }));
      if (marks.includes("selected")) known.get(id).given = value;
    }
  }
  const page = new Element("document");
  page.getElementById = (id) => known.get(id) || null;
  page.createElement = (tag) => new Element(tag);
  page.documentElement = page;
  return page;
}

// Run a page's own script; what it observes counts as near the window at once.
function opened(html, hash = "") {
  const script = /<script>([\s\S]*)<\/script>/.exec(html)[1];
  globalThis.document = documentOf(html);
  const location = { hash };
  const history = { replaceState: (_, __, url) => { location.hash = url; } };
  globalThis.window = Object.assign(new Element("window"), { devicePixelRatio: 1, location, history });
  globalThis.IntersectionObserver = class {
    constructor(act) { this.act = act; }
    observe(target) { this.act([{ target, isIntersecting: true }]); }
    unobserve() {}
    disconnect() {}
  };
  globalThis.setTimeout = (act) => { act(); return 0; };
  globalThis.clearTimeout = () => {};
  (0, eval)(script);
  return globalThis.document;
}

module.exports = { opened };
