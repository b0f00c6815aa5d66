using System.Text;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>The records that tell the runtime whose units it counts, as runtime/metering_abi.h declares them.</summary>
internal sealed class Records(Module module)
{
    private readonly LlvmType type = module.Context.Struct(module.Context.Int(64), module.Context.Pointer, module.Context.Pointer, module.Context.Int(64));
    private readonly Dictionary<nint, Value> known = [];
    private Value sourceFile;

    /// <summary>The function's record: { cell, name, source file, 0 }.</summary>
    public Value For(Function function)
    {
        if (known.TryGetValue(function.Handle, out var value)) return value;
        if (!sourceFile.Exists) sourceFile = Text(Encoding.UTF8.GetBytes(module.SourceFileName));
        var record = module.AddGlobal(type, "weft.metering.record");
        var zero = module.Context.Int(64).Const(0);
        record.Initializer = module.Context.ConstStruct(zero, Text(function.AsValue.NameBytes), sourceFile, zero);
        record.Linkage = Linkage.Private;
        record.Alignment = 8;
        record.SetSection("weft_metering"u8);
        return known[function.Handle] = record.AsValue;
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
