// What there is to say about a line besides its count: chips behind it, and boxes below it that chips open.

const mostTests = 500; // shown at once
const neverText = { else: "condition was never false", end: "never got to the end", return: "never returned here" };

class Details {
  constructor(file) {
    this.file = file;
    this.model = file.model;
    this.open = new Set();
  }

  chips(line) {
    const found = this.model.byLine.get(line), chips = [...this.testChips(line), ...this.elseChips(line)];
    if (!found) return chips;
    const branches = this.model.branchesAt(line);
    if (branches.length) chips.push(this.toggle(line, "branches", this.branchText(branches), branches.some(branch => outcomes(branch).length)));
    if (found.decisions.length) {
      const sums = found.decisions.map(decisionSum).reduce((a, b) => [a[0] + b[0], a[1] + b[1]]);
      chips.push(this.toggle(line, "decisions", `MC/DC ${sums[0]} of ${sums[1]}`, sums[0] < sums[1]));
    }
    for (const f of found.functions) {
      if (f.unused) chips.push(make("span", { className: "chip bad", title: "The compiler made no code for it, since nothing in the program uses it" }, unusedText(f)));
      if (f.instances.length > 1) chips.push(this.toggle(line, `function ${f.index}`, f.chosen < 0 ? plural(f.instances.length, "instantiation") : `only ${f.instances[f.chosen].name}`, f.instances.some(i => i.regions[0] < i.regions[1])));
    }
    found.expansions.forEach((expansion, i) => chips.push(this.toggle(line, `expansion ${i}`, this.expansionName(expansion), new Spans(null, expansion.segments, "").missing().length)));
    return chips;
  }

  // Who reaches a line, if the page knows: one test by its name, several by their number.
  testChips(line) {
    const tests = this.model.testsAt(line), [first] = tests;
    if (!tests.length) return [];
    const name = this.file.app.index.tests[first];
    return [this.toggle(line, "tests", tests.length > 1 || name.length > 40 ? plural(tests.length, "test") : name, false)];
  }

  testList(line) {
    const tests = this.model.testsAt(line), names = tests.slice(0, mostTests).map(test => this.file.app.index.tests[test]);
    const list = make("ul", {}, ...names.map(name => make("li", {}, make("code", {}, name))));
    if (tests.length > mostTests) list.append(make("li", {}, `and ${plural(tests.length - mostTests, "test")} more`));
    return [make("h4", {}, `${plural(tests.length, "test reaches", "tests reach")} line ${line}`), list];
  }

  branchText(branches) {
    const bad = branches.filter(branch => outcomes(branch).length).map(branch => `${branches.length > 1 ? textOf(branch, this.model.spans, 28) + ": " : ""}${outcomeText(branch)}`);
    if (bad.length) return bad.slice(0, 3).join(" · ") + (bad.length > 3 ? ` · ${bad.length - 3} more` : "");
    if (branches.length > 1) return `${branches.length} conditions`;
    const [, , , , whenTrue, whenFalse] = branches[0];
    return `${short(whenTrue)} true, ${short(whenFalse)} false`;
  }

  elseChips(line) {
    const { spans, elses } = this.model, chips = [];
    for (let i = spans.firstSegment(line); i < spans.segments.length && spans.segments[i][0] === line; i++)
      if (elses.has(i) && spans.segments[i][2] === 0) chips.push(make("span", { className: "chip bad" }, neverText[elses.get(i)]));
    return chips;
  }

  expansionName({ at }) { return at[1] === 1 && /^\s*#\s*include/.test(this.model.spans.line(at[0])) ? "include" : this.model.spans.slice(...at, 40).match(/^[\w.#]+/)?.[0] ?? "macro"; }

  toggle(line, what, text, isBad) {
    const key = `${line} ${what}`, isOpen = this.open.has(key);
    return button(`${isOpen ? "▾" : "▸"} ${text}`, () => {
      if (!this.open.delete(key)) this.open.add(key);
      this.file.code.refresh(line);
      this.file.code.holder(line).querySelector(`[data-what="${what}"]`)?.focus({ preventScroll: true });
    }, { className: `chip${isBad ? " bad" : ""}`, "aria-expanded": String(isOpen), "data-what": what });
  }

  boxes(line) {
    const found = this.model.byLine.get(line);
    const isOpen = what => this.open.has(`${line} ${what}`), boxes = [];
    if (isOpen("tests")) boxes.push(box(...this.testList(line)));
    if (!found) return boxes;
    if (isOpen("branches")) boxes.push(box(branchTable(this.model.branchesAt(line), this.model.spans)));
    if (isOpen("decisions")) boxes.push(box(...found.decisions.flatMap(decision => decisionTable(decision, this.model.spans, found.decisions.length > 1))));
    for (const f of found.functions) if (isOpen(`function ${f.index}`)) boxes.push(box(this.instances(f)));
    found.expansions.forEach((expansion, i) => { if (isOpen(`expansion ${i}`)) boxes.push(box(this.expansion(expansion))); });
    return boxes;
  }

  instances(f) {
    const choose = instance => {
      this.file.choose(f, instance);
      this.file.code.holder(f.at[0]).querySelector("tr.chosen button")?.focus({ preventScroll: true });
    };
    const row = (name, count, lines, regions, index) => {
      const show = button("Show", () => choose(index), { "aria-pressed": String(f.chosen === index) });
      return make("tr", { className: f.chosen === index ? "chosen" : "" }, make("th", { scope: "row" }, make("code", {}, name)), make("td", { className: "n" }, count), make("td", { className: "n" }, lines), make("td", { className: "n" }, regions), make("td", {}, show));
    };
    const missing = ([covered, all]) => covered === all ? "all" : `${exact(covered)} of ${exact(all)}`;
    const rows = f.instances.map((i, index) => row(i.name, i.unused ? unusedText(i) : exact(i.count), missing(i.lines), missing(i.regions), index));
    const note = this.best(f);
    return make("div", {}, table(["Instantiation", "Calls", "Lines", "Regions", ""], [row("all together", exact(f.count), "", "", -1), ...rows]), note && make("p", {}, note));
  }

  // Sums count a function with the best of its instantiations, which may leave nothing to be seen in all of them together.
  best(f) {
    const [covered, all] = f.lines;
    const isSeen = f.chosen < 0 && this.model.missing.some(m => m.line >= f.at[0] && m.endLine <= f.at[2]);
    return covered < all && f.chosen < 0 && !isSeen ? `Together they run all of it, but none of them alone: the best one runs ${covered} of ${all} lines, and that is what sums say.` : null;
  }

  expansion(expansion, depth = 0) {
    const holder = make("div", {}, make("p", {}, "Reading…"));
    this.file.app.source(expansion.path).then(text => holder.replaceChildren(...this.expanded(expansion, text, depth)), error => holder.replaceChildren(make("p", {}, error.message)));
    return holder;
  }

  expanded(expansion, text, depth) {
    const { segments } = expansion, first = segments[0]?.[0] ?? 1, last = Math.min(segments.at(-1)?.[0] ?? 1, first + 200);
    const spans = new Spans(text, segments, expansion.path);
    const rows = [];
    for (let line = first; line <= last; line++) {
      const count = spans.lineCounts.get(line), state = count === undefined ? "none" : count === 0 ? "missing" : spans.regions(line).some(r => spans.states[r.segment] === "missing") ? "partial" : "covered";
      const row = make("div", { className: `row ${state}` }, gutter(make("span", { className: "number" }, String(line)), count, state), make("span", { className: "text" }, ...spans.pieces(line).map(piece => {
        const made = pieceOf(spans, piece);
        delete made.dataset.segment; // those are of the file
        return made;
      })));
      rows.push(row);
    }
    const parts = [make("h4", {}, "Became, from ", this.file.app.link(expansion.path, first)), make("div", { className: "lines" }, ...rows)];
    if (text === null) parts.push(make("p", {}, "The text of that file is not in this page."));
    if (expansion.branches.length) parts.push(branchTable(expansion.branches, spans));
    for (const inner of expansion.expansions ?? []) {
      const details = make("details", {}, make("summary", {}, make("code", {}, spans.slice(...inner.at, 60) || "macro")));
      details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(this.expansion(inner, depth + 1)); });
      parts.push(details);
    }
    return parts;
  }
}

function box(...content) { return make("div", { className: "box" }, ...content); }

// All columns but the first have numbers, or words.
function table(heads, rows, isText = false) {
  return make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head, i) => make("th", { scope: "col", className: i && !isText ? "n" : "" }, head)))), make("tbody", {}, ...rows));
}

function textOf([line, column, endLine, endColumn], spans, most) { return spans.slice(line, column, endLine, endColumn, most); }

function branchTable(branches, spans) {
  return table(["Condition", "True", "False", " "], branches.map(branch => {
    const bad = outcomes(branch).length > 0;
    return make("tr", {}, make("th", { scope: "row" }, make("code", {}, textOf(branch, spans, 80) || `column ${branch[1]}`)), make("td", { className: "n", title: exact(branch[4]) }, short(branch[4])), make("td", { className: "n", title: exact(branch[5]) }, short(branch[5])),
      make("td", { className: bad ? "bad" : "" }, outcomeText(branch)));
  }));
}

function decisionSum({ conditions }) {
  const asked = conditions.filter(condition => !condition.constant);
  return [asked.filter(condition => condition.pair).length, asked.length];
}

// Conditions with what shows that each alone decides, then the combinations that occurred.
function decisionTable(decision, spans, isNamed) {
  const { at, conditions, vectors } = decision, letters = conditions.map((_, i) => `C${i + 1}`);
  const ends = conditions.map((c, i) => spans.slice(c.line, c.column, at[2], at[3], 4000) && conditionText(spans, c, conditions, at, i));
  const rows = conditions.map((c, i) => make("tr", {}, make("th", { scope: "row" }, `${letters[i]} `, make("code", {}, ends[i])), make("td", { className: c.constant || c.pair ? "" : "bad" },
    c.constant ? "constant" : c.pair ? `shown by ${c.pair[0] + 1} and ${c.pair[1] + 1}` : "not shown")));
  const word = { T: "true", F: "false", "-": "–" };
  const combinations = vectors.map((vector, i) => make("tr", {}, make("th", { scope: "row" }, String(i + 1)), ...[...vector.replace("=", "")].map(value => make("td", {}, word[value]))));
  const [covered, all] = decisionSum(decision);
  return [make("h4", {}, make("code", {}, spans.slice(...at, 100)), `: MC/DC of ${covered} of ${all} conditions${isNamed ? ` in ${decision.function}` : ""}`), table(["Condition", "Alone decides"], rows, true),
    combinations.length ? table(["", ...letters, "Result"], combinations, true) : make("p", {}, "It was never evaluated.")];
}

// The page knows only where a condition begins; it goes on to an operator outside of its brackets.
function conditionText(spans, condition, all, at) {
  const text = spans.slice(condition.line, condition.column, at[2], at[3], 400);
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if ("([{".includes(text[i])) depth++;
    if (")]}".includes(text[i]) && --depth < 0 || depth === 0 && (text.startsWith("&&", i) || text.startsWith("||", i))) return text.slice(0, i).trim();
  }
  return text;
}
