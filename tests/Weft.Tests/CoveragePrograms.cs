using System.Text;

namespace Weft.Tests;

/// <summary>A program built for coverage by its own toolchain, which has run.</summary>
/// <param name="Binaries">The program first, then libraries.</param>
/// <param name="RawProfiles">What it wrote.</param>
/// <param name="Indexed">The sum of those, by the toolchain's llvm-profdata.</param>
public sealed record CoverageSample(IReadOnlyList<string> Binaries, IReadOnlyList<string> RawProfiles, string Indexed);

/// <summary>Small programs that have all that coverage maps can say. Each is built once for all tests.</summary>
internal static class CoveragePrograms
{
    public const string Mcdc = "-fcoverage-mcdc";

    private static readonly Harness Shared = new();
    private static readonly string[] Flags = ["-g0", "-fprofile-instr-generate", "-fcoverage-mapping"];

    private static readonly Dictionary<string, Lazy<CoverageSample>> Samples = new()
    {
        ["c 22"] = new(() => C("22", Mcdc)),
        ["c 19"] = new(() => C("19", Mcdc)),
        ["c++ 22"] = new(() => Cxx("22", "cxx22", Mcdc)),
        ["c++ 19"] = new(() => Cxx("19", "cxx19", Mcdc)),
        ["single byte 22"] = new(() => Cxx("22", "single22", "-mllvm", "-enable-single-byte-coverage")),
        ["decisions 22"] = new(() => One("22", "clang-22", "decisions22", "decisions.c", Decisions(), Mcdc)),
        ["decisions 19"] = new(() => One("19", "clang-19", "decisions19", "decisions.c", Decisions(), Mcdc)),
        ["library 22"] = new(Library),
        ["rust"] = new(Rust),
    };

    static CoveragePrograms() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Shared.Dispose();

    public static string Folder => Shared.Folder;

    public static CoverageSample Get(string name)
    {
        // Building one at a time keeps the folder's files apart.
        lock (Samples) return Samples[name].Value;
    }

    /// <summary>Which of LLVM's tools reads what this sample has.</summary>
    public static string Tool(string tool, string sample) => $"{tool}-{(sample.EndsWith("19", StringComparison.Ordinal) ? "19" : "22")}";

    public static CoverageSample Run(string name, string version, params string[] binaries)
    {
        Shared.Environment["LLVM_PROFILE_FILE"] = Shared.Path($"{name}-%m.profraw");
        Shared.Run(Shared.Path(binaries[0]));
        Shared.Environment.Remove("LLVM_PROFILE_FILE");
        var raw = Directory.EnumerateFiles(Folder, $"{name}-*.profraw").Order(StringComparer.Ordinal).ToArray();
        Assert.NotEmpty(raw);
        var indexed = Shared.Path(name + ".profdata");
        Shared.Must($"llvm-profdata-{version}", ["merge", .. raw, "-o", indexed]);
        return new CoverageSample([.. binaries.Select(Shared.Path)], raw, indexed);
    }

    private static CoverageSample One(string version, string compiler, string name, string file, string source, params string[] options)
    {
        Shared.Write(file, source);
        Shared.Must(compiler, [.. Flags, .. options, file, "-o", name]);
        return Run(name, version, name);
    }

    private static void WriteC()
    {
        Shared.Write("helper.h", """
            static inline int from_header(int x) { if (x > 2 && x < 9) return 1; return 0; }
            static inline int never_used(int x) { return x ? 1 : 2; }
            #define GUARD(c) do { if (!(c)) { fails++; } } while (0)
            #define OUTER(c) GUARD((c) > 1 || (c) < -1)
            #define MAX(a, b) ((a) > (b) ? (a) : (b))
            #define TWICE(x) (MAX(x, 1) + MAX(x, 2))
            """);
        Shared.Write("table.inc", """
              X(1) X(2)
              if (v == 3) r++;
            """);
        Shared.Write("part.c", """
            #include "helper.h"
            static int fails;
            int part(int v) {
              int r = from_header(v);
            #define X(n) if (v > n) r += n;
            #include "table.inc"
              GUARD(v); OUTER(v);
            #if defined(NOT_THIS)
              r += 100;
            #else
              r += 1;
            #endif
              for (;;) { if (r > 3) break; r++; }
              return r > 5 ? r : (v && r) ? 1 : 0;
            }
            int never_called(int a, int b, int c) { OUTER(a); return a && (b || c) ? a + 1 : 2; }
            """);
        Shared.Write("main.c", """
            #include "helper.h"
            int part(int);
            static int fails;
            static int decide(int a, int b, int c) {
              if ((a && b) || c) return 1;
              return a || (b && !c);
            }
            static int choose(int n) {
              switch (n) {
                case 0: return 1;
                case 1:
                case 2: n++; break;
                default: goto out;
              }
              for (int i = 0; i < n; i++) { if (i == 2) continue; if (i == 3) break; }
            out:
              do { n--; } while (n > 0);
              return n;
            }
            int constant(int x) { if (1 && x) return 2; while (0) x++; return x; }
            int main(void) {
              int s = 0;
              for (int i = 0; i < 10; i++) s += part(i) + from_header(i) + choose(i % 5) + TWICE(i);
              for (int i = 0; i < 8; i += 3) s += decide(i & 1, i & 2, i & 4);
              OUTER(s);
              return s + constant(s) == 0;
            }
            """);
    }

    private static CoverageSample C(string version, params string[] options)
    {
        WriteC();
        Shared.Must("clang-" + version, [.. Flags, .. options, "part.c", "main.c", "-o", "c" + version]);
        return Run("c" + version, version, "c" + version);
    }

    private static CoverageSample Library()
    {
        WriteC();
        Shared.Must("clang-22", [.. Flags, Mcdc, "-fPIC", "-shared", "part.c", "-o", "libpart.so"]);
        Shared.Must("clang-22", [.. Flags, Mcdc, "main.c", "-o", "uses-library", Shared.Path("libpart.so")]);
        return Run("uses-library", "22", "uses-library", "libpart.so");
    }

    /// <summary>The C program as objects in an archive.</summary>
    public static string Archive(params string[] others)
    {
        var name = $"parts{others.Length}.a";
        WriteC();
        foreach (var part in (string[])["part", "main"]) Shared.Must("clang-22", [.. Flags, Mcdc, "-c", part + ".c", "-o", part + ".o"]);
        Shared.Must("ar", ["rc", name, .. others, "part.o", "main.o"]);
        return Shared.Path(name);
    }

    private static CoverageSample Cxx(string version, string name, params string[] options) => One(version, "clang++-" + version, name, "program.cc", """
        #include <stdexcept>
        #include <string>
        #include <vector>
        template <class T> T pick(T a, T b) { if (a < b) return a; else return b; }
        template <class T> struct Box { T v; Box(T v) : v(v) {} bool big() const { return v > 10 && v < 100; } ~Box() {} };
        struct Base { virtual ~Base() = default; virtual int f() { return 1; } };
        struct Derived : Base { int f() override { return 2; } int unused() { return 3; } };
        static int thrower(int n) {
          try { if (n % 2) throw std::runtime_error("x"); return n; }
          catch (const std::exception &) { return -1; }
          catch (...) { return -2; }
        }
        int main() {
          int s = 0;
          for (auto x : std::vector<int>{5, 3, 8}) s += pick(x, 4);
          s += (int)pick(2.5, 1.5) + pick<long>(1, 2);
          auto l = [&](int k) { return k > 3 ? s + k : s - k; };
          s += l(2) + l(5);
          auto dead = [](int q) { return q; };
          (void)dead;
          s += Box<int>(3).big() + Box<double>(50).big();
          Derived d;
          Base *p = &d;
          s += p->f();
          for (int i = 0; i < 4; i++) s += thrower(i);
          if constexpr (sizeof(int) == 4) s++; else s--;
          while (s > 100 || (s > 50 && s % 3)) s -= 7;
          return s == 0;
        }
        """, [.. options, "-std=c++17"]);

    private static CoverageSample Rust()
    {
        Shared.Write("program.rs", """
            use std::collections::HashMap;
            fn generic<T: PartialOrd + Copy>(a: T, b: T) -> T { if a < b { a } else { b } }
            fn unused(x: i32) -> i32 { match x { 0 => 1, _ => 2 } }
            trait Shape { fn area(&self) -> f64; fn name(&self) -> &'static str { "größe" } }
            struct Square(f64);
            impl Shape for Square { fn area(&self) -> f64 { self.0 * self.0 } }
            macro_rules! my_max { ($a:expr, $b:expr) => { if $a > $b { $a } else { $b } }; }
            fn parse(s: &str) -> Result<i32, std::num::ParseIntError> { let v = s.parse::<i32>()?; Ok(v + 1) }
            fn main() {
                let mut m = HashMap::new();
                for (i, w) in "a b a c".split(' ').enumerate() { *m.entry(w).or_insert(0) += i; }
                let c = |x: i32| { if x > 2 { x } else { -x } };
                let never = |x: i32| x * 3;
                let _ = &never;
                println!("{} {} {}", generic(1, 2), generic(2.5, 1.5), c(3));
                let s: Box<dyn Shape> = Box::new(Square(2.0));
                println!("{} {} {}", s.area(), s.name(), my_max!(3, 4));
                let _ = parse("12");
                let _ = parse("x");
                let mut n = 0;
                loop { n += 1; if n > 5 && n % 2 == 0 { break; } while n < 3 { n += 1; } }
                if let Some(x) = m.get("a") { println!("{x}"); }
                assert!(m.len() == 3);
                if std::env::args().len() > 5 { unused(3); }
            }
            """);
        Shared.Must("rustc", "-C", "instrument-coverage", "program.rs", "-o", "rust");
        return Run("rust", "22", "rust");
    }

    /// <summary>Decisions of all shapes, of two to eight conditions.</summary>
    private static string Decisions()
    {
        const int count = 60;
        var random = new Random(5);
        var source = new StringBuilder("#include <stdlib.h>\nstatic int n;\n");
        for (var i = 0; i < count; i++) source.Append($"static void f{i}(int *v) {{ if ({Expression(random.Next(2, 9))}) n++; }}\n");
        source.Append("int main(void) { int v[8]; for (int r = 0; r < 25; r++) { for (int i = 0; i < 8; i++) v[i] = rand() & 1;\n");
        for (var i = 0; i < count; i++) source.Append($"f{i}(v);\n");
        return source.Append("} return 0; }\n").ToString();

        string Expression(int conditions)
        {
            var not = random.Next(3) == 0 ? "!" : "";
            if (conditions == 1) return $"{not}v[{random.Next(8)}]";
            var left = random.Next(1, conditions);
            return $"{not}({Expression(left)} {(random.Next(2) == 0 ? "&&" : "||")} {Expression(conditions - left)})";
        }
    }
}
