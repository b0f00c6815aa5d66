using System.Globalization;
using System.Text;

namespace Weft.Bench;

/// <summary>
/// A Rust workspace that no registry is needed for: a program of 10,000 lines, seventy modules with ten functions each, and two crates that it uses.
/// It prints what one of its functions returns whenever that is something else than before, which is what an edit is for.
/// </summary>
internal sealed class GeneratedWorkspace
{
    private const int Modules = 70, FunctionsEach = 10;
    private const string First = "let edit = 0;";

    private readonly string edited;
    private readonly string text;

    /// <param name="folder">Where it is written; what was there is deleted.</param>
    public GeneratedWorkspace(string folder)
    {
        Folder = folder;
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Write("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"numbers\", \"texts\"]\n");
        WriteCrate("numbers", "", "lib.rs", Numbers);
        WriteCrate("texts", "numbers = { path = \"../numbers\" }\n", "lib.rs", Texts);
        WriteCrate("app", "numbers = { path = \"../numbers\" }\ntexts = { path = \"../texts\" }\n", "main.rs", Program());
        for (var i = 0; i < Modules; i++) Write($"app/src/m{i}.rs", Module(i));
        edited = Path.Combine(folder, $"app/src/m{Modules / 2}.rs");
        text = File.ReadAllText(edited);
        Lines = Directory.GetFiles(folder, "*.rs", SearchOption.AllDirectories).Sum(f => File.ReadLines(f).Count());
    }

    public string Folder { get; }

    public int Lines { get; }

    /// <summary>Saves another body of one function. 0 is how it was written.</summary>
    public void Edit(int number) => File.WriteAllText(edited, text.Replace(First, $"let edit = {number};", StringComparison.Ordinal));

    private void WriteCrate(string name, string dependencies, string root, string source)
    {
        Write($"{name}/Cargo.toml", $"[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n{dependencies}");
        Write($"{name}/src/{root}", source);
    }

    private void Write(string name, string content)
    {
        var path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
    }

    private static string Program()
    {
        var modules = Enumerable.Range(0, Modules).ToList();
        return $$"""
            use std::io::Write;
            {{string.Concat(modules.Select(m => $"mod m{m};\n"))}}
            const ALL: [fn(u64) -> u64; {{Modules}}] = [{{string.Join(", ", modules.Select(m => $"m{m}::all"))}}];

            // The loop below never ends: what is inlined into it stays as it was.
            #[inline(never)]
            fn round(seed: u64) -> u64 {
                m{{Modules / 2}}::edited(seed)
            }

            fn main() {
                let start = ALL.iter().enumerate().fold(0u64, |sum, (i, all)| sum.wrapping_add(all(i as u64)));
                let (mut out, mut last) = (std::io::stdout(), None);
                loop {
                    let now = round(start);
                    if last != Some(now) {
                        writeln!(out, "{now}").and_then(|_| out.flush()).expect("standard output");
                        last = Some(now);
                    }
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            }

            """;
    }

    private static string Module(int module)
    {
        var source = new StringBuilder("use numbers::{Generator, Matrix};\nuse std::collections::{BTreeMap, HashMap};\n\n");
        source.Append(CultureInfo.InvariantCulture, $"#[derive(Clone, Debug, PartialEq)]\npub struct Item{module} {{\n    pub key: u64,\n    pub name: String,\n    pub weights: Vec<f64>,\n}}\n");
        for (var i = 0; i < FunctionsEach; i++) source.Append('\n').Append(Function(module, i));
        source.Append("\npub fn all(seed: u64) -> u64 {\n    let mut sum = seed;\n");
        for (var i = 0; i < FunctionsEach; i++) source.Append(CultureInfo.InvariantCulture, $"    sum = sum.wrapping_add(f{i}(sum));\n");
        source.Append("    sum\n}\n");
        if (module == Modules / 2) source.Append($"\npub fn edited(seed: u64) -> u64 {{\n    {First}\n    let names: Vec<String> = (0..4).map(|i| texts::name(seed + i)).collect();\n    names.iter().map(|n| n.len() as u64).sum::<u64>() + edit\n}}\n");
        return source.ToString();
    }

    private static string Function(int module, int number)
    {
        var constant = module * FunctionsEach + number + 1;
        var body = (number % 5) switch
        {
            0 => $$"""
                    let mut random = Generator::new(seed ^ {{constant}});
                    let mut items: Vec<Item{{module}}> = Vec::new();
                    for i in 0..{{8 + number}} {
                        let key = random.next() % {{constant + 10}};
                        items.push(Item{{module}} { key, name: texts::name(key), weights: vec![i as f64; 3] });
                    }
                    items.sort_by(|a, b| a.key.cmp(&b.key).then_with(|| b.name.cmp(&a.name)));
                    items.dedup_by_key(|item| item.key);
                    items.iter().fold(0, |sum, item| sum * 31 % 1_000_003 + item.key + item.weights.len() as u64)
                """,
            1 => $$"""
                    let mut counts: HashMap<String, u64> = HashMap::new();
                    let mut random = Generator::new(seed.wrapping_add({{constant}}));
                    for _ in 0..{{10 + number}} {
                        *counts.entry(texts::name(random.next() % 7)).or_default() += 1;
                    }
                    let mut sorted: Vec<(&String, &u64)> = counts.iter().collect();
                    sorted.sort();
                    let line = sorted.iter().map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(",");
                    line.bytes().fold({{constant}}, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
                """,
            2 => $$"""
                    let mut matrix = Matrix::<4>::identity();
                    let mut random = Generator::new(seed | {{constant}});
                    for row in 0..4 {
                        for column in 0..4 {
                            matrix.set(row, column, (random.next() % {{constant + 3}}) as i64);
                        }
                    }
                    let product = matrix.multiply(&matrix.transposed());
                    (0..4).map(|i| product.get(i, i)).sum::<i64>() as u64
                """,
            3 => $$"""
                    let text = texts::sentence(seed ^ {{constant}}, {{6 + number}});
                    let mut lengths: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
                    for word in text.split_whitespace() {
                        lengths.entry(word.len()).or_default().push(word);
                    }
                    match lengths.iter().next_back() {
                        Some((longest, words)) if words.len() > 1 => (*longest * words.len()) as u64,
                        Some((longest, words)) => *longest as u64 + words[0].chars().filter(|c| "aeiou".contains(*c)).count() as u64,
                        None => {{constant}},
                    }
                """,
            _ => $$"""
                    let numbers: Result<Vec<u64>, std::num::ParseIntError> = texts::digits(seed, {{5 + number}}).split(',').map(str::parse).collect();
                    let numbers = match numbers {
                        Ok(numbers) => numbers,
                        Err(error) => return error.to_string().len() as u64,
                    };
                    let primes = numbers.iter().filter(|n| numbers::is_prime(**n % {{constant + 100}})).count() as u64;
                    let widest = numbers.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap_or({{constant}});
                    primes * 1_000 + widest % 1_000
                """,
        };
        return $"pub fn f{number}(seed: u64) -> u64 {{\n{body}\n}}\n";
    }

    private const string Numbers = """
        pub struct Generator(u64);

        impl Generator {
            pub fn new(seed: u64) -> Self {
                Generator(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
            }

            pub fn next(&mut self) -> u64 {
                self.0 ^= self.0 << 13;
                self.0 ^= self.0 >> 7;
                self.0 ^= self.0 << 17;
                self.0
            }
        }

        #[derive(Clone, Debug, PartialEq)]
        pub struct Matrix<const N: usize>([[i64; N]; N]);

        impl<const N: usize> Matrix<N> {
            pub fn identity() -> Self {
                let mut cells = [[0; N]; N];
                for (i, row) in cells.iter_mut().enumerate() {
                    row[i] = 1;
                }
                Matrix(cells)
            }

            pub fn get(&self, row: usize, column: usize) -> i64 {
                self.0[row][column]
            }

            pub fn set(&mut self, row: usize, column: usize, value: i64) {
                self.0[row][column] = value;
            }

            pub fn transposed(&self) -> Self {
                let mut result = Self::identity();
                for row in 0..N {
                    for column in 0..N {
                        result.set(column, row, self.get(row, column));
                    }
                }
                result
            }

            pub fn multiply(&self, other: &Self) -> Self {
                let mut result = Self::identity();
                for row in 0..N {
                    for column in 0..N {
                        result.set(row, column, (0..N).map(|i| self.get(row, i).wrapping_mul(other.get(i, column))).fold(0, i64::wrapping_add));
                    }
                }
                result
            }
        }

        pub fn is_prime(number: u64) -> bool {
            number > 1 && (2..).take_while(|d| d * d <= number).all(|d| number % d != 0)
        }

        """;

    private const string Texts = """
        use numbers::Generator;

        const SYLLABLES: [&str; 8] = ["ka", "to", "mi", "re", "su", "lan", "dor", "ven"];

        pub fn name(seed: u64) -> String {
            let mut random = Generator::new(seed);
            (0..2 + random.next() % 3).map(|_| SYLLABLES[(random.next() % 8) as usize]).collect()
        }

        pub fn sentence(seed: u64, words: usize) -> String {
            let mut text = String::new();
            for i in 0..words {
                if i > 0 {
                    text.push(' ');
                }
                text.push_str(&name(seed.wrapping_add(i as u64)));
            }
            text
        }

        pub fn digits(seed: u64, count: usize) -> String {
            let mut random = Generator::new(seed);
            (0..count).map(|_| (random.next() % 10_000).to_string()).collect::<Vec<_>>().join(",")
        }

        """;
}
