using System.Text;
using Weft.Llvm;

namespace Weft.Metering;

/// <summary>The two inline functions of probes.ll inside a module, and the records that tell the runtime a function's name.</summary>
internal sealed class Probes
{
    private const string EnterName = "weft.metering.enter", FlushName = "weft.metering.flush", StateName = "__weft_metering_v1";

    private static readonly byte[] Source = ReadSource();

    private readonly Module module;
    private readonly Value sourceFile;
    private readonly LlvmType recordType;

    private Probes(Module module)
    {
        this.module = module;
        Enter = module.FindFunction(EnterName)!.Value;
        Flush = module.FindFunction(FlushName)!.Value;
        sourceFile = Text(Encoding.UTF8.GetBytes(module.SourceFileName));
        var context = module.Context;
        recordType = context.Struct(context.Int(64), context.Pointer, context.Pointer, context.Int(64));
    }

    public Function Enter { get; }

    public Function Flush { get; }

    public static bool ArePresent(Module module) => module.FindGlobal(StateName) != null;

    public static Probes LinkInto(Module module)
    {
        using var source = module.Context.ParseAssembly(Source);
        source.Triple = module.Triple;
        source.DataLayout = module.DataLayout;
        module.Link(source);
        return new Probes(module);
    }

    /// <summary>The function's record, as runtime/metering.c declares it: { cell, name, source file, 0 }.</summary>
    public Value RecordFor(Function function)
    {
        var context = module.Context;
        var record = module.AddGlobal(recordType, "weft.metering.record");
        var zero = context.Int(64).Const(0);
        record.Initializer = context.ConstStruct(zero, Text(function.AsValue.NameBytes), sourceFile, zero);
        record.Linkage = Linkage.Private;
        record.Alignment = 8;
        record.SetSection("weft_metering"u8);
        return record.AsValue;
    }

    /// <summary>The probes belong to this module alone from now on; weak linkage was needed to get them through the linker.</summary>
    public void Seal()
    {
        foreach (var probe in (ReadOnlySpan<Function>)[Enter, Flush])
        {
            var sealedProbe = probe;
            sealedProbe.Linkage = Linkage.Internal;
        }
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

    private static byte[] ReadSource()
    {
        using var stream = typeof(Probes).Assembly.GetManifestResourceStream("probes.ll")!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
