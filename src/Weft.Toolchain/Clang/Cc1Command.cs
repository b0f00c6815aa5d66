using Weft.Core;

namespace Weft.Toolchain.Clang;

/// <summary>
/// A <c>clang -cc1</c> command of the plan, and the commands that Weft makes of it. Where clang would go from source to
/// object in one process, Weft runs the same compiler in steps and weaves between them, as clang's own -save-temps does:
/// <code>
/// clang -cc1 -O2 -emit-obj FLAGS -o x.o -x c x.c
/// ==> clang -cc1 -O2 -emit-llvm-bc -disable-llvm-passes FLAGS -o front.bc -x c x.c
///     FRONT instruments: front.bc to woven.bc
///     clang -cc1 -O2 -emit-obj FLAGS -ivfsoverlay overlay -o x.o -x ir x.c
/// or, for BACK instruments,
///     clang -cc1 -O2 -emit-llvm-bc FLAGS -ivfsoverlay overlay -o optimised.bc -x ir x.c
///     BACK instruments: optimised.bc to woven.bc
///     clang -cc1 -O2 -emit-obj -disable-llvm-passes FLAGS -ivfsoverlay overlay -o x.o -x ir x.c
/// </code>
/// The overlay (<see cref="IrFile"/>) shows clang woven.bc under the name of the source, since some passes write the name
/// of what they work on into the object. With nothing to weave the object is the same, byte for byte, as in one process.
/// </summary>
internal sealed class Cc1Command
{
    private const string Bitcode = "-emit-llvm-bc", NoPasses = "-disable-llvm-passes", DebugKind = "-debug-info-kind=";

    // What cc1 can be asked to do that ends in a syntax tree, to be read by compilations that must agree on the language.
    private static readonly HashSet<string> TreeActions = ["-emit-pch", "-emit-module", "-emit-module-interface", "-emit-reduced-module-interface", "-emit-header-unit"];

    private static readonly HashSet<string> CodeActions = ["-emit-obj", "-S", Bitcode, "-emit-llvm"];

    private static readonly HashSet<string> OtherActions =
        ["-E", "-Eonly", "-M", "-fsyntax-only", "-analyze", "-ast-dump", "-ast-print", "-ast-list", "-ast-view", "-dump-tokens", "-dump-raw-tokens", "-verify-pch", "-emit-codegen-only", "-emit-llvm-only", "-emit-cir", "-emit-interface-stubs", "-emit-html", "-extract-api", "-init-only", "-print-preamble", "-plugin", "-rewrite-objc", "-templight-dump"];

    private static readonly HashSet<string> Unwoven = ["assembler", "assembler-with-cpp", "cuda", "cuda-cpp-output", "hip", "hip-cpp-output", "cl", "clcpp"];

    // The front step has read and written these; the steps after it would write them again, empty.
    private static readonly HashSet<string> FrontOnlyWithValue = ["-dependency-file", "-MT", "-dependency-dot", "-header-include-file", "-serialize-diagnostic-file", "-include-pch", "-mlink-builtin-bitcode", "-mlink-bitcode-file"];

    private static readonly HashSet<string> FrontOnly = ["-sys-header-deps", "-module-file-deps", "-MP", "-MG", "-MV", "-H", "--show-includes"];

    // Other files that the back end reads or writes: a cached object would not do.
    private static readonly string[] SideFiles =
        ["-split-dwarf-output", "-opt-record-", "-stats-file", "-ftime-", "-stack-usage-file", "-coverage-notes-file", "-fprofile-instrument-use-path", "-fprofile-instrument=", "-fprofile-sample-use", "-fbasic-block-sections=list", "-fpass-plugin", "-load", "-save-temps", "-fthinlto-index", "-fsanitize-ignorelist", "-fsanitize-coverage-", "-fdiagnostics-hotness", "-mllvm", "-Rpass", "-fmemory-profile-use", "-fdump", "-print-stats"];

    private readonly IReadOnlyList<string> arguments;

    private Cc1Command(IReadOnlyList<string> arguments, string? action)
    {
        this.arguments = arguments;
        Action = action;
    }

    /// <summary>Null when the job is none, or of a shape that Weft does not know.</summary>
    /// <param name="job">The job.</param>
    /// <param name="weaving">What has a say in how code is generated.</param>
    public static Cc1Command? TryRead(DriverJob job, Weaving weaving)
    {
        if (!job.IsCc1 || job.Arguments.Count < 4 || job.Arguments[^3] != "-x") return null;
        List<string> all = [.. job.Arguments];
        AddBeforeInput(all, [.. weaving.ClangCodeFlags]);
        return new(all, job.Arguments.LastOrDefault(a => CodeActions.Contains(a) || TreeActions.Contains(a) || OtherActions.Contains(a)));
    }

    public string? Action { get; }

    /// <summary>As <c>-x</c> names it.</summary>
    public string Language => arguments[^2];

    public string Input => arguments[^1];

    /// <summary>C or C++ as somebody wrote it, not preprocessed.</summary>
    public bool IsPlainSource => Language is "c" or "c++";

    public bool ReadsIr => Language == "ir";

    /// <summary>Makes code of a language that goes through LLVM, for this machine and not for a graphics card.</summary>
    public bool IsWoven => Action != null && CodeActions.Contains(Action) && !Unwoven.Contains(Language) && !IsOffload && !IsThinBackend;

    /// <summary>Makes a precompiled header or module.</summary>
    public bool MakesTree => Action != null && TreeActions.Contains(Action) && !IsOffload;

    /// <summary>Ends in front-end bitcode of its own accord, as the first steps of -save-temps do.</summary>
    public bool StopsAtFront => Action == Bitcode && arguments.Contains(NoPasses);

    /// <summary>Ends in something that is linked, so that BACK instruments have to have worked on it.</summary>
    public bool EndsInCode => Action is "-emit-obj" or "-S" || IsLto;

    /// <summary>Ends in an object file.</summary>
    public bool MakesObject => Action == "-emit-obj";

    /// <summary>The step writes nothing but its output, and reads nothing but its input.</summary>
    public bool IsPure => !arguments.Any(a => SideFiles.Any(s => a.StartsWith(s, StringComparison.Ordinal)));

    /// <summary>"0" to "3", "s" or "z": the level asked for.</summary>
    public string Level => arguments.LastOrDefault(IsLevel) is { } flag ? flag["-O".Length..] is "" ? "2" : flag["-O".Length..] : "0";

    /// <summary>Whether the front end is told to write types that the user has not asked for, if an instrument reads them.</summary>
    public bool HasMoreTypes => !ReadsIr && DebugInformation != DebugInformation.All && (EndsInCode || StopsAtFront) && TargetSystem.IsElf(Triple);

    /// <summary>How much the user wants to have of it.</summary>
    public DebugInformation DebugInformation => arguments.LastOrDefault(a => a.StartsWith(DebugKind, StringComparison.Ordinal))?[DebugKind.Length..] switch
    {
        null or "line-directives-only" => DebugInformation.None,
        "line-tables-only" => DebugInformation.Lines,
        _ => DebugInformation.All,
    };

    private bool IsLto => Action == Bitcode && arguments.Any(a => a.StartsWith("-flto", StringComparison.Ordinal));

    private bool IsOffload => arguments.Any(a => a is "-fcuda-is-device" or "-fopenmp-is-target-device" or "-fopenmp-is-device" or "-fsycl-is-device");

    // The back half of a distributed ThinLTO build: what it reads was woven when it was compiled.
    private bool IsThinBackend => arguments.Any(a => a.StartsWith("-fthinlto-index=", StringComparison.Ordinal));

    /// <summary>Source to bitcode that nothing has optimised.</summary>
    public List<string> Front(string output, Weaving weaving)
    {
        var list = Rewrite(Bitcode, output, arguments.Where(a => !a.StartsWith("-fembed-bitcode", StringComparison.Ordinal)));
        AddBeforeInput(list, NoPasses);
        return ForWeft(list, weaving);
    }

    /// <summary>Source to what the preprocessor makes of it, with its macros.</summary>
    public List<string> Preprocess(string output, Weaving weaving)
    {
        var list = Rewrite("-E", output, WithoutFrontOnly(keep: "-include-pch"));
        AddBeforeInput(list, "-dD", "-w");
        return ForWeft(list, weaving);
    }

    /// <summary>Source to optimised bitcode, when only BACK instruments are woven.</summary>
    public List<string> FrontAndOptimise(string output, Weaving weaving) => ForWeft(Rewrite(Bitcode, output, arguments), weaving);

    /// <summary>The same command, in agreement with the <see cref="Front"/> of others: for precompiled headers, and preprocessing for -save-temps.</summary>
    public List<string> Agreeing(Weaving weaving) => ForWeft([.. arguments], weaving);

    /// <summary>Bitcode to optimised bitcode.</summary>
    public List<string> Optimise(IrFile input, string output) => FromIr(Bitcode, input, output);

    /// <summary>Optimised bitcode to what was asked for.</summary>
    public List<string> Emit(IrFile input, string output)
    {
        var list = FromIr(Action!, input, output);
        AddBeforeInput(list, NoPasses);
        return list;
    }

    /// <summary>Front-end bitcode to what was asked for.</summary>
    public List<string> Finish(IrFile input, string output) => FromIr(Action!, input, output);

    private List<string> FromIr(string action, IrFile input, string output)
    {
        var list = Rewrite(action, output, WithoutFrontOnly());
        list[^2] = "ir";
        list[^1] = input.Name;
        if (input.Overlay != null) AddBeforeInput(list, "-ivfsoverlay", input.Overlay);
        return list;
    }

    private List<string> Rewrite(string action, string output, IEnumerable<string> from)
    {
        List<string> list = [.. from.Where(a => !CodeActions.Contains(a))];
        list.Insert(1, action);
        var at = list.LastIndexOf("-o");
        if (at < 0) AddBeforeInput(list, "-o", output);
        else list[at + 1] = output;
        return list;
    }

    private IEnumerable<string> WithoutFrontOnly(string? keep = null)
    {
        for (var i = 0; i < arguments.Count; i++)
            if (arguments[i] != keep && FrontOnlyWithValue.Contains(arguments[i])) i++;
            else if (!FrontOnly.Contains(arguments[i]) && !arguments[i].StartsWith("-ftime-trace", StringComparison.Ordinal)) yield return arguments[i];
    }

    private List<string> ForWeft(List<string> list, Weaving weaving)
    {
        if (weaving.WantsTypes) AddTypes(list);
        // To name a place in an optimisation remark, clang keeps locations in the IR also where no debug information is asked
        // for, and its back end then writes none. No remark has an empty name.
        if (weaving.WantsLocations) AddBeforeInput(list, "-Rpass=^$");
        if (weaving.WantsCanonicalIr && weaving.WantsStage(Stage.Front)) Canonicalise(list);
        // Headers then call the runtime, which the link will add, without asking whether it is there.
        foreach (var instrument in weaving.Instruments) AddBeforeInput(list, ["-D", $"__WEFT_{instrument.Name.ToUpperInvariant()}__=1"]);
        AddBeforeInput(list, [.. weaving.ClangFlags]);
        // As the last of the system folders: nothing of the user's is hidden by Weft's headers.
        AddBeforeInput(list, "-internal-isystem", Runtime.IncludeFolder);
        return list;
    }

    // FRONT reads them, and drops what was not asked for. Who wants bitcode gets it as it would have been.
    private void AddTypes(List<string> list)
    {
        if (!HasMoreTypes) return;
        list.RemoveAll(a => a.StartsWith(DebugKind, StringComparison.Ordinal));
        AddBeforeInput(list, DebugKind + "constructor");
    }

    private string Triple => arguments.SkipWhile(a => a != "-triple").Skip(1).FirstOrDefault() ?? "";

    /// <summary>
    /// Makes the front end write the same IR at every level, by comparing the plans of all of them:
    /// <list type="bullet">
    /// <item>-O0 to -O3, -Os, -Oz and -Og become -O2. That settles the macros __OPTIMIZE__, __OPTIMIZE_SIZE__ and
    /// __NO_INLINE__, lifetime markers, cleanups, and optnone and noinline on every function at -O0. Size attributes come
    /// back when the bitcode is woven; the steps after the front work at the level asked for.</item>
    /// <item>-fextend-variable-liveness, which -Og brings, goes: it loads variables only to keep them alive.</item>
    /// </list>
    /// What else depends on the level stays, because only the code generator looks at it: -mframe-pointer, and
    /// -vectorize-loops and -vectorize-slp.
    /// </summary>
    private static void Canonicalise(List<string> list)
    {
        list.RemoveAll(a => IsLevel(a) || a.StartsWith("-fextend-variable-liveness", StringComparison.Ordinal));
        list.Insert(1, "-O2");
    }

    private static bool IsLevel(string argument) => argument is "-O" or "-O0" or "-O1" or "-O2" or "-O3" or "-Os" or "-Oz" or "-Og" or "-Ofast";

    private static void AddBeforeInput(List<string> list, params ReadOnlySpan<string> words) => list.InsertRange(list.Count - 3, words.ToArray());
}
