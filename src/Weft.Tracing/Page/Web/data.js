// From the text in the page to typed arrays; the counterpart of PageData.cs. Pure: needs no document.

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const values = new Uint8Array(128);
  for (let i = 0; i < 64; i++) values["ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".charCodeAt(i)] = i;
  const bytes = new Uint8Array(text.length / 4 * 3);
  for (let i = 0, o = 0; i < text.length; i += 4) {
    const group = values[text.charCodeAt(i)] << 18 | values[text.charCodeAt(i + 1)] << 12 | values[text.charCodeAt(i + 2)] << 6 | values[text.charCodeAt(i + 3)];
    bytes[o++] = group >> 16;
    bytes[o++] = group >> 8;
    bytes[o++] = group;
  }
  return bytes.subarray(0, bytes.length - (text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0));
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  number() {
    let byte = this.bytes[this.at++], value = byte & 127;
    for (let scale = 128; byte >= 128; scale *= 128) {
      byte = this.bytes[this.at++];
      value += (byte & 127) * scale;
    }
    return value;
  }

  slice() {
    const length = this.number();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  text() { return Reader.utf8.decode(this.slice()); }

  list(read) { return Array.from({ length: this.number() }, () => read(this)); }

  // A column of so many numbers. Most are of one or two bytes; all of a trace goes through here.
  numbers(count, into = new Float64Array(count), offset = 0) {
    const column = new Reader(this.slice()), { bytes } = column;
    for (let i = offset; i < offset + count; i++) {
      const first = bytes[column.at];
      if (first < 128) {
        into[i] = first;
        column.at++;
      } else if (bytes[column.at + 1] < 128) {
        into[i] = first & 127 | bytes[column.at + 1] << 7;
        column.at += 2;
      } else into[i] = column.number();
    }
    return into;
  }
}
Reader.utf8 = new TextDecoder();

const Kind = { end: 0, call: 1, span: 2, event: 3 };

// The whole trace.
function decode(bytes) {
  const reader = new Reader(bytes);
  if (reader.number() !== 1) throw new Error("the data of this page are of another version");
  const trace = {
    calls: reader.number(),
    program: reader.text(),
    arguments: reader.list(r => r.text()),
    started: reader.number(),
    from: reader.number(),
    to: reader.number(),
    shortestCall: reader.number(),
    shortestSpan: reader.number(),
    complaints: reader.list(r => r.text()),
    remarks: reader.list(r => r.text()),
    notes: reader.list(r => ({ time: r.number(), text: r.text() })),
    modules: reader.list(r => r.text()),
    functions: reader.list(r => ({ name: r.text(), symbol: r.text(), file: r.text(), line: r.number(), module: r.number() - 1 })),
    spans: reader.list(r => r.text()),
    types: reader.list(r => r.text()),
  };
  trace.stacks = readStacks(reader);
  trace.threads = reader.list(readThread);
  readBlocks(reader, trace);
  return trace;
}

function readStacks(reader) {
  const count = reader.number() + 1;
  const parent = new Int32Array(count), fn = new Int32Array(count), depth = new Int32Array(count);
  reader.numbers(count - 1, parent, 1);
  reader.numbers(count - 1, fn, 1);
  fn[0] = depth[0] = -1; // the root is no call
  for (let node = 1; node < count; node++) {
    parent[node] = node - parent[node];
    depth[node] = depth[parent[node]] + 1;
  }
  const { child, next } = family(parent);
  return { count, parent, fn, depth, child, next, outermost: outermost(parent, fn, child, next) };
}

// Children as linked lists.
function family(parent) {
  const child = new Int32Array(parent.length), next = new Int32Array(parent.length);
  for (let node = parent.length - 1; node > 0; node--) {
    next[node] = child[parent[node]];
    child[parent[node]] = node;
  }
  return { child, next };
}

// Which nodes have no caller of the same function: their times add up to the function's, recursive or not.
function outermost(parent, fn, child, next) {
  const open = new Map(), result = new Uint8Array(parent.length);
  for (let node = child[0]; node;) {
    const above = open.get(fn[node]) ?? 0;
    result[node] = above === 0 ? 1 : 0;
    open.set(fn[node], above + 1);
    if (child[node]) {
      node = child[node];
      continue;
    }
    for (; node; node = parent[node]) {
      open.set(fn[node], open.get(fn[node]) - 1);
      if (next[node]) break;
    }
    node = next[node];
  }
  return result;
}

function readThread(reader) {
  const thread = { id: reader.number(), process: reader.number(), name: reader.text(), calls: reader.number(), from: reader.number(), to: reader.number() };
  const count = reader.number();
  const node = reader.numbers(count, new Int32Array(count));
  for (let i = 1; i < count; i++) node[i] += node[i - 1];
  thread.sums = { node, calls: reader.numbers(count), total: reader.numbers(count), longest: reader.numbers(count) };
  return thread;
}

// The blocks are looked at twice: first to know how large the arrays are.
function readBlocks(reader, trace) {
  const blocks = trace.threads.map(() => [[], [], [], []]);
  for (let kind = reader.number(); kind; kind = reader.number()) {
    const block = { thread: reader.number(), count: reader.number(), time: reader.number(), at: reader.at };
    for (let column = 0; column < 5; column++) reader.slice();
    blocks[block.thread][kind].push(block);
  }
  trace.threads.forEach((thread, i) => {
    const { depth } = trace.stacks;
    thread.rows = rowsOf(readSlices(reader, blocks[i][Kind.call]), slices => slices.item.map(node => depth[node]));
    thread.spans = rowsOf(readSlices(reader, blocks[i][Kind.span]), slices => Uint8Array.from(slices.more, at => slices.bytes[at + 1]));
    thread.events = rowsOf(readSlices(reader, blocks[i][Kind.event]), slices => new Uint8Array(slices.count))[0] ?? null;
  });
}

function readSlices(reader, blocks) {
  const count = blocks.reduce((sum, block) => sum + block.count, 0);
  const slices = { count, item: new Int32Array(count), start: new Float64Array(count), end: new Float64Array(count), sure: new Uint8Array(count), more: new Uint32Array(count), bytes: reader.bytes };
  let offset = 0;
  for (const block of blocks) {
    reader.at = block.at;
    readBlock(reader, block, slices, offset);
    offset += block.count;
  }
  return slices;
}

function readBlock(reader, { count, time }, slices, offset) {
  reader.numbers(count, slices.item, offset);
  reader.numbers(count, slices.end, offset);
  reader.numbers(count, slices.start, offset);
  for (let i = offset; i < offset + count; i++) {
    time += slices.end[i];
    slices.end[i] = time;
    slices.start[i] = time - slices.start[i]; // a duration until here
  }
  slices.sure.set(reader.slice(), offset);
  const end = reader.number() + reader.at;
  for (let i = offset; reader.at < end; i++) {
    slices.more[i] = reader.at;
    reader.slice();
  }
}

// Slices side by side, in order: those of one depth of a thread. sum[i] is the duration of all before i.
class Row {
  constructor(slices, order, from, to) {
    this.count = to - from;
    this.start = new Float64Array(this.count);
    this.end = new Float64Array(this.count);
    this.item = new Int32Array(this.count);
    this.sure = new Uint8Array(this.count);
    this.more = new Uint32Array(this.count);
    this.bytes = slices.bytes;
    this.sum = new Float64Array(this.count + 1);
    for (let i = 0; i < this.count; i++) {
      const slice = order[from + i];
      this.start[i] = slices.start[slice];
      this.end[i] = slices.end[slice];
      this.item[i] = slices.item[slice];
      this.sure[i] = slices.sure[slice];
      this.more[i] = slices.more[slice];
      this.sum[i + 1] = this.sum[i] + this.end[i] - this.start[i];
    }
  }

  // What else there is about a slice: values of a call as text, or the data of an event.
  extra(i) {
    const reader = new Reader(this.bytes);
    reader.at = this.more[i];
    return reader.at ? reader.slice() : reader.bytes.subarray(0, 0);
  }
}

// Sorts by lane, within which the slices stay in the order they have.
function rowsOf(slices, laneOf) {
  const lane = laneOf(slices);
  const rows = lane.reduce((most, l) => Math.max(most, l + 1), 0);
  const begin = new Int32Array(rows + 1);
  for (let i = 0; i < slices.count; i++) begin[lane[i] + 1]++;
  for (let row = 0; row < rows; row++) begin[row + 1] += begin[row];
  const place = begin.slice(), order = new Int32Array(slices.count);
  for (let i = 0; i < slices.count; i++) order[place[lane[i]]++] = i;
  return Array.from({ length: rows }, (_, row) => new Row(slices, order, begin[row], begin[row + 1]));
}
