// Just enough of Rust, C and C++ to colour them. Pure, and linear in the text, whatever it is: what has a beginning is looked up
// by one expression, its end by a search for the text that ends it.

const languages = {
  rust: {
    files: /\.rs$/,
    keywords: "as async await break const continue crate dyn else enum extern fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true false type union unsafe use where while yield",
    types: "bool char str u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 String Vec Option Result Box Some None Ok Err",
    start: /(?<comment>\/\/[^\n]*)|(?<block>\/\*)|(?<raw>\b(?:b|c|br|cr)?r(?<hashes>#*)")|(?<string>\b[bc]?"|")|(?<char>b?'(?:\\u\{[^}'\n]{0,8}\}|\\x[\da-fA-F]{2}|\\[^\n]|[^'\\\n])')|(?<lifetime>'[\p{L}_][\p{L}\p{N}_]*)|(?<meta>#!?\[[^\]\n]*\]?)|(?<number>\b\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?\w*)|(?<macro>[\p{L}_][\p{L}\p{N}_]*!(?![=]))|(?<word>[\p{L}_][\p{L}\p{N}_]*)/gu,
    nested: true,
    multiline: true,
  },
  c: {
    files: /\.(?:c|h|cc|cpp|cxx|c\+\+|hh|hpp|hxx|h\+\+|inc|inl|ipp|tcc|m|mm|cu)$/i,
    keywords: "alignas alignof and asm auto break case catch class co_await co_return co_yield concept const consteval constexpr constinit const_cast continue decltype default delete do dynamic_cast else enum explicit export extern false final for friend goto if inline mutable namespace new noexcept not nullptr operator or override private protected public register reinterpret_cast requires restrict return sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename union using virtual volatile while NULL _Atomic _Bool _Generic _Noreturn _Static_assert _Thread_local",
    types: "void bool char short int long float double signed unsigned wchar_t char8_t char16_t char32_t size_t ssize_t ptrdiff_t intptr_t uintptr_t int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t FILE string vector map set pair",
    start: /(?<comment>\/\/(?:\\\r?\n|[^\n])*)|(?<block>\/\*)|(?<raw>(?:\b(?:u8|[uUL]))?R"(?<hashes>[^()\\\s]{0,16})\()|(?<string>(?:\b(?:u8|[uUL]))?")|(?<char>(?:\b(?:u8|[uUL]))?'(?:\\[^\n][^'\n]{0,8}|[^'\\\n]{1,4})')|(?<meta>(?<=^[ \t]*)#[ \t]*[a-z_]*(?:[ \t]*<[^>\n]*>)?)|(?<number>\b\d(?:[eEpP][+-]|'(?=\w)|[\w.])*)|(?<word>[\p{L}_$][\p{L}\p{N}_$]*)/gmu,
    nested: false,
    multiline: false,
  },
};

for (const language of Object.values(languages)) {
  language.words = new Map([...language.types.split(" ").map(word => [word, "type"]), ...language.keywords.split(" ").map(word => [word, "keyword"])]);
}

function languageOf(path) { return Object.values(languages).find(language => language.files.test(path)) ?? null; }

// Tokens as numbers in threes: where each begins, where it ends, and its kind as an index into tokenKinds.
const tokenKinds = ["comment", "string", "number", "keyword", "type", "macro", "meta"];
const mostHighlighted = 4 << 20;

function tokenize(text, language) { return new Tokenizer(text, language).until(text.length); }

// Goes as far as it is asked to: of a long file mostly the beginning is looked at.
class Tokenizer {
  constructor(text, language) {
    Object.assign(this, { text, language, tokens: [] });
    this.at = language && text.length <= mostHighlighted ? 0 : Infinity;
  }

  // All tokens that begin before an offset, and perhaps more.
  until(offset) {
    while (this.at < offset) this.next();
    return this.tokens;
  }

  next() {
    const { text, language } = this, { start } = language;
    start.lastIndex = this.at;
    const match = start.exec(text);
    if (!match) {
      this.at = Infinity;
      return;
    }
    const [kind, end] = kindOf(text, match, match.index + match[0].length, language);
    if (kind) this.tokens.push(match.index, end, tokenKinds.indexOf(kind));
    this.at = end;
  }
}

function kindOf(text, { 0: word, groups }, end, language) {
  if (groups.word) return [language.words.get(word), end];
  if (groups.comment) return ["comment", end];
  if (groups.block) return ["comment", endOfComment(text, end, language.nested)];
  if (groups.raw) return ["string", endOfRaw(text, end, groups.hashes, language)];
  if (groups.string) return ["string", endOfString(text, end, language.multiline)];
  if (groups.char) return ["string", end];
  if (groups.lifetime) return ["type", end];
  return [groups.meta ? "meta" : groups.number ? "number" : "macro", end];
}

function endOfComment(text, at, nested) {
  const marks = /\/\*|\*\//g;
  let depth = 1;
  marks.lastIndex = at;
  for (let match; (match = marks.exec(text));) {
    if (match[0] === "*/") depth--;
    else if (nested) depth++;
    if (!depth) return marks.lastIndex;
  }
  return text.length;
}

function endOfRaw(text, at, hashes, language) {
  const closing = language.nested ? `"${hashes}` : `)${hashes}"`;
  const end = text.indexOf(closing, at);
  return end < 0 ? text.length : end + closing.length;
}

function endOfString(text, at, multiline) {
  for (; at < text.length; at++) {
    const character = text[at];
    if (character === "\\") at++;
    else if (character === "\"") return at + 1;
    else if (character === "\n" && !multiline) return at;
  }
  return text.length;
}
