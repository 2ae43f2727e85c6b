// The page: reads its controls, chooses, shows one page of cards, and draws what comes near the window.

const byId = (name) => document.getElementById(name);

function start() {
  const overview = JSON.parse(byId("overview").textContent);
  const measures = measured(overview);
  const state = { list: [], page: 0, cards: new Map(), large: null, drawLarge: () => {} };

  head(overview);
  fill(overview);
  // A card is as wide as its pictures need; a narrow window shows fewer of them.
  byId("cards").style.setProperty("--card", `${Math.min(60, 1 + 12 * overview.runs.length)}rem`);

  const choice = () => ({
    run: byId("run").value, words: byId("words").value, sort: byId("sort").value, hit: byId("hit").value,
    iouLow: byId("iou-low").value, iouHigh: byId("iou-high").value,
    lengthLow: byId("length-low").value, lengthHigh: byId("length-high").value,
    areaLow: byId("area-low").value, areaHigh: byId("area-high").value,
    category: byId("category").value, form: byId("form").value, outcome: byId("outcome").value,
  });

  const near = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (!entry.isIntersecting) return;
    near.unobserve(entry.target);
    state.cards.get(entry.target).draw(byId("show").value);
  }), { rootMargin: "400px" });

  function listed(page = 0) {
    countOutcomes(overview, Number(byId("run").value));
    state.list = chosen(overview, measures, choice());
    state.page = page;
    shown();
  }

  // The address keeps what differs from the start: controls, page, and the enlarged expression.
  function remember() {
    const open = state.large === null ? "" : overview.samples[state.list[state.large].place].id;
    writeAddress(state.page, open);
  }

  function restore() {
    const { page, open: ident } = readAddress();
    listed(page);
    const at = ident ? state.list.findIndex((one) => overview.samples[one.place].id === ident) : -1;
    if (at >= 0) open(at);
    else if (byId("large").open) byId("large").close();
  }

  function shown() {
    const many = Number(byId("many").value);
    const pages = Math.max(1, Math.ceil(state.list.length / many));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    const run = Number(byId("run").value);
    const mean = state.list.reduce((sum, one) => sum + one.ious[run], 0) / state.list.length;
    byId("count").textContent = state.list.length
      ? `${state.list.length} of ${measures.length} expressions, mIoU ${percent(mean)} (${overview.runs[run].title})`
      : `None of ${measures.length} expressions: loosen a filter, or Reset`;
    byId("page").textContent = `page ${state.page + 1} of ${pages}`;
    byId("before").disabled = state.page === 0;
    byId("after").disabled = state.page === pages - 1;
    near.disconnect();
    state.cards.clear();
    const items = state.list.slice(state.page * many, (state.page + 1) * many).map((measure) => {
      const card = cardOf(overview, measure, () => open(state.list.indexOf(measure)));
      const hover = (on) => () => card.isMade() && card.draw(byId(on ? "hover" : "show").value);
      card.item.addEventListener("mouseenter", hover(true));
      card.item.addEventListener("mouseleave", hover(false));
      card.item.addEventListener("focusin", hover(true));
      card.item.addEventListener("focusout", hover(false));
      state.cards.set(card.item, card);
      return card.item;
    });
    byId("cards").replaceChildren(...items);
    items.forEach((item) => near.observe(item));
    remember();
  }

  // The next card or the one before, from the one with the focus; past the last one the page turns.
  function walk(step) {
    const cards = [...state.cards.keys()];
    const now = cards.findIndex((item) => item.contains(document.activeElement));
    const next = now < 0 ? (step > 0 ? 0 : cards.length - 1) : now + step;
    if (next >= cards.length && !byId("after").disabled) turn(1);
    else if (next < 0 && !byId("before").disabled) turn(-1);
    else if (cards[next]) focusOn(cards[next]);
    if (next >= cards.length || next < 0) {
      const turned = [...state.cards.keys()];
      if (turned[0] !== cards[0]) focusOn(turned[next < 0 ? turned.length - 1 : 0]);
    }
  }

  function turn(step) {
    state.page += step;
    shown();
    byId("count").scrollIntoView();
  }

  function open(at) {
    if (at < 0 || at >= state.list.length) return;
    state.large = at;
    const big = enlarged(overview, state.list[at]);
    const views = [...byId("show").options].map((option) => {
      const button = make("button", { type: "button", textContent: option.textContent, value: option.value });
      button.addEventListener("click", () => { byId("show").value = option.value; redraw(); });
      return button;
    });
    state.drawLarge = (view) => {
      views.forEach((button) => button.setAttribute("aria-pressed", String(button.value === view)));
      big.draw(view);
    };
    const step = (by, title) => {
      const button = make("button", { type: "button", textContent: title, disabled: !state.list[at + by] });
      button.addEventListener("click", () => open(at + by));
      return button;
    };
    const close = make("button", { type: "button", textContent: "Close" });
    close.addEventListener("click", () => byId("large").close());
    const position = make("span", { textContent: `${at + 1} of ${state.list.length}` });
    const line = make("div", { className: "line" }, step(-1, "‹"), position, step(1, "›"), make("div", { className: "views" }, ...views), close);
    byId("large").replaceChildren(line, ...big.body);
    if (!byId("large").open) byId("large").showModal();
    state.drawLarge(byId("show").value);
    remember();
  }

  function redraw() {
    const view = byId("show").value;
    state.cards.forEach((card) => card.isMade() && card.draw(view));
    if (byId("large").open) state.drawLarge(view);
    remember();
  }

  let waiting = 0;
  byId("controls").addEventListener("input", (event) => {
    if (["show", "hover"].includes(event.target.id)) return redraw();
    clearTimeout(waiting);
    waiting = setTimeout(() => listed(), event.target.tagName === "INPUT" ? 120 : 0);
    return undefined;
  });
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("controls").addEventListener("reset", () => setTimeout(() => listed(), 0));
  byId("large").addEventListener("close", () => { state.large = null; remember(); });
  byId("many").addEventListener("change", () => shown());
  byId("before").addEventListener("click", () => turn(-1));
  byId("after").addEventListener("click", () => turn(1));
  window.addEventListener("hashchange", restore);
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(redraw, 200); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || ["INPUT", "SELECT"].includes(event.target.tagName)) return;
    const large = byId("large").open;
    if (large && ["ArrowLeft", "k"].includes(event.key)) open(state.large - 1);
    else if (large && ["ArrowRight", "j"].includes(event.key)) open(state.large + 1);
    else if (!large && event.key === "j") walk(1);
    else if (!large && event.key === "k") walk(-1);
    else if (byId("show").options[Number(event.key) - 1]) {
      byId("show").value = byId("show").options[Number(event.key) - 1].value;
      redraw();
    }
    else if (!large && event.key === "/") { event.preventDefault(); byId("words").focus(); }
    else if (!large && ["[", "p"].includes(event.key) && !byId("before").disabled) turn(-1);
    else if (!large && ["]", "n"].includes(event.key) && !byId("after").disabled) turn(1);
  });
  restore();
}

function focusOn(card) {
  card.children[0].focus();
  card.scrollIntoView({ block: "nearest" });
}

// Each outcome with how many expressions of the chosen run have it.
function countOutcomes(overview, run) {
  const counts = outcomesOf(overview, run);
  for (const option of byId("outcome").options) {
    if (option.value) option.textContent = `${overview.outcomes[option.value]} (${counts[option.value] || 0})`;
  }
}

// Title, numbers and notes; what warns stands outside the fold.
function head(overview) {
  byId("title").textContent = `risbench gallery: ${overview.split}`;
  const names = Object.keys(overview.runs[0].metrics);
  const row = (tag, cells) => make("tr", {}, ...cells.map((cell) => make(tag, { textContent: cell, dir: "auto" })));
  const value = (number) => {
    if (number.value === null) return "–";
    if (number.low === null) return percent(number.value);
    return `${percent(number.value)} [${percent(number.low)}, ${percent(number.high)}]`;
  };
  const lines = overview.runs.map((run) => row("td", [run.title, ...names.map((name) => value(run.metrics[name]))]));
  byId("runs").replaceChildren(
    make("caption", { textContent: "In percent, with 95 % intervals over images" }),
    make("thead", {}, row("th", ["Run", ...names])), make("tbody", {}, ...lines),
  );
  const warns = /^(PARTIAL|Drawn scenes)|without a prediction|left out|not there|cannot be read/u;
  byId("notes").replaceChildren(...overview.notes.map((note) => make("li", { textContent: note })));
  byId("warnings").textContent = overview.notes.filter((note) => warns.test(note)).join(" ");
}

// The choices that depend on the data.
function fill(overview) {
  const options = (pairs) => pairs.map(([value, title]) => make("option", { value, textContent: title }));
  const choicesOf = (key) => [...new Set(overview.samples.map((sample) => sample[key]).filter(Boolean))].sort();
  const views = overview.runs.some((run) => run.heats) ? VIEWS : VIEWS.filter(([value]) => value !== "heat");
  byId("run").replaceChildren(...options(overview.runs.map((run, at) => [String(at), run.title])));
  byId("show").replaceChildren(...options(views));
  byId("hover").replaceChildren(...options([views[1], views[0], ...views.slice(2)]));
  byId("outcome").replaceChildren(...options([["", "any"], ...Object.entries(overview.outcomes)]));
  for (const key of ["category", "form"]) {
    const found = choicesOf(key);
    byId(key).replaceChildren(...options([["", "any"], ...found.map((one) => [one, one])]));
    byId(`${key}-label`).hidden = !found.length;
  }
}
