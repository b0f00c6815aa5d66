namespace Weft.Tests;

/// <summary>Patches of cargo projects, and <c>weft hotpatch watch</c>.</summary>
public sealed class HotpatchCargoTests : PatchedPrograms
{
    private const string Manifest = "[package]\nname = \"steps\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    private static readonly string Source = Fixture("steps.rs");

    [Needs("cargo")]
    public void A_watched_program_has_each_change_and_keeps_its_state() => Watch();

    [Needs("cargo")]
    public void A_watched_release_build_has_each_change_too() => Watch("--release");

    [Needs("cargo")]
    [Trait("Category", "Slow")] // half a minute
    public void A_watched_build_that_is_optimised_as_a_whole_has_each_change_too() => Watch("--release", "--config", "profile.release.lto=true");

    [Needs("cargo")]
    public void A_watched_build_with_a_woven_standard_library_has_each_change_too() => Watch("--std");

    private void Watch(params string[] options)
    {
        var watch = WatchProject(options);
        var program = watch.Process;
        Assert.Equal("step 1 thread 8 area 7 total 3 even 2: even 2", Ask(program, "2"));
        Save(watch, ("\"step {}", "\"STEP {}"), ("self.0 * self.0", "self.0 * self.0 * 10.0"), ("map(|x| x + 1)", "map(|x| x + 1000)"), ("panic!(\"even {n}\")", "panic!(\"EVEN NUMBER {n} {:?}\", vec![n])"));
        Assert.Equal("STEP 2 thread 9 area 43 total 2001 even 2: EVEN NUMBER 2 [2]", Ask(program, "2"));

        // New functions, a new static, and of the standard library and libm what the program has not had.
        Save(watch, ("self.steps += 1;", "self.steps += 1; fresh();"), ("fn main()", "static FRESH: AtomicU32 = AtomicU32::new(40);\nfn fresh() { let n = FRESH.fetch_add(1, Ordering::SeqCst); if std::env::var(\"NO_SUCH_VARIABLE\").is_err() { print!(\"fresh {n} \"); } }\n\nfn main()"));
        Assert.Equal("fresh 40 STEP 3 thread 10 area 43 total 1000 odd 1: fine", Ask(program, "1"));
        Save(watch, ("\"fresh {n} \"", "\"FRESH {n} {:.2} \", f64::from(n).sin()"));
        Assert.Equal("FRESH 41 -0.16 STEP 4 thread 11 area 43 total 1000 odd 1: fine", Ask(program, "1"));

        // An error is shown as cargo shows it, and changes nothing; so is what cannot be patched.
        Save(watch, "error: expected expression", ("self.steps += 1;", "self.steps += ;"));
        Assert.Equal("FRESH 42 -0.92 STEP 5 thread 12 area 43 total 1000 odd 1: fine", Ask(program, "1"));
        Save(watch, "has another initial value", ("self.steps += ;", "self.steps += 1;"), ("AtomicU32::new(3)", "AtomicU32::new(4)"));
        Assert.Equal("FRESH 43 -0.83 STEP 6 thread 13 area 43 total 1000 odd 1: fine", Ask(program, "1"));
        Save(watch, ("AtomicU32::new(4)", "AtomicU32::new(3)"), ("\"FRESH {n} {:.2} \", f64::from(n).sin()", "\"last {n} \""));
        Assert.Equal("last 44 STEP 7 thread 14 area 43 total 1000 odd 1: fine", Ask(program, "1"));
        program.StandardInput.Close();
        Assert.True(program.WaitForExit(10_000), "the watch goes on after its program has ended");
        Assert.Equal(0, program.ExitCode);
    }

    [Needs("cargo")]
    public void A_watch_says_which_thread_goes_on_with_the_code_that_it_had()
    {
        var watch = WatchProject();
        Assert.Equal("step 1 thread 8 area 7 total 3 even 2: even 2", Ask(watch.Process, "2"));
        var source = Harness.Path("src/main.rs");
        File.WriteAllText(source, Edit(File.ReadAllText(source), ("unwrap_or(0)", "unwrap_or(1)")));
        watch.Await("is in steps::main, and goes on with the code that it had until it returns");
        watch.Process.StandardInput.Close();
        Assert.True(watch.Process.WaitForExit(10_000));
    }

    [TheoryNeeds("cargo")]
    [InlineData("--release")]
    [InlineData("--offline")]
    public void New_code_has_the_vtables_and_texts_of_the_program_and_none_of_its_own(string option)
    {
        Harness.Write("Cargo.toml", Manifest);
        Harness.Write("src/main.rs", """
            trait Creature {
                fn looks(&self) -> u32;
            }

            struct Fish(String);

            impl Creature for Fish {
                fn looks(&self) -> u32 {
                    self.0.len() as u32
                }
            }

            #[inline(never)]
            fn answer(name: &str) -> String {
                let fish: Box<dyn Creature> = Box::new(Fish(name.to_string()));
                let (_, vtable) = unsafe { std::mem::transmute_copy::<Box<dyn Creature>, (usize, usize)>(&fish) };
                let text = "a text that is long enough to be told from others";
                format!("{} {vtable:x} {:p}", fish.looks() + 1, text.as_ptr())
            }

            fn main() {
                for line in std::io::stdin().lines() {
                    println!("{}", answer(line.unwrap().trim()));
                }
            }
            """);
        var watch = Watched([option]);
        var before = Ask(watch.Process, "2").Split(' ');
        Save(watch, ("fish.looks() + 1", "fish.looks() + 1000"));
        Assert.Equal(["1001", before[1], before[2]], Ask(watch.Process, "2").Split(' '));
        watch.Process.StandardInput.Close();
        Assert.True(watch.Process.WaitForExit(10_000));
    }

    [Needs("cargo")]
    public void Of_two_functions_with_one_code_the_one_that_has_not_changed_stays_also_for_callers_under_way()
    {
        Harness.Write("Cargo.toml", Manifest);
        Harness.Write("src/main.rs", """
            use std::hint::black_box;

            #[inline(never)]
            fn first(x: u64) -> u64 {
                black_box(black_box(x) * 3) + black_box(1)
            }

            #[inline(never)]
            fn second(x: u64) -> u64 {
                black_box(black_box(x) * 3) + black_box(1)
            }

            fn main() {
                let kept: [fn(u64) -> u64; 2] = black_box([first, second]);
                for line in std::io::stdin().lines() {
                    let x = line.unwrap().trim().parse().unwrap();
                    println!("{} {} {} {}", first(x), second(x), kept[0](x), kept[1](x));
                }
            }
            """);
        var watch = Watched("--release");
        Assert.Equal("7 7 7 7", Ask(watch.Process, "2"));
        Save(watch, ("first(x: u64) -> u64 {\n    black_box(black_box(x) * 3)", "first(x: u64) -> u64 {\n    black_box(black_box(x) * 5)"));
        Assert.Equal("11 7 11 7", Ask(watch.Process, "2"));
        Save(watch, ("second(x: u64) -> u64 {\n    black_box(black_box(x) * 3)", "second(x: u64) -> u64 {\n    black_box(black_box(x) * 5)"));
        Assert.Equal("11 11 11 11", Ask(watch.Process, "2"));
        watch.Process.StandardInput.Close();
        Assert.True(watch.Process.WaitForExit(10_000));
    }

    private WatchedProject WatchProject(params string[] options)
    {
        Harness.Write("Cargo.toml", Manifest);
        Harness.Write("src/main.rs", Source);
        return Watched(options);
    }

    private void Save(WatchedProject watched, params (string Old, string New)[] edits) => Save(watched, "Patched", edits);

    private void Save(WatchedProject watched, string awaited, params (string Old, string New)[] edits)
    {
        var path = Harness.Path("src/main.rs");
        File.WriteAllText(path, Edit(File.ReadAllText(path), edits));
        watched.Await(awaited);
        if (awaited == "Patched") watched.Await("Finished");
        else if (awaited.StartsWith("error", StringComparison.Ordinal)) watched.Await("goes on as it is");
        else watched.Await("Finished");
    }
}
