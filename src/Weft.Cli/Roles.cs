using System.Text;
using Weft.Cli.Ci;
using Weft.Cli.Commands;
using Weft.Cli.Commands.Hotpatch.Watch;
using Weft.Cli.Testing;
using Weft.Coverage;
using Weft.Hotpatch;
using Weft.Interrupts;
using Weft.Metering;
using Weft.Toolchain;
using Weft.Toolchain.Cargo;
using Weft.Toolchain.Clang;
using Weft.Toolchain.Link;
using Weft.Tracing;

namespace Weft.Cli;

/// <summary>
/// Weft is one program under several names; which one it was called with says what it is to do. The wrappers start once
/// per crate and source file, so nothing on their way here may touch System.CommandLine.
/// </summary>
internal static class Roles
{
    /// <summary>Every instrument, in the order they are woven: metering brings its count up to date at the points that interrupts mark.</summary>
    public static InstrumentSet Instruments { get; } = new([new InterruptsInstrument(), new MeteringInstrument(), new TracingInstrument(), new CoverageInstrument(), new HotpatchInstrument()]);

    /// <summary>Names the program answers to beside its own; the build and <c>weft install</c> link them.</summary>
    public static IReadOnlyList<string> PublicNames { get; } = ["cargo-weft", "weft-cc", "weft-c++", .. CiCommands.Names];

    public static int Run(string[] arguments) => CalledAs() switch
    {
        "weft-rustc" => RustcWrapper.Run(arguments, Instruments),
        "weft-rustdoc" => RustdocWrapper.Run(arguments, Instruments),
        "weft-test-runner" => TestRunner.Run(arguments),
        "weft-linker" => LinkDoor.Run(arguments, Instruments),
        "weft-cc" => ClangDoor.Run(cplusplus: false, arguments, Instruments),
        "weft-c++" => ClangDoor.Run(cplusplus: true, arguments, Instruments),
        "cargo-weft" => Cargo(arguments is ["weft", ..] ? arguments[1..] : arguments), // cargo passes the subcommand's name on
        var name when CiCommands.Names.Contains(name) => CiCommands.Run(name, arguments),
        _ => Weft(arguments),
    };

    private static int Weft(string[] arguments) => arguments switch
    {
        ["cc", .. var rest] => ClangDoor.Run(cplusplus: false, rest, Instruments),
        ["c++", .. var rest] => ClangDoor.Run(cplusplus: true, rest, Instruments),
        ["cargo", .. var rest] => Cargo(rest),
        ["hotpatch", "watch", .. var rest] when !rest.Contains("--help") && !rest.Contains("-h") => WatchCommand.Run(rest),
        [LowerWorker.Verb, .. var rest] => LowerWorker.Run(rest),
        _ => CommandLine.Run(arguments),
    };

    private static int Cargo(string[] arguments) => arguments is ["hotpatch", ..] ? Weft(arguments) :
        arguments is [] or ["--help" or "-h" or "help"] ? CommandLine.Run(["cargo", "--help"]) : CargoDoor.Run(arguments, Instruments);

    private static string CalledAs() => Path.GetFileName(Encoding.UTF8.GetString(Posix.CommandLine[0]));
}
