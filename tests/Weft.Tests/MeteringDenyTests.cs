using Weft.Core;

namespace Weft.Tests;

/// <summary><c>--deny-uninstrumented</c>: real builds that are refused, each for its reason, and builds that are not.</summary>
public sealed class MeteringDenyTests : IDisposable
{
    private const string Clang = "clang-22";

    private readonly Harness harness = new();

    public MeteringDenyTests()
    {
        harness.Environment["WEFT_CC"] = Clang;
        harness.Write("main.c", "int callee(void); int main(void) { return callee(); }");
        harness.Write("callee.c", "int callee(void) { return 0; }");
    }

    public void Dispose() => harness.Dispose();

    [TheoryNeeds(Clang)]
    [InlineData("void f(void) { __asm__ volatile(\"pause\"); }", "a.c:1: inline assembly in function 'f'")]
    [InlineData("int f(int x) { int r;\n __asm__(\"1: jmp 1b\" : \"=r\"(r) : \"r\"(x));\n return r; }", "a.c:2: inline assembly in function 'f'")]
    [InlineData("int f(int x) { __asm__ goto(\"jmp %l0\" : : : : out); x++; out: return x; }", "a.c:1: inline assembly in function 'f'")]
    [InlineData("__asm__(\".globl g\\ng: ret\");", "outside functions: assembly: .globl g")]
    [InlineData("__attribute__((naked)) void f(void) { __asm__(\"ret\"); }", "a.c:1: function 'f' is naked")]
    [InlineData("__attribute__((no_profile_instrument_function)) int f(int x) { while (x) x *= 3; return x; }", "function 'f' is marked no_profile_instrument_function")]
    [InlineData("static int g(int x) { return x; } static int (*r(void))(int) { return g; } int f(int) __attribute__((ifunc(\"r\")));", "function 'r' is not counted")]
    [InlineData("int f(int) __asm__(\"weft.f\"); int f(int x) { while (x) x *= 3; return x; }", "function 'weft.f' is not counted")]
    [InlineData("int f(int) __asm__(\"__rust_f\"); int f(int x) { while (x) x *= 3; return x; }", "function '__rust_f' is not counted")]
    [InlineData("__attribute__((section(\".text.f\"))) const unsigned char f[] = { 0xeb, 0xfe };", "f: data in section '.text.f'")]
    [InlineData("static int mark __asm__(\"weft.checked\") = 1; int f(void) { return ++mark; }", "weft.checked: a part of the meter is used by name")]
    [InlineData("extern long __weft_metering_v2; void f(void) { __weft_metering_v2 = 0; }", "__weft_metering_v2: a part of the meter is used by name")]
    [InlineData("#include <weft/metering.h>\nvoid f(void) { weft_metering_suspend(); }", "a.c:2: 'weft_metering_suspend' changes what is counted or limited")]
    public void What_cannot_be_counted_is_refused_where_it_is_compiled(string source, string reason)
    {
        harness.Write("a.c", source);
        foreach (var level in (string[])["-O0", "-O2"])
            Harness.AssertToldWell(Cc(level, "-c", "a.c"), ExitCode.CheckFailed, "'a.c' contains uninstrumented code", reason, "--allow-uninstrumented");
        Assert.False(File.Exists(harness.Path("a.o")));
        Must("-c", "a.c", "--allow-uninstrumented=b.c,a.c");
        harness.Must(Harness.Weft, "cc", "--with=metering", "-c", "a.c");
    }

    [Needs(Clang)]
    public void Barriers_for_the_compiler_and_reading_the_meter_are_not_refused()
    {
        harness.Write("a.c", """
            #include <stdio.h>
            #include <weft/metering.h>
            int main(int argc, char **argv)
            {
                __asm__ volatile("" ::: "memory");
                __asm__("" : "+r"(argc));
                return printf("%d\n", weft_metering_count() > 0 && weft_metering_left() > 0 && argv) < 0;
            }
            """);
        foreach (string[] flags in (string[][])[["-O0"], ["-O2"], ["-O2", "-static"], ["-O2", "-fuse-ld=lld"], ["-O2", "-save-temps"], ["-O2", "-fno-integrated-as"], ["-O2", "-g"]])
        {
            Must([.. flags, "a.c", "-o", "a"]);
            Assert.Equal("1\n", harness.Must(harness.Path("a")).Output);
        }
    }

    [Needs(Clang)]
    public void What_is_refused_does_not_change_what_is_counted()
    {
        File.Copy(Path.Combine(Harness.Root, "tests/fixtures/metering/costs.c"), harness.Path("a.c"));
        foreach (var level in (string[])["-O0", "-O2"])
        {
            Must(level, "a.c", "-o", "denied");
            harness.Must(Harness.Weft, "cc", "--with=metering", level, "a.c", "-o", "plain");
            Assert.Equal(Total("plain"), Total("denied"));
        }
    }

    private ulong Total(string program)
    {
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report");
        harness.Must(harness.Path(program));
        return System.Text.Json.JsonDocument.Parse(File.ReadAllText(harness.Path("report"))).RootElement.GetProperty("total").GetUInt64();
    }

    [Needs(Clang)]
    public void Only_the_function_that_is_named_is_allowed()
    {
        harness.Write("a.c", "void f(void) { __asm__ volatile(\"pause\"); } void g(void) { __asm__ volatile(\"pause\"); }");
        var outcome = Cc("-c", "a.c", "--allow-uninstrumented=f");
        Harness.AssertToldWell(outcome, ExitCode.CheckFailed, "function 'g'");
        Assert.DoesNotContain("function 'f'", outcome.Errors, StringComparison.Ordinal);
        Must("-c", "a.c", "--allow-uninstrumented=f", "--allow-uninstrumented", "g");
    }

    [Needs(Clang)]
    public void What_is_allowed_to_a_file_is_not_to_its_copy()
    {
        harness.Write("a.c", "void f(void) { __asm__ volatile(\"pause\"); }");
        File.Copy(harness.Path("a.c"), harness.Path("b.c"));
        Must("-c", "a.c", "--allow-uninstrumented=a.c");
        Harness.AssertToldWell(Cc("-c", "b.c", "--allow-uninstrumented=a.c"), ExitCode.CheckFailed, "inline assembly");
    }

    [Needs(Clang)]
    public void A_line_directive_does_not_make_another_file_of_it()
    {
        harness.Write("a.c", "# 1 \"allowed.c\"\nvoid f(void) { __asm__ volatile(\"pause\"); }");
        Harness.AssertToldWell(Cc("-c", "a.c", "--allow-uninstrumented=allowed.c"), ExitCode.CheckFailed, "inline assembly");
    }

    [TheoryNeeds(Clang, "ld.lld-22")]
    [InlineData("")]
    [InlineData("-fuse-ld=lld")]
    [InlineData("-flto", "-fuse-ld=lld")]
    [InlineData("-flto=thin", "-fuse-ld=lld")]
    [InlineData("-r", "-nostdlib")]
    public void An_object_that_was_not_woven_is_refused_at_the_link(params string[] flags)
    {
        string[] all = [.. flags.Where(f => f.Length > 0)];
        harness.Must(Clang, [.. all.Where(f => f.StartsWith("-flto", StringComparison.Ordinal)), "-c", "callee.c"]);
        Harness.AssertToldWell(Cc([.. all, "main.c", "callee.o", "-o", "p"]), ExitCode.CheckFailed, "'p' contains uninstrumented code", "callee.o: ");
        Assert.False(File.Exists(harness.Path("p")));
        Must([.. all, "main.c", "callee.o", "-o", "p", "--allow-uninstrumented=callee.*"]);
        Must([.. all, "main.c", "callee.c", "-o", "p"]);
    }

    [Needs(Clang)]
    public void An_object_that_nobody_has_searched_is_refused_at_the_link()
    {
        harness.Must(Harness.Weft, "cc", "--with=metering", "-c", "callee.c");
        Harness.AssertToldWell(Cc("main.c", "callee.o", "-o", "p"), ExitCode.CheckFailed, "callee.o: woven without --deny-uninstrumented");
        Must("-c", "callee.c");
        Must("main.c", "callee.o", "-o", "p");
    }

    [Needs(Clang)]
    public void Assembly_is_refused_at_the_link_by_its_own_name()
    {
        harness.Write("asm.S", ".globl callee\ncallee: xor %eax, %eax\n ret\n.section .note.GNU-stack,\"\",@progbits\n");
        Harness.AssertToldWell(Cc("main.c", "asm.S", "-o", "p"), ExitCode.CheckFailed, "asm.S: assembly");
        Must("main.c", "asm.S", "-o", "p", "--allow-uninstrumented=asm.S");
        harness.Must(harness.Path("p"));
    }

    [TheoryNeeds(Clang, "ld.lld-22", "ar")]
    [InlineData("", "rcs")]
    [InlineData("-fuse-ld=lld", "rcs")]
    [InlineData("", "rcsT")]
    [InlineData("-fuse-ld=lld", "rcsT")]
    public void Of_an_archive_only_members_that_are_linked_matter(string linker, string kind)
    {
        string[] flags = linker.Length > 0 ? [linker] : [];
        harness.Write("unused.c", "int unused(void) { return 1; }");
        harness.Must(Clang, "-c", "unused.c");
        Must("-c", "callee.c");
        harness.Must("ar", kind, "libgood.a", "callee.o", "unused.o");
        Must([.. flags, "main.c", "-L.", "-lgood", "-o", "p"]);
        harness.Must(Clang, "-c", "callee.c", "-o", "raw.o");
        harness.Must("ar", kind, "libbad.a", "raw.o");
        Harness.AssertToldWell(Cc([.. flags, "main.c", "-L.", "-lbad", "-o", "p"]), ExitCode.CheckFailed, "raw.o", "not woven");
        Must([.. flags, "main.c", "-L.", "-lbad", "-o", "p", "--allow-uninstrumented=libbad.a,raw.o"]);
    }

    [Needs(Clang)]
    public void A_shared_library_is_refused_unless_it_is_named_or_the_toolchains()
    {
        Must("-shared", "-fPIC", "callee.c", "-o", "libcallee.so");
        Harness.AssertToldWell(Cc("main.c", "-L.", "-lcallee", "-o", "p"), ExitCode.CheckFailed, "libcallee.so: a shared library");
        Must("main.c", "-L.", "-lcallee", "-lm", "-lpthread", "-o", "p", "--allow-uninstrumented=libcallee.so");
    }

    [Needs(Clang, "ar")]
    public void A_librarys_name_does_not_make_it_the_toolchains()
    {
        harness.Must(Clang, "-c", "callee.c", "-o", "raw.o");
        harness.Must("ar", "rcs", "libm.a", "raw.o");
        Harness.AssertToldWell(Cc("main.c", "-L.", "-lm", "-o", "p"), ExitCode.CheckFailed, "libm.a(raw.o): not woven");
    }

    [Needs(Clang)]
    public void Data_needs_no_weaving()
    {
        harness.Write("data.c", "int data = 3;");
        harness.Must(Clang, "-c", "data.c");
        Must("main.c", "callee.c", "data.o", "-o", "p");
    }

    [Fact]
    public void Without_metering_it_is_a_usage_error() =>
        Harness.AssertToldWell(harness.RunWeft("cc", "--deny-uninstrumented", "main.c"), ExitCode.Usage, "--with metering");

    [Fact]
    public void An_allowance_alone_is_a_usage_error() =>
        Harness.AssertToldWell(harness.RunWeft("cc", "--with=metering", "--allow-uninstrumented=x", "main.c"), ExitCode.Usage, "add --deny-uninstrumented");

    [Needs(Clang)]
    public void Lowering_one_module_refuses_too()
    {
        File.WriteAllBytes(harness.Path("a.bc"), harness.Bitcode(Clang, "void f(void) { __asm__ volatile(\"pause\"); }"));
        Harness.AssertToldWell(harness.RunWeft("lower", "--with", "metering", "--deny-uninstrumented", "a.bc", "-o", "a.o"), ExitCode.CheckFailed, "inline assembly in function 'f'");
        harness.Must(Harness.Weft, "lower", "--with", "metering", "--deny-uninstrumented", "--allow-uninstrumented", "f", "a.bc", "-o", "a.o");
    }

    [Needs("cargo")]
    public void In_Rust_assembly_is_refused_by_its_line()
    {
        WriteCrate();
        AssertRefused(Cargo("--features", "inline"), "src/main.rs:2: inline assembly in function 'p::");
        AssertRefused(Cargo("--release", "--features", "outside"), "outside functions: assembly: .globl g");
        Assert.Equal("3\n", Allowed(Cargo("--features", "inline,outside", "--allow-uninstrumented", "p-*")));
    }

    [Needs("cargo")]
    public void The_standard_library_of_Rust_is_refused_as_a_whole()
    {
        WriteCrate();
        AssertRefused(RawCargo(), "Rust's standard library: not woven", "--std weaves Rust's standard library");
        AssertRefused(RawCargo("--config", "profile.dev.lto=true"), "Rust's standard library: not woven");
        Assert.Equal("3\n", Allowed(Cargo()));
    }

    [Needs("cargo")]
    [Trait("Category", "Slow")]
    public void With_std_nothing_has_to_be_allowed()
    {
        WriteCrate();
        Assert.Equal("3\n", Allowed(RawCargo("--std")));
        Assert.Equal("3\n", Allowed(RawCargo("--std", "--release", "--config", "profile.release.lto=true")));
    }

    [Needs("cargo")]
    public void A_crate_that_is_skipped_is_refused()
    {
        harness.Write("Cargo.toml", "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nplain = { path = \"plain\" }\n");
        harness.Write("src/main.rs", "fn main() { println!(\"{}\", plain::three()); }");
        harness.Write("plain/Cargo.toml", "[package]\nname = \"plain\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
        harness.Write("plain/src/lib.rs", "#[inline(never)] pub fn three() -> i32 { 3 }");
        AssertRefused(Cargo("--skip", "plain"), "libplain-", "not woven");
        AssertRefused(Cargo("--skip", "plain", "--config", "profile.dev.lto=true"), "libplain-", "not woven");
        Assert.Equal("3\n", Allowed(Cargo("--skip", "plain", "--allow-uninstrumented", "libplain-*")));
        Assert.Equal("3\n", Allowed(Cargo()));
    }

    private void WriteCrate()
    {
        harness.Write("Cargo.toml", "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[features]\ninline = []\noutside = []\n");
        harness.Write("src/main.rs", """
            #[cfg(feature = "inline")]
            fn pause() { unsafe { core::arch::asm!("nop") } }
            #[cfg(feature = "outside")]
            core::arch::global_asm!(".globl g", "g: ret");
            fn main() {
                #[cfg(feature = "inline")]
                pause();
                println!("{}", std::hint::black_box(3));
            }
            """);
    }

    private Outcome Cc(params string[] arguments) => harness.RunWeft(["cc", "--with=metering", "--deny-uninstrumented", .. arguments]);

    private void Must(params string[] arguments) => harness.Must(Harness.Weft, ["cc", "--with=metering", "--deny-uninstrumented", .. arguments]);

    private Outcome Cargo(params string[] arguments) => RawCargo([.. arguments, "--allow-uninstrumented", "*/rustlib/*"]);

    private Outcome RawCargo(params string[] arguments) => harness.RunWeft(["cargo", "run", "--quiet", "--offline", "--with", "metering", "--deny-uninstrumented", .. arguments]);

    private static string Allowed(Outcome outcome)
    {
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        return outcome.Output;
    }

    private static void AssertRefused(Outcome outcome, params string[] mentions)
    {
        Assert.True(outcome.ExitCode == 101 && outcome.Output.Length == 0, outcome.ToString());
        Assert.All(["contains uninstrumented code, which --deny-uninstrumented forbids", .. mentions], m => Assert.Contains(m, outcome.Errors, StringComparison.Ordinal));
    }
}
