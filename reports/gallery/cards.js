// Cards: an expression with one picture for each run. Texts enter the page as text only, never as markup.

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// The block of an image, parsed when it is first shown and kept while it is likely to be shown again.
const BLOCKS = new Map();
function blockOf(number) {
  if (!BLOCKS.has(number)) {
    if (BLOCKS.size > 200) BLOCKS.clear();
    BLOCKS.set(number, JSON.parse(document.getElementById(`image-${number}`).textContent));
  }
  return BLOCKS.get(number);
}

function verdicts(score, outcomes) {
  const words = [score[1] === null ? "no true mask" : `IoU ${percent(iouOf(score))}`];
  if (score[5]) words.push("no prediction");
  else if (score[6] && score[6] !== "right") words.push(outcomes[score[6]]);
  if (score[3] !== null) words.push(score[3] ? "on the mask ✓" : "off the mask ✗");
  else if (score[2] !== null) words.push(score[2] ? "in the box ✓" : "outside the box ✗");
  return words.join(" · ");
}

// A picture of one run's answer; `redraw(view)` paints it, at the pixels it is shown with.
function panel(overview, place, run, wide) {
  const sample = overview.samples[place];
  const [, height, width] = overview.images[sample.image];
  const block = blockOf(sample.image);
  const mine = block.samples[place];
  const canvas = make("canvas", {});
  const picture = make("div", { className: "picture" });
  picture.style.aspectRatio = `${width} / ${height}`;
  picture.style.setProperty("--ratio", String(width / height));
  if (block.picture) picture.append(make("img", { src: block.picture, alt: "", loading: "lazy", decoding: "async" }));
  else picture.append(make("span", { className: "none", textContent: `no image, ${height} × ${width}` }));
  picture.append(canvas);
  const title = make("strong", { textContent: overview.runs[run].title, dir: "auto" });
  const numbers = make("span", { textContent: verdicts(sample.scores[run], overview.outcomes) });
  const bar = make("i", { className: "bar" });
  bar.style.setProperty("--part", `${percent(iouOf(sample.scores[run]))}%`);
  const figure = make("figure", {}, picture, make("figcaption", {}, title, " ", numbers, bar));
  const redraw = (view) => {
    const density = Math.min(2, window.devicePixelRatio || 1);
    const across = Math.max(1, Math.round((picture.clientWidth || wide) * density));
    if (canvas.width !== across) {
      canvas.width = across;
      canvas.height = Math.max(1, Math.round(across * height / width));
    }
    paint(canvas, [height, width], block.truths[mine.truth], mine.answers[run], view);
  };
  return { figure, redraw, heat: mine.answers[run].heat };
}

function facts(overview, measure) {
  const sample = overview.samples[measure.place];
  const [image] = overview.images[sample.image];
  const words = [sample.category, sample.form, `${percent(measure.share)} % of the image`];
  words.push(`${measure.length} ${measure.length === 1 ? "word" : "words"}`, `image ${image}`, sample.id);
  return words.filter(Boolean).join(" · ");
}

// A card stays empty until it comes near the window; `draw(view)` fills and paints it.
function cardOf(overview, measure, open) {
  const sample = overview.samples[measure.place];
  const words = make("span", { dir: "auto", textContent: sample.text || "(no text)" });
  const text = make("button", { type: "button", className: "text", title: sample.text.slice(0, 500) }, words);
  text.addEventListener("click", open);
  const panels = make("div", { className: "panels" });
  const item = make("li", { className: "card" }, text, panels, make("p", { className: "facts", textContent: facts(overview, measure) }));
  let made = null;
  const draw = (view) => {
    if (!made) {
      made = overview.runs.map((_, run) => panel(overview, measure.place, run, 200));
      panels.append(...made.map((one) => one.figure));
      panels.addEventListener("click", open);
    }
    made.forEach((one) => one.redraw(view));
  };
  return { item, draw, isMade: () => made !== null };
}

// The large view of one expression: the truth, then every run, with whole text and all numbers.
function enlarged(overview, measure) {
  const sample = overview.samples[measure.place];
  const heading = make("h2", { id: "large-text", dir: "auto", textContent: sample.text || "(no text)" });
  const panels = overview.runs.map((_, run) => panel(overview, measure.place, run, 480));
  const pictures = make("div", { className: "panels" }, ...panels.map((one) => one.figure));
  const lines = panels.map((one, run) => {
    const score = sample.scores[run];
    const words = [`${overview.runs[run].title}: ${verdicts(score, overview.outcomes)}`];
    if (score[1] !== null) words.push(`intersection ${score[0]}, union ${score[1]} pixels`);
    if (score[4] !== null) words.push(`box IoU ${percent(score[4])}`);
    if (one.heat) words.push(`heat from ${one.heat.low} to ${one.heat.high}`);
    return make("li", { textContent: words.join(" · "), dir: "auto" });
  });
  const body = [heading, pictures, make("p", { className: "facts", textContent: facts(overview, measure) }), make("ul", {}, ...lines)];
  return { body, draw: (view) => panels.forEach((one) => one.redraw(view)) };
}
