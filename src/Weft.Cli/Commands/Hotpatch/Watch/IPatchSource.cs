using Weft.Hotpatch.Patches;

namespace Weft.Cli.Commands.Hotpatch.Watch;

/// <summary>A project that is built again and again while its program runs.</summary>
internal interface IPatchSource
{
    /// <summary>What the last build has linked.</summary>
    string Program { get; }

    /// <summary>Files that the program is made of.</summary>
    IReadOnlyList<string> Sources { get; }

    /// <summary>Builds what has changed; what is wrong with it goes to stderr, as the compiler says it.</summary>
    /// <param name="request">A patch to leave on the way.</param>
    /// <param name="changed">Files that have changed.</param>
    /// <returns>The exit code.</returns>
    int Build(PatchRequest request, IReadOnlyList<string> changed);
}
