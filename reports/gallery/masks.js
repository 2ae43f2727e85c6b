// Masks out of COCO's run-length code, and the pixels of a picture that lie in them or on their edge.

// The run lengths of a packed code: five bits a character, from the third run on as the difference to the one two before.
function runsOf(counts) {
  const runs = [];
  let place = 0;
  while (place < counts.length) {
    let value = 0;
    let unit = 1;
    let more = true;
    while (more) {
      const bits = counts.charCodeAt(place) - 48;
      place += 1;
      // Multiplied, not shifted: seven characters are more than the 32 bits that shifting keeps.
      value += (bits & 31) * unit;
      unit *= 32;
      more = (bits & 32) !== 0 && place < counts.length;
      if (!more && (bits & 16)) value -= unit;
    }
    if (runs.length > 2) value += runs[runs.length - 2];
    runs.push(value);
  }
  return runs;
}

// The mask of a code, one byte a pixel, column by column as codes run.
function maskOf(counts, size) {
  const mask = new Uint8Array(size[0] * size[1]);
  let place = 0;
  runsOf(counts).forEach((length, turn) => {
    if (turn % 2) mask.fill(1, place, place + length);
    place += length;
  });
  return mask;
}

// A mask at another size, row by row: each pixel asks the one under its centre.
function sampled(mask, size, height, width) {
  const inside = new Uint8Array(height * width);
  const columns = Array.from({ length: width }, (_, x) => Math.floor((x + 0.5) * size[1] / width) * size[0]);
  for (let y = 0; y < height; y += 1) {
    const row = Math.floor((y + 0.5) * size[0] / height);
    for (let x = 0; x < width; x += 1) inside[y * width + x] = mask[columns[x] + row];
  }
  return inside;
}

// The pixels within `reach` steps of the mask; with `of` = 0, of its outside.
function grown(inside, height, width, reach, of) {
  let now = of ? inside : inside.map((value) => 1 - value);
  for (let step = 0; step < reach; step += 1) {
    const next = now.slice();
    for (let y = 0, at = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1, at += 1) {
        if (!now[at]) continue;
        if (x > 0) next[at - 1] = 1;
        if (x + 1 < width) next[at + 1] = 1;
        if (y > 0) next[at - width] = 1;
        if (y + 1 < height) next[at + width] = 1;
      }
    }
    now = next;
  }
  return now;
}

// Each pixel's place: 0 outside, 1 inside, 2 on the contour (inside), 3 on the halo just outside it.
function zones(inside, height, width, reach) {
  const near = grown(inside, height, width, Math.max(1, Math.round(reach / 2)), 1);
  const beyond = grown(inside, height, width, reach, 0);
  return inside.map((value, at) => (value ? (beyond[at] ? 2 : 1) : (near[at] ? 3 : 0)));
}
