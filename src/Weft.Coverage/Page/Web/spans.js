// Which part of a line ran how often: from segments, which say what begins where, to spans of lines. Pure.

const Flag = { counted: 1, entry: 2, gap: 4 };

// Of a segment: [line, column, count, flags].
function stateOf(segment) {
  if (!segment) return "none";
  const [, , count, flags] = segment;
  if (!(flags & Flag.counted)) return flags & Flag.entry ? "skipped" : "none";
  if (flags & Flag.gap) return "gap";
  return count === 0 ? "missing" : "covered";
}

// Counts that JavaScript's numbers cannot hold are text.
function larger(a, b) { return typeof a === "number" && typeof b === "number" ? a > b : BigInt(a) > BigInt(b); }

function add(a, b) {
  const sum = typeof a === "number" && typeof b === "number" ? a + b : NaN;
  if (Number.isSafeInteger(sum)) return sum;
  return String(BigInt(a) + BigInt(b));
}

// Lines that have code, with the largest count of their regions: as LLVM counts them.
function countLines(segments) {
  const counts = new Map();
  for (let start = 0, end; start < segments.length; start = end) {
    const line = segments[start][0];
    for (end = start + 1; end < segments.length && segments[end][0] === line; end++);
    const count = countOfLine(segments, start, end);
    if (count !== null) counts.set(line, count);
    if (end === segments.length || !(segments[end - 1][3] & Flag.counted)) continue;
    for (let between = line + 1; between < segments[end][0]; between++) counts.set(between, segments[end - 1][2]);
  }
  return counts;
}

function countOfLine(segments, start, end) {
  const before = start > 0 ? segments[start - 1] : [0, 0, 0, 0], isEntry = flags => (flags & Flag.counted) && (flags & Flag.entry);
  let entries = 0, most = before[2];
  for (let i = start; i < end; i++) {
    const [, , count, flags] = segments[i];
    if (!isEntry(flags)) continue;
    entries++;
    if (!(flags & Flag.gap) && larger(count, most)) most = count;
  }
  const beginsSkipped = stateOf(segments[start]) === "skipped";
  return entries || (!beginsSkipped && before[3] & Flag.counted) ? most : null;
}

// The same text with other counts for one function: those of an instantiation.
function replaceSegments(segments, [line, column, endLine, endColumn], others) {
  const isBefore = (segment, l, c) => segment[0] < l || segment[0] === l && segment[1] < c;
  const before = segments.filter(s => isBefore(s, line, column)), behind = segments.filter(s => !isBefore(s, endLine, endColumn));
  return [...before, ...others.filter(s => isBefore(s, endLine, endColumn)), ...(behind[0]?.[0] === endLine && behind[0][1] === endColumn ? [] : [[endLine, endColumn, 0, 0]]), ...behind];
}

// A text, its tokens and its segments, by line.
class Spans {
  constructor(text, segments, path, first = 1) {
    this.text = text ?? "";
    this.first = first; // number of the first line
    this.starts = [0];
    for (let at = this.text.indexOf("\n"); at >= 0; at = this.text.indexOf("\n", at + 1)) this.starts.push(at + 1);
    if (this.text.endsWith("\n")) this.starts.pop(); // a line that nobody wrote
    this.tokenizer = new Tokenizer(this.text, languageOf(path));
    this.setSegments(segments);
  }

  get count() { return this.text ? this.starts.length : 0; }

  setSegments(segments) {
    this.segments = segments;
    this.lineCounts = countLines(segments);
    this.states = segments.map((_, i) => this.state(i));
  }

  // Where a region that did not run goes on behind one within it, there may be no more than what ends a statement.
  state(index) {
    const [line, column, , flags] = this.segments[index], next = this.segments[index + 1], state = stateOf(this.segments[index]);
    if (state !== "missing" || flags & Flag.entry || !this.text || !next || next[0] - line > 3) return state;
    return /^[\s;{}()]*$/.test(this.slice(line, column, next[0], next[1])) ? "blank" : state;
  }

  // Without what ends the line.
  line(number) {
    const index = number - this.first;
    if (index < 0 || index >= this.count) return "";
    const end = index + 1 < this.starts.length ? this.starts[index + 1] - 1 : this.text.length;
    const line = this.text.slice(this.starts[index], end);
    const bare = line.endsWith("\n") ? line.slice(0, -1) : line;
    return bare.endsWith("\r") ? bare.slice(0, -1) : bare;
  }

  // Text between two places; what is between lines is one space.
  slice(line, column, endLine, endColumn, most = 120) {
    const parts = [];
    for (let l = line, length = 0; l <= endLine && length <= most; l++) {
      const text = this.line(l).slice(l === line ? column - 1 : 0, l === endLine ? endColumn - 1 : undefined).trim();
      parts.push(text);
      length += text.length + 1;
    }
    const text = parts.join(" ");
    return text.length > most ? text.slice(0, most - 1) + "…" : text;
  }

  // Index of the first segment at a line or behind it.
  firstSegment(line) {
    let low = 0, high = this.segments.length;
    while (low < high) {
      const middle = low + high >> 1;
      if (this.segments[middle][0] < line) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Parts of a line: { from, to, segment }, which cover it from its begin to its end. The white space before text is on its own.
  regions(number) {
    const text = this.line(number), spans = [];
    const add = (from, to, segment) => { if (to > from) spans.push({ from, to, segment }); };
    const indent = text.length - text.trimStart().length;
    let index = this.firstSegment(number), from = 0, segment = index - 1;
    if (indent && segment >= 0) {
      add(0, indent, -1);
      from = indent;
    }
    for (; index < this.segments.length && this.segments[index][0] === number; index++) {
      const to = Math.min(Math.max(this.segments[index][1] - 1, from), text.length);
      add(from, to, segment);
      [from, segment] = [to, index];
    }
    add(from, text.length, segment);
    return spans;
  }

  // Parts of a line in which nothing changes: { text, token, segment }. Their texts are the text of the line.
  pieces(number) {
    const text = this.line(number), offset = this.starts[number - this.first] ?? 0, pieces = [];
    const tokens = this.tokenizer.until(offset + text.length);
    let token = firstToken(tokens, offset);
    for (const { from, to, segment } of this.regions(number)) {
      for (let at = from; at < to;) {
        while (token < tokens.length && tokens[token + 1] <= offset + at) token += 3;
        const begin = (tokens[token] ?? Infinity) - offset, isIn = begin <= at;
        const end = Math.min(to, isIn ? tokens[token + 1] - offset : begin);
        pieces.push({ text: text.slice(at, end), token: isIn ? tokenKinds[tokens[token + 2]] : "", segment });
        at = end;
      }
    }
    return pieces;
  }

  // Stretches that did not run, with all that is nested in them; what is between them may be no code: closing braces, but no empty line.
  missing() {
    const stretches = [];
    let open = null;
    this.segments.forEach(([line, column, count], index) => {
      const state = this.states[index], isSpace = state === "none" || (state === "gap" || state === "blank") && count === 0;
      if (state !== "missing" && !isSpace) open = null;
      if (state !== "missing") return;
      if (open && !this.isJoined(this.segments[open.last + 1][0], line)) open = null;
      if (!open) stretches.push(open = { line, column, segment: index });
      open.last = index;
    });
    return stretches.map(stretch => ({ ...stretch, ...this.endOf(this.segments[stretch.last + 1] ?? this.segments.at(-1)) }));
  }

  isJoined(line, next) {
    for (let between = line + 1; between < next; between++) if (between > line + 3 || !this.line(between).trim()) return false;
    return true;
  }

  // Before white space that a stretch may end with.
  endOf([line, column]) {
    while (this.count && line > this.first && !this.line(line).slice(0, column - 1).trim()) column = this.line(--line).length + 1;
    return { endLine: line, endColumn: column };
  }
}

// Index of the first token that ends behind an offset.
function firstToken(tokens, offset) {
  let low = 0, high = tokens.length / 3;
  while (low < high) {
    const middle = low + high >> 1;
    if (tokens[middle * 3 + 1] <= offset) low = middle + 1;
    else high = middle;
  }
  return low * 3;
}
