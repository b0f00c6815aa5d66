// What the page knows of the program and of one file. Pure.

const kinds = ["lines", "regions", "functions", "branches", "mcdc"];

function share([covered, all]) { return all ? covered / all : NaN; }

function isComplete(sums) { return kinds.every(kind => sums[kind][0] === sums[kind][1]); }

function addSums(into, sums) {
  for (const kind of kinds) {
    into[kind][0] += sums[kind][0];
    into[kind][1] += sums[kind][1];
  }
  return into;
}

function noSums() { return Object.fromEntries(kinds.map(kind => [kind, [0, 0]])); }

// Folders with their files and sums. A folder that has but one folder is shown as one with it.
function buildTree(files) {
  const root = { name: "", path: "", folders: new Map(), files: [], sums: noSums() };
  for (const file of files) {
    const names = file.path.split("/");
    let folder = root;
    addSums(root.sums, file);
    for (const name of names.slice(0, -1)) {
      if (!folder.folders.has(name)) folder.folders.set(name, { name, path: `${folder.path}${name}/`, folders: new Map(), files: [], sums: noSums() });
      folder = folder.folders.get(name);
      addSums(folder.sums, file);
    }
    folder.files.push(file);
  }
  return shorten(root);
}

function shorten(folder) {
  const folders = [...folder.folders.values()].map(shorten);
  if (folder.path && !folder.files.length && folders.length === 1) return { ...folders[0], name: `${folder.name}/${folders[0].name}` };
  return { ...folder, folders };
}

// Whether all words are in a text, in any order.
function matcher(query) {
  const words = query.toLowerCase().split(/\s+/).filter(word => word);
  return text => {
    const lower = text.toLowerCase();
    return words.every(word => lower.includes(word));
  };
}

// Sorts as people count: what has no number comes last.
function comparer(key, down) {
  const value = key === "path" ? item => item.path : key === "missing" ? item => item.lines[1] - item.lines[0] : item => share(item[key]);
  return (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (typeof x === "number" && isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
    const order = x < y ? -1 : x > y ? 1 : a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
    return down && x !== y ? -order : order;
  };
}

// What the search finds: those first that begin with the text, then the shorter ones.
function search(query, index, functions, most = 60) {
  const text = query.trim().toLowerCase(), words = text.split(/\s+/), found = [];
  if (!text) return found;
  functions.lower ??= functions.map(([name]) => name.toLowerCase());
  const matches = lower => words.every(word => lower.includes(word));
  const rank = name => {
    const at = name.toLowerCase().indexOf(text), isStart = at === 0 || at > 0 && !/[\w]/.test(name[at - 1]);
    return (at < 0 ? 4000 : isStart ? 0 : 2000) + Math.min(name.length, 1000);
  };
  for (const file of index.files) if (matches(file.path.toLowerCase())) found.push({ file, name: file.path, line: 0, rank: rank(file.path.split("/").pop()) });
  functions.forEach(([name, file, line, count], i) => {
    if (matches(functions.lower[i])) found.push({ file: index.files[file], name, line, count, rank: rank(name) + 1 });
  });
  found.sort((a, b) => a.rank - b.rank);
  return Object.assign(found.slice(0, most), { all: found.length });
}

// #path or #path:line
function readHash(hash) {
  let text = hash.replace(/^#/, "");
  try {
    text = decodeURIComponent(text);
  } catch { /* taken as it is */ }
  const [, path, line] = text.match(/^([\s\S]*?)(?::(\d+))?$/);
  return { path, line: Number(line ?? 0) };
}

function writeHash(path, line) { return "#" + encodeURI(path).replaceAll("#", "%23").replaceAll("?", "%3F") + (line ? `:${line}` : ""); }

class FileModel {
  constructor(data) {
    Object.assign(this, data);
    this.spans = new Spans(data.source, data.segments, data.path);
    this.count = this.spans.count || this.lastLine();
    this.byLine = new Map(); // what there is to say about a line
    this.apart = []; // functions of which one instantiation is shown
    data.branches.forEach(b => this.at(b[0]).branches.push(b));
    data.decisions.forEach(d => this.at(d.at[0]).decisions.push(d));
    data.expansions.forEach(e => this.at(e.at[0]).expansions.push(e));
    data.functions.forEach((f, i) => {
      f.index = i;
      f.chosen = -1; // all instantiations
      f.count = f.instances.map(instance => instance.count).reduce(add, 0);
      f.unused = f.instances.every(instance => instance.unused);
      this.at(f.at[0]).functions.push(f);
    });
    this.update();
  }

  at(line) {
    if (!this.byLine.has(line)) this.byLine.set(line, { branches: [], decisions: [], expansions: [], functions: [] });
    return this.byLine.get(line);
  }

  // Indexes of the tests that reach a line.
  testsAt(line) {
    this.testLines ??= new Map(this.tests ?? []);
    return this.testSets?.[this.testLines.get(line)] ?? [];
  }

  lastLine() { return this.segments.reduce((last, segment) => Math.max(last, segment[0]), 0); }

  update() {
    this.missing = this.spans.missing();
    this.elses = this.implicitElses();
  }

  // Shows one instantiation of a function, or all (-1).
  choose(fn, instance) {
    fn.chosen = instance;
    let segments = this.segments;
    this.apart = this.functions.filter(f => f.chosen >= 0);
    for (const f of this.apart) if (f.instances[f.chosen].segments) segments = replaceSegments(segments, f.at, f.instances[f.chosen].segments);
    this.spans.setSegments(segments);
    this.update();
  }

  branchesAt(line) {
    const all = this.byLine.get(line)?.branches ?? [];
    const fn = this.apart.find(f => f.instances[f.chosen].branches && line >= f.at[0] && line <= f.at[2]);
    return fn ? fn.instances[fn.chosen].branches.filter(b => b[0] === line) : all;
  }

  // missing, partial, covered, or none where there is no code
  stateOf(line) {
    const count = this.spans.lineCounts.get(line);
    if (count === undefined) return "none";
    if (count === 0) return "missing";
    const isPartial = this.spans.regions(line).some(r => this.spans.states[r.segment] === "missing") || this.branchesAt(line).some(b => outcomes(b).length);
    return isPartial ? "partial" : "covered";
  }

  // The innermost one; they are in the order of their beginnings.
  functionAt(line, column) {
    const isIn = ([l, c, endLine, endColumn]) => (line > l || line === l && column >= c) && (line < endLine || line === endLine && column < endColumn);
    return this.functions.findLast(f => f.at[0] <= line && isIn(f.at)) ?? null;
  }

  // rustc has regions of one character, for ways that have no text: around an if without else it is the closing brace, out of
  // a function the last brace, and back to the caller the question mark.
  implicitElses() {
    const elses = new Map(), { segments } = this.spans;
    if (!/\.rs$/.test(this.path)) return elses;
    segments.forEach(([line, column, , flags], i) => {
      const next = segments[i + 1];
      if (!(flags & Flag.counted) || !(flags & Flag.entry) || !next || next[0] !== line || next[1] !== column + 1) return;
      const text = this.spans.line(line)[column - 1], fn = this.functionAt(line, column);
      if (fn?.count === 0) return;
      if (text === "?") elses.set(i, "return");
      else if (text === "}") elses.set(i, fn?.at[2] === line && fn.at[3] === column + 1 ? "end" : "else");
    });
    return elses;
  }

  // The count of each instantiation where a segment begins, if there are several.
  instanceCounts(segment) {
    const [line, column] = this.spans.segments[segment], fn = this.functionAt(line, column);
    if (!fn || fn.instances.length < 2) return [];
    return fn.instances.map(instance => {
      const before = instance.segments.findLast(s => s[0] < line || s[0] === line && s[1] <= column);
      return { name: instance.name, count: before && before[3] & Flag.counted ? before[2] : null, unused: instance.unused };
    });
  }
}

// Of a function without code: what has parameters of its own would have been made for each use of it.
function unusedText({ name }) { return name.includes("<") ? "never instantiated" : "never used"; }

// What never happened of a condition: [line, column, endLine, endColumn, true, false, constant].
function outcomes([, , , , whenTrue, whenFalse, constant]) {
  return [whenTrue === 0 && !(constant & 1) ? "never true" : "", whenFalse === 0 && !(constant & 2) ? "never false" : ""].filter(text => text);
}

// In words, for a branch.
function outcomeText(branch) {
  const [, , , , whenTrue, whenFalse, constant] = branch, missing = outcomes(branch);
  if (constant === 3) return "constant";
  if (missing.length === 2) return "never evaluated";
  if (missing.length) return missing[0];
  if (constant & 1) return "cannot be true";
  if (constant & 2) return "cannot be false";
  return whenTrue === whenFalse ? "both, equally often" : "both";
}
