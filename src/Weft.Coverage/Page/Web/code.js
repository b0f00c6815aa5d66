// Lines of source, made as they come near: a file may have hundreds of thousands.

const blockSize = 100, rowHeight = 20;
const allAtOnce = 3000; // lines that browsers lay out without being noticed, and can search and print

class CodeView {
  constructor(file, pane) {
    this.file = file;
    this.model = file.model;
    this.pane = pane;
    this.lines = make("div", { className: "lines" });
    this.lines.style.setProperty("--digits", Math.max(String(this.model.count).length, 3));
    this.blocks = Array.from({ length: Math.ceil(this.model.count / blockSize) }, (_, i) => this.block(i));
    this.lines.append(...this.blocks);
    if (this.model.count > allAtOnce) this.lines.style.minWidth = `${this.longest() + 30}ch`;
    pane.replaceChildren(this.lines);
    pane.scrollTo(0, 0);
    if (this.model.count > allAtOnce) this.observe();
    else for (const block of this.blocks) this.fill(block);
  }

  close() { this.observer?.disconnect(); }

  longest() {
    const { starts } = this.model.spans;
    return Math.min(starts.reduce((most, start, i) => Math.max(most, (starts[i + 1] ?? this.model.spans.text.length) - start), 0), 2000);
  }

  block(index) {
    const block = make("div");
    block.index = index;
    block.first = index * blockSize + 1;
    block.last = Math.min(block.first + blockSize - 1, this.model.count);
    block.style.height = `${(block.last - block.first + 1) * rowHeight}px`;
    return block;
  }

  observe() {
    this.observer = new IntersectionObserver(entries => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.fill(target);
        else this.empty(target);
      }
    }, { root: this.pane, rootMargin: "1500px 0px" });
    for (const block of this.blocks) this.observer.observe(block);
  }

  fill(block) {
    if (block.filled) return;
    block.filled = true;
    block.style.height = "";
    const rows = [];
    for (let line = block.first; line <= block.last; line++) rows.push(this.line(line));
    block.replaceChildren(...rows);
  }

  empty(block) {
    if (!block.filled) return;
    block.style.height = `${block.offsetHeight}px`;
    block.filled = false;
    block.replaceChildren();
  }

  fillAll() { for (const block of this.blocks) this.fill(block); }

  // A line with all that is opened below it.
  line(number) {
    const holder = make("div", {}, this.row(number));
    holder.append(...this.file.details.boxes(number));
    return holder;
  }

  row(number) {
    const { spans } = this.model, state = this.model.stateOf(number);
    const row = make("div", { className: `row ${state}${number === this.file.target ? " target" : ""}` });
    row.dataset.line = number;
    const link = make("a", { className: "number", href: writeHash(this.file.path, number), tabIndex: -1, textContent: number, "aria-label": `Line ${number}` });
    const text = make("span", { className: "text" });
    for (const piece of spans.pieces(number)) text.append(pieceOf(spans, piece));
    row.append(gutter(link, spans.lineCounts.get(number), state), text);
    const notes = this.file.details.chips(number);
    if (notes.length) row.append(make("span", { className: "notes" }, ...notes));
    return row;
  }

  holder(number) {
    const block = this.blocks[Math.floor((number - 1) / blockSize)];
    if (!block) return null;
    this.fill(block);
    return block.children[number - block.first];
  }

  refresh(from, to = from) {
    for (let line = from; line <= to; line++) {
      const block = this.blocks[Math.floor((line - 1) / blockSize)];
      if (block?.filled) block.children[line - block.first].replaceWith(this.line(line));
    }
  }

  scrollTo(line) { this.holder(line)?.scrollIntoView({ block: "center", inline: "nearest" }); }

  // All parts of a stretch on a line.
  parts(line, from, to) {
    return [...this.holder(line)?.querySelectorAll(":scope > .row > .text > [data-segment]") ?? []].filter(part => part.dataset.segment >= from && part.dataset.segment <= to);
  }
}

function pieceOf(spans, { text, token, segment }) {
  const state = spans.states[segment];
  const className = [token && `k-${token}`, state === "missing" && "r-missing", state === "skipped" && "r-skipped"].filter(name => name).join(" ");
  const piece = make("span", { className, textContent: text });
  if (segment >= 0 && (state === "missing" || state === "covered")) piece.dataset.segment = segment;
  return piece;
}

const marks = { missing: ["✕", "did not run"], partial: ["◐", "ran in part"] };

function gutter(number, count, state) {
  const [sign, words] = marks[state] ?? ["", ""];
  const times = make("span", { className: "times", textContent: count === undefined ? "" : short(count) });
  if (count !== undefined && typeof count !== "number" || count >= 1000) times.title = exact(count);
  const mark = make("span", { className: `mark ${state}`, textContent: sign, title: words });
  if (sign) Object.assign(mark, { role: "img", ariaLabel: words });
  return make("span", { className: "gutter" }, number, times, mark);
}
