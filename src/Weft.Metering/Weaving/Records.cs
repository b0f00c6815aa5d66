using System.Text;
using Weft.Core;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>The records that tell the runtime whose units it counts, as runtime/metering_abi.h declares them.</summary>
internal sealed class Records(Module module, bool hasLines)
{
    private readonly LlvmType word = module.Context.Int(64);
    private readonly LlvmType type = module.Context.Struct(module.Context.Int(64), module.Context.Pointer, module.Context.Pointer, module.Context.Pointer);
    private readonly Dictionary<nint, (Value Record, Value Name)> functions = [];
    private readonly Dictionary<(nint Function, string File, int Line), Value> lines = [];
    private readonly Dictionary<string, Value> files = [];
    private readonly Dictionary<nint, string> paths = [];
    private Value sourceFile;

    /// <summary>Whether lines of functions have records, too.</summary>
    public bool HasLines => hasLines;

    /// <summary>The function's record: { cell, name, source file, where it begins }, the last if lines are wanted and known.</summary>
    public Value For(Function function) => Whole(function).Record;

    /// <summary>The record of a line of it: the same with that place, { function's record, file, line }. The function's without a line.</summary>
    public Value For(Function function, DebugLocation at)
    {
        if (at.Handle == 0 || at.Line == 0 || at.File is not { } file) return For(function);
        return For(function, file, at.Line);
    }

    private (Value Record, Value Name) Whole(Function function)
    {
        if (functions.TryGetValue(function.Handle, out var known)) return known;
        var name = Text(function.AsValue.NameBytes);
        var record = Add();
        Fill(record, name, hasLines && function.Source is var (file, line) ? Place(record.AsValue, file, line) : module.Context.Pointer.Null);
        return functions[function.Handle] = (record.AsValue, name);
    }

    private Value For(Function function, DebugFile file, int line)
    {
        if (!paths.TryGetValue(file.Handle, out var path)) paths[file.Handle] = path = file.Path;
        var key = (function.Handle, path, line);
        if (lines.TryGetValue(key, out var known)) return known;
        var (whole, name) = Whole(function);
        var record = Add();
        Fill(record, name, Place(whole, path, line));
        return lines[key] = record.AsValue;
    }

    private GlobalVariable Add()
    {
        var record = module.AddGlobal(type, "weft.metering.record");
        record.Linkage = Linkage.Private;
        record.Alignment = 8;
        record.SetSection(SectionName(module, "weft_metering", constant: false));
        return record;
    }

    /// <summary>
    /// The section of what the runtime finds between two symbols. ELF's linkers define them for a section; COFF's put into one, and sort, what
    /// is named alike up to the dollar, and the runtime has what comes before and behind.
    /// </summary>
    public static ReadOnlySpan<byte> SectionName(Module module, string name, bool constant) =>
        Encoding.ASCII.GetBytes(TargetSystem.IsElf(module.Triple) ? name : $"{(constant ? ".rdata" : ".data")}${name}_b");

    private void Fill(GlobalVariable record, Value name, Value place)
    {
        if (!sourceFile.Exists) sourceFile = FileName(module.SourceFileName);
        record.Initializer = module.Context.ConstStruct(word.Const(0), name, sourceFile, place);
    }

    private Value Place(Value function, string file, int line)
    {
        var place = module.AddGlobal(module.Context.Struct(module.Context.Pointer, module.Context.Pointer, word), "weft.metering.place");
        place.Initializer = module.Context.ConstStruct(function, FileName(file), word.Const((ulong)line));
        place.IsConstant = true;
        place.Linkage = Linkage.Private;
        return place.AsValue;
    }

    private Value FileName(string path)
    {
        if (!files.TryGetValue(path, out var text)) files[path] = text = Text(Encoding.UTF8.GetBytes(path));
        return text;
    }

    private Value Text(ReadOnlySpan<byte> text)
    {
        var constant = module.Context.ConstString(text);
        var global = module.AddGlobal(constant.Type, "weft.metering.text");
        global.Initializer = constant;
        global.IsConstant = true;
        global.Linkage = Linkage.Private;
        global.UnnamedAddress = true;
        global.Alignment = 1;
        return global.AsValue;
    }
}
