using Weft.Llvm;

namespace Weft.Coverage.Regions.Placement;

/// <summary>Numbers of source files by what they are called: debug locations and syntax name the same file differently.</summary>
/// <param name="folder">What relative names begin at.</param>
internal sealed class ModuleFiles(string folder)
{
    private readonly Dictionary<string, int> numbers = new(StringComparer.Ordinal);
    private readonly Dictionary<DebugFile, int> known = [];
    private readonly List<string> paths = [];

    public string Folder => folder;

    public int this[DebugFile file] => known.TryGetValue(file, out var number) ? number : known[file] = this[file.Path];

    public int this[string name]
    {
        get
        {
            var path = Path.GetFullPath(name, folder);
            if (numbers.TryGetValue(path, out var number)) return number;
            paths.Add(path);
            return numbers[path] = paths.Count - 1;
        }
    }

    public string PathOf(int file) => paths[file];
}
