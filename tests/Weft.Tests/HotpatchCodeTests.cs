using System.Text;
using Weft.Core;
using Weft.Hotpatch;
using Weft.Hotpatch.Check;

namespace Weft.Tests;

/// <summary>What Weft weaves is replaceable in code of every kind, and changes nothing else; what would not be fails the build.</summary>
public sealed class HotpatchCodeTests : HotpatchFiles
{
    private const string Llvm19 = "/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1";

    private const string Functions = """
        #![crate_type = "lib"]
        #![no_std]
        use core::sync::atomic::{AtomicUsize, Ordering};
        static COUNT: AtomicUsize = AtomicUsize::new(14);
        #[no_mangle] pub extern "C" fn tailcall_fn() { if COUNT.fetch_sub(1, Ordering::Relaxed) != 0 { tailcall_fn() } }
        #[no_mangle] pub fn empty_fn() {}
        #[no_mangle] pub fn return_42() -> i32 { 42 }
        """;

    [TheoryNeeds("clang-22")]
    [InlineData("-O0")]
    [InlineData("-O2", "-fcf-protection=full")]
    public void Functions_of_the_kernels_are_replaceable(params string[] flags) => MustBeReplaceable(Objects("kernels", Kernels, flags));

    [TheoryNeeds("clang-22", "clang-19", "aarch64-linux-gnu-gcc"), Trait("Category", "Slow")]
    [InlineData("clang-22")]
    [InlineData("clang-22", "-fcf-protection=full")]
    [InlineData("clang-22", "-g", "-fno-omit-frame-pointer", "-fsanitize=address")]
    [InlineData("clang-22", "--target=aarch64-linux-gnu")]
    [InlineData("clang-22", "--target=aarch64-linux-gnu", "-mbranch-protection=standard")]
    [InlineData("clang-19")]
    [InlineData("clang-19", "-fcf-protection=full")]
    [InlineData("clang-19", "--target=aarch64-linux-gnu", "-mbranch-protection=standard")]
    public void Functions_of_the_whole_corpus_are_replaceable_at_every_level(string compiler, params string[] flags)
    {
        Harness.Environment["WEFT_CC"] = compiler;
        Harness.Environment["WEFT_CXX"] = compiler.Replace("clang", "clang++");
        Harness.Patience = TimeSpan.FromMinutes(10);
        foreach (var level in (string[])["-O0", "-O1", "-O2", "-O3", "-Os", "-Oz"])
        {
            // What a sanitizer makes at the start of a module, and LLVM of what functions have in common with -Oz, is not of the source.
            var isForeign = flags.Any(f => f.StartsWith("--target", StringComparison.Ordinal));
            var objects = Objects("corpus" + level, isForeign ? PortableCorpus : Corpus, [level, .. flags]);
            MustBeReplaceable([.. objects, "--never", "asan.module_*,OUTLINED_FUNCTION_*"]);
        }
    }

    [TheoryNeeds("clang-22", "ld.lld-22")]
    [InlineData("-flto")]
    [InlineData("-flto=thin")]
    [InlineData("-O3", "-static")]
    public void Linked_programs_are_replaceable_as_far_as_Weft_wove_them(params string[] flags)
    {
        var source = Corpus.First(s => s.EndsWith("coverage/state_machine.c", StringComparison.Ordinal));
        Harness.Must(Harness.Weft, ["cc", "--with=hotpatch", "-w", "-O2", "-fuse-ld=lld", .. flags, source, "-o", "program"]);
        Assert.Contains(MustBeReplaceable("--woven", "program"), f => f.Symbol == "main");
        Assert.Contains(Check("program"), f => f.Symbol == "_start" && f.Conditions.Contains("room"));
    }

    [Needs("cargo")]
    public void Rust_in_debug_and_release_is_replaceable_as_object_and_linked()
    {
        Harness.Write("Cargo.toml", "[package]\nname = \"work\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n[[bin]]\nname = \"app\"\npath = \"main.rs\"\n");
        Harness.Write("lib.rs", "use std::collections::BTreeMap;\npub fn count(text: &str) -> BTreeMap<String, usize> { let mut map = BTreeMap::new(); for word in text.split(' ') { *map.entry(word.to_string()).or_insert(0) += 1 } map }\n");
        Harness.Write("main.rs", "fn main() { for (word, count) in work::count(&std::env::args().collect::<Vec<_>>().join(\" \")) { println!(\"{word} {count}\") } }\n");
        foreach (var profile in (string[])["debug", "release"])
        {
            Harness.Must(Harness.Weft, ["cargo", "build", "-q", "--with", "hotpatch", .. profile == "release" ? ["--release"] : Array.Empty<string>()]);
            var folder = Harness.Path($"target/weft/hotpatch/x86_64-unknown-linux-gnu/{profile}");
            Assert.Contains(MustBeReplaceable($"{folder}/libwork.rlib"), f => f.Symbol.Contains("count"));
            Assert.Contains(MustBeReplaceable("--woven", $"{folder}/app"), f => f.Symbol.Contains("main"));
        }
    }

    [TheoryNeeds("cargo"), Trait("Category", "Slow")]
    [InlineData("0")]
    [InlineData("1")]
    [InlineData("2")]
    [InlineData("3")]
    [InlineData("\"s\"")]
    [InlineData("\"z\"")]
    public void Rust_kernels_are_replaceable_at_every_level(string level)
    {
        Harness.Must("cp", "-r", Path.Combine(Harness.Root, "bench/kernels/rust"), "kernels");
        Harness.Patience = TimeSpan.FromMinutes(10);
        Harness.Must("sh", "-c", "cd kernels && exec \"$@\"", "sh", Harness.Weft, "cargo", "build", "-q", "--release", "--with", "hotpatch", "--config", $"profile.release.opt-level={level}");
        var folder = Harness.Path("kernels/target/weft/hotpatch/x86_64-unknown-linux-gnu/release");
        MustBeReplaceable($"{folder}/libharness.rlib");
        MustBeReplaceable(["--woven", .. Directory.EnumerateFiles(folder).Where(f => !Path.HasExtension(f) && !Path.GetFileName(f).StartsWith('.'))]);
    }

    // The functions that the Rust compiler's own tests of hot patching are made of.
    [Needs("rustc")]
    public void A_loop_to_the_entry_and_a_single_ret_are_so_only_without_the_instrument()
    {
        Harness.Write("lib.rs", Functions);
        Harness.Must("rustc", "-Copt-level=3", "-Cpanic=abort", "--emit=obj=plain.o", "lib.rs");
        Harness.Must("rustc", "-Copt-level=3", "-Cpanic=abort", "-Cno-prepopulate-passes", "--emit=llvm-bc=lib.bc", "lib.rs");
        Harness.Must(Harness.Weft, "lower", "-O3", "--with", "hotpatch", "lib.bc", "-o", "woven.o");
        Assert.Equal([("empty_fn", "instruction room"), ("return_42", "room"), ("tailcall_fn", "branch room")], Check("plain.o").Select(f => (f.Symbol, f.Conditions)).Order());
        Assert.Equal(3, MustBeReplaceable("woven.o").Count);
        Assert.Equal(Bodies("plain.o")["return_42"], Bodies("woven.o")["return_42"]);
    }

    [Needs("clang-22")]
    public void A_function_that_was_replaceable_but_for_room_keeps_the_bytes_that_clang_gives_it() => AssertUnaffected("-O2", _ => ["clang-22", "-O2", "-ffunction-sections", "-fdata-sections"]);

    // Here the build without goes through the same files: reading bitcode once more changes the order of uses, which shows with -Os.
    [TheoryNeeds("clang-22"), Trait("Category", "Slow")]
    [InlineData("-O1")]
    [InlineData("-O3")]
    [InlineData("-Os")]
    [InlineData("-Oz")]
    public void A_function_that_was_replaceable_but_for_room_keeps_its_bytes(string level) => AssertUnaffected(level, _ => [Harness.Weft, "cc", "--with=hotpatch", "--hotpatch-never=*", level]);

    private void AssertUnaffected(string level, Func<bool, string[]> without)
    {
        string[] sources = [.. Corpus.Where(s => s.EndsWith(".c", StringComparison.Ordinal))];
        var plain = Check(Objects("plain", sources, without));
        _ = Objects("woven", sources, level);
        // With -Os functions may lie anywhere, which says nothing of their bytes.
        var unaffected = plain.Where(f => !f.Conditions.Contains("branch") && !f.Why.Contains("first instruction")).ToList();
        Assert.True(unaffected.Count > 10, $"{unaffected.Count} functions");
        foreach (var file in unaffected.GroupBy(f => f.File))
        {
            Dictionary<string, string> before = Bodies(file.Key), after = Bodies(file.Key.Replace("plain/", "woven/"));
            Assert.All(file, f => Assert.Equal(before[f.Symbol], after[f.Symbol]));
        }
    }

    [TheoryNeeds("clang-22", "lld-link-22", "llvm-readobj-22", "llvm-objdump-22")]
    [InlineData("x86_64-pc-windows-msvc", "-g", "-gcodeview")]
    [InlineData("x86_64-pc-windows-msvc", "-g0")]
    [InlineData("x86_64-pc-windows-msvc", "rust")]
    [InlineData("x86_64-w64-windows-gnu", "-g", "-gdwarf")]
    public void Windows_objects_are_marked_and_lld_gives_their_functions_more_room(string target, params string[] flags)
    {
        const string source = "int one(void) { return 1; } int add(int x) { return x + one(); } int mainCRTStartup(void) { return add(1); }";
        if (flags is ["rust"])
        {
            Harness.Write("lib.ll", $"target triple = \"{target}\"\ndefine i32 @one() {{ ret i32 1 }}\ndefine i32 @add(i32 %x) {{ %y = add i32 %x, 1\n ret i32 %y }}\ndefine i32 @mainCRTStartup() {{ ret i32 0 }}\n");
            Harness.Must("llvm-as-22", "lib.ll", "-o", "source.bc"); // as without debug information
        }
        else Harness.Bitcode("clang-22", source, [$"--target={target}", .. flags]);
        Harness.Must(Harness.Weft, "lower", "source.bc", "--with", "hotpatch", "-o", "source.obj");
        Assert.Matches(@"S_COMPILE3[^}]*HotPatch \(0x4000\)", Harness.Must("llvm-readobj-22", "--codeview", "source.obj").Output);
        Assert.Equal(3, MustBeReplaceable("source.obj").Count(f => f.Woven));

        Assert.Equal(8, SmallestRoomInProgram("source.obj"));
        Assert.InRange(SmallestRoomInProgram("source.obj", "/functionpadmin"), 8 + 6, 8 + 16);
    }

    [TheoryNeeds("clang-19", "clang-22", Llvm19)]
    [InlineData("clang-19", "-g0")]
    [InlineData("clang-19", "-g", "-gcodeview")]
    public void Windows_objects_of_an_older_LLVM_have_one_mark(string compiler, params string[] flags)
    {
        Harness.Bitcode(compiler, "int one(void) { return 1; }", ["--target=x86_64-pc-windows-msvc", .. flags]);
        Harness.Environment["WEFT_LLVM"] = Llvm19;
        Harness.Must(Harness.Weft, "lower", "source.bc", "--with", "hotpatch", "-o", "source.obj");
        Assert.Single(Harness.Must("llvm-readobj-22", "--codeview", "source.obj").Output.Split('\n'), l => l.Contains("HotPatch (0x4000)"));
    }

    [Needs("clang-22")]
    public void Other_systems_get_no_mark_and_Windows_on_aarch64_is_refused()
    {
        Harness.Bitcode("clang-22", "int one(void) { return 1; }", "--target=x86_64-apple-darwin");
        Harness.Must(Harness.Weft, "lower", "source.bc", "--with", "hotpatch", "-o", "source.o");
        Harness.Bitcode("clang-22", "int one(void) { return 1; }", "--target=aarch64-pc-windows-msvc");
        Harness.AssertToldWell(Harness.RunWeft("lower", "source.bc", "--with", "hotpatch", "-o", "source.obj"), ExitCode.Failure, "Windows on aarch64");
    }

    [Needs("clang-22")]
    public void Without_the_mark_a_Windows_object_is_warned_of()
    {
        Harness.Bitcode("clang-22", "int one(void) { return 1; }", "--target=x86_64-pc-windows-msvc");
        Harness.Must("clang-22", "--target=x86_64-pc-windows-msvc", "-O2", "-c", "source.c", "-o", "plain.obj");
        Harness.Must("clang-22", "--target=x86_64-pc-windows-msvc", "-O2", "-fms-hotpatch", "-c", "source.c", "-o", "marked.obj");
        var plain = Harness.RunWeft("hotpatch", "check", "plain.obj");
        Assert.Equal(1, plain.ExitCode);
        Assert.Contains("HotPatch in S_COMPILE3", plain.Errors);
        Assert.Contains("all replaceable", Harness.Must(Harness.Weft, "hotpatch", "check", "marked.obj").Output); // the linker makes the room
    }

    [Needs("clang-22")]
    public void The_build_fails_where_something_with_room_is_not_replaceable()
    {
        Harness.Write("bad.c", "__asm__(\".fill 16, 1, 0xcc\\n.globl bad\\n.type bad,@function\\nbad: push %rbp\\npop %rbp\\nret\\n.size bad, .-bad\"); int main(void) { return 0; }");
        Harness.AssertToldWell(Harness.RunWeft("cc", "--with=hotpatch", "-c", "bad.c"), ExitCode.Failure, "'bad' would not be replaceable", "the first instruction has one byte: push rbp");
    }

    // A compiler waits for the last check, which looks at bytes first: it must see whatever the thorough one sees.
    [Needs("clang-22")]
    public void The_check_of_a_build_finds_what_the_thorough_one_finds()
    {
        const string marker = "0123456789abcdef";
        Harness.Write("template.s", $".p2align 4\n.fill 16, 1, 0xcc\n.globl f\n.type f,@function\nf: .ascii \"{marker}\"\n.fill 200, 1, 0x90\n.size f, .-f\n");
        Harness.Must("clang-22", "--target=x86_64-linux-gnu", "-c", "template.s", "-o", "template.o");
        var template = File.ReadAllBytes(Harness.Path("template.o"));
        var at = template.AsSpan().IndexOf(Encoding.ASCII.GetBytes(marker));
        var random = new Random(11);
        int bad = 0, good = 0;
        for (var i = 0; i < 1500; i++)
        {
            var code = (byte[])template.Clone();
            code.AsSpan(at, 216).Fill(0x90);
            if (i < 256) code[at] = (byte)i;
            else
            {
                // Something plausible with branches to about the entry, far and near.
                var place = random.Next(2, 200);
                byte[] branch = (i % 3) switch
                {
                    0 => [(byte)(0x70 + random.Next(16)), (byte)(random.Next(-1, 6) - place - 2)],
                    1 => [(byte)(0xE8 + random.Next(2)), .. BitConverter.GetBytes(random.Next(-1, 6) - place - 5)],
                    _ => [0x0F, (byte)(0x80 + random.Next(16)), .. BitConverter.GetBytes(random.Next(-1, 6) - place - 6)],
                };
                if (random.Next(2) == 0) new byte[] { 0xF3, 0x0F, 0x1E, 0xFA, 0x66, 0x90 }.CopyTo(code.AsSpan(at));
                else new byte[] { 0x89, 0xF8 }.CopyTo(code.AsSpan(at));
                branch.CopyTo(code, at + Math.Max(place, 6));
            }
            File.WriteAllBytes(Harness.Path("code.o"), code);
            var verdict = Assert.Single(Assert.Single(CheckedFile.Read(Harness.Path("code.o"), _ => { })).Verdicts);
            if (verdict.Instruction == "no instruction") continue;
            Assert.True(verdict.IsWoven);
            var thrown = Record.Exception(() => new HotpatchInstrument().Finish(code));
            Assert.Equal((i, verdict.Violations.Count > 0), (i, thrown is WeftException));
            if (thrown == null) good++;
            else bad++;
        }
        Assert.True(bad > 300 && good > 300, $"{bad} bad, {good} good");
    }

    private int SmallestRoomInProgram(string file, params string[] flags)
    {
        Harness.Must("lld-link-22", ["/nodefaultlib", "/subsystem:console", "/entry:mainCRTStartup", .. flags, file, "/out:program.exe"]);
        int room = 0, least = int.MaxValue;
        foreach (var line in Harness.Must("llvm-objdump-22", "-d", "--no-show-raw-insn", "program.exe").Output.Split('\n').Where(l => l.Contains('\t')))
            if (line.EndsWith("int3", StringComparison.Ordinal)) room++;
            else (least, room) = (room > 0 ? Math.Min(least, room) : least, 0);
        return least;
    }

    /// <summary>Each function of an object as text: its bytes and its relocations, those by a section and those by a name alike.</summary>
    private Dictionary<string, string> Bodies(string file)
    {
        var elf = ElfFile.TryRead(File.ReadAllBytes(Harness.Path(file)), file)!;
        var functions = elf.Symbols.Where(s => s is { IsFunction: true, IsPlaced: true }).ToList();
        var starts = functions.GroupBy(f => f.Section).Where(g => g.Count() == 1).ToDictionary(g => g.Key, g => g.Single());
        var bodies = new Dictionary<string, string>();
        foreach (var function in functions)
        {
            var text = new StringBuilder(Convert.ToHexString(elf.Content(elf.Sections[function.Section]).Span.Slice((int)function.Value, (int)function.Size)));
            foreach (var relocation in elf.Relocations(function.Section))
            {
                var offset = relocation.Offset - (long)function.Value;
                if (offset < 0 || offset >= (long)function.Size) continue;
                var symbol = elf.Symbols[relocation.Symbol];
                var (name, addend) = symbol.IsSection && starts.TryGetValue(symbol.Section, out var start) ? (start.Name, relocation.Addend - (long)start.Value) : (symbol.Name, relocation.Addend);
                if (symbol.IsSection && name.Length == 0) name = elf.Sections[symbol.Section].Name;
                text.Append(' ').Append(offset).Append(':').Append(relocation.Type).Append(name).Append('+').Append(addend);
            }
            bodies[function.Name] = text.ToString();
        }
        return bodies;
    }
}
