using System.Text;
using Weft.Coverage.Maps;
using Weft.Coverage.Profiles;
using Weft.Coverage.Regions;
using Weft.Llvm;

namespace Weft.Coverage.Weaving.Own;

/// <summary>
/// Writes a module's coverage map as the front ends do: a list of files in section <c>__llvm_covmap</c>, a record for each
/// function in <c>__llvm_covfun</c>, and the names of functions without code, which LLVM's own pass adds to those of the others.
/// </summary>
internal sealed class MapWriter(Module module, string folder)
{
    // Stored are version 6, of LLVM 13 to 17, and version 7.
    private const uint Older = 5, Newest = 6;
    private const int FirstOfNewest = 18;

    private readonly List<string> files = [folder];
    private readonly List<(string Name, ulong Hash, byte[] Record)> records = [];
    private readonly List<Value> unused = [];
    private readonly HashSet<string> names = new(StringComparer.Ordinal);

    /// <summary>Adds a function. Its counts are sums of counters.</summary>
    /// <returns>A hash of its shape, for its counters.</returns>
    public ulong Add(string name, FunctionRegions regions, int counters)
    {
        // Not of the files' numbers, which are this module's alone: another may have the function too. 0 is for what has no code.
        var hash = ProfileNames.Hash([.. Encode(regions, new int[regions.Files.Count]), (byte)counters, (byte)(counters >> 8), (byte)(counters >> 16)]) | 1;
        records.Add((name, hash, Encode(regions)));
        names.Add(name);
        return hash;
    }

    /// <summary>Adds a function that there is no code of.</summary>
    public void AddUnused(string name, FunctionRegions regions)
    {
        if (!names.Add(name)) return;
        records.Add((name, 0, Encode(regions)));
        unused.Add(AddName(name, Linkage.Private).AsValue);
    }

    /// <summary>The variable with a function's name that its counters refer to.</summary>
    public GlobalVariable AddName(string name, Linkage linkage)
    {
        var text = module.Context.ConstBytes(Encoding.UTF8.GetBytes(name));
        var variable = module.AddGlobal(text.Type, "__profn_" + string.Concat(name.Select(c => "-:;<>/\"'".Contains(c) ? '_' : c)));
        variable.Initializer = text;
        variable.IsConstant = true;
        variable.Linkage = linkage switch
        {
            Linkage.External or Linkage.Internal => Linkage.Private,
            Linkage.ExternalWeak => Linkage.LinkOnceAny,
            Linkage.AvailableExternally => Linkage.LinkOnceOdr,
            _ => linkage,
        };
        if (variable.Linkage != Linkage.Private) variable.Visibility = Visibility.Hidden;
        return variable;
    }

    public void Finish()
    {
        if (records.Count == 0) return;
        var list = FileList();
        foreach (var (name, hash, record) in records) WriteRecord(ProfileNames.Hash(name), hash, ProfileNames.Hash(list), record);
        WriteFiles(list);
        if (unused.Count == 0) return;
        var array = module.Context.ConstArray(module.Context.Pointer, [.. unused]);
        var variable = module.AddGlobal(array.Type, "__llvm_coverage_names");
        variable.Initializer = array;
        variable.IsConstant = true;
        variable.Linkage = Linkage.Internal;
    }

    private byte[] Encode(FunctionRegions function) => Encode(function, [.. function.Files.Select(NumberOf)]);

    private static byte[] Encode(FunctionRegions function, int[] files)
    {
        var expressions = new CounterExpressions();
        var regions = function.Regions.Select(r => new MappedRegion(
            r.Kind, r.File, r.ExpandedFile, expressions.Of(r.Count), r.FalseCount == null ? default : expressions.Of(r.FalseCount), r.StartLine, r.StartColumn, r.EndLine, r.EndColumn)).ToList();
        return RegionEncoder.Encode(files, expressions.All, regions);
    }

    private int NumberOf(string file)
    {
        var number = files.IndexOf(file, 1);
        if (number >= 0) return number;
        files.Add(file);
        return files.Count - 1;
    }

    /// <summary>How many, the size, 0 for "not compressed", and each with its length.</summary>
    private byte[] FileList()
    {
        var texts = new List<byte>();
        foreach (var file in files.Select(Encoding.UTF8.GetBytes))
        {
            Leb(texts, (uint)file.Length);
            texts.AddRange(file);
        }
        var list = new List<byte>();
        Leb(list, (uint)files.Count);
        Leb(list, (uint)texts.Count);
        Leb(list, 0);
        return [.. list, .. texts];
    }

    private void WriteFiles(byte[] list)
    {
        var version = LlvmLibrary.Version.Major >= FirstOfNewest ? Newest : Older;
        var word = module.Context.Int(32);
        var header = module.Context.ConstStruct(word.Const(0), word.Const((ulong)list.Length), word.Const(0), word.Const(version));
        var variable = Add("__llvm_coverage_mapping", "__llvm_covmap"u8, module.Context.ConstStruct(header, module.Context.ConstBytes(list)));
        variable.Linkage = Linkage.Private;
    }

    private void WriteRecord(ulong name, ulong hash, ulong list, byte[] record)
    {
        LlvmType word = module.Context.Int(64), half = module.Context.Int(32);
        var content = module.Context.ConstPackedStruct(word.Const(name), half.Const((ulong)record.Length), word.Const(hash), word.Const(list), module.Context.ConstBytes(record));
        var variable = Add($"__covrec_{name:X}{(hash == 0 ? "" : "u")}", "__llvm_covfun"u8, content);
        variable.Linkage = Linkage.LinkOnceOdr;
        variable.Visibility = Visibility.Hidden;
        variable.MakeGroup();
    }

    private GlobalVariable Add(string name, ReadOnlySpan<byte> section, Value content)
    {
        var variable = module.AddGlobal(content.Type, name);
        variable.Initializer = content;
        variable.IsConstant = true;
        variable.Alignment = 8;
        variable.SetSection(section);
        module.KeepInObject(variable);
        return variable;
    }

    private static void Leb(List<byte> to, uint number)
    {
        for (; number >= 0x80; number >>= 7) to.Add((byte)(number | 0x80));
        to.Add((byte)number);
    }
}
