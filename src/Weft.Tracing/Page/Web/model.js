// Questions to a trace: sums, places, pixels. Pure: needs no document.

// The first index at which the ordered values are above the value.
function firstAbove(values, value, low = 0, high = values.length) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

// The first from low on that is at least the value, for an answer that is probably about so far away: in steps that double.
function firstAtLeastFrom(values, value, low, step = 1) {
  let high = low;
  while (high < values.length && values[high] < value) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  high = Math.min(high, values.length);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}

// Calls, total, self and longest time of every stack in these threads; of the whole trace without a range.
function sumStacks(trace, threads, range) {
  const { count, parent } = trace.stacks;
  const sums = { calls: new Float64Array(count), total: new Float64Array(count), self: null, longest: new Float64Array(count) };
  for (const thread of threads) {
    if (!range) addWhole(sums, thread.sums);
    else for (const row of thread.rows) addRow(sums, row, range);
  }
  sums.self = sums.total.slice();
  for (let node = count - 1; node > 0; node--) {
    if (parent[node]) sums.self[parent[node]] -= sums.total[node];
    else sums.total[0] += sums.total[node];
  }
  return sums;
}

function addWhole(sums, { node, calls, total, longest }) {
  for (let i = 0; i < node.length; i++) {
    sums.calls[node[i]] += calls[i];
    sums.total[node[i]] += total[i];
    sums.longest[node[i]] = Math.max(sums.longest[node[i]], longest[i]);
  }
}

// Of a call that is only partly in the range, that part counts.
function addRow(sums, row, { from, to }) {
  const { start, end, item } = row;
  for (let i = firstAbove(end, from); i < row.count && start[i] < to; i++) {
    const node = item[i], time = Math.min(end[i], to) - Math.max(start[i], from);
    sums.calls[node]++;
    sums.total[node] += time;
    if (time > sums.longest[node]) sums.longest[node] = time;
  }
}

// The same for functions. A function's total does not count the calls that it makes of itself twice; each does, for the average.
function sumFunctions(trace, sums) {
  const { fn, outermost, count } = trace.stacks;
  const functions = trace.functions.map((f, index) => ({ index, name: f.name, calls: 0, total: 0, self: 0, longest: 0, each: 0 }));
  for (let node = 1; node < count; node++) {
    const calls = sums.calls[node];
    if (!calls) continue;
    const f = functions[fn[node]];
    f.calls += calls;
    f.self += sums.self[node];
    f.each += sums.total[node];
    if (outermost[node]) f.total += sums.total[node];
    f.longest = Math.max(f.longest, sums.longest[node]);
  }
  return functions.filter(f => f.calls);
}

// Count and total of each name of a span.
function sumSpans(trace, threads, range) {
  const spans = trace.spans.map(name => ({ name, calls: 0, total: 0, longest: 0 }));
  for (const row of threads.flatMap(t => t.spans)) {
    const { from, to } = range ?? trace;
    for (let i = firstAbove(row.end, from - 1); i < row.count && row.start[i] <= to; i++) {
      const span = spans[row.item[i]], time = Math.min(row.end[i], to) - Math.max(row.start[i], from);
      span.calls++;
      span.total += time;
      span.longest = Math.max(span.longest, time);
    }
  }
  return spans.filter(s => s.calls);
}

// How much of the time was within functions that are wanted.
function wantedShare({ count, parent, fn }, total, wanted) {
  const within = new Uint8Array(count);
  let sum = 0;
  for (let node = 1; node < count; node++) {
    if (within[parent[node]]) within[node] = 1;
    else if (wanted[fn[node]]) {
      within[node] = 1;
      sum += total[node];
    }
  }
  return total[0] ? sum / total[0] : 0;
}

// Where the stacks are in a flame graph of that width: for every depth those wide enough to see, from left to right. The focus
// has all of the width, and so have its callers.
function layFlames({ parent, child, next }, total, focus, width, narrowest = 0.7) {
  const rows = [[{ node: focus, x: 0, width }]];
  for (let node = focus; node; node = parent[node]) rows.push([{ node: parent[node], x: 0, width }]);
  rows.reverse();
  const scale = width / (total[focus] || 1);
  for (let row = rows[rows.length - 1]; row.length; row = rows[rows.length - 1]) {
    const below = [];
    for (const box of row) {
      let x = box.x;
      const children = [];
      for (let node = child[box.node]; node; node = next[node])
        if (total[node] * scale >= narrowest) children.push(node);
      for (const node of children.sort((a, b) => total[b] - total[a])) {
        below.push({ node, x, width: total[node] * scale });
        x += total[node] * scale;
      }
    }
    if (!below.length) break;
    rows.push(below);
  }
  return rows;
}

// The box of a row at x, or null.
function boxAt(row, x) {
  let low = 0, high = row.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (row[middle].x > x) high = middle;
    else low = middle + 1;
  }
  const box = row[low - 1];
  return box && x < box.x + box.width ? box : null;
}

// A row as pixels. What is wider than a pixel has its color; of what is narrower, all that begins in a pixel becomes one, the
// fainter the less of the pixel it covers, with the color of something long in it, and rather of something wanted. So the cost
// depends on the pixels, not on the slices: a pixel's slices are skipped by searching.
//
// view: from, and scale in nanoseconds per pixel. labels gets (index, x, end) of what is wide enough for text.
function paintRow(row, view, colors, wanted, faintest, pixels, offset, width, labels, labelWidth) {
  const { start, end, sum, item, count } = row, { from, scale } = view;
  let step = 1;
  for (let i = firstAbove(end, from - scale); i < count;) {
    const left = (start[i] - from) / scale;
    if (left >= width) break;
    const x = Math.max(Math.floor(left), 0);
    let wide = i, edge = x;
    if (end[i] - start[i] < scale) {
      const limit = from + (x + 1) * scale;
      const past = firstAtLeastFrom(start, limit, i + 1, step);
      step = (past - i >> 1) + 1;
      const shown = spokesman(row, i, past, wanted);
      const covered = Math.min((sum[past] - sum[i]) / scale, 1);
      const color = colors[item[shown]];
      pixels[offset + x] = (color & 0xffffff) | Math.round((color >>> 24) * (faintest + (1 - faintest) * covered)) << 24;
      // Only the last of them can reach further.
      wide = end[past - 1] >= limit + scale ? past - 1 : -1;
      edge = x + 1;
      i = past - 1;
    }
    if (wide >= 0) {
      const right = Math.min(Math.max(Math.round((end[wide] - from) / scale), edge + 1), width);
      pixels.fill(colors[item[wide]], offset + edge, offset + right);
      if (right - edge >= 4) pixels[offset + edge] = darker(pixels[offset + edge]);
      if (right - edge >= labelWidth) labels.push(wide, edge, right);
    }
    i++;
  }
}

// Which of the slices in one pixel gives it its color.
function spokesman({ start, end, item }, from, to, wanted) {
  if (wanted) {
    for (let i = from; i < to; i++) if (wanted[item[i]]) return i;
  }
  const step = Math.max((to - from) >> 2, 1); // reading few of them: each is a miss of the cache
  let longest = from;
  for (let i = from + step; i < to; i += step) if (end[i] - start[i] > end[longest] - start[longest]) longest = i;
  return longest;
}

function darker(color) {
  return (color & 0xff000000) | ((color & 0xfefefe) >>> 1) + ((color & 0xfcfcfc) >>> 2);
}

// The slice of a row at a time, or one not further away than near; -1 if there is none.
function sliceAt({ start, end, count }, time, near) {
  const next = firstAbove(end, time - 0.5);
  let best = -1, distance = near;
  for (const i of [next, next - 1]) {
    if (i < 0 || i >= count) continue;
    const away = Math.max(start[i] - time, time - end[i], 0);
    if (away <= distance) [best, distance] = [i, away];
  }
  return best;
}

// Time within a slice that was not in the slices below it.
function selfTime(row, i, below) {
  const duration = row.end[i] - row.start[i];
  if (!below) return duration;
  return duration - (below.sum[firstAbove(below.start, row.end[i] - 0.5)] - below.sum[firstAbove(below.end, row.start[i])]);
}

// Adds to each bin how much of it the row covers.
function addCoverage({ start, end, count }, from, scale, bins) {
  for (let i = 0; i < count; i++) {
    const left = (start[i] - from) / scale, right = (end[i] - from) / scale;
    for (let bin = Math.max(Math.floor(left), 0); bin < right && bin < bins.length; bin++)
      bins[bin] += Math.min(right, bin + 1) - Math.max(left, bin);
  }
}

// The slices of one function: the longest, or the nearest that begins after (before) a time.
function findCall(trace, threads, fn, better) {
  let best = null;
  for (const thread of threads)
    thread.rows.forEach((row, depth) => {
      for (let i = 0; i < row.count; i++)
        if (trace.stacks.fn[row.item[i]] === fn && better(row.start[i], row.end[i], best)) best = { thread, row, depth, index: i, start: row.start[i], end: row.end[i] };
    });
  return best;
}

function matcher(text, expression) {
  if (expression) {
    const pattern = new RegExp(text, "i");
    return name => pattern.test(name);
  }
  const lower = text.toLowerCase();
  return name => name.toLowerCase().includes(lower);
}

if (typeof module !== "undefined") module.exports = { fromBase64, inflate, decode, sumStacks, sumFunctions, sumSpans, wantedShare, layFlames, boxAt, paintRow, sliceAt, selfTime, addCoverage, findCall, matcher, firstAbove, firstAtLeastFrom };
