using Weft.Llvm;

namespace Weft.Core;

/// <summary>Where in the lowering an instrument works.</summary>
public enum Stage
{
    /// <summary>IR as the front end wrote it: what is counted here does not depend on optimisation.</summary>
    Front,

    /// <summary>
    /// The same after inlining and simplification, as far as the level asked for has them, and before anything is vectorised: what
    /// FRONT marked in a way that the optimiser keeps can become code here. Runs only where an instrument wants it.
    /// </summary>
    Middle,

    /// <summary>Optimised IR, right before code generation: cheapest, and vectorised loops stay as they are.</summary>
    Back,
}

/// <summary>An option of an instrument: flag <c>--NAME-OPTION VALUE</c>, variable <c>WEFT_NAME_OPTION</c>.</summary>
/// <param name="Name">Without the instrument's name, in lower case with dashes.</param>
/// <param name="Default">Value when nobody says anything.</param>
/// <param name="Values">The values allowed; empty when any text is.</param>
/// <param name="Description">One line for <c>--help</c>.</param>
/// <param name="Read">Any other value names a file: makes of its name, without folders, and its content what the instrument sees, so that a build depends on nothing else.</param>
public sealed record InstrumentOption(string Name, string Default, IReadOnlyList<string> Values, string Description, Func<string, byte[], string>? Read = null);

/// <summary>One instrument: one class, one method over a module.</summary>
public interface IInstrument
{
    /// <summary>What people write after <c>--with</c>, and the name of the C header and Rust module.</summary>
    string Name { get; }

    /// <summary>One line for <c>--help</c>.</summary>
    string Description { get; }

    IReadOnlyList<InstrumentOption> Options { get; }

    /// <summary>Where it works in a build with these settings.</summary>
    IReadOnlyList<Stage> Stages(InstrumentSettings settings);

    /// <summary>True when the front end must emit one fixed form of IR whatever level the user asked to optimise at.</summary>
    bool WantsCanonicalIr { get; }

    /// <summary>Symbols of the process-wide state in the runtime that executables must export, as globs.</summary>
    IReadOnlyList<string> SharedSymbols { get; }

    /// <summary>Whether its runtime is there for Windows, too.</summary>
    bool IsForWindows => false;

    /// <summary>What clang's front end has to be told so that it writes what the instrument reads into the IR.</summary>
    IReadOnlyList<string> ClangFlags(InstrumentSettings settings) => [];

    /// <summary>What clang's code generator has to be told. The lowering of Rust's bitcode gives functions and variables sections anyway.</summary>
    IReadOnlyList<string> ClangCodeFlags => [];

    /// <summary>What rustc's front end has to be told, as <see cref="ClangFlags"/>; unstable options (<c>-Z</c>) are unlocked for this crate alone.</summary>
    /// <param name="settings">What the build asked of the instrument.</param>
    /// <param name="crate">The crate's name, with underscores.</param>
    /// <param name="isMember">Whether the crate belongs to the user's workspace.</param>
    IReadOnlyList<string> RustcFlags(InstrumentSettings settings, string crate, bool isMember) => [];

    /// <summary>Whether it reads the source: then the IR has debug locations, and <see cref="WeaveContext.Source"/> is filled.</summary>
    bool ReadsSource(InstrumentSettings settings) => false;

    /// <summary>Whether the IR must have debug locations, also where no debug information is asked for.</summary>
    bool WantsLocations(InstrumentSettings settings) => ReadsSource(settings);

    /// <summary>Whether the IR must say at FRONT how types lie in memory, also where no debug information is asked for. ELF only.</summary>
    bool WantsTypes => false;

    /// <summary>Whether each function must have an entry of its own, also one of several with the same code.</summary>
    bool KeepsFunctionsApart => false;

    /// <summary>Folder below WEFT_OUT that its profiles go to, if runs of one cargo command make a whole; or null.</summary>
    string? ProfileFolder => null;

    /// <summary>A source of the runtime whose object is linked both before and behind everything else; or null.</summary>
    string? RuntimeBounds(InstrumentSettings settings) => null;

    /// <summary>Whether a build can ask for <c>--deny-uninstrumented</c> with it.</summary>
    bool FindsUninstrumented => false;

    /// <summary>What it does not see of a module that nothing has been woven into.</summary>
    IEnumerable<Uninstrumented> FindUninstrumented(Module module) => [];

    /// <summary>Weaves the instrument into a module. Must leave a module that passes LLVM's verifier, and be a pure function of its inputs.</summary>
    void Weave(Module module, WeaveContext context);

    /// <summary>Whether it works on what was linked, too (<see cref="FinishLink"/>), for which that has to have its symbols and a build id.</summary>
    bool SeesLinks => false;

    /// <summary>Works on a program or shared library that the linker has made.</summary>
    /// <param name="output">The file.</param>
    /// <param name="inputs">Objects and archives that were linked; archives may hold more than was taken.</param>
    void FinishLink(string output, IReadOnlyList<string> inputs)
    {
    }

    /// <summary>Works, in place, on the object file that the code generator made of a woven module. False when nothing was to be done.</summary>
    bool Finish(byte[] objectFile) => false;
}

/// <summary>What a build asked of one instrument.</summary>
public sealed class InstrumentSettings(Func<string, string> option, Func<string, bool> isWoven)
{
    /// <summary>Value of one of the instrument's own options.</summary>
    public string Option(string name) => option(name);

    /// <summary>Whether another instrument is woven in the same build.</summary>
    public bool IsWovenWith(string instrument) => isWoven(instrument);
}

/// <summary>What a build knows of the source of a module and bitcode does not say, for an instrument that reads source.</summary>
/// <param name="Fingerprint">Text that differs whenever the source does, as far as debug locations do not tell.</param>
/// <param name="Folder">What relative names of files begin at.</param>
public sealed record SourceContext(string Fingerprint, string Folder)
{
    /// <summary>Of C and C++: what the compiler's preprocessor printed, with the macros (<c>-E -dD</c>).</summary>
    public string? Preprocessed { get; init; }

    /// <summary>The main file of that, as the compiler names it.</summary>
    public string MainFile { get; init; } = "";

    /// <summary>Whether that is C++.</summary>
    public bool IsCpp { get; init; }

    /// <summary>Of Rust: the folders of the workspace's packages.</summary>
    public IReadOnlyList<string> Packages { get; init; } = [];
}

/// <summary>What an instrument may know while it weaves.</summary>
/// <param name="Stage">Where in the lowering.</param>
/// <param name="Level">How the code will be optimised.</param>
/// <param name="Settings">What the build asked of the instrument.</param>
/// <param name="Source">What the build knows of the source; null when nobody said.</param>
/// <param name="IsLast">Whether no later stage will see this module: link-time optimisation by somebody else takes it from here.</param>
public sealed record WeaveContext(Stage Stage, OptLevel Level, InstrumentSettings Settings, SourceContext? Source = null, bool IsLast = false)
{
    /// <summary>False at -O0, where a debugger expects the user's variables in memory.</summary>
    public bool Optimised => Level != OptLevel.O0;

    /// <summary>Value of one of the instrument's own options.</summary>
    public string Option(string name) => Settings.Option(name);
}
