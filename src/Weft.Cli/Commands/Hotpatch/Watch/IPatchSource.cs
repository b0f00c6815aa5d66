using Weft.Core;

namespace Weft.Cli.Commands.Hotpatch.Watch;

/// <summary>A project that is built again and again while its program runs.</summary>
internal interface IPatchSource
{
    /// <summary>What the last build has linked.</summary>
    string Program { get; }

    /// <summary>Files that the program is made of.</summary>
    IReadOnlyList<string> Sources { get; }

    /// <summary>What the first build has linked; empty where there was nothing to do.</summary>
    IReadOnlyList<LinkInput> Inputs { get; }

    /// <summary>Builds what has changed; what is wrong with it goes to stderr, as the compiler says it.</summary>
    /// <param name="changed">Files that have changed.</param>
    /// <param name="whenCompiled">Called on the way, as soon as there is all that the program will be linked from: the user's objects and archives, and the toolchain's.</param>
    /// <returns>The exit code.</returns>
    int Build(IReadOnlyList<string> changed, Action<IReadOnlyList<LinkInput>, IReadOnlyList<string>> whenCompiled);
}
