// Masks, points and heats painted on a canvas that lies over the thumbnail.

// Okabe and Ito's orange and sky blue, which colour-blind readers tell apart; in "both" form differs as well as
// colour: the truth is a firm line, the prediction a fill.
const TRUTH = [230, 159, 0];
const PREDICTED = [86, 180, 233];
const VIEWS = [
  ["prediction", "prediction"],
  ["truth", "truth"],
  ["both", "both"],
  ["heat", "heat (if saved)"],
  ["image", "image only"],
];
// Viridis in nine steps: its lightness rises evenly, so it reads in grey, too.
const HEAT = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141],
  [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37],
];

function heatColour(value) {
  const place = value / 255 * (HEAT.length - 1);
  const low = Math.min(HEAT.length - 2, Math.floor(place));
  return HEAT[low].map((from, at) => from + (place - low) * (HEAT[low + 1][at] - from));
}

function put(data, at, colour, alpha) {
  data[4 * at] = colour[0];
  data[4 * at + 1] = colour[1];
  data[4 * at + 2] = colour[2];
  data[4 * at + 3] = alpha;
}

function zonesOf(code, size, height, width, reach) {
  return zones(sampled(maskOf(code.counts, size), size, height, width), height, width, reach);
}

// One mask: a fill, a contour with a white halo, and all else darker.
function paintMask(data, zone, colour) {
  zone.forEach((kind, at) => {
    if (kind === 0) put(data, at, [0, 0, 0], 70);
    else if (kind === 1) put(data, at, colour, 105);
    else if (kind === 2) put(data, at, colour, 255);
    else put(data, at, [255, 255, 255], 255);
  });
}

// Both masks: the prediction filled, the truth as a line with a dark rim.
function paintBoth(data, truth, predicted) {
  truth.forEach((kind, at) => {
    if (kind === 2) put(data, at, TRUTH, 255);
    else if (kind === 3) put(data, at, [0, 0, 0], 255);
    else if (predicted[at] === 2) put(data, at, PREDICTED, 255);
    else if (predicted[at] === 1) put(data, at, PREDICTED, 135);
    else put(data, at, [0, 0, 0], 55);
  });
}

function paintHeat(context, heat, height, width) {
  const cells = atob(heat.cells);
  const small = document.createElement("canvas");
  [small.height, small.width] = heat.size;
  const inner = small.getContext("2d");
  const picture = inner.createImageData(heat.size[1], heat.size[0]);
  for (let at = 0; at < cells.length; at += 1) put(picture.data, at, heatColour(cells.charCodeAt(at)), 200);
  inner.putImageData(picture, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, 0, 0, width, height);
}

function ring(context, x, y, radius) {
  for (const [colour, line] of [["#000", 0.9], ["#fff", 0.4]]) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = radius * line;
    context.strokeStyle = colour;
    context.stroke();
  }
}

function frame(context, box, size, height, width, line) {
  context.setLineDash([3 * line, 2 * line]);
  context.lineWidth = line;
  context.strokeStyle = "#fff";
  context.strokeRect(
    box[0] * width / size[1], box[1] * height / size[0],
    (box[2] - box[0]) * width / size[1], (box[3] - box[1]) * height / size[0],
  );
  context.setLineDash([]);
}

// Paint one answer on a canvas in one of the views; `size` is the image's [height, width].
function paint(canvas, size, truth, answer, view) {
  const { height, width } = canvas;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  if (view === "image") return;
  const reach = Math.max(1, Math.round(Math.max(height, width) / 150));
  if (view === "heat" && answer.heat) {
    paintHeat(context, answer.heat, height, width);
  } else {
    const picture = context.createImageData(width, height);
    const predicted = () => zonesOf(answer, answer.size || size, height, width, view === "both" ? 1 : reach);
    // Where the truth is a line alone, it is a firmer one.
    const real = () => zonesOf(truth, size, height, width, view === "both" ? reach + 1 : reach);
    if (view === "truth") paintMask(picture.data, real(), TRUTH);
    else if (view === "both") paintBoth(picture.data, real(), predicted());
    else paintMask(picture.data, predicted(), PREDICTED);
    context.putImageData(picture, 0, 0);
  }
  if (view === "truth" && truth.box) frame(context, truth.box, size, height, width, reach);
  if (view !== "truth" && answer.point) {
    ring(context, answer.point[0] * width / size[1], answer.point[1] * height / size[0], 3 * reach + 1);
  }
}
