using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Weft.Tests;

/// <summary>
/// Random C programs of what is hard to meter: recursion, calls through pointers and back from libc, longjmp, loops of every form and their
/// ways out, code that optimisers fold, merge or turn into libc calls. They say in between how much they have done. The same
/// seed gives the same program. They have no undefined behaviour, and all but few end within millions of units.
/// </summary>
/// <remarks>
/// In the snippets below <c>$T</c> is a variable, <c>$V</c> a value, <c>$C</c> a condition, <c>$K</c> a small constant, <c>$F</c> a function,
/// <c>$x</c> a name of the snippet's own. <c>$S</c> is a block, <c>$L</c> one in a loop, which may read <c>$i</c>, <c>$G</c> one that is only left at its
/// end or by longjmp.
/// </remarks>
internal sealed partial class MeteredPrograms(int seed, bool portable)
{
    /// <summary>What all programs of a file share.</summary>
    public const string Prologue = CommonPrologue + UnportablePrologue;

    private const string CommonPrologue = """
        #include <setjmp.h>
        #include <signal.h>
        #include <stdarg.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <weft/metering.h>
        #define NOINLINE __attribute__((noinline))
        static uint64_t h = 1, fuel = 150, shared, goodbyes;
        static uint32_t data[64];
        static char text[16];
        static volatile uint64_t opaque;
        static jmp_buf *env;
        static void say(uint64_t x) { h = (h ^ x) * 1099511628211u; printf("%llx %llu\n", (unsigned long long)h, (unsigned long long)weft_metering_count()); }
        static NOINLINE uint64_t far(uint64_t x) { return x * 3 + opaque; }
        __attribute__((pure, noinline)) static uint64_t pure(uint64_t x) { uint64_t s = 0; for (int i = 0; i < 8; i++) s += data[(x + i) & 63]; return s; }
        __attribute__((const, noinline)) static uint64_t constant(uint64_t x) { return x % 7 ? x * x : x / 7; }
        __attribute__((always_inline)) static inline uint64_t always(uint64_t x) { return x & 1 ? x * 5 : x >> 1; }
        __attribute__((noreturn, noinline)) static void leave(uint64_t x) { say(x); exit((int)(x & 63)); }
        __attribute__((malloc, noinline)) static char *fresh(uint64_t x) { char *p = malloc(16); memset(p, (int)(x & 15), 16); return p; }
        __attribute__((no_profile_instrument_function)) static uint64_t uncounted(uint64_t x) { return far(x) + always(x); }
        static uint64_t fib(uint64_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
        static uint64_t tail(uint64_t n, uint64_t u) { return n == 0 ? u : tail(n - 1, u * 3 + n); }
        static uint64_t odd(uint64_t n, uint64_t u);
        static NOINLINE uint64_t even(uint64_t n, uint64_t u) { if (n == 0) return u; __attribute__((musttail)) return odd(n - 1, u + 2); }
        static NOINLINE uint64_t odd(uint64_t n, uint64_t u) { if (n == 0) return u ^ 1; __attribute__((musttail)) return even(n - 1, u * 2); }
        static uint64_t nest(uint64_t n, uint64_t u) { for (uint64_t i = 0; i < n; i++) u = nest(n - 1 - i, u + i); return u + 1; }
        static uint64_t collatz(uint64_t n) { uint64_t k = 0; while (n != 1) { n = n % 2 ? n * 3 + 1 : n / 2; k++; } return k; }
        static uint64_t walk(uint64_t n, uint64_t u) { if (n == 0) longjmp(*env, (int)(u & 3)); return walk(n - 1, u + n) + (u & 1 ? far(u) : 1); }
        static uint64_t spin(uint64_t n, uint64_t u) { for (uint64_t i = 0; i != n; i++) { u = u * 5 + (i & u); if (i % 64 == 63) say(1); } return u; }
        static int compare(const void *a, const void *b) { uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b; return x < y ? -1 : x > y; }
        static uint64_t sorted(uint64_t n) { uint32_t v[16]; memcpy(v, data + (n & 31), sizeof v); qsort(v, n & 15, sizeof *v, compare); return v[n & 7]; }
        static void handler(int signal) { shared += (uint64_t)signal; for (uint64_t i = shared & 7; i; i--) shared ^= far(i); }
        static void goodbye(void) { say(h); }
        static void mixed(uint64_t *x) { h ^= *x; }
        static uint64_t caught(uint64_t n, uint64_t u)
        {
            jmp_buf here, *outer = env;
            volatile uint64_t result = u;
            env = &here;
            if (setjmp(here) == 0) result += walk(n, u); else result ^= n * 7;
            env = outer;
            return result;
        }
        static void stop(void *to) { weft_metering_refuel(100000); longjmp(*(jmp_buf *)to, 1); }
        static uint64_t budget(uint64_t units, uint64_t work, uint64_t n)
        {
            jmp_buf here;
            volatile int number = 0;
            volatile uint64_t result = 0;
            uint64_t kept = h;
            if (setjmp(here) == 0) {
                number = weft_metering_begin(units, stop, &here);
                switch (work & 3) {
                case 0: result = fib(n % 20); break;
                case 1: result = spin(n & 1023, work); break;
                case 2: result = nest(n & 15, work); break;
                default: result = collatz((n & 0xffff) + 1) + tail(n & 511, work);
                }
            } else {
                result = 77; // what memory holds here differs from level to level
                h = kept;
            }
            uint64_t left = weft_metering_end(number);
            say(left);
            return result;
        }

        """;

    // A front end lowers these by the target's calling convention.
    private const string UnportablePrologue = """
        struct pair { uint64_t first; uint32_t second; };
        struct large { uint64_t values[5]; };
        static volatile struct { unsigned a : 3, b : 9; uint64_t c : 33; } bits;
        static NOINLINE struct pair swap(struct pair p, struct large l) { return (struct pair){p.second + l.values[p.first % 5], (uint32_t)p.first}; }
        static struct large widen(uint64_t x) { return (struct large){{x, x + 1, x ^ 2}}; }
        static uint64_t sum(int n, ...) { va_list l; va_start(l, n); uint64_t s = 0; while (n-- > 0) s = s * 3 + va_arg(l, uint64_t); va_end(l); return s; }
        static NOINLINE long double half(long double x) { return x / 2; }

        """;

    private static readonly string[] Linkages =
    [
        "static ", "static ", "static NOINLINE ", "", "NOINLINE ", "__attribute__((weak)) ", "static inline ", "__attribute__((cold)) static ", "__attribute__((minsize)) static ",
        "__attribute__((optnone, noinline)) static ", "__attribute__((flatten)) static ", "__attribute__((nothrow)) ",
    ];

    private static readonly string[] OwnLinkages = ["static ", "static NOINLINE ", "static NOINLINE ", "__attribute__((minsize)) static ", "__attribute__((optnone, noinline)) static "];

    private static readonly string[] Values =
    [
        "a", "b", "n", "u", "a", "b", "$Kull", "opaque", "data[$V & 63]", "($V + $V)", "($V ^ $V >> 3)", "($V < $V ? $V : $V)", "(uint64_t)($C && $C)", "(uint64_t)($C || $V > $K)", "$V % $K", "~$V", "far($V)", "always($V)", "uncounted($V)",
        "constant($V)", "strlen(text + ($V & 7))", "($V << ($V & 15))",
    ];

    private static readonly string[] Conditions = ["($V & $K) == 1", "$V < $V", "$V % $K > 2", "$V != $V", "(int32_t)$V < 0", "!($V & 1)"];

    private static readonly string[] Statements =
    [
        "$T = $T * $K + $V;", "$T = $V;", "$T ^= $V;", "data[$V & 63] ^= (uint32_t)$V;", "$T += data[$V & 63];", "say($V);",
        "if ($C) $T ^= $V;", "if ($C) $S", "if ($C) $S else $S", "if ($C) $T = far($V); else $T = far($V);",
        "switch ($V & 7) { case 0: $S break; case 1: $T++; /* on */ case 2: $S case 5: $T += $V; break; default: $S }",
        "switch ($V % 5) { case 0: $T ^= 3; break; case 1: $T ^= 9; break; case 2: $T ^= 14; break; case 3: $T ^= 77; break; default: break; }",
        "if (fuel && fuel--) $T += $F($V & 7, $V);", "if (fuel && fuel--) $T = $F($V, $T);", "if (fuel && fuel--) $T ^= table[$V % FUNCTIONS]($V, $V);",
        "if (fuel && fuel--) $T -= ($C ? $A : $A)($V, $V);", "if (fuel && fuel--) { uint64_t (*volatile $p)(uint64_t, uint64_t) = $A; $T = $p($V, 1); }",
        "$T += pure($V);", "pure($V);", "constant($V);", "strlen(text);", "$T += fib($V % 9);", "$T = tail($V & 31, $T);", "$T ^= even($V & 15, $V);", "$T = nest($V & 3, $T);", "$T += collatz(($V & 31) + 1);",
        "$T = caught($V & 15, $V);", "if (env && $C) longjmp(*env, 1);", "if (env && $C) $T += walk($V & 3, $T);", "$T += sorted($V);", "$T ^= budget($K * $K, $V, $V);",
        "{ char *$p = malloc(($V & 63) | 1); if ($p) { $p[0] = (char)$V; $T += (unsigned char)$p[0]; } free($p); }", "free(malloc(8));", "{ char *$p = fresh($V); $T += (uint64_t)$p[$V & 15]; free($p); }",
        "{ uint64_t $v[1 + ($V & 7)]; $v[0] = $V; $T += $v[0]; $S }", "{ uint64_t *$p = __builtin_alloca(16); $p[1] = $V; $T ^= $p[1]; }", "{ __attribute__((cleanup(mixed))) uint64_t $x = $V; $S }",
        "memcpy(&data[$V & 15], &data[32 + ($V & 15)], ($V & 15) * 4);", "memmove(&data[$V & 15], &data[$V & 15], 64);", "memset(text, 'a' + (int)($V & 7), $V & 15);", "if (memcmp(data, data + 8, $V & 31) < 0) $T++;",
        "raise(SIGUSR1);", "__atomic_fetch_add(&shared, $V, __ATOMIC_SEQ_CST);", "__asm__ volatile(\"\" : : : \"memory\");", "__asm__(\"\" : \"+r\"(h));", "printf(\"here\\n\");", "puts(text);",
        "$T += (uint64_t)__builtin_popcountll($V);", "$T ^= (uint64_t)__builtin_clzll($V | 1);", "$T += __builtin_bswap64($V);", "{ uint64_t $x; if (__builtin_mul_overflow($V, $V, &$x)) $T ^= $x; }",
        "if (__builtin_expect($C, 0)) $S", "if (($V & 1) > 1) __builtin_unreachable();", "if ($V | 1) $T++; else $S", "if (0) $S", "if (__builtin_constant_p($V)) $T++;", "{ static uint64_t $x; $T ^= $x++; }",
        "if (!goodbyes++) atexit(goodbye);", "if (fuel == $K) leave($V);", "if (fuel == $K) exit(3);", "if (fuel % 32 == 31) { uint64_t $e = 0; for (uint64_t $i = 0; $i < 70000 + ($V & 3); $i++) $e += $i ^ $e; $T += $e; fuel--; }",
        "{ double $d = 0; for (int $i = 0; $i < 64; $i++) $d += data[$i] * 0.5; $T += (uint64_t)$d; }", "for (int $i = 0; $i < 64; $i++) data[$i] = data[$i] * 3 + (uint32_t)$i;", "for (int $i = 0; $i < 64; $i++) if (data[$i] > $V) $T++;",
        "for (uint64_t $i = 0; $i < 3000 + ($V & 7); $i++) $T += $i * $i;", "for (uint64_t $i = 0; $i < 500; $i++) { }", "for (const char *$p = text; *$p; $p++) $T += (uint64_t)*$p;", "for (int $i = 0; $i < 15; $i++) text[$i] = 'x';",
        "for (int $i = 63; $i > 0 && data[$i - 1] > data[$i]; $i--) { uint32_t $t = data[$i]; data[$i] = data[$i - 1]; data[$i - 1] = $t; }",
    ];

    private static readonly string[] UnportableStatements =
    [
        "{ struct pair $p = swap((struct pair){$V, (uint32_t)$V}, widen($V)); $T += $p.first ^ $p.second; }", "$T += sum(3, $V, $V, $V);", "$T ^= (uint64_t)half((long double)($V & 0xffff));", "bits.b = (unsigned)$V & 511;", "bits.c += $V & 255; $T += bits.c + bits.a++;",
    ];

    private static readonly string[] Loops =
    [
        "for (uint64_t $i = 0; $i < ($V & 15); $i++) $L", "for (uint64_t $i = 0; $i < $K; $i++) $L", "for (uint32_t $i = (uint32_t)$V & 31; $i != 0; $i >>= 1) $L", "for (int $i = 12; $i > (int)($V & 7); $i -= 3) $L",
        "for (uint64_t $i = $V & 63; $i; $i &= $i - 1) $L", "for (uint8_t $i = (uint8_t)$V; $i > 7; $i /= 2) $L", "for (int $i = 0; $i < 9 && !($C); $i++) $L", "for (uint64_t $i = 0; $i < (opaque | 5); $i++) { if ($C) continue; $T += $V; }",
        "{ uint64_t $i = $V & 7; while ($i--) $L }", "{ uint64_t $i = 0; do $L while (++$i < ($V & 7)); }", "{ uint64_t $i = 0; for (;;) { if ($i++ > ($V & 15)) break; $L } }", "{ uint64_t $i = 0; while (1) { if (++$i > 3) break; $L if ($C) break; } }",
        "{ uint64_t $i = 0; $x:; $S if (++$i < ($V & 7)) goto $x; }",
        "{ uint64_t $i = 0; if ($C) goto $y; $x:; $T += $K; $S $y: $i++; $S if ($i < 3 + ($V & 3)) goto $x; }",
        "{ int $i = 1 + (int)($V & 15); switch ($i & 3) { case 0: do { $S case 3: $T += $V; case 2: $T ^= $K; case 1: data[3]++; } while (($i -= 4) > 0); } }",
        "{ uint64_t $i = 0, $s = 0; while ($s != 4 && $i++ < 20) switch ($s) { case 0: $s = $C ? 1 : 2; break; case 1: $S $s = 3; break; case 2: $T++; $s = 1; break; default: $s = $V % 5; } }",
        "{ static const void *const $j[] = {&&$x, &&$y, &&$z}; uint64_t $i = 3 + ($V & 7); $x: if ($i-- == 0) goto $w; $S goto *$j[$V % 3]; $y:; $T ^= $V; goto *$j[$T & 1 ? 0 : 2]; $z: $T++; goto $x; $w:; }",
        "{ jmp_buf $e; volatile uint64_t $i = 0; if (setjmp($e) < 5) { $T += $K; if ($i++ < 4) longjmp($e, (int)$i); } }",
        "{ jmp_buf $e, *$o = env; env = &$e; if (setjmp($e) == 0) $G else $T += $K; env = $o; }",
    ];

    private static readonly string[] WaysOut = ["if ($C) goto out;", "if ($C) return $V;", "if ($C) { say($V); return a; }"], LoopWaysOut = ["if ($C) break;", "if ($C) continue;", "if ($C) { $S break; }"];

    private readonly Random random = new(seed);
    private readonly int functions = 2 + seed % 3;
    private int names;

    /// <summary>Where a statement stands.</summary>
    private sealed record Place(int Depth, bool InLoop, bool MayLeave, string[] Indices);

    /// <summary>A program that begins at <paramref name="entry"/>, to go behind <see cref="Prologue"/>; portable ones cost the same on all targets.</summary>
    public static string Generate(int seed, string entry, bool portable) => new MeteredPrograms(seed, portable).Program(entry);

    private string Program(string entry)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"#define FUNCTIONS {functions}\n#define table table_{entry}\n");
        var linkages = Enumerable.Range(0, functions).Select(i => Pick(IsOnlyCalled(i) ? OwnLinkages : Linkages)).ToList();
        for (var i = 0; i < functions; i++) text.Append(CultureInfo.InvariantCulture, $"#define f{i} {entry}_{i}\n{linkages[i]}uint64_t f{i}(uint64_t n, uint64_t u);\n");
        text.Append(CultureInfo.InvariantCulture, $"static uint64_t (*{Pick("const ", "")}table[FUNCTIONS])(uint64_t, uint64_t) = {{{string.Join(", ", Enumerable.Range(0, functions).Select(i => $"f{(IsOnlyCalled(i) ? 0 : i)}"))}}};\n");
        for (var i = 0; i < functions; i++) text.Append(CultureInfo.InvariantCulture, $"{linkages[i]}uint64_t f{i}(uint64_t n, uint64_t u)\n{{\n").Append(Body()).Append("}\n");
        text.Append(CultureInfo.InvariantCulture, $"int {entry}(void)\n{{\n    signal(SIGUSR1, handler);\n    for (int i = 0; i < 64; i++) data[i] = (uint32_t)i * 2654435761u;\n");
        for (var i = 0; i < functions; i++) text.Append(CultureInfo.InvariantCulture, $"    say(f{i}({random.Next(40)}, {random.Next(1000)}));\n");
        text.Append("    return (int)(h % 100);\n}\n#undef FUNCTIONS\n#undef table\n");
        for (var i = 0; i < functions; i++) text.Append(CultureInfo.InvariantCulture, $"#undef f{i}\n");
        return text.ToString();
    }

    // Nobody takes its address: it may leave what it costs to its callers.
    private static bool IsOnlyCalled(int function) => function % 2 != 0;

    // Where setjmp is, variables that change between it and longjmp have to be volatile.
    private string Body()
    {
        var body = new StringBuilder();
        do
        {
            body.Clear();
            for (var count = random.Next(2, 6); count > 0; count--) body.Append("    ").Append(Statement(new(3, false, true, []))).Append('\n');
        }
        while (Jumps().IsMatch(body.ToString()));
        var text = body.ToString();
        return $"    {(text.Contains("setjmp", StringComparison.Ordinal) ? "volatile " : "")}uint64_t a = u, b = {random.Next(1, 100)};\n{text}    goto out;\nout:\n    return a * 31 + b;\n";
    }

    private string Statement(Place place)
    {
        var kind = random.Next(20);
        if (place.Depth > 0 && kind < 7) return Fill(Pick(Loops), place);
        if (place.MayLeave && kind == 7) return Fill(Pick(WaysOut), place);
        if (place.InLoop && kind is 8 or 9) return Fill(Pick(LoopWaysOut), place);
        return Fill(!portable && kind == 10 ? Pick(UnportableStatements) : Pick(Statements), place);
    }

    private string Block(Place place)
    {
        var statements = Enumerable.Range(0, place.Depth > 0 ? random.Next(1, 4) : 1).Select(_ => Statement(place with { Depth = Math.Max(0, place.Depth - 1) }));
        return $"{{ {string.Join(' ', statements)} }}";
    }

    private string Fill(string snippet, Place place, int nesting = 0)
    {
        var number = names++;
        return Slots().Replace(snippet, slot => slot.Value switch
        {
            "$T" => Pick("a", "b"),
            "$K" => random.Next(3, 40).ToString(CultureInfo.InvariantCulture),
            "$F" => $"f{random.Next(functions)}",
            "$A" => $"f{random.Next((functions + 1) / 2) * 2}",
            "$V" => Value(place, nesting),
            "$C" => Fill(Pick(Conditions), place, nesting + 1),
            "$S" => Block(place),
            "$L" => Block(place with { InLoop = true, Indices = [.. place.Indices, $"i{number}"] }),
            "$G" => Block(place with { InLoop = false, MayLeave = false }),
            var name => $"{name[1..]}{number}",
        });
    }

    private string Value(Place place, int nesting)
    {
        if (place.Indices.Length > 0 && random.Next(4) == 0) return $"(uint64_t){Pick(place.Indices)}";
        return Fill(nesting > 1 ? Values[random.Next(7)] : Pick(Values), place, nesting + 1);
    }

    private T Pick<T>(params T[] choices) => choices[random.Next(choices.Length)];

    // A computed goto must not be able to reach a label where something has to be cleaned up, whether it does or not.
    [GeneratedRegex(@"goto \*.*(cleanup|\bv\d+\[)|(cleanup|\bv\d+\[).*goto \*", RegexOptions.ExplicitCapture | RegexOptions.Singleline)]
    private static partial Regex Jumps();

    [GeneratedRegex(@"\$[A-Za-z]", RegexOptions.ExplicitCapture)]
    private static partial Regex Slots();
}
