namespace Weft.Syntax;

/// <summary>A published package of C sources that compiles into one library.</summary>
/// <param name="Name">The language, as messages call it.</param>
/// <param name="Package">Package and exact version.</param>
/// <param name="Integrity">SHA-512 of the package's archive in base 64, as npm's lock files write it.</param>
/// <param name="SourceFolder">Folder of the sources in the archive.</param>
/// <param name="Sources">The files to compile, in that folder.</param>
/// <param name="IncludeFolders">Folders to search for headers.</param>
public sealed record Grammar(string Name, string Package, string Integrity, string SourceFolder, IReadOnlyList<string> Sources, IReadOnlyList<string> IncludeFolders)
{
    private const string CoreFolder = "package/vendor/tree-sitter/lib/", GrammarFolder = "package/src/";

    /// <summary>The library that all grammars share.</summary>
    public static Grammar Core { get; } = new("tree-sitter", "tree-sitter@0.25.1", "mrcEdkYtHfrK1A6fs3O6FxkBo0Qig5XUXqHhxUOQu0bmPo00QF4XaSx4edpazdHwxnSCjlGKGgIqWdaN4dvTLA==",
        CoreFolder, ["src/lib.c"], ["include", "src"]);

    public static Grammar Rust { get; } = new("Rust", "tree-sitter-rust@0.24.0", "NWemUDf629Tfc90Y0Z55zuwPCAHkLxWnMf2RznYu4iBkkrQl2o/CHGB7Cr52TyN5F1DAx8FmUnDtCy9iUkXZEQ==",
        GrammarFolder, ["parser.c", "scanner.c"], ["."]);

    public static Grammar C { get; } = new("C", "tree-sitter-c@0.24.1", "lkYwWN3SRecpvaeqmFKkuPNR3ZbtnvHU+4XAEEkJdrp3JfSp2pBrhXOtvfsENUneye76g889Y0ddF2DM0gEDpA==",
        GrammarFolder, ["parser.c"], ["."]);

    public static Grammar Cpp { get; } = new("C++", "tree-sitter-cpp@0.23.4", "qR5qUDyhZ5jJ6V8/umiBxokRbe89bCGmcq/dk94wI4kN86qfdV8k0GHIUEKaqWgcu42wKal5E97LKpLeVW8sKw==",
        GrammarFolder, ["parser.c", "scanner.c"], ["."]);

    /// <summary>The function that gives the language's tables.</summary>
    internal string EntryPoint => PackageName.Replace('-', '_');

    internal string PackageName => Package[..Package.IndexOf('@')];
}
