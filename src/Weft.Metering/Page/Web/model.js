// From the text in the page to what it shows. Pure: needs no document.

async function unpack(text) {
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return read(JSON.parse(await new Response(stream).text()));
}

// Counts that numbers cannot tell apart come as text: they are shown as they are, and good enough for widths and order.
function read(data) {
  const functions = data.functions.map(([name, symbol, module, file, line, self, inclusive, calls]) => ({ name, symbol, module, file, line, self, inclusive, calls }));
  const stacks = [{ name: "all", parent: -1, calls: 0, self: 0, total: 0, depth: 0, children: [] }];
  for (const [parent, name, calls, self] of data.stacks ?? []) {
    const stack = { name, parent, calls: Number(calls), self: Number(self), total: Number(self), depth: stacks[parent].depth + 1, children: [] };
    stacks[parent].children.push(stack);
    stacks.push(stack);
  }
  for (let i = stacks.length - 1; i > 0; i--) stacks[stacks[i].parent].total += stacks[i].total;
  for (const stack of stacks) stack.children.sort((a, b) => b.total - a.total);
  return { ...data, functions, hasCalls: "stacks" in data, stacks, total: data.total };
}

// Boxes from left to right and caller to callee, in shares of the width: the focus has all of it, and so have its callers.
function layOut(stacks, focus, narrowest = 0.0005) {
  const boxes = [];
  for (let stack = focus; stack; stack = stacks[stack.parent]) boxes.push({ stack, x: 0, width: 1 });
  boxes.reverse();
  const waiting = [boxes[boxes.length - 1]], whole = focus.total || 1;
  while (waiting.length) {
    const { stack, x } = waiting.pop();
    let left = x;
    for (const child of stack.children) {
      const box = { stack: child, x: left, width: child.total / whole };
      left += box.width;
      if (box.width < narrowest) break; // the others are no wider
      boxes.push(box);
      waiting.push(box);
    }
  }
  return boxes;
}

function sorted(functions, key, down) {
  const order = (a, b) => key === "name" ? (a.name < b.name ? -1 : a.name > b.name ? 1 : 0) : Number(a[key]) - Number(b[key]);
  return functions.toSorted((a, b) => down ? order(b, a) : order(a, b));
}

function exact(count) { return (typeof count === "number" ? count : BigInt(count)).toLocaleString("en"); }

function percent(part, whole) { return `${(Number(whole) ? 100 * Number(part) / Number(whole) : 0).toFixed(1)} %`; }

function hueOf(text) {
  let value = 2166136261;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16777619);
  return (value >>> 8) % 24 * 15;
}

if (typeof module !== "undefined") module.exports = { unpack, read, layOut, sorted, exact, percent };
