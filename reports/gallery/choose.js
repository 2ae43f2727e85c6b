// Which expressions are shown, and in which order. Nothing here touches the page.

// Without a true mask there is no union and no IoU: NaN, which no comparison lets through.
function iouOf(score) {
  if (score[1] === null) return NaN;
  return score[1] ? score[0] / score[1] : 0;
}

// What has no number comes last, whichever way the numbers are sorted.
function ordered(a, b) {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
  return a - b;
}

function wordsIn(text) {
  return text.split(/\s+/u).filter(Boolean).length;
}

// What sorting and filtering ask again and again, computed once.
function measured(overview) {
  return overview.samples.map((sample, place) => {
    const [id, height, width] = overview.images[sample.image];
    const ious = sample.scores.map(iouOf);
    return {
      place,
      ious,
      apart: Math.max(...ious) - Math.min(...ious),
      length: wordsIn(sample.text),
      share: sample.area / (height * width),
      found: [sample.text, sample.category || "", sample.id, `image ${id}`].join("\n").toLowerCase(),
    };
  });
}

const HITS = {
  "mask": (score) => score[3] === true,
  "off-mask": (score) => score[3] === false,
  "box": (score) => score[2] === true,
  "off-box": (score) => score[2] === false,
  "half": (score) => iouOf(score) >= 0.5,
  "below-half": (score) => iouOf(score) < 0.5,
  "missing": (score) => score[5] === true,
};

const ORDERS = {
  "worst": (run) => (a, b) => ordered(a.ious[run], b.ious[run]),
  "best": (run) => (a, b) => ordered(-a.ious[run], -b.ious[run]),
  "apart": () => (a, b) => ordered(-a.apart, -b.apart),
  "long": () => (a, b) => b.length - a.length,
  "short": () => (a, b) => a.length - b.length,
  "small": () => (a, b) => a.share - b.share,
  "large": () => (a, b) => b.share - a.share,
  "order": () => (a, b) => a.place - b.place,
};

// A number from a field; what is empty or no number sets no bound.
function bound(text, otherwise) {
  const value = Number.parseFloat(text);
  return Number.isFinite(value) ? value : otherwise;
}

// The measures of all expressions that a choice lets through, in its order; ties stay in the split's order.
function chosen(overview, measures, choice) {
  const run = Number(choice.run);
  const words = choice.words.toLowerCase().split(/\s+/u).filter(Boolean);
  const hit = HITS[choice.hit];
  // Percent as shown, with room for the rounding of a fraction times 100.
  const within = (value, low, high) => (Number.isNaN(value)
    ? bound(low, -1) < 0 && bound(high, Infinity) === Infinity
    : value >= bound(low, -1) - 1e-9 && value <= bound(high, Infinity) + 1e-9);
  return measures
    .filter((measure) => {
      const sample = overview.samples[measure.place];
      return within(100 * measure.ious[run], choice.iouLow, choice.iouHigh)
        && within(measure.length, choice.lengthLow, choice.lengthHigh)
        && within(100 * measure.share, choice.areaLow, choice.areaHigh)
        && (!choice.category || sample.category === choice.category)
        && (!choice.form || sample.form === choice.form)
        && (!hit || hit(sample.scores[run]))
        && (!choice.outcome || sample.scores[run][6] === choice.outcome)
        && words.every((word) => measure.found.includes(word));
    })
    .sort(ORDERS[choice.sort](run));
}

// How many expressions of a run have each outcome; those without a true mask have none.
function outcomesOf(overview, run) {
  const counts = {};
  for (const sample of overview.samples) {
    const outcome = sample.scores[run][6];
    if (outcome) counts[outcome] = (counts[outcome] || 0) + 1;
  }
  return counts;
}

// Percent with one digit, the way tables print it.
function percent(value) {
  return (100 * value).toFixed(1);
}
